"""Functions of numerical practice: polynomials, interpolation, gradients of samples, positions of nonzero elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import Known, Refused, numpy_function
from arignote.frontend.numpy_operand import as_node, cast, normal_axis, promote, rank_of, refuse, refuse_shape
from arignote.frontend.numpy_reduce import flat, in_mean_dtype, part
from arignote.frontend.numpy_shape import count_before
from arignote.frontend.numpy_ufunc import nonzero
from arignote.frontend.values import Value
from arignote.ir.graph import Constant, Node
from arignote.ir.types import Scalar, dtype_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context


@numpy_function("flatnonzero")
def flatnonzero(c: Context, a: Node) -> Node:
    return nonzero(c, flat(c, a))[0]


@numpy_function("argwhere")
def argwhere(c: Context, a: Node) -> Node:
    if not rank_of(a):
        refuse(c, "np.argwhere of a number is not supported in compiled code")
    return c.emit("concatenate", *[c.emit("expand_dims", i, axes=(1,)) for i in nonzero(c, a)], axis=1)


@numpy_function("polyval")
def polyval(c: Context, p: Node, x: Node) -> Node:
    """Horner's scheme is a recurrence along the coefficients: y_i = x y_(i-1) + p_i."""
    if rank_of(p) != 1:
        refuse_shape(c, "np.polyval needs a one-dimensional array of coefficients")
    dtype = promote([dtype_of(p.type), dtype_of(x.type)])
    dtype = "int64" if dtype == "bool" else dtype
    shape = [*s.shape(c, x), s.size(c, p, 0)]
    place = c.emit("expand_dims", cast(c, x, dtype), axes=(rank_of(x),))
    factors = c.emit("broadcast_to", place, *shape, dims=s.dims(shape))
    terms = c.emit("broadcast_to", cast(c, p, dtype), *shape, dims=s.dims(shape))
    values = c.emit("recurrence", factors, terms, axis=rank_of(x), reverse=False)
    return c.emit("index", values, s.integer(-1), axes=(rank_of(x),))


@numpy_function("interp")
def interp(c: Context, x: Node, xp: Node, fp: Node, left: Value = None, right: Value = None,  # type: ignore[assignment]
           period: Refused = None) -> Node:  # fmt: skip
    """Linear between the neighbours; constant outside."""
    if rank_of(xp) != 1 or rank_of(fp) != 1:
        refuse_shape(c, "object of too small depth for desired array")
    x, xp, fp = (cast(c, node, "float64") for node in (x, xp, fp))
    count = s.size(c, xp, 0)
    different = s.compare(c, "not_equal", count, s.size(c, fp, 0))
    c.raise_if(different, ValueError, "fp and xp are not of the same length.")
    c.raise_if(s.compare(c, "equal", count, s.ZERO), ValueError, "array of sample points is empty")
    last = s.subtract(c, count, s.ONE)
    behind = c.emit("subtract", count_before(c, xp, x, "right"), s.ONE)
    low = c.emit("maximum", c.emit("minimum", behind, s.subtract(c, last, s.ONE)), s.ZERO)
    high = c.emit("minimum", c.emit("add", low, s.ONE), last)
    x0, x1, y0, y1 = (_pick(c, table, i) for table in (xp, fp) for i in (low, high))
    zero, one = Constant(0.0, Scalar("float64")), Constant(1.0, Scalar("float64"))
    gap = c.emit("subtract", x1, x0)
    safe = c.emit("select", c.emit("equal", gap, zero), one, gap)
    slope = c.emit("divide", c.emit("subtract", y1, y0), safe)
    result = c.emit("add", c.emit("multiply", slope, c.emit("subtract", x, x0)), y0)
    for name, position, given in (("less", s.ZERO, left), ("greater_equal", last, right)):
        edge = c.emit("index", xp, position, axes=(0,))
        end = c.emit("index", fp, position, axes=(0,))
        if given is not None:
            outside = "less" if name == "less" else "greater"
            result = c.emit("select", c.emit("equal", x, edge), end, result)
            result = c.emit("select", c.emit(outside, x, edge), cast(c, as_node(c, given), "float64"), result)
        else:
            result = c.emit("select", c.emit(name, x, edge), end, result)
    return result


def _pick(c: Context, table: Node, i: Node) -> Node:
    return c.emit("gather", table, i, axis=0) if rank_of(i) else c.emit("index", table, i, axes=(0,))


@numpy_function("gradient")
def gradient(c: Context, f: Node, *varargs: Value, axis: Known = None, edge_order: Known = 1) -> Any:
    """Central differences inside, one-sided ones at the ends; equal spacing."""
    if edge_order != 1 or len(varargs) > 1:
        refuse(c, "np.gradient is supported with at most one spacing and edge_order=1 in compiled code")
    f = in_mean_dtype(c, f, None)
    dtype = dtype_of(f.type)
    step: Node = Constant(1.0, Scalar(dtype))
    if varargs:
        step = as_node(c, varargs[0], dtype)
        if rank_of(step):
            refuse(c, "np.gradient at unequal spacing is not supported in compiled code")
    given = range(rank_of(f)) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    results = tuple([_gradient_along(c, f, normal_axis(c, k, rank_of(f)), step) for k in given])
    return results[0] if len(results) == 1 else results


def _gradient_along(c: Context, f: Node, axis: int, step: Node) -> Node:
    count = s.size(c, f, axis)
    text = ("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
            "required.")  # fmt: skip
    small = s.compare(c, "less", count, s.integer(2))
    if isinstance(small, Constant) and small.value:
        refuse_shape(c, text)
    c.raise_if(small, ValueError, text)
    inner = s.maximum(c, s.subtract(c, count, s.integer(2)), s.ZERO)
    twice = c.emit("multiply", step, Constant(2.0, Scalar(dtype_of(f.type))))
    middle = c.emit("subtract", part(c, f, axis, s.integer(2), inner), part(c, f, axis, s.ZERO, inner))
    ends = []
    for start in (s.ZERO, s.subtract(c, count, s.integer(2))):
        rise = c.emit("subtract", part(c, f, axis, s.add(c, start, s.ONE), s.ONE), part(c, f, axis, start, s.ONE))
        ends.append(c.emit("divide", rise, step))
    return c.emit("concatenate", ends[0], c.emit("divide", middle, twice), ends[1], axis=axis)
