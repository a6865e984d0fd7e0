"""How Python objects tell the compiler what they are. Here, so that the public interface is imported without it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

TRANSFORM_ATTRIBUTE = "__arignote_transform__"
"""On a callable object: what it is. ("jit", f), ("grad", f, argnums, has_aux), ("value_and_grad", f, argnums,
has_aux)."""

MAKER_ATTRIBUTE = "__arignote_maker__"
"""On a function of the public interface that compiled code may call: "jit", "grad", "value_and_grad", "vjp" or
"stop_gradient"; called with the arguments of the function of that name."""

RECURSION_LIMIT = 20_000
"""Frames of Python that the interpreter may use on a deeply nested program."""

JACOBIAN_PROGRAMS: dict[str, Callable[..., Any]] = {}
"""(function of the chosen arguments, those, is it only one?, has_aux) -> the Jacobian, by its name. They are programs
of the compiled language, written in the public interface, which registers them."""

KNOWN_MODULES = frozenset(
    "numpy math scipy builtins operator functools itertools collections dataclasses typing enum arignote abc "
    "types".split()
)
"""Packages whose attributes are taken as constant."""


def namespace_of(cls: type) -> dict[str, Any]:
    """The dict of a class's attributes itself, behind the read-only view."""
    found = gc.get_referents(cls.__dict__)[0]
    assert isinstance(found, dict)
    return found
