"""The tables by which native code makes the objects of trees."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from arignote.ir.structure import (
    ANY,
    MANY,
    ArrayOf,
    DataclassOf,
    NumpyScalarOf,
    PythonScalarOf,
    RecursiveOf,
    SelfOf,
    SequenceOf,
    StaticOf,
    Structure,
    UnionOf,
)
from arignote.runtime import guard_codes, node_boxing
from arignote.runtime.operands import box_layout, operands

_NUMBERS = {"bool": node_boxing.BOOLEAN, "int64": node_boxing.INTEGER, "float64": node_boxing.FLOAT}
_LISTS = {"bool": node_boxing.BOOLEANS, "int64": node_boxing.INTEGERS, "float64": node_boxing.FLOATS}


class _Unknown(Exception):
    """A field that native code cannot make."""


class NodeTables:
    """The tables of the unions in one result."""

    def __init__(self, alive: list[Any]) -> None:
        self.alive = alive
        self._known: dict[RecursiveOf, Any] = {}

    def table(self, structure: RecursiveOf) -> int | None:
        """The address of the table of a union, or None where Python code has to make its objects."""
        try:
            return self._table(structure)
        except _Unknown:
            return None

    def _table(self, structure: RecursiveOf) -> int:
        known = self._known.get(structure)
        if known is None:
            words = 1 + len(structure.alternatives) * guard_codes.ENTRY_BYTES // 8
            known = self._known[structure] = (ctypes.c_int64 * words)()
            self.alive.append(known)
            try:
                for tag, part in enumerate(structure.alternatives):
                    self._write(known, tag, part, structure)
            except _Unknown:
                del self._known[structure]
                raise
        return ctypes.addressof(known)

    def _write(self, table: Any, tag: int, part: Structure, around: RecursiveOf) -> None:
        if isinstance(part, StaticOf) and part.value is None and tag == 0:
            return
        is_null = tag == 0 and not operands(part)
        if not isinstance(part, DataclassOf) or is_null or not _is_plain(part.cls):
            raise _Unknown
        from arignote.runtime.encode import pack_operations

        places, first, operations = box_layout(part).places, 0, []
        for name, item in zip(part.names, part.items, strict=True):
            here = places[first : first + len(operands(item))]
            first += len(here)
            code, word, reference, count, second = self._field(item, here, around)
            operations.append((code, word, reference, count, id(name), second))
            self.alive.append(name)
        packed = pack_operations(operations)
        self.alive += [packed, part.cls]
        fields = (id(part.cls), tag, 0, 0, ctypes.addressof(packed), len(operations), 0)
        start = 1 + tag * guard_codes.ENTRY_BYTES // 8
        table[start : start + len(fields)] = list(fields)

    def _field(self, part: Structure, places: tuple[int, ...], around: RecursiveOf) -> tuple[int, int, int, int, int]:
        """Code, word, reference, count and second constant of a field's operation."""
        match part:
            case PythonScalarOf():
                return _NUMBERS[part.dtype], places[0], 0, 0, 0
            case NumpyScalarOf():
                return node_boxing.SCALAR, places[0], 0, 0, self._object(np.dtype(part.dtype))
            case ArrayOf() if all(size in (MANY, ANY) for size in part.dims):
                dtype = np.dtype(part.dtype)
                word, reference = (places[1], places[0]) if part.rank else (places[0], 0)
                return node_boxing.ARRAY, word, reference, part.rank | dtype.itemsize << 8, self._object(dtype)
            case StaticOf():
                return node_boxing.STATIC, 0, 0, 0, self._object(part.value)
            case SelfOf():
                return node_boxing.NODE, 0, places[0], 0, self._table(around)
            case RecursiveOf():
                return node_boxing.NODE, 0, places[0], 0, self._table(part)
            case SequenceOf(element=PythonScalarOf(dtype=dtype)):
                return _LISTS[dtype], places[0], places[2], int(part.kind is tuple), 0
            case SequenceOf(element=SelfOf()):
                return node_boxing.NODES, places[0], places[2], int(part.kind is tuple), self._table(around)
            case UnionOf():
                return node_boxing.UNION, places[0], 0, 0, self._alternatives(part, places[1:], around)
        raise _Unknown

    def _alternatives(self, union: UnionOf, places: tuple[int, ...], around: RecursiveOf) -> int:
        """The address of an operation for each alternative."""
        from arignote.runtime.encode import pack_operations

        operations, first = [], 0
        for part in union.alternatives:
            here = places[first : first + len(operands(part))]
            first += len(here)
            code, word, reference, count, second = self._field(part, here, around)
            operations.append((code, word, reference, count, 0, second))
        packed = pack_operations(operations)
        self.alive.append(packed)
        return ctypes.addressof(packed)

    def _object(self, value: Any) -> int:
        self.alive.append(value)
        return id(value)


def _is_plain(cls: type) -> bool:
    """Whether an instance is made by allocation alone, and its attributes are set as `object` does."""
    return (
        cls.__itemsize__ == 0
        and cls.__base__ is not None
        and all(base.__module__ != "builtins" or base is object for base in cls.__mro__)
    )
