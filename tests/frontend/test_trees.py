"""Recursive data and unions in the front end: folding, narrowing, what is refused, and what one compilation serves."""

from dataclasses import dataclass
from typing import Optional

import numpy as np
import pytest

import arignote as ag
from arignote.frontend.families import family_of
from arignote.frontend.recursive import NONE, SELF, fold, node_spec
from arignote.ir.errors import AliasingError, CompileError, TypeInferenceError, UndefinedNameError
from arignote.ir.structure import StaticOf
from arignote.ir.types import Array
from tests.corpus.trees import ArrayTree, Link, Number, Product, Split, Sum, Tree, Variable, linked

FLOAT = ("scalar", "float64", True)


@dataclass
class Plain:
    """Not recursive."""

    x: float


def link(value, rest=NONE):
    return "record", (Link, ("value", "rest")), (value, rest)


def test_families() -> None:
    assert family_of(Plain) is None
    assert family_of(Link).members == {Link}
    assert family_of(Link).optional
    assert family_of(Split).members == {Split} and not family_of(Split).optional
    assert family_of(Sum) == family_of(Product)
    assert family_of(Number) is None and family_of(Sum).accepts(Number)


def test_folding_is_finite_and_settles() -> None:
    spec = node_spec(link(FLOAT))
    for _ in range(3):
        spec = node_spec(link(StaticOf(1.0), spec))
    tag, definition = spec[2][1]
    assert tag == "recursive"
    assert definition.alternatives == (NONE, link(FLOAT, SELF))
    assert fold(family_of(Link), NONE, spec, definition.spec) == definition.spec


def test_sizes_of_arrays_in_trees_are_not_known() -> None:
    spec = ("record", (ArrayTree, ("values", "left", "right")), (("array", Array("float64", (3, 1))), NONE, NONE))
    definition = fold(family_of(ArrayTree), spec)[1]
    assert definition.alternatives[1][2][0] == ("array", Array("float64", (-1, -2)))


def test_one_compilation_serves_every_shape() -> None:
    @ag.jit
    def total(tree):
        return 0.0 if tree is None else tree.value + total(tree.left) + total(tree.right)

    for tree in (Tree(1.0), Tree(1.0, Tree(2.0)), Tree(1.0, None, Tree(2.0, Tree(3.0)))):
        total(tree)
    assert total.cache_info().misses == 1


def test_gradient_of_a_tree_with_other_leaves() -> None:
    @dataclass
    class Labelled:
        weights: np.ndarray
        count: int
        label: str
        rest: Optional["Labelled"] = None

    def total(node):
        result = 0.0
        while node is not None:
            result += node.count * np.sum(node.weights**2)
            node = node.rest
        return result

    gradient = ag.grad(total)(Labelled(np.ones(2), 3, "a", Labelled(np.ones(1), 2, "b")))
    assert (gradient.count, gradient.label, gradient.rest.label, gradient.rest.rest) == (None, "a", "b", None)
    assert gradient.weights.tolist() == [6.0, 6.0] and gradient.rest.weights.tolist() == [4.0]


def test_tangent_of_another_shape() -> None:
    def total(node):
        return 0.0 if node is None else node.value**2 + total(node.rest)

    assert ag.jvp(total, (linked(1.0, 2.0),), (linked(1.0, 1.0),)) == (5.0, 6.0)
    with pytest.raises(ValueError, match="a node is of another class"):
        ag.jvp(total, (linked(1.0, 2.0),), (linked(1.0),))


@dataclass
class Gated:
    """A node some of whose arrays may be missing."""

    value: float
    weights: Optional[np.ndarray] = None
    rest: Optional["Gated"] = None


def test_tangents_of_optional_fields() -> None:
    def total(node):
        if node is None:
            return 0.0
        own = node.value if node.weights is None else node.value * np.sum(node.weights**2)
        return own + total(node.rest)

    ones = np.ones(2)
    node = Gated(2.0, None, Gated(3.0, ones))
    assert ag.jvp(total, (node,), (Gated(1.0, None, Gated(0.0, ones)),)) == (8.0, 13.0)
    assert ag.jvp(total, (node,), (ag.grad(total)(node),)) == (8.0, 1.0 + 2.0**2 + 2 * 6.0**2)
    with pytest.raises(ValueError, match="must have the structure of the value"):
        ag.jvp(total, (node,), (Gated(1.0, ones, Gated(0.0, None)),))


def check(function, arguments, kind, *words) -> None:
    with pytest.raises(CompileError) as caught:
        ag.jit(function)(*arguments)
    assert isinstance(caught.value, kind), repr(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_write_into_a_tree_that_another_name_holds() -> None:
    def f(n):
        head = None
        for i in range(n):
            head = Link(float(i), head)
        node = head
        while node is not None:
            node.value = 2.0 * node.value
            node = node.rest
        return head.value

    check(f, (3,), AliasingError, "may share memory", "head.value")


def test_write_into_an_array_by_names_that_change() -> None:
    def f(n):
        x = np.zeros(3)
        y = x
        for _ in range(n):
            y[0] += 1.0
            y = y * 2.0
        return x[0]

    check(f, (3,), AliasingError, "may share memory", "x[0]")


def test_write_into_a_tree_that_is_an_argument() -> None:
    def f(tree):
        tree.value = 1.0
        return tree

    check(f, (Tree(1.0),), AliasingError, "the argument 'tree'")


def test_no_alternative_has_the_attribute() -> None:
    def f(c, x):
        found = Plain(x) if c > 0 else Tree(x)
        return found.missing

    check(f, (1.0, 2.0), UndefinedNameError, "missing")


def test_none_that_is_added_to() -> None:
    """As in Python: an error where the loop runs, None where it does not."""

    @ag.jit
    def f(values):
        found = None
        for value in values:
            found += value
        return found

    with pytest.raises(TypeError, match="NoneType"):
        f(np.ones(3))
    assert f(np.ones(0)) is None


def test_none_in_the_first_iteration_only() -> None:
    @ag.jit
    def f(values):
        before, total = None, 0.0
        for i in range(len(values)):
            if i > 0:
                total += values[i] - before
            before = values[i]
        return total

    assert f(np.array([1.0, 4.0, 2.0])) == 1.0


def test_identity_of_run_time_data() -> None:
    def f(tree):
        return tree.left is tree.right

    check(f, (Tree(1.0),), TypeInferenceError, "`is`")


def test_conversions_between_definitions() -> None:
    @ag.jit
    def widened(n):
        node = Link(1, None)
        for i in range(n):
            node = Link(0.5 * i, node)
        return node

    assert widened(2) == Link(0.5, Link(0.0, Link(1.0, None)))


def test_expressions_made_of_other_classes_than_given() -> None:
    @ag.jit
    def squared(expression):
        return Product(expression, expression)

    assert squared(Variable()) == Product(Variable(), Variable())
    assert squared(Number(2.0)) == Product(Number(2.0), Number(2.0))
