"""Reverse mode of one function: its nodes copied forward, and the backward nodes written in terms of them.

`Adjoint` walks the function twice. Forward, it copies each node, and lets calls, branches and loops be replaced by
forms that also give what their backpropagators need. Backward, from the result to the parameters, it adds up
cotangents. What comes out is one graph; `residuals` cuts it in two functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from arignote.autodiff.activity import Flags, Mask, activity, demand, differentiable_operands
from arignote.autodiff.chain import is_singular, times
from arignote.autodiff.cotangent import Cotangent, accumulate, spread, whole
from arignote.autodiff.emit import AdjointEmit
from arignote.autodiff.residuals import LONG, Kept, Policy, choose, is_pure
from arignote.autodiff.scattered import sum_to
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import (
    Apply,
    Constant,
    Function,
    Node,
    Parameter,
    Span,
    keep_spans,
    nodes_of,
    substitute,
    topological,
)
from arignote.ir.records import dataclass
from arignote.ir.types import Closure
from arignote.ops.derivative import Linear, Partials, Refused, Rules, Structural
from arignote.ops.term import Term

Pullback = Callable[[Cotangent], None]

# What gives an array or list that is written into, where it got one: in a loop, the same memory.
_PASS_ON = frozenset(
    "update_index update_slice scatter list_push list_set list_pop list_take "
    "closure cond for_loop while_loop tuple item".split()
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cotangent goes: to a node, or to one capture of a closure that is not built in this function."""

    node: Node
    capture: int | None = None


def fresh(parameters: Iterable[Parameter]) -> tuple[Parameter, ...]:
    return tuple(Parameter(p.name, p.type) for p in parameters)


class Adjoint:
    """See the head of this file.

    wrt:    which parameters get cotangents;  want: which parts of the result have them
    seeded: those of the function's parameters whose cotangents are added to something there is already
    written: those of the function's parameters that the loop around writes into from one iteration to the next
    steady: those of the function's parameters that cost nothing to keep, where saving costs memory in each iteration
    summed: those of the function's parameters, all seeded, whose cotangents are added up in place
    """

    def __init__(self, function: Function, wrt: Flags, want: Mask,
                 parameters: tuple[Parameter, ...] | None = None, seeded: Iterable[Node] = (),
                 written: Iterable[Node] = (), steady: Iterable[Node] = (),
                 summed: Iterable[Node] = ()) -> None:  # fmt: skip
        self.function = function
        self.summed = frozenset(summed)
        self.seeded = frozenset(seeded)
        self.volatile: set[Node] = set(written)
        self.steady: set[Node] = set(steady) - self.volatile
        self.emit = AdjointEmit()
        self.active = activity(function, wrt)
        self.demand = demand(function, wrt, want)
        self.parameters = fresh(function.parameters) if parameters is None else parameters
        self.forward: dict[Node, Node] = dict(zip(function.parameters, self.parameters, strict=True))
        self.cotangents: dict[Node, Cotangent] = {}
        self.pullbacks: dict[Node, Pullback] = {}
        self.order = nodes_of(function)
        self.last_use: dict[Node, Node] | None = None
        for node in self.order:
            self._step_forward(node)

    # forward ---------------------------------------------------------------------------------------------------------

    def _step_forward(self, node: Node) -> None:
        if isinstance(node, Constant):
            self.forward[node] = node
        elif isinstance(node, Apply):
            if node.op.name in _PASS_ON and not self.volatile.isdisjoint(node.inputs):
                self.volatile.add(node)
            if self.steady and self._is_steady(node):
                self.steady.add(node)
            self.emit.at(self.function.spans.get(node))
            augment = AUGMENTED.get(node.op.name) if node in self.demand else None
            if augment is None:
                self.forward[node] = self.copy(node)
            else:
                self.forward[node], self.pullbacks[node] = augment(self, node)

    def _is_steady(self, node: Apply) -> bool:
        return (all(x in self.steady or isinstance(x, Constant) for x in node.inputs) and bool(node.inputs)
                and is_pure(node) and node.op.name not in LONG and node not in self.volatile)  # fmt: skip

    def is_steady(self, place: Place) -> bool:
        """Whether the backward can compute the value at a place from what it has anyway."""
        if not self.steady or place.capture is not None:
            return False  # outside of loops one form of a function serves all its calls
        return place.node in self.steady or isinstance(place.node, Constant)

    def forwarded(self, nodes: Iterable[Node]) -> frozenset[Node]:
        return frozenset(self.forward[x] for x in nodes)

    def copy(self, node: Apply) -> Node:
        """The same operation on the forward operands."""
        inputs = tuple([self.forward[x] for x in node.inputs])
        if node.op.name == "item":
            return self.emit.item(inputs[0], node["index"])
        if node.op.name == "size":
            return self.emit.size(inputs[0], node["axis"])
        new = Apply(node.op, inputs, node.attributes)
        if self.emit.span:
            self.emit.note(new, self.emit.span)
        return new

    @property
    def result(self) -> Node:
        return self.forward[self.function.result]

    def places(self, closure: Node) -> list[Place]:
        """Where the cotangents of a closure's captures go."""
        if isinstance(closure, Apply) and closure.op.name == "closure":
            return [Place(x) for x in closure.inputs]
        assert isinstance(closure.type, Closure)
        return [Place(closure, index) for index in range(closure.type.captured)]

    def value(self, place: Place) -> Node:
        """The forward value at a place."""
        node = self.forward[place.node]
        return node if place.capture is None else self.emit.capture(node, place.capture)

    def values(self, closure: Node) -> list[Node]:
        """The forward values of a closure's captures."""
        return [self.value(place) for place in self.places(closure)]

    # backward --------------------------------------------------------------------------------------------------------

    def run_backward(self, cotangent: Cotangent, seeds: dict[Node, Cotangent] | None = None) -> None:
        """Add up cotangents, on top of `seeds`."""
        self.cotangents.update(seeds or {})
        self.add(self.function.result, cotangent)
        for node in reversed(self.order):
            if isinstance(node, Apply):
                found = self.cotangents.pop(node, None)
                if found is not None:
                    self.emit.at(self.function.spans.get(node))
                    self._step_backward(node, found)

    def _step_backward(self, node: Apply, cotangent: Cotangent) -> None:
        pullback = self.pullbacks.get(node)
        if pullback is not None:
            pullback(cotangent)
        elif isinstance(node.op.derivative, Structural):
            STRUCTURAL[node.op.name](self, node, cotangent)
        else:
            assert isinstance(cotangent, Node)
            self._plain(node, cotangent)

    def _plain(self, node: Apply, cotangent: Node) -> None:
        derivative, copy = node.op.derivative, self.forward[node]
        if isinstance(derivative, Refused):
            raise DifferentiationError(derivative.why, first_span(self.function, node))
        if isinstance(derivative, Partials):
            self._partials(node, derivative, cotangent)
        elif isinstance(derivative, Linear | Rules):
            assert isinstance(copy, Apply)
            for x, part in zip(node.inputs, derivative.vjp(self.emit, copy, cotangent), strict=True):
                self.add(x, part)

    def _partials(self, node: Apply, derivative: Partials, cotangent: Node) -> None:
        emit = self.emit
        terms = [Term(emit, self.forward[x]) for x in node.inputs]
        output = Term(emit, self.forward[node])
        for position in differentiable_operands(node):
            operand, rule = node.inputs[position], derivative.of[position]
            if operand in self.demand and rule is not None:
                scaled = times(emit, cotangent, rule(*terms, output), is_singular(node, position))
                if scaled is not None:
                    self.add(operand, sum_to(emit, scaled, self.forward[operand]))

    def add(self, node: Node, cotangent: Cotangent) -> None:
        """Add to the cotangent of a primal node."""
        if cotangent is not None and node in self.demand:
            total = self.cotangents.get(node)
            if node in self.summed and isinstance(total, Node) and isinstance(cotangent, Node):
                added = self.emit.conform(cotangent, total.type)
                self.cotangents[node] = self.emit.op("update_slice", total, added, axes=(), accumulate=True)
            else:
                self.cotangents[node] = accumulate(self.emit, total, cotangent)

    def add_at(self, place: Place, cotangent: Cotangent) -> None:
        if place.capture is None:
            self.add(place.node, cotangent)
        elif cotangent is not None:
            assert isinstance(place.node.type, Closure)
            parts: list[Cotangent] = [None] * place.node.type.captured
            parts[place.capture] = cotangent
            self.add(place.node, parts)

    def take(self, place: Place) -> Cotangent:
        """Remove what has been added up at a place so far, to be added to elsewhere and put back."""
        found = self.cotangents.get(place.node)
        if place.capture is None or found is None:
            return self.cotangents.pop(place.node, None)
        assert isinstance(found, list)
        rest = list(found)
        rest[place.capture] = None
        self.cotangents[place.node] = rest
        return found[place.capture]

    def has_total(self, operand: Node, node: Node) -> bool:
        """Whether `operand` is likely to have a cotangent already when the backward walk comes to `node`."""
        if self.last_use is None:
            self.last_use = {}
            for user in self.order:
                if isinstance(user, Apply) and user in self.demand:
                    for x in user.inputs:
                        self.last_use[x] = user
                        if isinstance(x, Apply) and x.op.name == "closure":
                            self.last_use.update(dict.fromkeys(x.inputs, user))
        return operand in self.seeded or self.last_use.get(operand) is not node

    # the two functions -----------------------------------------------------------------------------------------------

    def keep(self, roots: list[Node], cotangents: Iterable[Parameter], policy: Policy) -> Kept:
        return choose(roots, cotangents, set(topological([self.result])), policy)

    def rebuild(self, roots: list[Node], mapping: dict[Node, Node]) -> list[Node]:
        """The backward nodes with forward nodes replaced by parameters of the backward function."""

        def note(old: Node, new: Node) -> None:
            spans = self.emit.spans.get(old)
            if spans is not None and new is not old:
                self.emit.note(new, spans)

        return substitute(roots, mapping, note)

    def finish(self, function: Function, parameters: Sequence[Parameter], result: Node) -> Function:
        """Define a function, with the spans of its nodes."""
        function.parameters = tuple(parameters)
        function.define(result)
        keep_spans(function, self.emit.spans)
        return function

    def cotangent_of(self, index: int) -> Node:
        """The whole cotangent of a parameter."""
        return whole(self.emit, self.cotangents.get(self.function.parameters[index]), self.parameters[index])


def first_span(function: Function, node: Node) -> Span | None:
    spans = function.spans.get(node)
    return min(spans, key=lambda s: (s.file, s.line, s.column)) if spans else None


def parameters_for(prefix: str, nodes: Iterable[Node]) -> list[Parameter]:
    """One parameter per node, of its type."""
    return [Parameter(x.name if isinstance(x, Parameter) else f"{prefix}{i}", x.type) for i, x in enumerate(nodes)]


def spread_all(emit: AdjointEmit, adjoint: Adjoint, places: Iterable[Place], tangents: Node) -> None:
    """Add the components of a tuple of tangents at places, in order."""
    for index, place in enumerate(places):
        adjoint.add_at(place, spread(emit, emit.item(tangents, index)))


AUGMENTED: dict[str, Callable[[Adjoint, Apply], tuple[Node, Pullback]]] = {}
"""Operations that the forward function replaces: primal node -> (forward value, pullback). Filled by `reverse`."""

STRUCTURAL: dict[str, Callable[[Adjoint, Apply, Cotangent], None]] = {}
"""Pullbacks of operations on tuples, lists and closures. Filled by `reverse`."""
