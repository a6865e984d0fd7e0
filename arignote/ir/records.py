"""Data classes that are quick to define. The compiler has more than a hundred, which each process makes as it starts.

The standard library writes and compiles up to six functions for each class, half a millisecond's work. Here `__init__`
is written when the first instance is made, and the others are closures. What `dataclasses` offers besides (`fields`,
`replace`, `is_dataclass`) takes these classes as it takes its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, field
from operator import attrgetter
from reprlib import recursive_repr
from types import SimpleNamespace
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

__all__ = ["dataclass", "field", "values_of_fields"]

Class = TypeVar("Class", bound=type)
FIELDS = "__dataclass_fields__"


@overload
def dataclass(cls: Class, /) -> Class: ...


@overload
def dataclass(*, eq: bool = True, frozen: bool = False, slots: bool = False) -> Callable[[Class], Class]: ...


@dataclass_transform(field_specifiers=(field,))
def dataclass(cls: Any = None, /, *, eq: bool = True, frozen: bool = False, slots: bool = False) -> Any:
    """Adds what the annotations of a class ask for: the constructor, the text, and by the options the rest.

    eq:     instances are compared by their fields
    frozen: fields cannot be assigned, and instances that are compared have hashes
    slots:  instances have room for the fields, and for nothing else
    """

    def wrap(cls: type) -> type:
        return _made(cls, eq, frozen, slots)

    return wrap if cls is None else wrap(cls)


def _made(cls: type, eq: bool, frozen: bool, slots: bool) -> type:
    fields: dict[str, Field[Any]] = {}
    for base in cls.__mro__[:0:-1]:
        fields.update(vars(base).get(FIELDS, ()))
    fields.update(_own_fields(cls))
    names = tuple(fields)
    added: dict[str, Any] = {"__repr__": _repr}
    if eq:
        added |= {"__eq__": _equality(names), "__hash__": _hash_of(names) if frozen else None}
    if frozen:
        added |= {"__setattr__": _refuse_to_assign, "__delattr__": _refuse_to_delete}
        if slots:
            added |= {"__getstate__": _get_state, "__setstate__": _set_state}
    present = vars(cls)
    namespace = {name: value for name, value in added.items() if name not in present or _is_implied(present, name)}
    namespace |= {FIELDS: fields, "__match_args__": names,
                  "__dataclass_params__": SimpleNamespace(init=True, repr=True, eq=eq, order=False, unsafe_hash=False,
                                                          frozen=frozen)}  # fmt: skip
    if slots:
        cls = _with_slots(cls, names)
    for name, value in namespace.items():
        setattr(cls, name, value)
    cls.__init__ = _first_init(cls)  # type: ignore[misc]
    return cls


def _is_implied(present: Any, name: str) -> bool:
    """Whether Python has set `__hash__` to None by itself, as it does for a class with `__eq__`."""
    return name == "__hash__" and present[name] is None and "__eq__" in present


def _own_fields(cls: type) -> dict[str, Field[Any]]:
    """The fields that the annotations of a class name; their defaults, if they have some, are its attributes."""
    own: dict[str, Field[Any]] = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if "ClassVar" in str(annotation):
            continue
        default = vars(cls).get(name, MISSING)
        each: Any = default if isinstance(default, Field) else field(default=default)
        each.name, each.type, each.kw_only = name, annotation, False
        each._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
        own[name] = each
        if each.default is not MISSING:
            setattr(cls, name, each.default)
        elif default is each:
            delattr(cls, name)
    return own


def _with_slots(cls: type, names: tuple[str, ...]) -> type:
    """The same class once more, with slots for its fields: they must be there when a class is made."""
    inherited = {name for base in cls.__mro__[1:] for name in vars(base).get("__slots__", ())}
    taken = {*names, "__dict__", "__weakref__"}
    namespace = {name: value for name, value in vars(cls).items() if name not in taken}
    namespace["__slots__"] = tuple(name for name in names if name not in inherited)
    made = type(cls)(cls.__name__, cls.__bases__, namespace)
    made.__qualname__ = cls.__qualname__
    return made


def _first_init(cls: Any) -> Callable[..., None]:
    """A constructor that puts the real one in its place when it is first called."""

    def __init__(self: Any, *args: Any, **keywords: Any) -> None:
        cls.__init__ = _init(cls)
        cls.__init__(self, *args, **keywords)

    return __init__


def _init(cls: Any) -> Callable[..., None]:
    """The constructor, written out."""
    namespace: dict[str, Any] = {"MISSING": MISSING, "assign": object.__setattr__}
    parameters, lines = ["self"], []
    for name, each in getattr(cls, FIELDS).items():
        value = name
        if each.default_factory is not MISSING:
            namespace[f"default_{name}"] = each.default_factory
            parameters.append(f"{name}=MISSING")
            value = f"default_{name}() if {name} is MISSING else {name}"
        elif each.default is not MISSING:
            namespace[f"default_{name}"] = each.default
            parameters.append(f"{name}=default_{name}")
        else:
            parameters.append(name)
        frozen = cls.__dataclass_params__.frozen
        lines.append(f"assign(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n  " + "\n  ".join(lines or ["pass"]), namespace)
    made: Any = namespace["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def values_of_fields(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values of these fields of an instance."""
    if len(names) > 1:
        return attrgetter(*names)
    return (lambda instance: (getattr(instance, names[0]),)) if names else (lambda instance: ())


def _equality(names: tuple[str, ...]) -> Callable[[Any, Any], bool]:
    values = values_of_fields(names)

    def __eq__(self: Any, other: Any) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash_of(names: tuple[str, ...]) -> Callable[[Any], int]:
    values = values_of_fields(names)
    return lambda self: hash(values(self))


@recursive_repr()
def _repr(self: Any) -> str:
    values = [f"{name}={getattr(self, name)!r}" for name in getattr(self, FIELDS)]
    return f"{type(self).__qualname__}({', '.join(values)})"


def _refuse_to_assign(self: Any, name: str, value: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in getattr(self, FIELDS)]


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(getattr(self, FIELDS), state):
        object.__setattr__(self, name, value)
