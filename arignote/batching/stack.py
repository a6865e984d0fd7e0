"""Trees and lists that were computed one by one, put together: a tree of all elements, whose leaves are stacked.

All trees must have one shape, all lists one length, which is known when the program runs only: ValueError otherwise.
"""

from __future__ import annotations

from typing import Any

from arignote.batching.convert import conform
from arignote.batching.elements import Given, Make, each
from arignote.batching.masks import batched_type, uniform
from arignote.ir.graph import Function, Node, Parameter
from arignote.ir.types import INT64, TOKEN, List, Tuple, Type, Union
from arignote.ops.batching import Batch
from arignote.ops.emit import Emit

DIFFERENT_TREES = "vmap cannot stack trees of different shapes: the nodes at one place are of different classes"
DIFFERENT_LENGTHS = "vmap cannot stack lists of different lengths"
NO_TREES = "vmap over no elements cannot tell the shape of the tree that the function returns"


def stacked_trees(batch: Batch, token: Node, values: Node, type_: Union) -> tuple[Node, Node]:
    """(token, the union of all) from a list of unions of one element each."""
    emit = batch.emit
    none = emit.op("equal", batch.count, emit.integer(0))
    token = emit.op("raise_if", token, none, exception=ValueError, message=(NO_TREES,))
    result = emit.call(_stack_function(type_, batch.dim), token, values, batch.count)
    return emit.item(result, 0), emit.item(result, 1)


def _stack_function(type_: Union, dim: int) -> Function:
    """(token, unions, count) -> (token, the union of all), which calls itself. Made once for each definition."""
    made, key = type_.definition.derived, ("stack", dim)
    if key not in made:
        parameters = _parameters(type_)
        made[key] = Function(f"stack_{type_.definition.name}", parameters)
        made[key].declare(Tuple((TOKEN, batched_type(type_, uniform(type_, True), dim))))
        made[key].define(Emit().call(_any_alternative(type_, dim), *parameters))
    return made[key]


def _parameters(type_: Type) -> tuple[Parameter, Parameter, Parameter]:
    return Parameter("token", TOKEN), Parameter("values", List(type_)), Parameter("count", INT64)


def _any_alternative(type_: Union, dim: int) -> Function:
    """The alternatives tried one after the other, by the tag of the first element."""
    chosen: Function | None = None
    for alternative in reversed(range(len(type_.alternatives))):
        this = _one_alternative(type_, alternative, dim)
        if chosen is not None:
            emit, given = Emit(), _parameters(type_)
            tag = emit.op("tag", emit.op("list_get", given[1], emit.integer(0)))
            sides = [emit.closure(side, given) for side in (this, chosen)]
            here = emit.op("equal", tag, emit.integer(alternative))
            this = emit.function("alternatives", given, emit.op("cond", here, *sides))
        chosen = this
    assert chosen is not None
    return chosen


def _one_alternative(type_: Union, alternative: int, dim: int) -> Function:
    """All must be of this alternative."""
    emit, given = Emit(), _parameters(type_)
    payload = type_.alternatives[alternative]

    def take(inner: Emit, operands: list[Node]) -> Node:
        before, values, index = operands
        value = inner.op("list_get", values, index)
        differs = inner.op("not_equal", inner.op("tag", value), inner.integer(alternative))
        before = inner.op("raise_if", before, differs, exception=ValueError, message=(DIFFERENT_TREES,))
        return inner.tuple([before, inner.op("project", value, alternative=alternative)])

    found = _each(Batch(emit, given[2], dim), given[0], given[1], payload, take)
    wide = batched_type(type_, uniform(type_, True), dim)
    assert isinstance(wide, Union)
    held = conform(emit, emit.item(found, 1), wide.alternatives[alternative])
    union = emit.op("inject", held, type=wide, alternative=alternative)
    return emit.function(f"stack_alternative_{alternative}", given, emit.tuple([emit.item(found, 0), union]))


def stacked_lists(batch: Batch, token: Node, values: Node, type_: List) -> tuple[Node, Node]:
    """(token, the list of all) from a list of lists of one element each."""
    emit = batch.emit
    none = emit.op("equal", batch.count, emit.integer(0))
    unknown = Parameter("values", values.type)
    keep = Function("zero", (unknown,), emit.integer(0))
    first = Emit()
    known = Parameter("values", values.type)
    length_of_first = first.op("list_length", first.op("list_get", known, first.integer(0)))
    measure = Function("length_of_first", (known,), length_of_first)
    length = emit.op("cond", none, emit.closure(keep, (values,)), emit.closure(measure, (values,)))
    token = _same_lengths(batch, token, values, length)
    wide = List(batched_type(type_.element, uniform(type_.element, True), batch.dim))
    inner, given = Emit(), (*_parameters(type_)[1:], Parameter("place", INT64), Parameter("token", TOKEN),
                            Parameter("stacked", wide))  # fmt: skip
    lists, count, place, before, collected = given

    def take(innermost: Emit, operands: list[Node]) -> Node:
        own, all_lists, index, at = operands
        value = innermost.op("list_get", innermost.op("list_get", all_lists, index), at)
        return innermost.tuple([own, value])

    found = _each(Batch(inner, count, batch.dim), before, lists, type_.element, take, place)
    pushed = inner.op("list_push", collected, conform(inner, inner.item(found, 1), wide.element))
    body = inner.function("stack_place", given, inner.tuple([inner.item(found, 0), pushed]))
    start = emit.op("list_new", length, element=wide.element)
    loop = emit.op("for_loop", length, emit.closure(body, (values, batch.count)), token, start)
    return emit.item(loop, 0), emit.item(loop, 1)


def _same_lengths(batch: Batch, token: Node, values: Node, length: Node) -> Node:
    emit, inner = batch.emit, Emit()
    lists, wanted = Parameter("values", values.type), Parameter("length", INT64)
    index, before = Parameter("index", INT64), Parameter("token", TOKEN)
    own = inner.op("list_length", inner.op("list_get", lists, index))
    after = inner.op("raise_if", before, inner.op("not_equal", own, wanted), exception=ValueError,
                     message=(DIFFERENT_LENGTHS,))  # fmt: skip
    body = inner.function("compare_lengths", (lists, wanted, index, before), inner.tuple([after]))
    return emit.item(emit.op("for_loop", batch.count, emit.closure(body, (values, length)), token), 0)


def _each(batch: Batch, token: Node, values: Node, type_: Type, take: Make, *more: Node) -> Node:
    """(token, value of this type) for each element, stacked: take(emit, (token, values, index, *more))."""
    index = batch.emit.op("iota", batch.count, dtype="int64", dim=batch.dim)
    given = [Given(token, TOKEN, False), Given(values, values.type, uniform(values.type, False)),
             Given(index, INT64, True), *(Given(x, x.type, False) for x in more)]  # fmt: skip
    return each(batch, "stack_each", given, Tuple((TOKEN, type_)), take, compare=True)


BY_TYPE: dict[type[Type], Any] = {Union: stacked_trees, List: stacked_lists}
