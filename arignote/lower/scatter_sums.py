"""Elements added one by one at places of a row of memory: what is computed on the way, and what is in memory before.

Where the order is free and parts are added into copies, on several threads, what is little arithmetic is made on the
way: as good as from memory, as the places are what takes time. Elsewhere one thread adds, and several make the values.
"""

from __future__ import annotations

from arignote.ir.graph import Apply
from arignote.lower import fusion
from arignote.lower.context import Context
from arignote.lower.frame import Frame
from arignote.lower.lazy import EXPENSIVE, Lazy, computes, costs
from arignote.lower.loop_ir import Operand, Var
from arignote.lower.nests import Write
from arignote.lower.passengers import passengers, write_together
from arignote.lower.scatter_runs import Additions, parts_of, pays_in_copies
from arignote.lower.values import AnyValue, Stored


def added(frame: Frame, node: Apply, target: Stored, value: AnyValue, pick: AnyValue, number: Operand | None,
          before: Stored | None = None) -> Stored:  # fmt: skip
    """The target with the elements added. `number`: what it is filled with first, if anything; `before`: whose contents
    it has."""
    context, ordered = frame.context, dict(node.attributes).get("ordered", True)
    sizes = pick.sizes  # type: ignore[union-attr]
    fusion.Plan(context, sizes, None).prepare([value, pick])
    places = fusion.stored(context, pick)
    if isinstance(value, Lazy) and value.forced is None and costs(value, EXPENSIVE):
        if not (ordered or value.needed or value.uses > 1 or computes(value, EXPENSIVE)):
            changing = [array.buffer for array in (target, before) if array is not None]
            _added_on_the_way(context, target, value, places, number, changing)
            return target
        value = fusion.stored(context, value)
    Additions(context, target, value, places, ordered, number).write()
    return target


def _added_on_the_way(context: Context, target: Stored, value: Lazy, places: Stored, number: Operand | None,
                      changing: list[Var]) -> None:  # fmt: skip
    """Values of little arithmetic: in one pass with what is made of the same, or from memory."""
    build, count = context.build, places.sizes[0]
    rides = passengers(context, value, places.sizes, changing)
    parts = parts_of(context, places, count)
    with build.branch(pays_in_copies(context, parts, count, target.sizes[0])) as branch:
        with context.region():
            Additions(context, target, value, places, False, number, [*map(Write, rides, rides.values())]).write()
        branch.yields()
        branch.otherwise()
        with context.region():
            room = context.allocate(value.dtype, value.sizes)
            write_together(context, {value: room, **rides})
            Additions(context, target, room, places, True, number).write()
        branch.yields()
    fusion.remember(context, rides)
