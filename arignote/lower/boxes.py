"""Recursive closures: a chain of backpropagators of unbounded length, one heap record per link.

A closure type whose captures contain the closure type itself cannot be flattened. Such a closure is a *box*: one buffer
that holds references, first to one buffer of data for each type of scalar or pointer in the captures, then to the
buffers of the captures. `records.py` writes and reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from arignote.ir.types import Closure, List, Tuple, Type
from arignote.lower.values import AnyValue, BoxValue

if TYPE_CHECKING:
    from arignote.lower.context import Context

_known: WeakKeyDictionary[Type, bool] = WeakKeyDictionary()


def is_recursive(type_: Closure) -> bool:
    """Whether the closure's captures may contain a closure of the same type."""
    found = _known.get(type_)
    if found is None:
        found = _known[type_] = _reaches(type_)
    return found


def _reaches(root: Closure) -> bool:
    seen: set[Type] = set()
    stack: list[Type] = list(root.capture_types)
    while stack:
        type_ = stack.pop()
        if type_ is root:
            return True
        if type_ in seen:
            continue
        seen.add(type_)
        if isinstance(type_, Tuple):
            stack += type_.items
        elif isinstance(type_, List):
            stack.append(type_.element)
        elif isinstance(type_, Closure):
            stack += type_.capture_types
    return False


def box(context: Context, value: AnyValue, type_: Closure) -> BoxValue:
    """The closure as a box."""
    if isinstance(value, BoxValue):
        return value
    from arignote.lower.records import write_box

    return write_box(context, value, type_)
