"""Boxing of trees, lists and unions: from slots, boxes and list buffers to Python objects.

The objects of a tree's nodes are made first and filled later, so that depth costs no stack; a box that is met again is
the object that it already became.
"""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from arignote.ir.structure import (
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
from arignote.ir.structure_values import with_items
from arignote.runtime.buffers import HEADER_BYTES, TAG
from arignote.runtime.operands import REFERENCE, box_layout, leaf_words, operands

_FORMATS = {"bool": "?7x", "int32": "i4x", "int64": "q", "float32": "f4x", "float64": "d"}

_set_field = object.__setattr__


def operand_dtypes(structure: Structure, top: bool = False) -> list[str]:
    """The dtype of each operand of a value, int64 for addresses. `top`: in slots, where arrays have all their sizes."""
    match structure:
        case ArrayOf() if structure.rank:
            return ["int64"] * (leaf_words(structure) if top else len(operands(structure)))
        case ArrayOf() | NumpyScalarOf() | PythonScalarOf():
            return [structure.dtype]
        case SelfOf() | RecursiveOf() | SequenceOf():
            return ["int64"] * len(operands(structure))
    own = ["int64"] if isinstance(structure, UnionOf) else []
    return [*own, *(dtype for child in structure.children() for dtype in operand_dtypes(child, top))]


@functools.lru_cache(maxsize=1024)
def _box_reader(payload: Structure) -> Callable[[int], list[Any]]:
    """Reads the operands of a payload from its box."""
    layout, dtypes = box_layout(payload), operand_dtypes(payload)
    order = sorted(range(layout.words), key=layout.places.__getitem__)
    unpack = struct.Struct("<" + "".join(_FORMATS[dtypes[index]] for index in order)).unpack
    places, size = layout.places, 8 * layout.words

    def read(box: int) -> list[Any]:
        words = unpack(ctypes.string_at(box + HEADER_BYTES, size))
        return [words[place] for place in places]

    return read


class Boxer:
    """Makes the objects of one result."""

    def __init__(self) -> None:
        self.made: dict[tuple[int, Structure], Any] = {}
        self.waiting: list[tuple[Any, int, DataclassOf, RecursiveOf]] = []

    def value(self, structure: Structure, flat: Iterator[Any], around: RecursiveOf | None, top: bool = False) -> Any:
        """The object whose operands come next."""
        match structure:
            case StaticOf():
                return structure.value
            case PythonScalarOf():
                return next(flat)
            case NumpyScalarOf():
                return np.dtype(structure.dtype).type(next(flat))
            case ArrayOf():
                return _array(structure, flat, top)
            case SelfOf():
                assert around is not None
                return self.node(around, next(flat))
            case RecursiveOf():
                return self.node(structure, next(flat))
            case SequenceOf():
                return self._sequence(structure, flat, around)
            case UnionOf():
                return self._union(structure, flat, around, top)
        return with_items(structure, [self.value(part, flat, around, top) for part in structure.children()])

    def _union(self, structure: UnionOf, flat: Iterator[Any], around: RecursiveOf | None, top: bool) -> Any:
        tag = next(flat)
        chosen = None
        for number, part in enumerate(structure.alternatives):
            words = [next(flat) for _ in operand_dtypes(part, top)]
            if number == tag:
                chosen = self.value(part, iter(words), around, top)
        return chosen

    def node(self, union: RecursiveOf, box: int) -> Any:
        """The object of a box; its fields come later."""
        if box == 0:
            return self.value(union.alternatives[0], iter(()), union)
        key = (box, union)
        if key not in self.made:
            payload = union.alternatives[ctypes.c_int64.from_address(box + TAG).value]
            if isinstance(payload, DataclassOf):
                self.made[key] = object.__new__(payload.cls)
                self.waiting.append((self.made[key], box, payload, union))
            else:
                self.made[key] = self.value(payload, iter(_box_reader(payload)(box)), union)
        return self.made[key]

    def fill(self) -> None:
        """Gives all objects their fields."""
        while self.waiting:
            node, box, payload, union = self.waiting.pop()
            flat = iter(_box_reader(payload)(box))
            for name, part in zip(payload.names, payload.items, strict=True):
                _set_field(node, name, self.value(part, flat, union))

    def _sequence(self, structure: SequenceOf, flat: Iterator[Any], around: RecursiveOf | None) -> Any:
        length, _ = next(flat), next(flat)
        element = structure.element
        dtypes = operand_dtypes(element)
        columns = [_column(next(flat), length, dtype) for dtype in dtypes]
        if isinstance(element, PythonScalarOf):
            items = columns[0]
        else:
            rows = zip(*columns, strict=True) if columns else [()] * length
            items = [self.value(element, iter(row), around) for row in rows]
        return items if structure.kind is list else structure.kind(items)


def _column(buffer: int, length: int, dtype: str) -> list[Any]:
    """The first elements of a list's buffer."""
    if not length:
        return []
    kind = np.dtype(dtype)
    memory: Any = (ctypes.c_char * (length * kind.itemsize)).from_address(buffer + HEADER_BYTES)
    return np.frombuffer(memory, kind).tolist()


def _array(structure: ArrayOf, flat: Iterator[Any], top: bool) -> np.ndarray[Any, Any]:
    """A copy of an array; one of rank 0 is a number to compiled code."""
    dtype = np.dtype(structure.dtype)
    if not structure.rank:
        return np.array(next(flat), dtype)
    _, address = next(flat), next(flat)
    shape = tuple([next(flat) if top or size < 0 else size for size in structure.dims])
    made = np.empty(shape, dtype)
    ctypes.memmove(made.ctypes.data, address, made.nbytes)
    return made


class TreeMaker:
    """Makes one part of a result from the slots at an address. The parts of one result share what they have made."""

    def __init__(self, structure: Structure, slots: Sequence[int], leaves: Sequence[Structure], group: Group) -> None:
        self.structure, self.group = structure, group
        self.places = [(slot, leaf) for slot, leaf in zip(slots, leaves, strict=True)]
        group.parts += 1
        self.number = group.parts

    def references(self) -> list[int]:
        """The slots that hold references."""
        found = []
        for slot, leaf in self.places:
            found += [slot + index for index, operand in enumerate(operands(leaf)) if operand == REFERENCE]
        return found

    def __call__(self, address: int) -> Any:
        """The object, from the address of the first slot."""
        boxer = self.group.boxer(address, self.number)
        words: list[Any] = []
        for slot, leaf in self.places:
            dtypes = operand_dtypes(leaf, top=True)
            unpack = struct.Struct("<" + "".join(_FORMATS[dtype] for dtype in dtypes)).unpack
            words += unpack(ctypes.string_at(address + 8 * slot, 8 * len(dtypes)))
        made = boxer.value(self.structure, iter(words), None, top=True)
        boxer.fill()
        return made


class Group:
    """The parts of one result that trees are in, and what the parts of each call have made so far."""

    def __init__(self) -> None:
        self.parts = 0
        self._boxers: dict[int, Boxer] = {}

    def boxer(self, address: int, number: int) -> Boxer:
        """The boxer of the call whose results are at this address."""
        boxer = Boxer() if number == 1 else self._boxers.pop(address)
        if number < self.parts:
            self._boxers[address] = boxer
        return boxer
