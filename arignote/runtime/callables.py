"""The class of compiled functions with its Python methods."""

from __future__ import annotations

import functools
from typing import Any

from arignote.runtime.object_type import callable_type


def _cache_info(self: Any) -> Any:
    """Calls served from the cache, compilations, specialisations kept."""
    return self.dispatcher.cache_info()


def _cache_clear(self: Any) -> None:
    """Forgets every specialisation; the next call compiles again."""
    self.dispatcher.cache_clear()


def _show(self: Any) -> str:
    name = getattr(self, "__qualname__", "leaves")
    return f"<compiled function {name} at {id(self):#x}>"


def _reduce(self: Any) -> str:
    """Pickled, and copied, by reference, as functions are."""
    return self.__qualname__


@functools.cache
def compiled_function_type() -> type:
    """The class of what `jit` returns."""
    kind: Any = callable_type()
    kind.cache_info, kind.cache_clear = _cache_info, _cache_clear
    kind.__repr__, kind.__reduce__ = _show, _reduce
    return kind
