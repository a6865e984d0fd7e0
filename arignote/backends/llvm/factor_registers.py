"""The smallest systems, one in each lane: with the side known, all entries of a matrix are values, and no loop is left.

The operations and their order are those of the loops in factor_lu.py, so that the results are the same bits.
"""

from __future__ import annotations

from collections.abc import Callable

from ...lower.loop_ir import Const, Operand, Type, Var
from ...lower.loop_ir_build import ProcedureBuilder

SIDES = (2, 3, 4)
"""The sides with procedures of their own: four vectors of four entries fit in registers, beside what is computed."""

Matrix = list[list[Operand]]
"""Entries by row and column."""


def by_side(build: ProcedureBuilder, n: Var, known: Callable[[int], None], other: Callable[[], None],
            sides: tuple[int, ...] = SIDES) -> None:  # fmt: skip
    """`known` for each of the smallest sides, `other` for all else."""
    if not sides:
        other()
        return
    with build.branch(build.let("equal", n, sides[0])) as branch:
        known(sides[0])
        branch.yields()
        branch.otherwise()
        by_side(build, n, known, other, sides[1:])
        branch.yields()


def eliminate(build: ProcedureBuilder, rows: Matrix, type: Type) -> list[Operand]:
    """Gaussian elimination with partial pivoting in place of `rows`; the exchanged row of each step, as a number."""
    exchanges: list[Operand] = []
    side = len(rows)
    for k in range(side):
        chosen = _pivot_row(build, rows, k, type)
        exchanges.append(chosen)
        for i in range(k + 1, side):
            here = build.let("equal", chosen, float(i))
            rows[k], rows[i] = _exchanged(build, here, rows[k], rows[i])
        pivot = rows[k][k]
        divisor = build.let("select", build.let("equal", pivot, 0.0), 1.0, pivot)
        for i in range(k + 1, side):
            rows[i][k] = build.let("divide", rows[i][k], divisor)
            for j in range(k + 1, side):
                rows[i][j] = build.let("subtract", rows[i][j], build.let("multiply", rows[i][k], rows[k][j]))
    return exchanges


def _pivot_row(build: ProcedureBuilder, rows: Matrix, k: int, type: Type) -> Operand:
    """The row of the largest entry in column k, from row k on. A comparison with NaN is false, so a NaN is never
    exchanged with what comes after it."""
    chosen: Operand = Const(float(k), type)
    best: Operand | None = None
    for i in range(k + 1, len(rows)):
        best = build.let("absolute", rows[k][k]) if best is None else best
        size = build.let("absolute", rows[i][k])
        larger = build.let("greater", size, best)
        best = build.let("select", larger, size, best)
        chosen = build.let("select", larger, Const(float(i), type), chosen)
    return chosen


def _exchanged(build: ProcedureBuilder, here: Operand, first: list[Operand],
               second: list[Operand]) -> tuple[list[Operand], list[Operand]]:  # fmt: skip
    """Two rows, the other way round where `here` is true."""
    pairs = list(zip(first, second, strict=True))
    return ([build.let("select", here, other, one) for one, other in pairs],
            [build.let("select", here, one, other) for one, other in pairs])  # fmt: skip


def solve(build: ProcedureBuilder, factors: Matrix, exchanges: list[Operand], known: list[Operand],
          turned: bool) -> list[Operand]:  # fmt: skip
    """The solution of one system, or of the transposed one, by the factors that `eliminate` leaves."""
    side = len(factors)
    x = list(known)
    if turned:
        columns = [list(column) for column in zip(*factors, strict=True)]
        _substitute(build, columns, x, forward=True, unit=False)
        _substitute(build, columns, x, forward=False, unit=True)
    order = range(side - 1, -1, -1) if turned else range(side)
    for step in order:
        for i in range(step + 1, side):
            here = build.let("equal", exchanges[step], float(i))
            (x[step],), (x[i],) = _exchanged(build, here, [x[step]], [x[i]])
    if not turned:
        _substitute(build, factors, x, forward=True, unit=True)
        _substitute(build, factors, x, forward=False, unit=False)
    return x


def _substitute(build: ProcedureBuilder, triangle: Matrix, x: list[Operand], forward: bool, unit: bool) -> None:
    """One triangle, in place of x."""
    order = range(len(x)) if forward else range(len(x) - 1, -1, -1)
    for i in order:
        for j in range(i) if forward else range(len(x) - 1, i, -1):
            x[i] = build.let("subtract", x[i], build.let("multiply", triangle[i][j], x[j]))
        if not unit:
            x[i] = build.let("divide", x[i], triangle[i][i])


def loaded(build: ProcedureBuilder, pointer: Var, start: Operand, rows: int, columns: int, row: Operand | int,
           column: Operand | int) -> Matrix:  # fmt: skip
    """The entries of a matrix in memory."""

    def at(i: int, j: int) -> Operand:
        place = build.index_add(build.index_multiply(row, i), build.index_multiply(column, j))
        return build.load(pointer, build.index_add(start, place))

    return [[at(i, j) for j in range(columns)] for i in range(rows)]
