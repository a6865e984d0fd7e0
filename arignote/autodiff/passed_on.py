"""Which parameters a recursive function passes on to itself as they are.

The parameters of a network that goes along a tree are such. Each node adds to their cotangents, so the backward
function is given what has been added up so far, and adds to it in place. Otherwise every node would make arrays of the
size of all parameters, and each call above would add them up once more.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from arignote.ir.graph import Apply, Function, Node, nodes_of
from arignote.ir.types import Array

_known: WeakKeyDictionary[Function, frozenset[Node]] = WeakKeyDictionary()


def passed_on(function: Function) -> frozenset[Node]:
    """The arrays among the parameters that every call of the function by itself is given unchanged; none if there is no
    such call."""
    if function not in _known:
        walk = _Walk(function)
        walk.body(function, dict(zip(function.parameters, range(len(function.parameters)), strict=True)))
        found = walk.unchanged or set()
        _known[function] = frozenset(p for i, p in enumerate(function.parameters) if i in found)
    return _known[function]


class _Walk:
    """Through a function, its branches and its loops. unchanged: positions, None before the first call."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.unchanged: set[int] | None = None
        self.seen: set[tuple[Function, tuple[int | None, ...]]] = set()

    def body(self, body: Function, origin: dict[Node, int]) -> None:
        """`origin`: the nodes that are parameters of the function, and which."""
        key = body, tuple([origin.get(p) for p in body.parameters])
        if key in self.seen:
            return
        self.seen.add(key)
        for node in nodes_of(body):
            if not isinstance(node, Apply) or node.op.name != "closure":
                if isinstance(node, Apply) and node.op.name == "call":
                    self.call(node, origin)
                continue
            inner: Function = node["function"]
            if inner is not self.function and inner.is_defined:
                captured = zip(inner.parameters, node.inputs, strict=False)
                self.body(inner, {p: origin[x] for p, x in captured if x in origin})

    def call(self, node: Apply, origin: dict[Node, int]) -> None:
        """A call keeps what it is given in its own place."""
        closure = node.inputs[0]
        if not isinstance(closure, Apply) or closure.op.name != "closure" or closure["function"] is not self.function:
            return
        operands = (*closure.inputs, *node.inputs[1:])
        same = {i for i, x in enumerate(operands) if origin.get(x) == i and isinstance(x.type, Array)}
        self.unchanged = same if self.unchanged is None else self.unchanged & same
