"""Families: classes whose instances contain one another, such as the nodes of a tree, found by their annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from arignote.ir.annotations import Families, is_option, options
from arignote.ir.records import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """Classes whose instances contain one another.

    links:    the classes that annotations allow where there may be a node; often a base class of the members
    optional: whether there may be None
    """

    members: frozenset[type]
    links: frozenset[type] = frozenset()
    optional: bool = False

    def accepts(self, cls: type) -> bool:
        """Whether an instance may stand where a node may."""
        return cls in self.members or any(issubclass(cls, link) for link in self.links)


_known: dict[type, Family | None] = {}


def forget() -> None:
    """Look at the annotations again: classes may have been added since the last compilation."""
    _known.clear()


def family_of(cls: type) -> Family | None:
    """The family of a class; None if no instance of it can contain another."""
    if cls not in _known:
        _known[cls] = _find(cls) if dataclasses.is_dataclass(cls) else None
    return _known[cls]


def _find(cls: type) -> Family | None:
    families = Families()
    members = families.family(cls)
    if not members:
        return None
    links: set[type] = set()
    optional = False
    for member in members:
        for hint in families.hints(member).values():
            for part in _parts(hint, member):
                if is_option(part, member, members):
                    found = set(options(part, member))
                    optional |= type(None) in found
                    links |= {option for option in found if isinstance(option, type)} - {type(None), object}
    return Family(members, frozenset(links), optional)


def _parts(hint: Any, cls: type) -> Iterable[Any]:
    """A hint, and the hints of what is in the containers that it names."""
    yield hint
    for option in options(hint, cls):
        for part in getattr(option, "__args__", ()):
            yield from _parts(part, cls)


def family_of_instances(classes: Iterable[type]) -> Family:
    """The family of the classes that the nodes of some data have."""
    classes = tuple(classes)
    for cls in classes:
        found = family_of(cls)
        if found is not None:
            return found
    return Family(frozenset(classes))


def link_fields(cls: type, family: Family) -> frozenset[str]:
    """The fields that may hold a node, or a container of nodes, by their annotations."""
    hints = Families().hints(cls)
    return frozenset(
        name
        for name, hint in hints.items()
        if any(is_option(part, cls, family.members) or _names_link(part, cls, family) for part in _parts(hint, cls))
    )


def _names_link(hint: Any, cls: type, family: Family) -> bool:
    return any(isinstance(option, type) and option in family.links for option in options(hint, cls))
