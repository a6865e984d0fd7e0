"""From structures to the lists of operations that the native guards and boxers run."""

from __future__ import annotations

import collections
import ctypes
import struct
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.ir.records import dataclass, field
from arignote.ir.structure import (
    LEAVES,
    MANY,
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
    leaf_structures,
)
from arignote.ir.structure_values import make_dataclass
from arignote.runtime import boxing, guard_codes, layout
from arignote.runtime.encode_nodes import NodeTables
from arignote.runtime.encode_trees import CannotGuard, Tables, by_value
from arignote.runtime.operands import REFERENCE, leaf_words, operands
from arignote.runtime.tree_boxing import Group, TreeMaker

_OPERATION = struct.Struct("<iiiiqq")


@dataclass(frozen=True)
class Capture:
    """A value from outside that a compiled function reads at each call, as Python does.

    container: a dict of globals (or of a module), or a cell of a closure
    key:       the name in the dict; None for a cell
    structure: what the value must be; its leaves are hidden arguments after those of the parameters.
               None: the name must be absent from the dict (and so is found among the built-in names)
    """

    container: Any
    key: str | None
    structure: Structure | None


def pack_operations(operations: Sequence[tuple[int, ...]]) -> Any:
    data = b"".join(_OPERATION.pack(*operation) for operation in operations)
    return ctypes.create_string_buffer(data, max(len(data), 1))


def pointers(objects: Sequence[Any]) -> Any:
    """A native array of borrowed references; the caller keeps the objects alive."""
    return (ctypes.c_int64 * max(len(objects), 1))(*map(id, objects))


@dataclass
class GuardList:
    """Operations being collected. Registers below `arguments` hold the call's arguments; `of_native`: trees among them
    come in their native form, in which all dicts are of the class dict."""

    arguments: int
    of_native: bool = False
    operations: list[tuple[int, ...]] = field(default_factory=list)
    slots: int = 0
    owned: int = 0
    alive: list[Any] = field(default_factory=list)
    buffers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registers = self.arguments
        self.trees = Tables(self)

    def pack(self) -> Any:
        """The operations as bytes in memory."""
        self.trees.finish()
        return pack_operations(self.operations)

    def add(self, code: int, source: int = 0, target: int = 0, count: int = 0, first: Any = 0, second: Any = 0) -> None:
        """One operation; Python objects among the constants are kept alive."""
        constants = []
        for value in (first, second):
            if type(value) is int:
                constants.append(value)
            else:
                self.alive.append(value)
                constants.append(id(value))
        self.operations.append((code, source, target, count, *constants))

    def new_registers(self, count: int) -> int:
        """The first of so many registers that nothing else uses."""
        self.registers += count
        return self.registers - count

    def value(self, structure: Structure, register: int, hold: bool = False) -> None:
        """Guards the object in a register, and unboxes its leaves."""
        if isinstance(structure, StaticOf):
            self._static(structure.value, register)
        elif isinstance(structure, LEAVES):
            self._leaf(structure, register, hold)
        elif isinstance(structure, DataclassOf):
            self.add(guard_codes.CLASS, register, first=structure.cls)
            for name, item in zip(structure.names, structure.items, strict=True):
                self.value(item, self._attribute(register, name), hold=True)
        elif isinstance(structure, FunctionOf):
            self._function(structure, register)
        else:
            self._container(structure, register)

    def _function(self, structure: FunctionOf, register: int) -> None:
        """A Python function: of this code and these globals, with cells and defaults of these structures."""
        kind = structure.template
        self.add(guard_codes.CLASS, register, first=types.FunctionType)
        self._static(kind.code, self._attribute(register, "__code__"))
        self._static(kind.namespace, self._attribute(register, "__globals__"))
        cells = structure.items[: len(kind.captured)]
        if cells:
            first = self.new_registers(len(cells))
            self.add(guard_codes.SEQUENCE, self._attribute(register, "__closure__"), first, len(cells), tuple)
            for place, item in enumerate(cells):
                self.value(item, self._attribute(first + place, "cell_contents"), hold=True)
        for name, form, items in (
            ("__defaults__", TupleOf, structure.items[len(cells) : len(cells) + kind.defaults]),
            ("__kwdefaults__", lambda held: DictOf(kind.keywords, held), structure.items[len(cells) + kind.defaults :]),
        ):
            self.value(form(items) if items else StaticOf(None), self._attribute(register, name))

    def _attribute(self, register: int, name: str) -> int:
        """A register with an attribute of the object in another."""
        target = self.new_registers(1)
        self.owned += 1
        self.add(guard_codes.ATTRIBUTE, register, target, first=name)
        return target

    def _container(self, structure: Structure, register: int) -> None:
        items = structure.children()
        target, count = self.new_registers(len(items)), len(items)
        match structure:
            case TupleOf():
                self.add(guard_codes.SEQUENCE, register, target, count, tuple)
            case NamedTupleOf():
                self.add(guard_codes.SEQUENCE, register, target, count, structure.cls)
            case ListOf():
                self.add(guard_codes.LIST, register, target, count, list)
            case DictOf() if structure.cls is dict:
                self.alive.append(structure.keys)
                keys = pointers(structure.keys)
                self.alive.append(keys)
                self.add(guard_codes.DICT, register, target, count, dict, ctypes.addressof(keys))
            case _:
                raise CannotGuard(repr(structure))
        for position, item in enumerate(items):
            self.value(item, target + position, hold=True)

    def _leaf(self, structure: Structure, register: int, hold: bool) -> None:
        target = self.slots
        self.slots += leaf_words(structure)
        match structure:
            case ArrayOf():
                dtype = np.dtype(structure.dtype)
                if any(size not in (1, MANY) for size in structure.dims):
                    raise CannotGuard(f"{structure!r}: only 1 and MANY are told apart")
                pattern = sum(1 << index for index, size in enumerate(structure.dims) if size == 1)
                shape = dtype.num | dtype.itemsize << 8 | (guard_codes.HOLD if hold else 0)
                self.owned += 1 + hold  # the array itself, and a copy if it cannot be read as it is
                self.add(guard_codes.ARRAY, register, target, structure.rank, pattern, shape)
            case NumpyScalarOf():
                dtype = np.dtype(structure.dtype)
                self.add(guard_codes.SCALAR, register, target, dtype.itemsize, dtype.type)
            case PythonScalarOf():
                codes = {"bool": guard_codes.BOOLEAN, "int64": guard_codes.INTEGER, "float64": guard_codes.FLOAT}
                self.add(codes[structure.dtype], register, target)
            case RecursiveOf():
                self.buffers.append(target)
                table = self.trees.union(structure)
                self.add(guard_codes.UNION, register, target, int(hold), table, guard_codes.ROOT_ITEM)
            case SequenceOf():
                references = [target + i for i, part in enumerate(operands(structure)) if part == REFERENCE]
                self.buffers += references
                self.add(guard_codes.ITEMS, register, target, int(hold), self.trees.list(structure, None), target + 2)
            case _:
                raise CannotGuard(repr(structure))

    def _static(self, value: Any, register: int) -> None:
        if type(value) is types.MethodType:
            self.alive.append(value)
            self.operations.append((guard_codes.METHOD, register, 0, 0, id(value.__self__), id(value.__func__)))
            return
        self.alive.append(value)
        self.operations.append((guard_codes.STATIC, register, 0, int(by_value(value)), id(value), 0))

    def constant(self, value: Any) -> int:
        """A register that holds this object."""
        register = self.new_registers(1)
        self.alive.append(value)
        self.operations.append((guard_codes.CONSTANT, 0, register, 0, id(value), 0))
        return register

    def capture(self, capture: Capture) -> None:
        """Guards and unboxes a captured value."""
        if capture.structure is None:
            self.add(guard_codes.ABSENT, first=capture.container, second=capture.key)
            return
        register = self.new_registers(1)
        if isinstance(capture.container, types.CellType):
            self.add(guard_codes.CELL, target=register, first=capture.container)
        else:
            self.add(guard_codes.GLOBAL, target=register, first=capture.container, second=capture.key)
        self.value(capture.structure, register, hold=True)


@dataclass
class BoxList:
    """Operations that make a result."""

    operations: list[tuple[int, ...]] = field(default_factory=list)
    alive: list[Any] = field(default_factory=list)
    group: Group = field(default_factory=Group)
    released: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.nodes = NodeTables(self.alive)

    def pack(self) -> Any:
        """The operations as bytes in memory."""
        return pack_operations(self.operations)

    def value(self, structure: Structure, slots: collections.deque[int]) -> None:
        """Makes the value whose leaves are in the next `slots`."""
        if isinstance(structure, UnionOf | SequenceOf | RecursiveOf):
            self._tree(structure, slots)
            return
        if isinstance(structure, LEAVES):
            slot = slots.popleft()
            self._leaf(structure, slot, boxing.SHARED if slot in slots else 0)
            return
        if isinstance(structure, StaticOf):
            self._add(boxing.STATIC, 0, 0, first=structure.value)
            return
        for item in structure.children():
            self.value(item, slots)
        self._container(structure, len(structure.children()))

    def _tree(self, structure: Structure, slots: collections.deque[int]) -> None:
        table = self.nodes.table(structure) if isinstance(structure, RecursiveOf) else None
        if table is not None:
            slot = slots.popleft()
            self.operations.append((boxing.NODE, slot, 0, boxing.SHARED if slot in slots else 0, table, 0))
            return
        leaves = leaf_structures(structure)
        maker = TreeMaker(structure, [slots.popleft() for _ in leaves], leaves, self.group)
        owned = [slot for slot in maker.references() if slot not in self.released]
        self.released.update(owned)
        words = (ctypes.c_int64 * max(len(owned), 1))(*owned)
        self.alive.append(words)
        self._add(boxing.TREE, 0, len(owned), first=maker, second=ctypes.addressof(words))

    def _add(self, code: int, slot: int, count: int, flags: int = 0, first: Any = None, second: int = 0) -> None:
        self.alive.append(first)
        self.operations.append((code, slot, count, flags, id(first), second))

    def _leaf(self, structure: Structure, slot: int, shared: int) -> None:
        match structure:
            case ArrayOf():
                dtype = np.dtype(structure.dtype)
                self._add(boxing.ARRAY, slot, structure.rank, shared, dtype, dtype.itemsize)
            case NumpyScalarOf():
                self._add(boxing.SCALAR, slot, 0, first=np.dtype(structure.dtype))
            case PythonScalarOf():
                codes = {"bool": boxing.BOOLEAN, "int64": boxing.INTEGER, "float64": boxing.FLOAT}
                self._add(codes[structure.dtype], slot, 0)

    def _container(self, structure: Structure, count: int) -> None:
        match structure:
            case TupleOf():
                self._add(boxing.TUPLE, 0, count)
            case ListOf():
                self._add(boxing.LIST, 0, count)
            case NamedTupleOf():
                cls = structure.cls
                self._add(boxing.CALL, 0, count, first=lambda *items: tuple.__new__(cls, items))
            case DataclassOf():
                cls, names = structure.cls, structure.names
                self._add(boxing.CALL, 0, count, first=lambda *items: make_dataclass(cls, names, list(items)))
            case FunctionOf():
                kind = structure.template
                self._add(boxing.CALL, 0, count, first=lambda *items: kind.make(items))
            case DictOf():
                keys = pointers(structure.keys)
                empty = dict.fromkeys(structure.keys)
                self.alive.extend((keys, structure.keys, empty))
                is_flat = all(isinstance(item, ArrayOf | NumpyScalarOf | PythonScalarOf) for item in structure.items)
                begin = layout.dict_entries(empty) if is_flat else 0
                self.operations.append((boxing.DICT, 0, count, begin, ctypes.addressof(keys), id(empty)))
                if structure.cls is not dict:
                    self._add(boxing.CALL, 0, 1, first=structure.cls)
