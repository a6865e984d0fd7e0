"""The builder of the transforms: shapes are kept as sizes, and a derivative of zero as nothing at all."""

from __future__ import annotations

from collections.abc import Iterable

from arignote.autodiff.activity import differentiable
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, substitute
from arignote.ir.sizes import sizes
from arignote.ir.types import INT64, Array, Closure, List, Scalar, Tuple, Type, fits
from arignote.ops.emit import Emit

RECURSIVE = "a second derivative through a recursive function is not supported"


def tangent_type(type_: Type, inside: frozenset[Type] = frozenset()) -> Type:
    """`ir.types.tangent_type`, which refuses a closure that captures itself: its tangent would be infinite."""
    if not differentiable(type_):
        return Tuple(map(tangent_type, type_.items)) if isinstance(type_, Tuple) else Tuple(())
    if isinstance(type_, Tuple):
        return Tuple([tangent_type(x, inside) for x in type_.items])
    if isinstance(type_, List):
        return List(tangent_type(type_.element, inside))
    if isinstance(type_, Closure):
        if type_ in inside:
            raise DifferentiationError(RECURSIVE)
        return Tuple([tangent_type(x, inside | {type_}) for x in type_.capture_types])
    return type_


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
        assert isinstance(type_, Array), f"{x.type!r} is not {type_!r}"
        return self.op("broadcast_to", x, *self.sizes(x), dims=type_.dims)


def is_static(type_: Type) -> bool:
    """Whether zeros of this type can be made without a value at hand."""
    if isinstance(type_, Array):
        return min(type_.dims) >= 0
    if isinstance(type_, Tuple):
        return all(map(is_static, type_.items))
    if isinstance(type_, Closure):
        return all(map(is_static, type_.capture_types))
    return not isinstance(type_, List)


def zero_tangent(emit: AdjointEmit, value: Node) -> Node:
    """The zero of `tangent_type(value.type)`, of the shapes of `value`."""
    type_ = value.type
    if isinstance(type_, Tuple):
        return emit.tuple(zero_tangent(emit, part) for part in emit.items(value))
    if not differentiable(type_):
        return emit.unit()
    if isinstance(type_, Closure):
        tangent_type(type_)
        return emit.tuple(zero_tangent(emit, part) for part in emit.captures(value))
    if isinstance(type_, List):
        return _zero_list(emit, value)
    return emit.zeros_like(value)


def static_zero(emit: AdjointEmit, type_: Type) -> Node:
    """The zero of the tangent type of a type whose shapes are known."""
    if isinstance(type_, Tuple):
        return emit.tuple(static_zero(emit, t) for t in type_.items)
    if isinstance(type_, Closure):
        return emit.tuple(static_zero(emit, t) for t in type_.capture_types)
    if not differentiable(type_):
        return emit.unit()
    assert isinstance(type_, Scalar | Array)
    zero = Constant(0.0, Scalar(type_.dtype))
    if isinstance(type_, Scalar):
        return zero
    return emit.op("broadcast_to", zero, *map(emit.integer, type_.dims), dims=type_.dims)


def _zero_list(emit: AdjointEmit, value: Node) -> Node:
    """A list of zeros, as long as `value`."""
    assert isinstance(value.type, List)
    element = tangent_type(value.type.element)
    if isinstance(value, Apply) and value.op.name == "list_new":
        return emit.op("list_new", *value.inputs, element=element)
    length = emit.op("list_length", value)
    inner = AdjointEmit()
    index, zeros = Parameter("index", INT64), Parameter("zeros", List(element))
    captured: tuple[Node, ...] = ()
    parameters: tuple[Parameter, ...] = (index, zeros)
    if is_static(value.type.element):
        zero = static_zero(inner, value.type.element)
    else:
        values = Parameter("values", value.type)
        captured, parameters = (value,), (values, index, zeros)
        zero = zero_tangent(inner, inner.op("list_get", values, index))
    result = inner.tuple([inner.op("list_push", zeros, inner.conform(zero, element))])
    body = inner.function("zero_list", parameters, result)
    start = emit.op("list_new", length, element=element)
    return emit.item(emit.op("for_loop", length, emit.closure(body, captured), start), 0)


def add_lists(emit: AdjointEmit, a: Node, b: Node) -> Node:
    """Elementwise sum of two lists of tangents of one length."""
    assert isinstance(a.type, List)
    inner = AdjointEmit()
    left, right = Parameter("left", a.type), Parameter("right", b.type)
    index, total = Parameter("index", INT64), Parameter("total", a.type)
    value = add_tangents(inner, inner.op("list_get", left, index), inner.op("list_get", right, index))
    result = inner.tuple([inner.op("list_push", total, inner.conform(value, a.type.element))])
    body = inner.function("add_lists", (left, right, index, total), result)
    length = emit.op("list_length", a)
    start = emit.op("list_new", length, element=a.type.element)
    return emit.item(emit.op("for_loop", length, emit.closure(body, (a, b)), start), 0)


def add_tangents(emit: AdjointEmit, a: Node, b: Node) -> Node:
    """Sum of two whole tangents of one type."""
    if isinstance(a.type, Tuple):
        return emit.tuple(add_tangents(emit, x, y) for x, y in zip(emit.items(a), emit.items(b), strict=True))
    if isinstance(a.type, List):
        return add_lists(emit, a, b)
    return add_arrays(emit, a, b)


_UPDATES = ("update_index", "update_slice", "scatter")


def is_zero(node: Node) -> bool:
    if isinstance(node, Constant):
        return node.value == 0
    return isinstance(node, Apply) and node.op.name == "broadcast_to" and is_zero(node.inputs[0])


def add_arrays(emit: AdjointEmit, a: Node, b: Node) -> Node:
    """a + b; where one is zero but for some places, those places of the other are increased instead, which a loop that
    accumulates can do in place."""
    if is_zero(a) or is_zero(b):
        return b if is_zero(a) else a
    for base, sparse in ((a, b), (b, a)):
        updates = _updates_of_zero(sparse)
        for update in updates:
            attributes = {**dict(update.attributes), "accumulate": True}
            base = emit.apply(update.op, base, *update.inputs[1:], **attributes)
        if updates:
            return base
    return emit.op("add", a, b)


def _updates_of_zero(node: Node) -> list[Apply]:
    """The chain of updates, innermost first, that made `node` from zeros; empty where there is none."""
    chain: list[Apply] = []
    while isinstance(node, Apply) and node.op.name in _UPDATES:
        chain.append(node)
        node = node.inputs[0]
    if not chain or not is_zero(node):
        return []
    chain.reverse()
    adds = all(x["accumulate"] for x in chain[1:])
    return chain if adds and (chain[0]["accumulate"] or chain[0].op.name != "scatter") else []


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
