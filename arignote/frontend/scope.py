"""Scopes: functions of the graph under construction.

Each branch, loop body and specialised function is a `Scope` with its own builder and its own chain of effects. A node
that belongs to an enclosing scope is imported: it becomes a parameter of this scope's function, supplied by the
closure, level by level. So every function is closed from the moment it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, topological
from arignote.ir.types import TOKEN
from arignote.ops.emit import Emit


class Scope:
    """One function of the graph under construction.

    captures: node of the parent scope -> the parameter that stands for it here; `outer` is the inverse
    entry:    the token at the start, a parameter, or None for the main function, which makes its own
    hidden:   what a specialised function reads beside its arguments: key -> value in this scope
    """

    __slots__ = ("emit", "name", "parent", "captures", "outer", "entry", "token", "pinned", "hidden", "depth")

    def __init__(self, name: str, parent: Scope | None = None) -> None:
        self.emit = Emit()
        self.name = name
        self.parent = parent
        self.captures: dict[Node, Parameter] = {}
        self.outer: dict[Node, Node] = {}
        self.entry: Node = Parameter("token", TOKEN)
        self.token: Node = self.entry
        self.pinned: set[Node] = set()
        self.hidden: dict[Any, Any] = {}
        self.depth: int = 0 if parent is None else parent.depth + 1

    @property
    def has_effects(self) -> bool:
        """Whether anything here may print or raise."""
        return self.token is not self.entry

    def bring(self, node: Node, home: Scope) -> Node:
        """The node of the enclosing scope `home` as a node of this scope."""
        if home is self or isinstance(node, Constant):
            return node
        path = [self]
        while path[-1].parent is not home:
            assert path[-1].parent is not None, f"{node!r} of {home.name} is not visible in {self.name}"
            path.append(path[-1].parent)
        for scope in reversed(path):
            known = scope.captures.get(node)
            if known is None:
                known = Parameter(f"c{len(scope.captures)}", node.type)
                scope.capture(node, known)
            node = known
        return node

    def capture(self, node: Node, parameter: Parameter) -> None:
        """Let the parameter stand for a node of the parent scope."""
        self.captures[node] = parameter
        self.outer[parameter] = node

    def outside(self, node: Node) -> Node | None:
        """The parent's node that this node of ours stands for, if it is nothing but that."""
        return node if isinstance(node, Constant) else self.outer.get(node)

    def mark(self) -> tuple[Node, frozenset[Node]]:
        """The present state of effects, to return to."""
        return self.token, frozenset(self.pinned)

    def reset(self, mark: tuple[Node, frozenset[Node]]) -> bool:
        """Forget the effects since the mark; whether there were any."""
        if self.token is mark[0]:
            return False
        self.token, self.pinned = mark[0], set(mark[1])
        return True

    def known_outside(self, node: Apply) -> Node | None:
        """The same node where an enclosing scope has computed and checked it already, brought here."""
        scope, wanted = self, node
        while scope.parent is not None:
            inputs = [scope.outside(operand) for operand in wanted.inputs]
            if None in inputs:
                return None
            scope, wanted = scope.parent, Apply(wanted.op, tuple(inputs), wanted.attributes)  # type: ignore[arg-type]
            if wanted in scope.pinned:
                return self.bring(wanted, scope)
        return None

    def finish(self, parameters: Sequence[Parameter], result: Node) -> tuple[Function, list[Node]]:
        """The closed function: its captures come first. Returns it with the parent's nodes that it captures."""
        order = topological([result])
        reached = set(order)
        used = {node: parameter for node, parameter in self.captures.items() if parameter in reached}
        function = Function(self.name, [*used.values(), *parameters], result)
        spans = self.emit.spans
        function.spans = {node: spans[node] for node in order if node in spans}
        return function, list(used)


Evaluator = Callable[..., Any]
EVALUATORS: dict[type, Evaluator] = {}
"""How each kind of expression is evaluated: (context, node) -> Value. Filled by the modules that know how."""

EXECUTORS: dict[type, Evaluator] = {}
"""How each kind of statement is executed: (context, node) -> None."""


def executes(*kinds: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register how a kind of statement is executed."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        for kind in kinds:
            EXECUTORS[kind] = function
        return function

    return register


HOOKS: dict[str, Evaluator] = {}
"""What lower modules need from higher ones: "call", "iterate", "branch" ..."""
