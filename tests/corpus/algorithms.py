"""Whole programs: integrators, filters, factorisations, dynamic programming, training steps."""

import functools
import math
import operator
from dataclasses import dataclass

import numpy as np

import arignote as ag
from tests.corpus.program import call, program


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def positive_definite(n):
    a = normal(n, n)
    return a @ a.T + n * np.eye(n)


@program(
    lambda: call(np.array([1.0, 0.5]), 0.1, 10),
    lambda: call(np.array([1.0, 0.5]), 0.1, 0),
    differentiable=(0, 1),
    ulps=64,
    tags="twice",
)
def runge_kutta(y, h, n):
    def f(t, y):
        return np.array([y[1], -math.sin(1.0) * y[0] - 0.1 * y[1] + 0.01 * t])

    t = 0.0
    for _ in range(n):
        k1 = f(t, y)
        k2 = f(t + h / 2, y + h / 2 * k1)
        k3 = f(t + h / 2, y + h / 2 * k2)
        k4 = f(t + h, y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        t += h
    return y.sum()


@program(
    lambda: call(np.array([1.0, 0.5]), 1e-4), lambda: call(np.array([2.0, -0.5]), 1e-2), differentiable=(0,), ulps=1e4
)
def adaptive_step_size(y, tolerance):
    def field(y):
        x, v = y
        return np.stack([v, (1 - x * x) * v - x])

    t, h, steps = 0.0, 0.1, 0
    while t < 1.0 and steps < 1000:
        if t + h > 1.0:
            h = 1.0 - t
        k1 = field(y)
        k2 = field(y + h * k1)
        low = y + h * k1
        high = y + h / 2 * (k1 + k2)
        error = np.max(np.abs(high - low))
        steps += 1
        if error > tolerance:
            h *= 0.5
            continue
        y, t = high, t + h
        if error < tolerance / 10:
            h *= 2.0
    else:
        if steps >= 1000:
            raise RuntimeError("too many steps")
    return y, t, steps


@program(lambda: call(2.0, 1.0), lambda: call(30.0, 2.0), edges=[lambda: call(2.0, 0.0)], differentiable=(0,), ulps=16)
def newton(a, x0):
    def f(x):
        return x**3 - a

    def df(x):
        return 3 * x**2

    x = x0
    for i in range(50):
        if df(x) == 0:
            raise ZeroDivisionError(f"derivative zero at {x} in step {i}")
        step = f(x) / df(x)
        x -= step
        if abs(step) < 1e-13:
            break
    else:
        return -1.0
    return x


@program(
    lambda: call(normal(6), normal(2, 2, seed=1), normal(1, 2, seed=2), 0.1, 0.2),
    differentiable=(0, 1, 2, 3, 4),
    ulps=256,
    tags="twice",
)
def kalman_filter(ys, A, C, q, r):
    n = A.shape[0]
    m = np.zeros(n)
    P = np.eye(n)
    Q = q * q * np.eye(n)
    ll = 0.0
    for y in ys:
        m = A @ m
        P = A @ P @ A.T + Q
        S = (C @ P @ C.T)[0, 0] + r**2
        K = (P @ C.T)[:, 0] / S
        e = y - (C @ m)[0]
        m = m + K * e
        P = P - np.outer(K, C[0] @ P)
        ll -= 0.5 * (np.log(2 * np.pi * S) + e**2 / S)
    return ll


@program(
    lambda: call(normal(3), normal(3, 3, seed=1), normal(3, 4, seed=2), np.array([0, 1, 3, 2, 2])),
    differentiable=(0, 1, 2),
    ulps=64,
    tags="twice",
)
def hidden_markov_model(pi, A, B, obs):
    def logsumexp(x, axis):
        m = np.max(x, axis=axis, keepdims=True)
        return np.squeeze(m, axis) + np.log(np.sum(np.exp(x - m), axis=axis))

    lp = pi - logsumexp(pi, 0)
    lA = A - logsumexp(A, 1)[:, None]
    lB = B - logsumexp(B, 1)[:, np.newaxis]
    alpha = lp + lB[:, obs[0]]
    for o in obs[1:]:
        alpha = logsumexp(alpha[:, None] + lA, 0) + lB[:, o]
    return logsumexp(alpha, 0)


@program(lambda: call(normal(12, 2), 3, 5), ulps=32)
def kmeans(x, k, steps):
    centers = x[:k].copy()
    labels = np.zeros(len(x), dtype=np.int64)
    for it in range(steps):
        d = ((x[:, None, :] - centers[None]) ** 2).sum(-1)
        new = d.argmin(axis=1)
        if it > 0 and (new == labels).all():
            break
        labels = new
        for j in range(k):
            mask = labels == j
            if mask.any():
                centers[j] = x[mask].mean(axis=0)
    return centers, labels


@program(
    lambda: call(positive_definite(4)),
    lambda: call(positive_definite(1)),
    edges=[lambda: call(-np.eye(2)), lambda: call(np.zeros((0, 0)))],
    differentiable=(0,),
    ulps=64,
)
def cholesky(a):
    n = a.shape[0]
    L = np.zeros((n, n))
    for j in range(n):
        s = a[j, j]
        for k in range(j):
            s -= L[j, k] ** 2
        if s <= 0:
            raise ValueError(f"not positive definite: pivot {j} is {s}")
        L[j, j] = math.sqrt(s)
        for i in range(j + 1, n):
            L[i, j] = (a[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
    return L


@program(lambda: call(positive_definite(4), normal(4, seed=3)), differentiable=(0, 1), ulps=256)
def solve_by_elimination(a, b):
    a, b = a.copy(), b.copy()
    n = len(b)
    for k in range(n):
        p = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[p, k]):
                p = i
        if p != k:
            row = a[k].copy()
            a[k] = a[p]
            a[p] = row
            b[k], b[p] = b[p], b[k]
        for i in range(k + 1, n):
            f = a[i, k] / a[k, k]
            a[i, k:] -= f * a[k, k:]
            b[i] -= f * b[k]
    x = np.empty_like(b)
    for i in reversed(range(n)):
        x[i] = (b[i] - np.dot(a[i, i + 1 :], x[i + 1 :])) / a[i, i]
    return x


@program(lambda: call(normal(4, 3)), differentiable=(0,), ulps=256)
def gram_schmidt(a):
    m, n = a.shape
    q = np.zeros((m, n))
    r = np.zeros((n, n))
    for j in range(n):
        v = a[:, j].copy()
        for i in range(j):
            r[i, j] = q[:, i] @ a[:, j]
            v -= r[i, j] * q[:, i]
        r[j, j] = np.linalg.norm(v)
        q[:, j] = v / r[j, j]
    return q, r


@program(lambda: call(normal(3), normal(3, 3, seed=1), normal(6, 3, seed=2)), differentiable=None)
def viterbi(pi, trans, emit):
    T, K = emit.shape
    delta = pi + emit[0]
    back = np.zeros((T, K), dtype=int)
    for t in range(1, T):
        scores = delta[:, None] + trans
        back[t] = np.argmax(scores, axis=0)
        delta = scores.max(0) + emit[t]
    path = np.empty(T, dtype=int)
    path[-1] = np.argmax(delta)
    for t in range(T - 2, -1, -1):
        path[t] = back[t + 1, path[t + 1]]
    return path, delta.max()


@program(
    lambda: call(np.array([1, 2, 3, 4]), np.array([2, 3, 5])),
    edges=[lambda: call(np.array([], dtype=int), np.array([1, 2]))],
)
def edit_distance(a, b):
    n, m = len(a), len(b)
    d = np.zeros((n + 1, m + 1), dtype=np.int64)
    d[:, 0] = np.arange(n + 1)
    d[0, :] = np.arange(m + 1)
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            cost = 0 if a[i - 1] == b[j - 1] else 1
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + cost)
    return d[n, m], d


@program(lambda: call(8, 8, 30))
def mandelbrot(w, h, limit):
    out = np.zeros((h, w), dtype=np.int32)
    for j in range(h):
        for i in range(w):
            cr, ci = -2 + 3 * i / w, -1.5 + 3 * j / h
            zr = zi = 0.0
            for n in range(limit):
                zr, zi = zr * zr - zi * zi + cr, 2 * zr * zi + ci
                if zr * zr + zi * zi > 4:
                    out[j, i] = n
                    break
            else:
                out[j, i] = -1
    return out


@program(lambda: call((normal(6, 7) > 0).astype(np.int32), 4), lambda: call(normal(6, 7) > 0, 3))
def game_of_life(grid, steps):
    for _ in range(steps):
        n = sum(
            np.roll(np.roll(grid.astype(int), i, 0), j, 1) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)
        )
        grid = ((n == 3) | ((grid == 1) & (n == 2))).astype(grid.dtype)
    return grid


@program(lambda: call(0.3, normal(50), np.random.default_rng(5).uniform(size=50)), ulps=64)
def metropolis(x, noise, uniforms):
    def logp(x):
        return -0.5 * x * x

    accepted = 0
    chain = np.empty(len(noise))
    for i, (e, u) in enumerate(zip(noise, uniforms)):
        proposal = x + 0.8 * e
        if math.log(u) < logp(proposal) - logp(x):
            x = proposal
            accepted += 1
        chain[i] = x
    return chain, accepted / len(noise), chain[10:].mean()


@program(
    lambda: call((1.0, 2.0, 3.0), 0.5), lambda: call([1.0, -2.0], 0.5), differentiable=(0, 1), ulps=4
)
def polynomial_closures(coefficients, x):
    def make(c, rest):
        return lambda x: c + x * rest(x)

    p = lambda x: 0.0
    for c in reversed(coefficients):
        p = make(c, p)
    return p(x)


@program(
    lambda: call(normal(5), np.array([0, 0, 1, 2, 2]), np.array([0, 2, 1, 0, 2]), normal(3, seed=1)),
    differentiable=(0, 3),
    ulps=16,
    tags="twice",
)
def sparse_product(data, rows, cols, x):
    y = np.zeros(3)
    for v, r, c in zip(data, rows, cols):
        y[r] += v * x[c]
    z = np.zeros_like(x)
    np.add.at(z, rows, data * x[cols])
    return np.sum(y * y) + np.sum(z**3)


@program(
    lambda: call(0.3, 1.0, 2.0, 3.0, a=4.0, b=5.0), lambda: call(0.3), lambda: call(1.0, 2.0, b=1), differentiable=(0,)
)
def args_and_kwargs(x, *args, scale=2, **kwargs):
    total = x * scale
    for a in args:
        total += a * x
    for k, v in sorted(kwargs.items()):
        total = total * v if k == "a" else total - v
    return total, len(args), kwargs.get("a", -1)


@program(lambda: call(1.0, 2.0, 3.0), lambda: call(3.0, 2.0, 1.0), tags="prints")
def chained_side_effects(a, b, c):
    def show(name, v):
        print("eval", name, v)
        return v

    r = show("a", a) < show("b", b) < show("c", c)
    s = show("b", b) > 1 or show("c", c) > 1
    t = show("x", 0) and show("y", 1)
    print(r, s, t, sep="|", end="!\n")
    return r, s, t


@program(lambda: call(normal(4), normal(3, seed=1)), lambda: call(normal(2), normal(3, seed=1)), differentiable=(0, 1))
def zip_enumerate_reversed(a, b):
    total = 0.0
    for i, (x, y) in enumerate(zip(a, reversed(b)), start=1):
        total = total + i * x * y
    for x, y in zip(reversed(a), b[::-1]):
        total = total - x / (y + 3)
    for row in reversed(list(range(3))):
        total = total + row
    return total


@program(
    lambda: call(np.array([0.3, -0.2]), normal(6, 2), normal(6, seed=1)), differentiable=(0,), ulps=64, tags="twice"
)
def gradient_step_inside_the_loss(w, x, y):
    def loss(w):
        return np.mean((np.tanh(x @ w) - y) ** 2)

    w2 = w - 0.1 * ag.grad(loss)(w)
    for _ in range(3):
        v, g = ag.value_and_grad(loss)(w2)
        w2 = w2 - 0.1 * g
    return loss(w2)


@dataclass(frozen=True)
class Vec:
    x: float
    y: float = 0.0

    def __add__(self, o):
        return Vec(self.x + o.x, self.y + o.y)

    def __mul__(self, k):
        return Vec(self.x * k, self.y * k)

    __rmul__ = __mul__

    def __neg__(self):
        return Vec(-self.x, -self.y)

    def __abs__(self):
        return math.hypot(self.x, self.y)

    def __getitem__(self, i):
        return self.x if i == 0 else self.y

    def __len__(self):
        return 2

    @property
    def norm(self):
        return abs(self)

    def rotated(self, angle):
        c, s = math.cos(angle), math.sin(angle)
        return Vec(c * self.x - s * self.y, s * self.x + c * self.y)

    @classmethod
    def unit(cls, angle):
        return cls(math.cos(angle), math.sin(angle))

    def __eq__(self, o):
        return isinstance(o, Vec) and self.x == o.x and self.y == o.y

    def __bool__(self):
        return self.x != 0 or self.y != 0

    def __lt__(self, o):
        return abs(self) < abs(o)


@program(lambda: call(Vec(1.0, 2.0), 0.3), differentiable=(0, 1), ulps=8)
def vectors(v, a):
    w = (v + Vec.unit(a) * 2.0).rotated(a)
    u = 3.0 * -w
    return u.x, u.norm, w[0] * len(w)


def compose(*fs):
    return functools.reduce(lambda f, g: lambda x: g(f(x)), fs)


@program(lambda: call(0.4), differentiable=(0,), ulps=4, tags="twice")
def composed(x):
    f = compose(math.sin, lambda t: t * t, math.exp)
    return f(x) + functools.partial(operator.add, 2.0)(x) + functools.reduce(operator.mul, [x, x + 1, x + 2])


@program(lambda: call(20), edges=[lambda: call(0), lambda: call(1)])
def sieve(n):
    prime = np.ones(n + 1, dtype=bool)
    prime[:2] = False
    for i in range(2, int(n**0.5) + 1):
        if prime[i]:
            prime[i * i :: i] = False
    return np.nonzero(prime)[0], prime.sum()


@program(lambda: call(np.array([1.0, 3.0, 5.0, 7.0]), 5.0), lambda: call(np.array([1.0, 3.0, 5.0, 7.0]), 4.0))
def binary_search(a, t):
    lo, hi = 0, len(a) - 1
    while lo <= hi:
        mid = (lo + hi) // 2
        if a[mid] == t:
            return mid
        elif a[mid] < t:
            lo = mid + 1
        else:
            hi = mid - 1
    return -1


@program(lambda: call(normal(3, 4)), differentiable=(0,), ulps=8, tags="twice")
def heat_equation(u):
    u = u.copy()
    for _ in range(4):
        new = u.copy()
        new[1:-1, 1:-1] = u[1:-1, 1:-1] + 0.1 * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
        u = new
    return (u**2).sum()


@program(lambda: call(np.array([3, 4, 5, 9]), np.array([3, 4, 4, 10]), 7))
def knapsack(weights, values, capacity):
    best = np.zeros(capacity + 1, dtype=np.int64)
    for w, v in zip(weights, values):
        for c in range(capacity, w - 1, -1):
            best[c] = max(best[c], best[c - w] + v)
    return best[capacity], best


@program(lambda: call(normal(4), normal(4, seed=1)), differentiable=(0, 1), ulps=16, tags="twice")
def soft_time_warping(x, y):
    n, m = len(x), len(y)
    r = np.full((n + 1, m + 1), 1e6)
    r[0, 0] = 0.0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            d = (x[i - 1] - y[j - 1]) ** 2
            z = np.array([r[i - 1, j - 1], r[i - 1, j], r[i, j - 1]])
            mn = z.min()
            r[i, j] = d + mn - np.log(np.exp(-(z - mn)).sum())
    return r[n, m]


@program(lambda: call(normal(3), 4), lambda: call(normal(3), 0))
def gradient_descent_with_history(w, steps):
    history = np.zeros(steps)

    def loss(w, c):
        return np.sum((w - c) ** 4)

    for i in range(steps):
        history[i], g = ag.value_and_grad(loss)(w, 0.5)
        w = w - 0.01 * g
    return w, history


@program(lambda: call(0.5, 3), differentiable=(0,), ulps=4)
def three_derivatives(x, n):
    f = lambda x: math.sin(x) * x**3
    return f(x), ag.grad(f)(x), ag.grad(ag.grad(f))(x), ag.grad(ag.grad(ag.grad(f)))(x)


@program(lambda: call(2.0, 3), lambda: call(-2.0, 3), differentiable=(0,))
def functions_chosen(x, n):
    fs = (lambda t: t * 2, lambda t: t**2, math.tanh)
    total = 0.0
    for f in fs:
        total += f(x)
    g = fs[0] if x > 0 else fs[1]
    for i in range(n):
        total = g(total)
    return total
