"""Functions of scipy.linalg. Imported only for programs that have imported scipy.linalg themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import scipy.linalg

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import FUNCTIONS, Declared, Known, Values
from arignote.frontend.numpy_factor import diagonal_of_square, every, matrices, refuse_as
from arignote.frontend.numpy_linalg import check_equal
from arignote.frontend.numpy_operand import cast, piece, rank_of, refuse
from arignote.frontend.values import Value
from arignote.ir.graph import Constant, Node
from arignote.ir.types import Scalar, dtype_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def declared(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        FUNCTIONS[getattr(scipy.linalg, name)] = Declared(function, f"scipy.linalg.{name}", False, False)
        return function

    return register


def _prepared(c: Context, a: Value, b: Value, check_finite: bool) -> tuple[Node, Node]:
    """The matrix and the right-hand sides, checked."""
    matrix, side = matrices(c, a, b)
    if rank_of(matrix) != 2 or rank_of(side) not in (1, 2):
        refuse(c, "stacks of matrices are not supported in compiled code for functions of scipy.linalg", "use vmap")
    if check_finite:
        for node in (matrix, side):
            finite = every(c, c.emit("isfinite", node), "all")
            c.raise_if(c.emit("logical_not", finite), ValueError, "array must not contain infs or NaNs")
    rows, given = s.size(c, matrix, 0), s.size(c, side, 0)
    check_equal(c, rows, given, ("shapes of a (", piece(rows), ", ", piece(rows), ") and b (", piece(given),
                                 ", ...) are incompatible"))  # fmt: skip
    return matrix, side


def _solved(c: Context, a: Node, b: Node, lower: bool, transposed: bool, unit: bool = False) -> Node:
    vector = rank_of(b) == 1
    side = c.emit("expand_dims", b, axes=(1,)) if vector else b
    x = c.emit("triangular_solve", a, side, lower=lower, transposed=transposed, unit=unit)
    return c.emit("squeeze", x, axes=(1,)) if vector else x


@declared("solve_triangular")
def solve_triangular(c: Context, a: Value, b: Value, trans: Known = 0, lower: Known = False,
                     unit_diagonal: Known = False, overwrite_b: Known = False,
                     check_finite: Known = True) -> Node:  # fmt: skip
    if trans not in (0, 1, 2, "N", "T", "C"):
        refuse_as(c, f"{trans!r} is not a transposition")
    matrix, side = _prepared(c, a, b, bool(check_finite))
    if not unit_diagonal:
        diagonal = diagonal_of_square(c, matrix)
        zeros = c.emit("equal", diagonal, Constant(0.0, Scalar(dtype_of(matrix.type))))
        # How many come before the first zero.
        passed = c.emit("equal", c.emit("cumsum", cast(c, zeros, "int64"), axis=0, reverse=False), s.ZERO)
        first = c.emit("sum", cast(c, passed, "int64"), axes=(0,))
        text = ("singular matrix: resolution failed at diagonal ", piece(first))
        c.raise_if(every(c, zeros), scipy.linalg.LinAlgError, *text)
    return _solved(c, matrix, side, bool(lower), trans not in (0, "N"), bool(unit_diagonal))


@declared("cho_solve")
def cho_solve(c: Context, c_and_lower: Values, b: Value, overwrite_b: Known = False,
              check_finite: Known = True) -> Node:  # fmt: skip
    factor, triangle = c_and_lower
    lower = bool(c.static(triangle, "lower"))
    matrix, side = _prepared(c, factor, b, bool(check_finite))
    first = _solved(c, matrix, side, lower, transposed=not lower)
    return _solved(c, matrix, first, lower, transposed=lower)
