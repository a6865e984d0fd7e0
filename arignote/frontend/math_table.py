"""The functions of `math`, with Python's errors: a domain error where the result is NaN, an overflow where it is
infinite."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from arignote.frontend import numbers, prelude
from arignote.frontend.iterate import elements, is_structural
from arignote.frontend.numpy_table import METHODS
from arignote.frontend.operators import (
    static_call,
)
from arignote.frontend.values import ArrayValue, Static, Value, is_number, number_dtype
from arignote.ir.errors import UnsupportedSyntaxError
from arignote.ir.graph import Node

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Handler = Callable[..., Value]
MATH: dict[Any, Handler] = {}

TOTAL = {"atan": "arctan", "tanh": "tanh", "asinh": "arcsinh", "erf": "erf", "erfc": "erfc"}
"""Defined everywhere and bounded."""

MAY_OVERFLOW = {"exp": "exp", "expm1": "expm1", "sinh": "sinh", "cosh": "cosh", "exp2": "exp2"}
"""An infinite result of a finite number is an OverflowError."""

FINITE = {"sin": "sin", "cos": "cos", "tan": "tan"}
"""A domain error at infinity."""

PARTIAL = {"sqrt": "sqrt", "asin": "arcsin", "acos": "arccos", "acosh": "arccosh", "log1p": "log1p"}
"""A domain error where the result is NaN (or, for log1p, infinite)."""


def _float(context: Context, value: Value) -> Node:
    if isinstance(value, ArrayValue):
        value = METHODS["item"](context, [value], {})
    if not is_number(value):
        context.error(f"must be a real number, not {context.show(value)}")
    return context.node(value, "float64") if isinstance(value, Static) else context.cast(context.node(value), "float64")


def _static(function: Callable[..., Any], handler: Handler) -> None:
    """Register; what is known now is computed now."""

    def call(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        if keywords and function not in (math.prod, math.isclose):
            context.error(f"math.{function.__name__}() takes no keyword arguments")
        if all(isinstance(a, Static) for a in arguments) and not keywords:
            return static_call(context, function, *[a.object for a in arguments])  # type: ignore[attr-defined]
        return handler(context, arguments, keywords) if keywords else handler(context, arguments)

    MATH[function] = call


def _unary(name: str, operation: str, check: Callable[[Any, Node, Node], None] | None) -> None:
    def handler(context: Context, arguments: list[Value]) -> Value:
        if len(arguments) != 1:
            context.error(f"math.{name}() takes exactly one argument ({len(arguments)} given)")
        x = _float(context, arguments[0])
        result = context.emit(operation, x)
        if check is not None:
            check(context, x, result)
        return context.scalar(result, True)

    _static(getattr(math, name), handler)


def _both(context: Context, a: Node, b: Node) -> Node:
    return context.emit("logical_and", a, b)


def _check_overflow(context: Context, x: Node, result: Node) -> None:
    over = _both(context, context.emit("isinf", result), context.emit("isfinite", x))
    context.raise_if(over, OverflowError, "math range error")


def _check_nan(context: Context, x: Node, result: Node) -> None:
    invented = _both(context, context.emit("isnan", result), context.emit("logical_not", context.emit("isnan", x)))
    context.raise_if(invented, ValueError, "math domain error")


def _check_log1p(context: Context, x: Node, result: Node) -> None:
    low = context.emit("less_equal", x, context.constant(-1.0))
    context.raise_if(low, ValueError, "math domain error")


def _check_inside_one(context: Context, x: Node, result: Node) -> None:
    edge = context.emit("greater_equal", context.emit("absolute", x), context.constant(1.0))
    context.raise_if(edge, ValueError, "math domain error")


def _check_positive(context: Context, x: Node, result: Node) -> None:
    context.raise_if(context.emit("less_equal", x, context.constant(0.0)), ValueError, "math domain error")


def _register_unary() -> None:
    for table, check in ((TOTAL, None), (MAY_OVERFLOW, _check_overflow), (FINITE, _check_nan), (PARTIAL, _check_nan)):
        for name, operation in table.items():
            if hasattr(math, name):
                _unary(name, operation, _check_log1p if name == "log1p" else check)
    _unary("atanh", "arctanh", _check_inside_one)
    for name in ("log2", "log10"):
        _unary(name, name, _check_positive)
    _unary("fabs", "absolute", None)
    if hasattr(math, "cbrt"):
        _unary("cbrt", "cbrt", None)


_register_unary()


def _log(context: Context, arguments: list[Value]) -> Value:
    """math.log(x[, base])"""
    x = _float(context, arguments[0])
    _check_positive(context, x, x)
    result = context.scalar(context.emit("log", x), True)
    if len(arguments) == 1:
        return result
    base = arguments[1]
    if isinstance(base, Static):
        below: Value = static_call(context, math.log, base.object)
    else:
        node = _float(context, base)
        _check_positive(context, node, node)
        below = context.scalar(context.emit("log", node), True)
    return numbers.binary(context, "divide", result, below)


def _lgamma(context: Context, arguments: list[Value]) -> Value:
    x = _float(context, arguments[0])
    pole = _both(
        context,
        context.emit("less_equal", x, context.constant(0.0)),
        context.emit("equal", context.emit("floor", x), x),
    )
    pole = _both(context, pole, context.emit("isfinite", x))
    context.raise_if(pole, ValueError, "math domain error")
    return context.scalar(context.emit("gammaln", x), True)


def _rounding(rounding: str) -> Handler:
    return lambda context, arguments: numbers.to_int(context, _number(context, arguments[0]), rounding)


def _number(context: Context, value: Value) -> Value:
    return METHODS["item"](context, [value], {}) if isinstance(value, ArrayValue) else value


def _predicate(operation: str) -> Handler:
    return lambda context, arguments: context.scalar(context.emit(operation, _float(context, arguments[0])), True)


def _binary(operation: str) -> Handler:
    return lambda context, arguments: context.scalar(
        context.emit(operation, _float(context, arguments[0]), _float(context, arguments[1])), True
    )


def _pow(context: Context, arguments: list[Value]) -> Value:
    def as_float(value: Value) -> Value:
        return (
            Static(float(value.object)) if isinstance(value, Static) else context.scalar(_float(context, value), True)
        )

    base, exponent = map(as_float, arguments)
    return numbers.float_power(context, base, exponent)


def _fmod(context: Context, arguments: list[Value]) -> Value:
    """C's fmod: the sign of the first operand."""
    x, y = (_float(context, a) for a in arguments)
    bad = context.emit("logical_or", context.emit("equal", y, context.constant(0.0)), context.emit("isinf", x))
    known = _both(
        context,
        context.emit("logical_not", context.emit("isnan", y)),
        context.emit("logical_not", context.emit("isnan", x)),
    )
    context.raise_if(_both(context, bad, known), ValueError, "math domain error")
    size = context.emit("remainder", context.emit("absolute", x), context.emit("absolute", y))
    return context.scalar(context.emit("copysign", size, x), True)


def _scaled(factor: float) -> Handler:
    return lambda context, arguments: context.scalar(
        context.emit("multiply", _float(context, arguments[0]), context.constant(factor)), True
    )


def _hypot(context: Context, arguments: list[Value]) -> Value:
    if len(arguments) == 2:
        return _binary("hypot")(context, arguments)
    context.error("math.hypot() is supported for two numbers", UnsupportedSyntaxError)


def _isclose(context: Context, arguments: list[Value], keywords: dict[str, Value] | None = None) -> Value:
    """abs(a - b) <= max(rel_tol * max(abs(a), abs(b)), abs_tol), and equal infinities."""
    keywords = keywords or {}
    relative = context.constant(float(context.static(keywords.get("rel_tol", Static(1e-09)))))
    absolute = context.constant(float(context.static(keywords.get("abs_tol", Static(0.0)))))
    emit = context.emit
    a, b = (_float(context, x) for x in arguments)
    largest = emit("maximum", emit("absolute", a), emit("absolute", b))
    bound = emit("maximum", emit("multiply", relative, largest), absolute)
    near = emit("less_equal", emit("absolute", emit("subtract", a, b)), bound)
    finite = _both(context, emit("isfinite", a), emit("isfinite", b))
    return context.scalar(emit("logical_or", emit("equal", a, b), _both(context, near, finite)), True)


def _prod(context: Context, arguments: list[Value], keywords: dict[str, Value] | None = None) -> Value:
    import ast

    from arignote.frontend.operators import (
        binary_values,
    )

    total = (keywords or {}).get("start", Static(1))
    if not is_structural(arguments[0]):
        context.error("math.prod() over an array is not supported", UnsupportedSyntaxError, "use np.prod")
    for item in elements(context, arguments[0]):
        total = binary_values(context, ast.Mult, total, item)
    return total


def _of_integers(name: str, written: Callable[..., Any]) -> Handler:
    """A function of integers that is written in the language that is compiled."""

    def handler(context: Context, arguments: list[Value]) -> Value:
        for argument in arguments:
            if not is_number(argument) or number_dtype(argument).startswith("float"):
                context.error(f"math.{name}() expects integers, got {context.show(argument)}")
        return context.call(context.lift(written), arguments)

    return handler


def _folded(name: str, written: Callable[..., Any]) -> Handler:
    """The same for a function of any number of integers."""
    pair = _of_integers(name, written)

    def handler(context: Context, arguments: list[Value]) -> Value:
        total = pair(context, [*arguments[:1], *(arguments[1:2] or arguments)])
        for argument in arguments[2:]:
            total = pair(context, [total, argument])
        return total

    return handler


def _refused(name: str) -> Handler:
    def handler(context: Context, arguments: list[Value]) -> Value:
        context.error(f"math.{name}() of a number known at run time only is not supported", UnsupportedSyntaxError)

    return handler


def _register_others() -> None:
    others: dict[Any, Handler] = {
        math.log: _log, math.lgamma: _lgamma, math.pow: _pow, math.fmod: _fmod, math.hypot: _hypot,
        math.atan2: _binary("arctan2"), math.copysign: _binary("copysign"), math.isclose: _isclose, math.prod: _prod,
        math.isnan: _predicate("isnan"), math.isinf: _predicate("isinf"), math.isfinite: _predicate("isfinite"),
        math.floor: _rounding("floor"), math.ceil: _rounding("ceil"), math.trunc: _rounding("trunc"),
        math.degrees: _scaled(180 / math.pi), math.radians: _scaled(math.pi / 180),
        math.gcd: _folded("gcd", prelude.gcd_of), math.lcm: _folded("lcm", prelude.lcm_of),
        math.isqrt: _of_integers("isqrt", prelude.isqrt_of), math.comb: _of_integers("comb", prelude.comb_of),
        math.factorial: _of_integers("factorial", prelude.factorial_of),
        math.perm: _of_integers("perm", prelude.perm_of),
    }  # fmt: skip
    for function, handler in others.items():
        _static(function, handler)
    for name in dir(math):
        function = getattr(math, name)
        if callable(function) and function not in MATH and not name.startswith("_"):
            _static(function, _refused(name))


_register_others()
