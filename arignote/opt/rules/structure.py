"""Tuples, lists, unions, closures, branches, loops of known length, effects that cannot happen."""

from __future__ import annotations

from arignote.ir.graph import Apply, Constant, Node
from arignote.opt.rewrite import Rewriter, Rule


def made_by(node: Node, name: str) -> Apply | None:
    """The node, if it is an application of this operation."""
    return node if isinstance(node, Apply) and node.op.name == name else None


def _item_of_tuple(rewriter: Rewriter, node: Apply) -> Node | None:
    source = made_by(node.inputs[0], "tuple")
    return None if source is None else source.inputs[node["index"]]


def _tuple_of_items(rewriter: Rewriter, node: Apply) -> Node | None:
    first = made_by(node.inputs[0], "item") if node.inputs else None
    if first is None or first.inputs[0].type is not node.type:
        return None
    source = first.inputs[0]
    for position, x in enumerate(node.inputs):
        item = made_by(x, "item")
        if item is None or item.inputs[0] is not source or item["index"] != position:
            return None
    return source


def _captured(rewriter: Rewriter, node: Apply) -> Node | None:
    source = made_by(node.inputs[0], "closure")
    return None if source is None else source.inputs[node["index"]]


def _cond_known(rewriter: Rewriter, node: Apply) -> Node | None:
    condition, then, otherwise = node.inputs
    if not isinstance(condition, Constant):
        return None
    return rewriter.op("call", then if condition.value else otherwise)


def _cond_same(rewriter: Rewriter, node: Apply) -> Node | None:
    return rewriter.op("call", node.inputs[1]) if node.inputs[1] is node.inputs[2] else None


def _cond_not(rewriter: Rewriter, node: Apply) -> Node | None:
    negation = made_by(node.inputs[0], "logical_not")
    return None if negation is None else rewriter.op("cond", negation.inputs[0], node.inputs[2], node.inputs[1])


def _loop_of_known_length(rewriter: Rewriter, node: Apply) -> Node | None:
    count, body, *init = node.inputs
    if not isinstance(count, Constant) or count.value > 1:
        return None
    if count.value == 1:
        return rewriter.op("call", body, rewriter.integer(0), *init)
    return rewriter.tuple(init)


def _pop_of_push(rewriter: Rewriter, node: Apply) -> Node | None:
    push = made_by(node.inputs[0], "list_push")
    return None if push is None else rewriter.tuple(push.inputs)


def _length(rewriter: Rewriter, node: Apply) -> Node | None:
    return None if made_by(node.inputs[0], "list_new") is None else rewriter.integer(0)


def _tag_of_inject(rewriter: Rewriter, node: Apply) -> Node | None:
    source = made_by(node.inputs[0], "inject")
    return None if source is None else rewriter.integer(source["alternative"])


def _project_of_inject(rewriter: Rewriter, node: Apply) -> Node | None:
    source = made_by(node.inputs[0], "inject")
    return source.inputs[0] if source is not None and source["alternative"] == node["alternative"] else None


def _inject_of_project(rewriter: Rewriter, node: Apply) -> Node | None:
    source = made_by(node.inputs[0], "project")
    if source is None or source.inputs[0].type is not node.type or source["alternative"] != node["alternative"]:
        return None
    return source.inputs[0]


def _raise_if_never(rewriter: Rewriter, node: Apply) -> Node | None:
    condition = node.inputs[1]
    return node.inputs[0] if isinstance(condition, Constant) and not condition.value else None


def _after(rewriter: Rewriter, node: Apply) -> Node | None:
    """Only what can fail needs a place in the order of effects, and only its first place."""
    token, *nodes = node.inputs
    before = made_by(token, "after")
    pinned = set(before.inputs[1:]) if before is not None else set()
    kept = [x for x in dict.fromkeys(nodes) if isinstance(x, Apply) and x.can_fail and x not in pinned]
    if len(kept) == len(nodes):
        return None
    return rewriter.op("after", token, *kept) if kept else token


def _ordered(rewriter: Rewriter, node: Apply) -> Node | None:
    return node.inputs[1] if made_by(node.inputs[0], "fork") else None


def _stop_gradient(rewriter: Rewriter, node: Apply) -> Node | None:
    return node.inputs[0]


RULES = (
    Rule("item of a tuple", ("item",), _item_of_tuple, "the definition of item"),
    Rule("tuple of items", ("tuple",), _tuple_of_items, "taken apart and put together again"),
    Rule("captured value", ("captured",), _captured, "the definition of captured"),
    Rule("known branch", ("cond",), _cond_known, "the condition is a constant"),
    Rule("same branch", ("cond",), _cond_same, "both branches are one"),
    Rule("negated branch", ("cond",), _cond_not, "the branches change places"),
    Rule("short loop", ("for_loop",), _loop_of_known_length, "no or one iteration"),
    Rule("pop of push", ("list_pop",), _pop_of_push, "the list before, and what was pushed"),
    Rule("length of nothing", ("list_length",), _length, "a new list is empty"),
    Rule("tag of inject", ("tag",), _tag_of_inject, "the definition of tag"),
    Rule("project of inject", ("project",), _project_of_inject, "the definition of project"),
    Rule("inject of project", ("inject",), _inject_of_project, "taken apart and put together again"),
    Rule("raise never", ("raise_if",), _raise_if_never, "the condition is false"),
    Rule("after nothing", ("after",), _after, "what cannot fail, or was pinned before, needs no pin"),
    Rule("ordered after nothing", ("ordered",), _ordered, "there are no effects to wait for"),
    Rule("stop gradient", ("stop_gradient",), _stop_gradient, "derivatives are taken before the optimiser runs"),
)
