"""Lowering of unions: a box for each value, null for an alternative 0 that holds nothing.

The operands of the flattened payload stand in the box as they are; a box is never written again. So what a union holds
is read without counting references (`memory.py`).
"""

from __future__ import annotations

from arignote.ir.graph import Apply
from arignote.lower.flatten import flatten, rebuild, types_of
from arignote.lower.frame import Frame, rule
from arignote.lower.loop_ir import BUFFER
from arignote.lower.values import AnyValue, UnionValue


def _union(frame: Frame, node: Apply) -> UnionValue:
    value = frame.value(node.inputs[0])
    assert isinstance(value, UnionValue), value
    return value


@rule("inject")
def _inject(frame: Frame, node: Apply) -> AnyValue:
    build, type_, alternative = frame.context.build, node["type"], node["alternative"]
    if type_.definition.is_null(alternative):
        return UnionValue(type_, build.let("null", dtype=BUFFER))
    operands = flatten(frame.context, frame.value(node.inputs[0]), type_.alternatives[alternative])
    return UnionValue(type_, build.box(alternative, operands))


@rule("tag")
def _tag(frame: Frame, node: Apply) -> AnyValue:
    return frame.context.build.tag(_union(frame, node).buffer)


@rule("project")
def _project(frame: Frame, node: Apply) -> AnyValue:
    context, value, alternative = frame.context, _union(frame, node), node["alternative"]
    payload = value.type.alternatives[alternative]
    held = context.build.unbox(value.buffer, alternative, types_of(payload))
    return rebuild(context, payload, iter(held))
