"""Derivatives of picked elements: parts of them are added into copies of the gradient, whose order is free."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag
from arignote.lower.lower import lower
from arignote.runtime.threads import get_num_threads, set_num_threads
from tests.lower.harness import Array, Emit, Parameter, agree, agree_natively, main
from tests.lower.native import run_native

RNG = np.random.default_rng(5)


def loss(x, weights, data, index, rows):
    """The entries of a sparse matrix, in any order; `weights` belong to its rows."""
    return np.sum(weights[rows] * data * x[index])


def gradients(x, weights, data, index, rows):
    of_x, of_weights = np.zeros(x.shape), np.zeros(weights.shape)
    np.add.at(of_x, index, weights[rows] * data)
    np.add.at(of_weights, rows, x[index] * data)
    return of_x, of_weights, weights[rows] * x[index]


compiled = ag.jit(ag.grad(loss, (0, 1, 2)))


def given(count, size, least=0):
    rows = np.sort(RNG.integers(0, size, count))
    index = RNG.integers(least, size, count)
    return RNG.normal(size=size), RNG.normal(size=size), RNG.normal(size=count), index, rows


@pytest.mark.parametrize("count", [0, 1, 9, 32_767, 32_768, 65_539, 100_003])
@pytest.mark.parametrize("size", [1, 7, 4097, 20_000])
def test_all_three_gradients(count, size):
    for least in (0, -size):
        arguments = given(count, size, least)
        for found, expected in zip(compiled(*arguments), gradients(*arguments), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_the_same_with_any_number_of_threads():
    arguments = given(100_000, 3000)
    before = get_num_threads()
    try:
        found = []
        for threads in (1, 2, 4):
            set_num_threads(threads)
            found.append(compiled(*arguments))
    finally:
        set_num_threads(before)
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


def test_the_gradients_of_entries_and_of_the_vector_are_one_pass():
    """What both are made of is kept nowhere, and neither is what is added."""
    loops = ag.inspect(ag.grad(loss, (0, 2)))(*given(100, 10)).loops
    several = [kernel for kernel in loops.split("  kernel ")[1:] if kernel.split("\n")[0].count("%") >= 6]
    assert len(several) == 1, "one kernel reads weights, rows, data, index and x, and writes both gradients"
    assert loops.count("alloc") == 5, "two gradients, copies of one, and indices that count from the end, twice"


def picked(x, index, value):
    return np.sum(x[index] * value) + np.sum(np.sin(x) * np.arange(x.shape[0]))


@pytest.mark.parametrize("count", [0, 5, 40_000])
def test_added_to_another_gradient(count):
    x, index, value = RNG.normal(size=900), RNG.integers(-900, 900, count), RNG.normal(size=count)
    expected = np.cos(x) * np.arange(900)
    np.add.at(expected, index, value)
    np.testing.assert_allclose(ag.jit(ag.grad(picked))(x, index, value), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "bool"])
@pytest.mark.parametrize("fresh", [False, True])
def test_types_and_special_numbers(dtype, fresh):
    """Sums of whole numbers are exact in any order; zeros keep their signs."""
    e, x, i, v = Emit(), *(Parameter(n, Array(t, (-1,))) for n, t in (("x", dtype), ("i", "int64"), ("v", dtype)))
    zero = -0.0 if dtype.startswith("float") else np.dtype(dtype).type(0)
    base = e.op("broadcast_to", e.constant(zero, dtype), *e.sizes(x), dims=(-1,)) if fresh else x
    main_ = main(e, [x, i, v], e.op("scatter", base, v, i, axis=0, accumulate=True, ordered=False))
    index = RNG.integers(-50, 49, 33_000)
    value = RNG.integers(-9, 10, index.size).astype(dtype)
    if dtype.startswith("float"):
        value[index % 50 < 5] = -0.0
        value[:10] = [np.nan, np.inf, -np.inf, np.inf, 1, 2, 3, 4, 5, 6]
    given_ = RNG.integers(0, 2, 50).astype(dtype)
    given_[:20] = zero
    with np.errstate(invalid="ignore"):
        agree_natively(main_, given_, index, value)
        agree(main_, given_, index[:40], value[:40])


def test_negative_zeros_stay():
    index, value = RNG.integers(0, 9, 40_000), np.full(40_000, -0.0)
    e, types = Emit(), {"x": "float64", "i": "int64", "v": "float64"}
    x, i, v = [Parameter(name, Array(dtype, (-1,))) for name, dtype in types.items()]
    function = main(e, [x, i, v], e.op("scatter", x, v, i, axis=0, accumulate=True, ordered=False))
    lowered = lower(function)
    _, result = run_native(lowered, function, np.full(9, -0.0), index, value)
    assert np.all(np.signbit(result))


def test_value_that_reads_the_gradient_that_it_is_added_to():
    """Second order: the cotangent is read by what is added to it."""
    def twice(x, index):
        first = ag.grad(lambda x: np.sum(np.sin(x[index]) * x[index]))(x)
        return np.sum(first[index] * first[index])

    x, index = RNG.normal(size=40), RNG.integers(0, 40, 300)
    ag.check_grads(lambda x: twice(x, index), (x,))


def test_out_of_range():
    arguments = given(40_000, 30)
    arguments[3][77] = 30
    with pytest.raises(IndexError):
        compiled(*arguments)


@pytest.mark.parametrize("strided", [False, True])
def test_indices_that_are_no_row_of_memory(strided):
    x, data, index = RNG.normal(size=50), RNG.normal(size=20_000), RNG.integers(-50, 50, 40_000)

    def program(x, data, index):
        return np.sum(data * x[index[::2] if strided else index[20_000:]])

    expected = np.zeros(50)
    np.add.at(expected, index[::2] if strided else index[20_000:], data)
    np.testing.assert_allclose(ag.jit(ag.grad(program))(x, data, index), expected, rtol=1e-10, atol=1e-10)
