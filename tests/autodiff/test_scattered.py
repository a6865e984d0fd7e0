"""Sums of cotangents of picked elements are sums of those elements alone."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag

RNG = np.random.default_rng(6)
ROWS, COLUMNS = np.array([0, 2, 2, 3, 1, 0]), np.array([1, 0, 0, 4, -1, 3])
BLOCKS = np.array([0, 1, 1, 0, 0, 1])


def of_rows(x, y):
    return np.sum((x - np.log(np.sum(np.exp(x), axis=1, keepdims=True)))[ROWS, COLUMNS] * y[:6])


def of_columns(x, y):
    return np.sum((np.sum(x * x, axis=0, keepdims=True) - x)[ROWS, COLUMNS] ** 2 * y[:6])


def of_both(x, y):
    return np.sum(np.sin(x - np.mean(x, axis=1, keepdims=True) - np.max(x, axis=0, keepdims=True))[ROWS, COLUMNS])


def of_three_axes(x, y):
    z = np.stack([x, x * x])
    return np.sum((z - np.sum(z, axis=(0, 2), keepdims=True))[BLOCKS, ROWS, COLUMNS] * y[:6])


def of_vectors(x, y):
    return np.sum((x - y[:, None])[np.arange(4), np.array([1, 1, 0, 2])] ** 3)


@pytest.mark.parametrize("program", [of_rows, of_columns, of_both, of_three_axes, of_vectors])
def test_derivatives(program):
    x, y = RNG.normal(size=(4, 5)), RNG.normal(size=7)
    y = y[:4] if program is of_vectors else y
    ag.check_grads(program, (x, y), order=2)


def test_a_sum_of_rows_makes_no_array():
    def program(x, labels):
        return np.sum((x - np.log(np.sum(np.exp(x), axis=1, keepdims=True)))[np.arange(len(labels)), labels])

    text = ag.inspect(ag.grad(program))(np.ones((3, 4)), np.array([0, 1, 3])).ir["delay updates"]
    scatters = [line.rpartition(": ")[2] for line in text.splitlines() if " = scatter " in line]
    assert sorted(scatters) == ["f64[n,n]", "f64[n]"]


def test_an_index_out_of_range_is_still_heard_of():
    with pytest.raises(IndexError):
        ag.grad(of_rows)(np.ones((3, 4)), np.ones(6))
