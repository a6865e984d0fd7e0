"""Batching of calls, branches and loops. What decides where control goes must be the same for all elements; a branch
that is not becomes a selection where that is safe (`selection`), and otherwise each element goes its own way."""

from __future__ import annotations

from collections.abc import Sequence

from arignote.batching.convert import components, widen
from arignote.batching.masks import Mask, some, union
from arignote.batching.selection import select_branches
from arignote.batching.transform import Batched, Batching, function_of
from arignote.ir.graph import Apply, Node
from arignote.ops.batching import CannotBatch

Stepped = tuple[Node, Mask]


def captures(walk: Batching, closure: Node) -> tuple[list[Node], tuple[Mask, ...]]:
    """The captures of a closure in their batched forms, and their masks."""
    mask = walk.masks[closure]
    return components(walk.emit, walk.values[closure], closure.type, mask), mask


def _call(walk: Batching, node: Apply) -> Stepped:
    values, masks = captures(walk, node.inputs[0])
    values += [walk.values[x] for x in node.inputs[1:]]
    masks += tuple([walk.masks[x] for x in node.inputs[1:]])
    made = walk.batcher.batch(function_of(node.inputs[0]), masks, walk.batch.dim)
    return walk.emit.call(made.function, *made.operands(walk.batch, values)), made.mask


def _closure(walk: Batching, made: Batched, values: Sequence[Node]) -> Node:
    return walk.emit.closure(made.function, made.operands(walk.batch, values))


def _cond(walk: Batching, node: Apply) -> Stepped:
    condition, *branches = node.inputs
    given = [captures(walk, branch) for branch in branches]
    if walk.masks[condition]:
        return select_branches(walk, node, given)
    functions, dim, batch = list(map(function_of, branches)), walk.batch.dim, walk.batcher.batch
    made = [batch(f, masks, dim) for f, (_, masks) in zip(functions, given, strict=True)]
    mask = union(made[0].mask, made[1].mask)
    made = [batch(f, masks, dim, mask) for f, (_, masks) in zip(functions, given, strict=True)]
    sides = [_closure(walk, m, values) for m, (values, _) in zip(made, given, strict=True)]
    return walk.emit.op("cond", walk.values[condition], *sides), mask


def _custom(walk: Batching, node: Apply) -> Stepped:
    """A function with a rule of the user's own, on its way to be called."""
    raise CannotBatch("a function whose derivative is given by the user")


# loops -------------------------------------------------------------------------------------------------------------


def _for(walk: Batching, node: Apply) -> Stepped:
    if walk.masks[node.inputs[0]]:
        raise CannotBatch("how often a loop runs differs from element to element")
    return _loop(walk, node, walk.values[node.inputs[0]], 1)


def _while(walk: Batching, node: Apply) -> Stepped:
    return _loop(walk, node, None, 0)


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
        made = batch(body, flags, dim)
        grown = union(carried, made.mask)
        if grown == carried:
            break
        carried = grown
    made = batch(body, flags, dim, carried)
    head = count if count is not None else _condition(walk, node.inputs[0], carried)
    start = [widen(walk.batch, walk.values[x], t, walk.masks[x], m)
             for x, t, m in zip(init, types, carried, strict=True)]  # fmt: skip
    closure = _loop_closure(walk, made, values)
    wanted = made.function.parameters[len(made.function.parameters) - len(start) :]
    start = _fitting(walk, start, wanted)
    return walk.emit.op(node.op.name, head, closure, *start), carried


def _fitting(walk: Batching, values: Sequence[Node], parameters: Sequence[Node]) -> list[Node]:
    from arignote.batching.convert import conform

    return [conform(walk.emit, x, p.type) for x, p in zip(values, parameters, strict=True)]


def _loop_closure(walk: Batching, made: Batched, values: Sequence[Node]) -> Node:
    return walk.emit.closure(made.function, made.operands(walk.batch, values))


def _condition(walk: Batching, closure: Node, carried: tuple[Mask, ...]) -> Node:
    """The condition of a while loop, which must be the same for all elements."""
    values, masks = captures(walk, closure)
    flags = masks + carried
    if not any(map(some, flags)):
        return walk.values[closure]
    made = walk.batcher.batch(function_of(closure), flags, walk.batch.dim)
    if some(made.mask):
        raise CannotBatch("how often a loop runs differs from element to element")
    return _loop_closure(walk, made, values)


STEPS = {
    "call": _call, "cond": _cond, "for_loop": _for, "while_loop": _while, "custom_vjp_call": _custom,
    "custom_jvp_call": _custom,
}  # fmt: skip
