"""Odd and random inputs never crash: the right answer, or a clear exception."""

from __future__ import annotations

import collections
import dataclasses
import random
import threading

import numpy as np
import pytest

from arignote.ir.describe import structure_of
from arignote.runtime import native
from tests.runtime.programs import Echo, echo, same

Pair = collections.namedtuple("Pair", "first second")


@dataclasses.dataclass
class Node:
    value: object
    next: object


DTYPES = ["bool", "int8", "int32", "int64", "uint64", "float16", "float32", "float64", "complex128", "O", "U3", "M8[s]"]
NUMBERS = [
    0,
    1,
    -1,
    2**31,
    -(2**63),
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    10**400,
    0.0,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
]
OTHERS = [
    None,
    "",
    "text",
    b"b",
    True,
    False,
    Ellipsis,
    len,
    int,
    np,
    object(),
    1j,
    range(3),
    {1, 2},
    slice(3),
    np.float64(2),
]


def random_array(generator):
    shape = tuple(generator.choice([0, 1, 1, 2, 3, 7]) for _ in range(generator.randrange(4)))
    dtype = generator.choice(DTYPES)
    array = np.ones(shape).astype(dtype) if dtype != "O" else np.full(shape, None)
    match generator.randrange(9):
        case 0:
            array = array.T
        case 1:
            array = array[..., ::-1] if array.ndim else array
        case 2:
            array = array.astype(array.dtype.newbyteorder(">")) if dtype != "O" else array
        case 3 if array.dtype.itemsize and dtype != "O":
            raw = np.zeros(array.nbytes + 1, np.uint8)
            array = raw[1:].view(array.dtype).reshape(array.shape) if array.size else array
        case 4:
            array.flags.writeable = False
        case 5:
            array = array.view(np.ma.MaskedArray)
        case 6:
            array = np.broadcast_to(array, (2, *array.shape))
    return array


def random_value(generator, depth=4):
    kind = generator.randrange(13 if depth else 6)
    inner = [random_value(generator, depth - 1) for _ in range(generator.randrange(4))] if kind > 5 else []
    match kind:
        case 0:
            return generator.choice(NUMBERS)
        case 1:
            return generator.choice(OTHERS)
        case 2 | 3:
            return random_array(generator)
        case 4:
            return np.float32(generator.random())
        case 5:
            return np.dtype(generator.choice(["bool", "i1", "i4", "q", "f4", "f8", "g"])).type(1)
        case 6 | 7:
            return tuple(inner)
        case 8:
            return inner
        case 9:
            return {generator.choice(["a", "b", "key", 3]): item for item in inner}
        case 10:
            return collections.OrderedDict(enumerate(inner) if generator.random() < 0.2 else zip("xyz", inner))
        case 11:
            return Pair(inner, random_value(generator, depth - 1))
    return Node(random_value(generator, depth - 1), inner)


def as_read(value):
    """The value with every array and scalar in the form in which compiled code gives it back."""
    if isinstance(value, np.ndarray):
        return np.array(value, dtype=np.dtype(value.dtype.name), order="C", subok=False)
    if isinstance(value, np.longlong):
        return np.int64(value)
    if isinstance(value, Node):
        return Node(as_read(value.value), as_read(value.next))
    if isinstance(value, Pair):
        return Pair(*map(as_read, value))
    if isinstance(value, dict):
        return type(value)((key, as_read(item)) for key, item in value.items())
    return type(value)(map(as_read, value)) if type(value) in (tuple, list) else value


@pytest.mark.parametrize("seed", range(20))
def test_random_trees(seed):
    generator, made = random.Random(seed), Echo(lambda *args, **kwargs: None)
    before, served = native.live_buffers(), 0
    for _ in range(40):
        args = [random_value(generator) for _ in range(generator.randrange(3))]
        kwargs = {name: random_value(generator) for name in generator.sample("xyz", generator.randrange(2))}
        try:
            for index, value in enumerate((*args, *kwargs.values())):
                structure_of(value, f"argument {index}")
        except (TypeError, OverflowError) as error:
            with pytest.raises(type(error)):
                made.callable(*args, **kwargs)
            continue
        expected = (tuple(map(as_read, args)), {name: as_read(value) for name, value in kwargs.items()})
        for _ in range(2):
            assert same(made.callable(*args, **kwargs), expected)
        served += 1
    assert served > 5 and native.live_buffers() == before


@pytest.mark.parametrize("seed", range(10))
def test_calls_that_nearly_match(seed):
    """A compiled function meets every other value: the guards must not take one for another."""
    generator, made = random.Random(100 + seed), Echo(lambda x: None)
    values = [random_value(generator, 2) for _ in range(40)]
    for _ in range(2):
        for value in values:
            try:
                structure_of(value)
            except (TypeError, OverflowError) as error:
                with pytest.raises(type(error)):
                    made.callable(value)
            else:
                assert same(made.callable(value), (as_read(value),))


def cyclic():
    items = [1.0]
    items.append({"a": items})
    return items


def deep(levels):
    value = 1.0
    for _ in range(levels):
        value = (value,)
    return value


@pytest.mark.parametrize("value", [cyclic(), deep(5000), Node(1, deep(200))], ids=["cyclic", "deep", "in a field"])
def test_cyclic_and_deep_values_are_refused(value):
    function = echo(lambda x: x)
    for _ in range(2):
        with pytest.raises(TypeError, match="nested more than 100 deep, or cyclic"):
            function(value)


def test_nesting_that_is_accepted():
    function = echo(lambda x: x)
    for _ in range(3):
        assert function(deep(95)) == (deep(95),)


def test_wide_values():
    function, value = echo(lambda x: x), [float(index) for index in range(3000)]
    for _ in range(3):
        assert function(value) == (value,)


def test_a_field_that_shrinks_its_container():
    @dataclasses.dataclass
    class Shrinking:
        value: object

        def __getattribute__(self, name):
            if name == "value":
                held.clear()
            return object.__getattribute__(self, name)

    held, function = [], echo(lambda x: x)
    for _ in range(50):
        held[:] = [np.ones(3), Shrinking(1.0), np.ones(100), "text"]
        try:
            function(held)
        except (TypeError, ValueError, IndexError, AttributeError):
            pass


def test_a_field_that_raises():
    @dataclasses.dataclass
    class Raising:
        value: object

        def __getattribute__(self, name):
            if name == "value" and raising:
                raise raising[0]
            return object.__getattribute__(self, name)

    raising, function, instance = [], echo(lambda x: x), Raising(1.0)
    function(instance)
    function(instance)
    for error in (KeyboardInterrupt, ZeroDivisionError):
        raising[:] = [error]
        with pytest.raises(error):
            function(instance)
    raising.clear()
    del instance.value
    with pytest.raises(TypeError, match="no value for its field"):
        function(instance)
    instance.value = 2.0
    assert function(instance)[0].value == 2.0


def test_arguments_that_change_while_native_code_runs():
    """Another thread empties the containers during calls that have released Python's lock."""
    function, tree, stop = echo(lambda x: x), {"a": [np.ones(100_000)]}, threading.Event()

    def change():
        while not stop.is_set():
            tree["a"] = [np.ones(100_000)]

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            assert function(tree)[0]["a"][0].sum() == 100_000
    finally:
        stop.set()
        thread.join()
