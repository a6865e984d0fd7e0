"""Joining, splitting, repeating, picking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import Dtype, Known, Refused, Values, numpy_function
from arignote.frontend.numpy_create import filled
from arignote.frontend.numpy_operand import (
    as_node,
    as_size,
    cast,
    check_nonnegative,
    expand_to_rank,
    normal_axis,
    promote,
    rank_of,
    refuse,
    refuse_shape,
    sequence_items,
)
from arignote.frontend.numpy_reduce import along, flat, part
from arignote.frontend.numpy_shape import reshaped, to_rank
from arignote.frontend.numpy_slice import wrapped_bound
from arignote.frontend.values import ArrayValue, Value, is_number
from arignote.ir.graph import Constant, Node
from arignote.ir.types import Scalar, dims_of, dtype_of, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context


# Joining -----------------------------------------------------------------------------------------------------------


def alike(c: Context, values: Sequence[Value], dtype: str | None) -> list[Node]:
    """The arrays in the dtype that holds them all."""
    if not values:
        refuse(c, "need at least one array to concatenate")
    nodes = [as_node(c, value) for value in values]
    common = dtype or promote([dtype_of(node.type) for node in nodes])
    return [cast(c, node, common) for node in nodes]


def joined(c: Context, nodes: Sequence[Node], axis: int) -> Node:
    if any(not rank_of(node) for node in nodes):
        refuse_shape(c, "zero-dimensional arrays cannot be concatenated")
    axis = normal_axis(c, axis, rank_of(nodes[0]))
    return nodes[0] if len(nodes) == 1 else c.emit("concatenate", *nodes, axis=axis)


@numpy_function("concatenate", "concat")
def concatenate(c: Context, arrays: Values, /, axis: Known = 0, out: Refused = None, *, dtype: Dtype = None,
                casting: Refused = "same_kind") -> Node:  # fmt: skip
    nodes = alike(c, arrays, dtype)
    if axis is None:
        return joined(c, [flat(c, node) for node in nodes], 0)
    return joined(c, nodes, axis)


@numpy_function("stack")
def stack(c: Context, arrays: Values, axis: Known = 0, out: Refused = None, *, dtype: Dtype = None,
          casting: Refused = "same_kind") -> Node:  # fmt: skip
    nodes = alike(c, arrays, dtype)
    rank = rank_of(nodes[0])
    if any(rank_of(node) != rank for node in nodes):
        refuse_shape(c, "all input arrays must have the same shape")
    place = normal_axis(c, axis, rank + 1)
    _check_same_shape(c, nodes)
    return joined(c, [c.emit("expand_dims", node, axes=(place,)) for node in nodes], place)


def _check_same_shape(c: Context, nodes: Sequence[Node]) -> None:
    """NumPy's own words where shapes known now differ; otherwise joining checks."""
    for node in nodes[1:]:
        for a, b in zip(dims_of(nodes[0].type), dims_of(node.type), strict=True):
            if a != b and ((a >= 0 and b >= 0) or 1 in (a, b)) and -2 not in (a, b):
                refuse_shape(c, "all input arrays must have the same shape")


def _stacker(name: str, rank: int, axis: int) -> None:
    @numpy_function(name)
    def stacker(c: Context, tup: Values, *, dtype: Dtype = None, casting: Refused = "same_kind") -> Node:
        nodes = [to_rank(c, node, rank) for node in alike(c, tup, dtype)]
        return joined(c, nodes, 0 if rank == 1 and rank_of(nodes[0]) == 1 else axis)


_stacker("vstack", 2, 0)
_stacker("hstack", 1, 1)
_stacker("dstack", 3, 2)


@numpy_function("column_stack")
def column_stack(c: Context, tup: Values) -> Node:
    columns = []
    for node in alike(c, tup, None):
        node = to_rank(c, node, 1)
        columns.append(c.emit("expand_dims", node, axes=(1,)) if rank_of(node) == 1 else node)
    return joined(c, columns, 1)


@numpy_function("append")
def append(c: Context, arr: Value, values: Value, axis: Known = None) -> Node:
    nodes = alike(c, [arr, values], None)
    if axis is None:
        return joined(c, [flat(c, node) for node in nodes], 0)
    return joined(c, nodes, axis)


# Splitting ---------------------------------------------------------------------------------------------------------


def pieces(c: Context, x: Node, sections: Value, axis: int, equal: bool) -> list[Node]:
    """The parts that np.split gives: so many, or cut at these places."""
    count = s.size(c, x, axis)
    items = sequence_items(sections)
    if items is None and isinstance(sections, ArrayValue):
        refuse(c, "np.split at places given as an array is not supported in compiled code", "give them as a list")
    if items is not None:
        return _cut(c, x, [as_size(c, item) for item in items], axis)
    number = c.static(sections)
    if number <= 0:
        refuse_shape(c, "number sections must be larger than 0.")
    small, longer = s.floor_divide(c, count, s.integer(number)), s.remainder(c, count, s.integer(number))
    if equal:
        uneven = s.compare(c, "not_equal", longer, s.ZERO)
        if isinstance(uneven, Constant) and uneven.value:
            refuse_shape(c, "array split does not result in an equal division")
        c.raise_if(uneven, ValueError, "array split does not result in an equal division")
        return [part(c, x, axis, s.multiply(c, s.integer(i), small), small) for i in range(number)]
    starts = [
        s.add(c, s.multiply(c, s.integer(i), small), s.minimum(c, s.integer(i), longer)) for i in range(number + 1)
    ]
    return [part(c, x, axis, a, s.subtract(c, b, a)) for a, b in zip(starts, starts[1:], strict=False)]


def _cut(c: Context, x: Node, places: list[Node], axis: int) -> list[Node]:
    """x[: p0], x[p0 : p1] ... x[pn :]; places count from the end where they are negative."""
    count = s.size(c, x, axis)
    bounds = [s.ZERO, *[_clamped(c, place, count) for place in places], count]
    result = []
    for start, stop in zip(bounds, bounds[1:], strict=False):
        result.append(part(c, x, axis, start, s.maximum(c, s.subtract(c, stop, start), s.ZERO)))
    return result


def _clamped(c: Context, place: Node, count: Node) -> Node:
    return wrapped_bound(c, place, count, s.ZERO, count)


@numpy_function("split", shares=True)
def split(c: Context, ary: Node, indices_or_sections: Value, axis: Known = 0) -> list[Node]:
    return pieces(c, ary, indices_or_sections, normal_axis(c, axis, rank_of(ary)), True)


@numpy_function("array_split", shares=True)
def array_split(c: Context, ary: Node, indices_or_sections: Value, axis: Known = 0) -> list[Node]:
    return pieces(c, ary, indices_or_sections, normal_axis(c, axis, rank_of(ary)), False)


def _splitter(name: str, least: int, axis: int) -> None:
    @numpy_function(name, shares=True)
    def splitter(c: Context, ary: Node, indices_or_sections: Value) -> list[Node]:
        if rank_of(ary) < least:
            refuse_shape(c, f"{name} only works on arrays of {least} or more dimensions")
        place = 0 if name == "hsplit" and rank_of(ary) == 1 else axis
        return pieces(c, ary, indices_or_sections, place, True)


_splitter("vsplit", 2, 0)
_splitter("hsplit", 1, 1)
_splitter("dsplit", 3, 2)


# Repeating ---------------------------------------------------------------------------------------------------------


@numpy_function("tile")
def tile(c: Context, A: Node, reps: Value) -> Node:
    """Each axis becomes (repetitions, size), which are then made one."""
    items = sequence_items(reps)
    counts = [as_size(c, item) for item in items] if items is not None else [as_size(c, reps)]
    x = expand_to_rank(c, A, len(counts))
    counts = [*[s.ONE] * (rank_of(x) - len(counts)), *counts]
    check_nonnegative(c, counts)
    if all(s.known(count) == 1 for count in counts):
        return x
    shape = s.shape(c, x)
    paired = [size for pair in zip(counts, shape, strict=True) for size in pair]
    x = c.emit("expand_dims", x, axes=tuple(range(0, 2 * len(counts), 2)))
    x = c.emit("broadcast_to", x, *paired, dims=s.dims(paired))
    return reshaped(c, x, [s.multiply(c, a, b) for a, b in zip(counts, shape, strict=True)])


@numpy_function("repeat", method="repeat")
def repeat(c: Context, a: Node, repeats: Value, axis: Known = None) -> Node:
    items = sequence_items(repeats)
    if items is None and isinstance(repeats, ArrayValue) and repeats.rank:
        refuse(c, "np.repeat with an array of counts is not supported in compiled code", "give one count for all")
    x = flat(c, a) if axis is None else a
    place = normal_axis(c, 0 if axis is None else axis, rank_of(x))
    if items is not None and len(items) > 1:
        parts = [_repeated(c, c.emit("slice", x, s.integer(i), s.ONE, s.ONE, axes=(place,), dims=_one(x, place)),
                           as_size(c, item), place) for i, item in enumerate(items)]  # fmt: skip
        _check_count(c, x, place, len(items))
        return joined(c, parts, place)
    return _repeated(c, x, as_size(c, items[0] if items else repeats), place)


def _one(x: Node, axis: int) -> tuple[int, ...]:
    dims = list(dims_of(x.type))
    dims[axis] = 1
    return tuple(dims)


def _check_count(c: Context, x: Node, axis: int, count: int) -> None:
    different = s.compare(c, "not_equal", s.size(c, x, axis), s.integer(count))
    if isinstance(different, Constant) and different.value:
        refuse_shape(c, "operands could not be broadcast together")
    c.raise_if(different, ValueError, "operands could not be broadcast together")


def _repeated(c: Context, x: Node, count: Node, axis: int) -> Node:
    check_nonnegative(c, [count])
    shape = s.shape(c, x)
    doubled = [*shape[: axis + 1], count, *shape[axis + 1 :]]
    spread = c.emit("expand_dims", x, axes=(axis + 1,))
    spread = c.emit("broadcast_to", spread, *doubled, dims=s.dims(doubled))
    return reshaped(c, spread, [*shape[:axis], s.multiply(c, shape[axis], count), *shape[axis + 1 :]])


# Picking -----------------------------------------------------------------------------------------------------------


@numpy_function("take", method="take")
def take(c: Context, a: Node, indices: Value, axis: Known = None, out: Refused = None, mode: Known = "raise") -> Node:
    x = flat(c, a) if axis is None else a
    place = normal_axis(c, 0 if axis is None else axis, rank_of(x))
    where = as_node(c, indices)
    if is_float(dtype_of(where.type)) or dtype_of(where.type) == "bool":
        refuse(c, f"np.take: indices must be integers, got {dtype_of(where.type)}")
    where = cast(c, where, "int64")
    count = s.size(c, x, place)
    if mode == "wrap":
        where = c.emit("remainder", where, count)
    elif mode == "clip":
        where = c.emit("minimum", c.emit("maximum", where, s.ZERO), s.subtract(c, count, s.ONE))
    if not rank_of(where):
        return c.emit("index", x, where, axes=(place,))
    return c.emit("gather", x, where, axis=place)


@numpy_function("take_along_axis")
def take_along_axis(c: Context, arr: Node, indices: Node, axis: Known = -1) -> Node:
    x = flat(c, arr) if axis is None else arr
    place = normal_axis(c, 0 if axis is None else axis, rank_of(x))
    where = cast(c, indices, "int64")
    if rank_of(where) != rank_of(x):
        refuse_shape(c, "`indices` and `arr` must have the same number of dimensions")
    places = [where if k == place else along(c, x, k) for k in range(rank_of(x))]
    return c.emit("gather", x, *places, axis=0)


@numpy_function("compress", "extract")
def compress(c: Context, condition: Value, a: Value, axis: Known = None, out: Refused = None) -> Any:
    refuse(c, "np.compress and np.extract are not supported in compiled code", "index with the mask: x[mask]")


# Padding -----------------------------------------------------------------------------------------------------------


@numpy_function("pad", rank0=True)
def pad(c: Context, array: Node, pad_width: Value, mode: Known = "constant", *, constant_values: Value = None) -> Node:  # type: ignore[assignment]
    if mode != "constant":
        refuse(c, f"np.pad with mode={mode!r} is not supported in compiled code", "only mode='constant' is")
    fill: Node = Constant(0, Scalar(dtype_of(array.type)))
    if constant_values is not None:
        if not is_number(constant_values):
            refuse(c, "np.pad with several constant_values is not supported in compiled code")
        fill = cast(c, as_node(c, constant_values), dtype_of(array.type))
    if not rank_of(array):
        return array
    widths = _pad_widths(c, pad_width, rank_of(array))
    shape = s.shape(c, array)
    sizes = [s.add(c, s.add(c, low, size), high) for (low, high), size in zip(widths, shape, strict=True)]
    board = filled(c, fill, sizes)
    bounds = [x for (low, _), size in zip(widths, shape, strict=True) for x in (low, size, s.ONE)]
    return c.emit("update_slice", board, array, *bounds, axes=tuple(range(len(shape))), accumulate=False)


def _pad_widths(c: Context, value: Value, rank: int) -> list[tuple[Node, Node]]:
    """(before, after) for each axis, from a number, a pair, or a pair for each axis."""
    items = sequence_items(value)
    if items is None:
        return [(as_size(c, value),) * 2] * rank
    rows = [sequence_items(item) for item in items]
    if all(row is None for row in rows):
        pair = [as_size(c, item) for item in items]
        return [(pair[0], pair[-1])] * rank
    pairs = [(as_size(c, row[0]), as_size(c, row[-1])) for row in rows if row]
    if len(pairs) == 1:
        pairs *= rank
    if len(pairs) != rank:
        refuse_shape(c, "operands could not be broadcast together with the number of axes")
    return pairs
