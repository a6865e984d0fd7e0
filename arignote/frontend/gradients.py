"""Gradients with the structure of what they belong to, and cotangents and tangents that users give.

Leaves that carry no derivative (integers, truth values) become None; strings stay. In trees and in lists of run-time
length, the value and its cotangent are gone through side by side: trees by functions of the graph that call themselves,
made once for each definition, lists by loops. The cotangent of a union is null where it is zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from arignote.frontend.branches import choose_nodes
from arignote.frontend.coercion import packed, unpacked
from arignote.frontend.recursive import NONE, SELF, TreeDefinition, definition
from arignote.frontend.spec import Spec, cell_count, leaf_types, rebuild
from arignote.frontend.trees import call_made, inject, mapped_list, payload, switch
from arignote.frontend.values import Value
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import Node
from arignote.ir.structure import StaticOf
from arignote.ir.types import List, Tuple, Type, Union, dtype_of, is_differentiable, is_float, tangent_type

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Cotangents = Iterator[Node | None]
"""For each leaf its cotangent; None where that is zero, or where there is none."""


def gradients_of(
    context: Context, specs: Sequence[Spec], cotangents: Sequence[Node], primals: Sequence[Node] | None = None
) -> list[Value]:
    """The gradients with the structures of `specs`.

    cotangents: one for each leaf that carries a derivative
    primals:    all leaves; needed where there are trees, or lists of run-time length
    """
    types = [type_ for spec in specs for type_ in leaf_types(spec)]
    given = iter(cotangents)
    every = iter([next(given) if is_differentiable(type_) else None for type_ in types])
    if primals is None and any(_needs_primal(spec) for spec in specs):
        context.error("this derivative of a tree, or of a list of run-time length, is not supported",
                      DifferentiationError)  # fmt: skip
    places: Iterator[Node | None] = iter(primals if primals is not None else [None] * len(types))
    found: list[Value] = []
    for spec in specs:
        nodes: list[Node] = []
        add_gradient(context, spec, places, every, nodes)
        wanted = gradient_spec(spec)
        found.append(rebuild(wanted, nodes, context.scope, [None] * cell_count(wanted)))
    return found


def _needs_primal(spec: Spec) -> bool:
    if isinstance(spec, StaticOf):
        return False
    if spec[0] in ("recursive", "sequence", "union"):
        return any(map(is_differentiable, leaf_types(spec)))
    return spec[0] in ("tuple", "list", "dict", "record") and any(map(_needs_primal, spec[2]))


def gradient_spec(spec: Spec) -> Spec:
    """The spec of the gradient of a value."""
    if isinstance(spec, StaticOf):
        return _static_gradient(spec)
    match spec[0]:
        case "scalar":
            return spec if is_float(spec[1]) else NONE
        case "array":
            return spec if is_float(dtype_of(spec[1])) else NONE
        case "self":
            return SELF
        case "recursive":
            return "recursive", gradient_definition(spec[1])
        case "sequence":
            return "sequence", gradient_spec(spec[1])
        case "tuple" | "list" | "dict" | "record" | "union":
            return spec[0], spec[1], tuple(map(gradient_spec, spec[2]))
    return NONE


def _static_gradient(spec: StaticOf) -> Spec:
    """Of a part that is known at compile time: a constant does not change, a string stays what it is."""
    if type(spec.value) is float:
        return StaticOf(0.0)
    return NONE if isinstance(spec.value, bool | int) else spec


def gradient_definition(tree: TreeDefinition) -> TreeDefinition:
    """What the gradient of a tree may be: the same classes."""
    return definition(tree.family, tuple(map(gradient_spec, tree.alternatives)))


def add_gradient(
    context: Context, spec: Spec, primals: Iterator[Node | None], cotangents: Cotangents, nodes: list[Node]
) -> None:
    """Append the nodes of the gradient of a value to those found so far."""
    if isinstance(spec, StaticOf):
        return
    match spec[0]:
        case "scalar" | "array":
            primal, cotangent = next(primals), next(cotangents)
            if is_float(dtype_of(leaf_types(spec)[0])):
                nodes.append(cotangent if cotangent is not None else context.scope.emit.zeros_like(primal))  # type: ignore[arg-type]
        case "recursive":
            nodes.append(_tree_gradient(context, spec[1], next(primals), next(cotangents)))  # type: ignore[arg-type]
        case "sequence":
            nodes.append(_list_gradient(context, spec[1], next(primals), next(cotangents)))  # type: ignore[arg-type]
        case "tuple" | "list" | "dict" | "record" | "union":
            if spec[0] == "union":
                nodes.append(next(primals))  # type: ignore[arg-type]
                next(cotangents)
            for part in spec[2]:
                add_gradient(context, part, primals, cotangents, nodes)
        case _:
            for _ in leaf_types(spec):
                next(primals), next(cotangents)


def _list_gradient(context: Context, element: Spec, primal: Node, cotangent: Node | None) -> Node:
    def gradient(values: list[Node]) -> Node:
        leaves = unpacked(context.scope.emit, element, values[0])
        moved: Cotangents = iter([None] * len(leaves))
        if len(values) > 1:
            moved = iter(moving(unpacked(context.scope.emit, element, values[1]), leaf_types(element)))
        found: list[Node] = []
        add_gradient(context, element, iter(leaves), moved, found)
        return packed(context.scope.emit, found)

    lists = [primal] if cotangent is None else [primal, cotangent]
    return mapped_list(context, lists, leaf_types(("sequence", gradient_spec(element)))[0], gradient)


def moving(nodes: Sequence[Node], types: Sequence[Type]) -> list[Node | None]:
    """The tangents of leaves of these types; those of what carries no derivative are units."""
    return [node if is_differentiable(type_) else None for node, type_ in zip(nodes, types, strict=True)]


def _tree_gradient(context: Context, tree: TreeDefinition, primal: Node, cotangent: Node | None) -> Node:
    """The gradient of a whole tree. Without a cotangent, a tree of zeros."""
    wanted = gradient_definition(tree)
    has_tangent = is_differentiable(tree.node_type)
    if cotangent is None and has_tangent:
        cotangent = null_tangent(context, tree.node_type)
    given = [primal, cotangent] if cotangent is not None and has_tangent else [primal]

    def build(parameters: list[Node]) -> list[Node]:
        outer = context.scope

        def case(place: int) -> list[Node]:
            own = [context.scope.bring(node, outer) for node in parameters]
            return [_node_gradient(context, tree, wanted, place, own)]

        tag = context.scope.emit.op("tag", parameters[0])
        return switch(context, tag, range(len(tree.alternatives)), case, [wanted.node_type])

    return call_made(context, ("gradient", tree), f"gradient_of_{tree.name}", given, [wanted.node_type], build)[0]


def null_tangent(context: Context, type_: Type) -> Node:
    """The zero of the tangents of a union."""
    emit = context.scope.emit
    return emit.op("inject", emit.tuple(()), type=tangent_type(type_), alternative=0)


def zero_tangent(context: Context, like: Node) -> Node:
    """The zero of the tangents of a leaf that carries a derivative."""
    if isinstance(like.type, Union):
        return null_tangent(context, like.type)
    if isinstance(like.type, List):
        element = like.type.element

        def zero(values: list[Node]) -> Node:
            emit = context.scope.emit
            if not isinstance(element, Tuple):
                return zero_tangent(context, values[0])
            moved = [zero_tangent(context, x) if is_differentiable(x.type) else None for x in emit.items(values[0])]
            return emit.tuple([emit.tuple(()) if x is None else x for x in moved])

        return mapped_list(context, [like], tangent_type(like.type), zero)
    return context.scope.emit.zeros_like(like)


def _node_gradient(
    context: Context, tree: TreeDefinition, wanted: TreeDefinition, place: int, given: list[Node]
) -> Node:
    """The gradient of a node that is this alternative: of (node, cotangent), or of a node without a cotangent."""
    spec = tree.unfolded[place]
    if spec is NONE:
        return inject(context, [], wanted, place)
    types = leaf_types(spec)
    outer, primals = context.scope, payload(context, given[0], tree, place)

    def gradient(cotangents: Sequence[Node | None]) -> list[Node]:
        inside = [context.scope.bring(node, outer) for node in primals]
        nodes: list[Node] = []
        add_gradient(context, spec, iter(inside), iter(cotangents), nodes)
        return nodes

    def of_cotangent() -> list[Node]:
        emit, cotangent = context.scope.emit, context.scope.bring(given[1], outer)
        tangents = context.emit("project", cotangent, alternative=tree.node_type.definition.tangent_alternative(place))
        return gradient(moving([emit.item(tangents, n) for n in range(len(types))], types))

    zeros: list[Node | None] = [None] * len(types)
    if len(given) == 1:
        return inject(context, gradient(zeros), wanted, place)
    emit = context.scope.emit
    is_zero = emit.op("equal", emit.op("tag", given[1]), emit.integer(0))
    found = choose_nodes(context, is_zero, lambda: gradient(zeros), of_cotangent, leaf_types(wanted.unfolded[place]))
    return inject(context, found, wanted, place)
