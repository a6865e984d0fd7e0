"""Positions of the best value: the first of equal ones, or the first NaN, however the loop is cut into vectors."""

import numpy as np
import pytest

import arignote as ag

rng = np.random.default_rng(0)
SHAPES = [(1, 1), (3, 5), (7, 64), (5, 100), (33, 257), (64, 129), (9, 1024), (300, 17), (2, 5000)]


@ag.jit
def largest(x):
    return np.argmax(x), np.argmax(x, axis=0), np.argmax(x, axis=1)


@ag.jit
def smallest(x):
    return np.argmin(x), np.argmin(x, axis=0), np.argmin(x, axis=1)


def compare(x):
    for function in (largest, smallest):
        for found, expected in zip(function(x), function.__wrapped__(x), strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "bool"])
def test_values_of_which_many_are_equal(dtype):
    for shape in SHAPES:
        for scale in (0.4, 3.0):
            compare(np.rint(rng.normal(size=shape) * scale).astype(dtype))
        compare(np.zeros(shape, dtype))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("share", [0.001, 0.05, 0.9])
def test_nan_and_infinities(dtype, share):
    for shape in SHAPES:
        x = np.rint(rng.normal(size=shape)).astype(dtype)
        for special in (np.inf, -np.inf, np.nan, -np.nan, -0.0):
            x[rng.random(shape) < share] = special
        compare(x)
        compare(np.full(shape, -np.inf, dtype))
        compare(np.asfortranarray(x))
        compare(np.repeat(x, 2, axis=1)[:, ::2])


def test_each_place_of_a_vector():
    for place in range(97):
        for special in (np.nan, 2.0):
            x = np.zeros((1, 97))
            x[0, place] = special
            assert largest(x)[0] == largest(x)[2][0] == place
            x[0, place:] = special
            assert largest(x)[0] == largest(x)[2][0] == place


def test_smallest_whole_numbers():
    for dtype in ("int32", "int64"):
        compare(np.full((40, 70), np.iinfo(dtype).min, dtype))
        compare(np.full((40, 70), np.iinfo(dtype).max, dtype))


@ag.jit
def beside_others(x):
    y = x * 1.0
    place, least, total = np.argmax(y), np.argmin(y), np.sum(y)
    z = y + 1.0
    y[0] = 1e9
    return place, least, total, z, np.argmax(y), np.max(z), np.argmax(x * x)


@pytest.mark.parametrize("size", [1, 7, 4096, 4097, 20_000, 70_001])
def test_beside_other_reductions_and_writes(size):
    """Blocks reduce to their best value, whose place is looked for in one of them: from memory that is still there."""
    for x in (rng.normal(size=size), np.rint(rng.normal(size=size)), np.full(size, -np.inf)):
        for found, expected in zip(beside_others(x), beside_others.__wrapped__(x), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_nan_in_a_later_block():
    for first, second in ((9000, 5000), (4095, 4096), (20_000, 20_001)):
        x = rng.normal(size=25_000)
        x[[first, second]] = np.nan
        assert largest_of(x) == smallest_of(x) == min(first, second)
        x[[first, second]] = 50.0
        assert largest_of(x) == min(first, second)


@ag.jit
def largest_of(x):
    return np.argmax(x)


@ag.jit
def smallest_of(x):
    return np.argmin(x)
