"""Integrators: adaptive, symplectic, stochastic, and for partial differential equations."""

import math
from typing import NamedTuple

import numpy as np

from tests.programs.whole_program import whole_program


@whole_program(
    lambda g: (np.array([1.0, 0.5]) + 0.1 * g.normal(size=2), np.array([1.1, 0.4, 0.4, 0.1]), 4.0),
    wrt=(0, 1),
    order=1,
    rtol=1e-9,
    mapped=(0,),
)
def lotka_volterra(y, rates, end):
    """Runge, Kutta and Fehlberg with a step that adapts; the number of steps depends on the data."""

    def f(y):
        a, b, c, d = rates
        return np.array([a * y[0] - b * y[0] * y[1], d * y[0] * y[1] - c * y[1]])

    t, h = 0.0, 0.1
    while t < end:
        h = min(h, end - t)
        k1 = f(y)
        k2 = f(y + h * k1 / 4)
        k3 = f(y + h * (3 * k1 + 9 * k2) / 32)
        k4 = f(y + h * (1932 * k1 - 7200 * k2 + 7296 * k3) / 2197)
        k5 = f(y + h * (439 * k1 / 216 - 8 * k2 + 3680 * k3 / 513 - 845 * k4 / 4104))
        k6 = f(y + h * (-8 * k1 / 27 + 2 * k2 - 3544 * k3 / 2565 + 1859 * k4 / 4104 - 11 * k5 / 40))
        fifth = y + h * (16 * k1 / 135 + 6656 * k3 / 12825 + 28561 * k4 / 56430 - 9 * k5 / 50 + 2 * k6 / 55)
        fourth = y + h * (25 * k1 / 216 + 1408 * k3 / 2565 + 2197 * k4 / 4104 - k5 / 5)
        error = float(np.max(np.abs(fifth - fourth)))
        if error <= 1e-6:
            t, y = t + h, fifth
            if t >= end - 1e-12:
                break
        scale = 2.0 if error == 0.0 else 0.9 * (1e-6 / error) ** 0.2
        h = h * min(4.0, max(0.1, scale))
    return float(y[0] ** 2 + y[1])


@whole_program(lambda g: (g.normal(size=4), 0.01, int(g.integers(1, 60))), wrt=(0,), mapped=(0,), rtol=1e-9)
def double_pendulum(state, h, steps):
    """Two arms under gravity, by the classical method; the result is the energy's drift plus an angle."""

    def field(s):
        a, b, u, v = s
        d = a - b
        den = 3.0 - math.cos(2.0 * d)
        da = (
            -3.0 * 9.81 * math.sin(a) - 9.81 * math.sin(a - 2.0 * b) - 2.0 * math.sin(d) * (v * v + u * u * math.cos(d))
        ) / den
        db = 2.0 * math.sin(d) * (2.0 * u * u + 2.0 * 9.81 * math.cos(a) + v * v * math.cos(d)) / den
        return np.array([u, v, da, db])

    def energy(s):
        a, b, u, v = s
        kinetic = u * u + 0.5 * v * v + u * v * math.cos(a - b)
        return kinetic - 9.81 * (2.0 * math.cos(a) + math.cos(b))

    start = energy(state)
    for _ in range(steps):
        k1 = field(state)
        k2 = field(state + 0.5 * h * k1)
        k3 = field(state + 0.5 * h * k2)
        k4 = field(state + h * k3)
        state = state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return state[0] + energy(state) - start


@whole_program(lambda g: (g.normal(size=int(g.integers(3, 40))), 0.3, int(g.integers(0, 50))), wrt=(0, 1), mapped=(0,))
def heat_equation(u, rate, steps):
    """Explicit differences with fixed ends, written into one array in place."""
    u = u.copy()
    for _ in range(steps):
        new = u.copy()
        for i in range(1, u.shape[0] - 1):
            new[i] = u[i] + rate * (u[i - 1] - 2.0 * u[i] + u[i + 1])
        u = new
    return np.sum(u**2)


@whole_program(lambda g: (g.normal(size=(8, 8)), 0.2, int(g.integers(1, 20))), wrt=(0,), mapped=(0,))
def wave_equation(u, c, steps):
    """Two fields that change places, by slices."""
    before = u.copy()
    for _ in range(steps):
        after = 2.0 * u - before
        lap = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1]
        after[1:-1, 1:-1] += c * c * lap
        before, u = u, after
    return np.sum(u * u) + np.sum(before * u)


class Bodies(NamedTuple):
    position: np.ndarray
    velocity: np.ndarray
    mass: np.ndarray


def random_bodies(generator):
    n = int(generator.integers(2, 6))
    return Bodies(generator.normal(size=(n, 3)), 0.1 * generator.normal(size=(n, 3)), generator.uniform(1, 2, size=n))


@whole_program(lambda g: (random_bodies(g), 0.01, int(g.integers(1, 20))), wrt=(0,), rtol=1e-10)
def n_bodies(bodies, h, steps):
    """Leapfrog; forces by two loops over pairs."""

    def accelerations(x, m):
        n = x.shape[0]
        a = np.zeros_like(x)
        for i in range(n):
            for j in range(i + 1, n):
                d = x[j] - x[i]
                inverse = 1.0 / (np.sum(d * d) + 0.01) ** 1.5
                a[i] += m[j] * inverse * d
                a[j] -= m[i] * inverse * d
        return a

    x, v, m = bodies
    a = accelerations(x, m)
    for _ in range(steps):
        v = v + 0.5 * h * a
        x = x + h * v
        a = accelerations(x, m)
        v = v + 0.5 * h * a
    return 0.5 * np.sum(m[:, None] * v * v) + np.sum(x[0] ** 2)


@whole_program(
    lambda g: (float(g.uniform(0.5, 2)), float(g.uniform(0.1, 0.4)), g.normal(size=200)), wrt=(0, 1), mapped=(2,)
)
def geometric_brownian_motion(mu, sigma, noise):
    """Milstein's scheme, stopped at a barrier; the pathwise derivative."""
    x, h, best = 1.0, 0.005, 1.0
    for dw in noise:
        w = float(dw) * math.sqrt(h)
        x = x + mu * x * h + sigma * x * w + 0.5 * sigma * sigma * x * (w * w - h)
        best = max(best, x)
        if x < 0.2:
            break
    return best - x


@whole_program(lambda g: (g.uniform(0.5, 1.5, size=3), g.random(size=(400, 2))), rtol=1e-9)
def gillespie(rates, uniforms):
    """Exact stochastic simulation of birth, death and conversion, from given random numbers."""
    a, b, t = 10, 0, 0.0
    for u, v in uniforms:
        p = np.array([rates[0] * 5.0, rates[1] * a, rates[2] * a * b * 0.1])
        total = float(np.sum(p))
        if total == 0.0:
            break
        t += -math.log(1.0 - u) / total
        target, event = v * total, 0
        while event < 2 and target > p[event]:
            target -= p[event]
            event += 1
        if event == 0:
            a += 1
        elif event == 1:
            a, b = a - 1, b + 1
        else:
            b -= 1
        if t > 5.0:
            break
    return a, b, t


@whole_program(lambda g: (g.uniform(0.5, 1.5, size=2), 30), wrt=(0,), mapped=(0,), rtol=1e-10)
def implicit_euler(y0, steps):
    """A stiff system; Newton's method in every step."""

    def f(y):
        return np.array([-50.0 * (y[0] - math.cos(y[1])), 0.5 * y[0] - y[1]])

    def jacobian(y):
        return np.array([[-50.0, -50.0 * math.sin(y[1])], [0.5, -1.0]])

    y, h = y0, 0.05
    for _ in range(steps):
        z = y
        for _ in range(8):
            r = z - y - h * f(z)
            m = np.eye(2) - h * jacobian(z)
            det = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
            z = z - np.array([m[1, 1] * r[0] - m[0, 1] * r[1], m[0, 0] * r[1] - m[1, 0] * r[0]]) / det
        y = z
    return y[0] + 2.0 * y[1]
