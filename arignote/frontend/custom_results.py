"""What the rules of a custom derivative return: pairs, values like the function's own, tangents and cotangents.

What is wrong with them is reported at the rule's own `return`, by the name of the function.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.coercion import coerce
from arignote.frontend.given_tangents import cotangent_leaves
from arignote.frontend.gradients import gradients_of, null_tangent
from arignote.frontend.join import join
from arignote.frontend.spec import Spec, flatten, leaf_types, show_spec
from arignote.frontend.values import Static, TupleValue, Value
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import Node, Parameter
from arignote.ir.types import Array, List, Type, Union, dims_of, dtype_of, fits, is_differentiable

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.frontend.custom import Rules


def moving_values(context: Context, specs: Sequence[Spec], nodes: Sequence[Node]) -> list[Value]:
    """Tangents or cotangents with the structures of these specs; the nodes of what carries none are units."""
    types = [type_ for spec in specs for type_ in leaf_types(spec)]
    return gradients_of(context, specs, [n for n, type_ in zip(nodes, types, strict=True) if is_differentiable(type_)])


def called(context: Context, rule: Value, arguments: Sequence[Value]) -> Value:
    """Call a rule. What is wrong with what it returns is wrong at its `return`."""
    context.returned_at = None
    value = context.call(rule, arguments)
    context.span = context.returned_at or context.span
    return value


def pair(context: Context, rules: Rules, what: str, wanted: str, value: Value) -> tuple[Value, Value]:
    if not isinstance(value, TupleValue) or len(value.items) != 2:
        context.error(f"the {what} of {rules.name} must return a pair {wanted}, got {context.show(value)}",
                      DifferentiationError)  # fmt: skip
    return value.items[0], value.items[1]


def fitted_leaves(context: Context, rules: Rules, what: str, value: Value) -> list[Node]:
    """The leaves of a value with the types of the function's own result."""
    flat = flatten(context, value)
    target = rules.target
    if _loose(flat.spec) == _loose(target):
        return [_conformed(context, node, type_) for node, type_ in zip(flat.nodes, leaf_types(target), strict=True)]
    if join(target, flat.spec) != target:
        context.error(f"the {what} of {rules.name} gives {show_spec(flat.spec)}, where {rules.name} gives "
                      f"{show_spec(target)}", DifferentiationError)  # fmt: skip
    return coerce(context, flat, target).nodes


def _loose(spec: Spec) -> Any:
    """The spec without what is known of sizes."""
    if not isinstance(spec, tuple):
        return spec
    if spec and spec[0] == "array":
        return "array", dtype_of(spec[1]), len(dims_of(spec[1]))
    return tuple([_loose(part) for part in spec])


def _conformed(context: Context, node: Node, type_: Type) -> Node:
    if fits(node.type, type_):
        return node
    assert isinstance(type_, Array)
    return context.emit("broadcast_to", node, *context.scope.emit.sizes(node), dims=type_.dims)


def cotangents(context: Context, rules: Rules, value: Value, sizes: Iterator[Parameter]) -> list[Node]:
    """What a backward rule returned, as one node for each leaf of the arguments that it is about."""
    specs = rules.argument_specs
    count = len(specs)
    items = list(value.items) if isinstance(value, TupleValue) else None
    if items is None or len(items) != count:
        named = "one cotangent" if count == 1 else f"{count} cotangents, one for each argument"
        context.error(f"the backward rule of {rules.name} must return a tuple of {named}, got {context.show(value)}",
                      DifferentiationError, "return (cotangent,)" if count == 1 else "None is zero")  # fmt: skip
    nodes: list[Node] = []
    for position, (spec, item) in enumerate(zip(specs, items, strict=True)):
        what = f"the cotangent of argument {position} that the backward rule of {rules.name} returns"
        for type_, node in zip(leaf_types(spec), _leaves(context, spec, item, what), strict=True):
            given = [next(sizes) for _ in dims_of(type_)]
            known = zip(given, dims_of(type_), strict=True)
            shape = [size if dim < 0 else context.scope.emit.integer(dim) for size, dim in known]
            nodes.append(_shaped(context, node, type_, shape, what))
    return nodes


def tangents_of(context: Context, rules: Rules, value: Value, like: Sequence[Node]) -> list[Node]:
    """What a pushforward returned as the tangent, as one node for each leaf of the result."""
    what = f"the tangent that the rule of {rules.name} returns"
    leaves = _leaves(context, rules.target, value, what)
    emit = context.scope.emit
    return [_shaped(context, node, leaf.type, emit.sizes(leaf), what) for node, leaf in zip(leaves, like, strict=True)]


def _leaves(context: Context, spec: Spec, value: Value, what: str) -> list[Node | None]:
    if isinstance(value, Static) and value.object is None:
        return [None] * len(leaf_types(spec))
    return cotangent_leaves(context, spec, value, what)


def _shaped(context: Context, node: Node | None, type_: Type, shape: Sequence[Node], what: str) -> Node:
    """A tangent or cotangent of a leaf of this type: zeros for None; another shape is an error."""
    emit = context.scope.emit
    if not is_differentiable(type_):
        return emit.tuple(())
    if isinstance(type_, Union):
        return null_tangent(context, type_) if node is None else node
    if isinstance(type_, List):
        context.error(f"{what}: of a list of run-time length it is not supported", DifferentiationError)
    if node is None:
        zero = emit.constant(0, dtype_of(type_))
        return emit.op("broadcast_to", zero, *shape, dims=dims_of(type_)) if dims_of(type_) else zero
    given = emit.sizes(node)
    for axis, (one, wanted) in enumerate(zip(given, shape, strict=True)):
        if one is not wanted:
            wrong = context.emit("not_equal", one, wanted)
            context.raise_if(wrong, ValueError, f"{what} has size ", ("int64", True, one), f" along axis {axis}, "
                             "expected ", ("int64", True, wanted))  # fmt: skip
    return _conformed(context, node, type_)
