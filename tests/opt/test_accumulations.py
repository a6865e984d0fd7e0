"""Products that a loop adds up become one after it."""

import numpy as np
import pytest

import arignote as ag
from arignote.opt.rewrite import switched_off, with_fuel

NAME = "products after the loop"


def recurrent(w, u, xs):
    h = np.zeros((xs.shape[1], w.shape[0]))
    for t in range(xs.shape[0]):
        h = np.tanh(xs[t] @ u + h @ w)
    return np.sum(h * h)


def whole(w, xs):
    """Rows that differ in number: nothing to stack."""
    total = 0.0
    for t in range(xs.shape[0]):
        total = total + np.sum(np.tanh(xs[: t + 1] @ w) ** 2)
    return total


def accumulated(xs, ys):
    """No residuals: blocks would be larger than what the program has."""
    total = np.zeros((xs.shape[2], ys.shape[2]))
    for t in range(xs.shape[0]):
        total = total + xs[t].T @ ys[t]
    return total


def arguments(steps):
    rng = np.random.default_rng(0)
    return rng.normal(size=(4, 4)), rng.normal(size=(3, 4)), rng.normal(size=(steps, 5, 3))


def spent(function, *args):
    with with_fuel(None) as fuel:
        result = ag.jit(function)(*args)
    return result, fuel.spent[NAME]


@pytest.mark.parametrize("steps", [0, 1, 2, 9])
def test_same_as_in_the_loop(steps):
    gradient = ag.grad(recurrent, (0, 1, 2))
    found, count = spent(gradient, *arguments(steps))
    assert count == (steps != 1)  # one step is no loop
    with switched_off(NAME):
        expected, count = spent(gradient, *arguments(steps))
    assert count == 0
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_two_sums_in_one_loop_share_a_block():
    with switched_off("products before the loop"):
        text = ag.inspect(ag.grad(recurrent, (0, 1)))(*arguments(3)).ir["prune again"]
    assert text.count("update_index") == 3  # the states, the inputs, and the cotangent of both
    ag.check_grads(recurrent, arguments(3))


def test_it_is_left_alone():
    rng = np.random.default_rng(0)
    w, xs = rng.normal(size=(3, 2)), rng.normal(size=(4, 3))
    assert spent(ag.grad(whole), w, xs)[1] == 0
    ag.check_grads(whole, (w, xs))
    result, count = spent(accumulated, rng.normal(size=(4, 5, 3)), rng.normal(size=(4, 5, 2)))
    assert count == 0 and result.shape == (3, 2)
