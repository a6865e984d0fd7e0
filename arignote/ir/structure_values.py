"""Between Python values and their leaves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from arignote.ir.describe import is_named_tuple_class
from arignote.ir.functions import items_of_function
from arignote.ir.native_trees import NativeTree
from arignote.ir.structure import (
    LEAVES,
    PYTHON_SCALARS,
    ArrayOf,
    DataclassOf,
    DictOf,
    FunctionOf,
    ListOf,
    NamedTupleOf,
    NumpyScalarOf,
    PythonScalarOf,
    RecursiveOf,
    SequenceOf,
    StaticOf,
    Structure,
    TupleOf,
    UnionOf,
    show,
)


def rebuild(structure: Structure, leaves: list[Any]) -> Any:
    """The Python value with this structure whose leaves, in order, are `leaves` (used as they are)."""
    remaining = iter(leaves)
    value = _rebuild(structure, remaining)
    if next(remaining, remaining) is not remaining:
        raise ValueError(f"more leaves than {show(structure)} has")
    return value


def _rebuild(structure: Structure, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, LEAVES):
        return next(leaves)
    if isinstance(structure, StaticOf):
        return structure.value
    if isinstance(structure, UnionOf):
        chosen = next(leaves)
        return [_rebuild(child, leaves) for child in structure.alternatives][chosen]
    return with_items(structure, [_rebuild(child, leaves) for child in structure.children()])


def make_dataclass(cls: type, names: tuple[str, ...], items: list[Any]) -> Any:
    """An instance with these fields, made without running the class's own `__init__`: the fields are what it left."""
    instance: Any = object.__new__(cls)
    for name, item in zip(names, items, strict=True):
        object.__setattr__(instance, name, item)
    return instance


def leaves_of(structure: Structure, value: Any, path: str = "argument", trees: NativeTree | None = None) -> list[Any]:
    """The leaves of a value that has this structure; arrays come out C-contiguous, aligned and in native byte order.

    trees: what makes the native forms of trees; one for several values keeps what they share
    """
    leaves: list[Any] = []
    _collect_leaves(structure, value, leaves, path, NativeTree(native_value, with_items) if trees is None else trees)
    return leaves


def _collect_leaves(structure: Structure, value: Any, leaves: list[Any], path: str, trees: NativeTree) -> None:
    if isinstance(structure, RecursiveOf | SequenceOf):
        leaves.append(trees.run(structure, value, path))
    elif isinstance(structure, ArrayOf):
        leaves.append(native_array(value))
    elif isinstance(structure, LEAVES):
        leaves.append(native_value(structure, value))
    else:
        for child, item in zip(structure.children(), items_of(structure, value), strict=True):
            _collect_leaves(child, item, leaves, path, trees)


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The same tree of objects with `function` of each array and number. Trees may be of any depth."""
    waiting: list[tuple[Any, Any]] = []

    def mapped(item: Any) -> Any:
        kind = type(item)
        if kind in PYTHON_SCALARS or isinstance(item, np.ndarray | np.generic):
            return function(item)
        if kind in (tuple, list):
            return kind([mapped(part) for part in item])
        if isinstance(item, dict):
            return kind([(key, mapped(part)) for key, part in item.items()])
        if is_named_tuple_class(kind):
            return tuple.__new__(kind, [mapped(part) for part in item])
        if dataclasses.is_dataclass(kind):
            waiting.append((object.__new__(kind), item))
            return waiting[-1][0]
        return item

    made = mapped(value)
    while waiting:
        new, old = waiting.pop()
        for field in dataclasses.fields(old):
            object.__setattr__(new, field.name, mapped(getattr(old, field.name)))
    return made


def items_of(structure: Structure, value: Any) -> list[Any]:
    """The parts of a value that belong to `structure.children()`."""
    match structure:
        case TupleOf() | ListOf() | NamedTupleOf():
            return list(value)
        case DictOf():
            return [value[key] for key in structure.keys]
        case DataclassOf():
            return [getattr(value, name) for name in structure.names]
        case FunctionOf():
            return items_of_function(value)
    return []


def with_known_numbers(structure: Structure, value: Any) -> Structure:
    """The structure of a function with the integers and truth values that it holds known at compile time."""
    if isinstance(structure, FunctionOf):
        pairs = zip(structure.items, items_of(structure, value), strict=True)
        return FunctionOf(structure.template, tuple([with_known_numbers(child, item) for child, item in pairs]))
    is_number = isinstance(structure, PythonScalarOf) and structure.dtype != "float64"
    return StaticOf(value) if is_number else structure


def native_array(value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array itself if compiled code can read its memory, otherwise a copy that it can read."""
    flags = value.flags
    expected = np.dtype(value.dtype.name)  # long long is int64 as well, under another type number
    plain = value.dtype.num == expected.num and value.dtype.isnative and type(value) is np.ndarray
    if plain and flags.c_contiguous and flags.aligned:
        return value
    return np.require(np.asarray(value), expected, ("C", "A", "E"))


def native_value(structure: Structure, value: Any) -> Any:
    """The value with every array replaced by its native form; the value itself where there is nothing to replace."""
    if isinstance(structure, ArrayOf):
        return native_array(value)
    if isinstance(structure, NumpyScalarOf):
        expected = np.dtype(structure.dtype).type
        return value if type(value) is expected else expected(value)
    if not structure.children():
        return value
    items = items_of(structure, value)
    native = [native_value(child, item) for child, item in zip(structure.children(), items, strict=True)]
    if all(new is old for new, old in zip(native, items, strict=True)):
        return value
    return with_items(structure, native)


def with_items(structure: Structure, items: list[Any]) -> Any:
    """The value whose direct parts are `items`."""
    match structure:
        case DictOf():
            return structure.cls(zip(structure.keys, items, strict=True))
        case ListOf():
            return items
        case NamedTupleOf():
            return tuple.__new__(structure.cls, items)
        case DataclassOf():
            return make_dataclass(structure.cls, structure.names, items)
        case FunctionOf():
            return structure.template.make(items)
    return tuple(items)
