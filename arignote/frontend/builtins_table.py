"""Python's builtin functions, and a few of the standard library's: handlers by function object."""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numbers
from arignote.frontend.attributes import get_attribute, replace
from arignote.frontend.cases import agreed, ask_union, is_union, narrowed, split, split_inside, tag_node
from arignote.frontend.iterate import length
from arignote.frontend.iterators import ITERATORS, EnumerateValue, LazyValue, MapValue, ReversedValue, ZipValue
from arignote.frontend.names import read_name
from arignote.frontend.numpy_table import METHODS, lookup
from arignote.frontend.operators import (
    BINARY as BINARY_SYNTAX,
)
from arignote.frontend.operators import (
    binary_values,
    compare_named,
    contains,
    find_method,
    negate,
    static_call,
)
from arignote.frontend.scope import HOOKS
from arignote.frontend.text import TextValue, text_of
from arignote.frontend.values import (
    ArrayValue,
    BoundMethod,
    ChoiceValue,
    DictValue,
    FunctionValue,
    ListValue,
    MethodValue,
    RangeValue,
    RecordValue,
    RecursiveValue,
    ScalarValue,
    SliceValue,
    Static,
    SuperValue,
    TransformValue,
    TupleValue,
    UnionValue,
    Value,
    is_number,
    number_dtype,
)
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context


Handler = Callable[..., Value]


BUILTINS: dict[Any, Handler] = {}


def builtin(*functions: Any, least: int = 0, most: int | None = None) -> Callable[[Handler], Handler]:
    """Register a handler (context, arguments, keywords); the number of positional arguments is checked here."""

    def register(handler: Handler) -> Handler:
        name = getattr(functions[0], "__name__", "function")

        @functools.wraps(handler)
        def checked(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
            if len(arguments) < least or most is not None and len(arguments) > most:
                wanted = (
                    f"{least}" if least == most else f"{least} to {most}" if most is not None else f"at least {least}"
                )
                context.error(f"{name}() takes {wanted} arguments, got {len(arguments)}")
            return handler(context, arguments, keywords)

        for function in functions:
            BUILTINS[function] = checked
        return handler

    return register


def only_keywords(context: Context, keywords: dict[str, Value], *accepted: str) -> None:
    wrong = [name for name in keywords if name not in accepted]
    if wrong:
        context.error(f"the keyword argument '{wrong[0]}' is not supported here")


# Numbers


@builtin(len, least=1, most=1)
def _len(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    value = arguments[0]
    if isinstance(value, Static) and hasattr(value.object, "__len__"):
        return Static(len(value.object))
    if isinstance(value, (Static, *ITERATORS)) or is_number(value):
        context.error(f"object of type {context.show(value)} has no len()")
    method = find_method(context, value, "__len__")
    return context.call(method, []) if method is not None else length(context, value)


@builtin(abs, operator.abs, least=1, most=1)
def _abs(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    value = arguments[0]
    if isinstance(value, Static):
        return static_call(context, abs, value.object)
    if isinstance(value, ScalarValue) and value.python:
        return numbers.absolute(context, value)
    method = find_method(context, value, "__abs__")
    return context.call(method, []) if method is not None else context.elementwise("absolute", value)


def _as_number(context: Context, value: Value, what: str) -> Value:
    """A number; an array of one element is one."""
    if isinstance(value, ArrayValue):
        return METHODS["item"](context, [value], {})
    if not is_number(value):
        context.error(f"{what}() needs a number, got {context.show(value)}")
    return value


@builtin(int, least=0, most=1)
def _int(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    if not arguments:
        return Static(0)
    if isinstance(arguments[0], Static):
        return static_call(context, int, arguments[0].object)
    return numbers.to_int(context, _as_number(context, arguments[0], "int"))


@builtin(float, least=0, most=1)
def _float(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    if not arguments:
        return Static(0.0)
    if isinstance(arguments[0], Static):
        return static_call(context, float, arguments[0].object)
    return numbers.to_float(context, _as_number(context, arguments[0], "float"))


@builtin(bool, operator.truth, least=0, most=1)
def _bool(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    if not arguments:
        return Static(False)
    value = context.truth(arguments[0])
    return value if isinstance(value, Static) else context.scalar(context.node(value), True)


@builtin(round, least=1, most=2)
def _round(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    value = arguments[0]
    digits = arguments[1] if len(arguments) > 1 else keywords.get("ndigits", Static(None))
    if isinstance(value, Static) and isinstance(digits, Static):
        return static_call(context, round, value.object, digits.object)
    none = isinstance(digits, Static) and digits.object is None
    if isinstance(value, ScalarValue):
        if none:
            return numbers.to_int(context, value, "round")
        if value.python:
            if value.dtype != "float64" and isinstance(digits, Static) and digits.object >= 0:
                return numbers.unary(context, "positive", value)
            context.error(
                "round(x, n) of a Python number known at run time only is not supported: it rounds its decimal text",
                UnsupportedSyntaxError,
                "use np.round(x, n)",
            )
    handler = lookup(np.round)
    assert handler is not None
    return handler(context, arguments[:1] if none else [value, digits], {})


@builtin(divmod, least=2, most=2)
def _divmod(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    import ast

    return TupleValue(tuple([binary_values(context, op, *arguments) for op in (ast.FloorDiv, ast.Mod)]))


@builtin(pow, most=3)
def _pow(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    import ast

    given = dict(zip(("base", "exp", "mod"), arguments))
    if not {"base", "exp"} <= {*given, *keywords} or {*given} & {*keywords}:
        context.error("pow() takes a base, an exponent and perhaps a modulus, each of them once")
    only_keywords(context, keywords, "base", "exp", "mod")
    given |= keywords
    arguments = [given[name] for name in ("base", "exp", "mod") if name in given]
    if len(arguments) == 3:
        if all(isinstance(a, Static) for a in arguments):
            return static_call(context, pow, *[a.object for a in arguments])  # type: ignore[attr-defined]
        context.error("pow() with a modulus is not supported for run-time numbers", UnsupportedSyntaxError)
    return binary_values(context, ast.Pow, *arguments)


def _register_operators() -> None:
    """The functions of `operator` are the operators."""
    for kind, (_, _, method) in BINARY_SYNTAX.items():
        function = getattr(operator, method + "_" if method in ("and", "or") else method)
        BUILTINS[function] = lambda context, arguments, keywords, kind=kind: binary_values(context, kind, *arguments)
    for name, method in (
        ("equal", "eq"),
        ("not_equal", "ne"),
        ("less", "lt"),
        ("less_equal", "le"),
        ("greater", "gt"),
        ("greater_equal", "ge"),
    ):
        BUILTINS[getattr(operator, method)] = lambda context, arguments, keywords, pair=(name, method): compare_named(
            context, *pair, *arguments
        )
    BUILTINS[operator.not_] = lambda context, arguments, keywords: negate(context, arguments[0])
    BUILTINS[operator.getitem] = lambda context, arguments, keywords: HOOKS["getitem"](context, *arguments)
    BUILTINS[operator.contains] = lambda context, arguments, keywords: contains(context, *arguments)


_register_operators()


# Types and attributes


def type_of(value: Value) -> type | None:
    """The Python class of a value."""
    match value:
        case Static():
            return type(value.object)
        case ScalarValue():
            return numbers.python_type(value) if value.python else np.dtype(value.dtype).type
        case ArrayValue():
            return np.ndarray
        case RecordValue() | DictValue():
            return value.cls
        case FunctionValue() | TransformValue():
            return type(type_of)
        case BoundMethod() | MethodValue():
            return type(BUILTINS.get)
    kinds = {
        TupleValue: tuple,
        ListValue: list,
        RangeValue: range,
        SliceValue: slice,
        LazyValue: types.GeneratorType,
        ZipValue: zip,
        MapValue: map,
        EnumerateValue: enumerate,
        ReversedValue: reversed,
        TextValue: str,
    }
    return kinds.get(type(value))


@builtin(isinstance, least=2, most=2)
def _isinstance(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    kinds = context.static(arguments[1], "the class of isinstance()")
    value = narrowed(context, arguments[0])
    if is_union(value):
        known = lambda found: agreed(found, lambda part: _is_instance(context, part, kinds))  # noqa: E731
        return ask_union(context, value, known, lambda found: _isinstance(context, [found, arguments[1]], {}))
    return Static(_is_instance(context, value, kinds))


def _is_instance(context: Context, value: Value, kinds: Any) -> bool:
    test, thing = (isinstance, value.object) if isinstance(value, Static) else (issubclass, type_of(value))
    result = static_call(context, test, thing, kinds)
    assert isinstance(result, Static)
    return result.object


@builtin(issubclass, least=2, most=2)
def _issubclass(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return static_call(context, issubclass, *[context.static(a) for a in arguments])


@builtin(type, least=1, most=1)
def _type(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    value = narrowed(context, arguments[0])
    if is_union(value):
        tag = context.scalar(tag_node(context, value), True)
        return ChoiceValue(tag, tuple([Static(type_of(option)) for option in value.options]))
    return Static(type_of(value))


HOOKS["class_of"] = type_of


@builtin(callable, least=1, most=1)
def _callable(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    value = arguments[0]
    if isinstance(value, Static):
        return Static(callable(value.object))
    return Static(
        isinstance(value, FunctionValue | BoundMethod | MethodValue | TransformValue | ChoiceValue)
        or find_method(context, value, "__call__") is not None
    )


@builtin(getattr, least=2, most=3)
def _getattr(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    name = context.static(arguments[1], "the name of an attribute")
    if len(arguments) == 3 and not _has(context, arguments[0], name):
        return arguments[2]
    return get_attribute(context, arguments[0], name)


def _has(context: Context, value: Value, name: str) -> bool:
    if isinstance(value, Static):
        return hasattr(value.object, name)
    if isinstance(value, RecordValue):
        return name in value.names or hasattr(value.cls, name)
    cls = type_of(value)
    return cls is not None and hasattr(cls, name)


@builtin(hasattr, least=2, most=2)
def _hasattr(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return Static(_has(context, arguments[0], context.static(arguments[1], "the name of an attribute")))


@builtin(dataclasses.replace, least=1, most=1)
def _replace(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    base = arguments[0]
    if is_union(base):
        return split(context, base, lambda value: _replace(context, [value], keywords))
    if not isinstance(base, RecordValue):
        context.error(f"replace() needs a dataclass, got {context.show(base)}")
    return replace(context, base, keywords)


@builtin(typing.cast, least=2, most=2)
def _cast(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return arguments[1]


# Text


@builtin(print)
def _print(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    only_keywords(context, keywords, "sep", "end", "flush")
    cases = split_inside(context, TupleValue(tuple(arguments)), lambda value: _print(context, value.items, keywords))  # type: ignore[attr-defined]
    if cases is not None:
        return cases
    between = context.static(keywords.get("sep", Static(" ")), "sep")
    last = context.static(keywords.get("end", Static("\n")), "end")
    parts: list[Any] = []
    for number, argument in enumerate(arguments):
        if number:
            parts.append(" " if between is None else between)
        parts.append(argument)
    parts.append("\n" if last is None else last)
    template, nodes = context.message(parts)
    scope = context.scope
    scope.token = scope.emit.op("print", scope.token, *nodes, template=template)
    return Static(None)


@builtin(str, least=0, most=1)
def _str(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return text_of(context, arguments[0]) if arguments else Static("")


@builtin(repr, least=1, most=1)
def _repr(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    value = arguments[0]
    return Static(repr(value.object)) if isinstance(value, Static) else TextValue([(value, True)])


OUTSIDE = "call it outside of the compiled function, and pass the result"

REFUSED = dict.fromkeys((
    id, hash, input, open, eval, exec, compile, globals, locals, vars, setattr, delattr, memoryview,
    bytearray, bytes, object,
), OUTSIDE) | {
    iter: "go through it with a `for`",
    next: "go through it with a `for`, or take its items by index",
    set: "use a tuple or a list",
    frozenset: "use a tuple or a list",
    complex: "keep the real and the imaginary part as two numbers",
    format: "use an f-string",
}  # fmt: skip
"""Builtins that are not compiled, and another way."""


def _refuse(name: str, hint: str) -> Handler:
    def _refused(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        context.error(f"{name}() is not supported in compiled code", UnsupportedSyntaxError, hint)

    return _refused


for _function, _hint in REFUSED.items():
    BUILTINS[_function] = _refuse(getattr(_function, "__name__", "this builtin"), _hint)


@builtin(super, least=0, most=2)
def _super(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    if len(arguments) == 2:
        return SuperValue(context.static(arguments[0], "the class of super()"), narrowed(context, arguments[1]))
    frame = context.frame
    free = frame.python.__code__.co_freevars if frame.python is not None else ()
    first = [*frame.definition.arguments.posonlyargs, *frame.definition.arguments.args][:1]
    if arguments or not first or "__class__" not in free:
        context.error("super() is for methods of classes", UnsupportedSyntaxError)
    cls = frame.python.__closure__[free.index("__class__")].cell_contents
    return SuperValue(cls, narrowed(context, read_name(context, first[0].arg)))


@builtin(object.__setattr__, least=3, most=3)
def _set_attribute(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """What `__post_init__` of a frozen dataclass sets its fields with."""
    HOOKS["set_field"](context, arguments[0], context.static(arguments[1], "the name of an attribute"), arguments[2])
    return Static(None)


@builtin(dataclasses.asdict, least=1, most=1)
def _as_dict(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    only_keywords(context, keywords)
    return _taken_apart(context, arguments[0], lambda names, items: DictValue(zip(names, items)))


@builtin(dataclasses.astuple, least=1, most=1)
def _as_tuple(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    only_keywords(context, keywords)
    return _taken_apart(context, arguments[0], lambda names, items: TupleValue(tuple(items)))


def _taken_apart(context: Context, value: Value, make: Callable[[Any, list[Value]], Value]) -> Value:
    """A value in which dataclasses, however deep, are made something else."""
    match value:
        case RecordValue():
            items = [_taken_apart(context, item, make) for item in context.read(value)]
            return RecordValue(value.cls, value.names, items) if value.is_tuple else make(value.names, items)
        case TupleValue():
            return TupleValue(tuple([_taken_apart(context, item, make) for item in value.items]))
        case ListValue() if not value.is_sequence:
            return ListValue(tuple([_taken_apart(context, item, make) for item in context.read(value)]))
        case DictValue():
            pairs = [(key, _taken_apart(context, item, make)) for key, item in context.read(value)]
            return DictValue(pairs, value.cls)
        case ListValue() | RecursiveValue() | UnionValue():
            context.error(f"{context.show(value)} has no shape known at compile time", UnsupportedSyntaxError)
        case ArrayValue():
            return METHODS["copy"](context, [value], {})
    return value


def call_number_method(context: Context, value: Value, name: str) -> Value:
    """A method of a Python number."""
    if isinstance(value, Static):
        return static_call(context, getattr(value.object, name))
    if name == "is_integer" and number_dtype(value) == "float64":
        node = context.node(value)
        whole = context.emit("equal", context.emit("floor", node), node)
        return context.scalar(context.emit("logical_and", whole, context.emit("isfinite", node)), True)
    context.error(
        f"the method .{name} of {context.show(value)} is not supported in compiled code", UnsupportedSyntaxError
    )
