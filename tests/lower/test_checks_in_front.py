"""Checks of all iterations are made in front of a loop; the first error stays the first; places stay in registers."""

from typing import Any

import numpy as np
import pytest

import arignote as ag

NUMBERS = np.arange(1.0, 8.0)


def scaled(x, out, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += x[i] * out[i + 1]
    return total


def backwards(x, out, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total = total * 0.5 + x[n - 1 - i] * out[2 * i]
    return total


def two_axes(x, out, n):  # type: ignore[no-untyped-def]
    table = x.reshape(-1, 1) * out
    total = 0.0
    for i in range(n):
        for j in range(n):
            total += table[j, i] - table[i, 2]
    return total


def pairs(x, out, n):  # type: ignore[no-untyped-def]
    found = np.zeros((n, 2))
    for i in range(n):
        for j in range(i):
            found[i, 0] += x[j] * out[i]
            found[j, 0] -= x[i]
            found[i, 1] += found[i, 0] * found[j, 1]
            found[j, 1] += found[i, 0]
    return found


def one_place(x, out, n):  # type: ignore[no-untyped-def]
    found = np.zeros(3)
    for i in range(n):
        found[1] += x[i]
        found[1] *= out[i]
        found[2] = found[1] + found[0]
    return found


def met_on_the_way(x, out, n):  # type: ignore[no-untyped-def]
    """The place is also written as one of those that move."""
    found = np.zeros(n + 3)
    for i in range(n):
        found[2] += x[i]
        found[i] = found[2] + out[i]
    return found


def in_a_branch(x, out, n):  # type: ignore[no-untyped-def]
    found = np.zeros(2)
    for i in range(n):
        if x[i] > 3.0:
            found[0] += x[i]
        found[1] += found[0]
    return found


def whole_numbers(x, out, n):  # type: ignore[no-untyped-def]
    found = np.zeros(4, dtype=np.int64)
    for i in range(n):
        found[3] += i
        found[i % 2] += found[3]
    return found * x[0]


PROGRAMS = [scaled, backwards, two_axes, pairs, one_place, met_on_the_way, in_a_branch, whole_numbers]


@pytest.mark.parametrize("program", PROGRAMS)
def test_values_and_errors(program: Any) -> None:
    """At any number of iterations: those that run, and those that leave the arrays."""
    compiled = ag.jit(program)
    for n in (0, 1, 2, 3, 5, 7, 8, 20):
        try:
            expected = program(NUMBERS, NUMBERS[:6], n)
        except IndexError as error:
            with pytest.raises(IndexError) as caught:
                compiled(NUMBERS, NUMBERS[:6], n)
            assert str(caught.value).startswith(str(error))
            assert caught.value.__traceback__ is not None
        else:
            assert np.array_equal(compiled(NUMBERS, NUMBERS[:6], n), expected)


@pytest.mark.parametrize("program", [scaled, backwards])
def test_no_check_in_the_loop(program: Any) -> None:
    """What stands in a loop that only checks is not in the one that computes."""
    text = str(ag.inspect(program)(NUMBERS, NUMBERS[:6], 3).loops)
    loops = text.split("for %")
    assert any("raise_if" in loop and "load" not in loop for loop in loops)
    innermost = [loop for loop in loops[1:] if "multiply" in loop and "load" in loop]
    assert innermost
    assert all("raise_if" not in loop.split("}")[0] for loop in innermost)


def test_places_that_do_not_move_stay_in_registers() -> None:
    text = str(ag.inspect(pairs)(NUMBERS, NUMBERS[:6], 3).loops)
    innermost = text.split("for %")[-1]
    loop = innermost.split("yield")[0]
    assert loop.count("store") == 2  # of the places that move
    assert innermost.count("store") == 4  # and the others once, after the loop


def data_dependent(x, picks, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += x[picks[i]]
    return total


def test_the_first_error_stays_the_first() -> None:
    """An index from memory is out of range before the array of indices ends."""
    picks = np.array([0, 3, 9, 1])
    with pytest.raises(IndexError, match="index 9"):
        ag.jit(data_dependent)(NUMBERS, picks, 10)
    with pytest.raises(IndexError, match="index 4"):
        ag.jit(data_dependent)(NUMBERS, np.array([0, 3, 6, 1]), 10)


def two_errors(x, y, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += x[i] * y[n - i]
    return total


def test_the_earlier_iteration_raises() -> None:
    """The first iteration reads beyond the end of `y`; the last but three beyond the end of `x`."""
    for n in (6, 7, 9):
        with pytest.raises(IndexError) as expected:
            two_errors(NUMBERS[:4], NUMBERS, n)
        with pytest.raises(IndexError) as caught:
            ag.jit(two_errors)(NUMBERS[:4], NUMBERS, n)
        assert str(caught.value).startswith(str(expected.value))


def multiplied(x, k, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += x[k * i]
    return total


def shifted(x, k, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        total += x[(k + i) - k] * x[-(k - i) + k]
    return total


@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_numbers_that_wrap_around() -> None:
    """8 * 2**61 is 0 in NumPy's int64: the first and the last place are in range, those between are not."""
    far = np.int64(2**61)
    for compiled in (multiplied, ag.jit(multiplied)):
        assert compiled(NUMBERS, far, 1) == 1.0
        with pytest.raises(IndexError, match="index 2305843009213693952 is out of bounds"):
            compiled(NUMBERS, far, 9)
    for k in (np.int64(2**63 - 3), np.int64(-(2**63) + 2)):
        assert ag.jit(shifted)(NUMBERS, k, 7) == shifted(NUMBERS, k, 7)


def doubled(x, k, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        j = k * i
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        j = j + j
        total += x[j]
    return total


def test_each_value_is_looked_at_once() -> None:
    """The index is a sum of 2**24 numbers."""
    assert ag.jit(doubled)(NUMBERS, np.int64(0), 3) == 3.0
