"""The structure of a Python value, or the error that names the path of what has none."""

from __future__ import annotations

import collections
import dataclasses
import enum
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from arignote.ir.structure import (
    MANY,
    PYTHON_SCALARS,
    SHORT_NAMES,
    ArrayOf,
    DataclassOf,
    DictOf,
    ListOf,
    NamedTupleOf,
    NumpyScalarOf,
    PythonScalarOf,
    StaticOf,
    Structure,
    TupleOf,
)

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
