"""Simplification: every rule, everywhere, in one sweep over the program, callees first."""

from __future__ import annotations

from arignote.ir.graph import Apply, Function, Node, Span, TypeRuleError, nodes_of
from arignote.opt import accumulations, distribution, joined, loops, saved
from arignote.opt.inline import INLINE, Inlining
from arignote.opt.program import NOWHERE, Translation, rebuild
from arignote.opt.rewrite import Rewriter, Rule, index_rules, is_on
from arignote.opt.rules import RULES

ALL_RULES: tuple[Rule, ...] = (INLINE, *RULES, *loops.RULES, *accumulations.RULES, *distribution.RULES, saved.RULE,
                               joined.RULE)  # fmt: skip


def simplify(root: Function, rules: tuple[Rule, ...] = ALL_RULES) -> Function:
    """The program in normal form for the rules."""
    inlining = Inlining.of(root)
    index = index_rules(rules)
    on_loops = ((saved.RULE, saved.thinned), (joined.RULE, joined.joined))
    last = [step for rule, step in on_loops if rule in rules and is_on(rule)]

    def body(translation: Translation, old: Function, new: Function) -> tuple[Node, dict[Node, frozenset[Span]]]:
        inlining.origin[new] = old
        if translation.functions.get(old) is new:
            inlining.recursive.add(new)
        # One rewriter for each function: what it learns from the checks of one does not hold in another.
        rewriter, plain = Rewriter(index, inlining), Rewriter({})
        try:
            result = copy(rewriter, translation, old, new)
            for step in last:
                result = step(rewriter, result)
            return result, rewriter.spans
        except TypeRuleError:
            # What became known makes an operation fail for certain; it stays as written, and fails when it runs.
            return copy(plain, translation, old, new), plain.spans

    return rebuild(root, body)


def copy(rewriter: Rewriter, translation: Translation, old: Function, new: Function) -> Node:
    """The body of a function, built anew by the rewriter."""
    mapping: dict[Node, Node] = dict(zip(old.parameters, new.parameters))
    spans = old.spans
    for node in nodes_of(old):
        if isinstance(node, Apply):
            rewriter.span = spans.get(node, NOWHERE)
            attributes = translation.attributes(node.attributes)
            mapping[node] = rewriter.build(node.op, tuple([mapping[x] for x in node.inputs]), attributes)
        elif node not in mapping:
            mapping[node] = node
    rewriter.span = NOWHERE
    return mapping[old.result]
