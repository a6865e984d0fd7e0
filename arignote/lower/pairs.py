"""Nests over pairs: rank three, with nothing in memory that has all three axes.

    apart = x[None, :, :] - x[:, None, :]        over (i, j, k), where k is often short: the coordinates of points
    np.sum(apart * w[:, :, None], axis=1)

Along j such a nest reads (j, k) arrays with strides, and along k its loops would be short. So the arrays of (j, k) are
put in memory transposed, once, and j becomes the innermost loop, of which vectors read neighbours. What is computed
for a pair is cheaper to compute again than to keep for all pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.lower.loop_ir import Operand, Var
from arignote.lower.values import ONE, ZERO, Stored, is_constant, size_key

if TYPE_CHECKING:
    from arignote.lower.context import Context

RANK = 3
COST = 24
"""A value for each pair that costs this much is kept all the same."""

Key = tuple[object, ...]


def key_of(array: Stored) -> Key:
    """Identity of a view of memory."""
    return (array.pointer.id, *map(size_key, array.strides))


def suits(space: tuple[Operand, ...], axes: tuple[int, ...] | None, arrays: list[Stored]) -> bool:
    """Whether a nest that touches these arrays, and reduces these axes, is better written for pairs. A nest of lower
    rank has them in sums inside, and must have its own results in registers."""
    known = axes in ((0,), (1,), (2,), (0, 1)) if len(space) >= RANK else not axes or len(space) - 1 in axes
    return known and is_over_pairs(arrays)


def may_pass(space: tuple[Operand, ...], axes: tuple[int, ...] | None, leaves: list[Stored]) -> bool:
    """Whether sums over the first and over the second axis can be made in one pass."""
    return len(space) == RANK and axes in ((0,), (1,)) and is_over_pairs(leaves)


def is_over_pairs(leaves: list[Stored]) -> bool:
    """Whether the arrays that a nest of rank three touches have at most two of its axes each, and some have (j, k)."""
    whole = [leaf for leaf in leaves if len(leaf.sizes) == RANK]
    if any(not any(is_constant(stride, 0) for stride in leaf.strides) for leaf in whole):
        return False
    return any(_is_packable(leaf) for leaf in whole)


def _is_packable(leaf: Stored) -> bool:
    """Whether an array of (j, k) has its neighbours along k."""
    if len(leaf.sizes) != RANK:
        return False
    first, middle, last = leaf.strides
    moves = isinstance(middle, Var) or middle.value > 1
    return is_constant(first, 0) and moves and is_constant(last, 1)


def packed(context: Context, leaves: list[Stored]) -> dict[Key, Stored]:
    """The arrays of (j, k), with neighbours along j."""
    found: dict[Key, Stored] = {}
    for leaf in leaves:
        if _is_packable(leaf) and not any(_may_be_single(context, stride) for stride in leaf.strides):
            found[key_of(leaf)] = context.once(_transposed, leaf)
    return found


def _may_be_single(context: Context, stride: Operand) -> bool:
    return isinstance(stride, Var) and stride.id in context.flags


def _transposed(context: Context, leaf: Stored) -> Stored:
    """A copy in which the middle axis is the innermost one."""
    from arignote.lower.fusion import store

    _, middle, last = leaf.sizes
    fresh = context.allocate(leaf.dtype, (last, middle))
    source = Stored(leaf.dtype, leaf.buffer, leaf.pointer, (last, middle), (ONE, leaf.strides[1]))
    store(context, source, fresh)
    return Stored(leaf.dtype, fresh.buffer, fresh.pointer, leaf.sizes, (ZERO, ONE, fresh.strides[0]))
