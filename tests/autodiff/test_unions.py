"""Derivatives through unions, in both modes to third order: trees, linked lists, expressions, lists inside unions."""

from __future__ import annotations

import numpy as np
import pytest

from arignote.autodiff.check import pulled
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Apply, Function, Node, functions_below, nodes_of
from arignote.ir.types import FLOAT64, List, Tuple
from tests.autodiff import trees
from tests.autodiff.graphs import F64, VECTOR, Build, array, define, verify
from tests.autodiff.trees import CHAIN, TREE, VECTORS, parts, union


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_a_binary_tree(size: int) -> None:
    value = trees.tree(size, np.random.default_rng(size))
    verify(trees.tree_value(), value, 0.7, order=3, tolerance=1e-5)


@pytest.mark.parametrize("leaves", [1, 4])
def test_a_tree_of_arrays(leaves: int) -> None:
    value = trees.vectors(leaves, np.random.default_rng(leaves))
    verify(trees.vectors_value(), value, array(3), order=2)


def test_a_tree_of_arrays_to_third_order() -> None:
    verify(trees.vectors_value(), trees.vectors(2, np.random.default_rng(5)), array(3), order=3, tolerance=1e-5)


@pytest.mark.parametrize("length", [0, 1, 4])
def test_a_loop_along_a_linked_list(length: int) -> None:
    verify(trees.chain_value(), trees.chain(length, np.random.default_rng(length)), 0.3, order=3, tolerance=1e-5)


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_lists_of_trees_in_trees(seed: int) -> None:
    verify(trees.rose_value(), trees.rose(2, np.random.default_rng(seed)), order=3, tolerance=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_an_expression_interpreter(seed: int) -> None:
    verify(trees.expression_value(), trees.expression(3, np.random.default_rng(seed)), 0.8, order=3, tolerance=1e-4)


def test_shared_subtrees_add_up() -> None:
    """f(shared) = g(node(value, shared, shared)): the cotangents of both places are added."""
    g = trees.tree_value()

    def body(e: Build, shared: Node, w: Node) -> Node:
        node = e.inject(e.tuple([e.sin(w), shared, shared]), type=TREE, alternative=1)
        return e.add(e.call(g, node, w), e.call(g, shared, e.exp(w)))

    verify(define("f", [TREE, F64], body), trees.tree(3, np.random.default_rng(1)), 0.7, order=2)


def test_what_is_not_read_is_null() -> None:
    """Of a tree of which only the root's value is read, the cotangent says nothing below the root."""
    f = define("root", [TREE], lambda e, t: e.sin(parts(e, t, 1)[0]))
    (found,) = evaluate(pulled(f, (True,)), trees.tree(4, np.random.default_rng(0)), 1.0)
    tag, (_, left, right) = found
    assert (tag, left, right) == (2, (0, ()), (0, ()))


def test_unions_in_tuples_lists_loops_and_branches() -> None:
    """A list of trees made in a loop, each with a branch on the index; read back in another loop."""
    pair = Tuple([TREE, FLOAT64])
    value = trees.tree_value()
    nothing = define("nothing", [F64], lambda e, w: e.undefined(type=TREE))
    something = define("something", [F64], lambda e, w: e.inject(
        e.tuple([w, *[e.inject(e.tuple([]), type=TREE, alternative=0)] * 2]), type=TREE, alternative=1))  # fmt: skip

    def fill(e: Build, w: Node, i: Node, values: Node) -> Node:
        scaled = e.multiply(w, e.cast(e.add(i, 1), "float64"))
        made = e.cond(e.equal(e.remainder(i, 2), 0), e.closure(something, [scaled]), e.closure(nothing, [scaled]))
        return e.tuple([e.list_push(values, e.tuple([made, scaled]))])

    def use(e: Build, values: Node, i: Node, s: Node) -> Node:
        tree, factor = e.items(e.list_get(values, i))
        return e.tuple([e.add(e.multiply(s, factor), e.call(value, tree, s))])

    filling = define("filling", [F64, trees.I64, List(pair)], fill)
    using = define("using", [List(pair), trees.I64, F64], use)

    def f(e: Build, w: Node) -> Node:
        values = e.item(e.for_loop(4, e.closure(filling, [w]), e.list_new(4, element=pair)), 0)
        return e.item(e.for_loop(e.list_length(values), e.closure(using, [values]), w), 0)

    verify(define("f", [F64], f), 0.4, order=3, tolerance=1e-4)


def test_a_carried_tree_that_grows() -> None:
    """A loop builds a linked list, another sums it."""

    def push(e: Build, w: Node, i: Node, s: Node, rest: Node) -> Node:
        grown = e.inject(e.tuple([e.multiply(s, w), rest]), type=CHAIN, alternative=1)
        return e.tuple([e.sin(e.add(s, w)), grown])

    pushing = define("push", [F64, trees.I64, F64, CHAIN], push)
    total = trees.chain_value()

    def f(e: Build, w: Node) -> Node:
        empty = e.inject(e.tuple([]), type=CHAIN, alternative=0)
        s, grown = e.items(e.for_loop(3, e.closure(pushing, [w]), e.sin(w), empty))
        return e.call(total, grown, s)

    verify(define("f", [F64], f), 0.6, order=3, tolerance=1e-4)


def test_arrays_of_unknown_alternatives_get_zeros() -> None:
    """The side not taken makes no array; the leaves' cotangents have the leaves' shapes."""
    f = trees.vectors_value()
    value = (1, ((0, (array(3),)), (0, (array(3, seed=1),))))
    tree, of_w = evaluate(pulled(f, (True, True)), value, array(3), np.ones(3))
    assert tree[0] == 2 and [leaf[0] for leaf in tree[1]] == [1, 1]
    assert all(leaf[1][0].shape == (3,) for leaf in tree[1]) and of_w.shape == (3,)


def test_differentiation_is_linear_in_a_tree() -> None:
    """How many operations the interpreter executes, per node of the tree, does not grow with the tree."""
    f = trees.tree_value()
    made = pulled(f, (True, True))
    costs = [_steps(made, trees.tree(n, np.random.default_rng(0)), 0.3, 1.0) / n for n in (10, 100)]
    assert costs[1] < 1.2 * costs[0]


def _steps(function: Function, *args: object) -> int:
    from arignote.ir import evaluate as interpreter

    count = 0
    original = interpreter._Machine.apply

    def counting(self: object, *operands: object) -> object:
        nonlocal count
        count += 1
        return original(self, *operands)  # type: ignore[arg-type]

    interpreter._Machine.apply = counting  # type: ignore[assignment, method-assign]
    try:
        evaluate(function, *args)
    finally:
        interpreter._Machine.apply = original  # type: ignore[method-assign]
    return count


def names(function: Function) -> list[str]:
    return [f.name for f in functions_below(function)]


def test_each_function_is_augmented_once() -> None:
    made = pulled(trees.tree_value(), (True, True))
    assert names(made).count("tree_value_forward") == 1 and names(made).count("tree_value_backward") == 1


def test_no_closure_contains_itself() -> None:
    from arignote.ir.types import Closure

    made = pulled(trees.rose_value(), (True,))
    for function in functions_below(made):
        for node in nodes_of(function):
            if isinstance(node, Apply) and isinstance(node.type, Closure):
                assert node.type not in node.type.capture_types


def test_a_branch_that_reads_nothing_adds_nothing() -> None:
    """The sum of two cotangents of a tree walks only through what both have."""
    u = union("Pair", Tuple([FLOAT64, FLOAT64]))
    f = define("f", [u], lambda e, t: e.multiply(*parts(e, t, 0)))
    verify(f, (0, (np.float64(0.3), np.float64(0.5))), order=3)
    g = define("g", [VECTORS], lambda e, t: e.total(parts(e, t, 0)[0]))
    assert VECTOR in (VECTORS.alternatives[0].items)  # type: ignore[attr-defined]
    verify(g, (0, (array(4),)), order=2)
