"""Sums of what is linear in the distances from a mean, without a pass of their own.

    gap = x - mean;  squares = sum(gap ** 2);  correction = sum(-(2 * weight * gap))

A variance's derivative has such a sum, through the mean: zero but for the mean's own rounding, which it takes away. The
pass that made the mean and the squares (`squares.py`) left for each block the sum of the distances from a centre, so

    sum(gap) == total over blocks of first + n * (centre - mean)

is there already, and what is linear in `gap`, with factors that are the same along the axes of the sum, is the same
function of sum(gap). It is rounded less often than the sum of all elements, and overflows only where it is infinite
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from arignote.ir.records import dataclass
from arignote.lower.lazy import Elementwise, Lazy, Mapped, Reduction, Repeated, Splat
from arignote.lower.loop_ir import Operand
from arignote.lower.nests import Nest
from arignote.lower.values import ZERO, AnyValue, Stored, is_constant

if TYPE_CHECKING:
    from arignote.lower.context import Context

MOST_STEPS = 8
"""Operations between the distances and what is summed."""

Finish = Callable[[Nest, Operand, Operand], Operand]
"""Writes what is made of a sum: the nest, the column (0 where all axes are summed), the sum."""


@dataclass(slots=True)
class KnownSum:
    """Along which axes the sum of some distances is known; what writes a function of it, in place of a reduction."""

    axes: tuple[int, ...]
    write: Callable[[Reduction, Finish], Operand | Stored]


@dataclass(slots=True)
class LinearSum:
    """A sum of a linear function of distances whose sum is known: the steps from the distances on."""

    known: KnownSum
    root: Reduction
    steps: list[tuple[str, AnyValue | None]]

    def write(self) -> Operand | Stored:
        """Write the sum."""
        return self.known.write(self.root, self._of_sum)

    def _of_sum(self, nest: Nest, column: Operand, total: Operand) -> Operand:
        """The function of the sum of the distances."""
        build = nest.build
        indices = [ZERO] * len(self.root.space)
        indices[-1] = column
        for op, factor in self.steps:
            if op == "negative":
                total = build.let(op, total)
            else:
                before, other = total, total if factor is None else nest.value(factor, tuple(indices))
                total = _as_of_all(nest, before, build.let(op, before, other))
        return total


def _as_of_all(nest: Nest, before: Operand, after: Operand) -> Operand:
    """One step of the sum. Where that is finite no longer, the factor was not, or too large: for the elements as well,
    which are on both sides of zero, so that their sum is no number."""
    build = nest.build
    leaves = build.let("logical_and", build.let("isfinite", before), build.let("logical_not", build.let(
        "isfinite", after)))  # fmt: skip
    return build.let("select", leaves, build.let("subtract", after, after), after)


def linear_sum(context: Context, root: Lazy) -> LinearSum | None:
    """The sum of a linear function of distances that a value is, where the sum of the distances is known."""
    if not isinstance(root, Reduction) or root.op != "sum":
        return None
    value: AnyValue = root.source
    steps: list[tuple[str, AnyValue | None]] = []
    for _ in range(MOST_STEPS):
        known = context.known_sums.get(value) if isinstance(value, Lazy) else None
        if known is not None:
            return LinearSum(known, root, steps[::-1]) if known.axes == root.axes else None
        step = _step(value, root.axes)
        if step is None:
            return None
        value, done = step
        steps.append(done)
    return None


def _step(value: AnyValue, axes: tuple[int, ...]) -> tuple[AnyValue, tuple[str, AnyValue | None]] | None:
    """What a value is a multiple of, and how it is made of that."""
    if not isinstance(value, Elementwise) or value.forced is not None:
        return None
    match value.op, value.inputs:
        case "negative", (inner,):
            return inner, ("negative", None)
        case "add", (inner, other) if inner is other:
            return inner, ("add", None)
        case ("multiply" | "divide") as op, (inner, factor) if _is_same_along(factor, axes):
            return inner, (op, factor)
        case "multiply", (factor, inner) if _is_same_along(factor, axes):
            return inner, ("multiply", factor)
    return None


def _is_same_along(value: AnyValue, axes: tuple[int, ...]) -> bool:
    """Whether elements do not differ along these axes."""
    found = value.forced if isinstance(value, Lazy) and value.forced is not None else value
    match found:
        case Stored():
            return all(is_constant(found.strides[axis], 0) for axis in axes)
        case Mapped():
            return all(axis not in axes or is_constant(step, 0) for axis, _, step in found.axes)
        case Splat() | Repeated():
            return True
        case Lazy():
            return False
    return True
