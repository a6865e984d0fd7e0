"""Builtins over arrays and ranges, written in the language that is compiled: the specialiser turns them into loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def sum_of(items: Any, total: Any) -> Any:
    """sum(items, total)"""
    for item in items:
        total = total + item
    return total


def max_of(items: Any) -> Any:
    """max(items) of something not empty."""
    best = _first(items)
    for item in items:
        if item > best:
            best = item
    return best


def min_of(items: Any) -> Any:
    """min(items) of something not empty."""
    best = _first(items)
    for item in items:
        if item < best:
            best = item
    return best


def _first(items: Any) -> Any:
    for item in items:
        return item
    raise ValueError("there is no first item")


def all_of(items: Any) -> bool:
    """all(items)"""
    for item in items:  # noqa: SIM110
        if not item:
            return False
    return True


def any_of(items: Any) -> bool:
    """any(items)"""
    for item in items:  # noqa: SIM110
        if item:
            return True
    return False


def reduce_of(function: Callable[[Any, Any], Any], items: Any, total: Any) -> Any:
    """functools.reduce(function, items, total)"""
    for item in items:
        total = function(total, item)
    return total
