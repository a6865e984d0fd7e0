"""Values that a loop over certain positions computes in passing, as it has parts of them at hand.

The derivative of `data * x[places]` adds `cotangent * data` at the places and gives `cotangent * x[places]`: one loop
makes both, which reads the cotangent once and keeps what is added nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote.lower import fusion
from arignote.lower.context import Context
from arignote.lower.lazy import EXPENSIVE, Lazy, Reduction, computes
from arignote.lower.loop_ir import Operand, Var
from arignote.lower.nests import Write
from arignote.lower.planned import write_stores
from arignote.lower.values import Stored


def passengers(context: Context, driver: Lazy, sizes: tuple[Operand, ...],
               apart_from: Sequence[Var]) -> dict[Lazy, Stored]:  # fmt: skip
    """What is wanted in memory beside `driver`, which a loop computes for all positions and does not keep, and where it
    is to be put: what the driver is made of, and what is made of the same.

    apart_from: buffers that change meanwhile
    """
    plan = fusion.Plan(context, sizes, None)
    plan.scan([driver])
    shared = {each for each in plan.inside if each.cost > 0}
    roots = [driver]
    for value in context.pending.get(context.shape_key(sizes), [])[-fusion.MOST_SIBLINGS:]:
        if value is driver or value.forced is not None or isinstance(value, Reduction) or computes(value, EXPENSIVE):
            continue
        alone = fusion.Plan(context, sizes, None)
        if alone.prepare([value], may_force=False):
            alone.scan([value])
            if not shared.isdisjoint(alone.inside) and not any(leaf.buffer in apart_from for leaf in alone.leaves):
                roots.append(value)
    together = fusion.Plan(context, sizes, None)
    together.scan(list(roots))
    found = [*roots[1:], *together.extras(roots)]
    return {value: value.place or context.allocate(value.dtype, value.sizes) for value in found}


def write_together(context: Context, places: dict[Lazy, Stored]) -> None:
    """Values of one shape, which are ready, into memory that is there."""
    plan = fusion.Plan(context, next(iter(places)).sizes, None)
    plan.scan(list(places))
    write_stores(plan, [*map(Write, places, places.values())])
