"""Reverse mode of branches: a branch on the same condition, over the backward functions.

The forward branches also return what either saves; the one not taken is `undefined`. Cotangents of arrays and lists
that have been added up so far go through the backward branch and are increased there, so that a branch that does not
touch them costs nothing, and one that touches a place costs that place.
"""

from __future__ import annotations

from arignote.autodiff.activity import Flags, Mask, branch_demand, meet, result_activity
from arignote.autodiff.adjoint import Adjoint, Place, Pullback, parameters_for, spread_all
from arignote.autodiff.cotangent import Cotangent, accumulate, gather, pruned_type, spread, whole
from arignote.autodiff.emit import function_of
from arignote.autodiff.residuals import Kept, Policy
from arignote.autodiff.reverse_call import supply
from arignote.autodiff.zeros import leaves_of, zero_tangent
from arignote.ir.graph import Apply, Function, Node, Parameter, substitute
from arignote.ir.records import dataclass, field
from arignote.ir.types import Array, List, tangent_type


@dataclass(slots=True)
class _Slot:
    """One operand of either branch that gets a cotangent. `zero` and its `leaves` are nodes of the outer function."""

    place: Place
    value: Node
    seeded: bool
    zero: Node
    leaves: list[Node]


@dataclass(slots=True)
class _Branch:
    """One side: its adjoint, which slot each of its parameters belongs to, and the two halves."""

    adjoint: Adjoint
    slots: list[_Slot | None]
    cotangent: Parameter
    seeds: dict[int, Parameter] = field(default_factory=dict)  # by position in the list of all slots
    roots: list[Node | None] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)


def cond(adjoint: Adjoint, node: Apply) -> tuple[Node, Pullback]:
    mask = adjoint.demand[node]
    closures = node.inputs[1:]
    flags = [branch_demand(x, adjoint.active, mask) for x in closures]
    slots = _slots(adjoint, node, flags)
    every = list(slots.values())
    branches = [_branch(adjoint, node, x, f, slots, mask) for x, f in zip(closures, flags, strict=True)]
    result, saved = _forward(adjoint, node, branches)
    supplied = [_supplied(adjoint, x, branch) for x, branch in zip(closures, branches, strict=True)]

    def pullback(cotangent: Cotangent) -> None:
        emit = adjoint.emit
        packed = gather(emit, cotangent, result, mask)
        seeds = [whole(emit, adjoint.take(s.place), s.value) for s in every if s.seeded]
        sides = []
        for branch, given, kept in zip(branches, supplied, saved, strict=True):
            function, leaves = _backward(branch, every)
            sides.append(emit.closure(function, [*given, *kept, *leaves, packed, *seeds]))
        tangents = emit.op("cond", adjoint.forward[node.inputs[0]], *sides)
        spread_all(emit, adjoint, [s.place for s in every], tangents)

    return result, pullback


def _slots(adjoint: Adjoint, node: Apply, flags: list[Flags]) -> dict[Place, _Slot]:
    slots: dict[Place, _Slot] = {}
    for closure, marked in zip(node.inputs[1:], flags, strict=True):
        for place, flag in zip(adjoint.places(closure), marked, strict=True):
            if flag and place not in slots:
                value = adjoint.value(place)
                seeded = (place.capture is None and isinstance(value.type, Array | List)
                          and adjoint.has_total(place.node, node))  # fmt: skip
                zero = zero_tangent(adjoint.emit, value)
                slots[place] = _Slot(place, value, seeded, zero, leaves_of(zero))
    return slots


def _branch(outer: Adjoint, node: Apply, closure: Node, flags: Flags, slots: dict[Place, _Slot], mask: Mask) -> _Branch:
    """Run one side backward; the cut is made when both are known."""
    function = function_of(closure)
    want = meet(mask, result_activity(function, flags))
    places = outer.places(closure)
    mine = [slots[place] if flag else None for place, flag in zip(places, flags, strict=True)]
    firsts = {position: first for position, slot in enumerate(slots.values()) if slot.seeded
              for first in [p for p, s in zip(function.parameters, mine, strict=True) if s is slot][:1]}  # fmt: skip
    written = [p for p, place in zip(function.parameters, places, strict=False)
               if place.capture is None and place.node in outer.volatile]  # fmt: skip
    steady = [p for p, place in zip(function.parameters, places, strict=False) if outer.is_steady(place)]
    summed = [p for p, place in zip(function.parameters, places, strict=False) if place.node in outer.summed]
    adjoint = Adjoint(function, flags, want, seeded=firsts.values(), written=written, steady=steady, summed=summed)
    cotangent = Parameter("cotangent", pruned_type(node.type, mask))
    branch = _Branch(adjoint, mine, cotangent)
    seeds: dict[Node, Cotangent] = {}
    for position, slot in enumerate(slots.values()):
        if slot.seeded:
            seed = branch.seeds[position] = Parameter("total", tangent_type(slot.value.type))
            if position in firsts:
                seeds[firsts[position]] = spread(adjoint.emit, seed)
    adjoint.run_backward(spread(adjoint.emit, cotangent), seeds)
    adjoint.emit.at(None)
    branch.roots = [_root(branch, slot, position) for position, slot in enumerate(slots.values())]
    parameters = [cotangent, *branch.seeds.values()]
    policy = Policy(frozenset[Node](adjoint.parameters), steady=adjoint.forwarded(adjoint.steady))
    branch.kept = adjoint.keep([x for x in branch.roots if x is not None], parameters, policy)
    return branch


def _root(branch: _Branch, slot: _Slot, position: int) -> Node | None:
    """The cotangent that a side gives for a slot; None where it is the slot's zero."""
    adjoint = branch.adjoint
    total: Cotangent = None
    value = slot.value
    for parameter, forward, mine in zip(adjoint.function.parameters, adjoint.parameters, branch.slots, strict=True):
        if mine is slot:
            total = accumulate(adjoint.emit, total, adjoint.cotangents.get(parameter))
            value = forward
    if total is not None:
        return whole(adjoint.emit, total, value)
    return branch.seeds.get(position)


def _forward(outer: Adjoint, node: Apply, branches: list[_Branch]) -> tuple[Node, list[list[Node]]]:
    """The forward branch: its result, and what each side saved."""
    saved = [branch.kept.saved for branch in branches]
    if not any(saved):
        return outer.copy(node), [[], []]
    emit, sides = outer.emit, []
    for index, (closure, branch) in enumerate(zip(node.inputs[1:], branches, strict=True)):
        inner = branch.adjoint.emit
        items = [branch.adjoint.result]
        for side, nodes in enumerate(saved):
            items.extend(x if side == index else inner.op("undefined", type=x.type) for x in nodes)
        function = Function(f"{branch.adjoint.function.name}_forward", ())
        branch.adjoint.finish(function, branch.adjoint.parameters, inner.tuple(items))
        sides.append(emit.closure(function, outer.values(closure)))
    pair = emit.op("cond", outer.forward[node.inputs[0]], *sides)
    count = len(saved[0])
    items = [emit.item(pair, i) for i in range(1 + count + len(saved[1]))]
    return items[0], [items[1 : 1 + count], items[1 + count :]]


def _supplied(outer: Adjoint, closure: Node, branch: _Branch) -> list[Node]:
    mapping: dict[Node, Node] = dict(zip(branch.adjoint.parameters, outer.values(closure), strict=True))
    return supply(outer.emit, tuple(branch.kept.supplied), mapping)


def _backward(branch: _Branch, slots: list[_Slot]) -> tuple[Function, list[Node]]:
    """The backward function of one side, and the leaves of zeros that it captures."""
    adjoint, nodes = branch.adjoint, branch.kept.nodes()
    parameters = parameters_for("kept", nodes)
    missing = [slot for slot, root in zip(slots, branch.roots, strict=True) if root is None]
    leaves = list(dict.fromkeys(leaf for slot in missing for leaf in slot.leaves))
    sizes = parameters_for("size", leaves)
    given = [x for x in branch.roots if x is not None]
    rebuilt = iter(adjoint.rebuild(given, dict(zip(nodes, parameters, strict=True))))
    zeros = iter(substitute([slot.zero for slot in missing], dict(zip(leaves, sizes, strict=True))))
    results = [next(zeros) if root is None else next(rebuilt) for root in branch.roots]
    function = Function(f"{adjoint.function.name}_backward", ())
    every = [*parameters, *sizes, branch.cotangent, *branch.seeds.values()]
    return adjoint.finish(function, every, adjoint.emit.tuple(results)), leaves
