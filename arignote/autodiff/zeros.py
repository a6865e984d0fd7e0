"""Zero tangents, and how to tell them. The zero of a union's tangent is null: it costs nothing and needs no value."""

from __future__ import annotations

from weakref import WeakSet

from arignote.autodiff.activity import differentiable
from arignote.autodiff.emit import AdjointEmit, function_of
from arignote.ir.graph import Apply, Constant, Function, Node, Parameter
from arignote.ir.types import INT64, Array, Closure, List, Scalar, Tuple, Type, Union, tangent_type


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
        return emit.tuple(zero_tangent(emit, part) for part in emit.captures(value))
    if isinstance(type_, List):
        return _zero_list(emit, value)
    if isinstance(type_, Union):
        return null(emit, type_)
    return emit.zeros_like(value)


def null(emit: AdjointEmit, type_: Union) -> Node:
    """The zero of the tangents of a union."""
    return emit.op("inject", emit.unit(), type=tangent_type(type_), alternative=0)


def static_zero(emit: AdjointEmit, type_: Type) -> Node:
    """The zero of the tangent type of a type whose shapes are known."""
    if isinstance(type_, Tuple):
        return emit.tuple(static_zero(emit, t) for t in type_.items)
    if isinstance(type_, Closure):
        return emit.tuple(static_zero(emit, t) for t in type_.capture_types)
    if not differentiable(type_):
        return emit.unit()
    if isinstance(type_, Union):
        return null(emit, type_)
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
    _zero_lists.add(body)
    start = emit.op("list_new", length, element=element)
    return emit.item(emit.op("for_loop", length, emit.closure(body, captured), start), 0)


def is_zero(node: Node) -> bool:
    """Whether a scalar, an array or a union is known to be zero."""
    if isinstance(node, Constant):
        return node.value == 0
    if not isinstance(node, Apply):
        return False
    if node.op.name == "inject":
        return node["alternative"] == 0 and node.type.definition.primal is not None  # type: ignore[attr-defined]
    return node.op.name == "broadcast_to" and is_zero(node.inputs[0])


# What zeros are made of.
_MAKES_ZERO = frozenset(("broadcast_to", "tuple", "inject", "list_new", "for_loop", "closure"))


def leaves_of(zero: Node) -> list[Node]:
    """What must be passed into a function that builds this zero: sizes, and lists whose elements have sizes."""
    found: dict[Node, None] = {}
    stack = [zero]
    while stack:
        node = stack.pop()
        if isinstance(node, Apply) and (node.op.name in _MAKES_ZERO or _is_zero_list(node)):
            stack.extend(reversed(node.inputs))
        elif not isinstance(node, Constant):
            found[node] = None
    return list(found)


_zero_lists: WeakSet[Function] = WeakSet()
"""The bodies of loops that build lists of zeros: a list of zeros is told by it from a list that the program makes."""


def _is_zero_list(node: Apply) -> bool:
    below = node.inputs[0] if node.op.name == "item" else None
    return isinstance(below, Apply) and below.op.name == "for_loop" and function_of(below.inputs[1]) in _zero_lists
