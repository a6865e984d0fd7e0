"""Text at run time: templates of print and of error messages. A template is made of strings and of leaves'
structures."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING, Any

from arignote.frontend.scope import HOOKS
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    ListValue,
    RecordValue,
    ScalarValue,
    Static,
    TupleValue,
    Value,
)
from arignote.ir.errors import UnsupportedSyntaxError
from arignote.ir.exceptions import CLOSE, CONSTANT, OPEN_LIST, OPEN_TUPLE, TEXT, VALUE
from arignote.ir.graph import Node
from arignote.ir.structure import ArrayOf, FormattedOf, NumpyScalarOf, PythonScalarOf
from arignote.ir.types import is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context


class TextValue(Value):
    """A string with run-time parts: only good for print and for messages of errors."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[Any]) -> None:
        self.parts = parts


def pieces(context: Context, value: Value, found: list[Any], nodes: list[Node], as_repr: bool = False) -> None:
    """Append the pieces of str(value), or repr(value)."""
    match value:
        case TextValue():
            if as_repr:
                context.error("text made at run time inside a container, or its repr, cannot be shown by compiled code",
                              UnsupportedSyntaxError, "show the text itself, or make one text of it all")  # fmt: skip
            for part in value.parts:
                if isinstance(part, str):
                    found.append(part)
                elif isinstance(part[1], FormattedOf):
                    found.append(part[1])
                    nodes.append(context.node(part[0]))
                else:
                    pieces(context, part[0], found, nodes, part[1])
        case Static():
            found.append(repr(value.object) if as_repr else str(value.object))
        case ScalarValue():
            _scalar(context, value, found, nodes, as_repr)
        case ArrayValue():
            if as_repr:
                context.error(
                    "an array inside a container, or its repr, cannot be printed by compiled code",
                    UnsupportedSyntaxError,
                    "print the array itself",
                )
            found.append(ArrayOf(value.dtype, value.dims))
            nodes.append(context.node(value))
        case TupleValue():
            _sequence(context, "(", value.items, ",)" if len(value.items) == 1 else ")", found, nodes)
        case ListValue():
            _sequence(context, "[", context.read(value), "]", found, nodes)
        case DictValue():
            _dict(context, value, found, nodes)
        case RecordValue():
            _record(context, value, found, nodes)
        case _:
            context.error(f"{context.show(value)} cannot be shown as text by compiled code", UnsupportedSyntaxError)


def _scalar(context: Context, value: ScalarValue, found: list[Any], nodes: list[Node], as_repr: bool) -> None:
    nodes.append(context.node(value))
    if value.python:
        found.append(PythonScalarOf(value.dtype))
    elif not as_repr:
        found.append(NumpyScalarOf(value.dtype))
    else:
        before, after = ("np.", "_") if value.dtype == "bool" else (f"np.{value.dtype}(", ")")
        found.extend((before, NumpyScalarOf(value.dtype), after))


def _sequence(
    context: Context, opening: str, items: tuple[Value, ...], closing: str, found: list[Any], nodes: list[Node]
) -> None:
    found.append(opening)
    for number, item in enumerate(items):
        if number:
            found.append(", ")
        pieces(context, item, found, nodes, as_repr=True)
    found.append(closing)


def _dict(context: Context, value: DictValue, found: list[Any], nodes: list[Node]) -> None:
    found.append("{")
    for number, (key, item) in enumerate(context.read(value)):
        found.append(f"{', ' if number else ''}{key!r}: ")
        pieces(context, item, found, nodes, as_repr=True)
    found.append("}")


def _record(context: Context, value: RecordValue, found: list[Any], nodes: list[Node]) -> None:
    found.append(f"{value.cls.__qualname__}(")
    for number, (name, item) in enumerate(zip(value.names, context.read(value))):
        found.append(f"{', ' if number else ''}{name}=")
        pieces(context, item, found, nodes, as_repr=True)
    found.append(")")


def arguments(context: Context, values: TupleValue, found: list[Any], nodes: list[Node]) -> None:
    """Append the pieces of the arguments that an exception is made with."""
    for value in values.items:
        if isinstance(value, Static) and _is_plain(value.object):
            found.append(f"{CONSTANT}{value.object!r}")
        elif isinstance(value, ScalarValue) or isinstance(value, Static) and type(value.object) is float:
            found.extend((VALUE, PythonScalarOf("float64") if isinstance(value, Static) else _leaf(value)))
            nodes.append(context.node(value))
        elif isinstance(value, TupleValue | ListValue):
            items = value.items if isinstance(value, TupleValue) else context.read(value)
            found.append(OPEN_TUPLE if isinstance(value, TupleValue) else OPEN_LIST)
            arguments(context, TupleValue(items), found, nodes)
            found.append(CLOSE)
        else:
            found.append(TEXT)
            pieces(context, value, found, nodes)


def _leaf(value: ScalarValue) -> PythonScalarOf | NumpyScalarOf:
    return PythonScalarOf(value.dtype) if value.python else NumpyScalarOf(value.dtype)


def _is_plain(thing: Any) -> bool:
    """Whether a static object can be read back from its text."""
    if type(thing) in (tuple, list):
        return all(map(_is_plain, thing))
    return thing is None or type(thing) in (str, bool, int) or type(thing) is float and math.isfinite(thing)


def joined(context: Context, node: ast.JoinedStr) -> Value:
    """An f-string: static if all its parts are."""
    parts: list[Any] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(part.value)
        else:
            assert isinstance(part, ast.FormattedValue)
            parts.append(_formatted(context, part))
    context.at(node)
    if all(isinstance(part, str) for part in parts):
        return Static("".join(parts))
    return TextValue(parts)


def _formatted(context: Context, part: ast.FormattedValue) -> Any:
    value = context.evaluate(part.value)
    context.at(part.value)
    spec = ""
    if part.format_spec is not None:
        spec = context.static(context.evaluate(part.format_spec), "a format specification")
    if isinstance(value, Static):
        thing = value.object
        if part.conversion != -1:
            thing = {"r": repr, "s": str, "a": ascii}[chr(part.conversion)](thing)
        return format(thing, spec)
    if part.conversion == -1 and isinstance(value, ScalarValue) and not value.python and is_float(value.dtype):
        value = context.scalar(context.cast(context.node(value), "float64"), True)  # their __format__ does the same
    if spec:
        return _by_specification(context, value, spec, part.conversion)
    return value, part.conversion == ord("r")


def _by_specification(context: Context, value: Value, spec: str, conversion: int) -> Any:
    """A number written out by a format specification: NumPy's are formatted as the Python numbers they equal."""
    if not isinstance(value, ScalarValue) or conversion != -1:
        context.error(
            f"a format specification of {context.show(value)} is not supported in compiled code",
            UnsupportedSyntaxError,
            "format numbers one by one",
        )
    dtype = "bool" if value.dtype == "bool" else "float64" if is_float(value.dtype) else "int64"
    try:
        format({"bool": True, "int64": 1, "float64": 1.0}[dtype], spec)
    except ValueError as error:
        context.raise_now(ValueError, str(error))
    return context.scalar(context.cast(context.node(value), dtype), True), FormattedOf(dtype, spec)


def joined_texts(left: Value, right: Value) -> Value | None:
    """left + right, where both are strings and a part of them is known at run time only."""
    parts: list[Any] = []
    for value in (left, right):
        if isinstance(value, TextValue):
            parts.extend(value.parts)
        elif isinstance(value, Static) and isinstance(value.object, str):
            parts.append(value.object)
        else:
            return None
    return TextValue(parts)


def text_of(context: Context, value: Value) -> Value:
    """str(value)."""
    if isinstance(value, TextValue | Static) and (isinstance(value, TextValue) or isinstance(value.object, str)):
        return value
    return Static(str(value.object)) if isinstance(value, Static) else TextValue([(value, False)])


HOOKS["pieces"] = pieces
HOOKS["arguments"] = arguments
HOOKS["joined"] = joined
HOOKS["joined_texts"] = joined_texts
