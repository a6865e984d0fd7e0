"""Elementwise operations. Operands have one dtype and broadcast by NumPy's rules; `cast` changes dtypes.

Integer operations wrap; Python's unbounded integers are guarded by the front end with `*_overflows`.
"""

from __future__ import annotations

import functools
import importlib
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from arignote.ir.graph import Apply, Constant, Node, Operation, TypeRuleError
from arignote.ir.sizes import Size, sizes
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import Type, dims_of, dtype_of, is_float, shaped, show_dim
from arignote.ops import term as t
from arignote.ops.batching import Aligned
from arignote.ops.derivative import Derivative, Partials, Refused, Rules, Zero
from arignote.ops.term import Term, select

LOG2, LOG10 = float(np.log(2)), float(np.log(10))
SINGULAR = frozenset(
    "log log2 log10 log1p sqrt cbrt arcsin arccos arccosh arctanh gammaln exp exp2 expm1 sinh cosh".split()
)
"""Functions whose slope is infinite somewhere in their domain, or outside of it, or overflows."""

TWO_OVER_SQRT_PI = float(2 / np.sqrt(np.pi))


def broadcast_dims(inputs: tuple[Node, ...]) -> list[int]:
    """Dimensions of the operands broadcast together. Raises TypeRuleError where two known sizes clash."""
    dims = [dims_of(x.type) for x in inputs]
    result: list[int] = []
    for axis in range(max(map(len, dims)), 0, -1):
        here = {d[-axis] for d in dims if len(d) >= axis} - {1}
        known = {d for d in here if d >= 0}
        if len(known) > 1:
            shapes = " ".join(f"({','.join(map(show_dim, d))}{',' if len(d) == 1 else ''})" for d in dims)
            raise TypeRuleError(f"operands could not be broadcast together with shapes {shapes}", shape=True)
        result.append(1 if not here else known.pop() if known else MANY if MANY in here else ANY)
    return result


def may_mismatch(node: Apply) -> bool:
    """Whether the operands' shapes may turn out not to broadcast."""
    shapes = [s for s in map(sizes, node.inputs) if s]
    if len(shapes) < 2:
        return False
    for axis in range(1, max(map(len, shapes)) + 1):
        here: set[Size] = {s[-axis] for s in shapes if len(s) >= axis} - {1}
        if len(here) > 1:
            return True
    return False


def _rule(check: Callable[[str], bool], wanted: str, result: Callable[[str], str],
          skip: int = 0) -> Callable[..., Type]:  # fmt: skip
    def type_rule(inputs: tuple[Node, ...]) -> Type:
        dtypes = {dtype_of(x.type) for x in inputs[skip:]}
        dtype = next(iter(dtypes))
        if len(dtypes) != 1:
            raise TypeRuleError(f"operands of different dtypes: {', '.join(repr(x.type) for x in inputs)}")
        if not check(dtype):
            raise TypeRuleError(f"expected {wanted}, got {dtype}")
        return shaped(result(dtype), broadcast_dims(inputs))

    return type_rule


def _same(dtype: str) -> str:
    return dtype


def _to_bool(dtype: str) -> str:
    return "bool"


_number = _rule(lambda d: d != "bool", "numbers", _same)
_float = _rule(is_float, "floating point numbers", _same)
_any = _rule(lambda d: True, "numbers", _same)
_integral = _rule(lambda d: not is_float(d), "integers or truth values", _same)
_integer = _rule(lambda d: not is_float(d) and d != "bool", "integers", _same)
_predicate = _rule(lambda d: True, "numbers", _to_bool)
_float_predicate = _rule(is_float, "floating point numbers", _to_bool)
_logical = _rule(lambda d: d == "bool", "truth values", _to_bool)
_overflow = _rule(lambda d: d == "int64", "int64", _to_bool)


def _select_rule(inputs: tuple[Node, ...]) -> Type:
    if dtype_of(inputs[0].type) != "bool":
        raise TypeRuleError(f"a condition must be bool, got {inputs[0].type!r}")
    return _rule(lambda d: True, "numbers", _same, skip=1)(inputs)


def _cast_rule(inputs: tuple[Node, ...], dtype: str) -> Type:
    return shaped(dtype, dims_of(inputs[0].type))


def _quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function without its floating point warnings: compiled code gives none."""

    @functools.wraps(function)
    def reference(*operands: Any, **attributes: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*operands, **attributes)

    return reference


def _special(name: str) -> Callable[[Any], Any]:
    """SciPy's special function of this name; the module, slow to import, is loaded when a value is first computed."""
    return lambda x: getattr(importlib.import_module("scipy.special"), name)(x)


def _op(name: str, rule: Callable[..., Type], reference: Callable[..., Any], derivative: Derivative,
        commutative: bool = False) -> Operation:  # fmt: skip
    return Operation(name, rule, _quiet(reference), derivative, may_mismatch, elementwise=True, commutative=commutative,
                     batching=Aligned())  # fmt: skip


def _power_of_base(x: Term, y: Term, out: Term) -> Term | float:
    if isinstance(y.node, Constant):
        return y * x ** (y.node.value - 1) if y.node.value != 0 else 0.0
    # x ** 0 is constant, also at 0, where 0 ** -1 is infinite.
    return y * x ** select(y.equals(0), 1, y - 1, like=y)


def _power_of_exponent(x: Term, y: Term, out: Term) -> Term:
    # 0 ** y is constant for y > 0; log(0) must not turn 0 * log(0) into NaN.
    return out * t.log(select(x.equals(0), 1, x, like=x))


def _larger(wins: Callable[[Term, Term], Term]) -> Callable[[Term, Term, Term], Term]:
    """Derivative of a maximum: all to the winner, half to each at a tie."""
    return lambda x, y, out: select(wins(x, y), 1, select(x.equals(y), 0.5, 0, like=x), like=x)


def _of_numbers(x: Term, y: Term, out: Term) -> Term:
    """Derivative of fmax and fmin, which pass over NaN: all to the one that is the result, half to each at a tie."""
    return select(x.equals(out), select(y.equals(out), 0.5, 1, like=x), 0, like=x)


def _swap(partial: Callable[[Term, Term, Term], Term]) -> Callable[[Term, Term, Term], Term]:
    return lambda x, y, out: partial(y, x, out)


_prefers_larger, _prefers_smaller = _larger(operator.gt), _larger(operator.lt)
_max, _min, _number_of = (Partials((p, _swap(p))) for p in (_prefers_larger, _prefers_smaller, _of_numbers))


_SUMS = frozenset(("sum", "expand_dims", "squeeze", "reshape", "add"))


def _is_sum_of_squares(node: Node) -> bool:
    """Whether the square root of this is a norm. A mean of squares is one too."""
    waiting = [node]
    for _ in range(16):
        if not waiting:
            return True
        current = waiting.pop()
        if not isinstance(current, Apply):
            return False
        first, *rest = current.inputs
        if current.op.name in _SUMS:
            waiting += current.inputs
        elif current.op.name == "divide" and isinstance(rest[0], Constant | Apply) and not dims_of(rest[0].type):
            waiting.append(first)
        elif not (current.op.name == "multiply" and first is rest[0]):
            if not (current.op.name == "power" and isinstance(rest[0], Constant) and rest[0].value == 2):
                return False
    return False


def _slope_of_root(x: Term, out: Term) -> Term:
    if _is_sum_of_squares(x.node):
        is_zero = out.equals(0)
        return select(is_zero, 0, 0.5 / select(is_zero, 1, out, like=out), like=out)
    return 0.5 / out


def _over(x: Term, radius: Term) -> Term:
    """x / radius, a part of the slope of a distance, which is taken as 0 where the distance is 0."""
    is_zero = radius.equals(0)
    return select(is_zero, 0, x / select(is_zero, 1, radius, like=radius), like=radius)


def _unary(name: str, reference: Callable[..., Any], partial: Callable[[Term, Term], Term | float]) -> Operation:
    return _op(name, _float, reference, Partials((partial,), name in SINGULAR))


def _cast_vjp(emit: Any, node: Apply, cotangent: Node) -> list[Node | None]:
    source = dtype_of(node.inputs[0].type)
    return [emit.cast(cotangent, source) if is_float(source) else None]


def _cast_jvp(emit: Any, node: Apply, tangents: Any) -> Node | None:
    dtype = node["dtype"]
    return emit.cast(tangents[0], dtype) if tangents[0] is not None and is_float(dtype) else None


def _cast(x: Any, dtype: str) -> Any:
    return np.asarray(x).astype(dtype)[()]


def _select_vjp(emit: Any, node: Apply, cotangent: Node) -> list[Node | None]:
    zero = emit.constant(0, dtype_of(cotangent.type))
    condition, yes, no = node.inputs
    of_yes, of_no = emit.op("select", condition, cotangent, zero), emit.op("select", condition, zero, cotangent)
    return [None, emit.sum_to(of_yes, yes), emit.sum_to(of_no, no)]


def _select_jvp(emit: Any, node: Apply, tangents: Any) -> Node | None:
    zero = emit.constant(0, dtype_of(node.type))
    chosen = emit.op("select", node.inputs[0], *(zero if x is None else x for x in tangents[1:]))
    return chosen if sizes(chosen) == sizes(node) else emit.broadcast_like(chosen, node)


def _overflows(exact: Callable[[int, int], int]) -> Callable[[Any, Any], Any]:
    return lambda x, y: np.bool_(not -(2**63) <= exact(int(x), int(y)) < 2**63)


def _of_divisor(x: Term, y: Term, out: Term) -> Term:
    """-x / y**2; the square of a reciprocal needs no second division, and knows that its own slope may be infinite."""
    is_reciprocal = isinstance(x.node, Constant) and x.node.value == 1
    return -Term(out.emit, out.emit.op("square", out.node)) if is_reciprocal else -(out / y)


def _predicate_op(name: str, reference: Callable[..., Any], commutative: bool = False) -> Operation:
    return _op(name, _predicate, reference, Zero(), commutative)


ARITHMETIC = (
    _op("add", _number, np.add, Partials((lambda x, y, out: 1.0, lambda x, y, out: 1.0)), commutative=True),
    _op("subtract", _number, np.subtract, Partials((lambda x, y, out: 1.0, lambda x, y, out: -1.0))),
    _op("multiply", _number, np.multiply, Partials((lambda x, y, out: y, lambda x, y, out: x)), commutative=True),
    _op("divide", _float, np.divide, Partials((lambda x, y, out: 1 / y, _of_divisor), singular=True)),
    _op("floor_divide", _number, np.floor_divide, Zero()),
    _op("remainder", _number, np.remainder,
        Partials((lambda x, y, out: 1.0, lambda x, y, out: -Term(x.emit, x.emit.op("floor_divide", x.node, y.node))))),
    _op("power", _number, np.power, Partials((_power_of_base, _power_of_exponent), singular=True)),
    _op("negative", _number, np.negative, Partials((lambda x, out: -1.0,))),
    _op("square", _float, np.square, Partials((lambda x, out: 2 * x,), singular=True)),
    _op("absolute", _number, np.absolute, Partials((lambda x, out: t.sign(x),))),
    _op("sign", _number, np.sign, Zero()),
    _op("maximum", _any, np.maximum, _max, commutative=True),
    _op("minimum", _any, np.minimum, _min, commutative=True),
    _op("fmax", _any, np.fmax, _number_of, commutative=True),
    _op("fmin", _any, np.fmin, _number_of, commutative=True),
    _op("arctan2", _float, np.arctan2,
        Partials((lambda y, x, out: _over(x, x * x + y * y), lambda y, x, out: -_over(y, x * x + y * y)))),
    _op("hypot", _float, np.hypot, Partials((lambda x, y, out: _over(x, out), lambda x, y, out: _over(y, out)))),
    _op("copysign", _float, np.copysign,
        Partials((lambda x, y, out: select(x.equals(0), 0, out / x, like=x), lambda x, y, out: 0.0))),
)  # fmt: skip

FUNCTIONS = (
    _unary("exp", np.exp, lambda x, out: out),
    _unary("exp2", np.exp2, lambda x, out: out * LOG2),
    _unary("expm1", np.expm1, lambda x, out: out + 1),
    _unary("log", np.log, lambda x, out: 1 / x),
    _unary("log2", np.log2, lambda x, out: 1 / (x * LOG2)),
    _unary("log10", np.log10, lambda x, out: 1 / (x * LOG10)),
    _unary("log1p", np.log1p, lambda x, out: 1 / (1 + x)),
    _unary("sqrt", np.sqrt, _slope_of_root),
    _unary("cbrt", np.cbrt, lambda x, out: 1 / (3 * out * out)),
    _unary("sin", np.sin, lambda x, out: t.cos(x)),
    _unary("cos", np.cos, lambda x, out: -t.sin(x)),
    _unary("tan", np.tan, lambda x, out: 1 + out * out),
    _unary("arcsin", np.arcsin, lambda x, out: 1 / t.sqrt(1 - x * x)),
    _unary("arccos", np.arccos, lambda x, out: -1 / t.sqrt(1 - x * x)),
    _unary("arctan", np.arctan, lambda x, out: 1 / (1 + x * x)),
    _unary("sinh", np.sinh, lambda x, out: t.cosh(x)),
    _unary("cosh", np.cosh, lambda x, out: t.sinh(x)),
    _unary("tanh", np.tanh, lambda x, out: 1 - out * out),
    _unary("arcsinh", np.arcsinh, lambda x, out: 1 / t.sqrt(x * x + 1)),
    _unary("arccosh", np.arccosh, lambda x, out: 1 / t.sqrt((x - 1) * (x + 1))),
    _unary("arctanh", np.arctanh, lambda x, out: 1 / ((1 - x) * (1 + x))),
    _unary("erf", _special("erf"), lambda x, out: TWO_OVER_SQRT_PI * t.exp(-(x * x))),
    _unary("erfc", _special("erfc"), lambda x, out: -TWO_OVER_SQRT_PI * t.exp(-(x * x))),
    _unary("gammaln", _special("gammaln"), lambda x, out: t.digamma(x)),
    _op("digamma", _float, _special("digamma"), Refused("its derivative, the trigamma function, is not available")),
    _op("floor", _float, np.floor, Zero()),
    _op("ceil", _float, np.ceil, Zero()),
    _op("round", _float, np.rint, Zero()),
    _op("trunc", _float, np.trunc, Zero()),
)

PREDICATES = (
    _op("isnan", _float_predicate, np.isnan, Zero()),
    _op("isfinite", _float_predicate, np.isfinite, Zero()),
    _op("isinf", _float_predicate, np.isinf, Zero()),
    _op("signbit", _float_predicate, np.signbit, Zero()),
    _predicate_op("equal", np.equal, commutative=True),
    _predicate_op("not_equal", np.not_equal, commutative=True),
    _predicate_op("less", np.less),
    _predicate_op("less_equal", np.less_equal),
    _predicate_op("greater", np.greater),
    _predicate_op("greater_equal", np.greater_equal),
    _op("logical_and", _logical, np.logical_and, Zero(), commutative=True),
    _op("logical_or", _logical, np.logical_or, Zero(), commutative=True),
    _op("logical_xor", _logical, np.logical_xor, Zero(), commutative=True),
    _op("logical_not", _logical, np.logical_not, Zero()),
    _op("add_overflows", _overflow, _overflows(operator.add), Zero(), commutative=True),
    _op("subtract_overflows", _overflow, _overflows(operator.sub), Zero()),
    _op("multiply_overflows", _overflow, _overflows(operator.mul), Zero(), commutative=True),
)

BITWISE = (
    _op("bitwise_and", _integral, np.bitwise_and, Zero(), commutative=True),
    _op("bitwise_or", _integral, np.bitwise_or, Zero(), commutative=True),
    _op("bitwise_xor", _integral, np.bitwise_xor, Zero(), commutative=True),
    _op("invert", _integral, np.invert, Zero()),
    _op("left_shift", _integer, np.left_shift, Zero()),
    _op("right_shift", _integer, np.right_shift, Zero()),
)

SELECTION = (
    _op("select", _select_rule, np.where, Rules(_select_jvp, _select_vjp)),
    _op("cast", _cast_rule, _cast, Rules(_cast_jvp, _cast_vjp)),
    _op("stop_gradient", _any, lambda x: x, Zero()),
)

FAMILY = ARITHMETIC + FUNCTIONS + PREDICATES + BITWISE + SELECTION

