"""Trees, linked lists and expression trees in and out of compiled functions: sharing, depth, odd values, no leaks."""

from __future__ import annotations

import collections
import dataclasses
import gc
import random
import sys
from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
import pytest

from arignote.ir.describe import structure_of
from arignote.ir.structure import RecursiveOf
from arignote.runtime import native
from arignote.runtime.encode_nodes import NodeTables
from tests.runtime.programs import Echo, echo, same


@dataclass
class Tree:
    value: Any
    left: Tree | None = None
    right: Optional[Tree] = None  # noqa: UP045


@dataclass(slots=True, frozen=True)
class Chain:
    number: int
    next: Chain | None


@dataclass
class Rose:
    name: str
    weights: list[float]
    children: list[Rose] = field(default_factory=list)


class Expr:
    pass


@dataclass
class Num(Expr):
    value: float


@dataclass
class Add(Expr):
    left: Expr
    right: Expr


@dataclass
class Neg(Expr):
    inner: Expr


@dataclass
class Odd:
    stored: object
    next: object = None

    @property
    def inner(self):
        return self.stored


@pytest.fixture(autouse=True)
def nothing_leaks():
    before = native.live_buffers()
    yield
    gc.collect()
    assert native.live_buffers() == before


def chain(length, make=Chain):
    node = None
    for number in range(length):
        node = make(number, node)
    return node


def walk(node):
    while node is not None:
        yield node.number
        node = node.next


TREES = [
    Tree(1.5),
    Tree(1.5, Tree(2.5), Tree(3.5, None, Tree(4.5))),
    Tree(np.arange(3.0), Tree(np.ones(1)), Tree(np.ones(7))),
    Tree(np.ones((2, 3), np.float32), None, Tree(np.ones((1, 3), np.float32))),
    Tree(np.array(2.0), Tree(np.array(3.0))),
    Tree(np.float32(2), Tree(np.float32(3))),
    Tree(np.bool_(True), Tree(np.bool_(False), Tree(np.int32(5)))),
    Tree(True, Tree(False)),
    Tree((1, {"a": np.ones(2), "b": [1.0, 2.0]}), Tree((2, {"a": np.ones(3), "b": []}))),
    Tree(None, Tree(1.0), Tree("text", Tree("other"))),
    Tree([np.ones(2), np.zeros(3)], Tree([])),
    Tree([[1, 2], [], [3]], Tree([])),
    Tree([(1.0, Tree(2.0)), (3.0, Tree(4.0))], Tree([])),
    Tree(collections.OrderedDict(a=1, b=2.0)),
    Tree(collections.namedtuple("Pair", "x y")(1, 2.0)),
    Rose("a", [1.0, 2.0], [Rose("b", []), Rose("a", [3.0], [Rose("b", [])])]),
    Rose("a", []),
    Add(Num(1.0), Neg(Add(Num(2.0), Num(3.0)))),
    Tree(None, Tree(np.arange(3.0), Tree(2.5), Tree("text")), Tree(np.ones((2, 2)))),
    Chain(1, Chain(2, None)),
    Odd(1.0, Odd(2.0, Odd("x", Tree(1.0)))),
    Odd(Tree(1.0, Tree(2.0)), Odd(Chain(1, None))),
    Odd([Odd(1), Odd(2, [Odd(3)])]),
    (Tree(1.0), [Tree(2.0, Tree(3.0))], {"k": Chain(1, None)}),
]


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: str(tree)[:60])
def test_round_trip(tree):
    compiled = echo(lambda x: None)
    for _ in range(3):
        (result,) = compiled(tree)
        assert same(result, tree)


def test_numbers_join_to_the_wider_kind():
    """As where branches join: equal, though not of the same class."""
    made = Echo(lambda t: None)
    mixed, floats, integers = Tree(1, Tree(2.5), Tree(True)), Tree(1.0, Tree(2.0)), Tree(1, Tree(2), Tree(3))
    for _ in range(2):
        assert made.callable(mixed) == (mixed,)
        assert same(made.callable(floats), (floats,))
        assert same(made.callable(integers), (integers,))
    assert len(made.signatures) == 2


def test_an_int_that_no_float_holds_is_refused():
    with pytest.raises(OverflowError, match=r"'t'.left.value"):
        echo(lambda t: None)(Tree(1.0, Tree(2**53 + 1)))


def test_one_specialisation_for_every_shape():
    made = Echo(lambda t: None)
    generator = random.Random(1)

    def grow(depth):
        if depth == 0 or generator.random() < 0.2:
            return None
        return Tree(np.ones(generator.randrange(2, 9)), grow(depth - 1), grow(depth - 1))

    for _ in range(20):
        tree = Tree(np.ones(2), grow(5), grow(5))
        assert same(made.callable(tree), (tree,))
    assert len(made.signatures) == 1


def test_fewer_alternatives_are_served():
    made = Echo(lambda t, other=None: None)
    whole = Add(Num(1.0), Neg(Add(Num(2.0), Num(3.0))))
    made.callable(whole)
    for part in (Add(Num(1.0), Num(2.0)), Neg(Num(2.0)), Neg(Neg(Num(1.0)))):
        assert same(made.callable(part), (part, None))
        assert same(made.callable(t=part), (part, None))
    assert len(made.signatures) == 1
    made.callable(Neg(Num(1)))
    assert len(made.signatures) == 2


def test_sharing_is_kept():
    leaf = Tree(1.0)
    shared = Tree(2.0, leaf, leaf)
    compiled = echo(lambda t, u: None)
    for _ in range(2):
        first, second = compiled(Tree(3.0, shared, shared), shared)
        assert first.left is first.right and first.left.left is first.left.right
        assert second is first.left


def test_a_ladder_of_shared_nodes_costs_no_more_than_its_nodes():
    node = Tree(0.0)
    for number in range(200):
        node = Tree(float(number), node, node)
    (result,) = echo(lambda t: None)(node)
    depth = 0
    while result.left is not None:
        assert result.left is result.right
        result, depth = result.left, depth + 1
    assert depth == 200


@pytest.mark.parametrize("length", [1, 1000, 100_000])
def test_deep_lists(length):
    given = chain(length)
    compiled = echo(lambda c: None)
    for _ in range(2):
        (result,) = compiled(given)
        assert list(walk(result)) == list(range(length))[::-1]


def test_cycles_are_refused():
    compiled = echo(lambda t: None)
    tree = Tree(1.0, Tree(2.0))
    compiled(tree)
    for place, path in ((tree, "'t'.right"), (tree.left, "'t'.left.right")):
        place.right = tree
        for _ in range(2):
            with pytest.raises(TypeError, match=f"{path}: cyclic"):
                compiled(tree)
        place.right = None
        assert same(compiled(tree), (tree,))


def test_a_cycle_through_a_list():
    rose = Rose("a", [], [Rose("b", [])])
    compiled = echo(lambda t: None)
    compiled(rose)
    rose.children[0].children.append(rose)
    with pytest.raises(TypeError, match=r"'t'.children\[0\].children\[0\]: cyclic"):
        compiled(rose)


class Sub(Tree):
    pass


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), "'t'.left.right.value"),
        (np.ones(2, complex), "'t'.left.right.value"),
        ({1: 2}, "'t'.left.right.value"),
        (2**70, "'t'.left.right.value"),
        ([1.0, object()], r"'t'.left.right.value\[1\]"),
        (np.ma.ones(3), "'t'.left.right.value"),
    ],
)
def test_what_does_not_fit_is_named(value, path):
    compiled = echo(lambda t: None)
    tree = Tree(1.0, Tree(2.0, None, Tree(3.0)))
    compiled(tree)
    tree.left.right.value = value
    with pytest.raises((TypeError, OverflowError), match=path):
        compiled(tree)
    tree.left.right.value = 3.0
    assert same(compiled(tree), (tree,))


def test_a_field_that_is_gone():
    compiled = echo(lambda t: None)
    tree = Tree(1.0, Tree(2.0))
    compiled(tree)
    del tree.left.value
    with pytest.raises(TypeError, match=r"'t'.left: .*Tree has no value for its field 'value'"):
        compiled(tree)
    tree.left.value = 5.0
    assert same(compiled(tree), (tree,))


def test_a_field_of_the_class_stands_in():
    """A deleted field with a default is read from the class, as Python does."""
    compiled = echo(lambda t: None)
    tree = Tree(1.0, Tree(2.0, Tree(3.0)))
    compiled(tree)
    del tree.left.left
    assert compiled(tree) == (Tree(1.0, Tree(2.0)),)


def test_instances_with_a_dict_and_with_other_attributes():
    compiled = echo(lambda t: None)
    tree = Tree(1.0, Tree(2.0))
    compiled(tree)
    tree.extra = "ignored"
    assert vars(tree.left)["value"] == 2.0
    for number in range(40):
        setattr(tree.left, f"name{number}", number)
    assert compiled(tree) == (Tree(1.0, Tree(2.0)),)


def test_a_subclass_inside_is_another_alternative():
    made = Echo(lambda t: None)
    plain, derived = Tree(1.0, Tree(2.0)), Tree(1.0, Sub(2.0, Sub(3.0)))
    for _ in range(2):
        assert same(made.callable(plain), (plain,))
        assert same(made.callable(derived), (derived,))


def test_a_modified_class():
    @dataclass
    class Node:
        value: float
        next: Node | None = None

    compiled = echo(lambda t: None)
    node = Node(1.0, Node(2.0))
    compiled(node)
    Node.value = property(lambda self: 7.0, lambda self, value: None)
    (result,) = compiled(node)
    assert result.value == 7.0 and result.next.value == 7.0


def test_properties_in_place_of_fields():
    @dataclass
    class Node:
        value: float
        next: Node | None = None

        def __getattribute__(self, name):
            found = object.__getattribute__(self, name)
            return found * 2 if name == "value" else found

    compiled = echo(lambda t: None)
    node = Node(1.0, Node(2.0))
    for _ in range(3):
        (result,) = compiled(node)
        assert vars(result)["value"] == 2.0 and vars(vars(result)["next"])["value"] == 4.0


def test_an_attribute_that_raises():
    @dataclass
    class Node:
        value: float
        next: Node | None = None

        def __getattribute__(self, name):
            if name == "value" and broken:
                raise ZeroDivisionError("from the attribute")
            return object.__getattribute__(self, name)

    broken = False
    compiled = echo(lambda t: None)
    node = Node(1.0, Node(2.0))
    compiled(node)
    broken = True
    with pytest.raises(ZeroDivisionError, match="from the attribute"):
        compiled(node)


def test_references_are_given_back():
    array, tree = np.ones(5), Tree(np.ones(3), Tree(np.ones(2)))
    tree.right = Tree(array)
    compiled = echo(lambda t: None)
    compiled(tree)
    counts = [sys.getrefcount(thing) for thing in (array, tree, tree.left, tree.right, None)]
    for _ in range(50):
        compiled(tree)
    after = [sys.getrefcount(thing) for thing in (array, tree, tree.left, tree.right, None)]
    assert after[:4] == counts[:4] and abs(after[4] - counts[4]) < 20


def test_a_field_of_several_kinds_is_made_by_native_code():
    tree = Tree(None, Tree(np.ones(3), Tree(2.5), Tree("text")))
    structure = structure_of(tree)
    assert isinstance(structure, RecursiveOf) and NodeTables([]).table(structure) is not None
    compiled = echo(lambda t: None)
    compiled(tree)
    counts = [sys.getrefcount(thing) for thing in (tree.left.value, "text", None)]
    for _ in range(200):
        assert same(compiled(tree)[0], tree)
    after = [sys.getrefcount(thing) for thing in (tree.left.value, "text", None)]
    assert all(abs(b - a) < 20 for a, b in zip(counts, after, strict=True))


def test_arrays_that_must_be_copied():
    grid = np.arange(12.0).reshape(3, 4)
    tree = Tree(grid.T, Tree(grid[:, ::2]), Tree(grid.astype(">f8")))
    result = echo(lambda t: None)(tree)[0]
    for given, got in ((tree, result), (tree.left, result.left), (tree.right, result.right)):
        np.testing.assert_array_equal(given.value, got.value)
        assert got.value.flags.c_contiguous and got.value.dtype.isnative
        assert not np.shares_memory(given.value, got.value)


def test_long_lists():
    rose = Rose("a", [float(number) for number in range(1_000_000)])
    compiled = echo(lambda t: None)
    for _ in range(2):
        assert compiled(rose)[0].weights == rose.weights


def random_tree(generator, depth=5):
    values = [1.0, 2, True, None, "a", "b", np.ones(generator.randrange(4)), np.ones((2, 2)),
              np.float32(1), np.int64(3), [1.0, 2.5], [], (1, 2.0), (1,), {"a": 1.0}, Num(1.0), [Num(2.0)],
              [np.ones(2)], 2**60]  # fmt: skip
    kind = generator.randrange(5)
    if depth == 0 or kind == 0:
        return generator.choice(values)
    if kind == 1:
        return [random_tree(generator, depth - 1) for _ in range(generator.randrange(3))]
    if kind == 2:
        return Odd(random_tree(generator, depth - 1), random_tree(generator, depth - 1))
    left, right = (random_tree(generator, depth - 2) if depth > 1 else None for _ in range(2))
    return Tree(generator.choice(values), left, right)


@pytest.mark.parametrize("seed", range(30))
def test_random_trees(seed):
    """The right answer or a clear refusal, at the first call and at each one after."""
    generator, made, served = random.Random(seed), Echo(lambda t: None), 0
    for _ in range(30):
        tree = random_tree(generator)
        try:
            structure_of(tree, "argument 't'")
        except (TypeError, OverflowError) as error:
            with pytest.raises(type(error)):
                made.callable(tree)
            continue
        for _ in range(2):
            try:
                (result,) = made.callable(tree)
            except OverflowError:
                break
            assert repr(dataclasses.replace(Odd(0), stored=result)) is not None
            assert equal(result, tree)
        served += 1
    assert served > 3


def equal(left, right):
    """Whether two trees are equal; Python numbers may be of a wider kind."""
    if isinstance(left, np.ndarray):
        return isinstance(right, np.ndarray) and left.dtype == right.dtype and np.array_equal(left, right)
    if dataclasses.is_dataclass(left):
        names = [f.name for f in dataclasses.fields(left)]
        return type(left) is type(right) and all(equal(getattr(left, name), getattr(right, name)) for name in names)
    if isinstance(left, list | tuple):
        return type(left) is type(right) and len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return list(left) == list(right) and all(equal(left[key], right[key]) for key in left)
    return left == right


def test_the_structure_does_not_depend_on_the_shape():
    small, big = Tree(1.0), Tree(1.0, Tree(2.0, Tree(3.0)), Tree(4.0))
    assert structure_of(small) is structure_of(big) and isinstance(structure_of(small), RecursiveOf)
    assert structure_of(Rose("a", [])) is structure_of(Rose("a", [1.0], [Rose("a", [])]))
