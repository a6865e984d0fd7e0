"""Views of memory: new strides and a new first element, no copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.lower.lazy import AxisMap
from arignote.lower.loop_ir import Operand, Var
from arignote.lower.values import ZERO, Stored, is_constant

if TYPE_CHECKING:
    from arignote.lower.context import Context


def strided_view(context: Context, value: Stored, sizes: tuple[Operand, ...], axes: tuple[AxisMap, ...]) -> Stored:
    """The array seen through an affine map of its axes."""
    build = context.build
    strides: list[Operand] = [ZERO] * len(sizes)
    offset: Operand = ZERO
    for (axis, start, step), stride in zip(axes, value.strides, strict=True):
        offset = build.index_add(offset, build.index_multiply(start, stride))
        if axis is not None:
            strides[axis] = build.index_add(strides[axis], _scaled(context, step, stride))
    pointer = value.pointer if is_constant(offset, 0) else build.let("pointer_offset", value.pointer, offset)
    normal = _normalised(context, sizes, strides)
    return Stored(value.dtype, value.buffer, pointer, sizes, normal, context.is_contiguous(sizes, normal))


def _scaled(context: Context, step: Operand, stride: Operand) -> Operand:
    """The stride of a step; what is known of a step that may be 0 is known of the stride."""
    result = context.build.index_multiply(step, stride)
    if isinstance(step, Var) and step.id in context.flags and isinstance(result, Var):
        context.flags[result.id] = (stride, context.flags[step.id][1])
    return result


def _normalised(context: Context, sizes: tuple[Operand, ...], strides: list[Operand]) -> tuple[Operand, ...]:
    """Where an axis has size 1 its stride does not matter: 0."""
    return tuple([ZERO if is_constant(size, 1) else stride for size, stride in zip(sizes, strides)])
