"""What is known at compile time, truth values, and arithmetic for the modules below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numbers
from arignote.frontend.cases import agreed, ask_union, is_union
from arignote.frontend.iterate import items_now, length
from arignote.frontend.iterators import LazyValue
from arignote.frontend.numpy_table import lookup, matmul_of
from arignote.frontend.operators import (
    find_method,
    static_call,
)
from arignote.frontend.scope import HOOKS
from arignote.frontend.sequences import truth_of as truth_of_sequence
from arignote.frontend.text import TextValue
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    FunctionValue,
    ListValue,
    RangeValue,
    RecordValue,
    ScalarValue,
    Static,
    TupleValue,
    Value,
    is_python_number,
)
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context


AMBIGUOUS = "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"


# What lower modules need


def static(context: Context, value: Value) -> Any:
    """The Python object of a value known now; HOOKS itself if it is not."""
    match value:
        case Static():
            return value.object
        case TupleValue():
            items = [static(context, item) for item in value.items]
            return HOOKS if any(item is HOOKS for item in items) else tuple(items)
        case ListValue() if not value.is_sequence:
            items = [static(context, item) for item in context.read(value)]
            return HOOKS if any(item is HOOKS for item in items) else items
        case LazyValue() if not value.used and value.source and HOOKS["has_known_items"](context, value.source):
            items = [static(context, item) for item in items_now(context, value)]
            return HOOKS if any(item is HOOKS for item in items) else items
        case DictValue():
            pairs = {key: static(context, item) for key, item in context.read(value)}
            return HOOKS if any(item is HOOKS for item in pairs.values()) else pairs
        case RangeValue():
            parts = [static(context, part) for part in (value.start, value.stop, value.step)]
            return HOOKS if any(part is HOOKS for part in parts) else range(*parts)
        case FunctionValue() if value.python is not None and not value.env:
            return value.python
    constant = getattr(value, "node", None)
    found = getattr(constant, "value", None)
    return HOOKS if found is None else found


def truth(context: Context, value: Value) -> Value:
    """bool(value)."""
    if is_union(value):
        known = lambda found: agreed(found, lambda part: _static_truth(context, part))  # noqa: E731
        return ask_union(context, value, known, lambda found: truth(context, found))
    match value:
        case Static():
            return static_call(context, bool, value.object)
        case ScalarValue():
            if value.dtype == "bool":
                return value
            zero = context.scope.emit.constant(0, value.dtype)
            return context.scalar(context.emit("not_equal", context.node(value), zero), True)
        case ArrayValue():
            return _truth_of_array(context, value)
        case TupleValue():
            return Static(bool(value.items))
        case ListValue() if value.is_sequence:
            return truth_of_sequence(context, value)
        case ListValue() | DictValue():
            return Static(bool(context.read(value)))
        case RecordValue():
            method = find_method(context, value, "__bool__")
            if method is not None:
                return _own_truth(context, context.call(method, []))
            method = find_method(context, value, "__len__")
            if method is not None:
                return truth(context, context.call(method, []))
            return Static(bool(value.names) or not value.is_tuple)
        case RangeValue():
            return truth(context, length(context, value))
        case TextValue():
            context.error("the truth of text that is known at run time only is not supported", UnsupportedSyntaxError)
    return Static(True)


def _own_truth(context: Context, value: Value) -> Value:
    """What a `__bool__` returned, which Python wants to be a bool of its own."""
    cls = HOOKS["class_of"](value)
    if cls is not bool:
        name = f"numpy.{cls.__name__}" if cls.__module__ == "numpy" else cls.__name__
        context.raise_now(TypeError, f"__bool__ should return bool, returned {name}")
    return truth(context, value)


def _static_truth(context: Context, value: Value) -> bool | None:
    """The truth of an alternative, where nothing must be looked at for it that is known at run time only."""
    match value:
        case Static():
            return bool(value.object)
        case TupleValue():
            return bool(value.items)
        case RecordValue() if not (find_method(context, value, "__bool__") or find_method(context, value, "__len__")):
            return bool(value.names) or not value.is_tuple
    return None


def _truth_of_array(context: Context, value: ArrayValue) -> Value:
    """Of an array with one element; NumPy refuses others."""
    if value.dims and all(dim >= 0 for dim in value.dims) and int(np.prod(value.dims)) != 1 or -1 in value.dims:
        context.raise_now(ValueError, AMBIGUOUS)
    node = context.node(value)
    for axis, dim in enumerate(value.dims):
        if dim != 1:
            size = context.scope.emit.op("size", node, axis=axis)
            many = context.emit("not_equal", size, context.constant(1))
            context.raise_if(many, ValueError, AMBIGUOUS)
    if value.dims:
        node = context.emit("index", node, *[context.constant(0) for _ in value.dims], axes=tuple(range(value.rank)))
    return truth(context, context.scalar(node, False))


def arithmetic(context: Context, name: str, left: Value, right: Value) -> Value:
    """An operator on two Python numbers, known now or not."""
    if isinstance(left, Static) and isinstance(right, Static):
        return static_call(context, numbers.STATIC[name], left.object, right.object)
    if is_python_number(left) and is_python_number(right):
        return numbers.binary(context, name, left, right)
    return context.elementwise(name, left, right)


def matmul(context: Context, left: Value, right: Value) -> Value:
    return context.result(matmul_of(context, left, right))


def asarray(context: Context, value: Value) -> Value:
    handler = lookup(np.asarray)
    assert handler is not None
    return handler(context, [value], {})


HOOKS["static"] = static


HOOKS["truth"] = truth


HOOKS["arithmetic"] = arithmetic


HOOKS["matmul"] = matmul


HOOKS["asarray"] = asarray
