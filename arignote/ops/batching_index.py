"""Batching of the operations that read and replace parts of arrays. Where each element has positions of its own, slices
and indices become arrays of positions: `gather` and `scatter`, with the number of the element as one more index."""

from __future__ import annotations

from collections.abc import Sequence

from arignote.ir.graph import Apply, Node
from arignote.ir.types import dims_of
from arignote.ops.batching import Batch, Operand, same_for_all

Indices = list[Node]


def _moved(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in axes)


def _any(operands: Sequence[Operand]) -> bool:
    return any(x.mapped for x in operands)


# slices ------------------------------------------------------------------------------------------------------------


def slice_(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    x, triples = operands[0], operands[1:]
    counts = same_for_all(triples[1::3], "the length of a slice")
    if not _any(triples):
        bounds = [t.node for t in triples]
        return batch.emit.op("slice", x.node, *bounds, axes=_moved(node["axes"]), dims=(batch.dim, *node["dims"]))
    last = node["axes"][-1] + 1
    places = _regions(batch, x, triples, counts, node["axes"], last)
    return _gathered(batch, x, places)


def update_slice(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    x, value, triples = operands[0], operands[1], operands[2:]
    counts = same_for_all(triples[1::3], "the length of a slice")
    old, new = batch.stacked(x), batch.stacked(value)
    accumulate = node["accumulate"]
    if not _any(triples):
        bounds = [t.node for t in triples]
        return batch.emit.op("update_slice", old, new, *bounds, axes=_moved(node["axes"]), accumulate=accumulate)
    last = node["axes"][-1] + 1
    places = _regions(batch, x, triples, counts, node["axes"], last)
    return batch.emit.op("scatter", old, new, batch.positions(last), *places, axis=0, accumulate=accumulate)


def _regions(batch: Batch, x: Operand, triples: Sequence[Operand], counts: Sequence[Node], axes: Sequence[int],
             last: int) -> Indices:  # fmt: skip
    """For each of the first `last` axes the positions of a slice, of rank 1 + last: first the elements'."""
    emit = batch.emit
    places: Indices = []
    for axis in range(last):
        if axis not in axes:
            places.append(_whole(batch, x, axis, axis + 1, last + 1))
            continue
        start, _, step = triples[3 * axes.index(axis) : 3 * axes.index(axis) + 3]
        count = counts[axes.index(axis)]
        row = batch.along(emit.op("iota", count, dtype="int64", dim=_known(count)), axis + 1, last + 1)
        offsets = emit.op("multiply", row, batch.aligned(step, last))
        places.append(emit.op("add", batch.aligned(start, last), offsets))
    return places


def _known(count: Node) -> int:
    from arignote.ir.graph import Constant
    from arignote.ir.structure import ANY

    return max(int(count.value), 0) if isinstance(count, Constant) else ANY


def _whole(batch: Batch, x: Operand, axis: int, place: int, rank: int) -> Node:
    """All positions along an axis of the elements, as an array of this rank along the axis `place`."""
    dim = dims_of(x.node.type)[axis + x.mapped]
    row = batch.emit.op("iota", batch.emit.size(x.node, axis + x.mapped), dtype="int64", dim=dim)
    return batch.along(row, place, rank)


def _gathered(batch: Batch, x: Operand, places: Indices) -> Node:
    """What stands at these positions, which index the first axes of the elements and have the elements first."""
    if not x.mapped:
        return batch.emit.op("gather", x.node, *places, axis=0)
    rank = len(dims_of(places[0].type)) - 1
    return batch.emit.op("gather", x.node, batch.positions(rank), *places, axis=0)


# index -------------------------------------------------------------------------------------------------------------


def index(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    x, i = operands[0], operands[1:]
    if not _any(i):
        return batch.emit.op("index", x.node, *(a.node for a in i), axes=_moved(node["axes"]))
    return _gathered(batch, x, _points(batch, x, i, node["axes"]))


def update_index(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    x, value, i = operands[0], operands[1], operands[2:]
    old, new, accumulate = batch.stacked(x), batch.stacked(value), node["accumulate"]
    if not _any(i):
        places = [a.node for a in i]
        return batch.emit.op("update_index", old, new, *places, axes=_moved(node["axes"]), accumulate=accumulate)
    points = _points(batch, x, i, node["axes"])
    rank = len(dims_of(points[0].type)) - 1
    return batch.emit.op("scatter", old, new, batch.positions(rank), *points, axis=0, accumulate=accumulate)


def _points(batch: Batch, x: Operand, i: Sequence[Operand], axes: Sequence[int]) -> Indices:
    """Positions for every axis up to the last that is indexed; the axes before it that are not stay in the result."""
    last = axes[-1] + 1
    kept = [axis for axis in range(last) if axis not in axes]
    rank = 1 + len(kept)
    result: Indices = []
    for axis in range(last):
        if axis not in axes:
            result.append(_whole(batch, x, axis, 1 + kept.index(axis), rank))
            continue
        given = i[axes.index(axis)]
        if given.mapped:
            result.append(batch.along(given.node, 0, rank))
        else:
            result.append(batch.emit.op("expand_dims", given.node, axes=tuple(range(rank))))
    return result


# gather ------------------------------------------------------------------------------------------------------------


def gather(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    """With positions of their own, the axes that are indexed come right behind that of the elements, and the result's
    go back to where they belong."""
    x, i, axis, emit = operands[0], operands[1:], node["axis"], batch.emit
    if not _any(i):
        return emit.op("gather", x.node, *(a.node for a in i), axis=axis + 1)
    places = _stacks(batch, i)
    picked = len(dims_of(places[0].type)) - 1
    if not x.mapped:
        found = emit.op("gather", x.node, *places, axis=axis)
        return _transposed(batch, found, (axis, *(a for a in range(len(dims_of(found.type))) if a != axis)))
    front = _transposed(batch, x.node, _to_front(len(dims_of(x.node.type)), axis, len(i)))
    found = emit.op("gather", front, batch.positions(picked), *places, axis=0)
    return _transposed(batch, found, _from_front(len(dims_of(found.type)), axis, picked))


def scatter(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    x, value, i, axis, emit = operands[0], operands[1], operands[2:], node["axis"], batch.emit
    old, new, accumulate = batch.stacked(x), batch.stacked(value), node["accumulate"]
    if not _any(i):
        return emit.op("scatter", old, new, *(a.node for a in i), axis=axis + 1, accumulate=accumulate)
    places = _stacks(batch, i)
    picked, rank = len(dims_of(places[0].type)) - 1, len(dims_of(old.type))
    old = _transposed(batch, old, _to_front(rank, axis, len(i)))
    new = _transposed(batch, new, _to_front(len(dims_of(new.type)), axis, picked))
    result = emit.op("scatter", old, new, batch.positions(picked), *places, axis=0, accumulate=accumulate)
    return _transposed(batch, result, _from_front(rank, axis, len(i)))


def _stacks(batch: Batch, i: Sequence[Operand]) -> Indices:
    return [a.node if a.mapped else batch.emit.op("expand_dims", a.node, axes=(0,)) for a in i]


def _to_front(rank: int, axis: int, count: int) -> tuple[int, ...]:
    """The permutation that moves `count` axes of the elements, from `axis`, right behind the first axis."""
    moved = range(1 + axis, 1 + axis + count)
    return (0, *moved, *range(1, 1 + axis), *range(1 + axis + count, rank))


def _from_front(rank: int, axis: int, count: int) -> tuple[int, ...]:
    """Its inverse."""
    permutation = _to_front(rank, axis, count)
    return tuple(permutation.index(place) for place in range(rank))


def _transposed(batch: Batch, x: Node, permutation: tuple[int, ...]) -> Node:
    same = permutation == tuple(range(len(permutation)))
    return x if same else batch.emit.op("transpose", x, permutation=permutation)


def iota(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    same_for_all(operands, "the length of an array")
    raise AssertionError("an array of numbers is mapped only by its length")
