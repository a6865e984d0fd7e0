"""Probability: state spaces, sampling, mixture models, hierarchical models."""

import math

import numpy as np

import arignote as ag
from tests.programs.whole_program import whole_program


def log_sum_exp(x, axis):
    top = np.max(x, axis=axis, keepdims=True)
    return np.squeeze(top, axis=axis) + np.log(np.sum(np.exp(x - top), axis=axis))


@whole_program(
    lambda g: (
        g.normal(size=4),
        g.normal(size=(4, 4)),
        g.normal(size=(4, 3)),
        g.integers(0, 3, size=int(g.integers(1, 30))),
    ),
    wrt=(0, 1, 2),
    mapped=(0,),
    rtol=1e-10,
)
def hidden_markov_model(start, transition, emission, observed):
    """The forward algorithm in logarithms, from unnormalised scores."""
    a = transition - log_sum_exp(transition, 1)[:, None]
    b = emission - log_sum_exp(emission, 1)[:, None]
    alpha = start - log_sum_exp(start, 0) + b[:, observed[0]]
    for t in range(1, observed.shape[0]):
        alpha = log_sum_exp(alpha[:, None] + a, 0) + b[:, observed[t]]
    return log_sum_exp(alpha, 0)


@whole_program(lambda g: (g.normal(size=(int(g.integers(1, 20)), 4)), g.normal(size=(4, 4))))
def viterbi(scores, transition):
    """The best path, by dynamic programming with back pointers."""
    n, k = scores.shape
    back = np.zeros((n, k), dtype=np.int64)
    best = scores[0].copy()
    for t in range(1, n):
        through = best[:, None] + transition
        back[t] = np.argmax(through, axis=0)
        best = np.max(through, axis=0) + scores[t]
    path = np.zeros(n, dtype=np.int64)
    path[n - 1] = np.argmax(best)
    for t in range(n - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path, np.max(best)


@whole_program(
    lambda g: (g.normal(size=(int(g.integers(1, 25)), 2)), 0.3, 0.5, g.normal(size=(4, 4)) * 0.1),
    wrt=(0, 1, 2, 3),
    mapped=(1,),
    rtol=1e-9,
)
def kalman_filter(observed, process, measurement, extra):
    """Tracking in the plane; the likelihood of what was seen."""
    f = np.eye(4) + extra
    f[0, 2] += 0.1
    f[1, 3] += 0.1
    h = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    x, p = np.zeros(4), np.eye(4)
    total = 0.0
    for y in observed:
        x = f @ x
        p = f @ p @ f.T + process**2 * np.eye(4)
        s = h @ p @ h.T + measurement**2 * np.eye(2)
        det = s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0]
        inverse = np.array([[s[1, 1], -s[0, 1]], [-s[1, 0], s[0, 0]]]) / det
        r = y - h @ x
        gain = p @ h.T @ inverse
        x = x + gain @ r
        p = p - gain @ h @ p
        total += -0.5 * (r @ inverse @ r + math.log(det)) - math.log(2.0 * math.pi)
    return total


@whole_program(
    lambda g: (g.normal(size=(int(g.integers(2, 12)), 3)), g.normal(size=(3, 3)), 5),
    wrt=(0, 1),
    mapped=(0,),
    rtol=1e-10,
)
def conditional_random_field(scores, transition, seed):
    """The negative log likelihood of one labelling."""
    n = scores.shape[0]
    gold, label, previous = 0.0, seed % 3, 0
    alpha = scores[0]
    gold += scores[0, label]
    for t in range(1, n):
        previous, label = label, (label * 2 + t) % 3
        gold += transition[previous, label] + scores[t, label]
        alpha = log_sum_exp(alpha[:, None] + transition, 0) + scores[t]
    return log_sum_exp(alpha, 0) - gold


@whole_program(
    lambda g: (g.normal(size=3), g.normal(size=(20, 3)), g.integers(0, 2, size=20), g.normal(size=(5, 3)), g.random(5)),
    rtol=1e-9,
)
def hamiltonian_monte_carlo(beta, x, y, momenta, uniforms):
    """Logistic regression; leapfrog with gradients by `ag.grad`, and Metropolis's test."""

    def energy(beta):
        z = x @ beta
        return np.sum(np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0.0) - y * z) + 0.5 * np.sum(beta**2)

    slope = ag.grad(energy)
    accepted = 0
    for i in range(momenta.shape[0]):
        q, p = beta, momenta[i]
        start = energy(q) + 0.5 * np.sum(p * p)
        p = p - 0.05 * slope(q)
        for step in range(8):
            q = q + 0.1 * p
            if step < 7:
                p = p - 0.1 * slope(q)
        p = p - 0.05 * slope(q)
        change = energy(q) + 0.5 * np.sum(p * p) - start
        if uniforms[i] < np.exp(-change):
            beta = q
            accepted += 1
    return beta, accepted


@whole_program(
    lambda g: (g.normal(size=5), float(g.normal()), float(g.normal()), g.normal(size=30), g.integers(0, 5, size=30)),
    wrt=(0, 1, 2),
    mapped=(0,),
    rtol=1e-10,
)
def radon(effects, mean, log_scale, levels, county):
    """The log density of a hierarchical model with counties."""
    scale = math.exp(log_scale)
    prior = -0.5 * np.sum(((effects - mean) / scale) ** 2) - effects.shape[0] * log_scale - 0.5 * mean**2
    residual = levels - effects[county]
    return prior - 0.5 * np.sum(residual**2)


@whole_program(lambda g: (g.normal(size=(25, 2)), g.normal(size=(3, 2)), int(g.integers(1, 6))), wrt=(0, 1), rtol=1e-9)
def soft_k_means(x, centres, steps):
    """Expectation and maximisation for spheres."""
    for _ in range(steps):
        d = np.sum((x[:, None, :] - centres[None, :, :]) ** 2, axis=2)
        w = np.exp(-d - log_sum_exp(-d, 1)[:, None])
        centres = (w.T @ x) / np.sum(w, axis=0)[:, None]
    d = np.sum((x[:, None, :] - centres[None, :, :]) ** 2, axis=2)
    return -np.sum(log_sum_exp(-d, 1))


@whole_program(lambda g: (g.normal(size=(40, 2)), 4))
def k_means(x, k):
    """Lloyd's algorithm, until nothing changes."""
    centres = x[:k].copy()
    labels = np.full(x.shape[0], -1)
    rounds = 0
    while True:
        d = np.sum((x[:, None, :] - centres[None, :, :]) ** 2, axis=2)
        new = np.argmin(d, axis=1)
        rounds += 1
        if np.all(new == labels):
            break
        labels = new
        for j in range(k):
            members = labels == j
            if np.any(members):
                centres[j] = np.sum(x * members[:, None], axis=0) / np.sum(members)
    return centres, labels, rounds


@whole_program(lambda g: (float(g.normal()), g.normal(size=(8, 50)), g.random(8), g.normal(size=8)), rtol=1e-9)
def particle_filter(drift, noise, uniforms, observed):
    """Bootstrap filter with systematic resampling."""
    n = noise.shape[1]
    x = np.zeros(n)
    total = 0.0
    for t in range(observed.shape[0]):
        x = 0.9 * x + 0.1 * drift + noise[t]
        logs = -0.5 * (observed[t] - x) ** 2
        top = np.max(logs)
        w = np.exp(logs - top)
        total += top + np.log(np.mean(w))
        edges = np.cumsum(w / np.sum(w))
        chosen = np.zeros(n, dtype=np.int64)
        j = 0
        for i in range(n):
            while j < n - 1 and edges[j] < (i + uniforms[t]) / n:
                j += 1
            chosen[i] = j
        x = x[chosen]
    return total, np.mean(x)


@whole_program(
    lambda g: (g.normal(size=3), g.normal(size=(30, 3)), g.integers(0, 2, size=30)), wrt=(0,), mapped=(0,), rtol=1e-9
)
def reweighted_least_squares(beta, x, y):
    """Newton's method for logistic regression, three steps, then the likelihood."""
    for _ in range(3):
        z = x @ beta
        p = 1.0 / (1.0 + np.exp(-z))
        w = p * (1.0 - p) + 1e-3
        h = (x.T * w) @ x + np.eye(3)
        g = x.T @ (p - y) + beta
        lower = np.zeros((3, 3))
        for i in range(3):
            for j in range(i + 1):
                s = h[i, j] - np.dot(lower[i, :j], lower[j, :j])
                lower[i, j] = np.sqrt(s) if i == j else s / lower[j, j]
        step = np.zeros(3)
        for i in range(3):
            step[i] = (g[i] - np.dot(lower[i, :i], step[:i])) / lower[i, i]
        for i in range(2, -1, -1):
            step[i] = (step[i] - np.dot(lower[i + 1 :, i], step[i + 1 :])) / lower[i, i]
        beta = beta - step
    z = x @ beta
    return np.sum(np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0.0) - y * z)
