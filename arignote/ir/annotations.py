"""What the annotations of dataclasses say: which classes a field may hold, and which classes are recursive.

A class is recursive if its annotations lead back to it, through `|`, `Optional`, containers, base classes and other
dataclasses. Names that cannot be resolved (those of classes defined inside functions) stand for unknown classes; the
class itself and its bases are always known by name.
"""

from __future__ import annotations

import abc
import builtins
import dataclasses
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

_NOT_A_BASE = (object, abc.ABC, typing.Generic, typing.Protocol)


class _Unknown:
    """What a name stands for that cannot be resolved."""


class _Names(dict[str, Any]):
    """The names that an annotation is evaluated with."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            return getattr(builtins, name)
        return type(name, (_Unknown,), {})


def _evaluate(text: str, owner: type, cls: type) -> Any:
    """The annotation of a class `owner`, a base of `cls`; an unknown class where it is no expression."""
    module = sys.modules.get(owner.__module__)
    known = {base.__name__: base for base in reversed((cls, *owner.__mro__)) if base is not object}
    names = _Names({**(vars(module) if module is not None else {}), **known})
    try:
        return eval(text, {}, names)
    except Exception:  # an annotation is any text; what it means is then not known
        return _Unknown


def hints(cls: type) -> dict[str, Any]:
    """The annotation of each field of a dataclass, strings evaluated as far as they can be."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        owner = next((base for base in cls.__mro__ if field.name in inspect.get_annotations(base)), cls)
        hint = field.type
        found[field.name] = _evaluate(hint, owner, cls) if isinstance(hint, str) else _resolved(hint, owner, cls)
    return found


def _resolved(hint: Any, owner: type, cls: type) -> Any:
    """A hint whose forward references are evaluated."""
    if isinstance(hint, typing.ForwardRef):
        return _evaluate(hint.__forward_arg__, owner, cls)
    if isinstance(hint, str):
        return _evaluate(hint, owner, cls)
    return hint


def options(hint: Any, cls: type) -> Iterator[Any]:
    """The members of a union, or the hint itself; `cls` is the dataclass whose field it annotates."""
    hint = _resolved(hint, cls, cls)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        for part in typing.get_args(hint):
            yield from options(part, cls)
    elif origin is typing.Annotated or origin is typing.Final:
        yield from options(typing.get_args(hint)[0], cls)
    elif hasattr(hint, "__value__"):  # `type Tree = ...`
        yield from options(hint.__value__, cls)
    elif hint is getattr(typing, "Self", hint) and not isinstance(hint, type):
        yield cls
    elif origin is not None and dataclasses.is_dataclass(origin):
        yield origin
    else:
        yield types.NoneType if hint is None else hint


def _mentioned(hint: Any, cls: type) -> Iterator[type]:
    """Every class that stands somewhere in a hint."""
    for option in options(hint, cls):
        if typing.get_origin(option) is not None:
            for part in typing.get_args(option):
                yield from _mentioned(part, cls)
        elif isinstance(option, type) and option not in _NOT_A_BASE and not issubclass(option, _Unknown):
            yield option


def dataclasses_below(cls: type) -> Iterator[type]:
    """The dataclasses among a class and its subclasses."""
    waiting, seen = [cls], {cls}
    while waiting:
        present = waiting.pop()
        if dataclasses.is_dataclass(present):
            yield present
        below: type
        for below in type.__subclasses__(present) if present.__module__ != "builtins" else ():
            if below not in seen:
                seen.add(below)
                waiting.append(below)


def is_option(hint: Any, cls: type, family: frozenset[type]) -> bool:
    """Whether a field of `cls` with this hint may hold one of the classes of a family."""
    return any(
        isinstance(option, type) and option not in _NOT_A_BASE and any(issubclass(member, option) for member in family)
        for option in options(hint, cls)
    )


class Families:
    """The families of mutually recursive classes, as far as annotations tell; what data tells is added.

    known: by family, what those who describe its trees have computed
    """

    def __init__(self) -> None:
        self._families: dict[type, frozenset[type]] = {}
        self._hints: dict[type, dict[str, Any]] = {}
        self._edges: dict[type, frozenset[type]] = {}
        self.known: dict[frozenset[type], tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]] = {}

    def hints(self, cls: type) -> dict[str, Any]:
        """The evaluated annotations of a class."""
        if cls not in self._hints:
            self._hints[cls] = hints(cls)
        return self._hints[cls]

    def family(self, cls: type) -> frozenset[type]:
        """The classes that are mutually recursive with this one; none if it is not recursive."""
        if cls not in self._families:
            reached = self._reached(cls)
            family = frozenset(other for other in reached if cls in self._reached(other)) if cls in reached else ()
            self._families[cls] = frozenset(family)
        return self._families[cls]

    def unite(self, classes: frozenset[type]) -> None:
        """These classes contain one another in the data."""
        family = classes.union(*(self.family(cls) for cls in classes))
        for cls in family:
            self._families[cls] = family

    def _reached(self, cls: type) -> set[type]:
        waiting, reached = [cls], set[type]()
        while waiting:
            for other in self._direct(waiting.pop()):
                if other not in reached:
                    reached.add(other)
                    waiting.append(other)
        return reached

    def _direct(self, cls: type) -> frozenset[type]:
        if cls not in self._edges:
            mentioned = {other for hint in self.hints(cls).values() for other in _mentioned(hint, cls)}
            self._edges[cls] = frozenset(below for other in mentioned for below in dataclasses_below(other))
        return self._edges[cls]
