"""Tangents of tuples, lists, unions and closures. The tangent of a list is a list of the same length."""

from __future__ import annotations

from arignote.autodiff.cotangent import spread
from arignote.autodiff.tangent import Pushforward, Tangent
from arignote.autodiff.union_parts import inject_tangent, payload_tangent
from arignote.ir.graph import Apply, Node
from arignote.ir.types import List


def _tuple(push: Pushforward, node: Apply) -> Tangent:
    return [push.tangents.get(x) for x in node.inputs]


def _part(push: Pushforward, node: Apply) -> Tangent:
    """A component of a tuple, a capture of a closure."""
    parts = push.tangents.get(node.inputs[0])
    return parts[node["index"]] if isinstance(parts, list) else None


def _list_push(push: Pushforward, node: Apply) -> Tangent:
    values, value = node.inputs
    tangents = push.whole(values)
    return push.emit.op("list_push", tangents, _element(push, value, tangents))


def _list_get(push: Pushforward, node: Apply) -> Tangent:
    values, index = node.inputs
    return spread(push.emit, push.emit.op("list_get", push.whole(values), push.forward[index]))


def _list_set(push: Pushforward, node: Apply) -> Tangent:
    values, index, value = node.inputs
    tangents = push.whole(values)
    return push.emit.op("list_set", tangents, push.forward[index], _element(push, value, tangents))


def _list_take(push: Pushforward, node: Apply) -> Tangent:
    values, index = node.inputs
    return spread(push.emit, push.emit.op("list_take", push.whole(values), push.forward[index]))


def _list_pop(push: Pushforward, node: Apply) -> Tangent:
    return spread(push.emit, push.emit.op("list_pop", push.whole(node.inputs[0])))


def _element(push: Pushforward, value: Node, tangents: Node) -> Node:
    assert isinstance(tangents.type, List)
    return push.emit.conform(push.whole(value), tangents.type.element)


def _inject(push: Pushforward, node: Apply) -> Tangent:
    return inject_tangent(push.emit, node.type, node["alternative"], push.whole(node.inputs[0]))


def _project(push: Pushforward, node: Apply) -> Tangent:
    source, tangent = node.inputs[0], push.tangents.get(node.inputs[0])
    if tangent is None:
        return None
    assert isinstance(tangent, Node)
    found = payload_tangent(push.emit, tangent, source.type, node["alternative"], push.forward[node])
    return spread(push.emit, found)


def _nothing(push: Pushforward, node: Apply) -> Tangent:
    return None


PUSHFORWARDS = {
    "tuple": _tuple, "closure": _tuple, "item": _part, "captured": _part, "list_new": _nothing, "undefined": _nothing,
    "list_push": _list_push, "list_get": _list_get, "list_set": _list_set, "list_pop": _list_pop,
    "list_take": _list_take,
    "inject": _inject, "project": _project,
}  # fmt: skip
