"""Writing into arrays: x[index] = value, x[index] += value, x += value. Arrays are values in the graph, so a write
gives the cell a new node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_create import to_dtype
from arignote.frontend.numpy_index import Plan, gathering, index_shape, plan_index, read, sliced, triples, whole_of
from arignote.frontend.numpy_linalg import matmul_of
from arignote.frontend.numpy_operand import as_node, cast, piece, rank_of, refuse, refuse_shape, shape_pieces
from arignote.frontend.numpy_slice import Slice
from arignote.frontend.numpy_ufunc import operand
from arignote.frontend.promotion import kind_of, result_dtype
from arignote.frontend.scope import HOOKS
from arignote.frontend.values import ArrayValue, Value
from arignote.ir.errors import TypeInferenceError
from arignote.ir.graph import Constant, Node
from arignote.ir.structure import ANY
from arignote.ir.types import dims_of, dtype_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def setitem(c: Context, cell: ArrayValue, index: Value, value: Value, accumulate_op: str | None = None) -> None:
    """cell[index] = value, or the augmented form by the operation of this name."""
    whole = whole_of(cell, index)
    if whole is not None:
        setitem(c, *whole, value, accumulate_op)
        return
    x = c.node(cell)
    if cell.link is not None:
        c.check_writable(cell)
        x = HOOKS["take"](c, cell)
    plan = plan_index(c, x, index)
    if accumulate_op is not None:
        result = _augmented(c, plan, value, accumulate_op)
    else:
        result = replaced(c, plan, _as_entry(c, plan, value))
    if plan.new_axes:
        result = c.emit("squeeze", result, axes=plan.new_axes)
    c.write(cell, result)


def _as_entry(c: Context, plan: Plan, value: Value) -> Node:
    return to_dtype(c, as_node(c, value), dtype_of(plan.x.type))


def replaced(c: Context, plan: Plan, value: Node, accumulate: bool = False) -> Node:
    """The array with the entries that the plan names replaced by, or increased by, the value."""
    if plan.is_advanced:
        assert not accumulate
        return _replaced_advanced(c, plan, value)
    return _replaced_basic(c, plan, value, accumulate)


# Shapes ------------------------------------------------------------------------------------------------------------


def fitted(c: Context, value: Node, region: Sequence[Node], failure: Sequence[Any] | None = None) -> Node:
    """The value broadcast to the shape of the region that it replaces."""
    value = _without_leading_ones(c, value, region)
    given = s.shape(c, value)
    pieces = failure or ["could not broadcast input array from shape ", *shape_pieces(given), " into shape ",
                         *shape_pieces(region)]  # fmt: skip
    if len(given) > len(region):
        refuse_shape(c, _text(pieces))
    for have, wanted in zip(reversed(given), reversed(region), strict=False):
        _check_broadcast(c, have, wanted, pieces)
    if not region or (len(given) == len(region) and all(map(_is_size_of, given, region))):
        return value
    return c.emit("broadcast_to", value, *region, dims=s.dims(region))


def _is_size_of(have: Node, wanted: Node) -> bool:
    """Whether two sizes are equal, after the check: one that cannot be 1 is not stretched."""
    return have is wanted or s.dim_of(have) not in (1, ANY) or (s.known(have) == 1 and s.known(wanted) == 1)


def _text(pieces: Sequence[Any]) -> str:
    return "".join(p if isinstance(p, str) else "n" for p in pieces)


def _without_leading_ones(c: Context, value: Node, region: Sequence[Node]) -> Node:
    extra = rank_of(value) - len(region)
    if extra > 0 and all(dim == 1 for dim in dims_of(value.type)[:extra]):
        return c.emit("squeeze", value, axes=tuple(range(extra)))
    return value


def _check_broadcast(c: Context, have: Node, wanted: Node, pieces: Sequence[Any]) -> None:
    if s.known(have) == 1 or have is wanted:
        return
    different = s.compare(c, "not_equal", have, wanted)
    if isinstance(different, Constant):
        if different.value:
            refuse_shape(c, _text(pieces))
        return
    if s.dim_of(have) == ANY:
        different = c.emit("logical_and", different, c.emit("not_equal", have, s.ONE))
    c.raise_if(different, ValueError, *pieces)


def region_of(c: Context, plan: Plan) -> list[Node]:
    """The shape of what integers and slices pick, with all axes kept (1 for an integer)."""
    counts = s.shape(c, plan.x)
    for axis, found in plan.slices.items():
        counts[axis] = found.count
    for axis in plan.numbers:
        counts[axis] = s.ONE
    return counts


# Integers and slices -----------------------------------------------------------------------------------------------


def _replaced_basic(c: Context, plan: Plan, value: Node, accumulate: bool) -> Node:
    x = plan.x
    counts = region_of(c, plan)
    slices = dict(plan.slices)
    if slices:
        for axis, number in plan.numbers.items():
            slices[axis] = Slice(_checked_index(c, number, s.size(c, x, axis), axis), s.ONE, s.ONE)
    region = [count for axis, count in enumerate(counts) if axis not in plan.numbers]
    if accumulate and rank_of(value) > len(region):
        refuse_shape(c, f"non-broadcastable output operand with {len(region)} dimensions doesn't match the broadcast "
                     f"shape, which has {rank_of(value)}")  # fmt: skip
    value = fitted(c, value, region)
    if not plan.numbers and not plan.slices:
        return c.emit("add", x, value) if accumulate else value
    if not plan.slices:
        axes = tuple(sorted(plan.numbers))
        numbers = [plan.numbers[axis] for axis in axes]
        return c.emit("update_index", x, value, *numbers, axes=axes, accumulate=accumulate)
    if plan.numbers:
        value = c.emit("expand_dims", value, axes=tuple(sorted(plan.numbers)))
    return c.emit("update_slice", x, value, *triples(slices), axes=tuple(sorted(slices)), accumulate=accumulate)


def _checked_index(c: Context, i: Node, size: Node, axis: int) -> Node:
    """An integer index as a position from the start; fails out of bounds."""
    text = ("index ", piece(i), " is out of bounds for axis ", str(axis), " with size ", piece(size))
    low = s.compare(c, "less", i, s.subtract(c, s.ZERO, size))
    high = s.compare(c, "greater_equal", i, size)
    for outside in (low, high):
        if isinstance(outside, Constant) and outside.value:
            c.raise_now(IndexError, *text)
        c.raise_if(outside, IndexError, *text)
    return s.select(c, s.compare(c, "less", i, s.ZERO), s.add(c, i, size), i)


# Index arrays and masks --------------------------------------------------------------------------------------------


def _replaced_advanced(c: Context, plan: Plan, value: Node) -> Node:
    by_mask = _by_selection(c, plan, value)
    if by_mask is not None:
        return by_mask
    inner = sliced(c, plan.x, plan.slices)
    found = gathering(c, plan, inner)
    sizes = s.shape(c, found.x)
    picked = index_shape(c, found.indices)
    region = [*sizes[: found.axis], *picked, *sizes[found.axis + len(found.indices) :]]
    value = fitted(c, value, region, _mask_failure(c, plan, value, picked))
    result = c.emit("scatter", found.x, value, *found.indices, axis=found.axis, accumulate=False)
    if found.order is not None:
        result = c.emit("transpose", result, permutation=tuple(int(axis) for axis in np.argsort(found.order)))
    if not plan.slices:
        return result
    axes = tuple(sorted(plan.slices))
    return c.emit("update_slice", plan.x, result, *triples(plan.slices), axes=axes, accumulate=False)


def _only_mask(plan: Plan) -> Node | None:
    """The mask, if it is all that the index says and stands for the first axes."""
    if len(plan.masks) == 1 and 0 in plan.masks and not (plan.arrays or plan.numbers or plan.slices):
        return plan.masks[0]
    return None


def _by_selection(c: Context, plan: Plan, value: Node) -> Node | None:
    """x[mask] = value where the value does not depend on how many entries the mask picks: a choice for each entry."""
    mask = _only_mask(plan)
    if mask is None or rank_of(value) > rank_of(plan.x) - rank_of(mask):
        return None
    return selected(c, plan, mask, fitted(c, value, s.shape(c, plan.x)[rank_of(mask) :]) if rank_of(value) else value)


def selected(c: Context, plan: Plan, mask: Node, value: Node) -> Node:
    rest = tuple(range(rank_of(mask), rank_of(plan.x)))
    return c.emit("select", c.emit("expand_dims", mask, axes=rest) if rest else mask, value, plan.x)


def _mask_failure(c: Context, plan: Plan, value: Node, picked: Sequence[Node]) -> list[Any] | None:
    """NumPy's words where one value for each true entry is given."""
    mask = _only_mask(plan)
    if mask is None or rank_of(mask) != rank_of(plan.x) or rank_of(value) != 1:
        return None
    return ["NumPy boolean array indexing assignment cannot assign ", piece(s.size(c, value, 0)),
            " input values to the ", piece(picked[0]), " output values where the mask is true"]  # fmt: skip


# Augmented assignment ----------------------------------------------------------------------------------------------


def in_dtype_of(c: Context, name: str, x: Node, value: Value, target_dtype: str) -> Node:
    """The operation on x and the value, cast back to the dtype that it is written into."""
    node = c.node(c.elementwise(name, c.array(x), operand(c, value)))
    return back_to(c, name, node, target_dtype)


def back_to(c: Context, name: str, node: Node, dtype: str) -> Node:
    """NumPy's rule for what is computed in place: the kind may not change."""
    found = dtype_of(node.type)
    if not np.can_cast(found, dtype, "same_kind"):
        c.error(
            f"Cannot cast ufunc '{name}' output from dtype('{found}') to dtype('{dtype}') with casting rule "
            "'same_kind'", TypeInferenceError, "write x = x ... to make a new array, or cast the operand")  # fmt: skip
    return cast(c, node, dtype)


def _augmented(c: Context, plan: Plan, value: Value, name: str) -> Node:
    dtype = dtype_of(plan.x.type)
    value = operand(c, value)
    if name in ("add", "subtract") and not plan.is_advanced and (plan.numbers or plan.slices) and dtype != "bool":
        if result_dtype(kind_of(c, value), (dtype, False)) == dtype:
            addend = c.node(value, dtype)
            return replaced(c, plan, addend if name == "add" else c.emit("negative", addend), accumulate=True)
    if not plan.is_advanced and not plan.has_ellipsis and len(plan.numbers) == rank_of(plan.x) > 0:
        # An element is a NumPy scalar: a new number is stored, with the cast of an assignment.
        number = c.elementwise(name, c.scalar(read(c, plan), python=False), value)
        return replaced(c, plan, _as_entry(c, plan, number))
    mask = _only_mask(plan)
    if mask is not None and name in ("add", "subtract", "multiply"):
        if rank_of(c.node(value)) <= rank_of(plan.x) - rank_of(mask):
            new = in_dtype_of(c, name, plan.x, value, dtype)
            check_result_shape(c, plan.x, new)
            return selected(c, plan, mask, new)
    old = read(c, plan)
    new = in_dtype_of(c, name, old, value, dtype)
    check_result_shape(c, old, new)
    return replaced(c, plan, new)


def check_result_shape(c: Context, target: Node, result: Node) -> None:
    """What is computed in place must have the shape of what it is written into."""
    have, wanted = s.shape(c, target), s.shape(c, result)
    pieces = ["non-broadcastable output operand with shape ", *shape_pieces(have),
              " doesn't match the broadcast shape ", *shape_pieces(wanted)]  # fmt: skip
    if len(have) != len(wanted):
        refuse_shape(c, _text(pieces))
    for a, b in zip(have, wanted, strict=True):
        if a is b:
            continue
        different = s.compare(c, "not_equal", a, b)
        if isinstance(different, Constant) and different.value:
            refuse_shape(c, _text(pieces))
        c.raise_if(different, ValueError, *pieces)


def inplace(c: Context, name: str, cell: ArrayValue, value: Value) -> None:
    """cell op= value by the operation (or "matmul") of this name."""
    x = c.node(cell)
    if name == "matmul":
        if not rank_of(x) or rank_of(c.node(operand(c, value))) < 2:
            refuse(c, "inplace matrix multiplication requires the first operand to have at least one and the second at "
                   "least two dimensions.")  # fmt: skip
        result = back_to(c, name, matmul_of(c, cell, operand(c, value)), dtype_of(x.type))
    else:
        result = in_dtype_of(c, name, x, value, dtype_of(x.type))
    check_result_shape(c, x, result)
    if s.shape(c, x) and dims_of(x.type) != dims_of(result.type):
        result = c.emit("reshape", result, *s.shape(c, x), dims=dims_of(x.type))
    c.write(cell, result)


def copy_into(c: Context, cell: ArrayValue, value: Value) -> None:
    """np.copyto, x.fill, x[...] = value."""
    x = c.node(cell)
    node = to_dtype(c, as_node(c, value), dtype_of(x.type))
    c.write(cell, fitted(c, node, s.shape(c, x)))
