"""Simulation with explicit random keys."""

import math

import numpy as np

import arignote as ag
from arignote import random
from tests.programs.whole_program import whole_program


@whole_program(lambda g: (g.uniform(0.5, 1.5, size=4), random.key(int(g.integers(0, 100)))), rtol=1e-9)
def predator_and_prey(rates, key):
    """Gillespie's simulation with a fixed key; one fold of the key for each event."""
    a, b, t, n = 30, 10, 0.0, 0
    while t < 3.0 and n < 2000:
        p = np.array([rates[0] * a, 0.05 * rates[1] * a * b, rates[2] * b, 0.1 * rates[3]])
        total = np.sum(p)
        u = random.uniform(random.fold_in(key, n), (2,))
        t += float(-np.log(1.0 - u[0]) / total)
        event = int(np.sum(np.cumsum(p) < u[1] * total))
        if event == 0:
            a += 1
        elif event == 1:
            a, b = a - 1, b + 1
        elif event == 2:
            b -= 1
        else:
            a, b = a + 1, b + 1
        n += 1
    return a, b, n


@whole_program(lambda g: (g.normal(size=2), random.key(int(g.integers(0, 100))), int(g.integers(1, 20))), rtol=1e-9)
def hamiltonian_chain(q, key, draws):
    """HMC on a banana, with a new key for every draw; the samples are rows of an array."""

    def energy(q):
        return 0.5 * q[0] ** 2 + 2.0 * (q[1] - 0.5 * q[0] ** 2) ** 2

    slope = ag.grad(energy)
    samples = np.zeros((draws, 2))
    for i in range(draws):
        key, for_momentum, for_test = random.split(key, 3)
        p = random.normal(for_momentum, (2,))
        new_q = q
        start = energy(q) + 0.5 * np.sum(p * p)
        p = p - 0.05 * slope(new_q)
        for _ in range(10):
            new_q = new_q + 0.1 * p
            p = p - 0.1 * slope(new_q)
        p = p + 0.05 * slope(new_q)
        if random.uniform(for_test) < np.exp(start - energy(new_q) - 0.5 * np.sum(p * p)):
            q = new_q
        samples[i] = q
    return samples


@whole_program(lambda g: (0.4, random.key(3), int(g.integers(1, 6))))
def ising(coupling, key, sweeps):
    """Metropolis's sweeps over a small torus of spins."""
    n = 6
    spins = np.ones((n, n), dtype=np.int64)
    for sweep in range(sweeps):
        u = random.uniform(random.fold_in(key, sweep), (n, n))
        for i in range(n):
            for j in range(n):
                around = spins[(i + 1) % n, j] + spins[i - 1, j] + spins[i, (j + 1) % n] + spins[i, j - 1]
                change = 2.0 * coupling * spins[i, j] * around
                if change <= 0.0 or u[i, j] < math.exp(-change):
                    spins[i, j] = -spins[i, j]
    return spins, np.sum(spins)


@whole_program(
    lambda g: (float(g.normal()), float(g.uniform(0.5, 1.5)), g.normal(size=12), random.key(5)),
    wrt=(0, 1, 2),
    mapped=(0,),
    rtol=1e-10,
)
def evidence_lower_bound(mean, log_scale, data, key):
    """Variational inference: the gradient goes through the samples."""
    z = random.normal(key, (8,), mean, np.exp(0.1 * log_scale))
    log_density = -0.5 * np.sum((data[None, :] - z[:, None]) ** 2, axis=1) - 0.5 * z**2
    entropy = 0.1 * log_scale + 0.5 * math.log(2.0 * math.pi * math.e)
    return -np.mean(log_density) - entropy


@whole_program(lambda g: (g.normal(size=(30, 3)), g.normal(size=3), random.key(1)), wrt=(1,), mapped=(1,), rtol=1e-9)
def stochastic_gradient_descent(x, w, key):
    """Minibatches by permutations; the derivative with respect to where it starts."""
    y = np.sin(np.sum(x, axis=1))
    for epoch in range(3):
        order = random.permutation(random.fold_in(key, epoch), 30)
        for start in range(0, 30, 10):
            rows = order[start : start + 10]
            residual = np.tanh(x[rows] @ w) - y[rows]
            w = w - 0.1 * (x[rows].T @ (residual * (1.0 - np.tanh(x[rows] @ w) ** 2))) / 10.0
    return np.mean((np.tanh(x @ w) - y) ** 2)
