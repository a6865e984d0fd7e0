"""Products with a matrix that stays the same leave a loop; failures come as they would."""

import numpy as np
import pytest

import arignote as ag
from arignote.opt.rewrite import switched_off, with_fuel

NAME = "products before the loop"


def stacked(u, w, v, xs):
    """Two layers: the inputs of each are multiplied before it."""
    h = g = np.zeros((xs.shape[1], w.shape[0]))
    outputs = []
    for t in range(len(xs)):
        h = np.tanh(xs[t] @ u + h @ w)
        g = np.tanh(h @ v + g @ w)
        outputs.append(g)
    return outputs


def loss(u, w, v, xs):
    h = g = np.zeros((xs.shape[1], w.shape[0]))
    total = 0.0
    for t in range(len(xs)):
        h = np.tanh(xs[t] @ u + h @ w)
        g = np.tanh(h @ v + g @ w)
        total = total + np.sum(g * g)
    return total


def words(table, u, w, tokens, width):
    h = np.zeros((tokens.shape[1], width))
    outputs = []
    for t in range(tokens.shape[0]):
        h = np.tanh(table[tokens[t]] @ u + h @ w)
        outputs.append(h)
    return outputs


def printing(u, w, v, xs):
    h = np.zeros((xs.shape[1], w.shape[0]))
    outputs = []
    for t in range(len(xs)):
        h = np.tanh(xs[t] @ u + h @ w)
        print(t)
        outputs.append(h)
    return outputs


def growing(u, start, addend, steps):
    """The rows grow until a check that comes after the product fails."""
    h = start
    outputs = []
    for _ in range(steps):
        h = np.concatenate((h, start))
        outputs.append(h @ u + addend)
    return outputs


def arguments(steps, dtype="float64"):
    rng = np.random.default_rng(0)
    shapes = (3, 4), (4, 4), (4, 4), (steps, 5, 3)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def spent(function, *args):
    with with_fuel(None) as fuel:
        result = ag.jit(function)(*args)
    return result, fuel.spent[NAME]


@pytest.mark.parametrize("steps", [0, 1, 2, 9])
def test_values(steps):
    found, count = spent(stacked, *arguments(steps))
    assert count == (2 if steps != 1 else 0)  # one step is no loop
    expected = stacked(*arguments(steps))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_without_lists_only_gradients_are_cut():
    result, count = spent(loss, *arguments(6))
    assert count == 0
    np.testing.assert_allclose(result, loss(*arguments(6)), rtol=1e-12)
    assert spent(ag.grad(loss, (0, 1, 2)), *arguments(6))[1] == 2


def test_gradients_are_the_same():
    gradient = ag.grad(loss, (0, 1, 2, 3))
    found = ag.jit(gradient)(*arguments(6))
    with switched_off(NAME):
        expected = ag.jit(ag.grad(loss, (0, 1, 2, 3)))(*arguments(6))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    ag.check_grads(loss, arguments(4))


def outcome(function, args):
    try:
        return [x.tolist() for x in function(*args)]
    except (IndexError, ValueError) as error:
        return type(error).__name__, str(error)


def spoiled(change):
    rng = np.random.default_rng(0)
    table, u, w = rng.normal(size=(6, 3)), rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
    tokens, width = rng.integers(0, 6, (5, 2)), 4
    return change(table, u, w, tokens, width)


def late(table, u, w, tokens, width):
    tokens[3, 1] = 6
    return table, u, w, tokens, width


def early(table, u, w, tokens, width):
    tokens[0, 1] = -7
    return table, u[:2], w, tokens, width


def both(table, u, w, tokens, width):
    tokens[3, 1] = 6
    return table, u[:2], w, tokens, width


def other(table, u, w, tokens, width):
    tokens[3, 1] = 6
    return table, u, w[:, :3], tokens, width


def wide(table, u, w, tokens, width):
    tokens[2, 1] = 6
    return table, u, w, tokens, 3


def second(table, u, w, tokens, width):
    tokens[1, 1] = 6
    return table, u[:, :3], w[:, :3], tokens, width


def third(table, u, w, tokens, width):
    tokens[2, 1] = 6
    return table, u[:, :3], w[:, :3], tokens, width


def none(table, u, w, tokens, width):
    return table, u[:2], w, tokens[:0], width


@pytest.mark.parametrize("change", [late, early, both, other, wide, second, third, none])
def test_the_first_failure_is_raised(change):
    """Words that do not exist and shapes that do not match, in one order or the other."""
    found, count = outcome(ag.jit(words), spoiled(change)), spent(words, *spoiled(lambda *x: x))[1]
    assert count == 1
    assert found == outcome(words, spoiled(change))


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_sizes_that_a_late_check_compares(rows):
    rng = np.random.default_rng(0)
    args = rng.normal(size=(3, 4)), rng.normal(size=(2, 3)), rng.normal(size=(rows, 4)), 3
    assert outcome(ag.jit(growing), args) == outcome(growing, args)


def test_what_prints_is_left_alone(capsys):
    assert spent(printing, *arguments(3))[1] == 0
    assert capsys.readouterr().out.split() == ["0", "1", "2"]


def test_computing_again_gives_the_same():
    again = ag.jit(ag.grad(lambda *args: ag.checkpoint(loss)(*args)))(*arguments(4))
    np.testing.assert_allclose(again, ag.grad(loss)(*arguments(4)), rtol=1e-10)
