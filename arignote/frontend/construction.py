"""Instances of dataclasses and named tuples: what their generated constructors do."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from arignote.frontend.scope import HOOKS
from arignote.frontend.trees import as_node
from arignote.frontend.values import RecordValue, Unbound, Value
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Keywords = dict[str, Value]


def _fields(context: Context, cls: type, names: list[str], arguments: list[Value], keywords: Keywords) -> Keywords:
    """Fields by name from the arguments of a constructor."""
    if len(arguments) > len(names):
        context.error(f"{cls.__name__}() takes {len(names)} arguments but {len(arguments)} were given")
    given = dict(zip(names, arguments))
    for name, value in keywords.items():
        if name in given:
            context.error(f"{cls.__name__}() got multiple values for argument '{name}'")
        given[name] = value
    return given


def construct_named_tuple(context: Context, cls: Any, arguments: list[Value], keywords: Keywords) -> Value:
    given = _fields(context, cls, list(cls._fields), arguments, keywords)
    items = []
    for name in cls._fields:
        if name in given:
            items.append(given.pop(name))
        elif name in cls._field_defaults:
            items.append(context.lift(cls._field_defaults[name]))
        else:
            context.error(f"{cls.__name__}() is missing the argument '{name}'")
    if given:
        context.error(f"{cls.__name__}() got an unexpected keyword argument '{next(iter(given))}'")
    return RecordValue(cls, cls._fields, items)


def construct_dataclass(context: Context, cls: Any, arguments: list[Value], keywords: Keywords) -> Value:
    """An instance: its fields by position, by name or by default, then `__post_init__`."""
    if not _has_generated_init(cls):
        context.error(
            f"{cls.__name__} has an __init__ of its own, which compiled code does not run",
            UnsupportedSyntaxError,
            "let dataclass write it, and do the rest in __post_init__; or make the instance outside of compiled code",
        )
    parameters = _parameters(cls)
    positional = [field.name for field in parameters if not field.kw_only]
    given = _fields(context, cls, positional, arguments, keywords)
    known: Keywords = {}
    for field in parameters:
        known[field.name] = given.pop(field.name) if field.name in given else _default(context, cls, field)
    if given:
        context.error(f"{cls.__name__}() got an unexpected keyword argument '{next(iter(given))}'")
    fields = dataclasses.fields(cls)
    items = [known[field.name] if field.name in known else _default(context, cls, field) for field in fields]
    record = RecordValue(cls, [field.name for field in fields], items)
    if hasattr(cls, "__post_init__"):
        only_for_it = [known[field.name] for field in parameters if field not in fields]
        context.call(HOOKS["attribute"](context, record, "__post_init__"), only_for_it)
    missing = [name for name, item in zip(record.names, context.read(record)) if isinstance(item, Unbound)]
    if missing:
        context.error(f"{cls.__name__}.__post_init__ leaves the field '{missing[0]}' without a value")
    return as_node(context, record)


def _has_generated_init(cls: Any) -> bool:
    """Whether the constructor is the one that `dataclass` wrote for this class."""
    code = getattr(cls.__init__, "__code__", None)
    return code is not None and code.co_filename == "<string>"


def _parameters(cls: Any) -> list[Any]:
    """What the constructor takes, in order: fields, and what is only for `__post_init__` (`InitVar`)."""
    every = cls.__dataclass_fields__.values()
    return [field for field in every if field.init and field._field_type is not dataclasses._FIELD_CLASSVAR]  # type: ignore[attr-defined]


def _default(context: Context, cls: Any, field: Any) -> Value:
    if field.default is not dataclasses.MISSING:
        return context.lift(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return context.call(context.lift(field.default_factory), [])
    if not field.init:
        return Unbound()
    context.error(f"{cls.__name__}() is missing the argument '{field.name}'")
