"""Reductions and scans: accumulator dtypes, axes, what they make of empty arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import Dtype, Known, Refused, numpy_function
from arignote.frontend.numpy_operand import (
    as_node,
    cast,
    expand_to_rank,
    normal_axes,
    normal_axis,
    rank_of,
    refuse,
    refuse_shape,
)
from arignote.frontend.values import Value
from arignote.ir.graph import Constant, Node
from arignote.ir.types import Scalar, dims_of, dtype_of, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Axes = tuple[int, ...]


def flat(c: Context, x: Node) -> Node:
    """The elements in one dimension, in C order."""
    if rank_of(x) == 1:
        return x
    if not rank_of(x):
        return c.emit("expand_dims", x, axes=(0,))
    count = s.product(c, s.shape(c, x))
    return c.emit("reshape", x, count, dims=(s.dim_of(count),))


def root(c: Context, x: Node) -> Node:
    """The square root of a sum of squares, whose derivative is taken as 0 where all of them are 0: that of a norm."""
    zero = Constant(0.0, Scalar(dtype_of(x.type)))
    is_zero = c.emit("equal", x, zero)
    return c.emit("select", is_zero, zero, c.emit("sqrt", c.emit("select", is_zero, Constant(1.0, zero.type), x)))


def reduced(c: Context, name: str, x: Node, axes: Axes, keepdims: bool = False) -> Node:
    """A reduction over normalised axes."""
    if not axes:
        return x
    result = c.emit(name, x, axes=axes)
    return c.emit("expand_dims", result, axes=axes) if keepdims else result


def axes_of(c: Context, x: Node, axis: Any) -> Axes:
    """The axes of a reduction; a scalar may be reduced along axis 0 or -1, which does nothing."""
    if not rank_of(x) and axis in (0, -1):
        return ()
    return normal_axes(c, axis, rank_of(x))


def accumulator(c: Context, x: Node, dtype: str | None) -> Node:
    """The operand of sum and prod in the dtype they add in: truth values and int32 are widened."""
    if dtype is None and dtype_of(x.type) in ("bool", "int32"):
        dtype = "int64"
    return x if dtype is None else cast(c, x, dtype)


def masked(c: Context, x: Node, where: Value | None, neutral: float) -> Node:
    """The operand with a neutral value where the mask `where=` is false."""
    if where is None:
        return x
    mask = cast(c, as_node(c, where), "bool")
    if isinstance(mask, Constant) and mask.value:
        return x
    return c.emit("select", mask, x, Constant(neutral, Scalar(dtype_of(x.type))))


def _additive(name: str, operation: str, neutral: int) -> None:
    @numpy_function(name, method=name)
    def reduction(c: Context, a: Node, axis: Known = None, dtype: Dtype = None, out: Refused = None,
                  keepdims: Known = False, initial: Value = None, where: Value = None) -> Node:  # type: ignore[assignment]  # fmt: skip
        x = masked(c, accumulator(c, a, dtype), where, neutral)
        if dtype_of(x.type) == "bool":
            instead = "any" if neutral == 0 else "all"
            refuse(c, f"np.{name} with dtype=bool is not supported in compiled code", f"use np.{instead}")
        result = reduced(c, name, x, axes_of(c, x, axis), bool(keepdims))
        if initial is None:
            return result
        return c.emit(operation, cast(c, as_node(c, initial), dtype_of(x.type)), result)


_additive("sum", "add", 0)
_additive("prod", "multiply", 1)


def _extremum(name: str, alias: str, operation: str) -> None:
    @numpy_function(name, alias, method=name)
    def reduction(c: Context, a: Node, axis: Known = None, out: Refused = None, keepdims: Known = False,
                  initial: Value = None, where: Refused = True) -> Node:  # type: ignore[assignment]  # fmt: skip
        return extremum(c, operation, a, axis, bool(keepdims), initial)


def extremum(c: Context, operation: str, a: Node, axis: Any, keepdims: bool, initial: Value | None = None) -> Node:
    """The largest or smallest elements; `operation` is that on two elements."""
    if dtype_of(a.type) == "bool":
        name = "any" if operation == "maximum" else "all"
        axes = axes_of(c, a, axis)
        if initial is None:
            _refuse_empty(c, operation, a, axes)
        result = reduced(c, name, a, axes, keepdims)
        return result if initial is None else c.emit(_LOGICAL[operation], result, as_node(c, initial, "bool"))
    axes = axes_of(c, a, axis)
    name = "max" if operation == "maximum" else "min"
    if initial is None:
        _refuse_certainly_empty(c, operation, a, axes)
        return reduced(c, name, a, axes, keepdims)
    start = as_node(c, initial, dtype_of(a.type))
    for position in axes:
        if dims_of(a.type)[position] <= 0:
            a = _with_entry(c, a, start, position)
    return c.emit(operation, reduced(c, name, a, axes, keepdims), start)


_LOGICAL = {"maximum": "logical_or", "minimum": "logical_and"}
_EMPTY = "zero-size array to reduction operation {} which has no identity"


def _refuse_certainly_empty(c: Context, operation: str, a: Node, axes: Axes) -> None:
    sizes = dims_of(a.type)
    if any(sizes[axis] == 0 for axis in axes) and all(sizes[k] > 0 for k in range(len(sizes)) if k not in axes):
        refuse_shape(c, _EMPTY.format(operation))


def _refuse_empty(c: Context, operation: str, a: Node, axes: Axes) -> None:
    """Truth values are reduced by any and all, which accept nothing; NumPy's max and min do not."""
    _refuse_certainly_empty(c, operation, a, axes)
    kept = s.product(c, [s.size(c, a, axis) for axis in range(rank_of(a)) if axis not in axes])
    for axis in axes:
        empty = s.compare(c, "equal", s.size(c, a, axis), s.ZERO)
        some = s.compare(c, "greater", kept, s.ZERO)
        both = empty if isinstance(some, Constant) and some.value else c.emit("logical_and", empty, some)
        c.raise_if(both, ValueError, _EMPTY.format(operation))


def _with_entry(c: Context, x: Node, value: Node, axis: int) -> Node:
    """x with one more entry along the axis, so that the reduction is never of nothing."""
    shape = s.shape(c, x)
    shape[axis] = s.ONE
    extra = c.emit("broadcast_to", value, *shape, dims=s.dims(shape))
    return c.emit("concatenate", x, extra, axis=axis)


_extremum("max", "amax", "maximum")
_extremum("min", "amin", "minimum")


def _truth(name: str) -> None:
    @numpy_function(name, method=name)
    def reduction(c: Context, a: Node, axis: Known = None, out: Refused = None, keepdims: Known = False, *,
                  where: Value = None) -> Node:  # type: ignore[assignment]  # fmt: skip
        x = masked(c, cast(c, a, "bool"), where, name == "all")
        return reduced(c, name, x, axes_of(c, x, axis), bool(keepdims))


_truth("any")
_truth("all")


def _position(name: str) -> None:
    @numpy_function(name, method=name)
    def position(c: Context, a: Node, axis: Known = None, out: Refused = None, *, keepdims: Known = False) -> Node:
        x = cast(c, a, "int32") if dtype_of(a.type) == "bool" else a
        if axis is None or not rank_of(x):
            if axis is not None:
                normal_axis(c, axis, 1)
            result = c.emit(name, flat(c, x), axis=0)
            return c.emit("expand_dims", result, axes=tuple(range(rank_of(x)))) if keepdims and rank_of(x) else result
        axis = normal_axis(c, axis, rank_of(x))
        result = c.emit(name, x, axis=axis)
        return c.emit("expand_dims", result, axes=(axis,)) if keepdims else result


_position("argmax")
_position("argmin")


# Means and spreads -------------------------------------------------------------------------------------------------


def count_of(c: Context, x: Node, axes: Axes, dtype: str) -> Node:
    """How many elements are reduced to one, as a float."""
    return cast(c, s.product(c, [s.size(c, x, axis) for axis in axes]), dtype)


def in_mean_dtype(c: Context, x: Node, dtype: str | None) -> Node:
    if dtype is None:
        dtype = dtype_of(x.type)
        dtype = dtype if is_float(dtype) else "float64"
    return cast(c, x, dtype)


def mean_of(c: Context, x: Node, axes: Axes, keepdims: bool) -> Node:
    total = reduced(c, "sum", x, axes, keepdims)
    return c.emit("divide", total, count_of(c, x, axes, dtype_of(x.type))) if axes else x


@numpy_function("mean", method="mean")
def mean(c: Context, a: Node, axis: Known = None, dtype: Dtype = None, out: Refused = None, keepdims: Known = False, *,
         where: Refused = True) -> Node:  # fmt: skip
    x = in_mean_dtype(c, a, dtype)
    if not is_float(dtype_of(x.type)):
        refuse(c, "np.mean with an integer dtype is not supported in compiled code")
    return mean_of(c, x, normal_axes(c, axis, rank_of(x)), bool(keepdims))


def variance(c: Context, x: Node, axes: Axes, keepdims: bool, ddof: Any) -> Node:
    """The mean squared distance from the mean, over n - ddof (not below 0, as in NumPy)."""
    gap = c.emit("subtract", x, mean_of(c, x, axes, True))
    total = reduced(c, "sum", c.emit("multiply", gap, gap), axes, keepdims)
    count = s.product(c, [s.size(c, x, axis) for axis in axes])
    if ddof:
        count = _reduce_count(c, count, ddof, dtype_of(x.type))
    return c.emit("divide", total, cast(c, count, dtype_of(x.type)))


def _reduce_count(c: Context, count: Node, ddof: Any, dtype: str) -> Node:
    if isinstance(ddof, int):
        return s.maximum(c, s.subtract(c, count, s.integer(ddof)), s.ZERO)
    rest = c.emit("subtract", cast(c, count, dtype), Constant(ddof, Scalar(dtype)))
    return c.emit("maximum", rest, Constant(0.0, Scalar(dtype)))


def _spread(name: str) -> None:
    @numpy_function(name, method=name)
    def spread(c: Context, a: Node, axis: Known = None, dtype: Dtype = None, out: Refused = None, ddof: Known = 0,
               keepdims: Known = False, *, where: Refused = True, mean: Refused = None,
               correction: Known = None) -> Node:  # fmt: skip
        x = in_mean_dtype(c, a, dtype)
        delta = ddof if correction is None else correction
        result = variance(c, x, normal_axes(c, axis, rank_of(x)), bool(keepdims), delta)
        return root(c, result) if name == "std" else result


_spread("var")
_spread("std")


@numpy_function("ptp")
def ptp(c: Context, a: Node, axis: Known = None, out: Refused = None, keepdims: Known = False) -> Node:
    if dtype_of(a.type) == "bool":
        refuse(c, "numpy boolean subtract, the `-` operator, is not supported")
    high = extremum(c, "maximum", a, axis, bool(keepdims))
    return c.emit("subtract", high, extremum(c, "minimum", a, axis, bool(keepdims)))


@numpy_function("average")
def average(c: Context, a: Node, axis: Known = None, weights: Node = None, returned: Known = False, *,  # type: ignore[assignment]
            keepdims: Known = False) -> Any:  # fmt: skip
    if returned:
        refuse(c, "np.average(returned=True) is not supported in compiled code")
    x = in_mean_dtype(c, a, None)
    axes = normal_axes(c, axis, rank_of(x))
    if weights is None:
        return mean_of(c, x, axes, bool(keepdims))
    dtype = "float32" if {dtype_of(x.type), dtype_of(weights.type)} == {"float32"} else "float64"
    x, w = cast(c, x, dtype), cast(c, weights, dtype)
    if rank_of(w) != rank_of(x):
        if rank_of(w) != 1 or len(axes) != 1:
            refuse(c, "Axis must be specified when shapes of a and weights differ.")
        others = tuple(k for k in range(rank_of(x)) if k != axes[0])
        w = c.emit("expand_dims", w, axes=others) if others else w
        w = c.emit("broadcast_to", w, *s.shape(c, x), dims=dims_of(x.type))
    scale = reduced(c, "sum", w, axes, bool(keepdims))
    vain = c.emit("equal", scale, Constant(0.0, Scalar(dtype)))
    vain = reduced(c, "any", vain, tuple(range(rank_of(vain))))
    c.raise_if(vain, ZeroDivisionError, "Weights sum to zero, can't be normalized")
    return c.emit("divide", reduced(c, "sum", c.emit("multiply", x, w), axes, bool(keepdims)), scale)


@numpy_function("count_nonzero")
def count_nonzero(c: Context, a: Node, axis: Known = None, *, keepdims: Known = False) -> Node:
    x = cast(c, cast(c, a, "bool"), "int64")
    return reduced(c, "sum", x, axes_of(c, x, axis), bool(keepdims))


@numpy_function("median")
def median(c: Context, a: Node, axis: Known = None, out: Refused = None, overwrite_input: Refused = False,
           keepdims: Known = False) -> Node:  # fmt: skip
    """The mean of the two middle elements; NaN sorts last, so the last tells whether there is one."""
    x, rank = in_mean_dtype(c, a, None), rank_of(a)
    if axis is None:
        x, place = flat(c, x), 0
    elif isinstance(axis, int):
        place = normal_axis(c, axis, rank)
    else:
        refuse(c, "np.median over several axes is not supported in compiled code")
    count = s.size(c, x, place)
    last = s.maximum(c, s.subtract(c, count, s.ONE), s.ZERO)
    x = c.emit("sort", x, axis=place, stable=False)
    if dims_of(x.type)[place] <= 0:  # of nothing it is NaN
        x = _with_entry(c, x, Constant(float("nan"), Scalar(dtype_of(x.type))), place)
    low, high = s.floor_divide(c, last, s.integer(2)), s.floor_divide(c, count, s.integer(2))
    low, high, top = (c.emit("index", x, i, axes=(place,)) for i in (low, high, last))
    middle = c.emit("divide", c.emit("add", low, high), Constant(2.0, Scalar(dtype_of(x.type))))
    result = c.emit("select", c.emit("isnan", top), top, middle)
    if not keepdims:
        return result
    return c.emit("expand_dims", result, axes=tuple(range(rank)) if axis is None else (place,))


# Ignoring NaN ------------------------------------------------------------------------------------------------------


def without_nan(c: Context, x: Node, fill: float) -> tuple[Node, Node | None]:
    """x with NaN replaced, and where it was not NaN; integers have none."""
    if not is_float(dtype_of(x.type)):
        return x, None
    absent = c.emit("isnan", x)
    return c.emit("select", absent, Constant(fill, Scalar(dtype_of(x.type))), x), c.emit("logical_not", absent)


def _nan_additive(name: str, fill: float) -> None:
    @numpy_function(f"nan{name}")
    def reduction(c: Context, a: Node, axis: Known = None, dtype: Dtype = None, out: Refused = None,
                  keepdims: Known = False, initial: Refused = None, where: Refused = True) -> Node:  # fmt: skip
        x = accumulator(c, without_nan(c, a, fill)[0], dtype)
        return reduced(c, name, x, axes_of(c, x, axis), bool(keepdims))


_nan_additive("sum", 0.0)
_nan_additive("prod", 1.0)


def _nan_extremum(name: str, operation: str, fill: float) -> None:
    @numpy_function(f"nan{name}")
    def reduction(c: Context, a: Node, axis: Known = None, out: Refused = None, keepdims: Known = False,
                  initial: Refused = None, where: Refused = True) -> Node:  # fmt: skip
        x, present = without_nan(c, a, fill)
        result = extremum(c, operation, x, axis, bool(keepdims))
        if present is None:
            return result
        some = reduced(c, "any", present, axes_of(c, x, axis), bool(keepdims))
        return c.emit("select", some, result, Constant(float("nan"), Scalar(dtype_of(x.type))))


_nan_extremum("max", "maximum", float("-inf"))
_nan_extremum("min", "minimum", float("inf"))


def _nan_mean(c: Context, a: Node, axes: Axes, keepdims: bool) -> tuple[Node, Node, Node]:
    """The operand with NaN as 0, its mean, and how many elements there are."""
    x, present = without_nan(c, a, 0.0)
    dtype = dtype_of(x.type)
    if present is None:
        x = cast(c, x, "float64")
        return x, mean_of(c, x, axes, keepdims), count_of(c, x, axes, "float64")
    count = reduced(c, "sum", cast(c, present, dtype), axes, keepdims)
    return x, c.emit("divide", reduced(c, "sum", x, axes, keepdims), count), count


@numpy_function("nanmean")
def nanmean(c: Context, a: Node, axis: Known = None, dtype: Refused = None, out: Refused = None,
            keepdims: Known = False, *, where: Refused = True) -> Node:  # fmt: skip
    return _nan_mean(c, a, normal_axes(c, axis, rank_of(a)), bool(keepdims))[1]


def _nan_spread(name: str) -> None:
    @numpy_function(f"nan{name}")
    def spread(c: Context, a: Node, axis: Known = None, dtype: Refused = None, out: Refused = None, ddof: Known = 0,
               keepdims: Known = False, *, where: Refused = True) -> Node:  # fmt: skip
        axes = normal_axes(c, axis, rank_of(a))
        if not is_float(dtype_of(a.type)):
            result = variance(c, cast(c, a, "float64"), axes, bool(keepdims), ddof)
            return root(c, result) if name == "std" else result
        _, center, _ = _nan_mean(c, a, axes, True)
        gap, present = without_nan(c, c.emit("subtract", a, center), 0.0)
        assert present is not None
        dtype = dtype_of(a.type)
        total = reduced(c, "sum", c.emit("multiply", gap, gap), axes, bool(keepdims))
        kept = c.emit("logical_not", c.emit("isnan", a))
        count = reduced(c, "sum", cast(c, kept, dtype), axes, bool(keepdims))
        degrees = c.emit("subtract", count, Constant(float(ddof), Scalar(dtype)))
        vain = c.emit("less_equal", degrees, Constant(0.0, Scalar(dtype)))
        result = c.emit("divide", total, degrees)
        result = c.emit("select", vain, Constant(float("nan"), Scalar(dtype)), result)
        return root(c, result) if name == "std" else result


_nan_spread("var")
_nan_spread("std")


# Scans -------------------------------------------------------------------------------------------------------------


def _scan(name: str, run: Callable[[Context, Node, int], Node]) -> None:
    @numpy_function(name, method=name)
    def scan(c: Context, a: Node, axis: Known = None, dtype: Dtype = None, out: Refused = None) -> Node:
        x = accumulator(c, a, dtype)
        if dtype_of(x.type) == "bool":
            refuse(c, f"np.{name} with dtype=bool is not supported in compiled code")
        if axis is None:
            return run(c, flat(c, x), 0)
        x = expand_to_rank(c, x, 1)
        return run(c, x, normal_axis(c, axis, rank_of(x)))

    @numpy_function(f"nan{name}")
    def nan_scan(c: Context, a: Node, axis: Known = None, dtype: Dtype = None, out: Refused = None) -> Node:
        return scan(c, without_nan(c, a, 0.0 if name == "cumsum" else 1.0)[0], axis, dtype)


def _running_sum(c: Context, x: Node, axis: int) -> Node:
    return c.emit("cumsum", x, axis=axis, reverse=False)


def _running_product(c: Context, x: Node, axis: int) -> Node:
    """y_i = x_i y_(i-1) from y_0 = x_0: only the first element is a source."""
    first = c.emit("equal", along(c, x, axis), s.ZERO)
    source = c.emit("select", first, x, Constant(0, Scalar(dtype_of(x.type))))
    return c.emit("recurrence", x, source, axis=axis, reverse=False)


_scan("cumsum", _running_sum)
_scan("cumprod", _running_product)


def along(c: Context, x: Node, axis: int) -> Node:
    """0, 1, 2 ... along an axis of x, shaped to broadcast against it."""
    numbers = c.emit("iota", s.size(c, x, axis), dtype="int64", dim=dims_of(x.type)[axis])
    others = tuple(k for k in range(rank_of(x)) if k != axis)
    return c.emit("expand_dims", numbers, axes=others) if others else numbers


def part(c: Context, x: Node, axis: int, start: Node, count: Node, step: int = 1) -> Node:
    """`count` entries along an axis from `start`."""
    dims = list(dims_of(x.type))
    dims[axis] = s.dim_of(count)
    return c.emit("slice", x, start, count, s.integer(step), axes=(axis,), dims=tuple(dims))


@numpy_function("diff")
def diff(c: Context, a: Node, n: Known = 1, axis: Known = -1, prepend: Refused = None, append: Refused = None) -> Node:
    if n < 0:
        refuse(c, f"order must be non-negative but got {n}")
    if not rank_of(a):
        refuse(c, "diff requires input that is at least one dimensional")
    axis = normal_axis(c, axis, rank_of(a))
    operation = "not_equal" if dtype_of(a.type) == "bool" else "subtract"
    for _ in range(n):
        count = s.maximum(c, s.subtract(c, s.size(c, a, axis), s.ONE), s.ZERO)
        a = c.emit(operation, part(c, a, axis, s.ONE, count), part(c, a, axis, s.ZERO, count))
    return a


@numpy_function("trapezoid")
def trapezoid(c: Context, y: Node, x: Node = None, dx: Value = None, axis: Known = -1) -> Node:  # type: ignore[assignment]
    if dtype_of(y.type) == "bool":
        refuse(c, "np.trapezoid of truth values is not supported in compiled code", "convert them to float first")
    y = in_mean_dtype(c, y, None)
    place = normal_axis(c, axis, rank_of(y))
    count = s.maximum(c, s.subtract(c, s.size(c, y, place), s.ONE), s.ZERO)
    sides = c.emit("add", part(c, y, place, s.ONE, count), part(c, y, place, s.ZERO, count))
    if x is None:
        width = Constant(1.0, Scalar(dtype_of(y.type))) if dx is None else as_node(c, dx, dtype_of(y.type))
    else:
        x = cast(c, x, dtype_of(y.type))
        where = 0 if rank_of(x) == 1 else place
        width = c.emit("subtract", part(c, x, where, s.ONE, count), part(c, x, where, s.ZERO, count))
        others = tuple(range(1, rank_of(y) - place)) if rank_of(x) == 1 else ()
        width = c.emit("expand_dims", width, axes=others) if others else width
    area = c.emit("divide", c.emit("multiply", width, sides), Constant(2.0, Scalar(dtype_of(y.type))))
    return reduced(c, "sum", area, (place,))
