"""What lists of run-time length can do, in the language that is compiled: the specialiser turns it into loops.

`push_of`, `move_of` and `empty_like` are known to it: they pass elements on without looking at them.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def push_of(target: list[Any], source: list[Any], place: int) -> None:
    """target.append(source[place]), for a list that shall hold each element of another one once at most."""
    target.append(source[place])


def move_of(items: list[Any], to: int, place: int) -> None:
    """items[to] = items[place], where the element will not stay at both places."""
    items[to] = items[place]


def empty_like(items: list[Any]) -> list[Any]:
    """A list without elements, of what the other one holds."""
    return []


def list_of(items: Any) -> list[Any]:
    """list(items)"""
    found: list[Any] = []
    for item in items:
        found.append(item)
    return found


def extend(items: list[Any], more: Any) -> None:
    """items.extend(more) of something else than the list itself."""
    for item in more:
        items.append(item)


def extend_by_list(items: list[Any], more: list[Any]) -> None:
    """items.extend(more), which may be the list itself."""
    count = len(more)
    for place in range(count):
        items.append(more[place])


def joined(left: list[Any], right: list[Any]) -> list[Any]:
    """left + right"""
    found = empty_like(left)
    for place in range(len(left)):
        push_of(found, left, place)
    for item in right:
        found.append(item)
    return found


def repeated(items: Any, times: int) -> list[Any]:
    """items * times"""
    found: list[Any] = []
    for _ in range(times):
        for item in items:
            found.append(item)
    return found


def pop_at(items: list[Any], place: int) -> Any:
    """items.pop(place)"""
    count = len(items)
    if count == 0:
        raise IndexError("pop from empty list")
    if place < 0:
        place += count
    if place < 0 or place >= count:
        raise IndexError("pop index out of range")
    found = items[place]
    for i in range(place, count - 1):
        move_of(items, i, i + 1)
    items.pop()
    return found


def insert_at(items: list[Any], place: int, item: Any) -> None:
    """items.insert(place, item)"""
    count = len(items)
    if place < 0:
        place = max(0, place + count)
    items.append(item)
    if place < count:
        for i in range(count, place, -1):
            move_of(items, i, i - 1)
        items[place] = item


def reverse(items: list[Any]) -> None:
    """items.reverse()"""
    count = len(items)
    old = items.copy()
    for i in range(count):
        _from_other(items, i, old, count - 1 - i)


def _from_other(items: list[Any], to: int, source: list[Any], place: int) -> None:
    """items[to] = source[place], where the lists hold the same elements."""
    items[to] = source[place]


def from_other_of(items: list[Any], to: int, source: list[Any], place: int) -> None:
    """The same, without looking at the element."""
    items[to] = source[place]


def index_of(items: list[Any], item: Any, start: int = 0, stop: int = 9223372036854775807) -> int:
    """items.index(item, start, stop)"""
    count = len(items)
    if start < 0:
        start = max(0, start + count)
    if stop < 0:
        stop += count
    for place in range(start, min(stop, count)):
        if items[place] == item:
            return place
    raise ValueError("the value is not in the list")


def count_of(items: list[Any], item: Any) -> int:
    """items.count(item)"""
    found = 0
    for other in items:
        if other == item:
            found += 1
    return found


def remove(items: list[Any], item: Any) -> None:
    """items.remove(item)"""
    for place in range(len(items)):
        if items[place] == item:
            pop_at(items, place)
            return
    raise ValueError("list.remove(x): x not in list")


def contains(items: list[Any], item: Any) -> bool:
    """item in items"""
    for other in items:  # noqa: SIM110
        if other == item:
            return True
    return False


def equal(left: list[Any], right: list[Any]) -> bool:
    """left == right"""
    if len(left) != len(right):
        return False
    for a, b in zip(left, right):  # noqa: SIM110
        if a != b:
            return False
    return True


def less(left: list[Any], right: list[Any], or_equal: bool) -> bool:
    """left < right, or left <= right"""
    for a, b in zip(left, right):
        if a != b:
            return a < b
    if or_equal:
        return len(left) <= len(right)
    return len(left) < len(right)


def sliced(items: list[Any], start: int, count: int, step: int) -> list[Any]:
    """`count` elements from `start` on."""
    found = empty_like(items)
    for i in range(count):
        push_of(found, items, start + i * step)
    return found


def slice_replaced(items: list[Any], start: int, count: int, more: list[Any]) -> list[Any]:
    """The list after items[start : start + count] = more."""
    found = empty_like(items)
    for i in range(start):
        push_of(found, items, i)
    for item in more:
        found.append(item)
    for i in range(start + count, len(items)):
        push_of(found, items, i)
    return found


def without(items: list[Any], start: int, count: int, step: int) -> list[Any]:
    """The list after `del items[start : ... : step]`, which names `count` elements."""
    found = empty_like(items)
    for i in range(len(items)):
        away = i - start
        if away % step != 0 or away // step < 0 or away // step >= count:
            push_of(found, items, i)
    return found


def sort_order(ranks: list[Any], backwards: bool) -> np.ndarray[Any, Any]:
    """The places of the elements in sorted order: a stable merge sort, with `<` only, as Python's."""
    count = len(ranks)
    order, merged = np.arange(count), np.arange(count)
    width = 1
    while width < count:
        for low in range(0, count, 2 * width):
            middle, high = min(low + width, count), min(low + 2 * width, count)
            left, right = low, middle
            for place in range(low, high):
                take_right = right < high
                if take_right and left < middle:
                    a, b = ranks[order[left]], ranks[order[right]]
                    take_right = a < b if backwards else b < a
                if take_right:
                    merged[place] = order[right]
                    right += 1
                else:
                    merged[place] = order[left]
                    left += 1
        order[:] = merged
        width *= 2
    return order


def sorted_by(items: list[Any], ranks: list[Any], backwards: bool) -> list[Any]:
    """The elements in the order of their ranks."""
    order = sort_order(ranks, backwards)
    found = empty_like(items)
    for i in range(len(items)):
        push_of(found, items, order[i])
    return found


def ranks_of(items: list[Any], key: Any) -> list[Any]:
    """What the elements are sorted by."""
    found: list[Any] = []
    for item in items:
        found.append(key(item))
    return found


def filtered(function: Any, items: Any) -> Any:
    """filter(function, items)"""
    return (item for item in items if function(item))


def filtered_by_truth(function: Any, items: Any) -> Any:
    """filter(None, items)"""
    return (item for item in items if item)


def best_by(items: Any, key: Any, largest: bool) -> Any:
    """max(items, key=key) or min(items, key=key) of a list that is not empty."""
    best = items[0]
    rank = key(best)
    for place in range(1, len(items)):
        other = key(items[place])
        if (other > rank) if largest else (other < rank):
            best, rank = items[place], other
    return best


def array_of_numbers(items: list[Any], dtype: Any) -> np.ndarray[Any, Any]:
    """np.array(items) of numbers."""
    found = np.zeros(len(items), dtype)
    for i in range(len(items)):
        found[i] = items[i]
    return found


def array_of_arrays(items: list[Any], dtype: Any) -> np.ndarray[Any, Any]:
    """np.array(items) of arrays, or of what makes arrays."""
    if len(items) == 0:
        raise ValueError("an array cannot be made of an empty list of arrays: its number of dimensions is not known")
    first = np.asarray(items[0])
    found = np.zeros((len(items), *first.shape), dtype)
    for i in range(len(items)):
        item = np.asarray(items[i])
        if item.shape != first.shape:
            raise ValueError("all input arrays must have the same shape")
        found[i] = item
    return found


def concatenated(items: list[Any], axis: int, dtype: Any) -> np.ndarray[Any, Any]:
    """np.concatenate(items, axis), of arrays whose axis was moved to the front."""
    if len(items) == 0:
        raise ValueError("need at least one array to concatenate")
    first = np.moveaxis(np.asarray(items[0]), axis, 0)
    count = 0
    for item in items:
        count += np.asarray(item).shape[axis]
    found = np.zeros((count, *first.shape[1:]), dtype)
    start = 0
    for item in items:
        part = np.moveaxis(np.asarray(item), axis, 0)
        if part.shape[1:] != first.shape[1:]:
            raise ValueError(
                "all the input array dimensions except for the concatenation axis must match exactly"
            )
        found[start : start + part.shape[0]] = part
        start += part.shape[0]
    return np.moveaxis(found, 0, axis)
