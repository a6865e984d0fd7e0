"""Forward mode of one function: its nodes copied, and beside each active one its tangent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arignote.autodiff.activity import Flags, Mask, activity, demand, differentiable_operands
from arignote.autodiff.adjoint import first_span, fresh
from arignote.autodiff.chain import is_singular, times
from arignote.autodiff.cotangent import Cotangent, whole
from arignote.autodiff.emit import AdjointEmit
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, keep_spans, nodes_of
from arignote.ir.sizes import sizes
from arignote.ir.types import Closure, fits, tangent_type
from arignote.ops.derivative import Linear, Partials, Refused, Rules, Structural
from arignote.ops.term import Term

Tangent = Cotangent


class Pushforward:
    """wrt: which parameters have tangents;  want: which parts of the result have them."""

    def __init__(self, function: Function, wrt: Flags, want: Mask,
                 parameters: tuple[Parameter, ...] | None = None) -> None:  # fmt: skip
        self.function = function
        self.emit = AdjointEmit()
        self.active = activity(function, wrt)
        self.demand = demand(function, wrt, want)
        self.parameters = fresh(function.parameters) if parameters is None else parameters
        self.forward: dict[Node, Node] = dict(zip(function.parameters, self.parameters, strict=True))
        self.tangents: dict[Node, Tangent] = {}

    def tangent_parameter(self, index: int) -> Parameter:
        """A parameter for the tangent of a parameter."""
        parameter = self.parameters[index]
        return Parameter(f"d{parameter.name}", tangent_type(parameter.type))

    def run(self) -> None:
        for node in nodes_of(self.function):
            if isinstance(node, Constant):
                self.forward[node] = node
            elif isinstance(node, Apply):
                self.emit.at(self.function.spans.get(node))
                augment = AUGMENTED.get(node.op.name) if node in self.demand else None
                if augment is not None:
                    self.forward[node], self.tangents[node] = augment(self, node)
                else:
                    self.forward[node] = self._copy(node)
                    if node in self.demand:
                        self.tangents[node] = self._tangent(node)
        self.emit.at(None)

    def _copy(self, node: Apply) -> Node:
        inputs = tuple([self.forward[x] for x in node.inputs])
        if node.op.name == "item":
            return self.emit.item(inputs[0], node["index"])
        new = Apply(node.op, inputs, node.attributes)
        if self.emit.span:
            self.emit.note(new, self.emit.span)
        return new

    @property
    def result(self) -> Node:
        return self.forward[self.function.result]

    def finish(self, function: Function, parameters: Sequence[Parameter], result: Node) -> Function:
        function.parameters = tuple(parameters)
        function.define(result)
        keep_spans(function, self.emit.spans)
        return function

    def whole(self, node: Node) -> Node:
        """The tangent of a primal node as one value."""
        return whole(self.emit, self.tangents.get(node), self.forward[node])

    def captures(self, closure: Node) -> list[Node]:
        return self.emit.captures(self.forward[closure])

    def capture_tangents(self, closure: Node, flags: Flags) -> list[Node]:
        """The tangents of those captures of a closure that are flagged."""
        if isinstance(closure, Apply) and closure.op.name == "closure":
            return [self.whole(x) for x, flag in zip(closure.inputs, flags, strict=True) if flag]
        assert isinstance(closure.type, Closure)
        parts = self.tangents.get(closure)
        given = parts if isinstance(parts, list) else [None] * closure.type.captured
        values = self.captures(closure)
        return [whole(self.emit, t, x) for t, x, flag in zip(given, values, flags, strict=True) if flag]

    def _tangent(self, node: Apply) -> Tangent:
        """The tangent of a plain operation."""
        derivative = node.op.derivative
        if isinstance(derivative, Structural):
            return STRUCTURAL[node.op.name](self, node)
        if isinstance(derivative, Refused):
            raise DifferentiationError(derivative.why, first_span(self.function, node))
        copy = self.forward[node]
        assert isinstance(copy, Apply)
        if isinstance(derivative, Partials):
            found = self._partials(node, derivative)
        elif isinstance(derivative, Linear):
            found = self._linear(node, copy)
        else:
            assert isinstance(derivative, Rules)
            found = derivative.jvp(self.emit, copy, [self._of(x) for x in node.inputs])
        return None if found is None else self._shaped(found, copy, self._has_shape(node, derivative))

    def _of(self, operand: Node) -> Node | None:
        tangent = self.tangents.get(operand)
        assert tangent is None or isinstance(tangent, Node)
        return tangent

    def _partials(self, node: Apply, derivative: Partials) -> Node | None:
        emit = self.emit
        terms = [Term(emit, self.forward[x]) for x in node.inputs]
        output = Term(emit, self.forward[node])
        total: Node | None = None
        for position in differentiable_operands(node):
            tangent, rule = self._of(node.inputs[position]), derivative.of[position]
            if tangent is not None and rule is not None:
                scaled = times(emit, tangent, rule(*terms, output), is_singular(node, position))
                if scaled is not None:
                    total = scaled if total is None else emit.op("add", total, scaled)
        return total

    def _linear(self, node: Apply, copy: Apply) -> Node | None:
        """The operation itself, on the tangents."""
        inputs, found = list(copy.inputs), False
        for position in differentiable_operands(node):
            tangent = self._of(node.inputs[position])
            found = found or tangent is not None
            inputs[position] = self.emit.zeros_like(copy.inputs[position]) if tangent is None else tangent
        return self.emit.apply(copy.op, *inputs, **dict(copy.attributes)) if found else None

    def _has_shape(self, node: Apply, derivative: Partials | Linear | Rules) -> bool:
        """Whether the tangent of the result has the result's shape, as each tangent has the shape of its operand."""
        if not node.op.elementwise:
            return isinstance(derivative, Linear)
        whole = sizes(self.forward[node])
        return any(self._of(node.inputs[i]) is not None and sizes(self.forward[node.inputs[i]]) == whole
                   for i in differentiable_operands(node))  # fmt: skip

    def _shaped(self, tangent: Node, value: Node, certain: bool) -> Node:
        """The tangent, broadcast to the shape of the value that it belongs to; `certain` where it has that shape."""
        if (certain or sizes(tangent) == sizes(value)) and fits(tangent.type, value.type):
            return tangent
        return self.emit.broadcast_like(tangent, value)


AUGMENTED: dict[str, Callable[[Pushforward, Apply], tuple[Node, Tangent]]] = {}
"""Operations that give value and tangent together: primal node -> both. Filled by `forward`."""

STRUCTURAL: dict[str, Callable[[Pushforward, Apply], Tangent]] = {}
"""Tangents of tuples, lists and closures. Filled by `forward`."""
