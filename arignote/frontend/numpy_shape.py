"""Rearranging one array: reshaping, permuting axes, broadcasting, sorting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import FUNCTIONS, METHODS, Known, Refused, numpy_function
from arignote.frontend.numpy_operand import (
    as_node,
    as_shape,
    as_size,
    cast,
    expand_to_rank,
    normal_axes,
    normal_axis,
    piece,
    promote,
    rank_of,
    refuse,
    refuse_shape,
    sequence_items,
    size_value,
    wrap,
)
from arignote.frontend.numpy_reduce import flat, part
from arignote.frontend.values import ArrayValue, TupleValue, Value
from arignote.ir.graph import Constant, Node
from arignote.ir.structure import ANY
from arignote.ir.types import dims_of, dtype_of, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context


# Reshape -----------------------------------------------------------------------------------------------------------


@numpy_function("reshape", shares=True)
def reshape(c: Context, a: Node, /, shape: Value, order: Refused = "C", *, newshape: Refused = None,
            copy: Refused = None) -> Node:  # fmt: skip
    return reshaped(c, a, as_shape(c, shape))


@numpy_function(method="reshape", shares=True)
def reshape_method(c: Context, a: Node, /, *shape: Value, order: Refused = "C", copy: Refused = None) -> Node:
    return reshaped(c, a, _spread_shape(c, shape))


def _spread_shape(c: Context, shape: Sequence[Value]) -> list[Node]:
    """x.reshape(2, 3) and x.reshape((2, 3))."""
    if len(shape) == 1 and (sequence_items(shape[0]) is not None or isinstance(shape[0], ArrayValue)):
        return as_shape(c, shape[0])
    return [as_size(c, value) for value in shape]


def reshaped(c: Context, x: Node, shape: list[Node]) -> Node:
    """NumPy's reshape: one size may be -1."""
    missing = [axis for axis, count in enumerate(shape) if s.known(count) == -1]
    if len(missing) > 1:
        refuse_shape(c, "can only specify one unknown dimension")
    for count in shape:
        if s.known(count) != -1 and not s.is_nonnegative(count):
            if s.known(count) is not None:
                refuse_shape(c, "negative dimensions not allowed")
            c.raise_if(c.emit("less", count, s.ZERO), ValueError, "negative dimensions not allowed")
    if missing:
        shape = _completed(c, x, shape, missing[0])
    given = s.shape(c, x)
    if len(given) == len(shape) and all(a is b for a, b in zip(given, shape, strict=True)):
        return x
    return c.emit("reshape", x, *shape, dims=s.dims(shape))


def _completed(c: Context, x: Node, shape: list[Node], axis: int) -> list[Node]:
    """The shape with its -1 replaced by what is left of the elements."""
    given = s.shape(c, x)
    others = [*shape[:axis], *shape[axis + 1 :]]
    quotient = s.exact_quotient(c, given, others)
    total, rest = s.product(c, given), s.product(c, others)
    text = ["cannot reshape array of size ", piece(total), " into shape ", *_wanted_pieces(shape, axis)]
    if quotient is None:
        uneven = s.compare(c, "not_equal", c.emit("remainder", total, rest), s.ZERO)
        if isinstance(total, Constant) and isinstance(rest, Constant):
            refuse_shape(c, "".join(map(str, text)))
        c.raise_if(uneven, ValueError, *text)
        quotient = c.emit("floor_divide", total, rest)
    vain = s.compare(c, "equal", rest, s.ZERO)
    if isinstance(vain, Constant) and vain.value:
        refuse_shape(c, "".join(str(p) if isinstance(p, str) else "?" for p in text))
    c.raise_if(vain, ValueError, *text)
    return [*shape[:axis], quotient, *shape[axis + 1 :]]


def _wanted_pieces(shape: Sequence[Node], axis: int) -> list[Any]:
    """(4,newaxis), as NumPy names the size that is to be found."""
    pieces: list[Any] = ["("]
    for position, count in enumerate(shape):
        pieces += [","] * (position > 0) + ["newaxis" if position == axis else piece(count)]
    return [*pieces, ",)" if len(shape) == 1 else ")"]


@numpy_function("ravel", method="ravel", shares=True)
def ravel(c: Context, a: Node, order: Refused = "C") -> Node:
    return flat(c, a)


# Permuting axes ----------------------------------------------------------------------------------------------------


def permuted(c: Context, x: Node, permutation: Sequence[int]) -> Node:
    if list(permutation) == list(range(rank_of(x))):
        return x
    return c.emit("transpose", x, permutation=tuple(permutation))


@numpy_function("transpose", "permute_dims", shares=True)
def transpose(c: Context, a: Node, axes: Known = None) -> Node:
    return transposed(c, a, axes)


@numpy_function(method="transpose", shares=True)
def transpose_method(c: Context, a: Node, /, *axes: Known) -> Node:
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
        return transposed(c, a, axes[0])
    return transposed(c, a, axes or None)


def transposed(c: Context, x: Node, axes: Any) -> Node:
    if axes is None:
        return permuted(c, x, range(rank_of(x))[::-1])
    if len(axes) != rank_of(x):
        refuse_shape(c, "axes don't match array")
    normal = [normal_axis(c, axis, rank_of(x)) for axis in axes]
    if len(set(normal)) != len(normal):
        refuse_shape(c, "repeated axis in transpose")
    return permuted(c, x, normal)


@numpy_function("matrix_transpose", attribute="mT", shares=True)
def matrix_transpose(c: Context, x: Node, /) -> Node:
    if rank_of(x) < 2:
        refuse_shape(c, f"matrix transpose with ndim < 2 is undefined: {rank_of(x)}")
    return swapped(c, x, -1, -2)


@numpy_function(attribute="T", shares=True)
def t_attribute(c: Context, a: Node) -> Node:
    return transposed(c, a, None)


def swapped(c: Context, x: Node, first: int, second: int) -> Node:
    first, second = normal_axis(c, first, rank_of(x)), normal_axis(c, second, rank_of(x))
    order = list(range(rank_of(x)))
    order[first], order[second] = order[second], order[first]
    return permuted(c, x, order)


@numpy_function("swapaxes", method="swapaxes", shares=True)
def swapaxes(c: Context, a: Node, axis1: Known, axis2: Known) -> Node:
    return swapped(c, a, axis1, axis2)


@numpy_function("moveaxis", shares=True)
def moveaxis(c: Context, a: Node, source: Known, destination: Known) -> Node:
    return moved(c, a, source, destination)


def moved(c: Context, x: Node, source: Any, destination: Any) -> Node:
    rank = rank_of(x)
    sources, destinations = (
        [normal_axis(c, axis, rank) for axis in (given if isinstance(given, tuple | list) else (given,))]
        for given in (source, destination)
    )
    if len(sources) != len(destinations):
        refuse_shape(c, "`source` and `destination` arguments must have the same number of elements")
    for name, axes in (("source", sources), ("destination", destinations)):
        if len(set(axes)) != len(axes):
            refuse_shape(c, f"repeated axis in `{name}` argument")
    order = [axis for axis in range(rank) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return permuted(c, x, order)


@numpy_function("rollaxis", shares=True)
def rollaxis(c: Context, a: Node, axis: Known, start: Known = 0) -> Node:
    rank = rank_of(a)
    axis = normal_axis(c, axis, rank)
    start = start + rank if start < 0 else start
    return moved(c, a, axis, start - 1 if axis < start else start)


# Axes of size 1 ----------------------------------------------------------------------------------------------------


@numpy_function("expand_dims", shares=True)
def expand_dims(c: Context, a: Node, axis: Known) -> Node:
    given = axis if isinstance(axis, tuple | list) else (axis,)
    axes = normal_axes(c, tuple(given), rank_of(a) + len(given))
    return c.emit("expand_dims", a, axes=axes) if axes else a


@numpy_function("squeeze", method="squeeze", shares=True)
def squeeze(c: Context, a: Node, axis: Known = None) -> Node:
    dims = dims_of(a.type)
    if axis is not None:
        axes = normal_axes(c, axis, len(dims)) if dims or axis not in (0, -1) else ()
        return c.emit("squeeze", a, axes=axes) if axes else a
    if ANY in dims:
        refuse(c, "np.squeeze(x) without axis= needs to know which sizes are 1; this array is "
               f"{a.type!r}", "name the axes: np.squeeze(x, axis=...)")  # fmt: skip
    axes = tuple(k for k, dim in enumerate(dims) if dim == 1)
    return c.emit("squeeze", a, axes=axes) if axes else a


def _at_least(name: str, rank: int) -> None:
    @numpy_function(name)
    def at_least(c: Context, *arys: Value) -> Any:
        results = tuple([wrap(c, to_rank(c, as_node(c, x), rank), x) for x in arys])
        return results[0] if len(results) == 1 else results


def to_rank(c: Context, x: Node, rank: int) -> Node:
    """What np.atleast_1d, 2d and 3d do: axes in front, but the third at the end."""
    if rank_of(x) >= rank:
        return x
    if rank < 3:
        return c.emit("expand_dims", x, axes=tuple(range(rank - rank_of(x))))
    return c.emit("expand_dims", x, axes={0: (0, 1, 2), 1: (0, 2), 2: (2,)}[rank_of(x)])


for _rank in (1, 2, 3):
    _at_least(f"atleast_{_rank}d", _rank)


# Broadcasting ------------------------------------------------------------------------------------------------------


@numpy_function("broadcast_to", shares=True)
def broadcast_to(c: Context, array: Node, shape: Value, subok: Refused = False) -> Node:
    sizes = as_shape(c, shape)
    if rank_of(array) > len(sizes):
        refuse_shape(c, "input operand has more dimensions than allowed by the axis remapping")
    for count in sizes:
        if not s.is_nonnegative(count):
            if s.known(count) is not None:
                refuse_shape(c, "all elements of broadcast shape must be non-negative")
            text = "all elements of broadcast shape must be non-negative"
            c.raise_if(c.emit("less", count, s.ZERO), ValueError, text)
    return c.emit("broadcast_to", array, *sizes, dims=s.dims(sizes)) if sizes else array


@numpy_function("broadcast_arrays")
def broadcast_arrays(c: Context, *args: Value, subok: Refused = False) -> tuple[Value, ...]:
    nodes = broadcast_together(c, [as_node(c, value) for value in args])
    return tuple([wrap(c, node, value, rank0=True) for node, value in zip(nodes, args, strict=True)])


def broadcast_together(c: Context, nodes: Sequence[Node]) -> list[Node]:
    """All of them in their common shape."""
    whole: Node = cast(c, nodes[0], "bool")
    for node in nodes[1:]:
        whole = c.emit("logical_or", whole, cast(c, node, "bool"))
    shape = s.shape(c, whole)
    if not shape:
        return list(nodes)
    return [c.emit("broadcast_to", node, *shape, dims=dims_of(whole.type)) for node in nodes]


# Reversing, rolling ------------------------------------------------------------------------------------------------


def reversed_along(c: Context, x: Node, axes: Sequence[int]) -> Node:
    for axis in axes:
        count = s.size(c, x, axis)
        x = part(c, x, axis, s.subtract(c, count, s.ONE), count, -1)
    return x


@numpy_function("flip", shares=True)
def flip(c: Context, m: Node, axis: Known = None) -> Any:
    if not rank_of(m):
        normal_axes(c, axis, 0)
        return c.scalar(m, python=False)
    return reversed_along(c, m, normal_axes(c, axis, rank_of(m)))


@numpy_function("fliplr", shares=True)
def fliplr(c: Context, m: Node) -> Node:
    if rank_of(m) < 2:
        refuse_shape(c, "Input must be >= 2-d.")
    return reversed_along(c, m, (1,))


@numpy_function("flipud", shares=True)
def flipud(c: Context, m: Node) -> Node:
    if rank_of(m) < 1:
        refuse_shape(c, "Input must be >= 1-d.")
    return reversed_along(c, m, (0,))


@numpy_function("rot90", shares=True)
def rot90(c: Context, m: Node, k: Known = 1, axes: Known = (0, 1)) -> Node:
    first, second = (normal_axis(c, axis, rank_of(m)) for axis in axes)
    turns = k % 4
    if turns == 2:
        return reversed_along(c, m, (first, second))
    if turns == 1:
        return swapped(c, reversed_along(c, m, (second,)), first, second)
    return reversed_along(c, swapped(c, m, first, second), (second,)) if turns == 3 else m


@numpy_function("roll", rank0=True)
def roll(c: Context, a: Node, shift: Value, axis: Known = None) -> Node:
    if axis is None:
        return reshaped(c, rolled(c, flat(c, a), as_size(c, shift), 0), s.shape(c, a))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    items = sequence_items(shift)
    shifts = [as_size(c, v) for v in items] if items is not None else [as_size(c, shift)] * len(axes)
    if len(shifts) != len(axes):
        refuse_shape(c, "'shift' and 'axis' should be scalars or 1D sequences")
    for amount, place in zip(shifts, axes, strict=True):
        a = rolled(c, a, amount, normal_axis(c, place, rank_of(a)))
    return a


def rolled(c: Context, x: Node, shift: Node, axis: int) -> Node:
    """The last `shift` entries first. An integer remainder by 0, of an empty axis, is 0."""
    count = s.size(c, x, axis)
    if s.known(count) == 0:
        return x
    shift = s.remainder(c, shift, count)
    rest = s.subtract(c, count, shift)
    if s.known(shift) == 0:
        return x
    return c.emit("concatenate", part(c, x, axis, rest, shift), part(c, x, axis, s.ZERO, rest), axis=axis)


# Diagonals ---------------------------------------------------------------------------------------------------------


def diagonal_of(c: Context, x: Node, offset: int, axis1: int, axis2: int) -> Node:
    rank = rank_of(x)
    if rank < 2:
        refuse_shape(c, "diag requires an array of at least two dimensions")
    first, second = normal_axis(c, axis1, rank), normal_axis(c, axis2, rank)
    if first == second:
        refuse_shape(c, "axis1 and axis2 cannot be the same")
    others = [axis for axis in range(rank) if axis not in (first, second)]
    x = permuted(c, x, [*others, first, second])
    rows, columns = s.shape(c, x)[-2:]
    below, right = s.integer(max(-offset, 0)), s.integer(max(offset, 0))
    count = s.minimum(c, s.subtract(c, rows, below), s.subtract(c, columns, right))
    count = s.maximum(c, count, s.ZERO)
    numbers = c.emit("iota", count, dtype="int64", dim=s.dim_of(count))
    places = [numbers if s.known(start) == 0 else c.emit("add", numbers, start) for start in (below, right)]
    return c.emit("gather", x, *places, axis=rank - 2)


@numpy_function("diagonal", method="diagonal", shares=True)
def diagonal(c: Context, a: Node, offset: Known = 0, axis1: Known = 0, axis2: Known = 1) -> Node:
    return diagonal_of(c, a, offset, axis1, axis2)


@numpy_function("trace", method="trace")
def trace(c: Context, a: Node, offset: Known = 0, axis1: Known = 0, axis2: Known = 1, dtype: Refused = None,
          out: Refused = None) -> Node:  # fmt: skip
    line = diagonal_of(c, a, offset, axis1, axis2)
    line = cast(c, line, "int64") if dtype_of(line.type) in ("bool", "int32") else line
    return c.emit("sum", line, axes=(rank_of(line) - 1,))


# Sorting -----------------------------------------------------------------------------------------------------------


def keeps_order(c: Context, kind: Any, stable: Any) -> bool:
    """Whether equal elements are to keep their order."""
    if kind is not None and stable is not None:
        refuse(c, "`kind` and `stable` parameters can't be provided at the same time. Use only one of them.")
    if kind not in (None, "quicksort", "heapsort", "mergesort", "stable"):
        refuse(c, f"sort kind must be one of 'quick', 'heap', or 'stable' (got {kind!r})")
    return bool(stable) or kind in ("mergesort", "stable")


def _sorting(name: str) -> None:
    @numpy_function(name)
    def sorting(c: Context, a: Node, axis: Known = -1, kind: Known = None, order: Refused = None, *,
                stable: Known = None) -> Node:  # fmt: skip
        is_stable = keeps_order(c, kind, stable)
        if axis is None:
            return c.emit(name, flat(c, a), axis=0, stable=is_stable)
        if name == "argsort":
            a = expand_to_rank(c, a, 1)
        return c.emit(name, a, axis=normal_axis(c, axis, rank_of(a)), stable=is_stable)

    if name == "argsort":
        METHODS[name] = FUNCTIONS[np.argsort]


_sorting("sort")
_sorting("argsort")


@numpy_function("searchsorted", method="searchsorted")
def searchsorted(c: Context, a: Node, v: Node, side: Known = "left", sorter: Refused = None) -> Node:
    if rank_of(a) != 1:
        refuse_shape(c, "object of too small depth for desired array")
    dtype = promote([dtype_of(a.type), dtype_of(v.type)])
    return count_before(c, cast(c, a, dtype), cast(c, v, dtype), side)


def count_before(c: Context, a: Node, v: Node, side: str) -> Node:
    """For each entry of v how many entries of the sorted vector stand before it. NaN is larger than all numbers."""
    value = c.emit("expand_dims", v, axes=(rank_of(v),))
    before = c.emit("less" if side == "left" else "less_equal", a, value)
    if is_float(dtype_of(a.type)):
        both = c.emit("logical_and", c.emit("isnan", value), c.emit("logical_not", c.emit("isnan", a)))
        before = c.emit("logical_or", before, c.emit("isnan", value) if side != "left" else both)
    return c.emit("sum", cast(c, before, "int64"), axes=(rank_of(v),))


# What is asked of an array -----------------------------------------------------------------------------------------


def shape_value(c: Context, value: Value) -> TupleValue:
    return TupleValue(tuple([size_value(c, size) for size in s.shape(c, as_node(c, value))]))


@numpy_function("shape", attribute="shape")
def shape(c: Context, a: Value) -> TupleValue:
    return shape_value(c, a)


@numpy_function("ndim", attribute="ndim")
def ndim(c: Context, a: Node) -> int:
    return rank_of(a)


@numpy_function("size", attribute="size")
def size(c: Context, a: Node, axis: Known = None) -> Value:
    if axis is not None:
        return size_value(c, s.size(c, a, normal_axis(c, axis, rank_of(a))))
    return size_value(c, s.product(c, s.shape(c, a)))


@numpy_function(attribute="dtype")
def dtype_attribute(c: Context, a: Node) -> Any:
    return np.dtype(dtype_of(a.type))


@numpy_function(attribute="itemsize")
def itemsize(c: Context, a: Node) -> int:
    return np.dtype(dtype_of(a.type)).itemsize


@numpy_function(attribute="nbytes")
def nbytes(c: Context, a: Node) -> Value:
    count = s.product(c, s.shape(c, a))
    return size_value(c, s.multiply(c, count, s.integer(np.dtype(dtype_of(a.type)).itemsize)))


@numpy_function("iscomplexobj")
def iscomplexobj(c: Context, x: Value) -> bool:
    return False
