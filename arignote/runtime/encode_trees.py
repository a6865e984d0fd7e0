"""The operations that recognise the nodes of trees and the elements of lists, and the tables that name them."""

from __future__ import annotations

import ctypes
import math
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.ir.native_trees import native_class
from arignote.ir.structure import (
    ANY,
    MANY,
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
)
from arignote.runtime import fields, guard_codes
from arignote.runtime.operands import REFERENCE, box_layout, is_null, operands

if TYPE_CHECKING:
    from arignote.runtime.encode import GuardList

_MOST_BITS = 62
"""How many places of a tree may hold numbers of several Python kinds; the others hold one kind only."""


class CannotGuard(Exception):
    """A structure that native code cannot recognise; the Python dispatcher then takes every call with it."""


def by_value(value: Any) -> bool:
    """Whether an equal object of the same class is as good as this one."""
    return type(value) in (str, bytes, int) or (type(value) is float and value != 0 and not math.isnan(value))


def class_of(structure: Structure) -> type:
    """The exact class of the objects that have a structure."""
    match structure:
        case ArrayOf():
            return np.ndarray
        case NumpyScalarOf():
            return np.dtype(structure.dtype).type
        case PythonScalarOf():
            return next(kind for kind, dtype in PYTHON_SCALARS.items() if dtype == structure.dtype)
        case TupleOf():
            return tuple
        case ListOf():
            return list
        case SequenceOf():
            return structure.kind
        case DictOf() | NamedTupleOf() | DataclassOf():
            return structure.cls
        case StaticOf() if structure.value is None:
            return types.NoneType
    raise CannotGuard(repr(structure))


class Tables:
    """The tables of the unions and lists in one guard. They are written by `finish`, when it is known which structures
    occur once: only there may a number of a narrower kind stand for a wider one."""

    def __init__(self, guard: GuardList) -> None:
        self.guard = guard
        self.bits = 0
        self._unions: dict[RecursiveOf, Any] = {}
        self._uses: dict[RecursiveOf, int] = {}

    def union(self, structure: RecursiveOf) -> int:
        """The address of the table of a union; one for all places, so that what they share stays shared."""
        if structure not in self._unions:
            words = 1 + len(structure.alternatives) * guard_codes.ENTRY_BYTES // 8
            self._unions[structure] = (ctypes.c_int64 * words)()
            self.guard.alive.append(self._unions[structure])
        self._uses[structure] = self._uses.get(structure, 0) + 1
        return ctypes.addressof(self._unions[structure])

    def class_of(self, structure: Structure) -> type:
        """The exact class of the objects that have a structure, or of their native forms."""
        if self.guard.of_native and isinstance(structure, DictOf):
            return dict
        if self.guard.of_native and isinstance(structure, DataclassOf):
            return native_class(structure.cls)
        return class_of(structure)

    def finish(self) -> None:
        """Writes the tables."""
        done: set[RecursiveOf] = set()
        while len(done) < len(self._unions):
            for structure in [item for item in self._unions if item not in done]:
                done.add(structure)
                self._write(structure)

    def _write(self, structure: RecursiveOf) -> None:
        alternatives, table = structure.alternatives, self._unions[structure]
        classes = [self.class_of(part) for part in alternatives]
        if len(set(classes)) < len(classes):
            raise CannotGuard(f"{structure!r}: alternatives of one class")
        table[0] = len(alternatives)
        for tag, (cls, part) in enumerate(zip(classes, alternatives, strict=True)):
            layout = box_layout(part)
            program = Program(self, structure, layout.places)
            program.value(part, 0)
            address, count = program.finish()
            fields = (id(cls), tag, layout.references, layout.words, address, count, is_null(alternatives, tag), 0)
            self.guard.alive.append(cls)
            start = 1 + tag * guard_codes.ENTRY_BYTES // 8
            table[start : start + len(fields)] = list(map(int, fields))

    def list(self, structure: SequenceOf, around: RecursiveOf | None) -> int:
        """The address of a table for a list, inside a union or not."""
        flat = operands(structure.element)
        program = Program(self, around, range(len(flat)))
        program.value(structure.element, 0, hold=True)
        address, count = program.finish()
        sizes = [0 if operand == REFERENCE else operand for operand in flat]
        fields = (id(structure.kind), len(flat), address, count, int(structure.kind is list), *sizes)
        table = (ctypes.c_int64 * len(fields))(*fields)
        self.guard.alive.append(table)
        return ctypes.addressof(table)

    def bit(self, structure: RecursiveOf | None) -> int:
        """A bit for one more place that holds Python numbers, 0 if only one kind may stand there."""
        if structure is None or self._uses[structure] > 1 or self.bits == _MOST_BITS:
            return 0
        self.bits += 1
        return 1 << (self.bits - 1)


class Program:
    """The operations for one kind of node or element. Register 0 holds it; `places` says where its operands go."""

    def __init__(self, tables: Tables, around: RecursiveOf | None, places: Sequence[int]) -> None:
        self.tables, self.around, self.places = tables, around, places
        self.operations: list[tuple[int, ...]] = []
        self.alive = tables.guard.alive
        self.registers, self.next = 1, 0

    def finish(self) -> tuple[int, int]:
        """The address of the operations, and how many there are."""
        from arignote.runtime.encode import pack_operations

        guard = self.tables.guard
        guard.registers = max(guard.registers, self.registers)
        packed = pack_operations(self.operations)
        self.alive.append(packed)
        return ctypes.addressof(packed), len(self.operations)

    def add(self, code: int, source: int = 0, target: int = 0, count: int = 0, first: Any = 0, second: Any = 0) -> None:
        """One operation; Python objects among the constants are kept alive."""
        constants = []
        for value in (first, second):
            if type(value) is not int:
                self.alive.append(value)
            constants.append(value if type(value) is int else id(value))
        self.operations.append((code, source, target, count, *constants))

    def _registers(self, count: int) -> int:
        self.registers += count
        return self.registers - count

    def _take(self, structure: Structure, reference: int, other: int) -> tuple[int, int]:
        """The places of two operands of a leaf, which are counted from its first one."""
        first = self.next
        self.next += len(operands(structure))
        return self._place(first + reference), self._place(first + other)

    def _place(self, operand: int) -> int:
        return self.places[operand] if operand < len(self.places) else 0

    def value(self, structure: Structure, register: int, hold: bool = False) -> None:
        """Recognises the object in a register, and writes its operands. `hold`: what it was found in may drop it."""
        match structure:
            case StaticOf():
                self._static(structure.value, register)
            case ArrayOf():
                self._array(structure, register, hold)
            case NumpyScalarOf():
                dtype = np.dtype(structure.dtype)
                self.add(guard_codes.SCALAR, register, self._take(structure, 0, 0)[0], dtype.itemsize, dtype.type)
            case PythonScalarOf():
                self._number(structure.dtype, register, self._take(structure, 0, 0)[0])
            case SelfOf() | RecursiveOf():
                place, _ = self._take(structure, 0, 0)
                inner = self._table(structure)
                self.add(guard_codes.UNION, register, place, int(hold), inner, guard_codes.NODE_ITEM)
            case SequenceOf():
                reference, length = self._take(structure, 2, 0)
                table = self.tables.list(structure, self.around)
                self.add(guard_codes.ITEMS, register, length, int(hold), table, reference)
            case UnionOf():
                self._union(structure, register, hold)
            case _:
                self._container(structure, register)

    def _class(self, structure: Structure) -> type:
        """The class of an object here, which in its native form may be another one."""
        return self.tables.class_of(structure)

    def _table(self, structure: Structure) -> int:
        inner = self.around if isinstance(structure, SelfOf) else structure
        assert isinstance(inner, RecursiveOf), structure
        table = self.tables._unions.get(inner)
        return ctypes.addressof(table) if table is not None and inner is self.around else self.tables.union(inner)

    def _array(self, structure: ArrayOf, register: int, hold: bool) -> None:
        dtype = np.dtype(structure.dtype)
        shape = dtype.num | dtype.itemsize << 8 | guard_codes.HOLD * hold
        if not structure.rank:
            self.add(guard_codes.NODE_NUMBER, register, self._take(structure, 0, 0)[0], 0, 0, shape)
            return
        if any(size not in (MANY, ANY) for size in structure.dims):
            raise CannotGuard(f"{structure!r}: sizes in trees and lists are known when the program runs")
        pattern = sum(1 << index for index, size in enumerate(structure.dims) if size == ANY)
        self.add(guard_codes.NODE_ARRAY, register, self._take(structure, 0, 1)[1], structure.rank, pattern, shape)

    def _number(self, dtype: str, register: int, place: int) -> None:
        if dtype == "bool":
            self.add(guard_codes.BOOLEAN, register, place)
        else:
            code = guard_codes.NODE_INTEGER if dtype == "int64" else guard_codes.NODE_FLOAT
            self.add(code, register, place, second=self.tables.bit(self.around))

    def _static(self, value: Any, register: int) -> None:
        if type(value) is types.MethodType:
            self.add(guard_codes.METHOD, register, first=id(value.__self__), second=id(value.__func__))
        else:
            self.operations.append((guard_codes.STATIC, register, 0, int(by_value(value)), id(value), 0))
        self.alive.append(value)

    def _container(self, structure: Structure, register: int) -> None:
        items = structure.children()
        if isinstance(structure, DataclassOf):
            cls = self._class(structure)
            self.add(guard_codes.CLASS, register, first=cls)
            known, version = fields.places(cls, structure.names), fields.version(cls)
            for name, item in zip(structure.names, items, strict=True):
                target = self._registers(1)
                if name in known and version:
                    kind, offset = known[name]
                    code = guard_codes.FIELD_IN_OBJECT if kind == fields.IN_OBJECT else guard_codes.FIELD_IN_VALUES
                    self.add(code, register, target, offset, name, version)
                    self.value(item, target, hold=True)
                else:
                    self.add(guard_codes.ATTRIBUTE, register, target, first=name)
                    self.value(item, target)
            return
        target = self._registers(len(items))
        match structure:
            case TupleOf() | NamedTupleOf():
                self.add(guard_codes.SEQUENCE, register, target, len(items), class_of(structure))
            case ListOf():
                self.add(guard_codes.LIST, register, target, len(items), list)
            case DictOf() if self._class(structure) is dict:
                keys = (ctypes.c_int64 * max(len(items), 1))(*map(id, structure.keys))
                self.alive += [keys, structure.keys]
                self.add(guard_codes.DICT, register, target, len(items), dict, ctypes.addressof(keys))
            case _:
                raise CannotGuard(repr(structure))
        for position, item in enumerate(items):
            self.value(item, target + position, hold=True)

    def _union(self, structure: UnionOf, register: int, hold: bool) -> None:
        """Tests each alternative in turn; what follows a test that fails is skipped."""
        tag = self._place(self.next)
        self.next += 1
        jumps: list[int] = []
        for number, part in enumerate(structure.alternatives):
            test = len(self.operations)
            self._test(part, register)
            self.add(guard_codes.WORD, target=tag, first=number)
            self.value(part, register, hold)
            jumps.append(len(self.operations))
            self.add(guard_codes.JUMP)
            self._set_count(test, len(self.operations) - test - 1)
        self.add(guard_codes.DIFFERENT)
        for jump in jumps:
            self._set_count(jump, len(self.operations) - jump - 1)

    def _set_count(self, position: int, count: int) -> None:
        code, source, target, _, first, second = self.operations[position]
        self.operations[position] = (code, source, target, count, first, second)

    def _test(self, structure: Structure, register: int) -> None:
        """One operation that skips so many others unless the object looks like this."""
        match structure:
            case StaticOf():
                self.add(
                    guard_codes.TEST_STATIC, register, first=id(structure.value), second=int(by_value(structure.value))
                )
                self.alive.append(structure.value)
            case ArrayOf():
                self.add(guard_codes.TEST_ARRAY, register, first=np.dtype(structure.dtype).num, second=structure.rank)
            case SelfOf() | RecursiveOf():
                self.add(guard_codes.TEST_NODE, register, first=self._table(structure))
            case TupleOf() | ListOf():
                self.add(guard_codes.TEST_CLASS, register, first=class_of(structure), second=len(structure.items))
            case PythonScalarOf():
                self.add(guard_codes.TEST_NUMBER, register, first=class_of(structure))
            case _:
                self.add(guard_codes.TEST_CLASS, register, first=self._class(structure), second=-1)
