"""Emit: a builder that knows the operations by name, with the few shorthands that rules and passes share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from arignote.ir.graph import Apply, Builder, Constant, Function, Node, Span, constant
from arignote.ir.sizes import sizes
from arignote.ir.structure import ANY
from arignote.ir.types import INT64, Scalar, Type, dims_of, dtype_of, fits
from arignote.ops.table import OPERATIONS


class Emit(Builder):
    """`emit.op("add", x, y)` applies the operation of that name."""

    __slots__ = ()

    def op(self, name: str, /, *inputs: Node, **attributes: Any) -> Apply:
        return self.apply(OPERATIONS[name], *inputs, **attributes)

    def constant(self, value: bool | int | float, like: Type | str) -> Constant:
        """A scalar constant of the dtype of `like`."""
        return constant(value, like)

    def integer(self, value: int) -> Constant:
        return Constant(value, INT64)

    def cast(self, x: Node, dtype: str) -> Node:
        if dtype_of(x.type) == dtype:
            return x
        if isinstance(x, Constant) and not dtype.startswith("int") and not dtype.startswith("uint"):
            return Constant(x.value, Scalar(dtype))
        return self.op("cast", x, dtype=dtype)

    def size(self, x: Node, axis: int) -> Node:
        """The run-time size of one axis, folded where it is known."""
        known = dims_of(x.type)[axis]
        return self.integer(known) if known >= 0 else self.op("size", x, axis=axis)

    def sizes(self, x: Node) -> list[Node]:
        return [self.size(x, axis) for axis in range(len(dims_of(x.type)))]

    def broadcast_like(self, x: Node, like: Node) -> Node:
        """x broadcast to the shape of `like`."""
        if x.type is like.type and not dims_of(x.type):
            return x
        if not dims_of(like.type):
            return x
        return self.op("broadcast_to", x, *self.sizes(like), dims=dims_of(like.type))

    def full_like(self, like: Node, value: float) -> Node:
        return self.broadcast_like(self.constant(value, dtype_of(like.type)), like)

    def sum_to(self, x: Node, like: Node) -> Node:
        """x summed down to the shape of `like`, which x was broadcast from; plain sums where the sizes tell which."""
        given, wanted = sizes(x), sizes(like)
        if given == wanted and fits(x.type, like.type):
            return x
        lead = len(given) - len(wanted)
        ones = [axis for axis, size in enumerate(wanted) if size == 1]
        certain = all(size == 1 or size == given[lead + axis] or dims_of(like.type)[axis] != ANY
                      for axis, size in enumerate(wanted))  # fmt: skip
        summed = tuple(range(lead)) + tuple(lead + axis for axis in ones if given[lead + axis] != 1)
        if certain and not summed and fits(x.type, like.type):
            return x
        if certain and summed:
            total = self.op("sum", x, axes=summed)
            kept = tuple(axis for axis in ones if given[lead + axis] != 1)
            result = self.op("expand_dims", total, axes=kept) if kept else total
            if fits(result.type, like.type):
                return result
        return self.op("sum_to", x, like)

    def zeros_like(self, like: Node) -> Node:
        """Zeros of the type and shape of a scalar or array."""
        return self.full_like(like, 0)

    def tuple(self, items: Iterable[Node]) -> Node:
        return self.op("tuple", *items)

    def item(self, node: Node, index: int) -> Node:
        """A component of a tuple; a tuple just built is looked through."""
        if isinstance(node, Apply) and node.op.name == "tuple":
            return node.inputs[index]
        return self.op("item", node, index=index)

    def items(self, node: Node) -> list[Node]:
        return [self.item(node, index) for index in range(len(node.type.items))]  # type: ignore[attr-defined]

    def closure(self, function: Function, captures: Iterable[Node] = ()) -> Node:
        return self.op("closure", *captures, function=function)

    def call(self, function: Function, *arguments: Node) -> Node:
        return self.op("call", self.closure(function), *arguments)

    def at(self, spans: frozenset[Span] | None) -> Emit:
        """Set the place that new nodes are written at."""
        self.span = spans or frozenset()
        return self
