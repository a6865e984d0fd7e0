"""Loops over trees and their backward loops become one, where the backward loop only adds up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag
from arignote.opt.joined import NAME
from arignote.opt.rewrite import switched_off, with_fuel


@dataclass
class Tree:
    x: np.ndarray
    left: Tree | None
    right: Tree | None


def encode(w, b, tree):
    n = b.shape[0]
    if tree is None:
        return b[:n] * 1.0
    return np.tanh(w @ encode(w, b, tree.left) + tree.x * encode(w, b, tree.right) + b)


def summed(p, trees):
    total = 0.0
    for tree in trees:
        total += np.dot(p["out"], encode(p["w"], p["b"], tree))
    return total


def mean_of_squares(p, trees):
    total = 0.0
    for tree in trees:
        total += np.sum(encode(p["w"], p["b"], tree) ** 2)
    return total / len(trees)


def weighed(p, trees, scales):
    total = np.zeros(2)
    for i, tree in enumerate(trees):
        total = total + scales[i] * np.sum(encode(p["w"] * scales[i], p["b"], tree))
    return total[0] * 3.0 + total[1]


def read_twice(p, trees):
    """What a call adds to one sum goes into another one as well."""
    total = 0.0
    for i, tree in enumerate(trees):
        total += np.sum(encode(p["w"], p["b"] + p["out"] * i, tree))
    return total


def one_after_the_other(p, trees):
    total = 0.0
    for tree in trees:
        total += np.sum(encode(p["w"], p["b"] * encode(p["w"].T, p["out"], tree), tree))
    return total


def root(p, trees):
    """What the backward loop starts from depends on the whole sum."""
    return np.sqrt(1.0 + summed(p, trees) ** 2)


def carried_on(p, trees):
    """An iteration reads what the one before left."""
    h = p["b"]
    for tree in trees:
        h = encode(p["w"], h * 0.5, tree)
    return np.sum(h)


def random_tree(generator, depth):
    below = [random_tree(generator, depth - 1) if depth and generator.random() < 0.8 else None for _ in range(2)]
    return Tree(generator.normal(size=3), *below)


GENERATOR = np.random.default_rng(0)
P = {"w": GENERATOR.normal(size=(3, 3)), "b": GENERATOR.normal(size=3), "out": GENERATOR.normal(size=3)}
TREES = [random_tree(GENERATOR, 2) for _ in range(40)]  # more than are known one by one


def spent(function, *args):
    with with_fuel(None) as fuel:
        found = ag.value_and_grad(function)(*args)
    return fuel.spent[NAME], found


def same(a, b):
    np.testing.assert_allclose(a[0], b[0], rtol=1e-14)
    for name in P:
        np.testing.assert_allclose(a[1][name], b[1][name], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("program", "more", "joins"), [
    (summed, (), True), (mean_of_squares, (), True), (weighed, (np.linspace(0.5, 1.5, 40),), True),
    (read_twice, (), True), (one_after_the_other, (), True), (root, (), False), (carried_on, (), False),
])  # fmt: skip
def test_with_and_without(program, more, joins):
    count, joined = spent(program, P, TREES, *more)
    assert (count > 0) == joins
    with switched_off(NAME):
        none, apart = spent(program, P, TREES, *more)
    assert none == 0
    same(joined, apart)


def test_against_differences():
    ag.check_grads(lambda w: summed({**P, "w": w}, TREES), (P["w"],), order=1)
    ag.check_grads(lambda b, out: read_twice({**P, "b": b, "out": out}, TREES), (P["b"], P["out"]), order=1)


def test_two_losses_of_one_program():
    def both(p, trees):
        return summed(p, trees) + 2.0 * mean_of_squares(p, trees)

    count, joined = spent(both, P, TREES)
    assert count >= 2
    with switched_off(NAME):
        same(joined, spent(both, P, TREES)[1])


def test_an_error_of_a_later_iteration_is_raised():
    def failing(p, trees, limit):
        total = 0.0
        for i, tree in enumerate(trees):
            if i == limit:
                raise KeyError("one of the last")
            total += np.sum(encode(p["w"], p["b"], tree))
        return total

    gradient = ag.jit(ag.grad(failing))
    with pytest.raises(KeyError, match="one of the last"):
        gradient(P, TREES, 39)
    assert gradient(P, TREES, 40)["w"].shape == (3, 3)


@ag.custom_vjp
def guarded(x):
    return x * 1.0


def guarded_backward(x, cotangent):
    if x[0] > 100.0:
        raise ValueError("of a backward iteration")
    return (cotangent,)


guarded.defvjp(lambda x: (x * 1.0, x), guarded_backward)


def test_the_error_of_a_later_iteration_comes_before_those_of_the_backward_loop():
    def failing(b, trees, limit):
        total = 0.0
        for i, tree in enumerate(trees):
            if i == limit:
                raise KeyError("one of the last")
            total += np.sum(encode(P["w"], guarded(b), tree))
        return total

    gradient = ag.jit(ag.grad(failing))
    with pytest.raises(KeyError, match="one of the last"):
        gradient(P["b"] + 200.0, TREES, 39)
    with pytest.raises(ValueError, match="of a backward iteration"):
        gradient(P["b"] + 200.0, TREES, 40)
    assert gradient(P["b"], TREES, 40).shape == (3,)
