"""Branches: run both sides of a run-time decision, undo each, and merge what they changed.

A side that certainly raises contributes nothing: what follows is as the other side left it. So does a side that must
wait for the result type of a recursive call (`Pending`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.coercion import coerce
from arignote.frontend.context import Raised
from arignote.frontend.narrowing import Facts, both, either, told_by
from arignote.frontend.scope import HOOKS, Scope
from arignote.frontend.spec import Flat, Spec, leaf_types
from arignote.frontend.state import applied, flatten_state, join_states, later_write, rebuild_state, union, with_version
from arignote.frontend.values import Memory, Mutable, Unbound, Value, Variable
from arignote.ir.graph import Node
from arignote.ir.records import dataclass, field
from arignote.ir.types import Type

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Names = frozenset[str]
EVERYTHING: Any = None


class Pending(Exception):
    """The result type of a recursive call is not known yet; another branch must tell it first."""


@dataclass(slots=True)
class Branch:
    """One side after it was run and undone: where it built its nodes, and the states that it left."""

    scope: Scope
    changes: dict[Mutable, Any] = field(default_factory=dict)
    ended: type[BaseException] | None = None
    facts: Facts = field(default_factory=dict)
    results: list[Node] = field(default_factory=list)


def run_branch(
    context: Context, name: str, action: Callable[[], None], facts: Facts | None = None
) -> tuple[Branch, int]:
    """Run one side in a scope of its own; (the side, the time when it started). `facts`: what its condition tells."""
    outer, span, known = context.scope, context.span, context.facts
    if facts:
        context.facts = both(known, facts)
    branch = Branch(Scope(name, outer))
    context.scope = branch.scope
    branch.scope.emit.span = outer.emit.span
    start = context.journal.open()
    try:
        action()
    except (Raised, Pending) as end:
        branch.ended = type(end)
    finally:
        branch.changes, branch.facts = context.journal.close(), context.facts
        context.scope, context.span, context.facts = outer, span, known
    return branch, start


def branch(
    context: Context,
    condition: Node,
    then: Callable[[], None],
    otherwise: Callable[[], None],
    live: Names | None = EVERYTHING,
) -> None:
    """Run `then` where the condition holds and `otherwise` where not. `live`: the variables read later; None: all."""
    first, start = run_branch(context, "then", then, told_by(context, condition, True))
    second, _ = run_branch(context, "else", otherwise, told_by(context, condition, False))
    merge(context, condition, (first, second), start, live)


def merge(context: Context, condition: Node, sides: tuple[Branch, Branch], start: int, live: Names | None) -> None:
    """Emit the `cond` and give everything that the sides changed its merged state."""
    alive = [side for side in sides if side.ended is None]
    merged: list[tuple[Mutable, Spec, list[Flat]]] = []
    if alive:
        for mutable in dict.fromkeys(m for side in sides for m in side.changes):
            if mutable.birth < start:
                _merge_one(context, mutable, alive, live, merged)
    states = _emit_cond(context, condition, sides, alive, merged)
    if not alive:
        pending = any(side.ended is Pending for side in sides)
        raise (Pending if pending else Raised)
    context.facts = alive[0].facts if len(alive) == 1 else either(alive[0].facts, alive[1].facts)
    for (mutable, spec, flats), nodes in zip(merged, states):
        roots = [union(pairs) for pairs in zip(*(flat.roots for flat in flats))]
        versions = {getattr(side.changes.get(mutable, mutable.state), "version", None) for side in alive}
        state = rebuild_state(mutable, spec, nodes, context.scope, roots)
        context.set(mutable, with_version(state, versions.pop() if len(versions) == 1 else None))


def _merge_one(
    context: Context,
    mutable: Mutable,
    alive: Sequence[Branch],
    live: Names | None,
    merged: list[tuple[Mutable, Spec, list[Flat]]],
) -> None:
    """Decide what becomes of one changed mutable: set it at once, or add it to those that the `cond` must return."""
    states = [side.changes.get(mutable, mutable.state) for side in alive]
    if isinstance(mutable, Memory):
        context.set(mutable, later_write(states))
        return
    if isinstance(mutable, Variable) and live is not None and not mutable.internal and mutable.name not in live:
        context.set(mutable, Unbound())
        return
    if all(state is states[0] for state in states) and all(state is mutable.state for state in states):
        return
    flats = []
    for side in alive:
        with applied(context, side.scope, side.changes, side.facts):
            flats.append(flatten_state(context, mutable))
    spec = flats[0].spec
    for flat in flats[1:]:
        spec = join_states(context, mutable, spec, flat.spec)
    for index, side in enumerate(alive):
        with applied(context, side.scope, side.changes):
            flats[index] = coerce(context, flats[index], spec)
    merged.append((mutable, spec, flats))


def _emit_cond(
    context: Context,
    condition: Node,
    sides: Sequence[Branch],
    alive: Sequence[Branch],
    merged: Sequence[tuple[Mutable, Spec, list[Flat]]],
) -> list[list[Node]]:
    """Emit the `cond`; the nodes of each merged state in this scope. What both sides take from outside is not
    returned."""
    outer = context.scope
    states: list[list[Any]] = []
    count = 0
    for _, spec, flats in merged:
        nodes: list[Any] = []
        for index, type_ in enumerate(leaf_types(spec)):
            outside = {side.scope.outside(flat.nodes[index]) for side, flat in zip(alive, flats)}
            known = outside.pop() if len(outside) == 1 else None
            if known is None:
                for side, flat in zip(alive, flats):
                    side.results.append(flat.nodes[index])
                for side in sides:
                    if side.ended is not None:
                        side.results.append(side.scope.emit.op("undefined", type=type_))
                known = count
                count += 1
            nodes.append(known)
        states.append(nodes)
    effects = any(side.scope.has_effects for side in sides)
    if not count and not effects:
        return states
    closures = [close(outer, side.scope, side.results, effects) for side in sides]
    result = outer.emit.op("cond", condition, *closures)
    first = 1 if effects else 0
    if effects:
        outer.token = outer.emit.item(result, 0)
    return [[outer.emit.item(result, first + n) if isinstance(n, int) else n for n in nodes] for nodes in states]


def choose_nodes(
    context: Context,
    condition: Node,
    then: Callable[[], list[Node]],
    otherwise: Callable[[], list[Node]],
    types: Sequence[Type],
) -> list[Node]:
    """The nodes that one of two sides makes, which change nothing."""
    outer, sides = context.scope, []
    for name, make in (("then", then), ("else", otherwise)):
        found: list[Node] = []
        side, _ = run_branch(context, name, lambda make=make, found=found: found.extend(make()))
        side.results = found if side.ended is None else [side.scope.emit.op("undefined", type=t) for t in types]
        sides.append(side)
    effects = any(side.scope.has_effects for side in sides)
    closures = [close(outer, side.scope, side.results, effects) for side in sides]
    result = outer.emit.op("cond", condition, *closures)
    if effects:
        outer.token = outer.emit.item(result, 0)
    return [outer.emit.item(result, effects + n) for n in range(len(types))]


def close(outer: Scope, scope: Scope, results: Sequence[Node], effects: bool) -> Node:
    """The closure of a finished branch; with effects, the token is the first of its results."""
    if effects:
        scope.capture(outer.token, scope.entry)  # type: ignore[arg-type]
        results = [scope.token, *results]
    function, captures = scope.finish((), scope.emit.tuple(results))
    return outer.emit.closure(function, captures)


def choose(context: Context, condition: Node, then: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
    """The value of one of two expressions."""
    slot = Variable("the value of this expression", Unbound())
    branch(context, condition, lambda: context.set(slot, then()), lambda: context.set(slot, otherwise()))
    return HOOKS["readable"](context, slot.state)
