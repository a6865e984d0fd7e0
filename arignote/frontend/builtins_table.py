"""Python's builtin functions, and a few of the standard library's: handlers by function object."""

from __future__ import annotations

import collections
import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numbers, prelude
from arignote.frontend.attributes import get_attribute, replace
from arignote.frontend.branches import choose
from arignote.frontend.containers import contains, to_pairs
from arignote.frontend.expressions import BINARY as BINARY_SYNTAX
from arignote.frontend.expressions import (
    binary_values,
    compare_named,
    find_method,
    negate,
    short_circuit,
    static_call,
)
from arignote.frontend.iterate import elements, is_structural, length
from arignote.frontend.join import join
from arignote.frontend.numpy_table import METHODS, lookup, matmul_of
from arignote.frontend.scope import HOOKS
from arignote.frontend.spec import flatten
from arignote.frontend.text import TextValue, text_of
from arignote.frontend.values import (
    ITERATORS,
    ArrayValue,
    BoundMethod,
    ChoiceValue,
    DictValue,
    EnumerateValue,
    FunctionValue,
    GeneratorValue,
    ListValue,
    MapValue,
    MethodValue,
    RangeValue,
    RecordValue,
    ReversedValue,
    ScalarValue,
    SliceValue,
    Static,
    TransformValue,
    TupleValue,
    Value,
    ZipValue,
    is_number,
    is_python_number,
    number_dtype,
)
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Handler = Callable[..., Value]
BUILTINS: dict[Any, Handler] = {}
AMBIGUOUS = "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"


def builtin(*functions: Any, least: int = 0, most: int | None = None) -> Callable[[Handler], Handler]:
    """Register a handler (context, arguments, keywords); the number of positional arguments is checked here."""

    def register(handler: Handler) -> Handler:
        name = getattr(functions[0], "__name__", "function")

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


def _plain(context: Context, keywords: dict[str, Value], *accepted: str) -> None:
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


@builtin(pow, least=2, most=3)
def _pow(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    import ast

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


# Extremes, sums and quantifiers


def _extreme(name: str, sign: str) -> Handler:
    def handler(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        _plain(context, keywords, "key", "default")
        items = arguments
        if len(arguments) == 1:
            if not is_structural(arguments[0]) and "key" not in keywords:
                return _extreme_at_run_time(context, name, arguments[0], keywords)
            items = elements(context, arguments[0])
        if not items:
            if "default" in keywords:
                return keywords["default"]
            context.raise_now(ValueError, f"{name}() iterable argument is empty")
        key = keywords.get("key")
        best = items[0]
        rank = best if key is None else context.call(key, [best])
        for item in items[1:]:
            own = item if key is None else context.call(key, [item])
            best, rank = _better(context, sign, best, rank, item, own)
        return best

    return handler


def _better(context: Context, sign: str, best: Value, rank: Value, item: Value, own: Value) -> tuple[Value, Value]:
    """The better of two, by their ranks; the first where neither is."""
    wins = context.truth(compare_named(context, sign, {"greater": "gt", "less": "lt"}[sign], own, rank))
    if isinstance(wins, Static):
        return (item, own) if wins.object else (best, rank)
    if own is item and rank is best and is_number(best) and is_number(item):
        chosen = _select(context, wins, item, best)
        if chosen is not None:
            return chosen, chosen
    node = context.node(wins)
    both = choose(context, node, lambda: TupleValue((item, own)), lambda: TupleValue((best, rank)))
    assert isinstance(both, TupleValue)
    return both.items[0], both.items[1]


def _select(context: Context, wins: Value, item: Value, best: Value) -> Value | None:
    """One of two numbers of one kind, without a branch."""
    spec = join(flatten(context, item).spec, flatten(context, best).spec)
    if not isinstance(spec, tuple) or spec[0] != "scalar":
        return None
    if spec[1] != number_dtype(item) or spec[1] != number_dtype(best):
        return None
    node = context.emit("select", context.node(wins), context.node(item), context.node(best))
    low, high = -(2**63), 2**63 - 1
    if spec[1] == "int64" and is_python_number(item) and is_python_number(best):
        ranges = numbers.bounds(item), numbers.bounds(best)
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    return context.scalar(node, spec[2], low, high)


def _extreme_at_run_time(context: Context, name: str, value: Value, keywords: dict[str, Value]) -> Value:
    """Over an array or a range: a loop."""
    size = length(context, value)
    empty = context.emit("equal", context.node(size), context.constant(0))
    if "default" in keywords:
        context.error(f"{name}(default=...) is not supported over an array", UnsupportedSyntaxError)
    context.raise_if(empty, ValueError, f"{name}() iterable argument is empty")
    return context.call(context.lift(getattr(prelude, f"{name}_of")), [value])


BUILTINS[max] = _extreme("max", "greater")
BUILTINS[min] = _extreme("min", "less")


@builtin(sum, least=1, most=2)
def _sum(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    import ast

    _plain(context, keywords, "start")
    total = arguments[1] if len(arguments) > 1 else keywords.get("start", Static(0))
    if not is_structural(arguments[0]):
        return context.call(context.lift(prelude.sum_of), [arguments[0], total])
    for item in elements(context, arguments[0]):
        total = binary_values(context, ast.Add, total, item)
    return total


def _quantifier(is_all: bool) -> Handler:
    def handler(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        if not is_structural(arguments[0]):
            return context.call(context.lift(prelude.all_of if is_all else prelude.any_of), arguments)
        result: Value = Static(is_all)
        for item in elements(context, arguments[0]):
            result = short_circuit(context, is_all, result, lambda item=item: context.truth(item))
        return result

    return handler


BUILTINS[all] = _quantifier(True)
BUILTINS[any] = _quantifier(False)


# Iteration and containers


@builtin(range, least=1, most=3)
def _range(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    for argument in arguments:
        whole = (
            is_number(argument)
            and "int" in number_dtype(argument)
            or (is_number(argument) and is_python_number(argument) and number_dtype(argument) == "bool")
        )
        if not whole:
            context.error(f"range() needs integers, got {context.show(argument)}")
    values = [_index(context, argument) for argument in arguments]
    start, stop, step = (Static(0), values[0], Static(1)) if len(values) == 1 else (*values, Static(1))[:3]
    if isinstance(step, Static) and step.object == 0:
        context.raise_now(ValueError, "range() arg 3 must not be zero")
    return RangeValue(start, stop, step)


def _index(context: Context, value: Value) -> Value:
    """A Python int."""
    if isinstance(value, Static):
        return Static(int(value.object))
    return value if is_python_number(value) and number_dtype(value) == "int64" else numbers.to_int(context, value)


@builtin(slice, least=1, most=3)
def _slice(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    none = Static(None)
    parts = [none, arguments[0], none] if len(arguments) == 1 else [*arguments, none][:3]
    if all(isinstance(part, Static) for part in parts):
        return Static(slice(*[part.object for part in parts]))  # type: ignore[attr-defined]
    return SliceValue(*parts)


@builtin(enumerate, least=1, most=2)
def _enumerate(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    start = arguments[1] if len(arguments) > 1 else keywords.get("start", Static(0))
    return EnumerateValue(arguments[0], start)


@builtin(zip)
def _zip(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    strict = bool(context.static(keywords.get("strict", Static(False))))
    return ZipValue(tuple(arguments), strict) if arguments else TupleValue(())


@builtin(map, least=2)
def _map(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return MapValue(arguments[0], tuple(arguments[1:]))


@builtin(filter, least=2, most=2)
def _filter(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    function, kept = arguments[0], []
    for item in elements(context, arguments[1]):
        none = isinstance(function, Static) and function.object is None
        keep = context.truth(item if none else context.call(function, [item]))
        if context.static(keep, "whether filter() keeps an item"):
            kept.append(item)
    return ListValue(tuple(kept))


@builtin(reversed, least=1, most=1)
def _reversed(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return ReversedValue(arguments[0])


@builtin(sorted, least=1, most=1)
def _sorted(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    _plain(context, keywords, "key", "reverse")
    items = elements(context, arguments[0])
    key = keywords.get("key")
    ranks = [
        context.static(item if key is None else context.call(key, [item]), "what sorted() compares") for item in items
    ]
    backwards = bool(context.static(keywords.get("reverse", Static(False))))
    order = sorted(range(len(items)), key=ranks.__getitem__, reverse=backwards)
    return ListValue(tuple([items[place] for place in order]))


@builtin(tuple, least=0, most=1)
def _tuple(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return TupleValue(tuple(elements(context, arguments[0])) if arguments else ())


@builtin(list, least=0, most=1)
def _list(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return ListValue(tuple(elements(context, arguments[0])) if arguments else ())


@builtin(dict, collections.OrderedDict, least=0, most=1)
def _dict(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    pairs = to_pairs(context, arguments[0]) if arguments else {}
    return DictValue({**pairs, **keywords}.items())


@builtin(functools.reduce, least=2, most=3)
def _reduce(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    if not is_structural(arguments[1]):
        if len(arguments) == 3:
            return context.call(context.lift(prelude.reduce_of), arguments)
        context.error("functools.reduce over an array needs a start value", UnsupportedSyntaxError)
    items = [*arguments[2:], *elements(context, arguments[1])]
    if not items:
        context.raise_now(TypeError, "reduce() of empty iterable with no initial value")
    total = items[0]
    for item in items[1:]:
        total = context.call(arguments[0], [total, item])
    return total


@builtin(functools.partial, least=1)
def _partial(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return TransformValue("partial", arguments[0], tuple(keywords), (*arguments[1:], *keywords.values()))


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
        GeneratorValue: types.GeneratorType,
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
    cls = type_of(arguments[0])
    if isinstance(arguments[0], Static):
        return static_call(context, isinstance, arguments[0].object, kinds)
    return static_call(context, issubclass, cls, kinds)


@builtin(issubclass, least=2, most=2)
def _issubclass(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return static_call(context, issubclass, *[context.static(a) for a in arguments])


@builtin(type, least=1, most=1)
def _type(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return Static(type_of(arguments[0]))


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
    if not isinstance(base, RecordValue):
        context.error(f"replace() needs a dataclass, got {context.show(base)}")
    return replace(context, base, keywords)


@builtin(typing.cast, least=2, most=2)
def _cast(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return arguments[1]


# Text


@builtin(print)
def _print(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    _plain(context, keywords, "sep", "end", "flush")
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


@builtin(
    id,
    hash,
    input,
    open,
    eval,
    exec,
    compile,
    globals,
    locals,
    vars,
    setattr,
    delattr,
    set,
    frozenset,
    complex,
    iter,
    next,
    format,
    memoryview,
    bytearray,
    bytes,
    super,
    object,
)
def _refused(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    context.error(
        "this builtin is not supported in compiled code",
        UnsupportedSyntaxError,
        "call it outside of the compiled function, and pass the result",
    )


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


# What lower modules need


def static(context: Context, value: Value) -> Any:
    """The Python object of a value known now; HOOKS itself if it is not."""
    match value:
        case Static():
            return value.object
        case TupleValue():
            items = [static(context, item) for item in value.items]
            return HOOKS if any(item is HOOKS for item in items) else tuple(items)
        case ListValue():
            items = [static(context, item) for item in context.read(value)]
            return HOOKS if any(item is HOOKS for item in items) else items
        case DictValue():
            pairs = {key: static(context, item) for key, item in context.read(value)}
            return HOOKS if any(item is HOOKS for item in pairs.values()) else pairs
        case RangeValue():
            parts = [static(context, part) for part in (value.start, value.stop, value.step)]
            return HOOKS if any(part is HOOKS for part in parts) else range(*parts)
        case FunctionValue() if value.python is not None and not value.env:
            return value.python
    constant = getattr(value, "node", None)
    found = getattr(constant, "value", None)
    return HOOKS if found is None else found


def truth(context: Context, value: Value) -> Value:
    """bool(value)."""
    match value:
        case Static():
            return static_call(context, bool, value.object)
        case ScalarValue():
            if value.dtype == "bool":
                return value
            zero = context.scope.emit.constant(0, value.dtype)
            return context.scalar(context.emit("not_equal", context.node(value), zero), True)
        case ArrayValue():
            return _truth_of_array(context, value)
        case TupleValue():
            return Static(bool(value.items))
        case ListValue() | DictValue():
            return Static(bool(context.read(value)))
        case RecordValue():
            method = find_method(context, value, "__bool__") or find_method(context, value, "__len__")
            if method is not None:
                return truth(context, context.call(method, []))
            return Static(bool(value.names) or not value.is_tuple)
        case RangeValue():
            return truth(context, length(context, value))
        case TextValue():
            context.error("the truth of text that is known at run time only is not supported", UnsupportedSyntaxError)
    return Static(True)


def _truth_of_array(context: Context, value: ArrayValue) -> Value:
    """Of an array with one element; NumPy refuses others."""
    if value.dims and all(dim >= 0 for dim in value.dims) and int(np.prod(value.dims)) != 1 or -1 in value.dims:
        context.raise_now(ValueError, AMBIGUOUS)
    node = context.node(value)
    for axis, dim in enumerate(value.dims):
        if dim != 1:
            size = context.scope.emit.op("size", node, axis=axis)
            many = context.emit("not_equal", size, context.constant(1))
            context.raise_if(many, ValueError, AMBIGUOUS)
    if value.dims:
        node = context.emit("index", node, *[context.constant(0) for _ in value.dims], axes=tuple(range(value.rank)))
    return truth(context, context.scalar(node, False))


def arithmetic(context: Context, name: str, left: Value, right: Value) -> Value:
    """An operator on two Python numbers, known now or not."""
    if isinstance(left, Static) and isinstance(right, Static):
        return static_call(context, numbers.STATIC[name], left.object, right.object)
    if is_python_number(left) and is_python_number(right):
        return numbers.binary(context, name, left, right)
    return context.elementwise(name, left, right)


def matmul(context: Context, left: Value, right: Value) -> Value:
    return context.result(matmul_of(context, left, right))


def asarray(context: Context, value: Value) -> Value:
    handler = lookup(np.asarray)
    assert handler is not None
    return handler(context, [value], {})


HOOKS["static"] = static
HOOKS["truth"] = truth
HOOKS["arithmetic"] = arithmetic
HOOKS["matmul"] = matmul
HOOKS["asarray"] = asarray
