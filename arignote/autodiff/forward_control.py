"""Forward mode of calls, branches and loops: the same, over functions that take and give tangents too."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from arignote.autodiff.activity import (
    Flags,
    Mask,
    body_flags,
    branch_demand,
    call_demand,
    loop_demand,
    loop_want,
    meet,
    result_activity,
)
from arignote.autodiff.adjoint import fresh
from arignote.autodiff.cotangent import gather, pruned_type, spread, whole
from arignote.autodiff.emit import function_of, widen
from arignote.autodiff.tangent import Pushforward, Tangent
from arignote.ir.graph import Apply, Function, Node, Parameter
from arignote.ir.types import Tuple

_made: WeakKeyDictionary[Function, dict[tuple[Flags, Mask], Function]] = WeakKeyDictionary()


def pushforward(function: Function, wrt: Flags, want: Mask) -> Function:
    """(*parameters, *tangents of those in `wrt`) -> (result, tangents of the parts `want`)."""
    known = _made.setdefault(function, {})
    found = known.get((wrt, want))
    if found is None:
        found = known[wrt, want] = Function(f"{function.name}_pushforward", ())
        found.is_opaque = function.is_opaque
        found.declare(Tuple([function.result_type, pruned_type(function.result_type, want)]))
        try:
            _make(found, function, wrt, want)
        except BaseException:
            del known[wrt, want]
            raise
    return found


def _make(made: Function, function: Function, wrt: Flags, want: Mask) -> None:
    parameters = fresh(function.parameters)
    push = Pushforward(function, wrt, want, parameters)
    tangents = {i: push.tangent_parameter(i) for i, flag in enumerate(wrt) if flag}
    made.parameters = (*parameters, *tangents.values())  # a recursive call needs them
    _start(push, tangents)
    push.run()
    tangent = gather(push.emit, push.tangents.get(function.result), push.result, want)
    push.finish(made, made.parameters, push.emit.tuple([push.result, tangent]))


def _start(push: Pushforward, tangents: dict[int, Parameter]) -> None:
    for index, parameter in tangents.items():
        push.tangents[push.function.parameters[index]] = spread(push.emit, parameter)


def _call(push: Pushforward, node: Apply) -> tuple[Node, Tangent]:
    emit, mask = push.emit, push.demand[node]
    callee, flags = function_of(node.inputs[0]), call_demand(node, push.active, mask)
    want = meet(mask, result_activity(callee, flags))
    captures = push.captures(node.inputs[0])
    tangents = push.capture_tangents(node.inputs[0], flags[: len(captures)])
    tangents += [push.whole(x) for x, flag in zip(node.inputs[1:], flags[len(captures) :], strict=True) if flag]
    arguments = [push.forward[x] for x in node.inputs[1:]]
    closure = emit.closure(pushforward(callee, flags, want))
    pair = emit.apply(node.op, closure, *captures, *arguments, *tangents, **dict(node.attributes))
    return emit.item(pair, 0), spread(emit, emit.item(pair, 1))


def _cond(push: Pushforward, node: Apply) -> tuple[Node, Tangent]:
    emit, mask = push.emit, push.demand[node]
    sides = []
    for branch in node.inputs[1:]:
        flags = branch_demand(branch, push.active, mask)
        captures = [*push.captures(branch), *push.capture_tangents(branch, flags)]
        sides.append(emit.closure(pushforward(function_of(branch), flags, mask), captures))
    pair = emit.op("cond", push.forward[node.inputs[0]], *sides)
    return emit.item(pair, 0), spread(emit, emit.item(pair, 1))


def _loop_body(node: Apply, captures: Flags, carried: Flags) -> Function:
    """(captures, their tangents, [index], carried, their tangents) -> (carried, their tangents)."""
    function = function_of(node.inputs[1])
    wrt = body_flags(node, captures, carried)
    push = Pushforward(function, wrt, loop_want(node, wrt, carried))
    tangents = {i: push.tangent_parameter(i) for i, flag in enumerate(wrt) if flag}
    _start(push, tangents)
    push.run()
    emit, count = push.emit, len(captures)
    values = [emit.item(push.result, j) for j in range(len(carried))]
    parts = push.tangents.get(function.result)
    given: Sequence[Tangent] = parts if isinstance(parts, list) else [None] * len(carried)
    first = len(wrt) - len(carried)
    derived = [emit.conform(whole(emit, given[j], values[j]), tangents[first + j].type)
               for j, flag in enumerate(carried) if flag]  # fmt: skip
    of_captures = [tangents[i] for i in range(count) if captures[i]]
    of_carried = [tangents[i] for i in range(first, len(wrt)) if wrt[i]]
    parameters = [*push.parameters[:count], *of_captures, *push.parameters[count:], *of_carried]
    return push.finish(Function(f"{function.name}_pushforward", ()), parameters, emit.tuple([*values, *derived]))


def _loop(push: Pushforward, node: Apply) -> tuple[Node, Tangent]:
    emit = push.emit
    captures, carried = loop_demand(node, push.active, push.demand[node])
    closure = node.inputs[1]
    body = _loop_body(node, captures, carried)
    given = emit.closure(body, [*push.captures(closure), *push.capture_tangents(closure, captures)])
    tangents = [push.whole(x) for x, flag in zip(node.inputs[2:], carried, strict=True) if flag]
    head = push.forward[node.inputs[0]]
    if node.op.name == "while_loop":
        wide = widen(
            function_of(node.inputs[0]), [x.type for x in body.parameters[len(body.parameters) - len(tangents) :]]
        )
        head = emit.closure(wide, push.captures(node.inputs[0]))
    loop = emit.op(node.op.name, head, given, *(push.forward[x] for x in node.inputs[2:]), *tangents)
    items = emit.items(loop)
    values, derived = items[: len(carried)], iter(items[len(carried) :])
    return emit.tuple(values), [spread(emit, next(derived)) if flag else None for flag in carried]


PUSHFORWARDS = {"call": _call, "checkpoint": _call, "cond": _cond, "for_loop": _loop, "while_loop": _loop}
