"""Lowering of indexing: reading parts, replacing parts, gathers and scatters.

An update consumes its operand: the reference is taken over, and when it is the only one (asked at run time) the
memory is written in place; otherwise it is copied first.
"""

from __future__ import annotations

from typing import Any

from arignote.ir.graph import Apply, Node
from arignote.ir.records import dataclass, field
from arignote.ir.types import dims_of
from arignote.lower import fusion, scatter_rows, scatter_sums
from arignote.lower.added_products import Product
from arignote.lower.arrays import broadcast, broadcast_sizes, check_fit, shape_message, sizes_of, view
from arignote.lower.borders import is_read, leaves_border, updated_apart
from arignote.lower.context import INTEGER, Context
from arignote.lower.frame import Frame, rule
from arignote.lower.lazy import (
    DEEPEST,
    EXPENSIVE,
    AxisMap,
    Elementwise,
    Gather,
    Iota,
    Lazy,
    Mapped,
    Reduction,
    Splat,
    direct,
    element_cost,
    from_end,
    picked_position,
)
from arignote.lower.linear_rules import add_product, own_memory
from arignote.lower.loop_ir import BOOL, Const, Operand
from arignote.lower.nests import GRAIN, Nest
from arignote.lower.ranges import Range, is_below, never_negative, range_of
from arignote.lower.reductions import accumulator
from arignote.lower.scatter_runs import extent, extent_in_order, from_the_start, is_short
from arignote.lower.slice_sums import Part, SliceSum, suits, written
from arignote.lower.values import ONE, ZERO, AnyValue, Stored
from arignote.ops.index import in_range

MOST_COLUMN_PARTS = 4
FEWEST_COLUMNS = 32

# index, update_index -------------------------------------------------------------------------------------------------


def _positions(frame: Frame, node: Apply, indices: tuple[Node, ...], sizes: tuple[Operand, ...]) -> list[Operand]:
    """Checked positions for the indexed axes."""
    context = frame.context
    found: list[Operand] = []
    for axis, given in zip(node["axes"], indices):
        index, size = frame.scalar(given), sizes[axis]
        bounds = range_of(context, index)
        if node.can_fail:
            check_index(context, index, size, axis, bounds)
        found.append(index if never_negative(bounds) else from_end(Nest(context), index, size))
    return found


def check_index(context: Context, index: Operand, size: Operand, axis: int, bounds: Range) -> None:
    """Out of bounds where not -size <= index < size: as one unsigned comparison would say it."""
    build = context.build
    if context.is_in_range(index, size) or never_negative(bounds) and is_below(context, bounds, size):
        return
    if isinstance(index, Const) and isinstance(size, Const):
        outside: Operand = Const(not -size.value <= index.value < size.value, BOOL)
    elif isinstance(index, Const) and index.value >= 0:
        outside = build.let("less_equal", size, index)
    elif isinstance(index, Const):
        outside = build.let("less", size, Const(-index.value, "int64"))
    elif never_negative(bounds):
        outside = build.let("greater_equal", index, size)
    else:
        below = build.let("less", index, build.let("negative", size))
        outside = build.let("logical_or", below, build.let("greater_equal", index, size))
    message = ("index ", INTEGER, f" is out of bounds for axis {axis} with size ", INTEGER)
    context.raise_if(outside, IndexError, message, index, size)
    context.now_in_range(index, size)


def _part(context: Context, array: AnyValue, axes: tuple[int, ...], positions: list[Operand]) -> AnyValue:
    """The view at fixed positions of some axes."""
    sizes = sizes_of(array)
    fixed = dict(zip(axes, positions))
    kept = [axis for axis in range(len(sizes)) if axis not in fixed]
    maps: list[AxisMap] = [
        (None, fixed[a], ZERO) if a in fixed else direct(kept.index(a)) for a in range(len(sizes))
    ]  # fmt: skip
    return view(context, array, tuple([sizes[axis] for axis in kept]), tuple(maps))


@rule("index")
def _index(frame: Frame, node: Apply) -> AnyValue:
    context, value = frame.context, frame.value(node.inputs[0])
    positions = _positions(frame, node, node.inputs[1:], sizes_of(value))
    if dims_of(node.type):
        if frame.is_costly(value):
            value = fusion.stored(context, value)
        return _part(context, value, node["axes"], positions)
    at = tuple([positions[node["axes"].index(axis)] for axis in range(len(sizes_of(value)))])
    if isinstance(value, Lazy) and (value.cost > 4 or value.cost > 0 and value.uses > 1):
        value = fusion.stored(context, value)
    return element_now(context, value, at)


def element_now(context: Context, value: AnyValue, at: tuple[Operand, ...]) -> Operand:
    """One element, by straight-line code; what it depends on is put in memory first."""
    plan = fusion.Plan(context, sizes_of(value), None)
    plan.prepare([value])
    return Nest(context).value(value, at)


@rule("update_index")
def _update_index(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    array = fusion.stored(context, frame.taken(node.inputs[0]))
    positions = _positions(frame, node, node.inputs[2:], array.sizes)
    value = frame.value(node.inputs[1])
    if dims_of(node.inputs[1].type):
        wanted = tuple([size for axis, size in enumerate(array.sizes) if axis not in node["axes"]])
        value = _fitted(frame, value, wanted)
        value = apart(context, value, array)
        target = writable(context, array)
        place = _part(context, target, node["axes"], positions)
        fusion.store(context, value, place, node["accumulate"])  # type: ignore[arg-type]
        return target
    element = frame.scalar(node.inputs[1])
    target = writable(context, array)
    nest = Nest(context)
    offset = nest.offset(target, tuple([positions[node["axes"].index(axis)] for axis in range(len(array.sizes))]))
    if node["accumulate"]:
        old = context.build.load(target.pointer, offset)
        element = context.build.let("logical_or" if array.dtype == "bool" else "add", old, element)
    context.build.store(target.pointer, offset, element)
    return target


def _fitted(frame: Frame, value: AnyValue, wanted: tuple[Operand, ...]) -> AnyValue:
    """The value, checked to have the shape of the place that it is written to."""
    check_fit(frame.context, sizes_of(value), wanted)
    return value


def apart(context: Context, value: AnyValue, array: Stored) -> AnyValue:
    """The value, put in memory first where it reads the array that is about to be written."""
    if isinstance(value, Stored):
        return fusion.copy(context, value) if value.buffer is array.buffer else value
    if isinstance(value, Lazy):
        plan = fusion.Plan(context, value.sizes, None)
        plan.prepare([value])
        plan.scan([value])
        if any(leaf.buffer is array.buffer for leaf in plan.leaves):
            return fusion.stored(context, value)
    return value


def writable(context: Context, array: Stored) -> Stored:
    """The array's contents in memory that nobody else sees: its own where it is the only reference, else a copy."""
    return context.own(array) if array.contiguous else fusion.copy(context, array)


# slice, update_slice -------------------------------------------------------------------------------------------------


def _bounds(frame: Frame, node: Apply, operands: tuple[Node, ...], dims: tuple[int, ...] | None,
            sizes: tuple[Operand, ...]) -> tuple[tuple[Operand, ...], tuple[AxisMap, ...]]:  # fmt: skip
    """Sizes and axis map of a region given by start, count and step."""
    context = frame.context
    result, maps = list(sizes), [direct(axis) for axis in range(len(sizes))]
    for position, axis in enumerate(node["axes"]):
        start, count, step = [frame.scalar(x) for x in operands[3 * position : 3 * position + 3]]
        if dims is not None and dims[axis] >= 0:
            count = Const(dims[axis], "int64")
        elif not context.is_count(count):
            count = context.build.let("maximum", count, ZERO)
            context.now_count(count)
        result[axis] = count
        maps[axis] = (axis, start, step)
    return tuple(result), tuple(maps)


@rule("slice")
def _slice(frame: Frame, node: Apply) -> AnyValue:
    value = frame.value(node.inputs[0])
    sizes, maps = _bounds(frame, node, node.inputs[1:], node["dims"], sizes_of(value))
    return view(frame.context, value, sizes, maps)


@rule("update_slice")
def _update_slice(frame: Frame, node: Apply) -> AnyValue:
    if node.inputs[1] in frame.added:
        return _with_product(frame, node)
    before = frame.value(node.inputs[0])
    assert isinstance(before, Stored | Lazy | SliceSum)
    sizes, maps = _bounds(frame, node, node.inputs[2:], None, before.sizes)
    value = _fitted(frame, frame.value(node.inputs[1]), sizes)
    part = Part(node, value, tuple([start for _, start, _ in maps]), sizes)
    base = before.base if isinstance(before, SliceSum) else before
    if suits(frame, part, base):
        if isinstance(before, SliceSum) and before.can_take(part):
            total = SliceSum(base, (*before.parts, part))
            return total if node in frame.continued else written(frame.context, total)
        if node in frame.continued:
            return SliceSum(_made(frame, before), (part,))
    return _updated(frame, _made(frame, frame.taken(node.inputs[0])), part)


def _with_product(frame: Frame, node: Apply) -> Stored:
    """A matrix to which a product is added."""
    context, product = frame.context, frame.values[node.inputs[1]]
    assert isinstance(product, Product)
    array = fusion.stored(context, _made(frame, frame.taken(node.inputs[0])))  # type: ignore[arg-type]
    check_fit(context, product.sizes, array.sizes)
    if array.buffer is product.a.buffer or array.buffer is product.b.buffer:
        value = own_memory(context, product)
        target = writable(context, array)
        fusion.store(context, value, target, accumulate=True)
        return target
    target = writable(context, array)
    add_product(context, product, target)
    return target


def _made(frame: Frame, array: Stored | Lazy | SliceSum) -> Stored | Lazy:
    """An array whose updates have been made."""
    if not isinstance(array, SliceSum):
        return array
    return _updated(frame, array.base, array.parts[0]) if len(array.parts) == 1 else written(frame.context, array)


def _updated(frame: Frame, before: Stored | Lazy, part: Part) -> Stored:
    """One region written, or added to."""
    context, node, value = frame.context, part.node, part.value
    array = fusion.stored(context, before)
    steps = dict(zip(node["axes"], node.inputs[4::3]))
    maps = tuple([(axis, start, frame.scalar(steps[axis])) if axis in steps else direct(axis)
                  for axis, start in enumerate(part.starts)])  # fmt: skip
    if leaves_border(frame, node, array) and is_read(context, value, array):
        return updated_apart(context, array, value, part.sizes, maps)
    value = apart(context, value, array)
    target = writable(context, array)
    place = view(context, target, part.sizes, maps)
    fusion.store(context, value, place, node["accumulate"])  # type: ignore[arg-type]
    return target


# gather, scatter -----------------------------------------------------------------------------------------------------


def _picks(frame: Frame, node: Apply, indices: tuple[Node, ...], array: Stored | Lazy,
           ordered: bool = False) -> tuple[tuple[AnyValue, ...], tuple[Operand, ...]]:  # fmt: skip
    """Index arrays of one shape, checked to be in range, and that shape. `ordered`: whether their order matters."""
    context = frame.context
    dims = [dims_of(x.type) for x in indices]
    values = [frame.value(x) for x in indices]
    shape = broadcast_sizes(context, [sizes_of(v) for v in values], max(dims, key=len), _index_failure)
    picks: list[AnyValue] = []
    for position, (node_, value) in enumerate(zip(indices, values)):
        axis = node["axis"] + position
        if not in_range(node_, _size_key(node, axis)):
            value = fusion.stored(context, value)
            _check_indices(context, value, array.sizes[axis], axis, ordered)
            value = from_the_start(context, value, array.sizes[axis]) if value.contiguous else value
        elif frame.is_costly(value):
            value = fusion.stored(context, value)
        picks.append(broadcast(context, value, shape))
    return tuple(picks), shape


def _size_key(node: Apply, axis: int) -> Any:
    from arignote.ir.sizes import sizes

    return sizes(node.inputs[0])[axis]


def _index_failure(context: Context, condition: Operand, shapes: list[tuple[Operand, ...]]) -> None:
    message: list[Any] = ["shape mismatch: indexing arrays could not be broadcast together with shapes "]
    args: list[Operand] = []
    for shape in shapes:
        pieces, sizes = shape_message(shape)
        message += [*pieces, " "]
        args += sizes
    context.raise_if(condition, IndexError, tuple(message), *args)


def _check_indices(context: Context, picks: Stored, size: Operand, axis: int, ordered: bool) -> None:
    """One pass over an index array; only where it fails, another one for the first index that is out of range."""
    build = context.build
    look = _extent_of_any if not picks.contiguous else extent_in_order if ordered else extent
    low, high = look(context, picks)
    # An empty index array leaves the identities: the least is then above the most.
    some = build.let("less_equal", low, high)
    outside = build.let("logical_or", build.let("less", low, build.let("negative", size)),
                        build.let("greater_equal", high, size))  # fmt: skip
    bad = build.let("logical_and", some, outside)
    with build.branch(bad) as branch:
        first = _first_outside(context, picks, size)
        branch.yields(first)
        branch.otherwise()
        branch.yields(ZERO)
    message = ("index ", INTEGER, f" is out of bounds for axis {axis} with size ", INTEGER)
    context.raise_if(bad, IndexError, message, branch.results[0], size)


def _extent_of_any(context: Context, picks: Stored) -> tuple[Operand, Operand]:
    """The least and the greatest index of an array in any layout."""
    build = context.build
    nest = Nest(context, picks.sizes)
    least, most = accumulator("min", "int64"), accumulator("max", "int64")
    with build.kernel() as kernel:
        ends = _every_element(nest, picks, [*least.initial, *most.initial], lambda carried, value: [
            build.let("minimum", carried[0], value), build.let("maximum", carried[1], value)])  # fmt: skip
        kernel.statement.reads = (picks.pointer,)
        kernel.yields(*ends)
    return kernel.results[0], kernel.results[1]


def _first_outside(context: Context, picks: Stored, size: Operand) -> Operand:
    build = context.build
    nest = Nest(context, picks.sizes)

    def step(carried: list[Operand], value: Operand) -> list[Operand]:
        outside = build.let("logical_or", build.let("less", value, build.let("negative", size)),
                            build.let("greater_equal", value, size))  # fmt: skip
        first = build.let("logical_and", outside, build.let("logical_not", carried[0]))
        return [build.let("logical_or", carried[0], outside), build.let("select", first, value, carried[1])]

    return _every_element(nest, picks, [Const(False, BOOL), ZERO], step)[1]


def _every_element(nest: Nest, array: Stored, initial: list[Operand], step: Any) -> list[Operand]:
    """Loops over all elements of an array in C order, carrying values."""
    build = nest.build
    indices: list[Operand] = []
    types = [value.type for value in initial]

    def loops(level: int, carried: list[Operand]) -> list[Operand]:
        if level == len(array.sizes):
            return step(carried, build.load(array.pointer, nest.offset(array, indices)))
        last = level == len(array.sizes) - 1
        with build.loop(array.sizes[level], carried, types=types, vector=last, reduction=last) as loop:
            indices.append(loop.index)
            loop.yields(*loops(level + 1, list(loop.carried)))
            indices.pop()
        return list(loop.results)

    return loops(0, initial)


@rule("gather")
def _gather(frame: Frame, node: Apply) -> AnyValue:
    source, axis = frame.value(node.inputs[0]), node["axis"]
    array = source if isinstance(source, Lazy) and _is_cheap_anywhere(source) else frame.stored(node.inputs[0])
    picks, shape = _picks(frame, node, node.inputs[1:], array)
    sizes = (*array.sizes[:axis], *shape, *array.sizes[axis + len(picks) :])
    return Gather(array, picks, axis, sizes)


def _is_cheap_anywhere(value: Lazy) -> bool:
    """Whether single elements of a value may be computed where they are picked: little work once what is repeated,
    and every reduction, is in memory."""
    work, left = 0, [value]
    if value.needed or value.depth >= DEEPEST // 2:
        return False
    while left and work < EXPENSIVE:
        here = left.pop()
        if here.forced is not None:
            continue
        if isinstance(here, Gather | Iota | Reduction):
            return False
        if isinstance(here, Mapped) and here.repeats and here.source.cost >= EXPENSIVE:
            continue
        work += element_cost(here.op) if isinstance(here, Elementwise) else 0
        left += [child for child in here.children() if isinstance(child, Lazy)]
    return work < EXPENSIVE


@rule("scatter")
def _scatter(frame: Frame, node: Apply) -> AnyValue:
    context, axis = frame.context, node["axis"]
    before = frame.value(node.inputs[0])
    assert isinstance(before, Stored | Lazy)
    is_sum = node["accumulate"] and len(before.sizes) == len(dims_of(node.inputs[2].type)) == 1
    picks, shape = _picks(frame, node, node.inputs[2:], before, ordered=is_sum)
    wanted = (*before.sizes[:axis], *shape, *before.sizes[axis + len(picks) :])
    value = _fitted(frame, frame.value(node.inputs[1]), wanted)
    if node["accumulate"] and isinstance(before, Splat) and scatter_rows.suits(context, before, picks, axis):
        return _rows_added(context, before, value, picks, wanted)
    if is_sum and isinstance(before, Splat) and not is_short(before.sizes[0]):
        target = context.allocate(before.dtype, before.sizes)
        return scatter_sums.added(frame, node, target, value, picks[0], before.scalar)
    array = fusion.stored(context, frame.taken(node.inputs[0]))
    value = apart(context, value, array)
    picks = tuple([fusion.stored(context, pick) if frame.is_costly(pick) else pick for pick in picks])
    picks = tuple([apart(context, pick, array) for pick in picks])
    target = writable(context, array)
    if is_sum:
        return scatter_sums.added(frame, node, target, value, picks[0], None, array)
    fusion.Plan(context, wanted, None).prepare([value, *picks])
    width = len(wanted) - (len(target.sizes) - len(picks))
    free = axis + width < len(wanted)
    _Scatter(Nest(context, wanted), target, value, picks, axis, node["accumulate"], free).write()
    return target


def _rows_added(context: Context, before: Splat, value: AnyValue, picks: tuple[AnyValue, ...],
                sizes: tuple[Operand, ...]) -> Stored:  # fmt: skip
    """Rows added to what is one number everywhere: row by row if there are more of them than rows to add to."""
    build = context.build
    fusion.Plan(context, sizes, None).prepare([value])
    target = context.allocate(before.dtype, before.sizes)
    count = context.product(picks[0].sizes)  # type: ignore[union-attr]
    with build.branch(build.let("less_equal", before.sizes[0], count)) as branch:
        with context.region():
            scatter_rows.add_rows(context, target, before.scalar, value, picks[0])  # type: ignore[arg-type]
        branch.yields()
        branch.otherwise()
        with context.region():
            scatter_rows.add_in_ranges(context, target, before.scalar, value, picks[0])  # type: ignore[arg-type]
        branch.yields()
    return target


@dataclass(slots=True)
class _Scatter:
    """The loops of a scatter. Where the innermost axis is not picked, its columns are cut in parts, for several
    threads: each goes through all places in order, and no two write the same element."""

    nest: Nest
    target: Stored
    value: AnyValue
    picks: tuple[AnyValue, ...]
    axis: int
    accumulate: bool
    free: bool
    indices: list[Operand] = field(default_factory=list)

    def write(self) -> None:
        build, columns = self.nest.build, self.nest.sizes[-1]
        cut = self._cut(columns) if self.free and len(self.nest.sizes) > 1 else None
        with build.kernel() as kernel:
            if cut is None:
                self._loops(0, columns, ZERO)
            else:
                parts, room, grain = cut
                with build.loop(parts, parallel=True, grain=grain) as part, self.nest.scope():
                    first = build.let("multiply", part.index, room)
                    self._loops(0, build.let("minimum", build.let("subtract", columns, first), room), first)
            kernel.statement.reads = tuple(self.nest.reads.values())
            kernel.statement.writes = (self.target.pointer,)

    def _cut(self, columns: Operand) -> tuple[Operand, Operand, Operand]:
        """How many parts there are, the columns of one, and how many parts are worth a thread."""
        build, context = self.nest.build, self.nest.context
        share = build.let("floor_divide", build.index_add(columns, MOST_COLUMN_PARTS - 1), MOST_COLUMN_PARTS)
        room = build.let("maximum", share, Const(FEWEST_COLUMNS, "int64"))
        above = build.let("add", columns, build.let("subtract", room, ONE))
        work = build.let("multiply", context.product(self.nest.sizes[:-1]), room)
        grain = build.let("floor_divide", Const(GRAIN, "int64"), build.let("maximum", work, ONE))
        return build.let("floor_divide", above, room), room, build.let("maximum", grain, ONE)

    def _loops(self, level: int, columns: Operand, first: Operand) -> None:
        nest, build = self.nest, self.nest.build
        if level == len(nest.sizes):
            self._element()
            return
        last = level == len(nest.sizes) - 1
        with build.loop(columns if last else nest.sizes[level], vector=last and self.free) as loop, nest.scope():
            self.indices.append(build.index_add(first, loop.index) if last else loop.index)
            self._loops(level + 1, columns, first)
            self.indices.pop()

    def _element(self) -> None:
        nest, build, target, indices = self.nest, self.nest.build, self.target, tuple(self.indices)
        element = nest.value(self.value, indices)
        place = nest.offset(target, picked_position(nest, target, self.picks, self.axis, indices))
        if self.accumulate:
            old = build.load(target.pointer, place)
            element = build.let("logical_or" if target.dtype == "bool" else "add", old, element)
        build.store(target.pointer, place, element)
