"""Functions of scipy.special. Imported only for programs that have imported scipy.special themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import scipy.special

from arignote.frontend.numpy_binding import FUNCTIONS, Declared, Known, Refused
from arignote.frontend.numpy_operand import as_node, cast, refuse
from arignote.frontend.numpy_reduce import axes_of, in_mean_dtype, reduced
from arignote.frontend.numpy_ufunc import constant, in_float
from arignote.frontend.numpy_ufunc import float_of as numpy_float_of
from arignote.frontend.values import Value
from arignote.ir.graph import Node
from arignote.ir.types import dtype_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def special(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if hasattr(scipy.special, name):
            FUNCTIONS[getattr(scipy.special, name)] = Declared(function, f"scipy.special.{name}", False, False)
        return function

    return register


def float_of(c: Context, name: str, x: Node) -> Node:
    """An operand in floating point; of truth values SciPy makes float32 or float64, depending on the function."""
    if dtype_of(x.type) == "bool":
        refuse(c, f"scipy.special.{name} of truth values is not supported in compiled code", "convert them first")
    return numpy_float_of(c, name, x)


def _unary(name: str, operation: str) -> None:
    @special(name)
    def apply(c: Context, x: Node, /, out: Refused = None) -> Node:
        return c.emit(operation, float_of(c, name, x))


for _name, _operation in (
    ("erf", "erf"), ("erfc", "erfc"), ("gammaln", "gammaln"), ("digamma", "digamma"),
    ("psi", "digamma"), ("log1p", "log1p"), ("expm1", "expm1"), ("cbrt", "cbrt"), ("exp2", "exp2"),
):  # fmt: skip
    _unary(_name, _operation)


@special("expit")
def expit(c: Context, x: Node, /, out: Refused = None) -> Node:
    """1 / (1 + exp(-x)) with an exponential that never overflows, also in derivatives."""
    x = float_of(c, "expit", x)
    upper = c.emit("greater_equal", x, constant(0, x))
    small = c.emit("exp", c.emit("select", upper, c.emit("negative", x), x))
    return c.emit("divide", c.emit("select", upper, constant(1, x), small), c.emit("add", constant(1, x), small))


@special("log_expit")
def log_expit(c: Context, x: Node, /, out: Refused = None) -> Node:
    x = float_of(c, "log_expit", x)
    upper = c.emit("greater_equal", x, constant(0, x))
    small = c.emit("exp", c.emit("select", upper, c.emit("negative", x), x))
    return c.emit("subtract", c.emit("select", upper, constant(0, x), x), c.emit("log1p", small))


@special("logit")
def logit(c: Context, x: Node, /, out: Refused = None) -> Node:
    x = float_of(c, "logit", x)
    return c.emit("subtract", c.emit("log", x), c.emit("log1p", c.emit("negative", x)))


@special("xlogy")
def xlogy(c: Context, x: Value, y: Value, /, out: Refused = None) -> Node:
    return _times_log(c, "xlogy", "log", 0.0, x, y)


@special("xlog1py")
def xlog1py(c: Context, x: Value, y: Value, /, out: Refused = None) -> Node:
    return _times_log(c, "xlog1py", "log1p", -1.0, x, y)


def _times_log(c: Context, name: str, logarithm: str, pole: float, x: Value, y: Value) -> Node:
    """x log(y), and 0 where x is 0, whatever the logarithm is (apart from NaN)."""
    nodes = [as_node(c, value) for value in (x, y)]
    # SciPy's functions do not know weak numbers: float32 only if all operands are.
    dtype = "float32" if all(dtype_of(node.type) == "float32" for node in nodes) else "float64"
    a, b = [cast(c, node, dtype) for node in nodes]
    regular = c.emit("logical_and", c.emit("isfinite", b), c.emit("greater", b, constant(pole, b)))
    regular = c.emit("logical_or", regular, c.emit("isnan", b))
    vain = c.emit("logical_and", c.emit("equal", a, constant(0, a)), c.emit("logical_not", regular))
    return c.emit("multiply", a, c.emit(logarithm, c.emit("select", vain, constant(pole + 1.0, b), b)))


@special("entr")
def entr(c: Context, x: Node, /, out: Refused = None) -> Node:
    x = float_of(c, "entr", x)
    zero = constant(0, x)
    safe = c.emit("select", c.emit("equal", x, zero), constant(1, x), x)
    result = c.emit("negative", c.emit("multiply", x, c.emit("log", safe)))
    return c.emit("select", c.emit("less", x, zero), constant(-math.inf, x), result)


@special("ndtr")
def ndtr(c: Context, x: Node, /, out: Refused = None) -> Node:
    x = float_of(c, "ndtr", x)
    tail = c.emit("erfc", c.emit("multiply", x, constant(-math.sqrt(0.5), x)))
    return c.emit("multiply", constant(0.5, x), tail)


def _shifted(c: Context, x: Node, axes: tuple[int, ...]) -> tuple[Node, Node]:
    """x minus its maximum (0 where that is infinite), and that maximum, which carries no derivative: it cancels."""
    top = reduced(c, "max", x, axes, True)
    top = c.emit("stop_gradient", c.emit("select", c.emit("isfinite", top), top, constant(0, x)))
    return c.emit("subtract", x, top), top


@special("logsumexp")
def logsumexp(c: Context, a: Value, axis: Known = None, b: Value = None, keepdims: Known = False,  # type: ignore[assignment]
              return_sign: Refused = False) -> Node:  # fmt: skip
    x = in_mean_dtype(c, as_node(c, a), None)
    axes = axes_of(c, x, axis)
    if b is not None:
        weights, x = in_float(c, "logsumexp", b, c.result(x))
    moved, top = _shifted(c, x, axes)
    terms = c.emit("exp", moved)
    if b is not None:
        terms = c.emit("multiply", terms, weights)
    result = c.emit("add", c.emit("log", reduced(c, "sum", terms, axes, True)), top)
    return result if keepdims or not axes else c.emit("squeeze", result, axes=axes)


def _refuse_bool(c: Context, x: Node) -> None:
    if dtype_of(x.type) == "bool":
        refuse(c, "numpy boolean subtract, the `-` operator, is not supported")


@special("softmax")
def softmax(c: Context, x: Node, axis: Known = None) -> Node:
    _refuse_bool(c, x)
    x = in_mean_dtype(c, x, None)
    axes = axes_of(c, x, axis)
    terms = c.emit("exp", _shifted(c, x, axes)[0])
    return c.emit("divide", terms, reduced(c, "sum", terms, axes, True))


@special("log_softmax")
def log_softmax(c: Context, x: Node, axis: Known = None) -> Node:
    _refuse_bool(c, x)
    x = in_mean_dtype(c, x, None)
    axes = axes_of(c, x, axis)
    moved, _ = _shifted(c, x, axes)
    return c.emit("subtract", moved, c.emit("log", reduced(c, "sum", c.emit("exp", moved), axes, True)))
