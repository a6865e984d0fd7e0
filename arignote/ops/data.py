"""Tuples and lists. A list is a value: pushing gives a new list, in place when nobody else holds the old one."""

from __future__ import annotations

from typing import Any

import numpy as np

from arignote.ir.graph import Apply, Node, Operation, TypeRuleError
from arignote.ir.types import INT64, List, Tuple, Type, fits, join
from arignote.ops.derivative import Structural


def _element(node: Node) -> Type:
    if not isinstance(node.type, List):
        raise TypeRuleError(f"expected a list, got {node.type!r}")
    return node.type.element


def _item_rule(inputs: tuple[Node, ...], index: int) -> Type:
    type_ = inputs[0].type
    if not isinstance(type_, Tuple) or not 0 <= index < len(type_.items):
        raise TypeRuleError(f"no component {index} in {type_!r}")
    return type_.items[index]


def _holds(list_: Node, value: Node) -> Type:
    """The type of the list with this value in it, of whose sizes less may be known than of the others'."""
    element = _element(list_)
    if fits(value.type, element):
        return list_.type
    both = join(element, value.type)
    if both is None:
        raise TypeRuleError(f"a list of {element!r} cannot hold {value.type!r}")
    return List(both)


def _at(values: list[Any], index: int) -> int:
    if not -len(values) <= index < len(values):
        raise IndexError("list index out of range")
    return index % len(values)


def _list_get(values: list[Any], index: int) -> Any:
    return values[_at(values, index)]


def _list_set(values: list[Any], index: int, value: Any) -> list[Any]:
    place = _at(values, index)
    return [*values[:place], value, *values[place + 1 :]]


def _list_pop(values: list[Any]) -> tuple[list[Any], Any]:
    if not values:
        raise IndexError("pop from empty list")
    return values[:-1], values[-1]


def _list_take(values: list[Any], index: int) -> tuple[list[Any], Any]:
    return values, values[_at(values, index)]


def _always(node: Apply) -> bool:
    return True


tuple_ = Operation("tuple", lambda inputs: Tuple([x.type for x in inputs]), lambda *items: items, Structural())
"""tuple(*items)."""

item = Operation("item", _item_rule, lambda items, index: items[index], Structural())
"""item(tuple; index)."""

list_new = Operation("list_new", lambda inputs, element: List(element), lambda capacity, element: [], Structural())
"""list_new(capacity; element): an empty list with room for `capacity` elements."""

list_push = Operation("list_push", lambda inputs: _holds(*inputs), lambda values, value: [*values, value], Structural())
"""list_push(list, value): the list with the value at its end."""

list_pop = Operation("list_pop", lambda inputs: Tuple([inputs[0].type, _element(inputs[0])]), _list_pop, Structural(),
                     can_fail=_always)  # fmt: skip
"""list_pop(list): (the list without its last element, that element)."""

list_get = Operation("list_get", lambda inputs: _element(inputs[0]), _list_get, Structural(), can_fail=_always)
"""list_get(list, index): negative indices count from the end."""

list_set = Operation("list_set", lambda inputs: _holds(inputs[0], inputs[2]), _list_set, Structural(), can_fail=_always)
"""list_set(list, index, value)."""

list_take = Operation("list_take", lambda inputs: Tuple([inputs[0].type, _element(inputs[0])]), _list_take,
                      Structural(), can_fail=_always)  # fmt: skip
"""list_take(list, index): (the list, that element), of which the list does not hold the element any more: nobody may
read its place before it is set. So an element can be changed in place: taken, changed, and set again."""

list_length = Operation("list_length", lambda inputs: INT64, lambda values: np.int64(len(values)), Structural())
"""list_length(list)."""

undefined = Operation("undefined", lambda inputs, type: type, None, Structural())
"""undefined(; type): a placeholder that no result depends on, such as the residuals of the branch not taken. The
sizes of its arrays and lists may be asked for, and are 0 where the type does not say."""

FAMILY = (tuple_, item, list_new, list_push, list_pop, list_get, list_set, list_take, list_length, undefined)
