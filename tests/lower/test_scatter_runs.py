"""np.add.at along one axis: runs of equal indices, ascending and not, on several threads."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag

RNG = np.random.default_rng(2)


def program(target, index, value):
    target = target.copy()
    np.add.at(target, index, 2.0 * value)
    return target


compiled = ag.jit(program)


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 65537, 200_003])
@pytest.mark.parametrize("kind", ["ascending", "random", "negative", "one", "strided"])
def test_like_numpy_to_the_bit(count, kind):
    size = 300
    index = RNG.integers(0, size, count)
    if kind == "ascending":
        index = np.sort(index)
    elif kind == "negative":
        index = np.sort(index) - size
    elif kind == "one":
        index = np.full(count, 7)
    elif kind == "strided":
        index = np.repeat(np.sort(index), 2)[::2]
    target, value = RNG.normal(size=size), RNG.normal(size=count)
    np.testing.assert_array_equal(compiled(target, index, value), program(target, index, value))


def test_value_that_reads_the_target():
    def twice(target, index):
        target = target.copy()
        np.add.at(target, index, target[index])
        return target

    target, index = RNG.normal(size=9), np.array([1, 1, 2, 8, 8, 0])
    np.testing.assert_array_equal(ag.jit(twice)(target, index), twice(target, index))


def test_out_of_range():
    with pytest.raises(IndexError):
        compiled(np.zeros(3), np.array([0, 3]), np.ones(2))


def test_gradient():
    index = np.array([0, 0, 2, 1, 1, 1])
    ag.check_grads(lambda t, v: np.sum(np.sin(program(t, index, v))), (RNG.normal(size=3), RNG.normal(size=6)))


def costly(a, b, index, x):
    """A value that is worth keeping: its two scatters and its sum read it from memory."""
    weight = x / (1.0 + np.exp(a[index] * x))
    first, second = np.zeros(a.shape[0]), np.zeros(b.shape[0])
    np.add.at(first, index, weight)
    np.add.at(second, index, weight * b[index])
    return first, second, np.sum(weight)


compiled_costly = ag.jit(costly)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1023, 70_001])
@pytest.mark.parametrize("least", [0, -40])
def test_costly_values_and_picked_elements(count, least):
    a, b = RNG.normal(size=40), RNG.normal(size=40)
    index, x = RNG.integers(least, 40, count), RNG.normal(size=count)
    for got, expected in zip(compiled_costly(a, b, index, x), costly(a, b, index, x), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("late", [3, 65_000, 131_070])
def test_almost_ascending(late):
    """One index out of order, wherever it is, keeps all additions on one thread."""
    index = np.sort(RNG.integers(0, 300, 131_072))
    index[late] = 299
    index[late + 1] = 0
    target, value = RNG.normal(size=300), RNG.normal(size=131_072)
    np.testing.assert_array_equal(compiled(target, index, value), program(target, index, value))


def test_indices_are_looked_through_once():
    """The extent of an index array that several operations use is found once."""

    def several(a, b, index):
        return np.sum(a[index] * b[index])

    a, b, index = RNG.normal(size=40), RNG.normal(size=40), RNG.integers(0, 40, 100)
    inspection = ag.inspect(several)(a, b, index)
    assert inspection.loops.count("9223372036854775807:int64, ") == 2
    with pytest.raises(IndexError):
        ag.jit(several)(a, b[:39], np.full(3, 39))
    np.testing.assert_allclose(ag.jit(several)(a, b, index), several(a, b, index))


def test_index_array_made_in_the_same_loop():
    """Where index arrays are written and read in one procedure, elements are picked by what is there at the time."""

    def twice(a, index):
        picked = a[index]
        index = index.copy()
        index[1:] = index[:-1]
        return picked + a[index]

    a, index = RNG.normal(size=40), RNG.integers(-40, 40, 101)
    np.testing.assert_array_equal(ag.jit(twice)(a, index), twice(a, index))


def test_indices_are_counted_from_the_start_once():
    """Where some count from the end, a copy is made; the array itself, which is updated later, is left alone."""

    def program(a, index):
        index = index.copy()
        before = a[index]
        index[1:3] = 0
        after = a[index]
        np.add.at(index, index, index)
        return before, after, index

    jitted = ag.jit(program)
    for index in ([3, 1, 2, 0, 4], [3, -1, 2, 0, -5], [-1, -1, -1]):
        given = RNG.normal(size=5), np.array(index)
        for got, expected in zip(jitted(*given), program(*given), strict=True):
            np.testing.assert_array_equal(got, expected)


def rows_added(target, index, value):
    target = target.copy()
    np.add.at(target, index, value)
    return target


def rows_set(target, index, value):
    target = target.copy()
    target[index] = value
    return target


compiled_added, compiled_set = ag.jit(rows_added), ag.jit(rows_set)


@pytest.mark.parametrize("columns", [0, 1, 5, 31, 33, 64, 127, 130, 261])
@pytest.mark.parametrize("count", [0, 3, 400])
def test_rows_in_parts_of_columns(columns, count):
    """Columns are cut in parts, and each place is added to (or set) in the order of the indices."""
    target, value = RNG.normal(size=(9, columns)), RNG.normal(size=(count, columns))
    index = RNG.integers(-9, 9, count)
    np.testing.assert_array_equal(compiled_added(target, index, value), rows_added(target, index, value))
    np.testing.assert_array_equal(compiled_set(target, index, value), rows_set(target, index, value))


def test_rows_by_two_indices_and_a_middle_axis():
    def program(target, i, j, value):
        target, other = target.copy(), target.copy()
        np.add.at(target, (i, j), value)
        np.add.at(other, (slice(None), j), np.sum(value) + other[:, j])
        return target, other

    # Sixteenths, whose sum is exact in any order: beside it, elements of `other` may be small.
    target, value = RNG.normal(size=(4, 6, 70)), RNG.integers(-64, 64, (11, 70)) / 16.0
    i, j = RNG.integers(-4, 4, 11), RNG.integers(-6, 6, 11)
    for got, expected in zip(ag.jit(program)(target, i, j, value), program(target, i, j, value), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_order_and_extent_are_found_in_one_pass():
    def program(index, value, x):
        target = np.zeros(x.shape[0])
        np.add.at(target, index, value)
        return np.sum(target * x) + np.sum(x[index])

    index, value, x = np.sort(RNG.integers(0, 300, 131_073)), RNG.normal(size=131_073), RNG.normal(size=300)
    loops = ag.inspect(program)(index, value, x).loops
    assert loops.count("vector reduction") == 5, "extent and order at once, two sums, and which index is wrong, twice"
    np.testing.assert_allclose(ag.jit(program)(index, value, x), program(index, value, x), rtol=1e-12)
    with pytest.raises(IndexError):
        ag.jit(program)(index, value, x[:299])


@pytest.mark.parametrize("first", ["prefix", "strided", "gathered"])
def test_the_order_of_a_part_says_nothing_about_the_whole(first):
    """The views begin at one address; only the first of them ascends."""

    def program(index, value, size):
        one, other = np.zeros(size), np.zeros(size)
        if first == "prefix":
            np.add.at(one, index[:65_537], value[:65_537])
        elif first == "strided":
            np.add.at(one, index[::2], value[::2])
        else:
            one += value[index]
        np.add.at(other, index, value)
        return one, other

    index = np.sort(RNG.integers(0, 300, 131_074))
    if first == "strided":
        index[1::2] = RNG.integers(0, 300, 65_537)
    else:
        index[65_537:] = RNG.integers(0, 300, 65_537)
    value = RNG.normal(size=index.size)
    size = index.size if first == "gathered" else 300
    for got, expected in zip(ag.jit(program)(index, value, size), program(index, value, size), strict=True):
        np.testing.assert_array_equal(got, expected)
