"""Reciprocals that `np.where` does not take have no derivatives, of any order, also where they are infinite."""

import numpy as np
import pytest

import arignote as ag


def reciprocal(x):
    return 1 / x


def masked(x):
    return np.sum(np.where(x != 0, reciprocal(x), 0.0))


def masked_in_a_loop(x):
    y = x
    for _ in range(2):
        y = np.where(x != 0, 1 / y, 0.0) + np.where(x != 0, x, 1.0)
    return np.sum(np.where(x != 0, y, 0.0))


def masked_before_a_loop(x):
    y = 1 / x
    for _ in range(2):
        y = np.where(x != 0, y * 1.5, 0.0)
    return np.sum(y)


@pytest.mark.parametrize("function", [masked, masked_in_a_loop, masked_before_a_loop])
def test_derivatives_of_all_orders(function):
    x = np.array([0.0, 1.0, -2.0, -0.0, 3.0])
    used = x != 0

    def second(x):
        return np.sum(ag.grad(function)(x) * x)

    for order in (function, second, lambda x: np.sum(ag.grad(second)(x))):
        found, alone = ag.grad(order)(x), ag.grad(order)(x[used])
        np.testing.assert_array_equal(found[~used], 0.0)
        np.testing.assert_allclose(found[used], alone, rtol=1e-14)
