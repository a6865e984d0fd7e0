"""What only derivatives need is dropped: derivatives are taken before the optimiser runs.

A call with a rule of its own becomes a call. This is no rewrite that could be switched off: the passes that follow,
and the lowering, know calls only.
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Function, Node, Span, functions_below, nodes_of
from arignote.opt.program import NOWHERE, Translation, rebuild
from arignote.opt.rewrite import Rewriter

CLOSURES = {"custom_vjp_call": 3, "custom_jvp_call": 2, "checkpoint": 1}
"""How many operands come before those of the function."""


def settle(root: Function) -> Function:
    """The program without custom rules and checkpoints. What runs again prints nothing."""
    functions = functions_below(root)
    if any(isinstance(x, Apply) and x.op.name in CLOSURES for function in functions for x in nodes_of(function)):
        root = rebuild(root, _Body({}, False))
        functions = functions_below(root)
    again = [function for function in functions if function.is_opaque]
    if not any(_prints(function) for function in again):
        return root
    return rebuild(root, _Body({function: rebuild(function, _Body({}, True)) for function in again}, False))


def silenced(root: Function) -> Function:
    """The function without what it prints; rules and checkpoints stay."""
    return rebuild(root, _Body({}, True, keeps_rules=True)) if _prints(root) else root


def _prints(root: Function) -> bool:
    return any(isinstance(x, Apply) and x.op.name == "print" for f in functions_below(root) for x in nodes_of(f))


class _Body:
    """Copies functions. silent: what stands for functions that run again; drops: whether prints are left out;
    keeps_rules: whether custom rules and checkpoints stay."""

    def __init__(self, silent: dict[Function, Function], drops: bool, keeps_rules: bool = False) -> None:
        self.silent, self.drops, self.keeps_rules = silent, drops, keeps_rules

    def __call__(self, translation: Translation, old: Function,
                 new: Function) -> tuple[Node, dict[Node, frozenset[Span]]]:  # fmt: skip
        builder = Rewriter({})
        mapping: dict[Node, Node] = dict(zip(old.parameters, new.parameters))
        for node in nodes_of(old):
            if isinstance(node, Apply):
                builder.span = old.spans.get(node, NOWHERE)
                inputs = tuple([mapping[x] for x in node.inputs])
                mapping[node] = self._node(builder, translation, node, inputs)
            elif node not in mapping:
                mapping[node] = node
        return mapping[old.result], builder.spans

    def _node(self, builder: Rewriter, translation: Translation, node: Apply, inputs: tuple[Node, ...]) -> Node:
        skip = CLOSURES.get(node.op.name)
        if skip is not None and not self.keeps_rules:
            return builder.op("call", inputs[0], *inputs[skip:])
        if self.drops and node.op.name == "print":
            return inputs[0]
        if node.op.name == "closure" and node["function"] in self.silent:
            return builder.op("closure", *inputs, function=self.silent[node["function"]])
        return builder.build(node.op, inputs, translation.attributes(node.attributes))
