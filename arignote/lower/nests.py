"""Loop nests: from lazy values to loops over memory.

`Nest` is one kernel: some outputs (stores into memory) and some reductions over one iteration space. It is planned in
`fusion.py`; here its loops are written. Inside, `value` gives one element of any value, computing each thing once per
iteration: what is known in an outer loop is known in the inner ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from arignote.ir.records import dataclass
from arignote.lower.lazy import Lazy, Reduction
from arignote.lower.loop_ir import BUFFER, For, Kernel, Operand, Rows, Var
from arignote.lower.loop_ir_build import KernelRegion, LoopRegion
from arignote.lower.pairs import Key, key_of
from arignote.lower.reductions import NOWHERE, Accumulator, PositionAccumulator, accumulator_of
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, is_constant, size_key

if TYPE_CHECKING:
    from arignote.lower.context import Context

BLOCK = 4096
"""Longest run of additions into one accumulator: long sums are sums of block sums, which bounds the rounding error."""
GRAIN = 32768
"""Fewest elements that are worth a thread, where little is done with each."""
FEW_BLOCKS = 4
"""So many results of blocks find room in the frame."""


@dataclass(slots=True, eq=False)
class Write:
    """`destination[i] = value[i]` (or `+=`) for all i."""

    value: AnyValue
    destination: Stored
    accumulate: bool = False


class Nest:
    """One loop nest under construction. Without `sizes` it computes single elements in straight-line code."""

    def __init__(self, context: Context, sizes: tuple[Operand, ...] = ()) -> None:
        self.context, self.build, self.sizes = context, context.build, sizes
        self.known: list[dict[tuple[int, ...] | tuple, Operand]] = [{}]
        self.reads: dict[int, Var] = {}
        self.writes: dict[int, Var] = {}
        self.packed: dict[Key, Stored] = {}
        """Arrays that are read in another order of their axes, by `key_of` the array; see `pairs.py`."""
        self.row: Var | None = None
        """The number of the row, in loops whose rows are independent."""
        self.local: dict[int, Operand] = {}
        self.elsewhere: set[int] = set()
        self.work: Operand | None = None
        """How many elements are gone through for one of this nest, where it has reductions in it."""
        self.grain = GRAIN
        """Fewest elements that are worth a thread."""
        self.plain = False
        """Whether this version of the loops is for the case that no axis of unknown size turns out to have size 1."""

    # Elements

    def value(self, value: AnyValue, indices: tuple[Operand, ...]) -> Operand:
        """One element of a value at these indices."""
        if isinstance(value, Lazy):
            if value.forced is not None:
                value = value.forced
            else:
                key = (id(value), *map(size_key, indices))
                found = self._find(key)
                if found is None:
                    found = self.known[-1][key] = value.element(self, indices)
                return found
        if isinstance(value, Stored):
            return self.load(value, indices)
        return value  # type: ignore[return-value]

    def _find(self, key: tuple) -> Operand | None:
        for table in reversed(self.known):
            found = table.get(key)
            if found is not None:
                return found
        return None

    def load(self, array: Stored, indices: tuple[Operand, ...]) -> Operand:
        """One element of an array in memory."""
        array = self.packed.get(key_of(array), array) if self.packed else array
        key = (array.pointer.id, "load", *map(size_key, indices), *map(size_key, array.strides))
        self._note_row(array, indices)
        found = self._find(key)
        if found is None:
            self.reads[array.pointer.id] = array.pointer
            found = self.known[-1][key] = self.build.load(array.pointer, self.offset(array, indices))
        return found

    def offset(self, array: Stored, indices: Sequence[Operand]) -> Operand:
        """Distance of an element from the first, in elements."""
        strides = [self.step(stride) for stride in array.strides]
        key = ("offset", *map(size_key, indices), *map(size_key, strides))
        found = self._find(key)
        if found is None:
            found = ZERO
            for index, stride in zip(indices, strides, strict=True):
                if not is_constant(index, 0):
                    found = self.build.index_add(found, self.build.index_multiply(index, stride))
            self.known[-1][key] = found
        return found

    def step(self, step: Operand) -> Operand:
        """A step or stride in this version of the loops."""
        if self.plain and isinstance(step, Var) and step.id in self.context.flags:
            return self.context.flags[step.id][0]
        return step

    def store(self, write: Write, indices: tuple[Operand, ...]) -> None:
        """One element of an output."""
        array = write.destination
        self._note_row(array, indices)
        value = self.value(write.value, indices)
        place = self.offset(array, indices)
        self.writes[array.pointer.id] = array.pointer
        if write.accumulate:
            old = self.build.load(array.pointer, place)
            value = self.build.let("logical_or" if array.dtype == "bool" else "add", old, value)
        self.build.store(array.pointer, place, value, array.within)

    def _note_row(self, array: Stored, indices: Sequence[Operand]) -> None:
        """Which arrays are touched in the current row alone, and how wide their rows are."""
        if self.row is None:
            return
        number, width = array.pointer.id, self._row_width(array, indices)
        if width is None or size_key(self.local.setdefault(number, width)) != size_key(width):
            self.elsewhere.add(number)

    def _row_width(self, array: Stored, indices: Sequence[Operand]) -> Operand | None:
        """The distance of rows where an access stays in the current row; None where that is not known."""
        strides = [self.step(stride) for stride in array.strides]
        first = next((axis for axis, stride in enumerate(strides) if not is_constant(stride, 0)), None)
        if first is None or indices[first] is not self.row:
            return None
        rest = [(size, stride) for size, stride in zip(array.sizes[first + 1:], strides[first + 1:])
                if not is_constant(stride, 0) and not is_constant(size, 1)]  # fmt: skip
        inside = not rest or array.contiguous or (
            len(rest) == 1 and is_constant(rest[0][1], 1) and self.context.same(rest[0][0], strides[first]))
        return strides[first] if inside else None

    def scope(self) -> Scope:
        """Inside, what is computed is forgotten at the end: the body of a loop."""
        return Scope(self)


class Scope:
    """A loop body, in which values are known that are not known after it."""

    __slots__ = ("nest",)

    def __init__(self, nest: Nest) -> None:
        self.nest = nest

    def __enter__(self) -> None:
        self.nest.known.append({})

    def __exit__(self, *_: object) -> None:
        self.nest.known.pop()


class KernelWriter:
    """Writes the loops of one nest as a kernel.

    groups: consecutive axes that are one loop (their arrays are contiguous), in the order of the loops
    reduced: how many of the last groups are reduced; their accumulators are carried in registers
    partial: all axes are reduced, but here the first group is kept, and the destinations have one result for each step
    """

    def __init__(self, nest: Nest, writes: list[Write], reductions: list[tuple[Reduction, Stored | None]],
                 groups: list[tuple[int, ...]], reduced: int, independent: bool = True,
                 partial: bool = False) -> None:  # fmt: skip
        self.nest, self.writes, self.reductions = nest, writes, reductions
        self.partial = partial
        self.groups, self.kept = groups, len(groups) - reduced
        self.independent = independent
        self.accumulators: list[Accumulator] = [accumulator_of(r) for r, _ in reductions]
        self.ways = self.accumulators
        """What the innermost loops do of that."""
        self.indices: list[Operand] = [ZERO] * len(nest.sizes)

    def write(self) -> list[Operand]:
        """Write the kernel; the values of reductions to scalars."""
        nest, build = self.nest, self.nest.build
        counts = [nest.context.product(tuple([nest.sizes[axis] for axis in group])) for group in self.groups]
        if self.kept == 0 and len(self.groups) == 1 and self.reductions and _is_long(counts[0]):
            return self._in_chunks(counts[0])
        grain = self._grain(counts)
        with build.kernel() as kernel:
            scalars = self._kept_loops(0, counts, grain)
            self._name_pointers(kernel)
            kernel.yields(*scalars)
        if nest.row is not None:
            loop = kernel.statement.body[-1]
            if isinstance(loop, For) and loop.parallel and len(kernel.statement.body) == 1:
                note_rows(nest, kernel.statement, counts[0], loop, None)
        return list(kernel.results)

    def _name_pointers(self, kernel: KernelRegion) -> None:
        nest = self.nest
        kernel.statement.reads = tuple([var for key, var in nest.reads.items() if key not in nest.writes])
        kernel.statement.writes = tuple(nest.writes.values())

    def _in_chunks(self, count: Operand) -> list[Operand]:
        """A reduction to scalars over one long axis: blocks, on several threads, leave their results in memory, and are
        then combined in order; the result does not depend on the number of threads."""
        build, nest = self.nest.build, self.nest
        axis = self.groups[0][-1]
        blocks = build.let("floor_divide", build.index_add(count, BLOCK - 1), build.index_add(BLOCK, 0))
        self._look_for_places_afterwards()
        initial = [value for way in self.ways for value in way.initial]
        types = [value.type for value in initial]
        partial = room_for_blocks(nest.context, blocks, types)
        grain = max(nest.grain // BLOCK, 1) if self.independent else None
        with build.kernel() as kernel:
            with build.loop(blocks, parallel=self.independent, grain=grain) as loop, nest.scope():
                base = build.index_multiply(loop.index, BLOCK)
                here = build.let("minimum", build.let("subtract", count, base), build.index_add(BLOCK, 0))
                for pointer, value in zip(partial, self._block(axis, here, base, initial, types).results):
                    nest.writes[pointer.id] = pointer
                    build.store(pointer, loop.index, value)
            self._name_pointers(kernel)
        self.indices[axis] = ZERO
        initial = [value for accumulator in self.accumulators for value in accumulator.initial]
        with build.loop(blocks, initial, types=[value.type for value in initial]) as loop:
            pointers = iter(partial)
            found: list[Operand] = []
            for accumulator, way in zip(self.accumulators, self.ways):
                found += [build.load(next(pointers), loop.index) for _ in way.initial]
                found += [loop.index] * (accumulator.width - way.width)
            loop.yields(*self._combine(list(loop.carried), found))
        return self._results(self._places(axis, count, list(loop.results)))

    def _look_for_places_afterwards(self) -> None:
        """Blocks reduce to the best value alone where that is in memory, and stays there: its place is looked for in
        the block that has it."""
        if not self.writes:
            self.ways = [accumulator.value_alone() if isinstance(accumulator, PositionAccumulator)
                         and in_memory(reduction.source) else accumulator
                         for accumulator, (reduction, _) in zip(self.accumulators, self.reductions)]  # fmt: skip

    def _places(self, axis: int, count: Operand, totals: list[Operand]) -> list[Operand]:
        """The results of all blocks, with the place of each best value instead of the number of its block."""
        build, at = self.nest.build, 0
        for accumulator, way, (reduction, _) in zip(self.accumulators, self.ways, self.reductions):
            if way.width != accumulator.width:
                best, block = totals[at], totals[at + 1]
                base = build.index_multiply(block, BLOCK)
                here = build.let("minimum", build.let("subtract", count, base), build.index_add(BLOCK, 0))
                with build.kernel() as kernel:
                    with build.loop(here, [NOWHERE], vector=True, reduction=True) as loop, self.nest.scope():
                        self.indices[axis] = build.index_add(base, loop.index)
                        value = self.nest.value(reduction.source, tuple(self.indices))
                        loop.yields(PositionAccumulator.first_place(
                            build, loop.carried[0], value, best, self.indices[axis]))  # fmt: skip
                    self._name_pointers(kernel)
                    kernel.yields(*loop.results)
                totals[at + 1] = kernel.results[0]
                self.indices[axis] = ZERO
            at += accumulator.width
        return totals

    def _results(self, totals: list[Operand]) -> list[Operand]:
        """Results that are arrays are stored; those that are scalars are given."""
        scalars: list[Operand] = []
        for accumulator, (reduction, destination) in zip(self.accumulators, self.reductions):
            mine, totals = totals[: accumulator.width], totals[accumulator.width :]
            result = accumulator.result(mine)
            if destination is None:
                scalars.append(result)
            else:
                kept = tuple([i for axis, i in enumerate(self.indices) if axis not in reduction.axes])
                if self.partial:
                    kept = (self.indices[self.groups[0][-1]],)
                self.nest.store(Write(result, destination), kept)
        return scalars

    def _grain(self, counts: list[Operand]) -> Operand | None:
        """Outer iterations worth a thread, when the outermost loop may be split."""
        if not self.independent or self.kept == 0:
            return None
        build = self.nest.build
        inner: Operand = ONE
        for count in counts[1:]:
            inner = build.index_multiply(inner, count)
        if self.nest.work is not None:
            inner = build.index_multiply(inner, self.nest.work)
        if is_constant(inner, 1):
            return build.index_add(self.nest.grain, 0)
        at_least_one = build.let("maximum", inner, ONE)
        return build.let("add", build.let("floor_divide", build.index_add(self.nest.grain, 0), at_least_one), ONE)

    def _kept_loops(self, level: int, counts: list[Operand], grain: Operand | None) -> list[Operand]:
        if level == self.kept:
            return self._reduce(counts)
        innermost = level == len(self.groups) - 1
        parallel = level == 0 and grain is not None
        innermost |= level == self.kept - 1 and bool(self.nest.packed)
        with self.nest.build.loop(counts[level], vector=innermost and self.independent, parallel=parallel,
                                  grain=grain if parallel else None) as loop, self.nest.scope():  # fmt: skip
            self.indices[self.groups[level][-1]] = loop.index
            if parallel and len(self.groups[0]) == 1:
                self.nest.row = loop.index
            self._kept_loops(level + 1, counts, None)
        self.indices[self.groups[level][-1]] = ZERO
        return []

    def _reduce(self, counts: list[Operand]) -> list[Operand]:
        """The reduced loops, and what is done with their results. Without reductions: the stores."""
        if not self.reductions:
            self._stores()
            return []
        initial = [value for accumulator in self.accumulators for value in accumulator.initial]
        totals = self._reduced_loops(self.kept, counts, initial)
        return self._results(totals)

    def _reduced_loops(self, level: int, counts: list[Operand], carried: list[Operand]) -> list[Operand]:
        if level == len(self.groups):
            self._stores()
            return self._accumulate(carried)
        axis = self.groups[level][-1]
        innermost = level == len(self.groups) - 1
        if innermost and self._needs_blocks(counts[level]):
            return self._blocks(axis, counts[level], carried)
        types = [value.type for value in carried]
        with self.nest.build.loop(counts[level], carried, types=types, vector=innermost, reduction=innermost) as loop, \
                self.nest.scope():  # fmt: skip
            self.indices[axis] = loop.index
            loop.yields(*self._reduced_loops(level + 1, counts, list(loop.carried)))
        self.indices[axis] = ZERO
        return list(loop.results)

    def _needs_blocks(self, count: Operand) -> bool:
        return _is_long(count) and any(accumulator.rounds for accumulator in self.accumulators)

    def _blocks(self, axis: int, count: Operand, carried: list[Operand]) -> list[Operand]:
        """The innermost loop in blocks, each with accumulators of its own."""
        build = self.nest.build
        types = [value.type for value in carried]
        blocks = build.let("floor_divide", build.index_add(count, BLOCK - 1), build.index_add(BLOCK, 0))
        with build.loop(blocks, carried, types=types) as outer, self.nest.scope():
            base = build.index_multiply(outer.index, BLOCK)
            here = build.let("minimum", build.let("subtract", count, base), build.index_add(BLOCK, 0))
            initial = [value for accumulator in self.accumulators for value in accumulator.initial]
            inner = self._block(axis, here, base, initial, types)
            outer.yields(*self._combine(list(outer.carried), list(inner.results)))
        self.indices[axis] = ZERO
        return list(outer.results)

    def _block(self, axis: int, count: Operand, base: Operand, initial: list[Operand], types: list[str]) -> LoopRegion:
        build = self.nest.build
        with build.loop(count, initial, types=types, vector=True, reduction=True) as loop, self.nest.scope():
            self.indices[axis] = build.index_add(base, loop.index)
            self._stores()
            loop.yields(*self._accumulate(list(loop.carried)))
        return loop

    def _combine(self, left: list[Operand], right: list[Operand]) -> list[Operand]:
        result: list[Operand] = []
        for accumulator in self.accumulators:
            width = accumulator.width
            result += accumulator.combine(self.nest.build, left[:width], right[:width])
            left, right = left[width:], right[width:]
        return result

    def _accumulate(self, carried: list[Operand]) -> list[Operand]:
        """One step of every reduction."""
        result: list[Operand] = []
        for accumulator, (reduction, _) in zip(self.ways, self.reductions):
            mine, carried = carried[: accumulator.width], carried[accumulator.width :]
            value = self.nest.value(reduction.source, tuple(self.indices))
            position = self.indices[reduction.axes[-1]] if accumulator.width == 2 else ZERO
            result += accumulator.step(self.nest.build, mine, value, position)
        return result

    def _stores(self) -> None:
        for write in self.writes:
            self.nest.store(write, tuple(self.indices))


def room_for_blocks(context: Context, blocks: Operand, types: list[str]) -> list[Var]:
    """Memory for a value of each type per block; a few blocks need no allocation."""
    build = context.build
    with build.branch(build.let("less_equal", blocks, build.index_add(FEW_BLOCKS, 0))) as branch:
        few = [build.scratch(type, FEW_BLOCKS) for type in types]
        branch.yields(*[x for pointer in few for x in (build.let("null", dtype=BUFFER), pointer)])
        branch.otherwise()
        with context.region():
            many = [context.allocate(type, (blocks,)) for type in types]
        branch.yields(*[x for array in many for x in (array.buffer, array.pointer)])
    return list(branch.results[1::2])


def in_memory(value: AnyValue) -> bool:
    """Whether a value has its elements in memory already."""
    return isinstance(value.forced if isinstance(value, Lazy) else value, Stored)


def _is_long(count: Operand) -> bool:
    """Whether an axis may have more elements than a block."""
    return isinstance(count, Var) or count.value > BLOCK


def note_rows(nest: Nest, kernel: Kernel, count: Operand, loop: For, block: Operand | None) -> None:
    """Note that a kernel goes through rows."""
    assert nest.row is not None
    count = nest.context.canonical(count)
    kernel.rows = Rows(count, loop, nest.row, block, nest.local, nest.elsewhere)
