"""`a[i] += f()` reads the number before it evaluates the right side, as Python does."""

from typing import Any

import numpy as np
import pytest

import arignote as ag

X = np.array([1.0, 2.0, 3.0])


def change(a):  # type: ignore[no-untyped-def]
    a[0] = 10.0
    return 1.0


def one_number(x):  # type: ignore[no-untyped-def]
    a = x.copy()
    a[0] += change(a)
    return a


def of_two_axes(x):  # type: ignore[no-untyped-def]
    a = np.stack([x, x])
    a[0, -1] *= np.sum(a[1]) + change(a[0])
    return a


def a_view(x):  # type: ignore[no-untyped-def]
    a = x.copy()
    a[:2] += change(a)
    return a


def counted(x):  # type: ignore[no-untyped-def]
    a = np.zeros(2, dtype=np.int64)
    for i in range(4):
        a[i % 2] += len(x) + i
    return a


def at_places(x):  # type: ignore[no-untyped-def]
    a = x.copy()
    a[np.array([0, 1])] += change(a)
    return a


def under_a_mask(x):  # type: ignore[no-untyped-def]
    a = x.copy()
    a[x < 2.5] *= change(a)
    return a


def at_places_that_change(x):  # type: ignore[no-untyped-def]
    a, places = x.copy(), np.array([0, 1])

    def move():  # type: ignore[no-untyped-def]
        places[0] = 2
        return 1.0

    a[places] += move()
    return a


def an_array_of_one_place(x):  # type: ignore[no-untyped-def]
    a = x.copy()
    a[np.array(0)] += change(a)
    return a


def the_whole_or_a_row(x):  # type: ignore[no-untyped-def]
    a = np.stack([x, x])
    a[0] += change(a[0])
    a[..., 0] += change(a[1])
    a[None, 0, 0] += change(a[0])
    return a


PROGRAMS = [one_number, of_two_axes, a_view, counted, at_places, under_a_mask, at_places_that_change,
            an_array_of_one_place, the_whole_or_a_row]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_values(program: Any) -> None:
    assert np.array_equal(ag.jit(program)(X), program(X))


def two_errors(x, y):  # type: ignore[no-untyped-def]
    a = x.copy()
    a[5] += y[7]
    return a


def test_the_target_fails_first() -> None:
    with pytest.raises(IndexError, match="index 5 is out of bounds for axis 0 with size 3"):
        ag.jit(two_errors)(X, X)


def test_what_comes_before_a_condition_fails_first() -> None:
    def program(x, n):
        a = np.zeros(n)
        for i in range(n):
            a[3] += 1.0
            if x[-2] > 0.5:
                a[i - 1] += 2.0
        return a

    for x, n, message in ((1, 2, "index 3 is out of bounds"), (1, 4, "index -2 is out of bounds")):
        for function in (program, ag.jit(program)):
            with pytest.raises(IndexError, match=message):
                function(np.ones(x), n)
