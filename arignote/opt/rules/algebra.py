"""Arithmetic. Every rule is exact in floating point, also for NaN, infinities and signed zeros, unless inexact."""

from __future__ import annotations

import math

from arignote.ir.graph import Apply, Constant, Node
from arignote.ir.types import dtype_of, is_float
from arignote.opt.pattern import filled_with, op, rule, whole
from arignote.opt.rewrite import Rewriter, Rule

absolute, maximum, minimum, negative = map(op, ("absolute", "maximum", "minimum", "negative"))

NEUTRAL = (
    rule("times one", lambda x: (x * 1, x), "one is neutral"),
    rule("divided by one", lambda x: (x / 1, x), "one is neutral"),
    rule("to the first", lambda x: (x**1, x), "x ** 1 is x, also for NaN"),
    rule("plus minus zero", lambda x: (x + (-0.0), x), "-0.0 is neutral: even -0.0 + -0.0 is -0.0"),
    rule("minus zero", lambda x: (x - 0, x), "x - 0.0 is x, also for -0.0"),
    rule("plus zero, integers", lambda x: (x + 0, x), "zero is neutral", when=whole),
    rule("plus zero", lambda x: (x + 0, x), "true but for -0.0 + 0.0, which is 0.0", inexact=True),
    rule("largest of one", lambda x: (maximum(x, x), x), "idempotent"),
    rule("smallest of one", lambda x: (minimum(x, x), x), "idempotent"),
)

SIGNS = (
    rule("negation twice", lambda x: (negative(negative(x)), x), "the sign bit flips twice; integers wrap back"),
    rule("times minus one", lambda x: (x * -1, -x), "the product is exact and has the other sign"),
    rule("divided by minus one", lambda x: (x / -1, -x), "the quotient is exact and has the other sign"),
    rule("plus a negation", lambda x, y: (x + -y, x - y), "the definition of subtraction in IEEE 754"),
    rule("minus a negation", lambda x, y: (x - -y, x + y), "the definition of subtraction in IEEE 754"),
    rule("product of negations", lambda x, y: (-x * -y, x * y), "the sign of a product is the product of the signs"),
    rule("quotient of negations", lambda x, y: (-x / -y, x / y), "the sign of a quotient is that of the product"),
    rule("absolute of a negation", lambda x: (absolute(-x), absolute(x)), "the sign bit is cleared in any case"),
    rule("absolute twice", lambda x: (absolute(absolute(x)), absolute(x)), "idempotent"),
    rule("zero minus, integers", lambda x: (0 - x, -x), "the definition of negation", when=whole),
)


def _integer_zero(rewriter: Rewriter, node: Apply) -> Node | None:
    """x * 0 and x - x of integers. Not of floats: inf * 0 and inf - inf are NaN."""
    if is_float(dtype_of(node.type)) or node.can_fail:
        return None
    x, y = node.inputs
    if node.op.name == "subtract":
        return rewriter.zeros_like(node) if x is y else None
    zero = next((c for c in map(filled_with, (x, y)) if c is not None and c.value == 0), None)
    return None if zero is None else rewriter.zeros_like(node)


def _power_zero(rewriter: Rewriter, node: Apply) -> Node | None:
    exponent = filled_with(node.inputs[1])
    if exponent is None or exponent.value != 0 or node.can_fail:
        return None
    return rewriter.full_like(node, 1)


def _divide_by_power_of_two(rewriter: Rewriter, node: Apply) -> Node | None:
    divisor = node.inputs[1]
    if not isinstance(divisor, Constant) or divisor.value == 0 or not math.isfinite(divisor.value):
        return None
    mantissa, exponent = math.frexp(divisor.value)
    if abs(mantissa) != 0.5 or abs(exponent) > 64:
        return None
    return rewriter.op("multiply", node.inputs[0], rewriter.constant(1 / divisor.value, dtype_of(node.type)))


def _add_constants(rewriter: Rewriter, node: Apply) -> Node | None:
    """(x + a) + b, (x - a) + b and so on, for integers."""
    if is_float(dtype_of(node.type)):
        return None
    outer = _offset(node)
    inner = None if outer is None else _offset(outer[0])
    if outer is None or inner is None:
        return None
    x, total = inner[0], inner[1] + outer[1]
    if not -(2**31) <= total < 2**31:
        return None
    amount = rewriter.constant(abs(total), dtype_of(node.type))
    return rewriter.op("add" if total >= 0 else "subtract", x, amount)


def _offset(node: Node) -> tuple[Node, int] | None:
    """A node as another plus a small known number."""
    if not (isinstance(node, Apply) and node.op.name in ("add", "subtract")):
        return None
    x, y = node.inputs
    if isinstance(x, Constant) and node.op.name == "add":
        x, y = y, x
    if not isinstance(y, Constant) or abs(y.value) >= 2**31:
        return None
    return x, int(y.value) if node.op.name == "add" else -int(y.value)


POWERS = (
    rule("square", lambda x: (x**2, x * x), "NumPy's own definition of x ** 2; one rounding"),
    Rule("to the zeroth", ("power",), _power_zero, "x ** 0 is 1, also for NaN"),
    Rule("divided by a power of two", ("divide",), _divide_by_power_of_two,
         "the reciprocal is exact, so both sides round the same real number"),
)  # fmt: skip

INTEGERS = (
    Rule("zero of integers", ("multiply", "subtract"), _integer_zero, "integers have no NaN"),
    Rule("sum of constants", ("add", "subtract"), _add_constants, "integer addition is associative modulo 2 ** 64"),
)

RULES = NEUTRAL + SIGNS + POWERS + INTEGERS
