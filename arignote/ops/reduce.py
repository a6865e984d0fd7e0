"""Reductions and scans. The dtype of the result is the operand's: the front end casts first where NumPy widens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.ir.graph import Apply, Constant, Node, Operation, TypeRuleError
from arignote.ir.sizes import sizes
from arignote.ir.structure import ANY
from arignote.ir.types import Array, Type, dims_of, dtype_of, shaped
from arignote.ops.batching import Stacked, shifted
from arignote.ops.derivative import Derivative, Linear, Rules, Zero
from arignote.ops.shape import array_type, check_axes, contradict, without

if TYPE_CHECKING:
    from arignote.ops.emit import Emit

Cotangents = list[Node | None]


def _reduce_rule(inputs: tuple[Node, ...], axes: tuple[int, ...]) -> Type:
    type_ = array_type(inputs[0])
    check_axes(axes, type_.rank)
    return shaped(type_.dtype, without(type_.dims, axes))


def _number_rule(inputs: tuple[Node, ...], axes: tuple[int, ...]) -> Type:
    if dtype_of(inputs[0].type) == "bool":
        raise TypeRuleError("expected numbers, got bool")
    return _reduce_rule(inputs, axes)


def _order_rule(inputs: tuple[Node, ...], axes: tuple[int, ...]) -> Type:
    result = _reduce_rule(inputs, axes)
    if _is_vain(inputs[0], axes):
        raise TypeRuleError("zero-size array to reduction operation which has no identity", shape=True)
    return result


def _is_vain(x: Node, axes: tuple[int, ...]) -> bool:
    """Whether nothing is reduced to something, by known sizes alone."""
    dims = dims_of(x.type)
    return any(dims[a] == 0 for a in axes) and all(d > 0 for d in without(dims, axes))


def _truth_rule(inputs: tuple[Node, ...], axes: tuple[int, ...]) -> Type:
    if dtype_of(inputs[0].type) != "bool":
        raise TypeRuleError(f"expected truth values, got {inputs[0].type!r}")
    return _reduce_rule(inputs, axes)


def _position_rule(inputs: tuple[Node, ...], axis: int) -> Type:
    return shaped("int64", dims_of(_reduce_rule(inputs, (axis,))))


def _may_be_empty(node: Apply) -> bool:
    dims = dims_of(node.inputs[0].type)
    axes = node["axes"] if any(key == "axes" for key, _ in node.attributes) else (node["axis"],)
    return not all(dims[axis] > 0 for axis in axes)


def spread(emit: Emit, x: Node, axes: tuple[int, ...]) -> Node:
    """A reduced value with its reduced axes back, of size 1, so that it broadcasts against the operand."""
    return emit.op("expand_dims", x, axes=axes) if axes and dims_of(x.type) else x


def _sum_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    return [emit.broadcast_like(spread(emit, cotangent, node["axes"]), node.inputs[0])]


# max, min: even shares over ties -----------------------------------------------------------------------------------


def _winners(emit: Emit, node: Apply) -> tuple[Node, Node]:
    """Which elements equal the result, and how many of them there are per result."""
    x = node.inputs[0]
    mask = emit.op("equal", x, spread(emit, node, node["axes"]))
    return mask, emit.op("sum", emit.cast(mask, dtype_of(x.type)), axes=node["axes"])


def _extremum_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    mask, count = _winners(emit, node)
    share = spread(emit, emit.op("divide", cotangent, count), node["axes"])
    return [emit.op("select", mask, share, emit.constant(0, dtype_of(node.type)))]


def _extremum_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    tangent = tangents[0]
    if tangent is None:
        return None
    mask, count = _winners(emit, node)
    chosen = emit.op("select", mask, tangent, emit.constant(0, dtype_of(node.type)))
    one = emit.constant(1, dtype_of(node.type))  # nothing equals NaN
    return emit.op("divide", emit.op("sum", chosen, axes=node["axes"]), emit.op("maximum", count, one))


# prod, cumsum, recurrence ------------------------------------------------------------------------------------------


def shift(emit: Emit, x: Node, axis: int, reverse: bool, fill: float = 0.0) -> Node:
    """x moved one place along the axis (towards its start if reverse), with `fill` in the place that became free."""
    known = dims_of(x.type)[axis]
    if known >= 0:
        count: Node = emit.integer(max(known - 1, 0))
    else:
        count = emit.op("maximum", emit.op("subtract", emit.size(x, axis), emit.integer(1)), emit.integer(0))
    dims = list(dims_of(x.type))
    dims[axis] = max(known - 1, 0) if known >= 0 else ANY
    zero, one = emit.integer(0), emit.integer(1)
    source, target = (one, zero) if reverse else (zero, one)
    kept = emit.op("slice", x, source, count, one, axes=(axis,), dims=tuple(dims))
    return emit.op("update_slice", emit.full_like(x, fill), kept, target, count, one, axes=(axis,), accumulate=False)


def _along(emit: Emit, x: Node, axis: int) -> Node:
    """0, 1, 2 ... along an axis of x, shaped to broadcast against it."""
    dims = dims_of(x.type)
    numbers = emit.op("iota", emit.size(x, axis), dtype="int64", dim=dims[axis])
    others = tuple(a for a in range(len(dims)) if a != axis)
    return emit.op("expand_dims", numbers, axes=others) if others else numbers


def _product_of_others(emit: Emit, x: Node, axis: int) -> Node:
    """For each element, the product of all the others along the axis; a quotient would be wrong at zeros."""
    dtype = dtype_of(x.type)
    place = _along(emit, x, axis)
    last = emit.op("subtract", emit.size(x, axis), emit.integer(1))
    sides = []
    for reverse, edge in ((False, emit.integer(0)), (True, last)):
        start = emit.broadcast_like(emit.cast(emit.op("equal", place, edge), dtype), x)
        sides.append(emit.op("recurrence", shift(emit, x, axis, reverse), start, axis=axis, reverse=reverse))
    return emit.op("multiply", *sides)


def _prod_partials(emit: Emit, node: Apply) -> Node:
    """d prod / d x, of x's shape. Several axes are made one first."""
    x, axes = node.inputs[0], node["axes"]
    if len(axes) == 1:
        return _product_of_others(emit, x, axes[0])
    dims = dims_of(x.type)
    if not axes:
        return emit.full_like(x, 1)
    permutation = (*(a for a in range(len(dims)) if a not in axes), *axes)
    moved = emit.op("transpose", x, permutation=permutation)
    kept = len(dims) - len(axes)
    shape = emit.sizes(moved)
    total = shape[kept]
    for count in shape[kept + 1 :]:
        both = isinstance(total, Constant) and isinstance(count, Constant)
        total = emit.integer(total.value * count.value) if both else emit.op("multiply", total, count)  # type: ignore[attr-defined]
    joined_dim = int(total.value) if isinstance(total, Constant) else ANY
    flat = emit.op("reshape", moved, *shape[:kept], total, dims=(*dims_of(moved.type)[:kept], joined_dim))
    partials = _product_of_others(emit, flat, kept)
    back = emit.op("reshape", partials, *shape, dims=dims_of(moved.type))
    return emit.op("transpose", back, permutation=tuple(int(a) for a in np.argsort(permutation)))


def _prod_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    return [emit.op("multiply", spread(emit, cotangent, node["axes"]), _prod_partials(emit, node))]


def _prod_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    if tangents[0] is None:
        return None
    return emit.op("sum", emit.op("multiply", tangents[0], _prod_partials(emit, node)), axes=node["axes"])


def _cumsum_rule(inputs: tuple[Node, ...], axis: int, reverse: bool) -> Type:
    type_ = array_type(inputs[0])
    check_axes((axis,), type_.rank)
    if type_.dtype == "bool":
        raise TypeRuleError("expected numbers, got bool")
    return type_


def _cumsum_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    return [emit.op("cumsum", cotangent, axis=node["axis"], reverse=not node["reverse"])]


def _flipped(x: Any, axis: int, reverse: bool) -> Any:
    return np.flip(x, axis) if reverse else x


def _cumsum(x: Any, axis: int, reverse: bool) -> Any:
    return _flipped(np.cumsum(_flipped(x, axis, reverse), axis, dtype=x.dtype), axis, reverse)


def _recurrence_rule(inputs: tuple[Node, ...], axis: int, reverse: bool) -> Type:
    a, b = map(array_type, inputs)
    if a.dtype != b.dtype or a.dtype == "bool" or a.rank != b.rank or any(map(contradict, a.dims, b.dims)):
        raise TypeRuleError(f"expected numbers of one shape, got {a!r} and {b!r}", shape=a.dtype == b.dtype != "bool")
    check_axes((axis,), a.rank)
    return b


def _recurrence_fails(node: Apply) -> bool:
    return sizes(node.inputs[0]) != sizes(node.inputs[1])


def _recurrence(a: Any, b: Any, axis: int, reverse: bool) -> Any:
    if a.shape != b.shape:
        raise ValueError(f"operands could not be broadcast together with shapes {a.shape} {b.shape}")
    source, weights = (np.moveaxis(_flipped(x, axis, reverse), axis, 0) for x in (b, a))
    result = source.copy()
    with np.errstate(all="ignore"):
        for i in range(1, len(result)):
            result[i] = weights[i] * result[i - 1] + source[i]
    return _flipped(np.moveaxis(result, 0, axis), axis, reverse)


def _recurrence_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    axis, reverse = node["axis"], node["reverse"]
    following = shift(emit, node.inputs[0], axis, not reverse)
    adjoint = emit.op("recurrence", following, cotangent, axis=axis, reverse=not reverse)
    return [emit.op("multiply", adjoint, shift(emit, node, axis, reverse)), adjoint]


def _recurrence_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    axis, reverse = node["axis"], node["reverse"]
    of_a, of_b = tangents
    source = of_b
    if of_a is not None:
        source = emit.op("multiply", of_a, shift(emit, node, axis, reverse))
        source = source if of_b is None else emit.op("add", source, of_b)
    return None if source is None else emit.op("recurrence", node.inputs[0], source, axis=axis, reverse=reverse)


# sort --------------------------------------------------------------------------------------------------------------


def _sort_rule(inputs: tuple[Node, ...], axis: int, stable: bool) -> Type:
    type_ = array_type(inputs[0])
    check_axes((axis,), type_.rank)
    return type_


def _argsort_rule(inputs: tuple[Node, ...], axis: int, stable: bool) -> Type:
    return Array("int64", dims_of(_sort_rule(inputs, axis, stable)))


def _order(emit: Emit, node: Apply) -> list[Node]:
    """Index arrays, one per axis, such that gathering x by them sorts it."""
    x, axis = node.inputs[0], node["axis"]
    order = emit.op("argsort", x, axis=axis, stable=node["stable"])
    return [order if a == axis else _along(emit, x, a) for a in range(len(dims_of(x.type)))]


def _sort_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    zeros = emit.zeros_like(node.inputs[0])
    return [emit.op("scatter", zeros, cotangent, *_order(emit, node), axis=0, accumulate=True)]


def _sort_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    return None if tangents[0] is None else emit.op("gather", tangents[0], *_order(emit, node), axis=0)


def _reduction(name: str, rule: Callable[..., Type], function: Callable[..., Any], derivative: Derivative,
               can_fail: Callable[[Apply], bool] = lambda node: False) -> Operation:  # fmt: skip
    def reference(x: Any, axes: tuple[int, ...]) -> Any:
        keywords = {"dtype": x.dtype} if name in ("sum", "prod") else {}
        with np.errstate(all="ignore"):
            return function(x, axis=axes, **keywords)[()]

    return Operation(name, rule, reference, derivative, can_fail, batching=Stacked(shifted("axes")))


def _position(name: str, function: Callable[..., Any]) -> Operation:
    return Operation(name, _position_rule, lambda x, axis: function(x, axis=axis), Zero(), _may_be_empty,
                     batching=ALONG)  # fmt: skip


ALONG = Stacked(shifted("axis"))

_extremum = Rules(_extremum_jvp, _extremum_vjp)

FAMILY = (
    # sum prod max min any all (x; axes): `axes` ascending, removed. max and min fail where they reduce nothing.
    _reduction("sum", _number_rule, np.sum, Linear(_sum_vjp)),
    _reduction("prod", _number_rule, np.prod, Rules(_prod_jvp, _prod_vjp)),
    _reduction("max", _order_rule, np.max, _extremum, _may_be_empty),
    _reduction("min", _order_rule, np.min, _extremum, _may_be_empty),
    _reduction("any", _truth_rule, np.any, Zero()),
    _reduction("all", _truth_rule, np.all, Zero()),
    # argmax argmin (x; axis): the first position of the extremum (of NaN if there is one); fail on an empty axis.
    _position("argmax", np.argmax),
    _position("argmin", np.argmin),
    # cumsum(x; axis, reverse): running sums, from the end of the axis if reverse.
    Operation("cumsum", _cumsum_rule, _cumsum, Linear(_cumsum_vjp), batching=ALONG),
    # recurrence(a, b; axis, reverse): y_0 = b_0, y_i = a_i y_(i-1) + b_i along the axis (from its end if reverse).
    # The first a is not read. Running products and their derivatives are made of it.
    Operation("recurrence", _recurrence_rule, _recurrence, Rules(_recurrence_jvp, _recurrence_vjp), _recurrence_fails,
              batching=ALONG),
    # sort(x; axis, stable), argsort(x; axis, stable): NaN last. Equal elements keep their order if stable, else they
    # have the one that NumPy's quicksort gives them.
    Operation("sort", _sort_rule, lambda x, axis, stable: np.sort(x, axis, stable=stable or None),
              Rules(_sort_jvp, _sort_vjp), batching=ALONG),
    Operation("argsort", _argsort_rule, lambda x, axis, stable: np.argsort(x, axis, stable=stable or None), Zero(),
              batching=ALONG),
)
