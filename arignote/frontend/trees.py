"""Nodes of recursive data in the graph: made from records, looked into, and given more alternatives.

What goes through a whole tree is a function of the graph that calls itself, made once for each pair of definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING

from arignote.frontend.branches import choose_nodes
from arignote.frontend.coercion import coerce, packed, unpacked
from arignote.frontend.families import family_of
from arignote.frontend.recursive import NONE, TreeDefinition, node_spec
from arignote.frontend.scope import HOOKS, Scope
from arignote.frontend.spec import Flat, Spec, cell_count, flatten, leaf_types, rebuild
from arignote.frontend.values import RecordValue, RecursiveValue, Static, Value
from arignote.ir.graph import Function, Node, Parameter
from arignote.ir.structure import StaticOf
from arignote.ir.types import INT64, TOKEN, List, Tuple, Type

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def tree_node(context: Context, value: RecursiveValue) -> Node:
    """The union of the graph, in the current scope."""
    context.check_fresh(value)
    return context.scope.bring(*value.state)


def option_of(context: Context, value: RecursiveValue, place: int) -> Value:
    """The value as the alternative that it is known to be. A record shares the tree's memory."""
    spec = value.definition.unfolded[place]
    if spec is NONE:
        return Static(None)
    leaves = payload(context, tree_node(context, value), value.definition, place)
    roots = [(value.roots, value.touched)] * cell_count(spec)
    return rebuild(spec, leaves, context.scope, roots)


def payload(context: Context, node: Node, definition: TreeDefinition, place: int) -> list[Node]:
    """The leaves of an alternative."""
    found = context.emit("project", node, alternative=place)
    return [context.scope.emit.item(found, n) for n in range(len(definition.node_type.alternatives[place].items))]  # type: ignore[attr-defined]


def inject(context: Context, nodes: Sequence[Node], definition: TreeDefinition, place: int) -> Node:
    """A node from the leaves of an alternative."""
    emit = context.scope.emit
    return emit.op("inject", emit.tuple(nodes), type=definition.node_type, alternative=place)


def to_tree(context: Context, flat: Flat, definition: TreeDefinition, where: Node | None) -> Node:
    """None, a record, one of several such, or a tree with fewer alternatives, as a tree of this definition."""
    if where is None or flat.spec is NONE:
        return _to_tree(context, flat, definition)
    nothing = lambda: [context.scope.emit.op("undefined", type=definition.node_type)]  # noqa: E731
    outer = context.scope

    def make() -> list[Node]:
        nodes = [context.scope.bring(node, outer) for node in flat.nodes]
        return [_to_tree(context, Flat(flat.spec, nodes, flat.roots), definition)]

    return choose_nodes(context, where, make, nothing, [definition.node_type])[0]


def _to_tree(context: Context, flat: Flat, definition: TreeDefinition) -> Node:
    spec = flat.spec
    if spec is NONE:
        place = definition.place(None)
        assert place is not None
        return inject(context, [], definition, place)
    if spec[0] == "recursive":
        return _converted(context, flat.nodes[0], spec[1], definition)
    if spec[0] == "union":
        return _one_of(context, flat, definition)
    place = definition.place(spec[1][0])
    assert place is not None, (spec, definition)
    return inject(context, coerce(context, flat, definition.unfolded[place]).nodes, definition, place)


def _one_of(context: Context, flat: Flat, definition: TreeDefinition) -> Node:
    tag, rest, parts = flat.nodes[0], flat.nodes[1:], []
    for spec in flat.spec[2]:
        count = len(leaf_types(spec))
        parts.append((spec, rest[:count]))
        rest = rest[count:]
    outer = context.scope

    def case(place: int) -> list[Node]:
        spec, nodes = parts[place]
        inside = [context.scope.bring(node, outer) for node in nodes]
        return [_to_tree(context, Flat(spec, inside, [None] * cell_count(spec)), definition)]

    return switch(context, tag, range(len(parts)), case, [definition.node_type])[0]


def switch(
    context: Context, tag: Node, places: Sequence[int], case: Callable[[int], list[Node]], types: Sequence[Type]
) -> list[Node]:
    """The nodes of one of several cases, by a tag that is one of `places`."""
    if len(places) == 1:
        return case(places[0])
    outer, emit = context.scope, context.scope.emit
    here = emit.op("equal", tag, emit.integer(places[0]))
    rest = lambda: switch(context, context.scope.bring(tag, outer), places[1:], case, types)  # noqa: E731
    return choose_nodes(context, here, lambda: case(places[0]), rest, types)


def _converted(context: Context, node: Node, source: TreeDefinition, target: TreeDefinition) -> Node:
    """The whole tree as one whose definition has more alternatives, or wider fields."""
    if source is target:
        return node

    def build(parameters: list[Node]) -> list[Node]:
        tree, outer = parameters[0], context.scope

        def case(place: int) -> list[Node]:
            inside, spec = context.scope.bring(tree, outer), source.unfolded[place]
            leaves = [] if spec is NONE else payload(context, inside, source, place)
            return [_to_tree(context, Flat(spec, leaves, [None] * cell_count(spec)), target)]

        tag = context.scope.emit.op("tag", tree)
        return switch(context, tag, range(len(source.alternatives)), case, [target.node_type])

    return call_made(context, ("convert", source, target), f"as_{target.name}", [node], [target.node_type], build)[0]


def call_made(
    context: Context,
    key: Hashable,
    name: str,
    arguments: Sequence[Node],
    types: Sequence[Type],
    build: Callable[[list[Node]], list[Node]],
) -> list[Node]:
    """Call a function of the graph that is made by `build(parameters) -> results`, once for each key; the function may
    call itself in this way."""
    made = context.program.made
    if key not in made:
        scope = Scope(context.program.unique(name))
        parameters = [Parameter(f"p{n}", node.type) for n, node in enumerate(arguments)]
        made[key] = function = Function(scope.name, [scope.entry, *parameters])  # type: ignore[list-item]
        function.declare(Tuple((TOKEN, *types)))
        try:
            _define(context, function, scope, lambda: build(list(parameters)))
        except BaseException:
            del made[key]
            raise
    scope = context.scope
    result = scope.emit.call(made[key], scope.token, *arguments)
    scope.token = scope.emit.item(result, 0)
    return [scope.emit.item(result, 1 + n) for n in range(len(types))]


def _define(context: Context, function: Function, scope: Scope, build: Callable[[], list[Node]]) -> None:
    saved = context.scope, context.facts, context.is_first_guess
    context.scope, context.facts, context.is_first_guess = scope, {}, False
    if context.span is not None:
        scope.emit.span = frozenset((context.span,))
    context.journal.open()
    try:
        nodes = build()
        result = scope.emit.tuple([scope.token, *nodes])
    finally:
        context.journal.close()
        context.scope, context.facts, context.is_first_guess = saved
    function.spans = scope.emit.function(function.name, function.parameters, result).spans
    function.define(result)


def mapped_list(
    context: Context, lists: Sequence[Node], wanted: Type, action: Callable[[list[Node]], Node]
) -> Node:
    """The list of what the action makes of the elements of lists of one length, element by element."""
    outer, emit = context.scope, context.scope.emit
    inner = context.scope = Scope("elements", outer)
    index, new = Parameter("i", INT64), Parameter("new", wanted)
    try:
        found = action([inner.emit.op("list_get", inner.bring(list_, outer), index) for list_ in lists])
    finally:
        context.scope = outer
    assert isinstance(wanted, List)
    length = emit.op("list_length", lists[0])
    effects = inner.has_effects
    results = [*([inner.token] if effects else []), inner.emit.op("list_push", new, found)]
    initial = [*([outer.token] if effects else []), emit.op("list_new", length, element=wanted.element)]
    parameters = [index, *([inner.entry] if effects else []), new]
    function, captures = inner.finish(parameters, inner.emit.tuple(results))  # type: ignore[arg-type]
    loop = emit.op("for_loop", length, emit.closure(function, captures), *initial)
    if effects:
        outer.token = emit.item(loop, 0)
    return emit.item(loop, len(results) - 1)


def mapped(
    context: Context, key: Hashable, spec: Spec, nodes: Iterator[Node], change: Callable[[Node], Node]
) -> list[Node]:
    """The leaves of a value, changed one by one; `key` stands for the change."""
    if isinstance(spec, StaticOf):
        return []
    if spec[0] in ("tuple", "list", "dict", "record", "union"):
        tag = [next(nodes)] if spec[0] == "union" else []
        return [*tag, *(node for part in spec[2] for node in mapped(context, key, part, nodes, change))]
    if spec[0] == "sequence":

        def element(values: list[Node]) -> Node:
            leaves = unpacked(context.scope.emit, spec[1], values[0])
            return packed(context.scope.emit, mapped(context, key, spec[1], iter(leaves), change))

        list_ = next(nodes)
        return [mapped_list(context, [list_], list_.type, element)]
    if spec[0] != "recursive":
        return [change(next(nodes)) for _ in leaf_types(spec)]
    tree: TreeDefinition = spec[1]

    def build(parameters: list[Node]) -> list[Node]:
        outer = context.scope

        def case(place: int) -> list[Node]:
            part, inside = tree.unfolded[place], context.scope.bring(parameters[0], outer)
            leaves = [] if part is NONE else payload(context, inside, tree, place)
            return [inject(context, mapped(context, key, part, iter(leaves), change), tree, place)]

        tag = context.scope.emit.op("tag", parameters[0])
        return switch(context, tag, range(len(tree.alternatives)), case, [tree.node_type])

    return call_made(context, (key, tree), f"{key}_{tree.name}", [next(nodes)], [tree.node_type], build)


def as_node(context: Context, record: RecordValue) -> RecordValue:
    """A record, in which what belongs to its own family is recursive data."""
    if family_of(record.cls) is None:
        return record
    flat = flatten(context, record)
    target = node_spec(flat.spec)
    if target[0] == "unreadable":
        context.error(f"a part of this {record.cls.__name__} {target[1]}", hint=target[2])
    items: list[Value] = []
    for item, spec, wanted in zip(context.read(record), flat.spec[2], target[2], strict=True):
        if spec != wanted:
            wide = coerce(context, flatten(context, item), wanted)
            item = rebuild(wanted, wide.nodes, context.scope, wide.roots)
        items.append(item)
    return RecordValue(record.cls, record.names, items, record.roots, record.touched)


HOOKS["to_tree"] = to_tree
