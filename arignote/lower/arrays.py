"""Building array values: elementwise expressions, broadcasting, views. Checks are written where the value is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arignote.lower import fusion, ties
from arignote.lower.context import INTEGER
from arignote.lower.lazy import DEEPEST, AxisMap, Elementwise, Lazy, Mapped, Repeated, Splat, direct, scalar_operation
from arignote.lower.loop_ir import Const, Operand
from arignote.lower.nests import Nest
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, is_constant
from arignote.lower.views import strided_view

if TYPE_CHECKING:
    from arignote.lower.context import Context

SIZE_FORMULAS = frozenset({"add", "subtract", "multiply", "maximum", "minimum"})


def sizes_of(value: AnyValue) -> tuple[Operand, ...]:
    """The sizes of an array; none for a scalar."""
    return value.sizes if isinstance(value, Stored | Lazy) else ()


def dtype_of_value(value: AnyValue) -> str:
    return value.dtype if isinstance(value, Stored | Lazy) else value.type  # type: ignore[union-attr]


def elementwise(context: Context, op: str, dtype: str, dims: tuple[int, ...], inputs: list[AnyValue]) -> AnyValue:
    """An elementwise operation with broadcasting. Scalars are computed at once, unless they wait for a reduction."""
    shapes = [sizes_of(x) for x in inputs]
    if not any(shapes):
        return _scalar_elementwise(context, op, dtype, inputs)
    sizes = broadcast_sizes(context, shapes, dims)
    spread: list[AnyValue] = []
    for value in inputs:
        if op == "equal" and ties.may_wait(value):
            spread.append(Repeated(value, sizes))  # type: ignore[arg-type]
            continue
        if isinstance(value, Lazy) and value.forced is None and (not value.sizes or value.depth >= DEEPEST):
            value = fusion.stored(context, value) if value.sizes else fusion.scalar(context, value)
        spread.append(broadcast(context, value, sizes) if sizes_of(value) else fusion.scalar(context, value))
    return Elementwise(op, dtype, sizes, tuple(spread))


def _scalar_elementwise(context: Context, op: str, dtype: str, inputs: list[AnyValue]) -> AnyValue:
    inputs = [x.forced if isinstance(x, Lazy) and x.forced is not None else x for x in inputs]
    if any(isinstance(x, Lazy) and x.depth >= DEEPEST for x in inputs):
        inputs = [fusion.scalar(context, x) for x in inputs]
    if any(isinstance(x, Lazy) for x in inputs):
        return Elementwise(op, dtype, (), tuple(inputs))
    return scalar_now(context, op, dtype, inputs)  # type: ignore[arg-type]


def scalar_now(context: Context, op: str, dtype: str, operands: list[Operand]) -> Operand:
    """One operation of the graph on scalars, in straight-line code. What sizes are made of is computed once."""
    if op in SIZE_FORMULAS and all(x.type == "int64" for x in operands):
        return context.number(op, tuple(operands))
    return scalar_operation(Nest(context), op, dtype, operands)


# Broadcasting ------------------------------------------------------------------------------------------------------


def broadcast_sizes(context: Context, shapes: list[tuple[Operand, ...]], dims: tuple[int, ...],
                    fails: Any = None) -> tuple[Operand, ...]:  # fmt: skip
    """The sizes that shapes broadcast to; raises at run time where they do not."""
    rank = len(dims)
    result: list[Operand] = []
    for axis in range(rank):
        here = [shape[axis - rank] for shape in shapes if len(shape) >= rank - axis]
        here = [size for size in here if not is_constant(size, 1)]
        distinct: list[Operand] = []
        for size in here:
            if not any(context.same(size, other) for other in distinct):
                distinct.append(size)
        result.append(_meet(context, distinct, shapes, fails))
    return tuple(result)


def _meet(context: Context, distinct: list[Operand], shapes: list[tuple[Operand, ...]], fails: Any) -> Operand:
    """One size from sizes not known to be equal. Sizes that are not 1 must agree; a size 1 gives way."""
    if not distinct:
        return ONE
    first = min(distinct, key=lambda size: 0 if isinstance(size, Const) else 1 if context.never_one(size) else 2)
    if len(distinct) == 1:
        return context.canonical(first)
    build = context.build
    fail = fails or _broadcast_failure
    for size in distinct:
        if size is first:
            continue
        differ = build.let("not_equal", first, size)
        if context.never_one(first) and context.never_one(size):
            fail(context, differ, shapes)
            context.now_equal(first, size)
        elif context.never_one(first):
            not_one = build.let("not_equal", size, ONE)
            fail(context, build.let("logical_and", differ, not_one), shapes)
        else:
            ones = build.let("logical_or", build.let("equal", first, ONE), build.let("equal", size, ONE))
            fail(context, build.let("logical_and", differ, build.let("logical_not", ones)), shapes)
            first = build.let("select", build.let("equal", first, ONE), size, first)
    return context.canonical(first)


def _broadcast_failure(context: Context, condition: Operand, shapes: list[tuple[Operand, ...]]) -> None:
    message: list[Any] = ["operands could not be broadcast together with shapes "]
    args: list[Operand] = []
    for shape in shapes:
        pieces, sizes = shape_message(shape)
        message += [*pieces, " "]
        args += sizes
    context.raise_if(condition, ValueError, tuple(message), *args)


def shape_message(shape: tuple[Operand, ...]) -> tuple[list[Any], list[Operand]]:
    """A shape as NumPy writes it."""
    pieces: list[Any] = ["("]
    for position, _ in enumerate(shape):
        pieces += [",", INTEGER] if position else [INTEGER]
    pieces.append(",)" if len(shape) == 1 else ")")
    return pieces, list(shape)


def broadcast(context: Context, value: AnyValue, sizes: tuple[Operand, ...]) -> AnyValue:
    """The value with this shape, which it is known to broadcast to."""
    given = sizes_of(value)
    if context.same_shape(given, sizes):
        return value
    if not given:
        return Splat(dtype_of_value(value), sizes, fusion.scalar(context, value))
    if isinstance(value, Splat):
        return Splat(value.dtype, sizes, value.scalar)
    lead = len(sizes) - len(given)
    axes: list[AxisMap] = []
    for axis, size in enumerate(given):
        wanted = sizes[lead + axis]
        if is_constant(size, 1):
            axes.append((None, ZERO, ZERO))
        elif context.same(size, wanted) or context.never_one(size):
            axes.append(direct(lead + axis))
        else:
            axes.append((lead + axis, ZERO, _one_unless_single(context, size, wanted)))
    return view(context, value, sizes, tuple(axes))


def _one_unless_single(context: Context, size: Operand, wanted: Operand) -> Operand:
    """The step along an axis whose size may turn out to be 1: 0 then, 1 where it has the size that is wanted."""
    step = context.build.let("cast", context.build.let("not_equal", size, ONE), dtype="int64")
    context.flags[step.id] = (ONE, context.build.let("equal", size, wanted))
    return step


# Views -------------------------------------------------------------------------------------------------------------


def view(context: Context, value: AnyValue, sizes: tuple[Operand, ...], axes: tuple[AxisMap, ...]) -> AnyValue:
    """The value seen through an affine map of its axes: of memory, new strides; of something lazy, new indices."""
    if isinstance(value, Lazy) and value.forced is not None:
        value = value.forced
    if isinstance(value, Splat):
        return Splat(value.dtype, sizes, value.scalar) if sizes else value.scalar
    if isinstance(value, Stored):
        return strided_view(context, value, sizes, axes)
    assert isinstance(value, Lazy)
    if value.depth >= DEEPEST or not sizes:
        return view(context, fusion.stored(context, value), sizes, axes)
    mapped = Mapped(value, sizes, axes)
    mapped.uses = 1
    return mapped


def reshaped(context: Context, value: AnyValue, sizes: tuple[Operand, ...]) -> AnyValue:
    """The same elements in C order under other sizes, whose product is known to be the same.

    Those of a view that is not in C order are copied, once for all such shapes of it.
    """
    if isinstance(value, Splat):
        return Splat(value.dtype, sizes, value.scalar) if sizes else value.scalar
    given = sizes_of(value)
    if not given:
        return Splat(dtype_of_value(value), sizes, fusion.scalar(context, value)) if sizes else value
    axes = _ones_only(context, given, sizes)
    if axes is not None and sizes:
        return view(context, value, sizes, axes)
    array = fusion.stored(context, value)
    array = array if array.contiguous else context.once(fusion.copy, array)
    if not sizes:
        return load_first(context, array)
    return Stored(array.dtype, array.buffer, array.pointer, sizes, context.strides(sizes), contiguous=True)


def _ones_only(context: Context, given: tuple[Operand, ...], wanted: tuple[Operand, ...]) -> tuple[AxisMap, ...] | None:
    """The axis map where only axes of size 1 come or go."""
    kept = [axis for axis, size in enumerate(given) if not is_constant(size, 1)]
    places = [axis for axis, size in enumerate(wanted) if not is_constant(size, 1)]
    if len(kept) != len(places) or not all(context.same(given[a], wanted[b]) for a, b in zip(kept, places)):
        return None
    target = dict(zip(kept, places))
    return tuple([direct(target[axis]) if axis in target else (None, ZERO, ZERO) for axis in range(len(given))])


def load_first(context: Context, array: Stored) -> Operand:
    """The only element of an array of size 1."""
    return context.build.load(array.pointer, 0)


def check_fit(context: Context, shape: tuple[Operand, ...], wanted: tuple[Operand, ...]) -> None:
    """Raises unless what is written to a place has the shape of the place."""
    for given, size in zip(shape, wanted, strict=True):
        if not context.same(given, size):
            first, sizes = shape_message(shape)
            second, more = shape_message(wanted)
            message = ("could not broadcast input array from shape ", *first, " into shape ", *second)
            context.raise_if(context.build.let("not_equal", given, size), ValueError, message, *sizes, *more)
            context.now_equal(given, size)
