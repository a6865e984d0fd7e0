"""Calls between functions: each is specialised once per signature, in a function of its own.

The signature is the spec of the function value and of its arguments: types of what is known at run time only, values
of what is known now. What the function reads beside its arguments (captured globals) becomes further parameters.

Recursion: a call that meets its own signature in progress waits (`Pending`) until another branch has told the type of
the result; then the body is interpreted again with the type declared. A function that writes into its arguments is
interpreted in place of the call instead, where the memory is the caller's own.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from arignote.frontend.branches import Pending, choose
from arignote.frontend.coercion import coerce
from arignote.frontend.context import Context, Raised, WritesIntoArgument
from arignote.frontend.function_chains import CHAIN_HINT, LONGEST_CHAIN, chain_of, show_chain
from arignote.frontend.join import is_unreadable, join, why_unreadable, widen, widen_changed
from arignote.frontend.names import Captured, captured, describe, readable
from arignote.frontend.scope import HOOKS, Scope
from arignote.frontend.spec import Flat, Rebuilder, Roots, Spec, cell_count, flatten, leaf_types, rebuild
from arignote.frontend.values import (
    DictValue,
    Frame,
    FunctionValue,
    Memory,
    Static,
    TupleValue,
    Unbound,
    Value,
    Variable,
)
from arignote.ir.errors import AliasingError
from arignote.ir.graph import Function, Node, Parameter, Span
from arignote.ir.records import dataclass, field
from arignote.ir.structure import StaticOf
from arignote.ir.types import TOKEN, Tuple

NORMAL, RETURN, BREAK, CONTINUE = 0, 1, 2, 3
"""Where control goes: the states of `frame.flow`."""

DEEPEST_STATIC_RECURSION = 24
"""Beyond this many calls of one function inside each other, numbers known at compile time become run-time arguments."""
DEEPEST_UNDECIDED_RECURSION = 3
"""The same for calls in branches that are taken at run time: no such number is what ends the recursion, then; and each
level may double the program."""
MOST_ATTEMPTS = 12


@dataclass(slots=True, eq=False)
class Instance:
    """A function specialised for one signature. With effects, a token is its first parameter and its first result."""

    name: str
    spec: Spec
    definition: Any = None
    function: Function | None = None
    result: Spec = None
    running: bool = False
    recursive: bool = False
    dead: bool = False
    effects: bool = True
    hidden: list[tuple[Any, Any, str]] = field(default_factory=list)
    sharing: list[frozenset[int] | None] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Program:
    """What is shared by all functions of one specialisation."""

    transforms: Any
    captures: dict[Any, Captured] = field(default_factory=dict)
    absent: dict[Any, Captured] = field(default_factory=dict)
    instances: dict[Any, Instance] = field(default_factory=dict)
    running: list[Any] = field(default_factory=list)
    undecided: list[Any] = field(default_factory=list)
    active: list[Instance] = field(default_factory=list)
    inlined: dict[Any, Span | None] = field(default_factory=dict)
    inlining: list[tuple[Any, Scope]] = field(default_factory=list)
    forced: set[Any] = field(default_factory=set)
    functions: dict[Any, FunctionValue] = field(default_factory=dict)
    derivatives: dict[Any, Function] = field(default_factory=dict)
    made: dict[Any, Function] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    assumes: bool = False
    assumed: set[tuple[Any, Any]] = field(default_factory=set)
    looked_at: dict[int, Any] = field(default_factory=dict)

    def record(self, context: Context, container: Any, key: Any, name: str) -> Captured:
        """Note that the program reads a variable from outside."""
        identity = (id(container), key)
        known = self.captures.get(identity)
        if known is None:
            try:
                thing = container.cell_contents if key is None else container[key]
            except ValueError:
                context.error(f"{name} has no value yet")
            known = self.captures[identity] = Captured(container, key, describe(thing, identity in self.forced))
        return known

    def record_absent(self, container: Any, key: str) -> None:
        """Note that a name is not in a dict of globals, and so is a builtin."""
        self.absent[id(container), key] = Captured(container, key, None)

    def is_deep(self, definition: Any) -> bool:
        """Whether calls of the function stand so deep in each other that nothing known now will end them."""
        calls, undecided = self.running.count(definition), self.undecided.count(definition)
        return calls >= DEEPEST_STATIC_RECURSION or undecided >= DEEPEST_UNDECIDED_RECURSION

    def unique(self, name: str) -> str:
        """A name for a function of the graph that no other has."""
        count = self.names[name] = self.names.get(name, 0) + 1
        return name if count == 1 else f"{name}_{count}"


def call_user(
    context: Context, function: FunctionValue, arguments: Sequence[Value], keywords: dict[str, Value]
) -> Value:
    """Call a user's function."""
    instance, flat, whole = specialise_apply(context, function, arguments, keywords)
    if instance is None:
        return _inline_here(context, function, arguments, keywords, flat.spec)
    return emit_call(context, instance, flat, whole)


def _inline_here(
    context: Context, function: FunctionValue, arguments: Sequence[Value], keywords: dict[str, Value], spec: Spec
) -> Value:
    """Interpret a function that writes into what its caller sees in the caller's place. One that calls itself so under
    conditions that only the run decides would never end."""
    inlining, definition = context.program.inlining, function.definition
    inlining.append((definition, context.scope))
    try:
        if len({scope for known, scope in inlining if known is definition}) > DEEPEST_STATIC_RECURSION:
            write = context.program.inlined[spec]
            place = f" (line {write.line})" if write is not None else ""
            context.error(
                f"{function.name} calls itself as often as only the run decides, and writes into what its caller "
                f"sees{place}",
                AliasingError,
                "let it return what it makes, or write a loop",
            )
        return inline(context, function, arguments, keywords)
    finally:
        inlining.pop()


def specialise_apply(
    context: Context,
    function: Value,
    arguments: Sequence[Value],
    keywords: dict[str, Value],
) -> tuple[Instance | None, Flat, Value]:
    """The instance for this call, or None if it must be interpreted in place; the arguments taken apart."""
    program = context.program
    whole = TupleValue((function, TupleValue(tuple(arguments)), DictValue(keywords.items())))
    flat = flatten(context, whole, across=True)
    definition = function.definition if isinstance(function, FunctionValue) else None
    if definition is not None:
        flat = coerce(context, flat, _widened(context, definition, flat.spec))
    instance = program.instances.get(flat.spec)
    if instance is not None and instance.running:
        if instance.result is None and not instance.dead:
            instance.recursive = True
            raise Pending
        instance.recursive = True
    elif instance is None:
        if flat.spec in program.inlined:
            return None, flat, whole
        if definition is not None and program.is_deep(definition):
            _refuse_growing_function(context, definition.name, flat.spec)
        instance = Instance(program.unique(_name_of(function)), flat.spec, definition)
        program.instances[flat.spec] = instance
        program.running.append(definition)
        program.undecided.append(definition if context.scope.parent is not None else None)
        program.active.append(instance)
        try:
            _run(context, instance, flat)
        except WritesIntoArgument as write:
            if definition is None or program.running.count(definition) > 1:
                raise
            program.inlined[flat.spec] = write.span
            return None, flat, whole
        finally:
            program.running.pop()
            program.undecided.pop()
            program.active.pop()
            if instance.running:
                del program.instances[flat.spec]
    return instance, flat, whole


def _widened(context: Context, definition: Any, spec: Spec) -> Spec:
    """What a call is specialised for. Where a function calls itself under a condition that only the run decides, the
    numbers that change from call to call are run-time numbers: one form serves all depths."""
    program = context.program
    if program.is_deep(definition):
        return widen(spec)
    if context.scope.parent is not None:
        caller = next((i for i in reversed(program.active) if i.definition is definition), None)
        return spec if caller is None else widen_changed(spec, caller.spec)
    return spec


def _refuse_growing_function(context: Context, name: str, spec: Spec) -> None:
    chain = chain_of(spec)
    if len(chain) > LONGEST_CHAIN:
        context.error(f"each call of {name} in itself is given a new function: {show_chain(chain)}", hint=CHAIN_HINT)


def _name_of(function: Value) -> str:
    name = function.name if isinstance(function, FunctionValue) else "apply"
    return "lambda" if name == "<lambda>" else name


def _run(context: Context, instance: Instance, flat: Flat) -> None:
    """Interpret the body until the types of the result and of what is read beside the arguments settle."""
    program = context.program
    instance.running = True
    for _ in range(MOST_ATTEMPTS):
        before = set(program.instances)
        known, hidden = instance.result, list(instance.hidden)
        scope, parameters, result = _attempt(context, instance, flat)
        if not instance.recursive:
            _define(instance, scope, parameters, result)
            instance.running = False
            return
        spec = None if result is None else widen(result.spec)
        if known is not None and spec is not None:
            spec = join(known, spec)
        if spec == known and _same(hidden, instance.hidden) and instance.function is not None:
            if result is not None:
                result = _in_scope(context, scope, result, spec)
            _define(instance, scope, parameters, result)
            program.transforms.tail_calls(instance.function)
            instance.running = False
            return
        instance.result = spec
        instance.dead = spec is None
        for key in set(program.instances) - before:
            del program.instances[key]
    context.error(f"the type of the result of the recursive function {instance.name} does not settle")


def _same(before: list[tuple[Any, Any, str]], after: list[tuple[Any, Any, str]]) -> bool:
    return [(id(c), key) for c, key, _ in before] == [(id(c), key) for c, key, _ in after]


def _in_scope(context: Context, scope: Scope, flat: Flat, spec: Spec) -> Flat:
    outer, context.scope = context.scope, scope
    try:
        return coerce(context, flat, spec)
    finally:
        context.scope = outer


def _attempt(context: Context, instance: Instance, flat: Flat) -> tuple[Scope, list[Parameter], Flat | None]:
    """Interpret the body once, in a scope without parent."""
    scope = Scope(instance.name)
    parameters = [Parameter(f"p{n}", type_) for n, type_ in enumerate(leaf_types(flat.spec))]
    memories = [Memory(f"an argument of {instance.name}") for _ in range(cell_count(flat.spec))]
    roots: list[Roots | None] = [(frozenset((m,)), frozenset((m,))) for m in memories]
    saved = context.scope, context.frame, context.span
    context.scope = scope
    context.journal.open()
    context.calls.append((context.span, _describe(instance, flat)))  # type: ignore[arg-type]
    try:
        for container, key, name in instance.hidden:
            captured(context, container, key, name)
        if instance.recursive:
            _declare(instance, scope, parameters)
        whole = Rebuilder(parameters, scope, roots).take(flat.spec)
        result = flatten(context, _apply(context, whole), across=True)
        if is_unreadable(result.spec):
            message, hint = why_unreadable(result.spec)
            context.unreadable(f"the value returned cannot be used: {message}", hint)
        instance.sharing = [_shared(pair, memories) for pair in result.roots]
    except Raised:
        return scope, parameters, None
    except Pending:
        waiting = [i for i in context.program.active if i.recursive and i.result is None]
        if waiting and waiting[0] is instance:
            return scope, parameters, None  # no branch ends without calling itself: it never returns
        raise
    finally:
        context.calls.pop()
        context.journal.close()
        context.scope, context.frame, context.span = saved
        instance.hidden = [found[2] for found in scope.hidden.values()]
    return scope, parameters, result


def _describe(instance: Instance, flat: Flat) -> str:
    from arignote.frontend.spec import show_spec

    arguments = flat.spec[2][1][2]
    return f"{instance.name}({', '.join(map(show_spec, arguments))})"


def _apply(context: Context, whole: Value) -> Value:
    assert isinstance(whole, TupleValue)
    function, arguments, keywords = whole.items
    assert isinstance(arguments, TupleValue) and isinstance(keywords, DictValue)
    if isinstance(function, FunctionValue):
        return inline(context, function, arguments.items, dict(keywords.state))
    return context.call(function, arguments.items, dict(keywords.state))


def _shared(pair: Roots | None, memories: list[Memory]) -> frozenset[int] | None:
    """Which arguments' cells a cell of the result may share memory with; None: with a captured variable."""
    if pair is None:
        return frozenset()
    if any(m.owner is not None and m not in memories for m in pair[1]):
        return None
    return frozenset(index for index, memory in enumerate(memories) if memory in pair[1])


def _all_parameters(instance: Instance, scope: Scope, parameters: list[Parameter]) -> list[Parameter]:
    hidden = [node for found in scope.hidden.values() for node in found[1]]
    token = [scope.entry] if scope.has_effects or instance.recursive else []
    return [*token, *parameters, *hidden]  # type: ignore[list-item]


def _declare(instance: Instance, scope: Scope, parameters: list[Parameter]) -> None:
    """Make the function before its body is known, so that the body can call it."""
    instance.function = Function(instance.name, _all_parameters(instance, scope, parameters))
    leaves = [] if instance.result is None else leaf_types(instance.result)
    instance.function.declare(Tuple((TOKEN, *leaves)))


def _define(instance: Instance, scope: Scope, parameters: list[Parameter], result: Flat | None) -> None:
    nodes = [] if result is None else result.nodes
    instance.effects = scope.has_effects or instance.recursive
    tuple_ = scope.emit.tuple([scope.token, *nodes] if instance.effects else nodes)
    if instance.function is None or not instance.recursive:
        instance.function = scope.emit.function(instance.name, _all_parameters(instance, scope, parameters), tuple_)
    else:
        filled = scope.emit.function(instance.name, instance.function.parameters, tuple_)
        instance.function.spans = filled.spans
        instance.function.define(tuple_)
    instance.dead = result is None
    instance.result = None if result is None else result.spec


def operands(context: Context, instance: Instance, flat: Flat) -> list[Node]:
    """What a call passes: the token if the function has effects, the arguments, what the function reads beside them."""
    nodes = [context.scope.token] if instance.effects else []
    nodes += flat.nodes
    for container, key, name in instance.hidden:
        captured(context, container, key, name)
        root = context.scope
        while root.parent is not None:
            root = root.parent
        nodes += [context.scope.bring(node, root) for node in root.hidden[id(container), key][1]]
    return nodes


def emit_call(context: Context, instance: Instance, flat: Flat, whole: Value) -> Value:
    """Emit the call; its result as a value."""
    nodes = operands(context, instance, flat)
    assert instance.function is not None
    leaves = take_result(context, instance, context.scope.emit.call(instance.function, *nodes))
    scope = context.scope
    return rebuild(instance.result, leaves, scope, result_roots(instance, flat))


def take_result(context: Context, instance: Instance, result: Node) -> list[Node]:
    """The leaves of what a call gave; its token goes on."""
    scope = context.scope
    first = 0
    if instance.effects:
        scope.token = scope.emit.item(result, 0)
        first = 1
    if instance.dead:
        raise Raised
    return [scope.emit.item(result, first + n) for n in range(len(leaf_types(instance.result)))]


def result_roots(instance: Instance, flat: Flat) -> list[Roots | None]:
    """The memory of the cells of a result at the place of the call."""
    count = cell_count(instance.result)
    if instance.running or len(instance.sharing) != count:
        every = frozenset(m for pair in flat.roots if pair for m in pair[1])
        mine = frozenset((Memory(), *every))
        return [(mine, mine)] * count
    result: list[Roots | None] = []
    for shared in instance.sharing:
        if shared is None:
            memory = frozenset((Memory("a captured variable"),))
            result.append((memory, memory))
        elif shared:
            found = [pair for index in sorted(shared) if (pair := flat.roots[index]) is not None]
            result.append((frozenset().union(*(p[0] for p in found)), frozenset().union(*(p[1] for p in found))))
        else:
            result.append(None)
    return result


def inline(context: Context, function: FunctionValue, arguments: Sequence[Value], keywords: dict[str, Value]) -> Value:
    """Interpret a function's body in the current scope."""
    definition = function.definition
    bound = bind(context, function, arguments, keywords)
    variables = {name: Variable(name, Unbound()) for name in definition.locals}
    for name, value in bound.items():
        variables[name].state = value
        variables[name].places.append((value, definition.node.lineno))
    flow, returned = Variable("flow", Static(NORMAL), True), Variable("returned", Unbound(), True)
    outer, span = context.frame, context.span
    context.frame = Frame(definition, variables, function.env, function.python, flow, returned)
    try:
        context.execute(definition.body)
        return _result(context)
    except Exception as error:
        context.note_failure(error)
        raise
    finally:
        context.frame, context.span = outer, span
        for variable in variables.values():
            variable.closed = True
        if span is not None:
            context.scope.emit.span = frozenset((span,))


def _result(context: Context) -> Value:
    """What the function whose body was interpreted returns."""
    frame = context.frame
    flow = frame.flow.state
    if isinstance(flow, Static):
        if flow.object == RETURN and isinstance(frame.returned.state, Unbound):
            raise Raised  # no `return` was met on the way: every path raises
        return readable(context, frame.returned.state) if flow.object == RETURN else Static(None)
    value = readable(context, frame.returned.state)
    if isinstance(value, Unbound) or isinstance(value, Static) and value.object is None:
        return Static(None)
    if not is_unreadable(join(flatten(context, value).spec, StaticOf(None))):
        ended = context.emit("equal", context.node(flow), context.constant(NORMAL))
        return choose(context, ended, lambda: Static(None), lambda: value)
    lines = sorted({line for _, line in frame.returned.places})
    context.error(
        f"{frame.definition.name} returns {context.show(value)} on line {', '.join(map(str, lines))}, and "
        f"None where "
        "it ends without `return`",
        hint="return a value of the same type on every path",
    )


def bind(
    context: Context, function: FunctionValue, arguments: Sequence[Value], keywords: dict[str, Value]
) -> dict[str, Value]:
    """Parameters' values by name, with Python's rules and messages."""
    spec: ast.arguments = function.definition.arguments
    name = function.name
    positional = [a.arg for a in (*spec.posonlyargs, *spec.args)]
    bound: dict[str, Value] = dict(zip(positional, arguments))
    rest = list(arguments[len(positional) :])
    if spec.vararg is not None:
        bound[spec.vararg.arg] = TupleValue(tuple(rest))
    elif rest:
        context.error(f"{name}() takes {len(positional)} positional arguments but {len(arguments)} were given")
    only = {a.arg for a in spec.posonlyargs}
    accepted = {a.arg for a in (*spec.args, *spec.kwonlyargs)}
    extra: dict[str, Value] = {}
    for key, value in keywords.items():
        if key in accepted:
            if key in bound:
                context.error(f"{name}() got multiple values for argument '{key}'")
            bound[key] = value
        elif spec.kwarg is not None:
            extra[key] = value
        else:
            what = "some positional-only arguments passed as keyword" if key in only else "an unexpected keyword"
            context.error(f"{name}() got {what} argument '{key}'")
    if spec.kwarg is not None:
        bound[spec.kwarg.arg] = DictValue(extra.items())
    defaults = dict(zip(positional[len(positional) - len(function.defaults) :], function.defaults))
    defaults.update(function.keyword_defaults)
    missing = [
        key for key in (*positional, *(a.arg for a in spec.kwonlyargs)) if key not in bound and key not in defaults
    ]
    if missing:
        what = "argument" if len(missing) == 1 else "arguments"
        context.error(f"{name}() missing {len(missing)} required {what}: {', '.join(map(repr, missing))}")
    return {**defaults, **bound}


HOOKS["call_user"] = call_user
