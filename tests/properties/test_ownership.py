"""Values used twice, views, results that share: every result owns its memory, and no argument changes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as ag
from arignote.runtime import native
from tests.properties.comparison import assert_no_differences, differences
from tests.properties.trees import leaves

Array = np.ndarray[Any, Any]


def argument_and_change(x: Array, n: int) -> Any:
    y = x.copy()
    y[0] = 9.0
    return x, y, x


def views_of_a_result(x: Array, n: int) -> Any:
    y = x * 2
    z = y.copy()
    z[1] = 5.0
    return y, z, y, y.T, y[1:]


def views_of_an_argument(x: Array, n: int) -> Any:
    return x, x.T, x[::2], x.reshape(-1), np.broadcast_to(x[0], (3, 3))


def snapshot_in_a_loop(x: Array, n: int) -> Any:
    h = np.zeros(4)
    previous = h.copy()
    for i in range(n):
        previous = h.copy()
        h[i % 4] = i + 1.0
    return previous, h


def best_so_far(x: Array, n: int) -> Any:
    y = x.copy()
    best = y.copy()
    for i in range(n):
        y[i % 3] = y[i % 3] * 2 + i
        if np.sum(y) > 3:
            best = y.copy()
    return y, best


def swapped_buffers(x: Array, n: int) -> Any:
    a, b = np.zeros(3), np.ones(3)
    for i in range(n):
        a, b = b, a
        if i % 2 == 0:
            a[0] = i
        else:
            b[1] = a[0]
    return a, b, a


def either_array(x: Array, n: int) -> Any:
    y = x * 1.0
    z = y if n % 2 == 0 else y + 1
    w = z.copy()
    w[0] = 100.0
    return y, z, w


def rows_swapped(x: Array, n: int) -> Any:
    y, row = x.copy(), x[0].copy()
    y[0] = y[1]
    y[1] = row
    return y, row


def overlapping_writes(x: Array, n: int) -> Any:
    y, z, w, v = x.copy(), x.copy(), x.copy(), x.copy()
    y[1:] = y[:-1]
    z[::-1] = z
    w[1:] += w[:-1]
    v += v.T
    return y, z, w, v


def transposed_into_itself(x: Array, n: int) -> Any:
    y = x.copy()
    y[:] = y.T * 2 + y
    y[np.array([0, 1, 2])] = y[np.array([2, 1, 0])]
    y[:, 0] = y[0]
    return y


def transposed_element_by_element(x: Array, n: int) -> Any:
    y = x.copy()
    for i in range(3):
        for j in range(3):
            if i < j:
                y[i, j], y[j, i] = y[j, i], y[i, j]
    return y


def product_and_change(x: Array, n: int) -> Any:
    y = x @ x
    z = y.copy()
    z[0] = 0.0
    return y @ z, z, y


def in_a_tree(x: Array, n: int) -> Any:
    pair = [x, x]
    tree = {"a": pair[0], "b": pair}
    return pair, tree["a"], tree["b"], (x,)


def records_in_a_loop(x: Array, n: int) -> Any:
    state = {"a": x.copy(), "b": (x * 2, n)}
    for i in range(n):
        state["a"][i % 3, 0] = state["b"][0][0, 0]
        state = {"a": state["b"][0] + 0, "b": (state["a"] * 1.0, i)}
    return state["a"], state["b"][0]


def helper_with_a_copy(x: Array, n: int) -> Any:
    def first_is_one(a: Array) -> Array:
        a = a.copy()
        a[0] = 1.0
        return a

    u = first_is_one(x)
    return u, first_is_one(u * 2), first_is_one(u), x


def old_part_used_later(x: Array, n: int) -> Any:
    y = x.copy()
    before = y[0] * 1
    y[0, 0] = 50.0
    return before, y[0] * 1, y


PROGRAMS = [
    value for value in list(globals().values()) if callable(value) and getattr(value, "__module__", "") == __name__
]
MATRIX = np.arange(9.0).reshape(3, 3) + 1
INPUTS = [MATRIX, np.asfortranarray(MATRIX), MATRIX[::-1]]


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.__name__ for program in PROGRAMS])
def test_results_are_independent(program: Callable[[Array, int], Any]) -> None:
    """As in plain Python; no two results share memory with each other or with the argument; nothing leaks."""
    compiled, before = ag.jit(program), native.live_buffers()
    for x in INPUTS:
        for n in (0, 1, 2, 5):
            kept = x.copy()
            found = compiled(x, n)
            assert_no_differences(differences(program(x, n), found, 8, "result"))
            arrays = [leaf for leaf in leaves(found) if isinstance(leaf, np.ndarray)]
            for number, array in enumerate(arrays):
                assert array.flags.writeable
                assert not any(np.shares_memory(array, other) for other in [*arrays[number + 1 :], x])
                array[...] = -5.0
            assert np.array_equal(x, kept)
    del found, arrays, array
    assert native.live_buffers() == before
