"""Which axes `vmap` maps: an integer for all leaves below, None for none, or a tree that is a prefix of the value's."""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

from arignote.ir.describe import is_named_tuple_class
from arignote.ir.records import dataclass


@dataclass(frozen=True, slots=True)
class Tree:
    """Axes for the items of a container, by the names that the container has for them: positions, keys or fields."""

    kind: str
    names: tuple[Any, ...]
    items: tuple[Any, ...]

    def of(self, name: Any) -> Any:
        return self.items[self.names.index(name)]


Axes = int | None | Tree


def freeze(given: Any, what: str) -> Axes:
    """The axes in a form that can be hashed. Raises TypeError for what names no axes."""
    if given is None:
        return None
    if isinstance(given, tuple) and hasattr(given, "_fields") and is_named_tuple_class(type(given)):
        return _tree("record", given._fields, given, what)
    if isinstance(given, tuple | list):
        return _tree("list" if isinstance(given, list) else "tuple", range(len(given)), given, what)
    if isinstance(given, dict):
        return _tree("dict", tuple(given), given.values(), what)
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        names = [field.name for field in dataclasses.fields(given)]
        return _tree("record", names, [getattr(given, name) for name in names], what)
    try:
        return operator.index(given)
    except TypeError:
        message = f"{what} must be an integer, None, or a tree of them, not {type(given).__name__}"
        raise TypeError(message) from None


def _tree(kind: str, names: Any, items: Any, what: str) -> Tree:
    return Tree(kind, tuple(names), tuple([freeze(item, what) for item in items]))


def argument_axes(axes: Axes, count: int) -> list[Axes]:
    """The axes of each of `count` positional arguments. Raises ValueError where their number differs."""
    if not isinstance(axes, Tree):
        return [axes] * count
    if axes.kind not in ("tuple", "list"):
        raise ValueError("in_axes must be an integer, None, or a tuple with one entry for each argument")
    if len(axes.items) != count:
        raise ValueError(f"in_axes has {len(axes.items)} entries, but {count} arguments were given")
    return list(axes.items)


def below(axes: Axes, kind: str, names: tuple[Any, ...], path: str) -> list[Axes]:
    """The axes of the items of a container. Raises ValueError where the tree of axes is no prefix of it."""
    if not isinstance(axes, Tree):
        return [axes] * len(names)
    sequence = ("tuple", "list")
    alike = axes.kind == kind or (axes.kind in sequence and kind in sequence)
    if not alike or set(axes.names) != set(names):
        raise ValueError(f"{path} has the items {_shown(kind, names)}, but its axes are given for "
                         f"{_shown(axes.kind, axes.names)}")  # fmt: skip
    return [axes.of(name) for name in names]


def _shown(kind: str, names: tuple[Any, ...]) -> str:
    return f"of a {kind} of {len(names)}" if kind in ("tuple", "list") else f"{', '.join(map(repr, names))} of a {kind}"


def placed(axis: int, rank: int, path: str) -> int:
    """The axis, from 0 up, of an array of this rank. Raises ValueError where there is none."""
    if rank == 0:
        raise ValueError(f"{path} is a number, which has no axis to map over: give it the axis None")
    if not -rank <= axis < rank:
        raise ValueError(f"{path} has {rank} dimension{'s' * (rank != 1)}, so no axis {axis} to map over")
    return axis % rank


NOTHING_MAPPED = "vmap needs at least one array to map over: every axis given is None"
DIFFERENT_SIZES = "vmap got different sizes to map over: "
