"""Which parts of a value are mapped, that is differ from element to element, and how such values are represented.

    type of one element     mask                       many elements
    scalar, array           bool                       an array with one more axis, the first
    tuple                   a mask per item            a tuple
    closure                 a mask per capture         the tuple of its captures (its function is known by the type)
    list                    (mask of its elements,)    a list of one length for all, whose elements are represented so
    union                   its mapped places, or False   a union of one shape for all, whose leaves are represented so
    token                   False                      the same token

A value no part of which is mapped is itself. A place is a scalar or an array somewhere in a union or in a union inside
it: (definition, alternative, path to it in the payload), so that the mask of a union that contains itself is finite.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arignote.ir.types import (
    Array,
    Closure,
    List,
    Scalar,
    Token,
    Tuple,
    Type,
    Union,
    UnionDefinition,
    dims_of,
    dtype_of,
)
from arignote.ops.batching import CannotBatch

Place = tuple[UnionDefinition, int, tuple[int, ...]]

Mask = Any
"""bool | frozenset[Place] | tuple[Mask, ...]"""


def parts(type_: Type) -> tuple[Type, ...] | None:
    """The types of the parts that a mask tells apart; None where it is one bool."""
    match type_:
        case Tuple():
            return type_.items
        case Closure():
            return type_.capture_types
        case List():
            return (type_.element,)
    return None


def check_finite(type_: Type) -> None:
    """Raise `CannotBatch` for a closure that captures, somewhere, closures of its own type: it has no finite mask."""
    stack: list[tuple[Type, frozenset[Type]]] = [(type_, frozenset())]
    while stack:
        current, inside = stack.pop()
        if isinstance(current, Closure):
            if current in inside:
                raise CannotBatch("functions that capture functions of their own kind")
            inside |= {current}
        stack.extend((part, inside) for part in parts(current) or ())


def uniform(type_: Type, flag: bool) -> Mask:
    """Everything that can be mapped is, or nothing."""
    below = parts(type_)
    if below is not None:
        return tuple([uniform(part, flag) for part in below])
    if isinstance(type_, Union):
        return flag and (all_places(type_) or False)
    return flag and not isinstance(type_, Token)


def some(mask: Mask) -> bool:
    """Whether any part is mapped."""
    return any(map(some, mask)) if isinstance(mask, tuple) else bool(mask)


def union(a: Mask, b: Mask) -> Mask:
    """What is mapped in either."""
    if isinstance(a, tuple):
        return tuple(map(union, a, b))
    return a | b if a and b else a or b


def batched_type(type_: Type, mask: Mask, dim: int) -> Type:
    """The type of many elements; `dim` is what is known of how many."""
    if not some(mask):
        return type_
    match type_:
        case Scalar() | Array():
            return Array(dtype_of(type_), (dim, *dims_of(type_)))
        case Tuple() | Closure():
            return Tuple([batched_type(part, m, dim) for part, m in zip(parts(type_) or (), mask, strict=True)])
        case List():
            return List(batched_type(type_.element, mask[0], dim))
        case Union():
            return Union(_batched_definition(type_.definition, mask, dim))
    raise AssertionError(type_)


# unions ------------------------------------------------------------------------------------------------------------


def all_places(type_: Union) -> frozenset[Place]:
    """Every place of a union, and of the unions in it."""
    found = type_.definition.derived.get("places")
    if found is None:
        places: set[Place] = set()
        waiting, seen = [type_.definition], {type_.definition}
        while waiting:
            definition = waiting.pop()
            if not definition.is_defined:
                raise CannotBatch(f"{definition.name}, which is still being made")
            for alternative, payload in enumerate(definition.alternatives):
                check_finite(payload)
                for path, leaf in _leaves(payload, ()):
                    if not isinstance(leaf, Union):
                        places.add((definition, alternative, path))
                    elif leaf.definition not in seen:
                        seen.add(leaf.definition)
                        waiting.append(leaf.definition)
        found = type_.definition.derived["places"] = frozenset(places)
    return found


def _leaves(type_: Type, path: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Type]]:
    """The scalars, arrays and unions of a payload, with the way to each."""
    below = parts(type_)
    if below is not None:
        for number, part in enumerate(below):
            yield from _leaves(part, (*path, number))
    elif not isinstance(type_, Token):
        yield path, type_


def payload_mask(type_: Union, alternative: int, places: frozenset[Place]) -> Mask:
    """The mask of the payload of an alternative."""

    def mask(part: Type, path: tuple[int, ...]) -> Mask:
        below = parts(part)
        if below is not None:
            return tuple([mask(inner, (*path, number)) for number, inner in enumerate(below)])
        if isinstance(part, Union):
            return places & all_places(part) or False
        return (type_.definition, alternative, path) in places

    return mask(type_.alternatives[alternative], ())


def places_of(type_: Union, alternative: int, payload: Mask) -> frozenset[Place]:
    """The places that are mapped in a union of which the payload of this alternative has this mask."""
    found: set[Place] = set()

    def visit(mask: Mask, path: tuple[int, ...]) -> None:
        if isinstance(mask, tuple):
            for number, inner in enumerate(mask):
                visit(inner, (*path, number))
        elif isinstance(mask, frozenset):
            found.update(mask)
        elif mask:
            found.add((type_.definition, alternative, path))

    visit(payload, ())
    return frozenset(found)


def _batched_definition(definition: UnionDefinition, places: frozenset[Place], dim: int) -> UnionDefinition:
    """The union of many elements: as tagged as that of one."""
    key = ("batched", places, dim)
    made = definition.derived.get(key)
    if made is None:
        made = definition.derived[key] = UnionDefinition(f"many_{definition.name}")
        own = Union(definition)
        made.define([batched_type(payload, payload_mask(own, alternative, places), dim)
                     for alternative, payload in enumerate(definition.alternatives)])  # fmt: skip
    return made
