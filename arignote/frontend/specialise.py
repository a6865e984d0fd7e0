"""The front end's face: a Python function and the structures of its arguments to a typed graph."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from arignote.frontend import (  # noqa: F401  they register themselves
    calls,
    custom,
    fence,
    jacobian,
    loop_statements,
    mapping,
    match_statement,
    pullbacks,
    silence,
    statements,
    tangents,
)
from arignote.frontend.assumptions import must_not_assume
from arignote.frontend.context import Context, Raised, StaticRequired, WritesIntoArgument
from arignote.frontend.families import forget
from arignote.frontend.functions import parts_of_function, returned_function
from arignote.frontend.instances import Program, inline
from arignote.frontend.join import is_unreadable, why_unreadable
from arignote.frontend.names import Captured, value_of
from arignote.frontend.scope import Scope
from arignote.frontend.spec import Spec, flatten, leaf_types
from arignote.frontend.structures import structure_of
from arignote.frontend.values import FunctionValue, ScalarValue, Value
from arignote.ir.errors import CompileError, InternalError, TypeInferenceError, UnsupportedSyntaxError
from arignote.ir.graph import Apply, Function, Node, Parameter
from arignote.ir.marks import RECURSION_LIMIT
from arignote.ir.records import dataclass
from arignote.ir.structure import (
    FunctionOf,
    PythonScalarOf,
    StaticOf,
    Structure,
)
from arignote.ir.types import Type

MOST_RESTARTS = 50


class Transforms(Protocol):
    """The program transformations that are injected, so that this stage need not know the others."""

    def jvp(self, function: Function, active: tuple[bool, ...]) -> Function:
        """(*parameters, *tangents of the active ones) -> (result, tangent of the result)."""
        ...

    def vjp(self, function: Function, wrt: tuple[bool, ...]) -> Function:
        """forward(*parameters) -> (result, closure from a cotangent to those of the parameters with wrt True)."""
        ...

    def batch(self, function: Function, masks: tuple[Any, ...], dim: int, whole: tuple[bool, ...]) -> Any:
        """The function of many elements: an object with `function`, the `mask` of what is mapped in its result, and
        `token`, `counted`: whether a token, and the number of elements, come before the parameters. A mask is True or
        False, or the set of the mapped places of a union: (definition, alternative, path in its payload). The items of
        the result that are `whole` are mapped in all of their parts."""
        ...

    def batched_type(self, type_: Type, mask: Any, dim: int) -> Type:
        """The type of many elements, of which what is mapped differs."""
        ...

    def silenced(self, function: Function) -> Function:
        """The function without what it prints."""
        ...

    def tail_calls(self, function: Function) -> None:
        """Redefine a recursive function just defined, and others with it, whose calls are the last thing they do."""
        ...


@dataclass(frozen=True, slots=True)
class Specialised:
    """A program as a graph. The parameters of `main` are the leaves of the arguments, then of the keywords, then of the
    captures; its result is the tuple of a token and the leaves of `result`. What it means depends on the objects that
    were looked at."""

    main: Function
    result: Structure
    captures: tuple[Captured, ...]
    looked_at: tuple[Any, ...] = ()


def specialise(
    function: Callable[..., Any],
    arguments: tuple[Structure, ...],
    keywords: dict[str, Structure],
    transforms: Transforms,
    assumes: bool = False,
) -> Specialised:
    """Specialise a function (or an object that says what it is, see `marks.TRANSFORM_ATTRIBUTE`) for these
    arguments. Whether it may make assumptions on sizes: see `assumptions.py`."""
    forced: set[Any] = set()
    forget()
    attempt: _Main | None = None
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    try:
        for _ in range(MOST_RESTARTS):
            try:
                attempt = _Main(transforms, forced, assumes)
                found = attempt.run(function, arguments, keywords)
                if not must_not_assume(attempt.program, found.main):
                    return found
                assumes = False
            except StaticRequired as error:
                # A captured number must be known: read it now, and guard it.
                if error.origin is None or error.origin in forced:
                    raise
                forced.add(error.origin)
            except CompileError:
                # What is refused may be so for what was assumed.
                if attempt is None or not attempt.program.assumed:
                    raise
                assumes = False
        raise TypeInferenceError("too many captured variables must be known at compile time")
    except (StaticRequired, WritesIntoArgument) as error:
        public = _public(error)
        if isinstance(error, StaticRequired) and attempt is not None:
            public.needs = attempt.arguments_in(error.value)
        raise public.with_traceback(error.__traceback__) from None
    except (CompileError, MemoryError):
        raise
    except Exception as error:
        raise _explained(error, attempt.context if attempt is not None else None) from error
    finally:
        sys.setrecursionlimit(limit)


def _explained(error: Exception, context: Context | None) -> Exception:
    """What users are told of an exception that nobody expected: a bug, or a program too deep for this interpreter; at
    the line where it was met."""
    failure = context.failure if context is not None else None
    is_deep = isinstance(error, RecursionError)  # it may be raised again on the way out
    known = failure is not None and (is_deep or failure[0] is error)
    span, path = failure[1:] if failure is not None and known else (None, [])
    if not is_deep:
        return InternalError(error, span, path)
    return UnsupportedSyntaxError("what stands here is nested too deeply to be compiled", span,
                                  "move inner blocks into functions of their own", path)  # fmt: skip


def _public(error: CompileError) -> CompileError:
    """The same error as one of the classes that users know; the front end's own kinds are refinements of them."""
    kind: type[CompileError] = type(error).__base__  # type: ignore[assignment]
    return kind(error.message, error.span, error.hint, error.calls)


class _Main:
    """One attempt at the whole program."""

    def __init__(self, transforms: Transforms, forced: set[Any], assumes: bool) -> None:
        self.program = Program(transforms, forced=forced, assumes=assumes)
        self.scope = Scope("main")
        self.context = Context(self.program, self.scope)
        self.parameters: list[Parameter] = []
        self.numbers: dict[Node, int | str] = {}

    def run(self, function: Any, arguments: tuple[Structure, ...], keywords: dict[str, Structure]) -> Specialised:
        context, scope = self.context, self.scope
        scope.name = getattr(function, "__name__", "main").replace("<lambda>", "lambda")
        scope.token = scope.entry = scope.emit.op("token")
        target = context.lift(function)
        names = _argument_names(target, len(arguments))
        values = [self._argument(arguments[i], name, i) for i, name in enumerate(names)]
        named = {name: self._argument(structure, name, name) for name, structure in keywords.items()}
        structure, leaves = self._result(target, values, named)
        hidden = [node for found in scope.hidden.values() for node in found[1]]
        main = scope.emit.function(scope.name, [*self.parameters, *hidden], scope.emit.tuple([scope.token, *leaves]))
        captures = [self.program.captures[identity] for identity in scope.hidden]
        looked_at = tuple(self.program.looked_at.values())
        return Specialised(main, structure, (*captures, *self.program.absent.values()), looked_at)

    def _argument(self, structure: Structure, name: str, place: int | str) -> Value:
        def leaf(type_: Any) -> Node:
            self.parameters.append(Parameter(name, type_))
            if isinstance(structure, PythonScalarOf | FunctionOf):
                self.numbers[self.parameters[-1]] = place
            return self.parameters[-1]

        return value_of(self.context, structure, leaf, self.scope, f"the argument '{name}'")

    def arguments_in(self, value: Value | None) -> frozenset[int | str]:
        """The arguments that are Python numbers and that a number is computed from; all of them if that is not known,
        since it was met in a function of its own, such as one that is differentiated."""
        waiting: list[Node] = [value.node] if isinstance(value, ScalarValue) else []
        seen: set[Node] = set()
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += node.inputs if isinstance(node, Apply) else ()
        found = frozenset(self.numbers[node] for node in seen if node in self.numbers)
        return found or frozenset(self.numbers.values())

    def _result(self, target: Value, values: list[Value], named: dict[str, Value]) -> tuple[Structure, list[Node]]:
        context = self.context
        try:
            if isinstance(target, FunctionValue):
                value = inline(context, target, values, named)
            else:
                value = context.call(target, values, named)
        except Raised:
            return StaticOf(None), []
        context.span = context.returned_at
        flat = flatten(context, value, across=True)
        if is_unreadable(flat.spec):
            message, hint = why_unreadable(flat.spec)
            context.unreadable(f"a part of the value returned cannot be used: {message}", hint)
        structure = structure_of(context, flat.spec)
        return structure, list(_leaves(context, flat.spec, iter(flat.nodes)))


def _argument_names(target: Value, count: int) -> list[str]:
    names: list[str] = []
    if isinstance(target, FunctionValue):
        spec = target.definition.arguments
        names = [argument.arg for argument in (*spec.posonlyargs, *spec.args)]
    return [*names, *(f"argument {n}" for n in range(len(names), count))][:count]


def _leaves(context: Context, spec: Spec, nodes: Iterator[Node]) -> Iterator[Node]:
    """The leaves of a result, in the order of those of its structure: numbers known at compile time are among them."""
    if isinstance(spec, StaticOf):
        if type(spec.value) in (bool, int, float):
            yield context.constant(spec.value)
    elif spec[0] in ("tuple", "list", "dict", "record", "union", "choice", "bound", "transform"):
        if spec[0] in ("union", "choice"):
            yield next(nodes)
        for part in spec[2]:
            yield from _leaves(context, part, nodes)
    elif spec[0] == "function":
        held = [list(_leaves(context, part, nodes)) for part in parts_of_function(spec)]
        for place in returned_function(context, spec)[1]:
            yield from held[place]
    else:
        yield from (next(nodes) for _ in leaf_types(spec))
