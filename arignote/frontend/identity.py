"""`is`: of what is static it is Python's; of the rest it is told where it is certain, and refused elsewhere.

Values are kept by content, so whether two of them are one object cannot be asked when the program runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend.cases import agreed, ask_union
from arignote.frontend.narrowing import Several, possible
from arignote.frontend.values import (
    Cell,
    FunctionValue,
    RecursiveValue,
    ScalarValue,
    Static,
    TupleValue,
    Value,
    is_number,
)

if TYPE_CHECKING:
    from arignote.frontend.context import Context

UNKNOWN = "`is` of data that is known at run time only is not kept"
HINT = "compare with =="


def identical(context: Context, left: Value, right: Value) -> Value:
    """`left is right`."""
    if left is right and not is_number(left):
        return Static(True)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, RecursiveValue) and isinstance(other, Cell):
            return Static(_is(context, one, other))
        if isinstance(one, Several):
            places = possible(context, one)
            if not isinstance(other, Static | FunctionValue) and len(places) > 1:
                context.error(UNKNOWN, hint=HINT)
            known = lambda part, other=other: agreed(part, lambda thing: _is(context, thing, other))  # noqa: E731
            return ask_union(context, one, known, lambda part, other=other: identical(context, part, other))
        if isinstance(one, Static) and type(one.object) is bool and isinstance(other, ScalarValue):
            return _is_truth_value(context, other, one)
    return Static(_is(context, left, right))


def _is_truth_value(context: Context, number: ScalarValue, known: Static) -> Value:
    """`number is True`: there is one True and one False, and NumPy's are others."""
    if number.dtype != "bool" or not number.python:
        return Static(False)
    return context.scalar(context.emit("equal", context.node(number), context.constant(known.object)), True)


def _is(context: Context, left: Value, right: Value) -> bool:
    """Identity; of numbers it has no meaning that compiled code could keep."""
    if isinstance(left, Static) and isinstance(right, Static):
        return left.object is right.object
    if is_number(left) and is_number(right):
        context.error("`is` between numbers has no defined meaning", hint=HINT)
    if isinstance(left, FunctionValue) and isinstance(right, FunctionValue):
        return left is right or (left.python is not None and left.python is right.python)
    if left is not right and _may_be_one(left, right):
        context.error(UNKNOWN, hint=HINT)
    return left is right


def _may_be_one(left: Value, right: Value) -> bool:
    """Whether two values may be one object: they may share memory, or the caller may have passed one object twice."""
    is_node = isinstance(left, RecursiveValue) or isinstance(right, RecursiveValue)
    if type(left) is not type(right) and not is_node:
        return False
    if not isinstance(left, Cell) or not isinstance(right, Cell):
        return isinstance(left, TupleValue)
    both_given = all(any(part.owner is not None for part in cell.touched) for cell in (left, right))
    return both_given or bool(left.touched & right.touched)
