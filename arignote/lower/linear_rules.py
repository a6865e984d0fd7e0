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
from arignote.lower.added_products import Product
from arignote.lower.arrays import broadcast, broadcast_sizes, shape_message
from arignote.lower.context import INTEGER, Context
from arignote.lower.frame import Frame, rule
from arignote.lower.loop_ir import Const, Operand, Var
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, is_constant

STACK = {"float64": "ag_stack_product_f64", "float32": "ag_stack_product_f32"}
GEMM = {"float64": "ag_product_f64", "float32": "ag_product_f32"}
SUM = {"float64": "ag_product_sum_f64", "float32": "ag_product_sum_f32"}


@rule("matmul")
def _matmul(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    a, b = (frame.stored(x) for x in node.inputs)
    inner = _check_inner(context, a.sizes[-1], b.sizes[-2])
    if node in frame.added:
        return Product(a, b, inner)
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
    """Rows of the result accumulate in memory: the innermost loop runs along rows of b and c."""
    build = context.build
    m, n = c.sizes[-2:]

    def at(pointer: Var, array: Stored, row: Operand, column: Operand) -> Operand:
        return build.index_add(
            build.index_multiply(row, array.strides[-2]), build.index_multiply(column, array.strides[-1])
        )

    with build.kernel(pointers[:2], pointers[2:]), build.loop(m) as row:
        with build.loop(n, vector=True) as fill:
            build.store(pointers[2], at(pointers[2], c, row.index, fill.index), Const(0, c.dtype))
        with build.loop(inner) as middle:
            factor = build.load(pointers[0], at(pointers[0], a, row.index, middle.index))
            with build.loop(n, vector=True) as column:
                place = at(pointers[2], c, row.index, column.index)
                term = build.let(
                    "multiply", factor, build.load(pointers[1], at(pointers[1], b, middle.index, column.index))
                )
                build.store(pointers[2], place, build.let("add", build.load(pointers[2], place), term))
