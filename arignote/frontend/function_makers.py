"""What makes functions of functions: `functools.partial` and caches, `operator.itemgetter` and its relatives."""

from __future__ import annotations

import functools
import operator
import weakref
from typing import TYPE_CHECKING, Any

from arignote.frontend import prelude_functions
from arignote.frontend.builtins_table import BUILTINS, builtin
from arignote.frontend.names import captured
from arignote.frontend.partials import Keywords, partial_of
from arignote.frontend.values import DictValue, Static, TransformValue, TupleValue, Value

if TYPE_CHECKING:
    from arignote.frontend.context import Context

GETTERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)


@builtin(functools.partial, least=1)
def _partial(context: Context, arguments: list[Value], keywords: Keywords) -> Value:
    return partial_of(arguments[0], arguments[1:], keywords)


_kept: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()
"""What partial objects hold: places that the runtime can read."""


def lift_partial(context: Context, thing: functools.partial[Any]) -> TransformValue:
    """A partial made outside of compiled code. What it holds never changes, but it may hold arrays."""
    kept = _kept.get(thing)
    if kept is None:
        kept = _kept[thing] = {str(n): item for n, item in enumerate(thing.args)} | {
            f"{name}=": item for name, item in thing.keywords.items()
        }
    values = {key: captured(context, kept, key, "an argument of a partial") for key in kept}
    named = {name: values[f"{name}="] for name in thing.keywords}
    return partial_of(context.lift(thing.func), [values[str(n)] for n in range(len(thing.args))], named)


@builtin(functools.lru_cache, functools.cache)
def _cache(context: Context, arguments: list[Value], keywords: Keywords) -> Value:
    """A function without effects is itself with a cache; `lru_cache(maxsize=...)` is what gives it back."""
    is_function = bool(arguments) and not (isinstance(arguments[0], Static) and not callable(arguments[0].object))
    return arguments[0] if is_function else context.lift(prelude_functions.same)


@builtin(functools.wraps, functools.update_wrapper, least=1)
def _wraps(context: Context, arguments: list[Value], keywords: Keywords) -> Value:
    """The wrapper itself: compiled code knows a function by its definition, not by its name."""
    return arguments[0] if len(arguments) > 1 else context.lift(prelude_functions.same)


def _register_operators() -> None:
    meanings = {
        operator.neg: prelude_functions.negative,
        operator.pos: prelude_functions.positive,
        operator.invert: prelude_functions.inverted,
        operator.inv: prelude_functions.inverted,
        operator.concat: prelude_functions.concatenated,
        operator.is_: prelude_functions.is_same,
        operator.is_not: prelude_functions.is_other,
    }
    meanings[operator.call] = prelude_functions.called
    for function, meaning in meanings.items():
        BUILTINS[function] = lambda context, arguments, keywords, meaning=meaning: context.call(
            context.lift(meaning), arguments, keywords
        )


_register_operators()


@builtin(operator.itemgetter, least=1)
def _itemgetter(context: Context, arguments: list[Value], keywords: Keywords) -> Value:
    one = len(arguments) == 1
    get = context.lift(prelude_functions.item_of if one else prelude_functions.items_of)
    return partial_of(get, [arguments[0] if one else TupleValue(tuple(arguments))], {})


@builtin(operator.attrgetter, least=1)
def _attrgetter(context: Context, arguments: list[Value], keywords: Keywords) -> Value:
    paths = [context.static(argument, "the name of an attribute").split(".") for argument in arguments]
    one = len(paths) == 1
    get = context.lift(prelude_functions.attribute_of if one else prelude_functions.attributes_of)
    names = tuple(map(tuple, paths))
    return partial_of(get, [context.lift(names[0] if one else names)], {})


@builtin(operator.methodcaller, least=1)
def _methodcaller(context: Context, arguments: list[Value], keywords: Keywords) -> Value:
    named = DictValue(keywords.items())
    return partial_of(context.lift(prelude_functions.call_method),
                      [arguments[0], TupleValue(tuple(arguments[1:])), named], {})  # fmt: skip


def lift_getter(context: Context, thing: Any) -> Value:
    """A getter made outside of compiled code."""
    maker, arguments = thing.__reduce__()
    keywords: dict[str, Any] = {}
    if isinstance(maker, functools.partial):  # a method caller with keywords
        arguments, keywords, maker = (*maker.args, *arguments), maker.keywords, maker.func
    lifted = {name: context.lift(value) for name, value in keywords.items()}
    return context.call(Static(maker), [context.lift(argument) for argument in arguments], lifted)
