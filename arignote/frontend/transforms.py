"""Derivatives inside compiled code: `ag.grad(f)(x)` and its relatives.

The function is specialised like any other; the transform that was injected makes of it a function that returns its
value and a closure, the backpropagator; calling that with the cotangent 1 gives the gradient. So a gradient is
ordinary graph code, and can be differentiated again.

The gradient has the structure of the argument. Leaves of a tree that carry no derivative (integers, truth values)
become None in it; an argument without any float leaf is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend.coercion import coerce
from arignote.frontend.given_tangents import cotangent_leaves, fitted
from arignote.frontend.gradients import gradients_of, zero_tangent
from arignote.frontend.instances import Instance, operands, result_roots, specialise_apply, take_result
from arignote.frontend.join import widen
from arignote.frontend.random_words import random_words
from arignote.frontend.scope import HOOKS
from arignote.frontend.spec import Flat, Rebuilder, Spec, flatten, leaf_types, rebuild, show_spec
from arignote.frontend.values import (
    ArrayValue,
    NodeValue,
    ScalarValue,
    Static,
    TransformValue,
    TupleValue,
    Value,
)
from arignote.ir.errors import DifferentiationError, UnsupportedSyntaxError
from arignote.ir.graph import Node
from arignote.ir.types import is_differentiable, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

CUSTOM = ("custom_vjp", "custom_jvp")
"""Functions with derivative rules of their own."""

NO_FLOAT = "there is no derivative with respect to "


def call_transformed(
    context: Context, transform: tuple[Any, ...], arguments: list[Value], keywords: dict[str, Value]
) -> Value:
    """Call an object that says of itself what it is: ("jit", f), ("grad", f, argnums, has_aux) ..."""
    kind = transform[0]
    if kind in CUSTOM:
        custom = transform[1]
        value = TransformValue(kind, context.lift(custom.fun), (custom.nondiff_argnums,),
                               tuple(map(context.lift, custom.rules)))  # fmt: skip
        return HOOKS["custom"](context, value, arguments, keywords)
    function = context.lift(transform[1])
    if kind in ("grad", "value_and_grad"):
        given = transform[2:]
        argnums, has_aux = (*given, *(0, False)[len(given) :])
        return _gradient(context, kind, function, argnums, has_aux, arguments, keywords)
    if kind == "vjp":
        return _vjp(context, function, arguments)
    if kind == "vmap":
        return HOOKS["vmap"](context, function, transform[2:], arguments, keywords)
    return context.call(function, arguments, keywords)


def call_maker(context: Context, kind: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """Call ag.jit, ag.grad ... inside compiled code."""
    if kind == "stop_gradient":
        return stop_gradient(context, arguments[0])
    if kind == "vjp":
        return _vjp(context, arguments[0], arguments[1:])
    if kind == "jit":
        return arguments[0]
    if kind in CUSTOM:
        return _custom(context, kind, arguments, keywords)
    if kind == "vmap":
        return HOOKS["make_vmap"](context, arguments, keywords)
    if kind == "random_words":
        return random_words(context, arguments)
    if kind == "jvp":
        given = dict(zip(("fun", "primals", "tangents"), arguments)) | keywords
        return HOOKS["jvp"](context, given["fun"], given["primals"], given["tangents"])
    if kind in ("grad", "value_and_grad"):
        given = dict(zip(("argnums", "has_aux"), arguments[1:])) | keywords
        argnums = context.static(given.get("argnums", Static(0)), "argnums")
        has_aux = bool(context.static(given.get("has_aux", Static(False)), "has_aux"))
        argnums = tuple(argnums) if isinstance(argnums, list) else argnums
        return TransformValue(kind, arguments[0], (argnums, has_aux))
    context.error(f"{kind} cannot be used inside compiled code", UnsupportedSyntaxError)


def _custom(context: Context, kind: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """ag.custom_vjp(f) or ag.custom_jvp(f) inside compiled code; the rules come later."""
    given = dict(zip(("fun", "nondiff_argnums"), arguments)) | keywords
    numbers = context.static(given.get("nondiff_argnums", Static(())), "nondiff_argnums")
    return TransformValue(kind, given["fun"], ((numbers,) if isinstance(numbers, int) else tuple(numbers),))


def give_rules(context: Context, value: TransformValue, rules: Sequence[Value]) -> Value:
    """f.defvjp(fwd, bwd) or f.defjvp(rule) inside compiled code: the name f stands for the function with its rules."""
    names = [variable for variable in context.frame.variables.values() if variable.state is value]
    count = 2 if value.kind == "custom_vjp" else 1
    if len(rules) != count or value.parts or not names:
        wanted = "defvjp(fwd, bwd)" if count == 2 else "defjvp(rule)"
        context.error(f"rules are given once, right after the definition, as in f.{wanted}", DifferentiationError)
    for variable in names:
        context.set(variable, TransformValue(value.kind, value.function, value.options, tuple(rules)))
    return rules[0] if count == 1 else Static(None)


def call_transform(
    context: Context, value: TransformValue, arguments: list[Value], keywords: dict[str, Value]
) -> Value:
    """Call a transformed function that was made inside compiled code."""
    if value.kind in CUSTOM:
        return HOOKS["custom"](context, value, arguments, keywords)
    if value.kind == "pullback":
        return _pull_back(context, value, arguments)
    if value.kind == "vmap":
        return HOOKS["vmap"](context, value.function, value.options, arguments, keywords)
    if value.kind == "partial":
        first = len(value.parts) - len(value.options)
        named = dict(zip(value.options, value.parts[first:]))
        return context.call(value.function, [*value.parts[:first], *arguments], {**named, **keywords})
    return _gradient(context, value.kind, value.function, *value.options, arguments, keywords)


def _gradient(
    context: Context,
    kind: str,
    function: Value,
    argnums: Any,
    has_aux: bool,
    arguments: list[Value],
    keywords: dict[str, Value],
) -> Value:
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    places = [_place(context, number, len(arguments)) for number in numbers]
    widened = [at_run_time(context, a) if n in places else a for n, a in enumerate(arguments)]
    distinct = sorted(set(places))  # the order in which a backpropagator gives cotangents
    forward = _Forward(context, function, widened, keywords, distinct)
    value, aux = _split(context, forward, has_aux)
    seeds = _seeds(context, forward, value, has_aux)
    by_place = dict(zip(distinct, forward.gradients(seeds), strict=True))
    gradients = [by_place[place] for place in places]
    gradient = gradients[0] if isinstance(argnums, int) else TupleValue(tuple(gradients))
    if kind == "grad":
        return TupleValue((gradient, aux)) if has_aux else gradient
    return TupleValue((forward.value, gradient))


def _place(context: Context, number: int, count: int) -> int:
    if not -count <= number < count:
        context.error(
            f"argnums names argument {number}, but there are {count} positional arguments", DifferentiationError
        )
    return number % count


def at_run_time(context: Context, value: Value) -> Value:
    """The argument with its static numbers made run-time ones, which can be differentiated by."""
    flat = flatten(context, value)
    spec = widen(flat.spec)
    if spec == flat.spec:
        return value
    wide = coerce(context, flat, spec)
    return rebuild(spec, wide.nodes, context.scope, wide.roots)


def _split(context: Context, forward: _Forward, has_aux: bool) -> tuple[Value, Value]:
    """The value to differentiate, and what comes beside it."""
    value = forward.value
    if not has_aux:
        return value, Static(None)
    if not isinstance(value, TupleValue) or len(value.items) != 2:
        context.error(f"with has_aux the function must return a pair, got {context.show(value)}", DifferentiationError)
    return value.items[0], value.items[1]


def _seeds(context: Context, forward: _Forward, value: Value, has_aux: bool) -> list[Node | None]:
    """The cotangents of the leaves of the result: 1 for the value, nothing for the rest."""
    scalar = isinstance(value, ScalarValue) or isinstance(value, ArrayValue) and not value.dims
    if isinstance(value, Static) and type(value.object) is float:
        return [None] * len(forward.result_types)
    if not scalar or not is_float(value.dtype):  # type: ignore[attr-defined]
        what = "array of " if isinstance(value, ArrayValue) else ""
        context.error(
            f"the gradient needs a scalar function, one that returns one float, but {forward.instance.name} returns "
            f"{context.show(value)}",
            DifferentiationError,
            "reduce the result, as with np.sum" if what else "return a float",
        )
    one = context.scope.emit.constant(1, value.dtype)  # type: ignore[attr-defined]
    return [one, *[None] * (len(forward.result_types) - 1)]


class _Forward:
    """A call of the forward function: its value, and what is needed to pull cotangents back."""

    def __init__(
        self,
        context: Context,
        function: Value,
        arguments: Sequence[Value],
        keywords: dict[str, Value],
        places: Sequence[int],
    ) -> None:
        self.context = context
        instance, flat, _ = specialise_apply(context, function, arguments, keywords)
        if instance is None or instance.function is None or instance.running:
            context.error(
                "the derivative of a function that writes into its argument, or of one inside itself, is not supported",
                DifferentiationError,
                "work on a copy: x = x.copy()",
            )
        self.instance: Instance = instance
        self.specs: list[Spec] = [flat.spec[2][1][2][place] for place in places]
        self.primals: list[Node] = []
        self.wrt = self._chosen(flat, places)
        self._call(flat)

    def _chosen(self, flat: Flat, places: Sequence[int]) -> list[int]:
        """The parameters to differentiate by, as positions among the leaves."""
        before = len(leaf_types(flat.spec[2][0]))
        starts = []
        for spec in flat.spec[2][1][2]:
            starts.append(before)
            before += len(leaf_types(spec))
        chosen: list[int] = []
        for place, spec in zip(places, self.specs):
            self.primals += flat.nodes[starts[place] : starts[place] + len(leaf_types(spec))]
            found = [starts[place] + n for n, type_ in enumerate(leaf_types(spec)) if is_differentiable(type_)]
            if not found:
                self._refuse(spec)
            chosen += found
        return chosen

    def _refuse(self, spec: Spec) -> None:
        shown = show_spec(spec)
        hint = f"pass a float, such as {shown}.0" if shown.isdigit() else "pass a float, or an array of floats"
        self.context.error(f"{NO_FLOAT}{shown}: it holds no float", DifferentiationError, hint)

    def _call(self, flat: Flat) -> None:
        context, instance = self.context, self.instance
        assert instance.function is not None
        emit, scope = context.scope.emit, context.scope
        nodes = operands(context, instance, flat)
        first = 1 if instance.effects else 0
        wrt = (False,) * first + tuple(n in set(self.wrt) for n in range(len(nodes) - first))
        key = instance.function, wrt
        forward = context.program.derivatives.get(key)
        if forward is None:
            forward = context.program.derivatives[key] = context.program.transforms.vjp(instance.function, wrt)
        pair = emit.call(forward, *nodes)
        self.closure = emit.item(pair, 1)
        self.result_types = [] if instance.result is None else leaf_types(instance.result)
        self.leaves = take_result(context, instance, emit.item(pair, 0))
        self.value = rebuild(instance.result, self.leaves, scope, result_roots(instance, flat))

    def gradients(self, seeds: Sequence[Node | None]) -> list[Value]:
        """The gradient of each chosen argument for these cotangents of the result's leaves."""
        cotangents = pull_back(self.context, self.closure, self.leaves, seeds, len(self.wrt), self.instance.effects)
        return gradients_of(self.context, self.specs, cotangents, self.primals)


def pull_back(
    context: Context, closure: Node, leaves: Sequence[Node], seeds: Sequence[Node | None], count: int, effects: bool
) -> list[Node]:
    """Call a backpropagator: cotangents of the leaves (None: zero) to cotangents of the chosen parameters."""
    emit = context.scope.emit
    unit = emit.tuple(())
    given: list[Node] = [unit] if effects else []  # of the token
    for leaf, seed in zip(leaves, seeds):
        if not is_differentiable(leaf.type):
            given.append(unit)
        else:
            given.append(zero_tangent(context, leaf) if seed is None else seed)
    result = emit.op("call", closure, emit.tuple(given))
    return [emit.item(result, n) for n in range(count)]


# Pullbacks


def _vjp(context: Context, function: Value, primals: Sequence[Value]) -> Value:
    """(value, pullback) at these arguments, all of them differentiated by."""
    widened = [at_run_time(context, primal) for primal in primals]
    forward = _Forward(context, function, widened, {}, range(len(primals)))
    flat = flatten(context, forward.value)
    nodes = [forward.closure, *flat.nodes, *forward.primals]
    parts = tuple([NodeValue(node, context.scope) for node in nodes])
    options = (forward.instance.result, tuple(forward.specs), len(forward.wrt), forward.instance.effects)
    return TupleValue((forward.value, TransformValue("pullback", Static(None), options, parts)))


def _pull_back(context: Context, value: TransformValue, arguments: list[Value]) -> Value:
    """pullback(cotangent) -> one cotangent for each primal."""
    result, specs, count, effects = value.options
    if len(arguments) != 1:
        context.error(f"a pullback takes one argument, got {len(arguments)}")
    closure, *nodes = [context.scope.bring(part.node, part.scope) for part in value.parts]  # type: ignore[attr-defined]
    leaves, primals = nodes[: len(leaf_types(result))], nodes[len(leaf_types(result)) :]
    given = cotangent_leaves(context, result, arguments[0], like=leaves)
    seeds = [None if seed is None else fitted(context, seed, leaf) for leaf, seed in zip(leaves, given)]
    cotangents = pull_back(context, closure, leaves, seeds, count, effects)
    return TupleValue(tuple(gradients_of(context, specs, cotangents, primals)))


def stop_gradient(context: Context, value: Value) -> Value:
    """The value, taken as a constant by every derivative."""
    flat = flatten(context, value)
    nodes = [context.emit("stop_gradient", node) if is_differentiable(node.type) else node for node in flat.nodes]
    return Rebuilder(nodes, context.scope, flat.roots).take(flat.spec)
