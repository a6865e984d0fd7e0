"""Which values carry derivatives: from the inputs (activity), and on to the result (demand).

A `Mask` says it part by part: a bool for a scalar, array, list or union; a tuple of masks for a tuple (one per item)
and for a closure (one per capture). Both analyses follow the same edges, `differentiable_operands`, so a value that is
active and demanded lies on a path of derivatives from an input to the result; only such values get cotangents.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from arignote.ir.graph import Apply, Function, Node, nodes_of, topological
from arignote.ir.records import dataclass, field
from arignote.ir.types import Array, Closure, Scalar, Tuple, Type, is_differentiable, is_float
from arignote.ops.derivative import Linear, Partials, Zero

Mask = bool | tuple["Mask", ...]
Flags = tuple[bool, ...]

LOOPS = ("for_loop", "while_loop")
CALLS = ("call", "checkpoint")


def differentiable(type_: Type) -> bool:
    """Whether any part of a value of this type carries a derivative."""
    if isinstance(type_, Scalar | Array):
        return is_float(type_.dtype)
    return is_differentiable(type_)


def parts_of(type_: Type) -> tuple[Type, ...] | None:
    """The types of the parts that a mask tells apart; None where it is one bool."""
    if isinstance(type_, Tuple):
        return type_.items
    return type_.capture_types if isinstance(type_, Closure) else None


def full(type_: Type) -> Mask:
    """All parts that can carry a derivative."""
    parts = parts_of(type_)
    return differentiable(type_) if parts is None else tuple(map(full, parts))


def empty(type_: Type) -> Mask:
    parts = parts_of(type_)
    return False if parts is None else tuple(map(empty, parts))


def some(mask: Mask) -> bool:
    return any(map(some, mask)) if isinstance(mask, tuple) else mask


def union(a: Mask, b: Mask) -> Mask:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return tuple(map(union, a, b))
    return a or b


def meet(a: Mask, b: Mask) -> Mask:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return tuple(map(meet, a, b))
    return a and b


def chosen(type_: Type, flag: bool) -> Mask:
    return full(type_) if flag else empty(type_)


@dataclass(slots=True)
class _Known:
    """What has been found out about one function; None while it is being found out (recursion)."""

    activity: dict[Flags, dict[Node, Mask] | None] = field(default_factory=dict)
    demand: dict[tuple[Flags, Mask], dict[Node, Mask] | None] = field(default_factory=dict)


_known: WeakKeyDictionary[Function, _Known] = WeakKeyDictionary()


def _known_of(function: Function) -> _Known:
    found = _known.get(function)
    if found is None:
        found = _known[function] = _Known()
    return found


def differentiable_operands(node: Apply) -> tuple[int, ...]:
    """Positions of the operands that the derivative of a plain operation may depend on linearly."""
    derivative = node.op.derivative
    if isinstance(derivative, Zero):
        return ()
    positions: tuple[int, ...] = tuple(range(len(node.inputs)))
    if isinstance(derivative, Partials):
        positions = tuple(i for i in positions if derivative.of[i] is not None)
    elif isinstance(derivative, Linear) and derivative.linear is not None:
        positions = derivative.linear
    return tuple(i for i in positions if differentiable(node.inputs[i].type))


# activity ----------------------------------------------------------------------------------------------------------


def activity(function: Function, wrt: Flags) -> dict[Node, Mask]:
    """The active parts of every node that has any, when the parameters marked in `wrt` vary."""
    known = _known_of(function).activity
    found = known.get(wrt)
    if found is None:
        known[wrt] = None
        found = {p: full(p.type) for p, flag in zip(function.parameters, wrt, strict=True)
                 if flag and differentiable(p.type)}  # fmt: skip
        for node in nodes_of(function):
            if isinstance(node, Apply) and any(x in found for x in node.inputs):
                mask = _active_parts(node, found)
                if some(mask):
                    found[node] = mask
        known[wrt] = found
    return found


def result_activity(function: Function, wrt: Flags) -> Mask:
    """The active parts of a function's result."""
    if not any(wrt):
        return empty(function.result_type)
    if _known_of(function).activity.get(wrt, ()) is None:
        return full(function.result_type)
    return activity(function, wrt).get(function.result, empty(function.result_type))


def operand_flags(node: Node, active: dict[Node, Mask]) -> Flags:
    """Which captures of a closure operand are active."""
    assert isinstance(node.type, Closure)
    if isinstance(node, Apply) and node.op.name == "closure":
        return tuple(x in active for x in node.inputs)
    mask = active.get(node, empty(node.type))
    if isinstance(mask, tuple):
        return tuple(map(some, mask))
    return tuple(mask and differentiable(t) for t in node.type.capture_types)


def _active_parts(node: Apply, active: dict[Node, Mask]) -> Mask:
    name = node.op.name
    if name in ("tuple", "closure"):
        return tuple(active.get(x, empty(x.type)) for x in node.inputs)
    if name in ("item", "captured"):
        mask = active[node.inputs[0]]
        return mask[node["index"]] if isinstance(mask, tuple) else full(node.type)
    if name in CALLS:
        flags = operand_flags(node.inputs[0], active) + tuple(x in active for x in node.inputs[1:])
        return result_activity(_function_of(node.inputs[0]), flags)
    if name == "cond":
        then, otherwise = (result_activity(_function_of(x), operand_flags(x, active)) for x in node.inputs[1:])
        return union(then, otherwise)
    if name in LOOPS:
        _, carried = loop_activity(node, active)
        return tuple(chosen(x.type, flag) for x, flag in zip(node.inputs[2:], carried, strict=True))
    if any(node.inputs[i] in active for i in differentiable_operands(node)):
        return full(node.type)
    return empty(node.type)


def loop_activity(node: Apply, active: dict[Node, Mask]) -> tuple[Flags, Flags]:
    """Which captures of a loop's body and which carried values are active."""
    body = node.inputs[1]
    captured = operand_flags(body, active)
    carried = tuple(x in active for x in node.inputs[2:])
    while True:
        mask = result_activity(_function_of(body), body_flags(node, captured, carried))
        assert isinstance(mask, tuple)
        grown = tuple(a or some(b) for a, b in zip(carried, mask, strict=True))
        if grown == carried:
            return captured, carried
        carried = grown


def body_flags(node: Apply, captured: Flags, carried: Flags) -> Flags:
    """Flags of all parameters of a loop's body."""
    return captured + (False,) * (node.op.name == "for_loop") + carried


def _function_of(closure: Node) -> Function:
    assert isinstance(closure.type, Closure)
    return closure.type.function


# demand ------------------------------------------------------------------------------------------------------------


def demand(function: Function, wrt: Flags, want: Mask) -> dict[Node, Mask]:
    """The parts of every node that lie on a path from the parameters in `wrt` to the parts `want` of the result."""
    known = _known_of(function).demand
    found = known.get((wrt, want))
    if found is None:
        known[wrt, want] = None
        active = activity(function, wrt)
        found = _Demand(active).run(function, want)
        known[wrt, want] = found
    return found


def parameter_demand(function: Function, wrt: Flags, want: Mask) -> Flags:
    """Which of the parameters in `wrt` the parts `want` of the result depend on."""
    if not any(wrt) or not some(want):
        return (False,) * len(wrt)
    if _known_of(function).demand.get((wrt, want), ()) is None:
        return wrt
    found = demand(function, wrt, want)
    return tuple(p in found for p in function.parameters)


class _Demand:
    """The backward walk of one function."""

    def __init__(self, active: dict[Node, Mask]) -> None:
        self.active = active
        self.found: dict[Node, Mask] = {}

    def run(self, function: Function, want: Mask) -> dict[Node, Mask]:
        self.add(function.result, want)
        for node in reversed(topological([function.result])):
            if isinstance(node, Apply) and node in self.found:
                self.spread(node, self.found[node])
        return self.found

    def add(self, node: Node, mask: Mask) -> None:
        """Demand parts of a node, those that are active."""
        active = self.active.get(node)
        if active is None:
            return
        mask = meet(mask, active)
        known = self.found.get(node)
        mask = mask if known is None else union(mask, known)
        if some(mask):
            self.found[node] = mask

    def add_flagged(self, nodes: tuple[Node, ...], flags: Flags) -> None:
        for node, flag in zip(nodes, flags, strict=True):
            if flag:
                self.add(node, full(node.type))

    def add_captures(self, closure: Node, flags: Flags) -> None:
        if isinstance(closure, Apply) and closure.op.name == "closure":
            self.add_flagged(closure.inputs, flags)
        elif any(flags):
            self.add(closure, tuple(map(chosen, parts_of(closure.type) or (), flags)))

    def spread(self, node: Apply, mask: Mask) -> None:
        name = node.op.name
        if name in ("tuple", "closure") and isinstance(mask, tuple):
            for x, part in zip(node.inputs, mask, strict=True):
                self.add(x, part)
        elif name in ("item", "captured"):
            parts = parts_of(node.inputs[0].type) or ()
            self.add(node.inputs[0], tuple(mask if i == node["index"] else empty(t) for i, t in enumerate(parts)))
        elif name in CALLS:
            flags = call_demand(node, self.active, mask)
            captured = len(flags) - len(node.inputs) + 1
            self.add_captures(node.inputs[0], flags[:captured])
            self.add_flagged(node.inputs[1:], flags[captured:])
        elif name == "cond":
            for branch in node.inputs[1:]:
                self.add_captures(branch, branch_demand(branch, self.active, mask))
        elif name in LOOPS:
            captures, carried = loop_demand(node, self.active, mask)
            self.add_captures(node.inputs[1], captures)
            self.add_flagged(node.inputs[2:], carried)
        else:
            for position in differentiable_operands(node):
                self.add(node.inputs[position], full(node.inputs[position].type))


def call_demand(node: Apply, active: dict[Node, Mask], mask: Mask) -> Flags:
    """Which parameters of the callee (captures first) need cotangents."""
    flags = operand_flags(node.inputs[0], active) + tuple(x in active for x in node.inputs[1:])
    callee = _function_of(node.inputs[0])
    return parameter_demand(callee, flags, meet(mask, result_activity(callee, flags)))


def branch_demand(branch: Node, active: dict[Node, Mask], mask: Mask) -> Flags:
    """Which captures of a branch need cotangents."""
    flags, function = operand_flags(branch, active), _function_of(branch)
    return parameter_demand(function, flags, meet(mask, result_activity(function, flags)))


def loop_demand(node: Apply, active: dict[Node, Mask], mask: Mask) -> tuple[Flags, Flags]:
    """Which captures of a loop's body and which carried values need cotangents."""
    assert isinstance(mask, tuple)
    captured, carried_active = loop_activity(node, active)
    function = _function_of(node.inputs[1])
    flags = body_flags(node, captured, carried_active)
    first = len(flags) - len(carried_active)
    carried = tuple(map(some, mask))
    while True:
        demanded = parameter_demand(function, flags, loop_want(node, flags, carried))
        grown = tuple(a or b for a, b in zip(carried, demanded[first:], strict=True))
        if grown == carried:
            return demanded[: len(captured)], carried
        carried = grown


def loop_want(node: Apply, flags: Flags, carried: Flags) -> Mask:
    """The parts of the body's result that are demanded when these carried values are."""
    function = _function_of(node.inputs[1])
    want = tuple(chosen(x.type, flag) for x, flag in zip(node.inputs[2:], carried, strict=True))
    return meet(want, result_activity(function, flags))
