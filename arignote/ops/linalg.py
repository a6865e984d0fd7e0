"""Linear algebra."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.ir.graph import Apply, Node, Operation, TypeRuleError
from arignote.ir.sizes import Size, sizes
from arignote.ir.types import Array, Type, show_dim
from arignote.ops import batching_shape as batched
from arignote.ops.batching import Stacked
from arignote.ops.derivative import Rules
from arignote.ops.elementwise import broadcast_dims
from arignote.ops.shape import array_type, contradict, show_shape

if TYPE_CHECKING:
    from arignote.ops.emit import Emit


def _matmul_rule(inputs: tuple[Node, ...]) -> Type:
    a, b = map(array_type, inputs)
    if a.dtype != b.dtype or a.dtype == "bool":
        raise TypeRuleError(f"expected numbers of one dtype, got {a!r} and {b!r}")
    if a.rank != b.rank or a.rank < 2:
        raise TypeRuleError(f"expected equal ranks of at least 2, got {a!r} and {b!r}")
    inner, given = a.dims[-1], b.dims[-2]
    if contradict(inner, given):
        raise TypeRuleError(
            "matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature (n?,k),(k,m?)->"
            f"(n?,m?) (size {show_dim(given)} is different from {show_dim(inner)})", shape=True)  # fmt: skip
    try:
        batch = broadcast_dims(tuple(map(stack_of, inputs)))
    except TypeRuleError:
        shapes = " ".join(show_shape(x.dims) for x in (a, b))
        message = f"operands could not be broadcast together with remapped shapes [original->remapped]: {shapes}"
        raise TypeRuleError(message, shape=True) from None
    return Array(a.dtype, [*batch, a.dims[-2], b.dims[-1]])


class _Stack:
    """A stack of matrices, seen without its matrices."""

    __slots__ = ("type",)

    def __init__(self, type_: Array) -> None:
        self.type = Array(type_.dtype, type_.dims[:-2])


def stack_of(x: Node) -> Node:
    """What the rule of broadcasting looks at: the leading dimensions of a stack of matrices."""
    return _Stack(array_type(x))  # type: ignore[return-value]


def _matmul_fails(node: Apply) -> bool:
    a, b = map(sizes, node.inputs)
    if a[-1] != b[-2]:
        return True
    stacks: list[set[Size]] = [{x, y} - {1} for x, y in zip(a[:-2], b[:-2])]
    return any(len(here) > 1 for here in stacks)


def transposed(emit: Emit, x: Node) -> Node:
    """Each matrix of a stack transposed."""
    rank = array_type(x).rank
    return emit.op("transpose", x, permutation=(*range(rank - 2), rank - 1, rank - 2))


def _sum_over_stack(emit: Emit, like: Node, a: Node, b: Node) -> Node:
    """The cotangent of the factor `like` of a stack of products: the products of the transposed matrices of `a` with
    those of `b`. Where `like` is one matrix for the whole stack, all that is summed is one product of long matrices."""
    stack = array_type(like).rank - 2
    if all(dim == 1 for dim in array_type(like).dims[:stack]):
        columns, rows = (_rows_of_all(emit, x) for x in (a, b))
        return emit.op("expand_dims", emit.op("matmul", transposed(emit, columns), rows), axes=tuple(range(stack)))
    return emit.sum_to(_product(emit, transposed(emit, a), b), like)


def _rows_of_all(emit: Emit, x: Node) -> Node:
    """The rows of a stack of matrices as one matrix."""
    *rows, columns = emit.sizes(x)
    *known_rows, known_columns = array_type(x).dims
    known = functools.reduce(lambda n, m: batched.product_dim((n, m)), known_rows), known_columns
    return emit.op("reshape", x, functools.reduce(lambda n, m: emit.op("multiply", n, m), rows), columns, dims=known)


def _product(emit: Emit, a: Node, b: Node) -> Node:
    """The matrix product. That of columns with rows is a formula, and can go straight into what it is added to."""
    is_outer = array_type(a).dims[-1] == array_type(b).dims[-2] == 1
    return emit.op("multiply" if is_outer else "matmul", a, b)


def _matmul_vjp(emit: Emit, node: Apply, cotangent: Node) -> list[Node | None]:
    a, b = node.inputs
    if array_type(a).rank == 2:
        return [_product(emit, cotangent, transposed(emit, b)), _product(emit, transposed(emit, a), cotangent)]
    return [_sum_over_stack(emit, a, transposed(emit, cotangent), transposed(emit, b)),
            _sum_over_stack(emit, b, a, cotangent)]  # fmt: skip


def _matmul_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    a, b = node.inputs
    of_a, of_b = tangents
    terms = []
    if of_a is not None:
        terms.append(emit.op("matmul", of_a, b))
    if of_b is not None:
        terms.append(emit.op("matmul", a, of_b))
    if not terms:
        return None
    return terms[0] if len(terms) == 1 else emit.op("add", *terms)


def _matmul(a: Any, b: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.matmul(a, b)


matmul = Operation("matmul", _matmul_rule, _matmul, Rules(_matmul_jvp, _matmul_vjp), can_fail=_matmul_fails,
                   batching=Stacked(batched.matmul))  # fmt: skip
"""matmul(a, b): matrix products over stacks of one rank, whose leading dimensions broadcast."""

FAMILY = (matmul,)
