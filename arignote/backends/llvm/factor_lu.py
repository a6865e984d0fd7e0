"""LU factorisation with exchanges of rows, and the systems that are solved with it.

The factors are kept transposed: column j of L and U in row j, then one row with the exchanges, as numbers.
"""

from __future__ import annotations

from ...lower.loop_ir import Operand, Procedure, Type, Var, pointer_to
from ...lower.loop_ir_build import ProcedureBuilder
from . import factor_registers as registers
from .factor_lanes import SMALL, Lanes, blocks
from .factor_triangular import solve_triangle
from .lapack import wrapper_symbol

TILE = 64


def lu(symbol: str, type: Type) -> Procedure:
    """ag_lu."""
    build = ProcedureBuilder(symbol)
    count, n, a = build.parameter("int64"), build.parameter("int64"), build.parameter(pointer_to(type))
    stack, row, column = (build.parameter("int64") for _ in range(3))
    result = build.parameter(pointer_to(type))
    whole = a, (stack, row, column), result
    registers.by_side(build, n, lambda side: _lu_in_registers(build, type, count, side, *whole),
                      lambda: _lu_of_any_side(build, type, count, n, *whole))  # fmt: skip
    return build.finish()


def _lu_in_registers(build: ProcedureBuilder, type: Type, count: Var, side: int, a: Var,
                     strides: tuple[Var, Var, Var], result: Var) -> None:  # fmt: skip
    """Matrices of a side that is known here."""
    stack, row, column = strides
    with blocks(build, type, count, side * side, [a], [result], []) as (lanes, _):
        start = build.let("multiply", lanes.item, stack)
        rows = registers.loaded(build, a, start, side, side, row, column)
        exchanges = registers.eliminate(build, rows, type)
        target = build.let("multiply", lanes.item, (side + 1) * side)
        for j, entries in enumerate([*zip(*rows, strict=True), exchanges]):
            for i, entry in enumerate(entries):
                build.store(result, build.index_add(target, j * side + i), entry)


def _lu_of_any_side(build: ProcedureBuilder, type: Type, count: Var, n: Var, a: Var, strides: tuple[Var, Var, Var],
                    result: Var) -> None:  # fmt: skip
    """In lanes or by LAPACK."""
    stack, row, column = strides
    size = build.let("multiply", build.let("add", n, 1), n)
    with build.branch(build.let("less_equal", n, SMALL)) as branch:
        with blocks(build, type, count, size, [a], [result], [SMALL * SMALL]) as (lanes, (work,)):
            start = build.let("multiply", lanes.item, stack)
            target = build.let("multiply", lanes.item, size)

            def take(i: Operand, j: Operand) -> None:
                place = build.let("add", build.let("multiply", i, row), build.let("multiply", j, column))
                build.store(work, lanes.place(i, j, n), build.load(a, build.let("add", start, place)))

            def give(i: Operand, j: Operand) -> None:
                place = build.let("add", build.let("multiply", j, n), i)
                build.store(result, build.let("add", target, place), build.load(work, lanes.place(i, j, n)))

            lanes.for_each(n, n, take)
            _eliminate(lanes, work, n, result, build.let("add", target, build.let("multiply", n, n)), type)
            lanes.for_each(n, n, give)
        branch.yields()
        branch.otherwise()
        with build.loop(count) as item:
            source = build.let("pointer_offset", a, build.let("multiply", item.index, stack))
            target_at = build.let("pointer_offset", result, build.let("multiply", item.index, size))
            _turned(build, source, target_at, n, row, column)
            last = build.let("pointer_offset", target_at, build.let("multiply", n, n))
            build.extern(wrapper_symbol("getrf", type), [n, n, target_at, n, last], ["int64"])
            _exchanges_as_numbers(build, type, last, n)
        branch.yields()


def _turned(build: ProcedureBuilder, source: Var, target: Var, n: Operand, row: Operand, column: Operand) -> None:
    """The transposed matrix, tile by tile."""
    tiles = build.let("floor_divide", build.let("add", n, TILE - 1), TILE)
    with build.kernel([source], [target]), build.loop(tiles) as tile:
        begin = build.let("multiply", tile.index, TILE)
        height = build.let("minimum", build.let("subtract", n, begin), TILE)
        with build.loop(n) as j:
            from_place = build.let("add", build.let("multiply", j.index, column), build.let("multiply", begin, row))
            to_place = build.let("add", build.let("multiply", j.index, n), begin)
            with build.loop(height, vector=True) as i:
                value = build.load(source, build.let("add", from_place, build.let("multiply", i.index, row)))
                build.store(target, build.let("add", to_place, i.index), value)


def _exchanges_as_numbers(build: ProcedureBuilder, type: Type, last: Var, n: Operand) -> None:
    """LAPACK's 32-bit integers, from 1, to numbers from 0 in the same memory; backwards, as numbers may be wider."""
    integers = build.let("reinterpret", last, dtype=pointer_to("int32"))
    with build.loop(n) as step:
        at = build.let("subtract", build.let("subtract", n, 1), step.index)
        value = build.let("subtract", build.cast(build.load(integers, at), "int64"), 1)
        build.store(last, at, build.cast(value, type))


def _eliminate(lanes: Lanes, work: Var, n: Var, result: Var, exchanges: Operand, type: Type) -> None:
    """Gaussian elimination with partial pivoting of the matrix in each lane."""
    build = lanes.build
    with build.loop(n) as step:
        k = step.index
        below = build.let("subtract", build.let("subtract", n, k), 1)
        after = build.let("add", k, 1)
        best = build.let("absolute", build.load(work, lanes.place(k, k, n)))
        # A comparison with NaN is false, so a NaN is never exchanged with what comes after it.
        with build.loop(below, [best, k]) as search:
            i = build.let("add", after, search.index)
            size = build.let("absolute", build.load(work, lanes.place(i, k, n)))
            larger = build.let("greater", size, search.carried[0])
            search.yields(build.let("select", larger, size, search.carried[0]),
                          build.let("select", larger, i, search.carried[1]))  # fmt: skip
        chosen = search.results[1]
        build.store(result, build.let("add", exchanges, k), build.cast(chosen, type))
        with build.loop(below) as candidate:
            i = build.let("add", after, candidate.index)
            here = build.let("equal", i, chosen)
            with build.loop(n) as column:
                upper, lower = lanes.place(k, column.index, n), lanes.place(i, column.index, n)
                first, second = build.load(work, upper), build.load(work, lower)
                build.store(work, upper, build.let("select", here, second, first))
                build.store(work, lower, build.let("select", here, first, second))
        pivot = build.load(work, lanes.place(k, k, n))
        divisor = build.let("select", build.let("equal", pivot, 0.0), 1.0, pivot)
        with build.loop(below) as target:
            i = build.let("add", after, target.index)
            place = lanes.place(i, k, n)
            factor = build.let("divide", build.load(work, place), divisor)
            build.store(work, place, factor)
            with build.loop(below) as column:
                j = build.let("add", after, column.index)
                entry = lanes.place(i, j, n)
                term = build.let("multiply", factor, build.load(work, lanes.place(k, j, n)))
                build.store(work, entry, build.let("subtract", build.load(work, entry), term))


def lu_solve(symbol: str, type: Type) -> Procedure:
    """ag_lu_solve."""
    build = ProcedureBuilder(symbol)
    count, n, k = (build.parameter("int64") for _ in range(3))
    factors, stack = build.parameter(pointer_to(type)), build.parameter("int64")
    x, transposed = build.parameter(pointer_to(type)), build.parameter("int64")
    turned = build.let("not_equal", transposed, 0)
    system = (factors, stack, x, turned)
    registers.by_side(build, n, lambda side: _solve_in_registers(build, type, count, side, k, *system),
                      lambda: _solve_of_any_side(build, type, (count, n, k), *system))  # fmt: skip
    return build.finish()


def _solve_in_registers(build: ProcedureBuilder, type: Type, count: Var, side: int, k: Var, factors: Var, stack: Var,
                        x: Var, turned: Operand) -> None:  # fmt: skip
    """Systems of a side that is known here, in place of x."""
    work = build.let("multiply", build.let("add", k, side), side)

    def solved(backwards: bool) -> None:
        with blocks(build, type, count, work, [factors], [x], []) as (lanes, _):
            start = build.let("multiply", lanes.item, stack)
            columns = registers.loaded(build, factors, start, side + 1, side, side, 1)
            exchanges = columns.pop()
            rows = [list(row) for row in zip(*columns, strict=True)]
            target = build.let("multiply", lanes.item, build.let("multiply", k, side))
            with build.loop(k) as each:
                first = build.let("add", target, each.index)
                places = [build.index_add(first, build.index_multiply(k, i)) for i in range(side)]
                known = [build.load(x, place) for place in places]
                solution = registers.solve(build, rows, exchanges, known, backwards)
                for place, entry in zip(places, solution, strict=True):
                    build.store(x, place, entry)

    with build.branch(turned) as branch:
        solved(True)
        branch.yields()
        branch.otherwise()
        solved(False)
        branch.yields()


def _solve_of_any_side(build: ProcedureBuilder, type: Type, counts: tuple[Var, Var, Var], factors: Var, stack: Var,
                       x: Var, turned: Operand) -> None:  # fmt: skip
    """In lanes or by BLAS."""
    count, n, k = counts
    size, square = build.let("multiply", n, k), build.let("multiply", n, n)
    with build.branch(build.let("less_equal", n, SMALL)) as branch:
        work = build.let("add", build.let("multiply", n, k), square)
        with blocks(build, type, count, work, [factors], [x], [SMALL * SMALL, SMALL]) as (lanes, (block, column)):
            start = build.let("multiply", lanes.item, stack)
            target = build.let("multiply", lanes.item, size)

            def take(j: Operand, i: Operand) -> None:
                place = build.let("add", start, build.let("add", build.let("multiply", j, n), i))
                build.store(block, lanes.place(i, j, n), build.load(factors, place))

            lanes.for_each(n, n, take)
            exchanges = build.let("add", start, square)
            with build.loop(k) as each:
                _solve_column(lanes, block, column, n, k, x, build.let("add", target, each.index),
                              (factors, exchanges), turned)  # fmt: skip
        branch.yields()
        branch.otherwise()
        with build.loop(count) as item:
            here = build.let("pointer_offset", factors, build.let("multiply", item.index, stack))
            there = build.let("pointer_offset", x, build.let("multiply", item.index, size))
            _solve_large(build, type, n, k, here, there, turned)
        branch.yields()


def _solve_column(lanes: Lanes, block: Var, column: Var, n: Var, k: Var, x: Var, target: Operand,
                  exchanges: tuple[Var, Operand], turned: Operand) -> None:  # fmt: skip
    """One right-hand side in each lane."""
    build = lanes.build
    at = lambda i: lanes.place(i, 0, 1)  # noqa: E731
    memory = lambda i: build.let("add", target, build.let("multiply", i, k))  # noqa: E731
    with build.loop(n) as i:
        build.store(column, at(i.index), build.load(x, memory(i.index)))

    def exchange(step: Operand) -> None:
        """Swaps the entry of a step with the one that the factorisation chose, in each lane another."""
        chosen = build.cast(build.load(exchanges[0], build.let("add", exchanges[1], step)), "int64")
        first, second = build.load(column, at(step)), build.load(column, at(chosen))
        build.store(column, at(step), second)
        build.store(column, at(chosen), first)

    def substitute(forward: bool, by_rows: bool, unit: bool) -> None:
        """One triangle; `by_rows`: the triangle is read transposed."""
        with build.loop(n) as step:
            i = step.index if forward else build.let("subtract", build.let("subtract", n, 1), step.index)
            with build.loop(step.index, [build.load(column, at(i))]) as inner:
                j = inner.index if forward else build.let("subtract", build.let("subtract", n, 1), inner.index)
                place = lanes.place(j, i, n) if by_rows else lanes.place(i, j, n)
                term = build.let("multiply", build.load(block, place), build.load(column, at(j)))
                inner.yields(build.let("subtract", inner.carried[0], term))
            value = inner.results[0]
            if not unit:
                value = build.let("divide", value, build.load(block, lanes.place(i, i, n)))
            build.store(column, at(i), value)

    with build.branch(turned) as branch:
        substitute(forward=True, by_rows=True, unit=False)
        substitute(forward=False, by_rows=True, unit=True)
        with build.loop(n) as step:
            exchange(build.let("subtract", build.let("subtract", n, 1), step.index))
        branch.yields()
        branch.otherwise()
        with build.loop(n) as step:
            exchange(step.index)
        substitute(forward=True, by_rows=False, unit=True)
        substitute(forward=False, by_rows=False, unit=False)
        branch.yields()
    with build.loop(n) as i:
        build.store(x, memory(i.index), build.load(column, at(i.index)))


def _solve_large(build: ProcedureBuilder, type: Type, n: Var, k: Var, factors: Var, x: Var, turned: Operand) -> None:
    """One system by BLAS, which sees the right-hand sides as rows: X^T A^T = B^T."""
    exchanges = build.let("pointer_offset", factors, build.let("multiply", n, n))

    def swap(backwards: bool) -> None:
        with build.loop(n) as step:
            i = build.let("subtract", build.let("subtract", n, 1), step.index) if backwards else step.index
            chosen = build.cast(build.load(exchanges, i), "int64")
            with build.branch(build.let("not_equal", chosen, i)) as branch:
                first, second = build.let("multiply", i, k), build.let("multiply", chosen, k)
                with build.kernel([], [x]), build.loop(k, vector=True) as j:
                    one, other = build.let("add", first, j.index), build.let("add", second, j.index)
                    left, right = build.load(x, one), build.load(x, other)
                    build.store(x, one, right)
                    build.store(x, other, left)
                branch.yields()
                branch.otherwise()
                branch.yields()

    def triangle(upper: bool, transposed: bool) -> None:
        letters = (ord("U"), ord("N")) if upper else (ord("L"), ord("U"))
        solve_triangle(build, type, *letters, transposed, n, k, factors, n, x)

    with build.branch(turned) as branch:
        triangle(upper=True, transposed=True)
        triangle(upper=False, transposed=True)
        swap(backwards=True)
        branch.yields()
        branch.otherwise()
        swap(backwards=False)
        triangle(upper=False, transposed=False)
        triangle(upper=True, transposed=False)
        branch.yields()
