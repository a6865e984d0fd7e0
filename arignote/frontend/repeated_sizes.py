"""Whether the sizes that a recursive function makes assumptions on are the same in all calls of itself.

    def encode(p, tree):
        n = p.shape[0]
        ... z[:n] ... encode(p, tree.left)        the size n is that of p, which every call hands on

What a nested function is given (a branch, the body of a loop, a function that is called) is told in terms of the
recursive function itself, as far as it is known there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from arignote.ir.exceptions import WrongAssumption
from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, nodes_of
from arignote.ir.types import Closure, Scalar

Given = dict[Parameter, Node | None]
"""What the parameters of a function are, as nodes of the recursive one; None where that is not known."""


def keeps_assumed_sizes(function: Function) -> bool:
    """Whether all that is assumed in a recursive function follows from sizes that stay the same."""
    walk = _Walk(function)
    walk.visit(function, function.parameters)
    fixed = set(function.parameters) - walk.changed
    return all(count is not None and _leaves(count) <= fixed for count in walk.counts)


class _Walk:
    """Goes through a function and all that it calls. `changed`: the parameters that a call of itself gives other
    values; `counts`: the sizes on which something is assumed."""

    def __init__(self, root: Function) -> None:
        self.root = root
        self.changed: set[Parameter] = set()
        self.counts: list[Node | None] = []
        self.seen: set[tuple[Function, tuple[Node | None, ...]]] = set()

    def visit(self, function: Function, arguments: Sequence[Node | None]) -> None:
        """A function with these values of its parameters; nothing is known of those beyond."""
        arguments = (*arguments, *[None] * (len(function.parameters) - len(arguments)))
        if not function.is_defined or (function, arguments) in self.seen:
            return
        self.seen.add((function, arguments))
        given: Given = dict(zip(function.parameters, arguments, strict=True))
        for node in nodes_of(function):
            if not isinstance(node, Apply):
                continue
            if node.op.name == "raise_if" and node["exception"] is WrongAssumption:
                self.counts.append(_at_root(node.inputs[1], given))
            for position, operand in enumerate(node.inputs):
                if isinstance(operand.type, Closure):
                    is_called = position == 0 and node.op.name == "call"
                    self._use(operand, operand.type.function, node.inputs[1:] if is_called else None, given)

    def _use(self, closure: Node, function: Function, arguments: Sequence[Node] | None, given: Given) -> None:
        if isinstance(closure, Apply) and closure.op.name == "closure":
            values = [_at_root(x, given) for x in (*closure.inputs, *(arguments or ()))]
        else:
            values = []
        if function is not self.root:
            self.visit(function, values)
        elif arguments is not None:
            values += [None] * (len(function.parameters) - len(values))
            self.changed.update(p for p, value in zip(function.parameters, values, strict=True) if value is not p)


def _at_root(node: Node, given: Given) -> Node | None:
    """A parameter, or a number computed from sizes of parameters, as a node of the recursive function."""
    if isinstance(node, Constant):
        return node
    if isinstance(node, Parameter):
        return given.get(node)
    if not isinstance(node, Apply) or not isinstance(node.type, Scalar):
        return None
    operands = [_at_root(x, given) for x in node.inputs]
    known = [x for x in operands if x is not None]
    return Apply(node.op, tuple(known), node.attributes) if len(known) == len(operands) else None


def _leaves(node: Node) -> set[Node]:
    """The parameters that a number is computed from."""
    return {node} if isinstance(node, Parameter) else _union(_leaves(x) for x in getattr(node, "inputs", ()))


def _union(sets: Iterable[set[Node]]) -> set[Node]:
    return set().union(*sets)
