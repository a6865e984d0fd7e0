"""Derivatives of derivatives of Python programs: `ag.grad` and `ag.jvp` nested to third order, in all combinations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as ag

Scalar = Callable[[float], float]


def reverse(f: Scalar) -> Scalar:
    return ag.grad(f)


def forward(f: Scalar) -> Scalar:
    return lambda x: ag.jvp(f, (x,), (1.0,))[1]


MODES = {"r": reverse, "f": forward}


def counted(x: float) -> float:
    s = 0.5
    for i in range(4):
        s = np.sin(s * x) + 0.1 * i * x
    return s


def doubly(x: float) -> float:
    s = 0.3
    for i in range(3):
        for j in range(i + 1):
            s = s + np.cos(s * x + 0.2 * j)
    return s


def waiting(x: float) -> float:
    s = x
    while s < 6.0:
        s = s * (1.0 + 0.3 * x) + np.sin(x)
    return s


def leaving(x: float) -> float:
    s, i = x, 0
    while True:
        s = s + np.sin(s) * 0.5 + x * x
        i += 1
        if s > 4.0 or i > 20:
            break
        if i % 2 == 0:
            continue
        s = s * 1.1
    return s


def stopping(x: float) -> float:
    s = 1.0
    for i in range(10):
        s = s * np.exp(0.1 * x) + 0.01 * i
        if s > 1.5:
            break
    return s * x


def branching(x: float) -> float:
    if x < 0.5:
        y = np.sin(x) * x
    elif x < 0.9:
        y = np.exp(x * x)
    else:
        y = 1.0 / x
    return y * y if y > 0.2 else np.cos(y)


def descending(x: float) -> float:
    def power(x: float, n: int) -> float:
        if n == 0:
            return 1.0
        half = power(x, n // 2)
        return half * half * (x if n % 2 == 1 else 1.0)

    return power(np.sin(x), 5)


def closing(x: float) -> float:
    def scaled(factor: float) -> Callable[[float], float]:
        return lambda y: np.sin(y * factor) * x

    def twice(g: Callable[[float], float]) -> Callable[[float], float]:
        return lambda y: g(g(y))

    return twice(scaled(x * 1.5))(x) + twice(twice(scaled(0.7)))(x)


def choosing(x: float) -> float:
    g, h = (lambda y: y * y * x), (lambda y: np.sin(y))
    f = g if x > 0.6 else h
    return f(f(x)) * x


def filling(x: float) -> float:
    a = np.zeros(5)
    a[0] = x
    for i in range(1, 5):
        a[i] = np.sin(a[i - 1]) * x + a[i // 2]
    return np.sum(a * a)


def listing(x: float) -> float:
    values = [x]
    for i in range(4):
        values.append(np.sin(values[-1]) + x * i)
    s = 0.0
    for v in values:
        s = s + v * v * x
    return s + values[2]


def meta(x: float) -> float:
    """A gradient inside."""
    w = 1.0
    for _ in range(3):
        w = w - 0.1 * ag.grad(lambda w: (np.sin(w * x) - 0.3) ** 2)(w)
    return w * x


@dataclasses.dataclass
class Pair:
    a: float
    b: float


def carrying(x: float) -> float:
    p = Pair(x, 1.0)
    for _ in range(3):
        p = Pair(np.sin(p.a * p.b), p.b + p.a * x)
    return p.a + p.b


@dataclasses.dataclass
class Tree:
    value: float
    left: Tree | None = None
    right: Tree | None = None


@dataclasses.dataclass
class Rose:
    value: float
    children: list[Rose]


def folded(t: Tree | None, x: float) -> float:
    if t is None:
        return x
    return np.sin(t.value * folded(t.left, x)) + x * folded(t.right, x)


def over_tree(x: float) -> float:
    return folded(Tree(x, Tree(0.4 * x, None, Tree(1.2)), Tree(np.sin(x))), x)


def gathered(t: Rose, x: float) -> float:
    s = t.value
    for child in t.children:
        s = s * (1.0 + np.sin(gathered(child, x)))
    return s + x


def over_rose(x: float) -> float:
    return gathered(Rose(x, [Rose(x * x, []), Rose(0.3, [Rose(np.exp(x), [])])]), x)


PROGRAMS = [counted, doubly, waiting, leaving, stopping, branching, descending, closing, choosing, filling, listing,
            meta, carrying, over_tree, over_rose]  # fmt: skip


def slope(f: Scalar, x: float, step: float = 1e-5) -> float:
    return (f(x + step) - f(x - step)) / (2 * step)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("x", [0.4, 0.7])
def test_three_times_the_gradient(program: Scalar, x: float) -> None:
    """Each order against central differences of the one before, which is compiled; the first of the plain program."""
    lower: Scalar = program
    for _ in range(3):
        upper = ag.grad(lower)
        expected = slope(lower, x)
        assert upper(x) == pytest.approx(expected, rel=3e-5, abs=3e-5), lower
        lower = upper


@pytest.mark.parametrize(
    "program", [waiting, leaving, branching, filling, listing, over_tree], ids=lambda f: f.__name__
)
@pytest.mark.parametrize("modes", ["ff", "rf", "fr", "fff", "rff", "frr", "rfr"])
def test_mixed_modes(program: Scalar, modes: str) -> None:
    """All nestings of the modes give what nested gradients give."""
    mixed: Scalar = program
    expected: Scalar = program
    for mode in modes:
        mixed, expected = MODES[mode](mixed), ag.grad(expected)
    assert ag.jit(mixed)(0.7) == pytest.approx(expected(0.7), rel=1e-9)


@pytest.mark.parametrize("program", [counted, waiting, branching, descending, filling], ids=lambda f: f.__name__)
def test_hessians(program: Scalar) -> None:
    """Of a function of several numbers: symmetric, and equal in forward over reverse and reverse over reverse."""

    def f(v: Any) -> Any:
        return program(v[0] * v[1]) + v[1] * program(v[0])

    v, direction = np.array([0.7, 0.9]), np.array([0.3, -0.5])
    hessian = ag.hessian(f)(v)
    assert np.allclose(hessian, hessian.T, rtol=1e-9)
    assert np.allclose(hessian @ direction, ag.hvp(f, (v,), (direction,))[0], rtol=1e-9)
    gradient = ag.jit(lambda v, d: ag.jvp(ag.grad(f), (v,), (d,))[1])
    assert np.allclose(hessian @ direction, gradient(v, direction), rtol=1e-9)
