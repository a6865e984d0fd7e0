"""Arrays that will be updated: whatever still reads a part of one is computed before the update, so that it can be in
place.

    row = a[i]              # a view of a's memory
    a[i] = a[j]             # would copy all of a, because `row` is still wanted
    a[j] = row

Copying the part is cheaper than copying the whole. Only parts of lower rank are worth it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.ir.graph import Apply, Node
from arignote.ir.types import Array, dims_of
from arignote.lower import fusion
from arignote.lower.lazy import Lazy
from arignote.lower.values import Stored

if TYPE_CHECKING:
    from arignote.lower.frame import Frame

UPDATES = frozenset({"update_index", "update_slice", "scatter"})


SHAPE_ONLY = {"size": 0, "sum_to": 1, "after": 1}
"""Of these operands only the shape is read, or nothing."""


def contents_read(node: Apply) -> list[Node]:
    """The operands of which the elements are read."""
    shape_only = SHAPE_ONLY.get(node.op.name)
    return [child for place, child in enumerate(node.inputs) if place != shape_only]


class Watch:
    """Which nodes of a frame read the memory of arrays that the frame updates."""

    def __init__(self, frame: Frame, updated: set[Node]) -> None:
        self.frame, self.updated = frame, updated
        self.left = dict(frame.uses)
        self.buffers: set[int] = set()
        self.reads: dict[Node, frozenset[int]] = {}
        self.readers: dict[int, list[Node]] = {}
        for parameter in frame.function.parameters:
            self._note_memory(parameter)

    def lowered(self, node: Apply) -> None:
        """The node has its value: its operands have one use less, and it may be a reader."""
        for child in contents_read(node):
            self.left[child] -= 1
        self._note_memory(node)
        if not self.buffers or not isinstance(self.frame.values[node], Lazy | Stored):
            return
        below = frozenset().union(*[self.reads[child] for child in node.inputs if child in self.reads])
        value = self.frame.values[node]
        if isinstance(value, Stored):
            below = frozenset({value.buffer.id}) & self.buffers
        if below:
            self.reads[node] = below
            for number in below:
                self.readers.setdefault(number, []).append(node)

    def _note_memory(self, node: Node) -> None:
        value = self.frame.values.get(node)
        if node in self.updated and isinstance(value, Stored):
            self.buffers.add(value.buffer.id)
            self.reads[node] = frozenset({value.buffer.id})

    def before_update(self, update: Apply) -> None:
        """Compute what later nodes want of the array's old contents."""
        target = update.inputs[0]
        if self.left.get(target, 0) > update.inputs.count(target):
            return  # the old array is wanted as a whole: it will be copied
        if self.frame.is_written_anew(target):
            return
        array = self.frame.value(target)
        if not isinstance(array, Stored):
            return  # it has no memory yet that anybody could look at
        rank = len(array.sizes)
        context, values = self.frame.context, self.frame.values
        waiting = [node for node in self.readers.get(array.buffer.id, []) if len(dims_of(node.type)) < rank
                   and self.left.get(node, 0) > update.inputs.count(node)]  # fmt: skip
        for node in waiting:
            value = values[node]
            if isinstance(value, Lazy) and value.forced is None:
                fusion.compute(context, value)
        for node in waiting:
            value = self.frame.value(node)
            if isinstance(value, Stored) and value.buffer is array.buffer and isinstance(node.type, Array):
                values[node] = fusion.copy(context, value)
