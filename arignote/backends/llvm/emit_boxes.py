"""Boxes: a buffer that holds a tag, references, and words. `lower.loop_ir.box_words` says where."""

from __future__ import annotations

from collections.abc import Callable

from ...lower.loop_ir import BUFFER, OUT_OF_MEMORY_SITE, Box, Statement, Tag, Unbox, box_words
from .emit import passed, raise_when
from .function_text import FunctionText
from .text import memory_type

KIND, LENGTH, TAG, DATA = 16, 24, 48, 64
"""Offsets in a buffer: its kind, its number of references, the tag of a box, its data."""


def field(function: FunctionText, box: str, offset: int) -> str:
    """The address of a part of a box."""
    return function.pure(("field", box, offset), f"getelementptr i8, ptr {box}, i64 {offset}", (box,))


def not_null(function: FunctionText, buffer: str, words: int) -> str:
    """The address of a box; of zeros with so many words of data if it is null."""
    size = DATA // 8 + -(-words // 8) * 8
    zeros = f"@ag_null_box_{size}"
    function.module.declarations[zeros] = f"{zeros} = private constant [{size} x i64] zeroinitializer, align 64"
    null = function.pure(("is_null", buffer), f"icmp eq ptr {buffer}, null", (buffer,))
    return function.pure((zeros, buffer), f"select i1 {null}, ptr {zeros}, ptr {buffer}", (buffer, null))


def emit_tag(function: FunctionText, statement: Tag) -> None:
    """The tag of a box, 0 of null. A box can be read wherever it is known, so this may be moved."""
    buffer = function.text(statement.buffer)
    place = field(function, not_null(function, buffer, 0), TAG)
    function.values[statement.var.id] = function.pure(("tag", place), f"load i64, ptr {place}", (place,))


def emit_box(function: FunctionText, statement: Box) -> None:
    """A fresh box, or the out-of-memory error."""
    total = str(8 * len(statement.args))
    allocate = function.module.symbol("ag_alloc", "ptr", "i64")
    header = function.let(f"call ptr {allocate}(i64 {total})")
    failed = function.let(f"icmp eq ptr {header}, null")
    raise_when(function, failed, OUT_OF_MEMORY_SITE, [total], statement.live)
    function.values[statement.buffer.id] = header
    types = [arg.type for arg in statement.args]
    for offset, number in ((KIND, 1), (LENGTH, types.count(BUFFER)), (TAG, statement.tag)):
        function.put(f"store i64 {number}, ptr {field(function, header, offset)}")
    for word, arg in zip(box_words(types), statement.args):
        value = passed(function, arg)
        function.put(f"store {value}, ptr {field(function, header, DATA + 8 * word)}")


def emit_unbox(function: FunctionText, statement: Unbox) -> None:
    """What a box holds."""
    box = function.text(statement.buffer)
    if statement.tag == 0:
        box = not_null(function, box, len(statement.results))
    for word, var in zip(box_words(var.type for var in statement.results), statement.results):
        value = function.let(f"load {memory_type(var.type)}, ptr {field(function, box, DATA + 8 * word)}")
        function.values[var.id] = function.let(f"trunc i8 {value} to i1") if var.type == "bool" else value


EMITTERS: dict[type, Callable[[FunctionText, Statement], None]] = {Box: emit_box, Tag: emit_tag, Unbox: emit_unbox}
