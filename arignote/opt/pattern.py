"""Rules with two sides, written as formulas.

`rule("negation twice", lambda x: (-(-x), x), "...")` traces its function once: the left side becomes a pattern, the
right side a recipe. A variable that stands twice on the left must match the same node. Commutative operations match
both ways round, a number matches a constant or an array filled with it, and on the right it takes the dtype of the
result.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from arignote.ir.graph import Apply, Constant, Node
from arignote.ir.records import dataclass
from arignote.ir.types import dtype_of, is_float
from arignote.ops.table import OPERATIONS
from arignote.opt.rewrite import Rule

if TYPE_CHECKING:
    from arignote.opt.rewrite import Rewriter

Number = bool | int | float


class Pattern:
    """A side of a rule."""

    __slots__ = ()

    def __add__(self, other: Pattern | Number) -> Pattern:
        return Form("add", (self, lift(other)))

    def __sub__(self, other: Pattern | Number) -> Pattern:
        return Form("subtract", (self, lift(other)))

    def __rsub__(self, other: Number) -> Pattern:
        return Form("subtract", (lift(other), self))

    def __mul__(self, other: Pattern | Number) -> Pattern:
        return Form("multiply", (self, lift(other)))

    def __truediv__(self, other: Pattern | Number) -> Pattern:
        return Form("divide", (self, lift(other)))

    def __pow__(self, other: Pattern | Number) -> Pattern:
        return Form("power", (self, lift(other)))

    def __neg__(self) -> Pattern:
        return Form("negative", (self,))


@dataclass(frozen=True, slots=True, eq=False)
class Variable(Pattern):
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Pattern):
    value: Number


@dataclass(frozen=True, slots=True, eq=False)
class Form(Pattern):
    name: str
    inputs: tuple[Pattern, ...]


def lift(value: Pattern | Number) -> Pattern:
    return value if isinstance(value, Pattern) else Literal(value)


def op(name: str) -> Callable[..., Pattern]:
    """The operation of this name, in a formula."""
    return lambda *inputs: Form(name, tuple(map(lift, inputs)))


Bindings = dict[Pattern, Node]


def filled_with(node: Node) -> Constant | None:
    """The number that a scalar is, or that an array is filled with."""
    if isinstance(node, Apply) and node.op.name == "broadcast_to":
        node = node.inputs[0]
    return node if isinstance(node, Constant) else None


def same_number(value: Number, constant: Constant) -> bool:
    """Equal, and for floating point numbers of the same sign: 0.0 is not -0.0."""
    if is_float(dtype_of(constant.type)):
        return struct.pack("d", value) == struct.pack("d", constant.value)
    return value == constant.value


def match(pattern: Pattern, node: Node, bound: Bindings) -> bool:
    """Whether the node is of this form; fills `bound`."""
    if isinstance(pattern, Variable):
        return bound.setdefault(pattern, node) is node
    if isinstance(pattern, Literal):
        found = filled_with(node)
        return found is not None and same_number(pattern.value, found)
    assert isinstance(pattern, Form)
    if not isinstance(node, Apply) or node.op.name != pattern.name:
        return False
    return match_inputs(pattern, node, bound)


def match_inputs(pattern: Form, node: Apply, bound: Bindings) -> bool:
    before = dict(bound) if node.op.commutative else bound
    if all(map(lambda p, x: match(p, x, bound), pattern.inputs, node.inputs)):
        return True
    if not node.op.commutative:
        return False
    bound.clear()
    bound.update(before)
    return all(map(lambda p, x: match(p, x, bound), pattern.inputs, node.inputs[::-1]))


def build(pattern: Pattern, rewriter: Rewriter, bound: Bindings, like: Node) -> Node:
    """The right side, made of what the left side matched."""
    if isinstance(pattern, Variable):
        return bound[pattern]
    if isinstance(pattern, Literal):
        return rewriter.constant(pattern.value, dtype_of(like.type))
    assert isinstance(pattern, Form)
    return rewriter.op(pattern.name, *(build(x, rewriter, bound, like) for x in pattern.inputs))


def rule(name: str, sides: Callable[..., tuple[Pattern, Pattern | Number]], reason: str, *,
         when: Callable[..., bool] | None = None, inexact: bool = False) -> Rule:  # fmt: skip
    """A rule from a function of its variables that gives both sides. `when` is asked about what was bound."""
    variables = [Variable(parameter) for parameter in inspect.signature(sides).parameters]
    left, right = sides(*variables)
    right = lift(right)
    assert isinstance(left, Form) and left.name in OPERATIONS

    def apply(rewriter: Rewriter, node: Apply) -> Node | None:
        bound: Bindings = {}
        if not match_inputs(left, node, bound):
            return None
        if when is not None and not when(*(bound[v] for v in variables)):
            return None
        return build(right, rewriter, bound, node)

    return Rule(name, (left.name,), apply, reason, inexact)


def whole(*nodes: Any) -> bool:
    """A guard: integers, whose arithmetic is exact modulo 2 ** 64."""
    return not is_float(dtype_of(nodes[0].type))
