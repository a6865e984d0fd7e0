"""Shapes: sizes, broadcasting, rearranging, joining. Sizes are int64 operands; axes are attributes, from 0 up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.ir.graph import Apply, Constant, Node, Operation, TypeRuleError
from arignote.ir.sizes import Size, as_size, sizes
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import INT64, Array, Type, dims_of, dtype_of, shaped, show_dim
from arignote.ops import batching_shape as batched
from arignote.ops.batching import Stacked, Uniform, shifted
from arignote.ops.derivative import Linear, Zero

if TYPE_CHECKING:
    from arignote.ops.emit import Emit

Cotangents = list[Node | None]


def show_shape(dims: Sequence[int]) -> str:
    """A shape as NumPy writes it in its messages."""
    return f"({','.join(map(show_dim, dims))}{',' if len(dims) == 1 else ''})"


def array_type(node: Node) -> Array:
    if not isinstance(node.type, Array):
        raise TypeRuleError(f"expected an array, got {node.type!r}")
    return node.type


def check_integers(nodes: Sequence[Node], what: str) -> None:
    for node in nodes:
        if node.type is not INT64:
            raise TypeRuleError(f"{what} must be int64, got {node.type!r}")


def check_axes(axes: Sequence[int], rank: int) -> None:
    if list(axes) != sorted(set(axes)) or (axes and (axes[0] < 0 or axes[-1] >= rank)):
        raise TypeRuleError(f"axes {tuple(axes)} are not ascending positions below {rank}")


def meet_dim(a: int, b: int) -> int:
    """What is known of a size of which both `a` and `b` are known (they do not contradict each other)."""
    return a if a >= 0 or b == ANY else b if b >= 0 or a == ANY else MANY


def contradict(a: int, b: int) -> bool:
    """Whether two sizes are known to differ."""
    return (a >= 0 and b >= 0 and a != b) or (a == 1 and b == MANY) or (a == MANY and b == 1)


def without(dims: Sequence[int], axes: Sequence[int]) -> list[int]:
    return [dim for axis, dim in enumerate(dims) if axis not in axes]


# broadcast_to ------------------------------------------------------------------------------------------------------


def _broadcast_to_rule(inputs: tuple[Node, ...], dims: tuple[int, ...]) -> Type:
    check_integers(inputs[1:], "a size")
    given = dims_of(inputs[0].type)
    if len(dims) != len(inputs) - 1:
        raise TypeRuleError(f"{len(inputs) - 1} sizes for {len(dims)} dimensions")
    clash = len(given) > len(dims) or any(g != 1 and contradict(g, d) for g, d in zip(given[::-1], dims[::-1]))
    if clash:
        raise TypeRuleError(
            "operands could not be broadcast together with remapped shapes [original->remapped]: "
            f"{show_shape(given)}  and requested shape {show_shape(dims)}", shape=True)  # fmt: skip
    return shaped(dtype_of(inputs[0].type), dims)


def _broadcast_to_fails(node: Apply) -> bool:
    given, wanted = sizes(node.inputs[0]), [as_size(x) for x in node.inputs[1:]]
    return any(g != 1 and g != w for g, w in zip(given[::-1], wanted[::-1]))


def _broadcast_to_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    return [emit.sum_to(cotangent, node.inputs[0]), *[None] * (len(node.inputs) - 1)]


def _broadcast_to(x: Any, *shape: int, dims: tuple[int, ...]) -> Any:
    return np.broadcast_to(x, shape)


def _sum_to_rule(inputs: tuple[Node, ...]) -> Type:
    x, like = inputs
    given, wanted = dims_of(x.type), dims_of(like.type)
    clash = len(wanted) > len(given) or any(w != 1 and contradict(g, w) for g, w in zip(given[::-1], wanted[::-1]))
    if clash:
        raise TypeRuleError(f"cannot sum shape {show_shape(given)} to {show_shape(wanted)}", shape=True)
    return shaped(dtype_of(x.type), wanted)


def _sum_to_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    return [emit.broadcast_like(cotangent, node.inputs[0]), None]


def sum_to_shape(x: Any, shape: tuple[int, ...]) -> Any:
    """x summed down to the shape, which x was broadcast from."""
    x = np.asarray(x)
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + a for a, size in enumerate(shape) if size == 1 and x.shape[lead + a] != 1)
    return np.sum(x, axis=axes, keepdims=True, dtype=x.dtype).reshape(shape)[()] if axes else x[()]


def _sum_to(x: Any, like: Any) -> Any:
    return sum_to_shape(x, np.shape(like))


# reshape -----------------------------------------------------------------------------------------------------------


def _reshape_rule(inputs: tuple[Node, ...], dims: tuple[int, ...]) -> Type:
    check_integers(inputs[1:], "a size")
    if len(dims) != len(inputs) - 1:
        raise TypeRuleError(f"{len(inputs) - 1} sizes for {len(dims)} dimensions")
    given = dims_of(inputs[0].type)
    if min(given, default=0) >= 0 and min(dims, default=0) >= 0 and np.prod(given) != np.prod(dims):
        count = int(np.prod(given))
        raise TypeRuleError(f"cannot reshape array of size {count} into shape {show_shape(dims)}", shape=True)
    return shaped(dtype_of(inputs[0].type), dims)


def _factors(found: Sequence[Size]) -> tuple[int, Counter[Size]]:
    """A product of sizes as a number times a bag of unknown ones."""
    number, bag = 1, Counter[Size]()
    pending = list(found)
    while pending:
        size = pending.pop()
        if isinstance(size, int):
            number *= size
        elif isinstance(size, Apply) and size.op.name == "multiply":
            pending.extend(as_size(x) for x in size.inputs)
        else:
            bag[size] += 1
    return number, bag


def _reshape_fails(node: Apply) -> bool:
    return _factors(sizes(node.inputs[0])) != _factors([as_size(x) for x in node.inputs[1:]])


def _reshape_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    x = node.inputs[0]
    return [emit.op("reshape", cotangent, *emit.sizes(x), dims=dims_of(x.type)), *[None] * (len(node.inputs) - 1)]


def _reshape(x: Any, *shape: int, dims: tuple[int, ...]) -> Any:
    if min(shape, default=0) < 0:
        raise ValueError("negative dimensions not allowed")
    return np.reshape(x, shape)[()]


# transpose, expand_dims, squeeze -----------------------------------------------------------------------------------


def _transpose_rule(inputs: tuple[Node, ...], permutation: tuple[int, ...]) -> Type:
    dims = dims_of(inputs[0].type)
    if sorted(permutation) != list(range(len(dims))):
        raise TypeRuleError("axes don't match array", shape=True)
    return shaped(dtype_of(inputs[0].type), [dims[axis] for axis in permutation])


def _transpose_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    inverse = tuple(int(axis) for axis in np.argsort(node["permutation"]))
    return [emit.op("transpose", cotangent, permutation=inverse)]


def _expand_dims_rule(inputs: tuple[Node, ...], axes: tuple[int, ...]) -> Type:
    dims = iter(dims_of(inputs[0].type))
    rank = len(dims_of(inputs[0].type)) + len(axes)
    check_axes(axes, rank)
    return shaped(dtype_of(inputs[0].type), [1 if axis in axes else next(dims) for axis in range(rank)])


def _squeeze_rule(inputs: tuple[Node, ...], axes: tuple[int, ...]) -> Type:
    dims = array_type(inputs[0]).dims
    check_axes(axes, len(dims))
    if any(contradict(dims[axis], 1) for axis in axes):
        message = "cannot select an axis to squeeze out which has size not equal to one"
        raise TypeRuleError(message, shape=True)
    return shaped(dtype_of(inputs[0].type), without(dims, axes))


def _squeeze_fails(node: Apply) -> bool:
    found = sizes(node.inputs[0])
    return any(found[axis] != 1 for axis in node["axes"])


def _expand_dims_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    return [emit.op("squeeze", cotangent, axes=node["axes"]) if node["axes"] else cotangent]


def _squeeze_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    return [emit.op("expand_dims", cotangent, axes=node["axes"])]


# concatenate -------------------------------------------------------------------------------------------------------


def _concatenate_rule(inputs: tuple[Node, ...], axis: int) -> Type:
    types = [array_type(x) for x in inputs]
    first = types[0]
    if len({t.dtype for t in types}) != 1:
        raise TypeRuleError(f"operands of different dtypes: {', '.join(map(repr, types))}")
    dims = list(first.dims)
    for position, other in enumerate(types):
        if other.rank != first.rank:
            raise TypeRuleError(
                "all the input array dimensions must match in number: all the input arrays must have same number of "
                f"dimensions, but the array at index 0 has {first.rank} dimension(s) and the array at index {position} "
                f"has {other.rank} dimension(s)", shape=True)  # fmt: skip
        for a in range(first.rank):
            if a != axis and contradict(dims[a], other.dims[a]):
                raise TypeRuleError(
                    "all the input array dimensions except for the concatenation axis must match exactly, but along "
                    f"dimension {a}, the array at index 0 has size {show_dim(dims[a])} and the array at index "
                    f"{position} has size {show_dim(other.dims[a])}", shape=True)  # fmt: skip
            dims[a] = meet_dim(dims[a], other.dims[a])
    check_axes((axis,), first.rank)
    dims[axis] = _joined([t.dims[axis] for t in types])
    return Array(first.dtype, dims)


def _joined(dims: list[int]) -> int:
    """What is known of a sum of sizes. MANY may be 0, so MANY + 1 may be 1."""
    known = sum(d for d in dims if d >= 0)
    if min(dims) >= 0:
        return known
    return ANY if ANY in dims or known == 1 else MANY


def _concatenate_fails(node: Apply) -> bool:
    shapes = [list(sizes(x)) for x in node.inputs]
    for shape in shapes:
        del shape[node["axis"]]
    return any(shape != shapes[0] for shape in shapes)


def _concatenate_vjp(emit: Emit, node: Apply, cotangent: Node) -> Cotangents:
    axis: int = node["axis"]
    start: Node = emit.integer(0)
    result: list[Node | None] = []
    for x in node.inputs:
        count = emit.size(x, axis)
        result.append(emit.op("slice", cotangent, start, count, emit.integer(1), axes=(axis,), dims=dims_of(x.type)))
        start = add_sizes(emit, start, count)
    return result


def add_sizes(emit: Emit, a: Node, b: Node) -> Node:
    """The sum of two sizes, folded where it is known."""
    if isinstance(a, Constant) and isinstance(b, Constant):
        return emit.integer(int(a.value) + int(b.value))
    if isinstance(a, Constant) and a.value == 0:
        return b
    return emit.op("add", a, b)


def _size_rule(inputs: tuple[Node, ...], axis: int) -> Type:
    check_axes((axis,), array_type(inputs[0]).rank)
    return INT64


size = Operation("size", _size_rule, lambda x, axis: np.int64(np.shape(x)[axis]), Zero(),
                 batching=Uniform(batched.size))  # fmt: skip
"""size(x; axis): the run-time size of one axis, int64."""

broadcast_to = Operation("broadcast_to", _broadcast_to_rule, _broadcast_to, Linear(_broadcast_to_vjp, (0,)),
                         can_fail=_broadcast_to_fails, batching=Stacked(batched.broadcast_to))  # fmt: skip
"""broadcast_to(x, *sizes; dims): NumPy's; `dims` is what is known of the sizes."""

sum_to = Operation("sum_to", _sum_to_rule, _sum_to, Linear(_sum_to_vjp, (0,)),
                   batching=Stacked(batched.sum_to))  # fmt: skip
"""sum_to(x, like): x summed down to the shape of `like`, which x was broadcast from: the adjoint of broadcasting.
Only derivative rules make it, for shapes that were broadcast before, so it checks nothing."""

reshape = Operation("reshape", _reshape_rule, _reshape, Linear(_reshape_vjp, (0,)), can_fail=_reshape_fails,
                    batching=Stacked(batched.reshape))  # fmt: skip
"""reshape(x, *sizes; dims): the same elements in C order; no size is -1."""

transpose = Operation("transpose", _transpose_rule, lambda x, permutation: np.transpose(x, permutation),
                      Linear(_transpose_vjp), batching=Stacked(batched.transpose))  # fmt: skip
"""transpose(x; permutation): axis j of the result is axis permutation[j] of x."""

expand_dims = Operation("expand_dims", _expand_dims_rule, lambda x, axes: np.expand_dims(x, axes),
                        Linear(_expand_dims_vjp), batching=Stacked(shifted("axes")))  # fmt: skip
"""expand_dims(x; axes): new axes of size 1 at these positions of the result; of a scalar too."""

squeeze = Operation("squeeze", _squeeze_rule, lambda x, axes: np.squeeze(x, axes)[()], Linear(_squeeze_vjp),
                    can_fail=_squeeze_fails, batching=Stacked(shifted("axes")))  # fmt: skip
"""squeeze(x; axes): without these axes, whose sizes are 1; a scalar where no dimension is left."""

concatenate = Operation("concatenate", _concatenate_rule, lambda *xs, axis: np.concatenate(xs, axis),
                        Linear(_concatenate_vjp), can_fail=_concatenate_fails,
                        batching=Stacked(shifted("axis")))  # fmt: skip
"""concatenate(*xs; axis): joined along an axis that they have."""

FAMILY = (size, broadcast_to, sum_to, reshape, transpose, expand_dims, squeeze, concatenate)
