"""Functions that are run again: a derivative by columns runs the function for each of them. What it prints was printed
when it ran for its value, so that these runs print nothing; they still raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend.instances import operands, result_roots, specialise_apply, take_result
from arignote.frontend.scope import HOOKS
from arignote.frontend.spec import rebuild
from arignote.frontend.values import TransformValue, Value

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def call_silently(
    context: Context, value: TransformValue, arguments: list[Value], keywords: dict[str, Value]
) -> Value:
    """Call a function without what it prints."""
    instance, flat, _ = specialise_apply(context, value.function, arguments, keywords)
    if instance is None or instance.function is None or instance.dead or instance.running or not instance.effects:
        return context.call(value.function, arguments, keywords)
    function = context.program.transforms.silenced(instance.function)
    result = context.scope.emit.call(function, *operands(context, instance, flat))
    leaves = take_result(context, instance, result)
    return rebuild(instance.result, leaves, context.scope, result_roots(instance, flat))


HOOKS["silent"] = call_silently
