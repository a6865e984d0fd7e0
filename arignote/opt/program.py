"""Programs: all functions that a root reaches, rebuilt together.

A function's identity is in the types of its closures, so a changed function means changed types in its callers.
Functions are rebuilt callees first; functions that call each other in a circle, together. A function in which nothing
changed stays the same object, so passes that find nothing to do cost little.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arignote.ir.graph import Apply, Attributes, Function, Node, Parameter, Span, nodes_of
from arignote.ir.types import Array, Closure, List, Scalar, Tuple, Type, Union, UnionDefinition, parts

NOWHERE: frozenset[Span] = frozenset()


def closures_in(type_: Type) -> list[Closure]:
    """The closure types in a type, those in the alternatives of its unions included."""
    if isinstance(type_, Scalar | Array):
        return []
    found: list[Closure] = []
    seen, waiting = {type_}, [type_]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, Closure):
            found.append(inner)
            continue
        for part in reversed(parts(inner)):
            if part not in seen:
                seen.add(part)
                waiting.append(part)
    return found


def callees(function: Function) -> list[Function]:
    """The functions that this one names, in its nodes or in their types."""
    types = dict.fromkeys([parameter.type for parameter in function.parameters])
    types.update((node.type, None) for node in nodes_of(function) if type(node.type) not in (Scalar, Array))
    found: dict[Function, None] = {}
    for type_ in types:
        found.update((closure.function, None) for closure in closures_in(type_))
    return list(found)


def components(root: Function) -> list[tuple[list[Function], bool]]:
    """The strongly connected components of the program, callees first, and whether each is recursive (Tarjan's
    algorithm, without recursion)."""
    number: dict[Function, int] = {}
    low: dict[Function, int] = {}
    edges: dict[Function, list[Function]] = {}
    path: list[Function] = []
    on_path: set[Function] = set()
    result: list[tuple[list[Function], bool]] = []
    work: list[tuple[Function, int]] = [(root, 0)]
    while work:
        function, at = work.pop()
        if at == 0:
            number[function] = low[function] = len(number)
            edges[function] = callees(function)
            path.append(function)
            on_path.add(function)
        else:
            low[function] = min(low[function], low[edges[function][at - 1]])
        while at < len(edges[function]):
            callee = edges[function][at]
            at += 1
            if callee not in number:
                work.extend(((function, at), (callee, 0)))
                break
            if callee in on_path:
                low[function] = min(low[function], number[callee])
        else:
            if low[function] == number[function]:
                group = path[path.index(function) :] if path[-1] is not function else [function]
                del path[-len(group) :]
                on_path.difference_update(group)
                result.append((group, len(group) > 1 or function in edges[function]))
    return result


class Translation:
    """From the functions, parameters and types of one program to those of the next."""

    def __init__(self) -> None:
        self.functions: dict[Function, Function] = {}
        self._types: dict[Type, Type] = {}

    def type(self, type_: Type) -> Type:
        if isinstance(type_, Scalar | Array):
            return type_
        known = self._types.get(type_)
        if known is None:
            known = self._types[type_] = self._translate(type_)
        return known

    def _translate(self, type_: Type) -> Type:
        if isinstance(type_, Tuple):
            return Tuple([self.type(item) for item in type_.items])
        if isinstance(type_, List):
            return List(self.type(type_.element))
        if isinstance(type_, Union):
            return self._union(type_)
        return self.closure(type_) if isinstance(type_, Closure) else type_

    def _union(self, type_: Union) -> Type:
        """Unions that hold closures of functions that have changed are defined anew. No tangent holds a closure."""
        if all(self.closure(inner) is inner for inner in closures_in(type_)):
            return type_
        definition = UnionDefinition(type_.definition.name)
        self._types[type_] = Union(definition)
        return definition.define([self.type(inner) for inner in type_.alternatives])

    def closure(self, type_: Closure) -> Type:
        return Closure(self.functions.get(type_.function, type_.function), type_.captured)

    def attributes(self, attributes: Attributes) -> Attributes:
        for _, value in attributes:
            if isinstance(value, Function | Type):
                return tuple([(key, self.value(value)) for key, value in attributes])
        return attributes

    def value(self, value: Any) -> Any:
        if isinstance(value, Function):
            return self.functions.get(value, value)
        return self.type(value) if isinstance(value, Type) else value

    def result_type(self, function: Function) -> Type:
        return self.type(function.result_type)

    def parameters(self, function: Function) -> tuple[Parameter, ...]:
        """The parameters of the new function; those whose types stay are shared."""
        return tuple(map(self.parameter, function.parameters))

    def parameter(self, parameter: Parameter) -> Parameter:
        type_ = self.type(parameter.type)
        return parameter if type_ is parameter.type else Parameter(parameter.name, type_)


Body = Callable[[Translation, Function, Function], tuple[Node, dict[Node, frozenset[Span]]]]
"""(translation, old function, new function) -> the new result, and spans of new nodes. The new function has its name,
parameters and result type already."""


def rebuild(root: Function, body: Body, translation: Translation | None = None) -> Function:
    """The program with the result of every function rebuilt by `body`, callees first."""
    translation = translation or Translation()
    for group, recursive in components(root):
        if recursive:
            for old in group:
                translation.functions[old] = Function(old.name, ())
        for old in group:
            new = translation.functions.get(old) or Function(old.name, ())
            new.is_opaque = old.is_opaque
            new.parameters = translation.parameters(old)
            new.declare(translation.result_type(old))
            if not recursive:
                translation.functions[old] = _rebuilt(translation, old, new, body)
        if recursive:
            for old in group:
                _define(translation, old, translation.functions[old], body)
    return translation.functions[root]


def _rebuilt(translation: Translation, old: Function, new: Function, body: Body) -> Function:
    result, spans = body(translation, old, new)
    if result is old.result and new.parameters == old.parameters:
        return old
    return _finish(new, result, spans)


def _define(translation: Translation, old: Function, new: Function, body: Body) -> None:
    result, spans = body(translation, old, new)
    _finish(new, result, spans)


def _finish(new: Function, result: Node, spans: dict[Node, frozenset[Span]]) -> Function:
    new.define(result)
    if spans:
        new.spans = {node: spans[node] for node in nodes_of(new) if node in spans}
    return new


def size_of(function: Function) -> int:
    """How many operations a function has, not counting those that only arrange values."""
    return sum(1 for node in nodes_of(function) if isinstance(node, Apply) and node.op.name not in _FREE)


_FREE = frozenset({"tuple", "item", "closure", "captured", "size", "token", "tag", "project"})
