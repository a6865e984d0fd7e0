"""Structures: interning, text, leaves and back, what is refused."""

from __future__ import annotations

import collections
import copy
import dataclasses
import enum
import functools
import gc
import pickle

import numpy as np
import pytest

from arignote.ir.describe import structure_of
from arignote.ir.structure import (
    ANY,
    MANY,
    ArrayOf,
    DataclassOf,
    DictOf,
    ListOf,
    NamedTupleOf,
    NumpyScalarOf,
    PythonScalarOf,
    StaticOf,
    TupleOf,
    leaf_structures,
)
from arignote.ir.structure_values import leaves_of, native_value, rebuild

Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Layer:
    weight: object
    bias: object = None


class Color(enum.IntEnum):
    RED = 1


TREE = {"w": np.ones((3, 1)), "b": (np.float32(1), 2, True, None, [1.5, Point(np.zeros(()), "s")]), "l": Layer(1)}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.ones((3, 1, 0)), "f64[n,1,n]"),
        (np.zeros((), np.int32), "i32[]"),
        (np.float32(1), "f32"),
        (np.bool_(1), "bool_"),
        (True, "bool"),
        (1, "int"),
        (1.0, "float"),
        ((), "()"),
        ((1,), "(int,)"),
        ([1, 2.0], "[int, float]"),
        ({"w": np.ones((2, 2)), "b": (np.ones(2, np.float32), 1)}, "{'w': f64[n,n], 'b': (f32[n], int)}"),
        (Point(1, "s"), "Point(x=int, y='s')"),
        (Layer(1.0), "Layer(weight=float, bias=None)"),
        (collections.OrderedDict(a=1), "OrderedDict({'a': int})"),
        (np.sum, "<sum>"),
        (np.dtype("f4"), "dtype('float32')"),
        (Color.RED, "<Color.RED: 1>"),
        (np.longlong(3), "i64"),
        (np.ones(2, ">f8"), "f64[n]"),
    ],
)
def test_text(value, text):
    assert repr(structure_of(value)) == text


def test_sizes_in_text():
    assert repr(ArrayOf("bool", (MANY, ANY, 1, 7))) == "bool[n,?,1,7]"


def test_equal_structures_are_one_object():
    first, second = structure_of(TREE), structure_of(copy.deepcopy(TREE))
    assert first is second and hash(first) == hash(second)
    assert pickle.loads(pickle.dumps(structure_of({"a": [1, np.ones(3)]}))) is structure_of({"a": [2, np.ones(9)]})
    assert copy.deepcopy(first) is first
    assert structure_of({"a": 1, "b": 2}) is not structure_of({"b": 2, "a": 1})
    assert structure_of((1,)) is not structure_of([1])
    assert structure_of({"a": 1}) is not structure_of(collections.OrderedDict(a=1))


def test_static_values_are_told_apart():
    values = [1, True, 1.0, "1", b"1", 0.0, -0.0, None, (1,), (True,), (1.0,), Ellipsis, slice(1), slice(None), len]
    structures = [StaticOf(value) for value in values]
    assert len(set(structures)) == len(values)
    assert all(StaticOf(value) is structure for value, structure in zip(values, structures))
    assert StaticOf(float("nan")) is StaticOf(float("nan"))
    array = np.ones(2)
    assert StaticOf(array) is StaticOf(array) and StaticOf(array) is not StaticOf(np.ones(2))
    method = "text".upper, [].append
    assert StaticOf(method[0]) is StaticOf(method[0])


def test_bound_methods_are_the_same_at_each_access():
    layer = Layer(1)
    Layer.method = lambda self: None
    structure = StaticOf(layer.method)
    assert StaticOf(layer.method) is structure and StaticOf(Layer(1).method) is not structure


def test_unused_structures_are_forgotten():
    from arignote.ir import structure

    gc.collect()
    before = len(structure._interned)
    for index in range(100):
        structure_of({f"key {index}": (index, f"text {index}")})
    gc.collect()
    assert len(structure._interned) == before


def test_leaves_and_back():
    structure = structure_of(TREE)
    leaves = leaves_of(structure, TREE)
    assert [repr(leaf) for leaf in leaf_structures(structure)] == "f64[n,1] f32 int bool float f64[] int".split()
    back = rebuild(structure, leaves)
    assert list(back) == list(TREE) and back["w"] is TREE["w"] and back["b"][4][1] == Point(TREE["b"][4][1].x, "s")
    assert type(back["l"]) is Layer and back["l"] == TREE["l"]
    with pytest.raises(ValueError):
        rebuild(structure, [*leaves, 1])


def test_rebuilding_runs_no_constructor():
    @dataclasses.dataclass(frozen=True)
    class Checked:
        value: object

        def __post_init__(self):
            raise AssertionError

    structure = DataclassOf(Checked, ("value",), (PythonScalarOf("float64"),))
    assert rebuild(structure, [2.0]).value == 2.0
    named = NamedTupleOf(Point, (PythonScalarOf("float64"), StaticOf(None)))
    assert rebuild(named, [2.0]) == Point(2.0, None)


def test_native_arrays():
    grid = np.arange(12.0).reshape(3, 4)
    raw = np.zeros(25, np.uint8)
    odd = [grid.T, grid[:, ::2], grid.astype(">f8"), raw[1:].view("f8"), np.arange(3, dtype="q"), grid[::-1]]
    for value in odd:
        (leaf,) = leaves_of(structure_of(value), value)
        assert type(leaf) is np.ndarray and leaf.flags.c_contiguous and leaf.flags.aligned and leaf.dtype.isnative
        assert np.array_equal(leaf, value) and leaf.dtype.num == np.dtype(leaf.dtype.name).num
    assert leaves_of(structure_of(grid), grid) == [grid] and leaves_of(structure_of(grid), grid)[0] is grid


def test_native_values_keep_what_need_not_change():
    tree = {"a": [np.ones(3), 1], "b": Point(np.ones((2, 3)).T, np.longlong(1)), "c": Layer(1, [np.ones(2)])}
    native = native_value(structure_of(tree), tree)
    assert native["a"] is tree["a"] and native["c"] is tree["c"]
    assert native["b"].x.flags.c_contiguous and type(native["b"].y) is np.int64
    assert native_value(structure_of(tree["a"]), tree["a"]) is tree["a"]


def cyclic():
    items = []
    items.append(items)
    return items


REFUSED = [
    ({"w": [np.array([None])]}, TypeError, r"argument 'x'\['w'\]\[0\]: object array"),
    (np.ones(2, np.float16), TypeError, "float16 array; supported are bool, int32"),
    (np.ones(2, complex), TypeError, "complex128 array"),
    (np.array(["a"]), TypeError, "str32 array"),
    (np.array("2020-01-01", "M8[D]"), TypeError, "datetime64"),
    (np.zeros(2, [("a", "f8")]), TypeError, "void"),
    (np.complex64(1), TypeError, "complex64 scalar"),
    (np.longdouble(1), TypeError, "longdouble|float128"),
    (np.str_("a"), TypeError, "str"),
    (2**63, OverflowError, "does not fit in int64"),
    ([-(2**63) - 1], OverflowError, r"argument 'x'\[0\]: Python integer -0x8000000000000001 does not fit"),
    (10**5000, OverflowError, "does not fit in int64"),
    (1j, TypeError, "complex is not supported"),
    (np.ones((1, 1)).view(np.matrix), TypeError, "matrix"),
    (np.ma.array([1.0]), TypeError, "MaskedArray"),
    (np.rec.array([(1,)]), TypeError, "recarray"),
    ({1: 2}, TypeError, "key of type int; keys must be str"),
    (collections.defaultdict(list), TypeError, "defaultdict"),
    (collections.Counter("a"), TypeError, "Counter"),
    ({1, 2}, TypeError, "set is not supported"),
    (object(), TypeError, "object is not supported"),
    (Point(1, [object()]), TypeError, r"argument 'x'\.y\[0\]"),
    (Layer(1, 1j), TypeError, r"argument 'x'\.bias: complex"),
    (object.__new__(Layer), TypeError, "no value for its field 'weight'"),
    (type("Text", (str,), {})("a"), TypeError, "Text"),
    (type("Number", (int,), {})(1), TypeError, "Number"),
    (type("Items", (list,), {})(), TypeError, "Items"),
    (type("Pair", (tuple,), {})(), TypeError, "Pair"),
    (bytearray(b"a"), TypeError, "bytearray"),
    (range(3), TypeError, "range"),
    (iter([]), TypeError, "iterator"),
    (cyclic(), TypeError, "nested more than 100 deep, or cyclic"),
]


@pytest.mark.parametrize(("value", "error", "message"), REFUSED, ids=lambda item: str(type(item).__name__))
def test_refused(value, error, message):
    with pytest.raises(error, match=message) as raised:
        structure_of(value, "argument 'x'")
    assert str(raised.value).startswith("argument 'x'") and len(str(raised.value)) < 400


@pytest.mark.parametrize(
    "value", [print, Layer, np, functools.partial(len), Color, Color.RED, np.add, test_refused, Ellipsis]
)
def test_static(value):
    assert structure_of(value) is StaticOf(value)


def test_construction_is_checked():
    for make in (lambda: ArrayOf("complex64", ()), lambda: NumpyScalarOf("i8"), lambda: PythonScalarOf("float32")):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(ValueError):
        DictOf(("a",), ())
    with pytest.raises(AttributeError):
        TupleOf(()).items = 1
    assert ListOf([]).items == () and not isinstance(ListOf(()), TupleOf)


def scaled_by(factor, *, power=2):
    return lambda x, offset=0.5, *, times=power: factor * x**times + offset


def test_functions_made_by_one_lambda_have_one_structure():
    first, second = structure_of(scaled_by(2.0)), structure_of(scaled_by(3.0))
    assert first is second and structure_of(scaled_by(np.ones(2))) is not first
    assert first.children() == (PythonScalarOf("float64"), PythonScalarOf("float64"), PythonScalarOf("int64"))
    assert repr(first) == "<scaled_by.<locals>.<lambda>(float, float, int)>"


def test_functions_from_their_leaves():
    function = scaled_by(3.0)
    again = rebuild(structure_of(function), leaves_of(structure_of(function), function))
    assert again is not function and again.__code__ is function.__code__
    assert again(2.0) == function(2.0) and again(2.0, 1.0, times=3) == function(2.0, 1.0, times=3)


def test_functions_that_hold_themselves_or_what_is_no_data():
    def count(n):
        return 0 if n == 0 else 1 + count(n - 1)

    thing = object()
    assert structure_of(count) is StaticOf(count)
    assert structure_of(lambda: thing).children() == (StaticOf(thing),)
