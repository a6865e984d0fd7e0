"""Tangents and cotangents that users give: their leaves, in the order of those of the values that they belong to.

A tree is given as a tree of the same shape, a list of run-time length as one of the same length; a function of the
graph goes through both side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from arignote.frontend.coercion import coerce, packed, unpacked
from arignote.frontend.gradients import null_tangent
from arignote.frontend.join import alternatives, join, kind_of, tag_of, widen
from arignote.frontend.recursive import NONE, TreeDefinition, fold
from arignote.frontend.spec import Flat, Spec, cell_count, flatten, leaf_types, show_spec
from arignote.frontend.trees import call_made, mapped_list, payload, switch
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    ListValue,
    RecordValue,
    ScalarValue,
    TupleValue,
    Value,
    is_number,
    is_python_number,
)
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import TRUE, Node
from arignote.ir.sizes import sizes
from arignote.ir.structure import StaticOf
from arignote.ir.types import UNIT, Array, dims_of, dtype_of, fits, is_differentiable, is_float, tangent_type

if TYPE_CHECKING:
    from arignote.frontend.context import Context

COTANGENT = "the cotangent"
RETURNED = "returns"
"""Ends the name of a tangent or cotangent that a rule of the user returned: its dtype must be that of the value."""


def cotangent_leaves(
    context: Context, result: Spec, value: Value, what: str = COTANGENT, like: Sequence[Node] | None = None
) -> list[Node | None]:
    """The leaves of a cotangent, in the order of those of the value, in their dtypes. `like`: the value's own leaves,
    which trees and lists of run-time length need."""
    if isinstance(result, StaticOf):
        return []
    if result[0] in ("scalar", "array"):
        return [_cotangent_leaf(context, result, value, what)]
    if result[0] in ("recursive", "sequence"):
        if not is_differentiable(leaf_types(result)[0]):
            return [None]
        if like is None:
            context.error(f"{what} of a tree, or of a list of run-time length, is not supported", DifferentiationError)
        return _Given(context, what).run(result, list(like), flatten(context, value))
    items = _parts_of_cotangent(context, result, value)
    if items is None or len(items) != len(result[2]):
        differs(context, what, result, value)
    leaves: list[Node | None] = []
    for part, item in zip(result[2], items, strict=True):
        own = like[len(leaves) : len(leaves) + len(leaf_types(part))] if like is not None else None
        leaves += cotangent_leaves(context, part, item, what, own)
    return leaves


def differs(context: Context, what: str, wanted: Spec, value: Value) -> NoReturn:
    context.error(f"{what} must have the structure of the value, {show_spec(wanted)}, got {context.show(value)}",
                  DifferentiationError)  # fmt: skip


def _cotangent_leaf(context: Context, result: Spec, value: Value, what: str) -> Node | None:
    dtype = dtype_of(result[1]) if result[0] == "array" else result[1]
    if not is_float(dtype):
        return None
    if not isinstance(value, ScalarValue | ArrayValue) and not is_number(value):
        context.error(f"{what} must have the structure of the value: expected {show_spec(result)}, got "
                      f"{context.show(value)}", DifferentiationError)  # fmt: skip
    if what.endswith(RETURNED) and not is_python_number(value) and context.dtype(value) != dtype:
        context.error(f"{what} must be {dtype}, got {context.show(value)}", DifferentiationError,
                      f"convert it: .astype(np.{dtype})")  # fmt: skip
    node = context.node(value, dtype)
    wanted = result[1].dims if isinstance(result[1], Array) else ()
    given = node.type.dims if isinstance(node.type, Array) else ()
    if len(wanted) != len(given):
        context.error(f"{what} must have the structure of the value: expected {show_spec(result)}, got "
                      f"{context.show(value)}", DifferentiationError)  # fmt: skip
    return node


def _parts_of_cotangent(context: Context, wanted: Spec, value: Value) -> list[Value] | None:
    """The items of a tree in the order of those of the tree it belongs to; None where it is another kind of tree."""
    match wanted[0], value:
        case "dict", DictValue():
            found = dict(context.read(value))
            keys = [key.value for key in wanted[1][1]]
            return [found[key] for key in keys] if set(found) == set(keys) else None
        case "record", RecordValue() if value.cls is wanted[1][0]:
            return list(context.read(value))
        case (("tuple" | "list"), (TupleValue() | ListValue())):
            return context.elements(value)
    return None


def fitted(
    context: Context, seed: Node, leaf: Node, problem: str = "the cotangent must have the shape of the value"
) -> Node:
    """A cotangent, or tangent, with the shape of the leaf that it belongs to; another shape is an error."""
    if not isinstance(leaf.type, Array):
        return seed
    emit = context.scope.emit
    for axis, (given, wanted) in enumerate(zip(sizes(seed), sizes(leaf))):
        if given != wanted:
            unequal = context.emit("not_equal", emit.size(seed, axis), emit.size(leaf, axis))
            context.raise_if(unequal, ValueError, problem)
    if fits(seed.type, leaf.type):
        return seed
    return context.emit("broadcast_to", seed, *emit.sizes(leaf), dims=dims_of(leaf.type))


class _Given:
    """Turns what was given for a value, of a spec much like the value's, into tangents of the value's leaves."""

    def __init__(self, context: Context, what: str) -> None:
        self.context, self.what = context, what

    def run(self, spec: Spec, like: list[Node], given: Flat) -> list[Node | None]:
        """The tangents of the leaves `like` of a value."""
        if isinstance(spec, StaticOf):
            return []
        if not any(map(is_differentiable, leaf_types(spec))):
            return [None] * len(like)
        match spec[0]:
            case "scalar" | "array":
                return [self._leaf(spec, like[0], given)]
            case "recursive":
                return [self._tree(spec[1], like[0], given)]
            case "sequence":
                return [self._list(spec, like[0], given)]
            case "tuple" | "list" | "dict" | "record":
                return self._container(spec, like, given)
            case "union":
                return self._union(spec, like, given)
        self._refuse(spec, given.spec)

    def _refuse(self, spec: Spec, given: Spec) -> NoReturn:
        self.context.error(f"{self.what} must have the structure of the value: expected {show_spec(spec)}, got "
                           f"{show_spec(given)}", DifferentiationError)  # fmt: skip

    def _leaf(self, spec: Spec, like: Node, given: Flat) -> Node:
        context, dtype = self.context, dtype_of(like.type)
        if isinstance(given.spec, StaticOf) and type(given.spec.value) in (int, float) and not dims_of(like.type):
            return context.scope.emit.constant(given.spec.value, dtype)
        if len(given.nodes) != 1 or len(dims_of(given.nodes[0].type)) != len(dims_of(like.type)):
            self._refuse(spec, given.spec)
        problem = f"{self.what} must have the shape of the value"
        return fitted(context, context.cast(given.nodes[0], dtype), like, problem)

    def _container(self, spec: Spec, like: list[Node], given: Flat) -> list[Node | None]:
        if isinstance(given.spec, StaticOf) or given.spec[:2] != spec[:2] or len(given.spec[2]) != len(spec[2]):
            self._refuse(spec, given.spec)
        found: list[Node | None] = []
        nodes = given.nodes
        for part, other in zip(spec[2], given.spec[2], strict=True):
            own, count = len(leaf_types(part)), len(leaf_types(other))
            found += self.run(part, like[len(found) : len(found) + own], Flat(other, nodes[:count], []))
            nodes = nodes[count:]
        return found

    def _union(self, spec: Spec, like: list[Node], given: Flat) -> list[Node | None]:
        """The tangents of one of several values: a tag, which has none, then the leaves of all alternatives."""
        context, outer = self.context, self.context.scope
        types = [tangent_type(type_) for option in spec[2] for type_ in leaf_types(option)]
        others = alternatives(given.spec)
        nodes = given.nodes if tag_of(given.spec) == "union" else [outer.emit.integer(0), *given.nodes]
        problem = f"{self.what} must have the structure of the value: expected {show_spec(spec)}"

        def case(place: int) -> list[Node]:
            emit, option = context.scope.emit, spec[2][place]
            found = [emit.tuple(()) if type_ == UNIT else emit.op("undefined", type=type_) for type_ in types]
            other = _alternative_like(others, option)
            if other is None:
                context.raise_if(TRUE, ValueError, problem)
                return found
            here = [context.scope.bring(node, outer) for node in nodes]
            context.raise_if(emit.op("not_equal", here[0], emit.integer(other)), ValueError, problem)
            own, first = _leaves_of_alternative(spec[2], like[1:], place)
            brought = [context.scope.bring(node, outer) for node in own]
            theirs, _ = _leaves_of_alternative(others, here[1:], other)
            found[first : first + len(own)] = self._units(self.run(option, brought, Flat(others[other], theirs, [])))
            return found

        found = switch(context, like[0], range(len(spec[2])), case, types)
        return [None, *[None if type_ == UNIT else node for node, type_ in zip(found, types, strict=True)]]

    def _units(self, nodes: Sequence[Node | None]) -> list[Node]:
        emit = self.context.scope.emit
        return [emit.tuple(()) if node is None else node for node in nodes]

    def _list(self, spec: Spec, like: Node, given: Flat) -> Node:
        context, (_, element) = self.context, spec
        if isinstance(given.spec, StaticOf) or given.spec[0] not in ("list", "sequence"):
            self._refuse(spec, given.spec)
        if given.spec[0] == "list":
            own = element
            for number, part in enumerate(given.spec[2]):
                own = widen(part) if number == 0 else join(own, widen(part))
            given = coerce(context, Flat(given.spec, given.nodes, [None] * cell_count(given.spec)), ("sequence", own))
        emit, tangents = context.scope.emit, given.nodes[0]
        unequal = context.emit("not_equal", emit.op("list_length", like), emit.op("list_length", tangents))
        context.raise_if(unequal, ValueError, f"{self.what} must have the length of the list")

        def tangent(values: list[Node]) -> Node:
            emit = context.scope.emit
            leaves, nodes = unpacked(emit, element, values[0]), unpacked(emit, given.spec[1], values[1])
            return packed(emit, self._units(self.run(element, leaves, Flat(given.spec[1], nodes, []))))

        return mapped_list(context, [like, tangents], tangent_type(like.type), tangent)

    def _tree(self, tree: TreeDefinition, like: Node, given: Flat) -> Node:
        context = self.context
        nodes = isinstance(given.spec, tuple) and given.spec[0] in ("record", "recursive") or given.spec is NONE
        wanted = fold(tree.family, given.spec) if nodes else given.spec
        if not isinstance(wanted, tuple) or wanted[0] != "recursive":
            self._refuse(tree.spec, given.spec)
        other: TreeDefinition = wanted[1]
        node = coerce(context, Flat(given.spec, given.nodes, [None] * cell_count(given.spec)), wanted).nodes[0]

        def build(parameters: list[Node]) -> list[Node]:
            outer = context.scope

            def case(place: int) -> list[Node]:
                own = [context.scope.bring(parameter, outer) for parameter in parameters]
                return [self._node(tree, other, place, own[0], own[1])]

            tag = context.scope.emit.op("tag", parameters[0])
            return switch(context, tag, range(len(tree.alternatives)), case, [tangent_type(tree.node_type)])

        key = ("tangent", tree, other, self.what)
        made = call_made(context, key, f"tangent_of_{tree.name}", [like, node], [tangent_type(tree.node_type)], build)
        return made[0]

    def _node(self, tree: TreeDefinition, other: TreeDefinition, place: int, like: Node, given: Node) -> Node:
        """The tangent of a node that is this alternative."""
        context, spec = self.context, tree.unfolded[place]
        emit = context.scope.emit
        match_ = other.place(None if spec is NONE else spec[1][0])
        problem = f"{self.what} must have the structure of the value: a node is of another class"
        if match_ is None:
            context.raise_if(TRUE, ValueError, problem)
            return null_tangent(context, tree.node_type)
        unequal = emit.op("not_equal", emit.op("tag", given), emit.integer(match_))
        context.raise_if(unequal, ValueError, problem)
        if spec is NONE:
            return null_tangent(context, tree.node_type)
        leaves, nodes = payload(context, like, tree, place), payload(context, given, other, match_)
        tangents = self._units(self.run(spec, leaves, Flat(other.unfolded[match_], nodes, [])))
        alternative = tree.node_type.definition.tangent_alternative(place)
        return emit.op("inject", emit.tuple(tangents), type=tangent_type(tree.node_type), alternative=alternative)


def _alternative_like(others: Sequence[Spec], option: Spec) -> int | None:
    """Which of the alternatives of a tangent may belong to this alternative of the value."""
    kinds = list(map(kind_of, others))
    if kind_of(option) in kinds:
        return kinds.index(kind_of(option))
    return next((i for i, other in enumerate(others) if tag_of(other) == tag_of(option) != "static"), None)


def _leaves_of_alternative(options: Sequence[Spec], leaves: Sequence[Node], place: int) -> tuple[list[Node], int]:
    """The leaves of one alternative among those of all, and where they begin."""
    first = sum(len(leaf_types(option)) for option in options[:place])
    return list(leaves[first : first + len(leaf_types(options[place]))]), first
