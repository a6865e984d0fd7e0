"""Rows added at picked places to an array that is one number everywhere: the gradient of rows that were picked.

    target[...] = number
    for k in count: target[index[k], ...] += value[k, ...]

The positions that add to the same row are linked in a chain, in order. So each row is filled and added to while it lies
in the nearest cache, and goes to memory once; and each belongs to one thread. The additions into each element are made
in the order of the indices, as one after the other would make them. It pays where there are more positions than rows;
elsewhere a few ranges of rows look through all indices.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from arignote.lower.context import Context
from arignote.lower.lazy import Splat
from arignote.lower.loop_ir import INT64, Const, Operand
from arignote.lower.nests import GRAIN, Nest
from arignote.lower.values import ONE, ZERO, AnyValue, Stored

NONE = Const(-1, INT64)
"""The end of a chain."""
MOST_RANGES = 4
"""Each looks through all indices."""
FEWEST_COLUMNS = 8
"""Rows known to be shorter are not worth chains."""


def suits(context: Context, before: AnyValue, picks: tuple[AnyValue, ...], axis: int) -> bool:
    """Whether whole rows are picked, of an array that is one number everywhere."""
    if not isinstance(before, Splat) or axis != 0 or len(picks) != 1 or len(before.sizes) < 2:
        return False
    known = [int(size.value) for size in before.sizes[1:] if isinstance(size, Const)]
    if len(known) == len(before.sizes) - 1 and prod(known) < FEWEST_COLUMNS:
        return False
    pick = picks[0]
    return isinstance(pick, Stored) and pick.contiguous and pick.pointer.id in context.from_start


def add_rows(context: Context, target: Stored, number: Operand, value: AnyValue, picks: Stored) -> None:
    """Write the kernels. `picks` are known to be in range, counted from the start."""
    build = context.build
    heads, links = _chains(context, picks, target.sizes[0])
    op = "logical_or" if target.dtype == "bool" else "add"
    grain = _grain(context, target, picks)
    with build.kernel() as kernel:
        nest = Nest(context, (*picks.sizes, *target.sizes[1:]))
        with build.loop(target.sizes[0], parallel=True, grain=grain) as row, nest.scope():

            def fill(columns: tuple[Operand, ...]) -> None:
                build.store(target.pointer, nest.offset(target, (row.index, *columns)), number)

            _each_column(nest, target.sizes[1:], (), fill)
            with build.while_loop([build.load(heads.pointer, row.index)], types=[INT64]) as chain, nest.scope():
                here = chain.carried[0]
                chain.test(build.let("less_equal", ZERO, here))
                _add(nest, target, row.index, value, _position(context, here, picks.sizes), op)
                chain.yields(build.load(links.pointer, here))
        kernel.statement.reads = (*nest.reads.values(), heads.pointer, links.pointer)
        kernel.statement.writes = (target.pointer,)


def add_in_ranges(context: Context, target: Stored, number: Operand, value: AnyValue, picks: Stored) -> None:
    """The same where few rows are picked. The array is filled and added to by the same ranges of rows, which mostly
    stay with one thread."""
    build, rows = context.build, target.sizes[0]
    count, width = context.product(picks.sizes), context.product(target.sizes[1:])
    worth = build.let("floor_divide", context.product(target.sizes), Const(GRAIN, INT64))
    parts = build.let("maximum", build.let("minimum", worth, Const(MOST_RANGES, INT64)), ONE)
    length = build.let("floor_divide", build.let("add", rows, build.let("subtract", parts, ONE)), parts)
    op = "logical_or" if target.dtype == "bool" else "add"
    here = build.let("maximum", build.let("multiply", length, width), ONE)
    with (build.kernel([], [target.pointer]),
          build.loop(context.product(target.sizes), vector=True, parallel=True, grain=here) as fill):  # fmt: skip
        build.store(target.pointer, fill.index, number)
    with build.kernel() as kernel:
        nest = Nest(context, (*picks.sizes, *target.sizes[1:]))
        with build.loop(parts, parallel=True, grain=ONE) as part, nest.scope():
            first = build.let("multiply", part.index, length)
            last = build.let("minimum", build.let("add", first, length), rows)
            with build.loop(count) as loop, nest.scope():
                row = build.load(picks.pointer, loop.index)
                above = build.let("less_equal", first, row)
                with build.branch(build.let("logical_and", above, build.let("less", row, last))) as inside:
                    _add(nest, target, row, value, _position(context, loop.index, picks.sizes), op)
                    inside.yields()
                    inside.otherwise()
                    inside.yields()
        kernel.statement.reads = (*nest.reads.values(), picks.pointer)
        kernel.statement.writes = (target.pointer,)


def _add(nest: Nest, target: Stored, row: Operand, value: AnyValue, position: tuple[Operand, ...], op: str) -> None:
    """Add the elements at a position to a row."""
    build = nest.build

    def add(columns: tuple[Operand, ...]) -> None:
        element = nest.value(value, (*position, *columns))
        place = nest.offset(target, (row, *columns))
        build.store(target.pointer, place, build.let(op, build.load(target.pointer, place), element))

    with nest.scope():
        _each_column(nest, target.sizes[1:], (), add)


def _chains(context: Context, picks: Stored, rows: Operand) -> tuple[Stored, Stored]:
    """For each row the first position that picks it, and for each position the next one that picks the same row."""
    build = context.build
    count = context.product(picks.sizes)
    heads, links = context.allocate(INT64, (rows,)), context.allocate(INT64, (count,))
    with build.kernel([], [heads.pointer]), build.loop(rows, vector=True, parallel=True, grain=GRAIN) as loop:
        build.store(heads.pointer, loop.index, NONE)
    last = build.let("subtract", count, ONE)
    with build.kernel([picks.pointer], [heads.pointer, links.pointer]), build.loop(count) as loop:
        position = build.let("subtract", last, loop.index)
        row = build.load(picks.pointer, position)
        build.store(links.pointer, position, build.load(heads.pointer, row))
        build.store(heads.pointer, row, position)
    return heads, links


def _grain(context: Context, target: Stored, picks: Stored) -> Operand:
    """Rows worth a thread."""
    build = context.build
    rows = build.let("maximum", target.sizes[0], ONE)
    times = build.index_add(build.let("floor_divide", context.product(picks.sizes), rows), 1)
    work = build.let("maximum", build.let("multiply", context.product(target.sizes[1:]), times), ONE)
    return build.index_add(build.let("floor_divide", Const(GRAIN, INT64), work), 1)


def _position(context: Context, number: Operand, sizes: tuple[Operand, ...]) -> tuple[Operand, ...]:
    """The indices of an element of an array of these sizes, given its number in C order."""
    build = context.build
    found: list[Operand] = []
    for size in reversed(sizes[1:]):
        above = build.let("floor_divide", number, size)
        found.append(build.let("subtract", number, build.let("multiply", above, size)))
        number = above
    return (number, *reversed(found))


def _each_column(nest: Nest, sizes: tuple[Operand, ...], columns: tuple[Operand, ...],
                 step: Callable[[tuple[Operand, ...]], None]) -> None:  # fmt: skip
    """Loops over the elements of a row, the innermost one on vectors."""
    if not sizes:
        step(columns)
        return
    with nest.build.loop(sizes[0], vector=len(sizes) == 1) as loop, nest.scope():
        _each_column(nest, sizes[1:], (*columns, loop.index), step)
