"""Adding to places that are picked along one axis, one element after the other; and the extent of indices.

    for i in count: target[index[i]] += value[i]

Where successive indices are the same, the sum of the run stays in a register and is stored once: memory would make each
addition wait for the one before. Where the indices ascend (the rows of a sparse matrix), several threads work, each on
whole runs, so that no place belongs to two; the additions into each place are made in the same order in any case.
Where they do not, and the order is free (in derivatives), parts of the elements are added into copies of the target,
which begin as zeros and are added up at the end. How many there are follows from sizes only.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote.ir.records import dataclass
from arignote.lower.context import Context
from arignote.lower.lazy import position_of
from arignote.lower.loop_ir import BOOL, BUFFER, INT64, Const, Operand, Var
from arignote.lower.nests import BLOCK, GRAIN, Nest, Write
from arignote.lower.reductions import accumulator
from arignote.lower.values import ONE, ZERO, AnyValue, Stored

PART = 32768
"""Indices worth a thread, where they are looked at."""
ADDED = 16384
"""Elements worth a thread, where they are added."""
MOST_PARTS = 64
MORE_THAN_PLACES = 4
"""For two copies there are so many times more elements than places."""
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


def is_short(size: Operand) -> bool:
    """Whether an array is known to be so short that it is filled before something is added to it."""
    return isinstance(size, Const) and size.value <= BLOCK


@dataclass(slots=True)
class Additions:
    """The kernels that add the elements of `value` to `target`. `picks` are known to be in range.

    ordered: whether the elements added into a place have to be added in order
    number:  what the target is filled with before; None where it has its contents already
    passed:  what else is stored for each position
    """

    context: Context
    target: Stored
    value: AnyValue
    picks: Stored
    ordered: bool
    number: Operand | None
    passed: Sequence[Write] = ()

    @property
    def count(self) -> Operand:
        """How many elements there are."""
        return self.picks.sizes[0]

    def write(self) -> None:
        """Write them."""
        context, build, target, picks, count = self.context, self.context.build, self.target, self.picks, self.count
        parts = parts_of(context, picks, count)
        copies = None if self.ordered else _copies(context, target, parts, count)
        parts = parts if copies is None else build.let("maximum", parts, copies.count)
        if self.number is not None:
            self._fill_at_once(parts)
        above = build.let("add", count, build.let("subtract", parts, ONE))
        length = build.let("maximum", build.let("floor_divide", above, parts), ONE)
        with build.kernel() as kernel:
            nest = Nest(context, (count,))
            with build.loop(parts, parallel=True, grain=ONE) as part, nest.scope():
                first = build.let("multiply", part.index, length)
                last = build.let("minimum", build.let("add", first, length), count)
                begin = _start_of_run(context, picks, first, count)
                end = _start_of_run(context, picks, last, count)
                room = target.pointer if copies is None else copies.room
                base = ZERO if copies is None else build.let("multiply", part.index, copies.size)
                self._fill_part(room, base, parts, copies, (begin, end))
                with build.branch(build.let("less", begin, end)) as some:
                    _Part(nest, target, room, base, self.value, picks, self.passed).write(begin, end)
                    some.yields()
                    some.otherwise()
                    some.yields()
            written = {**nest.writes, room.id: room, target.pointer.id: target.pointer}
            reads = {**nest.reads, picks.pointer.id: picks.pointer}
            kernel.statement.reads = tuple([var for number, var in reads.items() if number not in written])
            kernel.statement.writes = tuple(written.values())
        if copies is not None:
            copies.add_up(context, target, self.number)

    def _fill_at_once(self, parts: Operand) -> None:
        """The whole target, where one part adds to it."""
        build, target = self.context.build, self.target
        count = build.let("select", build.let("less_equal", parts, ONE), target.sizes[0], ZERO)
        with (build.kernel([], [target.pointer]),
              build.loop(count, vector=True, parallel=True, grain=Const(GRAIN, INT64)) as loop):  # fmt: skip
            build.store(target.pointer, loop.index, self.number)

    def _fill_part(self, room: Var, base: Operand, parts: Operand, copies: _Copies | None,
                   ends: tuple[Operand, Operand]) -> None:  # fmt: skip
        """What one of several parts adds into: its copy, or the places from its first index to that of the next."""
        build, size = self.context.build, self.target.sizes[0]
        first: Operand = ZERO
        count: Operand = ZERO
        filled = zero_of(self.target.dtype)
        if self.number is not None:
            first, end = map(self._bound, ends)
            several = build.let("less", ONE, parts)
            count, filled = build.let("select", several, build.let("subtract", end, first), ZERO), self.number
        if copies is not None:
            copied = build.let("less", ZERO, copies.count)
            first = build.let("select", copied, ZERO, first)
            count = build.let("select", copied, size, count)
            filled = build.let("select", copied, zero_of(self.target.dtype), filled)
        if copies is None and self.number is None:
            return
        first = build.index_add(base, first)
        with build.loop(count, vector=True) as loop:
            build.store(room, build.index_add(first, loop.index), filled)

    def _bound(self, position: Operand) -> Operand:
        """Where in the target the places of a part begin, of indices that ascend."""
        build, count = self.context.build, self.count
        last = build.let("subtract", count, ONE)
        place = _place(self.context, self.picks, build.let("minimum", position, last))
        index = build.load(self.picks.pointer, place)
        inside = build.let("select", build.let("less", position, count), index, self.target.sizes[0])
        return build.let("select", build.let("less", ZERO, position), inside, ZERO)


def zero_of(dtype: str) -> Const:
    """What adding it changes nothing, not even the sign of a zero."""
    return Const({"bool": False, "float32": -0.0, "float64": -0.0}.get(dtype, 0), dtype)


@dataclass(slots=True)
class _Copies:
    """Where several parts add. `count`: how many copies there are; with 0 of them, the room is the target itself.
    `size`: elements of one; 0 where there are none."""

    count: Operand
    size: Operand
    room: Var

    def add_up(self, context: Context, target: Stored, number: Operand | None) -> None:
        """Add the copies, in order, to the target, or to the number that it is to be filled with."""
        build, size = context.build, target.sizes[0]
        op = _addition(target)
        blocks = build.let("floor_divide", build.index_add(size, BLOCK - 1), Const(BLOCK, INT64))
        blocks = build.let("select", build.let("less", ZERO, self.count), blocks, ZERO)
        with (build.kernel([self.room], [target.pointer]),
              build.loop(blocks, parallel=True, grain=Const(GRAIN // BLOCK, INT64)) as block):  # fmt: skip
            first = build.let("multiply", block.index, Const(BLOCK, INT64))
            here = build.let("minimum", build.let("subtract", size, first), Const(BLOCK, INT64))
            if number is not None:
                with build.loop(here, vector=True) as loop:
                    build.store(target.pointer, build.let("add", first, loop.index), number)
            with build.loop(self.count) as copy:
                base = build.let("add", first, build.let("multiply", copy.index, size))
                with build.loop(here, vector=True) as loop:
                    place = build.let("add", first, loop.index)
                    added = build.load(self.room, build.let("add", base, loop.index))
                    build.store(target.pointer, place, build.let(op, build.load(target.pointer, place), added))


def pays_in_copies(context: Context, parts: Operand, count: Operand, size: Operand) -> Operand:
    """Whether copies pay: the indices do not ascend, and they are many for so many places, as filling copies and adding
    them up takes time too."""
    alone = context.build.let("less_equal", parts, ONE)
    return context.build.let("logical_and", alone, _are_many(context, count, size, 2))


def _are_many(context: Context, count: Operand, size: Operand, copies: int) -> Operand:
    """Whether there are enough elements for so many copies."""
    build = context.build
    least = build.let("multiply", size, Const(MORE_THAN_PLACES * copies // 2, INT64))
    return build.let("less_equal", build.let("maximum", least, Const(copies * ADDED, INT64)), count)


def _copies(context: Context, target: Stored, parts: Operand, count: Operand) -> _Copies:
    """Copies, where they are worth it."""
    build, size = context.build, target.sizes[0]
    several = build.let("select", _are_many(context, count, size, 4), Const(4, INT64), Const(2, INT64))
    number = build.let("select", pays_in_copies(context, parts, count, size), several, ZERO)
    with build.branch(build.let("less", ZERO, number)) as branch:
        with context.region():
            buffer, pointer = build.alloc(target.dtype, build.let("multiply", number, size))
        branch.yields(buffer, pointer, size)
        branch.otherwise()
        branch.yields(build.let("null", dtype=BUFFER), target.pointer, ZERO)
    _, room, length = branch.results
    return _Copies(number, length, room)


def parts_of(context: Context, picks: Stored, count: Operand) -> Operand:
    """How many parts there are: more than one only where there is much to do, and the indices ascend from 0 or more."""
    build = context.build
    many = build.let("floor_divide", count, Const(ADDED, INT64))
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


@dataclass(slots=True)
class _Part:
    """The loop over some of the elements. They are added into `room`, from `base` on."""

    nest: Nest
    target: Stored
    room: Var
    base: Operand
    value: AnyValue
    picks: Stored
    passed: Sequence[Write]

    def write(self, begin: Operand, end: Operand) -> None:
        """The elements begin ... end, of which there is one."""
        nest, room, build, target = self.nest, self.room, self.nest.build, self.target
        before = self._place(begin)
        start = build.load(room, before)
        size = build.let("subtract", end, begin)
        with build.loop(size, [before, start], types=[INT64, target.dtype]) as loop, nest.scope():
            position = build.let("add", begin, loop.index)
            place, (previous, total) = self._place(position), loop.carried
            with build.branch(build.let("equal", place, previous)) as same:
                same.yields(total)
                same.otherwise()
                build.store(room, previous, total)
                same.yields(build.load(room, place))
            element = nest.value(self.value, (position,))
            for write in self.passed:
                nest.store(write, (position,))
            loop.yields(place, build.let(_addition(target), same.results[0], element))
        build.store(room, loop.results[0], loop.results[1])

    def _place(self, position: Operand) -> Operand:
        build, target = self.nest.build, self.target
        found = position_of(self.nest, self.picks, (position,), target.sizes[0])
        return build.index_add(self.base, build.index_multiply(found, target.strides[0]))


def _addition(target: Stored) -> str:
    return "logical_or" if target.dtype == "bool" else "add"
