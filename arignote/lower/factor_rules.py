"""Lowering of factorisations and systems: to the procedures of `backends/llvm/factors.py`, stack by stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arignote.ir.graph import Apply
from arignote.ir.types import dims_of
from arignote.lower import fusion
from arignote.lower.arrays import broadcast_sizes, shape_message
from arignote.lower.context import Context
from arignote.lower.frame import Frame, rule
from arignote.lower.index_rules import writable
from arignote.lower.linear_rules import spread
from arignote.lower.loop_ir import INT64, Const, Operand
from arignote.lower.nests import Nest
from arignote.lower.scan_rules import over
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, is_constant

SUFFIX = {"float32": "f32", "float64": "f64"}


def _side(context: Context, a: Stored) -> Operand:
    """The side of square matrices, which the front end has checked to be square."""
    context.now_equal(a.sizes[-1], a.sizes[-2])
    return context.canonical(a.sizes[-1])


def _stacks(context: Context, batch: Sequence[Operand], arrays: Sequence[Stored],
            write: Callable[[Operand, list[Operand], list[Operand]], None]) -> None:  # fmt: skip
    """Calls `write(count, pointers, strides)` for each row of a stack of matrices, along the last axis of the stack."""
    build = context.build

    def descend(axis: int, at: list[Operand]) -> None:
        if axis >= len(batch) - 1:
            count = batch[-1] if batch else ONE
            strides = [x.strides[axis] if batch else ZERO for x in arrays]
            pointers = [x.pointer if is_constant(o, 0) else build.let("pointer_offset", x.pointer, o)
                        for x, o in zip(arrays, at)]  # fmt: skip
            write(count, pointers, strides)
            return
        with build.loop(batch[axis]) as loop:
            descend(axis + 1, [build.index_add(o, build.index_multiply(loop.index, x.strides[axis]))
                               for o, x in zip(at, arrays)])  # fmt: skip

    descend(0, [ZERO] * len(arrays))


def _call(context: Context, name: str, dtype: str, arguments: list[Operand]) -> None:
    context.build.extern(f"ag_{name}_{SUFFIX[dtype]}", arguments, can_fail=True)


@rule("lu")
def _lu(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    a = frame.stored(node.inputs[0])
    n = _side(context, a)
    batch = a.sizes[:-2]
    result = context.allocate(a.dtype, (*batch, context.build.index_add(n, 1), n))

    def write(count: Operand, pointers: list[Operand], strides: list[Operand]) -> None:
        _call(context, "lu", a.dtype, [count, n, pointers[0], strides[0], *a.strides[-2:], pointers[1]])

    _stacks(context, batch, [a, result], write)
    return result


def _right_side(frame: Frame, node: Apply, matrix: Stored, n: Operand) -> tuple[Stored, Stored]:
    """The right-hand sides in memory that becomes the solution, and the matrices spread over the same stack."""
    context = frame.context
    b = frame.stored(node.inputs[-1])
    rows = b.sizes[-2]
    if not context.same(rows, n):
        text, shown = shape_message((n, n))
        more, others = shape_message(b.sizes[-2:])
        message = ("the sizes of a matrix and of right-hand sides do not match: ", *text, " ", *more)
        context.raise_if(context.build.let("not_equal", rows, n), ValueError, message, *shown, *others)
        context.now_equal(rows, n)

    def fail(context: Context, condition: Operand, shapes: object) -> None:
        first, sizes = shape_message(matrix.sizes)
        second, more = shape_message(b.sizes)
        message = ("operands could not be broadcast together with shapes ", *first, " ", *second)
        context.raise_if(condition, ValueError, message, *sizes, *more)

    stacks = [matrix.sizes[:-2], b.sizes[:-2]]
    batch = broadcast_sizes(context, stacks, dims_of(node.type)[:-2], fail)
    b = spread(context, b, batch)
    return writable(context, b), spread(context, matrix, batch)


@rule("lu_solve")
def _lu_solve(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    given = frame.stored(node.inputs[1])
    given = given if given.contiguous else fusion.copy(context, given)
    x, factors = _right_side(frame, node, given, context.canonical(given.sizes[-1]))
    turned = Const(int(node["transposed"]), INT64)

    def write(count: Operand, pointers: list[Operand], strides: list[Operand]) -> None:
        arguments = [count, *x.sizes[-2:], pointers[0], strides[0], pointers[1], turned]
        _call(context, "lu_solve", x.dtype, arguments)

    _stacks(context, x.sizes[:-2], [factors, x], write)
    return x


@rule("triangular_solve")
def _triangular_solve(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    given = frame.stored(node.inputs[0])
    x, a = _right_side(frame, node, given, _side(context, given))
    flags = [Const(int(node[name]), INT64) for name in ("lower", "transposed", "unit")]

    def write(count: Operand, pointers: list[Operand], strides: list[Operand]) -> None:
        arguments = [count, *x.sizes[-2:], pointers[0], strides[0], *a.strides[-2:], pointers[1], *flags]
        _call(context, "triangular_solve", x.dtype, arguments)

    _stacks(context, x.sizes[:-2], [a, x], write)
    return x


@rule("cholesky")
def _cholesky(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    x = writable(context, frame.stored(node.inputs[0]))
    n = _side(context, x)

    def write(count: Operand, pointers: list[Operand], strides: list[Operand]) -> None:
        _call(context, "cholesky", x.dtype, [count, n, pointers[0]])

    _stacks(context, x.sizes[:-2], [x], write)
    return x


@rule("cholesky_adjoint")
def _cholesky_adjoint(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    given = frame.stored(node.inputs[0])
    given = given if given.contiguous else fusion.copy(context, given)
    n = _side(context, given)
    x, factor = _right_side(frame, node, given, n)

    def write(count: Operand, pointers: list[Operand], strides: list[Operand]) -> None:
        _call(context, "cholesky_adjoint", x.dtype, [count, n, pointers[0], strides[0], pointers[1]])

    _stacks(context, x.sizes[:-2], [factor, x], write)
    return x


@rule("log_abs_det")
def _log_abs_det(frame: Frame, node: Apply) -> AnyValue:
    """The sum of logarithms along the diagonal of U."""
    context, build = frame.context, frame.context.build
    factors = frame.stored(node.inputs[1])
    batch, n = (*factors.sizes[:-2], ONE), factors.sizes[-1]
    result = context.allocate(factors.dtype, batch)
    nest = Nest(context, batch)
    indices: list[Operand] = [ZERO] * len(batch)

    def one() -> None:
        start = nest.offset(factors, [*indices, ZERO])
        with build.loop(n, [Const(0.0, factors.dtype)]) as loop:
            step = build.let("add", factors.strides[-2], factors.strides[-1])
            entry = build.load(factors.pointer, build.let("add", start, build.let("multiply", loop.index, step)))
            loop.yields(build.let("add", loop.carried[0], build.let("log", build.let("absolute", entry))))
        build.store(result.pointer, nest.offset(result, indices), loop.results[0])

    with build.kernel([factors.pointer], [result.pointer]):
        over(nest, batch, list(range(len(batch))), indices, one, vector=True)
    return result
