"""Calls of functions with derivative rules of their own (`ag.custom_vjp`, `ag.custom_jvp`).

The function and its rules are interpreted for the types of the call, each in a graph function of its own, and joined in
one operation that the derivatives take apart. All of them have the same parameters: a token, what is captured, the
arguments without derivative; then the leaves of the other arguments.

A rule may call the function that it belongs to, with the same types: that call names the graph functions that are just
being made. What they read beside their arguments is known only when they are finished; so where that changes, they are
made again (`_settle`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from arignote.frontend.custom_results import called, cotangents, fitted_leaves, moving_values, pair, tangents_of
from arignote.frontend.instances import Instance, bind, emit_call, result_roots, specialise_apply
from arignote.frontend.join import is_unreadable, widen
from arignote.frontend.names import captured
from arignote.frontend.scope import HOOKS, Scope
from arignote.frontend.spec import Flat, Rebuilder, Spec, cell_count, flatten, leaf_types, rebuild
from arignote.frontend.transforms import at_run_time
from arignote.frontend.values import FunctionValue, Memory, Static, TransformValue, TupleValue, Value
from arignote.ir.errors import DifferentiationError
from arignote.ir.graph import Function, Node, Parameter, substitute
from arignote.ir.records import dataclass, field
from arignote.ir.types import (
    INT64,
    TOKEN,
    Tuple,
    tangent_type,
)

if TYPE_CHECKING:
    from arignote.frontend.context import Context

MOST_ATTEMPTS = 8


@dataclass(slots=True, eq=False)
class Rules:
    """A function with rules, for one signature.

    spec:   of (function, rules, arguments without derivative, the others)
    primal, first, second: the function; forward and backward, or the pushforward
    hidden: what they read beside their arguments
    effects: whether the function or its forward rule may print or raise
    running, used: being made; and called by its own rules meanwhile
    """

    kind: str
    name: str
    spec: Spec
    nondiff: tuple[int, ...]
    target: Spec
    hidden: list[tuple[Any, Any, str]] = field(default_factory=list)
    effects: bool = False
    running: bool = True
    used: bool = False
    primal: Function = None  # type: ignore[assignment]
    first: Function = None  # type: ignore[assignment]
    second: Function | None = None

    @property
    def given(self) -> int:
        """How many leaves come before those that the rule is about."""
        return sum(len(leaf_types(part)) for part in self.spec[2][:-1])

    @property
    def result_type(self) -> Tuple:
        """What the function returns: a token, if it has effects, and the leaves of its value."""
        return Tuple([*([TOKEN] if self.effects else []), *leaf_types(self.target)])

    @property
    def argument_specs(self) -> tuple[Spec, ...]:
        """Of the arguments that the rule is about."""
        return self.spec[2][-1][2]


def call_custom(context: Context, value: TransformValue, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """Call a function with rules of its own."""
    name = _name(value.function)
    if not value.parts:
        rule = "defvjp(fwd, bwd)" if value.kind == "custom_vjp" else "defjvp(rule)"
        context.error(f"{name} is a {value.kind} function without a rule", DifferentiationError, f"{name}.{rule}")
    arguments = _positional(context, value.function, arguments, keywords)
    program = context.program
    if _mark(value) in program.running and _taken_apart(context, value, arguments)[0] not in program.instances:
        arguments = [at_run_time(context, argument) for argument in arguments]
    instance, flat, whole = specialise_apply(context, value.function, arguments, {})
    if instance is None:
        context.error(f"{name} writes into its argument, so it cannot have a rule", DifferentiationError,
                      "work on a copy: x = x.copy()")  # fmt: skip
    if instance.dead:
        return emit_call(context, instance, flat, whole)
    rules, given = _rules_of(context, value, instance, arguments)
    leaves = _emit(context, rules, given)
    return rebuild(rules.target, leaves, context.scope, _roots(instance, rules, flat))


def _roots(instance: Instance, rules: Rules, flat: Flat) -> list[Any]:
    found = result_roots(instance, flat)
    return found if len(found) == cell_count(rules.target) else [None] * cell_count(rules.target)


def _name(function: Value) -> str:
    if isinstance(function, FunctionValue):
        return function.name
    return getattr(function.object, "__name__", "the function") if isinstance(function, Static) else "the function"


def _mark(value: TransformValue) -> Any:
    """What stands among what is running while the rules of a function are made. A rule that calls its function with
    other numbers known at compile time would lead from one to the next without end: they become run-time ones."""
    function = value.function
    return Rules, function.definition if isinstance(function, FunctionValue) else id(value)


def _positional(context: Context, function: Value, arguments: list[Value], keywords: dict[str, Value]) -> list[Value]:
    """All arguments by position, as rules take them; defaults filled in."""
    if not isinstance(function, FunctionValue):
        if keywords:
            context.error("the arguments of this function with a rule of its own must be positional")
        return arguments
    spec = function.definition.arguments
    bound = bind(context, function, arguments, keywords)
    if spec.kwonlyargs or spec.kwarg is not None:
        context.error(f"{function.name} has a rule of its own, so its parameters must be positional",
                      DifferentiationError)  # fmt: skip
    positional = [bound[a.arg] for a in (*spec.posonlyargs, *spec.args)]
    return positional + (list(context.elements(bound[spec.vararg.arg])) if spec.vararg is not None else [])


def _taken_apart(context: Context, value: TransformValue, arguments: list[Value]) -> tuple[Any, Flat]:
    """The signature of a call, and its operands taken apart."""
    nondiff = _places(context, value, len(arguments))
    without = TupleValue(tuple([arguments[place] for place in nondiff]))
    others = TupleValue(tuple([a for place, a in enumerate(arguments) if place not in nondiff]))
    flat = flatten(context, TupleValue((value.function, *value.parts, without, others)), across=True)
    return (value.kind, nondiff, flat.spec), flat


def _rules_of(context: Context, value: TransformValue, instance: Instance,
              arguments: list[Value]) -> tuple[Rules, Flat]:  # fmt: skip
    """The graph functions for a call of these types, and the call's operands taken apart."""
    key, flat = _taken_apart(context, value, arguments)
    instances = context.program.instances
    found = instances.get(key)
    if found is None:
        found = Rules(value.kind, _name(value.function), flat.spec, key[1], widen(instance.result),
                      effects=instance.effects)  # fmt: skip
        instances[key] = found
        context.program.running.append(_mark(value))
        try:
            _settle(context, found)
        except BaseException:
            instances.pop(key, None)
            raise
        finally:
            context.program.running.pop()
    return found, flat


def _places(context: Context, value: TransformValue, count: int) -> tuple[int, ...]:
    numbers = value.options[0]
    for number in numbers:
        if not -count <= number < count:
            context.error(f"nondiff_argnums names argument {number}, but there are {count}", DifferentiationError)
    return tuple(sorted({number % count for number in numbers}))


def _settle(context: Context, rules: Rules) -> None:
    """Make the functions, again where what they read beside their arguments turns out to be more than was known."""
    instances = context.program.instances
    for _ in range(MOST_ATTEMPTS):
        before = set(instances)
        known = list(rules.hidden), rules.effects
        rules.used = False
        _make(context, rules)
        if known[1] == rules.effects and (not rules.used or known[0] == rules.hidden):
            rules.running = False
            return
        for key in set(instances) - before:
            del instances[key]
    context.error(f"the rules of {rules.name} do not settle")


def _emit(context: Context, rules: Rules, flat: Flat) -> list[Node]:
    """The call; the leaves of its result."""
    scope = context.scope
    emit = scope.emit
    rules.used = rules.used or rules.running
    functions = [f for f in (rules.primal, rules.first, rules.second) if f is not None]
    token = [scope.token] if rules.effects else []
    split = rules.given
    operands = [*token, *flat.nodes[:split], *_hidden_nodes(context, rules), *flat.nodes[split:]]
    call = emit.op(f"{rules.kind}_call", *map(emit.closure, functions), *operands,
                   given=len(operands) - len(flat.nodes) + split, name=rules.name)  # fmt: skip
    if rules.effects:
        scope.token = emit.item(call, 0)
    first = len(token)
    return [emit.item(call, first + index) for index in range(len(leaf_types(rules.target)))]


def _hidden_nodes(context: Context, rules: Rules) -> list[Node]:
    nodes: list[Node] = []
    root = context.scope
    while root.parent is not None:
        root = root.parent
    for container, key, name in rules.hidden:
        captured(context, container, key, name)
        nodes += [context.scope.bring(node, root) for node in root.hidden[id(container), key][1]]
    return nodes


# The functions -------------------------------------------------------------------------------------------------------


class _Body:
    """One function under construction: its scope, and the parameters that stand for the leaves of `spec`."""

    def __init__(self, context: Context, rules: Rules, name: str, spec: Spec) -> None:
        self.context, self.rules = context, rules
        self.scope = Scope(f"{rules.name}_{name}")
        self.spec = spec
        self.leaves = [Parameter(f"p{n}", type_) for n, type_ in enumerate(leaf_types(spec))]

    @contextmanager
    def interpreting(self) -> Iterator[TupleValue]:
        """Within, what is interpreted goes into the function; gives the value of `spec`."""
        context = self.context
        memories = [Memory(f"an argument of {self.rules.name}") for _ in range(cell_count(self.spec))]
        roots: list[Any] = [(frozenset((m,)), frozenset((m,))) for m in memories]
        saved = context.scope, context.frame, context.span
        context.scope = self.scope
        context.journal.open()
        context.calls.append((context.span, self.scope.name))  # type: ignore[arg-type]
        try:
            for container, key, name in self.rules.hidden:
                captured(context, container, key, name)
            yield Rebuilder(self.leaves, self.scope, roots).take(self.spec)  # type: ignore[misc]
        finally:
            context.calls.pop()
            context.journal.close()
            context.scope, context.frame, context.span = saved

    def note_hidden(self) -> None:
        """Add what was read beside the arguments to what all the functions get."""
        known = {(id(container), key) for container, key, _ in self.rules.hidden}
        for identity, found in self.scope.hidden.items():
            if identity not in known:
                self.rules.hidden.append(found[2])

    def hidden_parameters(self) -> list[Parameter]:
        """One for each leaf of what any of the functions reads beside its arguments, in their common order."""
        saved, self.context.scope = self.context.scope, self.scope
        try:
            return [node for node in _hidden_nodes(self.context, self.rules) if isinstance(node, Parameter)]
        finally:
            self.context.scope = saved


def _make(context: Context, rules: Rules) -> None:
    """Interpret the function and its rules once."""
    rules.primal, rules.first = Function(rules.name, ()), Function(f"{rules.name}_rule", ())
    rules.second = Function(f"{rules.name}_backward", ()) if rules.kind == "custom_vjp" else None
    rules.primal.declare(rules.result_type)
    _declare_parameters(context, rules)
    primal = _Body(context, rules, "primal", rules.spec)
    with primal.interpreting() as whole:
        value = context.call(whole.items[0], _call_arguments(rules, whole))
        nodes = fitted_leaves(context, rules, "", value)
    finish = _finish_vjp if rules.kind == "custom_vjp" else _finish_jvp
    others = finish(context, rules)
    for body in (primal, *others):
        body.note_hidden()
    _define(rules.primal, primal, _parameters(primal), _result(primal, nodes))
    with_token = [body for body in (primal, *others) if body.spec is rules.spec]
    rules.effects = rules.effects or any(body.scope.has_effects for body in with_token)
    for define in others.values():
        define()


def _declare_parameters(context: Context, rules: Rules) -> None:
    """The parameters, as far as they are known: the functions may be called while they are made."""
    body = _Body(context, rules, "types", rules.spec)
    with body.interpreting():
        pass
    parameters = tuple(_parameters(body))
    rules.primal.parameters = parameters
    tangents = [Parameter("d", tangent_type(leaf.type)) for leaf in body.leaves[rules.given :]]
    rules.first.parameters = parameters if rules.second is not None else (*parameters, *tangents)


def _parameters(body: _Body) -> list[Parameter]:
    split = body.rules.given
    entry = body.scope.entry
    assert isinstance(entry, Parameter)
    token = [entry] if body.rules.effects else []
    return [*token, *body.leaves[:split], *body.hidden_parameters(), *body.leaves[split:]]


def _define(function: Function, body: _Body, parameters: Sequence[Parameter], result: Node) -> None:
    filled = body.scope.emit.function(function.name, parameters, result)
    function.parameters, function.spans = filled.parameters, filled.spans
    function.define(result)


def _result(body: _Body, nodes: Sequence[Node]) -> Node:
    token = [body.scope.token] if body.rules.effects else []
    return body.scope.emit.tuple([*token, *nodes])


def _call_arguments(rules: Rules, whole: TupleValue) -> list[Value]:
    """The arguments of the function, in their order."""
    without, others = whole.items[-2:]
    assert isinstance(without, TupleValue) and isinstance(others, TupleValue)
    given, rest = iter(without.items), iter(others.items)
    count = len(without.items) + len(others.items)
    return [next(given if place in rules.nondiff else rest) for place in range(count)]


def _finish_vjp(context: Context, rules: Rules) -> dict[_Body, Callable[[], None]]:
    """Interpret the forward and the backward rule."""
    forward = _Body(context, rules, "forward", rules.spec)
    with forward.interpreting() as whole:
        value = called(context, whole.items[1], _call_arguments(rules, whole))
        out, kept = pair(context, rules, "forward rule", "(value, residual)", value)
        nodes = fitted_leaves(context, rules, "forward rule", out)
        residual = flatten(context, kept, across=True)
        if is_unreadable(residual.spec):
            context.error(f"the residual of {rules.name} differs in type from path to path", DifferentiationError)
        sizes = [size for leaf in forward.leaves[rules.given :] for size in context.scope.emit.sizes(leaf)]

    def define_forward() -> None:
        parameters = _parameters(forward)
        outside = forward.leaves[: rules.given]
        emit = forward.scope.emit
        saved = [*outside, *residual.nodes, *forward.hidden_parameters(), *sizes]
        _define(rules.first, forward, parameters, emit.tuple([_result(forward, nodes), emit.tuple(saved)]))

    backward, define_backward = _backward_rule(context, rules, residual.spec, len(sizes))
    return {forward: define_forward, backward: define_backward}


def _backward_rule(context: Context, rules: Rules, kept: Spec, sizes: int) -> tuple[_Body, Callable[[], None]]:
    """Interpret the backward rule. `sizes`: how many sizes of operands are saved beside what the rule keeps."""
    backward = _Body(context, rules, "backward", ("tuple", None, rules.spec[2][:-1]))
    kept_leaves = [Parameter(f"r{n}", type_) for n, type_ in enumerate(leaf_types(kept))]
    shapes = [Parameter("size", INT64) for _ in range(sizes)]
    seed = Parameter("cotangent", tangent_type(rules.result_type))
    with backward.interpreting() as whole:
        parts = context.scope.emit.items(seed)[int(rules.effects) :]
        cotangent = moving_values(context, [rules.target], parts)[0]
        without, saved = whole.items[3], rebuild(kept, kept_leaves, context.scope)
        assert isinstance(without, TupleValue)
        value = called(context, whole.items[2], [*without.items, saved, cotangent])
        found = cotangents(context, rules, value, iter(shapes))
    assert rules.second is not None
    second = rules.second

    def define() -> None:
        emit = backward.scope.emit
        parts = [*backward.leaves, *kept_leaves, *backward.hidden_parameters(), *shapes]
        site = Parameter("site", INT64)
        saved = Parameter("residual", Tuple([part.type for part in parts]))
        # The body was written in terms of separate parameters; they are components of one.
        mapping: dict[Node, Node] = {part: emit.item(saved, index) for index, part in enumerate(parts)}
        token = backward.scope.token
        if backward.scope.has_effects:
            mapping[backward.scope.entry] = emit.op("fork", saved, seed, site)
            found_ = emit.op("ordered", token, emit.tuple(found))
        else:
            found_ = emit.tuple(found)

        def note(old: Node, new: Node) -> None:
            if new is not old and old in emit.spans:
                emit.note(new, emit.spans[old])

        result = substitute([found_], mapping, note)[0]
        _define(second, backward, [saved, seed, site], result)

    return backward, define


def _finish_jvp(context: Context, rules: Rules) -> dict[_Body, Callable[[], None]]:
    """Interpret the pushforward."""
    push = _Body(context, rules, "pushforward", rules.spec)
    tangents = [Parameter("d", tangent_type(leaf.type)) for leaf in push.leaves[rules.given :]]
    with push.interpreting() as whole:
        _, rule, without, others = whole.items
        assert isinstance(without, TupleValue)
        directions = TupleValue(tuple(moving_values(context, rules.argument_specs, tangents)))
        value = called(context, rule, [*without.items, others, directions])
        out, tangent = pair(context, rules, "rule", "(value, tangent)", value)
        nodes = fitted_leaves(context, rules, "rule", out)
        found = tangents_of(context, rules, tangent, nodes)

    def define() -> None:
        emit = push.scope.emit
        unit = [emit.tuple(())] if rules.effects else []
        result = emit.tuple([_result(push, nodes), emit.tuple([*unit, *found])])
        _define(rules.first, push, [*_parameters(push), *tangents], result)

    return {push: define}


HOOKS["custom"] = call_custom
