"""Calls of functions whose derivative the user has given.

Until derivatives have been taken, such a call carries its rule along, as closures; then it is a call of the function
like any other. Of the operands the first `given` (a token, captured values, arguments without derivative) have no
derivative by the rule; the rest are the arguments that it is about.
"""

from __future__ import annotations

from arignote.ir.graph import Node, Operation, TypeRuleError
from arignote.ir.types import TOKEN, Closure, Type, fits
from arignote.ops.derivative import Structural


def _called(callee: Node, arguments: tuple[Node, ...], what: str) -> Type:
    """The result type of a closure that is called with these arguments."""
    if not isinstance(callee.type, Closure):
        raise TypeRuleError(f"{what} is {callee.type!r}, expected a closure")
    wanted = callee.type.argument_types
    if len(wanted) != len(arguments) or not all(fits(x.type, t) for x, t in zip(arguments, wanted, strict=True)):
        raise TypeRuleError(f"{what} takes {wanted!r}, got {tuple(x.type for x in arguments)!r}")
    return callee.type.function.result_type


def _vjp_rule(inputs: tuple[Node, ...], given: int, name: str) -> Type:
    return _called(inputs[0], inputs[3:], "the function")


def _jvp_rule(inputs: tuple[Node, ...], given: int, name: str) -> Type:
    return _called(inputs[0], inputs[2:], "the function")


def _ordered_rule(inputs: tuple[Node, ...]) -> Type:
    if inputs[0].type is not TOKEN:
        raise TypeRuleError(f"expected a token, got {inputs[0].type!r}")
    return inputs[1].type


custom_vjp_call = Operation("custom_vjp_call", _vjp_rule, None, Structural(), can_fail=lambda node: True)
"""custom_vjp_call(primal, forward, backward, *operands; given, name): primal(*operands) -> result;
forward(*operands) -> (result, residual); backward(residual, cotangent of the result, number of the call) ->
cotangents of operands[given:]."""

custom_jvp_call = Operation("custom_jvp_call", _jvp_rule, None, Structural(), can_fail=lambda node: True)
"""custom_jvp_call(primal, pushforward, *operands; given, name): primal(*operands) -> result;
pushforward(*operands, *tangents of operands[given:]) -> (result, tangent of the result)."""

ordered = Operation("ordered", _ordered_rule, lambda token, value: value, Structural(), can_fail=lambda node: True)
"""ordered(token, value): the value, once the effects before the token have happened: those of a backward rule, whose
caller passes no token."""

fork = Operation("fork", lambda inputs: TOKEN, lambda *values: None, Structural())
"""fork(*values): a token that starts a chain of effects of its own, when the values are known."""

FAMILY = (custom_vjp_call, custom_jvp_call, fork, ordered)
