"""Elementwise functions: dtype rules of each, and those that are compositions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend.numpy_binding import FUNCTIONS, METHODS, Declared, Known, Refused, Values, numpy_function
from arignote.frontend.numpy_operand import as_node, cast, is_sequence, refuse
from arignote.frontend.promotion import BOOL_MEANS, as_dtype, kind_of, result_dtype
from arignote.frontend.values import Static, Value, is_number
from arignote.ir.graph import Constant, Node
from arignote.ir.types import Scalar, dtype_of, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

UNARY_FLOAT = (
    "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh",
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "cbrt",
)  # fmt: skip
ALIASES = {
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "atan2": "arctan2", "pow": "power", "abs": "absolute", "true_divide": "divide", "mod": "remainder",
    "bitwise_not": "invert", "bitwise_invert": "invert", "conj": "conjugate", "around": "round",
    "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift",
    "radians": "deg2rad", "degrees": "rad2deg",
}  # fmt: skip
NO_SAFE_CAST = (
    "ufunc '{}' not supported for the input types, and the inputs could not be safely coerced to any supported types "
    "according to the casting rule ''safe''"
)
BOOL_NEGATIVE = (
    "The numpy boolean negative, the `-` operator, is not supported, use the `~` operator or the logical_not function "
    "instead."
)
NO_BOOL_LOOP = (
    "ufunc '{}' did not contain a loop with signature matching types <class 'numpy.dtypes.BoolDType'> -> None"
)


def half(c: Context, name: str) -> Any:
    return refuse(c, f"np.{name} of bool gives float16, which is not supported in compiled code; convert it first")


def int8(c: Context, name: str) -> Any:
    return refuse(c, f"np.{name} of bool gives int8, which is not supported in compiled code; convert it first")


# Dtypes of several operands ----------------------------------------------------------------------------------------


def operand(c: Context, value: Value) -> Value:
    """A number or an array; nested sequences become arrays."""
    return c.array(as_node(c, value)) if is_sequence(value) else value


def unified(c: Context, values: tuple[Value, ...], dtype: str | None = None) -> tuple[str, list[Node]]:
    """The operands in their common dtype (or the one given)."""
    operands = [operand(c, value) for value in values]
    common = dtype or result_dtype(*[kind_of(c, value) for value in operands])
    return common, [as_dtype(c, value, common) for value in operands]  # type: ignore[misc]


def in_float(c: Context, name: str, *values: Value) -> list[Node]:
    """The operands in the float dtype in which NumPy computes."""
    operands = tuple([operand(c, value) for value in values])
    dtype = result_dtype(*[kind_of(c, value) for value in operands])
    if dtype == "bool":
        half(c, name)
    return unified(c, operands, dtype if is_float(dtype) else "float64")[1]


def constant(value: float, like: Node) -> Constant:
    return Constant(value, Scalar(dtype_of(like.type)))


# Declaring ---------------------------------------------------------------------------------------------------------


def unary(name: str) -> Callable[[Callable[[Context, Node], Node]], Callable[[Context, Node], Node]]:
    """Declare a ufunc of one operand from a function of its node."""

    def register(function: Callable[[Context, Node], Node]) -> Callable[[Context, Node], Node]:
        def ufunc(c: Context, x: Node, /, out: Refused = None, *, where: Refused = True, casting: Refused = "same_kind",
                  order: Refused = "K", dtype: Refused = None) -> Node:  # fmt: skip
            return function(c, x)

        FUNCTIONS[getattr(np, name)] = Declared(ufunc, f"np.{name}", False, False)
        return function

    return register


def binary(name: str) -> Callable[..., Any]:
    """Declare a ufunc of two operands from a function of their values."""

    def register(function: Callable[[Context, Value, Value], Any]) -> Callable[[Context, Value, Value], Any]:
        def ufunc(c: Context, x: Value, y: Value, /, out: Refused = None, *, where: Refused = True,
                  casting: Refused = "same_kind", order: Refused = "K", dtype: Refused = None) -> Any:  # fmt: skip
            return function(c, x, y)

        FUNCTIONS[getattr(np, name)] = Declared(ufunc, f"np.{name}", False, False)
        return function

    return register


def _float_function(name: str) -> Callable[[Context, Node], Node]:
    def apply(c: Context, x: Node) -> Node:
        return c.emit(name, float_of(c, name, x))

    return apply


def float_of(c: Context, name: str, x: Node) -> Node:
    """An operand of a function that is only defined on floats."""
    dtype = dtype_of(x.type)
    if dtype == "bool":
        half(c, name)
    return x if is_float(dtype) else cast(c, x, "float64")


for _name in UNARY_FLOAT:
    unary(_name)(_float_function(_name))


# One operand -------------------------------------------------------------------------------------------------------


@unary("negative")
def negative(c: Context, x: Node) -> Node:
    return refuse(c, BOOL_NEGATIVE) if dtype_of(x.type) == "bool" else c.emit("negative", x)


@unary("positive")
def positive(c: Context, x: Node) -> Node:
    return refuse(c, NO_BOOL_LOOP.format("positive")) if dtype_of(x.type) == "bool" else x


@unary("absolute")
def absolute(c: Context, x: Node) -> Node:
    return x if dtype_of(x.type) == "bool" else c.emit("absolute", x)


@unary("fabs")
def fabs(c: Context, x: Node) -> Node:
    return c.emit("absolute", float_of(c, "fabs", x))


@unary("sign")
def sign(c: Context, x: Node) -> Node:
    return refuse(c, NO_BOOL_LOOP.format("sign")) if dtype_of(x.type) == "bool" else c.emit("sign", x)


@unary("square")
def square(c: Context, x: Node) -> Node:
    return int8(c, "square") if dtype_of(x.type) == "bool" else c.emit("multiply", x, x)


@unary("reciprocal")
def reciprocal(c: Context, x: Node) -> Node:
    dtype = dtype_of(x.type)
    if dtype == "bool":
        int8(c, "reciprocal")
    if is_float(dtype):
        return c.emit("divide", constant(1, x), x)
    # Truncated, so 0 except for 1 and -1; of 0, what C's conversion of infinity gives.
    least = constant(-(2**31) if dtype == "int32" else -(2**63), x)
    unit = c.emit("equal", c.emit("absolute", x), constant(1, x))
    rest = c.emit("select", c.emit("equal", x, constant(0, x)), least, constant(0, x))
    return c.emit("select", unit, x, rest)


def _to_integral(name: str) -> Callable[[Context, Node], Node]:
    return lambda c, x: c.emit(name, x) if is_float(dtype_of(x.type)) else x


for _name in ("floor", "ceil", "trunc"):
    unary(_name)(_to_integral(_name))


@unary("rint")
def rint(c: Context, x: Node) -> Node:
    return c.emit("round", float_of(c, "rint", x))


@unary("invert")
def invert(c: Context, x: Node) -> Node:
    dtype = dtype_of(x.type)
    if is_float(dtype):
        refuse(c, NO_SAFE_CAST.format("invert"))
    return c.emit("logical_not" if dtype == "bool" else "invert", x)


@unary("logical_not")
def logical_not(c: Context, x: Node) -> Node:
    return c.emit("logical_not", cast(c, x, "bool"))


@unary("conjugate")
def conjugate(c: Context, x: Node) -> Node:
    return int8(c, "conjugate") if dtype_of(x.type) == "bool" else x


@unary("deg2rad")
def deg2rad(c: Context, x: Node) -> Node:
    x = float_of(c, "deg2rad", x)
    return c.emit("multiply", x, constant(math.pi / 180, x))


@unary("rad2deg")
def rad2deg(c: Context, x: Node) -> Node:
    x = float_of(c, "rad2deg", x)
    return c.emit("multiply", x, constant(180 / math.pi, x))


def _float_predicate(name: str) -> Callable[[Context, Node], Node]:
    def apply(c: Context, x: Node) -> Node:
        if is_float(dtype_of(x.type)):
            return c.emit(name, x)
        # Integers and truth values are finite numbers, whatever they are.
        always = c.emit("equal", x, x)
        return always if name == "isfinite" else c.emit("logical_not", always)

    return apply


for _name in ("isnan", "isfinite", "isinf"):
    unary(_name)(_float_predicate(_name))


@unary("signbit")
def signbit(c: Context, x: Node) -> Node:
    if is_float(dtype_of(x.type)):
        return c.emit("signbit", x)
    return c.emit("less", x, constant(0, x))


# Two operands ------------------------------------------------------------------------------------------------------

def ufunc2(c: Context, name: str, x: Value, y: Value) -> Value:
    """NumPy's ufunc of two operands: `name` is that of the ufunc and of the operation."""
    return c.elementwise(name, operand(c, x), operand(c, y))


def _plain_binary(name: str) -> Callable[[Context, Value, Value], Value]:
    return lambda c, x, y: ufunc2(c, name, x, y)


for _name in (
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "power", "arctan2", "hypot", "copysign",
    "maximum", "minimum", "fmax", "fmin", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift",
):  # fmt: skip
    binary(_name)(_plain_binary(_name))


@binary("float_power")
def float_power(c: Context, x: Value, y: Value) -> Node:
    return c.emit("power", *unified(c, (x, y), "float64")[1])


@binary("fmod")
def fmod(c: Context, x: Value, y: Value) -> Node:
    """The remainder with the sign of x. That of the absolute values has no rounding in either definition."""
    dtype, (a, b) = unified(c, (x, y))
    if dtype == "bool":
        int8(c, "fmod")
    rest = c.emit("remainder", c.emit("absolute", a), c.emit("absolute", b))
    if is_float(dtype):
        return c.emit("copysign", rest, a)
    return c.emit("select", c.emit("less", a, constant(0, a)), c.emit("negative", rest), rest)


@binary("heaviside")
def heaviside(c: Context, x: Value, y: Value) -> Node:
    a, b = in_float(c, "heaviside", x, y)
    step = c.emit("select", c.emit("less", a, constant(0, a)), constant(0, a), constant(1, a))
    result = c.emit("select", c.emit("equal", a, constant(0, a)), b, step)
    return c.emit("select", c.emit("isnan", a), a, result)


def _distance(c: Context, a: Node, b: Node) -> Node:
    """-|a - b|, and 0 where both are the same infinity."""
    same = c.emit("equal", a, b)
    gap = c.emit("select", same, constant(0, a), c.emit("subtract", a, b))
    return c.emit("negative", c.emit("absolute", gap))


@binary("logaddexp")
def logaddexp(c: Context, x: Value, y: Value) -> Node:
    a, b = in_float(c, "logaddexp", x, y)
    rest = c.emit("log1p", c.emit("exp", _distance(c, a, b)))
    return c.emit("add", c.emit("maximum", a, b), rest)


@binary("logaddexp2")
def logaddexp2(c: Context, x: Value, y: Value) -> Node:
    a, b = in_float(c, "logaddexp2", x, y)
    rest = c.emit("log1p", c.emit("exp2", _distance(c, a, b)))
    return c.emit("add", c.emit("maximum", a, b), c.emit("multiply", rest, constant(1 / math.log(2), a)))


@numpy_function("divmod")
def divmod_(c: Context, x: Value, y: Value, /) -> tuple[Value, Value]:
    return ufunc2(c, "floor_divide", x, y), ufunc2(c, "remainder", x, y)


@numpy_function("modf")
def modf(c: Context, x: Node, /) -> tuple[Node, Node]:
    x = float_of(c, "modf", x)
    whole = c.emit("trunc", x)
    rest = c.emit("select", c.emit("isinf", x), constant(0, x), c.emit("subtract", x, whole))
    return c.emit("copysign", rest, x), whole


# Functions that are not ufuncs -------------------------------------------------------------------------------------


@numpy_function("where", rank0=True)
def where(c: Context, condition: Node, x: Value = None, y: Value = None, /) -> Any:  # type: ignore[assignment]
    test = cast(c, condition, "bool")
    if x is None and y is None:
        return nonzero(c, test)
    if x is None or y is None:
        refuse(c, "either both or neither of x and y should be given")
    return c.emit("select", test, *unified(c, (x, y))[1])


def nonzero(c: Context, x: Node) -> tuple[Node, ...]:
    """The positions of nonzero elements, one array per axis."""
    rank = len(getattr(x.type, "dims", ()))
    if not rank:
        refuse(c, "Calling nonzero on 0d arrays is not allowed. Use np.atleast_1d(scalar).nonzero() instead.")
    found = c.emit("nonzero", cast(c, x, "bool"))
    return tuple([c.emit("item", found, index=axis) for axis in range(rank)])


@numpy_function("nonzero", method="nonzero")
def nonzero_(c: Context, a: Node) -> tuple[Node, ...]:
    return nonzero(c, a)


@numpy_function("clip", method="clip")
def clip(c: Context, a: Value, a_min: Value = None, a_max: Value = None, out: Refused = None, *,  # type: ignore[assignment]
         min: Value = None, max: Value = None) -> Node:  # type: ignore[assignment]  # fmt: skip
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    bounds = [bound for bound in (low, high) if bound is not None and getattr(bound, "object", 0) is not None]
    # np.clip makes an array of its first argument, so a Python number is not weak there.
    first = c.scalar(as_node(c, a), python=False) if is_number(a) else a
    dtype, (x, *limits) = unified(c, (first, *bounds))
    names = ["maximum"] if low is not None and getattr(low, "object", 0) is not None else []
    names = [*names, "minimum"][: len(limits)] if names else ["minimum"]
    for name, limit in zip(names, limits, strict=False):
        x = c.emit(BOOL_MEANS[name] if dtype == "bool" else name, x, limit)
    return x


@numpy_function("round", "around", method="round")
def round_(c: Context, a: Node, decimals: Known = 0, out: Refused = None) -> Node:
    dtype = dtype_of(a.type)
    if dtype == "bool":
        half(c, "round")
    if not is_float(dtype):
        return a if decimals >= 0 else _round_integer(c, a, 10**-decimals)
    if decimals == 0:
        return c.emit("round", a)
    scale = constant(float(10 ** abs(decimals)), a)
    there, back = ("multiply", "divide") if decimals > 0 else ("divide", "multiply")
    return c.emit(back, c.emit("round", c.emit(there, a, scale)), scale)


def _round_integer(c: Context, a: Node, unit: int) -> Node:
    """NumPy goes through float64 here."""
    scale = constant(float(unit), cast(c, a, "float64"))
    scaled = c.emit("round", c.emit("divide", cast(c, a, "float64"), scale))
    return cast(c, c.emit("multiply", scaled, scale), dtype_of(a.type))


@numpy_function("fix")
def fix(c: Context, x: Node, out: Refused = None) -> Node:
    return c.emit("trunc", x) if is_float(dtype_of(x.type)) else x


@numpy_function("sinc")
def sinc(c: Context, x: Node) -> Node:
    x = float_of(c, "sinc", x)
    zero = c.emit("equal", x, constant(0, x))
    y = c.emit("multiply", constant(math.pi, x), c.emit("select", zero, constant(1e-20, x), x))
    return c.emit("divide", c.emit("sin", y), y)


@numpy_function("nan_to_num")
def nan_to_num(c: Context, x: Node, copy: Refused = True, nan: Value = None, posinf: Value = None,  # type: ignore[assignment]
               neginf: Value = None) -> Node:  # type: ignore[assignment]  # fmt: skip
    dtype = dtype_of(x.type)
    if not is_float(dtype):
        return x
    limit = float(np.finfo(dtype).max)
    zero = constant(0, x)

    def given(value: Value | None, default: float) -> Node:
        return constant(default, x) if value is None else cast(c, as_node(c, value), dtype)

    infinite = c.emit("isinf", x)
    result = c.emit("select", c.emit("isnan", x), given(nan, 0.0), x)
    positive_infinite = c.emit("logical_and", infinite, c.emit("greater", x, zero))
    negative_infinite = c.emit("logical_and", infinite, c.emit("less", x, zero))
    result = c.emit("select", positive_infinite, given(posinf, limit), result)
    return c.emit("select", negative_infinite, given(neginf, -limit), result)


@numpy_function("isclose")
def isclose(c: Context, a: Value, b: Value, rtol: Value = None, atol: Value = None,  # type: ignore[assignment]
            equal_nan: Known = False) -> Node:  # fmt: skip
    return is_close(c, a, b, rtol, atol, equal_nan)


def is_close(c: Context, a: Value, b: Value, rtol: Value | None, atol: Value | None, equal_nan: bool) -> Node:
    """|a - b| <= atol + rtol * |b|, and infinities equal to themselves only."""
    dtype, (x, y) = unified(c, (a, b))
    if not is_float(dtype):
        dtype, (x, y) = unified(c, (a, b), "float64")
    relative = constant(1e-5, y) if rtol is None else cast(c, as_node(c, rtol), dtype)
    absolute_ = constant(1e-8, y) if atol is None else cast(c, as_node(c, atol), dtype)
    margin = c.emit("add", absolute_, c.emit("multiply", relative, c.emit("absolute", y)))
    near = c.emit("less_equal", c.emit("absolute", c.emit("subtract", x, y)), margin)
    near = c.emit("logical_and", near, c.emit("isfinite", y))
    result = c.emit("logical_or", near, c.emit("equal", x, y))
    if equal_nan:
        result = c.emit("logical_or", result, c.emit("logical_and", c.emit("isnan", x), c.emit("isnan", y)))
    return result


@numpy_function("real", attribute="real")
def real(c: Context, val: Value) -> Value:
    return operand(c, val)


@numpy_function("select", rank0=True)
def select(c: Context, condlist: Values, choicelist: Values, default: Value = None) -> Node:  # type: ignore[assignment]
    if len(condlist) != len(choicelist):
        refuse(c, "list of cases must be same length as list of conditions")
    _, nodes = unified(c, (*choicelist, Static(0) if default is None else default))
    result = nodes.pop()
    for condition, node in zip(reversed(condlist), reversed(nodes), strict=True):
        result = c.emit("select", cast(c, as_node(c, condition), "bool"), node, result)
    return result


for _alias, _name in ALIASES.items():
    if hasattr(np, _alias):
        FUNCTIONS.setdefault(getattr(np, _alias), FUNCTIONS[getattr(np, _name)])
METHODS["conj"] = METHODS["conjugate"] = FUNCTIONS[np.conjugate]
