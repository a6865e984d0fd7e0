"""Lowering of elementwise operations and of shapes: mostly no code at all, only new ways to look at values."""

from __future__ import annotations

import functools
from typing import Any

from arignote.ir.graph import Apply
from arignote.ir.types import dims_of, dtype_of
from arignote.lower import fusion, squares
from arignote.lower.arrays import (
    broadcast,
    dtype_of_value,
    elementwise,
    load_first,
    reshaped,
    shape_message,
    sizes_of,
    view,
)
from arignote.lower.context import INTEGER, LARGEST, Context
from arignote.lower.frame import RULES, Frame, rule
from arignote.lower.lazy import AxisMap, Iota, Lazy, Reduction, Repeated, Splat, costs, direct
from arignote.lower.loop_ir import INT64, Const, Operand
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, is_constant
from arignote.ops import elementwise as elementwise_operations


def _elementwise(frame: Frame, node: Apply) -> AnyValue:
    inputs = [frame.value(x) for x in node.inputs]
    return elementwise(frame.context, node.op.name, dtype_of(node.type), dims_of(node.type), inputs)


for _operation in elementwise_operations.FAMILY:
    RULES[_operation.name] = _elementwise


@rule("square")
def _square(frame: Frame, node: Apply) -> AnyValue:
    value = frame.value(node.inputs[0])
    if isinstance(value, Lazy | Stored):
        value.uses += 1
    return elementwise(frame.context, "multiply", dtype_of(node.type), dims_of(node.type), [value, value])


@rule("size")
def _size(frame: Frame, node: Apply) -> AnyValue:
    dim = dims_of(node.inputs[0].type)[node["axis"]]
    size = Const(dim, INT64) if dim >= 0 else frame.context.canonical(frame.sizes(node.inputs[0])[node["axis"]])
    frame.context.now_count(size)
    return size


@rule("broadcast_to")
def _broadcast_to(frame: Frame, node: Apply) -> AnyValue:
    context, build = frame.context, frame.context.build
    value, wanted = frame.value(node.inputs[0]), frame.given_sizes(node, node.inputs[1:])
    given = sizes_of(value)
    lead = len(wanted) - len(given)
    for size in wanted:
        check_not_negative(frame, size)
    for axis, size in enumerate(given):
        target = wanted[lead + axis]
        if is_constant(size, 1) or context.same(size, target):
            continue
        differ = build.let("not_equal", size, target)
        if context.never_one(size):
            _broadcast_to_failure(frame, differ, given, wanted)
            context.now_equal(size, target)
        else:
            _broadcast_to_failure(
                frame, build.let("logical_and", differ, build.let("not_equal", size, ONE)), given, wanted
            )
    return broadcast(context, value, wanted)


def _broadcast_to_failure(frame: Frame, condition: Operand, given: tuple[Operand, ...],
                          wanted: tuple[Operand, ...]) -> None:  # fmt: skip
    first, sizes = shape_message(given)
    second, more = shape_message(wanted)
    message = ["operands could not be broadcast together with remapped shapes [original->remapped]: ", *first,
               "  and requested shape ", *second]  # fmt: skip
    frame.context.raise_if(condition, ValueError, tuple(message), *sizes, *more)


def check_not_negative(frame: Frame, size: Operand) -> None:
    """Sizes given by the program must not be negative; sizes of arrays never are."""
    context = frame.context
    if isinstance(size, Const):
        if size.value < 0:
            context.raise_if(Const(True, "bool"), ValueError, ("negative dimensions are not allowed",))
    elif not context.is_count(size):
        context.raise_if(context.build.let("less", size, ZERO), ValueError, ("negative dimensions are not allowed",))
        context.now_count(size)


@rule("reshape")
def _reshape(frame: Frame, node: Apply) -> AnyValue:
    context, build = frame.context, frame.context.build
    value, wanted = frame.value(node.inputs[0]), frame.given_sizes(node, node.inputs[1:])
    if node.can_fail:
        for size in wanted:
            check_not_negative(frame, size)
        total, asked = context.product(sizes_of(value)), context.product(wanted)
        if not context.same(total, asked):
            pieces, sizes = shape_message(wanted)
            message = ("cannot reshape array of size ", INTEGER, " into shape ", *pieces)
            wrong = build.let("not_equal", total, asked)
            if sum(not isinstance(size, Const) for size in wanted) > 1:
                wrong = build.let("logical_or", wrong, context.exceeds(wanted, LARGEST))
            context.raise_if(wrong, ValueError, message, total, *sizes)
    return reshaped(context, value, wanted)


@rule("transpose")
def _transpose(frame: Frame, node: Apply) -> AnyValue:
    value, permutation = frame.value(node.inputs[0]), node["permutation"]
    given = sizes_of(value)
    axes = [direct(permutation.index(axis)) for axis in range(len(given))]
    return view(frame.context, value, tuple([given[axis] for axis in permutation]), tuple(axes))


@rule("expand_dims")
def _expand_dims(frame: Frame, node: Apply) -> AnyValue:
    value, added = frame.value(node.inputs[0]), node["axes"]
    given = sizes_of(value)
    rank = len(given) + len(added)
    if not given:
        sizes = (ONE,) * rank
        if squares.may_wait(value):
            return Repeated(value, sizes)  # type: ignore[arg-type]
        return Splat(dtype_of_value(value), sizes, fusion.scalar(frame.context, value)) if sizes else value
    places = [axis for axis in range(rank) if axis not in added]
    source = iter(given)
    sizes = tuple([ONE if axis in added else next(source) for axis in range(rank)])
    return view(frame.context, value, sizes, tuple([direct(axis) for axis in places]))


@rule("squeeze")
def _squeeze(frame: Frame, node: Apply) -> AnyValue:
    context, value, removed = frame.context, frame.value(node.inputs[0]), node["axes"]
    given = sizes_of(value)
    for axis in removed:
        if not is_constant(given[axis], 1):
            message = ("cannot select an axis to squeeze out which has size not equal to one",)
            context.raise_if(context.build.let("not_equal", given[axis], ONE), ValueError, message)
    return without_axes(frame, value, removed)


def without_axes(frame: Frame, value: AnyValue, removed: tuple[int, ...]) -> AnyValue:
    """The value without axes whose sizes are 1."""
    given = sizes_of(value)
    kept = [axis for axis in range(len(given)) if axis not in removed]
    axes: list[AxisMap] = [direct(kept.index(a)) if a in kept else (None, ZERO, ZERO) for a in range(len(given))]
    if not kept:
        return first_element(frame, value)
    return view(frame.context, value, tuple([given[axis] for axis in kept]), tuple(axes))


def first_element(frame: Frame, value: AnyValue) -> AnyValue:
    """The only element of a value of size 1, as a scalar."""
    if isinstance(value, Stored):
        return load_first(frame.context, value)
    if isinstance(value, Splat):
        return value.scalar
    return load_first(frame.context, fusion.stored(frame.context, value))


@rule("iota")
def _iota(frame: Frame, node: Apply) -> AnyValue:
    dim = dims_of(node.type)[0]
    if dim >= 0:
        return Iota(node["dtype"], Const(dim, INT64))
    count = frame.scalar(node.inputs[0])
    if isinstance(count, Const):
        return Iota(node["dtype"], Const(max(int(count.value), 0), INT64))
    if not frame.context.is_count(count):
        count = frame.context.build.let("maximum", count, ZERO)
        frame.context.now_count(count)
    return Iota(node["dtype"], count)


MOST_TOGETHER = 8
"""So many arrays of one shape are joined in one pass."""


@rule("concatenate")
def _concatenate(frame: Frame, node: Apply) -> AnyValue:
    context, axis = frame.context, node["axis"]
    parts = [frame.value(x) for x in node.inputs]
    shapes = [sizes_of(part) for part in parts]
    for position, shape in enumerate(shapes[1:], 1):
        _check_joint(frame, shapes[0], shape, axis, position)
    total: Operand = ZERO
    starts: list[Operand] = []
    for shape in shapes:
        starts.append(total)
        total = context.build.index_add(total, shape[axis])
    dims = dims_of(node.type)
    total = Const(dims[axis], INT64) if dims[axis] >= 0 else total
    sizes = tuple([total if a == axis else size for a, size in enumerate(shapes[0])])
    result = context.allocate(dtype_of(node.type), sizes)
    targets = [_place(context, result, shape, axis, start) for shape, start in zip(shapes, starts)]
    if len(parts) <= MOST_TOGETHER and all(context.same_shape(shape, shapes[0]) for shape in shapes):
        fusion.store_together(context, parts, targets)
        return result
    for part, target in zip(parts, targets):
        fusion.store(context, part, target)
    return result


def _place(context: Context, whole: Stored, shape: tuple[Operand, ...], axis: int, start: Operand) -> Stored:
    """The part of an array that begins at a place of an axis."""
    place = tuple([(a, start, ONE) if a == axis else direct(a) for a in range(len(shape))])
    target = view(context, whole, shape, place)
    assert isinstance(target, Stored)
    return target


def _check_joint(
    frame: Frame, first: tuple[Operand, ...], other: tuple[Operand, ...], axis: int, position: int
) -> None:
    context = frame.context
    for a, (left, right) in enumerate(zip(first, other)):
        if a == axis or context.same(left, right):
            continue
        message = ("all the input array dimensions except for the concatenation axis must match exactly, but along "
                   f"dimension {a}, the array at index 0 has size ", INTEGER,
                   f" and the array at index {position} has size ", INTEGER)  # fmt: skip
        context.raise_if(context.build.let("not_equal", left, right), ValueError, message, left, right)
        context.now_equal(left, right)


@rule("sum_to")
def _sum_to(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    value, wanted = frame.value(node.inputs[0]), _wanted_sizes(frame, node)
    given = sizes_of(value)
    lead = len(given) - len(wanted)
    matches = [context.same(given[lead + a], size) or context.never_one(size) for a, size in enumerate(wanted)]
    if all(match or is_constant(size, 1) for match, size in zip(matches, wanted)):
        reduced = (*range(lead), *[lead + a for a, match in enumerate(matches) if not match])
        return _sum_known(frame, value, wanted, reduced, lead)
    return _sum_unknown(frame, value, wanted, lead)


def _wanted_sizes(frame: Frame, node: Apply) -> tuple[Operand, ...]:
    dims = dims_of(node.type)
    sizes = frame.sizes(node.inputs[1]) if dims else ()
    return tuple([Const(dim, INT64) if dim >= 0 else size for dim, size in zip(dims, sizes)])


def _sum_known(frame: Frame, value: AnyValue, wanted: tuple[Operand, ...], reduced: tuple[int, ...],
               lead: int) -> AnyValue:  # fmt: skip
    if not reduced:
        return value
    total = Reduction("sum", value, reduced, dtype_of_value(value))
    if not wanted or not any(axis >= lead for axis in reduced):
        return total
    total.uses = 1
    fusion.wait(frame.context, total)
    if not total.sizes:
        return Splat(total.dtype, wanted, fusion.scalar(frame.context, total))
    kept = [axis - lead for axis in range(lead, len(wanted) + lead) if axis not in reduced]
    return view(frame.context, total, wanted, tuple([direct(axis) for axis in kept]))


def _sum_unknown(frame: Frame, value: AnyValue, wanted: tuple[Operand, ...], lead: int) -> AnyValue:
    """Some axis may have size 1 at run time or not. Mostly none has, and the array is its own sum."""
    context, build = frame.context, frame.context.build
    if lead or not isinstance(value, (Stored, Lazy)):
        return _sum_everywhere(context, value, wanted, lead)
    given = fusion.contiguous(context, value)
    equal = [build.let("equal", *pair) for pair in zip(given.sizes, wanted) if not context.same(*pair)]
    with build.branch(functools.reduce(lambda a, b: build.let("logical_and", a, b), equal)) as branch:
        branch.yields(given.buffer, given.pointer)
        branch.otherwise()
        with context.region():
            total = _sum_everywhere(context, given, wanted, lead)
            branch.yields(total.buffer, total.pointer)
    buffer, pointer = branch.results
    return Stored(given.dtype, buffer, pointer, wanted, context.strides(wanted), contiguous=True)


def _sum_everywhere(context: Context, value: AnyValue, wanted: tuple[Operand, ...], lead: int) -> Stored:
    """Every element is added to the place where it belongs."""
    build = context.build
    result = context.allocate(dtype_of_value(value), wanted)
    fusion.store(context, Splat(result.dtype, wanted, Const(0, result.dtype)), result)
    strides = tuple([
        ZERO if is_constant(size, 1)
        else stride if context.never_one(size)
        else build.let("select", build.let("equal", size, ONE), ZERO, stride)
        for size, stride in zip(wanted, result.strides)
    ])  # fmt: skip
    sizes = sizes_of(value)
    target = Stored(result.dtype, result.buffer, result.pointer, sizes, (ZERO,) * lead + strides)
    fusion.store(context, value, target, accumulate=True, independent=False)
    return result


@rule("sum", "prod", "max", "min", "any", "all")
def _reduce(frame: Frame, node: Apply) -> AnyValue:
    value, axes = frame.value(node.inputs[0]), node["axes"]
    if not axes:
        return value
    if node.op.name in ("max", "min"):
        _check_not_empty(frame, node, sizes_of(value), axes)
    return reduction(frame, node.op.name, value, axes, dtype_of(node.type))


def reduction(frame: Frame, op: str, value: AnyValue, axes: tuple[int, ...], dtype: str) -> AnyValue:
    """A reduction, to be computed when it is needed."""
    if isinstance(value, Lazy) and value.forced is None and costs(value, 500):
        value = fusion.stored(frame.context, value)
    return Reduction(op, value, axes, dtype)


def _check_not_empty(frame: Frame, node: Apply, sizes: tuple[Operand, ...], axes: tuple[int, ...]) -> None:
    """NumPy: an error where the operand is empty and the result is not."""
    context, build = frame.context, frame.context.build
    reduced = [size for axis, size in enumerate(sizes) if axis in axes]
    if all(isinstance(size, Const) and size.value > 0 for size in reduced):
        return
    empty = build.let("equal", context.product(tuple(reduced)), ZERO)
    kept = [size for axis, size in enumerate(sizes) if axis not in axes]
    if kept:
        empty = build.let("logical_and", empty, build.let("not_equal", context.product(tuple(kept)), ZERO))
    name = {"max": "maximum", "min": "minimum"}[node.op.name]
    context.raise_if(empty, ValueError, (f"zero-size array to reduction operation {name} which has no identity",))


@rule("argmax", "argmin")
def _position(frame: Frame, node: Apply) -> AnyValue:
    context, value, axis = frame.context, frame.value(node.inputs[0]), node["axis"]
    size = sizes_of(value)[axis]
    if not isinstance(size, Const) or size.value == 0:
        message: tuple[Any, ...] = (f"attempt to get {node.op.name} of an empty sequence",)
        context.raise_if(context.build.let("equal", size, ZERO), ValueError, message)
    return reduction(frame, node.op.name, value, (axis,), "int64")
