"""Jacobians inside compiled code: which arguments they are by, and the float leaves that they go through one by one.

The programs themselves are written in the compiled language, in the public interface, and registered here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from arignote.frontend.argnums import choose
from arignote.frontend.scope import HOOKS
from arignote.frontend.spec import assemble, parts
from arignote.frontend.transforms import NO_FLOAT, at_run_time
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    ListValue,
    RecordValue,
    ScalarValue,
    Static,
    TransformValue,
    TupleValue,
    Value,
)
from arignote.ir.errors import DifferentiationError
from arignote.ir.marks import JACOBIAN_PROGRAMS
from arignote.ir.types import is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

CONTAINERS = (TupleValue, ListValue, DictValue, RecordValue)


def float_leaves(context: Context, tree: Value) -> Value:
    """The floats and arrays of floats in a tree, as a tuple."""
    return TupleValue(tuple(_leaves(context, tree)))


def _leaves(context: Context, tree: Value) -> list[Value]:
    if isinstance(tree, ArrayValue | ScalarValue):
        return [tree] if is_float(tree.dtype) else []
    if isinstance(tree, CONTAINERS):
        return [leaf for part in parts(context, tree)[2] for leaf in _leaves(context, part)]
    if isinstance(tree, Static):
        return [at_run_time(context, tree)] if type(tree.object) is float else []
    context.error(f"the Jacobian by, or of, {context.show(tree)} is not supported", DifferentiationError,
                  "use grad, vjp or jvp")  # fmt: skip


def with_float_leaves(context: Context, tree: Value, leaves: Value) -> Value:
    """The tree with other things in the places of its float leaves; other numbers become None."""
    return _rebuilt(context, tree, iter(context.elements(leaves)))


def _rebuilt(context: Context, tree: Value, leaves: Iterator[Value]) -> Value:
    if isinstance(tree, ArrayValue | ScalarValue):
        return next(leaves) if is_float(tree.dtype) else Static(None)
    if isinstance(tree, CONTAINERS):
        tag, key, items = parts(context, tree)
        return assemble(tag, key, [_rebuilt(context, item, leaves) for item in items], None)
    assert isinstance(tree, Static)
    if type(tree.object) is float:
        return next(leaves)
    return Static(None) if isinstance(tree.object, bool | int) else tree


def jacobian(context: Context, kind: str, function: Value, options: tuple[Any, ...], arguments: list[Value],
             keywords: dict[str, Value]) -> Value:  # fmt: skip
    """The Jacobian of a function at these arguments."""
    argnums, has_aux = options
    chosen = choose(context, function, argnums, arguments, keywords)
    values = [*chosen.arguments, *chosen.keywords.values()]
    by = [at_run_time(context, values[place]) for place in chosen.places]
    for place, value in zip(chosen.places, by):
        if not _leaves(context, value):
            context.error(f"{NO_FLOAT}{chosen.shown(place)}, {context.show(value)}: it holds no float",
                          DifferentiationError, "pass a float, or an array of floats")  # fmt: skip
    settings = (tuple(chosen.places), tuple(chosen.keywords))
    restricted = TransformValue("restricted", function, settings, tuple(values))
    given = [restricted, TupleValue(tuple(by)), Static(None if isinstance(argnums, tuple) else "single")]
    return context.call(context.lift(JACOBIAN_PROGRAMS[kind]), [*given, Static("aux" if has_aux else None)])


def restricted(context: Context, value: TransformValue, arguments: list[Value]) -> Value:
    """Call a function with some of its arguments; the others are what they were."""
    places, names = value.options
    values = list(value.parts)
    for place, argument in zip(places, arguments, strict=True):
        values[place] = argument
    first = len(values) - len(names)
    return context.call(value.function, values[:first], dict(zip(names, values[first:], strict=True)))


HOOKS.update({"jacobian": jacobian, "restricted": restricted})
HOOKS.update({"float_leaves": float_leaves, "with_float_leaves": with_float_leaves})
