"""How often a maximum occurs, in the pass that finds it.

    largest = max(x);  count = sum(x == largest)

As it stands x goes through memory twice; the derivative of `max`, which shares out evenly, is written so. One pass
makes both: a count begins again where a value is larger than all before it. The counts of blocks are added where their
maxima are the overall one. Nothing equals NaN, so beside a maximum that is NaN the count is 0.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING

from arignote.ir.records import dataclass
from arignote.lower.lazy import Elementwise, Lazy, Mapped, Reduction, Repeated
from arignote.lower.loop_ir import FLOATS, Const, Operand, Var
from arignote.lower.nests import BLOCK, GRAIN, room_for_blocks
from arignote.lower.reductions import accumulator
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, is_constant

if TYPE_CHECKING:
    from arignote.lower.context import Context

ROWS_AT_ONCE = 8
BLOCKS_FOR_A_THREAD = GRAIN // BLOCK // 2
"""Blocks that are gone through twice are worth a thread earlier than others."""
EXTREMA = {"max": "maximum", "min": "minimum"}


@dataclass(slots=True)
class Ties:
    """A count of what equals an extremum along the same axes of the same array."""

    count: Reduction
    extremum: Reduction
    array: Stored


def in_memory(value: AnyValue) -> Stored | None:
    """The array that a value is, where it is in memory."""
    found = value.forced if isinstance(value, Lazy) else value
    return found if isinstance(found, Stored) else None


def may_wait(value: AnyValue) -> bool:
    """Whether a scalar is an extremum that a count may be made with, if it is not computed before."""
    if not isinstance(value, Reduction) or value.sizes or value.forced is not None or value.op not in EXTREMA:
        return False
    array = in_memory(value.source)
    return array is not None and array.contiguous


def ties_of(context: Context, root: Lazy, waiting: list[Lazy]) -> Ties | None:
    """The count that a value is, or one that waits for the extremum that a value is, where one pass can make both."""
    if not isinstance(root, Reduction) or root.op not in ("sum", *EXTREMA):
        return None
    if root.op == "sum":
        return _ties_in(context, root)
    found = (_ties_in(context, value) for value in waiting if value.forced is None and value is not root)
    return next((ties for ties in found if ties is not None and ties.extremum is root), None)


def _ties_in(context: Context, root: Lazy) -> Ties | None:
    cast = _inner(root.source, "cast") if isinstance(root, Reduction) and root.op == "sum" else None
    equal = None if cast is None else _inner(cast.inputs[0], "equal")
    if equal is None:
        return None
    array = in_memory(equal.inputs[0])
    extremum = _seen_in_place(root, equal.inputs[1])
    if array is None or extremum is None or extremum.forced is not None or extremum.op not in EXTREMA:
        return None
    same = in_memory(extremum.source) is array and extremum.axes == root.axes
    if not same or not array.contiguous or not context.same_shape(array.sizes, root.space):
        return None
    assert isinstance(root, Reduction)
    return Ties(root, extremum, array) if _is_worth_it(context, root, array) else None


def _inner(value: AnyValue, op: str) -> Elementwise | None:
    """A value that is this operation on elements, and is not wanted in memory."""
    found = isinstance(value, Elementwise) and value.op == op and value.forced is None and not value.needed
    return value if found else None  # type: ignore[return-value]


def _seen_in_place(root: Lazy, value: AnyValue) -> Reduction | None:
    """The reduction that a value shows, repeated along the axes that it has reduced."""
    assert isinstance(root, Reduction)
    here: list[int | None] = list(range(len(root.space)))
    while isinstance(value, Mapped | Repeated) and value.forced is None:
        if isinstance(value, Repeated):
            here, value = [], value.source
            continue
        following: list[int | None] = []
        for axis, start, step in value.axes:
            if axis is not None and not (is_constant(start, 0) and is_constant(step, 1)):
                return None
            following.append(None if axis is None else here[axis])
        here, value = following, value.source
    kept = [axis for axis in range(len(root.space)) if axis not in root.axes]
    if not isinstance(value, Reduction) or value.sizes and here != kept:
        return None
    return value


def _is_worth_it(context: Context, count: Reduction, array: Stored) -> bool:
    """Whether the axes are all, of more than a block, or all but the last, and x comes from memory by itself: kernels
    that go through the rows of what has just been computed become one (`row_fusion.py`)."""
    last = len(array.sizes) - 1
    if len(count.axes) == len(array.sizes):
        elements = context.product(array.sizes)
        return isinstance(elements, Var) or int(elements.value) > BLOCK
    return count.axes == tuple(range(last)) and array.buffer.id in context.given


def compute(context: Context, ties: Ties) -> Operand | Stored:
    """Compute the extremum and the count; the count."""
    if ties.count.sizes:
        return _Columns(context, ties).write()
    return _everything(context, ties)


def _everything(context: Context, ties: Ties) -> Operand:
    """Over all axes: blocks, each read again while it is in a near cache."""
    build, pointer = context.build, ties.array.pointer
    identity = _identity(ties)
    how = EXTREMA[ties.extremum.op]
    zero = Const(0, ties.count.dtype)
    total = context.product(ties.array.sizes)
    blocks = build.let("floor_divide", build.index_add(total, BLOCK - 1), build.index_add(BLOCK, 0))
    bests, counts = places = room_for_blocks(context, blocks, [ties.array.dtype, ties.count.dtype])
    with build.kernel([pointer], places):
        with build.loop(blocks, parallel=True, grain=BLOCKS_FOR_A_THREAD) as loop:
            base = build.index_multiply(loop.index, BLOCK)
            here = build.let("minimum", build.let("subtract", total, base), build.index_add(BLOCK, 0))
            with build.loop(here, [identity], vector=True, reduction=True) as over:
                value = build.load(pointer, build.index_add(base, over.index))
                over.yields(build.let(how, over.carried[0], value))
            with build.loop(here, [zero], vector=True, reduction=True) as again:
                value = build.load(pointer, build.index_add(base, again.index))
                equal = build.let("equal", value, over.results[0])
                again.yields(build.let("add", again.carried[0], build.cast(equal, zero.type)))
            build.store(bests, loop.index, over.results[0])
            build.store(counts, loop.index, again.results[0])
    with build.kernel(places) as kernel:
        with build.loop(blocks, [identity], vector=True, reduction=True) as over:
            over.yields(build.let(how, over.carried[0], build.load(bests, over.index)))
        with build.loop(blocks, [zero], vector=True, reduction=True) as again:
            equal = build.let("equal", build.load(bests, again.index), over.results[0])
            here = build.let("select", equal, build.load(counts, again.index), zero)
            again.yields(build.let("add", again.carried[0], here))
        kernel.yields(over.results[0], again.results[0])
    best, count = kernel.results
    context.set_forced(ties.extremum, best)
    return count


def _identity(ties: Ties) -> Operand:
    return accumulator(ties.extremum.op, ties.array.dtype).initial[0]


class _Columns:
    """Over all axes but the last: blocks of rows, each with results of its own for every column."""

    def __init__(self, context: Context, ties: Ties) -> None:
        self.context, self.build, self.ties = context, context.build, ties
        self.how, self.pointer = EXTREMA[ties.extremum.op], ties.array.pointer
        self.width = ties.array.sizes[-1]
        self.rows = context.product(ties.array.sizes[:-1])
        self.blocks, self.block = context.row_blocks(self.rows, self.width)

    def write(self) -> Stored:
        """Write the kernels; the count."""
        context, ties = self.context, self.ties
        sizes = (self.blocks, self.width)
        bests, counts = [context.allocate(dtype, sizes).pointer for dtype in (ties.array.dtype, ties.count.dtype)]
        self._pass(bests, counts)
        extremum, count = [each.place or context.allocate(each.dtype, (self.width,))
                           for each in (ties.extremum, ties.count)]  # fmt: skip
        self._combine(bests, counts, extremum, count)
        extremum.uses = ties.extremum.uses
        context.set_forced(ties.extremum, extremum)
        return count

    def _pass(self, bests: Var, counts: Var) -> None:
        build = self.build
        elements = build.let("maximum", build.index_multiply(self.block, self.width), ONE)
        grain = build.let("maximum", build.let("floor_divide", build.index_add(GRAIN, 0), elements), ONE)
        with build.kernel([self.pointer], [bests, counts]):
            with build.loop(self.blocks, parallel=True, grain=grain) as loop:
                base = build.index_multiply(loop.index, self.width)
                with build.loop(self.width, vector=True) as fill:
                    place = build.index_add(base, fill.index)
                    build.store(bests, place, _identity(self.ties))
                    build.store(counts, place, Const(0, self.ties.count.dtype))
                first = build.index_multiply(loop.index, self.block)
                here = build.let("minimum", build.let("subtract", self.rows, first), self.block)
                self._all_rows(bests, counts, base, first, here)

    def _all_rows(self, bests: Var, counts: Var, base: Operand, first: Operand, count: Operand) -> None:
        """Several rows in one pass, each the head of a long run through memory; then those that are left."""
        build = self.build
        passes = build.let("floor_divide", count, build.index_add(ROWS_AT_ONCE, 0))
        done = build.index_multiply(passes, ROWS_AT_ONCE)
        rest = build.let("subtract", count, done)
        for turns, rows, begin in ((passes, ROWS_AT_ONCE, ZERO), (rest, 1, done)):
            with build.loop(turns) as over:
                row = build.let("add", build.index_add(first, begin), over.index)
                starts = [build.index_add(row, build.index_multiply(passes, number)) for number in range(rows)]
                with build.loop(self.width, vector=True) as loop:
                    place = build.index_add(base, loop.index)
                    values = [build.load(self.pointer, build.index_add(build.index_multiply(start, self.width),
                                                                       loop.index)) for start in starts]  # fmt: skip
                    best, total = self._step(build.load(bests, place), build.load(counts, place), values)
                    build.store(bests, place, best)
                    build.store(counts, place, total)

    def _step(self, best: Operand, count: Operand, values: list[Var]) -> tuple[Operand, Operand]:
        """The extremum and how often it occurs, after more values. Comparisons keep a NaN that is there, and pass new
        ones by, of which all are asked at once."""
        build, zero = self.build, Const(0, self.ties.count.dtype)
        better = "greater" if self.how == "maximum" else "less"
        found = best
        for value in values:
            found = build.let("select", build.let(better, value, found), value, found)
        if values[0].type in FLOATS:
            unknown = [build.let("isnan", value) for value in values]
            found = build.let("select", reduce(partial(build.let, "logical_or"), unknown), float("nan"), found)
        total: Operand = build.let("select", build.let("equal", best, found), count, zero)
        for value in values:
            total = build.let("select", build.let("equal", value, found), build.let("add", total, 1), total)
        return found, total

    def _combine(self, bests: Var, counts: Var, extremum: Stored, count: Stored) -> None:
        """The results of all blocks, in order."""
        build, zero = self.build, Const(0, count.dtype)
        grain = build.let("maximum", build.let("floor_divide", build.index_add(GRAIN, 0), self.blocks), ONE)
        with build.kernel([bests, counts], [extremum.pointer, count.pointer]):
            with build.loop(self.width, vector=True, parallel=True, grain=grain) as loop:
                with build.loop(self.blocks, [_identity(self.ties), zero]) as over:
                    place = build.index_add(build.index_multiply(over.index, self.width), loop.index)
                    best, total = over.carried
                    other = build.load(bests, place)
                    found = build.let(self.how, best, other)
                    mine = build.let("select", build.let("equal", best, found), total, zero)
                    more = build.let("select", build.let("equal", other, found), build.load(counts, place), zero)
                    over.yields(found, build.let("add", mine, more))
                build.store(extremum.pointer, loop.index, over.results[0])
                build.store(count.pointer, loop.index, over.results[1])
