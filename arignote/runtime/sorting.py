"""Sorting, by the functions that NumPy itself sorts with, so that equal elements come in NumPy's order.

    ag_sort(keys, lanes, length, bytes, routine) -> i64               sorts each lane, which lie one after the other
    ag_argsort(keys, order, lanes, length, bytes, routine) -> i64     writes the positions in the order of their keys

Lanes are shared by the threads. What is returned is not 0 if there was no memory. `routine` is a number of
`ir/sorting.py`; NumPy's functions (`imports.py`) take the address of the keys (and of the positions), how many there
are, and an array, at which those of numbers do not look.
"""

from __future__ import annotations

from arignote.runtime.assembly import Function, Value
from arignote.runtime.imports import POSITION, SORT_NAMES

DEFINITIONS = ""

_KEYS, _ORDER, _LENGTH, _BYTES, _SORT, _STATUS = range(0, 48, 8)
_GRAIN = 4096
"""Fewest elements that are worth a thread."""

def _sort_lanes() -> Function:
    f = Function("sort_lanes", "void", task="ptr", begin="i64", end="i64")
    task = f["task"]
    keys, order, sort = (f.load("ptr", task, offset) for offset in (_KEYS, _ORDER, _SORT))
    length, size = f.load("i64", task, _LENGTH), f.load("i64", task, _BYTES)
    with f.repeat(f["end"] - f["begin"]) as number:
        lane = (f["begin"] + number) * length
        here, status = f.address(keys, lane * size), f.variable("i32", 0)
        with f.when(order.equals(None)):
            status.set(f.call("i32", sort, here, length, None))
        with f.when(order.differs(None)):
            positions = f.address(order, lane << 3)
            with f.repeat(length) as place:
                f.store(place, positions, place << 3)
            status.set(f.call("i32", sort, here, positions, length, None))
        with f.when(status.get().differs(0)):
            f.store_atomic(1, task, _STATUS, "i64")
    f.leave()
    return f


def _share_lanes(f: Function, order: Value | None) -> None:
    """Fills in a task, and lets the threads take lanes."""
    task = f.local_words(6)
    routine = f.load("ptr", Value(f, "ptr", "@imports"), (f["routine"] << 3) + 8 * POSITION[SORT_NAMES[0]])
    f.store(f["keys"], task, _KEYS)
    f.store(order, task, _ORDER, "ptr")
    f.store(f["length"], task, _LENGTH)
    f.store(f["bytes"], task, _BYTES)
    f.store(routine, task, _SORT)
    f.store(0, task, _STATUS, "i64")
    with f.when(f["length"] > 0):
        grain = f.constant("i64", _GRAIN) // f["length"] + 1
        f.call("void", "ag_parallel_for", Value(f, "ptr", "@sort_lanes"), task, f["lanes"], grain)
    f.leave(f.load("i64", task, _STATUS))


def _sort() -> Function:
    f = Function("ag_sort", "i64", keys="ptr", lanes="i64", length="i64", bytes="i64", routine="i64")
    _share_lanes(f, None)
    return f


def _argsort() -> Function:
    f = Function("ag_argsort", "i64", keys="ptr", order="ptr", lanes="i64", length="i64", bytes="i64", routine="i64")
    _share_lanes(f, f["order"])
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_sort_lanes(), _sort(), _argsort()]
