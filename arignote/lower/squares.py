"""Sums of squares about a mean, in the pass that makes the mean.

    total = sum(x);  squares = sum((x - total / n) ** 2)

As it stands x goes through memory twice. But for any number `a` near the values of a block of x

    sum((x - m) ** 2) == second + (a - m) * (2 * first + n * (a - m)),    first = sum(x - a), second = sum((x - a) ** 2)

so one pass makes, for each block, `first` and `second` about a centre of its own, and the blocks are combined when m is
known, whatever m is (Chan, Golub and LeVeque). The centre is the mean of one in `k` elements of the block, which are
read again while they are in a near cache: then `second` is at most `k + 1` times as large as about the mean itself,
however the values lie. Where a centre turns out to be far from the mean of a whole block, that is gone through once
more. Results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from arignote.ir.records import dataclass
from arignote.lower.lazy import Elementwise, Lazy, Mapped, Reduction, Repeated
from arignote.lower.linear_sums import Finish, KnownSum
from arignote.lower.loop_ir import FLOATS, Const, Operand, Var, element_of
from arignote.lower.nests import BLOCK, GRAIN, Nest, room_for_blocks
from arignote.lower.values import ONE, ZERO, AnyValue, Stored

if TYPE_CHECKING:
    from arignote.lower.context import Context

ROWS_AT_ONCE = 8
FEWEST_ROWS, PANEL = 64, 1024
"""Rows of a block at least, and columns that are gone through together, so that their sums stay in a near cache."""
NEAR_ELEMENTS = 1 << 18
"""So many elements may well lie in a near cache."""
BLOCKS_FOR_A_THREAD = GRAIN // BLOCK // 2
"""Blocks of which distances and squares are added are worth a thread earlier than others."""
SAMPLE_OF_ROWS = 128
"""The centre of a block of rows is the mean of eight of them for each so many: a sixteenth of the block or more."""
SAMPLES = (512, 64, 8)
"""That of a block is the mean of its first so many elements, of the first such number that it has; of one element where
it has none of them. A power of two divides exactly, so sums of whole numbers stay exact."""
DEEPEST_MEAN = 8
"""So many values are looked at between the squares and the sum."""


@dataclass(slots=True)
class Spread:
    """Squares about what is made of a sum: both sums are over the same axes of the same array."""

    squares: Reduction
    total: Reduction
    array: Stored
    mean: Lazy
    gap: Elementwise


def in_memory(value: AnyValue) -> Stored | None:
    """The array that a value is, where it is in memory."""
    found = value.forced if isinstance(value, Lazy) else value
    return found if isinstance(found, Stored) else None


def may_wait(value: AnyValue) -> bool:
    """Whether a scalar is a sum that squares may be computed with, if it is not computed before."""
    return isinstance(value, Reduction) and value.forced is None and value.op == "sum" and _suits(value)


def _suits(total: Reduction) -> bool:
    array = in_memory(total.source)
    return array is not None and array.contiguous and array.dtype in FLOATS


def spread_of(context: Context, root: Lazy, waiting: list[Lazy]) -> Spread | None:
    """The squares about a mean that a value is, or those that wait and whose mean is made of the value, where one pass
    can make both sums."""
    found = _squares_in(context, root)
    if found is not None or not may_wait(root):
        return found
    others = (_squares_in(context, value) for value in waiting if value.forced is None and value is not root)
    return next((other for other in others if other is not None and other.total is root), None)


def _squares_in(context: Context, root: Lazy) -> Spread | None:
    """The sum of squares that a value is, where one pass can make it and its mean."""
    product = _lazy(root.source, "multiply") if isinstance(root, Reduction) and root.op == "sum" else None
    if product is None or product.inputs[0] is not product.inputs[1]:
        return None
    gap = _lazy(product.inputs[0], "subtract")
    if gap is None:
        return None
    array, mean = in_memory(gap.inputs[0]), gap.inputs[1]
    if array is None or not isinstance(mean, Lazy) or mean.forced is not None:
        return None
    assert isinstance(root, Reduction)
    total = _sum_in(mean, root, array)
    if total is None or not _suits(total) or not context.same_shape(array.sizes, root.space):
        return None
    return Spread(root, total, array, mean, gap) if _is_worth_it(context, root, array) else None


def _lazy(value: AnyValue, op: str) -> Elementwise | None:
    """A value that is this operation on elements, and is not wanted in memory."""
    found = isinstance(value, Elementwise) and value.op == op and value.forced is None and not value.needed
    return value if found else None  # type: ignore[return-value]


def _sum_in(mean: Lazy, squares: Reduction, array: Stored) -> Reduction | None:
    """The sum, not computed yet, over the same axes of the same array that a mean is made of."""
    waiting: list[AnyValue] = [mean]
    for _ in range(DEEPEST_MEAN):
        value = waiting.pop() if waiting else None
        if isinstance(value, Reduction) and value.forced is None:
            same = value.op == "sum" and value.axes == squares.axes and in_memory(value.source) is array
            return value if same else None
        if isinstance(value, Elementwise | Mapped | Repeated) and value.forced is None:
            waiting += value.children()
    return None


def _is_quotient(mean: Lazy, total: Reduction) -> bool:
    """Whether that is the sum by a number, and nothing more: a mean, from which distances go both ways."""
    quotient = _seen(mean)
    return (isinstance(quotient, Elementwise) and quotient.op == "divide" and _seen(quotient.inputs[0]) is total
            and not isinstance(quotient.inputs[1], Lazy | Stored))  # fmt: skip


def _seen(value: AnyValue) -> AnyValue:
    """What a value shows in other places, or again and again."""
    while isinstance(value, Mapped | Repeated) and len(value.children()) == 1:
        value = value.children()[0]
    return value


def _is_worth_it(context: Context, squares: Reduction, array: Stored) -> bool:
    """Whether the axes are all, of more than a block, or all but the last, and x comes from memory by itself: kernels
    that go through the rows of what has just been computed become one (`row_fusion.py`)."""
    last = len(array.sizes) - 1
    if len(squares.axes) == len(array.sizes):
        count = context.product(array.sizes)
        return isinstance(count, Var) or int(count.value) > BLOCK
    return squares.axes == tuple(range(last)) and array.buffer.id in context.given


def compute(context: Context, spread: Spread, prepare: Callable[[Context, Lazy], None]) -> Operand | Stored:
    """Compute both sums; the squares. `prepare` puts in memory what elements of a value need."""
    if spread.squares.sizes:
        return _Columns(context, spread).write(prepare)
    return _everything(context, spread, prepare)


def _everything(context: Context, spread: Spread, prepare: Callable[[Context, Lazy], None]) -> Operand:
    """Over all axes: blocks, each with a centre of its own."""
    build, dtype, pointer = context.build, spread.array.dtype, spread.array.pointer
    count = context.product(spread.array.sizes)
    blocks = build.let("floor_divide", build.index_add(count, BLOCK - 1), build.index_add(BLOCK, 0))
    totals, centres, firsts, seconds = places = room_for_blocks(context, blocks, [dtype] * 4)
    zero = Const(0.0, dtype)
    with build.kernel([pointer], places):
        with build.loop(blocks, parallel=True, grain=BLOCKS_FOR_A_THREAD) as loop:
            base = build.index_multiply(loop.index, BLOCK)
            here = build.let("minimum", build.let("subtract", count, base), build.index_add(BLOCK, 0))
            sample = _sample(context, here)
            with build.loop(sample, [zero], vector=True, reduction=True) as over:
                over.yields(build.let("add", over.carried[0], build.load(pointer, build.index_add(base, over.index))))
            centre = _centre(context, over.results[0], sample, build.load(pointer, base))
            found = [centre, *_about(context, pointer, base, here, centre)]
            total = _total(context, pointer, base, here, found)
            for place, result in zip(places, (total, *_corrected(context, pointer, base, here, found))):
                build.store(place, loop.index, result)
    context.set_forced(spread.total, _over_blocks(context, blocks, [totals], lambda block, found: found[0]))
    prepare(context, spread.mean)
    mean = Nest(context).value(spread.mean, (ZERO,) * len(spread.array.sizes))

    def elements(block: Operand) -> Operand:
        left = build.let("subtract", count, build.index_multiply(block, BLOCK))
        return build.cast(build.let("minimum", left, build.index_add(BLOCK, 0)), dtype)

    def gaps(root: Reduction, finish: Finish) -> Operand:
        total = _over_blocks(context, blocks, [centres, firsts], lambda block, found: _gaps(
            context, found, elements(block), mean))  # fmt: skip
        return finish(Nest(context), ZERO, total)

    if _is_quotient(spread.mean, spread.total):
        context.learn_sum(spread.gap, KnownSum(spread.squares.axes, gaps))
    return _over_blocks(context, blocks, [centres, firsts, seconds], lambda block, found: _squares(
        context, found, elements(block), mean))  # fmt: skip


def _over_blocks(context: Context, blocks: Operand, places: list[Var],
                 term: Callable[[Operand, list[Operand]], Operand]) -> Operand:  # fmt: skip
    """The sum of what all blocks contribute."""
    build = context.build
    with build.kernel(places) as kernel:
        with build.loop(blocks, [Const(0.0, element_of(places[0].type))], vector=True, reduction=True) as loop:
            found: list[Operand] = [build.load(place, loop.index) for place in places]
            loop.yields(build.let("add", loop.carried[0], term(loop.index, found)))
        kernel.yields(loop.results[0])
    return kernel.results[0]


def _sample(context: Context, count: Operand) -> Operand:
    """How many of a block's first elements its centre is the mean of; a block has one element at least."""
    build = context.build
    found = build.index_add(1, 0)
    for size in reversed(SAMPLES):
        found = build.let("select", build.let("less", count, build.index_add(size, 0)), found, build.index_add(size, 0))
    return found


def _about(context: Context, pointer: Var, base: Operand, count: Operand, centre: Operand) -> tuple[Operand, Operand]:
    """The sums of a block's distances from a centre and of their squares."""
    build, zero = context.build, Const(0.0, element_of(pointer.type))
    with build.loop(count, [zero, zero], vector=True, reduction=True) as loop:
        value = build.load(pointer, build.index_add(base, loop.index))
        loop.yields(*_step(context, list(loop.carried), value, centre))
    return loop.results[0], loop.results[1]


def _total(context: Context, pointer: Var, base: Operand, count: Operand, found: list[Operand]) -> Operand:
    """The sum of a block, from its distances from a centre; from the values themselves where distances overflow."""
    build, (centre, first, _) = context.build, found
    total = build.let("add", first, build.let("multiply", build.cast(count, first.type), centre))
    with build.branch(build.let("isfinite", total)) as branch:
        branch.yields(total)
        branch.otherwise()
        with build.loop(count, [Const(0.0, first.type)], vector=True, reduction=True) as loop:
            loop.yields(build.let("add", loop.carried[0], build.load(pointer, build.index_add(base, loop.index))))
        branch.yields(loop.results[0])
    return branch.results[0]


def _corrected(context: Context, pointer: Var, base: Operand, count: Operand, found: list[Operand]) -> list[Operand]:
    """A block's centre and sums, once more about its mean where the sample's was far from that: where more than a
    quarter of the squares is due to it. What overflows stays."""
    build, (centre, first, second) = context.build, found
    gap = build.let("divide", first, build.cast(count, first.type))
    excess = build.let("multiply", build.let("multiply", first, gap), 4.0)
    with build.branch(build.let("greater", excess, second)) as branch:
        mean = build.let("add", centre, gap)
        branch.yields(mean, *_about(context, pointer, base, count, mean))
        branch.otherwise()
        branch.yields(centre, first, second)
    return list(branch.results)


def _centre(context: Context, total: Operand, count: Operand, first: Operand) -> Operand:
    """The mean of a block; one of its values where the sum overflows; 0 where not all values are numbers."""
    build = context.build
    mean = build.let("divide", total, build.cast(count, total.type))
    otherwise = build.let("select", build.let("isfinite", first), first, 0.0)
    return build.let("select", build.let("isfinite", mean), mean, otherwise)


def _step(context: Context, carried: list[Operand], value: Operand, centre: Operand) -> tuple[Operand, Operand]:
    """The sums of the distances from the centre and of their squares, after one more value."""
    build = context.build
    gap = build.let("subtract", value, centre)
    return build.let("add", carried[0], gap), build.let("add", carried[1], build.let("multiply", gap, gap))


def _squares(context: Context, found: list[Operand], count: Operand, mean: Operand) -> Operand:
    """The squares of a block about the mean, which are not negative, from what was found about its centre. Where those
    overflow, the others do; beside a mean that is no number they are that or infinite, as the values are."""
    build, (centre, first, second) = context.build, found
    gap = build.let("subtract", centre, mean)
    twice = build.let("add", build.let("add", first, first), build.let("multiply", count, gap))
    total = build.let("maximum", build.let("add", second, build.let("multiply", gap, twice)), 0.0)
    overflows = build.let("logical_and", build.let("isinf", second), build.let("isfinite", mean))
    return build.let("select", overflows, second, total)


def _gaps(context: Context, found: list[Operand], count: Operand, mean: Operand) -> Operand:
    """The distances of a block from the mean, added, from what was found about its centre."""
    build, (centre, first) = context.build, found[:2]
    return build.let("add", first, build.let("multiply", count, build.let("subtract", centre, mean)))


class _Columns:
    """Over all axes but the last: blocks of rows, each with sums of its own for every column."""

    def __init__(self, context: Context, spread: Spread) -> None:
        self.context, self.build, self.spread = context, context.build, spread
        self.pointer, self.dtype = spread.array.pointer, spread.array.dtype
        self.width = spread.array.sizes[-1]
        self.count = context.product(spread.array.sizes[:-1])
        self.blocks, self.block = self._cut()
        self.column: Operand = ZERO
        self.columns: Operand = self.width

    def _cut(self) -> tuple[Operand, Operand]:
        """How many blocks, and the rows of one: more than of one sum, as there is more to begin and to put together."""
        build = self.build
        usual = self.context.row_blocks(self.count, self.width)[1]
        block = build.let("maximum", usual, build.index_add(FEWEST_ROWS, 0))
        above = build.let("subtract", build.let("add", self.count, block), ONE)
        return build.let("maximum", build.let("floor_divide", above, block), ONE), block

    def write(self, prepare: Callable[[Context, Lazy], None]) -> Stored:
        """Write the kernels; the squares."""
        context, spread = self.context, self.spread
        sizes = (self.blocks, self.width)
        places = self.centres, self.firsts, self.seconds = [context.allocate(self.dtype, sizes).pointer for _ in "123"]
        self._pass(places)
        total = self._combine(spread.total, lambda nest, column, found, count: self.build.let(
            "add", found[1], self.build.let("multiply", count, found[0])))  # fmt: skip
        total.uses = spread.total.uses
        context.set_forced(spread.total, total)
        prepare(context, spread.mean)
        if _is_quotient(spread.mean, spread.total):
            context.learn_sum(spread.gap, KnownSum(spread.squares.axes, self._gaps))
        return self._combine(spread.squares, lambda nest, column, found, count: _squares(
            context, found, count, self._mean(nest, column)))  # fmt: skip

    def _gaps(self, root: Reduction, finish: Finish) -> Stored:
        return self._combine(root, lambda nest, column, found, count: _gaps(
            self.context, found, count, self._mean(nest, column)), finish)  # fmt: skip

    def _mean(self, nest: Nest, column: Operand) -> Operand:
        return nest.value(self.spread.mean, (*(ZERO,) * (len(self.spread.array.sizes) - 1), column))

    def _pass(self, places: list[Var]) -> None:
        build, width = self.build, self.width
        panels = build.let("floor_divide", build.index_add(width, PANEL - 1), build.index_add(PANEL, 0))
        elements = build.index_multiply(self.block, build.let("minimum", width, build.index_add(PANEL, 0)))
        grain = build.let("floor_divide", build.index_add(GRAIN, 0), build.let("maximum", elements, ONE))
        count, grain = build.index_multiply(self.blocks, panels), build.let("maximum", grain, ONE)
        with build.kernel([self.pointer], places):
            with build.loop(count, parallel=True, grain=grain) as loop:
                number = build.let("floor_divide", loop.index, panels)
                panel = build.let("subtract", loop.index, build.index_multiply(number, panels))
                self.column = build.index_multiply(panel, PANEL)
                left = build.let("subtract", width, self.column)
                self.columns = build.let("minimum", left, build.index_add(PANEL, 0))
                start = build.index_multiply(number, self.block)
                here = build.let("minimum", build.let("subtract", self.count, start), self.block)
                self._panel(build.index_add(build.index_multiply(number, width), self.column), start, here, places)

    def _panel(self, base: Operand, start: Operand, count: Operand, places: list[Var]) -> None:
        """Some columns of a block: where their sums are, its first row, and how many rows it has."""
        build = self.build
        with build.loop(self.columns, vector=True) as fill:
            for place in places:
                build.store(place, build.index_add(base, fill.index), 0.0)
        samples = self._sample(base, start, count)
        some = build.index_multiply(self.columns, build.let("minimum", count, ONE))
        with build.loop(some, vector=True) as over:
            at, first = build.index_add(base, over.index), self._element(start, over.index)
            centre = _centre(self.context, build.load(self.centres, at), samples, first)
            build.store(self.centres, at, centre)
        self._all_rows(base, start, count)
        self._add_again(base, start, count)

    def _add_again(self, base: Operand, start: Operand, count: Operand) -> None:
        """Columns whose distances overflow, or are no numbers, have those from zero: their values may have a sum."""
        build, zero = self.build, Const(0.0, self.dtype)
        with build.loop(self.columns, [zero], vector=True, reduction=True) as check:
            first = build.load(self.firsts, build.index_add(base, check.index))
            check.yields(build.let("add", check.carried[0], build.let("multiply", first, 0.0)))
        with build.branch(build.let("isnan", check.results[0])) as branch:
            with build.loop(self.columns, vector=True) as loop:
                with build.loop(count, [zero]) as over:
                    value = self._element(build.index_add(start, over.index), loop.index)
                    over.yields(build.let("add", over.carried[0], value))
                place = build.index_add(base, loop.index)
                known = build.let("isfinite", build.load(self.firsts, place))
                for target, other in ((self.centres, zero), (self.firsts, over.results[0])):
                    build.store(target, place, build.let("select", known, build.load(target, place), other))
            branch.yields()
            branch.otherwise()
            branch.yields()

    def _sample(self, base: Operand, start: Operand, count: Operand) -> Operand:
        """Add some rows to the sums that centres are made of, from all over the block; how many they are. They are an
        odd number of rows apart, as rows that differ from the others often come in even periods."""
        build = self.build
        above = build.let("add", count, build.index_add(SAMPLE_OF_ROWS - 1, 0))
        wanted = build.let("floor_divide", above, build.index_add(SAMPLE_OF_ROWS, 0))
        part = build.let("floor_divide", count, build.index_add(ROWS_AT_ONCE, 0))
        apart = build.let("bitwise_or", build.let("maximum", build.let("subtract", part, ONE), ZERO), ONE)
        passes = build.let("minimum", wanted, part)
        alone = build.let("maximum", build.let("subtract", build.let("minimum", count, ONE), passes), ZERO)
        for turns, rows in ((passes, ROWS_AT_ONCE), (alone, 1)):
            with build.loop(turns) as over:
                row = build.index_add(start, over.index)
                several = [build.index_add(row, build.index_multiply(apart, number)) for number in range(rows)]
                with build.loop(self.columns, vector=True) as loop:
                    place = build.index_add(base, loop.index)
                    more = [self._element(each, loop.index) for each in several]
                    total = build.let("add", build.load(self.centres, place), self._tree(more))
                    build.store(self.centres, place, total)
        return build.let("add", build.index_multiply(passes, ROWS_AT_ONCE), alone)

    def _all_rows(self, base: Operand, start: Operand, count: Operand) -> None:
        """Add all rows to the sums for each column, several in one pass. Those that come from memory are far apart: so
        each is one of a few long runs through it, which the processor foresees."""
        build = self.build
        passes = build.let("floor_divide", count, build.index_add(ROWS_AT_ONCE, 0))
        done = build.index_multiply(passes, ROWS_AT_ONCE)
        rest = build.let("subtract", count, done)
        elements = build.index_multiply(self.count, self.width)
        far = build.let("greater", elements, build.index_add(NEAR_ELEMENTS, 0))
        step: Operand = build.let("select", far, ONE, build.index_add(ROWS_AT_ONCE, 0))
        apart = build.let("select", far, passes, ONE)
        several = [build.index_multiply(apart, number) for number in range(ROWS_AT_ONCE)]
        for turns, distances, begin, each in ((passes, several, ZERO, step), (rest, [ZERO], done, ONE)):
            with build.loop(turns) as over:
                row = build.index_add(build.index_add(start, begin), build.index_multiply(over.index, each))
                rows = [build.index_add(row, distance) for distance in distances]
                with build.loop(self.columns, vector=True) as loop:
                    place = build.index_add(base, loop.index)
                    centre = build.load(self.centres, place)
                    found: list[Operand] = [build.load(self.firsts, place), build.load(self.seconds, place)]
                    gaps = [build.let("subtract", self._element(row, loop.index), centre) for row in rows]
                    squares = [build.let("multiply", gap, gap) for gap in gaps]
                    for target, old, more in zip((self.firsts, self.seconds), found, (gaps, squares)):
                        build.store(target, place, build.let("add", old, self._tree(more)))

    def _tree(self, values: Sequence[Operand]) -> Operand:
        """The sum of a few values, in pairs."""
        if len(values) == 1:
            return values[0]
        half = len(values) // 2
        return self.build.let("add", self._tree(values[:half]), self._tree(values[half:]))

    def _element(self, row: Operand, column: Operand) -> Operand:
        build = self.build
        first = build.index_add(build.index_multiply(row, self.width), self.column)
        return build.load(self.pointer, build.index_add(first, column))

    def _combine(self, root: Reduction, term: Callable[[Nest, Operand, list[Operand], Operand], Operand],
                 finish: Finish | None = None) -> Stored:  # fmt: skip
        """The sum of a term of all blocks, for each column, or what is made of it, in the place of a reduction."""
        build, nest = self.build, Nest(self.context)
        target = root.place or self.context.allocate(self.dtype, (self.width,))
        grain = build.let("maximum", build.let("floor_divide", build.index_add(GRAIN, 0), self.blocks), ONE)
        blocks = build.let("minimum", self.blocks, self.count)
        with build.kernel() as kernel:
            with build.loop(self.width, vector=True, parallel=True, grain=grain) as loop:
                with build.loop(blocks, [Const(0.0, self.dtype)]) as over:
                    start = build.index_multiply(over.index, self.block)
                    here = build.let("minimum", build.let("subtract", self.count, start), self.block)
                    place = build.index_add(build.index_multiply(over.index, self.width), loop.index)
                    found: list[Operand] = [
                        build.load(each, place) for each in (self.centres, self.firsts, self.seconds)]
                    with nest.scope():
                        more = term(nest, loop.index, found, build.cast(here, self.dtype))
                    over.yields(build.let("add", over.carried[0], more))
                with nest.scope():
                    result = over.results[0] if finish is None else finish(nest, loop.index, over.results[0])
                build.store(target.pointer, loop.index, result)
        reads = {each.id: each for each in (self.centres, self.firsts, self.seconds)} | nest.reads
        kernel.statement.reads, kernel.statement.writes = tuple(reads.values()), (target.pointer,)
        return target
