"""Recursive data in the form that native code reads: the same tree with every leaf as compiled code can read it, dicts
of the class dict, and dataclasses replaced by plain classes, whose attributes are just there."""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from arignote.ir.recursive import Link, shown
from arignote.ir.structure import (
    PYTHON_SCALARS,
    ArrayOf,
    DataclassOf,
    DictOf,
    ListOf,
    NamedTupleOf,
    NumpyScalarOf,
    PythonScalarOf,
    RecursiveOf,
    SelfOf,
    SequenceOf,
    StaticOf,
    Structure,
    TupleOf,
    UnionOf,
    static_key,
)

_LARGEST_EXACT = 2**53
_NARROWER: dict[str, tuple[type, ...]] = {"bool": (bool,), "int64": (bool, int), "float64": (bool, int, float)}


_native_classes: weakref.WeakKeyDictionary[type, type] = weakref.WeakKeyDictionary()


def native_class(cls: type) -> type:
    """The plain class that stands for a dataclass."""
    found = _native_classes.get(cls)
    if found is None:
        found = _native_classes[cls] = type(cls.__name__, (), {})
    return found


def has_class(structure: Structure, value: Any, around: RecursiveOf | None) -> bool:
    """Whether a value can be of this alternative of a union, at a glance."""
    match structure:
        case ArrayOf():
            is_array = isinstance(value, np.ndarray)
            return is_array and value.dtype.name == structure.dtype and value.ndim == structure.rank
        case NumpyScalarOf():
            return isinstance(value, np.generic) and value.dtype.name == structure.dtype
        case PythonScalarOf():
            return type(value) in _NARROWER[structure.dtype]
        case TupleOf() | ListOf():
            kind = tuple if isinstance(structure, TupleOf) else list
            return type(value) is kind and len(value) == len(structure.items)
        case SequenceOf():
            return type(value) is structure.kind
        case DictOf() | NamedTupleOf() | DataclassOf():
            return type(value) is structure.cls
        case SelfOf():
            assert around is not None
            return any(has_class(part, value, None) for part in around.alternatives)
        case RecursiveOf():
            return any(has_class(part, value, structure) for part in structure.alternatives)
        case StaticOf():
            return static_key(value) == static_key(structure.value)
    return False


class NativeTree:
    """Makes native forms. `leaf` does so for arrays and NumPy scalars, `fill` gives a container its items."""

    def __init__(self, leaf: Callable[[Structure, Any], Any], fill: Callable[[Structure, list[Any]], Any]) -> None:
        self.leaf, self.fill = leaf, fill
        self._made: dict[tuple[int, Structure], Any] = {}
        self._payloads: dict[tuple[type, RecursiveOf], Structure] = {}
        self._alive: list[Any] = []  # so that no address is used again
        self._waiting: list[tuple[Any, Any, DataclassOf, RecursiveOf, Link]] = []

    def run(self, structure: Structure, value: Any, path: str) -> Any:
        """The native form of a whole value."""
        made = self._value(structure, value, None, (None, path))
        while self._waiting:
            new, old, payload, union, link = self._waiting.pop()
            for name, part in zip(payload.names, payload.items, strict=True):
                item = self._value(part, getattr(old, name), union, (link, name))
                vars(new)[name] = item
        return made

    def _value(self, structure: Structure, value: Any, around: RecursiveOf | None, link: Link) -> Any:
        match structure:
            case StaticOf():
                return value
            case PythonScalarOf():
                return _number(structure.dtype, value, link)
            case ArrayOf() | NumpyScalarOf():
                return self.leaf(structure, value)
            case SelfOf():
                assert around is not None
                return self._node(around, value, link)
            case RecursiveOf():
                return self._node(structure, value, link)
            case UnionOf():
                part = next(part for part in structure.alternatives if has_class(part, value, around))
                return self._value(part, value, around, link)
            case SequenceOf():
                parts = enumerate(value)
                items = [self._value(structure.element, x, around, (link, f"[{index}]")) for index, x in parts]
                return structure.kind(items)
        if isinstance(structure, DictOf):
            structure = DictOf(structure.keys, structure.items)
        names, items = _items(structure, value)
        triples = zip(structure.children(), names, items, strict=True)
        made = [self._value(part, item, around, (link, name)) for part, name, item in triples]
        if isinstance(structure, DataclassOf):
            instance = native_class(structure.cls)()
            vars(instance).update(zip(structure.names, made, strict=True))
            return instance
        return self.fill(structure, made)

    def _payload(self, union: RecursiveOf, value: Any) -> Structure:
        key = (type(value), union)
        found = self._payloads.get(key)
        if found is None:
            found = next(part for part in union.alternatives if has_class(part, value, union))
            if isinstance(found, DataclassOf):
                self._payloads[key] = found
        return found

    def _node(self, union: RecursiveOf, value: Any, link: Link) -> Any:
        payload = self._payload(union, value)
        if not isinstance(payload, DataclassOf):
            return self._value(payload, value, union, link)
        key = (id(value), union)
        if key not in self._made:
            self._made[key] = native_class(payload.cls)()
            self._alive.append(value)
            self._waiting.append((self._made[key], value, payload, union, link))
        return self._made[key]


def _number(dtype: str, value: Any, link: Link) -> Any:
    """A Python number as one of the kind that holds those of all nodes."""
    kind = next(kind for kind, name in PYTHON_SCALARS.items() if name == dtype)
    if type(value) is kind or isinstance(value, types.NoneType):
        return value
    if kind is float and abs(value) > _LARGEST_EXACT and int(float(value)) != value:
        raise OverflowError(f"{shown(link)}: the int {value} is not a float64; other nodes have floats here")
    return kind(value)


def _items(structure: Structure, value: Any) -> tuple[list[str], list[Any]]:
    match structure:
        case TupleOf() | ListOf():
            return [f"[{index}]" for index in range(len(value))], list(value)
        case DictOf():
            return [f"[{key!r}]" for key in structure.keys], [value[key] for key in structure.keys]
        case NamedTupleOf():
            return list(structure.names), list(value)
        case DataclassOf():
            return list(structure.names), [getattr(value, name) for name in structure.names]
    return [], []
