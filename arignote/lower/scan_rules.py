"""Lowering of scans along an axis (running sums, recurrences), of sorting, and of `nonzero`."""

from __future__ import annotations

from collections.abc import Callable

from arignote.ir.graph import Apply
from arignote.ir.sorting import routine_number
from arignote.lower import fusion
from arignote.lower.arrays import shape_message, sizes_of
from arignote.lower.frame import Frame, rule
from arignote.lower.loop_ir import INT64, OUT_OF_MEMORY_SITE, Const, Operand
from arignote.lower.nests import Nest
from arignote.lower.row_rooms import ITEM_BYTES
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, TupleValue

Indices = list[Operand]


def over(nest: Nest, sizes: tuple[Operand, ...], axes: list[int], indices: Indices, body: Callable[[], None],
         vector: bool = False) -> None:  # fmt: skip
    """Loops over some axes; `indices` has the positions while `body` writes the innermost code."""
    if not axes:
        body()
        return
    axis, rest = axes[0], axes[1:]
    with nest.build.loop(sizes[axis], vector=vector and not rest) as loop, nest.scope():
        indices[axis] = loop.index
        over(nest, sizes, rest, indices, body, vector)
    indices[axis] = ZERO


@rule("cumsum")
def _cumsum(frame: Frame, node: Apply) -> AnyValue:
    value = frame.value(node.inputs[0])
    return _scan(frame, node, None, value)


@rule("recurrence")
def _recurrence(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    factor, value = frame.value(node.inputs[0]), frame.value(node.inputs[1])
    for left, right in zip(sizes_of(factor), sizes_of(value), strict=True):
        if not context.same(left, right):
            first, sizes = shape_message(sizes_of(factor))
            second, more = shape_message(sizes_of(value))
            message = ("operands could not be broadcast together with shapes ", *first, " ", *second)
            context.raise_if(context.build.let("not_equal", left, right), ValueError, message, *sizes, *more)
            context.now_equal(left, right)
    return _scan(frame, node, factor, value)


def _scan(frame: Frame, node: Apply, factor: AnyValue | None, value: AnyValue) -> AnyValue:
    """y_0 = x_0, y_i = (factor_i *) y_(i-1) + x_i along the axis. The axis runs outside of the axes after it, so that
    rows stay whole: the step reads the row before from the result."""
    context, build = frame.context, frame.context.build
    axis, sizes = node["axis"], sizes_of(value)
    values = [value] if factor is None else [factor, value]
    plan = fusion.Plan(context, sizes, None)
    plan.prepare(list(values))
    result = context.allocate(values[-1].dtype, sizes)  # type: ignore[union-attr]
    nest = Nest(context, sizes)
    indices: Indices = [ZERO] * len(sizes)
    last = build.let("subtract", sizes[axis], ONE)
    before, after = list(range(axis)), list(range(axis + 1, len(sizes)))

    def position(index: Operand) -> Operand:
        return build.let("subtract", last, index) if node["reverse"] else index

    def first() -> None:
        build.store(result.pointer, nest.offset(result, indices), nest.value(value, tuple(indices)))

    def step(back: Operand) -> None:
        item = nest.value(value, tuple(indices))
        place = nest.offset(result, indices)
        previous: Operand = build.load(result.pointer, build.let("add", place, back))
        if factor is not None:
            previous = build.let("multiply", nest.value(factor, tuple(indices)), previous)
        build.store(result.pointer, place, build.let("add", previous, item))

    def rows() -> None:
        with build.loop(build.let("minimum", sizes[axis], ONE)) as start, nest.scope():
            indices[axis] = position(start.index)
            over(nest, sizes, after, indices, first, vector=True)
        back = result.strides[axis] if node["reverse"] else build.let("negative", result.strides[axis])
        with build.loop(last) as loop, nest.scope():
            indices[axis] = position(build.index_add(loop.index, 1))
            over(nest, sizes, after, indices, lambda: step(back), vector=True)
        indices[axis] = ZERO

    def running() -> None:
        """The innermost axis: the running value stays in a register."""
        with build.loop(sizes[axis], [Const(0, result.dtype)]) as loop, nest.scope():
            indices[axis] = position(loop.index)
            item = nest.value(value, tuple(indices))
            total: Operand = loop.carried[0]
            if factor is not None:
                total = build.let("multiply", nest.value(factor, tuple(indices)), total)
            # The first value is taken as it is: 0 * inf is not 0, and 0 + -0 is not -0.
            started = build.let("greater", loop.index, ZERO)
            total = build.let("select", started, build.let("add", total, item), item)
            build.store(result.pointer, nest.offset(result, indices), total)
            loop.yields(total)
        indices[axis] = ZERO

    with build.kernel() as kernel:
        over(nest, sizes, before, indices, rows if after else running)
        kernel.statement.reads = tuple(nest.reads.values())
        kernel.statement.writes = (result.pointer,)
    return result


@rule("nonzero")
def _nonzero(frame: Frame, node: Apply) -> AnyValue:
    """Counted first, then written: the results have exactly their size."""
    context, build = frame.context, frame.context.build
    mask = frame.stored(node.inputs[0])
    nest = Nest(context, mask.sizes)
    with build.kernel([mask.pointer]) as kernel:
        total = _fold(nest, mask, lambda carried, _: [build.let("add", carried[0], ONE)])
        kernel.yields(*total)
    count = kernel.results[0]
    context.now_count(count)
    results = [context.allocate(INT64, (count,)) for _ in mask.sizes]

    def note(carried: list[Operand], indices: Indices) -> list[Operand]:
        for result, index in zip(results, indices):
            build.store(result.pointer, carried[0], index)
        return [build.let("add", carried[0], ONE)]

    with build.kernel([mask.pointer], [result.pointer for result in results]):
        _fold(nest, mask, note)
    return TupleValue(tuple(results))


def _fold(nest: Nest, mask: Stored, step: Callable[[list[Operand], Indices], list[Operand]]) -> list[Operand]:
    """Loops over a mask that carry an int64, changed where the mask is true."""
    build = nest.build
    indices: Indices = []

    def loops(level: int, carried: list[Operand]) -> list[Operand]:
        if level == len(mask.sizes):
            with build.branch(build.load(mask.pointer, nest.offset(mask, indices))) as branch:
                branch.yields(*step(carried, list(indices)))
                branch.otherwise()
                branch.yields(*carried)
            return list(branch.results)
        with build.loop(mask.sizes[level], carried) as loop:
            indices.append(loop.index)
            loop.yields(*loops(level + 1, list(loop.carried)))
            indices.pop()
        return list(loop.results)

    return loops(0, [ZERO])


# Sorting -------------------------------------------------------------------------------------------------------------


@rule("sort", "argsort")
def _sort(frame: Frame, node: Apply) -> AnyValue:
    """By NumPy's own routines: a copy in which the lanes lie one after the other, seen in the old order of axes."""
    context, build = frame.context, frame.context.build
    name, axis, source = node.op.name, node["axis"], frame.stored(node.inputs[0])
    order = [*[each for each in range(len(source.sizes)) if each != axis], axis]
    keys = fusion.copy(context, _permuted(source, order))
    lanes, length = context.product(keys.sizes[:-1]), keys.sizes[-1]
    result = keys if name == "sort" else context.allocate(INT64, keys.sizes)
    arrays = [keys.pointer] if name == "sort" else [keys.pointer, result.pointer]
    numbers = [ITEM_BYTES[source.dtype], routine_number(source.dtype, name, node["stable"])]
    arguments = [*arrays, lanes, length, *[Const(number, INT64) for number in numbers]]
    (status,) = build.extern(f"ag_{name}", arguments, [INT64])
    build.raise_if(build.let("not_equal", status, ZERO), OUT_OF_MEMORY_SITE)
    return _permuted(result, [order.index(each) for each in range(len(order))])


def _permuted(array: Stored, order: list[int]) -> Stored:
    """An array with its axes in another order."""
    if order == sorted(order):
        return array
    sizes, strides = (tuple([each[axis] for axis in order]) for each in (array.sizes, array.strides))
    return Stored(array.dtype, array.buffer, array.pointer, sizes, strides)
