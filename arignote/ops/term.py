"""Terms: derivative rules written as formulas.

A `Term` is a node with Python's operators, so that a rule reads `lambda x, y, out: y * x ** (y - 1)`. Python numbers
take the dtype of the term that they meet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from arignote.ir.graph import Node
from arignote.ir.types import dtype_of

if TYPE_CHECKING:
    from arignote.ops.emit import Emit

Number = bool | int | float


class Term:
    __slots__ = ("emit", "node")

    def __init__(self, emit: Emit, node: Node) -> None:
        self.emit, self.node = emit, node

    def _lift(self, other: Term | Number) -> Node:
        return other.node if isinstance(other, Term) else self.emit.constant(other, dtype_of(self.node.type))

    def _binary(self, name: str, left: Node, right: Node) -> Term:
        return Term(self.emit, self.emit.op(name, left, right))

    def __add__(self, other: Term | Number) -> Term:
        return self._binary("add", self.node, self._lift(other))

    def __radd__(self, other: Number) -> Term:
        return self._binary("add", self._lift(other), self.node)

    def __sub__(self, other: Term | Number) -> Term:
        return self._binary("subtract", self.node, self._lift(other))

    def __rsub__(self, other: Number) -> Term:
        return self._binary("subtract", self._lift(other), self.node)

    def __mul__(self, other: Term | Number) -> Term:
        return self._binary("multiply", self.node, self._lift(other))

    def __rmul__(self, other: Number) -> Term:
        return self._binary("multiply", self._lift(other), self.node)

    def __truediv__(self, other: Term | Number) -> Term:
        return self._binary("divide", self.node, self._lift(other))

    def __rtruediv__(self, other: Number) -> Term:
        return self._binary("divide", self._lift(other), self.node)

    def __pow__(self, other: Term | Number) -> Term:
        return self._binary("power", self.node, self._lift(other))

    def __neg__(self) -> Term:
        return Term(self.emit, self.emit.op("negative", self.node))

    def __lt__(self, other: Term | Number) -> Term:
        return self._binary("less", self.node, self._lift(other))

    def __le__(self, other: Term | Number) -> Term:
        return self._binary("less_equal", self.node, self._lift(other))

    def __gt__(self, other: Term | Number) -> Term:
        return self._binary("greater", self.node, self._lift(other))

    def __ge__(self, other: Term | Number) -> Term:
        return self._binary("greater_equal", self.node, self._lift(other))

    def equals(self, other: Term | Number) -> Term:
        return self._binary("equal", self.node, self._lift(other))


def function(name: str) -> Callable[[Term], Term]:
    """The elementwise operation of this name, over terms."""
    return lambda x: Term(x.emit, x.emit.op(name, x.node))


def select(condition: Term, yes: Term | Number, no: Term | Number, like: Term) -> Term:
    """`yes` where the condition holds, `no` elsewhere; numbers take the dtype of `like`."""
    return Term(like.emit, like.emit.op("select", condition.node, like._lift(yes), like._lift(no)))


cos, sin, exp, log, sqrt = map(function, ("cos", "sin", "exp", "log", "sqrt"))
sinh, cosh, sign = map(function, ("sinh", "cosh", "sign"))
digamma = function("digamma")
