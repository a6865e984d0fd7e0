"""What pinned checks prove: once `x * y` of two vectors has been checked, their sizes are equal from there on.

`arignote.ir.sizes` knows what follows from how a node was made; this adds what follows from the checks that the program
makes anyway. It is used to see that an operation has no effect, never to leave out a check that is pinned.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Node
from arignote.ir.sizes import Size, as_size, sizes
from arignote.ir.structure import ANY
from arignote.ir.types import dims_of


class Facts:
    """Sizes known to be equal, as a forest: each leads to a representative."""

    __slots__ = ("_parent",)

    def __init__(self) -> None:
        self._parent: dict[Size, Size] = {}

    def find(self, size: Size) -> Size:
        parent = self._parent
        while size in parent:
            above = parent[size]
            if above in parent:
                parent[size] = parent[above]  # paths halve as they are walked
            size = above
        return size

    def sizes(self, node: Node) -> tuple[Size, ...]:
        found = sizes(node)
        return tuple(map(self.find, found)) if self._parent else found

    def may_mismatch(self, node: Apply) -> bool:
        """Whether the shapes of an elementwise operation may not match."""
        if not node.can_fail:
            return False
        shapes = [s for s in map(self.sizes, node.inputs) if s]
        for axis in range(1, max(map(len, shapes), default=0) + 1):
            if len({s[-axis] for s in shapes if len(s) >= axis} - {1}) > 1:
                return True
        return False

    def note(self, node: Node) -> None:
        """The node has been computed without failing."""
        if not isinstance(node, Apply):
            return
        if node.op.elementwise:
            self._broadcast([(x, sizes(x)) for x in node.inputs])
        elif node.op.name == "matmul":
            a, b = map(sizes, node.inputs)
            self._unite(a[-1], b[-2])
        elif node.op.name == "broadcast_to":
            target = [as_size(x) for x in node.inputs[1:]]
            given, dims = sizes(node.inputs[0]), dims_of(node.inputs[0].type)
            for axis in range(1, len(given) + 1):
                if dims[-axis] not in (1, ANY):
                    self._unite(given[-axis], target[-axis])

    def _broadcast(self, operands: list[tuple[Node, tuple[Size, ...]]]) -> None:
        """Sizes that are not 1 and meet along an axis are equal."""
        for axis in range(1, max(len(found) for _, found in operands) + 1):
            certain = [found[-axis] for x, found in operands
                       if len(found) >= axis and dims_of(x.type)[-axis] not in (1, ANY)]  # fmt: skip
            for other in certain[1:]:
                self._unite(certain[0], other)

    def _unite(self, a: Size, b: Size) -> None:
        a, b = self.find(a), self.find(b)
        if a != b:
            if isinstance(a, int):
                a, b = b, a
            if not isinstance(a, int):
                self._parent[a] = b
