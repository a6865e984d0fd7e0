"""The structure of recursive data: trees, linked lists, expression trees, of any depth.

All nodes that belong together are visited once, without recursion, and what their fields hold is joined class by class.
What a field may hold comes from its annotation where that mentions the classes of the family, so that a single leaf has
the structure of a big tree, and otherwise from the data.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from arignote.ir.annotations import Families, dataclasses_below, is_option, options
from arignote.ir.records import values_of_fields
from arignote.ir.structure import (
    PYTHON_SCALARS,
    DataclassOf,
    ListOf,
    PythonScalarOf,
    RecursiveOf,
    SelfOf,
    SequenceOf,
    StaticOf,
    Structure,
    TupleOf,
    UnionOf,
)
from arignote.ir.structure_join import Entangled, classes_inside, in_order, join, union, with_children

MOST_STATICS = 64
"""How many different strings, functions ... one field may hold in one tree: code is compiled for each of them."""

Link = tuple[Any, str]
"""How an object was reached: from the link of what contains it, by this step: a field's name, or an index in brackets.
The first is (None, path)."""

_NONE, _SELF = StaticOf(None), SelfOf()


def path_of(link: Link | None) -> str:
    """The path that a chain of links spells, as in `argument 'tree'.left.right.value`."""
    steps: list[str] = []
    while link is not None:
        link, step = link
        steps.append(step if link is None or step.startswith("[") else f".{step}")
    return "".join(reversed(steps))


Expected = tuple[dict[str, Structure | None], Callable[[Any], tuple[Any, ...]]]


class FoundRecursive(Exception):
    """These classes contain one another in the data: they are one family."""

    def __init__(self, classes: frozenset[type]) -> None:
        self.classes = classes


class Walk:
    """The visit of all nodes of one family that one object leads to.

    read(node, name, link): the field of a node
    """

    def __init__(self, families: Families, family: frozenset[type], read: Callable[[Any, str, Link], Any]) -> None:
        self.families, self.family, self.read = families, family, read
        # Many trees of one family are alike: what is computed for one of them is known for the others.
        self._known, self._expected, self._joins = families.known.setdefault(family, ({}, {}, {}))
        self.fields: dict[type, dict[str, Any]] = {}
        self._waiting: list[tuple[Any, Link | None]] = []
        self._alive: dict[int, Any] = {}
        self._open: set[int] = set()

    def run(self, root: Any, link: Link, describe: Callable[[Any, Link, Structure | None], Structure]) -> Structure:
        """The structure of the whole."""
        waiting, alive, inside = self._waiting, self._alive, self._open
        waiting.append((root, link))
        while waiting:
            node, reached = waiting.pop()
            number = id(node)
            if reached is None:
                inside.discard(number)
            elif number in inside:
                raise TypeError(f"{shown(reached)}: cyclic: it contains itself")
            elif number not in alive:
                alive[number] = node
                before = len(waiting)
                waiting.append((node, None))  # when this is reached again, all below it has been visited
                self._visit(node, reached, describe)
                if len(waiting) == before + 1:
                    waiting.pop()  # nothing is below it
                else:
                    inside.add(number)
        found = tuple([(cls, *fields.items()) for cls, fields in self.fields.items()])
        if found not in self._known:
            self._known[found] = self._structure()
        return self._known[found]

    def node(self, value: Any, link: Link) -> Structure:
        """A node, to be visited later."""
        self._waiting.append((value, link))
        return SelfOf()

    def _visit(self, node: Any, link: Link, describe: Callable[[Any, Link, Structure | None], Structure]) -> None:
        cls, family, joins = type(node), self.family, self._joins
        expected, values_of = self.expected(cls)
        known = self.fields.get(cls)
        if known is None:
            known = self.fields[cls] = dict(expected)
        try:
            values = values_of(node)
        except AttributeError:
            values = tuple([self.read(node, name, link) for name in expected])  # says which is missing
        for (name, hope), value in zip(expected.items(), values):
            step = (link, name)
            if type(value) in family:
                self._waiting.append((value, step))
                found: Structure = _SELF
            else:
                found = describe(value, step, hope)
            before = known[name]
            if found is not before:
                both = joins.get((before, found))
                if both is None:
                    both = found if before is None else self.joined(before, found, step)
                    joins[before, found] = both
                known[name] = both

    def joined(self, before: Structure, found: Structure, link: Link) -> Structure:
        """The join of what was found at two places."""
        try:
            both = join(before, found)
        except Entangled as error:
            raise FoundRecursive(error.classes | self.family) from None
        except TypeError as error:
            raise TypeError(f"{shown(link)}: {error}") from None
        if isinstance(both, UnionOf) and len(both.alternatives) > MOST_STATICS:
            raise TypeError(f"{shown(link)}: more than {MOST_STATICS} different values that are known at compile time")
        return both

    def expected(self, cls: type) -> Expected:
        """What the annotations say of the fields that mention the family, and None for the other fields; and what gives
        the values of all fields of a node."""
        found = self._expected.get(cls)
        if found is None:
            hints = self.families.hints(cls)
            parts = {name: from_hint(hint, cls, self.family) for name, hint in hints.items()}
            hopes = {name: part if part is not None and mentions_self(part) else None for name, part in parts.items()}
            found = self._expected[cls] = hopes, values_of_fields(tuple(hopes))
        return found

    def _structure(self) -> Structure:
        for cls in self._absent():
            hints = self.families.hints(cls)
            parts = {name: from_hint(hint, cls, self.family) for name, hint in hints.items()}
            if None not in parts.values():
                self.fields[cls] = parts
        self._refuse_overlap()
        found_none = False
        alternatives: list[Structure] = []
        for cls, fields in self.fields.items():
            items = tuple([_without_none(self._known_length(cls, *field)) for field in fields.items()])
            found_none |= any(mentions_none(part) for part in fields.values())
            alternatives.append(DataclassOf(cls, tuple(fields), items))
        alternatives = list(in_order(alternatives))
        name = alternatives[0].cls.__qualname__.rpartition(".")[2]  # type: ignore[attr-defined]
        return RecursiveOf(name, (_NONE, *alternatives) if found_none else tuple(alternatives))

    def _refuse_overlap(self) -> None:
        """A class is a node's everywhere or nowhere: what is told apart by class must not be both."""
        nodes = frozenset(self.fields)
        for fields in self.fields.values():
            for part in fields.values():
                inside = classes_inside(part)
                if inside & nodes:
                    raise FoundRecursive(self.family | inside)

    def _known_length(self, cls: type, name: str, part: Structure) -> Structure:
        """Where all lists are empty, the annotation may say what they are lists of."""
        if part is not ListOf(()):
            return part
        hinted = from_hint(self.families.hints(cls)[name], cls, self.family)
        return part if hinted is None else hinted

    def _absent(self) -> list[type]:
        """Classes that no node has but that a field may hold."""
        absent: dict[type, None] = {}
        waiting, seen = list(self.fields), set(self.fields)
        while waiting:
            cls = waiting.pop()
            for hint in self.families.hints(cls).values():
                for option in _node_classes(hint, cls, self.family):
                    if option not in seen:
                        seen.add(option)
                        absent[option] = None
                        waiting.append(option)
        return list(absent)


def _node_classes(hint: Any, cls: type, family: frozenset[type]) -> Iterator[type]:
    """The dataclasses that a hint names where it may hold a node."""
    for option in options(hint, cls):
        if typing.get_origin(option) is not None:
            for part in typing.get_args(option):
                yield from _node_classes(part, cls, family)
    if is_option(hint, cls, family):
        for option in options(hint, cls):
            if isinstance(option, type) and dataclasses.is_dataclass(option) and is_leaf_class(option):
                yield option


def is_leaf_class(cls: type) -> bool:
    """Whether the class itself, and not only its subclasses, may have instances."""
    return not getattr(cls, "__abstractmethods__", None) and list(dataclasses_below(cls)) == [cls]


def from_hint(hint: Any, cls: type, family: frozenset[type]) -> Structure | None:
    """The structure that a field's annotation alone implies; None if it does not tell."""
    is_node = is_option(hint, cls, family)
    parts: list[Structure] = []
    for option in options(hint, cls):
        part = SelfOf() if is_node and _is_node_class(option) else _from_option(option, cls, family)
        if part is None:
            return None
        parts.append(part)
    return union(parts) if parts else None


def _is_node_class(option: Any) -> bool:
    return isinstance(option, type) and option not in PYTHON_SCALARS and option is not types.NoneType


def _from_option(option: Any, cls: type, family: frozenset[type]) -> Structure | None:
    if option is types.NoneType:
        return _NONE
    if option in PYTHON_SCALARS:
        return PythonScalarOf(PYTHON_SCALARS[option])
    origin, arguments = typing.get_origin(option), typing.get_args(option)
    if origin is list and len(arguments) == 1:
        element = from_hint(arguments[0], cls, family)
        return None if element is None else SequenceOf(element)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        element = from_hint(arguments[0], cls, family)
        return None if element is None else SequenceOf(element, tuple)
    if origin is tuple:
        items = [from_hint(part, cls, family) for part in arguments]
        return None if None in items else TupleOf(tuple(items))  # type: ignore[arg-type]
    return None


def mentions_self(structure: Structure) -> bool:
    """Whether a node may be in it."""
    if isinstance(structure, SelfOf):
        return True
    return not isinstance(structure, RecursiveOf) and any(map(mentions_self, structure.children()))


def mentions_none(structure: Structure) -> bool:
    """Whether None may be where a node may be."""
    if isinstance(structure, UnionOf) and _NONE in structure.alternatives and SelfOf() in structure.alternatives:
        return True
    return not isinstance(structure, RecursiveOf) and any(map(mentions_none, structure.children()))


def _without_none(structure: Structure) -> Structure:
    """None where a node may be is an alternative of the recursive union, not of the field."""
    if isinstance(structure, RecursiveOf) or not structure.children():
        return structure
    structure = with_children(structure, tuple(map(_without_none, structure.children())))
    if isinstance(structure, UnionOf) and SelfOf() in structure.alternatives:
        return union(part for part in structure.alternatives if part is not _NONE)
    return structure


def shown(link: Link) -> str:
    """The path, shortened for messages."""
    path = path_of(link)
    return path if len(path) <= 120 else f"{path[:60]}...{path[-40:]}"
