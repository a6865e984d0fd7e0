"""Reverse mode of `checkpoint`: nothing is saved but the operands, and the backward runs the function again.

What runs it again is one function of the operands and the cotangent, which is never inlined: there, each value that is
computed again would turn out to be equal to one that was computed before, and that would be kept. It is checkpointed
itself, so derivatives of higher order save as little.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from arignote.autodiff.activity import Flags, Mask, call_demand, meet, result_activity
from arignote.autodiff.adjoint import Adjoint, Place, Pullback, fresh, spread_all
from arignote.autodiff.cotangent import Cotangent, gather, pruned_type, whole
from arignote.autodiff.emit import AdjointEmit, function_of
from arignote.autodiff.reverse_call import augment, backward_call, seeded
from arignote.autodiff.segments import segmented
from arignote.ir.graph import Apply, Function, Node, Parameter
from arignote.ir.types import TOKEN, tangent_type

_made: WeakKeyDictionary[Function, dict[tuple[Flags, Mask], Function]] = WeakKeyDictionary()


def checkpoint(adjoint: Adjoint, node: Apply) -> tuple[Node, Pullback]:
    emit, mask = adjoint.emit, adjoint.demand[node]
    callee, flags = function_of(node.inputs[0]), call_demand(node, adjoint.active, mask)
    want = meet(mask, result_activity(callee, flags))
    if node["loops"]:
        callee = segmented(callee)
    places = adjoint.places(node.inputs[0]) + [Place(x) for x in node.inputs[1:]]
    operands = [adjoint.value(place) for place in places]
    targets = [place for place, flag in zip(places, flags, strict=True) if flag]
    added = [places[i] for i in seeded(callee, flags)]
    result = adjoint.copy(node)

    def pullback(cotangent: Cotangent) -> None:
        packed = gather(emit, cotangent, result, want)
        totals = [whole(emit, adjoint.take(place), adjoint.value(place)) for place in added]
        given = [x for x in operands if x.type is not TOKEN]
        again = emit.closure(_again(callee, flags, want))
        spread_all(emit, adjoint, targets, emit.op("checkpoint", again, *given, packed, *totals, loops=False))

    return result, pullback


def _again(function: Function, wrt: Flags, want: Mask) -> Function:
    """(*operands but for tokens, cotangent, *totals) -> cotangents: forward and backward, without effects."""
    known = _made.setdefault(function, {})
    found = known.get((wrt, want))
    if found is None:
        emit = AdjointEmit()
        made = augment(function, wrt, want, (False,) * len(wrt))
        parameters = fresh(function.parameters)
        operands: list[Node] = [emit.op("token") if p.type is TOKEN else p for p in parameters]
        cotangent = Parameter("cotangent", pruned_type(function.result_type, want))
        totals = [Parameter("total", tangent_type(parameters[i].type)) for i in seeded(function, wrt)]
        result = backward_call(emit, made, operands, cotangent, totals)
        given = [p for p in parameters if p.type is not TOKEN]
        found = known[wrt, want] = emit.function(f"{function.name}_again", [*given, cotangent, *totals], result)
        found.is_opaque = True
    return found
