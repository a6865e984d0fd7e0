"""Root finding, fixed points, optimisers; derivatives of solutions by the implicit function theorem."""

import math

import numpy as np

import arignote as ag
from tests.programs.whole_program import whole_program


@ag.custom_vjp
def cube_root_like(a):
    x = 1.0
    for _ in range(60):
        step = (x * x * x + x - a) / (3.0 * x * x + 1.0)
        x -= step
        if abs(step) < 1e-14:
            break
    return x


def cube_root_like_forward(a):
    x = cube_root_like(a)
    return x, x


def cube_root_like_backward(x, cotangent):
    return (cotangent / (3.0 * x * x + 1.0),)


cube_root_like.defvjp(cube_root_like_forward, cube_root_like_backward)


@whole_program(lambda g: (float(g.uniform(1, 5)),), wrt=(0,), order=2, mapped=(0,), rtol=1e-10)
def newton_with_implicit_derivative(a):
    """The root's derivative comes from the equation, not from the iterations."""
    return cube_root_like(a) * cube_root_like(2.0 * a)


@ag.custom_vjp
def bisect(a, b):
    low, high = 0.0, 4.0
    while high - low > 1e-13:
        middle = 0.5 * (low + high)
        if math.exp(middle) * b > a + middle:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


def bisect_forward(a, b):
    x = bisect(a, b)
    return x, (x, b)


def bisect_backward(kept, cotangent):
    x, b = kept
    slope = math.exp(x) * b - 1.0
    return cotangent / slope, -cotangent * math.exp(x) / slope


bisect.defvjp(bisect_forward, bisect_backward)


@whole_program(lambda g: (float(g.uniform(3, 5)), float(g.uniform(1, 2))), wrt=(0, 1), mapped=(0,), rtol=1e-10)
def bisection_with_implicit_derivative(a, b):
    """b exp(x) = a + x by halving, whose own derivative would be zero."""
    return bisect(a, b) ** 2


@whole_program(lambda g: (0.2 * g.normal(size=(4, 4)), g.normal(size=4)), wrt=(0, 1), mapped=(1,), rtol=1e-9)
def deep_equilibrium(w, b):
    """z = tanh(w z + b), iterated until it stands still."""
    z = np.zeros_like(b)
    for _ in range(200):
        new = np.tanh(w @ z + b)
        done = np.max(np.abs(new - z)) < 1e-13
        z = new
        if done:
            break
    return np.sum(z**2)


@whole_program(lambda g: (g.normal(size=(5, 5)), g.normal(size=5)), wrt=(1,), mapped=(1,), rtol=1e-8)
def conjugate_gradients(a, b):
    """Hestenes and Stiefel, run to the end."""
    spd = a @ a.T + 3.0 * np.eye(a.shape[0])
    x = np.zeros_like(b)
    r = b.copy()
    p = r.copy()
    rr = np.dot(r, r)
    for _ in range(b.shape[0]):
        q = spd @ p
        alpha = rr / np.dot(p, q)
        x = x + alpha * p
        r = r - alpha * q
        new = np.dot(r, r)
        if new < 1e-28:
            break
        p = r + new / rr * p
        rr = new
    return np.dot(b, x)


@whole_program(lambda g: (g.normal(size=3), g.normal(size=(10, 3)), g.normal(size=10), 0.1), wrt=(0, 3), mapped=(0,))
def meta_gradient(w, x, y, rate):
    """Gradient descent inside the loss: the derivative by the learning rate is of second order."""

    def loss(w):
        r = np.tanh(x @ w) - y
        return np.mean(r * r)

    for _ in range(5):
        w = w - rate * ag.grad(loss)(w)
    return loss(w)


@whole_program(lambda g: (g.normal(size=4), g.normal(size=(4, 4))), wrt=(0, 1), mapped=(0,), rtol=1e-9)
def power_iteration(v, a):
    """The largest eigenvalue of a symmetric matrix."""
    s = a + a.T + 8.0 * np.eye(4)
    for _ in range(40):
        v = s @ v
        v = v / np.sqrt(np.sum(v * v))
    return v @ s @ v


def levenberg_step(residuals, p, damping):
    j = ag.jacfwd(residuals)(p)
    r = residuals(p)
    a, g = j.T @ j + damping * np.eye(2), j.T @ r
    det = a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0]
    return p - np.array([a[1, 1] * g[0] - a[0, 1] * g[1], a[0, 0] * g[1] - a[1, 0] * g[0]]) / det


@whole_program(lambda g: (np.array([1.0, -0.5]) + 0.1 * g.normal(size=2), np.linspace(0, 2, 12)), rtol=1e-8)
def levenberg_marquardt(p, t):
    """Least squares with a Jacobian by forward mode inside compiled code."""
    y = 1.3 * np.exp(-0.8 * t)

    def residuals(p):
        return p[0] * np.exp(p[1] * t) - y

    cost = np.sum(residuals(p) ** 2)
    damping = 1e-2
    for _ in range(20):
        candidate = levenberg_step(residuals, p, damping)
        new = np.sum(residuals(candidate) ** 2)
        if new < cost:
            p, cost, damping = candidate, new, damping * 0.3
        else:
            damping = damping * 4.0
    return p


@whole_program(lambda g: (g.normal(size=2),), rtol=1e-7)
def newton_minimisation(x):
    """Newton's method with a Hessian and backtracking."""

    def rosenbrock(x):
        return (1.0 - x[0]) ** 2 + 10.0 * (x[1] - x[0] ** 2) ** 2

    gradient, hessian = ag.grad(rosenbrock), ag.hessian(rosenbrock)
    for _ in range(50):
        g = gradient(x)
        if np.max(np.abs(g)) < 1e-10:
            break
        h = hessian(x) + 1e-3 * np.eye(2)
        det = h[0, 0] * h[1, 1] - h[0, 1] * h[1, 0]
        step = np.array([h[1, 1] * g[0] - h[0, 1] * g[1], h[0, 0] * g[1] - h[1, 0] * g[0]]) / det
        scale = 1.0
        while scale > 1e-8 and rosenbrock(x - scale * step) > rosenbrock(x):
            scale *= 0.5
        x = x - scale * step
    return x


@whole_program(lambda g: (float(g.uniform(0.5, 2.0)),), wrt=(0,), order=1, rtol=1e-6)
def golden_section(a):
    """A minimum by comparison only, then the value there."""

    def f(x):
        return (x - a) ** 2 + 0.1 * math.cos(3.0 * x)

    low, high = -1.0, 4.0
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    c, d = high - ratio * (high - low), low + ratio * (high - low)
    fc, fd = f(c), f(d)
    while high - low > 1e-9:
        if fc < fd:
            high, d, fd = d, c, fc
            c = high - ratio * (high - low)
            fc = f(c)
        else:
            low, c, fc = c, d, fd
            d = low + ratio * (high - low)
            fd = f(d)
    x = ag.stop_gradient(0.5 * (low + high))
    return f(x)
