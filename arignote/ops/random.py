"""Random bits by counting: Philox-4x64 with ten rounds (Salmon et al., Parallel random numbers: as easy as 1, 2, 3,
2011), word for word those of `numpy.random.Philox`. There is no hidden state: a key and a position give the bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.ir.graph import Apply, Node, Operation, TypeRuleError
from arignote.ir.types import INT64, Array, Type, dims_of, dtype_of
from arignote.ops.batching import Batch, Operand, Stacked, same_for_all
from arignote.ops.derivative import Zero


def _words_rule(inputs: tuple[Node, ...], stream: int, dim: int) -> Type:
    key, start, count = inputs
    if not isinstance(key.type, Array) or key.type.dtype != "int64":
        raise TypeRuleError(f"a key is an int64 array, got {key.type!r}")
    before = key.type.dims[:-1]
    if dtype_of(start.type) != "int64" or len(dims_of(start.type)) not in (0, len(before)):
        raise TypeRuleError(f"a position is an int64 for each key, got {start.type!r}")
    if count.type is not INT64:
        raise TypeRuleError(f"a count is an int64, got {count.type!r}")
    return Array("int64", (*before, dim))


def words(key: Any, start: Any, count: Any, stream: int, dim: int = 0) -> Any:
    """The words by NumPy's generator, which counts up before it makes a block."""
    before = key.shape[:-1]
    result = np.empty((*before, max(int(count), 0)), dtype=np.int64)
    starts = np.broadcast_to(start, before)
    for place in np.ndindex(before):
        counter = np.array([int(starts[place]) % 2**64, 0, 0, stream], dtype=np.uint64)
        generator = np.random.Philox(key=key[place].view(np.uint64), counter=counter)
        result[place] = generator.random_raw(result.shape[-1]).view(np.int64)
    return result


def _stacked(batch: Batch, node: Apply, operands: Sequence[Operand]) -> Node:
    key, start, count = operands
    position = start.node if start.mapped == key.mapped or not dims_of(start.node.type) else batch.stacked(start)
    total = same_for_all([count], "a count of random words")
    return batch.emit.apply(node.op, batch.stacked(key), position, *total, **dict(node.attributes))


random_words = Operation("random_words", _words_rule, words, Zero(), batching=Stacked(_stacked))
"""random_words(key, start, count; stream, dim): for each key, two int64 along the last axis, `count` words. Word 4i + j
is word j of Philox's block start + 1 + i, where start >= 0; `stream` is the highest word of the counter."""

FAMILY = (random_words,)
