"""The elements of lists of run-time length: read, pushed and stored in constant time, by operations of the graph.

An element that can change in place is linked to its list (`views`): what is written into it is written into the list.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arignote.frontend.coercion import coerce, packed, roots_together, unpacked
from arignote.frontend.join import is_unreadable, join, widen
from arignote.frontend.scope import HOOKS, Scope
from arignote.frontend.spec import Flat, flatten, leaf_types, list_type, rebuild, show_spec
from arignote.frontend.values import (
    ArrayValue,
    Cell,
    Elements,
    Link,
    ListValue,
    ScalarValue,
    Static,
    TupleValue,
    Unreadable,
    Value,
    is_fixed,
    is_number,
    now,
    number_dtype,
)
from arignote.ir.graph import Node

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def is_sequence(value: Value) -> bool:
    """Whether this is a list whose length is known at run time only."""
    return isinstance(value, ListValue) and value.is_sequence


HOOKS["is_sequence"] = is_sequence


# Elements


def elements_of(context: Context, cell: ListValue) -> Elements:
    """What the list holds now."""
    context.check_fresh(cell)
    state = context.contents(cell)
    if isinstance(state, Unreadable):
        context.unreadable(state.message, state.hint)
    assert isinstance(state, Elements)
    return state


def list_node(context: Context, cell: ListValue) -> Node:
    """The list of the graph, in the current scope."""
    state = elements_of(context, cell)
    return context.scope.bring(state.node, state.scope)


def length_of(context: Context, cell: ListValue) -> ScalarValue:
    """len(cell)"""
    return context.scalar(context.scope.emit.op("list_length", list_node(context, cell)), True, 0, 2**60)


def place_of(context: Context, index: Value) -> Node:
    """An index as a node."""
    if is_number(index) and number_dtype(index) in ("int64", "int32", "bool"):
        return context.node(index, "int64")
    context.error(f"list indices must be integers or slices, not {context.show(index)}")


def get(context: Context, cell: ListValue, index: Value) -> Value:
    """cell[index] for an integer."""
    state = elements_of(context, cell)
    got = context.emit("list_get", list_node(context, cell), place_of(context, index))
    leaves = unpacked(context.scope.emit, state.element, got)
    found = rebuild(state.element, leaves, context.scope, state.roots)
    if isinstance(found, Cell) and is_fixed(index):
        found.link = Link(cell, index, state, state.version)
        link_parts(found)
    return found


def link_parts(whole: Cell) -> None:
    """Let the cells in a record or a list of known length, itself an element, be parts of it."""
    for place, part in enumerate(_cells_in(whole.state, keep_places=True)):
        if part is not None:
            part.link = Link(whole, place, whole.state)
            link_parts(part)


def part_contents(context: Context, part: Cell, whole: Any) -> Any:
    """The present state of a part of an element that now is `whole`."""
    assert part.link is not None
    found = _cells_in(whole, keep_places=True)[part.link.index]
    assert found is not None
    return context.contents(found)


def write_inner(context: Context, part: Cell, new: Any) -> None:
    """Put what a part of an element now holds back into the element."""
    link = part.link
    assert link is not None
    whole = context.contents(link.parent)
    changed = copy.copy(part)
    changed.state, changed.birth, changed.link = new, now(), Link(link.parent, link.index, whole)
    items = list(whole)
    old = items[link.index]
    items[link.index] = (old[0], changed) if isinstance(old, tuple) else changed
    context.store(link.parent, tuple(items))


def element_contents(context: Context, part: Cell) -> Any:
    """The present state of an element that was read before."""
    assert part.link is not None and isinstance(part.link.parent, ListValue)
    found = get(context, part.link.parent, part.link.index)
    assert isinstance(found, Cell)
    return found.state


def write_element(context: Context, part: Cell, new: Any) -> None:
    """Put what an element now holds back into its list."""
    link = part.link
    assert link is not None and isinstance(link.parent, ListValue)
    old = context.contents(link.parent)
    before = _cells_in(context.contents(part))
    cells = _cells_in(new)
    is_known = all(item in before or item.link is not None and item.link.parent is part for item in cells)
    version = old.version if is_known and len(cells) == len(before) else object()
    changed = copy.copy(part)
    changed.state, changed.birth, changed.link = new, now(), None
    taken = context.taken.pop(part, None)
    if taken is not None and taken[1] is context.scope:
        old = replace(old, node=taken[0], scope=taken[1])
    flat, contents = _fitting(context, old, flatten(context, changed))
    emit = context.scope.emit
    node = emit.op("list_set", contents.nodes[0], place_of(context, link.index), packed(emit, flat.nodes))
    roots = roots_together([contents.roots, flat.roots], is_known)
    context.store(link.parent, Elements(node, context.scope, flat.spec, tuple(roots), version=version))


def take(context: Context, part: Cell) -> Node:
    """The node of an array or a list that is going to be written. Where it is an element, it is taken out of its list,
    so that it can be written in place; `write_element` puts it back."""
    link = part.link
    state = context.contents(part)
    node = state.node if isinstance(state, Elements) else state[0]
    scope = state.scope if isinstance(state, Elements) else state[1]
    if link is None or not link.is_live or link.version is None:
        return context.scope.bring(node, scope)
    assert isinstance(link.parent, ListValue)
    whole = context.contents(link.parent)
    if len(leaf_types(whole.element)) != 1:
        return context.scope.bring(node, scope)
    outer = take(context, link.parent)
    both = context.emit("list_take", outer, place_of(context, link.index))
    emit = context.scope.emit
    context.taken[part] = emit.item(both, 0), context.scope
    return emit.item(both, 1)


def _cells_in(state: Any, keep_places: bool = False) -> list[Any]:
    """The cells that the state of a record, a dict or a list of known length has; for other items None, or nothing."""
    if not isinstance(state, tuple) or any(isinstance(item, Node | Scope) for item in state):
        return []
    items = [item[1] if isinstance(item, tuple) else item for item in state]
    cells = [item if isinstance(item, Cell) else None for item in items]
    return cells if keep_places else [cell for cell in cells if cell is not None]


def _fitting(context: Context, state: Elements, flat: Flat) -> tuple[Flat, Flat]:
    """An element and the contents of a list, both of the spec that fits both."""
    wanted = join(state.element, widen(flat.spec))
    if is_unreadable(wanted):
        context.error(
            f"a list of run-time length has elements of one type: it holds {show_spec(state.element)}, and this is "
            f"{show_spec(flat.spec)}"
        )
    node = context.scope.bring(state.node, state.scope)
    contents = coerce(context, Flat(("elements", state.element), [node], list(state.roots)), ("elements", wanted))
    return coerce(context, flat, wanted), contents


def _ready(context: Context, cell: ListValue, value: Value) -> tuple[Flat, Flat]:
    """The contents of the list, which is going to be written, and a value for it, both of the spec that fits both."""
    state, flat = elements_of(context, cell), flatten(context, value)
    context.check_writable(cell)
    if cell.link is not None:
        state = replace(state, node=take(context, cell), scope=context.scope)
    flat, contents = _fitting(context, state, flat)
    return contents, flat


def _store(
    context: Context, cell: ListValue, node: Node, old: Flat, flat: Flat, once: bool, version: object = None
) -> None:
    """Give the list its new contents, which now have an element `flat`; `once`: that is known to be in it once;
    `version`: that of the list, if the other elements stay where they are."""
    roots = roots_together([old.roots, flat.roots], once)
    context.write(cell, Elements(node, context.scope, flat.spec, tuple(roots), version=version or object()))


def append(context: Context, cell: ListValue, value: Value, once: bool = False) -> None:
    """cell.append(value)"""
    old, flat = _ready(context, cell, value)
    node = context.emit("list_push", old.nodes[0], packed(context.scope.emit, flat.nodes))
    _store(context, cell, node, old, flat, once, elements_of(context, cell).version)


def put(context: Context, cell: ListValue, index: Value, value: Value, once: bool = False) -> None:
    """cell[index] = value"""
    link = value.link if isinstance(value, Cell) else None
    if link is not None and link.is_live and link.parent is cell and link.index is index:
        return  # `xs[i] += v` has written into the element itself
    old, flat = _ready(context, cell, value)
    place = place_of(context, index)
    node = context.emit("list_set", old.nodes[0], place, packed(context.scope.emit, flat.nodes))
    _store(context, cell, node, old, flat, once)


def pop(context: Context, cell: ListValue) -> Value:
    """cell.pop()"""
    state = elements_of(context, cell)
    context.check_writable(cell)
    both = context.emit("list_pop", take(context, cell))
    emit = context.scope.emit
    leaves = unpacked(emit, state.element, emit.item(both, 1))
    found = rebuild(state.element, leaves, context.scope, state.roots)
    context.write(cell, Elements(emit.item(both, 0), context.scope, state.element, state.roots))
    return found


def empty_like(context: Context, cell: ListValue) -> ListValue:
    """A list without elements, of what another one holds."""
    state = elements_of(context, cell)
    emit = context.scope.emit
    node = emit.op("list_new", emit.integer(0), element=list_type(state.element).element)
    return ListValue(Elements(node, context.scope, state.element, state.roots))


def copied(context: Context, cell: ListValue) -> ListValue:
    """cell.copy(): a list of its own, with the same elements."""
    state = elements_of(context, cell)
    return ListValue(Elements(state.node, state.scope, state.element, state.roots))


def as_sequence(context: Context, cell: ListValue) -> ListValue | None:
    """A list of known length as one of run-time length; None if its items are not of one type, or there are none."""
    items = context.read(cell)
    if not items:
        return None
    flat = flatten(context, ListValue(items))
    element = functools.reduce(join, map(widen, flat.spec[2]))
    if is_unreadable(element):
        return None
    found = coerce(context, flat, ("sequence", element))
    result = rebuild(found.spec, found.nodes, context.scope, found.roots)
    assert isinstance(result, ListValue)
    return result


def forget_length(context: Context, cell: ListValue) -> bool:
    """Make a list of known length one of run-time length; False if its items are not of one type."""
    found = as_sequence(context, cell)
    if found is not None:
        context.set(cell, found.state)
    return found is not None


def has_parts(context: Context, cell: ListValue) -> bool:
    """Whether a local list of known length has items that can be written in place."""
    mine = all(memory.owner is None for memory in cell.touched)
    return mine and cell.link is None and any(isinstance(item, Cell) for item in context.read(cell))


def item_of_known(context: Context, items: tuple[Value, ...], index: Value, name: str) -> Value | None:
    """items[index] for an index known at run time only; None if the items are not of one type."""
    specs = {widen(flatten(context, item).spec) for item in items}
    if not specs or is_unreadable(functools.reduce(join, specs)):
        return None
    place = place_of(context, index)
    count = context.constant(len(items))
    low, high = context.emit("less", place, context.constant(-len(items))), context.emit("greater_equal", place, count)
    context.raise_if(context.emit("logical_or", low, high), IndexError, f"{name} index out of range")
    outer = context.scope
    context.scope = _home(context, items) if len(specs) == 1 else outer
    try:
        list_ = as_sequence(context, ListValue(items))
    finally:
        context.scope = outer
    assert list_ is not None
    return get(context, list_, index)


def _home(context: Context, items: Sequence[Value]) -> Scope:
    """The innermost scope in which these values are known, so that what is made of them there is made once."""
    home = context.scope
    while home.parent is not None:
        outer = home.parent
        if any(_is_of(home, item) for item in items):
            break
        home = outer
    return home


def _is_of(scope: Scope, value: Value) -> bool:
    """Whether a value, or a part of it, has a node of this scope; taken to be so where it is not plain."""
    match value:
        case Static():
            return False
        case ScalarValue():
            return value.scope is scope
        case ArrayValue() if value.link is None:
            return value.state[1] is scope
        case TupleValue():
            return any(_is_of(scope, item) for item in value.items)
    return True


HOOKS["sequence_length"] = length_of
HOOKS["element_contents"] = element_contents
HOOKS["write_element"] = write_element
HOOKS["part_contents"] = part_contents
HOOKS["write_inner"] = write_inner
HOOKS["take"] = take
