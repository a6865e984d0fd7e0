"""Text back to graphs: the inverse of `text.show`. Comments are skipped, so spans do not come back."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from arignote.ir.graph import Apply, Constant, Function, Node, Operation, Parameter, attributes_of
from arignote.ir.structure import ANY, MANY, ArrayOf, FormattedOf, NumpyScalarOf, PythonScalarOf
from arignote.ir.types import (
    BOOL,
    LONG,
    TOKEN,
    Array,
    Closure,
    List,
    Scalar,
    Tuple,
    Type,
    Union,
    UnionDefinition,
    dims_of,
)

_TOKEN = re.compile(
    r"""\s*(?:(?P<comment>\#.*)
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<name>[@%][A-Za-z0-9_.<>'/\-]+)
    | (?P<arrow>->)
    | (?P<number>-?(?:inf|nan|\d[\d.]*(?:e[+-]?\d+)?)\b)
    | (?P<word>[A-Za-z_][A-Za-z0-9_.<>]*)
    | (?P<mark>[\[\](){},:=?/|]))""",
    re.VERBOSE,
)


class TextError(ValueError):
    """The text is not a graph; the message shows the line."""


def read(text: str, operations: Mapping[str, Operation]) -> Function:
    """The first function of the text, with all that it reaches."""
    blocks: list[list[str]] = []
    unions: list[str] = []
    for line in text.splitlines():
        if line.startswith("@"):
            blocks.append([line])
        elif line.startswith("union "):
            unions.append(line)
        elif line.strip() and not line.strip().startswith("#"):
            if not blocks:
                raise TextError(f"a function starts with '@name(': {line}")
            blocks[-1].append(line)
    if not blocks:
        raise TextError("no function")
    names = [block[0].split("(", 1)[0] for block in blocks]
    functions = {name: Function(name[1:], ()) for name in names}
    definitions = _definitions(unions, functions)
    readers = [_FunctionReader(block, functions, definitions, operations) for block in blocks]
    for reader in readers:
        reader.header()
    for reader in readers:
        reader.body()
    return next(iter(functions.values()))


def _definitions(lines: list[str], functions: Mapping[str, Function]) -> dict[str, UnionDefinition]:
    """The unions of the lines that define them, which may mention one another in any order."""
    definitions: dict[str, UnionDefinition] = {}
    readers: dict[str, _Line] = {}
    primals: dict[str, str] = {}
    for text in lines:
        line = _Line(text, functions, definitions)
        line.expect("union")
        name = line.next()
        readers[name] = line
        if line.take("tangent"):
            line.expect("of")
            primals[name] = line.next()
    for name in sorted(readers, key=lambda name: name in primals):
        definitions[name] = UnionDefinition(name, definitions[primals[name]] if name in primals else None)
    for name, line in readers.items():
        line.expect("=")
        alternatives = [line.type()]
        while line.take("|"):
            alternatives.append(line.type())
        definitions[name].define(alternatives)
    return definitions


class _Line:
    """The tokens of one line, read from left to right."""

    def __init__(self, text: str, functions: Mapping[str, Function],
                 definitions: Mapping[str, UnionDefinition]) -> None:  # fmt: skip
        self.text, self.functions, self.definitions = text, functions, definitions
        self.tokens: list[tuple[str, str]] = []
        self.at = position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise TextError(f"unexpected {text[position : position + 10]!r} in: {text}")
            if match.lastgroup != "comment":
                self.tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1] if self.at <= len(self.tokens) else ""

    def take(self, text: str) -> bool:
        if self.peek() == text:
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise TextError(f"expected {text!r}, found {self.peek()!r} in: {self.text}")

    def several(self, read: Callable[[], Any], close: str) -> list[Any]:
        """Items separated by commas, up to the closing mark."""
        items = []
        while not self.take(close):
            items.append(read())
            if not self.take(","):
                self.expect(close)
                break
        return items

    def function(self) -> Function:
        name = self.next()
        if name not in self.functions:
            raise TextError(f"no function {name} in: {self.text}")
        return self.functions[name]

    def type(self) -> Type:
        if self.take("("):
            return Tuple(self.several(self.type, ")"))
        word = self.next()
        if word == "token":
            return TOKEN
        if word == "list":
            return List(self.type())
        if word == "union":
            name = self.next()
            if name not in self.definitions:
                raise TextError(f"no union {name} in: {self.text}")
            return Union(self.definitions[name])
        if word == "fn":
            name, captured = self.next().rsplit("/", 1)
            if name not in self.functions:
                raise TextError(f"no function {name} in: {self.text}")
            return Closure(self.functions[name], int(captured))
        if word not in LONG:
            raise TextError(f"no type {word!r} in: {self.text}")
        return Array(LONG[word], self.dims()) if self.peek() == "[" else Scalar(LONG[word])

    def dims(self) -> tuple[int, ...]:
        self.expect("[")
        return tuple(self.several(self.dim, "]"))

    def dim(self) -> int:
        word = self.next()
        return {"n": MANY, "?": ANY}.get(word) or int(word)

    def attribute(self) -> tuple[str, Any]:
        key = self.next()
        self.expect("=")
        special: dict[str, Callable[[], Any]] = {
            "dims": self.dims, "dim": self.dim, "dtype": lambda: LONG[self.next()], "element": self.type,
            "type": self.type, "exception": lambda: _class(self.next()),
        }  # fmt: skip
        return key, special.get(key, self.value)()

    def value(self) -> Any:
        if self.take("("):
            return tuple(self.several(self.value, ")"))
        if self.kind() == "name":
            return self.function()
        word = self.peek()
        if word in ("python", "numpy", "array", "format"):
            return self.structure()
        return ast.literal_eval(self.next())

    def structure(self) -> Any:
        kind = self.next()
        self.expect("(")
        type_ = self.type()
        assert isinstance(type_, Scalar | Array)
        if kind == "format":
            self.expect(",")
            specification = ast.literal_eval(self.next())
            self.expect(")")
            return FormattedOf(type_.dtype, specification)
        self.expect(")")
        if kind == "array":
            return ArrayOf(type_.dtype, dims_of(type_))
        return (PythonScalarOf if kind == "python" else NumpyScalarOf)(type_.dtype)


def _class(name: str) -> Any:
    """A class by its dotted name."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module or "builtins"), attribute)


class _FunctionReader:
    def __init__(self, lines: list[str], functions: Mapping[str, Function],
                 definitions: Mapping[str, UnionDefinition], operations: Mapping[str, Operation]) -> None:  # fmt: skip
        self.first, *self.rest = [_Line(line, functions, definitions) for line in lines]
        self.operations = operations
        self.function = functions[self.first.peek()]
        self.values: dict[str, Node] = {}

    def header(self) -> None:
        line = self.first
        line.next()
        line.expect("(")
        self.function.parameters = tuple(line.several(self.parameter, ")"))
        line.expect("->")
        self.function.declare(line.type())

    def parameter(self) -> Parameter:
        name = self.first.next()
        self.first.expect(":")
        result = self.values[name] = Parameter(name[1:], self.first.type())
        return result

    def body(self) -> None:
        for line in self.rest:
            if line.take("return"):
                self.function.define(self.operand(line))
                return
            self.statement(line)
        raise TextError(f"no return in {self.function.name}")

    def statement(self, line: _Line) -> None:
        name = line.next()
        line.expect("=")
        operation = self.operations.get(line.next())
        if operation is None:
            raise TextError(f"no such operation in: {line.text}")
        inputs = []
        while line.peek() not in (":", "{", ""):
            inputs.append(self.operand(line))
            line.take(",")
        attributes = dict(line.several(line.attribute, "}")) if line.take("{") else {}
        node = Apply(operation, tuple(inputs), attributes_of(attributes))
        line.expect(":")
        written = line.type()
        if written is not node.type:
            raise TextError(f"the type is {node.type!r} in: {line.text}")
        self.values[name] = node

    def operand(self, line: _Line) -> Node:
        kind, word = line.kind(), line.next()
        if kind == "name":
            if word not in self.values:
                raise TextError(f"no value {word} in: {line.text}")
            return self.values[word]
        if word in ("true", "false"):
            return Constant(word == "true", BOOL)
        line.expect(":")
        type_ = line.type()
        assert isinstance(type_, Scalar), line.text
        return Constant(float(word) if type_.dtype.startswith("float") else int(word), type_)
