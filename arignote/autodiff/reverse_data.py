"""Pullbacks of tuples, lists, unions and closures as values. The cotangent of a list is a list of the same length."""

from __future__ import annotations

from arignote.autodiff.adjoint import Adjoint
from arignote.autodiff.cotangent import Cotangent, spread, whole
from arignote.autodiff.sums import add_tangents
from arignote.autodiff.union_parts import inject_tangent, payload_tangent
from arignote.autodiff.zeros import is_static, static_zero, zero_tangent
from arignote.ir.graph import Apply, Node
from arignote.ir.types import Closure, List, Tuple


def tuple_(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    assert isinstance(cotangent, list)
    for x, part in zip(node.inputs, cotangent, strict=True):
        adjoint.add(x, part)


def item(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    source = node.inputs[0]
    assert isinstance(source.type, Tuple)
    _add_part(adjoint, source, len(source.type.items), node["index"], cotangent)


def captured(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    source = node.inputs[0]
    assert isinstance(source.type, Closure)
    _add_part(adjoint, source, source.type.captured, node["index"], cotangent)


def _add_part(adjoint: Adjoint, source: Node, count: int, index: int, cotangent: Cotangent) -> None:
    parts: list[Cotangent] = [None] * count
    parts[index] = cotangent
    adjoint.add(source, parts)


def list_push(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    emit, (values, value) = adjoint.emit, node.inputs
    assert isinstance(cotangent, Node)
    popped = emit.op("list_pop", cotangent)
    adjoint.add(values, emit.item(popped, 0))
    adjoint.add(value, spread(emit, emit.item(popped, 1)))


def list_get(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    """Added in place to what the list has so far, which makes reading a whole list in a loop linear."""
    emit, (values, index) = adjoint.emit, node.inputs
    if values not in adjoint.demand:
        return
    place = adjoint.forward[index]
    value = whole(emit, cotangent, adjoint.forward[node])
    base = adjoint.cotangents.get(values)
    if base is None:
        base = zero_tangent(emit, adjoint.forward[values])
    else:
        assert isinstance(base, Node)
        value = add_tangents(emit, emit.op("list_get", base, place), value)
    adjoint.cotangents[values] = emit.op("list_set", base, place, _as_element(adjoint, value, base))


def list_set(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    emit, (values, index, value) = adjoint.emit, node.inputs
    assert isinstance(cotangent, Node) and isinstance(values.type, List)
    place = adjoint.forward[index]
    if _is_taken(values, index):
        taken = emit.op("list_take", cotangent, place)
        adjoint.add(value, spread(emit, emit.item(taken, 1)))
        adjoint.add(values, emit.item(taken, 0))
        return
    adjoint.add(value, spread(emit, emit.op("list_get", cotangent, place)))
    if is_static(values.type.element):
        zero = static_zero(emit, values.type.element)
    else:
        zero = zero_tangent(emit, emit.op("list_get", adjoint.forward[values], place))
    adjoint.add(values, emit.op("list_set", cotangent, place, _as_element(adjoint, zero, cotangent)))


def _is_taken(values: Node, index: Node) -> bool:
    """Whether the element at this index is known to have been taken out of the list."""
    if not isinstance(values, Apply) or values.op.name != "item" or values["index"] != 0:
        return False
    source = values.inputs[0]
    return isinstance(source, Apply) and source.op.name == "list_take" and source.inputs[1] is index


def list_take(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    """The element is put back into the cotangent of the list, from which the pullback of `list_set` took it."""
    emit, (values, index) = adjoint.emit, node.inputs
    assert isinstance(cotangent, list)
    rest = whole(emit, cotangent[0], adjoint.forward[values])
    value = whole(emit, cotangent[1], emit.item(adjoint.forward[node], 1))
    adjoint.add(values, emit.op("list_set", rest, adjoint.forward[index], _as_element(adjoint, value, rest)))


def list_pop(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    emit, copy = adjoint.emit, adjoint.forward[node]
    assert isinstance(cotangent, list)
    shorter = whole(emit, cotangent[0], emit.item(copy, 0))
    last = whole(emit, cotangent[1], emit.item(copy, 1))
    adjoint.add(node.inputs[0], emit.op("list_push", shorter, _as_element(adjoint, last, shorter)))


def _as_element(adjoint: Adjoint, value: Node, values: Node) -> Node:
    assert isinstance(values.type, List)
    return adjoint.emit.conform(value, values.type.element)


def inject(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    assert isinstance(cotangent, Node)
    emit, (payload,) = adjoint.emit, node.inputs
    found = payload_tangent(emit, cotangent, node.type, node["alternative"], adjoint.forward[payload])
    adjoint.add(payload, spread(emit, found))


def project(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    """What was read of the payload stays in parts until here, so a union costs one step for all its fields."""
    emit, (source,) = adjoint.emit, node.inputs
    payload = whole(emit, cotangent, adjoint.forward[node])
    adjoint.add(source, inject_tangent(emit, source.type, node["alternative"], payload))


def nothing(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    """An empty list, a placeholder: there are no operands that could vary."""


PULLBACKS = {
    "tuple": tuple_, "item": item, "closure": tuple_, "captured": captured, "list_new": nothing, "undefined": nothing,
    "list_push": list_push, "list_get": list_get, "list_set": list_set, "list_pop": list_pop,
    "list_take": list_take,
    "inject": inject, "project": project,
}  # fmt: skip
