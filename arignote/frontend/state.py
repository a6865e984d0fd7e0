"""The states of mutables as flat values, so that branches can merge them and loops can carry them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arignote.frontend.join import join
from arignote.frontend.narrowing import Facts
from arignote.frontend.spec import UNBOUND, Flat, Flattener, Rebuilder, Roots, Spec
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    Elements,
    ListValue,
    Memory,
    Mutable,
    RecursiveValue,
    Unreadable,
    Value,
    Variable,
    Write,
)
from arignote.ir.graph import Node
from arignote.ir.structure import StaticOf

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.frontend.scope import Scope

GROWING = "a list has one length on every path: write into an array, as in out = np.zeros(n), then out[i] = value"


@contextmanager
def applied(
    context: Context, scope: Scope, changes: Mapping[Mutable, Any], facts: Facts | None = None
) -> Iterator[None]:
    """Within, the world is as a branch left it: its scope, the states that it changed, and what is known there."""
    known = context.facts
    if facts is not None:
        context.facts = facts
    saved = {mutable: mutable.state for mutable in changes}
    outer, context.scope = context.scope, scope
    if context.span is not None:
        scope.emit.span = frozenset((context.span,))
    for mutable, state in changes.items():
        mutable.state = state
    try:
        yield
    finally:
        context.scope, context.facts = outer, known
        for mutable, state in saved.items():
            mutable.state = state


def flatten_state(context: Context, mutable: Mutable) -> Flat:
    """The present state of a variable, or the contents of a cell, taken apart."""
    flattener = Flattener(context)
    state = mutable.state
    if isinstance(mutable, Variable):
        spec = flattener.add(state)
    elif isinstance(state, Unreadable):
        spec = "unreadable", state.message, state.hint
    elif isinstance(mutable, ArrayValue):
        flattener.nodes.append(context.scope.bring(*state))
        spec = "contents", mutable.type
    elif isinstance(mutable, RecursiveValue):
        flattener.nodes.append(context.scope.bring(*state))
        spec = "contents", mutable.definition.node_type
    elif isinstance(state, Elements):
        assert isinstance(mutable, ListValue)
        spec = flattener.stale(mutable) or ("elements", flattener.add_elements(state))
    elif isinstance(mutable, DictValue):
        spec = "items", tuple(StaticOf(key) for key, _ in state), tuple([flattener.add(item) for _, item in state])
    else:
        spec = "items", len(state), tuple([flattener.add(item) for item in state])
    return Flat(spec, flattener.nodes, flattener.roots)


def rebuild_state(
    mutable: Mutable, spec: Spec, nodes: Sequence[Node], scope: Scope, roots: Sequence[Roots | None]
) -> Any:
    """A state of the mutable from its flat form."""
    rebuilder = Rebuilder(nodes, scope, roots)
    if isinstance(mutable, Variable):
        return rebuilder.take(spec)
    if spec[0] == "unreadable":
        return Unreadable(*spec[1:])
    if isinstance(mutable, ArrayValue | RecursiveValue):
        return nodes[0], scope
    if spec[0] == "elements":
        return rebuilder.take_elements(spec[1])
    items: list[Value] = [rebuilder.take(part) for part in spec[2]]
    if isinstance(mutable, DictValue):
        return tuple(zip([key.value for key in spec[1]], items))
    return tuple(items)


def with_version(state: Any, version: object) -> Any:
    """The contents of a list, whose elements are where they were."""
    return replace(state, version=version) if version is not None and isinstance(state, Elements) else state


def join_states(context: Context, mutable: Mutable, a: Spec, b: Spec) -> Spec:
    """Join, with a message that names the variable. What is returned is never partly defined: control says so."""
    if isinstance(mutable, Variable) and mutable.internal:
        if a == UNBOUND or b == UNBOUND:
            return b if a == UNBOUND else a
    joined = join(a, b)
    if not isinstance(joined, StaticOf) and joined[0] == "unreadable" and joined not in (a, b):
        hint = joined[2] or (GROWING if isinstance(mutable, ListValue) else "")
        return "unreadable", _message(mutable, joined[1]), hint
    return joined


def _message(mutable: Mutable, what: str) -> str:
    if not isinstance(mutable, Variable):
        return f"the {type(mutable).__name__.removesuffix('Value').lower()} {what}"
    lines = sorted({line for _, line in mutable.places})
    name = "the value returned" if mutable.internal else f"'{mutable.name}'"
    return f"{name} {what}" + (f" (assigned on lines {', '.join(map(str, lines))})" if lines else "")


def later_write(states: Sequence[Write | None]) -> Write | None:
    """The last of several writes."""
    last = _latest(states)
    certain = _latest([write.certain for write in states if write is not None])
    return last if last is None or last.certain is certain else replace(last, before=certain)


def _latest(writes: Sequence[Write | None]) -> Write | None:
    return max((write for write in writes if write is not None), key=lambda write: write.time, default=None)


def is_memory(mutable: Mutable) -> bool:
    return isinstance(mutable, Memory)


def union(roots: Sequence[Roots | None]) -> Roots | None:
    """The memory of a cell that is one of several."""
    known = [pair for pair in roots if pair is not None]
    if not known:
        return None
    return frozenset().union(*(read for read, _ in known), *(touched for _, touched in known)), frozenset().union(
        *(touched for _, touched in known)
    )
