"""Lowering of matrix products: floating point by the backend, straight into the result; integers as loops.

`ag_product_f64(m, n, k, a, a_row, a_column, b, b_row, b_column, c, c_row)` (and `_f32`) computes C = A B for matrices
given by their strides in elements, so that a transposed view is not copied. C is overwritten, with zeros where k is
0. `ag_product_sum_f64` adds to C instead. `ag_stack_product_f64` computes a stack of stacks of products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from arignote.ir.graph import Apply
from arignote.ir.types import dims_of, dtype_of
from arignote.lower import fusion
from arignote.lower.added_products import Product
from arignote.lower.arrays import broadcast, broadcast_sizes, shape_message
from arignote.lower.context import INTEGER, Context
from arignote.lower.frame import Frame, rule
from arignote.lower.loop_ir import INT64, Const, Operand, Var
from arignote.lower.loop_ir_build import ProcedureBuilder
from arignote.lower.nests import GRAIN
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, is_constant

STACK = {"float64": "ag_stack_product_f64", "float32": "ag_stack_product_f32"}
GEMM = {"float64": "ag_product_f64", "float32": "ag_product_f32"}
Matrices = tuple[Stored, Stored, Stored]
ROWS_TOGETHER = 4
"""So many rows of the right-hand matrix are added to a row of the result at once, where they are integers."""
SUM = {"float64": "ag_product_sum_f64", "float32": "ag_product_sum_f32"}


@rule("matmul")
def _matmul(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    a, b = (frame.stored(x) for x in node.inputs)
    inner = _check_inner(context, a.sizes[-1], b.sizes[-2])
    if node in frame.added:
        return Product(a, b, inner)
    if b.dtype not in GEMM and not is_constant(b.strides[-2 if is_constant(b.sizes[-1], 1) else -1], 1):
        b = fusion.copy(context, b)  # whose rows are gone along
    batch = broadcast_sizes(context, [a.sizes[:-2], b.sizes[:-2]], dims_of(node.type)[:-2], _batch_failure(a, b))
    result = context.allocate(dtype_of(node.type), (*batch, a.sizes[-2], b.sizes[-1]))
    a, b = (spread(context, x, batch) for x in (a, b))

    axes = [axis for axis, size in enumerate(batch) if not is_constant(size, 1)]
    together = axes[-2:] if a.dtype in GEMM else []

    def stacks(outer: list[int], at: tuple[Operand, Operand, Operand]) -> None:
        if outer:
            build = context.build
            with build.loop(batch[outer[0]]) as loop:
                moved = [build.index_add(o, build.index_multiply(loop.index, x.strides[outer[0]]))
                         for o, x in zip(at, (a, b, result))]  # fmt: skip
                stacks(outer[1:], tuple(moved))  # type: ignore[arg-type]
        elif together:
            _products(context, a, b, result, at, inner, together)
        else:
            _product(context, a, b, result, at, inner)

    stacks(axes[: len(axes) - len(together)], (ZERO, ZERO, ZERO))
    return result


def _check_inner(context: Context, left: Operand, right: Operand) -> Operand:
    """The size that is summed over; both operands must have it."""
    if not context.same(left, right):
        message = ("matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature "
                   "(n?,k),(k,m?)->(n?,m?) (size ", INTEGER, " is different from ", INTEGER, ")")  # fmt: skip
        context.raise_if(context.build.let("not_equal", left, right), ValueError, message, right, left)
        context.now_equal(left, right)
    return context.canonical(left)


def _batch_failure(a: Stored, b: Stored) -> Callable[[Context, Operand, Any], None]:
    def fail(context: Context, condition: Operand, shapes: Any) -> None:
        first, sizes = shape_message(a.sizes)
        second, more = shape_message(b.sizes)
        message = ("operands could not be broadcast together with remapped shapes [original->remapped]: ",
                   *first, " ", *second)  # fmt: skip
        context.raise_if(condition, ValueError, message, *sizes, *more)

    return fail


def spread(context: Context, x: Stored, batch: tuple[Operand, ...]) -> Stored:
    """The stack of matrices broadcast to this stack."""
    if not batch:
        return x
    wide = broadcast(context, x, (*batch, *x.sizes[-2:]))
    assert isinstance(wide, Stored)
    return wide


def _pointers(context: Context, arrays: tuple[Stored, ...], at: tuple[Operand, ...]) -> list[Var]:
    """The addresses at these distances from the first elements."""
    return [x.pointer if is_constant(o, 0) else context.build.let("pointer_offset", x.pointer, o)
            for x, o in zip(arrays, at, strict=True)]  # fmt: skip


def _products(context: Context, a: Stored, b: Stored, c: Stored, at: tuple[Operand, Operand, Operand],
              inner: Operand, axes: list[int]) -> None:  # fmt: skip
    """A stack of products along one axis, or a stack of stacks along two."""
    m, n = c.sizes[-2:]
    missing = 2 - len(axes)
    counts = [*[ONE] * missing, *(c.sizes[axis] for axis in axes)]
    words: list[Operand] = [*counts, m, n, inner]
    for x, pointer in zip((a, b, c), _pointers(context, (a, b, c), at), strict=True):
        words += [pointer, *[ZERO] * missing, *(x.strides[axis] for axis in axes), *x.strides[-2:]]
    context.build.extern(STACK[a.dtype], words[:-1])  # the columns of C are dense


def _product(context: Context, a: Stored, b: Stored, c: Stored, at: tuple[Operand, Operand, Operand],
             inner: Operand) -> None:  # fmt: skip
    """One matrix product, at these distances from the first elements."""
    pointers = _pointers(context, (a, b, c), at)
    if a.dtype in GEMM:
        call_product(context, GEMM[a.dtype], a, b, c, pointers, inner)
    else:
        _loops(context, a, b, c, pointers, inner)


def call_product(context: Context, symbol: str, a: Stored, b: Stored, c: Stored, pointers: Sequence[Var],
                 inner: Operand) -> None:  # fmt: skip
    """A call of a function of the backend on the matrices at these addresses."""
    m, n = c.sizes[-2:]
    context.build.extern(symbol, [m, n, inner, pointers[0], *a.strides[-2:], pointers[1], *b.strides[-2:],
                                  pointers[2], c.strides[-2]])  # fmt: skip


def add_product(context: Context, product: Product, total: Stored) -> None:
    """Adds the product to a matrix whose rows are dense."""
    a, b = product.a, product.b
    call_product(context, SUM[a.dtype], a, b, total, (a.pointer, b.pointer, total.pointer), product.inner)


def own_memory(context: Context, product: Product) -> Stored:
    """The product as a matrix of its own."""
    result = context.allocate(product.a.dtype, product.sizes)
    _product(context, product.a, product.b, result, (ZERO, ZERO, ZERO), product.inner)
    return result


def _loops(context: Context, a: Stored, b: Stored, c: Stored, pointers: list[Var], inner: Operand) -> None:
    """A product of integers, the rows of the result on several threads."""
    m, n = c.sizes[-2:]
    row_work = context.build.let("maximum", context.build.index_multiply(n, inner), ONE)
    grain = context.build.index_add(context.build.let("floor_divide", Const(GRAIN, INT64), row_work), ONE)
    write = _row_of_one if is_constant(n, 1) else _row
    with context.build.kernel(pointers[:2], pointers[2:]):
        with context.build.loop(m, parallel=True, grain=grain) as row:
            write(context.build, (a, b, c), pointers, row.index, inner)


def _place(build: ProcedureBuilder, array: Stored, row: Operand, column: Operand) -> Operand:
    down, across = array.strides[-2:]
    return build.index_add(build.index_multiply(row, down), build.index_multiply(column, across))


def _row_of_one(build: ProcedureBuilder, arrays: Matrices, pointers: list[Var], row: Operand,
                inner: Operand) -> None:  # fmt: skip
    """One element: a sum in registers."""
    a, b, c = arrays
    zero = Const(0, c.dtype)
    with build.loop(inner, [zero], types=[c.dtype], vector=True, reduction=True) as middle:
        left = build.load(pointers[0], _place(build, a, row, middle.index))
        right = build.load(pointers[1], _place(build, b, middle.index, ZERO))
        middle.yields(build.let("add", middle.carried[0], build.let("multiply", left, right)))
    build.store(pointers[2], _place(build, c, row, ZERO), middle.results[0])


def _row(build: ProcedureBuilder, arrays: Matrices, pointers: list[Var], row: Operand, inner: Operand) -> None:
    """The row accumulates in memory, some rows of b at a time: the innermost loops run along rows of b and c."""
    a, b, c = arrays
    n = c.sizes[-1]

    def add_rows(first: Operand, count: int) -> None:
        factors = [build.load(pointers[0], _place(build, a, row, build.index_add(first, k))) for k in range(count)]
        with build.loop(n, vector=True) as column:
            place = _place(build, c, row, column.index)
            total = build.load(pointers[2], place)
            for k, factor in enumerate(factors):
                element = build.load(pointers[1], _place(build, b, build.index_add(first, k), column.index))
                total = build.let("add", total, build.let("multiply", factor, element))
            build.store(pointers[2], place, total)

    with build.loop(n, vector=True) as fill:
        build.store(pointers[2], _place(build, c, row, fill.index), Const(0, c.dtype))
    blocks = build.let("floor_divide", inner, Const(ROWS_TOGETHER, INT64))
    done = build.index_multiply(blocks, ROWS_TOGETHER)
    with build.loop(blocks) as block:
        add_rows(build.index_multiply(block.index, ROWS_TOGETHER), ROWS_TOGETHER)
    with build.loop(build.let("subtract", inner, done)) as rest:
        add_rows(build.index_add(done, rest.index), 1)
