"""The derivative of a single operation by its rule, as the transforms use it."""

from __future__ import annotations

from collections.abc import Sequence

from arignote.ir.graph import Apply, Node
from arignote.ir.types import dtype_of, is_differentiable, is_float
from arignote.ops.derivative import Linear, Partials, Rules, Zero
from arignote.ops.emit import Emit
from arignote.ops.term import Term


def _partials(emit: Emit, node: Apply, rule: Partials) -> list[Node | None]:
    terms = [Term(emit, x) for x in (*node.inputs, node)]
    result: list[Node | None] = []
    for of in rule.of:
        value = None if of is None else of(*terms)
        result.append(value.node if isinstance(value, Term) else None if value is None
                      else emit.constant(value, dtype_of(node.type)))  # fmt: skip
    return result


def vjp(emit: Emit, node: Apply, cotangent: Node) -> Sequence[Node | None]:
    rule = node.op.derivative
    if isinstance(rule, Zero):
        return [None] * len(node.inputs)
    if isinstance(rule, Linear | Rules):
        return rule.vjp(emit, node, cotangent)
    return [
        None if p is None else emit.sum_to(emit.broadcast_like(emit.op("multiply", cotangent, p), node), x)
        for p, x in zip(_partials(emit, node, rule), node.inputs)
    ]


def jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    rule = node.op.derivative
    if isinstance(rule, Zero) or not is_differentiable(node.type):
        return None
    if isinstance(rule, Rules):
        return rule.jvp(emit, node, tangents)
    if isinstance(rule, Linear):
        linear = range(len(node.inputs)) if rule.linear is None else rule.linear
        inputs = list(node.inputs)
        for position in linear:
            inputs[position] = tangents[position] or emit.zeros_like(inputs[position])
        return emit.op(node.op.name, *inputs, **dict(node.attributes))
    total: Node | None = None
    for partial, tangent in zip(_partials(emit, node, rule), tangents):
        if partial is not None and tangent is not None:
            term = emit.broadcast_like(emit.op("multiply", partial, tangent), node)
            total = term if total is None else emit.op("add", total, term)
    return total


def is_float_node(node: Node) -> bool:
    return hasattr(node.type, "dtype") and is_float(node.type.dtype)
