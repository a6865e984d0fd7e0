"""Writing an element costs the same whatever the size of the array, in a program and in its derivative."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as ag

SMALL, LARGE = 1_000, 100_000
MOST_PER_ELEMENT = 12.0
"""How many times more an element may cost in the large array; a copy at each write would make it a hundred."""


def one_after_the_other(a: float, n: int) -> Any:
    x = np.zeros(n)
    for i in range(1, n):
        x[i] = 0.5 * x[i - 1] + a
    return np.sum(x)


def in_branches(a: float, n: int) -> Any:
    x = np.zeros(n)
    for i in range(1, n):
        if x[i - 1] > 1.2:
            x[i] = 0.5 * x[i - 1]
        elif i % 3 == 0:
            continue
        else:
            x[i - 1] += a
    return np.sum(x)


def while_and_break(a: float, n: int) -> Any:
    x, i = np.zeros(n), 1
    while i < n:
        x[i] = a * x[i - 1] + 1.0
        if x[i] > 1e9:
            break
        i += 1
    return np.sum(x)


def two_dimensions(a: float, n: int) -> Any:
    m = int(n**0.5)
    x = np.zeros((m, m))
    for i in range(1, m):
        for j in range(1, m):
            x[i, j] = a * x[i - 1, j] + 0.3 * x[i, j - 1] + 1.0
    return np.sum(x)


def rows(a: float, n: int) -> Any:
    x = np.zeros((n // 10, 10))
    x[0] = a
    for i in range(1, n // 10):
        x[i] = np.tanh(x[i - 1]) * a
    return np.sum(x)


def two_that_swap(a: float, n: int) -> Any:
    x, y = np.zeros(n), np.ones(n)
    for i in range(n):
        x[i] = y[i] * a
        x, y = y, x
    return np.sum(x) + 2 * np.sum(y)


def from_both_ends(a: float, n: int) -> Any:
    x = np.zeros(n)
    for i in range(n):
        x[i] += a * i
        x[n - 1 - i] *= 0.5
    return np.sum(np.sqrt(x + 1.0))


def in_a_record(a: float, n: int) -> Any:
    state = {"u": np.zeros(n), "v": np.ones(n)}
    for i in range(1, n):
        state["u"][i] = state["v"][i - 1] * a
        state["v"][i] = state["u"][i - 1] * 0.5
    return np.sum(state["u"])


def windows(a: float, n: int) -> Any:
    x = np.ones(n)
    for i in range(2, n):
        x[i] = np.sum(x[i - 2 : i]) * a
    return np.sum(x)


def set_by_a_function(a: float, n: int) -> Any:
    def set_next(x: Any, i: int) -> Any:
        x[i] = x[i - 1] * a + 1.0
        return x

    x = np.zeros(n)
    for i in range(1, n):
        x = set_next(x, i)
    return np.sum(x)


def appended(a: float, n: int) -> Any:
    found = [a]
    for _ in range(n):
        found.append(found[-1] * 0.5 + a)
    return sum(found)


def replaced_in_a_list(a: float, n: int) -> Any:
    found = [0.0] * n
    for i in range(1, n):
        found[i] = found[i - 1] * 0.5 + a
    return sum(found)


def pushed_and_popped(a: float, n: int) -> Any:
    waiting, total, steps = [a], 0.0, 0
    while waiting:
        value = waiting.pop()
        total += value
        steps += 1
        if steps < n:
            waiting.append(value * 0.5 + a)
    return total


def lists_in_a_list(a: float, n: int) -> Any:
    rows = [[] for _ in range(2)]
    for i in range(n):
        rows[i % 2].append(a * i)
    return sum(rows[0]) * sum(rows[1])


def rows_by_name(a: float, n: int) -> Any:
    x = np.zeros((2, n))
    for i in range(2):
        row = x[i]
        for j in range(1, n):
            row[j] = row[j - 1] * 0.5 + a
    return np.sum(x)


PROGRAMS = [
    one_after_the_other,
    in_branches,
    while_and_break,
    two_dimensions,
    rows,
    two_that_swap,
    from_both_ends,
    in_a_record,
    windows,
    set_by_a_function,
    appended,
    replaced_in_a_list,
    pushed_and_popped,
    lists_in_a_list,
    rows_by_name,
]


def seconds(function: Callable[..., Any], n: int) -> float:
    """The least time of several calls."""
    function(0.4, n)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        function(0.4, n)
        best = min(best, time.perf_counter() - started)
    return best


def check_linear(function: Callable[..., Any]) -> None:
    """Fail when an element of the large array costs many times what one of the small array does."""
    for attempt in range(3):  # the machine may be busy: what is linear shows it at last
        ratio = seconds(function, LARGE) / LARGE / (seconds(function, SMALL) / SMALL)
        if ratio < MOST_PER_ELEMENT:
            return
    pytest.fail(f"an element costs {ratio:.0f} times more in an array of {LARGE} than in one of {SMALL}")


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.__name__ for program in PROGRAMS])
def test_writes_in_constant_time(program: Callable[..., Any]) -> None:
    """The program itself: its value, and linear time."""
    compiled = ag.jit(program)
    assert compiled(0.4, 50) == pytest.approx(program(0.4, 50))
    check_linear(compiled)


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.__name__ for program in PROGRAMS])
def test_writes_in_constant_time_when_differentiated(program: Callable[..., Any]) -> None:
    """Its derivative: finite differences, and linear time."""
    derivative = ag.jit(ag.value_and_grad(program))
    step = 1e-6
    numeric = (program(0.4 + step, 50) - program(0.4 - step, 50)) / (2 * step)
    assert derivative(0.4, 50)[1] == pytest.approx(numeric, rel=1e-5)
    check_linear(derivative)
