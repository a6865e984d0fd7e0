"""Batching of tuples, lists, unions, functions as values, and effects."""

from __future__ import annotations

from arignote.batching.convert import components, conform, widen
from arignote.batching.masks import Mask, all_places, batched_type, payload_mask, places_of, uniform, union
from arignote.batching.transform import Batching
from arignote.ir.graph import TRUE, Apply, Node, Parameter
from arignote.ir.types import List, Union
from arignote.ops.batching import CannotBatch
from arignote.ops.emit import Emit

Stepped = tuple[Node, Mask]


def _tuple(walk: Batching, node: Apply) -> Stepped:
    """A tuple, or a closure as the tuple of its captures."""
    return walk.emit.tuple([walk.values[x] for x in node.inputs]), tuple([walk.masks[x] for x in node.inputs])


def _part(walk: Batching, node: Apply) -> Stepped:
    whole, index = node.inputs[0], node["index"]
    mask = walk.masks[whole]
    return components(walk.emit, walk.values[whole], whole.type, mask)[index], mask[index]


# lists -------------------------------------------------------------------------------------------------------------


def _list_new(walk: Batching, node: Apply) -> Stepped:
    """How much room is wanted may differ from element to element; it is only a hint."""
    return walk.emit.op("list_new", walk.emit.integer(0), element=node["element"]), (uniform(node["element"], False),)


def _widened(walk: Batching, node: Node, wanted: Mask) -> Node:
    """A value with these parts mapped, in the type that a list of such holds."""
    return widen(walk.batch, walk.values[node], node.type, walk.masks[node], wanted)


def _list_push(walk: Batching, node: Apply) -> Stepped:
    values, value = node.inputs
    inner = union(walk.masks[values][0], walk.masks[value])
    return _stored(walk, node, "list_push", inner, ()), (inner,)


def _list_set(walk: Batching, node: Apply) -> Stepped:
    values, index, value = node.inputs
    inner = union(walk.masks[values][0], walk.masks[value])
    return _stored(walk, node, "list_set", inner, (_same(walk, index),)), (inner,)


def _stored(walk: Batching, node: Apply, name: str, inner: Mask, between: tuple[Node, ...]) -> Node:
    values, value = node.inputs[0], node.inputs[-1]
    assert isinstance(values.type, List)
    stored = conform(walk.emit, _widened(walk, value, inner), batched_type(values.type.element, inner, walk.batch.dim))
    return walk.emit.op(name, _widened(walk, values, (inner,)), *between, stored)


def _same(walk: Batching, index: Node) -> Node:
    if walk.mapped(index):
        raise CannotBatch("a place in a list differs from element to element")
    return walk.values[index]


def _list_get(walk: Batching, node: Apply) -> Stepped:
    values, index = node.inputs
    return walk.emit.op("list_get", walk.values[values], _same(walk, index)), walk.masks[values][0]


def _list_pop(walk: Batching, node: Apply) -> Stepped:
    mask = walk.masks[node.inputs[0]]
    return walk.emit.op("list_pop", walk.values[node.inputs[0]]), (mask, mask[0])


def _list_take(walk: Batching, node: Apply) -> Stepped:
    values, index = node.inputs
    mask = walk.masks[values]
    return walk.emit.op("list_take", walk.values[values], _same(walk, index)), (mask, mask[0])


def _list_length(walk: Batching, node: Apply) -> Stepped:
    return walk.emit.op("list_length", walk.values[node.inputs[0]]), False


# unions ------------------------------------------------------------------------------------------------------------


def _inject(walk: Batching, node: Apply) -> Stepped:
    """All unions in a payload get the places that are mapped in any of them."""
    payload, type_, alternative = node.inputs[0], node["type"], node["alternative"]
    places = places_of(type_, alternative, walk.masks[payload]) & all_places(type_)
    wide = batched_type(type_, places, walk.batch.dim)
    assert isinstance(wide, Union)
    held = _widened(walk, payload, payload_mask(type_, alternative, places))
    held = conform(walk.emit, held, wide.alternatives[alternative])
    return walk.emit.op("inject", held, type=wide, alternative=alternative), places


def _tag(walk: Batching, node: Apply) -> Stepped:
    return walk.emit.op("tag", walk.values[node.inputs[0]]), False


def _project(walk: Batching, node: Apply) -> Stepped:
    value, alternative = node.inputs[0], node["alternative"]
    assert isinstance(value.type, Union)
    held = walk.emit.op("project", walk.values[value], alternative=alternative)
    return held, payload_mask(value.type, alternative, walk.masks[value])


# effects -----------------------------------------------------------------------------------------------------------


def _after(walk: Batching, node: Apply) -> Stepped:
    return walk.emit.op("after", *(walk.values[x] for x in node.inputs)), False


def _fork(walk: Batching, node: Apply) -> Stepped:
    return walk.emit.op("fork", *(walk.values[x] for x in node.inputs)), False


def _ordered(walk: Batching, node: Apply) -> Stepped:
    token, value = node.inputs
    return walk.emit.op("ordered", walk.values[token], walk.values[value]), walk.masks[value]


def _raise_if(walk: Batching, node: Apply) -> Stepped:
    """Raise where it holds for any element; the message is that of the first such element."""
    emit, (token, condition, *shown) = walk.emit, node.inputs
    if not walk.masks[condition]:
        return _raise_first(walk, node, walk.values[condition]), False
    failing = walk.values[condition]
    if not any(walk.mapped(x) for x in shown):
        values = [walk.values[x] for x in shown]
        some_fail = emit.op("any", failing, axes=(0,))
        return emit.op("raise_if", walk.values[token], some_fail, *values, **dict(node.attributes)), False
    return _raise_first(walk, node, failing), False


def _raise_first(walk: Batching, node: Apply, failing: Node) -> Node:
    """raise_if in a branch of its own, where there is an element that fails."""
    emit = walk.emit
    token, condition, *shown = node.inputs
    is_mapped = walk.masks[condition]
    outer = [walk.values[token], failing, *(walk.values[x] for x in shown)]
    inner = Emit().at(emit.span)
    parameters = [Parameter(f"p{n}", x.type) for n, x in enumerate(outer)]
    start, failed, *values = parameters
    first = inner.op("argmax", inner.op("cast", failed, dtype="int64"), axis=0) if is_mapped else inner.integer(0)
    chosen = [inner.op("index", value, first, axes=(0,)) if walk.mapped(x) else value
              for value, x in zip(values, shown, strict=True)]  # fmt: skip
    raised = inner.op("raise_if", start, TRUE, *chosen, **dict(node.attributes))
    then = emit.closure(inner.function("raise_first", parameters, raised), outer)
    unchanged = Parameter("token", token.type)
    otherwise = emit.closure(Emit().function("pass", [unchanged], unchanged), [walk.values[token]])
    fails = emit.op("any", failing, axes=(0,)) if is_mapped else failing
    return emit.op("cond", fails, then, otherwise)


STEPS = {
    "tuple": _tuple, "closure": _tuple, "item": _part, "captured": _part, "list_new": _list_new,
    "list_push": _list_push, "list_set": _list_set, "list_get": _list_get, "list_pop": _list_pop,
    "list_take": _list_take, "list_length": _list_length, "inject": _inject, "tag": _tag, "project": _project,
    "after": _after, "fork": _fork, "ordered": _ordered, "raise_if": _raise_if,
}  # fmt: skip
