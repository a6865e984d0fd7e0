"""Trees and lists of run-time length under `vmap`: as arguments, as results, and with derivatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag
from tests.corpus.program import Call
from tests.corpus.trees import _words, tree_lstm
from tests.properties.comparison import assert_no_differences, differences, outcome


@dataclass
class Tree:
    values: np.ndarray
    left: Tree | None = None
    right: Tree | None = None


@dataclass
class Named:
    name: str
    value: np.ndarray
    children: list[Named]


def random_tree(rng, depth, *shape):
    if depth == 0 or rng.random() < 0.25:
        return None
    return Tree(rng.normal(size=shape), random_tree(rng, depth - 1, *shape), random_tree(rng, depth - 1, *shape))


def total(tree, weights):
    if tree is None:
        return 0.0 * np.sum(weights)
    inside = 0.5 * total(tree.left, weights) + 0.25 * total(tree.right, weights)
    return np.sum(np.tanh(weights * tree.values)) + inside**2


def depth(tree):
    return 0 if tree is None else 1 + max(depth(tree.left), depth(tree.right))


def scaled(tree, weights):
    if tree is None:
        return None
    return Tree(np.sin(tree.values) * weights, scaled(tree.left, weights), scaled(tree.right, weights))


def grown(levels, weights):
    return None if levels <= 0 else Tree(weights * levels, grown(levels - 1, weights), grown(levels - 2, weights))


def positive(tree):
    """What is kept differs from element to element."""
    if tree is None or np.sum(tree.values) < 0.0:
        return None
    return Tree(tree.values, positive(tree.left), positive(tree.right))


def largest(tree, weights):
    """A path that each element chooses by itself."""
    best = -np.inf
    while tree is not None:
        here = np.sum(tree.values * weights)
        best = max(best, here)
        tree = tree.left if here > 0.0 else tree.right
    return best


def named_sum(node):
    found = np.sum(node.value) * (2.0 if node.name == "twice" else 1.0)
    for child in node.children:
        found = found + named_sum(child)
    return found


def renamed(node):
    return Named(node.name, node.value * 2.0, [renamed(child) for child in node.children])


def multiples(n, x):
    found = []
    for k in range(n):
        found.append(k * x)
    return found


def agree(function, *arguments, ulps=32):
    """The compiled program does what the plain one does; it raises where that does."""
    call = Call(arguments)
    with ag.disable_jit():
        plain = outcome(function, call)
    compiled = outcome(function, call)
    if plain.error is not None:
        assert compiled.error is not None
        return compiled.error
    if compiled.error is not None:
        raise AssertionError("the compiled program raised") from compiled.error
    assert_no_differences(differences(plain.value, compiled.value, ulps))
    return None


SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("function", [total, scaled, largest])
def test_mapped_trees(function, seed):
    rng = np.random.default_rng(seed)
    tree = Tree(rng.normal(size=(4, 3)), random_tree(rng, 3, 4, 3), random_tree(rng, 3, 4, 3))
    assert agree(ag.vmap(function, (0, None)), tree, rng.normal(size=3)) is None
    assert agree(ag.vmap(function), tree, rng.normal(size=(4, 3))) is None
    assert agree(ag.vmap(function, (1, None)), tree, rng.normal(size=4)) is None


def test_the_same_tree_for_all_elements():
    rng = np.random.default_rng(1)
    tree, weights = random_tree(rng, 4, 3) or Tree(np.ones(3)), rng.normal(size=(5, 3))
    for function in (total, scaled, largest):
        assert agree(ag.vmap(function, (None, 0)), tree, weights) is None


def test_numbers_as_elements():
    tree = Tree(np.array([1.0, 2.0]), Tree(np.array([3.0, 4.0])))
    assert agree(ag.vmap(scaled, (0, None)), tree, 2.0) is None
    assert agree(ag.vmap(depth), tree) is None
    assert agree(ag.vmap(scaled, (0, None), 1), Tree(np.ones((2, 3))), 2.0) is None


def test_maps_of_maps():
    rng = np.random.default_rng(2)
    tree = Tree(rng.normal(size=(2, 3, 2)), Tree(rng.normal(size=(2, 3, 2))))
    assert agree(ag.vmap(ag.vmap(scaled, (0, None)), (0, None)), tree, rng.normal(size=2)) is None
    assert agree(ag.vmap(ag.vmap(total, (0, None)), (0, None)), tree, rng.normal(size=2)) is None


@pytest.mark.parametrize("seed", SEEDS)
def test_derivatives(seed):
    rng = np.random.default_rng(seed)
    tree = Tree(rng.normal(size=(4, 3)), random_tree(rng, 3, 4, 3), random_tree(rng, 3, 4, 3))
    weights = rng.normal(size=(4, 3))
    of_each = ag.vmap(ag.grad(total, (0, 1)))
    assert agree(of_each, tree, weights, ulps=256) is None
    mapped = ag.vmap(total)
    of_sum = ag.grad(lambda tree, weights: np.sum(mapped(tree, weights)), (0, 1))(tree, weights)
    assert_no_differences(differences(of_each(tree, weights), of_sum, 256))
    second = ag.vmap(ag.grad(lambda w, t: np.sum(ag.grad(total, 1)(t, w) ** 2)))
    assert agree(second, weights, tree, ulps=1024) is None


def inside_branches(levels, other, x, weights):
    """It calls itself in a branch of a branch, and once with what is the same for all."""
    if levels <= 0:
        return np.sum(np.sin(x))
    if other > 0:
        inner = 2.0
        if levels > 2:
            inner = inside_branches(levels - 1, other - 1, weights, weights)
        inner = inner * inner
    else:
        inner = inside_branches(levels - 1, other, x * 0.5, weights)
    return np.sum(x * x) * inner


@pytest.mark.parametrize(("levels", "other"), [(0, 0), (1, 1), (3, 1), (4, 2), (3, 0)])
def test_gradients_of_recursion_in_branches(levels, other):
    x, weights = np.random.default_rng(7).normal(size=(4, 2)), np.array([0.5, -1.0])
    gradient = ag.vmap(ag.grad(inside_branches, (2, 3)), (None, None, 0, None))
    assert agree(gradient, levels, other, x, weights, ulps=64) is None


def test_gradients_of_a_network_over_one_tree():
    """A branch that does not call has arrays of known sizes as placeholders of what the other keeps."""
    rng = np.random.default_rng(0)
    weights, tree = 0.3 * rng.normal(size=(3, 8, 7)), _words(1)
    assert agree(ag.vmap(ag.grad(tree_lstm, (0, 1)), (0, None)), weights, tree, ulps=256) is None


def kept_on_one_path(x, flag):
    if flag:
        kept = np.zeros(300_000) + x[0]
    total = x[1]
    if flag:
        total = total + np.max(kept)
    return total


@pytest.mark.parametrize("flag", [True, False])
def test_variables_without_a_value_on_one_path(flag):
    x = np.random.default_rng(0).normal(size=(4, 5))
    assert agree(ag.vmap(kept_on_one_path, (0, None)), x, flag) is None


def test_gradients_where_each_element_takes_a_path_of_its_own():
    rng = np.random.default_rng(5)
    tree = Tree(rng.normal(size=(6, 3)), random_tree(rng, 3, 6, 3), random_tree(rng, 3, 6, 3))
    assert agree(ag.vmap(ag.grad(largest, (0, 1))), tree, rng.normal(size=(6, 3))) is None


def test_strings_and_lists_inside_stay():
    leaves = [Named("a", np.arange(3.0), []), Named("twice", np.arange(3.0) + 1.0, [])]
    tree = Named("root", np.ones(3), leaves)
    assert agree(ag.vmap(named_sum), tree) is None
    assert agree(ag.vmap(renamed), tree) is None


def test_trees_made_for_each_element():
    weights = np.array([1.0, 2.0])
    assert agree(ag.vmap(grown), np.array([3, 3]), weights) is None
    assert agree(ag.vmap(grown, (None, 0)), 3, weights) is None
    assert isinstance(agree(ag.vmap(grown), np.array([3, 2]), weights), ValueError)
    tree = Tree(np.array([[1.0], [2.0]]), Tree(np.array([[1.0], [3.0]])), Tree(np.array([[-1.0], [-3.0]])))
    assert agree(ag.vmap(positive), tree) is None
    other = Tree(np.array([[1.0], [2.0]]), Tree(np.array([[1.0], [-3.0]])))
    assert isinstance(agree(ag.vmap(positive), other), ValueError)


def test_lists_as_results():
    assert agree(ag.vmap(multiples), np.array([3, 3]), np.array([1.0, 2.0])) is None
    assert agree(ag.vmap(multiples, (None, 0)), 3, np.ones((2, 4))) is None
    assert agree(ag.vmap(multiples), np.array([0, 0]), np.array([1.0, 2.0])) is None
    assert isinstance(agree(ag.vmap(multiples), np.array([3, 2]), np.array([1.0, 2.0])), ValueError)


def test_numbers_of_elements_must_agree():
    two, three = np.ones((2, 1)), np.ones((3, 1))
    assert isinstance(agree(ag.vmap(depth), Tree(two, Tree(three))), ValueError)
    assert isinstance(agree(ag.vmap(scaled), Tree(two), three), ValueError)


def test_what_cannot_be_mapped():
    with pytest.raises(ag.CompileError, match="holds a number"):
        ag.vmap(depth)(Tree(1.0, Tree(2.0)))
    with pytest.raises(ag.CompileError, match="at least one array"):
        ag.vmap(depth)(None)
    with pytest.raises(ag.CompileError, match="vmap cannot stack None or f64, which the function returns"):
        ag.vmap(lambda x: x if x > 0.0 else None)(np.ones(2))
