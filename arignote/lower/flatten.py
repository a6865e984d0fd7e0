"""Values as lists of operands, as they cross the boundary of a region, a loop or a procedure, and back.

scalar              the operand
array               buffer, pointer, and the sizes that its type does not know
tuple, closure      those of the parts
list                length, capacity, one buffer per operand that an element is flattened to
union               one buffer (see `union_rules.py`)
token, unit         nothing
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from arignote.ir.structure import MANY
from arignote.ir.types import Array, Closure, List, Scalar, Tuple, Type, Union
from arignote.lower import fusion
from arignote.lower.lazy import Lazy, Splat
from arignote.lower.loop_ir import BUFFER, INT64, Const, Operand, Var, pointer_to
from arignote.lower.values import (
    UNIT,
    ZERO,
    AnyValue,
    ClosureValue,
    ListValue,
    NewList,
    Stored,
    TupleValue,
    UnionValue,
)

if TYPE_CHECKING:
    from arignote.lower.context import Context


def types_of(type_: Type, all_sizes: bool = False) -> list[str]:
    """Loop-IR types of a flattened value. `all_sizes`: known sizes are passed too, as the native convention wants."""
    match type_:
        case Scalar():
            return [type_.dtype]
        case Array():
            return [BUFFER, pointer_to(type_.dtype), *[INT64 for dim in type_.dims if all_sizes or dim < 0]]
        case Tuple():
            return [t for item in type_.items for t in types_of(item, all_sizes)]
        case Closure():
            return [t for item in type_.capture_types for t in types_of(item, all_sizes)]
        case List():
            return [INT64, INT64, *[BUFFER for _ in types_of(type_.element)]]
        case Union():
            return [BUFFER]
    return []


def flatten(context: Context, value: AnyValue, type_: Type, all_sizes: bool = False) -> list[Operand]:
    """The operands of a value where `type_` is declared. Arrays become contiguous."""
    match type_:
        case Scalar():
            return [fusion.scalar(context, value)]
        case Array():
            array = fusion.contiguous(context, value)
            sizes = [size for size, dim in zip(array.sizes, type_.dims) if all_sizes or dim < 0]
            return [array.buffer, array.pointer, *sizes]
        case Tuple():
            parts = _items(value, len(type_.items))
            return [x for part, item in zip(parts, type_.items) for x in flatten(context, part, item, all_sizes)]
        case Closure():
            assert isinstance(value, ClosureValue)
            pairs = zip(value.captures, type_.capture_types)
            return [x for part, item in pairs for x in flatten(context, part, item, all_sizes)]
        case List():
            value = new_list(context, value) if isinstance(value, NewList) else value
            assert isinstance(value, ListValue)
            return [value.length, value.capacity, *value.buffers]
        case Union():
            assert isinstance(value, UnionValue)
            return [value.buffer]
    return []


def new_list(context: Context, value: NewList) -> ListValue:
    """The empty list in memory."""
    build, wanted = context.build, value.wanted
    capacity = wanted if isinstance(wanted, Const) and wanted.value >= 0 else build.let("maximum", wanted, ZERO)
    buffers = tuple([build.alloc(slot, capacity)[0] for slot in types_of(value.element)])
    return ListValue(value.element, ZERO, capacity, buffers)


def _items(value: AnyValue, count: int) -> tuple[AnyValue, ...]:
    if count == 0:
        return ()
    assert isinstance(value, TupleValue), value
    return value.items


def rebuild(context: Context, type_: Type, operands: Iterator[Operand], all_sizes: bool = False) -> AnyValue:
    """The value that was flattened to these operands."""
    match type_:
        case Scalar():
            return next(operands)
        case Array():
            return _rebuild_array(context, type_, operands, all_sizes)
        case Tuple():
            if not type_.items:
                return UNIT
            return TupleValue(tuple([rebuild(context, item, operands, all_sizes) for item in type_.items]))
        case Closure():
            captures = [rebuild(context, item, operands, all_sizes) for item in type_.capture_types]
            return ClosureValue(type_.function, tuple(captures))
        case List():
            length, capacity = next(operands), next(operands)
            buffers = tuple([next(operands) for _ in types_of(type_.element)])
            return ListValue(type_.element, length, capacity, buffers)  # type: ignore[arg-type]
        case Union():
            return UnionValue(type_, next(operands))  # type: ignore[arg-type]
    return UNIT


def _rebuild_array(context: Context, type_: Array, operands: Iterator[Operand], all_sizes: bool) -> Stored:
    buffer, pointer = next(operands), next(operands)
    sizes: list[Operand] = []
    for dim in type_.dims:
        given = next(operands) if all_sizes or dim < 0 else None
        sizes.append(Const(dim, INT64) if dim >= 0 else given)  # type: ignore[arg-type]
        if dim == MANY and isinstance(given, Var):
            context.not_one.add(given.id)
    shape = tuple(sizes)
    context.now_real(shape)
    strides = context.strides(shape)
    return Stored(type_.dtype, buffer, pointer, shape, strides, contiguous=True)  # type: ignore[arg-type]


def settled(context: Context, value: AnyValue) -> AnyValue:
    """The value with nothing lazy left in it except constants spread over a shape: what may be read inside a region."""
    if isinstance(value, Lazy):
        if value.forced is not None or not isinstance(value, Splat):
            return fusion.stored(context, value) if value.sizes else fusion.scalar(context, value)
        return value
    if isinstance(value, TupleValue):
        return TupleValue(tuple([settled(context, item) for item in value.items]))
    if isinstance(value, ClosureValue):
        return ClosureValue(value.function, tuple([settled(context, item) for item in value.captures]))
    return value
