"""sorted() and list.sort(): at compile time where all that is compared is known then, else by a merge sort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend import prelude_lists, sequences
from arignote.frontend.elements import as_sequence, get
from arignote.frontend.iterate import elements, is_structural, length
from arignote.frontend.values import ListValue, Static, TupleValue, Value

if TYPE_CHECKING:
    from arignote.frontend.context import Context

LONGEST_KNOWN = 32
"""Up to here the result of sorting a list of known length is one of known length, whose items are taken one by one."""

NOTHING = Static(None)


def sorted_values(context: Context, values: Value, keywords: dict[str, Value]) -> ListValue:
    """sorted(values, key=..., reverse=...)"""
    if is_structural(values) or isinstance(length(context, values), Static):
        return _sorted_items(context, elements(context, values), keywords)
    items = context.call(Static(list), [values])
    assert isinstance(items, ListValue)
    return sequences.sorted_list(context, items, keywords)


def sort(context: Context, cell: ListValue, keywords: dict[str, Value]) -> Value:
    """cell.sort(key=..., reverse=...)"""
    context.write(cell, sorted_values(context, cell, keywords).state)
    return NOTHING


def _sorted_items(context: Context, items: list[Value], keywords: dict[str, Value]) -> ListValue:
    key, reverse = keywords.get("key", NOTHING), context.truth(keywords.get("reverse", Static(False)))
    has_key = not (isinstance(key, Static) and key.object is None)
    ranks = [context.call(key, [item]) for item in items] if has_key else items
    known = _known_ranks(context, ranks)
    if known is not None and isinstance(reverse, Static):
        order = sorted(range(len(items)), key=known.__getitem__, reverse=bool(reverse.object))
        return ListValue(tuple([items[place] for place in order]))
    given = as_sequence(context, ListValue(tuple(items)))
    compared = as_sequence(context, ListValue(tuple(ranks))) if has_key else given
    if given is None or compared is None:
        context.error("sorted() needs items of one type, where what it compares is known at run time only",
                      hint="sort numbers, or tuples of the same types")  # fmt: skip
    found = sequences.run(context, prelude_lists.sorted_by, given, compared, reverse)
    assert isinstance(found, ListValue)
    if len(items) > LONGEST_KNOWN:
        return found
    return ListValue(tuple([get(context, found, Static(place)) for place in range(len(items))]))


def _known_ranks(context: Context, values: Sequence[Value]) -> list[Any] | None:
    """What orders the values, if that is known: of tuples, the first items will do where they all differ."""
    first = [value.items[0] for value in values if isinstance(value, TupleValue) and value.items]
    if len(first) == len(values) and all(map(context.is_static, first)):
        ranks = [context.static(item) for item in first]
        if all(ranks.count(rank) == 1 for rank in ranks):
            return ranks
    if all(map(context.is_static, values)):
        return [context.static(value) for value in values]
    return None
