"""Trees and lists of run-time length under `vmap`: all elements have one shape of tree, and each array holds them all.

The specs of one element and of all, which leaves differ, and functions of the graph that go through a whole tree: one
that finds how many elements there are, and one that changes the type of a tree and its leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.coercion import packed, unpacked
from arignote.frontend.recursive import NONE, TreeDefinition, definition
from arignote.frontend.scope import Scope
from arignote.frontend.spec import Spec, leaf_types, show_spec
from arignote.frontend.trees import call_made, mapped_list, switch
from arignote.ir.graph import Node, Parameter
from arignote.ir.records import dataclass
from arignote.ir.structure import ANY, MANY, StaticOf
from arignote.ir.types import INT64, Array, List, Tuple, Type, Union, dims_of, dtype_of, fits

if TYPE_CHECKING:
    from arignote.frontend.context import Context

CONTAINERS = ("tuple", "list", "dict", "record")
UNKNOWN = -1
"""The number of elements before any array was met."""

Change = Callable[["Context", Node, Type, Node], Node]
"""(context, leaf, the type that it is to have, the number of elements) -> the leaf"""


class CannotMap(ValueError):
    """A part of a value has no elements."""


# specs -------------------------------------------------------------------------------------------------------------


def is_fixed(spec: Spec) -> bool:
    """Whether it is one of several things that are known at compile time: strings, None."""
    return spec[0] == "union" and all(isinstance(part, StaticOf) for part in spec[2])


def element_spec(spec: Spec, axis: int) -> Spec:
    """The spec of one element. Raises `CannotMap` for parts without that axis; None and strings stay what they are."""
    if isinstance(spec, StaticOf):
        if spec.value is None or isinstance(spec.value, str):
            return spec
        raise CannotMap(f"a part that is {spec.value!r}")
    match spec[0]:
        case "array":
            dims = spec[1].dims
            if not -len(dims) <= axis < len(dims):
                raise CannotMap(f"an array of {len(dims)} dimensions, which has no axis {axis}")
            rest = [size for place, size in enumerate(dims) if place != axis % len(dims)]
            return ("array", Array(spec[1].dtype, rest)) if rest else ("scalar", spec[1].dtype, False)
        case "self":
            return spec
        case "recursive":
            return "recursive", definition(spec[1].family, tuple([element_spec(x, axis) for x in spec[1].alternatives]))
        case "sequence":
            return "sequence", element_spec(spec[1], axis)
        case "tuple" | "list" | "dict" | "record":
            return spec[0], spec[1], tuple([element_spec(part, axis) for part in spec[2]])
        case "scalar":
            raise CannotMap(f"a number ({show_spec(spec)}), which has no axis to map over")
        case "union" if is_fixed(spec):
            return spec
        case "union":
            raise CannotMap(f"a part that is one of several kinds ({show_spec(spec)})")
    raise CannotMap(show_spec(spec))


def stacked_spec(spec: Spec, axis: int, dim: int) -> Spec:
    """The spec of all elements of this spec. Raises `CannotMap` for what cannot be stacked."""
    if isinstance(spec, StaticOf):
        return spec
    match spec[0]:
        case "array" | "scalar":
            type_ = leaf_types(spec)[0]
            dims = list(dims_of(type_))
            if not -len(dims) - 1 <= axis <= len(dims):
                raise CannotMap(f"a part of {len(dims) + 1} dimensions, which has no axis {axis}")
            dims.insert(axis % (len(dims) + 1), ANY if dim in (1, ANY) else MANY)
            return "array", Array(dtype_of(type_), dims)
        case "self":
            return spec
        case "recursive":
            made = [stacked_spec(x, axis, dim) for x in spec[1].alternatives]
            return "recursive", definition(spec[1].family, tuple(made))
        case "sequence":
            return "sequence", stacked_spec(spec[1], axis, dim)
        case "tuple" | "list" | "dict" | "record":
            return spec[0], spec[1], tuple([stacked_spec(part, axis, dim) for part in spec[2]])
        case "union" if is_fixed(spec):
            return spec
    raise CannotMap(show_spec(spec))


def masks_of(spec: Spec) -> list[Any]:
    """For each leaf of one element what of it is mapped: every number and array."""
    if isinstance(spec, StaticOf):
        return []
    if spec[0] in CONTAINERS:
        return [mask for part in spec[2] for mask in masks_of(part)]
    if spec[0] == "sequence":
        inside = masks_of(spec[1])
        return [(inside[0] if len(inside) == 1 else tuple(inside),)]
    return [_places(spec[1]) or False] if spec[0] == "recursive" else [spec[0] != "union"]


def some_mapped(mask: Any) -> bool:
    """Whether any part is mapped."""
    return any(map(some_mapped, mask)) if isinstance(mask, tuple) else bool(mask)


def _places(tree: TreeDefinition) -> frozenset[Any]:
    """The mapped places of the union of a tree, as the transform counts them."""
    found: set[Any] = set()
    waiting, seen = [tree], {tree}

    def visit(spec: Spec, path: Iterator[tuple[int, ...]], place: tuple[Any, int]) -> None:
        if isinstance(spec, StaticOf):
            return
        if spec[0] in CONTAINERS:
            for part in spec[2]:
                visit(part, path, place)
        elif spec[0] == "sequence":
            inside, count = (*next(path), 0), len(leaf_types(spec[1]))
            visit(spec[1], iter([inside] if count == 1 else [(*inside, n) for n in range(count)]), place)
        elif spec[0] == "recursive":
            next(path)
            if spec[1] not in seen:
                seen.add(spec[1])
                waiting.append(spec[1])
        elif spec[0] == "union":
            next(path)
        else:
            found.add((*place, next(path)))

    while waiting:
        current = waiting.pop()
        for alternative, spec in enumerate(current.unfolded):
            paths = iter([(n,) for n in range(len(leaf_types(spec)))])
            visit(spec, paths, (current.node_type.definition, alternative))
    return frozenset(found)


# what goes through a tree ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """The number of elements, in the scope in which it is known."""

    node: Node
    scope: Scope

    def here(self, context: Context) -> Node:
        return context.scope.bring(self.node, self.scope)


def counted(context: Context, spec: Spec, nodes: Iterator[Node], number: Number, axis: int) -> Number:
    """The number of elements: what is known already, otherwise the size of the first array met."""
    if isinstance(spec, StaticOf):
        return number
    if spec[0] in CONTAINERS:
        for part in spec[2]:
            number = counted(context, part, nodes, number, axis)
        return number
    node, known, emit = next(nodes), number.here(context), context.scope.emit
    if spec[0] == "union":
        return number
    if spec[0] == "array":
        unknown = emit.op("equal", known, emit.integer(UNKNOWN))
        return Number(emit.op("select", unknown, emit.size(node, axis), known), context.scope)
    if spec[0] == "sequence":

        def element(inside: list[Node], so_far: Node) -> Node:
            leaves = unpacked(context.scope.emit, spec[1], inside[0])
            return counted(context, spec[1], iter(leaves), Number(so_far, context.scope), axis).here(context)

        return Number(_folded(context, node, known, element), context.scope)
    tree: TreeDefinition = spec[1]

    def build(parameters: list[Node]) -> list[Node]:
        outer = context.scope

        def case(place: int) -> list[Node]:
            own = [context.scope.bring(parameter, outer) for parameter in parameters]
            leaves, before = _payload(context, own[0], tree.unfolded[place], place), Number(own[1], context.scope)
            return [counted(context, tree.unfolded[place], iter(leaves), before, axis).here(context)]

        tag = context.scope.emit.op("tag", parameters[0])
        return switch(context, tag, range(len(tree.alternatives)), case, [INT64])

    key = ("count", tree, axis)
    return Number(call_made(context, key, f"count_{tree.name}", [node, known], [INT64], build)[0], context.scope)


def _payload(context: Context, node: Node, spec: Spec, place: int) -> list[Node]:
    if spec is NONE:
        return []
    found = context.emit("project", node, alternative=place)
    return [context.scope.emit.item(found, n) for n in range(len(leaf_types(spec)))]


def _folded(context: Context, list_: Node, start: Node, action: Callable[[list[Node], Node], Node]) -> Node:
    """What the action makes of a number and each element of a list in turn."""
    outer, emit = context.scope, context.scope.emit
    inner = context.scope = Scope("elements", outer)
    index, so_far = Parameter("i", INT64), Parameter("so_far", INT64)
    try:
        found = action([inner.emit.op("list_get", inner.bring(list_, outer), index)], so_far)
    finally:
        context.scope = outer
    effects = inner.has_effects
    results = [*([inner.token] if effects else []), found]
    parameters = [index, *([inner.entry] if effects else []), so_far]
    function, captures = inner.finish(parameters, inner.emit.tuple(results))  # type: ignore[arg-type]
    initial = [*([outer.token] if effects else []), start]
    loop = emit.op("for_loop", emit.op("list_length", list_), emit.closure(function, captures), *initial)
    if effects:
        outer.token = emit.item(loop, 0)
    return emit.item(loop, len(results) - 1)


def changed(context: Context, key: Hashable, spec: Spec, nodes: Iterator[Node], types: Sequence[Type], number: Number,
            change: Change) -> list[Node]:  # fmt: skip
    """The leaves of a value in other types, changed one by one; `key` stands for the change."""
    return _Changing(context, key, change).run(spec, nodes, iter(types), number)


class _Changing:
    def __init__(self, context: Context, key: Hashable, change: Change) -> None:
        self.context, self.key, self.change = context, key, change

    def run(self, spec: Spec, nodes: Iterator[Node], types: Iterator[Type], number: Number) -> list[Node]:
        if isinstance(spec, StaticOf):
            return []
        if spec[0] in CONTAINERS:
            return [node for part in spec[2] for node in self.run(part, nodes, types, number)]
        node, wanted = next(nodes), next(types)
        if spec[0] == "sequence":
            return [self._list(spec[1], node, wanted, number)]
        if spec[0] == "recursive":
            return [self._tree(spec[1], node, wanted, number)]
        if node.type is wanted and spec[0] == "union":
            return [node]
        return [self.change(self.context, node, wanted, number.here(self.context))]

    def _list(self, element: Spec, node: Node, wanted: Type, number: Number) -> Node:
        context = self.context
        assert isinstance(wanted, List)
        types = wanted.element.items if len(leaf_types(element)) != 1 else (wanted.element,)  # type: ignore[attr-defined]

        def one(values: list[Node]) -> Node:
            leaves = unpacked(context.scope.emit, element, values[0])
            return packed(context.scope.emit, self.run(element, iter(leaves), iter(types), number))

        return mapped_list(context, [node], wanted, one)

    def _tree(self, tree: TreeDefinition, node: Node, wanted: Type, number: Number) -> Node:
        context = self.context
        assert isinstance(wanted, Union)

        def build(parameters: list[Node]) -> list[Node]:
            outer = context.scope

            def case(place: int) -> list[Node]:
                own = [context.scope.bring(parameter, outer) for parameter in parameters]
                spec, payload = tree.unfolded[place], wanted.alternatives[place]
                assert isinstance(payload, Tuple)
                leaves, emit = _payload(context, own[0], spec, place), context.scope.emit
                nodes = self.run(spec, iter(leaves), iter(payload.items), Number(own[1], context.scope))
                return [emit.op("inject", emit.tuple(nodes), type=wanted, alternative=place)]

            tag = context.scope.emit.op("tag", parameters[0])
            return switch(context, tag, range(len(tree.alternatives)), case, [wanted])

        key, given = (self.key, tree, node.type, wanted), [node, number.here(context)]
        return call_made(context, key, f"mapped_{tree.name}", given, [wanted], build)[0]


def stated(context: Context, node: Node, type_: Type) -> Node:
    """An array with what is known of its sizes stated in its type."""
    if fits(node.type, type_):
        return node
    return context.emit("broadcast_to", node, *context.scope.emit.sizes(node), dims=dims_of(type_))
