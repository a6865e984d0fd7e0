"""What functions of `operator` do, as Python functions that the compiler reads."""

from __future__ import annotations

from typing import Any


def same(function: Any) -> Any:
    """A decorator that changes nothing."""
    return function


def item_of(key: Any, value: Any) -> Any:
    """operator.itemgetter(key)(value)"""
    return value[key]


def items_of(keys: tuple[Any, ...], value: Any) -> Any:
    """operator.itemgetter(*keys)(value)"""
    return tuple([value[key] for key in keys])


def attribute_of(path: tuple[str, ...], value: Any) -> Any:
    """operator.attrgetter("a.b")(value)"""
    for name in path:
        value = getattr(value, name)
    return value


def attributes_of(paths: tuple[tuple[str, ...], ...], value: Any) -> Any:
    """operator.attrgetter("a.b", "c")(value)"""
    return tuple([attribute_of(path, value) for path in paths])


def call_method(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any], value: Any) -> Any:
    """operator.methodcaller(name, *arguments, **keywords)(value)"""
    return getattr(value, name)(*arguments, **keywords)


def negative(a: Any, /) -> Any:
    """operator.neg(a)"""
    return -a


def positive(a: Any, /) -> Any:
    """operator.pos(a)"""
    return +a


def inverted(a: Any, /) -> Any:
    """operator.invert(a)"""
    return ~a


def concatenated(a: Any, b: Any, /) -> Any:
    """operator.concat(a, b)"""
    return a + b


def is_same(a: Any, b: Any, /) -> Any:
    """operator.is_(a, b)"""
    return a is b


def is_other(a: Any, b: Any, /) -> Any:
    """operator.is_not(a, b)"""
    return a is not b


def called(function: Any, /, *arguments: Any, **keywords: Any) -> Any:
    """operator.call(function, ...)"""
    return function(*arguments, **keywords)
