"""Stores that pass the caches by, of results that no cache holds.

An ordinary store reads the line that it writes to, so that a result that comes from memory costs twice its bytes. A
streaming store writes whole lines and reads nothing. It pays where the result will have left the cache before anybody
reads it: from half of the last cache on, which is known when the kernel runs. Until then one branch for each vector,
which always goes the same way, is what it costs.
"""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterator

from ...lower import loop_ir
from ...lower.loop_ir import Const, For, If, Kernel, Load, Operand, Statement, Store, Type, Var, While, walk
from .function_text import FunctionText
from .text import element_bytes

LINE_BYTES = 64
LEAST_VECTOR_BYTES = 32  # two of them are joined to one line on the way
USUAL_CACHE_BYTES = 32 << 20


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


def streams_of(kernel: Kernel) -> tuple[frozenset[int], tuple[Operand, ...], int]:
    """The pointers that a kernel may stream to, and how often it stores how many bytes to the largest.

    They are written in one place and not read in the kernel, which would wait for memory.
    """
    inner = list(walk(kernel.body))
    written = {var.id for var in kernel.writes}
    written -= {each.pointer.id for each in inner if isinstance(each, Load) and isinstance(each.pointer, Var)}
    places: dict[int, int] = {}
    for each in inner:
        if isinstance(each, Store) and isinstance(each.pointer, Var):
            places[each.pointer.id] = places.get(each.pointer.id, 0) + 1
    defined = {var.id for each in inner for var in loop_ir.definitions(each)}
    found: dict[int, tuple[tuple[Operand, ...], int]] = {}
    for store, counts in stores_in_vector_loops(kernel.body, ()):
        pointer = store.pointer
        is_known = all(isinstance(count, Const) or count.id not in defined for count in counts)
        if is_known and isinstance(pointer, Var) and pointer.id in written and places[pointer.id] == 1:
            found[pointer.id] = counts, element_bytes(store.value.type)
    if not found:
        return frozenset(), (), 0
    counts, size = max(found.values(), key=lambda each: len(each[0]))
    deepest = frozenset(pointer for pointer, (loops, _) in found.items() if len(loops) == len(counts))
    return deepest, counts, size


def begin_streams(function: FunctionText, kernel: Kernel) -> None:
    """Asks, where a kernel begins, whether what it writes is worth streaming."""
    least = streamed_bytes()
    if not least:
        return
    pointers, counts, size = streams_of(kernel)
    if not pointers:
        return
    total = str(size)
    for count in counts:
        total = function.scalar_let("multiply", [function.text(count), total], ["int64", "int64"], "int64")
    if total[0] != "%":
        function.streams = "true" if int(total) >= least else None
    else:
        function.streams = function.let(f"icmp sge i64 {total}, {least}")
    function.streamed = pointers if function.streams else frozenset()


def end_streams(function: FunctionText) -> None:
    """Lets no thread see that the kernel has ended before it sees what was streamed."""
    if not function.streamed:
        return
    fence, done = function.label(), function.label()
    function.branch(function.streams or "true", fence, done)
    function.begin(fence)
    function.put(f"call void {function.module.intrinsic('llvm.x86.sse.sfence', 'void', '')}()")
    function.jump(done)
    function.begin(done)


def may_stream(function: FunctionText, pointer: Operand, type: Type) -> bool:
    """Whether a store of a vector to neighbouring elements has a streaming form."""
    is_streamed = isinstance(pointer, Var) and pointer.id in function.streamed
    return is_streamed and element_bytes(type) * function.width >= LEAST_VECTOR_BYTES


def streaming_or(function: FunctionText, type: Type, vector: str, value: str, place: str, end: str) -> None:
    """Streams a vector where the kernel streams, and the vector is whole and aligned, and goes on at `end` then; what
    is written next is for the other cases."""
    size = element_bytes(type) * function.width
    ask, stream, otherwise = function.label(), function.label(), function.label()
    function.branch(function.streams or "true", ask, otherwise)
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
