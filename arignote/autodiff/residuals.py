"""What a backpropagator keeps.

The backward nodes are written in terms of forward nodes. This module decides where to cut between the two: each value
that the backward needs is *supplied* by the caller (an expression over the function's own parameters, such as an
operand or its size), *saved* by the forward function, or computed anew from values that are kept anyway.
"""

from __future__ import annotations

from collections.abc import Iterable

from arignote.ir.graph import Apply, Constant, Node, Parameter, topological
from arignote.ir.records import dataclass, field
from arignote.ir.types import TOKEN, Scalar, dims_of
from arignote.ops.cheap import CHEAP

# What takes longer to compute than to read is saved, though it could be had again; unless all of a loop shares it.
LONG = frozenset(("for_loop", "while_loop", "matmul"))

# More of these have to be read again than is worth it.
MOST_SOURCES = 2

# Views through which an array gets a higher rank.
_SPREADING = frozenset(("expand_dims", "broadcast_to"))

# Give a part of an array or list: kept themselves where that is volatile.
_READS = frozenset(("index", "slice", "gather", "list_get", "list_length"))

# Never kept themselves: their operands are.
_TRANSPARENT = frozenset(("tuple", "closure"))


@dataclass(slots=True)
class Kept:
    """The cut. `supplied` are expressions over free parameters; `saved` are results of the forward function; `known`
    are those of the policy's that the backward reads."""

    supplied: list[Node] = field(default_factory=list)
    saved: list[Node] = field(default_factory=list)
    known: list[Node] = field(default_factory=list)

    def nodes(self) -> list[Node]:
        return self.supplied + self.saved


@dataclass(frozen=True, slots=True)
class Policy:
    """Where the backward runs, seen from the forward function.

    free:    parameters whose values the caller still has when the backward runs
    known:   the loop index and what follows from it, which the backward loop has anyway
    steady:  free parameters that saving would cost memory for in each iteration of a loop: whatever depends on them and
             on what is known alone is computed again
    in_loop: this is the body of a loop: what is the same in all iterations is lifted out of the backward loop
    volatile: free parameters that an enclosing loop writes into: keeping one would make every write copy the whole
             array, so what is read from it is kept instead
    """

    free: frozenset[Node] = frozenset()
    known: frozenset[Node] = frozenset()
    steady: frozenset[Node] = frozenset()
    in_loop: bool = False
    volatile: frozenset[Node] = frozenset()


def choose(backward: Iterable[Node], cotangents: Iterable[Parameter], forward: set[Node], policy: Policy) -> Kept:
    """The cut for backward nodes that depend on `cotangents` (parameters of the backward function), where `forward` are
    the nodes that the forward function computes."""
    needed = _needed(list(backward), set(cotangents), forward)
    return _Cut(policy, needed).run()


def _needed(backward: list[Node], cotangents: set[Node], forward: set[Node]) -> dict[Node, None]:
    """The forward nodes that the backward reads, in a fixed order."""
    order = topological(backward)
    dependent: set[Node] = set(cotangents)
    wanted = list(backward)
    for node in order:
        if isinstance(node, Apply) and not dependent.isdisjoint(node.inputs):
            dependent.add(node)
            wanted.extend(node.inputs)
    needed: dict[Node, None] = {}
    seen: set[Node] = set(dependent)
    while wanted:
        node = wanted.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, Apply) and node.op.name == "size":
            needed[node] = None  # a number may be kept in place of an array
        elif isinstance(node, Apply) and (node.op.name in _TRANSPARENT or not _is_forward(node, forward)):
            wanted.extend(node.inputs)
        elif not isinstance(node, Constant):
            needed[node] = None
    return needed


def _is_forward(node: Apply, forward: set[Node]) -> bool:
    """Whether the forward function computes the node, or something that it is a component of."""
    below: Node = node
    while below not in forward:
        if not (isinstance(below, Apply) and below.op.name == "item"):
            return False
        below = below.inputs[0]
    return True


class _Cut:
    """The decision, node by node, operands first."""

    def __init__(self, policy: Policy, needed: dict[Node, None]) -> None:
        self.policy = policy
        self.needed = needed
        self.kept = Kept()
        self.available: set[Node] = set()  # kept, or can be computed from what is kept
        self.free: set[Node] = set()  # depends on nothing but free parameters
        self.steady: set[Node] = set()  # depends on nothing but steady parameters and what is known

    def run(self) -> Kept:
        order = topological(self.needed)
        for node in order:
            self._classify(node)
            if node in self.needed and node not in self.available:
                for each in self._smaller(node):
                    self._keep(each)
        return self._used(order)

    def _classify(self, node: Node) -> None:
        """Find out whether the node is free, and whether it can be had without keeping it."""
        policy = self.policy
        if isinstance(node, Constant):
            self.free.add(node)
            self.steady.add(node)
        elif isinstance(node, Parameter):
            if node in policy.free:
                self.free.add(node)
            if node in policy.steady or node in policy.known:
                self.steady.add(node)
        elif isinstance(node, Apply) and is_pure(node) and not self._reads_volatile(node):
            if all(x in self.free for x in node.inputs):
                self.free.add(node)
            if all(x in self.steady for x in node.inputs) and not self._is_long(node):
                self.steady.add(node)
            elif node.op.name in CHEAP and all(x in self.available for x in node.inputs):
                self.available.add(node)
        if node in self.steady:
            self.available.add(node)

    def _smaller(self, node: Node) -> list[Node]:
        """What to keep for a node: the arrays of lower rank that it is cheaply made of, if they are one or two. So of
        the differences of all pairs of points only the points are kept."""
        rank, found, seen = len(dims_of(node.type)), dict[Node, None](), dict[Node, None]()
        stack = [node]
        while stack:
            each = stack.pop()
            if each in self.available or each in seen:
                continue
            if isinstance(each, Apply) and len(dims_of(each.type)) == rank and _is_made_cheaply(each):
                seen[each] = None
                stack.extend(each.inputs)
            elif len(dims_of(each.type)) < rank and each.type is not TOKEN:
                found[each] = None
            else:
                return [node]
        if not 0 < len(found) <= MOST_SOURCES:
            return [node]
        self.available.update(seen)
        return list(found)

    def _is_long(self, node: Apply) -> bool:
        return node.op.name in LONG and not (self.policy.in_loop and node in self.free)

    def _reads_volatile(self, node: Apply) -> bool:
        return node.op.name in _READS and node.inputs[0] in self.policy.volatile

    def _keep(self, node: Node) -> None:
        supplied = node in self.free and (isinstance(node, Parameter) or _is_operand_size(node))
        (self.kept.supplied if supplied else self.kept.saved).append(node)
        self.available.add(node)

    def _used(self, order: list[Node]) -> Kept:
        """What is reached from the needed nodes without passing a kept one; in a loop, invariants are lifted out."""
        kept, saved = Kept(), set(self.kept.saved)
        supplied = set(self.kept.supplied)
        reached, stack = set[Node](), list(self.needed)
        while stack:
            node = stack.pop()
            if node in reached or isinstance(node, Constant):
                continue
            reached.add(node)
            if node in saved or node in supplied:
                continue
            if isinstance(node, Parameter):
                if node not in self.policy.known:
                    supplied.add(node)
            elif self._is_liftable(node):
                supplied.add(node)
            else:
                assert isinstance(node, Apply)
                stack.extend(node.inputs)
        for node in order:
            if node in reached:
                if node in saved:
                    kept.saved.append(node)
                elif node in supplied:
                    kept.supplied.append(node)
                elif node in self.policy.known:
                    kept.known.append(node)
        return kept

    def _is_liftable(self, node: Node) -> bool:
        """Whether to compute a loop invariant once, outside the backward loop: not if it may fail (the loop may not run
        at all), and not if it costs nothing where it is used."""
        if not (self.policy.in_loop and node in self.free and isinstance(node, Apply)) or node.can_fail:
            return False
        return node.op.name not in CHEAP or isinstance(node.type, Scalar)


def _is_made_cheaply(node: Apply) -> bool:
    return node.op.name in _SPREADING or (node.op.elementwise and node.op.name in CHEAP)


def is_pure(node: Apply) -> bool:
    return node.type is not TOKEN and all(x.type is not TOKEN for x in node.inputs)


def _is_operand_size(node: Node) -> bool:
    """Whether the caller computes this as easily as it passes it: the size of an operand."""
    return isinstance(node, Apply) and node.op.name == "size" and isinstance(node.inputs[0], Parameter)
