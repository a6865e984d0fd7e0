"""Adding to places that are picked along one axis, one element after the other; and the extent of indices.

    for i in count: target[index[i]] += value[i]

Where successive indices are the same, the sum of the run stays in a register and is stored once: memory would make each
addition wait for the one before. Where the indices ascend (the rows of a sparse matrix), several threads work, each on
whole runs, so that no place belongs to two; the additions into each place are made in the same order in any case.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote.lower.context import Context
from arignote.lower.lazy import position_of
from arignote.lower.loop_ir import BOOL, INT64, Const, Operand
from arignote.lower.nests import Nest
from arignote.lower.reductions import accumulator
from arignote.lower.values import ONE, ZERO, AnyValue, Stored

PART = 32768
"""Elements worth a thread."""
MOST_PARTS = 64
FIRST_LOOK = 1024
"""So many pairs show of most indices that they do not ascend."""


def extent(context: Context, picks: Stored) -> tuple[Operand, Operand]:
    """The least and the greatest index of a contiguous array; the identities where it is empty. Parts of it, on several
    threads, leave theirs in the frame."""
    known = context.made(_order, picks)
    return known[:2] if known is not None else context.once(_extent, picks)


def extent_in_order(context: Context, picks: Stored) -> tuple[Operand, Operand]:
    """The same; and in the same pass, whether an index is followed by a smaller one, for additions at these places."""
    if context.made(_extent, picks) is None:
        context.once(_ascends, picks)
    return extent(context, picks)


def _ascends(context: Context, picks: Stored) -> Operand:
    """Whether contiguous indices ascend, from 0 or more."""
    least, _, descends = context.once(_order, picks)
    return context.build.let("logical_and", context.build.let("logical_not", descends),
                             context.build.let("less_equal", ZERO, least))  # fmt: skip


def _order(context: Context, picks: Stored) -> tuple[Operand, Operand, Operand]:
    """The least and the greatest index, and whether one is followed by a smaller one."""
    build = context.build
    count = context.product(picks.sizes)
    pairs = build.let("maximum", build.let("subtract", count, ONE), ZERO)
    parts, length = _cut(context, pairs)
    ways = [accumulator("min", INT64), accumulator("max", INT64)]
    initial: list[Operand] = [*[way.initial[0] for way in ways], Const(False, BOOL)]
    types = [INT64, INT64, BOOL]
    rooms = [build.scratch(type_, MOST_PARTS) for type_ in types]

    def step(carried: Sequence[Operand], found: Sequence[Operand]) -> list[Operand]:
        ends = [way.step(build, [old], new, ZERO)[0] for way, old, new in zip(ways, carried, found)]
        return [*ends, build.let("logical_or", carried[2], found[2])]

    with build.kernel([picks.pointer], rooms), build.loop(parts, parallel=True, grain=ONE) as part:
        first = build.let("multiply", part.index, length)
        here = build.let("minimum", build.let("subtract", pairs, first), length)
        with build.loop(here, initial, types=types, vector=True, reduction=True) as loop:
            position = build.index_add(first, loop.index)
            index = build.load(picks.pointer, position)
            following = build.load(picks.pointer, build.index_add(position, 1))
            loop.yields(*step(loop.carried, [index, index, build.let("less", following, index)]))
        for room, found in zip(rooms, loop.results):
            build.store(room, part.index, found)
    with build.branch(build.let("less", ZERO, count)) as some:
        last = build.load(picks.pointer, build.let("subtract", count, ONE))
        some.yields(last, last)
        some.otherwise()
        some.yields(*initial[:2])
    with build.loop(parts, [*some.results, Const(False, BOOL)], types=types) as over:
        over.yields(*step(over.carried, [build.load(room, over.index) for room in rooms]))
    return over.results[0], over.results[1], over.results[2]


def _extent(context: Context, picks: Stored) -> tuple[Operand, Operand]:
    build = context.build
    count = context.product(picks.sizes)
    parts, length = _cut(context, count)
    ways = [accumulator("min", INT64), accumulator("max", INT64)]
    rooms = [build.scratch(INT64, MOST_PARTS) for _ in ways]
    initial = [way.initial[0] for way in ways]
    with build.kernel([picks.pointer], rooms), build.loop(parts, parallel=True, grain=ONE) as part:
        first = build.let("multiply", part.index, length)
        here = build.let("minimum", build.let("subtract", count, first), length)
        with build.loop(here, initial, types=[INT64, INT64], vector=True, reduction=True) as loop:
            index = build.load(picks.pointer, build.index_add(first, loop.index))
            loop.yields(*[way.step(build, [old], index, ZERO)[0] for way, old in zip(ways, loop.carried)])
        for room, found in zip(rooms, loop.results):
            build.store(room, part.index, found)
    with build.loop(parts, initial, types=[INT64, INT64]) as over:
        ends = [build.load(room, over.index) for room in rooms]
        over.yields(*[way.step(build, [old], end, ZERO)[0] for way, old, end in zip(ways, over.carried, ends)])
    return over.results[0], over.results[1]


def from_the_start(context: Context, picks: Stored, size: Operand) -> Stored:
    """Contiguous indices, which are in range for an axis of this size, counted from the start: a copy if some count
    from the end, which is rare, so that nobody asks for each of them."""
    return context.once(_from_the_start, picks, size)


def _from_the_start(context: Context, picks: Stored, size: Operand) -> Stored:
    build = context.build
    with build.branch(build.let("less", extent(context, picks)[0], ZERO)) as branch:
        with context.region():
            fresh = context.allocate(picks.dtype, picks.sizes)
            with (
                build.kernel([picks.pointer], [fresh.pointer]),
                build.loop(context.product(picks.sizes), vector=True) as loop,
            ):
                index = build.load(picks.pointer, loop.index)
                end = build.let("select", build.let("less", index, ZERO), size, ZERO)
                build.store(fresh.pointer, loop.index, build.let("add", index, end))
        branch.yields(fresh.buffer, fresh.pointer)
        branch.otherwise()
        branch.yields(picks.buffer, picks.pointer)
    buffer, pointer = branch.results
    context.from_start.add(pointer.id)
    found = Stored(picks.dtype, buffer, pointer, picks.sizes, picks.strides, contiguous=True)
    ascends = context.made(_ascends, picks)
    if ascends is not None:
        context.now_made(_ascends, found, ascends)
    return found


def _cut(context: Context, count: Operand) -> tuple[Operand, Operand]:
    """How many parts so many elements are cut into where each part has a result of its own, and the length of one."""
    build = context.build
    share = build.let("floor_divide", build.index_add(count, MOST_PARTS - 1), Const(MOST_PARTS, INT64))
    length = build.let("maximum", share, Const(PART, INT64))
    above = build.let("add", count, build.let("subtract", length, ONE))
    return build.let("floor_divide", above, length), length


def add_in_runs(context: Context, target: Stored, value: AnyValue, picks: Stored, count: Operand) -> None:
    """Write the kernels. `picks` are known to be in range."""
    build = context.build
    parts = _parts(context, picks, count)
    length = build.let("maximum", build.let("floor_divide", build.let("add", count, build.let("subtract", parts, ONE)),
                                            parts), ONE)  # fmt: skip
    with build.kernel() as kernel:
        nest = Nest(context, (count,))
        with build.loop(parts, parallel=True, grain=ONE) as part, nest.scope():
            first = build.let("multiply", part.index, length)
            last = build.let("minimum", build.let("add", first, length), count)
            begin = _start_of_run(context, picks, first, count)
            end = _start_of_run(context, picks, last, count)
            with build.branch(build.let("less", begin, end)) as some:
                _add_part(nest, target, value, picks, begin, end)
                some.yields()
                some.otherwise()
                some.yields()
        reads = {**nest.reads, picks.pointer.id: picks.pointer}
        kernel.statement.reads = tuple([var for number, var in reads.items() if number != target.pointer.id])
        kernel.statement.writes = (target.pointer,)


def _parts(context: Context, picks: Stored, count: Operand) -> Operand:
    """How many parts there are: more than one only where there is much to do, and the indices ascend from 0 or more."""
    build = context.build
    many = build.let("floor_divide", count, Const(PART, INT64))
    ascends = context.made(_ascends, picks)
    if ascends is not None:
        several = build.let("logical_and", ascends, build.let("greater", many, ONE))
        return build.let("select", several, many, build.let("minimum", count, ONE))
    with build.branch(build.let("greater", many, ONE)) as branch:
        with build.branch(_descends(context, picks, Const(0, INT64), Const(FIRST_LOOK, INT64))) as early:
            early.yields(Const(True, "bool"))
            early.otherwise()
            early.yields(_descends_anywhere(context, picks, count))
        least = build.load(picks.pointer, 0)
        apart = build.let("logical_or", early.results[0], build.let("less", least, ZERO))
        branch.yields(build.let("select", apart, ONE, many))
        branch.otherwise()
        branch.yields(build.let("minimum", count, ONE))
    return branch.results[0]


def _descends(context: Context, picks: Stored, first: Operand, pairs: Operand) -> Operand:
    """Whether an index is followed by a smaller one, in so many pairs from `first` on."""
    build = context.build
    with build.kernel([picks.pointer]) as kernel:
        kernel.yields(_descends_here(context, picks, first, pairs))
    return kernel.results[0]


def _descends_here(context: Context, picks: Stored, first: Operand, pairs: Operand) -> Operand:
    build = context.build
    with build.loop(pairs, [Const(False, "bool")], types=["bool"], vector=True, reduction=True) as loop:
        position = build.index_add(first, loop.index)
        here = build.load(picks.pointer, _place(context, picks, position))
        following = build.load(picks.pointer, _place(context, picks, build.index_add(position, 1)))
        loop.yields(build.let("logical_or", loop.carried[0], build.let("less", following, here)))
    return loop.results[0]


def _descends_anywhere(context: Context, picks: Stored, count: Operand) -> Operand:
    """The same of all pairs, on several threads."""
    build = context.build
    pairs = build.let("subtract", count, ONE)
    parts, length = _cut(context, pairs)
    room = build.scratch("bool", MOST_PARTS)
    with build.kernel([picks.pointer], [room]), build.loop(parts, parallel=True, grain=ONE) as part:
        first = build.let("multiply", part.index, length)
        here = build.let("minimum", build.let("subtract", pairs, first), length)
        build.store(room, part.index, _descends_here(context, picks, first, here))
    with build.loop(parts, [Const(False, "bool")], types=["bool"]) as over:
        over.yields(build.let("logical_or", over.carried[0], build.load(room, over.index)))
    return over.results[0]


def _place(context: Context, picks: Stored, position: Operand) -> Operand:
    return context.build.index_multiply(position, picks.strides[0])


def _start_of_run(context: Context, picks: Stored, position: Operand, count: Operand) -> Operand:
    """The first position from this one on where another index begins; the ends of the array are where they are."""
    build = context.build
    last = build.let("subtract", count, ONE)
    with build.while_loop([position], types=[INT64]) as loop:
        at = loop.carried[0]
        inside = build.let("logical_and", build.let("less", ZERO, at), build.let("less", at, count))
        before = build.let("maximum", build.let("subtract", at, ONE), ZERO)
        here = build.load(picks.pointer, _place(context, picks, build.let("minimum", at, last)))
        left = build.load(picks.pointer, _place(context, picks, build.let("minimum", before, last)))
        loop.test(build.let("logical_and", inside, build.let("equal", here, left)))
        loop.yields(build.let("add", at, ONE))
    return loop.results[0]


def _add_part(nest: Nest, target: Stored, value: AnyValue, picks: Stored, begin: Operand, end: Operand) -> None:
    """The elements begin ... end, of which there is one."""
    build = nest.build
    op = "logical_or" if target.dtype == "bool" else "add"

    def place_of(position: Operand) -> Operand:
        return build.index_multiply(position_of(nest, picks, (position,), target.sizes[0]), target.strides[0])

    before = place_of(begin)
    start = build.load(target.pointer, before)
    size = build.let("subtract", end, begin)
    with build.loop(size, [before, start], types=[INT64, target.dtype]) as loop, nest.scope():
        position = build.let("add", begin, loop.index)
        place, (previous, total) = place_of(position), loop.carried
        with build.branch(build.let("equal", place, previous)) as same:
            same.yields(total)
            same.otherwise()
            build.store(target.pointer, previous, total)
            same.yields(build.load(target.pointer, place))
        loop.yields(place, build.let(op, same.results[0], nest.value(value, (position,))))
    build.store(target.pointer, loop.results[0], loop.results[1])
