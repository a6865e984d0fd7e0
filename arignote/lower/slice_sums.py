"""Sums over shifted regions of one array: what the derivative of a stencil adds to the cotangent of its array.

    total[1:-1] = 0.0                  several updates of nearly all of an array, one after the other,
    total[2:] += a                     are one pass: where all regions overlap each element is computed at once,
    total[:-2] += a                    in a register; each element of the few rows and columns around asks
    total[1:-1] += b                   which regions have it. The order of the additions stays as it is written.

An update whose result only the next one reads is kept as `SliceSum`, which no other rule ever sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING

from arignote.ir.graph import Apply, Node
from arignote.ir.records import dataclass
from arignote.lower import fusion
from arignote.lower.borders import is_nearly, number
from arignote.lower.lazy import EXPENSIVE, Lazy, Reduction, costs
from arignote.lower.loop_ir import Const, Operand
from arignote.lower.loop_ir_build import KernelRegion
from arignote.lower.nests import GRAIN, Nest
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, Value, is_constant, size_key

if TYPE_CHECKING:
    from arignote.lower.context import Context
    from arignote.lower.frame import Frame

MOST_PARTS = 16
"""So many regions at most are added in one pass: the code is written twice for each."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A value for a region: added to what is there, or in its place."""

    node: Apply
    value: AnyValue
    starts: tuple[Operand, ...]
    sizes: tuple[Operand, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SliceSum(Value):
    """An array after updates of regions that are still to be made."""

    base: Stored | Lazy
    parts: tuple[Part, ...]

    @property
    def sizes(self) -> tuple[Operand, ...]:
        return self.base.sizes

    def can_take(self, part: Part) -> bool:
        """Whether another region may be added in the same pass."""
        return part.node["accumulate"] and len(self.parts) < MOST_PARTS


def continued(order: Iterable[Node]) -> set[Node]:
    """The `update_slice` nodes that nothing reads but the next one, which adds."""
    updates = [node for node in order if isinstance(node, Apply) and node.op.name == "update_slice"]
    if len(updates) < 2:
        return set()
    candidates = {node.inputs[0] for node in updates if node["accumulate"]} & set(updates)
    left = dict.fromkeys(candidates, 1)
    for node in order:
        for child in node.inputs if isinstance(node, Apply) and candidates else ():
            if child in left:
                left[child] -= 1
    return {node for node, rest in left.items() if rest == 0}


def suits(frame: Frame, part: Part, base: Stored | Lazy) -> bool:
    """Whether a region is nearly all of the array, and less than all along its last axis."""
    node, axes = part.node, part.node["axes"]
    if base.dtype == "bool" or len(base.sizes) - 1 not in axes:
        return False
    for position, axis in enumerate(axes):
        start, count, step = node.inputs[2 + 3 * position : 5 + 3 * position]
        first = number(start)
        if number(step) != 1 or first is None or first < 0 or not is_nearly(frame, count, base.sizes[axis]):
            return False
    return True


def written(context: Context, total: SliceSum) -> Stored:
    """The array in memory of its own."""
    base = _ready(context, total.base)
    values = [_ready(context, part.value) for part in total.parts]
    fresh = context.allocate(total.base.dtype, total.sizes)
    _Writer(context, base, total.parts, values, fresh).write()
    return fresh


def _ready(context: Context, value: AnyValue) -> AnyValue:
    """The value, as something of which an element can be computed anywhere."""
    if not isinstance(value, Lazy) or value.forced is not None:
        return value
    if value.uses > 1 and costs(value, EXPENSIVE):
        return fusion.stored(context, value)
    plan = fusion.Plan(context, value.sizes, None)
    plan.prepare([value])
    plan.scan([value])
    if plan.conditions() or any(isinstance(each, Reduction) for each in plan.inside):
        return fusion.stored(context, value)
    return value


class _Writer:
    """Writes the loops. `low` and `high` are the bounds, along each axis, of where all regions overlap; None along axes
    of which all regions are all."""

    def __init__(self, context: Context, base: AnyValue, parts: tuple[Part, ...], values: list[AnyValue],
                 fresh: Stored) -> None:  # fmt: skip
        self.context, self.build, self.nest = context, context.build, Nest(context)
        self.base, self.parts, self.values, self.fresh = base, parts, values, fresh
        self.last = len(fresh.sizes) - 1
        self.bounds = [self._overlap(axis) for axis in range(len(fresh.sizes))]

    def _overlap(self, axis: int) -> tuple[Operand, Operand] | None:
        build, size = self.build, self.fresh.sizes[axis]
        first: dict[tuple[str, int], tuple[Operand, int]] = {}
        for part in self.parts:
            count, start = self.context.canonical(part.sizes[axis]), _value(part.starts[axis])
            known = first.get(size_key(count))
            first[size_key(count)] = count, start if known is None else min(known[1], start)
        starts = [_value(part.starts[axis]) for part in self.parts]
        if not any(starts) and all(self.context.same(count, size) for count, _ in first.values()):
            return None
        low: Operand = build.let("minimum", build.index_add(max(starts), 0), size) if any(starts) else ZERO
        ends = [build.index_add(count, start) for count, start in first.values()]
        end = reduce(lambda a, b: build.let("minimum", a, b), ends, size)
        return low, build.let("maximum", low, end)

    def write(self) -> None:
        build = self.build
        if self.last == 0:
            self._one_axis()
            return
        inner = self.context.product(self.fresh.sizes[1:])
        worth = build.let("floor_divide", build.index_add(GRAIN, 0), build.let("maximum", inner, ONE))
        grain = build.index_add(worth, ONE)
        with build.kernel() as kernel:
            self._rows((), None, grain)
            self._name_pointers(kernel)

    def _one_axis(self) -> None:
        """An array of one axis: the inside on several threads, then both ends."""
        low, high = self._last_bounds()
        count = self.build.let("subtract", high, low)
        with self.build.kernel() as kernel:
            self._inside((), low, count, parallel=True)
            self._name_pointers(kernel)
        self.nest = Nest(self.context)
        with self.build.kernel() as kernel:
            self._ends((), low, high)
            self._name_pointers(kernel)

    def _name_pointers(self, kernel: KernelRegion) -> None:
        self.nest.writes[self.fresh.pointer.id] = self.fresh.pointer
        kernel.statement.reads = tuple([var for key, var in self.nest.reads.items() if key not in self.nest.writes])
        kernel.statement.writes = tuple(self.nest.writes.values())

    def _last_bounds(self) -> tuple[Operand, Operand]:
        bounds = self.bounds[self.last]
        assert bounds is not None  # `suits`
        return bounds

    def _rows(self, indices: tuple[Operand, ...], inside: Operand | None, grain: Operand) -> None:
        """The loops over all axes but the last. `inside`: whether all regions have what the loops so far go through."""
        axis, build = len(indices), self.build
        if axis == self.last:
            self._row(indices, inside)
            return
        parallel = axis == 0
        with build.loop(self.fresh.sizes[axis], parallel=parallel, grain=grain if parallel else None) as loop, \
                self.nest.scope():  # fmt: skip
            here, bounds = inside, self.bounds[axis]
            if bounds is not None:
                here = self._both(inside, self._between(loop.index, *bounds))
            self._rows((*indices, loop.index), here, grain)

    def _between(self, index: Operand, low: Operand, high: Operand) -> Operand:
        below = self.build.let("less", index, high)
        if is_constant(low, 0):
            return below
        return self.build.let("logical_and", self.build.let("less_equal", low, index), below)

    def _both(self, left: Operand | None, right: Operand) -> Operand:
        return right if left is None else self.build.let("logical_and", left, right)

    def _row(self, indices: tuple[Operand, ...], inside: Operand | None) -> None:
        """One row. Where some region does not have it, all of it is an end."""
        low, high = self._last_bounds()
        if inside is not None:
            size = self.fresh.sizes[self.last]
            low, high = [self.build.let("select", inside, bound, size) for bound in (low, high)]
        self._inside(indices, low, self.build.let("subtract", high, low), parallel=False)
        self._ends(indices, low, high)

    def _inside(self, indices: tuple[Operand, ...], low: Operand, count: Operand, parallel: bool) -> None:
        """Elements that all regions have."""
        build, nest = self.build, self.nest
        grain = build.index_add(GRAIN, 0) if parallel else None
        with build.loop(count, vector=True, parallel=parallel, grain=grain) as loop, nest.scope():
            at = (*indices, build.index_add(low, loop.index))
            total: Operand | None = None if not self.parts[0].node["accumulate"] else nest.value(self.base, at)
            for part, value in zip(self.parts, self.values, strict=True):
                here = nest.value(value, self._within(part, at))
                total = here if total is None else build.let("add", total, here)
            assert total is not None
            build.store(self.fresh.pointer, nest.offset(self.fresh, at), total)

    def _within(self, part: Part, at: tuple[Operand, ...]) -> tuple[Operand, ...]:
        """A position of the array, counted from the start of a region."""
        return tuple([self.build.index_add(i, -_value(start)) for i, start in zip(at, part.starts, strict=True)])

    def _ends(self, indices: tuple[Operand, ...], low: Operand, high: Operand) -> None:
        """What lies before and behind the inside: few elements mostly, so each asks which regions have it."""
        build, size = self.build, self.fresh.sizes[self.last]
        rows = [self._has_row(part, indices) for part in self.parts]
        with build.loop(2) as side, self.nest.scope():
            is_first = build.let("equal", side.index, ZERO)
            begin = build.let("select", is_first, ZERO, high)
            end = build.let("select", is_first, low, size)
            with build.loop(build.let("subtract", end, begin)) as loop, self.nest.scope():
                at = (*indices, build.index_add(begin, loop.index))
                place = self.nest.offset(self.fresh, at)
                total = self.nest.value(self.base, at)
                for part, value, has_row in zip(self.parts, self.values, rows, strict=True):
                    total = self._with_part(part, value, at, has_row, total)
                build.store(self.fresh.pointer, place, total)

    def _has_row(self, part: Part, indices: tuple[Operand, ...]) -> Operand | None:
        """Whether a region has something of a row; None: of every row."""
        found: Operand | None = None
        for axis, index in enumerate(indices):
            if self.bounds[axis] is not None:
                low = part.starts[axis]
                found = self._both(found, self._between(index, low, self.build.index_add(low, part.sizes[axis])))
        return found

    def _with_part(self, part: Part, value: AnyValue, at: tuple[Operand, ...], has_row: Operand | None,
                   total: Operand) -> Operand:  # fmt: skip
        """The sum so far with what one region has of an element."""
        build, start = self.build, part.starts[self.last]
        has = self._between(at[-1], start, build.index_add(start, part.sizes[self.last]))
        with build.branch(self._both(has_row, has)) as branch:
            with self.nest.scope():
                here = self.nest.value(value, self._within(part, at))
                branch.yields(build.let("add", total, here) if part.node["accumulate"] else here)
            branch.otherwise()
            branch.yields(total)
        return branch.results[0]


def _value(start: Operand) -> int:
    assert isinstance(start, Const)  # `suits`
    return int(start.value)
