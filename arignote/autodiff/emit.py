"""The builder of the transforms: shapes are kept as sizes, and a derivative of zero as nothing at all."""

from __future__ import annotations

from collections.abc import Iterable

from arignote.ir.graph import Apply, Function, Node, Parameter, substitute
from arignote.ir.sizes import sizes
from arignote.ir.types import INT64, Array, Closure, List, Tuple, Type, fits
from arignote.ops.emit import Emit


class AdjointEmit(Emit):
    """Sizes are traced to where they come from, so that a backpropagator keeps a number and not an array."""

    __slots__ = ()

    def size(self, x: Node, axis: int) -> Node:
        size = sizes(x)[axis]
        if isinstance(size, int):
            return self.integer(size)
        return self.op("size", size[0], axis=size[1]) if isinstance(size, tuple) else size

    def sum_to(self, x: Node, like: Node) -> Node:
        found = super().sum_to(x, like)
        if isinstance(found, Apply) and found.op.name == "sum_to" and found.inputs[1] is like:
            return self.op("sum_to", x, self.shape_of(like))
        return found

    def shape_of(self, like: Node) -> Node:
        """A value of the shape of `like` that does not keep `like` alive."""
        return super().zeros_like(like)

    def capture(self, closure: Node, index: int) -> Node:
        """A capture of a closure; a closure just built is looked through."""
        if isinstance(closure, Apply) and closure.op.name == "closure":
            return closure.inputs[index]
        return self.op("captured", closure, index=index)

    def captures(self, closure: Node) -> list[Node]:
        assert isinstance(closure.type, Closure)
        return [self.capture(closure, index) for index in range(closure.type.captured)]

    def unit(self) -> Node:
        return self.op("tuple")

    def conform(self, x: Node, type_: Type) -> Node:
        """x as a value of this type: what is known of its sizes is stated where the operations that made it lost it."""
        if fits(x.type, type_):
            return x
        if isinstance(type_, Tuple):
            return self.tuple(self.conform(part, t) for part, t in zip(self.items(x), type_.items, strict=True))
        if isinstance(type_, List):
            return self._conform_list(x, type_)
        assert isinstance(type_, Array), f"{x.type!r} is not {type_!r}"
        return self.op("broadcast_to", x, *self.sizes(x), dims=type_.dims)

    def _conform_list(self, x: Node, type_: List) -> Node:
        """A list of arrays that were put into one of which less is known."""
        assert isinstance(x.type, List), f"{x.type!r} is not {type_!r}"
        inner = AdjointEmit()
        values, place, made = Parameter("values", x.type), Parameter("place", INT64), Parameter("made", type_)
        element = inner.conform(inner.op("list_get", values, place), type_.element)
        body = inner.function("conform", (values, place, made), inner.tuple([inner.op("list_push", made, element)]))
        count = self.op("list_length", x)
        start = self.op("list_new", count, element=type_.element)
        return self.item(self.op("for_loop", count, self.closure(body, (x,)), start), 0)


def widen(function: Function, extra: Iterable[Type]) -> Function:
    """The function with more parameters at its end, which it ignores."""
    inner = AdjointEmit()
    parameters = [Parameter(p.name, p.type) for p in function.parameters]

    def note(old: Node, new: Node) -> None:
        spans = function.spans.get(old)
        if spans is not None:
            inner.note(new, spans)

    result = substitute([function.result], dict(zip(function.parameters, parameters, strict=True)), note)[0]
    return inner.function(function.name, [*parameters, *(Parameter("ignored", t) for t in extra)], result)


def function_of(closure: Node) -> Function:
    assert isinstance(closure.type, Closure)
    return closure.type.function
