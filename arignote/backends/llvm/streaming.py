"""Stores that pass the caches by, of results that no cache holds.

An ordinary store reads the line that it writes to, so that a result that comes from memory costs twice its bytes. A
streaming store writes whole lines and reads nothing. It pays where the result will have left the cache before anybody
reads it: from half of the last cache on, which is known when the kernel runs. Until then one branch for each vector,
which always goes the same way, is what it costs. A small result may be a part of a large block (what a loop saves for
its backward loop): then the block counts.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterator

from ...ir.records import dataclass
from ...lower import loop_ir
from ...lower.loop_ir import Const, For, If, Kernel, Let, Load, Operand, Statement, Store, Type, Var, While, walk
from .emit import address
from .function_text import FunctionText
from .text import element_bytes

LINE_BYTES = 64
LEAST_VECTOR_BYTES = 32  # two of them are joined to one line on the way
USUAL_CACHE_BYTES = 32 << 20
WHOLE_CACHES = 2
"""How many times more a block must be that a loop fills part by part: the loop after it begins with the last part."""
LEAST_PART_BYTES = 64 << 10
"""At the end of a kernel that has streamed, its thread waits until memory has all of it."""


@functools.cache
def streamed_bytes() -> int:
    """From how many bytes on a result is streamed; 0: never, on processors whose streaming stores we do not know."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return 0
    known = os.sysconf("SC_LEVEL3_CACHE_SIZE") if "SC_LEVEL3_CACHE_SIZE" in os.sysconf_names else 0
    return max(known, 0) // 2 or USUAL_CACHE_BYTES // 2


def stores_in_vector_loops(
    body: list[Statement], counts: tuple[Operand, ...], is_vector: bool = False
) -> Iterator[tuple[Store, tuple[Operand, ...]]]:
    """The stores that vectors of iterations reach, each with the counts of the loops around it."""
    for statement in body:
        match statement:
            case Store() if is_vector:
                yield statement, counts
            case For():
                yield from stores_in_vector_loops(statement.body, (*counts, statement.count), statement.vector)
            case If() if is_vector:
                yield from stores_in_vector_loops(statement.then_body, counts, True)
                yield from stores_in_vector_loops(statement.else_body, counts, True)
            case While():
                continue


@dataclass(frozen=True, slots=True)
class Streamed:
    """A pointer that a kernel may stream to: the counts of the loops around its only store, the bytes of an element,
    and what that is a part of."""

    pointer: int
    counts: tuple[Operand, ...]
    size: int
    within: Operand | None


def streams_of(kernel: Kernel) -> list[Streamed]:
    """The pointers that a kernel may stream to. They are written in one place and not read in the kernel, which would
    wait for memory."""
    inner = list(walk(kernel.body))
    written = {var.id for var in kernel.writes}
    written -= {each.pointer.id for each in inner if isinstance(each, Load) and isinstance(each.pointer, Var)}
    places: dict[int, int] = {}
    for each in inner:
        if isinstance(each, Store) and isinstance(each.pointer, Var):
            places[each.pointer.id] = places.get(each.pointer.id, 0) + 1
    defined = {var.id for each in inner for var in loop_ir.definitions(each)}
    lengths = _lengths_of_blocks(inner, defined)
    found: list[Streamed] = []
    for store, exact in stores_in_vector_loops(kernel.body, ()):
        pointer = store.pointer
        counts = tuple([lengths.get(count.id, count) if isinstance(count, Var) else count for count in exact])
        is_known = all(isinstance(count, Const) or count.id not in defined for count in counts)
        if is_known and isinstance(pointer, Var) and pointer.id in written and places[pointer.id] == 1:
            found.append(Streamed(pointer.id, counts, element_bytes(store.value.type), store.within))
    return found


def _lengths_of_blocks(inner: list[Statement], defined: set[int]) -> dict[int, Var]:
    """Counts of the rows of a block, which are fewer in the last one, and how many the others have."""
    return {each.var.id: most for each in inner if isinstance(each, Let) and each.op == "minimum"
            for most in each.args if isinstance(most, Var) and most.id not in defined}  # fmt: skip


def begin_streams(function: FunctionText, kernel: Kernel) -> None:
    """Asks, where a kernel begins, whether what it writes is worth streaming."""
    least = streamed_bytes()
    found = streams_of(kernel) if least else []
    whole = [each for each in found if each.within is None]
    if whole:
        largest = max(whole, key=lambda each: len(each.counts))
        answer = _is_worth(function, largest.counts, largest.size, least)
        deepest = [each.pointer for each in whole if len(each.counts) == len(largest.counts)]
        function.streams = dict.fromkeys(deepest, answer) if answer else {}
    for each in found:
        if each.within is not None:
            answer = _is_worth(function, (each.within,), each.size, WHOLE_CACHES * least)
            part = answer and _is_worth(function, each.counts, each.size, LEAST_PART_BYTES)
            if answer and part:
                both = function.scalar_let("logical_and", [answer, part], ["bool", "bool"], "bool")
                function.streams[each.pointer] = both


def _is_worth(function: FunctionText, counts: tuple[Operand, ...], size: int, least: int) -> str | None:
    """Whether so many elements are enough; None where it is known that they are not."""
    total = str(size)
    for count in counts:
        total = function.scalar_let("multiply", [function.text(count), total], ["int64", "int64"], "int64")
    if total[0] != "%":
        return "true" if int(total) >= least else None
    return function.let(f"icmp sge i64 {total}, {least}")


def end_streams(function: FunctionText) -> None:
    """Lets no thread see that the kernel has ended before it sees what was streamed."""
    answers = list(dict.fromkeys(function.streams.values()))
    if not answers:
        return
    some = answers[0]
    for other in answers[1:]:
        some = function.let(f"or i1 {some}, {other}")
    fence, done = function.label(), function.label()
    function.branch(some, fence, done)
    function.begin(fence)
    function.put(f"call void {function.module.intrinsic('llvm.x86.sse.sfence', 'void', '')}()")
    function.jump(done)
    function.begin(done)


def streamed_part(function: FunctionText, loop: For) -> Store | None:
    """The store of a loop of vectors to a part that may be streamed."""
    for each in loop.body:
        if isinstance(each, Store) and each.within is not None and may_stream(function, each.pointer, each.value.type):
            return each if _at_iteration(function, loop, each.offset, "0") is not None else None
    return None


def first_whole_line(function: FunctionText, loop: For, part: Store, begin: str, end: str) -> str:
    """The iteration from which on a loop of vectors writes whole lines of a part. Parts of a block begin anywhere, and
    so do their rows."""
    types, size = ["int64", "int64"], element_bytes(part.value.type)
    place = address(function, part.pointer, _at_iteration(function, loop, part.offset, begin) or "0")
    bits = function.let(f"ptrtoint ptr {place} to i64")
    line = min(size * function.width, LINE_BYTES)
    missing = function.let(f"and i64 {function.let(f'sub i64 0, {bits}')}, {line - 1}")
    elements = function.let(f"lshr i64 {missing}, {size.bit_length() - 1}")
    first = function.scalar_let("add", [begin, elements], types, "int64")
    return function.scalar_let("minimum", [first, end], types, "int64")


def _at_iteration(function: FunctionText, loop: For, operand: Operand, begin: str) -> str | None:
    """An int64 of a loop's body as it is in one iteration; None where that does not follow from the index."""
    if isinstance(operand, Const):
        return function.text(operand)
    if operand is loop.index:
        return begin
    let = next((each for each in loop.body if isinstance(each, Let) and each.var is operand), None)
    if let is None:
        known = function.values.get(operand.id)
        return known if isinstance(known, str) else None
    if let.op not in ("add", "subtract", "multiply"):
        return None
    texts = [_at_iteration(function, loop, arg, begin) for arg in let.args]
    if None in texts:
        return None
    return function.scalar_let(let.op, texts, ["int64", "int64"], "int64")  # type: ignore[arg-type]


def may_stream(function: FunctionText, pointer: Operand, type: Type) -> bool:
    """Whether a store of a vector to neighbouring elements has a streaming form."""
    is_streamed = isinstance(pointer, Var) and pointer.id in function.streams
    return is_streamed and element_bytes(type) * function.width >= LEAST_VECTOR_BYTES


def streaming_or(function: FunctionText, pointer: Operand, type: Type, vector: str, value: str, place: str,
                 end: str) -> None:  # fmt: skip
    """Streams a vector where the kernel streams, and the vector is whole and aligned, and goes on at `end` then; what
    is written next is for the other cases."""
    size = element_bytes(type) * function.width
    ask, stream, otherwise = function.label(), function.label(), function.label()
    function.branch(function.streams[pointer.id], ask, otherwise)  # type: ignore[union-attr]
    function.begin(ask)
    bits = function.let(f"ptrtoint ptr {place} to i64")
    fits = function.let(f"icmp eq i64 {function.let(f'and i64 {bits}, {min(size, LINE_BYTES) - 1}')}, 0")
    if function.mask is not None:
        masks = function.let(f"bitcast <{function.width} x i1> {function.mask} to i{function.width}")
        fits = function.let(f"and i1 {fits}, {function.let(f'icmp eq i{function.width} {masks}, -1')}")
    function.branch(fits, stream, otherwise)
    function.begin(stream)
    function.put(f"store {vector} {value}, ptr {place}, align {min(size, LINE_BYTES)}, !nontemporal !1")
    function.jump(end)
    function.begin(otherwise)
