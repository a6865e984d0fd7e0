"""Models as one writes them: networks of dataclasses with optional parts, tree-structured fields, inference inside."""

import functools
import math
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

import arignote as ag
from tests.programs.whole_program import whole_program


@dataclass
class Variable:
    """A variable of a tree-structured random field."""

    potential: np.ndarray
    children: list["Variable"] = field(default_factory=list)


def random_field(generator, depth):
    children = [random_field(generator, depth - 1) for _ in range(generator.integers(0, 3))] if depth else []
    return Variable(generator.normal(size=3), children)


def upward(node, pairwise):
    message = node.potential
    for child in node.children:
        scores = pairwise + upward(child, pairwise)[None, :]
        top = np.max(scores, axis=1, keepdims=True)
        message = message + top[:, 0] + np.log(np.sum(np.exp(scores - top), axis=1))
    return message


@whole_program(lambda g: (random_field(g, 3), g.normal(size=(3, 3))), wrt=(0, 1), mapped=(1,))
def tree_structured_field(root, pairwise):
    """The logarithm of the partition function, by messages from the leaves."""
    return np.log(np.sum(np.exp(upward(root, pairwise))))


@whole_program(lambda g: (random_field(g, 2), g.normal(size=(3, 3))), wrt=(1,), order=1, mapped=(1,))
def edge_marginals(root, pairwise):
    """Expected numbers of pairs are the gradient of the partition function."""
    marginals = ag.grad(lambda pairwise: tree_structured_field(root, pairwise))(pairwise)
    return np.sum(marginals**2)


@ag.custom_vjp
def equilibrium(w, b):
    z = np.zeros_like(b)
    for _ in range(60):
        z = np.tanh(w @ z + b)
    return z


def equilibrium_forward(w, b):
    z = equilibrium(w, b)
    return z, (w, z)


def equilibrium_backward(kept, cotangent):
    w, z = kept
    slope = 1 - z**2
    u = cotangent
    for _ in range(60):
        u = cotangent + w.T @ (slope * u)
    return np.outer(slope * u, z), slope * u


equilibrium.defvjp(equilibrium_forward, equilibrium_backward)


@whole_program(lambda g: (0.2 * g.normal(size=(3, 3)), g.normal(size=(5, 3))), wrt=(0, 1), mapped=(1,), rtol=1e-9)
def sequence_of_equilibria(w, inputs):
    """A custom rule inside a loop, which knows the size of its state better than its argument tells."""
    state, out = np.zeros(3), 0.0
    for x in inputs:
        state = equilibrium(w, x + 0.5 * state)
        out += np.sum(state**2)
    return out


@dataclass
class GatedRecurrentUnit:
    """A cell and the state that it starts from; None is zero."""

    wz: np.ndarray
    wr: np.ndarray
    wh: np.ndarray
    h0: Optional[np.ndarray] = None

    def initial(self, n):
        return np.zeros(n) if self.h0 is None else self.h0

    def cell(self, h, x):
        sig = lambda a: 1.0 / (1.0 + np.exp(-a))
        hx = np.concatenate([h, x])
        z, r = sig(self.wz @ hx), sig(self.wr @ hx)
        c = np.tanh(self.wh @ np.concatenate([r * h, x]))
        return (1 - z) * h + z * c

    def run(self, xs):
        h = self.initial(self.wz.shape[0])
        hs = []
        for x in xs:
            h = self.cell(h, x)
            hs.append(h)
        return np.array(hs)


def random_units(g):
    first, second = [[g.normal(size=(3, 5)) for _ in range(3)] for _ in range(2)]
    return {"f": GatedRecurrentUnit(*first), "b": GatedRecurrentUnit(*second, g.normal(size=3))}


@whole_program(lambda g: (random_units(g), g.normal(size=(6, 2))), wrt=(0, 1), order=1, mapped=(1,))
def bidirectional_units(cells, xs):
    """Units that read a sequence from both ends; attention over what they say."""
    forward = cells["f"].run(xs)
    backward = cells["b"].run(xs[::-1])[::-1]
    h = np.concatenate([forward, backward], axis=1)
    scores = h @ np.ones(6)
    weights = np.exp(scores - scores.max())
    return np.sum((weights / weights.sum()) @ h)


@whole_program(lambda g: (float(g.normal()), float(g.normal())), wrt=(0, 1), mapped=(0, 1))
def dispatch_by_match(x, y):
    """A covariance put together by matching on its description."""

    def make(kind, scale=1.0):
        match kind:
            case "rbf":
                return lambda a, b: math.exp(-scale * (a - b) ** 2)
            case "linear" | "dot":
                return lambda a, b: scale * a * b
            case ("sum", left, right):
                f, g = make(left), make(right)
                return lambda a, b: f(a, b) + g(a, b)
            case ("scaled", inner, s):
                return make(inner, s)
            case _:
                raise ValueError(kind)

    kernel = make(("sum", ("scaled", "rbf", 0.5), ("sum", "linear", "rbf")))
    return kernel(x, y) + kernel(y, x * y)


def compose(*fs):
    return functools.reduce(lambda f, g: lambda x: g(f(x)), fs)


@whole_program(lambda g: (g.normal(size=(4, 3)), g.normal(size=3), g.normal(size=3)), wrt=(0, 1, 2), mapped=(0,))
def composed_layers(x, gain, bias):
    """Layers as partial applications, composed by reduction."""

    def normalise(x, *, gain, bias, eps=1e-5):
        mu = x.mean(-1, keepdims=True)
        return gain * (x - mu) / np.sqrt(x.var(axis=-1, keepdims=True) + eps) + bias

    net = compose(functools.partial(normalise, gain=gain, bias=bias), np.tanh, lambda h: h @ h.T, np.sum)
    return net(x)


@whole_program(lambda g: (np.array([0.1, 0.2]), np.array([0.7, 0.4]) + 0.1 * g.normal(size=2)), wrt=(0, 1), mapped=(1,))
def billiards(x, v):
    """A ball in a circle: the step in which it meets the wall is cut short."""
    t, bounces = 0.0, 0
    while t < 3.0:
        dt = min(0.05, 3.0 - t)
        nxt = x + dt * v
        if nxt @ nxt > 1.0:
            a, b, c = v @ v, 2 * (x @ v), x @ x - 1
            hit = (-b + np.sqrt(b * b - 4 * a * c)) / (2 * a)
            x = x + hit * v
            n = x / np.linalg.norm(x)
            v = v - 2 * (v @ n) * n
            x = x * (1 - 1e-9)
            t += hit
            bounces += 1
        else:
            x, t = nxt, t + dt
        if bounces > 10:
            break
    return x[0] + 2 * x[1] + bounces


@whole_program(lambda g: (g.normal(size=2), 0.3), wrt=(0, 1), mapped=(0,))
def runge_kutta_by_tableau(y, mu):
    """Runge and Kutta's method by its tableau, whose rows are lists of different lengths."""
    a = [[], [0.5], [0.0, 0.5], [0.0, 0.0, 1.0]]
    b = [1 / 6, 1 / 3, 1 / 3, 1 / 6]

    def f(y):
        return np.array([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]])

    h = 0.1
    for _ in range(6):
        ks = []
        for row in a:
            ks.append(f(y + h * sum((c * k for c, k in zip(row, ks)), np.zeros(2))))
        y = y + h * sum(w * k for w, k in zip(b, ks))
    return y @ y
