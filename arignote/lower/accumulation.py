"""Reductions that keep the innermost axis: whole rows of the result accumulate in memory, in the order of the operand.

Where the outermost axis is reduced, its indices are cut into blocks. Each block has a result of its own, and those are
combined in order; so several threads can work, and the result does not depend on how many do.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote.lower.lazy import Reduction
from arignote.lower.loop_ir import Kernel, Operand
from arignote.lower.nests import BLOCK, GRAIN, Nest, Write, note_rows
from arignote.lower.reductions import Accumulator, accumulator_of
from arignote.lower.values import ONE, ZERO, Stored

ROWS_AT_ONCE, NEIGHBOURS_AT_ONCE = 4, 8
"""Rows that are added in one pass. They are far apart: so each is one of a few long runs through memory, which the
processor foresees, where rows side by side are many short ones. Positions need the rows in order."""


class Accumulation:
    """The kernels of such reductions, all over the same axes. `alone`: nothing else is worth doing in the same rows.

    across: reductions over the second axis of three, made in passing while the others are over the first
    """

    def __init__(self, nest: Nest, writes: list[Write], reductions: list[tuple[Reduction, Stored]],
                 alone: bool = False, across: Sequence[tuple[Reduction, Stored]] = ()) -> None:  # fmt: skip
        self.nest, self.writes, self.reductions, self.across = nest, writes, reductions, across
        self.context, self.build = nest.context, nest.build
        self.axes = reductions[0][0].axes
        self.accumulators: list[Accumulator] = [accumulator_of(reduction) for reduction, _ in reductions]
        self.indices: list[Operand] = [ZERO] * len(nest.sizes)
        self.alone = alone and len(nest.sizes) == 2 and not writes and not nest.packed
        self.turned = bool(nest.packed) and self.axes == (0,)
        """Whether what accumulates has its neighbours along the middle axis, as the loops run (`pairs.py`)."""

    def write(self) -> None:
        """Write the kernels."""
        if self.axes[0] == 0:
            self._in_blocks()
        else:
            self._row_by_row()

    def _row_by_row(self) -> None:
        """The outermost axis is kept: each of its rows accumulates on its own."""
        build, nest, context = self.build, self.nest, self.context
        targets = [self._registers(*pair, pair[1].sizes) for pair in self._pairs()]
        room = context.product(targets[0][0].sizes[1:])
        grain = self._grain(context.product(nest.sizes[1:]))
        with build.kernel() as kernel:
            with build.loop(nest.sizes[0], parallel=True, grain=grain) as loop, nest.scope():
                nest.row = self.indices[0] = loop.index
                base = build.index_multiply(loop.index, room)
                for target in [target for registers in targets for target in registers]:
                    nest.local[target.pointer.id] = target.strides[0]
                self._fill(self.accumulators, targets, base, room)
                self._loops(1, targets, ZERO)
            self._name_pointers(kernel.statement)
        note_rows(nest, kernel.statement, nest.sizes[0], loop.statement, None)

    def _in_blocks(self) -> None:
        build, nest, context = self.build, self.nest, self.context
        count = nest.sizes[0]
        blocks, block = context.row_blocks(count, context.product(nest.sizes[1:]))
        kept = self.reductions[0][1].sizes
        room = context.product(kept)
        partial = [self._registers(*pair, (blocks, *kept)) for pair in self._pairs()]
        grain = self._grain(build.index_multiply(block, context.product(nest.sizes[1:])))
        with build.kernel() as kernel:
            with build.loop(blocks, parallel=True, grain=grain) as outer, nest.scope():
                base = build.index_multiply(outer.index, room)
                self._fill(self.accumulators, partial, base, room)
                first = build.index_multiply(outer.index, block)
                here = build.let("minimum", build.let("subtract", count, first), block)
                if self.alone:
                    first, here = self._several_rows(partial, base, first, here)
                with build.loop(here) as loop, nest.scope():
                    nest.row = self.indices[0] = build.let("add", first, loop.index)
                    self._fill_across()
                    self._loops(1, partial, base)
            self._name_pointers(kernel.statement)
        if not self.alone:
            note_rows(nest, kernel.statement, count, loop.statement, block)
        for place, accumulator in enumerate(self.accumulators):
            combine = self._combine_turned if self.turned else self._combine
            combine(accumulator, partial[place], self.reductions[place][1], blocks, room)

    def _pairs(self) -> list[tuple[Accumulator, Stored]]:
        return list(zip(self.accumulators, [destination for _, destination in self.reductions]))

    def _registers(self, accumulator: Accumulator, destination: Stored, sizes: tuple[Operand, ...]) -> list[Stored]:
        """Memory for what is accumulated: a result, or a best value and where it was. The results of rows that are kept
        are the destination itself."""
        types = [value.type for value in accumulator.initial]
        if sizes is destination.sizes:
            return [*[self.context.allocate(type, sizes) for type in types[:-1]], destination]
        return [self.context.allocate(type, sizes) for type in types]

    def _several_rows(self, targets: list[list[Stored]], base: Operand, first: Operand,
                      count: Operand) -> tuple[Operand, Operand]:  # fmt: skip
        """Several rows in one pass over what accumulates; where the rest begins, and how many rows it has."""
        build, nest = self.build, self.nest
        in_order = any(accumulator.width > 1 for accumulator in self.accumulators)
        together = NEIGHBOURS_AT_ONCE if in_order else ROWS_AT_ONCE
        passes = build.let("floor_divide", count, build.index_add(together, 0))
        step, distance = (together, ONE) if in_order else (1, passes)
        distances = [build.index_multiply(distance, k) for k in range(1, together)]
        with build.loop(passes) as over, nest.scope():
            row = build.let("add", first, build.index_multiply(over.index, step))
            with build.loop(nest.sizes[1], vector=True) as loop, nest.scope():
                self.indices[1] = loop.index
                rows = [row, *[build.let("add", row, distance) for distance in distances]]
                self._accumulate(targets, base, rows)
        done = build.index_multiply(passes, together)
        return build.let("add", first, done), build.let("subtract", count, done)

    def _grain(self, each: Operand) -> Operand:
        """Steps worth a thread, of this many elements each."""
        build = self.build
        whole = build.let("floor_divide", build.index_add(GRAIN, 0), build.let("maximum", each, ONE))
        return build.let("maximum", whole, ONE)

    def _fill(self, accumulators: list[Accumulator], targets: list[list[Stored]], base: Operand,
              room: Operand) -> None:  # fmt: skip
        """Everything begins with the identity."""
        with self.build.loop(room, vector=True) as fill:
            place = self.build.index_add(base, fill.index)
            for accumulator, registers in zip(accumulators, targets):
                for target, initial in zip(registers, accumulator.initial):
                    self.nest.writes[target.pointer.id] = target.pointer
                    self.build.store(target.pointer, place, initial)

    def _fill_across(self) -> None:
        """The same for the current row of what is reduced over the second axis."""
        if not self.across:
            return
        width = self.nest.sizes[2]
        for _, destination in self.across:
            self.nest.local[destination.pointer.id] = destination.strides[0]
        accumulators = [accumulator_of(reduction) for reduction, _ in self.across]
        targets = [[destination] for _, destination in self.across]
        self._fill(accumulators, targets, self.build.index_multiply(self.indices[0], width), width)

    def _loops(self, level: int, targets: list[list[Stored]], base: Operand) -> None:
        nest = self.nest
        if nest.packed:
            self._over_pairs(targets, base)
            return
        if level < len(nest.sizes):
            last = level == len(nest.sizes) - 1
            with self.build.loop(nest.sizes[level], vector=last) as loop, nest.scope():
                self.indices[level] = loop.index
                self._loops(level + 1, targets, base)
            return
        for write in self.writes:
            nest.store(write, tuple(self.indices))
        self._accumulate(targets, base)

    def _accumulate(self, targets: list[list[Stored]], base: Operand, rows: Sequence[Operand] = ()) -> None:
        """Add the element at the indices to its result, or those of several rows, in order."""
        build, nest = self.build, self.nest
        for accumulator, (reduction, destination), registers in zip(self.accumulators, self.reductions, targets):
            kept = tuple([i for axis, i in enumerate(self.indices) if axis not in self.axes])
            place = build.index_add(base, nest.offset(self._layout(destination), kept))
            found: list[Operand] = [build.load(target.pointer, place) for target in registers]
            for row in rows or self.indices[:1]:
                self.indices[0] = row
                value = nest.value(reduction.source, tuple(self.indices))
                position = self.indices[self.axes[-1]] if accumulator.width == 2 else ZERO
                found = accumulator.step(build, found, value, position)
            for target, new in zip(registers, found):
                build.store(target.pointer, place, new)
        if not nest.packed:
            for reduction, destination in self.across:
                value = nest.value(reduction.source, tuple(self.indices))
                self._add_across(reduction, destination, value)

    def _add_across(self, reduction: Reduction, destination: Stored, value: Operand) -> None:
        """Add to the result of a reduction over the second axis, in the current row."""
        place = self.nest.offset(destination, (self.indices[0], self.indices[2]))
        old = self.build.load(destination.pointer, place)
        self.build.store(destination.pointer, place, accumulator_of(reduction).combine(self.build, [old], [value])[0])

    def _layout(self, destination: Stored) -> Stored:
        """How one block's results lie in memory."""
        if not self.turned:
            return destination
        strides = (ONE, destination.sizes[0])
        return Stored(destination.dtype, destination.buffer, destination.pointer, destination.sizes, strides)

    def _over_pairs(self, targets: list[list[Stored]], base: Operand) -> None:
        """The last axis outside of the middle one (`pairs.py`). Where the middle axis is reduced, it is so in
        registers, in runs of bounded length."""
        build, nest = self.build, self.nest
        count = nest.sizes[1]
        if 1 not in self.axes and not self.across:
            with build.loop(nest.sizes[2]) as last, nest.scope():
                self.indices[2] = last.index
                with build.loop(count, vector=True) as middle, nest.scope():
                    self.indices[1] = middle.index
                    self._accumulate(targets, base)
            return
        runs = build.let("floor_divide", build.index_add(count, BLOCK - 1), build.index_add(BLOCK, 0))
        with build.loop(runs) as run, nest.scope():
            start = build.index_multiply(run.index, BLOCK)
            here = build.let("minimum", build.let("subtract", count, start), build.index_add(BLOCK, 0))
            with build.loop(nest.sizes[2]) as last, nest.scope():
                self.indices[2] = last.index
                self._add_run(targets, base, start, here)

    def _add_run(self, targets: list[list[Stored]], base: Operand, start: Operand, count: Operand) -> None:
        """What a run of the middle axis contributes to one result of each reduction over it."""
        build, nest = self.build, self.nest
        over = [reduction for reduction, _ in self.across or self.reductions]
        ways = [accumulator_of(reduction) for reduction in over]
        initial = [value for way in ways for value in way.initial]
        types = [value.type for value in initial]
        with build.loop(count, initial, types=types, vector=True, reduction=True) as middle, nest.scope():
            self.indices[1] = build.index_add(start, middle.index)
            if self.across:
                self._accumulate(targets, base)
            middle.yields(*[
                way.step(build, [carried], nest.value(reduction.source, tuple(self.indices)), ZERO)[0]
                for way, carried, reduction in zip(ways, middle.carried, over)
            ])  # fmt: skip
        if self.across:
            for (reduction, destination), total in zip(self.across, middle.results):
                self._add_across(reduction, destination, total)
            return
        kept = tuple([i for axis, i in enumerate(self.indices) if axis not in self.axes])
        for (accumulator, destination), registers, total in zip(self._pairs(), targets, middle.results):
            offset = build.index_add(base, nest.offset(destination, kept))
            old = build.load(registers[0].pointer, offset)
            build.store(registers[0].pointer, offset, accumulator.combine(build, [old], [total])[0])

    def _combine(self, accumulator: Accumulator, partial: list[Stored], target: Stored, blocks: Operand,
                 room: Operand) -> None:  # fmt: skip
        """The results of all blocks, in order."""
        build = self.build
        grain = self._grain(blocks)
        with build.kernel([each.pointer for each in partial], [target.pointer]):
            with build.loop(room, vector=True, parallel=True, grain=grain) as loop:
                self._combine_one(accumulator, partial, blocks, room, loop.index, target, loop.index)

    def _combine_turned(self, accumulator: Accumulator, partial: list[Stored], target: Stored, blocks: Operand,
                        room: Operand) -> None:  # fmt: skip
        """The results of all blocks, in order, where they lie otherwise than the target."""
        build = self.build
        count, width = target.sizes
        grain = self._grain(build.index_multiply(blocks, count))
        with build.kernel([each.pointer for each in partial], [target.pointer]):
            with build.loop(width, parallel=True, grain=grain) as last:
                start = build.index_multiply(last.index, count)
                with build.loop(count, vector=True) as loop:
                    source = build.index_add(start, loop.index)
                    place = build.index_add(build.index_multiply(loop.index, width), last.index)
                    self._combine_one(accumulator, partial, blocks, room, source, target, place)

    def _combine_one(self, accumulator: Accumulator, partial: list[Stored], blocks: Operand, room: Operand,
                     source: Operand, target: Stored, place: Operand) -> None:  # fmt: skip
        build = self.build
        pointers = [each.pointer for each in partial]
        first = [build.load(pointer, source) for pointer in pointers]
        with build.loop(build.let("subtract", blocks, ONE), first) as over:
            other = build.index_add(build.index_multiply(build.index_add(over.index, 1), room), source)
            right: list[Operand] = [build.load(pointer, other) for pointer in pointers]
            over.yields(*accumulator.combine(build, list(over.carried), right))
        build.store(target.pointer, place, accumulator.result(list(over.results)))

    def _name_pointers(self, kernel: Kernel) -> None:
        nest = self.nest
        kernel.reads = tuple([var for key, var in nest.reads.items() if key not in nest.writes])
        kernel.writes = tuple(nest.writes.values())
