"""One specialisation as the native entry sees it: guards, the procedure, boxes.

The native entry calls `i32 packed(ctx, slots, results, ...)`, whose text `packed_text` gives: it loads the
procedure's parameters from 8-byte slots. The backend appends that text to the program's module; for a procedure
without it, `packed_caller` makes the same from the parameters' types alone, once for each list of types.
"""

from __future__ import annotations

import collections
import ctypes
import functools
from collections.abc import Sequence
from typing import Any

from arignote.ir.errors import RESERVED_SITES, ErrorSite
from arignote.ir.records import dataclass
from arignote.ir.structure import ArrayOf, NumpyScalarOf, PythonScalarOf, Structure, leaf_structures
from arignote.runtime import native
from arignote.runtime.call import FIELDS, OFFSET
from arignote.runtime.encode import BoxList, Capture, GuardList, pointers
from arignote.runtime.errors import ErrorTable
from arignote.runtime.operands import REFERENCE, consecutive_slots, operands, value_words
from arignote.runtime.printing import Template, print_site

RELEASE_BYTES = 128 << 10
"""Python's lock is released for a call whose arrays have this many bytes: releasing costs about 0.1 microseconds."""

_LLVM_TYPES = {"bool": "i8", "int32": "i32", "int64": "i64", "float32": "float", "float64": "double"}


@dataclass(frozen=True)
class CompiledSpecialisation:
    """What the compiler hands to the runtime.

    procedure:     address of the entry procedure (architecture.md, section 4)
    result:        the structure of the result; its leaves are in the result slots one after another
    captures:      what was read from outside; their leaves are parameters after those of the arguments
    error_sites:   by site number; the first two are `RESERVED_SITES`
    prints:        the templates of its prints
    packed:        address of the function of `packed_text`, where the backend has made it
    result_slots:  where each result leaf is, if not one after another
    release_bytes: Python's lock is released when the array arguments have so many bytes (0: always)
    keep_alive:    what owns the machine code
    """

    procedure: int
    result: Structure
    captures: tuple[Capture, ...] = ()
    error_sites: Sequence[ErrorSite] = RESERVED_SITES
    prints: Sequence[Template] = ()
    packed: int = 0
    result_slots: tuple[int, ...] | None = None
    release_bytes: int = RELEASE_BYTES
    keep_alive: Any = None


BEHIND = "* "
"""Before a type: the slots hold a 0-d array, the procedure wants the number in it."""


def parameter_types(leaves: Sequence[Structure]) -> list[str]:
    """The LLVM types of a procedure's parameters, context and results apart."""
    types: list[str] = []
    for leaf in leaves:
        if isinstance(leaf, ArrayOf) and leaf.rank == 0:
            types.append(BEHIND + _LLVM_TYPES[leaf.dtype])
        elif isinstance(leaf, ArrayOf):
            types += ["ptr", "ptr", *["i64"] * leaf.rank]
        elif isinstance(leaf, NumpyScalarOf | PythonScalarOf):
            types.append(_LLVM_TYPES[leaf.dtype])
        else:
            types += ["ptr" if operand == REFERENCE else "i64" for operand in operands(leaf)]
    return types


def packed_text(symbol: str, procedure: str, types: Sequence[str], large_stack: str = "") -> str:
    """LLVM text of `symbol(ctx, slots, results)`, which calls the procedure (`@name`, or a pointer) from slots.

    large_stack: the reference to `ag_on_large_stack`, if the procedure is to run there
    """
    if large_stack:
        parameters = "ptr %ctx, ptr %slots, ptr %results"
        return packed_text(f"{symbol}_inner", procedure, types) + (
            f"define i32 @{symbol}({parameters}) nounwind {{\n"
            f"  %status = call i32 {large_stack}(ptr @{symbol}_inner, {parameters})\n  ret i32 %status\n}}\n"
        )
    lines: list[str] = []
    arguments = ["ptr %ctx"]
    slot = 0
    for index, kind in enumerate(types):
        is_behind = kind.startswith(BEHIND)
        slot += is_behind  # the address stands after the buffer
        lines.append(f"  %p{index} = getelementptr i64, ptr %slots, i64 {slot}")
        if is_behind:
            kind = kind.removeprefix(BEHIND)
            lines.append(f"  %a{index} = load ptr, ptr %p{index}")
        lines.append(f"  %v{index} = load {kind}, ptr %{'a' if is_behind else 'p'}{index}")
        arguments.append(f"{kind} %v{index}")
        slot += 1
    arguments.append("ptr %results")
    parameters = "ptr %ctx, ptr %slots, ptr %results"
    return (
        f"define i32 @{symbol}({parameters}) nounwind {{\nentry:\n" + "\n".join(lines) + "\n"
        f"  %status = call i32 {procedure}({', '.join(arguments)})\n  ret i32 %status\n}}\n"
    )


@functools.lru_cache(maxsize=1024)
def packed_caller(types: tuple[str, ...]) -> int:
    """A packed function for any procedure with these parameters; the native entry passes its address last."""
    text = packed_text("packed", "%procedure", types).replace("ptr %results) nounwind", "ptr %results, ptr %procedure)")
    return native.compile_small(text, "packed")


class Node:
    """One specialisation for one form of call, in memory that native code reads."""

    def __init__(self, guards: GuardList, form: tuple[int, tuple[str, ...]], body: Body) -> None:
        positional, keywords = form
        self._alive = (guards.alive, keywords, body)
        self._guards, self._keywords = guards.pack(), pointers(keywords)
        self._buffer_slots = (ctypes.c_int64 * max(len(guards.buffers), 1))(*guards.buffers)
        self._words = (ctypes.c_int64 * len(FIELDS))()
        self.address = ctypes.addressof(self._words)
        fields = {
            "argument_count": positional,
            "keyword_count": len(keywords),
            "keywords": ctypes.addressof(self._keywords),
            "guards": ctypes.addressof(self._guards),
            "guard_count": len(guards.operations),
            "register_count": guards.registers,
            "slot_count": guards.slots,
            "owned_count": guards.owned,
            "buffer_slots": ctypes.addressof(self._buffer_slots),
            "buffer_count": len(guards.buffers),
            "owner": id(self),
            **body.fields,
        }
        for name, value in fields.items():
            self.set(name, value)

    def set(self, name: str, value: int) -> None:
        """Writes one field."""
        self._words[OFFSET[name] // 8] = value

    @property
    def hits(self) -> int:
        """How many calls it has served."""
        return self._words[OFFSET["hits"] // 8]


class Body:
    """What all forms of call of one specialisation share: the procedure, the boxes, the errors."""

    def __init__(self, leaves: Sequence[Structure], compiled: CompiledSpecialisation) -> None:
        self.compiled = compiled
        for template in compiled.prints:
            print_site(template)
        boxes, result_leaves = BoxList(), leaf_structures(compiled.result)
        slots = compiled.result_slots or consecutive_slots(result_leaves)
        boxes.value(compiled.result, collections.deque(slots))
        ends = (slot + value_words(leaf) for slot, leaf in zip(slots, result_leaves, strict=True))
        self.errors = ErrorTable(compiled.error_sites)
        self._boxes, self._make_error = boxes.pack(), self.errors.make_error
        self._alive = boxes.alive
        self.fields = {
            "packed": compiled.packed or packed_caller(tuple(parameter_types(leaves))),
            "procedure": compiled.procedure,
            "result_count": max(ends, default=0),
            "boxes": ctypes.addressof(self._boxes),
            "box_count": len(boxes.operations),
            "make_error": id(self._make_error),
            "release_bytes": compiled.release_bytes,
        }
