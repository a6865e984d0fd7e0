"""Forward mode inside compiled code: `ag.jvp(f, primals, tangents)`.

Like a gradient, the function is specialised first; the injected transform makes of it a function that computes the
value and its tangent side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from arignote.frontend.given_tangents import cotangent_leaves, fitted
from arignote.frontend.gradients import gradients_of
from arignote.frontend.instances import operands, result_roots, take_result
from arignote.frontend.scope import HOOKS
from arignote.frontend.spec import Spec, leaf_types, rebuild, show_spec
from arignote.frontend.transforms import at_run_time, split_aux, transformable
from arignote.frontend.values import ArrayValue, ListValue, ScalarValue, Static, TupleValue, Value
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import Node
from arignote.ir.types import is_differentiable, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def jvp(context: Context, function: Value, primals: Value, tangents: Value, has_aux: bool = False) -> Value:
    """(value, tangent of the value) of a function at `primals`, along `tangents`: sequences of equal length."""
    points, directions = _sequence(context, primals, "primals"), _sequence(context, tangents, "tangents")
    if len(points) != len(directions):
        context.error(f"jvp got {len(points)} primals and {len(directions)} tangents", DifferentiationError)
    points = [at_run_time(context, point) for point in points]
    instance, flat = transformable(context, function, points, {}, "the derivative", DifferentiationError)
    emit = context.scope.emit
    position = len(leaf_types(flat.spec[2][0]))
    active: set[int] = set()
    seeds: list[Node] = []
    for spec, direction in zip(flat.spec[2][1][2], directions, strict=True):
        if not any(map(is_differentiable, leaf_types(spec))):
            _refuse_direction(context, spec, direction)
        own = flat.nodes[position : position + len(leaf_types(spec))]
        given = cotangent_leaves(context, spec, direction, "a tangent", own)
        for leaf, seed in zip(leaf_types(spec), given, strict=True):
            if seed is not None and is_differentiable(leaf):
                active.add(position)
                seeds.append(fitted(context, seed, flat.nodes[position], "a tangent must have the shape of its primal"))
            position += 1
    nodes = operands(context, instance, flat)  # the token among them comes after the checks
    flags = tuple(index - instance.effects in active for index in range(len(nodes)))
    pair = emit.call(context.program.transforms.jvp(instance.function, flags), *nodes, *seeds)
    leaves = take_result(context, instance, emit.item(pair, 0))
    value = rebuild(instance.result, leaves, context.scope, result_roots(instance, flat))
    parts = emit.items(emit.item(pair, 1))[1 if instance.effects else 0 :]
    moving = [part for part, leaf in zip(parts, leaves, strict=True) if is_differentiable(leaf.type)]
    tangent = gradients_of(context, [instance.result], moving, leaves)[0]
    if not has_aux:
        return TupleValue((value, tangent))
    value, aux = split_aux(context, value, True)
    return TupleValue((value, split_aux(context, tangent, True)[0], aux))


def _refuse_direction(context: Context, spec: Spec, direction: Value) -> None:
    """What holds no float does not move; a float as its tangent would be passed over in silence."""
    if isinstance(direction, Static):
        is_refused = isinstance(direction.object, float) and direction.object != 0.0
    else:
        is_refused = isinstance(direction, ScalarValue | ArrayValue) and is_float(context.dtype(direction))
    if is_refused:
        problem = f"there is no derivative with respect to {show_spec(spec)}, which holds no float, but its tangent is "
        context.error(problem + context.show(direction), DifferentiationError, "give it the tangent None")


def _sequence(context: Context, value: Value, what: str) -> Sequence[Value]:
    if isinstance(value, TupleValue | ListValue):
        return context.elements(value)
    context.error(f"{what} must be a tuple or list with one item for each argument, got {context.show(value)}",
                  DifferentiationError)  # fmt: skip


HOOKS["jvp"] = jvp
