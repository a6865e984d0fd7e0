"""Ctrl-C ends compiled loops of every kind within a moment, and nothing leaks."""

import signal
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import arignote as ag
from arignote.runtime import native

BEFORE_SECONDS = 0.1
AFTER_SECONDS = 1.0
"""Generous: the machine may be busy. Measured: 1 to 20 milliseconds."""


def counted(n: int) -> float:
    total = 0.0
    for i in range(n):
        total = total * 0.999 + i
    return total


def with_a_test(n: int) -> float:
    total, i = 0.0, 0
    while i < n:
        total = total * 0.999 + i
        i += 1
    return total


def nested(n: int) -> float:
    total = 0.0
    for i in range(n):
        for j in range(4000):
            for k in range(4000):
                total = total * 0.999 + i * j * k
    return total


def large_arrays(n: int) -> np.ndarray:
    x = np.ones(1_000_000)
    for _ in range(n):
        x = np.sin(x) + 1.0
    return x


def small_arrays(n: int) -> np.ndarray:
    x = np.ones(3)
    for _ in range(n):
        x = 0.5 * x + 1.0
    return x


def matrix_products(n: int) -> np.ndarray:
    x = np.ones((500, 500)) / 500
    for _ in range(n):
        x = x @ x
    return x


def element_by_element(n: int) -> np.ndarray:
    x = np.zeros(1000)
    for _ in range(n):
        for i in range(1, 1000):
            x[i] = 0.5 * x[i - 1] + 1.0
    return x


def recursive(n: int) -> int:
    return n if n < 2 else recursive(n - 1) + recursive(n - 2)


LOOPS: list[tuple[Callable[..., object], int]] = [
    (counted, 10**15),
    (with_a_test, 10**15),
    (nested, 10**6),
    (large_arrays, 10**9),
    (small_arrays, 10**14),
    (matrix_products, 10**9),
    (element_by_element, 10**12),
    (recursive, 90),
]


@pytest.fixture
def alarm() -> Iterator[None]:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("function", "size"), LOOPS, ids=[function.__name__ for function, _ in LOOPS])
def test_interrupt(alarm: None, function: Callable[..., object], size: int) -> None:
    compiled = ag.jit(function)
    compiled(1)
    live = native.live_buffers()
    started = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, BEFORE_SECONDS)
    with pytest.raises(KeyboardInterrupt):
        compiled(size)
    assert time.monotonic() - started < BEFORE_SECONDS + AFTER_SECONDS
    assert native.live_buffers() == live
    compiled(1)


def test_interrupt_of_a_gradient(alarm: None) -> None:
    """The forward loop that stores for the backward one: what it has stored is released."""

    def logistic(x: float, n: int) -> float:
        for _ in range(n):
            x = 3.7 * x * (1.0 - x)
        return x

    compiled = ag.jit(ag.grad(logistic))
    compiled(0.3, 3)
    live = native.live_buffers()
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    with pytest.raises(KeyboardInterrupt):
        compiled(0.3, 10**8)
    assert native.live_buffers() == live
