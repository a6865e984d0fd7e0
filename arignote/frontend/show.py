"""How values are named in messages."""

from __future__ import annotations

import types

from arignote.frontend.spec import show_spec
from arignote.frontend.values import (
    ArrayValue,
    BoundMethod,
    ChoiceValue,
    DictValue,
    Elements,
    EnclosingFunction,
    FunctionValue,
    ListValue,
    MethodValue,
    PartialValue,
    RangeValue,
    RecordValue,
    RecursiveValue,
    ScalarValue,
    SliceValue,
    Static,
    TupleValue,
    Unbound,
    UnionValue,
    Value,
)
from arignote.ir.types import SHORT

PYTHON_NAMES = {"bool": "bool", "int64": "int", "float64": "float"}


def show_value(value: Value) -> str:
    """The type of a value as structures are shown: `(f64[n], int)`; static values as they are written."""
    match value:
        case Static():
            return show_static(value.object)
        case ScalarValue():
            return PYTHON_NAMES[value.dtype] if value.python else SHORT[value.dtype]
        case ArrayValue():
            return repr(value.type) if value.dims else f"{SHORT[value.dtype]}[]"
        case TupleValue():
            inner = ", ".join(map(show_value, value.items))
            return f"({inner},)" if len(value.items) == 1 else f"({inner})"
        case ListValue() if isinstance(value.state, Elements):
            return f"list[{show_spec(value.state.element)}]"
        case ListValue():
            return f"[{', '.join(map(show_value, value.state))}]"
        case DictValue():
            return "{" + ", ".join(f"{key!r}: {show_value(item)}" for key, item in value.state) + "}"
        case RecordValue():
            fields = ", ".join(f"{name}={show_value(item)}" for name, item in zip(value.names, value.state))
            return f"{value.cls.__name__}({fields})"
        case EnclosingFunction():
            return "function"
        case FunctionValue():
            return f"function {value.name}"
        case BoundMethod():
            return f"method {show_value(value.function)}"
        case MethodValue():
            return f"method .{value.name} of {show_value(value.instance)}"
        case RecursiveValue():
            classes = [option.cls.__name__ for option in value.options if isinstance(option, RecordValue)]
            return " or ".join([*classes, *("None" for option in value.options if isinstance(option, Static))])
        case ChoiceValue() | UnionValue():
            return " or ".join(map(show_value, value.options))
        case RangeValue():
            return "range"
        case SliceValue():
            return "slice"
        case PartialValue():
            return show_value(value.value)
        case Unbound():
            return "undefined"
    return type(value).__name__.removesuffix("Value").lower()


def show_static(thing: object) -> str:
    """A static object, in short."""
    if isinstance(thing, types.ModuleType):
        return f"module {thing.__name__}"
    if isinstance(thing, type):
        return f"class {thing.__name__}"
    if callable(thing) and hasattr(thing, "__name__"):
        return f"function {thing.__name__}"
    text = repr(thing)
    return text if len(text) <= 60 else text[:57] + "..."
