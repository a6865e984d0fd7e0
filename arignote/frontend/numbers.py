"""Python's own arithmetic on its own numbers.

Python's integers have no bound; here they are int64, and every operation that could leave it is guarded: the program
raises OverflowError rather than being wrong. What is known of a value's range (`ScalarValue.low`, `.high`) spares the
guards of ordinary index arithmetic. Division, powers and conversions raise as Python does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from arignote.frontend.promotion import result_dtype
from arignote.frontend.values import (
    INT64_MAX,
    INT64_MIN,
    ScalarValue,
    Static,
    Value,
    number_dtype,
)
from arignote.ir.graph import Node
from arignote.ir.structure import PYTHON_SCALARS

if TYPE_CHECKING:
    from arignote.frontend.context import Context

STATIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "floor_divide": operator.floordiv, "remainder": operator.mod, "power": operator.pow,
    "bitwise_and": operator.and_, "bitwise_or": operator.or_, "bitwise_xor": operator.xor,
    "left_shift": operator.lshift, "right_shift": operator.rshift, "matmul": operator.matmul,
    "equal": operator.eq, "not_equal": operator.ne, "less": operator.lt, "less_equal": operator.le,
    "greater": operator.gt, "greater_equal": operator.ge,
}  # fmt: skip
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
OVERFLOW = "the result does not fit in a 64-bit integer; compiled code does not have Python's unbounded integers"
EXACT_INTEGERS = 2**53
"""Up to here every int64 is a float64 exactly."""


def binary(context: Context, name: str, left: Value, right: Value) -> Value:
    """An operator on two Python numbers, at least one of them known at run time only."""
    result = _binary(context, name, left, right)
    if isinstance(result, ScalarValue) and result.origin is None:
        # Where this must be known at compile time, knowing the captured variable that it comes from helps.
        result.origin = getattr(left, "origin", None) or getattr(right, "origin", None)
    return result


def _binary(context: Context, name: str, left: Value, right: Value) -> Value:
    if name in COMPARISONS:
        return compare(context, name, left, right)
    if name == "power":
        return power(context, left, right)
    if name in ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift"):
        return _bitwise(context, name, left, right)
    dtype = result_dtype((number_dtype(left), True), (number_dtype(right), True))
    if name == "divide":
        dtype = "float64"
    elif dtype == "bool":
        dtype = "int64"
    if name in ("divide", "floor_divide", "remainder"):
        _check_divisor(context, name, right, dtype)
    if dtype == "int64":
        return _integer(context, name, left, right)
    if name == "matmul":
        context.error("the operands of @ must be arrays")
    return context.scalar(context.emit(name, context.node(left, dtype), context.node(right, dtype)), True)


def bounds(value: Value) -> tuple[int, int]:
    """What is known of the range of a Python int or bool."""
    if isinstance(value, Static):
        return int(value.object), int(value.object)
    assert isinstance(value, ScalarValue)
    return (0, 1) if value.dtype == "bool" else (value.low, value.high)


def _integer(context: Context, name: str, left: Value, right: Value) -> Value:
    """int64 arithmetic with a guard where the ranges do not exclude overflow."""
    low, high = _range(name, bounds(left), bounds(right))
    a, b = integer_node(context, left), integer_node(context, right)
    if low < INT64_MIN or high > INT64_MAX:
        if name == "floor_divide":
            smallest = context.emit("equal", a, context.constant(INT64_MIN))
            over = context.emit("logical_and", smallest, context.emit("equal", b, context.constant(-1)))
        else:
            over = context.emit(f"{name}_overflows", a, b)
        context.raise_if(over, OverflowError, OVERFLOW)
        low, high = max(low, INT64_MIN), min(high, INT64_MAX)
    return context.scalar(context.emit(name, a, b), True, low, high)


def integer_node(context: Context, value: Value) -> Node:
    """A Python int or bool as int64."""
    return context.cast(context.node(value), "int64") if number_dtype(value) == "bool" else context.node(value)


def _range(name: str, left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """The range of the exact result."""
    (a, b), (c, d) = left, right
    match name:
        case "add":
            return a + c, b + d
        case "subtract":
            return a - d, b - c
        case "multiply":
            products = (a * c, a * d, b * c, b * d)
            return min(products), max(products)
        case "remainder":
            return (min(0, c + 1), max(0, d - 1))
        case "floor_divide":
            if c >= 1:
                return min(a, a // c), max(b, b // c)
            return (INT64_MIN, max(abs(a), abs(b)))
    return INT64_MIN, INT64_MAX


def _check_divisor(context: Context, name: str, right: Value, dtype: str) -> None:
    if isinstance(right, ScalarValue):
        low, high = bounds(right) if right.dtype != "float64" else (-1, 1)
        if low > 0 or high < 0:
            return
        zero = context.emit("equal", context.node(right), context.scope.emit.constant(0, right.dtype))
    elif right.object != 0:  # type: ignore[attr-defined]
        return
    else:
        zero = context.scope.emit.constant(True, "bool")
    if dtype == "float64":
        both_int = number_dtype(right) != "float64" and name == "divide"
        message = {
            "divide": "division by zero" if both_int else "float division by zero",
            "floor_divide": "float floor division by zero",
            "remainder": "float modulo",
        }[name]
    else:
        message = "integer division or modulo by zero" if name == "floor_divide" else "integer modulo by zero"
    context.raise_if(zero, ZeroDivisionError, message)


def compare(context: Context, name: str, left: Value, right: Value) -> Value:
    """A comparison of two numbers. An int and a float are compared exactly, as in Python."""
    dtypes = number_dtype(left), number_dtype(right)
    if "float64" in dtypes and "int64" in dtypes:
        return _compare_mixed(context, name, left, right)
    dtype = result_dtype((dtypes[0], True), (dtypes[1], True))
    return context.scalar(context.emit(name, context.node(left, dtype), context.node(right, dtype)), True)


def _compare_mixed(context: Context, name: str, left: Value, right: Value) -> Value:
    """Rounding is monotonic, so an int that rounds to another float than its partner compares as its rounded value
    does; one that rounds to its partner is compared as an integer."""
    integer, real = (left, right) if number_dtype(left) == "int64" else (right, left)
    rounded = context.emit(name, context.node(left, "float64"), context.node(right, "float64"))
    low, high = bounds(integer)
    small = -EXACT_INTEGERS <= low and high <= EXACT_INTEGERS
    if small or (isinstance(real, Static) and abs(real.object) < EXACT_INTEGERS):
        return context.scalar(rounded, True)
    number = context.node(real, "float64")
    same = context.emit("equal", context.node(integer, "float64"), number)
    inside = context.emit("less", number, context.constant(2.0**63))
    back = context.cast(context.emit("select", inside, number, context.constant(0.0)), "int64")
    sides = (context.node(integer), back) if integer is left else (back, context.node(integer))
    exact = context.emit(name, *sides)
    # The float is 2**63, above every int64.
    above = name in (
        ("less", "less_equal", "not_equal") if integer is left else ("greater", "greater_equal", "not_equal")
    )
    exact = context.emit("select", inside, exact, context.constant(above))
    return context.scalar(context.emit("select", same, exact, rounded), True)


def power(context: Context, left: Value, right: Value) -> Value:
    """`**`. An int to a static exponent is a product; to a run-time one it must not be negative."""
    dtypes = number_dtype(left), number_dtype(right)
    if "float64" in dtypes:
        return float_power(context, left, right)
    if isinstance(right, Static):
        exponent = int(right.object)
        if exponent >= 0:
            return _integer_power(context, left, exponent)
        return float_power(context, left, right)
    base, exponent_node = integer_node(context, left), integer_node(context, right)
    negative = context.emit("less", exponent_node, context.constant(0))
    context.raise_if(
        negative,
        ValueError,
        "an int to a negative power is a float in Python, but whether the exponent is "
        "negative is known only at run time: write float(x) ** n",
    )
    rough = context.emit("power", context.cast(base, "float64"), context.cast(exponent_node, "float64"))
    limit = context.constant(2.0**63)
    too_large = context.emit("greater_equal", context.emit("absolute", rough), limit)
    context.raise_if(too_large, OverflowError, OVERFLOW)
    return context.scalar(context.emit("power", base, exponent_node), True)


def _integer_power(context: Context, base: Value, exponent: int) -> Value:
    """By repeated squaring; no intermediate product is larger than the result."""
    result: Value | None = None
    square = base
    while exponent:
        if exponent & 1:
            result = square if result is None else _integer(context, "multiply", result, square)
        exponent >>= 1
        if exponent:
            square = _integer(context, "multiply", square, square)
    if result is None:
        return Static(1)
    if result is base and number_dtype(base) == "bool":
        return context.scalar(integer_node(context, base), True, 0, 1)
    return result


def float_power(context: Context, left: Value, right: Value, squares_overflow: bool = True) -> Value:
    """float ** float: Python raises where C gives an infinity or a NaN from finite operands."""
    x, y = context.node(left, "float64"), context.node(right, "float64")
    emit, zero = context.emit, context.constant(0.0)
    result = emit("power", x, y)
    exponent = right.object if isinstance(right, Static) else None
    if exponent is None or exponent < 0:
        bad = emit("equal", x, zero)
        if exponent is None:
            bad = emit("logical_and", bad, emit("less", y, zero))
        context.raise_if(bad, ZeroDivisionError, "0.0 cannot be raised to a negative power")
    if exponent is None or exponent != exponent // 1:
        fractional = emit("logical_and", emit("less", x, zero), emit("isnan", result))
        fractional = emit("logical_and", fractional, emit("logical_not", emit("isnan", y)))
        context.raise_if(
            fractional,
            ValueError,
            "a negative number to a fractional power is complex in Python; complex "
            "numbers are not supported in compiled code",
        )
    if exponent is None or abs(exponent) > 1:
        finite = emit("isfinite", x)
        if exponent is None:
            finite = emit("logical_and", finite, emit("isfinite", y))
        over = emit("logical_and", emit("isinf", result), finite)
        context.raise_if(over, OverflowError, "(34, 'Numerical result out of range')")
    return context.scalar(result, True)


def _bitwise(context: Context, name: str, left: Value, right: Value) -> Value:
    dtypes = number_dtype(left), number_dtype(right)
    if "float64" in dtypes:
        sign = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^", "left_shift": "<<", "right_shift": ">>"}[
            name
        ]
        context.error(f"unsupported operand types for {sign}: {context.show(left)} and {context.show(right)}")
    if dtypes == ("bool", "bool") and not name.endswith("shift"):
        logical = name.replace("bitwise", "logical")
        return context.scalar(context.emit(logical, context.node(left), context.node(right)), True)
    a, b = integer_node(context, left), integer_node(context, right)
    if not name.endswith("shift"):
        return context.scalar(context.emit(name, a, b), True)
    return _shift(context, name, a, b)


def _shift(context: Context, name: str, a: Node, b: Node) -> Value:
    emit = context.emit
    context.raise_if(emit("less", b, context.constant(0)), ValueError, "negative shift count")
    bounded = emit("minimum", b, context.constant(63))
    if name == "right_shift":
        return context.scalar(emit("right_shift", a, bounded), True)
    shifted = emit("left_shift", a, bounded)
    lost = emit("not_equal", emit("right_shift", shifted, bounded), a)
    far = emit("logical_and", emit("greater", b, context.constant(63)), emit("not_equal", a, context.constant(0)))
    context.raise_if(emit("logical_or", lost, far), OverflowError, OVERFLOW)
    return context.scalar(shifted, True)


def unary(context: Context, name: str, value: ScalarValue) -> Value:
    """`-x`, `+x`, `~x` of a run-time Python number."""
    if name == "positive":
        return context.scalar(integer_node(context, value), True, *bounds(value)) if value.dtype == "bool" else value
    if name == "invert":
        if value.dtype == "float64":
            context.error("bad operand type for unary ~: float")
        low, high = bounds(value)
        return context.scalar(context.emit("invert", integer_node(context, value)), True, -high - 1, -low - 1)
    if value.dtype == "float64":
        return context.scalar(context.emit("negative", context.node(value)), True)
    return _integer(context, "subtract", Static(0), value)


def absolute(context: Context, value: ScalarValue) -> Value:
    """abs() of a run-time Python number."""
    node = context.node(value)
    if value.dtype == "float64":
        return context.scalar(context.emit("absolute", node), True)
    low, high = bounds(value)
    node = integer_node(context, value)
    if low >= 0:
        return context.scalar(node, True, low, high)
    if low == INT64_MIN:
        context.raise_if(context.emit("equal", node, context.constant(INT64_MIN)), OverflowError, OVERFLOW)
    return context.scalar(context.emit("absolute", node), True, 0, min(INT64_MAX, max(abs(low), abs(high))))


def to_int(context: Context, value: Value, rounding: str = "trunc") -> Value:
    """int() of a number; `rounding` also serves round(), math.floor() and math.ceil(). Raises where Python does."""
    dtype = number_dtype(value)
    if not dtype.startswith("float"):
        node = context.node(value)
        return context.scalar(
            context.cast(node, "int64"), True, *(bounds(value) if dtype != "int32" else (-(2**31), 2**31 - 1))
        )
    node = context.node(value)
    context.raise_if(context.emit("isnan", node), ValueError, "cannot convert float NaN to integer")
    context.raise_if(context.emit("isinf", node), OverflowError, "cannot convert float infinity to integer")
    whole = context.emit(rounding, node)
    wide = context.cast(whole, "float64")
    outside = context.emit(
        "logical_or",
        context.emit("less", wide, context.constant(-(2.0**63))),
        context.emit("greater_equal", wide, context.constant(2.0**63)),
    )
    context.raise_if(outside, OverflowError, OVERFLOW)
    return context.scalar(context.emit("cast", whole, dtype="int64"), True)


def to_float(context: Context, value: Value) -> Value:
    """float() of a number."""
    return context.scalar(context.cast(context.node(value), "float64"), True)


def python_type(value: Value) -> type:
    """The Python type of a Python number."""
    names = {dtype: kind for kind, dtype in PYTHON_SCALARS.items()}
    return names[number_dtype(value)]
