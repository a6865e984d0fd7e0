"""Partial application: a function with its first arguments supplied, and others by name."""

from __future__ import annotations

from arignote.frontend.values import DictValue, TransformValue, TupleValue, Value

Keywords = dict[str, Value]


def partial_of(function: Value, arguments: list[Value], keywords: Keywords) -> TransformValue:
    """A function with its first arguments, and some by name; a partial of a partial is one partial."""
    if isinstance(function, TransformValue) and function.kind == "partial":
        known, named = partial_arguments(function)
        function, arguments, keywords = function.function, [*known, *arguments], {**named, **keywords}
    return TransformValue("partial", function, tuple(keywords), (*arguments, *keywords.values()))


def partial_arguments(value: TransformValue) -> tuple[list[Value], Keywords]:
    """The arguments that a partial supplies."""
    first = len(value.parts) - len(value.options)
    return list(value.parts[:first]), dict(zip(value.options, value.parts[first:]))


def partial_attribute(value: TransformValue, name: str) -> Value | None:
    """`func`, `args` and `keywords` of a partial."""
    arguments, keywords = partial_arguments(value)
    match name:
        case "func":
            return value.function
        case "args":
            return TupleValue(tuple(arguments))
        case "keywords":
            return DictValue(keywords.items())
    return None
