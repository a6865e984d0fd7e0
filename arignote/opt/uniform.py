"""What is the same in all iterations of a loop, as values outside it: sizes, and numbers that follow from sizes.

In the first iteration carried arrays have the sizes that they start with; in the later ones, those that the first gave,
if the second gives the same again. So there are two views of a body, and in most loops they agree.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter
from arignote.ir.loop_sizes import equal_by
from arignote.ir.sizes import Size, as_size, sizes
from arignote.ir.types import Scalar
from arignote.opt.rewrite import Rewriter


class Uniform:
    """The sizes in the body of one `for_loop`, seen from outside, in its first iteration. `function` is the body of a
    closure of `captures`; only the carried values in `start` are known, which have these sizes."""

    def __init__(self, rewriter: Rewriter, function: Function, captures: tuple[Node, ...],
                 start: dict[Parameter, list[Size | None]]) -> None:  # fmt: skip
        self.rewriter, self.function, self.captures = rewriter, function, captures
        self.captured: dict[Node, Node] = dict(zip(function.parameters, captures))
        self.start: dict[Node, list[Size | None]] = dict(start.items())
        self.knows(())

    def knows(self, checked: Sequence[Node]) -> None:
        """What follows is asked of an iteration in which these have been computed without failing."""
        self.equal = equal_by(checked)
        self._scalars: dict[Node, Node | None] = {}

    def later(self, checked: Sequence[Node]) -> Uniform:
        """The same of the iterations after the first; in each all of `checked` is computed without failing."""
        self.knows(checked)
        given = self._given()
        start: dict[Parameter, list[Size | None]] = {}
        for parameter, result in given.items():
            before = self.start[parameter]
            found = [self._outer(size) for size in sizes(result)]
            start[parameter] = [old if old in new else next(iter(new), None) for old, new in zip(before, found)]
        later = Uniform(self.rewriter, self.function, self.captures, start)
        later.knows(checked)
        changed = True
        while changed:
            changed = False
            for parameter, result in given.items():
                mine = later.start[parameter]
                for axis, size in enumerate(sizes(result)):
                    if mine[axis] is not None and mine[axis] not in later._outer(size):
                        mine[axis], changed = None, True
        return later

    def _given(self) -> dict[Parameter, Node]:
        """What the body gives for the next iteration."""
        result = self.function.result
        assert isinstance(result, Apply)
        carried = self.function.parameters[len(self.function.parameters) - len(result.inputs) :]
        return {p: x for p, x in zip(carried, result.inputs, strict=True) if p in self.start}

    def _outer(self, key: Size) -> dict[Size, None]:
        """What a size inside is known to be, in sizes outside; in a fixed order."""
        found = [self._same(same) for same in (key, *self.equal.get(key, ()))]
        return {size: None for size in found if size is not None}

    def _same(self, key: Size) -> Size | None:
        if isinstance(key, int):
            return key
        if isinstance(key, tuple):
            node, axis = key
            if node in self.captured:
                return sizes(self.captured[node])[axis]
            return self.start[node][axis] if node in self.start else None
        if isinstance(key, Constant):
            return int(key.value)
        return as_size(self.captured[key]) if key in self.captured else None

    def size(self, key: Size) -> Node | None:
        """A size in the body as a node outside; None if it may differ from one iteration to the next."""
        for size in self._outer(key):
            if isinstance(size, int):
                return self.rewriter.integer(size)
            return self.rewriter.size(size[0], size[1]) if isinstance(size, tuple) else size
        scalars = [x for x in (key, *self.equal.get(key, ())) if isinstance(x, Apply)]
        return next((found for x in scalars if (found := self.scalar(x)) is not None), None)

    def scalar(self, node: Node) -> Node | None:
        """A number in the body that follows from sizes and captured numbers, outside."""
        if node in self._scalars:
            return self._scalars[node]
        self._scalars[node] = found = self._scalar(node)
        return found

    def _scalar(self, node: Node) -> Node | None:
        if isinstance(node, Constant):
            return node
        if not isinstance(node, Apply):
            return self.captured.get(node)
        if node.op.name == "size":
            return self.size(sizes(node.inputs[0])[node["axis"]])
        if not node.op.elementwise or node.can_fail or not isinstance(node.type, Scalar):
            return None
        operands = [self.scalar(x) for x in node.inputs]
        known = [x for x in operands if x is not None]
        return self.rewriter.build(node.op, tuple(known), node.attributes) if len(known) == len(operands) else None
