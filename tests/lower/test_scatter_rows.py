"""Rows added at picked places to an array that is one number everywhere."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag

RNG = np.random.default_rng(4)


def program(like, index, value):
    total = np.full(like.shape, 0.5)
    np.add.at(total, index, value)
    return total


compiled = ag.jit(program)


@pytest.mark.parametrize("columns", [0, 1, 7, 8, 9, 33, 200])
@pytest.mark.parametrize("count", [0, 1, 3, 900, 4001])
@pytest.mark.parametrize("rows", [1, 30, 4001])
def test_like_numpy_to_the_bit(rows, columns, count):
    like, index = np.empty((rows, columns)), RNG.integers(-rows, rows, count)
    value = RNG.normal(size=(count, columns)) * 10.0 ** RNG.integers(-8, 8, (count, 1))
    np.testing.assert_array_equal(compiled(like, index, value), program(like, index, value))


def test_no_rows():
    like, value = np.empty((0, 20)), np.empty((0, 20))
    np.testing.assert_array_equal(compiled(like, np.empty(0, np.int64), value), like)
    with pytest.raises(IndexError):
        compiled(like, np.zeros(1, np.int64), np.ones((1, 20)))


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int32])
def test_types_matrices_of_indices_and_rows_of_rows(dtype):
    def program(like, index, value):
        total = np.zeros(like.shape, like.dtype)
        np.add.at(total, index, value)
        return total

    like, index = np.empty((6, 3, 11), dtype), RNG.integers(-6, 6, (4, 5))
    value = RNG.integers(0, 2, (4, 5, 3, 11)).astype(dtype)
    np.testing.assert_array_equal(ag.jit(program)(like, index, value), program(like, index, value))


def test_special_numbers():
    def program(index, value):
        total = np.full((4, 16), -0.0)
        np.add.at(total, index, value)
        return total

    value = RNG.choice([-0.0, 0.0, np.inf, -np.inf, np.nan, 1.0], (40, 16))
    index = RNG.integers(0, 3, 40)
    with np.errstate(invalid="ignore"):
        found, expected = ag.jit(program)(index, value), program(index, value)
    np.testing.assert_array_equal(found, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))


def test_strided_and_other_index_arrays():
    """Only contiguous index arrays whose elements have been looked at are linked; the others go another way."""

    def program(like, index, value):
        total, other = np.zeros(like.shape), np.zeros(like.shape)
        np.add.at(total, index[::2], value[::2])
        np.add.at(other, np.arange(value.shape[0]) % like.shape[0], value)
        return total, other

    like, index, value = np.empty((7, 12)), RNG.integers(-7, 7, 22), RNG.normal(size=(22, 12))
    for found, expected in zip(ag.jit(program)(like, index, value), program(like, index, value), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_gradients_of_tables_picked_by_the_same_indices():
    """Rows are linked where more are added than there are rows, and added one after the other elsewhere."""

    def loss(table, other, index):
        return np.sum(np.sin(table[index])) + np.sum(np.cos(other[index]))

    gradient = ag.grad(loss, argnums=(0, 1))
    for rows in (5, 119, 120, 121, 500):
        table, other, index = RNG.normal(size=(rows, 16)), RNG.normal(size=(rows, 9)), RNG.integers(-5, 5, (30, 4))
        expected = [np.zeros(table.shape), np.zeros(other.shape)]
        np.add.at(expected[0], index, np.cos(table[index]))
        np.add.at(expected[1], index, -np.sin(other[index]))
        for found, wanted in zip(gradient(table, other, index), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=1e-14)
    assert ag.inspect(gradient)(table, other, index).loops.count("= -1:int64") == 2
    ag.check_grads(lambda t, o: loss(t, o, index), (table[:7], other[:7]))
