"""What random programs found, each as the smallest program that showed it."""

from typing import Any

import numpy as np
import pytest

import arignote as ag
from tests.properties.comparison import assert_no_differences, differences
from tests.properties.general_prelude import Cell, Leaf, Pair, State, Tree, Vector, Wrap

Array = np.ndarray[Any, Any]


def read(tree: Tree | None, weight: float) -> float:
    """The last case is of a class whose structure is known only from an instance."""
    if isinstance(tree, Leaf):
        return np.tanh(tree.value * weight)
    if isinstance(tree, Pair):
        return read(tree.left, weight) * read(tree.right, weight)
    if isinstance(tree, Wrap):
        return np.tanh(weight) if tree.inner is None else read(tree.inner, weight)
    return np.sum(tree.values) * weight


def test_a_case_that_no_instance_has_is_not_refused() -> None:
    """Trees without a Vector: what reads a Vector is never reached."""
    leaf = Leaf(np.float64(0.5))
    compiled = ag.jit(read)
    for tree in (
        Wrap(leaf, 1),
        Pair(leaf, Wrap(None, 0), np.float64(1.0)),
        Vector(np.ones(3)),
        Wrap(Vector(np.ones(2)), 1),
    ):
        assert np.isclose(compiled(tree, 0.3), read(tree, 0.3))
        assert np.isclose(ag.grad(read, argnums=1)(tree, 0.3), (read(tree, 0.3001) - read(tree, 0.2999)) / 2e-4)


def test_what_tests_leave_raises_as_in_python() -> None:
    """A use that fails for all that a test left raises where it is reached, and is refused only without a test."""

    @ag.jit
    def program(x: float, n: int) -> float:
        best = None
        for i in range(n):
            best = x + i
        if best is None and n < 0:
            return best + 1.0
        return x

    assert program(1.0, 0) == 1.0
    with pytest.raises(TypeError):
        program(1.0, -1)
    with pytest.raises(ag.CompileError):
        ag.jit(lambda x: None + x)(1.0)


def lists_of_arrays_of_other_sizes(u: Array, v: Array) -> float:
    """The first are as long as v, the others of any length."""
    rows = [v * 0.9 for _ in u] + [v[v > 0.0]]
    rows.append(np.array([np.sin(x) for x in u]))
    rows[0] = v[v > 0.5]
    rows[1][0] = u[0]
    total = np.sum(u) * 0.1
    for row in rows:
        total = total + np.sum(row * row * row)
    return total


def test_arrays_of_other_sizes_join_a_list() -> None:
    """A list whose elements' sizes were known takes one whose size is not."""
    u, v = np.array([0.3, -0.4, 0.7]), np.array([0.9, 0.2])
    assert np.isclose(ag.jit(lists_of_arrays_of_other_sizes)(u, v), lists_of_arrays_of_other_sizes(u, v))
    ag.check_grads(lists_of_arrays_of_other_sizes, (u, v), order=2)


def appended(u: Array, v: Array) -> list[Array]:
    rows = [v for _ in u]
    rows.append(u[u > 0.0])
    return rows


def test_lists_of_arrays_of_other_sizes_are_results() -> None:
    u, v = np.array([0.3, -0.4, 0.7]), np.array([0.9, 0.2])
    assert_no_differences(differences(appended(u, v), ag.jit(appended)(u, v), 0))


def goes_through_what_grows(u: Array, v: Array) -> float:
    """The loop reads what its body has increased."""
    u, total = u.copy(), np.sum(v) * 0.0
    for x in u:
        u += v
        total = total + x * x
    return total


def increased_in_a_case(u: Array, v: Array, tree: Tree) -> float:
    u, total = u.copy(), np.sum(v) * 0.0
    for x, _ in zip(u, u):
        match tree:
            case Leaf(value):
                u += v * value
            case _:
                pass
        u[-1] *= 2.0
        total = total + x * x
    return total


def two_names(u: Array, v: Array) -> float:
    u, total = u.copy(), np.sum(v) * 0.0
    w = u
    for i in range(3):
        u += v
        total = total + w[i] * w[i]
    return total


def test_increased_arrays_are_the_same_arrays() -> None:
    """`u += v` binds no new array to the name: whoever holds the old one sees it."""
    u, v = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.6, 0.8])
    for program in (goes_through_what_grows, two_names):
        assert np.isclose(ag.jit(program)(u, v), program(u, v))
        ag.check_grads(program, (u, v), order=1)
    for tree in (Leaf(np.float64(0.7)), Wrap(None, 1)):
        assert np.isclose(ag.jit(increased_in_a_case)(u, v, tree), increased_in_a_case(u, v, tree))


def test_another_name_of_what_a_loop_writes() -> None:
    """A loop that gives a name another array, and writes into it: the array that is gone through may be that one."""

    def program(u: Array, v: Array) -> float:
        u, total = u.copy(), np.sum(v) * 0.0
        for x in u:
            u = (u, v)[0]
            u += v
            total = total + x
        return total

    u, v = np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.6, 0.8])
    try:
        found = ag.jit(program)(u, v)
    except ag.AliasingError:
        return
    assert np.isclose(found, program(u, v))


def parts_of_a_record(v: Array, n: int) -> list[float]:
    """One part is written in place, another is replaced, and the loop is left early."""
    cell = Cell([np.tanh(v[0])], State(v + 0.0, np.tanh(v[1])))
    for i in range(n):
        cell.inner.place[0] = 1.0 + i
        if cell.inner.place[0] > 3.0:
            break
        cell.parts = [part + cell.inner.place[0] for part in cell.parts] + [np.tanh(v[0])]
    return cell.parts


def parts_that_change_places(v: Array, n: int) -> Array:
    """The parts of a record go round, while one of them is written."""
    cell = Cell([v + 0.0, v * 2.0, v * 3.0], State(v + 0.0, np.tanh(v[1])))
    for i in range(n):
        cell.parts[0], cell.parts[1], cell.parts[2] = cell.parts[1], cell.parts[2], cell.parts[0]
        cell.parts[0][0] += i
        if cell.parts[1][0] > 50.0:
            break
    return cell.parts[0] + 10.0 * cell.parts[1] + 100.0 * cell.parts[2]


def test_parts_of_records_in_loops() -> None:
    """Which memory a part may share is told part by part."""
    v = np.array([0.3, -0.4, 0.7])
    for n in (0, 1, 3, 6):
        assert_no_differences(differences(parts_of_a_record(v, n), ag.jit(parts_of_a_record)(v, n), 8))
        expected = parts_that_change_places(v.copy(), n)
        try:
            assert np.allclose(ag.jit(parts_that_change_places)(v, n), expected)
        except ag.AliasingError:
            pass


def test_why_an_item_cannot_be_read() -> None:
    """The message says what happened to the item, wherever it is used."""

    @ag.jit
    def program(u: Array, v: Array, n: int) -> Array:
        u = u.copy()
        rows = [u, v.copy()]
        for _ in range(n):
            u[0] += 1.0
            rows[1][0] = u[0]
            rows = [rows[1], rows[0]]
        return rows[0]

    with pytest.raises(ag.AliasingError, match="may share memory"):
        program(np.ones(3), np.ones(3), 2)


def in_a_tree_and_then_replaced(n, tree):  # type: ignore[no-untyped-def]
    """One of two classes, the one with an array, becomes part of a tree of more classes."""
    k = 0
    while k < n and (-1.5 > -1.5):
        Pair(Pair(tree, Leaf(np.tanh(-1.5)), np.tanh(-1.5)), Leaf(np.tanh(-1.5)), np.tanh(-1.5))
        tree = Leaf(np.tanh(-1.5))


IN_LOOPS = (Vector(np.array([1.0])), Wrap(None, 2), Pair(Wrap(Leaf(np.float64(0.5)), 0), Wrap(None, 2), 0.1))


@pytest.mark.parametrize("tree", IN_LOOPS)
def test_a_tree_in_a_tree_and_then_replaced(tree: Tree) -> None:
    assert ag.jit(in_a_tree_and_then_replaced)(3, tree) is None
