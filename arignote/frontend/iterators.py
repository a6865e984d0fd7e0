"""What a program goes through: zip, enumerate, reversed, map, generator expressions, views of dicts.

    ZipValue EnumerateValue ReversedValue MapValue LazyValue     iterators: they can be gone through once
    ViewValue                                                    d.keys(), d.values(), d.items()
"""

from __future__ import annotations

from typing import Any

from arignote.frontend.values import DictValue, ListValue, Value
from arignote.ir.records import dataclass


@dataclass(slots=True, eq=False)
class ZipValue(Value):
    items: tuple[Value, ...]
    strict: bool = False
    used: bool = False


@dataclass(slots=True, eq=False)
class EnumerateValue(Value):
    iterable: Value
    start: Value
    used: bool = False


@dataclass(slots=True, eq=False)
class ReversedValue(Value):
    iterable: Value
    used: bool = False


@dataclass(slots=True, eq=False)
class MapValue(Value):
    function: Value
    items: tuple[Value, ...]
    used: bool = False


@dataclass(slots=True, eq=False)
class LazyValue(Value):
    """A generator expression. Its items are computed when they are asked for, in the frame where it stands: one for
    each of `iterable`, or, where it has conditions or several loops, all at once, which gives `items`.

    seen: what the variables that it reads held when it was made, and the states of those
    """

    node: Any
    frame: Any
    iterable: Value
    seen: dict[str, tuple[Value, Any]]
    items: ListValue | None = None
    used: bool = False

    @property
    def source(self) -> Value | None:
        """What decides how many items there are; None where that is not known before they are computed."""
        if self.items is not None:
            return self.items
        generators = self.node.generators
        return self.iterable if len(generators) == 1 and not generators[0].ifs else None


ITERATORS = (ZipValue, EnumerateValue, ReversedValue, MapValue, LazyValue)
"""What can be gone through only once; `used` tells that it was."""


@dataclass(slots=True, eq=False)
class ViewValue(Value):
    """d.keys(), d.values() or d.items(): shows the dict as it is when looked at."""

    kind: str
    base: DictValue
