"""Changing between representations: making a value mapped, and taking one element out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from arignote.batching.masks import Mask, batched_type, parts, payload_mask, some
from arignote.ir.graph import Apply, Function, Node, Parameter
from arignote.ir.types import INT64, Array, Closure, List, Scalar, Tuple, Type, Union, fits
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
        case Union():
            return _widened_union(batch, value, type_, mask, wanted)
    raise AssertionError(type_)


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
        case Union():
            return _union_of_element(emit, value, type_, mask, index)
    raise AssertionError(type_)


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


# unions ------------------------------------------------------------------------------------------------------------


def _widened_union(batch: Batch, value: Node, type_: Union, mask: Mask, wanted: Mask) -> Node:
    """The whole union with more of its places mapped."""
    wide = batched_type(type_, wanted, batch.dim)
    if isinstance(value, Apply) and value.op.name == "undefined":
        return batch.emit.op("undefined", type=wide)

    def change(emit: Emit, payload: Node, alternative: int, count: Node) -> Node:
        given, more = payload_mask(type_, alternative, mask or frozenset()), payload_mask(type_, alternative, wanted)
        return widen(Batch(emit, count, batch.dim), payload, type_.alternatives[alternative], given, more)

    return _changed(batch.emit, value, batch.count, type_, wide, ("widen", mask, wanted, batch.dim), change)


def _union_of_element(emit: Emit, value: Node, type_: Union, mask: Mask, index: Node) -> Node:
    def change(inner: Emit, payload: Node, alternative: int, place: Node) -> Node:
        given = payload_mask(type_, alternative, mask)
        return element(inner, payload, type_.alternatives[alternative], given, place)

    return _changed(emit, value, index, type_, type_, ("element", mask, value.type), change)


Change = Callable[[Emit, Node, int, Node], Node]
"""(emit, payload, its alternative, a number that all have) -> the payload of that alternative in the result."""


def _changed(emit: Emit, value: Node, number: Node, type_: Union, wanted: Type, key: Hashable, change: Change) -> Node:
    """A union with all payloads changed, by a function that calls itself where the union contains itself. It is made
    once for each key, for the definition of one element."""
    made = type_.definition.derived
    function = made.get(key)
    if function is None:
        assert isinstance(wanted, Union)
        parameters = Parameter("u", value.type), Parameter("number", INT64)
        function = made[key] = Function(f"change_{type_.definition.name}", parameters)
        function.declare(wanted)
        try:
            function.define(_by_alternative(value.type, wanted, parameters, change))
        except CannotBatch:
            del made[key]
            raise
    return emit.call(function, value, number)


def _by_alternative(given: Type, wanted: Union, parameters: Sequence[Node], change: Change) -> Node:
    """The alternatives tried one after the other."""
    chosen: Function | None = None
    for alternative, payload in reversed(list(enumerate(wanted.alternatives))):
        inner = Emit()
        value, number = Parameter("u", given), Parameter("number", INT64)
        changed = change(inner, inner.op("project", value, alternative=alternative), alternative, number)
        result = inner.op("inject", conform(inner, changed, payload), type=wanted, alternative=alternative)
        this = inner.function(f"alternative_{alternative}", (value, number), result)
        if chosen is not None:
            inner = Emit()
            value, number = Parameter("u", given), Parameter("number", INT64)
            here = inner.op("equal", inner.op("tag", value), inner.integer(alternative))
            sides = [inner.closure(side, (value, number)) for side in (this, chosen)]
            this = inner.function("alternatives", (value, number), inner.op("cond", here, *sides))
        chosen = this
    assert chosen is not None
    return Emit().call(chosen, *parameters)


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
