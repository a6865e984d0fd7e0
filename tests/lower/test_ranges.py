"""Indices whose bounds are known from loops: no checks where they hold, and all that are needed where they do not."""

from typing import Any

import numpy as np
import pytest

import arignote as ag
from arignote.lower.context import Context, Unit
from arignote.lower.loop_ir import INT64
from arignote.lower.ranges import is_below, never_negative, range_of


def from_the_one_before(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n)
    out[0] = x
    for i in range(1, n):
        out[i] = out[i - 1] * 0.5 + i
    return out


def wraps_around(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n)
    for i in range(n):
        out[i] = out[i - 1] + x
    return out


def pairs(x, n):  # type: ignore[no-untyped-def]
    table = np.zeros((n, n + 1))
    for i in range(n):
        for j in range(i):
            table[i, j + 1] += x * j
            table[j, i - j] -= x
    return table


def backwards(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n)
    for i in range(n - 1, -1, -1):
        out[i] = x * i
    for i in range(n):
        out[n - 1 - i] += x
    return out


def by_steps(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n)
    for i in range(0, n, 3):
        out[i] = x + i
    return out


def table_in_a_branch(x, n):  # type: ignore[no-untyped-def]
    table = np.zeros((n + 1, n + 1))
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            if (i + j) % 3 == 0:
                table[i, j] = table[i - 1, j - 1]
            else:
                table[i, j] = min(table[i - 1, j], table[i, j - 1]) + x
    return table


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("program", [from_the_one_before, wraps_around, pairs, backwards, by_steps, table_in_a_branch])
def test_values(program: Any, n: int) -> None:
    assert np.array_equal(ag.jit(program)(1.5, n), program(1.5, n))


def beyond_the_end(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n)
    for i in range(n):
        out[i + 1] = x
    return out


def far_below(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n)
    for i in range(n):
        out[i - 4] = x
    return out


def another_array(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n - 1)
    for i in range(n):
        out[i] = x
    return out


@pytest.mark.parametrize("program", [beyond_the_end, far_below, another_array])
def test_errors(program: Any) -> None:
    with pytest.raises(IndexError) as expected:
        program(1.5, 3)
    with pytest.raises(IndexError) as found:
        ag.jit(program)(1.5, 3)
    assert str(found.value) == str(expected.value)


def test_empty() -> None:
    assert ag.jit(wraps_around)(1.5, 0).shape == (0,)


def test_bounds() -> None:
    context = Context(Unit(), "test")
    build = context.build
    size = build.parameter(INT64)
    context.now_count(size)
    with build.loop(size) as loop:
        context.now_index(loop.index, size)
        index = loop.index
        found = range_of(context, index)
        assert never_negative(found) and is_below(context, found, size)
        after = range_of(context, build.let("add", index, 1))
        assert never_negative(after)
        before = range_of(context, build.let("subtract", index, 1))
        assert not never_negative(before) and is_below(context, before, size)
        down = range_of(context, build.let("subtract", build.let("subtract", size, 1), index))
        assert never_negative(down) and is_below(context, down, size)
        loop.yields()
    assert not never_negative(range_of(context, build.parameter(INT64)))


def counts_up(x, n):  # type: ignore[no-untyped-def]
    count = 0
    while count < n and x < 100.0:
        x = 2.0 * x
        count += 1
    return count


def counts_without_end(x, n):  # type: ignore[no-untyped-def]
    count = n
    while count < n or x < 100.0:
        x = 2.0 * x
        count += 1
    return count


def test_a_number_below_a_limit_does_not_overflow() -> None:
    assert ag.jit(counts_up)(1.5, 50) == counts_up(1.5, 50)
    assert ag.jit(counts_up)(1.5, 3) == 3
    assert "raise_if" not in str(ag.inspect(ag.jit(counts_up))(1.5, 50).loops)
    with pytest.raises(OverflowError):
        ag.jit(counts_without_end)(1.5, 2**63 - 2)


def same_places(table, i, j):  # type: ignore[no-untyped-def]
    return table[i, j] * table[i, j] + table[j, i] - table[i, 2] + table[i, 1]


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_a_number_that_is_not_negative_may_wrap_around() -> None:
    """NumPy's integers do: the greatest one and 1000 is far below zero."""

    def program(x, k):
        return x[np.maximum(k, 0) + 1000]

    for function in (program, ag.jit(program)):
        with pytest.raises(IndexError, match="index -9223372036854774809 is out of bounds"):
            function(np.arange(3.0), np.int64(2**63 - 1))


def test_checked_once() -> None:
    table = np.arange(12.0).reshape(3, 4)
    compiled = ag.jit(same_places)
    assert compiled(table, 1, -1) == same_places(table, 1, -1)
    assert str(ag.inspect(compiled)(table, 1, 2).loops).count("raise_if") == 5
    for wrong in [(3, 0), (0, 4), (1, 3), (-4, 0), (0, -5)]:
        with pytest.raises(IndexError) as expected:
            same_places(table, *wrong)
        with pytest.raises(IndexError) as found:
            compiled(table, *wrong)
        assert str(found.value) == str(expected.value)


def weighed(items, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += items[i % 3] * (i // 5) - (-i) // 4 + (-i) % 3 + i % n
    return total


@pytest.mark.parametrize("n", [0, 1, 17])
def test_divided_indices(n: int) -> None:
    items = np.array([1.0, 2.0, 4.0])
    assert ag.jit(weighed)(items, n) == weighed(items, n)
