"""Joining structures: what describes the values of a field over all nodes of a tree.

Python numbers join to the wider kind, sizes to what is known of all. What has no common structure becomes a `UnionOf`,
whose alternatives an object's class, dtype and rank, or identity tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from arignote.ir.structure import (
    ANY,
    MANY,
    ArrayOf,
    DataclassOf,
    DictOf,
    ListOf,
    NamedTupleOf,
    NumpyScalarOf,
    PythonScalarOf,
    RecursiveOf,
    SequenceOf,
    StaticOf,
    Structure,
    TupleOf,
    UnionOf,
    show,
    static_key,
)

_WIDTH = {"bool": 0, "int64": 1, "float64": 2}


class Entangled(Exception):
    """Recursive classes of two families are met in one place, and cannot be told apart: they are one family."""

    def __init__(self, classes: frozenset[type]) -> None:
        self.classes = classes


def join(a: Structure, b: Structure) -> Structure:
    """The least structure of the values of both."""
    if a is b:
        return a
    if isinstance(a, UnionOf) or isinstance(b, UnionOf):
        return union((*_alternatives(a), *_alternatives(b)))
    if isinstance(b, SequenceOf) and not isinstance(a, SequenceOf):
        a, b = b, a
    if isinstance(a, SequenceOf) and isinstance(b, SequenceOf | TupleOf | ListOf) and a.kind is _kind(b):
        element = a.element
        for item in b.children():
            element = join(element, item)
        return SequenceOf(element, a.kind)
    if _classes(a) & _classes(b) and (isinstance(a, RecursiveOf) or isinstance(b, RecursiveOf)):
        return _join_recursive(a, b)
    return _joined(a, b) if distinction(a) == distinction(b) else union((a, b))


def _classes(structure: Structure) -> frozenset[type]:
    """The classes of the objects that a structure may stand for."""
    parts = structure.alternatives if isinstance(structure, RecursiveOf) else (structure,)
    return frozenset(part.cls for part in parts if isinstance(part, DataclassOf))


def classes_inside(structure: Structure) -> frozenset[type]:
    """The dataclasses anywhere in a structure."""
    own = {structure.cls} if isinstance(structure, DataclassOf) else set()
    return frozenset(own.union(*map(classes_inside, structure.children())))


def _join_recursive(a: Structure, b: Structure) -> Structure:
    """One union of the alternatives of both."""
    if not (isinstance(a, RecursiveOf) and isinstance(b, RecursiveOf)):
        raise Entangled(classes_inside(a) | classes_inside(b))
    parts = _by_distinction((*a.alternatives, *b.alternatives))
    return RecursiveOf(min(a.name, b.name), parts)


def _kind(structure: Structure) -> type:
    return structure.kind if isinstance(structure, SequenceOf) else list if isinstance(structure, ListOf) else tuple


def _alternatives(structure: Structure) -> tuple[Structure, ...]:
    return structure.alternatives if isinstance(structure, UnionOf) else (structure,)


def distinction(structure: Structure) -> tuple[Any, ...]:
    """What tells the values of a structure from those of others at a glance."""
    match structure:
        case ArrayOf():
            return "array", structure.dtype, structure.rank
        case NumpyScalarOf():
            return "numpy scalar", structure.dtype
        case TupleOf():
            return "tuple", len(structure.items)
        case ListOf():
            return "list", len(structure.items)
        case SequenceOf():
            return "sequence", structure.kind
        case DictOf():
            return "dict", structure.cls
        case NamedTupleOf() | DataclassOf():
            return "class", structure.cls
        case RecursiveOf():
            return "recursive", _classes(structure)
        case StaticOf():
            return "static", static_key(structure.value)
    return (type(structure).__name__,)


def _joined(a: Any, b: Any) -> Structure:
    """The join of two structures with the same distinction."""
    match a:
        case DictOf() if a.keys != b.keys:
            raise TypeError(f"a dict with the keys {a.keys} in one place and {b.keys} in another")
        case ArrayOf():
            return ArrayOf(a.dtype, tuple(map(_join_size, a.dims, b.dims)))
        case PythonScalarOf():
            return max(a, b, key=lambda scalar: _WIDTH[scalar.dtype])
    return with_children(a, tuple(map(join, a.children(), b.children())))


def accepts(wanted: Structure, given: Structure) -> bool:
    """Whether what is compiled for one structure of trees serves values of another: one that uses fewer alternatives,
    or of whose sizes more is known. Numbers are of the same kind."""
    if wanted is given:
        return True
    if isinstance(wanted, UnionOf) and isinstance(given, UnionOf):
        return all(accepts(wanted, part) for part in _alternatives(given))
    if isinstance(wanted, RecursiveOf):
        alternatives = given.alternatives if isinstance(given, RecursiveOf) else ()
        return bool(alternatives) and all(_accepts_one(wanted, part) for part in alternatives)
    if isinstance(wanted, UnionOf):
        return _accepts_one(wanted, given)
    if isinstance(wanted, SequenceOf) and (isinstance(given, SequenceOf) or given is ListOf(())):
        return wanted.kind is _kind(given) and all(accepts(wanted.element, part) for part in given.children())
    if distinction(wanted) != distinction(given) or isinstance(wanted, PythonScalarOf):
        return False
    if isinstance(wanted, ArrayOf) and isinstance(given, ArrayOf):
        return all(map(_accepts_size, wanted.dims, given.dims))
    parts, others = wanted.children(), given.children()
    return len(parts) == len(others) > 0 and all(map(accepts, parts, others))


def _accepts_one(wanted: RecursiveOf | UnionOf, part: Structure) -> bool:
    return any(accepts(alternative, part) for alternative in wanted.alternatives)


def _accepts_size(wanted: int, given: int) -> bool:
    return wanted == given or (wanted == ANY and given == MANY)


def _join_size(a: int, b: int) -> int:
    if a == b:
        return a
    return MANY if a not in (1, ANY) and b not in (1, ANY) else ANY


def with_children(structure: Structure, items: tuple[Structure, ...]) -> Structure:
    """The same structure with other parts."""
    match structure:
        case TupleOf() | ListOf() | UnionOf():
            return type(structure)(items)
        case DictOf():
            return DictOf(structure.keys, items, structure.cls)
        case NamedTupleOf():
            return NamedTupleOf(structure.cls, items)
        case DataclassOf():
            return DataclassOf(structure.cls, structure.names, items)
        case SequenceOf():
            return SequenceOf(items[0], structure.kind)
        case RecursiveOf():
            return RecursiveOf(structure.name, items)
    return structure


def union(alternatives: Iterable[Structure]) -> Structure:
    """The union of these; the structure itself where they join to one."""
    parts = _by_distinction(alternatives)
    return parts[0] if len(parts) == 1 else UnionOf(parts)


def _by_distinction(alternatives: Iterable[Structure]) -> tuple[Structure, ...]:
    parts: dict[tuple[Any, ...], Structure] = {}
    for part in alternatives:
        for key, known in list(parts.items()):
            if key == distinction(part) or _classes(known) & _classes(part):
                part = join(parts.pop(key), part)
        parts[distinction(part)] = part
    return in_order(parts.values())


def in_order(alternatives: Iterable[Structure]) -> tuple[Structure, ...]:
    """Alternatives in the one order that they always have: None, then by kind and name."""
    return tuple(sorted(alternatives, key=_order))


def _order(structure: Structure) -> tuple[Any, ...]:
    if isinstance(structure, StaticOf) and structure.value is None:
        return (0, "")
    if isinstance(structure, DataclassOf | NamedTupleOf):
        return (2, structure.cls.__module__, structure.cls.__qualname__)
    text = show(structure) if isinstance(structure, StaticOf) else str(distinction(structure)[1:])
    return (1, type(structure).__name__, text)
