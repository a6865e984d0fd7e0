"""Argument types written by hand: `f64[3], {w: f64[n,n], b: f64}, int`.

argument = f64 | i64 | bool          a Python number (f64, i64, bool), a NumPy scalar (the other dtypes)
         | np.f64                    a NumPy scalar
         | f64[3,n]                  an array; n is any size but 1
         | (argument, ...)           a tuple;  [argument, ...] a list;  {name: argument, ...} a dict
         | 'text'                    a string known at compile time;  None, True, False, 3, 0.5 likewise
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from arignote.api.inspect import Inspection, innermost, inspect_signature
from arignote.ir.describe import structure_of
from arignote.ir.structure import (
    MANY,
    ArrayOf,
    DictOf,
    ListOf,
    NumpyScalarOf,
    PythonScalarOf,
    StaticOf,
    Structure,
    TupleOf,
)
from arignote.ir.types import LONG
from arignote.runtime.dispatch import Signature
from arignote.runtime.forms import Binder

_PYTHON = {"f64": "float64", "float": "float64", "i64": "int64", "int": "int64", "bool": "bool"}
_TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*|-?\d[\d.e+-]*|'[^']*'|\"[^\"]*\"|[\[\](){},:?])")


class SignatureError(ValueError):
    """The text does not describe arguments."""


def parse(text: str) -> tuple[Structure, ...]:
    """The structures of the arguments, in order."""
    reader = _Reader(text)
    found = reader.items("")
    return tuple(found)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.position = text, 0

    def peek(self) -> str:
        match = _TOKEN.match(self.text, self.position)
        if match is None and self.text[self.position :].strip():
            raise SignatureError(f"cannot read {self.text[self.position :]!r}")
        return match[1] if match else ""

    def take(self, wanted: str | None = None) -> str:
        token = self.peek()
        if wanted is not None and token != wanted:
            raise SignatureError(f"expected {wanted!r}, got {token or 'the end'!r}")
        match = _TOKEN.match(self.text, self.position)
        self.position = match.end() if match else len(self.text)
        return token

    def items(self, end: str) -> list[Structure]:
        """Arguments up to a closing mark, which is taken."""
        found: list[Structure] = []
        while self.peek() != end:
            found.append(self.argument())
            if self.peek() != end:
                self.take(",")
        if end:
            self.take(end)
        return found

    def argument(self) -> Structure:
        token = self.take()
        if token == "(":
            return TupleOf(tuple(self.items(")")))
        if token == "[":
            return ListOf(tuple(self.items("]")))
        if token == "{":
            return self.mapping()
        is_numpy = token.startswith("np.")
        name = token.removeprefix("np.")
        if name in _PYTHON or name in LONG:
            dtype = _PYTHON.get(name) or LONG[name]
            if self.peek() == "[":
                return ArrayOf(dtype, self.dims())
            return PythonScalarOf(dtype) if name in _PYTHON and not is_numpy else NumpyScalarOf(dtype)
        try:
            return StaticOf(ast.literal_eval(token))
        except (ValueError, SyntaxError):
            raise SignatureError(f"unknown type {token!r}; known: {', '.join([*_PYTHON, *LONG])}") from None

    def dims(self) -> tuple[int, ...]:
        """The sizes of an array, as a signature tells them apart: 1, or another."""
        self.take("[")
        found: list[int] = []
        while self.peek() != "]":
            token = self.take()
            found.append(1 if token == "1" else MANY)
            if self.peek() != "]":
                self.take(",")
        self.take("]")
        return tuple(found)

    def mapping(self) -> Structure:
        keys: list[str] = []
        items: list[Structure] = []
        while self.peek() != "}":
            keys.append(self.take().strip("'\""))
            self.take(":")
            items.append(self.argument())
            if self.peek() != "}":
                self.take(",")
        self.take("}")
        return DictOf(tuple(keys), tuple(items))


def inspect_types(fun: Callable[..., Any], structures: tuple[Structure, ...]) -> Inspection:
    """What the compiler makes of `fun` for arguments of these structures, given by position."""
    binder = Binder(innermost(fun))
    try:
        values = binder.plan((len(structures), ())).values(structures)
    except TypeError as error:
        raise SignatureError(f"{len(structures)} arguments for {fun.__name__}: {error}") from error
    found = tuple(_structure(name, value) for name, value in zip(binder.names, values, strict=True))
    return inspect_signature(fun, Signature(binder.names, found))


def _structure(name: str, value: Any) -> Structure:
    """The structure given for a parameter, those that `*args` collects, or that of a default value."""
    if isinstance(value, Structure):
        return value
    if isinstance(value, tuple) and value and all(isinstance(x, Structure) for x in value):
        return TupleOf(value)
    return structure_of(value, f"argument {name!r}")
