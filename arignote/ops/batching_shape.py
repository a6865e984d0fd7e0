"""Batching of the operations on shapes, and of matrix products."""

from __future__ import annotations

from collections.abc import Sequence

from arignote.ir.graph import Apply, Constant, Node
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import dims_of
from arignote.ops.batching import Batch, Operand, same_for_all


def size(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    """The size of one element."""
    return batch.emit.size(operands[0].node, node["axis"] + 1)


def broadcast_to(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    x, wanted = operands[0], same_for_all(operands[1:], "a shape")
    lined_up = batch.aligned(x, len(wanted)) if x.mapped else x.node
    return batch.emit.op("broadcast_to", lined_up, batch.count, *wanted, dims=(batch.dim, *node["dims"]))


def reshape(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    wanted = same_for_all(operands[1:], "a shape")
    return batch.emit.op("reshape", batch.stacked(operands[0]), batch.count, *wanted, dims=(batch.dim, *node["dims"]))


def transpose(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    permutation = (0, *(axis + 1 for axis in node["permutation"]))
    return batch.emit.op("transpose", operands[0].node, permutation=permutation)


def sum_to(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    """Summed down to the rank of x first, with axes of size 1 for those that `like` does not have."""
    x, like = operands
    emit, missing = batch.emit, x.rank - like.rank
    shape = batch.stacked(like)
    if not missing:
        return emit.op("sum_to", batch.stacked(x), shape)
    axes = tuple(range(1, 1 + missing))
    summed = emit.op("sum", batch.stacked(x), axes=axes)
    return emit.op("sum_to", summed, shape)


def matmul(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    a, b = operands
    emit = batch.emit
    if not b.mapped and b.rank == 2:
        return _rows(batch, a.node, b.node)
    if not a.mapped and a.rank == 2 and dims_of(b.node.type)[-1] == 1:
        return _columns(batch, a.node, b.node)
    stacks = [x.node if x.mapped else emit.op("expand_dims", x.node, axes=(0,)) for x in operands]
    return emit.op("matmul", *stacks)


def _rows(batch: Batch, a: Node, b: Node) -> Node:
    """Matrices, all multiplied from the right by one: one product with all their rows."""
    emit = batch.emit
    elements, rows, inner = emit.sizes(a)
    dims = dims_of(a.type)
    flat = emit.op("reshape", a, product(batch, elements, rows), inner, dims=(product_dim(dims[:2]), dims[2]))
    result = emit.op("matmul", flat, b)
    columns = dims_of(b.type)[1]
    return emit.op("reshape", result, elements, rows, emit.size(b, 1), dims=(dims[0], dims[1], columns))


def _columns(batch: Batch, a: Node, b: Node) -> Node:
    """Columns, all multiplied from the left by one matrix: one product with the columns side by side."""
    emit = batch.emit
    side_by_side = emit.op("squeeze", b, axes=(2,))
    result = emit.op("matmul", side_by_side, emit.op("transpose", a, permutation=(1, 0)))
    return emit.op("expand_dims", result, axes=(2,))


def product(batch: Batch, a: Node, b: Node) -> Node:
    """The product of two sizes, folded where it is known."""
    if isinstance(a, Constant) and isinstance(b, Constant):
        return batch.emit.integer(int(a.value) * int(b.value))
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Constant) and one.value == 1:
            return other
    return batch.emit.op("multiply", a, b)


def product_dim(dims: Sequence[int]) -> int:
    """What is known of a product of two sizes."""
    if min(dims) >= 0:
        return dims[0] * dims[1]
    if 1 in dims:
        return dims[1] if dims[0] == 1 else dims[0]
    return MANY if max(dims) > 1 or MANY in dims else ANY  # a product is 1 only if both are
