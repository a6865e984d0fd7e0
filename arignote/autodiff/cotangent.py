"""Symbolic cotangents: kept in parts, so that tuples cost nothing and zeros are never built until they are needed.

cotangent = None                 zero
          | node                 of a scalar, an array, a list or a union
          | [cotangent, ...]     of a tuple, per item, and of a closure, per capture
"""

from __future__ import annotations

from arignote.autodiff.activity import Mask, parts_of
from arignote.autodiff.emit import AdjointEmit
from arignote.autodiff.sums import add_tangents
from arignote.autodiff.zeros import zero_tangent
from arignote.ir.graph import Node
from arignote.ir.types import UNIT, Closure, Tuple, Type, tangent_type

Cotangent = Node | list["Cotangent"] | None


def spread(emit: AdjointEmit, tangent: Node) -> Cotangent:
    """The parts of a tangent value."""
    if isinstance(tangent.type, Tuple):
        parts = [spread(emit, part) for part in emit.items(tangent)]
        return parts if any(part is not None for part in parts) else None
    return tangent


def accumulate(emit: AdjointEmit, a: Cotangent, b: Cotangent) -> Cotangent:
    """The sum; `a` is what was there before."""
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, list):
        assert isinstance(b, list)
        return [accumulate(emit, x, y) for x, y in zip(a, b, strict=True)]
    assert isinstance(b, Node)
    return add_tangents(emit, a, b)


def pruned_type(type_: Type, mask: Mask) -> Type:
    """The tangent type of the parts in the mask; unit for the rest."""
    if isinstance(mask, tuple):
        return Tuple(map(pruned_type, parts_of(type_) or (), mask))
    return tangent_type(type_) if mask else UNIT


def gather(emit: AdjointEmit, cotangent: Cotangent, value: Node, mask: Mask) -> Node:
    """The cotangent of `value` as one value of `pruned_type(value.type, mask)`."""
    if isinstance(mask, tuple):
        parts = cotangent if isinstance(cotangent, list) else [None] * len(mask)
        if not mask:
            return emit.unit()
        values = emit.captures(value) if isinstance(value.type, Closure) else emit.items(value)
        return emit.tuple(gather(emit, part, x, m) for part, x, m in zip(parts, values, mask, strict=True))
    if not mask:
        return emit.unit()
    return whole(emit, cotangent, value)


def whole(emit: AdjointEmit, cotangent: Cotangent, value: Node) -> Node:
    """The cotangent of `value` as one value of `tangent_type(value.type)`."""
    if cotangent is None:
        return zero_tangent(emit, value)
    if isinstance(cotangent, list):
        parts = emit.captures(value) if isinstance(value.type, Closure) else emit.items(value)
        return emit.tuple(whole(emit, part, x) for part, x in zip(cotangent, parts, strict=True))
    return emit.conform(cotangent, tangent_type(value.type))
