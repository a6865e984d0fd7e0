"""Graphs as text that reads back (`text_read.read`).

    program   = union* function*                                      callers first
    union     = "union" name ("tangent of" name)? "=" type ("|" type)*
    function  = "@" name "(" ("%" name ":" type ",")* ")" "->" type ":" line* "  return" value
    line      = "  %" number "=" operation value, ... attributes? ":" type     ["# " file:line ...]
    attribute = name "=" value, in braces after the operands
    value     = "%" name | number ":" dtype | true | false
    type      = f64 | f64[n,3] | (type, ...) | list type | union name | fn @name/captured | token

Values are numbered in order of appearance and names carry no addresses, so two dumps differ where the graphs differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from arignote.ir.graph import Apply, Constant, Function, Node, functions_below, nodes_of
from arignote.ir.structure import ArrayOf, FormattedOf, NumpyScalarOf, PythonScalarOf, Structure
from arignote.ir.types import (
    SHORT,
    Array,
    Closure,
    List,
    Scalar,
    Tuple,
    Type,
    Union,
    UnionDefinition,
    definitions_in,
    show_dim,
)

INDENT = "  "
_ODD = re.compile(r"[^A-Za-z0-9_.<>'/\-]")
_ODD_IN_UNIONS = re.compile(r"[^A-Za-z0-9_.<>]|^(?=[^A-Za-z_])")


def show(root: Function, spans: bool = False) -> str:
    """The function and all that it reaches."""
    functions = functions_below(root)
    names = Names(functions)
    unions = [_union(definition, names) for definition in definitions_in(_types(functions))]
    return "\n".join([*unions, *[_function(f, names, spans) for f in functions]])


def show_function(function: Function, spans: bool = False) -> str:
    """One function without those that it calls."""
    return _function(function, Names([function]), spans)


def _types(functions: list[Function]) -> Iterator[Type]:
    """The types that functions mention, but for scalars and arrays."""
    for function in functions:
        for node in (*function.parameters, *nodes_of(function)):
            if not isinstance(node.type, Scalar | Array):
                yield node.type
                if isinstance(node, Apply):
                    yield from (value for _, value in node.attributes if isinstance(value, Type))
        yield function.result_type


def _union(definition: UnionDefinition, names: Names) -> str:
    tangent = "" if definition.primal is None else f" tangent of {names.union(definition.primal)}"
    alternatives = " | ".join(show_type(type_, names) for type_ in definition.alternatives)
    return f"union {names.union(definition)}{tangent} = {alternatives}\n"


class Names:
    """Unique names of functions and unions: a second function of a name becomes `name.2`."""

    def __init__(self, functions: Iterable[Function]) -> None:
        self.taken: set[str] = set()
        self.functions: dict[Function, str] = {}
        self.taken_by_unions: set[str] = set()
        self.unions: dict[UnionDefinition, str] = {}
        for function in functions:
            self.of(function)

    def of(self, function: Function) -> str:
        name = self.functions.get(function)
        if name is None:
            name = self.functions[function] = _unique(_ODD.sub("_", function.name) or "_", self.taken)
        return name

    def union(self, definition: UnionDefinition) -> str:
        name = self.unions.get(definition)
        if name is None:
            plain = _ODD_IN_UNIONS.sub("_", definition.name) or "_"
            name = self.unions[definition] = _unique(plain, self.taken_by_unions)
        return name


def _unique(name: str, taken: set[str]) -> str:
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}.{count}"
    taken.add(found)
    return found


def _function(function: Function, names: Names, spans: bool) -> str:
    values: dict[Node, str] = {}
    taken: set[str] = set()
    for parameter in function.parameters:
        name = _ODD.sub("_", parameter.name) or "_"
        values[parameter] = "%" + _unique(f"_{name}" if name.isdigit() else name, taken)
    parameters = ", ".join(f"{values[p]}: {show_type(p.type, names)}" for p in function.parameters)
    lines = [f"@{names.of(function)}({parameters}) -> {show_type(function.result_type, names)}:"]
    number = 0
    for node in nodes_of(function):
        if isinstance(node, Apply):
            values[node] = f"%{number}"
            number += 1
            lines.append(INDENT + _line(node, values, names) + (_comment(function, node) if spans else ""))
        elif node not in values:
            values[node] = _constant(node) if isinstance(node, Constant) else f"{node!r}:foreign"
    lines.append(f"{INDENT}return {values[function.result]}")
    return "\n".join(lines) + "\n"


def _line(node: Apply, values: dict[Node, str], names: Names) -> str:
    operands = ", ".join(values[x] for x in node.inputs)
    attributes = ", ".join(f"{key}={show_attribute(key, value, names)}" for key, value in node.attributes)
    parts = [f"{values[node]} = {node.op.name}", operands, f"{{{attributes}}}" if attributes else ""]
    return " ".join(filter(None, parts)) + f" : {show_type(node.type, names)}"


def _comment(function: Function, node: Node) -> str:
    places = sorted({(span.file, span.line) for span in function.spans.get(node, ())})
    return "  # " + ", ".join(f"{file}:{line}" for file, line in places) if places else ""


def _constant(node: Constant) -> str:
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    value: Any = node.value
    return f"{value!r}:{node.type!r}"


def show_type(type_: Type, names: Names) -> str:
    if isinstance(type_, Closure):
        return f"fn @{names.of(type_.function)}/{type_.captured}"
    if isinstance(type_, Tuple):
        inner = ", ".join(show_type(item, names) for item in type_.items)
        return f"({inner},)" if len(type_.items) == 1 else f"({inner})"
    if isinstance(type_, List):
        return f"list {show_type(type_.element, names)}"
    if isinstance(type_, Union):
        return f"union {names.union(type_.definition)}"
    return repr(type_)


def show_attribute(key: str, value: Any, names: Names) -> str:
    if isinstance(value, Function):
        return f"@{names.of(value)}"
    if isinstance(value, Type):
        return show_type(value, names)
    if isinstance(value, type):
        return value.__name__ if value.__module__ == "builtins" else f"{value.__module__}.{value.__qualname__}"
    if key == "dims":
        return f"[{','.join(map(show_dim, value))}]"
    if key == "dim":
        return show_dim(value)
    if key == "dtype":
        return SHORT[value]
    if isinstance(value, tuple):
        inner = ", ".join(_piece(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _piece(item: Any) -> str:
    """A structure in a template, such as `numpy(f64)`: how the next operand is written out."""
    if not isinstance(item, Structure):
        return repr(item)
    if isinstance(item, PythonScalarOf):
        return f"python({SHORT[item.dtype]})"
    if isinstance(item, FormattedOf):
        return f"format({SHORT[item.dtype]}, {item.specification!r})"
    if isinstance(item, NumpyScalarOf):
        return f"numpy({SHORT[item.dtype]})"
    assert isinstance(item, ArrayOf), item
    return f"array({Array(item.dtype, item.dims)!r})"
