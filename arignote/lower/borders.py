"""Updates of all of an array but its border, from the array itself: `u[1:-1] = f(u)`.

The new inside goes to memory of its own, next to a copy of the border: everything is read once and written once.
In place, the inside would have to be computed apart and copied back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.ir.graph import Apply, Constant, Node
from arignote.lower import fusion
from arignote.lower.arrays import view
from arignote.lower.lazy import AxisMap, Lazy
from arignote.lower.loop_ir import Const, Operand
from arignote.lower.values import ZERO, AnyValue, Stored, is_constant

if TYPE_CHECKING:
    from arignote.lower.context import Context
    from arignote.lower.frame import Frame

WIDEST = 8
"""A border is so many elements wide at most, both ends together."""


def leaves_border(frame: Frame, node: Apply, array: Stored) -> bool:
    """Whether an `update_slice` writes all of an array of any size, but some known number of elements at the ends of
    its axes."""
    if node["accumulate"] or not array.contiguous:
        return False
    for position, axis in enumerate(node["axes"]):
        start, count, step = node.inputs[2 + 3 * position : 5 + 3 * position]
        if number(step) != 1 or number(start) is None or not is_nearly(frame, count, array.sizes[axis]):
            return False
    return True


def number(node: Node) -> int | None:
    """A number known at compile time."""
    return int(node.value) if isinstance(node, Constant) else None


def is_nearly(frame: Frame, count: Node, size: Operand) -> bool:
    """Whether a count is the size less a small number, or none."""
    if isinstance(count, Apply) and count.op.name == "maximum":
        count = next((child for child in count.inputs if not isinstance(child, Constant)), count)
    if not isinstance(count, Apply) or count.op.name not in ("subtract", "add") or isinstance(size, Const):
        return False
    whole, less = count.inputs
    difference = number(less)
    return difference is not None and abs(difference) <= WIDEST and frame.context.same(frame.scalar(whole), size)


def is_read(context: Context, value: AnyValue, array: Stored) -> bool:
    """Whether a value that is yet to be computed reads the array."""
    if not isinstance(value, Lazy) or value.forced is not None:
        return False
    plan = fusion.Plan(context, value.sizes, None)
    plan.prepare([value])
    plan.scan([value])
    return any(leaf.buffer is array.buffer for leaf in plan.leaves)


def updated_apart(context: Context, array: Stored, value: AnyValue, sizes: tuple[Operand, ...],
                  maps: tuple[AxisMap, ...]) -> Stored:  # fmt: skip
    """A new array: the value inside, the border of the old one around it."""
    fresh = context.allocate(array.dtype, array.sizes)
    fusion.store(context, value, view(context, fresh, sizes, maps))  # type: ignore[arg-type]
    starts = [start for _, start, _ in maps]
    last = max(axis for axis in range(len(sizes)) if sizes[axis] is not array.sizes[axis])
    with context.build.kernel([array.pointer], [fresh.pointer]):
        _copy_around(context, array, fresh, starts, sizes, 0, last, ZERO)
    return fresh


def _copy_around(context: Context, source: Stored, target: Stored, starts: list[Operand], counts: tuple[Operand, ...],
                 axis: int, last: int, base: Operand) -> None:  # fmt: skip
    """What lies before and behind the region along an axis, and along those after it."""
    build = context.build
    size, step = source.sizes[axis], source.strides[axis]
    start: Operand = ZERO
    if counts[axis] is not size:
        start = build.let("minimum", starts[axis], size)
        end = build.let("minimum", build.index_add(start, counts[axis]), size)
        _copy_run(context, source, target, base, build.index_multiply(start, step))
        behind = build.index_multiply(build.let("subtract", size, end), step)
        _copy_run(context, source, target, build.index_add(base, build.index_multiply(end, step)), behind)
    if axis < last:
        with build.loop(counts[axis]) as loop:
            place = build.index_multiply(build.index_add(start, loop.index), step)
            _copy_around(context, source, target, starts, counts, axis + 1, last, build.index_add(base, place))


def _copy_run(context: Context, source: Stored, target: Stored, base: Operand, count: Operand) -> None:
    """Neighbouring elements."""
    build = context.build
    if is_constant(count, 0):
        return
    with build.loop(count, vector=True) as loop:
        place = build.index_add(base, loop.index)
        build.store(target.pointer, place, build.load(source.pointer, place))
