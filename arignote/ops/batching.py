"""What an operation may say about its batching: the same operation on many elements at once. Nothing else is accepted.

A mapped operand has one more axis than it has for one element, the first, along which the elements lie. The transform
owns which values are mapped, functions and control flow; a rule only says how the operation goes on stacked operands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from arignote.ir.graph import Apply, Node
from arignote.ir.records import dataclass
from arignote.ir.types import dims_of

if TYPE_CHECKING:
    from arignote.ops.emit import Emit


class CannotBatch(Exception):
    """These operands cannot be computed on at once; each element is, by itself."""


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand of the batched operation: the same for all elements, or stacked along its first axis."""

    node: Node
    mapped: bool

    @property
    def rank(self) -> int:
        """Of one element."""
        return len(dims_of(self.node.type)) - self.mapped


class Batch:
    """The elements: how many there are (`count` at run time, `dim` what is known of it), and where nodes are built."""

    __slots__ = ("emit", "count", "dim")

    def __init__(self, emit: Emit, count: Node, dim: int) -> None:
        self.emit, self.count, self.dim = emit, count, dim

    def stacked(self, operand: Operand) -> Node:
        """The operand with a first axis for the elements, along which it repeats if it is the same for all."""
        if operand.mapped:
            return operand.node
        x = operand.node
        return self.emit.op("broadcast_to", x, self.count, *self.emit.sizes(x), dims=(self.dim, *dims_of(x.type)))

    def aligned(self, operand: Operand, rank: int) -> Node:
        """The operand, ready to be broadcast against elements of this rank."""
        missing = rank - operand.rank
        if not operand.mapped or not missing:
            return operand.node
        return self.emit.op("expand_dims", operand.node, axes=tuple(range(1, 1 + missing)))

    def positions(self, rank: int) -> Node:
        """The number of each element, of shape (count, 1, 1 ...) with `rank` further axes."""
        return self.along(self.emit.op("iota", self.count, dtype="int64", dim=self.dim), 0, rank + 1)

    def along(self, row: Node, axis: int, rank: int) -> Node:
        """A row as an array of this rank that extends along one axis."""
        others = tuple(a for a in range(rank) if a != axis)
        return self.emit.op("expand_dims", row, axes=others) if others else row


Rule = Callable[[Batch, Apply, Sequence[Operand]], Node]
"""(batch, node for one element, operands) -> the results, stacked along a first axis. May raise `CannotBatch`."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Elementwise: the operation itself, once the ranks of the elements are made equal."""


@dataclass(frozen=True, slots=True)
class Stacked:
    """A rule gives the stacked results."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Uniform:
    """A rule gives the result, which is the same for all elements: it depends on shapes only."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class PerElement:
    """Done for each element by itself; `why` says what forbids more."""

    why: str


Batching = Aligned | Stacked | Uniform | PerElement
"""Operations whose derivative is `Structural` say nothing here either: the transform itself handles calls, control
flow, tuples, lists, unions and effects."""


def aligned(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    """The rule of `Aligned`."""
    rank = max(x.rank for x in operands)
    return batch.emit.apply(node.op, *(batch.aligned(x, rank) for x in operands), **dict(node.attributes))


def same_for_all(operands: Sequence[Operand], what: str) -> list[Node]:
    """The nodes of operands none of which may be mapped."""
    if any(x.mapped for x in operands):
        raise CannotBatch(f"{what} differs from element to element")
    return [x.node for x in operands]


def shifted(name: str) -> Rule:
    """The operation of one operand or several stacked ones, its axes moved by one: `axis`, `axes` or `permutation`."""

    def rule(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
        attributes = dict(node.attributes)
        value = attributes[name]
        attributes[name] = value + 1 if isinstance(value, int) else tuple(axis + 1 for axis in value)
        return batch.emit.apply(node.op, *(batch.stacked(x) for x in operands), **attributes)

    return rule
