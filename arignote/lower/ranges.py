"""Between which bounds an index lies, as far as its formula tells it.

The index of a loop over `count` iterations is at least 0 and at most count - 1; adding and subtracting constants, and
counting down, move the bounds. Where an index is certain to be in range nothing is checked, and where it is certain
not to be negative nothing is added to it. A bound is a variable plus a constant. Sums of these do not overflow: sizes
and counts of iterations that really happen are far from the ends of int64, and offsets are small. Of other numbers that
are not negative, `np.maximum(x, 0)`, sums may wrap around.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from arignote.ir.graph import Apply, Constant, Node, Parameter
from arignote.ir.records import dataclass
from arignote.lower.loop_ir import Const, Operand, Var

if TYPE_CHECKING:
    from arignote.lower.context import Context

LARGEST_OFFSET = 1 << 31
DEEPEST = 8
"""So many additions, one on the other, are looked through."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A variable (or nothing) plus a constant."""

    base: Var | None
    offset: int

    def plus(self, number: int) -> Bound:
        """The bound moved."""
        return Bound(self.base, self.offset + number)


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the largest value; None where nothing is known."""

    low: int | None = None
    high: Bound | None = None

    def plus(self, number: int) -> Range:
        """The range moved."""
        return Range(
            None if self.low is None else self.low + number, None if self.high is None else self.high.plus(number)
        )


UNKNOWN = Range()


def exactly(context: Context, value: Operand, depth: int = 0) -> Bound:
    """A value as a variable plus a constant."""
    value = context.canonical(value)
    if isinstance(value, Const):
        return Bound(None, int(value.value))
    moved = _moved(context, value) if depth < DEEPEST else None
    if moved is None:
        return Bound(value, 0)
    return exactly(context, moved[0], depth + 1).plus(moved[1])


def range_of(context: Context, value: Operand, depth: int = 0) -> Range:
    """The bounds of an int64."""
    value = context.canonical(value)
    if isinstance(value, Const):
        return Range(int(value.value), Bound(None, int(value.value)))
    low = 0 if context.is_count(value) and (not depth or context.is_counted(value)) else None
    limit = context.limits.get(value.id)
    if limit is not None:
        return Range(low, exactly(context, limit).plus(-1))
    moved = _moved(context, value) if depth < DEEPEST else None
    if moved is not None:
        found = range_of(context, moved[0], depth + 1).plus(moved[1])
        return Range(found.low if low is None else low, found.high)
    counted = _counted_down(context, value) if depth < DEEPEST else None
    return counted or Range(low, Bound(value, 0))


def _moved(context: Context, value: Var) -> tuple[Operand, int] | None:
    """What the value is a constant away from."""
    op, args = context.build.definitions.get(value.id, ("", ()))
    left, right = args if len(args) == 2 else (None, None)
    if op == "add" and isinstance(left, Const):
        left, right = right, left
    if left is None or not isinstance(right, Const) or op not in ("add", "subtract"):
        return None
    number = int(right.value) if op == "add" else -int(right.value)
    return (left, number) if abs(number) < LARGEST_OFFSET else None


def _counted_down(context: Context, value: Var) -> Range | None:
    """Something minus the index of a loop."""
    op, args = context.build.definitions.get(value.id, ("", ()))
    if op != "subtract":
        return None
    whole, part = exactly(context, args[0]), range_of(context, args[1], DEEPEST)
    if part.low is None or part.high is None:
        return None
    low = whole.offset - part.high.offset if whole.base is part.high.base else None
    return Range(low, whole.plus(-part.low))


def is_below(context: Context, found: Range, size: Operand) -> bool:
    """Whether all values of a range are less than a size."""
    bound, high = exactly(context, size), found.high
    for _ in range(DEEPEST):
        if high is None:
            return False
        if high.base is bound.base:
            return high.offset < bound.offset
        if high.base is None:
            return False
        outer = range_of(context, high.base).high
        if outer is None or outer.base is high.base:
            return False
        high = outer.plus(high.offset)
    return False


def never_negative(found: Range) -> bool:
    """Whether no value of a range is negative."""
    return found.low is not None and found.low >= 0


def compared(test: Node) -> Iterator[tuple[Node, Node]]:
    """Pairs of numbers of which the first is less than the second where a test holds."""
    if not isinstance(test, Apply):
        return
    match test.op.name:
        case "less":
            yield test.inputs[0], test.inputs[1]
        case "greater":
            yield test.inputs[1], test.inputs[0]
        case "logical_and":
            yield from compared(test.inputs[0])
            yield from compared(test.inputs[1])
        case "item" if _is_and(test):
            yield from compared(test.inputs[0].inputs[0])  # type: ignore[attr-defined]


def _is_and(item: Apply) -> bool:
    """Whether part of a branch is false where the condition does not hold: as `and` is written."""
    branch = item.inputs[0]
    if not isinstance(branch, Apply) or branch.op.name != "cond":
        return False
    side = branch.inputs[2]
    if not isinstance(side, Apply) or side.op.name != "closure":
        return False
    results = side["function"].result
    result = results.inputs[item["index"]] if isinstance(results, Apply) and results.op.name == "tuple" else None
    if isinstance(result, Constant):
        return not result.value
    captured = dict(zip(side["function"].parameters, side.inputs, strict=False))
    return isinstance(result, Parameter) and captured.get(result) is branch.inputs[0]
