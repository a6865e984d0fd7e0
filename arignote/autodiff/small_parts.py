"""Small arrays of known size in what a loop saves: as numbers.

A list that grows holds references to arrays, so an array that is pushed has memory of its own, which is counted when it
is saved, when it is read and when the list goes. A few numbers cost a store and a load each, and the array that they
were taken from stays in registers.
"""

from __future__ import annotations

from collections.abc import Iterator

from arignote.ir.graph import Node
from arignote.ir.types import Array
from arignote.ops.emit import Emit

MOST_NUMBERS = 4
"""An array of more is saved as it is."""


def is_few(node: Node) -> bool:
    """Whether a value is a vector of a few numbers."""
    return isinstance(node.type, Array) and node.type.rank == 1 and 0 < node.type.dims[0] <= MOST_NUMBERS


def numbers(emit: Emit, node: Node) -> list[Node]:
    """The parts of a value that are saved: the numbers of a small array, anything else whole."""
    if not is_few(node):
        return [node]
    return [emit.op("index", node, emit.integer(i), axes=(0,)) for i in range(node.type.dims[0])]  # type: ignore[attr-defined]


def array(emit: Emit, node: Node, parts: Iterator[Node]) -> Node:
    """The value again, from the next of the saved parts."""
    if not is_few(node):
        return next(parts)
    items = [emit.op("expand_dims", next(parts), axes=(0,)) for _ in range(node.type.dims[0])]  # type: ignore[attr-defined]
    return items[0] if len(items) == 1 else emit.op("concatenate", *items, axis=0)
