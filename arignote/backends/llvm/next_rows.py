"""Rows that are asked for in advance.

    for r in rows:
        for j: mean += x[r, j]
        for j: squares += (x[r, j] - mean) ** 2
        for j: total += (x[r, j] - mean) / deviation       asks for x[r + 1, j]

A kernel that goes through each row several times computes for a while before it comes to the next one. By then the
processor has lost sight of where it reads, and it does not look beyond a page of memory anyway: each row would begin
with a wait. So the last loop over a row that reads an array asks for the same place in the next row, which arrives in a
near cache while the rest of this row is computed. Arrays that only one of the loops reads are not asked for: what that
loop computes hides much of the wait, and asking for more at a time takes from what is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...lower.loop_ir import INT64, Const, For, Kernel, Let, Load, Operand, Statement, Var, walk
from .function_text import FunctionText, NextRows
from .text import element_bytes

LINE_BYTES = 64
MOST_BYTES = 128 << 10
"""Nothing further ahead is asked for: the next of longer rows would take the place of this one in the near cache."""
IN_SECOND_CACHE = 2


def steps_to_next_rows(kernel: Kernel) -> NextRows:
    """How many elements further the same place in the next row is, for each load in a loop over vectors that asks for
    it, by the number of the variable that is loaded."""
    read = {var.id for var in kernel.reads} - {var.id for var in kernel.writes}
    found: NextRows = {}
    _collect(read, kernel.body, found)
    return found


def _collect(read: set[int], body: list[Statement], found: NextRows) -> bool:
    """Looks for loops over rows; whether there are any. Those around them go over something larger than a row."""
    some = False
    for statement in body:
        if isinstance(statement, For) and not statement.vector:
            inside = _collect(read, statement.body, found)
            loops = list(_vector_loops(statement.body))
            if not inside and len(loops) > 1:
                found |= _last_loads(read, statement, loops)
            some |= inside or len(loops) > 1
    return some


def _vector_loops(body: list[Statement]) -> Iterator[For]:
    """The loops over vectors that go through a row one after the other."""
    for statement in body:
        if isinstance(statement, For) and statement.vector:
            yield statement
        elif isinstance(statement, For):
            yield from _vector_loops(statement.body)


def _last_loads(read: set[int], rows: For, loops: list[For]) -> NextRows:
    """The last loads of the rows of each array that more than one of the loops reads."""
    steps = _Steps(rows)
    last: dict[int, tuple[Load, Operand]] = {}
    several: set[int] = set()
    for loop in loops:
        before = set(last)
        for each in loop.body:
            if isinstance(each, Load) and isinstance(each.pointer, Var) and each.pointer.id in read:
                step = steps.of(each.offset)
                if isinstance(step, Var):
                    last[each.pointer.id] = (each, step)
        several |= {pointer for pointer in before if _reads(loop, pointer)}
    return {load.var.id: step for pointer, (load, step) in last.items() if pointer in several}


def _reads(loop: For, pointer: int) -> bool:
    return any(isinstance(each, Load) and isinstance(each.pointer, Var) and each.pointer.id == pointer
               for each in loop.body)  # fmt: skip


class _Steps:
    """By how much integers grow from one row to the next, as far as that is one of the values around the rows."""

    def __init__(self, rows: For) -> None:
        self.lets = {each.var.id: each for each in walk(rows.body) if isinstance(each, Let) and each.var.type == INT64}
        self.found: dict[int, Operand | None] = {rows.index.id: Const(1, INT64)}

    def of(self, value: Operand) -> Operand | None:
        """The step of a value; 0 where it does not follow from the row, None where it is not known."""
        if isinstance(value, Const):
            return Const(0, INT64)
        if value.id not in self.found:
            let = self.lets.get(value.id)
            self.found[value.id] = Const(0, INT64) if let is None else self._of_let(let)
        return self.found[value.id]

    def _of_let(self, let: Let) -> Operand | None:
        steps = [self.of(arg) for arg in let.args]
        if all(_is(step, 0) for step in steps):
            return Const(0, INT64)
        if let.op == "add" and any(_is(step, 0) for step in steps):
            return next(step for step in steps if not _is(step, 0))
        if let.op == "subtract" and _is(steps[1], 0):
            return steps[0]
        if let.op == "multiply":
            for step, other in zip(steps, let.args[::-1]):
                if _is(step, 1) and isinstance(other, Var) and other.id not in self.lets:
                    return other
        return None


def _is(step: Operand | None, number: int) -> bool:
    return isinstance(step, Const) and step.value == number


def ask_for_next_row(function: FunctionText, load: Load, place: str) -> None:
    """Asks for a vector of the next row, if this load is one that does; `place` is where it is in this row."""
    step = function.next_rows.get(load.var.id)
    if step is None:
        return
    size, elements = element_bytes(load.var.type), function.text(step)
    minimum = function.module.intrinsic("llvm.umin.i64", "i64", "i64, i64")
    most = MOST_BYTES // size
    near = function.pure(("next row", elements, most), f"call i64 {minimum}(i64 {elements}, i64 {most})", (elements,))
    distance = function.scalar_let("multiply", [near, str(size)], ["int64", "int64"], "int64")
    there = function.let(f"getelementptr i8, ptr {place}, i64 {distance}")
    prefetch = function.module.intrinsic("llvm.prefetch.p0", "void", "ptr, i32 immarg, i32 immarg, i32 immarg")
    for part in range(0, size * function.width, LINE_BYTES):
        line = function.let(f"getelementptr i8, ptr {there}, i64 {part}") if part else there
        function.put(f"call void {prefetch}(ptr {line}, i32 0, i32 {IN_SECOND_CACHE}, i32 1)")
