"""From a plan to kernels: what `fusion.py` has decided to compute together becomes loops.

How the axes are grouped, in which order they are gone through, what is worth a thread, and versions for the case that
no size turns out to be 1.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

from arignote.lower import pairs
from arignote.lower.accumulation import Accumulation
from arignote.lower.lazy import Reduction
from arignote.lower.loop_ir import Const, Operand
from arignote.lower.nests import GRAIN, KernelWriter, Nest, Write
from arignote.lower.values import Stored, is_constant

if TYPE_CHECKING:
    from arignote.lower.fusion import Plan

FEW_STEPS = 8
LITTLE_COST = 32
"""What a few operations and loads of elements cost, or one exponential."""
REDUCTION_COST = 32
"""What a reduction of an element counts as: it has its results in registers, and does not wait for memory to write."""
FEWEST_ELEMENTS = 2048
"""So many elements at least are worth a thread, whatever is done with them."""
MORE_IN_RECURSION = 4
"""How many times more they must be in a function that calls itself."""
POSITIONS = ("argmax", "argmin")


def write_stores(plan: Plan, writes: list[Write], independent: bool = True) -> None:
    """Write the kernel of a plan without reductions."""
    work = _work_inside(plan)

    def write(plain: bool) -> list[Operand]:
        nest = _nest(plan, writes, plain)
        nest.work = work
        groups = plan.groups(list(range(len(plan.space))), [write.destination for write in writes], plain)
        return KernelWriter(nest, writes, [], groups, 0, independent).write()

    _versions(plan, write)


def _nest(plan: Plan, writes: list[Write], plain: bool, positions: bool = False) -> Nest:
    """An empty nest over the plan's space."""
    nest = Nest(plan.context, plan.space)
    nest.plain, nest.grain = plain, _grain(plan)
    if not positions and pairs.suits(plan.space, plan.axes, [*plan.leaves, *[write.destination for write in writes]]):
        nest.packed = pairs.packed(plan.context, plan.leaves)
    return nest


def _grain(plan: Plan) -> int:
    """Fewest elements that are worth a thread: the fewer, the more is done with each. A function that calls itself goes
    through its arrays again and again, and so from a near cache; what another thread wrote would not be in it."""
    costs = [REDUCTION_COST if isinstance(value, Reduction) else value.own_cost for value in plan.inside]
    cost = len(plan.leaves) + sum(costs)
    fewest = max(GRAIN * LITTLE_COST // max(cost, LITTLE_COST), FEWEST_ELEMENTS)
    return fewest * MORE_IN_RECURSION if plan.context.calls_itself else fewest


def _work_inside(plan: Plan) -> Operand | None:
    """How many elements a reduction inside the nest goes through for each of the nest's."""
    inside = next((value for value in plan.inside if isinstance(value, Reduction)), None)
    return inside and plan.context.product(tuple([inside.space[axis] for axis in inside.axes]))


def _versions(plan: Plan, write: Callable[[bool], list[Operand]]) -> list[Operand]:
    """The loops; where sizes may turn out to be 1, twice: for the case that none does, and for all cases."""
    conditions = plan.conditions()
    if not conditions:
        return write(False)
    build = plan.context.build
    plain = conditions[0]
    for condition in conditions[1:]:
        plain = build.let("logical_and", plain, condition)
    with build.branch(plain) as branch:
        with plan.context.region():
            branch.yields(*write(True))
        branch.otherwise()
        with plan.context.region():
            branch.yields(*write(False))
    return list(branch.results)


def write_reductions(plan: Plan, writes: list[Write], reductions: list[tuple[Reduction, Stored | None]]) -> None:
    context, space = plan.context, plan.space
    axes = min(reduction.axes for reduction, _ in reductions)
    positions = any(r.op in POSITIONS for r, _ in reductions)
    if axes and len(space) - 1 not in axes:
        nest = _nest(plan, writes, False, positions)
        alone = all(leaf.buffer.id in context.given or is_constant(leaf.strides[0], 0) for leaf in plan.leaves)
        across = [pair for pair in reductions if pair[0].axes != axes]
        main = [pair for pair in reductions if pair[0].axes == axes]
        Accumulation(nest, writes, main, alone, across).write()  # type: ignore[arg-type]
        return
    kept = [axis for axis in range(len(space)) if axis not in axes]
    outputs = [write.destination for write in writes]

    def write(plain: bool) -> list[Operand]:
        outer, inner = plan.groups(kept, outputs, plain), plan.groups(list(axes), outputs, plain)
        if positions:
            outer, inner = [(axis,) for axis in kept], [(axis,) for axis in axes]
        nest = _nest(plan, writes, plain, positions)
        scalars_only = not positions and all(place is None for _, place in reductions)
        if not outer and len(inner) > 1 and scalars_only and _worth_steps(space, inner[0]):
            return _in_two_steps(nest, writes, reductions, inner)
        return KernelWriter(nest, writes, reductions, [*outer, *inner], len(inner)).write()

    scalars = _versions(plan, write)
    for reduction, value in zip([reduction for reduction, place in reductions if place is None], scalars):
        context.set_forced(reduction, value)


def _worth_steps(space: tuple[Operand, ...], group: tuple[int, ...]) -> bool:
    """Whether there may be enough steps of a loop for several threads."""
    known = [int(space[axis].value) for axis in group if isinstance(space[axis], Const)]  # type: ignore[union-attr]
    return len(known) < len(group) or prod(known) > FEW_STEPS


def _in_two_steps(nest: Nest, writes: list[Write], reductions: list[tuple[Reduction, Stored | None]],
                  groups: list[tuple[int, ...]]) -> list[Operand]:  # fmt: skip
    """Reductions to scalars over loops that are not one: a result for each step of the outermost, on several threads,
    and then those."""
    context = nest.context
    count = context.product(tuple([nest.sizes[axis] for axis in groups[0]]))
    partial = [context.allocate(reduction.source.dtype, (count,)) for reduction, _ in reductions]  # type: ignore[union-attr]
    places = [(reduction, place) for (reduction, _), place in zip(reductions, partial)]
    KernelWriter(nest, writes, places, groups, len(groups) - 1, partial=True).write()
    totals = [(Reduction(reduction.op, place, (0,), reduction.dtype), None) for reduction, place in places]
    return KernelWriter(Nest(context, (count,)), [], totals, [(0,)], 1).write()
