"""Tangents of unions, taken apart and put together. They follow the primal: beside alternative k of a union stands
alternative k + 1 of its tangent, or zero (null), which stands for zeros in every part."""

from __future__ import annotations

from arignote.autodiff.activity import differentiable
from arignote.autodiff.emit import AdjointEmit
from arignote.autodiff.zeros import is_zero, leaves_of, null, zero_tangent
from arignote.ir.graph import Apply, Function, Node, Parameter, substitute
from arignote.ir.types import Type, Union, tangent_type


def inject_tangent(emit: AdjointEmit, union: Type, alternative: int, payload: Node) -> Node:
    """The tangent of a union that holds this alternative, from the whole tangent of its payload."""
    assert isinstance(union, Union)
    definition = union.definition
    place = definition.tangent_alternative(alternative)
    type_ = Union(definition.tangent)
    wanted = type_.alternatives[place]
    if not differentiable(wanted):
        return null(emit, union)
    return emit.op("inject", emit.conform(payload, wanted), type=type_, alternative=place)


def payload_tangent(emit: AdjointEmit, tangent: Node, union: Type, alternative: int, payload: Node) -> Node:
    """The whole tangent of `payload`, this alternative of a union, from the tangent of the union."""
    assert isinstance(union, Union)
    zero = zero_tangent(emit, payload)
    if is_zero(tangent) or not differentiable(payload.type):
        return zero
    place = union.definition.tangent_alternative(alternative)
    if isinstance(tangent, Apply) and tangent.op.name == "inject":
        return tangent.inputs[0]
    nothing = emit.op("equal", emit.op("tag", tangent), emit.integer(0))
    given = emit.closure(_projection(tangent.type, place), [tangent])
    return emit.op("cond", nothing, zero_closure(emit, zero, tangent_type(payload.type)), given)


def _projection(type_: Type, alternative: int) -> Function:
    emit = AdjointEmit()
    tangent = Parameter("tangent", type_)
    return Function("tangent_of_payload", (tangent,), emit.op("project", tangent, alternative=alternative))


def zero_closure(emit: AdjointEmit, zero: Node, type_: Type) -> Node:
    """A closure that builds this zero when it is called."""
    leaves = leaves_of(zero)
    parameters = [Parameter(f"size{i}", x.type) for i, x in enumerate(leaves)]
    inner = AdjointEmit()
    result = inner.conform(substitute([zero], dict(zip(leaves, parameters, strict=True)))[0], type_)
    return emit.closure(Function("zero", parameters, result), leaves)
