"""NumPy's promotion (NEP 50) and the elementwise operations on values.

A Python scalar is *weak*: it takes the dtype of the NumPy operand that it meets, unless its kind is higher
(a Python float and an int32 array give float64). Everything else promotes as `np.result_type` says.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from arignote.frontend.values import PYTHON_DTYPES, ArrayValue, ScalarValue, Static, Value
from arignote.ir.graph import Constant
from arignote.ir.structure import SHORT_NAMES
from arignote.ir.types import Array, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

WEAK_ZERO = {"int64": 0, "float64": 0.0}

TO_FLOAT = frozenset(
    "divide arctan2 hypot copysign exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan arcsin arccos arctan "
    "sinh cosh "
    "tanh arcsinh arccosh arctanh erf erfc gammaln digamma".split()
)
"""Operations that turn integers into float64."""

COMPARISONS = frozenset("equal not_equal less less_equal greater greater_equal".split())
LOGICAL = frozenset("logical_and logical_or logical_xor logical_not".split())
BITWISE = frozenset("bitwise_and bitwise_or bitwise_xor invert left_shift right_shift".split())
FLOAT_PREDICATES = frozenset("isnan isfinite isinf".split())
ROUNDING = frozenset("floor ceil trunc round".split())
NOT_FOR_BOOL = {
    "subtract": "numpy boolean subtract, the `-` operator, is not supported, use the bitwise_xor, the `^` operator, or "
    "the logical_xor function instead.",
    "negative": "The numpy boolean negative, the `-` operator, is not supported, use the `~` operator or the "
    "logical_not "
    "function instead.",
    "sign": "ufunc 'sign' did not contain a loop with signature matching types <class 'numpy.dtypes.BoolDType'> -> "
    "None",
}
BOOL_MEANS = {
    "add": "logical_or",
    "multiply": "logical_and",
    "maximum": "logical_or",
    "minimum": "logical_and",
    "fmax": "logical_or",
    "fmin": "logical_and",
    "invert": "logical_not",
}


Kind = tuple[str, bool]
"""(dtype, whether weak)."""


def kind_of(context: Context, value: Value) -> Kind:
    """The dtype of a number or array, and whether it is a Python scalar, weak in promotion. Python bools are not
    weak."""
    if isinstance(value, ArrayValue):
        return value.dtype, False
    if isinstance(value, ScalarValue):
        return value.dtype, value.python and value.dtype != "bool"
    if isinstance(value, Static) and type(value.object) in PYTHON_DTYPES:
        dtype = PYTHON_DTYPES[type(value.object)]
        return dtype, dtype != "bool"
    context.error(f"expected a number or an array, got {context.show(value)}")


@cache
def result_dtype(*kinds: Kind) -> str:
    """The dtype of the result of arithmetic on operands of these kinds."""
    if all(weak or dtype == "bool" for dtype, weak in kinds):
        order = ("bool", "int64", "float64")
        return order[max(order.index(dtype) for dtype, _ in kinds)]
    return np.result_type(*(WEAK_ZERO[dtype] if weak else np.dtype(dtype) for dtype, weak in kinds)).name


def compute_dtype(context: Context, name: str, kinds: tuple[Kind, ...]) -> str:
    """The dtype in which the elementwise operation `name` computes on operands of these kinds, by NumPy."""
    dtype = result_dtype(*kinds)
    if name in LOGICAL:
        return "bool"
    if name in TO_FLOAT or name in FLOAT_PREDICATES or name == "signbit":
        if dtype == "bool" and name not in ("divide",) and name not in FLOAT_PREDICATES:
            context.error(
                f"np.{name} of truth values gives float16 in NumPy, which is not supported",
                hint="cast the operand to a float dtype first",
            )
        return dtype if is_float(dtype) else "float64"
    if dtype == "bool" and name in NOT_FOR_BOOL:
        context.error(NOT_FOR_BOOL[name])
    if dtype == "bool" and name in ("floor_divide", "remainder", "power", "left_shift", "right_shift", "round"):
        context.error(
            f"np.{name} of truth values gives int8 or float16 in NumPy, which is not supported",
            hint="cast an operand to an integer dtype first",
        )
    if name in BITWISE and is_float(dtype):
        context.error(f"ufunc '{name}' not supported for the input types: {dtype}")
    if dtype not in SHORT_NAMES:
        context.error(f"the result has dtype {dtype}, which is not supported")
    return dtype


def elementwise(context: Context, name: str, *values: Value) -> Value:
    """The elementwise operation `name` on numbers and arrays as NumPy does it: promotion, casts, broadcasting.

    The result is an array, or a NumPy scalar where every operand is a scalar or a 0-d array."""
    kinds = tuple([kind_of(context, value) for value in values])
    if name in COMPARISONS:
        values, kinds = _widen_for_comparison(values, kinds)
    dtype = compute_dtype(context, name, kinds)
    nodes = [as_dtype(context, value, dtype) for value in values]
    if dtype == "bool":
        if name == "absolute":
            return context.result(nodes[0])
        name = BOOL_MEANS.get(name, name)
    if name in ROUNDING and not is_float(dtype):
        return context.result(nodes[0])
    if name == "power" and not is_float(dtype):
        _refuse_negative_power(context, nodes[0], values[1], nodes[1])
    return context.result(context.emit(name, *nodes))


def as_dtype(context: Context, value: Value, dtype: str) -> object:
    """The node of a value in this dtype. A Python int that an integer dtype cannot hold raises OverflowError as in
    NumPy; as a truth value a number is compared with 0."""
    if isinstance(value, Static):
        number = value.object
        if dtype == "bool":
            number = bool(number)
        elif not is_float(dtype) and not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max:
            context.raise_now(OverflowError, f"Python integer {number} out of bounds for {dtype}")
        return context.scope.emit.constant(number, dtype)
    node = context.node(value)
    source = value.dtype  # type: ignore[attr-defined]
    if source == dtype:
        return node
    if dtype == "bool":
        return context.emit("not_equal", node, context.scope.emit.constant(0, source))
    if isinstance(value, ScalarValue) and value.python and dtype == "int32" and source == "int64":
        if value.low < -(2**31) or value.high >= 2**31:
            _check_fits_int32(context, node)
    return context.cast(node, dtype)


def _check_fits_int32(context: Context, node: object) -> None:
    """A run-time Python int meets an int32 operand: NumPy raises where it does not fit."""
    back = context.emit("cast", context.emit("cast", node, dtype="int32"), dtype="int64")
    bad = context.emit("not_equal", back, node)
    context.raise_if(bad, OverflowError, "Python integer ", ("int64", True, node), " out of bounds for int32")


def _widen_for_comparison(
    values: tuple[Value, ...], kinds: tuple[Kind, ...]
) -> tuple[tuple[Value, ...], tuple[Kind, ...]]:
    """Comparisons with a Python int that the other dtype cannot hold are exact in NumPy; int32 is compared as int64."""
    if any(isinstance(v, Static) and type(v.object) is int and not -(2**31) <= v.object < 2**31 for v in values):
        kinds = tuple([("int64", weak) if dtype == "int32" else (dtype, weak) for dtype, weak in kinds])
    return values, kinds


def _refuse_negative_power(context: Context, base: object, exponent: Value, node: object) -> None:
    """NumPy: integers to negative integer powers are not allowed."""
    message = "Integers to negative integer powers are not allowed."
    if isinstance(exponent, Static):
        if exponent.object < 0:
            _raise_unless_empty(context, base, message)
        return
    negative = context.emit("less", node, context.scope.emit.constant(0, node.type))  # type: ignore[attr-defined]
    if isinstance(negative.type, Array):
        negative = context.emit("any", negative, axes=tuple(range(negative.type.rank)))
    context.raise_if(negative, ValueError, message)


def _raise_unless_empty(context: Context, x: object, message: str) -> None:
    """NumPy raises where there is an element to compute."""
    emit = context.scope.emit
    counts = emit.sizes(x)
    if all(isinstance(count, Constant) and count.value for count in counts):
        context.raise_now(ValueError, message)
    total = counts[0]
    for count in counts[1:]:
        total = context.emit("multiply", total, count)
    context.raise_if(context.emit("greater", total, emit.integer(0)), ValueError, message)
