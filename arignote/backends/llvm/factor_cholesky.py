"""Cholesky's factorisation, and the derivative of its lower triangle in reverse.

The derivative goes backwards through the algorithm, block by block, so that nearly all of it are matrix products: it
costs twice as much as the factorisation, where the formula with inverses costs nine times as much.
"""

from __future__ import annotations

from ...lower.loop_ir import Const, Operand, Procedure, Type, Var, pointer_to
from ...lower.loop_ir_build import ProcedureBuilder
from .factor_lanes import SMALL, Lanes, blocks
from .factor_triangular import constants
from .lapack import wrapper_symbol
from .text import suffix

BLOCK = 64


def cholesky(symbol: str, type: Type) -> Procedure:
    """ag_cholesky."""
    build = ProcedureBuilder(symbol)
    count, n = build.parameter("int64"), build.parameter("int64")
    a = build.parameter(pointer_to(type))
    size = build.let("multiply", n, n)
    with build.branch(build.let("less_equal", n, SMALL)) as branch:
        with blocks(build, type, count, size, [], [a], [SMALL * SMALL]) as (lanes, (work,)):
            start = build.let("multiply", lanes.item, size)
            memory = lambda i, j: build.let("add", start, build.let("add", build.let("multiply", i, n), j))  # noqa: E731
            lanes.for_each(n, n, lambda i, j: build.store(work, lanes.place(i, j, n), build.load(a, memory(i, j))))
            _factor_lanes(lanes, work, n)

            def give(i: Operand, j: Operand) -> None:
                value = build.load(work, lanes.place(i, j, n))
                build.store(a, memory(i, j), build.let("select", build.let("less", i, j), 0.0, value))

            lanes.for_each(n, n, give)
        branch.yields()
        branch.otherwise()
        with build.loop(count) as item:
            here = build.let("pointer_offset", a, build.let("multiply", item.index, size))
            (info,) = build.extern(wrapper_symbol("potrf", type), [n, here, n], ["int64"])
            _clear_upper(build, here, n)
            first = build.load(here)
            failed = build.let("not_equal", info, 0)
            build.store(here, 0, build.let("select", failed, -1.0, first))
        branch.yields()
    return build.finish()


def _clear_upper(build: ProcedureBuilder, a: Var, n: Var) -> None:
    """Zeros above the diagonal."""
    with build.kernel([], [a]), build.loop(n) as row:
        start = build.let("add", build.let("multiply", row.index, build.let("add", n, 1)), 1)
        rest = build.let("subtract", build.let("subtract", n, 1), row.index)
        with build.loop(rest, vector=True) as column:
            build.store(a, build.let("add", start, column.index), 0.0)


def _factor_lanes(lanes: Lanes, work: Var, n: Var) -> None:
    """The factorisation in each lane, column after column; the first entry is negative where it fails."""
    build = lanes.build
    with build.loop(n, [Const(False, "bool")]) as step:
        k = step.index
        with build.loop(k, [build.load(work, lanes.place(k, k, n))]) as inner:
            before = build.load(work, lanes.place(k, inner.index, n))
            inner.yields(build.let("subtract", inner.carried[0], build.let("multiply", before, before)))
        rest = inner.results[0]
        negative = build.let("less_equal", rest, 0.0)  # false for NaN, which LAPACK lets pass
        root = build.let("sqrt", rest)
        build.store(work, lanes.place(k, k, n), root)
        with build.loop(build.let("subtract", build.let("subtract", n, 1), k)) as below:
            i = build.let("add", build.let("add", k, 1), below.index)
            with build.loop(k, [build.load(work, lanes.place(i, k, n))]) as inner:
                left, right = (build.load(work, lanes.place(row, inner.index, n)) for row in (i, k))
                inner.yields(build.let("subtract", inner.carried[0], build.let("multiply", left, right)))
            build.store(work, lanes.place(i, k, n), build.let("divide", inner.results[0], root))
        step.yields(build.let("logical_or", step.carried[0], negative))
    failed = step.results[0]
    with build.loop(build.let("minimum", n, 1)) as first:
        place = lanes.place(first.index, first.index, n)
        value = build.load(work, place)
        build.store(work, place, build.let("select", failed, -1.0, value))


def cholesky_adjoint(symbol: str, type: Type) -> Procedure:
    """ag_cholesky_adjoint."""
    build = ProcedureBuilder(symbol)
    count, n = build.parameter("int64"), build.parameter("int64")
    factor, stack = build.parameter(pointer_to(type)), build.parameter("int64")
    x = build.parameter(pointer_to(type))
    size = build.let("multiply", n, n)
    number = build.let("floor_divide", build.let("add", n, BLOCK - 1), BLOCK)
    with build.loop(count) as item:
        here = build.let("pointer_offset", factor, build.let("multiply", item.index, stack))
        there = build.let("pointer_offset", x, build.let("multiply", item.index, size))
        with build.loop(number) as block:
            position = build.let("subtract", build.let("subtract", number, 1), block.index)
            begin = build.let("multiply", position, BLOCK)
            end = build.let("minimum", build.let("add", begin, BLOCK), n)
            _Block(build, type, n, here, there, begin, end).go()
        _clear_upper(build, there, n)
    return build.finish()


class _Block:
    """A block of columns, begin to end. With D on the diagonal, C below it, R to the left of D and B to the left of C,
    the factorisation does: D D^T = A_D - R R^T, C = (A_C - B R^T) D^-T."""

    def __init__(self, build: ProcedureBuilder, type: Type, n: Var, factor: Var, x: Var, begin: Var, end: Var) -> None:
        self.build, self.type, self.n, self.factor, self.x, self.begin, self.end = build, type, n, factor, x, begin, end
        self.width = build.let("subtract", end, begin)
        self.height = build.let("subtract", n, end)

    def at(self, array: Var, row: Operand, column: Operand | int) -> Var:
        """The address of an entry."""
        build = self.build
        return build.let("pointer_offset", array, build.index_add(build.let("multiply", row, self.n), column))

    def subtract(self, rows: Operand, columns: Operand, inner: Operand, left: Var, turned: bool, right: Var,
                 target: Var) -> None:  # fmt: skip
        """target -= left right, where `left` is read transposed if turned."""
        n, one = self.n, Const(1, "int64")
        strides = (one, n) if turned else (n, one)
        sizes = [rows, columns, inner]
        scales = [Const(-1.0, self.type), Const(1.0, self.type)]
        symbol = f"ag_gemm_scaled_{suffix(self.type)}"
        self.build.extern(symbol, [*sizes, left, *strides, right, n, one, target, n, *scales])

    def go(self) -> None:
        """From the cotangents of C and D to those of A_C and A_D, and what they add to those of B and R."""
        begin, end, width, height, n = self.begin, self.end, self.width, self.height, self.n
        places = {"d": (begin, begin), "r": (begin, 0), "c": (end, begin), "b": (end, 0)}
        factor = {name: self.at(self.factor, *place) for name, place in places.items()}
        x = {name: self.at(self.x, *place) for name, place in places.items()}
        letters: list[Operand | int] = [ord("L"), ord("U"), ord("N"), ord("N"), width, height]
        self.build.extern(wrapper_symbol("trsm", self.type), constants([*letters, factor["d"], n, x["c"], n]))
        self.subtract(width, width, height, x["c"], True, factor["c"], x["d"])
        self.subtract(height, begin, width, x["c"], False, factor["r"], x["b"])
        self.subtract(width, begin, height, x["c"], True, factor["b"], x["r"])
        self._diagonal(factor["d"], x["d"])
        self._mirror(x["d"])
        self.subtract(width, begin, width, x["d"], False, factor["r"], x["r"])
        self._scale_diagonal(x["d"], 0.5)

    def _diagonal(self, factor: Var, x: Var) -> None:
        """The diagonal block by itself, entry after entry, backwards."""
        build, n, width = self.build, self.n, self.width
        place = lambda i, j: build.let("add", build.let("multiply", i, n), j)  # noqa: E731
        with build.kernel([factor], [x]), build.loop(width) as step:
            k = build.let("subtract", build.let("subtract", width, 1), step.index)
            own = place(k, k)
            pivot = build.load(factor, own)
            with build.loop(step.index, [build.load(x, own)]) as below:
                i = build.let("add", build.let("add", k, 1), below.index)
                entry = place(i, k)
                scaled = build.let("divide", build.load(x, entry), pivot)
                build.store(x, entry, scaled)
                with build.loop(k, vector=True) as before:
                    upper, lower = place(k, before.index), place(i, before.index)
                    for target, source in ((lower, upper), (upper, lower)):
                        term = build.let("multiply", scaled, build.load(factor, source))
                        build.store(x, target, build.let("subtract", build.load(x, target), term))
                term = build.let("multiply", scaled, build.load(factor, entry))
                below.yields(build.let("subtract", below.carried[0], term))
            whole = build.let("divide", below.results[0], pivot)
            build.store(x, own, build.let("multiply", whole, 0.5))
            with build.loop(k, vector=True) as before:
                target = place(k, before.index)
                term = build.let("multiply", whole, build.load(factor, target))
                build.store(x, target, build.let("subtract", build.load(x, target), term))

    def _mirror(self, x: Var) -> None:
        """The lower triangle of the block plus its transpose, in place."""
        build, n = self.build, self.n
        with build.kernel([], [x]), build.loop(self.width) as row, build.loop(row.index) as column:
            i, j = row.index, column.index
            value = build.load(x, build.let("add", build.let("multiply", i, n), j))
            build.store(x, build.let("add", build.let("multiply", j, n), i), value)
        self._scale_diagonal(x, 2.0)

    def _scale_diagonal(self, x: Var, factor: float) -> None:
        build = self.build
        with build.kernel([], [x]), build.loop(self.width) as row:
            place = build.let("multiply", row.index, build.let("add", self.n, 1))
            build.store(x, place, build.let("multiply", build.load(x, place), factor))
