"""Making arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import Dtype, Known, Refused, numpy_function
from arignote.frontend.numpy_operand import (
    as_node,
    as_shape,
    as_size,
    cast,
    check_nonnegative,
    expand_to_rank,
    piece,
    promote,
    rank_of,
    refuse,
)
from arignote.frontend.numpy_reduce import flat
from arignote.frontend.numpy_ufunc import operand
from arignote.frontend.promotion import kind_of, result_dtype
from arignote.frontend.values import ArrayValue, Static, Value
from arignote.ir.graph import Constant, Node
from arignote.ir.structure import ANY
from arignote.ir.types import Scalar, dtype_of, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def filled(c: Context, value: Node, sizes: list[Node]) -> Node:
    """An array of this shape with `value` (which may have dimensions) everywhere."""
    check_nonnegative(c, sizes)
    return c.emit("broadcast_to", value, *sizes, dims=s.dims(sizes)) if sizes else value


def _constant_filled(name: str, number: int) -> None:
    @numpy_function(name, rank0=True)
    def create(c: Context, shape: Value, dtype: Dtype = None, order: Refused = "C", *, device: Refused = None,
               like: Refused = None) -> Node:  # fmt: skip
        return filled(c, Constant(number, Scalar(dtype or "float64")), as_shape(c, shape))

    @numpy_function(f"{name}_like", rank0=True)
    def create_like(c: Context, a: Node, dtype: Dtype = None, order: Refused = "K", subok: Refused = True,
                    shape: Value = None, *, device: Refused = None) -> Node:  # type: ignore[assignment]  # fmt: skip
        sizes = s.shape(c, a) if shape is None else as_shape(c, shape)
        return filled(c, Constant(number, Scalar(dtype or dtype_of(a.type))), sizes)


_constant_filled("zeros", 0)
_constant_filled("ones", 1)
_constant_filled("empty", 0)  # its contents are undefined in NumPy


@numpy_function("full", rank0=True)
def full(c: Context, shape: Value, fill_value: Node, dtype: Dtype = None, order: Refused = "C", *,
         device: Refused = None, like: Refused = None) -> Node:  # fmt: skip
    return filled(c, fill_value if dtype is None else to_dtype(c, fill_value, dtype), as_shape(c, shape))


@numpy_function("full_like", rank0=True)
def full_like(c: Context, a: Node, fill_value: Node, dtype: Dtype = None, order: Refused = "K", subok: Refused = True,
              shape: Value = None, *, device: Refused = None) -> Node:  # type: ignore[assignment]  # fmt: skip
    sizes = s.shape(c, a) if shape is None else as_shape(c, shape)
    return filled(c, to_dtype(c, fill_value, dtype or dtype_of(a.type)), sizes)


def to_dtype(c: Context, node: Node, dtype: str) -> Node:
    """NumPy's unsafe cast of a value that is put into an array; scalars that are no number do not become integers."""
    if is_float(dtype_of(node.type)) and dtype.startswith("int") and not rank_of(node):
        if isinstance(node, Constant) and math.isfinite(node.value):
            return cast(c, node, dtype)
        c.raise_if(c.emit("isnan", node), ValueError, "cannot convert float NaN to integer")
        c.raise_if(c.emit("isinf", node), OverflowError, "cannot convert float infinity to integer")
    return cast(c, node, dtype)


# Arrays of what there is -------------------------------------------------------------------------------------------


@numpy_function("array", rank0=True)
def array(c: Context, object: Value, dtype: Dtype = None, *, copy: Known = True, order: Refused = "K",
          subok: Refused = False, ndmin: Known = 0, like: Refused = None) -> Any:  # fmt: skip
    if not copy and isinstance(object, ArrayValue) and dtype in (None, object.dtype) and ndmin <= object.rank:
        return object
    return expand_to_rank(c, as_node(c, object, dtype), ndmin)


@numpy_function("asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "require")
def asarray(c: Context, a: Value, dtype: Dtype = None, order: Known = None, *, device: Refused = None,
            copy: Known = None, like: Refused = None) -> Any:  # fmt: skip
    if isinstance(a, ArrayValue) and dtype in (None, a.dtype) and not copy:
        return a
    return c.array(as_node(c, a, dtype))


@numpy_function(method="copy")
def copy_method(c: Context, a: Value, order: Known = "C") -> Any:
    node = as_node(c, a)
    return c.array(node) if isinstance(a, ArrayValue) else node


@numpy_function("copy")
def copy(c: Context, a: Value, order: Known = "K", subok: Refused = False) -> Any:
    return c.array(as_node(c, a))


@numpy_function(method="flatten")
def flatten(c: Context, a: Node, order: Refused = "C") -> Node:
    return flat(c, a)


@numpy_function("astype", method="astype")
def astype(c: Context, x: Value, dtype: Dtype, order: Known = "K", casting: Refused = "unsafe",
           subok: Refused = True, copy: Known = True, *, device: Refused = None) -> Any:  # fmt: skip
    if not copy and isinstance(x, ArrayValue) and x.dtype == dtype:
        return x
    node = cast(c, as_node(c, x), dtype or "float64")
    return c.array(node) if isinstance(x, ArrayValue) else node


# Ranges ------------------------------------------------------------------------------------------------------------


@numpy_function("arange")
def arange(c: Context, start: Value, stop: Value = None, step: Value = None, dtype: Dtype = None, *,  # type: ignore[assignment]
           device: Refused = None, like: Refused = None) -> Node:  # fmt: skip
    if stop is None:
        start, stop = Static(0), start
    step = Static(1) if step is None else step
    nodes = [as_node(c, value) for value in (start, stop, step)]
    if any(rank_of(node) for node in nodes):
        refuse(c, "only 0-dimensional arguments are supported by np.arange")
    if any(is_float(dtype_of(node.type)) for node in nodes):
        return _float_range(c, nodes, dtype)
    return _integer_range(c, nodes, dtype)


def _range_dtype(nodes: list[Node], dtype: str | None) -> str:
    """Here Python's numbers are not weak."""
    found = dtype or promote([dtype_of(node.type) for node in nodes])
    return "int64" if found == "bool" else found


def _integer_range(c: Context, nodes: list[Node], dtype: str | None) -> Node:
    start, stop, step = [cast(c, node, "int64") for node in nodes]
    result = _range_dtype(nodes, dtype)
    _check_step(c, s.compare(c, "equal", step, s.ZERO), "division by zero")
    if s.known(step) == 1:
        count = s.subtract(c, stop, start)
    else:  # ceil((stop - start) / step)
        count = s.subtract(c, s.ZERO, s.floor_divide(c, s.subtract(c, start, stop), step))
    count = count if s.is_nonnegative(count) else s.maximum(c, count, s.ZERO)
    numbers = c.emit("iota", count, dtype="int64", dim=s.dim_of(count))
    if s.known(step) != 1:
        numbers = c.emit("multiply", numbers, step)
    if s.known(start) != 0:
        numbers = c.emit("add", numbers, start)
    return cast(c, numbers, result)


def _check_step(c: Context, vain: Node, message: str) -> None:
    if isinstance(vain, Constant) and vain.value:
        c.raise_now(ZeroDivisionError, message)
    c.raise_if(vain, ZeroDivisionError, message)


def _float_range(c: Context, nodes: list[Node], dtype: str | None) -> Node:
    """NumPy adds i times the difference of the first two elements, both rounded to the dtype."""
    result = _range_dtype(nodes, dtype)
    start, stop, step = [cast(c, node, "float64") for node in nodes]
    zero = Constant(0.0, Scalar("float64"))
    _check_step(c, c.emit("equal", step, zero), "float division by zero")
    count = c.emit("ceil", c.emit("divide", c.emit("subtract", stop, start), step))
    c.raise_if(c.emit("isnan", count), ValueError, "arange: cannot compute length")
    limit = Constant(2.0**62, Scalar("float64"))
    c.raise_if(c.emit("greater", count, limit), ValueError, "Maximum allowed size exceeded")
    length = cast(c, c.emit("maximum", count, zero), "int64")
    second = c.emit("add", start, step)
    first, second = (cast(c, node, result) for node in (start, second))
    delta = c.emit("subtract", second, first)
    numbers = cast(c, c.emit("iota", length, dtype="int64", dim=ANY), result)
    return c.emit("add", first, c.emit("multiply", numbers, delta))


@numpy_function("linspace")
def linspace(c: Context, start: Value, stop: Value, num: Value = None, endpoint: Known = True, retstep: Known = False,  # type: ignore[assignment]
             dtype: Dtype = None, axis: Known = 0, *, device: Refused = None) -> Any:  # fmt: skip
    """As NumPy computes it: start + i * step, where step = (stop - start) / (n - 1); the last is `stop` itself."""
    if axis != 0:
        refuse(c, "np.linspace along another axis than 0 is not supported in compiled code")
    count = s.integer(50) if num is None else as_size(c, num, "num")
    negative = s.compare(c, "less", count, s.ZERO)
    text = ("Number of samples, ", piece(count), ", must be non-negative.")
    if isinstance(negative, Constant) and negative.value:
        c.raise_now(ValueError, *text)
    c.raise_if(negative, ValueError, *text)
    kind = _line_dtype(start, stop, c)
    first, last = (cast(c, as_node(c, value), kind) for value in (start, stop))
    numbers = cast(c, c.emit("iota", count, dtype="int64", dim=s.dim_of(count)), kind)
    rank = max(rank_of(first), rank_of(last))
    place = c.emit("expand_dims", numbers, axes=tuple(range(1, rank + 1))) if rank else numbers
    pieces = s.maximum(c, s.subtract(c, count, s.ONE) if endpoint else count, s.ONE)
    values, step = _line(c, first, last, place, cast(c, pieces, kind))
    if endpoint and s.known(count) != 1:
        is_last = c.emit("equal", place, cast(c, s.maximum(c, s.subtract(c, count, s.ONE), s.ONE), kind))
        values = c.emit("select", is_last, last, values)
    if dtype is not None and dtype.startswith("int"):
        values = c.emit("floor", values)
    values = cast(c, values, dtype or kind)
    return (values, step) if retstep else values


def _line_dtype(start: Value, stop: Value, c: Context) -> str:
    return result_dtype(*[kind_of(c, operand(c, value)) for value in (start, stop)], ("float64", True))


def _line(c: Context, first: Node, last: Node, place: Node, pieces: Node) -> tuple[Node, Node]:
    gap = c.emit("subtract", last, first)
    step = c.emit("divide", gap, pieces)
    values = c.emit("multiply", place, step)
    if not (isinstance(first, Constant) and isinstance(last, Constant) and abs(last.value - first.value) > 1e-290):
        # NumPy's order of operations where the step underflows.
        small = c.emit("multiply", c.emit("divide", place, pieces), gap)
        vain = c.emit("equal", step, Constant(0.0, Scalar(dtype_of(step.type))))
        values = c.emit("select", vain, small, values)
    return c.emit("add", values, first), step


# Matrices ----------------------------------------------------------------------------------------------------------


def diagonal_test(c: Context, name: str, rows: Node, columns: Node, k: Node) -> Node:
    """For each place (i, j) of a matrix whether i + k compares with j."""
    i = c.emit("expand_dims", c.emit("iota", rows, dtype="int64", dim=s.dim_of(rows)), axes=(1,))
    j = c.emit("expand_dims", c.emit("iota", columns, dtype="int64", dim=s.dim_of(columns)), axes=(0,))
    return c.emit(name, i if s.known(k) == 0 else c.emit("add", i, k), j)


def _offset(c: Context, k: Value | None) -> Node:
    return s.ZERO if k is None else as_size(c, k, "k")


@numpy_function("eye")
def eye(c: Context, N: Value, M: Value = None, k: Value = None, dtype: Dtype = None, order: Refused = "C", *,  # type: ignore[assignment]
        device: Refused = None, like: Refused = None) -> Node:  # fmt: skip
    rows = as_size(c, N)
    columns = rows if M is None else as_size(c, M)
    check_nonnegative(c, [rows, columns])
    return cast(c, diagonal_test(c, "equal", rows, columns, _offset(c, k)), dtype or "float64")


@numpy_function("identity")
def identity(c: Context, n: Value, dtype: Dtype = None, *, like: Refused = None) -> Node:
    count = as_size(c, n)
    check_nonnegative(c, [count])
    return cast(c, diagonal_test(c, "equal", count, count, s.ZERO), dtype or "float64")


@numpy_function("tri")
def tri(c: Context, N: Value, M: Value = None, k: Value = None, dtype: Dtype = None, *, like: Refused = None) -> Node:  # type: ignore[assignment]
    rows = s.maximum(c, as_size(c, N), s.ZERO)
    columns = rows if M is None else s.maximum(c, as_size(c, M), s.ZERO)
    return cast(c, diagonal_test(c, "greater_equal", rows, columns, _offset(c, k)), dtype or "float64")


def _triangle(name: str, comparison: str) -> None:
    @numpy_function(name)
    def triangle(c: Context, m: Node, k: Value = None) -> Node:  # type: ignore[assignment]
        if rank_of(m) == 1:  # NumPy repeats a vector as the rows of a square matrix
            count = s.size(c, m, 0)
            m = c.emit("broadcast_to", m, count, count, dims=s.dims((count, count)))
        if rank_of(m) == 0:
            refuse(c, f"np.{name} of a number")
        keep = diagonal_test(c, comparison, *s.shape(c, m)[-2:], _offset(c, k))
        return c.emit("select", keep, m, Constant(0, Scalar(dtype_of(m.type))))


_triangle("tril", "greater_equal")
_triangle("triu", "less_equal")


@numpy_function("diag")
def diag(c: Context, v: Node, k: Known = 0) -> Any:
    from arignote.frontend.numpy_shape import diagonal_of

    if rank_of(v) == 2:
        return diagonal_of(c, v, k, 0, 1)
    if rank_of(v) != 1:
        refuse(c, "Input must be 1- or 2-d.")
    count = s.size(c, v, 0)
    side = s.add(c, count, s.integer(abs(k)))
    i = c.emit("iota", count, dtype="int64", dim=s.dim_of(count))
    rows = i if k >= 0 else c.emit("add", i, s.integer(-k))
    columns = i if k <= 0 else c.emit("add", i, s.integer(k))
    zeros = filled(c, Constant(0, Scalar(dtype_of(v.type))), [side, side])
    return c.emit("scatter", zeros, v, rows, columns, axis=0, accumulate=False)


@numpy_function("vander")
def vander(c: Context, x: Node, N: Value = None, increasing: Known = False) -> Node:  # type: ignore[assignment]
    if rank_of(x) != 1:
        refuse(c, "x must be a one-dimensional array or sequence.")
    count = s.size(c, x, 0) if N is None else as_size(c, N)
    x = cast(c, x, "int64") if dtype_of(x.type) in ("bool", "int32") else x
    powers = c.emit("iota", count, dtype="int64", dim=s.dim_of(count))
    if not increasing:
        powers = c.emit("subtract", s.subtract(c, count, s.ONE), powers)
    return c.emit("power", c.emit("expand_dims", x, axes=(1,)), cast(c, powers, dtype_of(x.type)))


@numpy_function("meshgrid")
def meshgrid(c: Context, *xi: Node, copy: Known = True, sparse: Known = False,
             indexing: Known = "xy") -> tuple[Node, ...]:  # fmt: skip
    vectors = [flat(c, x) for x in xi]
    rank = len(vectors)
    order = list(range(rank))
    if indexing == "xy" and rank > 1:
        order[:2] = [1, 0]
    sizes: list[Any] = [None] * rank
    for position, vector in zip(order, vectors, strict=True):
        sizes[position] = s.size(c, vector, 0)
    grids = []
    for position, vector in zip(order, vectors, strict=True):
        others = tuple(axis for axis in range(rank) if axis != position)
        grid = c.emit("expand_dims", vector, axes=others) if others else vector
        grids.append(grid if sparse else c.emit("broadcast_to", grid, *sizes, dims=s.dims(sizes)))
    return tuple(grids)
