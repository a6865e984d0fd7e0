"""What an element of a list (or the contents of a box) consists of, in memory.

    scalar            one slot of its dtype
    array             one reference, and one slot per size not known by its type
    list              length (its capacity is its length when read back), and one reference per component
    recursive box     one reference
"""

from __future__ import annotations

from dataclasses import dataclass

from arignote.ir.types import Array, Closure, List, Scalar, Tuple, Type
from arignote.lower.boxes import is_recursive
from arignote.lower.loop_ir import BUFFER, INT64


@dataclass(frozen=True, slots=True)
class Component:
    """One buffer of a list: the loop-IR type of its slots."""

    type: str


def components(element: Type) -> list[Component]:
    """One component per operand that an element is stored as."""
    match element:
        case Scalar():
            return [Component(element.dtype)]
        case Array():
            return [Component(BUFFER), *[Component(INT64) for dim in element.dims if dim < 0]]
        case Tuple():
            return [c for item in element.items for c in components(item)]
        case Closure():
            if is_recursive(element):
                return [Component(BUFFER)]
            return [c for item in element.capture_types for c in components(item)]
        case List():
            return [Component(INT64), Component(INT64), *[Component(BUFFER) for _ in components(element.element)]]
    return []
