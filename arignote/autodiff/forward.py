"""Forward mode: `jvp(f, active)` also computes the tangent of f's result from tangents of its parameters.

Values and tangents are computed side by side: a loop carries both, a call returns both. Tangents are symbolic, like the
cotangents of reverse mode: a zero costs nothing until it must be passed on.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from arignote.autodiff import custom, forward_control, forward_data
from arignote.autodiff.activity import Flags, differentiable, result_activity
from arignote.autodiff.cotangent import spread, whole
from arignote.autodiff.tangent import AUGMENTED, STRUCTURAL, Pushforward
from arignote.ir.graph import Function

AUGMENTED.update(forward_control.PUSHFORWARDS | custom.CUSTOM_PUSHFORWARDS)
STRUCTURAL.update(forward_data.PUSHFORWARDS | custom.PUSHFORWARDS)

_made: WeakKeyDictionary[Function, dict[Flags, Function]] = WeakKeyDictionary()


def jvp(function: Function, active: tuple[bool, ...]) -> Function:
    """(*parameters, *tangents of those marked active) -> (result, tangent of the result). Made once for each mask."""
    known = _made.setdefault(function, {})
    found = known.get(active)
    if found is None:
        found = known[active] = _make(function, active)
    return found


def _make(function: Function, active: Flags) -> Function:
    flags = tuple(flag and differentiable(p.type) for p, flag in zip(function.parameters, active, strict=True))
    push = Pushforward(function, flags, result_activity(function, flags))
    tangents = [push.tangent_parameter(i) for i, flag in enumerate(active) if flag]
    for parameter, tangent in zip(
        (p for p, f in zip(function.parameters, active, strict=True) if f), tangents, strict=True
    ):
        push.tangents[parameter] = spread(push.emit, tangent)
    push.run()
    value = push.result
    result = push.emit.tuple([value, whole(push.emit, push.tangents.get(function.result), value)])
    return push.finish(Function(f"{function.name}_jvp", ()), [*push.parameters, *tangents], result)
