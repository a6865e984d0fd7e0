"""Where a procedure fails: what is alive there is released, then it returns.

A statement that can fail names the buffers that are alive. There may be hundreds of such statements, each with dozens
of buffers, so their code must not grow with the product of both:

- Buffers have *slots* in the frame, shared by those that are never alive together. Each is stored where it is defined.
- What is alive at a statement is a set of slots, one bit for each: a row of a table of constants. The path of an error
  only says which row; one function, `ag_release_slots`, goes through its bits.
- What has no slot is released one after the other, the youngest first, on paths that share their ends. This serves
  procedures in which little is alive, and buffers defined in loops that only compute, where a store would be felt.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from ...lower.loop_ir import (
    BUFFER,
    CHECK_SIGNALS,
    Alloc,
    Box,
    Call,
    Extern,
    For,
    If,
    Kernel,
    ParallelMap,
    Statement,
    Var,
    While,
    bodies,
    known_after,
)
from .function_text import FunctionText, Lines
from .runtime_text import define_release
from .text import ModuleText

FEW_RELEASES = 128
"""Up to so many releases on the paths of all errors of a procedure, slots do not pay."""
WORD = 64

RELEASE_SLOTS = """
define internal void @ag_release_slots(ptr %slots, ptr %row, i64 %words) noinline nounwind cold {
entry:
  br label %word
word:
  %index = phi i64 [0, %entry], [%next, %empty]
  %place = getelementptr i64, ptr %row, i64 %index
  %bits = load i64, ptr %place
  %first = shl i64 %index, 6
  br label %test
test:
  %left = phi i64 [%bits, %word], [%fewer, %bit]
  %none = icmp eq i64 %left, 0
  br i1 %none, label %empty, label %bit
bit:
  %lowest = call i64 @llvm.cttz.i64(i64 %left, i1 true)
  %number = add i64 %first, %lowest
  %slot = getelementptr ptr, ptr %slots, i64 %number
  %buffer = load ptr, ptr %slot
  call void @ag_release(ptr %buffer)
  %minus = sub i64 %left, 1
  %fewer = and i64 %left, %minus
  br label %test
empty:
  %next = add i64 %index, 1
  %more = icmp ult i64 %next, %words
  br i1 %more, label %word, label %end
end:
  ret void
}
"""


def define_release_slots(module: ModuleText) -> str:
    """Releases the buffers in the slots whose bits are set."""
    module.helper("ag_release", define_release)
    module.intrinsic("llvm.cttz.i64", "i64", "i64, i1")
    return RELEASE_SLOTS


def slots_of(body: list[Statement]) -> dict[int, int]:
    """The slots of the buffers defined in the body of a function, by variable number; none where they do not pay."""
    survey = _Survey()
    survey.body(body, stores_are_felt=False)
    if survey.releases <= FEW_RELEASES:
        return {}
    return _assign(survey)


class _Survey:
    """From where to where each buffer is alive, in the order of the text."""

    def __init__(self) -> None:
        self.position = 0
        self.releases = 0
        self.defined: dict[int, int] = {}
        self.last: dict[int, int] = {}

    def body(self, body: list[Statement], stores_are_felt: bool) -> set[int]:
        """Goes through a body; gives the buffers that are alive somewhere in it."""
        alive: set[int] = set()
        for statement in body:
            self.position += 1
            if isinstance(statement, (For, While)):
                alive |= self.loop(statement)
            elif isinstance(statement, If):
                for side in bodies(statement):
                    alive |= self.body(side, stores_are_felt)
            else:
                alive |= self.failure(getattr(statement, "live", ()))
            if not stores_are_felt:
                self.define(stored_by(statement))
        return alive

    def failure(self, live: tuple[Var, ...]) -> set[int]:
        """A statement that may fail."""
        self.releases += len(live)
        numbers = {var.id for var in live}
        self.last.update(dict.fromkeys(numbers, self.position))
        return numbers

    def loop(self, statement: For | While) -> set[int]:
        """A loop: what is alive in it but comes from outside stays alive until its end."""
        start, felt = self.position, not does_more_than_compute(statement)
        if not felt:
            self.define(stored_in_front(statement))
        alive: set[int] = set()
        for body in bodies(statement):
            alive |= self.body(body, felt)
        self.position += 1
        for number in alive:
            if self.defined.get(number, start) < start:
                self.last[number] = self.position
        return alive

    def define(self, variables: Iterable[Var]) -> None:
        self.defined.update((var.id, self.position) for var in variables)


def does_more_than_compute(loop: For | While) -> bool:
    """Whether an iteration allocates, calls or runs a kernel, beside which a store is nothing."""
    pending: list[Statement] = [loop]
    while pending:
        statement = pending.pop()
        if isinstance(statement, (Alloc, Box, Call, Kernel, ParallelMap)):
            return True
        if isinstance(statement, Extern) and statement.symbol != CHECK_SIGNALS:
            return True
        for body in bodies(statement):
            pending += body
    return False


def stored_in_front(loop: For | While) -> list[Var]:
    """The buffers that a loop defines at the head of each iteration."""
    return [var for var in loop.carried if var.type == BUFFER]


def stored_by(statement: Statement) -> list[Var]:
    """The buffers that are known after a statement."""
    return [var for var in known_after(statement) if var.type == BUFFER]


def _assign(survey: _Survey) -> dict[int, int]:
    """A slot for each buffer that is ever alive where something may fail; used again when it no longer is."""
    slots: dict[int, int] = {}
    free: list[int] = []
    taken: list[tuple[int, int]] = []  # until when, which
    ranges = [(begin, survey.last[number], number) for number, begin in survey.defined.items() if number in survey.last]
    count = 0
    for begin, end, number in sorted(ranges):
        while taken and taken[0][0] <= begin:
            heapq.heappush(free, heapq.heappop(taken)[1])
        if free:
            slot = heapq.heappop(free)
        else:
            slot, count = count, count + 1
        slots[number] = slot
        heapq.heappush(taken, (end, slot))
    return slots


def ending(function: FunctionText, live: Iterable[Var]) -> str:
    """The label of the code that releases what is live and leaves."""
    row, others = 0, []
    for var in live:
        if var.id in function.released_outside:
            continue
        slot = function.slots.get(var.id)
        if slot is None or row >> slot & 1:  # named twice, it has two references to give back
            others.append(var)
        else:
            row |= 1 << slot
    others.sort(key=lambda var: var.id)
    return _shared_ending(function, row, tuple([function.text(var) for var in others]))


def leave_when(function: FunctionText, condition: str, live: Iterable[Var]) -> None:
    """Leaves where the condition holds, which is rare, and releases what is live."""
    going_on = function.label()
    function.branch(condition, ending(function, live), going_on, unlikely=True)
    function.begin(going_on)


def _shared_ending(function: FunctionText, row: int, texts: tuple[str, ...]) -> str:
    """The label of the code that releases the buffers in `texts`, the last one first, and then the slots of a row.

    Paths that have the same older buffers to release share that code.
    """
    wanted = ""
    while True:
        known = function.endings.get((row, texts))
        label = known or function.label()
        if wanted:
            function.cold.append(f"  br label %{label}")
        wanted = wanted or label
        if known:
            return wanted
        function.endings[row, texts] = label
        function.cold.append(f"{label}:")
        if not texts:
            function.cold.append("  br label %cleanup" if row else f"  {function.fails_with}")
            return wanted
        release(function, texts[-1], function.cold)
        texts = texts[:-1]


def release(function: FunctionText, buffer: str, lines: Lines) -> None:
    """Releases a buffer at the given place."""
    reference = function.module.helper("ag_release", define_release)
    lines.append(f"  call void {reference}(ptr {buffer})")


def emit_cleanup(function: FunctionText) -> None:
    """The table of all rows, the slots, and the one place where they are released; after everything else."""
    rows = {row: label for (row, texts), label in function.endings.items() if row and not texts}
    if not function.slots:
        return
    count = max(function.slots.values()) + 1
    words = -(-count // WORD)
    function.entry.append(f"  %slots = alloca [{count} x ptr]")
    if not rows:
        return
    release_slots = function.module.helper("ag_release_slots", define_release_slots)
    table = function.module.constant(f"{function.procedure_name}.rows", *_table(list(rows), words))
    arms = ", ".join(f"[{number}, %{label}]" for number, label in enumerate(rows.values()))
    function.cold += [
        "cleanup:",
        f"  %row = phi i64 {arms}",
        f"  %bits = getelementptr [{words} x i64], ptr {table}, i64 %row",
        f"  call void {release_slots}(ptr %slots, ptr %bits, i64 {words})",
        f"  {function.fails_with}",
    ]


def _table(rows: list[int], words: int) -> tuple[str, str]:
    """The type and the text of the table of rows."""
    mask = (1 << WORD) - 1
    texts = [", ".join(f"i64 {row >> WORD * word & mask}" for word in range(words)) for row in rows]
    row = f"[{words} x i64]"
    return f"[{len(rows)} x {row}]", f"[{', '.join(f'{row} [{text}]' for text in texts)}]"
