"""Products of vectors, matrices and stacks of them; norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import Known, Refused, Values, numpy_function
from arignote.frontend.numpy_operand import (
    as_node,
    cast,
    expand_to_rank,
    normal_axis,
    rank_of,
    refuse,
    refuse_shape,
    shape_pieces,
)
from arignote.frontend.numpy_reduce import extremum, flat, in_mean_dtype, reduced, root
from arignote.frontend.numpy_shape import moved, permuted, reshaped
from arignote.frontend.numpy_ufunc import unified
from arignote.frontend.values import Static, Value
from arignote.ir.graph import Constant, Node
from arignote.ir.types import Scalar, dtype_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def numbers(c: Context, *values: Value) -> tuple[str, list[Node]]:
    """The operands of a product in their common dtype; truth values as integers, to be compared with 0 in the end."""
    dtype, nodes = unified(c, values)
    return dtype, [cast(c, node, "int64") for node in nodes] if dtype == "bool" else nodes


def check_equal(c: Context, a: Node, b: Node, pieces: Sequence[Any]) -> None:
    """Two sizes must agree."""
    if a is b:
        return
    different = s.compare(c, "not_equal", a, b)
    if isinstance(different, Constant):
        if different.value:
            refuse_shape(c, "".join(p if isinstance(p, str) else "n" for p in pieces))
        return
    c.raise_if(different, ValueError, *pieces)


def _piece(node: Node) -> Any:
    return str(node.value) if isinstance(node, Constant) else ("int64", True, node)


# Products ----------------------------------------------------------------------------------------------------------


def matmul_of(c: Context, x: Value, y: Value) -> Node:
    """x @ y."""
    dtype, (a, b) = numbers(c, x, y)
    for position, node in enumerate((a, b)):
        if not rank_of(node):
            refuse(c, f"matmul: Input operand {position} does not have enough dimensions (has 0, gufunc core with "
                   "signature (n?,k),(k,m?)->(n?,m?) requires 1)")  # fmt: skip
    return cast(c, _product(c, a, b), dtype)


def _product(c: Context, a: Node, b: Node) -> Node:
    if rank_of(a) == rank_of(b) == 1:
        have, given = s.size(c, a, 0), s.size(c, b, 0)
        text = ("matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
                "(n?,k),(k,m?)->(n?,m?) (size ", _piece(given), " is different from ", _piece(have), ")")  # fmt: skip
        check_equal(c, have, given, text)
        return dot_product(c, a, b)
    dropped = []
    if rank_of(a) == 1:
        a, dropped = c.emit("expand_dims", a, axes=(0,)), [-2]
    if rank_of(b) == 1:
        b, dropped = c.emit("expand_dims", b, axes=(1,)), [-1]
    rank = max(rank_of(a), rank_of(b))
    result = c.emit("matmul", expand_to_rank(c, a, rank), expand_to_rank(c, b, rank))
    return c.emit("squeeze", result, axes=tuple(rank + axis for axis in dropped)) if dropped else result


def dot_product(c: Context, a: Node, b: Node) -> Node:
    return c.emit("sum", c.emit("multiply", a, b), axes=(0,))


@numpy_function("matmul")
def matmul(c: Context, x1: Value, x2: Value, /, out: Refused = None) -> Node:
    return matmul_of(c, x1, x2)


def _check_aligned(c: Context, a: Node, b: Node, axis_a: int, axis_b: int) -> None:
    shapes = [s.shape(c, node) for node in (a, b)]
    have, given = shapes[0][axis_a], shapes[1][axis_b]
    text = ["shapes ", *shape_pieces(shapes[0]), " and ", *shape_pieces(shapes[1]), " not aligned: ",
            _piece(have), f" (dim {axis_a}) != ", _piece(given), f" (dim {axis_b})"]  # fmt: skip
    check_equal(c, have, given, text)


@numpy_function("dot", method="dot")
def dot(c: Context, a: Value, b: Value, out: Refused = None) -> Node:
    dtype, (x, y) = numbers(c, a, b)
    return cast(c, _dot(c, x, y), dtype)


def _dot(c: Context, x: Node, y: Node) -> Node:
    if not rank_of(x) or not rank_of(y):
        return c.emit("multiply", x, y)
    axis_b = max(rank_of(y) - 2, 0)
    _check_aligned(c, x, y, rank_of(x) - 1, axis_b)
    if rank_of(x) == rank_of(y) == 1:
        return dot_product(c, x, y)
    if rank_of(x) <= 2 and rank_of(y) <= 2:
        return _product(c, x, y)
    return contracted(c, x, y, [rank_of(x) - 1], [axis_b])


@numpy_function("vdot")
def vdot(c: Context, a: Value, b: Value, /) -> Node:
    dtype, (x, y) = numbers(c, a, b)
    x, y = flat(c, x), flat(c, y)
    text = ("cannot reshape array of size ", _piece(s.size(c, y, 0)), " into shape (", _piece(s.size(c, x, 0)), ",)")
    check_equal(c, s.size(c, x, 0), s.size(c, y, 0), text)
    return cast(c, dot_product(c, x, y), dtype)


@numpy_function("inner")
def inner(c: Context, a: Value, b: Value, /) -> Node:
    dtype, (x, y) = numbers(c, a, b)
    if not rank_of(x) or not rank_of(y):
        return cast(c, c.emit("multiply", x, y), dtype)
    _check_aligned(c, x, y, rank_of(x) - 1, rank_of(y) - 1)
    if rank_of(x) == rank_of(y) == 1:
        return cast(c, dot_product(c, x, y), dtype)
    return cast(c, contracted(c, x, y, [rank_of(x) - 1], [rank_of(y) - 1]), dtype)


@numpy_function("outer")
def outer(c: Context, a: Value, b: Value, out: Refused = None) -> Node:
    dtype, (x, y) = numbers(c, a, b)
    column = c.emit("expand_dims", flat(c, x), axes=(1,))
    row = c.emit("expand_dims", flat(c, y), axes=(0,))
    return cast(c, c.emit("multiply", column, row), dtype)


@numpy_function("tensordot", rank0=True)
def tensordot(c: Context, a: Value, b: Value, axes: Known = 2) -> Node:
    dtype, (x, y) = numbers(c, a, b)
    if isinstance(axes, tuple | list):
        first, second = ([part] if isinstance(part, int) else list(part) for part in axes)
    else:
        first, second = list(range(rank_of(x) - axes, rank_of(x))), list(range(axes))
    if len(first) != len(second) or (not isinstance(axes, tuple | list) and axes > min(rank_of(x), rank_of(y))):
        refuse_shape(c, "shape-mismatch for sum")
    first = [normal_axis(c, axis, rank_of(x)) for axis in first]
    second = [normal_axis(c, axis, rank_of(y)) for axis in second]
    for i, j in zip(first, second, strict=True):
        check_equal(c, s.size(c, x, i), s.size(c, y, j), ("shape-mismatch for sum",))
    return cast(c, contracted(c, x, y, first, second), dtype)


def contracted(c: Context, x: Node, y: Node, first: Sequence[int], second: Sequence[int]) -> Node:
    """The sum of products over pairs of axes, as one matrix product."""
    rows = [axis for axis in range(rank_of(x)) if axis not in first]
    columns = [axis for axis in range(rank_of(y)) if axis not in second]
    x, y = permuted(c, x, [*rows, *first]), permuted(c, y, [*second, *columns])
    if not first:
        left = c.emit("expand_dims", x, axes=tuple(range(rank_of(x), rank_of(x) + rank_of(y)))) if rank_of(y) else x
        return c.emit("multiply", left, y)
    left_sizes, right_sizes = s.shape(c, x), s.shape(c, y)
    count = len(rows)
    shape = [*left_sizes[:count], *right_sizes[len(second) :]]
    inside = s.product(c, left_sizes[count:])
    a = reshaped(c, x, [s.product(c, left_sizes[:count]), inside])
    b = reshaped(c, y, [s.product(c, right_sizes[: len(second)]), s.product(c, right_sizes[len(second) :])])
    if not shape:
        return dot_product(c, flat(c, a), flat(c, b))
    return reshaped(c, c.emit("matmul", a, b), shape)


@numpy_function("kron")
def kron(c: Context, a: Value, b: Value) -> Node:
    dtype, (x, y) = numbers(c, a, b)
    rank = max(rank_of(x), rank_of(y))
    x, y = expand_to_rank(c, x, rank), expand_to_rank(c, y, rank)
    sizes = [s.multiply(c, m, n) for m, n in zip(s.shape(c, x), s.shape(c, y), strict=True)]
    if rank:
        x = c.emit("expand_dims", x, axes=tuple(range(1, 2 * rank, 2)))
        y = c.emit("expand_dims", y, axes=tuple(range(0, 2 * rank, 2)))
    return cast(c, reshaped(c, c.emit("multiply", x, y), sizes), dtype)


@numpy_function("cross")
def cross(c: Context, a: Value, b: Value, axisa: Known = -1, axisb: Known = -1, axisc: Known = -1,
          axis: Known = None) -> Node:  # fmt: skip
    dtype, nodes = numbers(c, a, b)
    if dtype == "bool":
        refuse(c, "numpy boolean subtract, the `-` operator, is not supported")
    places = (axisa, axisb) if axis is None else (axis, axis)
    entries = []
    for node, place in zip(nodes, places, strict=True):
        node = moved(c, node, place, -1)
        text = ("incompatible dimensions for cross product; compiled code knows that of 3 entries only",)
        check_equal(c, s.size(c, node, rank_of(node) - 1), s.integer(3), text)
        last = rank_of(node) - 1
        entries.append([c.emit("index", node, s.integer(i), axes=(last,)) for i in range(3)])
    (a0, a1, a2), (b0, b1, b2) = entries
    rows = []
    for left, right, up, down in ((a1, b2, a2, b1), (a2, b0, a0, b2), (a0, b1, a1, b0)):
        rows.append(c.emit("subtract", c.emit("multiply", left, right), c.emit("multiply", up, down)))
    rank = rank_of(rows[0])
    joined = c.emit("concatenate", *[c.emit("expand_dims", row, axes=(rank,)) for row in rows], axis=rank)
    return cast(c, moved(c, joined, -1, axisc if axis is None else axis), dtype)


@numpy_function("multi_dot", module=np.linalg)
def multi_dot(c: Context, arrays: Values, *, out: Refused = None) -> Node:
    result: Any = arrays[0]
    ranks = [rank_of(as_node(c, array)) for array in arrays]
    if len(arrays) < 2 or not {*ranks[1:-1]} <= {2} or not {ranks[0], ranks[-1]} <= {1, 2}:
        refuse_shape(c, "np.linalg.multi_dot takes two or more matrices; the first and the last may be vectors")
    for other in arrays[1:]:
        node = matmul_of(c, result, other)
        result = c.result(node)
    return c.node(result)


# Norms -------------------------------------------------------------------------------------------------------------


@numpy_function("norm", module=np.linalg)
def norm(c: Context, x: Value, ord: Known = None, axis: Known = None, keepdims: Known = False) -> Node:
    node = in_mean_dtype(c, as_node(c, x), None)
    rank = rank_of(node)
    keepdims = bool(keepdims)
    if axis is None and (ord is None or (ord in ("f", "fro") and rank == 2) or (ord == 2 and rank == 1)):
        return _root_of_squares(c, node, tuple(range(rank)), keepdims)
    given = range(rank) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    axes = [normal_axis(c, k, rank) for k in given]
    if len(axes) == 1:
        return _vector_norm(c, node, ord, (axes[0],), keepdims)
    if len(axes) == 2:
        if axes[0] == axes[1]:
            refuse_shape(c, "Duplicate axes given.")
        return _matrix_norm(c, node, ord, axes[0], axes[1], keepdims)
    refuse_shape(c, "Improper number of dimensions to norm.")


def _root_of_squares(c: Context, x: Node, axes: tuple[int, ...], keepdims: bool) -> Node:
    return root(c, reduced(c, "sum", c.emit("multiply", x, x), axes, keepdims))


def _vector_norm(c: Context, x: Node, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Node:
    if ord is None or ord == 2:
        return _root_of_squares(c, x, axes, keepdims)
    if isinstance(ord, str):
        refuse(c, f"Invalid norm order '{ord}' for vectors")
    if ord == 0:
        nonzero = c.emit("not_equal", x, Constant(0.0, Scalar(dtype_of(x.type))))
        return reduced(c, "sum", cast(c, nonzero, dtype_of(x.type)), axes, keepdims)
    absolute = c.emit("absolute", x)
    if ord == np.inf:
        return extremum(c, "maximum", absolute, axes, keepdims, Static(0))
    if ord == -np.inf:
        return reduced(c, "min", absolute, axes, keepdims)
    if ord == 1:
        return reduced(c, "sum", absolute, axes, keepdims)
    dtype = Scalar(dtype_of(x.type))
    total = reduced(c, "sum", c.emit("power", absolute, Constant(float(ord), dtype)), axes, keepdims)
    is_zero = c.emit("equal", total, Constant(0.0, dtype))
    safe = c.emit("select", is_zero, Constant(1.0, dtype), total)
    at_zero = Constant(0.0 if ord > 0 else float("inf"), dtype)
    return c.emit("select", is_zero, at_zero, c.emit("power", safe, Constant(1.0 / float(ord), dtype)))


def _matrix_norm(c: Context, x: Node, ord: Any, row: int, column: int, keepdims: bool) -> Node:
    if ord in (None, "fro", "f"):
        return _root_of_squares(c, x, tuple(sorted((row, column))), keepdims)
    if ord not in (1, -1, np.inf, -np.inf):
        if ord in (2, -2, "nuc"):
            refuse(c, f"np.linalg.norm of a matrix with ord={ord!r} is not supported in compiled code")
        refuse(c, "Invalid norm order for matrices.")
    inside, outside = (row, column) if abs(ord) == 1 else (column, row)
    total = reduced(c, "sum", c.emit("absolute", x), (inside,), True)
    if ord > 0:
        result = extremum(c, "maximum", total, (outside,), True, Static(0))
    else:
        result = reduced(c, "min", total, (outside,), True)
    return result if keepdims else c.emit("squeeze", result, axes=tuple(sorted((row, column))))
