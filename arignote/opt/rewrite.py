"""Rewriting: the one place where a node becomes another.

A `Rule` starts from operations of given names and answers a node of the same meaning, or None. A `Rewriter` is a
builder: what it builds is in normal form from the start, because its operands are and the rules are tried as each
node is made. So a pass that copies a graph operands first, through a rewriter, rewrites it to the end in one sweep.

Every rewrite spends one unit of fuel, so a wrong result can be bisected to one rewrite (`ARIGNOTE_FUEL=n` allows n).
Every rule can be switched off by name (`ARIGNOTE_RULES_OFF=name,name`). With no fuel at all programs still compile.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from arignote.ir.graph import Apply, Attributes, Function, Node, Operation, Span, attributes_of, nodes_of
from arignote.ir.records import dataclass, field
from arignote.ir.sizes import sizes
from arignote.ir.types import Array, fits
from arignote.ops.emit import Emit
from arignote.opt.facts import Facts


@dataclass(frozen=True, slots=True)
class Rule:
    """One mathematical fact.

    start:   names of the operations that the left side may begin with
    apply:   (rewriter, node) -> a node that means the same, or None where the rule does not match
    reason:  why both sides are equal, bit for bit (NaN is one value)
    inexact: the right side may differ in rounding or in the sign of a zero; off unless asked for
    """

    name: str
    start: tuple[str, ...]
    apply: Callable[[Rewriter, Apply], Node | None]
    reason: str
    inexact: bool = False


@dataclass
class Fuel:
    """What may still be spent; None is without limit. `spent` counts per rule."""

    left: int | None = None
    spent: Counter[str] = field(default_factory=Counter)
    last: str = ""

    def spend(self, rule: Rule, node: Apply, new: Node) -> bool:
        if self.left is not None:
            if self.left <= 0:
                return False
            self.left -= 1
            self.last = f"{rule.name}: {node!r} -> {new!r}"
        self.spent[rule.name] += 1
        return True


def _from_environment() -> Fuel:
    given = os.environ.get("ARIGNOTE_FUEL", "")
    return Fuel(int(given) if given else None)


_tank: list[Fuel] = [_from_environment()]
_off: set[str] = {name.strip() for name in os.environ.get("ARIGNOTE_RULES_OFF", "").split(",") if name.strip()}


def fuel() -> Fuel:
    return _tank[-1]


def is_unrestricted() -> bool:
    """Whether all rules are on, and all rewrites allowed."""
    return fuel().left is None and not _off


@contextmanager
def with_fuel(limit: int | None) -> Iterator[Fuel]:
    """At most `limit` rewrites inside; gives what was spent."""
    _tank.append(Fuel(limit))
    try:
        yield _tank[-1]
    finally:
        _tank.pop()


@contextmanager
def switched_off(*names: str) -> Iterator[None]:
    """Without these rules."""
    added = set(names) - _off
    _off.update(added)
    try:
        yield
    finally:
        _off.difference_update(added)


def is_on(rule: Rule) -> bool:
    return rule.name not in _off


def index_rules(rules: Iterable[Rule], inexact: bool = False) -> dict[str, tuple[Rule, ...]]:
    """The rules that are on, by the operation that they start from."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.name not in _off and (inexact or not rule.inexact):
            for name in rule.start:
                found.setdefault(name, []).append(rule)
    return {name: tuple(here) for name, here in found.items()}


class Rewriter(Emit):
    """A builder whose nodes are in normal form. `inline` is what the rule of that name decides by, where it is on."""

    __slots__ = ("facts", "fuel", "inline", "normal", "rules")

    def __init__(self, rules: dict[str, tuple[Rule, ...]], inline: Any = None) -> None:
        super().__init__()
        self.rules = rules
        self.inline = inline
        self.fuel = fuel()
        self.facts = Facts()
        self.normal: dict[Apply, Node] = {}

    def apply(self, op: Operation, *inputs: Node, **attributes: Any) -> Apply:
        return self.build(op, inputs, attributes_of(attributes))  # type: ignore[return-value]

    def build(self, op: Operation, inputs: tuple[Node, ...], attributes: Attributes) -> Node:
        node = Apply(op, inputs, attributes)
        known = self.normal.get(node)
        if known is None:
            known = self._normalise(node)
        if self.span and isinstance(known, Apply):
            self.note(known, self.span)
        if op.name == "after" and isinstance(known, Apply):
            for pinned in known.inputs[1:]:
                self.facts.note(pinned)
        return known

    def _normalise(self, node: Apply) -> Node:
        found: Node = node
        self.normal[node] = node  # a rule that builds what it started from gets it back
        for rule in self.rules.get(node.op.name, ()):
            new = rule.apply(self, node)
            if new is None or new is node or not is_replacement(new, node, self.facts):
                continue
            if self.fuel.spend(rule, node, new):
                found = new
                break
        self.normal[node] = found
        return found


Step = Callable[["Rewriter", Apply, dict[Node, Node]], Node]


def node_by_node(old: Function, new: Function, step: Step) -> tuple[Node, dict[Node, frozenset[Span]]]:
    """The result of a function rebuilt with the parameters of a new one, and spans of its nodes. `step` gives what an
    operation becomes, from what all nodes before it have become."""
    rewriter = Rewriter({})
    mapping: dict[Node, Node] = dict(zip(old.parameters, new.parameters))
    for node in nodes_of(old):
        if isinstance(node, Apply):
            rewriter.span = old.spans.get(node, frozenset())
            mapping[node] = step(rewriter, node, mapping)
        else:
            mapping.setdefault(node, node)
    return mapping[old.result], rewriter.spans


def is_replacement(new: Node, old: Apply, facts: Facts) -> bool:
    """Whether `new` may stand where `old` stood. Elementwise operations broadcast, so an operand that is left over must
    be known to have the size of the whole; and where their shapes may not match, the same shapes must be compared."""
    if new.type is not old.type and not fits(new.type, old.type):
        return False
    if not old.op.elementwise or not isinstance(old.type, Array):
        return True
    same = facts.sizes(new) == facts.sizes(old)
    return same and (not facts.may_mismatch(old) or _shapes(old) <= _shapes(new))


def _shapes(node: Node) -> set[tuple[Any, ...]]:
    """The shapes that an elementwise operation compares."""
    return set(map(sizes, node.inputs)) if isinstance(node, Apply) and node.op.elementwise else set()
