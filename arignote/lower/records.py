"""Elements in memory: a flattened value spread over one buffer per operand, at some position of each. Lists and
boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.ir.types import Closure, Tuple
from arignote.lower.flatten import flatten, rebuild, types_of
from arignote.lower.loop_ir import BUFFER, Operand, Var, pointer_to
from arignote.lower.values import AnyValue, BoxValue, ClosureValue, TupleValue

if TYPE_CHECKING:
    from arignote.lower.context import Context


def data_of(context: Context, buffer: Operand, slot: str) -> Var:
    """The address of the data of a buffer whose slots have this type."""
    return context.build.let("buffer_data", buffer, dtype=pointer_to(slot))


def write_words(context: Context, pointers: list[Var], position: Operand, words: list[Operand],
                overwrite: bool) -> None:  # fmt: skip
    """Put operands at a position of their buffers. `overwrite`: references that were there are given back."""
    build = context.build
    for pointer, word in zip(pointers, words, strict=True):
        if overwrite and word.type == BUFFER:
            build.release(build.load(pointer, position))
        build.store(pointer, position, word)


def read_words(context: Context, pointers: list[Var], position: Operand) -> list[Operand]:
    """The operands at a position."""
    return [context.build.load(pointer, position) for pointer in pointers]


def _layout(type_: Closure) -> tuple[Tuple, list[str], list[str]]:
    """The captures of a box, the types of their operands, and the types of its data buffers."""
    captures = Tuple(type_.capture_types)
    words = types_of(captures)
    return captures, words, list(dict.fromkeys(word for word in words if word != BUFFER))


def write_box(context: Context, value: AnyValue, type_: Closure) -> BoxValue:
    """A closure as a heap record."""
    assert isinstance(value, ClosureValue), value
    build = context.build
    captures, types, groups = _layout(type_)
    words = flatten(context, TupleValue(value.captures), captures)
    box, slots = build.alloc(BUFFER, len(groups) + types.count(BUFFER))
    for number, group in enumerate(groups):
        data, pointer = build.alloc(group, types.count(group))
        for place, word in enumerate([word for word, t in zip(words, types) if t == group]):
            build.store(pointer, place, word)
        build.store(slots, number, data)
    for place, word in enumerate([word for word, t in zip(words, types) if t == BUFFER], len(groups)):
        build.store(slots, place, word)
    return BoxValue(type_.function, type_.captured, box)


def read_box(context: Context, value: BoxValue) -> ClosureValue:
    """The closure of a heap record."""
    build = context.build
    captures, types, groups = _layout(Closure(value.function, value.captured))
    slots = data_of(context, value.buffer, BUFFER)
    data = {group: data_of(context, build.load(slots, number), group) for number, group in enumerate(groups)}
    places = dict.fromkeys(groups, 0) | {BUFFER: len(groups)}
    words: list[Operand] = []
    for type_ in types:
        words.append(build.load(slots if type_ == BUFFER else data[type_], places[type_]))
        places[type_] += 1
    rebuilt = rebuild(context, captures, iter(words))
    return ClosureValue(value.function, rebuilt.items if isinstance(rebuilt, TupleValue) else ())
