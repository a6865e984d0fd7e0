"""Reading and replacing parts of arrays. Arrays are values: an update gives a new array, in place when nobody else
holds the old one. Starts, counts, steps and indices are int64 operands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.ir.graph import Apply, Constant, Node, Operation, TypeRuleError
from arignote.ir.sizes import Size, as_size, sizes
from arignote.ir.structure import ANY
from arignote.ir.types import Array, Tuple, Type, dims_of, dtype_of, shaped
from arignote.ops import batching_index as batched
from arignote.ops.batching import PerElement, Stacked
from arignote.ops.derivative import Linear, Zero
from arignote.ops.elementwise import broadcast_dims, may_mismatch
from arignote.ops.shape import array_type, check_axes, check_integers, contradict, show_shape, without

if TYPE_CHECKING:
    from arignote.ops.emit import Emit

Cotangents = list[Node | None]


def check_value(value: Node, x: Node, dims: Sequence[int]) -> None:
    """The replacement has the shape of the part and the dtype of the array."""
    given = dims_of(value.type)
    if dtype_of(value.type) != dtype_of(x.type):
        raise TypeRuleError(f"cannot put {value.type!r} into {x.type!r}")
    if len(given) != len(dims) or any(map(contradict, given, dims)):
        message = f"could not broadcast input array from shape {show_shape(given)} into shape {show_shape(dims)}"
        raise TypeRuleError(message, shape=True)


def _dims_after_update(x: Node) -> Type:
    return array_type(x)


# slice -------------------------------------------------------------------------------------------------------------


def _check_triples(x: Node, triples: Sequence[Node], axes: tuple[int, ...]) -> None:
    check_axes(axes, array_type(x).rank)
    check_integers(triples, "a slice bound")
    if len(triples) != 3 * len(axes):
        raise TypeRuleError(f"{len(triples)} slice bounds for {len(axes)} axes")


def _slice_rule(inputs: tuple[Node, ...], axes: tuple[int, ...], dims: tuple[int, ...]) -> Type:
    x = inputs[0]
    _check_triples(x, inputs[1:], axes)
    if len(dims) != array_type(x).rank:
        raise TypeRuleError(f"dims of rank {len(dims)} for a slice of {x.type!r}")
    return Array(dtype_of(x.type), dims)


def _update_slice_rule(inputs: tuple[Node, ...], axes: tuple[int, ...], accumulate: bool) -> Type:
    x, value = inputs[:2]
    _check_triples(x, inputs[2:], axes)
    region = list(array_type(x).dims)
    for position, axis in enumerate(axes):
        count = inputs[3 + 3 * position]
        region[axis] = int(count.value) if isinstance(count, Constant) else ANY
    check_value(value, x, region)
    return _dims_after_update(x)


def _region(shape: tuple[int, ...], triples: Sequence[int], axes: tuple[int, ...]) -> tuple[Any, ...]:
    """The key that selects the region, by explicit positions, so that negative steps need no special case."""
    positions = [np.arange(size) for size in shape]
    for axis, start, count, step in zip(axes, triples[::3], triples[1::3], triples[2::3]):
        positions[axis] = start + np.arange(max(count, 0)) * step
    return np.ix_(*positions)


def _slice(x: Any, *triples: int, axes: tuple[int, ...], dims: tuple[int, ...]) -> Any:
    return x[_region(x.shape, triples, axes)]


def _updated(x: Any, key: tuple[Any, ...], value: Any, accumulate: bool) -> Any:
    result = x.copy()
    if accumulate:
        np.add.at(result, key, value)
    else:
        result[key] = value
    return result


def _update_slice(x: Any, value: Any, *triples: int, axes: tuple[int, ...], accumulate: bool) -> Any:
    return _updated(x, _region(x.shape, triples, axes), value, accumulate)


def _none(nodes: Sequence[Node]) -> Cotangents:
    return [None] * len(nodes)


def _slice_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    x, *triples = node.inputs
    zeros = emit.zeros_like(x)
    return [emit.op("update_slice", zeros, cotangent, *triples, axes=node["axes"], accumulate=True), *_none(triples)]


def _update_slice_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    _, value, *triples = node.inputs
    of_x = cotangent
    if not node["accumulate"]:
        zeros = emit.zeros_like(value)
        of_x = emit.op("update_slice", cotangent, zeros, *triples, axes=node["axes"], accumulate=False)
    of_value = emit.op("slice", cotangent, *triples, axes=node["axes"], dims=dims_of(value.type))
    return [of_x, of_value, *_none(triples)]


# index -------------------------------------------------------------------------------------------------------------


def _index_rule(inputs: tuple[Node, ...], axes: tuple[int, ...]) -> Type:
    dims = array_type(inputs[0]).dims
    check_axes(axes, len(dims))
    check_integers(inputs[1:], "an index")
    if len(inputs) - 1 != len(axes):
        raise TypeRuleError(f"{len(inputs) - 1} indices for {len(axes)} axes")
    return shaped(dtype_of(inputs[0].type), without(dims, axes))


def _update_index_rule(inputs: tuple[Node, ...], axes: tuple[int, ...], accumulate: bool) -> Type:
    x, value, *i = inputs
    check_value(value, x, dims_of(_index_rule((x, *i), axes)))
    return _dims_after_update(x)


def _point(x: Any, i: Sequence[int], axes: tuple[int, ...]) -> tuple[Any, ...]:
    key: list[Any] = [slice(None)] * x.ndim
    for axis, index in zip(axes, i):
        key[axis] = index
    return tuple(key)


def _index(x: Any, *i: int, axes: tuple[int, ...]) -> Any:
    return x[_point(x, i, axes)]


def _update_index(x: Any, value: Any, *i: int, axes: tuple[int, ...], accumulate: bool) -> Any:
    result, key = x.copy(), _point(x, i, axes)
    result[key] = result[key] + value if accumulate else value
    return result


def _index_fails(node: Apply) -> bool:
    shape = sizes(node.inputs[0])
    given = node.inputs[len(node.inputs) - len(node["axes"]) :]
    return not all(in_range(i, shape[axis]) for axis, i in zip(node["axes"], given))


_SAME_VALUES = frozenset({"expand_dims", "broadcast_to", "reshape", "transpose", "squeeze"})


def in_range(i: Node, size: Size) -> bool:
    """Whether an index, or every element of an index array, is known to be in bounds for an axis of this size."""
    while isinstance(i, Apply) and i.op.name in _SAME_VALUES:
        i = i.inputs[0]
    if isinstance(i, Constant):
        return isinstance(size, int) and -size <= i.value < size
    if not isinstance(i, Apply):
        return False
    if i.op.name == "iota":
        return as_size(i.inputs[0]) == size
    if i.op.name in ("argsort", "argmax", "argmin"):
        return sizes(i.inputs[0])[i["axis"]] == size
    return _is_nonzero(i) and sizes(i.inputs[0].inputs[0])[i["index"]] == size  # type: ignore[attr-defined]


def _is_nonzero(i: Node) -> bool:
    if not (isinstance(i, Apply) and i.op.name == "item"):
        return False
    source = i.inputs[0]
    return isinstance(source, Apply) and source.op.name == "nonzero"


def _index_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    x, *i = node.inputs
    zeros = emit.zeros_like(x)
    return [emit.op("update_index", zeros, cotangent, *i, axes=node["axes"], accumulate=True), *_none(i)]


def _update_index_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    _, value, *i = node.inputs
    of_x = cotangent
    if not node["accumulate"]:
        zeros = emit.zeros_like(value)
        of_x = emit.op("update_index", cotangent, zeros, *i, axes=node["axes"], accumulate=False)
    return [of_x, emit.op("index", cotangent, *i, axes=node["axes"]), *_none(i)]


# gather ------------------------------------------------------------------------------------------------------------


def _gather_rule(inputs: tuple[Node, ...], axis: int) -> Type:
    x, *i = inputs
    dims = array_type(x).dims
    check_axes(tuple(range(axis, axis + len(i))), len(dims))
    if any(dtype_of(a.type) != "int64" for a in i):
        raise TypeRuleError("arrays used as indices must be of integer (or boolean) type")
    if len({len(dims_of(a.type)) for a in i}) != 1 or not dims_of(i[0].type):
        raise TypeRuleError(f"index arrays of different ranks: {', '.join(repr(a.type) for a in i)}")
    try:
        picked = broadcast_dims(tuple(i))
    except TypeRuleError:
        shapes = " ".join(show_shape(dims_of(a.type)) for a in i)
        message = f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes}"
        raise TypeRuleError(message, shape=True) from None
    return Array(dtype_of(x.type), [*dims[:axis], *picked, *dims[axis + len(i) :]])


def _scatter_rule(inputs: tuple[Node, ...], axis: int, accumulate: bool, ordered: bool = True) -> Type:
    x, value, *i = inputs
    check_value(value, x, dims_of(_gather_rule((x, *i), axis)))
    return _dims_after_update(x)


def _gather_key(i: Sequence[Any], axis: int) -> tuple[Any, ...]:
    return (*[slice(None)] * axis, *i)


def _gather(x: Any, *i: Any, axis: int) -> Any:
    return x[_gather_key(i, axis)]


def _scatter(x: Any, value: Any, *i: Any, axis: int, accumulate: bool, ordered: bool = True) -> Any:
    return _updated(x, _gather_key(i, axis), value, accumulate)


def _indices_fail(i: Sequence[Node], shape: Sequence[Size], axis: int, node: Apply) -> bool:
    if len(i) > 1 and may_mismatch(Pseudo(tuple(i))):  # type: ignore[arg-type]
        return True
    return not all(in_range(a, shape[axis + position]) for position, a in enumerate(i))


class Pseudo:
    """Operands whose broadcasting is asked about."""

    __slots__ = ("inputs",)

    def __init__(self, inputs: tuple[Node, ...]) -> None:
        self.inputs = inputs


def _gather_fails(node: Apply) -> bool:
    return _indices_fail(node.inputs[1:], sizes(node.inputs[0]), node["axis"], node)


def _scatter_fails(node: Apply) -> bool:
    return _indices_fail(node.inputs[2:], sizes(node.inputs[0]), node["axis"], node)


def _gather_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    x, *i = node.inputs
    zeros = emit.zeros_like(x)
    of_x = emit.op("scatter", zeros, cotangent, *i, axis=node["axis"], accumulate=True, ordered=False)
    return [of_x, *_none(i)]


def _scatter_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    _, value, *i = node.inputs
    axis = node["axis"]
    of_value: Node = emit.op("gather", cotangent, *i, axis=axis)
    if node["accumulate"]:
        return [cotangent, of_value, *_none(i)]
    of_x = emit.op("scatter", cotangent, emit.zeros_like(value), *i, axis=axis, accumulate=False)
    if not _known_unique(i):
        of_value = emit.op("select", _winners(emit, node), of_value, emit.constant(0, dtype_of(value.type)))
    return [of_x, of_value, *_none(i)]


def _known_unique(i: Sequence[Node]) -> bool:
    """Whether no position is written twice: index arrays made by `nonzero`, or one that is a permutation."""
    if all(map(_is_nonzero, i)):
        source = i[0].inputs[0]  # type: ignore[attr-defined]
        axes = {a["index"] for a in i if a.inputs[0] is source}  # type: ignore[attr-defined, index]
        return len(axes) == len(i) == len(source.type.items)
    only = i[0]
    is_row = len(i) == 1 and len(dims_of(only.type)) == 1
    return is_row and isinstance(only, Apply) and only.op.name in ("iota", "argsort")


def _winners(emit: Emit, node: Apply) -> Node:
    """Where an element of `value` survives: with repeated indices the last one wins, found by scattering numbers."""
    x, value, *i = node.inputs
    counts = emit.sizes(value)
    total: Node = emit.integer(1)
    for count in counts:
        total = emit.op("multiply", total, count)
    numbers = emit.op("iota", total, dtype="int64", dim=ANY)
    numbers = emit.op("reshape", numbers, *counts, dims=dims_of(value.type))
    board = emit.broadcast_like(emit.integer(0), x)
    board = emit.op("scatter", board, numbers, *i, axis=node["axis"], accumulate=False)
    return emit.op("equal", emit.op("gather", board, *i, axis=node["axis"]), numbers)


# iota, nonzero -----------------------------------------------------------------------------------------------------


def _iota_rule(inputs: tuple[Node, ...], dtype: str, dim: int) -> Type:
    check_integers(inputs, "a count")
    return Array(dtype, (dim,))


def _nonzero_rule(inputs: tuple[Node, ...]) -> Type:
    type_ = array_type(inputs[0])
    if type_.dtype != "bool":
        raise TypeRuleError(f"expected truth values, got {type_!r}")
    return Tuple([Array("int64", (ANY,))] * type_.rank)


slice_ = Operation("slice", _slice_rule, _slice, Linear(_slice_vjp, (0,)),
                   batching=Stacked(batched.slice_))  # fmt: skip
"""slice(x, start_0, count_0, step_0, ...; axes, dims): element j along a sliced axis is start + j * step. The bounds
are in range: the front end clamps them, as Python does."""

update_slice = Operation("update_slice", _update_slice_rule, _update_slice, Linear(_update_slice_vjp, (0, 1)),
                         batching=Stacked(batched.update_slice))  # fmt: skip
"""update_slice(x, value, start_0, count_0, step_0, ...; axes, accumulate): x with the region replaced by (or increased
by) `value`, whose shape is the region's."""

index = Operation("index", _index_rule, _index, Linear(_index_vjp, (0,)), can_fail=_index_fails,
                  batching=Stacked(batched.index))  # fmt: skip
"""index(x, *i; axes): one position along each of `axes`, which are removed; negative from the end."""

update_index = Operation("update_index", _update_index_rule, _update_index, Linear(_update_index_vjp, (0, 1)),
                         can_fail=_index_fails, batching=Stacked(batched.update_index))  # fmt: skip
"""update_index(x, value, *i; axes, accumulate): x with what `index` gives replaced by (or increased by) `value`."""

gather = Operation("gather", _gather_rule, _gather, Linear(_gather_vjp, (0,)), can_fail=_gather_fails,
                   batching=Stacked(batched.gather))  # fmt: skip
"""gather(x, *i; axis): int64 arrays of one rank, broadcast together, index axis, axis + 1, ...; their dimensions stand
in the result where those axes stood."""

scatter = Operation("scatter", _scatter_rule, _scatter, Linear(_scatter_vjp, (0, 1)), can_fail=_scatter_fails,
                    batching=Stacked(batched.scatter))  # fmt: skip
"""scatter(x, value, *i; axis, accumulate, ordered): x with what `gather` would give replaced by `value` (of repeated
indices the last in C order wins) or increased by it (all add: in C order, as NumPy does, unless `ordered` is false)."""

iota = Operation("iota", _iota_rule, lambda count, dtype, dim: np.arange(max(int(count), 0), dtype=dtype), Zero(),
                 batching=Stacked(batched.iota))  # fmt: skip
"""iota(count; dtype, dim): 0, 1 ... count - 1; empty where count <= 0; `dim` is what is known of the size."""

nonzero = Operation("nonzero", _nonzero_rule, lambda mask: np.nonzero(mask), Zero(),
                    batching=PerElement("the lengths of its results differ from element to element"))  # fmt: skip
"""nonzero(mask): the positions of true elements in C order, as one int64 array per axis, all of one run-time length."""

FAMILY = (slice_, update_slice, index, update_index, gather, scatter, iota, nonzero)
