"""Which parts of a value are mapped, that is differ from element to element, and how such values are represented.

    type of one element     mask                       many elements
    scalar, array           bool                       an array with one more axis, the first
    tuple                   a mask per item            a tuple
    closure                 a mask per capture         the tuple of its captures (its function is known by the type)
    list                    (mask of its elements,)    a list of one length for all, whose elements are represented so
    union                   False                      the same union: those that differ are made element by element
    token                   False                      the same token

A value no part of which is mapped is itself.
"""

from __future__ import annotations

from typing import Any

from arignote.ir.types import Array, Closure, List, Scalar, Token, Tuple, Type, dims_of, dtype_of
from arignote.ops.batching import CannotBatch

Mask = Any
"""bool | tuple[Mask, ...]"""


def parts(type_: Type) -> tuple[Type, ...] | None:
    """The types of the parts that a mask tells apart; None where it is one bool."""
    match type_:
        case Tuple():
            return type_.items
        case Closure():
            return type_.capture_types
        case List():
            return (type_.element,)
    return None


def check_finite(type_: Type) -> None:
    """Raise `CannotBatch` for a closure that captures, somewhere, closures of its own type: it has no finite mask."""
    stack: list[tuple[Type, frozenset[Type]]] = [(type_, frozenset())]
    while stack:
        current, inside = stack.pop()
        if isinstance(current, Closure):
            if current in inside:
                raise CannotBatch("functions that capture functions of their own kind")
            inside |= {current}
        stack.extend((part, inside) for part in parts(current) or ())


def uniform(type_: Type, flag: bool) -> Mask:
    """Everything that can be mapped is, or nothing."""
    below = parts(type_)
    if below is not None:
        return tuple([uniform(part, flag) for part in below])
    return flag and not isinstance(type_, Token)


def some(mask: Mask) -> bool:
    """Whether any part is mapped."""
    return any(map(some, mask)) if isinstance(mask, tuple) else mask


def union(a: Mask, b: Mask) -> Mask:
    """What is mapped in either."""
    if isinstance(a, tuple):
        return tuple(map(union, a, b))
    return a or b


def batched_type(type_: Type, mask: Mask, dim: int) -> Type:
    """The type of many elements; `dim` is what is known of how many."""
    if not some(mask):
        return type_
    match type_:
        case Scalar() | Array():
            return Array(dtype_of(type_), (dim, *dims_of(type_)))
        case Tuple() | Closure():
            return Tuple([batched_type(part, m, dim) for part, m in zip(parts(type_) or (), mask, strict=True)])
        case List():
            return List(batched_type(type_.element, mask[0], dim))
    raise CannotBatch("trees that differ from element to element")
