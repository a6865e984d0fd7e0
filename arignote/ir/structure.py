"""Structures: how a tree of Python objects maps to the leaves that the graph sees.

    structure = ArrayOf(dtype, dims)            np.ndarray                      one array leaf
              | NumpyScalarOf(dtype)            np.float64(..), np.bool_(..)    one scalar leaf
              | PythonScalarOf(dtype)           bool, int, float                one scalar leaf, weak in promotion
              | TupleOf(items) | ListOf(items)  tuple, list                     the leaves of the items
              | DictOf(keys, items, cls)        dict with string keys           the leaves of the items
              | NamedTupleOf(cls, items)        named tuple                     the leaves of the fields
              | DataclassOf(cls, names, items)  dataclass instance              the leaves of the fields
              | StaticOf(value)                 None, strings, functions ...    none

Structures are immutable and interned, so comparing and hashing them takes nanoseconds: the structures of the arguments
are the key under which a compiled function is found.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import struct
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

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


class _Sequence(Structure):
    """What tuples and lists share: items in order."""

    __slots__ = fields = ("items",)
    items: tuple[Structure, ...]

    def __new__(cls, items: tuple[Structure, ...]) -> Any:
        items = tuple(items)
        return _intern(cls, items, (items,))

    def children(self) -> tuple[Structure, ...]:
        return self.items


class TupleOf(_Sequence):
    """A tuple of known length."""

    __slots__ = ()


class ListOf(_Sequence):
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


LEAVES = (ArrayOf, NumpyScalarOf, PythonScalarOf)
"""The structures that are one leaf."""


def leaf_structures(structure: Structure) -> list[ArrayOf | NumpyScalarOf | PythonScalarOf]:
    """The leaves of a structure, in order."""
    if isinstance(structure, LEAVES):
        return [structure]
    return [leaf for child in structure.children() for leaf in leaf_structures(child)]


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
    return _with_items(structure, [_rebuild(child, leaves) for child in structure.children()])


def make_dataclass(cls: type, names: tuple[str, ...], items: list[Any]) -> Any:
    """An instance with these fields, made without running the class's own `__init__`: the fields are what it left."""
    instance: Any = object.__new__(cls)
    for name, item in zip(names, items, strict=True):
        object.__setattr__(instance, name, item)
    return instance


def show(structure: Structure) -> str:
    """The text form, as in `{'w': f64[n,n], 'b': (f32[n], int)}`."""
    match structure:
        case ArrayOf():
            return f"{SHORT_NAMES[structure.dtype]}[{','.join(_show_size(size) for size in structure.dims)}]"
        case NumpyScalarOf():
            return "bool_" if structure.dtype == "bool" else SHORT_NAMES[structure.dtype]
        case PythonScalarOf():
            return _PYTHON_NAMES[structure.dtype]
        case TupleOf():
            return f"({', '.join(map(show, structure.items))}{',' if len(structure.items) == 1 else ''})"
        case ListOf():
            return f"[{', '.join(map(show, structure.items))}]"
        case DictOf():
            pairs = zip(structure.keys, structure.items, strict=True)
            text = "{" + ", ".join(f"{key!r}: {show(item)}" for key, item in pairs) + "}"
            return text if structure.cls is dict else f"{structure.cls.__name__}({text})"
        case NamedTupleOf() | DataclassOf():
            pairs = zip(structure.names, structure.items, strict=True)
            return f"{structure.cls.__qualname__}({', '.join(f'{name}={show(item)}' for name, item in pairs)})"
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


MAXIMUM_DEPTH = 100
"""How deep an argument may nest; what is deeper is taken for cyclic."""

_INT64 = range(-(2**63), 2**63)


def structure_of(value: Any, path: str = "argument") -> Structure:
    """The structure of a Python value; a TypeError or OverflowError names the path of what does not fit."""
    return _structure_of(value, path, MAXIMUM_DEPTH)


def _structure_of(value: Any, path: str, depth: int) -> Structure:
    if depth == 0:
        raise TypeError(f"{_shorten(path)}: nested more than {MAXIMUM_DEPTH} deep, or cyclic")
    describe = _DESCRIBE.get(type(value))
    if describe is not None:
        return describe(value, path, depth - 1)
    return _structure_of_other(value, path, depth - 1)


def _dtype_name(value: np.ndarray[Any, Any] | np.generic, path: str, kind: str) -> str:
    name = value.dtype.name
    if name not in SHORT_NAMES:
        raise TypeError(f"{_shorten(path)}: {name} {kind}; supported are {', '.join(SHORT_NAMES)}")
    return name


def _structure_of_array(value: np.ndarray[Any, Any], path: str, depth: int) -> Structure:
    return ArrayOf(_dtype_name(value, path, "array"), tuple(1 if size == 1 else MANY for size in value.shape))


def _structure_of_numpy_scalar(value: np.generic, path: str, depth: int) -> Structure:
    return NumpyScalarOf(_dtype_name(value, path, "scalar"))


def _structure_of_python_scalar(value: bool | int | float, path: str, depth: int) -> Structure:
    if type(value) is int and value not in _INT64:
        raise OverflowError(f"{_shorten(path)}: Python integer {_shorten(hex(value))} does not fit in int64")
    return PythonScalarOf(PYTHON_SCALARS[type(value)])


def _structure_of_sequence(value: tuple[Any, ...] | list[Any], path: str, depth: int) -> Structure:
    items = tuple(_structure_of(item, f"{path}[{index}]", depth) for index, item in enumerate(value))
    return ListOf(items) if type(value) is list else TupleOf(items)


def _structure_of_dict(value: dict[Any, Any], path: str, depth: int) -> Structure:
    for key in value:
        if type(key) is not str:
            raise TypeError(f"{_shorten(path)}: dict with a key of type {type(key).__name__}; keys must be str")
    items = tuple(_structure_of(item, f"{path}[{key!r}]", depth) for key, item in value.items())
    return DictOf(tuple(value), items, type(value))


def _structure_of_other(value: Any, path: str, depth: int) -> Structure:
    """What `_DESCRIBE` does not know by its exact type."""
    kind = type(value)
    if kind is np.memmap:
        return _structure_of_array(value, path, depth)
    if isinstance(value, np.ndarray):
        raise TypeError(f"{_shorten(path)}: {kind.__name__}; of the array classes only np.ndarray itself is supported")
    is_tree = is_named_tuple_class(kind) or dataclasses.is_dataclass(kind)
    if isinstance(value, enum.Enum | np.dtype | type | types.ModuleType) or (callable(value) and not is_tree):
        return StaticOf(value)
    if isinstance(value, np.generic):
        return _structure_of_numpy_scalar(value, path, depth)
    if is_named_tuple_class(kind):
        pairs = zip(kind._fields, value, strict=True)
        return NamedTupleOf(kind, tuple(_structure_of(item, f"{path}.{name}", depth) for name, item in pairs))
    if dataclasses.is_dataclass(kind):
        names = tuple(field.name for field in dataclasses.fields(kind))
        return DataclassOf(kind, names, tuple(_field_structure(value, name, path, depth) for name in names))
    raise TypeError(f"{_shorten(path)}: {_class_name(kind)} is not supported as an argument of compiled code")


def _field_structure(value: Any, name: str, path: str, depth: int) -> Structure:
    try:
        field = getattr(value, name)
    except AttributeError:
        raise TypeError(f"{_shorten(path)}: {_class_name(type(value))} has no value for its field {name!r}") from None
    return _structure_of(field, f"{path}.{name}", depth)


def is_named_tuple_class(kind: type) -> bool:
    """Whether the class is a direct product of `collections.namedtuple` or `typing.NamedTuple`."""
    return issubclass(kind, tuple) and isinstance(getattr(kind, "_fields", None), tuple) and hasattr(kind, "_make")


def _class_name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _shorten(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:60]}...{text[-40:]}"


_DESCRIBE: dict[type, Callable[[Any, str, int], Structure]] = {
    np.ndarray: _structure_of_array,
    bool: _structure_of_python_scalar,
    int: _structure_of_python_scalar,
    float: _structure_of_python_scalar,
    tuple: _structure_of_sequence,
    list: _structure_of_sequence,
    dict: _structure_of_dict,
    collections.OrderedDict: _structure_of_dict,
    **{np.dtype(name).type: _structure_of_numpy_scalar for name in SHORT_NAMES},
    **dict.fromkeys(
        (types.NoneType, str, bytes, types.EllipsisType, slice, types.FunctionType, types.BuiltinFunctionType),
        lambda value, path, depth: StaticOf(value),
    ),
}


def leaves_of(structure: Structure, value: Any) -> list[Any]:
    """The leaves of a value that has this structure; arrays come out C-contiguous, aligned and in native byte order."""
    leaves: list[Any] = []
    _collect_leaves(structure, value, leaves)
    return leaves


def _collect_leaves(structure: Structure, value: Any, leaves: list[Any]) -> None:
    if isinstance(structure, ArrayOf):
        leaves.append(native_array(value))
    elif isinstance(structure, LEAVES):
        leaves.append(native_value(structure, value))
    else:
        for child, item in zip(structure.children(), items_of(structure, value), strict=True):
            _collect_leaves(child, item, leaves)


def items_of(structure: Structure, value: Any) -> list[Any]:
    """The parts of a value that belong to `structure.children()`."""
    match structure:
        case TupleOf() | ListOf() | NamedTupleOf():
            return list(value)
        case DictOf():
            return [value[key] for key in structure.keys]
        case DataclassOf():
            return [getattr(value, name) for name in structure.names]
    return []


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
    return _with_items(structure, native)


def _with_items(structure: Structure, items: list[Any]) -> Any:
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
    return tuple(items)
