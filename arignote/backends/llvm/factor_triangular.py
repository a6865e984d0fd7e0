"""Systems whose matrix is triangular."""

from __future__ import annotations

from ...lower.loop_ir import Const, Operand, Procedure, Type, Var, pointer_to
from ...lower.loop_ir_build import ProcedureBuilder
from .factor_lanes import SMALL
from .lapack import wrapper_symbol


def triangular_solve(symbol: str, type: Type) -> Procedure:
    """ag_triangular_solve."""
    build = ProcedureBuilder(symbol)
    count, n, k = (build.parameter("int64") for _ in range(3))
    a = build.parameter(pointer_to(type))
    stack, row, column = (build.parameter("int64") for _ in range(3))
    x = build.parameter(pointer_to(type))
    lower, transposed, unit = (build.let("not_equal", build.parameter("int64"), 0) for _ in range(3))
    # From here on the matrix is the one of the system, transposed or not, and `forward` if it is the lower triangle.
    forward = build.let("logical_xor", lower, transposed)
    row, column = build.let("select", transposed, column, row), build.let("select", transposed, row, column)
    size = build.let("multiply", n, k)
    dense = build.let("logical_or", build.let("equal", row, 1), build.let("equal", column, 1))
    apart = build.let("greater_equal", build.let("maximum", row, column), n)
    large = build.let("logical_and", build.let("logical_and", dense, apart), build.let("greater", n, SMALL))
    with build.loop(count) as item:
        matrix = build.let("pointer_offset", a, build.let("multiply", item.index, stack))
        target = build.let("pointer_offset", x, build.let("multiply", item.index, size))
        with build.branch(large) as branch:
            by_rows = build.let("equal", column, 1)
            upper = build.let("equal", by_rows, forward)  # BLAS sees what lies in rows transposed
            uplo = build.let("select", upper, Const(ord("U"), "int64"), Const(ord("L"), "int64"))
            diagonal = build.let("select", unit, Const(ord("U"), "int64"), Const(ord("N"), "int64"))
            leading = build.let("maximum", row, column)
            solve_triangle(build, type, uplo, diagonal, by_rows, n, k, matrix, leading, target)
            branch.yields()
            branch.otherwise()
            _substitute(build, n, k, matrix, (row, column), target, forward, unit)
            branch.yields()
    return build.finish()


def _substitute(build: ProcedureBuilder, n: Var, k: Var, a: Var, strides: tuple[Var, Var], x: Var, forward: Var,
                unit: Var) -> None:  # fmt: skip
    """Row after row of x, each less its share of the rows before it."""
    row, column = strides

    def position(index: Operand) -> Var:
        return build.let("select", forward, index, build.let("subtract", build.let("subtract", n, 1), index))

    with build.kernel([a], [x]), build.loop(n) as step:
        i = position(step.index)
        own_row, own_place = build.let("multiply", i, row), build.let("multiply", i, k)
        with build.loop(step.index) as before:
            j = position(before.index)
            factor = build.load(a, build.let("add", own_row, build.let("multiply", j, column)))
            known = build.let("multiply", j, k)
            with build.loop(k, vector=True) as each:
                place = build.let("add", own_place, each.index)
                term = build.let("multiply", factor, build.load(x, build.let("add", known, each.index)))
                build.store(x, place, build.let("subtract", build.load(x, place), term))
        pivot = build.load(a, build.let("add", own_row, build.let("multiply", i, column)))
        divisor = build.let("select", unit, 1.0, pivot)
        with build.loop(k, vector=True) as each:
            place = build.let("add", own_place, each.index)
            build.store(x, place, build.let("divide", build.load(x, place), divisor))


def solve_triangle(build: ProcedureBuilder, type: Type, uplo: Operand | int, diagonal: Operand | int,
                   transposed: Operand | bool, n: Operand, k: Operand, a: Var, lda: Operand,
                   x: Var) -> None:  # fmt: skip
    """T x = b, or T^T x = b, where T is a triangle of what BLAS sees at `a`, and x lies row by row."""
    with build.branch(build.let("equal", k, 1)) as branch:
        vector = [uplo, _letter(build, transposed, "T", "N"), diagonal, n, a, lda, x, 1]
        build.extern(wrapper_symbol("trsv", type), constants(vector))
        branch.yields()
        branch.otherwise()
        matrix = [ord("R"), uplo, _letter(build, transposed, "N", "T"), diagonal, k, n, a, lda, x, k]
        build.extern(wrapper_symbol("trsm", type), constants(matrix))
        branch.yields()


def _letter(build: ProcedureBuilder, condition: Operand | bool, yes: str, no: str) -> Operand | int:
    """One of two letters, as a number."""
    if isinstance(condition, bool):
        return ord(yes if condition else no)
    return build.let("select", condition, Const(ord(yes), "int64"), Const(ord(no), "int64"))


def constants(arguments: list[Operand | int]) -> list[Operand]:
    """Python numbers as constants."""
    return [Const(each, "int64") if isinstance(each, int) else each for each in arguments]
