"""The meaning of the loop IR: a slow interpreter over NumPy memory. Every backend is tested against it.

A pointer is an array and an offset into it; a buffer is an object with a reference count. Scalars are NumPy scalars
of their exact type, so that integers wrap and float32 rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..ir.records import dataclass, field
from .loop_ir import (
    CHECK_SIGNALS,
    OUT_OF_MEMORY_SITE,
    RECURSION_SITE,
    Alloc,
    Box,
    Call,
    Const,
    Extern,
    For,
    If,
    Kernel,
    Let,
    Load,
    Operand,
    ParallelMap,
    Procedure,
    Program,
    RaiseIf,
    Release,
    Retain,
    Scratch,
    Statement,
    Store,
    Tag,
    Type,
    Unbox,
    Unique,
    Var,
    While,
    box_words,
    element_of,
)
from .loop_ir_scalar import scalar

MAXIMUM_DEPTH = 150
DTYPES = {name: np.dtype(name) for name in ("bool", "int32", "int64", "float32", "float64")}


class SiteRaised(Exception):
    """The program left at an error site with run-time values."""

    def __init__(self, site: int, args: tuple[Any, ...]) -> None:
        super().__init__(site, args)
        self.site, self.args_at_site = site, args


@dataclass(slots=True, eq=False)
class Buffer:
    """A counted buffer; a box has a tag, and data of objects."""

    data: np.ndarray
    references: int = 1
    tag: int = 0


@dataclass(slots=True, eq=False)
class Pointer:
    """The address of an element of an array."""

    data: np.ndarray
    offset: int = 0


@dataclass(slots=True)
class Evaluation:
    """One run of a program: its buffers, the C functions it may call, and how much memory it may have."""

    program: Program
    symbols: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    memory: int = 1 << 40
    buffers: list[Buffer] = field(default_factory=list)
    depth: int = 0

    def live_buffers(self) -> int:
        """How many buffers have references left."""
        return sum(1 for buffer in self.buffers if buffer.references)


def evaluate(
    program: Program, args: Sequence[Any], symbols: Mapping[str, Callable[..., Any]] | None = None
) -> tuple[tuple[Any, ...], Evaluation]:
    """Runs the entry procedure. Arrays are passed as `Pointer`, buffers as `Buffer` or None."""
    run = Evaluation(program, symbols or {})
    return call(run, program.entry, args), run


def call(run: Evaluation, procedure: Procedure, args: Sequence[Any]) -> tuple[Any, ...]:
    """Runs a procedure."""
    frame = Frame(run, {})
    for var, value in zip(procedure.parameters, args, strict=True):
        frame.define(var, value)
    run.depth += 1
    if run.depth > MAXIMUM_DEPTH:
        run.depth = 0
        frame.release(procedure.consumed)
        raise SiteRaised(RECURSION_SITE, ())
    frame.run_body(procedure.body)
    results = tuple(frame.value(result) for result in procedure.results)
    run.depth -= 1
    return results


def typed(value: Any, type: Type) -> Any:
    """A value as a NumPy scalar of its type; pointers and buffers as they are."""
    dtype = DTYPES.get(type)
    if dtype is None:
        return value
    if dtype.kind == "i" and isinstance(value, int):
        return np.array(value & ((1 << (8 * dtype.itemsize)) - 1), f"u{dtype.itemsize}").view(dtype)[()]
    return dtype.type(value)


def release(buffer: Buffer | None) -> None:
    """Gives back one reference; the last one gives back those that the buffer holds."""
    waiting = [buffer]
    while waiting:
        buffer = waiting.pop()
        if isinstance(buffer, Buffer):
            assert buffer.references > 0, "released too often"
            buffer.references -= 1
            if not buffer.references and buffer.data.dtype == object:
                waiting.extend(buffer.data)


class Frame:
    """The variables of one call."""

    __slots__ = ("run", "values")

    def __init__(self, run: Evaluation, values: dict[int, Any]) -> None:
        self.run, self.values = run, values

    def define(self, var: Var, value: Any) -> None:
        """Gives a variable its value."""
        self.values[var.id] = typed(value, var.type)

    def value(self, operand: Operand) -> Any:
        """The value of an operand."""
        return typed(operand.value, operand.type) if isinstance(operand, Const) else self.values[operand.id]

    def all(self, operands: Sequence[Operand]) -> list[Any]:
        """The values of operands."""
        return [self.value(operand) for operand in operands]

    def define_all(self, variables: Sequence[Var], values: Sequence[Any]) -> None:
        """Gives variables their values."""
        for var, value in zip(variables, values, strict=True):
            self.define(var, value)

    def run_body(self, body: list[Statement]) -> None:
        """Runs statements in order."""
        for statement in body:
            RUNNERS[type(statement)](self, statement)

    def release(self, buffers: Sequence[Operand]) -> None:
        """Gives back one reference of each buffer."""
        for operand in buffers:
            release(self.value(operand))


def _let(frame: Frame, statement: Let) -> None:
    args = frame.all(statement.args)
    if statement.op == "pointer_offset":
        result = Pointer(args[0].data, args[0].offset + int(args[1]))
    elif statement.op == "null":
        result = None
    elif statement.op == "is_null":
        result = args[0] is None
    elif statement.op == "buffer_data":
        result = Pointer(args[0].data)
    elif statement.op == "reinterpret" and not isinstance(args[0], np.generic):
        result = args[0]
    else:
        result = scalar(statement.op, args, statement.var.type)
    frame.define(statement.var, result)


def _place(frame: Frame, pointer: Operand, offset: Operand) -> tuple[np.ndarray, int]:
    address = frame.value(pointer)
    place = address.offset + int(frame.value(offset))
    assert 0 <= place < len(address.data), f"address {place} outside of {len(address.data)} elements"
    return address.data, place


def _load(frame: Frame, statement: Load) -> None:
    data, place = _place(frame, statement.pointer, statement.offset)
    frame.define(statement.var, data[place])


def _store(frame: Frame, statement: Store) -> None:
    data, place = _place(frame, statement.pointer, statement.offset)
    data[place] = frame.value(statement.value)


def _alloc(frame: Frame, statement: Alloc) -> None:
    count = int(frame.value(statement.count))
    dtype = DTYPES.get(element_of(statement.pointer.type), np.dtype(object))
    if count * dtype.itemsize > frame.run.memory:
        frame.release(statement.live)
        raise SiteRaised(OUT_OF_MEMORY_SITE, (count * dtype.itemsize,))
    buffer = Buffer(np.full(count, None) if dtype.kind == "O" else np.zeros(count, dtype))
    frame.run.buffers.append(buffer)
    frame.values[statement.buffer.id] = buffer
    frame.values[statement.pointer.id] = Pointer(buffer.data)


def _scratch(frame: Frame, statement: Scratch) -> None:
    frame.define(statement.pointer, Pointer(np.zeros(statement.count, DTYPES[element_of(statement.pointer.type)])))


def _box(frame: Frame, statement: Box) -> None:
    if 8 * len(statement.args) > frame.run.memory:
        frame.release(statement.live)
        raise SiteRaised(OUT_OF_MEMORY_SITE, (8 * len(statement.args),))
    data = np.full(len(statement.args), None)
    for word, arg in zip(box_words(arg.type for arg in statement.args), statement.args):
        data[word] = frame.value(arg)
    buffer = Buffer(data, tag=statement.tag)
    frame.run.buffers.append(buffer)
    frame.values[statement.buffer.id] = buffer


def _tag(frame: Frame, statement: Tag) -> None:
    box = frame.value(statement.buffer)
    assert box is None or box.references > 0, "the tag of a box that is gone"
    frame.define(statement.var, 0 if box is None else box.tag)


def _unbox(frame: Frame, statement: Unbox) -> None:
    box = frame.value(statement.buffer)
    words = box_words(var.type for var in statement.results)
    if box is None:
        assert statement.tag == 0, f"null is taken for a box of tag {statement.tag}"
        values: list[Any] = [0 if var.type in DTYPES else None for var in statement.results]
    else:
        assert box.references > 0 and box.tag == statement.tag, f"a box of tag {box.tag} is taken for {statement.tag}"
        values = [box.data[word] for word in words]
    frame.define_all(statement.results, values)


def _retain(frame: Frame, statement: Retain) -> None:
    buffer = frame.value(statement.buffer)
    if buffer is not None:
        buffer.references += 1


def _release(frame: Frame, statement: Release) -> None:
    frame.release([statement.buffer])


def _unique(frame: Frame, statement: Unique) -> None:
    buffer = frame.value(statement.buffer)
    frame.define(statement.var, buffer is not None and buffer.references == 1)


def _for(frame: Frame, statement: For) -> None:
    carried = frame.all(statement.initial)
    for index in range(int(frame.value(statement.count))):
        frame.define(statement.index, index)
        frame.define_all(statement.carried, carried)
        frame.run_body(statement.body)
        carried = frame.all(statement.yields)
    frame.define_all(statement.results, carried)


def _while(frame: Frame, statement: While) -> None:
    carried = frame.all(statement.initial)
    while True:
        frame.define_all(statement.carried, carried)
        frame.run_body(statement.test_body)
        if not frame.value(statement.test):
            break
        frame.run_body(statement.body)
        carried = frame.all(statement.yields)
    frame.define_all(statement.results, carried)


def _if(frame: Frame, statement: If) -> None:
    holds = bool(frame.value(statement.condition))
    frame.run_body(statement.then_body if holds else statement.else_body)
    frame.define_all(statement.results, frame.all(statement.then_yields if holds else statement.else_yields))


def _call(frame: Frame, statement: Call) -> None:
    procedure = frame.run.program.procedures[statement.procedure]
    try:
        results = call(frame.run, procedure, frame.all(statement.args))
    except SiteRaised:
        frame.release(statement.live)
        raise
    frame.define_all(statement.results, results)


def _parallel_map(frame: Frame, statement: ParallelMap) -> None:
    procedure = frame.run.program.procedures[statement.procedure]
    targets = [frame.value(target) for target in statement.targets]
    try:
        for number in range(int(frame.value(statement.count))):
            results = call(frame.run, procedure, [*frame.all(statement.args), number])
            for target, result in zip(targets, results, strict=True):
                target.data[target.offset + number] = result
    except SiteRaised:
        frame.release(statement.live)
        raise


def _extern(frame: Frame, statement: Extern) -> None:
    if statement.symbol == CHECK_SIGNALS:
        return  # Python asks for signals itself
    try:
        results = frame.run.symbols[statement.symbol](*frame.all(statement.args))
    except SiteRaised:
        frame.release(statement.live)
        raise
    frame.define_all(statement.results, results or ())


def _raise_if(frame: Frame, statement: RaiseIf) -> None:
    if frame.value(statement.condition):
        args = tuple(frame.all(statement.args))
        frame.release(statement.live)
        raise SiteRaised(statement.site, args)


def _kernel(frame: Frame, statement: Kernel) -> None:
    try:
        frame.run_body(statement.body)
    except SiteRaised:
        frame.release(statement.live)
        raise
    frame.define_all(statement.results, frame.all(statement.yields))


RUNNERS: dict[type, Callable[[Frame, Any], None]] = {
    Let: _let,
    Load: _load,
    Store: _store,
    Alloc: _alloc,
    Scratch: _scratch,
    Box: _box,
    Tag: _tag,
    Unbox: _unbox,
    Retain: _retain,
    Release: _release,
    Unique: _unique,
    For: _for,
    While: _while,
    If: _if,
    Call: _call,
    ParallelMap: _parallel_map,
    Extern: _extern,
    RaiseIf: _raise_if,
    Kernel: _kernel,
}


def argument_bits(value: Any) -> int:
    """An error's argument as the 64 bits in which native code stores it."""
    if isinstance(value, np.float32):
        return int(value.view(np.uint32))
    if isinstance(value, (np.floating, float)):
        return int(np.float64(value).view(np.int64))
    return math.trunc(value)
