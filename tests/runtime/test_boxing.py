"""Results that are lists of run-time length, unions, and arrays in trees."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import arignote as ag
from arignote.runtime import layout, native


@dataclass
class Node:
    value: Any
    next: Node | None = None


@dataclass(frozen=True, slots=True)
class Record:
    a: float
    b: np.ndarray


@pytest.fixture(autouse=True)
def nothing_leaks():
    gc.collect()
    before = native.live_buffers()
    yield
    gc.collect()
    assert native.live_buffers() == before


def numbers(n):
    out = []
    for i in range(n):
        out.append(i * 0.5)
    return out


def pairs(n):
    out = []
    for i in range(n):
        out.append((i, np.ones(3) * i))
    return out


def records(n):
    out = []
    for i in range(n):
        out.append(Record(float(i), np.arange(i + 1.0)))
    return out


def chain(n):
    node = None
    for i in range(n):
        node = Node(np.full(1000, float(i)), node)
    return node


@pytest.mark.parametrize("function", [numbers, pairs, records, chain])
@pytest.mark.parametrize("n", [0, 1, 7, 1000])
def test_results_of_any_length(function, n):
    compiled, plain = ag.jit(function)(n), function(n)
    if function is chain:
        while plain is not None:
            np.testing.assert_array_equal(compiled.value, plain.value)
            compiled, plain = compiled.next, plain.next
        assert compiled is None
        return
    assert type(compiled) is list and len(compiled) == n
    for left, right in zip(compiled, plain, strict=True):
        np.testing.assert_equal(left, right) if function is not records else np.testing.assert_equal(
            (left.a, left.b), (right.a, right.b)
        )


@pytest.mark.parametrize("x", [2.0, -2.0, 0.0])
def test_one_of_several(x):
    def function(x):
        if x > 0:
            return Record(x, np.ones(2))
        if x < 0:
            return None
        return "zero"

    compiled, plain = ag.jit(function)(x), function(x)
    assert type(compiled) is type(plain)
    assert repr(compiled) == repr(plain)


def test_arrays_of_a_result_are_its_own():
    """Those that share memory in compiled code do not once they are Python's, and arguments are not reached."""
    given = Node(np.arange(1000.0), Node(np.arange(1000.0)))
    compiled = ag.jit(lambda t: (t, Node(t.value * 2, Node(t.next.value, None))))
    first, second = compiled(given)
    arrays = [first.value, first.next.value, second.value, second.next.value, given.value, given.next.value]
    for position, array in enumerate(arrays):
        assert array.flags.writeable
        assert not any(np.shares_memory(array, other) for other in arrays[position + 1 :])


def test_large_arrays_stay_after_the_tree_is_gone():
    result = ag.jit(lambda x: Node(x + 1, Node(x * 2)))(np.ones(100_000))
    kept = result.next.value
    del result
    assert kept.sum() == 200_000
    del kept


def test_errors_release_what_is_made():
    def function(t, n):
        out = []
        for i in range(n):
            out.append(Node(t.value * t.value[i], t))
        return out

    compiled, tree = ag.jit(function), Node(np.ones(3))
    assert len(compiled(tree, 3)) == 3
    with pytest.raises(IndexError):
        compiled(tree, 4)


def test_the_same_node_twice_is_one_object():
    first, second, third = ag.jit(lambda t: (Node(1.0, t), Node(2.0, t), t))(Node(3.0, Node(4.0)))
    assert first.next is second.next is third and third.next.value == 4.0


def test_dicts_are_made_anew_in_the_order_of_their_keys():
    """Each call gives a dict of its own, which may change and be dropped without the next one noticing."""

    def program(tree):
        return {name: value * 2.0 for name, value in tree.items()}

    jitted = ag.jit(program)
    for order in (range(30), reversed(range(30))):
        tree = {f"weight{i}": np.full(3, float(i)) for i in order}
        first = jitted(tree)
        assert list(first) == list(tree) and type(first) is dict
        first["more"] = first.pop("weight0")
        second = jitted(tree)
        assert list(second) == list(tree)
        for name, value in tree.items():
            np.testing.assert_array_equal(second[name], value * 2.0)
    assert jitted({}) == {}


@pytest.mark.parametrize("count", [1, 5, 6, 20, 200, 300])
def test_values_of_dicts_are_written_in_their_places(count):
    """Whatever the table's form: of numbers and arrays, which are written directly, and of lists, which are not."""
    names = [f"name{i}" for i in range(count)]
    flat = ag.jit(lambda tree: {name: value + 1 for name, value in tree.items()})
    deep = ag.jit(lambda tree: {name: [value, value + 1] for name, value in tree.items()})
    tree = {name: np.ones(2) * i if i % 2 else float(i) for i, name in enumerate(names)}
    for _ in range(3):
        result, lists = flat(tree), deep(tree)
        np.testing.assert_equal(result, {name: value + 1 for name, value in tree.items()})
        np.testing.assert_equal(lists, {name: [value, value + 1] for name, value in tree.items()})
        assert gc.is_tracked(lists) and all(result[name] is result.get(name) for name in names)
        result["another"] = result
        del result[names[0]]
        gc.collect()
        assert list(result) == [*names[1:], "another"]
        result.clear()
    gc.collect()
    before = [sys.getrefcount(counted) for counted in (names[0], None)]
    for _ in range(500):
        flat(tree), deep(tree)
    gc.collect()
    for counted, number in zip((names[0], None), before, strict=True):
        assert abs(sys.getrefcount(counted) - number) < 100


def test_where_the_entries_of_dicts_are():
    assert layout.dict_entries(dict.fromkeys("abc")) and layout.dict_entries(dict.fromkeys(map(str, range(3000))))
    gap = dict.fromkeys("abc")
    del gap["b"]
    assert [layout.dict_entries(value) for value in ({}, gap, {1: None, "a": None})] == [0, 0, 0]
