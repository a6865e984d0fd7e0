"""Loops that write into arrays, and their derivatives: every write is in place, and takes time for one element."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as ag


def elements(x: float, n: int) -> float:
    a = np.zeros(n)
    a[0] = x
    for i in range(1, n):
        a[i] = np.sin(a[i - 1]) * x + a[i // 2]
    return a[n - 1]


def table(x: float, n: int) -> float:
    a = np.zeros((n, 10))
    a[:, 0] = x
    for i in range(1, n):
        for j in range(1, 10):
            a[i, j] = np.sin(a[i - 1, j]) * x + a[i, j - 1]
    return a[n - 1, 9]


def rows(x: float, n: int) -> float:
    a = np.zeros((n, 10))
    a[0] = x
    for i in range(1, n):
        a[i] = np.sin(a[i - 1]) * 0.9
        a[i, 3:5] += x
    return np.sum(a[n - 1])


def parts(x: float, n: int) -> float:
    a = np.ones((n, 10)) * x
    for i in range(1, n):
        k = i % 7 + 1
        a[i, :k] = np.cos(a[i - 1, :k]) * x
        a[i, k:] *= x
    return np.sum(a[n - 1])


def exchanges(x: float, n: int) -> float:
    a = np.ones(n) * x
    for i in range(n - 1):
        t = a[i]
        a[i] = a[i + 1] * 0.5
        a[i + 1] = t * x
    return np.sum(a)


def branches(x: float, n: int) -> float:
    a, s = np.ones(n) * x, 0.0
    for i in range(n):
        if a[i] > 0.5 and i % 3 == 0:
            a[i] = a[i] * x
            s += a[i]
        else:
            s += np.sin(a[i])
    return s


def read_by_a_function(a: Any, i: int) -> float:
    return np.sin(a[i]) if a[i] > 0.4 else a[i] * 2.0


def reads(x: float, n: int) -> float:
    a, s = np.ones(n) * x, 0.0
    for i in range(n):
        s = s * 0.5 + read_by_a_function(a, i)
    return s


PROGRAMS = [elements, table, rows, parts, exchanges, branches, reads]
DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "f": lambda f: f,
    "r": ag.grad,
    "rr": lambda f: ag.grad(ag.grad(f)),
    "fr": lambda f: lambda x, n: ag.jvp(lambda y: ag.grad(f)(y, n), (x,), (1.0,))[1],
}


def least_time(f: Any, n: int) -> float:
    times = []
    for _ in range(4):
        started = time.perf_counter()
        f(0.7, n)
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_time_is_linear(program: Any, derivative: str) -> None:
    """Sixteen times the size: sixteen times the time, where a copy for each write would take 256 times."""
    compiled = ag.jit(DERIVATIVES[derivative](program))
    compiled(0.7, 8)
    small, large = least_time(compiled, 1500), least_time(compiled, 24000)
    assert large < 150 * small + 0.02


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
def test_derivatives(program: Any) -> None:
    step = 1e-6
    lower = program
    for _ in range(2):
        upper = ag.grad(lower)
        slope = (lower(0.7 + step, 8) - lower(0.7 - step, 8)) / (2 * step)
        assert upper(0.7, 8) == pytest.approx(slope, rel=1e-5, abs=1e-6)
        lower = upper
    forward = ag.jit(DERIVATIVES["fr"](program))
    assert forward(0.7, 8) == pytest.approx(lower(0.7, 8), rel=1e-9)
