"""Derivatives of functions that have rules of their own.

Either kind of rule serves both modes. `custom_vjp` gives a forward and a backward function; the backward function is
linear in the cotangent, and transposed (its own pullback) it takes tangents to the tangent of the result. `custom_jvp`
gives a pushforward, linear in the tangents, and transposed that is the pullback. The rules are functions of the graph
like any other, so they are differentiated again for higher orders.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from arignote.autodiff.adjoint import Adjoint, Place, Pullback, first_span
from arignote.autodiff.cotangent import Cotangent, spread, whole
from arignote.autodiff.emit import AdjointEmit, function_of
from arignote.autodiff.tangent import Pushforward, Tangent
from arignote.autodiff.zeros import zero_tangent
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import Apply, Function, Node


def vjp_in_reverse(adjoint: Adjoint, node: Apply) -> tuple[Node, Pullback]:
    """The forward rule takes the function's place; the pullback calls the backward rule."""
    emit = adjoint.emit
    operands = _operands(node, 3, adjoint.function, adjoint.demand)
    forward, backward = (adjoint.forward[x] for x in node.inputs[1:3])
    pair = emit.op("call", forward, *(adjoint.forward[x] for x in node.inputs[3:]))
    result, residual = emit.item(pair, 0), emit.item(pair, 1)

    def pullback(cotangent: Cotangent) -> None:
        given = emit.op("call", backward, residual, whole(emit, cotangent, result), site(emit))
        for index, operand in enumerate(operands):
            adjoint.add_at(Place(operand), spread(emit, emit.item(given, index)))

    return result, pullback


_sites = itertools.count()


def site(emit: AdjointEmit) -> Node:
    """A number for one call of a backward rule: two calls with equal operands that print are two calls."""
    return emit.integer(next(_sites))


def jvp_in_reverse(adjoint: Adjoint, node: Apply) -> tuple[Node, Pullback]:
    """The pushforward is called with zero tangents, and transposed."""
    emit = adjoint.emit
    operands = _operands(node, 2, adjoint.function, adjoint.demand)
    push = function_of(node.inputs[1])
    values = [adjoint.forward[x] for x in node.inputs[2:]]
    wanted = [x in adjoint.demand for x in operands]
    tangents = [zero_tangent(emit, adjoint.forward[x]) for x in operands]
    flags = (False,) * len(values) + tuple(wanted)
    pair, transpose = _transposable(emit, push, flags, [*values, *tangents])
    result = emit.item(pair, 0)

    def pullback(cotangent: Cotangent) -> None:
        seed = emit.tuple([zero_tangent(emit, result), whole(emit, cotangent, result)])
        given = transpose(seed)
        places = [operand for operand, want in zip(operands, wanted, strict=True) if want]
        for index, operand in enumerate(places):
            adjoint.add_at(Place(operand), spread(emit, emit.item(given, index)))

    return result, pullback


def jvp_in_forward(push: Pushforward, node: Apply) -> tuple[Node, Tangent]:
    """The pushforward takes the function's place."""
    emit = push.emit
    operands = _operands(node, 2, push.function, push.demand)
    values = [push.forward[x] for x in node.inputs[2:]]
    pair = emit.op("call", push.forward[node.inputs[1]], *values, *map(push.whole, operands))
    return emit.item(pair, 0), spread(emit, emit.item(pair, 1))


def vjp_in_forward(push: Pushforward, node: Apply) -> tuple[Node, Tangent]:
    """The forward rule takes the function's place; the backward rule, transposed, gives the tangent."""
    emit = push.emit
    operands = _operands(node, 3, push.function, push.demand)
    pair = emit.op("call", push.forward[node.inputs[1]], *(push.forward[x] for x in node.inputs[3:]))
    result, residual = emit.item(pair, 0), emit.item(pair, 1)
    backward = function_of(node.inputs[2])
    zero = zero_tangent(emit, result)
    called, transpose = _transposable(emit, backward, (False, True, False), [residual, zero, site(emit)])
    given = transpose(emit.conform(emit.tuple(map(push.whole, operands)), called.type))
    return result, spread(emit, emit.item(given, 0))


def _ordered_adjoint(adjoint: Adjoint, node: Apply, cotangent: Cotangent) -> None:
    adjoint.add(node.inputs[1], cotangent)


def _ordered_tangent(push: Pushforward, node: Apply) -> Tangent:
    return push.tangents.get(node.inputs[1])


def _operands(node: Apply, first: int, function: Function, demand: Iterable[Node]) -> Sequence[Node]:
    """The operands that the rule is about; the others must not carry a derivative."""
    start = first + node["given"]
    for operand in node.inputs[first:start]:
        if operand in demand:  # type: ignore[operator]
            raise DifferentiationError(
                f"the rule of {node['name']} says nothing about a variable that it captures, or about an argument of "
                "nondiff_argnums, and the derivative with respect to that is asked for",
                first_span(function, node), "pass it as an argument")  # fmt: skip
    return node.inputs[start:]


def _transposable(emit: AdjointEmit, function: Function, flags: tuple[bool, ...],
                  operands: Sequence[Node]) -> tuple[Node, Callable[[Node], Node]]:  # fmt: skip
    """A call of a function that is linear in the operands marked: its result, and its transpose."""
    from arignote.autodiff.reverse import linearised

    forward, backward = linearised(function, flags)
    result, *kept = emit.items(emit.call(forward, *operands))
    return result, lambda cotangent: emit.call(backward, *kept, cotangent)


CUSTOM_ADJOINTS = {"custom_vjp_call": vjp_in_reverse, "custom_jvp_call": jvp_in_reverse}
CUSTOM_PUSHFORWARDS = {"custom_vjp_call": vjp_in_forward, "custom_jvp_call": jvp_in_forward}
PULLBACKS = {"ordered": _ordered_adjoint}
PUSHFORWARDS = {"ordered": _ordered_tangent}
