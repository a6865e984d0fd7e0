"""Reverse mode of functions and calls: the backpropagator transform.

`augment(f, wrt, want)` makes two functions: a forward one that returns f's result and what is saved, and a backward one
that takes what is kept and a cotangent. The two are joined by plain values; where a function turns out to be recursive,
the values of one call are a union (the residual), which contains those of the calls inside. A union has tangents like
any other data, so derivatives of any order go through recursion.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from weakref import WeakKeyDictionary

from arignote.autodiff.activity import Flags, Mask, call_demand, meet, result_activity, union
from arignote.autodiff.adjoint import Adjoint, Place, Pullback, fresh, parameters_for, spread_all
from arignote.autodiff.cotangent import Cotangent, gather, pruned_type, spread, whole
from arignote.autodiff.emit import AdjointEmit, function_of
from arignote.autodiff.passed_on import passed_on
from arignote.autodiff.residuals import Policy
from arignote.autodiff.sparse import read_by_place
from arignote.ir.graph import Apply, Function, Node, Parameter, substitute
from arignote.ir.records import dataclass
from arignote.ir.types import RESIDUAL, UNIT, Closure, Tuple, Type, Union, UnionDefinition, tangent_type


@dataclass(slots=True)
class Augmented:
    """A function and its backpropagator.

    forward:  parameters -> (result, *saved); None where nothing is saved: the function itself will do
    backward: (*supplied, *saved, cotangent, *totals) -> cotangents of the parameters in `wrt`; those of parameters that
              are read by place, or passed from call to call, are added to `totals`
    want:     the parts of the result whose cotangents the backward takes
    supplied: expressions over `parameters`, which the caller evaluates
    residual: of a recursive function, what `saved` is: one union that holds everything
    recursive: it was met while it was being made
    """

    parameters: tuple[Parameter, ...]
    forward: Function | None
    backward: Function
    residual: Union
    want: Mask
    supplied: tuple[Node, ...] = ()
    saved: int = 1
    recursive: bool = False
    is_open: bool = True


Forms = dict[tuple[Flags, Mask, Flags], Augmented]
_augmented: WeakKeyDictionary[Function, Forms] = WeakKeyDictionary()


def augment(function: Function, wrt: Flags, want: Mask, steady: Flags) -> Augmented:
    """An augmented form of a function that serves these masks. `steady`: the parameters that the caller's backward
    has anyway."""
    forms = _augmented.setdefault(function, {})
    found = forms.get((wrt, want, steady)) or _serving(forms, wrt, want)
    if found is None:
        found = _augment(forms, function, wrt, want, steady)
        if not found.recursive and (inner := _inner_wants(forms, wrt)):
            # The calls inside want more. What serves them serves this call too, rather than a form for it alone.
            found = forms[wrt, want, steady] = augment(function, wrt, functools.reduce(union, inner, want), steady)
    found.recursive = found.recursive or found.is_open
    return found


def _serving(forms: Forms, wrt: Flags, want: Mask) -> Augmented | None:
    """A form of a recursive function that gives at least what is wanted. (What it needs is kept in the residual, so it
    does not matter what its callers have.)"""
    for (flags, _, _), made in forms.items():
        if flags == wrt and (made.recursive or made.is_open) and union(made.want, want) == made.want:
            return made
    return None


def _inner_wants(forms: Forms, wrt: Flags) -> list[Mask]:
    return [made.want for (flags, _, _), made in forms.items() if flags == wrt and made.recursive]


def _augment(forms: Forms, function: Function, wrt: Flags, want: Mask, steady: Flags) -> Augmented:
    parameters = fresh(function.parameters)
    residual = Union(UnionDefinition(f"{RESIDUAL}{function.name}"))
    forward = Function(f"{function.name}_forward", parameters)
    cotangent = Parameter("cotangent", pruned_type(function.result_type, want))
    totals = [Parameter(f"total_{parameters[i].name}", tangent_type(parameters[i].type)) for i in seeded(function, wrt)]
    backward = Function(f"{function.name}_backward", (Parameter("residual", residual), cotangent, *totals))
    backward.declare(Tuple([tangent_type(p.type) for p, flag in zip(parameters, wrt, strict=True) if flag]))
    forward.declare(Tuple([function.result_type, residual]))
    found = forms[wrt, want, steady] = Augmented(parameters, forward, backward, residual, want)
    try:
        _make(found, function, wrt, want, steady)
    except BaseException:
        del forms[wrt, want, steady]
        raise
    found.is_open = False
    return found


def _make(made: Augmented, function: Function, wrt: Flags, want: Mask, steady: Flags) -> None:
    kept_anyway = [p for p, flag in zip(function.parameters, steady, strict=True) if flag]
    places = [function.parameters[i] for i in seeded(function, wrt)]
    adjoint = Adjoint(function, wrt, want, made.parameters, places, steady=kept_anyway, summed=passed_on(function))
    cotangent, *totals = given = made.backward.parameters[1:]
    seeds: dict[Node, Cotangent] = {p: spread(adjoint.emit, t) for p, t in zip(places, totals, strict=True)}
    adjoint.run_backward(spread(adjoint.emit, cotangent), seeds)
    adjoint.emit.at(None)
    roots = [adjoint.cotangent_of(i) for i, flag in enumerate(wrt) if flag]
    policy = Policy(frozenset[Node](made.parameters), steady=adjoint.forwarded(adjoint.steady))
    kept = adjoint.keep(roots, given, Policy() if made.recursive else policy)
    if made.recursive:
        _finish_recursive(made, adjoint, kept.nodes(), roots)
        return
    made.supplied, made.saved = tuple(kept.supplied), len(kept.saved)
    parameters = parameters_for("kept", kept.nodes())
    results = adjoint.rebuild(roots, dict(zip(kept.nodes(), parameters, strict=True)))
    adjoint.finish(made.backward, [*parameters, *given], adjoint.emit.tuple(results))
    made.forward = None
    if kept.saved:
        name = f"{function.name}_forward"
        result = adjoint.emit.tuple([adjoint.result, *kept.saved])
        made.forward = adjoint.finish(Function(name, ()), made.parameters, result)


def _finish_recursive(made: Augmented, adjoint: Adjoint, saved: list[Node], roots: list[Node]) -> None:
    """Everything is saved, as an alternative of a union. The other is nothing at all: what a branch that does not call
    the function has, so that such chains end. Closures are saved as what they capture."""
    emit, (residual, *given) = adjoint.emit, made.backward.parameters
    payload = emit.tuple(_taken_apart(emit, x) for x in saved)
    made.residual.definition.define([UNIT, payload.type])
    parts = emit.items(emit.op("project", residual, alternative=1))
    mapping = {x: _put_together(emit, part, x.type) for x, part in zip(saved, parts, strict=True)}
    adjoint.finish(made.backward, [residual, *given], emit.tuple(adjoint.rebuild(roots, mapping)))
    assert made.forward is not None
    result = emit.tuple([adjoint.result, emit.op("inject", payload, type=made.residual, alternative=1)])
    adjoint.finish(made.forward, made.parameters, result)


def seeded(function: Function, wrt: Flags) -> list[int]:
    """Of the parameters in `wrt`, the positions of those whose cotangents are added to what there is already: they are
    read by place, or passed from call to call."""
    added_to = read_by_place(function) | passed_on(function)
    return [i for i, (p, flag) in enumerate(zip(function.parameters, wrt, strict=True)) if flag and p in added_to]


def _taken_apart(emit: AdjointEmit, x: Node) -> Node:
    if isinstance(x.type, Closure):
        return emit.tuple(_taken_apart(emit, part) for part in emit.captures(x))
    return emit.tuple(_taken_apart(emit, part) for part in emit.items(x)) if isinstance(x.type, Tuple) else x


def _put_together(emit: AdjointEmit, x: Node, type_: Type) -> Node:
    """The inverse: a value of this type."""
    if isinstance(type_, Closure):
        captures = [_put_together(emit, p, t) for p, t in zip(emit.items(x), type_.capture_types, strict=True)]
        return emit.closure(type_.function, captures)
    if isinstance(type_, Tuple):
        return emit.tuple(_put_together(emit, p, t) for p, t in zip(emit.items(x), type_.items, strict=True))
    return x


def call(adjoint: Adjoint, node: Apply) -> tuple[Node, Pullback]:
    """A call becomes a call of the forward function; its pullback calls the backward function."""
    emit, mask = adjoint.emit, adjoint.demand[node]
    callee, flags = function_of(node.inputs[0]), call_demand(node, adjoint.active, mask)
    want = meet(mask, result_activity(callee, flags))
    places = adjoint.places(node.inputs[0]) + [Place(x) for x in node.inputs[1:]]
    operands = [adjoint.value(place) for place in places]
    targets = [place for place, flag in zip(places, flags, strict=True) if flag]
    made = augment(callee, flags, want, tuple(map(adjoint.is_steady, places)))
    if made.forward is None:
        result, given = adjoint.copy(node), supply(emit, made.supplied, _bound(made, operands))
    else:
        result, given = _forward_call(emit, made, operands)
    added = [places[i] for i in seeded(callee, flags)]

    def pullback(cotangent: Cotangent) -> None:
        packed = gather(emit, cotangent, result, made.want)
        totals = [whole(emit, adjoint.take(place), adjoint.value(place)) for place in added]
        spread_all(emit, adjoint, targets, emit.call(made.backward, *given, packed, *totals))

    return result, pullback


def backward_call(
    emit: AdjointEmit, made: Augmented, operands: list[Node], cotangent: Node, totals: Sequence[Node]
) -> Node:
    """Forward and backward one after the other, where the result is not asked for."""
    if made.forward is None:
        given = supply(emit, made.supplied, _bound(made, operands))
    else:
        result, given = _forward_call(emit, made, operands)
        cotangent = gather(emit, spread(emit, cotangent), result, made.want)
    return emit.call(made.backward, *given, cotangent, *totals)


def _bound(made: Augmented, operands: list[Node]) -> dict[Node, Node]:
    return dict(zip(made.parameters, operands, strict=True))


def _forward_call(emit: AdjointEmit, made: Augmented, operands: list[Node]) -> tuple[Node, list[Node]]:
    """The result of the forward call, and the operands of the backward function but for the cotangent."""
    assert made.forward is not None
    supplied = supply(emit, made.supplied, _bound(made, operands))
    pair = emit.call(made.forward, *operands)
    return emit.item(pair, 0), [*supplied, *(emit.item(pair, 1 + i) for i in range(made.saved))]


def supply(emit: AdjointEmit, expressions: tuple[Node, ...], operands: dict[Node, Node]) -> list[Node]:
    """What a callee asks its caller for, in terms of the operands."""
    found: list[Node] = []
    for node in substitute(expressions, dict(operands)):
        if isinstance(node, Apply) and node.op.name == "size":
            found.append(emit.size(node.inputs[0], node["axis"]))
        else:
            found.append(node)
            if isinstance(node, Apply) and emit.span:
                emit.note(node, emit.span)
    return found
