"""Pullbacks: `value, pullback = ag.vjp(f, *primals)`.

Inside compiled code a pullback is a value like any other. For one that Python gets, the forward half is a program that
also returns what the backpropagator captured, and the backpropagator is a program of its own that takes that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.argnums import Chosen, parameter_names
from arignote.frontend.given_tangents import cotangent_leaves, fitted
from arignote.frontend.gradients import gradients_of
from arignote.frontend.scope import HOOKS
from arignote.frontend.transforms import Forward, has_aux_of, pull_back, split_aux
from arignote.frontend.values import NodeValue, Static, TransformValue, TupleValue, Value
from arignote.ir.graph import Node
from arignote.ir.marks import TRANSFORM_ATTRIBUTE
from arignote.ir.types import Array, Closure, Scalar, Tuple, Type, dims_of, fits

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def vjp(context: Context, function: Value, primals: Sequence[Value], options: dict[str, Value]) -> Value:
    """(value, pullback) at these arguments, all of them differentiated by; with has_aux a third item."""
    has_aux = has_aux_of(context, "vjp", options)
    forward, value, aux = _forward(context, function, primals, has_aux)
    parts = tuple([NodeValue(node, context.scope) for node in (forward.closure, *forward.leaves, *forward.primals)])
    pullback = TransformValue("pullback", Static(None), _settings(forward, has_aux), parts)
    return TupleValue((value, pullback, aux) if has_aux else (value, pullback))


def _forward(context: Context, function: Value, primals: Sequence[Value],
             has_aux: bool) -> tuple[Forward, Value, Value]:  # fmt: skip
    chosen = Chosen(list(primals), {}, [], parameter_names(function))
    forward = Forward(context, function, chosen, range(len(primals)))
    return forward, *split_aux(context, forward.value, has_aux)


def _settings(forward: Forward, has_aux: bool) -> tuple[Any, ...]:
    """What a pullback knows when it is compiled: the specs of the value and of the primals, how many cotangents there
    are, whether the function had effects, and how many leaves its result had."""
    result = forward.instance.result
    own = result[2][0] if has_aux else result
    return own, tuple(forward.specs), len(forward.wrt), forward.instance.effects, len(forward.leaves)


def pullback(context: Context, value: TransformValue, arguments: list[Value]) -> Value:
    """pullback(cotangent) -> one cotangent for each primal."""
    if len(arguments) != 1:
        context.error(f"a pullback takes one argument, got {len(arguments)}")
    closure, *nodes = [context.scope.bring(part.node, part.scope) for part in value.parts]  # type: ignore[attr-defined]
    count = value.options[-1]
    return _pull(context, value.options, closure, nodes[:count], arguments[0], nodes[count:])


def _pull(context: Context, settings: tuple[Any, ...], closure: Node, leaves: Sequence[Node], cotangent: Value,
          primals: Sequence[Node] | None = None) -> Value:  # fmt: skip
    result, specs, count, effects, _ = settings
    given = cotangent_leaves(context, result, cotangent, like=leaves)
    given += [None] * (len(leaves) - len(given))  # what comes beside the value
    seeds = [None if seed is None else fitted(context, seed, leaf) for leaf, seed in zip(leaves, given, strict=True)]
    cotangents = pull_back(context, closure, leaves, seeds, count, effects)
    return TupleValue(tuple(gradients_of(context, specs, cotangents, primals)))


class Plan:
    """A pullback that Python holds, but for what it captured.

    closure: the type of the backpropagator; leaves: those of the value
    """

    def __init__(self, closure: Closure, leaves: list[Type], settings: tuple[Any, ...]) -> None:
        self.closure, self.leaves, self.settings = closure, leaves, settings
        self.transform = ("pull", self)
        setattr(self, TRANSFORM_ATTRIBUTE, self.transform)
        self._lock = threading.Lock()
        self._compiled: Any = None

    def compiled(self, make: Callable[[], Any]) -> Any:
        """The callable (kept, cotangent) -> cotangents, made once."""
        with self._lock:
            if self._compiled is None:
                self._compiled = make()
            return self._compiled


def vjp_kept(context: Context, function: Value, primals: Sequence[Value], has_aux: bool) -> Value:
    """(value, plan, kept, aux); the plan is None where what the backpropagator captured cannot leave compiled code."""
    forward, value, aux = _forward(context, function, primals, has_aux)
    emit = context.scope.emit
    closure = forward.closure.type
    assert isinstance(closure, Closure)
    if not all(map(_is_plain, (closure, *(leaf.type for leaf in (*forward.leaves, *forward.primals))))):
        return TupleValue((value, Static(None), TupleValue(()), aux))
    captures = [emit.op("captured", forward.closure, index=index) for index in range(closure.captured)]
    nodes = [leaf for capture in captures for leaf in _taken_apart(context, capture)]
    plan = Plan(closure, [leaf.type for leaf in forward.leaves], _settings(forward, has_aux))
    sizes = [size for leaf in forward.leaves for size in emit.sizes(leaf)]
    kept = [context.array(n) if isinstance(n.type, Array) else context.scalar(n, False) for n in (*nodes, *sizes)]
    return TupleValue((value, Static(plan), TupleValue(tuple(kept)), aux))


def _is_plain(type_: Type) -> bool:
    """Whether values of this type are numbers, arrays, and tuples of them."""
    if isinstance(type_, Tuple):
        return all(map(_is_plain, type_.items))
    if isinstance(type_, Closure):
        return all(map(_is_plain, type_.capture_types))
    return isinstance(type_, Scalar | Array)


def _taken_apart(context: Context, node: Node) -> list[Node]:
    """The numbers and arrays in a value."""
    emit = context.scope.emit
    if isinstance(node.type, Tuple):
        parts = emit.items(node)
    elif isinstance(node.type, Closure):
        parts = [emit.op("captured", node, index=index) for index in range(node.type.captured)]
    else:
        return [node]
    return [leaf for part in parts for leaf in _taken_apart(context, part)]


def _put_together(context: Context, type_: Type, leaves: Iterator[Node]) -> Node:
    """The inverse of `_taken_apart`."""
    emit = context.scope.emit
    if isinstance(type_, Tuple):
        return emit.tuple([_put_together(context, item, leaves) for item in type_.items])
    if isinstance(type_, Closure):
        return emit.closure(type_.function, [_put_together(context, item, leaves) for item in type_.capture_types])
    return _conformed(context, next(leaves), type_)


def _conformed(context: Context, node: Node, type_: Type) -> Node:
    """What is known of the sizes of an array that Python held meanwhile."""
    if fits(node.type, type_):
        return node
    return context.emit("broadcast_to", node, *context.scope.emit.sizes(node), dims=dims_of(type_))


def pull(context: Context, plan: Plan, kept: Value, cotangent: Value) -> Value:
    """The pullback of a plan."""
    emit = context.scope.emit
    nodes = iter([context.node(item) for item in context.elements(kept)])
    closure = _put_together(context, plan.closure, nodes)
    leaves: list[Node] = []
    for type_ in plan.leaves:
        sizes = [next(nodes) for _ in dims_of(type_)]
        dtype = type_.dtype if isinstance(type_, Scalar | Array) else "float64"
        zero = emit.constant(0, dtype)
        leaves.append(emit.op("broadcast_to", zero, *sizes, dims=dims_of(type_)) if sizes else zero)
    return _pull(context, plan.settings, closure, leaves, cotangent)


HOOKS.update({"vjp": vjp, "vjp_kept": vjp_kept, "pullback": pullback, "pull": pull})

