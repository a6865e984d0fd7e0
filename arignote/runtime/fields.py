"""Where the fields of a class's instances lie, so that native code can read them without a look-up by name.

An instance keeps its attributes in slots at fixed offsets, or in an array of values in the order of the class's keys.
Where that is, is found out by looking for the fields of an example, and trusted while the class is not modified: its
version number tells. Whatever is not found there is looked up by name.
"""

from __future__ import annotations

import ctypes
import inspect
import sys
from typing import Any

VERSION = 384
"""The offset of a class's version number."""

IN_OBJECT, IN_VALUES = 0, 1
"""How to find a field: at an offset from the object, or from its array of values."""

# The array of values: before the object (up to 3.12 by a pointer), or in it with a byte that says whether it is valid.
if sys.version_info < (3, 12):
    VALUES_POINTER, VALUES_TAG, VALUES_VALID, VALUES_START = -32, 0, 0, 0
elif sys.version_info < (3, 13):
    VALUES_POINTER, VALUES_TAG, VALUES_VALID, VALUES_START = -24, 1, 0, 0
else:
    VALUES_POINTER, VALUES_TAG, VALUES_VALID, VALUES_START = 0, 0, 19, 24

_HEADER = 16


def _word(address: int) -> int:
    return ctypes.c_int64.from_address(address).value


def values_of(instance: object) -> int:
    """The address of an instance's array of values, or 0."""
    if VALUES_VALID:
        valid = ctypes.c_ubyte.from_address(id(instance) + VALUES_VALID).value
        return id(instance) + VALUES_START if valid else 0
    word = _word(id(instance) + VALUES_POINTER)
    return word + VALUES_TAG if word and word & 1 == VALUES_TAG else 0


def _has_values(cls: type) -> bool:
    managed_dict, inline_values = 1 << 4, 1 << 2
    flags = cls.__flags__
    return bool(flags & managed_dict) and (not VALUES_VALID or bool(flags & inline_values))


def version(cls: type) -> int:
    """The class's version number, 0 if it has none."""
    return ctypes.c_uint32.from_address(id(cls) + VERSION).value


def places(cls: type, names: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """For each field that can be read directly: (IN_OBJECT or IN_VALUES, offset in bytes)."""
    if cls.__getattribute__ is not object.__getattribute__ or cls.__basicsize__ < _HEADER or not names:
        return {}
    try:
        example: Any = object.__new__(cls)
        markers = {name: object() for name in names}
        for name, marker in markers.items():
            object.__setattr__(example, name, marker)
        getattr(example, names[0])  # gives the class a version number
    except (AttributeError, TypeError):
        return {}
    found = {}
    for name, marker in markers.items():
        place = _place(example, cls, name, marker)
        if place is not None:
            found[name] = place
    return found


def _place(example: Any, cls: type, name: str, marker: object) -> tuple[int, int] | None:
    attribute = inspect.getattr_static(cls, name, None)
    if inspect.ismemberdescriptor(attribute):
        offsets = range(_HEADER, cls.__basicsize__, 8)
        return next(((IN_OBJECT, offset) for offset in offsets if _word(id(example) + offset) == id(marker)), None)
    if hasattr(type(attribute), "__set__") or hasattr(type(attribute), "__delete__") or not _has_values(cls):
        return None
    values = values_of(example)
    count = _value_count(values) if values else 0
    return next(((IN_VALUES, 8 * index) for index in range(count) if _word(values + 8 * index) == id(marker)), None)


def _value_count(values: int) -> int:
    """How many values there are at least: bytes before them tell."""
    if VALUES_VALID:
        return ctypes.c_ubyte.from_address(values - 8).value
    used, prefix = (ctypes.c_ubyte.from_address(values - distance).value for distance in (2, 1))
    return max(used, prefix - 9)
