"""Calls: what is called decides who answers."""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import typing
from typing import TYPE_CHECKING, Any

from arignote.frontend import builtins_iteration, static_values, views  # noqa: F401  they register themselves
from arignote.frontend.attributes import call_record_method
from arignote.frontend.branches import choose
from arignote.frontend.builtins_table import BUILTINS, call_number_method, type_of
from arignote.frontend.cases import is_union, split, split_first, split_first_inside
from arignote.frontend.construction import construct_dataclass, construct_named_tuple
from arignote.frontend.containers import call_method
from arignote.frontend.function_makers import GETTERS, lift_getter, lift_partial
from arignote.frontend.instances import call_user
from arignote.frontend.math_table import MATH
from arignote.frontend.names import is_named_tuple_class
from arignote.frontend.numpy_table import METHODS, lookup
from arignote.frontend.operators import (
    find_method,
    static_call,
)
from arignote.frontend.scope import HOOKS
from arignote.frontend.transforms import call_maker, call_transform, call_transformed, give_rules
from arignote.frontend.values import (
    ArrayValue,
    BoundMethod,
    ChoiceValue,
    FunctionValue,
    MethodValue,
    RecordValue,
    ScalarValue,
    Static,
    TransformValue,
    Value,
    is_number,
)
from arignote.ir.errors import UndefinedNameError, UnsupportedSyntaxError
from arignote.ir.marks import MAKER_ATTRIBUTE, TRANSFORM_ATTRIBUTE

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Keywords = dict[str, Value]

TAKES_UNIONS: frozenset[Any] = frozenset((
    isinstance, type, print, bool, getattr, callable, typing.cast, functools.partial, functools.reduce, dict,
    dataclasses.replace,
    operator.not_,
))  # fmt: skip
"""Known functions that look themselves at what an argument may be, or only pass it on; others do so case by case."""


def call(context: Context, function: Value, arguments: list[Value], keywords: Keywords) -> Value:
    """Call anything that can be called."""
    if is_union(function):
        return split(context, function, lambda value: call(context, value, arguments, keywords))
    match function:
        case FunctionValue():
            return call_user(context, function, arguments, keywords)
        case BoundMethod():
            return call(context, function.function, [function.instance, *arguments], keywords)
        case MethodValue():
            return _call_known_method(context, function, arguments, keywords)
        case TransformValue():
            return call_transform(context, function, arguments, keywords)
        case ChoiceValue():
            return _call_one_of(context, function, 0, arguments, keywords)
        case Static():
            return _call_object(context, function.object, arguments, keywords)
    method = find_method(context, function, "__call__")
    if method is None:
        message = f"'{type_of(function).__name__}' object is not callable"
        context.error(f"{context.show(function)} cannot be called", raises=(TypeError, message))
    return call(context, method, arguments, keywords)


def _call_one_of(
    context: Context, function: ChoiceValue, place: int, arguments: list[Value], keywords: Keywords
) -> Value:
    """Branch on which function it is."""
    option = function.options[place]
    if place + 1 == len(function.options):
        return call(context, option, arguments, keywords)
    here = context.emit("equal", context.node(function.index), context.constant(place))
    return choose(
        context,
        here,
        lambda: call(context, option, arguments, keywords),
        lambda: _call_one_of(context, function, place + 1, arguments, keywords),
    )


def _call_known_method(context: Context, method: MethodValue, arguments: list[Value], keywords: Keywords) -> Value:
    base = method.instance
    if isinstance(base, TransformValue):
        return give_rules(context, base, [*arguments, *keywords.values()])
    if isinstance(base, RecordValue):
        return call_record_method(context, method, keywords)
    if isinstance(base, ScalarValue) and base.python or isinstance(base, Static) and is_number(base):
        return call_number_method(context, base, method.name)
    if isinstance(base, ArrayValue | ScalarValue):
        again = lambda given, named: _call_known_method(context, method, given, named)  # noqa: E731
        if (cases := split_first(context, arguments, keywords, again)) is not None:
            return cases
        return METHODS[method.name](context, [base, *arguments], keywords)
    return call_method(context, method, arguments, keywords)


def handler_of(thing: Any) -> Any:
    """The handler of a function that the compiler knows, or None."""
    try:
        found = BUILTINS.get(thing) or MATH.get(thing)
    except TypeError:  # what cannot be hashed is not in the tables
        return None
    return found or lookup(thing)


def is_known(function: Any) -> bool:
    """Whether a Python function is not to be looked into: the compiler has its own meaning for it."""
    marked = hasattr(function, TRANSFORM_ATTRIBUTE) or hasattr(function, MAKER_ATTRIBUTE)
    return marked or handler_of(function) is not None


def _call_object(context: Context, thing: Any, arguments: list[Value], keywords: Keywords) -> Value:
    """Call a Python object."""
    handler = handler_of(thing)
    if handler is not None:
        if thing not in TAKES_UNIONS:
            again = lambda given, named: _call_object(context, thing, given, named)  # noqa: E731
            in_cases = split_first if lookup(thing) is None else split_first_inside
            if (cases := in_cases(context, arguments, keywords, again)) is not None:
                return cases
        return handler(context, arguments, keywords)
    transform = getattr(thing, TRANSFORM_ATTRIBUTE, None)
    if transform is not None:
        return call_transformed(context, transform, arguments, keywords)
    maker = getattr(thing, MAKER_ATTRIBUTE, None)
    if maker is not None:
        return call_maker(context, maker, arguments, keywords)
    if isinstance(thing, type):
        return _construct(context, thing, arguments, keywords)
    if isinstance(thing, functools.partial):
        return context.call(lift_partial(context, thing), arguments, keywords)
    if isinstance(thing, GETTERS):
        return context.call(lift_getter(context, thing), arguments, keywords)
    if isinstance(thing, types.BuiltinMethodType | types.MethodWrapperType) and isinstance(thing.__self__, str | bytes):
        return static_call(
            context, thing, *[context.static(a, f"an argument of .{thing.__name__}()") for a in arguments]
        )
    call_ = getattr(type(thing), "__call__", None)  # noqa: B004
    if isinstance(call_, types.FunctionType):
        return context.call(context.lift(call_), [Static(thing), *arguments], keywords)
    name = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or repr(thing)
    module = getattr(thing, "__module__", None) or ""
    where = f" of {module}" if module and module != "builtins" else ""
    if not callable(thing):
        message = f"'{type(thing).__name__}' object is not callable"
        context.error(f"{context.show(Static(thing))} cannot be called", raises=(TypeError, message))
    context.error(
        f"the function {name}{where} is not known to the compiler",
        UndefinedNameError,
        "compiled code can call NumPy's functions that are listed in the documentation, math, the "
        "builtins, and "
        "functions written in Python",
    )


def _construct(context: Context, cls: type, arguments: list[Value], keywords: Keywords) -> Value:
    if issubclass(cls, BaseException):
        context.error(
            "an exception can only be made where it is raised", UnsupportedSyntaxError, f"raise {cls.__name__}(...)"
        )
    if is_named_tuple_class(cls):
        return construct_named_tuple(context, cls, arguments, keywords)
    if dataclasses.is_dataclass(cls):
        return construct_dataclass(context, cls, arguments, keywords)
    context.error(
        f"instances of {cls.__qualname__} cannot be made in compiled code",
        UnsupportedSyntaxError,
        "use a dataclass or a named tuple",
    )


HOOKS["call"] = call
HOOKS["is_known"] = is_known
