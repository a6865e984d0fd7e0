"""Arrays that loops and branches hand on: written in place where nobody else has them, copied where somebody does."""

from typing import Any

import numpy as np
import pytest

import arignote as ag


def loops(program: Any, *args: Any) -> str:
    """The loop IR of a program."""
    return str(ag.inspect(ag.jit(program))(*args).loops)


def nested(x, n):  # type: ignore[no-untyped-def]
    table = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            if j % 2 == 0:
                table[i, j] = x + table[i, j - 1]
            else:
                table[i, j] += x
    return table


def one_side(x, n):  # type: ignore[no-untyped-def]
    a = np.zeros(n)
    for i in range(n):
        if i % 2 == 0:
            a[i] = x
    return a


def until_enough(x, n):  # type: ignore[no-untyped-def]
    a, i = np.zeros(n), 0
    while i < n and a[i - 1] < 100.0:
        a[i] = a[i - 1] + x
        i += 1
    return a


def exchanged(x, n):  # type: ignore[no-untyped-def]
    a, b = np.zeros(n), np.ones(n)
    for i in range(n):
        a[i] = x + b[i - 1]
        a, b = b, a
    return a - 2.0 * b


def equal_constants(x, n):  # type: ignore[no-untyped-def]
    a, b, c = np.zeros(n), np.zeros(n), np.zeros(n)
    b[1:] = x
    np.add.at(c, np.arange(n), x)
    for i in range(n):
        a[i] = x * i
        b[i] += a[i]
    return a - 2.0 * b + c


@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("program", [nested, one_side, until_enough, exchanged, equal_constants])
def test_nobody_asks(program: Any, n: int) -> None:
    compiled = ag.jit(program)
    assert np.array_equal(compiled(1.5, n), program(1.5, n))
    assert "unique" not in loops(program, 1.5, n)


def kept_before(x, n):  # type: ignore[no-untyped-def]
    a = np.zeros(n) + x
    before = a.copy()
    for i in range(n):
        a[i] += i
    return a + 10.0 * before


def kept_each_time(x, n):  # type: ignore[no-untyped-def]
    a, kept = np.zeros(n), []
    for i in range(n):
        a[i] = x
        kept.append(a.copy())
    total = np.zeros(n)
    for each in kept:
        total = 2.0 * total + each
    return total


def starts_again(x, n):  # type: ignore[no-untyped-def]
    first, total = np.zeros(n) + x, 0.0
    for i in range(n):
        row = first.copy()
        for j in range(i):
            row[j] += row[j - 1]
        total = total + row.sum()
    return total + first.sum()


def last_one(x, n):  # type: ignore[no-untyped-def]
    a, last = np.zeros(n), np.zeros(n)
    for i in range(n):
        if i == n - 2:
            last = a.copy()
        a[i] = x
    return a + 10.0 * last


def of_the_caller(x, n):  # type: ignore[no-untyped-def]
    a = np.asarray(x).copy()
    for i in range(n):
        a[i] *= 2.0
    return a


def two_from_one(x, n):  # type: ignore[no-untyped-def]
    a = np.zeros(n)
    b = a.copy()
    for i in range(n):
        a[i] = x
        b[i] = 2.0 * x + a[i - 1]
    return a - b


@pytest.mark.parametrize("program", [kept_before, kept_each_time, starts_again, last_one, two_from_one])
def test_what_others_have_stays(program: Any) -> None:
    assert np.array_equal(ag.jit(program)(1.5, 5), program(1.5, 5))


def test_what_the_caller_has_stays() -> None:
    x = np.arange(5.0)
    assert np.array_equal(ag.jit(of_the_caller)(x, 5), 2.0 * np.arange(5.0))
    assert np.array_equal(x, np.arange(5.0))
