"""Long lists as arguments: one compilation serves all lengths, and trees of all shapes in them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag


@dataclass
class Leafy:
    vector: np.ndarray | None
    left: Leafy | None
    right: Leafy | None


def random_tree(generator, depth):
    if depth == 0 or generator.random() < 0.3:
        return Leafy(generator.normal(size=3), None, None)
    return Leafy(None, random_tree(generator, depth - 1), random_tree(generator, depth - 1))


def encode(w, tree):
    if tree.left is None or tree.right is None:
        return np.tanh(tree.vector)
    return np.tanh(w @ (encode(w, tree.left) - 0.5 * encode(w, tree.right)))


def loss(w, trees):
    total = 0.0
    for tree in trees:
        total += np.sum(encode(w, tree) ** 2)
    return total / len(trees)


def test_trees_of_all_shapes_in_lists_of_all_lengths():
    generator = np.random.default_rng(0)
    trees = [random_tree(generator, 4) for _ in range(90)]
    w = generator.normal(size=(3, 3))
    compiled = ag.jit(ag.value_and_grad(loss))
    for count in (90, 40, 33, 77):
        value, gradient = compiled(w, trees[:count])
        assert value == pytest.approx(loss(w, trees[:count]), rel=1e-12)
        step = 1e-6 * np.ones_like(w)
        slope = (loss(w + step, trees[:count]) - loss(w - step, trees[:count])) / 2e-6
        assert np.sum(gradient) == pytest.approx(slope, rel=1e-6)
    assert compiled.cache_info().misses == 1
    by_trees = ag.grad(loss, argnums=1)(w, trees)
    assert len(by_trees) == 90 and all(type(tree) is Leafy for tree in by_trees)


def test_layers():
    generator = np.random.default_rng(1)
    layers = [(generator.normal(size=(4, 4)) * 0.3, generator.normal(size=4)) for _ in range(50)]

    def network(layers, x):
        for w, b in layers:
            x = np.tanh(x @ w + b)
        return np.sum(x)

    x = generator.normal(size=(2, 4))
    value, gradient = ag.jit(ag.value_and_grad(network))(layers, x)
    assert value == pytest.approx(network(layers, x), rel=1e-12)
    assert [(w.shape, b.shape) for w, b in gradient] == [((4, 4), (4,))] * 50
    ag.check_grads(lambda layers: network(layers, x), (layers,), order=1)


@pytest.mark.parametrize("item", [1, 2.5, np.float32(1.5), np.ones(3), np.ones((2, 1)), (1.0, 2), {"a": np.zeros(2)}])
def test_what_comes_in_goes_out(item):
    values = [item] * 40
    found = ag.jit(lambda xs: xs)(values)
    assert type(found) is list and len(found) == 40 and type(found[7]) is type(item)
    assert repr(found[39]) == repr(item)


def test_lists_of_different_kinds_stay_known():
    values = [1.0, "two", None] * 20
    assert ag.jit(lambda xs: xs)(values) == values
    assert ag.jit(lambda xs: xs[0] + xs[3])(values) == 2.0
    mixed = [np.ones(2), np.ones((2, 2))] * 20
    assert ag.jit(lambda xs: xs[1].sum() + xs[2].sum())(mixed) == 6.0


def test_mutation_is_refused():
    with pytest.raises(ag.AliasingError):
        ag.jit(lambda xs: xs.append(1.0))([0.0] * 40)


def test_many_items_compile_quickly():
    started = time.process_time()
    assert ag.jit(lambda xs: sum(xs))([1.0] * 5000) == 5000.0
    assert time.process_time() - started < 5.0
