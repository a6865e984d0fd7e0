"""What a loop carries that need not be saved: its value in iteration k follows from k.

A carried value that the body gives back as it came is what it was before the loop. An integer to which the body adds
the same number each time is start + k * step: the counter of a `while` loop, a position in an array.
"""

from __future__ import annotations

from arignote.autodiff.emit import AdjointEmit, function_of
from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, substitute
from arignote.ir.records import dataclass
from arignote.ir.types import INT64, TOKEN


@dataclass(slots=True)
class _Scope:
    """A function that runs inside the body, with what its captured parameters are in the scope around it."""

    captures: dict[Node, Node]
    outer: _Scope | None = None


Found = tuple[int, Node]
"""Which carried value, and what is added to it: a node over the captured parameters of the body."""


def inductions(loop: Apply) -> dict[int, Node]:
    """The carried values that follow from the iteration, by position, with their steps: nodes over the captured
    parameters of the body."""
    body = function_of(loop.inputs[1])
    result = body.result
    if not (isinstance(result, Apply) and result.op.name == "tuple"):
        return {}
    finder = _Finder(loop, body)
    found: dict[int, Node] = {}
    for position, (node, parameter) in enumerate(zip(result.inputs, finder.carried, strict=True)):
        if node is parameter and node.type is not TOKEN:
            found[position] = finder.emit.integer(0)
        elif node.type is INT64:
            step = finder.step(node, _Scope({}))
            if step is not None and step[0] == position:
                found[position] = step[1]
    return found


class _Finder:
    """The search in one loop's body."""

    def __init__(self, loop: Apply, body: Function) -> None:
        self.emit = AdjointEmit()
        count = len(loop.inputs) - 2
        self.carried = body.parameters[len(body.parameters) - count :]
        self.position = {p: i for i, p in enumerate(self.carried)}
        first = len(body.parameters) - count - (loop.op.name == "for_loop")
        self.captured = frozenset(body.parameters[:first])
        self.holds = _conjuncts(loop, self.carried) if loop.op.name == "while_loop" else frozenset()

    def step(self, node: Node, scope: _Scope) -> Found | None:
        """`node` as a carried value and what is added to it: sums, inner loops and branches that are always taken are
        followed to where they come from."""
        total: Node = self.emit.integer(0)
        while True:
            node, scope = self._outermost(node, scope)
            if isinstance(node, Parameter):
                position = self.position.get(node)
                return None if position is None else (position, total)
            before: tuple[Node, Node, _Scope] | None = None
            if isinstance(node, Apply) and node.op.name in ("add", "subtract"):
                before = self._sum(node, scope, total)
            elif isinstance(node, Apply) and node.op.name == "item":
                before = self._item(node, scope, total)
            if before is None:
                return None
            node, total, scope = before

    def _outermost(self, node: Node, scope: _Scope) -> tuple[Node, _Scope]:
        """Through captures, to where a value comes from."""
        while scope.outer is not None and node in scope.captures:
            node, scope = scope.captures[node], scope.outer
        return node, scope

    def _sum(self, node: Apply, scope: _Scope, total: Node) -> tuple[Node, Node, _Scope] | None:
        a, b = node.inputs
        added = self._invariant(b, scope)
        if added is not None:
            return a, self._combine(node.op.name, total, added), scope
        added = self._invariant(a, scope)
        if added is None or node.op.name == "subtract":
            return None
        return b, self._combine("add", total, added), scope

    def _invariant(self, node: Node, scope: _Scope) -> Node | None:
        node, _ = self._outermost(node, scope)
        return node if isinstance(node, Constant) or node in self.captured else None

    def _combine(self, name: str, a: Node, b: Node) -> Node:
        if isinstance(a, Constant) and isinstance(b, Constant):
            sums = {"add": a.value + b.value, "subtract": a.value - b.value, "multiply": a.value * b.value}
            return self.emit.integer(int(sums[name]))
        if name == "add" and isinstance(a, Constant) and a.value == 0:
            return b
        return self.emit.op(name, a, b)

    def _item(self, node: Apply, scope: _Scope, total: Node) -> tuple[Node, Node, _Scope] | None:
        """A component of what an inner loop of fixed length gives, or a branch that is always taken."""
        source = node.inputs[0]
        if not isinstance(source, Apply) or source.op.name not in ("cond", "for_loop"):
            return None
        closure = source.inputs[1]
        if not (isinstance(closure, Apply) and closure.op.name == "closure"):
            return None
        function: Function = closure["function"]
        inside = _Scope(dict(zip(function.parameters, closure.inputs, strict=False)), scope)
        if source.op.name == "for_loop":
            return self._inner_loop(source, node["index"], scope, inside, total)
        result = function.result
        if scope.outer is None and source.inputs[0] in self.holds and isinstance(result, Apply):
            return (result.inputs[node["index"]], total, inside) if result.op.name == "tuple" else None
        return None

    def _inner_loop(self, loop: Apply, index: int, scope: _Scope, inside: _Scope,
                    total: Node) -> tuple[Node, Node, _Scope] | None:  # fmt: skip
        count, step = self._invariant(loop.inputs[0], scope), inductions(loop).get(index)
        step = None if step is None else self._invariant(step, inside)
        if count is None or step is None:
            return None
        times = self._combine("multiply", self._count(count), step)
        return loop.inputs[2 + index], self._combine("add", total, times), scope

    def _count(self, count: Node) -> Node:
        if isinstance(count, Constant):
            return self.emit.integer(max(int(count.value), 0))
        return self.emit.op("maximum", count, self.emit.integer(0))


def _conjuncts(loop: Apply, carried: tuple[Parameter, ...]) -> frozenset[Node]:
    """What holds when the body begins: the parts of the loop's condition, where that captures nothing."""
    condition = function_of(loop.inputs[0])
    if len(condition.parameters) != len(carried):
        return frozenset()
    found: set[Node] = set()
    waiting = substitute([condition.result], dict(zip(condition.parameters, carried, strict=True)))
    while waiting:
        node = waiting.pop()
        found.add(node)
        if isinstance(node, Apply) and node.op.name == "logical_and":
            waiting.extend(node.inputs)
    return frozenset(found)
