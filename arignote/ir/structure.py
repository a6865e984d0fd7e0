"""Structures: how a tree of Python objects maps to the leaves that the graph sees.

    structure = ArrayOf(dtype, dims)            np.ndarray                      one array leaf
              | NumpyScalarOf(dtype)            np.float64(..), np.bool_(..)    one scalar leaf
              | PythonScalarOf(dtype)           bool, int, float                one scalar leaf, weak in promotion
              | TupleOf(items) | ListOf(items)  tuple, list                     the leaves of the items
              | DictOf(keys, items, cls)        dict with string keys           the leaves of the items
              | NamedTupleOf(cls, items)        named tuple                     the leaves of the fields
              | DataclassOf(cls, names, items)  dataclass instance              the leaves of the fields
              | FunctionOf(template, items)     function with captured values   the leaves of the items
              | StaticOf(value)                 None, strings, functions ...    none
              | UnionOf(alternatives)           one of several                  which one, then the leaves of all
              | SequenceOf(element, kind)       list (or tuple) of any length   one: a list
              | RecursiveOf(name, alternatives) tree, linked list ...           one: a union
              | SelfOf()                        inside a RecursiveOf: itself    one: a union

Structures are immutable and interned, so comparing and hashing them takes nanoseconds: the structures of the arguments
are the key under which a compiled function is found.
"""

from __future__ import annotations

import enum
import struct
import threading
import types
import weakref
from typing import Any, ClassVar

import numpy as np

from arignote.ir.functions import AnyTemplate

MANY = -1
"""A run-time size that is known not to be 1."""

ANY = -2
"""Any run-time size."""

SHORT_NAMES: dict[str, str] = {
    "bool": "bool",
    "int32": "i32",
    "int64": "i64",
    "float32": "f32",
    "float64": "f64",
}
"""Every dtype that compiled code can hold, with the short name used in dumps. A new dtype is added here first."""

PYTHON_SCALARS: dict[type, str] = {bool: "bool", int: "int64", float: "float64"}
"""The Python types whose values are leaves, with the dtype that carries them."""

_PYTHON_NAMES: dict[str, str] = {dtype: python_type.__name__ for python_type, dtype in PYTHON_SCALARS.items()}

_interned: weakref.WeakValueDictionary[tuple[Any, ...], Structure] = weakref.WeakValueDictionary()
_interning = threading.Lock()


class Structure:
    """The base of all structures. Two structures with equal fields are the same object."""

    __slots__ = ("__weakref__",)
    fields: ClassVar[tuple[str, ...]] = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), tuple(getattr(self, name) for name in self.fields)

    def __deepcopy__(self, memo: object) -> Structure:
        return self

    def __repr__(self) -> str:
        return show(self)

    def children(self) -> tuple[Structure, ...]:
        """The structures directly inside this one."""
        return ()


def _intern(cls: type, key: tuple[Any, ...], values: tuple[Any, ...]) -> Any:
    """The one instance of `cls` whose identity is `key`, made from the field values when it is new."""
    full_key = (cls, *key)
    found = _interned.get(full_key)
    if found is not None:
        return found
    with _interning:
        found = _interned.get(full_key)
        if found is None:
            found = object.__new__(cls)
            for name, value in zip(cls.fields, values, strict=True):  # type: ignore[attr-defined]
                object.__setattr__(found, name, value)
            _interned[full_key] = found
    return found


def _check_dtype(dtype: str) -> None:
    if dtype not in SHORT_NAMES:
        raise TypeError(f"dtype {dtype!r} is not supported; supported: {', '.join(SHORT_NAMES)}")


class ArrayOf(Structure):
    """An array; one entry of `dims` per dimension: a known size, MANY or ANY."""

    __slots__ = fields = ("dtype", "dims")
    dtype: str
    dims: tuple[int, ...]

    def __new__(cls, dtype: str, dims: tuple[int, ...]) -> ArrayOf:
        _check_dtype(dtype)
        dims = tuple(int(size) for size in dims)
        return _intern(cls, (dtype, dims), (dtype, dims))

    @property
    def rank(self) -> int:
        """How many dimensions."""
        return len(self.dims)


class NumpyScalarOf(Structure):
    """A NumPy scalar, strong in promotion."""

    __slots__ = fields = ("dtype",)
    dtype: str

    def __new__(cls, dtype: str) -> NumpyScalarOf:
        _check_dtype(dtype)
        return _intern(cls, (dtype,), (dtype,))


class PythonScalarOf(Structure):
    """A Python bool, int (in the range of int64) or float, weak in promotion."""

    __slots__ = fields = ("dtype",)
    dtype: str

    def __new__(cls, dtype: str) -> PythonScalarOf:
        if dtype not in _PYTHON_NAMES:
            raise TypeError(f"no Python scalar has dtype {dtype!r}")
        return _intern(cls, (dtype,), (dtype,))


class FormattedOf(Structure):
    """A piece of a template, never an argument: a Python scalar written out by a format specification."""

    __slots__ = fields = ("dtype", "specification")
    dtype: str
    specification: str

    def __new__(cls, dtype: str, specification: str) -> FormattedOf:
        return _intern(cls, (dtype, specification), (dtype, specification))

    def write(self, value: Any) -> str:
        """The text of a value."""
        return format(value, self.specification)


class _Items(Structure):
    """What tuples and lists share: items in order."""

    __slots__ = fields = ("items",)
    items: tuple[Structure, ...]

    def __new__(cls, items: tuple[Structure, ...]) -> Any:
        items = tuple(items)
        return _intern(cls, items, (items,))

    def children(self) -> tuple[Structure, ...]:
        return self.items


class TupleOf(_Items):
    """A tuple of known length."""

    __slots__ = ()


class ListOf(_Items):
    """A list of known length."""

    __slots__ = ()


class DictOf(Structure):
    """A dict with string keys, in this order. `cls` is dict or OrderedDict."""

    __slots__ = fields = ("keys", "items", "cls")
    keys: tuple[str, ...]
    items: tuple[Structure, ...]
    cls: type

    def __new__(cls, keys: tuple[str, ...], items: tuple[Structure, ...], kind: type = dict) -> DictOf:
        keys, items = tuple(keys), tuple(items)
        if len(keys) != len(items):
            raise ValueError("a DictOf needs one item for each key")
        return _intern(cls, (kind, keys, *items), (keys, items, kind))

    def children(self) -> tuple[Structure, ...]:
        return self.items


class NamedTupleOf(Structure):
    """An instance of the named tuple class `cls`."""

    __slots__ = fields = ("cls", "items")
    cls: type
    items: tuple[Structure, ...]

    def __new__(cls, named: type, items: tuple[Structure, ...]) -> NamedTupleOf:
        items = tuple(items)
        return _intern(cls, (named, *items), (named, items))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the fields."""
        return tuple(self.cls._fields)  # type: ignore[attr-defined]

    def children(self) -> tuple[Structure, ...]:
        return self.items


class DataclassOf(Structure):
    """An instance of the dataclass `cls` with the fields `names`."""

    __slots__ = fields = ("cls", "names", "items")
    cls: type
    names: tuple[str, ...]
    items: tuple[Structure, ...]

    def __new__(cls, dataclass: type, names: tuple[str, ...], items: tuple[Structure, ...]) -> DataclassOf:
        names, items = tuple(names), tuple(items)
        if len(names) != len(items):
            raise ValueError("a DataclassOf needs one item for each name")
        return _intern(cls, (dataclass, names, *items), (dataclass, names, items))

    def children(self) -> tuple[Structure, ...]:
        return self.items


class FunctionOf(Structure):
    """A Python function with what it captured: see `arignote.ir.functions`."""

    __slots__ = fields = ("template", "items")
    template: AnyTemplate
    items: tuple[Structure, ...]

    def __new__(cls, template: AnyTemplate, items: tuple[Structure, ...]) -> FunctionOf:
        items = tuple(items)
        return _intern(cls, (template, *items), (template, items))

    def children(self) -> tuple[Structure, ...]:
        return self.items


class StaticOf(Structure):
    """A value known at compile time; no leaves."""

    __slots__ = fields = ("value",)
    value: Any

    def __new__(cls, value: Any) -> StaticOf:
        return _intern(cls, (static_key(value),), (value,))


def static_key(value: Any) -> Any:
    """What makes two static values the same: type and value where equality is exact, otherwise identity.

    1, 1.0 and True are equal in Python, and so are 0.0 and -0.0, but programs tell them apart.
    The structure keeps a value compared by identity alive, so that its address is not reused.
    """
    kind = type(value)
    if kind is float:
        return kind, struct.pack("<d", value)
    if kind is complex:
        return kind, struct.pack("<dd", value.real, value.imag)
    if kind in (str, bytes, int, bool, types.NoneType) or isinstance(value, np.dtype):
        return kind, value
    if kind in (tuple, frozenset):
        return kind, kind(static_key(item) for item in value)
    if kind is slice:
        return kind, static_key((value.start, value.stop, value.step))
    if kind is types.MethodType:
        return kind, id(value.__self__), id(value.__func__)
    return kind, id(value)


class UnionOf(Structure):
    """One of several alternatives, told apart when the program runs, and none of which contains the union.

    Its leaves are `TAG`, the position of the alternative, and the leaves of all alternatives; those of the alternatives
    not taken are never read.
    """

    __slots__ = fields = ("alternatives",)
    alternatives: tuple[Structure, ...]

    def __new__(cls, alternatives: tuple[Structure, ...]) -> UnionOf:
        alternatives = tuple(alternatives)
        return _intern(cls, alternatives, (alternatives,))

    def children(self) -> tuple[Structure, ...]:
        return self.alternatives


class SequenceOf(Structure):
    """A list (or a tuple, by `kind`) whose length is known only when the program runs. One leaf."""

    __slots__ = fields = ("element", "kind")
    element: Structure
    kind: type

    def __new__(cls, element: Structure, kind: type = list) -> SequenceOf:
        return _intern(cls, (element, kind), (element, kind))

    def children(self) -> tuple[Structure, ...]:
        return (self.element,)


class SelfOf(Structure):
    """Inside the alternatives of a `RecursiveOf`: that very `RecursiveOf`, the innermost one around."""

    __slots__ = fields = ()

    def __new__(cls) -> SelfOf:
        return _intern(cls, (), ())


class RecursiveOf(Structure):
    """A tree, linked list ...: one of several alternatives, which mention it as `SelfOf()`. One leaf, a union.

    Where there may be None, `StaticOf(None)` is the first alternative.
    """

    __slots__ = fields = ("name", "alternatives")
    name: str
    alternatives: tuple[Structure, ...]

    def __new__(cls, name: str, alternatives: tuple[Structure, ...]) -> RecursiveOf:
        alternatives = tuple(alternatives)
        return _intern(cls, (name, *alternatives), (name, alternatives))

    def children(self) -> tuple[Structure, ...]:
        return self.alternatives


Leaf = ArrayOf | NumpyScalarOf | PythonScalarOf | SequenceOf | SelfOf | RecursiveOf

LEAVES = (ArrayOf, NumpyScalarOf, PythonScalarOf, SequenceOf, SelfOf, RecursiveOf)
"""The structures that are one leaf."""

TAG = PythonScalarOf("int64")
"""The first leaf of a `UnionOf`."""


def leaf_structures(structure: Structure) -> list[Leaf]:
    """The leaves of a structure, in order."""
    if isinstance(structure, LEAVES):
        return [structure]
    leaves = [leaf for child in structure.children() for leaf in leaf_structures(child)]
    return [TAG, *leaves] if isinstance(structure, UnionOf) else leaves


def show(structure: Structure, self_name: str = "self") -> str:
    """The text form, as in `{'w': f64[n,n], 'b': (f32[n], int)}`."""
    parts = [show(child, self_name) for child in structure.children() if not isinstance(structure, RecursiveOf)]
    match structure:
        case ArrayOf():
            return f"{SHORT_NAMES[structure.dtype]}[{','.join(_show_size(size) for size in structure.dims)}]"
        case NumpyScalarOf():
            return "bool_" if structure.dtype == "bool" else SHORT_NAMES[structure.dtype]
        case PythonScalarOf():
            return _PYTHON_NAMES[structure.dtype]
        case TupleOf():
            return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        case ListOf():
            return f"[{', '.join(parts)}]"
        case DictOf():
            text = "{" + ", ".join(f"{key!r}: {part}" for key, part in zip(structure.keys, parts, strict=True)) + "}"
            return text if structure.cls is dict else f"{structure.cls.__name__}({text})"
        case NamedTupleOf() | DataclassOf():
            pairs = zip(structure.names, parts, strict=True)
            return f"{structure.cls.__qualname__}({', '.join(f'{name}={part}' for name, part in pairs)})"
        case UnionOf():
            return f"({' | '.join(parts)})"
        case SequenceOf():
            return f"{structure.kind.__name__}[{parts[0]}]"
        case SelfOf():
            return f"<{self_name}>"
        case RecursiveOf():
            alternatives = " | ".join(show(child, structure.name) for child in structure.alternatives)
            return f"<{structure.name}: {alternatives}>"
        case FunctionOf():
            return f"<{structure.template}({', '.join(parts)})>"
        case StaticOf():
            return _show_static(structure.value)
    return object.__repr__(structure)


def _show_size(size: int) -> str:
    return {MANY: "n", ANY: "?"}.get(size, str(size))


def _show_static(value: Any) -> str:
    if isinstance(value, str | bytes | int | float | complex | types.NoneType | enum.Enum | tuple | slice | np.dtype):
        return repr(value)
    name = getattr(value, "__qualname__", getattr(value, "__name__", None))
    return f"<{name}>" if isinstance(name, str) else f"<{type(value).__qualname__}>"
