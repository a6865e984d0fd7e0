"""Recursive data: which specs a node of a tree, a linked list ... may have.

A `TreeDefinition` is the static part of recursive data: the specs of its alternatives (None, and one record for each
class of a family), in which it stands itself as `SELF`. The spec of such a value is ("recursive", definition). They are
interned by content, so a fixpoint is reached when nothing new is learnt.

Folding makes a definition of specs: every part that is of the family becomes SELF, and what it may be is added to the
alternatives. So types stay finite however deep the data is nested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from arignote.frontend.families import Family, family_of, link_fields
from arignote.frontend.join import join, tag_of, widen
from arignote.frontend.spec import Spec, leaf_types
from arignote.frontend.values import Value
from arignote.ir.structure import ANY, MANY, StaticOf
from arignote.ir.types import Array, Tuple, Union, UnionDefinition

SELF: Spec = ("self",)
NONE: Spec = StaticOf(None)


class TreeDefinition:
    """What recursive data may be. Equal definitions are the same object; see `definition`."""

    __slots__ = ("family", "alternatives", "_type", "_unfolded", "_samples", "__weakref__")

    def __init__(self, family: Family, alternatives: tuple[Spec, ...]) -> None:
        self.family, self.alternatives = family, alternatives
        self._type: Union | None = None
        self._unfolded: tuple[Spec, ...] | None = None
        self._samples: tuple[Value, ...] | None = None

    @property
    def name(self) -> str:
        return next(spec[1][0].__name__ for spec in self.alternatives if spec is not NONE)

    @property
    def spec(self) -> Spec:
        return "recursive", self

    @property
    def unfolded(self) -> tuple[Spec, ...]:
        """The alternatives, in which the definition stands itself."""
        if self._unfolded is None:
            self._unfolded = tuple([substitute(spec, self.spec) for spec in self.alternatives])
        return self._unfolded

    @property
    def node_type(self) -> Union:
        """The type of a node in the graph: the payload of an alternative is the tuple of its leaves."""
        if self._type is None:
            made = UnionDefinition(self.name)
            self._type = Union(made)
            made.define([Tuple(leaf_types(spec)) for spec in self.unfolded])
        return self._type

    @property
    def samples(self) -> tuple[Value, ...]:
        """Values of the alternatives, to ask for classes; their nodes stand for nothing."""
        if self._samples is None:
            from arignote.frontend.spec import example

            self._samples = tuple([example(spec) for spec in self.unfolded])
        return self._samples

    def place(self, cls: type | None) -> int | None:
        """The alternative of a class; of None, that of None."""
        for place, spec in enumerate(self.alternatives):
            if (spec is NONE and cls is None) or (spec is not NONE and spec[1][0] is cls):
                return place
        return None

    def __repr__(self) -> str:
        return self.name


_interned: WeakValueDictionary[tuple[Family, tuple[Spec, ...]], TreeDefinition] = WeakValueDictionary()


def definition(family: Family, alternatives: tuple[Spec, ...]) -> TreeDefinition:
    """The definition with these alternatives."""
    known = _interned.get((family, alternatives))
    if known is None:
        known = _interned[family, alternatives] = TreeDefinition(family, alternatives)
    return known


def children(spec: Spec) -> tuple[Spec, ...]:
    """The specs that a container's spec mentions."""
    if isinstance(spec, StaticOf) or spec[0] in ("function", "recursive", "self"):
        return ()
    if spec[0] in ("sequence", "elements", "partial"):
        return (spec[1],)
    return spec[2] if len(spec) == 3 and isinstance(spec[2], tuple) else ()


def with_children(spec: Spec, change: Callable[[Spec], Spec]) -> Spec:
    """The spec of a container with its parts changed."""
    if isinstance(spec, StaticOf) or not children(spec):
        return spec
    if spec[0] in ("sequence", "elements", "partial"):
        return spec[0], change(spec[1])
    return spec[0], spec[1], tuple(map(change, spec[2]))


def substitute(spec: Spec, value: Spec) -> Spec:
    """The spec with SELF replaced."""
    return value if spec == SELF else with_children(spec, lambda part: substitute(part, value))


def mentions(spec: Spec, wanted: Spec) -> bool:
    """Whether a spec stands somewhere in another."""
    return spec == wanted or any(mentions(part, wanted) for part in children(spec))


class Fold:
    """A definition under construction."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.alternatives: dict[Any, Spec] = {}
        self.conflict: Spec | None = None

    def add(self, spec: Spec) -> None:
        """It may be this."""
        tag = tag_of(spec)
        if spec == SELF:
            return
        if tag == "recursive":
            for alternative in spec[1].alternatives:
                self._merge(alternative)
        elif tag == "union":
            for part in spec[2]:
                self.add(part)
        elif tag == "record":
            self._merge((tag, spec[1], self._fields(spec)))
        else:
            assert spec is NONE, spec
            self._merge(spec)

    def _merge(self, alternative: Spec) -> None:
        key = None if alternative is NONE else alternative[1]
        known = self.alternatives.get(key)
        joined = alternative if known is None else join(known, alternative)
        if tag_of(joined) == "unreadable":
            self.conflict = joined
        self.alternatives[key] = joined

    def _fields(self, spec: Spec) -> tuple[Spec, ...]:
        cls, names = spec[1]
        links = link_fields(cls, self.family)
        return tuple([
            self._closed(part, name in links)
            for name, part in zip(names, spec[2], strict=True)
        ])  # fmt: skip

    def _closed(self, spec: Spec, link: bool) -> Spec:
        """What stands in a field, with nodes replaced by SELF. `link`: it is annotated as what may hold nodes."""
        if self._is_node(spec, link):
            self.add(spec)
            return SELF
        tag = tag_of(spec)
        if tag == "union":
            return self._closed_union(spec, link)
        if tag == "list" and link:
            element = SELF
            for part in spec[2]:
                element = join(element, self._closed(part, link))
            return "sequence", element
        if tag == "array":
            return "array", Array(spec[1].dtype, [ANY if size in (1, ANY) else MANY for size in spec[1].dims])
        return with_children(widen(spec), lambda part: self._closed(part, link and tag != "record"))

    def _is_node(self, spec: Spec, link: bool) -> bool:
        if spec is NONE:
            return link and self.family.optional
        if tag_of(spec) == "recursive":
            return spec[1].family == self.family
        if tag_of(spec) != "record":
            return spec == SELF
        return spec[1][0] in self.family.members or link and self.family.accepts(spec[1][0])

    def _closed_union(self, spec: Spec, link: bool) -> Spec:
        result: Spec | None = None
        for part in sorted(spec[2], key=lambda part: not self._is_node(part, link)):
            closed = self._closed(part, link)
            result = closed if result is None else join(result, closed)
        return result

    def result(self) -> TreeDefinition:
        """The definition, with its alternatives in the one order that they always have."""
        if self.family.optional:
            self.alternatives.setdefault(None, NONE)
        ordered = sorted(self.alternatives.values(), key=_order)
        return definition(self.family, tuple(ordered))


def _order(spec: Spec) -> tuple[int, str, str]:
    return (0, "", "") if spec is NONE else (1, spec[1][0].__module__, spec[1][0].__qualname__)


def fold(family: Family, *specs: Spec) -> Spec:
    """The spec of data that may be any of these; an unreadable one where fields have no common spec."""
    folded = Fold(family)
    for spec in specs:
        folded.add(spec)
    return folded.conflict or folded.result().spec


def node_spec(spec: Spec) -> Spec:
    """The spec of a record whose class may be recursive: what it contains of its family is folded."""
    family = family_of(spec[1][0])
    if family is None:
        return spec
    folded = Fold(family)
    folded.add(spec)
    if folded.conflict is not None:
        return folded.conflict
    made = folded.result()
    place = made.place(spec[1][0])
    assert place is not None
    parts = [
        whole if mentions(part, SELF) else own
        for own, part, whole in zip(spec[2], made.alternatives[place][2], made.unfolded[place][2], strict=True)
    ]
    return "record", spec[1], tuple(parts)
