"""The structures of recursive data: families from annotations and data, joins, canonical order."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Optional, TypeVar, Union

import numpy as np
import pytest

from arignote.ir.annotations import Families
from arignote.ir.describe import structure_of
from arignote.ir.structure import (
    ANY,
    MANY,
    ArrayOf,
    DataclassOf,
    ListOf,
    NumpyScalarOf,
    PythonScalarOf,
    RecursiveOf,
    SelfOf,
    SequenceOf,
    StaticOf,
    TupleOf,
    UnionOf,
    leaf_structures,
)
from arignote.ir.structure_join import accepts, join
from arignote.ir.structure_values import map_leaves, rebuild

T = TypeVar("T")
NONE, INT, FLOAT = StaticOf(None), PythonScalarOf("int64"), PythonScalarOf("float64")


@dataclass
class Tree:
    value: Any
    left: Tree | None = None
    right: Annotated[Optional[Tree], "a comment"] = None  # noqa: UP045


@dataclass
class Pair(Generic[T]):
    first: T
    rest: Union[Pair[T], None] = None  # noqa: UP007


@dataclass
class Ping:
    pong: Pong | None = None
    number: int = 0


@dataclass
class Pong:
    pings: list[Ping]


@dataclass
class Wide:
    children: tuple[Wide, ...] = ()
    two: tuple[float, Wide | None] = (0.0, None)


class Shape:
    pass


@dataclass
class Circle(Shape):
    radius: float


@dataclass
class Group(Shape):
    members: list[Shape]


@dataclass
class Flat:
    a: float
    b: Circle


@dataclass
class Loose:
    anything: object = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Tree(1.0), "<Tree: None | Tree(value=float, left=<Tree>, right=<Tree>)>"),
        (Tree(1), "<Tree: None | Tree(value=int, left=<Tree>, right=<Tree>)>"),
        (Tree(1, Tree(2.0)), "<Tree: None | Tree(value=float, left=<Tree>, right=<Tree>)>"),
        (Tree(True, Tree(1)), "<Tree: None | Tree(value=int, left=<Tree>, right=<Tree>)>"),
        (Tree(np.ones(3)), "<Tree: None | Tree(value=f64[n], left=<Tree>, right=<Tree>)>"),
        (Tree(np.ones(1)), "<Tree: None | Tree(value=f64[?], left=<Tree>, right=<Tree>)>"),
        (Tree(np.ones(3), Tree(np.ones(1))), "<Tree: None | Tree(value=f64[?], left=<Tree>, right=<Tree>)>"),
        (Tree(np.ones(3), Tree(1.0)), "<Tree: None | Tree(value=(f64[n] | float), left=<Tree>, right=<Tree>)>"),
        (Tree("a", Tree(None, Tree("b"))), "<Tree: None | Tree(value=(None | 'a' | 'b'), left=<Tree>, right=<Tree>)>"),
        (Tree([1, 2.0]), "<Tree: None | Tree(value=list[float], left=<Tree>, right=<Tree>)>"),
        (Pair(1.0), "<Pair: None | Pair(first=float, rest=<Pair>)>"),
        (Ping(), "<Ping: None | Ping(pong=<Ping>, number=int) | Pong(pings=list[<Ping>])>"),
        (Wide(), "<Wide: None | Wide(children=tuple[<Wide>], two=(float, <Wide>))>"),
        (Group([]), "<Group: Group(members=list[<Group>])>"),
        (Group([Circle(1.0)]), "<Circle: Circle(radius=float) | Group(members=list[<Circle>])>"),
        (Flat(1.0, Circle(2.0)), "Flat(a=float, b=Circle(radius=float))"),
        (Loose(1.0), "Loose(anything=float)"),
        (Loose(Loose(1.0)), "<Loose: Loose(anything=(float | <Loose>))>"),
        (Loose([Loose()]), "<Loose: Loose(anything=(None | list[<Loose>]))>"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_structures(value, text):
    assert repr(structure_of(value)) == text


def test_pong_is_in_the_family_of_ping_but_not_without_need():
    families = Families()
    assert families.family(Ping) == families.family(Pong) == {Ping, Pong}
    assert families.family(Circle) == frozenset() and families.family(Group) == {Group}


def test_classes_of_a_function():
    @dataclass
    class Leaf:
        x: float

    @dataclass
    class Node:
        left: Leaf | Node
        right: Leaf | Node

    whole = structure_of(Node(Leaf(1.0), Node(Leaf(2.0), Leaf(3.0))))
    assert [part.cls for part in whole.alternatives] == [Leaf, Node]


def test_more_than_a_few_strings_are_refused():
    node = None
    for number in range(100):
        node = Tree(f"text {number}", node)
    with pytest.raises(TypeError, match=r"'t'.*more than 64 different values"):
        structure_of(node, "argument 't'")


def test_dicts_of_different_keys_are_refused():
    with pytest.raises(TypeError, match=r"'t'.left.value: a dict with the keys"):
        structure_of(Tree({"a": 1}, Tree({"b": 1})), "argument 't'")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (INT, FLOAT, FLOAT),
        (FLOAT, NumpyScalarOf("float64"), UnionOf((NumpyScalarOf("float64"), FLOAT))),
        (ArrayOf("float64", (MANY,)), ArrayOf("float64", (ANY,)), ArrayOf("float64", (ANY,))),
        (NONE, SelfOf(), UnionOf((NONE, SelfOf()))),
        (ListOf(()), SequenceOf(INT), SequenceOf(INT)),
        (SequenceOf(INT), SequenceOf(FLOAT), SequenceOf(FLOAT)),
        (SequenceOf(INT, tuple), TupleOf((FLOAT, INT)), SequenceOf(FLOAT, tuple)),
        (TupleOf((INT, NONE)), TupleOf((FLOAT, INT)), TupleOf((FLOAT, UnionOf((NONE, INT))))),
        (TupleOf((INT,)), TupleOf(()), UnionOf((TupleOf(()), TupleOf((INT,))))),
        (UnionOf((NONE, INT)), FLOAT, UnionOf((NONE, FLOAT))),
    ],
)
def test_joins(a, b, expected):
    assert join(a, b) is join(b, a) is expected


def test_what_serves_what():
    whole = structure_of(Group([Circle(1.0), Group([])]))
    assert accepts(whole, structure_of(Group([]))) and not accepts(structure_of(Group([])), whole)
    assert accepts(structure_of(Tree(np.ones(1))), structure_of(Tree(np.ones(2))))
    assert not accepts(structure_of(Tree(np.ones(2))), structure_of(Tree(np.ones(1))))
    assert not accepts(structure_of(Tree(1.0)), structure_of(Tree(1)))
    assert accepts(structure_of(Tree(None, Tree(1.0))), structure_of(Tree(1.0)))


def test_structures_are_interned_pickled_and_copied():
    structure = structure_of(Tree([np.ones(2)], Tree(None)))
    assert pickle.loads(pickle.dumps(structure)) is structure and copy.deepcopy(structure) is structure
    assert leaf_structures(structure) == [structure]
    assert isinstance(structure, RecursiveOf) and isinstance(structure.alternatives[1], DataclassOf)


def test_leaves_of_a_union():
    union = UnionOf((NONE, TupleOf((FLOAT, INT)), FLOAT))
    assert leaf_structures(union) == [INT, FLOAT, INT, FLOAT]
    assert rebuild(union, [0, None, None, None]) is None
    assert rebuild(union, [1, 2.0, 3, None]) == (2.0, 3)
    assert rebuild(union, [2, None, None, 4.0]) == 4.0


def test_leaves_are_mapped_at_any_depth():
    node = None
    for number in range(10_000):
        node = Tree(float(number), node)
    doubled, seen = map_leaves(lambda leaf: 2 * leaf, node), []
    while doubled is not None:
        seen.append(doubled.value)
        doubled = doubled.left
    assert seen == [2.0 * number for number in range(10_000)][::-1]
