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

from arignote.frontend.argnums import Chosen, choose
from arignote.frontend.coercion import coerce
from arignote.frontend.gradients import gradient_spec, gradients_of, zero_tangent
from arignote.frontend.instances import Instance, operands, result_roots, specialise_apply, take_result
from arignote.frontend.join import widen
from arignote.frontend.partials import partial_arguments
from arignote.frontend.random_words import random_words
from arignote.frontend.scope import HOOKS
from arignote.frontend.spec import Flat, Rebuilder, Spec, flatten, leaf_types, rebuild, show_spec
from arignote.frontend.trees import mapped
from arignote.frontend.values import (
    ArrayValue,
    ScalarValue,
    Static,
    TransformValue,
    TupleValue,
    Value,
)
from arignote.ir.errors import CompileError, DifferentiationError, UnsupportedSyntaxError
from arignote.ir.graph import Node
from arignote.ir.types import is_differentiable, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

CUSTOM = ("custom_vjp", "custom_jvp")
"""Functions with derivative rules of their own."""

JACOBIANS = ("jacrev", "jacfwd")
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
    if kind == "pull":
        return HOOKS["pull"](context, transform[1], *arguments)
    function = context.lift(transform[1])
    if kind in ("grad", "value_and_grad"):
        given = transform[2:]
        argnums, has_aux = (*given, *(0, False)[len(given) :])
        return _gradient(context, kind, function, argnums, has_aux, arguments, keywords)
    if kind in JACOBIANS:
        return HOOKS["jacobian"](context, kind, function, transform[2:], arguments, keywords)
    if kind == "checkpoint":
        return _checkpoint(context, function, transform[2], arguments, keywords)
    if kind == "vjp":
        return HOOKS["vjp"](context, function, arguments, keywords)
    if kind == "vjp_kept":
        return HOOKS["vjp_kept"](context, function, arguments, transform[2])
    if kind == "vmap":
        return HOOKS["vmap"](context, function, transform[2:], arguments, keywords)
    return context.call(function, arguments, keywords)


def call_maker(context: Context, kind: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """Call ag.jit, ag.grad ... inside compiled code."""
    if kind == "stop_gradient":
        return stop_gradient(context, arguments[0])
    if kind == "vjp":
        return HOOKS["vjp"](context, arguments[0], arguments[1:], keywords)
    if kind == "jit":
        return arguments[0]
    if kind == "silent":
        return TransformValue(kind, arguments[0], ())
    if kind in ("float_leaves", "with_float_leaves"):
        return HOOKS[kind](context, *arguments)
    if kind == "checkpoint":
        loops = dict(zip(("loops",), arguments[1:])) | keywords
        return TransformValue(kind, arguments[0], (bool(context.static(loops.get("loops", Static(True)), "loops")),))
    if kind in CUSTOM:
        return _custom(context, kind, arguments, keywords)
    if kind == "vmap":
        return HOOKS["make_vmap"](context, arguments, keywords)
    if kind == "random_words":
        return random_words(context, arguments)
    if kind == "jvp":
        given = dict(zip(("fun", "primals", "tangents"), arguments)) | keywords
        options = {name: value for name, value in given.items() if name not in ("fun", "primals", "tangents")}
        has_aux = has_aux_of(context, "jvp", options)
        return HOOKS["jvp"](context, given["fun"], given["primals"], given["tangents"], has_aux)
    if kind in ("grad", "value_and_grad", *JACOBIANS):
        given = dict(zip(("argnums", "has_aux"), arguments[1:])) | keywords
        argnums = context.static(given.get("argnums", Static(0)), "argnums")
        has_aux = bool(context.static(given.get("has_aux", Static(False)), "has_aux"))
        argnums = tuple(argnums) if isinstance(argnums, list) else argnums
        if not all(isinstance(x, int | str) for x in (argnums if isinstance(argnums, tuple) else (argnums,))):
            context.error(f"argnums must be numbers or names of arguments, not {argnums!r}", DifferentiationError)
        return TransformValue(kind, arguments[0], (argnums, has_aux))
    context.error(f"{kind} cannot be used inside compiled code", UnsupportedSyntaxError)


def _custom(context: Context, kind: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """ag.custom_vjp(f) or ag.custom_jvp(f) inside compiled code; the rules come later."""
    given = dict(zip(("fun", "nondiff_argnums"), arguments)) | keywords
    numbers = context.static(given.get("nondiff_argnums", Static(())), "nondiff_argnums")
    return TransformValue(kind, given["fun"], ((numbers,) if isinstance(numbers, int) else tuple(numbers),))


def _checkpoint(context: Context, function: Value, loops: bool, arguments: list[Value],
                keywords: dict[str, Value]) -> Value:  # fmt: skip
    """A call whose derivative runs the function again."""
    instance, flat, _ = specialise_apply(context, function, arguments, keywords)
    if instance is None or instance.function is None or instance.dead:
        return context.call(function, arguments, keywords)
    nodes = operands(context, instance, flat)
    emit = context.scope.emit
    result = emit.op("checkpoint", emit.closure(instance.function), *nodes, loops=loops)
    leaves = take_result(context, instance, result)
    return rebuild(instance.result, leaves, context.scope, result_roots(instance, flat))


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
    if value.kind in JACOBIANS:
        return HOOKS["jacobian"](context, value.kind, value.function, value.options, arguments, keywords)
    if value.kind == "silent":
        return HOOKS["silent"](context, value, arguments, keywords)
    if value.kind == "restricted":
        return HOOKS["restricted"](context, value, arguments)
    if value.kind == "checkpoint":
        return _checkpoint(context, value.function, value.options[0], arguments, keywords)
    if value.kind == "pullback":
        return HOOKS["pullback"](context, value, arguments)
    if value.kind == "vmap":
        return HOOKS["vmap"](context, value.function, value.options, arguments, keywords)
    if value.kind == "partial":
        known, named = partial_arguments(value)
        return context.call(value.function, [*known, *arguments], {**named, **keywords})
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
    chosen = choose(context, function, argnums, arguments, keywords)
    distinct = sorted(set(chosen.places))  # the order in which a backpropagator gives cotangents
    forward = Forward(context, function, chosen, distinct)
    value, aux = split_aux(context, forward.value, has_aux)
    seeds = _seeds(context, forward, value, has_aux)
    by_place = dict(zip(distinct, forward.gradients(seeds), strict=True))
    gradients = [by_place[place] for place in chosen.places]
    gradient = TupleValue(tuple(gradients)) if isinstance(argnums, tuple) else gradients[0]
    if kind == "grad":
        return TupleValue((gradient, aux)) if has_aux else gradient
    return TupleValue((forward.value, gradient))


def at_run_time(context: Context, value: Value) -> Value:
    """The argument with its static numbers made run-time ones, which can be differentiated by."""
    flat = flatten(context, value)
    spec = widen(flat.spec)
    if spec == flat.spec:
        return value
    wide = coerce(context, flat, spec)
    return rebuild(spec, wide.nodes, context.scope, wide.roots)


def split_aux(context: Context, value: Value, has_aux: bool) -> tuple[Value, Value]:
    """The value to differentiate, and what comes beside it."""
    if not has_aux:
        return value, Static(None)
    if not isinstance(value, TupleValue) or len(value.items) != 2:
        context.error(f"with has_aux the function must return a pair, got {context.show(value)}", DifferentiationError)
    return value.items[0], value.items[1]


def _seeds(context: Context, forward: Forward, value: Value, has_aux: bool) -> list[Node | None]:
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


def transformable(
    context: Context,
    function: Value,
    arguments: Sequence[Value],
    keywords: dict[str, Value],
    what: str,
    kind: type[CompileError],
) -> tuple[Instance, Flat]:
    """The instance for a call that is transformed, as only what is a function of the graph can be."""
    instance, flat, _ = specialise_apply(context, function, arguments, keywords)
    if instance is None or instance.function is None or instance.running:
        context.span = context.program.inlined.get(flat.spec) or context.span
        message = f"{what} of a function that writes into its argument, or of one inside itself, is not supported"
        context.error(message, kind, "work on a copy: x = x.copy()")
    return instance, flat


class Forward:
    """A call of the forward function: its value, and what is needed to pull cotangents back."""

    def __init__(self, context: Context, function: Value, chosen: Chosen, places: Sequence[int]) -> None:
        self.context, self.chosen = context, chosen
        count = len(chosen.arguments)
        arguments = [at_run_time(context, x) if n in places else x for n, x in enumerate(chosen.arguments)]
        keywords = {name: at_run_time(context, x) if count + n in places else x
                    for n, (name, x) in enumerate(chosen.keywords.items())}  # fmt: skip
        instance, flat = transformable(context, function, arguments, keywords, "the derivative", DifferentiationError)
        self.instance: Instance = instance
        self.primals: list[Node] = []
        self.wrt = self._leaves(flat, places)
        self._call(flat)

    def _leaves(self, flat: Flat, places: Sequence[int]) -> list[int]:
        """The parameters to differentiate by, as positions among the leaves."""
        function, arguments, keywords = flat.spec[2]
        every = (*arguments[2], *keywords[2])
        starts, before = [], len(leaf_types(function))
        for spec in every:
            starts.append(before)
            before += len(leaf_types(spec))
        self.specs: list[Spec] = [every[place] for place in places]
        found: list[int] = []
        for place, spec in zip(places, self.specs):
            here = [starts[place] + n for n, type_ in enumerate(leaf_types(spec)) if is_differentiable(type_)]
            if not any(map(is_differentiable, leaf_types(gradient_spec(spec)))):  # what functions hold does not count
                here = []
            if not here and self.chosen.places:
                self._refuse(place, spec)
            found += here
            self.primals += flat.nodes[starts[place] : starts[place] + len(leaf_types(spec))]
        if not found and places:
            self._refuse(places[0], self.specs[0])
        return found

    def _refuse(self, place: int, spec: Spec) -> None:
        shown = show_spec(spec)
        hint = f"pass a float, such as {shown}.0" if shown.isdigit() else "pass a float, or an array of floats"
        what = self.chosen.shown(place)
        self.context.error(f"{NO_FLOAT}{what}, {shown}: it holds no float", DifferentiationError, hint)

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


def has_aux_of(context: Context, name: str, options: dict[str, Value]) -> bool:
    """The one option of vjp and jvp."""
    unknown = options.keys() - {"has_aux"}
    if unknown:
        context.error(f"{name}() got an unexpected keyword argument '{min(unknown)}'")
    return bool(context.static(options.get("has_aux", Static(False)), "has_aux"))


def stop_gradient(context: Context, value: Value) -> Value:
    """The value, taken as a constant by every derivative."""
    flat = flatten(context, value)

    def constant(node: Node) -> Node:
        return context.emit("stop_gradient", node) if is_differentiable(node.type) else node

    nodes = mapped(context, "constant", flat.spec, iter(flat.nodes), constant)
    return Rebuilder(nodes, context.scope, flat.roots).take(flat.spec)
