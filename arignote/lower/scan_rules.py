"""Lowering of scans along an axis (running sums, recurrences), of sorting, and of `nonzero`."""

from __future__ import annotations

from collections.abc import Callable

from arignote.ir.graph import Apply
from arignote.lower import fusion
from arignote.lower.arrays import shape_message, sizes_of
from arignote.lower.context import Context
from arignote.lower.frame import Frame, rule
from arignote.lower.loop_ir import INT64, Const, Operand
from arignote.lower.nests import Nest
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
    """A stable merge sort from the bottom up, each lane in two scratch rows of positions."""
    context, build = frame.context, frame.context.build
    axis = node["axis"]
    source = frame.stored(node.inputs[0])
    sizes = source.sizes
    length = sizes[axis]
    result = context.allocate(INT64 if node.op.name == "argsort" else source.dtype, sizes)
    rows = [context.allocate(INT64, (length,)) for _ in range(2)]
    keys = context.allocate(source.dtype, (length,))
    nest = Nest(context, sizes)
    indices: Indices = [ZERO] * len(sizes)
    lanes = [a for a in range(len(sizes)) if a != axis]

    def lane() -> None:
        with build.loop(length, vector=True) as fill:
            indices[axis] = fill.index
            build.store(keys.pointer, fill.index, build.load(source.pointer, nest.offset(source, indices)))
            build.store(rows[0].pointer, fill.index, fill.index)
        _merge_passes(context, keys, rows[0], rows[1], length)
        with build.loop(length) as out:
            indices[axis] = out.index
            order = build.load(rows[0].pointer, out.index)
            value = order if node.op.name == "argsort" else build.load(keys.pointer, order)
            build.store(result.pointer, nest.offset(result, indices), value)
        indices[axis] = ZERO

    writes = [result.pointer, keys.pointer, *[row.pointer for row in rows]]
    with build.kernel([source.pointer], writes):
        over(nest, sizes, lanes, indices, lane)
    return result


def _merge_passes(context: Context, keys: Stored, front: Stored, back: Stored, length: Operand) -> None:
    """Runs of width 1, 2, 4 ... are merged into the other row and copied back, until one run is left."""
    build = context.build
    with build.while_loop([ONE]) as loop:
        width = loop.carried[0]
        loop.test(build.let("less", width, length))
        double = build.let("add", width, width)
        pairs = build.let("floor_divide", build.let("add", length, build.let("subtract", double, ONE)), double)
        with build.loop(pairs) as pair:
            low = build.let("multiply", pair.index, double)
            middle = build.let("minimum", build.let("add", low, width), length)
            high = build.let("minimum", build.let("add", low, double), length)
            _merge(context, keys, front, back, low, middle, high)
        with build.loop(length, vector=True) as copy:
            build.store(front.pointer, copy.index, build.load(back.pointer, copy.index))
        loop.yields(double)


def _merge(context: Context, keys: Stored, front: Stored, back: Stored, low: Operand, middle: Operand,
           high: Operand) -> None:  # fmt: skip
    """Merge front[low:middle] and front[middle:high] into back[low:high]; at a tie the left one comes first."""
    build = context.build
    with build.loop(build.let("subtract", high, low), [low, middle]) as loop:
        left, right = loop.carried
        left_done = build.let("greater_equal", left, middle)
        right_done = build.let("greater_equal", right, high)
        # A run that is used up is read at its last place, and the value is not looked at.
        last_left = build.let("minimum", left, build.let("subtract", middle, ONE))
        last_right = build.let("minimum", right, build.let("subtract", high, ONE))
        a, b = build.load(front.pointer, last_left), build.load(front.pointer, last_right)
        smaller = _before(context, build.load(keys.pointer, b), build.load(keys.pointer, a))
        takes_right = build.let("logical_and", build.let("logical_not", right_done),
                                build.let("logical_or", left_done, smaller))  # fmt: skip
        build.store(back.pointer, build.let("add", low, loop.index), build.let("select", takes_right, b, a))
        step = build.cast(takes_right, INT64)
        loop.yields(build.let("add", left, build.let("subtract", ONE, step)), build.let("add", right, step))


def _before(context: Context, left: Operand, right: Operand) -> Operand:
    """NumPy's order: NaN last."""
    build = context.build
    less = build.let("less", left, right)
    if not left.type.startswith("float"):
        return less
    nan_last = build.let("logical_and", build.let("isnan", right), build.let("logical_not", build.let("isnan", left)))
    return build.let("logical_or", less, nan_last)
