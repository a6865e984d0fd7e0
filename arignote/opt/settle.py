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
    """The program without custom rules and checkpoints."""
    if not any(isinstance(node, Apply) and node.op.name in CLOSURES
               for function in functions_below(root) for node in nodes_of(function)):  # fmt: skip
        return root
    return rebuild(root, _body)


def _body(translation: Translation, old: Function, new: Function) -> tuple[Node, dict[Node, frozenset[Span]]]:
    builder = Rewriter({})
    mapping: dict[Node, Node] = dict(zip(old.parameters, new.parameters))
    for node in nodes_of(old):
        if isinstance(node, Apply):
            builder.span = old.spans.get(node, NOWHERE)
            inputs = tuple([mapping[x] for x in node.inputs])
            skip = CLOSURES.get(node.op.name)
            if skip is None:
                mapping[node] = builder.build(node.op, inputs, translation.attributes(node.attributes))
            else:
                mapping[node] = builder.op("call", inputs[0], *inputs[skip:])
        elif node not in mapping:
            mapping[node] = node
    return mapping[old.result], builder.spans
