"""Inlining: a call of a known closure becomes the function's body.

It is what makes a derivative collapse: a backpropagator just built is called on the spot, and what it would have
captured is simply used. A function is inlined where it is small or called from one place only, and never through
recursion.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Function, Node, TypeRuleError, functions_below, nodes_of
from arignote.ir.records import dataclass, field
from arignote.ir.types import Closure
from arignote.opt.program import NOWHERE, size_of
from arignote.opt.rewrite import Rewriter, Rule

SMALL = 60
DEPTH = 40
_RUNNING = {"call": (0,), "cond": (1, 2), "for_loop": (1,), "while_loop": (0, 1)}


@dataclass
class Inlining:
    """What decides about a call, for one pass over a program.

    uses:      from how many places each function of the old program is run
    origin:    the old function of each new one
    recursive: new functions that may reach themselves
    budget:    how many operations may be added by copying functions that are used more than once
    """

    uses: dict[Function, int]
    budget: int
    origin: dict[Function, Function] = field(default_factory=dict)
    recursive: set[Function] = field(default_factory=set)
    size: dict[Function, int] = field(default_factory=dict)
    depth: int = 0

    @classmethod
    def of(cls, root: Function) -> Inlining:
        uses: dict[Function, int] = {}
        total = 0
        for function in functions_below(root):
            for node in nodes_of(function):
                total += 1
                if isinstance(node, Apply):
                    for position in _RUNNING.get(node.op.name, ()):
                        callee = node.inputs[position].type
                        assert isinstance(callee, Closure)
                        uses[callee.function] = uses.get(callee.function, 0) + 1
        return cls(uses, 2000 + 2 * total)

    def wants(self, function: Function) -> bool:
        if function in self.recursive or function.is_opaque or not function.is_defined or self.depth >= DEPTH:
            return False
        if self.uses.get(self.origin.get(function, function), 0) <= 1:
            return True
        size = self.size[function] if function in self.size else self._size(function)
        if size > min(SMALL, self.budget):
            return False
        self.budget -= size
        return True

    def _size(self, function: Function) -> int:
        """With the branches and loop bodies in it, which are written wherever the function is."""
        pending = [function]
        while pending:
            last = pending[-1]
            inner = [callee for node in nodes_of(last) for callee in _written_with(node)]
            missing = [callee for callee in inner if callee not in self.size]
            pending += missing
            if not missing:
                self.size[last] = size_of(last) + sum([self.size[callee] for callee in inner])
                pending.pop()
        return self.size[function]


def _written_with(node: Node) -> list[Function]:
    """The functions whose bodies are written where the node is: branches and bodies of loops."""
    if not isinstance(node, Apply) or node.op.name not in _RUNNING or node.op.name == "call":
        return []
    closures = [node.inputs[place].type for place in _RUNNING[node.op.name]]
    return [closure.function for closure in closures if isinstance(closure, Closure)]


def copy_body(rewriter: Rewriter, function: Function, arguments: tuple[Node, ...]) -> Node:
    """The result of the function for these arguments, built by the rewriter."""
    mapping: dict[Node, Node] = dict(zip(function.parameters, arguments))
    here, spans = rewriter.span, function.spans
    for node in nodes_of(function):
        if isinstance(node, Apply):
            rewriter.span = spans.get(node, here)
            mapping[node] = rewriter.build(node.op, tuple([mapping[x] for x in node.inputs]), node.attributes)
        elif node not in mapping:
            mapping[node] = node
    rewriter.span = here
    return mapping[function.result]


def _inline(rewriter: Rewriter, node: Apply) -> Node | None:
    closure, *arguments = node.inputs
    inlining: Inlining | None = rewriter.inline
    if inlining is None or not isinstance(closure, Apply) or closure.op.name != "closure":
        return None
    function = closure["function"]
    if not inlining.wants(function):
        return None
    here = rewriter.span
    inlining.depth += 1
    try:
        return copy_body(rewriter, function, (*closure.inputs, *arguments))
    except TypeRuleError:
        # With what is known here an operation of the body certainly fails. It stays a call, which fails when it runs.
        return None
    finally:
        inlining.depth -= 1
        rewriter.span = here or NOWHERE


INLINE = Rule("inline", ("call",), _inline, "the definition of a call")
