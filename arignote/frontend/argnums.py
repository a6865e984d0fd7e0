"""Which arguments a derivative is with respect to: `argnums` as numbers, names, and tuples of them.

Arguments have one order, positional ones first, then those given by keyword. A name stands for the parameter, however
it is given; one that is left to its default is given by it.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.values import BoundMethod, FunctionValue, Static, TransformValue, Value
from arignote.ir.errors import DifferentiationError
from arignote.ir.records import dataclass

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Argnums = int | str | tuple[int | str, ...]


@dataclass(slots=True)
class Chosen:
    """The arguments of a call, and the places (in their one order) that are differentiated by, as asked for."""

    arguments: list[Value]
    keywords: dict[str, Value]
    places: list[int]
    names: list[str]

    def shown(self, place: int) -> str:
        """An argument in messages."""
        keys = list(self.keywords)
        if place >= len(self.arguments):
            return f"argument '{keys[place - len(self.arguments)]}'"
        return f"argument '{self.names[place]}'" if place < len(self.names) else f"argument {place}"


def choose(context: Context, function: Value, argnums: Argnums, arguments: Sequence[Value],
           keywords: dict[str, Value]) -> Chosen:  # fmt: skip
    """Find the arguments that `argnums` names."""
    chosen = Chosen(list(arguments), dict(keywords), [], parameter_names(function))
    for item in argnums if isinstance(argnums, tuple) else (argnums,):
        find = _by_name if isinstance(item, str) else _by_number
        chosen.places.append(find(context, function, chosen, item))
    return chosen


def parameter_names(function: Value) -> list[str]:
    """The names of the parameters that can be given by position."""
    match function:
        case FunctionValue():
            spec = function.definition.arguments
            return [argument.arg for argument in (*spec.posonlyargs, *spec.args)]
        case BoundMethod():
            return parameter_names(function.function)[1:]
        case TransformValue() if function.kind not in ("partial", "pullback"):
            return parameter_names(function.function)
        case Static():
            return _names_of(function.object)
    return []


def _names_of(thing: Any) -> list[str]:
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _by_number(context: Context, function: Value, chosen: Chosen, number: int) -> int:
    count = len(chosen.arguments)
    if -count <= number < count:
        return number % count
    if 0 <= number < len(chosen.names) and chosen.names[number] in chosen.keywords:
        return _keyword(chosen, chosen.names[number])
    context.error(f"argnums names argument {number}, but there are {count} positional arguments", DifferentiationError)


def _by_name(context: Context, function: Value, chosen: Chosen, name: str) -> int:
    if name in chosen.keywords:
        return _keyword(chosen, name)
    if name in chosen.names[: len(chosen.arguments)]:
        return chosen.names.index(name)
    defaults = _defaults(function)
    if name in defaults:
        chosen.keywords[name] = defaults[name]
        return _keyword(chosen, name)
    known = [*chosen.names, *chosen.keywords, *defaults]
    close = difflib.get_close_matches(name, known, 1)
    context.error(f"argnums names the argument '{name}', which the call does not give", DifferentiationError,
                  f"did you mean '{close[0]}'?" if close else "")  # fmt: skip


def _keyword(chosen: Chosen, name: str) -> int:
    return len(chosen.arguments) + list(chosen.keywords).index(name)


def _defaults(function: Value) -> dict[str, Value]:
    """The defaults of a function's parameters."""
    if isinstance(function, BoundMethod):
        return _defaults(function.function)
    if not isinstance(function, FunctionValue):
        return {}
    names = parameter_names(function)
    found = dict(zip(names[len(names) - len(function.defaults) :], function.defaults, strict=True))
    return {**found, **dict(function.keyword_defaults)}
