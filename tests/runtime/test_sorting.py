"""Sorting is NumPy's own, with its order of equal elements, on all threads."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag

RNG = np.random.default_rng(8)
DTYPES = ["float64", "float32", "int64", "int32", "bool"]
SHAPES = [(0,), (1,), (300,), (3, 0), (0, 3), (5, 1), (40, 300), (300, 40), (4, 60, 33)]


def all_ways(x):
    return np.sort(x), np.argsort(x), np.sort(x, axis=0), np.argsort(x, axis=0)


def stably(x):
    return np.sort(x, kind="stable"), np.argsort(x, stable=True), x.argsort(axis=0, kind="mergesort")


def flat(x):
    return np.sort(x, axis=None), np.argsort(x, axis=None, kind="stable")


def in_place(x):
    y = x.copy()
    y.sort()
    z = x.copy()
    z.sort(axis=0, stable=True)
    return y, z, y[::-1]


@pytest.mark.parametrize("program", [all_ways, stably, flat, in_place])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_as_numpy_with_many_equal_elements(program, dtype):
    compiled = ag.jit(program)
    for shape in SHAPES:
        x = RNG.integers(-4, 5, shape)
        x = x > 0 if dtype == "bool" else x.astype(dtype)
        for given in (x, np.asfortranarray(x), x[..., ::-1]):
            for found, plain in zip(compiled(given), program(given), strict=True):
                assert found.dtype == plain.dtype
                np.testing.assert_array_equal(found, plain)


def test_zeros_of_both_signs_infinities_and_nan():
    x = RNG.choice([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0], (7, 200))
    for program in (all_ways, stably):
        for found, plain in zip(ag.jit(program)(x), program(x), strict=True):
            np.testing.assert_array_equal(found, plain)
            if plain.dtype == np.float64:
                np.testing.assert_array_equal(np.signbit(found), np.signbit(plain))


def test_results_do_not_depend_on_the_number_of_threads():
    x = RNG.integers(0, 9, (500, 64)).astype(np.float64)
    compiled, threads = ag.jit(all_ways), ag.get_num_threads()
    try:
        for count in (1, 2, 5):
            ag.set_num_threads(count)
            for found, plain in zip(compiled(x), all_ways(x), strict=True):
                np.testing.assert_array_equal(found, plain)
    finally:
        ag.set_num_threads(threads)


def test_derivatives_follow_the_elements():
    x = RNG.normal(size=(6, 9))
    weights = RNG.normal(size=(6, 9))
    for program in (lambda x: np.sum(np.sort(x) * weights), lambda x: np.sum(np.sort(x, axis=0, kind="stable") ** 2)):
        ag.check_grads(program, (x,), order=2)


def test_unknown_kinds_are_refused():
    with pytest.raises(ag.TypeInferenceError, match="sort kind must be one of"):
        ag.jit(lambda x: np.sort(x, kind="bogo"))(np.ones(3))
    with pytest.raises(ag.TypeInferenceError, match="can't be provided at the same time"):
        ag.jit(lambda x: np.argsort(x, kind="quicksort", stable=True))(np.ones(3))
