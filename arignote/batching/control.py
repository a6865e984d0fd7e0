"""Batching of calls, branches and loops. What decides where control goes must be the same for all elements; a branch
that is not becomes a selection where that is safe (`selection`), and otherwise each element goes its own way."""

from __future__ import annotations

from collections.abc import Sequence

from arignote.batching.convert import components, conform, widen
from arignote.batching.masked import as_while, can_run_together, run_together
from arignote.batching.masks import Mask, some, uniform, union
from arignote.batching.selection import select_branches
from arignote.batching.transform import Batched, Batching, function_of
from arignote.ir.graph import Apply, Node
from arignote.ops.batching import CannotBatch

Stepped = tuple[Node, Mask]

DIFFERENT_COUNTS = "how often a loop runs differs from element to element"


def captures(walk: Batching, closure: Node) -> tuple[list[Node], tuple[Mask, ...]]:
    """The captures of a closure in their batched forms, and their masks."""
    mask = walk.masks[closure]
    return components(walk.emit, walk.values[closure], closure.type, mask), mask


def _call(walk: Batching, node: Apply) -> Stepped:
    values, masks = captures(walk, node.inputs[0])
    values += [walk.values[x] for x in node.inputs[1:]]
    masks += tuple([walk.masks[x] for x in node.inputs[1:]])
    made = walk.batcher.batch(function_of(node.inputs[0]), masks, walk.batch.dim, in_loop=walk.in_loop)
    closure = walk.emit.closure(made.function)
    return walk.emit.apply(node.op, closure, *made.operands(walk.batch, values), **dict(node.attributes)), made.mask


def _closure(walk: Batching, made: Batched, values: Sequence[Node]) -> Node:
    return walk.emit.closure(made.function, made.operands(walk.batch, values))


def _cond(walk: Batching, node: Apply) -> Stepped:
    condition, *branches = node.inputs
    given = [captures(walk, branch) for branch in branches]
    if walk.masks[condition]:
        return select_branches(walk, node, given)
    functions, dim, batch = list(map(function_of, branches)), walk.batch.dim, walk.batcher.batch
    mask: Mask = None
    while True:
        made = [batch(f, masks, dim, mask, walk.in_loop) for f, (_, masks) in zip(functions, given, strict=True)]
        mask = union(made[0].mask, made[1].mask)
        if made[0].mask == mask == made[1].mask:
            break
    sides = [_closure(walk, m, values) for m, (values, _) in zip(made, given, strict=True)]
    return walk.emit.op("cond", walk.values[condition], *sides), mask


def _custom_vjp(walk: Batching, node: Apply) -> Stepped:
    """The function and both parts of its rule, batched. All that the rule is about is mapped, so that cotangents are:
    what is the same for all elements is repeated, and the derivative of that adds up."""
    primal, forward, backward, *operands = node.inputs
    masks = _operand_masks(walk, operands, node["given"])
    full = uniform(node.type, True)
    made, values = _batched_closure(walk, primal, masks, full)
    kept, kept_values = _batched_closure(walk, forward, masks, None)
    residual = None
    while residual != kept.mask[1]:
        residual = kept.mask[1]
        kept, kept_values = _batched_closure(walk, forward, masks, (full, residual))
    function = function_of(backward)
    _, cotangent, *rest = function.parameters[len(walk.masks[backward]) :]
    given = (residual, uniform(cotangent.type, True), *(uniform(p.type, False) for p in rest))
    back, back_values = _batched_closure(walk, backward, given, uniform(function.result_type, True))
    rules = [_closure(walk, *pair) for pair in ((made, values), (kept, kept_values), (back, back_values))]
    return walk.emit.apply(node.op, *rules, *_widened(walk, made, operands, masks), **dict(node.attributes)), full


def _custom_jvp(walk: Batching, node: Apply) -> Stepped:
    primal, pushforward, *operands = node.inputs
    masks = _operand_masks(walk, operands, node["given"])
    full = uniform(node.type, True)
    made, values = _batched_closure(walk, primal, masks, full)
    function = function_of(pushforward)
    tangents = function.parameters[len(walk.masks[pushforward]) + len(operands) :]
    moving = tuple([uniform(p.type, True) for p in tangents])
    push, push_values = _batched_closure(walk, pushforward, masks + moving, uniform(function.result_type, True))
    rules = [_closure(walk, made, values), _closure(walk, push, push_values)]
    return walk.emit.apply(node.op, *rules, *_widened(walk, made, operands, masks), **dict(node.attributes)), full


def _operand_masks(walk: Batching, operands: Sequence[Node], given: int) -> tuple[Mask, ...]:
    before = [walk.masks[x] for x in operands[:given]]
    return (*before, *(uniform(x.type, True) for x in operands[given:]))


def _batched_closure(walk: Batching, closure: Node, masks: tuple[Mask, ...],
                     wanted: Mask) -> tuple[Batched, list[Node]]:  # fmt: skip
    values, flags = captures(walk, closure)
    return walk.batcher.batch(function_of(closure), flags + masks, walk.batch.dim, wanted, walk.in_loop), values


def _widened(walk: Batching, made: Batched, operands: Sequence[Node], masks: tuple[Mask, ...]) -> list[Node]:
    wide = [widen(walk.batch, walk.values[x], x.type, walk.masks[x], m) for x, m in zip(operands, masks, strict=True)]
    return _fitting(walk, wide, made.function.parameters[len(made.function.parameters) - len(wide) :])


# loops -------------------------------------------------------------------------------------------------------------


def _for(walk: Batching, node: Apply) -> Stepped:
    if not walk.masks[node.inputs[0]]:
        return _loop(walk, node, walk.values[node.inputs[0]], 1)
    loop = as_while(walk, node)
    if not can_run_together(loop):
        raise CannotBatch(DIFFERENT_COUNTS)
    result, mask = run_together(walk, loop)
    return walk.emit.tuple(walk.emit.items(result)[1:]), mask[1:]


def _while(walk: Batching, node: Apply) -> Stepped:
    try:
        return _loop(walk, node, None, 0)
    except CannotBatch:
        if can_run_together(node):
            return run_together(walk, node)
        raise


def _loop(walk: Batching, node: Apply, count: Node | None, skip: int) -> Stepped:
    """What is carried is mapped if it is at first, or after some iteration."""
    batch, dim = walk.batcher.batch, walk.batch.dim
    body = function_of(node.inputs[1])
    values, masks = captures(walk, node.inputs[1])
    init = node.inputs[2:]
    types = [p.type for p in body.parameters[len(masks) + skip :]]
    carried: tuple[Mask, ...] = tuple([walk.masks[x] for x in init])
    while True:
        flags = masks + (False,) * skip + carried
        made = batch(body, flags, dim, carried, True)
        if made.mask == carried:
            break
        carried = made.mask
    head = count if count is not None else _condition(walk, node.inputs[0], carried)
    start = [widen(walk.batch, walk.values[x], t, walk.masks[x], m)
             for x, t, m in zip(init, types, carried, strict=True)]  # fmt: skip
    closure = _closure(walk, made, values)
    wanted = made.function.parameters[len(made.function.parameters) - len(start) :]
    start = _fitting(walk, start, wanted)
    return walk.emit.op(node.op.name, head, closure, *start), carried


def _fitting(walk: Batching, values: Sequence[Node], parameters: Sequence[Node]) -> list[Node]:
    return [conform(walk.emit, x, p.type) for x, p in zip(values, parameters, strict=True)]


def _condition(walk: Batching, closure: Node, carried: tuple[Mask, ...]) -> Node:
    """The condition of a while loop, which must be the same for all elements."""
    values, masks = captures(walk, closure)
    flags = masks + carried
    if not any(map(some, flags)):
        return walk.values[closure]
    made = walk.batcher.batch(function_of(closure), flags, walk.batch.dim, in_loop=True)
    if some(made.mask):
        raise CannotBatch(DIFFERENT_COUNTS)
    return _closure(walk, made, values)


STEPS = {
    "call": _call, "checkpoint": _call, "cond": _cond, "for_loop": _for, "while_loop": _while,
    "custom_vjp_call": _custom_vjp, "custom_jvp_call": _custom_jvp,
}  # fmt: skip
