"""Coercion: a value as one of a wider spec, such as the join of what two branches left. Casts are emitted in the
current scope; what a wider spec has beside the value is undefined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.join import alternative_of, alternatives, options_of, place_of, tag_of
from arignote.frontend.scope import HOOKS, Scope
from arignote.frontend.spec import SEQUENCES, Flat, Roots, Spec, cell_count, leaf_types, list_type
from arignote.frontend.state import union
from arignote.frontend.values import REPEATED, Memory
from arignote.ir.graph import FALSE, TRUE, Node, Parameter
from arignote.ir.structure import StaticOf
from arignote.ir.types import INT64, fits, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.ops.emit import Emit


class Coercion:
    """Turns a flat value into one of a wider spec, emitting the casts into the current scope.

    where: the condition under which the value is one at all, and not a placeholder; None: always
    """

    def __init__(self, context: Context, flat: Flat, where: Node | None = None) -> None:
        self.context, self.where = context, where
        self.source_nodes, self.source_roots = iter(flat.nodes), iter(flat.roots)
        self.nodes: list[Node] = []
        self.roots: list[Roots | None] = []

    def run(self, spec: Spec, target: Spec) -> None:
        if spec == target:
            self._copy(spec)
        elif tag_of(target) == "partial":
            self._to_partial(spec, target[1])
        elif tag_of(target) in ("unreadable", "unbound"):
            self._skip(spec)
        elif tag_of(spec) == "partial":
            next(self.source_nodes)
            self.run(spec[1], target)
        elif tag_of(spec) == "unbound" or tag_of(spec) == "unreadable":
            self._undefined(target)
        elif tag_of(target) == "recursive":
            part = self._take(spec)
            self.nodes.append(HOOKS["to_tree"](self.context, part, target[1], self.where))
            self.roots.append(union(part.roots))
        elif tag_of(target) == "choice":
            self._to_one_of(spec, options_of(spec), target[2], place_of)
        elif tag_of(target) == "union":
            self._to_one_of(spec, alternatives(spec), target[2], alternative_of)
        elif tag_of(target) in SEQUENCES:
            self._to_sequence(spec, target)
        elif tag_of(target) == "scalar":
            self._to_number(spec, target[1])
        elif tag_of(target) in ("array", "contents", "node"):
            assert fits(spec[1], target[1]), (spec, target)
            self._copy(spec)
        elif tag_of(target) == "function":
            for part, wanted in zip(_function_parts(spec), _function_parts(target)):
                self.run(part, wanted)
        else:
            if target[0] in ("list", "dict", "record"):
                self.roots.append(next(self.source_roots))
            for part, wanted in zip(spec[2], target[2]):
                self.run(part, wanted)

    def _copy(self, spec: Spec) -> None:
        self.nodes.extend(next(self.source_nodes) for _ in leaf_types(spec))
        self.roots.extend(next(self.source_roots) for _ in range(cell_count(spec)))

    def _skip(self, spec: Spec) -> None:
        for _ in leaf_types(spec):
            next(self.source_nodes)
        for _ in range(cell_count(spec)):
            next(self.source_roots)

    def _undefined(self, target: Spec) -> None:
        emit = self.context.scope.emit
        self.nodes.extend(emit.op("undefined", type=type_) for type_ in leaf_types(target))
        self.roots.extend([None] * cell_count(target))

    def _to_partial(self, spec: Spec, inner: Spec) -> None:
        if tag_of(spec) == "partial":
            defined = next(self.source_nodes)
            self.nodes.append(defined)
            part = coerce(self.context, self._take(spec[1]), inner, defined)
            self.nodes += part.nodes
            self.roots += part.roots
        elif tag_of(spec) == "unbound":
            self.nodes.append(FALSE)
            self._undefined(inner)
        else:
            self.nodes.append(TRUE)
            self.run(spec, inner)

    def _to_one_of(
        self,
        spec: Spec,
        given: Sequence[Spec],
        targets: Sequence[Spec],
        place_among: Callable[[Sequence[Spec], Spec], int | None],
    ) -> None:
        """One of several: which one, and what they all are; the others are undefined."""
        places = [place_among(targets, option) for option in given]
        source = next(self.source_nodes) if tag_of(spec) in ("choice", "union") else None
        parts = [self._take(option) for option in given]
        self.nodes.append(self._tag(source, places))
        for place, target in enumerate(targets):
            if place in places:
                number = places.index(place)
                part = coerce(self.context, parts[number], target, self._where(source, number))
                self.nodes += part.nodes
                self.roots += part.roots
            else:
                self._undefined(target)

    def _tag(self, source: Node | None, places: Sequence[int | None]) -> Node:
        """Which of the targets it is, where `source` tells which of the given it is."""
        emit = self.context.scope.emit
        if source is not None and list(places) == list(range(len(places))):
            return source
        tag: Node = emit.integer(places[0] or 0)
        if source is not None:
            for number in range(1, len(places)):
                here = emit.op("equal", source, emit.integer(number))
                tag = emit.op("select", here, emit.integer(places[number] or 0), tag)
        return tag

    def _where(self, source: Node | None, number: int) -> Node | None:
        if source is None:
            return self.where
        emit = self.context.scope.emit
        here = emit.op("equal", source, emit.integer(number))
        return here if self.where is None else emit.op("logical_and", self.where, here)

    def _to_sequence(self, spec: Spec, target: Spec) -> None:
        """A list as one of run-time length."""
        if target[0] == "sequence":
            self.roots.append(next(self.source_roots))
        context, wanted = self.context, target[1]
        if spec[0] in SEQUENCES:
            flat = self._take(spec[1], [next(self.source_nodes)])
            self.nodes.append(_with_elements(context, flat, wanted))
            self.roots += coerced_roots(context, flat, wanted)
            return
        emit = context.scope.emit
        list_ = emit.op("list_new", emit.integer(len(spec[2])), element=list_type(wanted).element)
        groups: list[list[Roots | None]] = []
        for part in spec[2]:
            flat = coerce(context, self._take(part), wanted)
            list_ = emit.op("list_push", list_, packed(emit, flat.nodes))
            groups.append(flat.roots)
        self.nodes.append(list_)
        self.roots += roots_together(groups) if groups else [None] * cell_count(wanted)

    def _take(self, spec: Spec, nodes: list[Node] | None = None) -> Flat:
        """The next part of the source."""
        if nodes is None:
            nodes = [next(self.source_nodes) for _ in leaf_types(spec)]
        return Flat(spec, nodes, [next(self.source_roots) for _ in range(cell_count(spec))])

    def _to_number(self, spec: Spec, dtype: str) -> None:
        context = self.context
        if isinstance(spec, StaticOf):
            self.nodes.append(context.scope.emit.constant(spec.value, dtype))
            return
        node = next(self.source_nodes)
        if spec[1] == "int64" and is_float(dtype):
            self.nodes.append(exact_float(context, node, self.where))
        else:
            self.nodes.append(context.cast(node, dtype))


def exact_float(context: Context, node: Node, where: Node | None = None) -> Node:
    """An int64 as float64; raises where that would change its value, and the condition `where` holds."""
    converted = context.cast(node, "float64")
    changed = context.emit("not_equal", context.emit("cast", converted, dtype="int64"), node)
    if where is not None:
        changed = context.emit("logical_and", where, changed)
    context.raise_if(
        changed,
        OverflowError,
        "a variable that is an int on one path and a float on another holds ",
        ("int64", True, node),
        ", which a float cannot hold exactly",
    )
    return converted


def _function_parts(spec: Spec) -> Sequence[Any]:
    defaults, keyword, env = spec[2]
    return [*defaults, *(item for _, item in (*keyword, *env))]


def coerce(context: Context, flat: Flat, target: Spec, where: Node | None = None) -> Flat:
    """The value as one of the wider spec `target`. `where`: the condition under which it is no placeholder."""
    if flat.spec == target:
        return flat
    coercion = Coercion(context, flat, where)
    coercion.run(flat.spec, target)
    return Flat(target, coercion.nodes, coercion.roots)


# Lists of run-time length


def packed(emit: Emit, nodes: Sequence[Node]) -> Node:
    """An element of a list of the graph, from its leaves."""
    return nodes[0] if len(nodes) == 1 else emit.tuple(nodes)


def unpacked(emit: Emit, element: Spec, node: Node) -> list[Node]:
    """The leaves of an element of a list of the graph."""
    count = len(leaf_types(element))
    return [node] if count == 1 else [emit.item(node, k) for k in range(count)]


def _with_elements(context: Context, flat: Flat, wanted: Spec) -> Node:
    """A list (the node of `flat`, whose spec and memory are those of an element) with elements of a wider spec."""
    outer, list_ = context.scope, flat.nodes[0]
    inner = context.scope = Scope("elements", outer)
    index, new = Parameter("i", INT64), Parameter("new", list_type(wanted))
    try:
        got = inner.emit.op("list_get", inner.bring(list_, outer), index)
        leaves = unpacked(inner.emit, flat.spec, got)
        nodes = coerce(context, Flat(flat.spec, leaves, flat.roots), wanted).nodes
    finally:
        context.scope = outer
    if len(nodes) == len(leaves) and all(a is b for a, b in zip(nodes, leaves)):
        return list_
    results = [inner.emit.op("list_push", new, packed(inner.emit, nodes))]
    parameters, emit = [index, new], outer.emit
    length = emit.op("list_length", list_)
    initial = [emit.op("list_new", length, element=list_type(wanted).element)]
    effects = inner.has_effects
    if effects:
        parameters.insert(1, inner.entry)  # type: ignore[arg-type]
        results.insert(0, inner.token)
        initial.insert(0, outer.token)
    function, captures = inner.finish(parameters, inner.emit.tuple(results))
    loop = emit.op("for_loop", length, emit.closure(function, captures), *initial)
    if effects:
        outer.token = emit.item(loop, 0)
    return emit.item(loop, len(results) - 1)


def coerced_roots(context: Context, flat: Flat, target: Spec) -> list[Roots | None]:
    """The memory of the cells of a value, as one of the wider spec."""
    if flat.spec == target:
        return flat.roots
    if not cell_count(target):
        return []
    outer, context.scope = context.scope, Scope("nothing", context.scope)
    try:
        nodes = [Parameter("x", type_) for type_ in leaf_types(flat.spec)]
        return coerce(context, Flat(flat.spec, nodes, flat.roots), target).roots  # type: ignore[arg-type]
    finally:
        context.scope = outer


def memory_before(context: Context, flat: Flat, target: Spec, time: int) -> tuple[frozenset[Memory], ...]:
    """The memory older than this that each cell of a value may share, as one of the wider spec."""
    roots = coerced_roots(context, flat, target)
    return tuple([frozenset([m for m in pair[1] if m.birth < time]) if pair else frozenset() for pair in roots])


def roots_together(groups: Sequence[Sequence[Roots | None]], once: bool = False) -> list[Roots | None]:
    """The memory that the elements of a list have together. Where two may be one and the same (unless it is known that
    each is there `once`), it says so."""
    seen: set[Memory] = set()
    repeated = False
    for group in groups:
        own = {memory for pair in group if pair is not None for memory in pair[1]}
        repeated = repeated or not seen.isdisjoint(own)
        seen |= own
    found = [union(pairs) for pairs in zip(*groups)]
    if repeated and not once:
        found = [pair and (pair[0], pair[1] | {REPEATED}) for pair in found]
    return found
