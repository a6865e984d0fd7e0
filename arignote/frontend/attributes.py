"""Attributes: of modules, arrays, records, classes and other objects."""

from __future__ import annotations

import dataclasses
import difflib
import enum
import inspect
import types
from typing import TYPE_CHECKING, Any

from arignote.frontend.cases import is_union, split
from arignote.frontend.containers import has_method
from arignote.frontend.names import captured
from arignote.frontend.numpy_table import ATTRIBUTES, METHODS
from arignote.frontend.partials import partial_attribute
from arignote.frontend.scope import HOOKS
from arignote.frontend.values import (
    ArrayValue,
    BoundMethod,
    ChoiceValue,
    DictValue,
    FunctionValue,
    ListValue,
    MethodValue,
    RangeValue,
    RecordValue,
    ScalarValue,
    SliceValue,
    Static,
    SuperValue,
    TransformValue,
    TupleValue,
    Unbound,
    Unreadable,
    Value,
    is_number,
)
from arignote.ir.errors import UndefinedNameError
from arignote.ir.marks import KNOWN_MODULES, TRANSFORM_ATTRIBUTE, namespace_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context


RULES = {"custom_vjp": ("defvjp",), "custom_jvp": ("defjvp",)}
"""The methods of functions with derivative rules of their own."""


def get_attribute(context: Context, base: Value, name: str) -> Value:
    """base.name"""
    if is_union(base) or isinstance(base, ChoiceValue):
        return split(context, base, lambda value: get_attribute(context, value, name))
    if isinstance(base, Static) and not is_number(base):
        return _of_object(context, base.object, name)
    if isinstance(base, ArrayValue | ScalarValue) or is_number(base):
        return _of_array(context, base, name)
    if isinstance(base, RecordValue):
        return _of_record(context, base, name)
    if isinstance(base, SuperValue):
        return _of_super(context, base, name)
    if isinstance(base, ListValue | TupleValue | DictValue) and has_method(base, name):
        return MethodValue(name, base)
    if isinstance(base, RangeValue | SliceValue) and name in ("start", "stop", "step"):
        return getattr(base, name)
    if isinstance(base, TransformValue) and name in RULES.get(base.kind, ()):
        return MethodValue(name, base)
    if isinstance(base, FunctionValue) and name in ("__name__", "__qualname__"):
        return Static(base.name)
    if isinstance(base, TransformValue) and base.kind == "partial":
        found = partial_attribute(base, name)
        if found is not None:
            return found
    _unknown(context, base, name, ())


def _unknown(context: Context, base: Value, name: str, known: Any) -> Any:
    close = difflib.get_close_matches(name, list(known), 1)
    context.error(
        f"{context.show(base)} has no attribute '{name}' that compiled code knows",
        UndefinedNameError,
        f"did you mean '{close[0]}'?" if close else "",
        raises=_missing(base, name),
    )


def _missing(base: Value, name: str) -> tuple[type[BaseException], str] | None:
    """What Python raises for an attribute that does not exist; None where it may well exist in Python."""
    cls = type(base.object) if isinstance(base, Static) else base.cls if isinstance(base, RecordValue) else None
    if cls is None or hasattr(cls, name) or isinstance(base, Static) and hasattr(base.object, name):
        return None
    return AttributeError, f"'{cls.__name__}' object has no attribute '{name}'"


def _of_array(context: Context, base: Value, name: str) -> Value:
    """Of an array, a NumPy scalar or a Python number."""
    python = isinstance(base, Static) or isinstance(base, ScalarValue) and base.python
    if python and name not in ("real", "imag", "conjugate", "is_integer"):
        _unknown(context, base, name, ())
    if python and name == "is_integer":
        return MethodValue(name, base)
    if python and name == "real":
        return base
    handler = ATTRIBUTES.get(name)
    if handler is not None:
        return handler(context, [base], {})
    if name in METHODS:
        return MethodValue(name, base)
    _unknown(context, base, name, [*ATTRIBUTES, *METHODS])


def _of_record(context: Context, base: RecordValue, name: str) -> Value:
    if name in base.names:
        value = context.read(base)[base.names.index(name)]
        if isinstance(value, Unbound):
            context.raise_now(AttributeError, f"'{base.cls.__name__}' object has no attribute '{name}'")
        if isinstance(value, Unreadable):
            hint = value.hint or "give it the same type on every path"
            context.unreadable(f"the attribute '{name}' {value.message}", hint)
        return value
    if base.is_tuple and name in ("_replace", "_asdict", "index", "count"):
        return MethodValue(name, base)
    if name == "__class__":
        return Static(base.cls)
    owner = next((cls for cls in base.cls.__mro__ if name in cls.__dict__), None)
    if owner is None:
        return _unknown(context, base, name, [*base.names, *dir(base.cls)])
    found = owner.__dict__[name]
    return _bind(context, base, found, owner, name)


def _of_super(context: Context, base: SuperValue, name: str) -> Value:
    """An attribute from the classes behind the one whose method this is."""
    instance = base.instance
    cls = instance.cls if isinstance(instance, RecordValue) else instance.object  # type: ignore[attr-defined]
    behind = cls.__mro__[cls.__mro__.index(base.cls) + 1 :]
    owner = next((other for other in behind if name in other.__dict__), None)
    if owner is None:
        message = f"'super' object has no attribute '{name}'"
        context.error(message, UndefinedNameError, raises=(AttributeError, message))
    return _bind(context, instance, owner.__dict__[name], owner, name)


def _bind(context: Context, base: Value, found: Any, owner: type, name: str) -> Value:
    """What a class attribute is when it is read from an instance."""
    if isinstance(found, property | types.FunctionType | staticmethod | classmethod) and not _is_known(owner):
        captured(
            context, namespace_of(owner), name, f"'{owner.__name__}.{name}'"
        )  # a method that is replaced is noticed
    if isinstance(found, property):
        if found.fget is None:
            context.error(f"property '{name}' cannot be read")
        return context.call(context.lift(found.fget), [base])
    if isinstance(found, staticmethod):
        return context.lift(found.__func__)
    if isinstance(found, classmethod):
        cls = base.cls if isinstance(base, RecordValue) else base.object  # type: ignore[attr-defined]
        cls = cls if isinstance(cls, type) else type(cls)
        return BoundMethod(context.lift(found.__func__), Static(cls))
    if isinstance(found, types.FunctionType) or _is_transformed(found):
        return BoundMethod(context.lift(found), base)
    return captured(context, namespace_of(owner), name, f"the class attribute '{owner.__name__}.{name}'")


def _is_transformed(found: Any) -> bool:
    return callable(found) and not isinstance(found, type) and hasattr(found, TRANSFORM_ATTRIBUTE)


def _of_object(context: Context, thing: Any, name: str) -> Value:
    if isinstance(thing, types.ModuleType):
        return _of_module(context, thing, name)
    if isinstance(thing, type):
        return _of_class(context, thing, name)
    if isinstance(thing, enum.Enum) or _is_known(type(thing)):
        if not hasattr(thing, name):
            return _unknown(context, Static(thing), name, dir(thing))
        return context.lift(getattr(thing, name))
    return _of_instance(context, thing, name)


def _is_known(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in KNOWN_MODULES


def _of_module(context: Context, module: types.ModuleType, name: str) -> Value:
    if not hasattr(module, name):
        context.error(f"module '{module.__name__}' has no attribute '{name}'", UndefinedNameError)
    if module.__name__.partition(".")[0] in KNOWN_MODULES or name not in module.__dict__:
        return context.lift(getattr(module, name))
    return captured(context, module.__dict__, name, f"'{module.__name__}.{name}'")


def _of_class(context: Context, cls: type, name: str) -> Value:
    if not hasattr(cls, name):
        return _unknown(context, Static(cls), name, dir(cls))
    if isinstance(getattr(cls, name), enum.Enum) or _is_known(cls) or name.startswith("__"):
        return context.lift(getattr(cls, name))
    owner = next(c for c in cls.__mro__ if name in c.__dict__)
    found = owner.__dict__[name]
    if isinstance(found, staticmethod):
        return context.lift(found.__func__)
    if isinstance(found, classmethod):
        return BoundMethod(context.lift(found.__func__), Static(cls))
    if isinstance(found, types.FunctionType):
        return context.lift(found)
    return captured(context, namespace_of(owner), name, f"the class attribute '{owner.__name__}.{name}'")


def _of_instance(context: Context, thing: Any, name: str) -> Value:
    """An attribute of an object of a user's class, read when the program runs."""
    fields = getattr(thing, "__dict__", {})
    owner = next((cls for cls in type(thing).__mro__ if name in cls.__dict__), None)
    if name in fields:
        return captured(context, fields, name, f"the attribute '{name}' of a {type(thing).__name__}")
    if owner is None:
        return _unknown(context, Static(thing), name, [*fields, *dir(type(thing))])
    found = inspect.getattr_static(thing, name)
    if isinstance(thing, str | bytes) or owner in (types.FunctionType, types.MethodType, functools_partial()):
        return Static(getattr(thing, name))
    return _bind(context, Static(thing), found, owner, name)


def functools_partial() -> type:
    import functools

    return functools.partial


def call_record_method(context: Context, method: MethodValue, keywords: dict[str, Value]) -> Value:
    """_replace and _asdict of a named tuple."""
    base = method.instance
    assert isinstance(base, RecordValue)
    pairs = dict(zip(base.names, context.read(base)))
    if method.name == "_asdict":
        return DictValue(pairs.items())
    return replace(context, base, keywords)


def replace(context: Context, base: RecordValue, keywords: dict[str, Value]) -> Value:
    """A copy of a record with some fields changed."""
    wrong = [name for name in keywords if name not in base.names]
    if wrong:
        context.error(f"{base.cls.__name__} has no field '{wrong[0]}'")
    pairs = {**dict(zip(base.names, context.read(base))), **keywords}
    if dataclasses.is_dataclass(base.cls):
        for name in [field.name for field in dataclasses.fields(base.cls) if not field.init]:
            if name in keywords:
                message = f"field {name} is declared with init=False, it cannot be specified with replace()"
                context.raise_now(ValueError, message)
            del pairs[name]  # made anew, by its default or by __post_init__
        return context.call(Static(base.cls), [], pairs)
    return RecordValue(base.cls, base.names, pairs.values())


HOOKS["attribute"] = get_attribute
