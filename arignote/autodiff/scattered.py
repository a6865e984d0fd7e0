"""Sums of cotangents that are zero but for what was picked: the sum of so many elements, not of a whole array.

    logits[arange(n), labels]      has a cotangent with one element in each row; what was subtracted from each row (the
                                   logarithm of its sum) has the sums of the rows
"""

from __future__ import annotations

from arignote.autodiff.emit import AdjointEmit
from arignote.autodiff.zeros import is_zero
from arignote.ir.graph import Apply, Node
from arignote.ir.sizes import sizes
from arignote.ir.types import dims_of, dtype_of, fits


def sum_to(emit: AdjointEmit, x: Node, like: Node) -> Node:
    """x summed down to the shape of `like`, which it was broadcast from."""
    found = _sum_of_picked(emit, x, like)
    return emit.sum_to(x, like) if found is None else found


def _sum_of_picked(emit: AdjointEmit, x: Node, like: Node) -> Node | None:
    """The sum of single elements that were added to zeros in any order; None for anything else."""
    inner, is_negative = x, False
    while isinstance(inner, Apply) and inner.op.name == "negative":
        inner, is_negative = inner.inputs[0], not is_negative
    if not isinstance(inner, Apply) or not _is_picked(inner):
        return None
    _, value, *indices = inner.inputs
    given, wanted = sizes(inner), sizes(like)
    if len(indices) != len(given) or len(wanted) != len(given):
        return None
    kept = [axis for axis, size in enumerate(wanted) if size != 1]
    if not 0 < len(kept) < len(given) or any(wanted[axis] != given[axis] for axis in kept):
        return None
    if any(sizes(indices[axis]) != sizes(value) for axis in kept):
        return None
    dims = tuple([dims_of(like.type)[axis] for axis in kept])
    zero = emit.constant(0, dtype_of(inner.type))
    all_sizes = emit.sizes(like)
    zeros = emit.op("broadcast_to", zero, *[all_sizes[axis] for axis in kept], dims=dims)
    value = emit.op("negative", value) if is_negative else value
    picked = [indices[axis] for axis in kept]
    total = emit.op("scatter", zeros, value, *picked, axis=0, accumulate=True, ordered=False)
    single = tuple([axis for axis in range(len(wanted)) if axis not in kept])
    result = emit.op("expand_dims", total, axes=single)
    return result if fits(result.type, like.type) else None


def _is_picked(node: Apply) -> bool:
    """Whether a node is zeros with what was picked added. The picking, which came before, has checked the indices."""
    return (node.op.name == "scatter" and node["accumulate"] and node["axis"] == 0
            and not dict(node.attributes).get("ordered", True) and is_zero(node.inputs[0]))  # fmt: skip
