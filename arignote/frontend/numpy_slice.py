"""Slices: Python's clamping of bounds as arithmetic on sizes.

Counts take one form whichever way a slice is written, so that `x[1:]` and `x[:-1]` are known to have one size:
max(n - k, 0) where k entries are left out, min(n, k) where k are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_operand import as_size, refuse, refuse_shape
from arignote.frontend.values import SliceValue, Static, Value
from arignote.ir.graph import Node
from arignote.ir.records import dataclass

if TYPE_CHECKING:
    from arignote.frontend.context import Context


LARGEST_STEP = 1 << 62


@dataclass(frozen=True, slots=True)
class Slice:
    """Entry j is start + j * step, for j < count. The start means nothing where the count is 0."""

    start: Node
    count: Node
    step: Node


def wrapped_bound(c: Context, place: Node, size: Node, low: Node, high: Node) -> Node:
    """A bound of a slice: from the end if negative, then clamped."""
    known = s.known(place)
    if known is None:
        wrapped = s.add(c, place, size)
        place = s.select(c, s.compare(c, "less", place, s.ZERO), wrapped, place)
        return s.minimum(c, s.maximum(c, place, low), high)
    if known < 0:
        return s.maximum(c, s.add(c, size, place), low)
    return s.minimum(c, place, high)


def bounds_of(value: Value) -> tuple[Value, Value, Value]:
    """start, stop and step; absent ones are Static(None)."""
    if isinstance(value, SliceValue):
        return value.start, value.stop, value.step
    assert isinstance(value, Static)
    found = value.object
    return Static(found.start), Static(found.stop), Static(found.step)


def _bound(c: Context, value: Value) -> Node | None:
    if isinstance(value, Static) and value.object is None:
        return None
    if isinstance(value, Static) and not hasattr(value.object, "__index__"):
        refuse(c, "slice indices must be integers or None or have an __index__ method")
    return as_size(c, value, "a slice bound")


def slice_of(c: Context, value: Value, size: Node) -> Slice | None:
    """The slice of an axis of this size; None if it is the whole axis."""
    start, stop, step = (_bound(c, bound) for bound in bounds_of(value))
    step = s.ONE if step is None else _limited(c, step)
    stride = s.known(step)
    if stride is None:
        return _either_way(c, start, stop, step, size)
    if stride == 0:
        refuse_shape(c, "slice step cannot be zero")
    if stride < 0:
        return _backward(c, start, stop, step, size)
    if stop is None and (start is None or s.known(start) == 0) and stride == 1:
        return None
    return _forward(c, start, stop, step, size)


def _limited(c: Context, step: Node) -> Node:
    """The step, not so large that the arithmetic on it overflows: no axis is that long, so it selects the same."""
    return s.maximum(c, s.minimum(c, step, s.integer(LARGEST_STEP)), s.integer(-LARGEST_STEP))


def _forward(c: Context, start: Node | None, stop: Node | None, step: Node, size: Node) -> Slice:
    first = s.ZERO if start is None else start
    length = _length(c, first, stop, size)
    begin = first if s.is_nonnegative(first) else wrapped_bound(c, first, size, s.ZERO, size)
    return Slice(begin, _strided(c, length, step), step)


def _length(c: Context, start: Node, stop: Node | None, size: Node) -> Node:
    """max(stop - start, 0) after clamping."""
    a, b = s.known(start), None if stop is None else s.known(stop)
    if a is not None and a >= 0 and (stop is None or (b is not None and b < 0)):
        left_out = a - (0 if b is None else b)
        return size if left_out == 0 else s.maximum(c, s.subtract(c, size, s.integer(left_out)), s.ZERO)
    if a is not None and a < 0 and stop is None:
        return s.minimum(c, s.integer(-a), size)
    begin = wrapped_bound(c, start, size, s.ZERO, size)
    end = size if stop is None else wrapped_bound(c, stop, size, s.ZERO, size)
    if a == 0:
        return end
    length = s.subtract(c, end, begin)
    return length if stop is None else s.maximum(c, length, s.ZERO)


def _strided(c: Context, length: Node, step: Node) -> Node:
    """How many steps fit: length / step, rounded up."""
    return s.floor_divide(c, s.subtract(c, s.add(c, length, step), s.ONE), step) if s.known(step) != 1 else length


def _backward(c: Context, start: Node | None, stop: Node | None, step: Node, size: Node) -> Slice:
    minus, last = s.integer(-1), s.subtract(c, size, s.ONE)
    first = last if start is None else wrapped_bound(c, start, size, minus, last)
    end = minus if stop is None else wrapped_bound(c, stop, size, minus, last)
    if stop is None:
        length = size if start is None else s.add(c, first, s.ONE)
    else:
        length = s.maximum(c, s.subtract(c, first, end), s.ZERO)
    return Slice(first, _strided(c, length, s.subtract(c, s.ZERO, step)), step)


def _either_way(c: Context, start: Node | None, stop: Node | None, step: Node, size: Node) -> Slice:
    """The step, and so the direction, is known at run time only."""
    c.raise_if(s.compare(c, "equal", step, s.ZERO), ValueError, "slice step cannot be zero")
    back = s.compare(c, "less", step, s.ZERO)
    low = s.select(c, back, s.integer(-1), s.ZERO)
    high = s.select(c, back, s.subtract(c, size, s.ONE), size)
    first = s.select(c, back, high, low) if start is None else wrapped_bound(c, start, size, low, high)
    end = s.select(c, back, low, high) if stop is None else wrapped_bound(c, stop, size, low, high)
    length = s.select(c, back, s.subtract(c, first, end), s.subtract(c, end, first))
    stride = c.emit("absolute", step)
    return Slice(first, _strided(c, s.maximum(c, length, s.ZERO), s.maximum(c, stride, s.ONE)), step)
