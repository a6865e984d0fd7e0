"""Changing between representations: making a value mapped, and taking one element out."""

from __future__ import annotations

from collections.abc import Sequence

from arignote.batching.masks import Mask, batched_type, parts, some
from arignote.ir.graph import Apply, Node, Parameter
from arignote.ir.types import INT64, Array, Closure, List, Scalar, Tuple, Type, fits
from arignote.ops.batching import Batch, CannotBatch, Operand
from arignote.ops.emit import Emit


def components(emit: Emit, value: Node, type_: Type, mask: Mask) -> list[Node]:
    """The items of a tuple or the captures of a closure, in the representation of `mask`."""
    if isinstance(type_, Tuple):
        return emit.items(value)
    assert isinstance(type_, Closure)
    if some(mask):
        return emit.items(value)
    return [capture(emit, value, index) for index in range(type_.captured)]


def capture(emit: Emit, closure: Node, index: int) -> Node:
    """A capture of a closure; a closure just built is looked through."""
    if isinstance(closure, Apply) and closure.op.name == "closure":
        return closure.inputs[index]
    return emit.op("captured", closure, index=index)


def widen(batch: Batch, value: Node, type_: Type, mask: Mask, wanted: Mask) -> Node:
    """The value, of which the parts `mask` are mapped, with the parts `wanted` mapped as well."""
    if mask == wanted:
        return value
    emit = batch.emit
    match type_:
        case Scalar() | Array():
            return batch.stacked(Operand(value, False))
        case Tuple() | Closure():
            found = components(emit, value, type_, mask)
            each = zip(found, parts(type_) or (), mask, wanted, strict=True)
            return emit.tuple([widen(batch, *x) for x in each])
        case List():
            return _widened_list(batch, value, type_, mask, wanted)
    raise CannotBatch("trees that differ from element to element")


def _widened_list(batch: Batch, value: Node, type_: List, mask: Mask, wanted: Mask) -> Node:
    """A list just made is made anew, another one is copied element by element."""
    emit = batch.emit
    wide = List(batched_type(type_.element, wanted[0], batch.dim))
    if isinstance(value, Apply) and value.op.name == "list_new":
        return emit.op("list_new", *value.inputs, element=wide.element)
    inner = Emit()
    values, count = Parameter("values", value.type), Parameter("count", INT64)
    index, copied = Parameter("index", INT64), Parameter("copied", wide)
    element = widen(Batch(inner, count, batch.dim), inner.op("list_get", values, index), type_.element, mask[0],
                    wanted[0])  # fmt: skip
    result = inner.tuple([inner.op("list_push", copied, conform(inner, element, wide.element))])
    body = inner.function("widen_list", (values, count, index, copied), result)
    length = emit.op("list_length", value)
    start = emit.op("list_new", length, element=wide.element)
    return emit.item(emit.op("for_loop", length, emit.closure(body, (value, batch.count)), start), 0)


def conform(emit: Emit, value: Node, type_: Type) -> Node:
    """The value with what is known of its sizes stated, where the operations that made it lost it."""
    if fits(value.type, type_):
        return value
    if isinstance(type_, Tuple):
        return emit.tuple([conform(emit, part, t) for part, t in zip(emit.items(value), type_.items, strict=True)])
    if not isinstance(type_, Array) or not isinstance(value.type, Array):
        raise CannotBatch(f"a value of type {value.type!r} where {type_!r} is wanted")
    return emit.op("broadcast_to", value, *emit.sizes(value), dims=type_.dims)


def element(emit: Emit, value: Node, type_: Type, mask: Mask, index: Node) -> Node:
    """One element, as the function for one element has it."""
    if not some(mask):
        return value
    match type_:
        case Scalar() | Array():
            return emit.op("index", value, index, axes=(0,))
        case Tuple() | Closure():
            found = components(emit, value, type_, mask)
            inner = [element(emit, *x, index) for x in zip(found, parts(type_) or (), mask, strict=True)]
            return emit.tuple(inner) if isinstance(type_, Tuple) else emit.closure(type_.function, inner)
        case List():
            return _list_of_element(emit, value, type_, mask, index)
    raise CannotBatch("trees that differ from element to element")


def _list_of_element(emit: Emit, value: Node, type_: List, mask: Mask, index: Node) -> Node:
    inner = Emit()
    values, place = Parameter("values", value.type), Parameter("place", INT64)
    at, copied = Parameter("index", INT64), Parameter("copied", type_)
    one = element(inner, inner.op("list_get", values, at), type_.element, mask[0], place)
    result = inner.tuple([inner.op("list_push", copied, conform(inner, one, type_.element))])
    body = inner.function("list_of_element", (values, place, at, copied), result)
    length = emit.op("list_length", value)
    start = emit.op("list_new", length, element=type_.element)
    return emit.item(emit.op("for_loop", length, emit.closure(body, (value, index)), start), 0)


def leading(emit: Emit, values: Sequence[Node], types: Sequence[Type], masks: Sequence[Mask]) -> Node | None:
    """How many elements there are, by the first axis of some mapped array among the values; None where there is none
    outside of lists."""
    stack = list(zip(reversed(values), reversed(types), reversed(masks), strict=True))
    while stack:
        value, type_, mask = stack.pop()
        if not some(mask):
            continue
        if isinstance(type_, Scalar | Array):
            return emit.size(value, 0)
        if isinstance(type_, Tuple | Closure):
            found = components(emit, value, type_, mask)
            stack.extend(reversed(list(zip(found, parts(type_) or (), mask, strict=True))))
    return None
