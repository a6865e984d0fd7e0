"""Lowering of lists: one growable buffer per operand that an element is flattened to, all of one capacity.

The buffers of a list are shared or not together, so the first one tells whether the list may be changed in place.
Places beyond the length hold nothing, or a reference that the next write gives back.
"""

from __future__ import annotations

from arignote.ir.graph import Apply
from arignote.lower import stacked
from arignote.lower.context import Context
from arignote.lower.flatten import flatten, new_list, rebuild, types_of
from arignote.lower.frame import Frame, rule
from arignote.lower.loop_ir import BUFFER, Const, Operand, Var, pointer_to
from arignote.lower.ranges import is_below, never_negative, range_of
from arignote.lower.taking import Take
from arignote.lower.values import ONE, ZERO, AnyValue, ListValue, NewList, StackedValue, TupleValue

SMALLEST = 8
"""The first capacity of a list that grows."""
SHORT = 128
"""A list of fewer elements becomes four times as large, a longer one twice."""


def _list(frame: Frame, node: Apply) -> ListValue:
    value = _any_list(frame, node)
    assert isinstance(value, ListValue), value
    return value


def _any_list(frame: Frame, node: Apply) -> ListValue | StackedValue:
    value = frame.value(node.inputs[0])
    if isinstance(value, NewList):
        return new_list(frame.context, value)
    assert isinstance(value, ListValue | StackedValue), value
    return value


def _pointers(context: Context, value: ListValue) -> list[Var]:
    slots = types_of(value.element)
    return [context.build.let("buffer_data", b, dtype=pointer_to(slot)) for b, slot in zip(value.buffers, slots)]


def _write(context: Context, pointers: list[Var], position: Operand, words: list[Operand]) -> None:
    """Put operands at a position of their buffers; references that were there are given back."""
    build = context.build
    for pointer, word in zip(pointers, words, strict=True):
        if word.type == BUFFER:
            build.release(build.load(pointer, position))
        build.store(pointer, position, word)


def _read(context: Context, pointers: list[Var], position: Operand) -> list[Operand]:
    """The operands at a position."""
    return [context.build.load(pointer, position) for pointer in pointers]


def _taken(context: Context, value: ListValue) -> tuple[ListValue, list[Var]]:
    """The list with its references handed over, and the addresses of its data."""
    buffers: list[Var] = []
    pointers: list[Var] = []
    for buffer, source in zip(value.buffers, _pointers(context, value)):
        taken, pointer = context.build.var(BUFFER), context.build.var(source.type)
        context.build.append(Take(taken, pointer, buffer, source))
        buffers.append(taken)
        pointers.append(pointer)
    return ListValue(value.element, value.length, value.capacity, tuple(buffers)), pointers


def _changeable(context: Context, value: ListValue, grows: bool) -> tuple[ListValue, list[Var]]:
    """The same list in buffers that nobody else sees, with room for one more element if it grows."""
    build = context.build
    if not value.buffers:
        return value, []
    own, pointers = _taken(context, value)
    ready: Operand = build.unique(own.buffers[0])
    has_room = build.let("less", own.length, own.capacity)
    if grows:
        ready = build.let("logical_and", ready, has_room)
    with build.branch(ready) as branch:
        branch.yields(own.capacity, *_pairs(own.buffers, pointers))
        branch.otherwise()
        capacity = _larger(context, own, has_room) if grows else own.length
        copies = [_copied(context, pointer, own.length, capacity) for pointer in pointers]
        branch.yields(capacity, *[x for pair in copies for x in pair])
    capacity, *rest = branch.results
    return ListValue(value.element, value.length, capacity, tuple(rest[::2])), list(rest[1::2])


def _pairs(buffers: tuple[Var, ...], pointers: list[Var]) -> list[Var]:
    return [x for pair in zip(buffers, pointers) for x in pair]


def _larger(context: Context, value: ListValue, has_room: Operand) -> Operand:
    """Some times the length where there is no room."""
    build = context.build
    is_short = build.let("less", value.length, Const(SHORT, "int64"))
    times = build.let("select", is_short, Const(4, "int64"), Const(2, "int64"))
    larger = build.let("maximum", build.let("multiply", times, value.length), Const(SMALLEST, "int64"))
    return build.let("select", has_room, value.capacity, larger)


def _copied(context: Context, pointer: Var, length: Operand, capacity: Operand) -> tuple[Var, Var]:
    """A fresh buffer with the first elements of another."""
    build = context.build
    slot = pointer.type[4:-1]
    buffer, target = build.alloc(slot, capacity)
    with build.loop(length) as loop:
        build.store(target, loop.index, build.load(pointer, loop.index))
    return buffer, target


def _checked(frame: Frame, index: Operand, length: Operand, message: str) -> Operand:
    """The position of an index that may count from the end."""
    context, build = frame.context, frame.context.build
    bounds = range_of(context, index)
    position = index
    if not never_negative(bounds):
        position = build.let("select", build.let("less", index, ZERO), build.let("add", index, length), index)
    if context.is_in_range(index, length) or never_negative(bounds) and is_below(context, bounds, length):
        return position
    outside = build.let("greater_equal", position, length)
    if position is not index:
        outside = build.let("logical_or", build.let("less", position, ZERO), outside)
    context.raise_if(outside, IndexError, (message,))
    context.now_in_range(index, length)
    return position


@rule("list_new")
def _new(frame: Frame, node: Apply) -> AnyValue:
    return NewList(node["element"], frame.scalar(node.inputs[0]))


@rule("list_length")
def _length(frame: Frame, node: Apply) -> AnyValue:
    length = _any_list(frame, node).length
    frame.context.now_count(length)
    return length


@rule("list_push")
def _push(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    value = _any_list(frame, node)
    if isinstance(value, StackedValue):
        return stacked.push(context, value, frame.value(node.inputs[1]))
    words = flatten(context, frame.value(node.inputs[1]), value.element)
    own, pointers = _changeable(context, value, grows=True)
    _write(context, pointers, own.length, words)
    return ListValue(own.element, context.build.index_add(own.length, ONE), own.capacity, own.buffers)


@rule("list_get")
def _get(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    value = _any_list(frame, node)
    position = _checked(frame, frame.scalar(node.inputs[1]), value.length, "list index out of range")
    if isinstance(value, StackedValue):
        return stacked.get(context, value, position)
    return rebuild(context, value.element, iter(_read(context, _pointers(context, value), position)))


@rule("list_set")
def _set(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    value = _list(frame, node)
    position = _checked(frame, frame.scalar(node.inputs[1]), value.length, "list assignment index out of range")
    words = flatten(context, frame.value(node.inputs[2]), value.element)
    own, pointers = _changeable(context, value, grows=False)
    _write(context, pointers, position, words)
    return own


@rule("list_take")
def _take(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    value = _list(frame, node)
    position = _checked(frame, frame.scalar(node.inputs[1]), value.length, "list index out of range")
    words = _read(context, _pointers(context, value), position)
    if any(word.type == BUFFER for word in words):
        value = _emptied(context, value, words, position)
    return TupleValue((value, rebuild(context, value.element, iter(words))))


@rule("list_pop")
def _pop(frame: Frame, node: Apply) -> AnyValue:
    context, build = frame.context, frame.context.build
    value = _list(frame, node)
    context.raise_if(build.let("less_equal", value.length, ZERO), IndexError, ("pop from empty list",))
    last = build.let("subtract", value.length, ONE)
    words = _read(context, _pointers(context, value), last)
    shorter = ListValue(value.element, last, value.capacity, value.buffers)
    if any(word.type == BUFFER for word in words):
        shorter = _emptied(context, shorter, words, last)
    return TupleValue((shorter, rebuild(context, value.element, iter(words))))


def _emptied(context: Context, value: ListValue, words: list[Operand], place: Operand) -> ListValue:
    """Where nobody else sees the list, the references that left it are taken out, so that they can be unique again."""
    build = context.build
    own, pointers = _taken(context, value)
    with build.branch(build.unique(own.buffers[0])) as branch:
        for pointer, word in zip(pointers, words):
            if word.type == BUFFER:
                build.store(pointer, place, build.let("null", dtype=BUFFER))
                build.release(word)
        branch.otherwise()
    return own
