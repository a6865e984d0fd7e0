"""Factorisations of matrices, and linear systems. All take stacks of matrices of one rank, whose leading dimensions
broadcast; none of them fails: the front end looks at what comes out (a zero on the diagonal, a negative root)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.ir.graph import Apply, Node, Operation, TypeRuleError
from arignote.ir.structure import ANY
from arignote.ir.types import Array, Type, dims_of
from arignote.ops.batching import Batch, Operand, Stacked
from arignote.ops.derivative import Rules, Zero
from arignote.ops.elementwise import broadcast_dims
from arignote.ops.linalg import stack_of, transposed
from arignote.ops.shape import array_type, contradict

if TYPE_CHECKING:
    from arignote.ops.emit import Emit

Cotangents = list[Node | None]


def stacked(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    """One more axis in front; what is the same for all elements is broadcast along it."""
    emit = batch.emit
    nodes = [x.node if x.mapped else emit.op("expand_dims", x.node, axes=(0,)) for x in operands]
    return emit.apply(node.op, *nodes, **dict(node.attributes))


def stacked_with_factor(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    """The same, where the second operand is the factorisation of the first: they have the same stack."""
    mapped = operands[0].mapped or operands[1].mapped
    both = [Operand(batch.stacked(x), True) if mapped else x for x in operands[:2]]
    return stacked(batch, node, [*both, *operands[2:]])


def _matrices(*operands: Node) -> list[Array]:
    """The types of the operands: stacks of matrices, of one floating-point type and one rank."""
    types = [array_type(x) for x in operands]
    first = types[0]
    if not first.dtype.startswith("float") or first.rank < 2:
        raise TypeRuleError(f"expected matrices of floating-point numbers, got {first!r}")
    if any(type.dtype != first.dtype or type.rank != first.rank for type in types):
        raise TypeRuleError(f"expected one dtype and one rank, got {', '.join(map(repr, types))}")
    return types


def _square(type: Array) -> int:
    """What is known of the side of square matrices."""
    rows, columns = type.dims[-2:]
    if contradict(rows, columns):
        raise TypeRuleError("Last 2 dimensions of the array must be square", shape=True)
    return columns if rows == ANY else rows


def _lu_rule(inputs: tuple[Node, ...]) -> Type:
    (type,) = _matrices(*inputs)
    side = _square(type)
    return Array(type.dtype, [*type.dims[:-2], side + 1 if side >= 0 else ANY, side])


def _system_rule(a: Array, b: Array, operands: tuple[Node, Node]) -> Type:
    """The type of a solution: a square matrix and right-hand sides, whose stacks broadcast."""
    if contradict(_square(a), b.dims[-2]):
        raise TypeRuleError("the matrix and the right-hand sides have different numbers of rows", shape=True)
    stack = broadcast_dims(tuple(map(stack_of, operands)))  # type: ignore[arg-type]
    return Array(a.dtype, [*stack, *b.dims[-2:]])


def _lu_solve_rule(inputs: tuple[Node, ...], transposed: bool) -> Type:
    a, _, b = _matrices(*inputs)
    return _system_rule(a, b, (inputs[0], inputs[2]))


def _log_det_rule(inputs: tuple[Node, ...]) -> Type:
    a, _ = _matrices(*inputs)
    _square(a)
    return Array(a.dtype, [*a.dims[:-2], 1])


def _same_rule(inputs: tuple[Node, ...]) -> Type:
    types = _matrices(*inputs)
    for type in types:
        _square(type)
    if len(types) == 1:
        return types[0]
    return Array(types[0].dtype, broadcast_dims(inputs))


def _triangular_rule(inputs: tuple[Node, ...], lower: bool, transposed: bool, unit: bool) -> Type:
    a, b = _matrices(*inputs)
    return _system_rule(a, b, (inputs[0], inputs[1]))


# Meaning -------------------------------------------------------------------------------------------------------------


def _lu(a: Any) -> Any:
    """Gaussian elimination with partial pivoting; see `lu`."""
    n = a.shape[-1]
    result = np.empty((*a.shape[:-2], n + 1, n), a.dtype)
    with np.errstate(all="ignore"):
        for place in np.ndindex(*a.shape[:-2]):
            factor = a[place].copy()
            for k in range(n):
                pivot = k + int(np.argmax(np.nan_to_num(np.abs(factor[k:, k]), nan=-1.0)))
                factor[[k, pivot]] = factor[[pivot, k]]
                result[place][n, k] = pivot
                if factor[k, k] != 0:
                    factor[k + 1 :, k] /= factor[k, k]
                factor[k + 1 :, k + 1 :] -= np.outer(factor[k + 1 :, k], factor[k, k + 1 :])
            result[place][:n] = factor.T
    return result


def _lu_solve(a: Any, lu: Any, b: Any, transposed: bool) -> Any:
    matrix = np.swapaxes(a, -1, -2) if transposed else a
    return _filled_solve(matrix, b)


def _filled_solve(matrix: Any, b: Any) -> Any:
    """The solution, infinite where the matrix is singular."""
    try:
        return np.linalg.solve(matrix, b)
    except np.linalg.LinAlgError:
        return np.full(np.broadcast_shapes(matrix.shape[:-2], b.shape[:-2]) + b.shape[-2:], np.inf, b.dtype)


def _log_det(a: Any, lu: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.linalg.slogdet(a)[1][..., None]


def _cholesky(a: Any) -> Any:
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return np.full_like(a, -1.0)


def _half(x: Any) -> Any:
    """The lower triangle, with half the diagonal."""
    return np.tril(x) - 0.5 * x * np.eye(x.shape[-1], dtype=x.dtype)


def _cholesky_adjoint(factor: Any, cotangent: Any) -> Any:
    turn = lambda x: np.swapaxes(x, -1, -2)  # noqa: E731
    factor = np.tril(factor)
    inner = _half(turn(factor) @ np.tril(cotangent))
    left = _filled_solve(turn(factor), inner)
    both = turn(_filled_solve(turn(factor), turn(left)))
    return _half(both + turn(both))


def _triangular(a: Any, b: Any, lower: bool, transposed: bool, unit: bool) -> Any:
    matrix = np.tril(a) if lower else np.triu(a)
    if unit:
        matrix = matrix + (1 - matrix) * np.eye(a.shape[-1], dtype=a.dtype)
    return _filled_solve(np.swapaxes(matrix, -1, -2) if transposed else matrix, b)


# Derivatives ---------------------------------------------------------------------------------------------------------


def _difference(emit: Emit, a: Node | None, b: Node | None) -> Node | None:
    """a - b, where either may be zero."""
    if b is None:
        return a
    return emit.op("negative", b) if a is None else emit.op("subtract", a, b)


def _places(emit: Emit, x: Node) -> tuple[Node, Node]:
    """The row and the column of each place of the matrices of a stack."""
    rank = array_type(x).rank
    rows, columns = [emit.op("iota", emit.size(x, axis), dtype="int64", dim=dims_of(x.type)[axis])
                     for axis in (rank - 2, rank - 1)]  # fmt: skip
    return emit.op("expand_dims", rows, axes=(1,)), emit.op("expand_dims", columns, axes=(0,))


def triangle(emit: Emit, x: Node, relation: str) -> Node:
    """Zero but where the row and the column stand in this relation."""
    return emit.op("select", emit.op(relation, *_places(emit, x)), x, emit.constant(0, x.type))


def halved(emit: Emit, x: Node) -> Node:
    """The lower triangle, with half the diagonal."""
    row, column = _places(emit, x)
    half = emit.op("multiply", x, emit.constant(0.5, x.type))
    lower = triangle(emit, x, "greater")
    return emit.op("select", emit.op("equal", row, column), half, lower)


def _lu_solve_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    a, lu, _ = node.inputs
    of_a, _, of_b = tangents
    if of_a is not None:
        of_a = emit.op("matmul", transposed(emit, of_a) if node["transposed"] else of_a, node)
    side = _difference(emit, of_b, of_a)
    return None if side is None else emit.apply(node.op, a, lu, side, transposed=node["transposed"])


def _outer(emit: Emit, left: Node, right: Node) -> Node:
    return emit.op("negative", emit.op("matmul", left, transposed(emit, right)))


def _lu_solve_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    a, lu, b = node.inputs
    of_b = emit.apply(node.op, a, lu, cotangent, transposed=not node["transposed"])
    of_a = _outer(emit, node, of_b) if node["transposed"] else _outer(emit, of_b, node)
    return [emit.sum_to(of_a, a), None, emit.sum_to(of_b, b)]


def _identity(emit: Emit, like: Node) -> Node:
    one, zero = emit.constant(1, like.type), emit.constant(0, like.type)
    return emit.op("select", emit.op("equal", *_places(emit, like)), one, zero)


def _log_det_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    a, lu = node.inputs
    if tangents[0] is None:
        return None
    rank = array_type(a).rank
    product = emit.op("lu_solve", a, lu, tangents[0], transposed=False)
    total = emit.op("sum", triangle(emit, product, "equal"), axes=(rank - 2, rank - 1))
    return emit.op("expand_dims", total, axes=(rank - 2,))


def _log_det_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    a, lu = node.inputs
    rank = array_type(a).rank
    scale = emit.op("expand_dims", cotangent, axes=(rank - 1,))
    side = emit.broadcast_like(emit.op("multiply", _identity(emit, a), scale), a)
    return [emit.op("lu_solve", a, lu, side, transposed=True), None]


def _solve_lower(emit: Emit, factor: Node, x: Node, turned: bool) -> Node:
    """L^-1 x, or L^-T x."""
    return emit.op("triangular_solve", factor, x, lower=True, transposed=turned, unit=False)


def _between(emit: Emit, factor: Node, x: Node, turned: bool) -> Node:
    """L^-1 x L^-T, or L^-T x L^-1."""
    left = _solve_lower(emit, factor, x, turned)
    return transposed(emit, _solve_lower(emit, factor, transposed(emit, left), turned))


def _symmetric(emit: Emit, x: Node) -> Node:
    return emit.op("add", x, transposed(emit, x))


def _cholesky_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    (of_a,) = tangents
    if of_a is None:
        return None
    inner = _between(emit, node, _symmetric(emit, halved(emit, of_a)), False)
    return emit.op("matmul", node, halved(emit, inner))


def _cholesky_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    return [emit.op("cholesky_adjoint", node, cotangent)]


def _adjoint_parts(emit: Emit, node: Apply) -> tuple[Node, Node, Node]:
    """The factor, the triangle of the cotangent, and G = L^-T Phi(L^T cotangent) L^-1, of which the result is
    Phi(G + G^T)."""
    factor, cotangent = node.inputs
    cotangent = triangle(emit, cotangent, "greater_equal")
    inner = halved(emit, emit.op("matmul", transposed(emit, factor), cotangent))
    return factor, cotangent, _between(emit, factor, inner, True)


def _adjoint_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    of_factor, of_cotangent = tangents
    factor, cotangent, middle = _adjoint_parts(emit, node)
    inner, change = None, None
    if of_cotangent is not None:
        lower = triangle(emit, of_cotangent, "greater_equal")
        inner = emit.op("matmul", transposed(emit, factor), lower)
    if of_factor is not None:
        lower = triangle(emit, of_factor, "greater_equal")
        more = emit.op("matmul", transposed(emit, lower), cotangent)
        inner = more if inner is None else emit.op("add", inner, more)
        left = _solve_lower(emit, factor, emit.op("matmul", transposed(emit, lower), _symmetric(emit, middle)), True)
        change = left
    if inner is None:
        return None
    total = _symmetric(emit, _between(emit, factor, halved(emit, inner), True))
    if change is not None:
        total = emit.op("subtract", total, _symmetric(emit, change))
    return halved(emit, total)


def _adjoint_vjp(emit: Emit, node: Apply, given: Node) -> Cotangents:
    factor, cotangent, middle = _adjoint_parts(emit, node)
    weight = _symmetric(emit, halved(emit, given))
    inner = halved(emit, _between(emit, factor, weight, False))
    of_cotangent = triangle(emit, emit.op("matmul", factor, inner), "greater_equal")
    first = emit.op("matmul", cotangent, transposed(emit, inner))
    product = emit.op("matmul", _symmetric(emit, middle), weight)
    second = transposed(emit, _solve_lower(emit, factor, transposed(emit, product), False))
    of_factor = triangle(emit, emit.op("subtract", first, second), "greater_equal")
    return [emit.sum_to(of_factor, node.inputs[0]), emit.sum_to(of_cotangent, node.inputs[1])]


def _own_triangle(emit: Emit, node: Apply, x: Node) -> Node:
    """The entries that the operation reads."""
    relation = "greater" if node["lower"] else "less"
    return triangle(emit, x, relation if node["unit"] else f"{relation}_equal")


def _triangular_jvp(emit: Emit, node: Apply, tangents: Sequence[Node | None]) -> Node | None:
    of_a, of_b = tangents
    if of_a is not None:
        read = _own_triangle(emit, node, of_a)
        of_a = emit.op("matmul", transposed(emit, read) if node["transposed"] else read, node)
    side = _difference(emit, of_b, of_a)
    return None if side is None else emit.apply(node.op, node.inputs[0], side, **dict(node.attributes))


def _triangular_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    a, b = node.inputs
    turned = not node["transposed"]
    of_b = emit.op("triangular_solve", a, cotangent, lower=node["lower"], transposed=turned, unit=node["unit"])
    of_a = _outer(emit, of_b, node) if turned else _outer(emit, node, of_b)
    return [emit.sum_to(_own_triangle(emit, node, of_a), a), emit.sum_to(of_b, b)]


lu = Operation("lu", _lu_rule, _lu, Zero(), batching=Stacked(stacked))
"""lu(a): the factors L and U of each matrix, transposed (column j in row j), and in one more row the row that took
part in the exchange of each step, from 0. It carries no derivative: what reads it also reads `a`."""

lu_solve = Operation("lu_solve", _lu_solve_rule, _lu_solve, Rules(_lu_solve_jvp, _lu_solve_vjp),
                     batching=Stacked(stacked_with_factor))  # fmt: skip
"""lu_solve(a, lu(a), b; transposed): the solution of a x = b, or of a^T x = b; where a zero is on the diagonal of U,
what division by it gives."""

log_abs_det = Operation("log_abs_det", _log_det_rule, _log_det, Rules(_log_det_jvp, _log_det_vjp),
                        batching=Stacked(stacked_with_factor))  # fmt: skip
"""log_abs_det(a, lu(a)): the logarithm of the absolute value of the determinant, -inf of a singular matrix; in place of
the two axes of a matrix, one of size 1."""

cholesky = Operation("cholesky", _same_rule, _cholesky, Rules(_cholesky_jvp, _cholesky_vjp), batching=Stacked(stacked))
"""cholesky(a): the lower triangular L with L L^T = a, of which the lower triangle is read. The first entry is NaN where
there is none."""

cholesky_adjoint = Operation("cholesky_adjoint", _same_rule, _cholesky_adjoint, Rules(_adjoint_jvp, _adjoint_vjp),
                             batching=Stacked(stacked))  # fmt: skip
"""cholesky_adjoint(l, cotangent): the cotangent of the lower triangle of `a` from that of l = cholesky(a)."""

triangular_solve = Operation("triangular_solve", _triangular_rule, _triangular,
                             Rules(_triangular_jvp, _triangular_vjp), batching=Stacked(stacked))  # fmt: skip
"""triangular_solve(a, b; lower, transposed, unit): the solution of T x = b, or T^T x = b, where T is a triangle of a,
with ones on its diagonal if `unit`."""

FAMILY = (lu, lu_solve, log_abs_det, cholesky, cholesky_adjoint, triangular_solve)
