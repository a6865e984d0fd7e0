"""Truth values and selection."""

from __future__ import annotations

from arignote.ir.graph import Apply, Node
from arignote.ir.types import dtype_of, is_float
from arignote.opt.pattern import filled_with, op, rule
from arignote.opt.rewrite import Rewriter, Rule

not_, and_, or_, select = op("logical_not"), op("logical_and"), op("logical_or"), op("select")
equal, not_equal = op("equal"), op("not_equal")

LOGIC = (
    rule("not not", lambda x: (not_(not_(x)), x), "double negation"),
    rule("and true", lambda x: (and_(x, True), x), "neutral"),
    rule("or false", lambda x: (or_(x, False), x), "neutral"),
    rule("and false", lambda x: (and_(x, False), False), "absorbing"),
    rule("or true", lambda x: (or_(x, True), True), "absorbing"),
    rule("and itself", lambda x: (and_(x, x), x), "idempotent"),
    rule("or itself", lambda x: (or_(x, x), x), "idempotent"),
    rule("not equal", lambda x, y: (not_(equal(x, y)), not_equal(x, y)), "also for NaN: != is the negation of =="),
    rule("not not equal", lambda x, y: (not_(not_equal(x, y)), equal(x, y)), "also for NaN: == is the negation of !="),
)

_OPPOSITE = {"less": "greater_equal", "less_equal": "greater", "greater": "less_equal", "greater_equal": "less"}


def _not_compared(rewriter: Rewriter, node: Apply) -> Node | None:
    inner = node.inputs[0]
    if not isinstance(inner, Apply) or inner.op.name not in _OPPOSITE or is_float(dtype_of(inner.inputs[0].type)):
        return None
    return rewriter.op(_OPPOSITE[inner.op.name], *inner.inputs)


def _select_known(rewriter: Rewriter, node: Apply) -> Node | None:
    condition = filled_with(node.inputs[0])
    return None if condition is None else node.inputs[1 if condition.value else 2]


SELECTION = (
    Rule("select known", ("select",), _select_known, "the condition is a constant"),
    rule("select same", lambda c, x: (select(c, x, x), x), "both sides are one"),
    rule("select not", lambda c, x, y: (select(not_(c), x, y), select(c, y, x)), "the sides change places"),
    Rule("not compared", ("logical_not",), _not_compared, "integers are ordered; floats are not, because of NaN"),
)

RULES = LOGIC + SELECTION
