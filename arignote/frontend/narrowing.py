"""Narrowing: what is known of a union where control has passed a test of it.

A condition carries facts: which alternatives are possible where it holds, and which where it does not. They speak of
nodes, which never change, so they stay true for as long as control is on that path. The facts that hold at the present
place are `context.facts`; what conditions tell is in `context.conditions`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend.values import ChoiceValue, RecursiveValue, ScalarValue, Static, UnionValue, Value
from arignote.ir.graph import Apply, Constant, Node
from arignote.ir.structure import StaticOf

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.frontend.scope import Scope

Facts = dict[Node, frozenset[int]]
"""Node of a tag -> the alternatives that remain."""


def home_of(node: Node, scope: Scope) -> Node:
    """The node of an enclosing scope that this one stands for."""
    return _home(node, scope)[0]


def _home(node: Node, scope: Scope) -> tuple[Node, Scope]:
    while True:
        outer = scope.outer.get(node)
        if outer is None or scope.parent is None:
            return node, scope
        node, scope = outer, scope.parent


Several = UnionValue | ChoiceValue | RecursiveValue
"""What may be one of several `options`."""


def tag_of(value: UnionValue | ChoiceValue) -> Value:
    return value.tag if isinstance(value, UnionValue) else value.index


def key_of(value: Several) -> Node | None:
    """The node that facts about the value are kept under; None if it is known at compile time which one it is."""
    if isinstance(value, RecursiveValue):
        return home_of(*value.state)
    tag = tag_of(value)
    if not isinstance(tag, ScalarValue):
        return None
    node, scope = _home(tag.node, tag.scope)
    if isinstance(node, Apply) and node.op.name == "tag":
        return home_of(node.inputs[0], scope)
    return node


def is_nothing(context: Context, value: RecursiveValue) -> bool:
    """Whether recursive data is known to be None here."""
    places = possible(context, value)
    return len(places) == 1 and isinstance(value.definition.alternatives[places[0]], StaticOf)


def possible(context: Context, value: Several) -> tuple[int, ...]:
    """The alternatives that the value may be here."""
    if isinstance(value, RecursiveValue):
        key = home_of(*value.state)
        if isinstance(key, Apply) and key.op.name == "inject":
            return (key["alternative"],)
        known = context.facts.get(key)
        return tuple([place for place in range(len(value.options)) if known is None or place in known])
    tag = tag_of(value)
    if isinstance(tag, Static):
        return (tag.object,)
    assert isinstance(tag, ScalarValue)
    if isinstance(tag.node, Constant):
        return (int(tag.node.value),)
    every = range(len(value.options))
    known = context.facts.get(key_of(value))  # type: ignore[arg-type]
    return tuple(every) if known is None else tuple([place for place in every if place in known])


def learn(context: Context, condition: Node, if_true: Facts, if_false: Facts) -> None:
    """Note what a condition tells."""
    if not isinstance(condition, Constant) and (if_true or if_false):
        context.conditions[home_of(condition, context.scope)] = if_true, if_false


def told_by(context: Context, condition: Node, holds: bool) -> Facts:
    """What is known where the condition holds, or does not."""
    found = context.conditions.get(home_of(condition, context.scope))
    return {} if found is None else found[0 if holds else 1]


def both(first: Facts, second: Facts) -> Facts:
    """What is known where both hold."""
    if not first or not second:
        return first or second
    merged = dict(first)
    for node, places in second.items():
        merged[node] = (merged.get(node, places) & places) or places
    return merged


def either(first: Facts, second: Facts) -> Facts:
    """What is known where one of the two holds."""
    return {node: places | second[node] for node, places in first.items() if node in second}


def assume(context: Context, condition: Node, holds: bool) -> None:
    """From here on the condition is known to hold, or not to."""
    context.facts = both(context.facts, told_by(context, condition, holds))
