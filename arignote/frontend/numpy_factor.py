"""Factorisations and linear systems: `np.linalg.solve`, `inv`, `det`, `slogdet`, `cholesky`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import Known, numpy_function
from arignote.frontend.numpy_create import diagonal_test
from arignote.frontend.numpy_linalg import check_equal
from arignote.frontend.numpy_operand import cast, expand_to_rank, piece, rank_of, refuse, wrap
from arignote.frontend.numpy_reduce import in_mean_dtype
from arignote.frontend.numpy_shape import diagonal_of
from arignote.frontend.numpy_ufunc import unified
from arignote.frontend.values import RecordValue, Value
from arignote.ir.graph import Constant, Node
from arignote.ir.types import Scalar, dtype_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Failure = np.linalg.LinAlgError
SLOGDET: Any = type(np.linalg.slogdet(np.ones((0, 0))))


def matrices(c: Context, *values: Value) -> list[Node]:
    """The operands in their common floating-point type, the first of them stacks of square matrices."""
    _, given = unified(c, values)
    nodes = [in_mean_dtype(c, node, None) for node in given]
    check_square(c, nodes[0])
    return nodes


def check_square(c: Context, a: Node) -> None:
    """Raises what NumPy raises unless it is a stack of square matrices."""
    rank = rank_of(a)
    if rank < 2:
        refuse_as(c, f"{rank}-dimensional array given. Array must be at least two-dimensional")
    rows, columns = s.size(c, a, rank - 2), s.size(c, a, rank - 1)
    different = s.compare(c, "not_equal", rows, columns)
    text = "Last 2 dimensions of the array must be square"
    if isinstance(different, Constant):
        if different.value:
            refuse_as(c, text)
        return
    c.raise_if(different, Failure, text)


def refuse_as(c: Context, message: str) -> None:
    """An error that NumPy raises, known at compile time."""
    refuse(c, f"LinAlgError: {message}")


def every(c: Context, x: Node, name: str = "any") -> Node:
    """Whether any (or all) of an array's elements are true."""
    return c.emit(name, x, axes=tuple(range(rank_of(x)))) if rank_of(x) else x


def diagonal(c: Context, lu: Node) -> Node:
    """The diagonal of U."""
    rank = rank_of(lu)
    side = s.size(c, lu, rank - 1)
    square = c.emit("slice", lu, s.ZERO, side, s.ONE, axes=(rank - 2,), dims=s.dims([*s.shape(c, lu)[:-2], side, side]))
    return diagonal_of_square(c, square)


def diagonal_of_square(c: Context, a: Node) -> Node:
    """The diagonals of a stack of square matrices."""
    return diagonal_of(c, a, 0, rank_of(a) - 2, rank_of(a) - 1)


def factored(c: Context, a: Node) -> Node:
    """The LU factors of matrices none of which may be singular."""
    lu = c.emit("lu", a)
    zero = c.emit("equal", diagonal(c, lu), Constant(0.0, Scalar(dtype_of(a.type))))
    c.raise_if(every(c, zero), Failure, "Singular matrix")
    return lu


@numpy_function("solve", module=np.linalg)
def solve(c: Context, a: Value, b: Value) -> Node:
    matrix, side = matrices(c, a, b)
    if not rank_of(side):
        refuse_as(c, "0-dimensional array given. Array must be at least one-dimensional")
    vector = rank_of(side) == 1
    if vector:
        side = c.emit("expand_dims", side, axes=(1,))
    rows, given = s.size(c, matrix, rank_of(matrix) - 1), s.size(c, side, rank_of(side) - 2)
    signature = "(m,m),(m)->(m)" if vector else "(m,m),(m,n)->(m,n)"
    check_equal(c, rows, given, (
        f"solve{'1' if vector else ''}: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
        f"{signature} (size ", piece(given), " is different from ", piece(rows), ")"))  # fmt: skip
    rank = max(rank_of(matrix), rank_of(side))
    matrix, side = expand_to_rank(c, matrix, rank), expand_to_rank(c, side, rank)
    x = c.emit("lu_solve", matrix, factored(c, matrix), side, transposed=False)
    return c.emit("squeeze", x, axes=(rank - 1,)) if vector else x


@numpy_function("inv", module=np.linalg)
def inv(c: Context, a: Value) -> Node:
    (matrix,) = matrices(c, a)
    side = s.size(c, matrix, rank_of(matrix) - 1)
    identity = cast(c, diagonal_test(c, "equal", side, side, s.ZERO), dtype_of(matrix.type))
    identity = expand_to_rank(c, identity, rank_of(matrix))
    return c.emit("lu_solve", matrix, factored(c, matrix), identity, transposed=False)


def sign_and_logarithm(c: Context, a: Node) -> tuple[Node, Node]:
    """The sign of the determinants, and the logarithm of their absolute value."""
    rank = rank_of(a)
    lu = c.emit("lu", a)
    side = s.size(c, a, rank - 1)
    exchanges = c.emit("index", lu, side, axes=(rank - 2,))
    steps = cast(c, c.emit("iota", side, dtype="int64", dim=s.dim_of(side)), dtype_of(a.type))
    one, minus = (Constant(value, Scalar(dtype_of(a.type))) for value in (1.0, -1.0))
    turns = c.emit("select", c.emit("equal", exchanges, steps), one, minus)
    signs = c.emit("multiply", c.emit("sign", diagonal(c, lu)), turns)
    logarithm = c.emit("squeeze", c.emit("log_abs_det", a, lu), axes=(rank - 2,))
    return c.emit("prod", signs, axes=(rank - 2,)), logarithm


@numpy_function("slogdet", module=np.linalg)
def slogdet(c: Context, a: Value) -> Value:
    (matrix,) = matrices(c, a)
    return RecordValue(SLOGDET, SLOGDET._fields, [wrap(c, node) for node in sign_and_logarithm(c, matrix)])


@numpy_function("det", module=np.linalg)
def det(c: Context, a: Value) -> Node:
    (matrix,) = matrices(c, a)
    sign, logarithm = sign_and_logarithm(c, matrix)
    return c.emit("multiply", sign, c.emit("exp", logarithm))


@numpy_function("cholesky", module=np.linalg)
def cholesky(c: Context, a: Value, /, *, upper: Known = False) -> Node:
    (matrix,) = matrices(c, a)
    rank = rank_of(matrix)
    permutation = (*range(rank - 2), rank - 1, rank - 2)
    if upper:
        matrix = c.emit("transpose", matrix, permutation=permutation)
    factor = c.emit("cholesky", matrix)
    side = s.minimum(c, s.size(c, matrix, rank - 1), s.ONE)
    corner = c.emit("slice", factor, s.ZERO, side, s.ONE, s.ZERO, side, s.ONE, axes=(rank - 2, rank - 1),
                    dims=s.dims([*s.shape(c, matrix)[:-2], side, side]))  # fmt: skip
    negative = c.emit("less", corner, Constant(0.0, Scalar(dtype_of(matrix.type))))
    c.raise_if(every(c, negative), Failure, "Matrix is not positive definite")
    return c.emit("transpose", factor, permutation=permutation) if upper else factor
