"""Small arrays in loops: no kernels for few elements, and no memory of their own where nobody else has them."""

from typing import Any

import numpy as np
import pytest

import arignote as ag


def pieces(x, n):  # type: ignore[no-untyped-def]
    total, at = 0.0, 0
    while at < n:
        parts = np.array([x[0], x[1] * at, 2.0])
        sums = np.cumsum(parts)
        total += sums[-1] + sums[at % 3]
        at += 1
    return total


def kept(x, n):  # type: ignore[no-untyped-def]
    """The array of one iteration is that of the next."""
    state = np.array([x[0], x[1]])
    for _ in range(n):
        state = np.array([state[1], state[0] + 1.0])
    return state


def listed(x, n):  # type: ignore[no-untyped-def]
    found = []
    for i in range(n):
        found.append(np.array([x[0] + i, x[1]]))
    return np.stack(found) if n else np.zeros((0, 2))


def chosen(x, n):  # type: ignore[no-untyped-def]
    best = x
    for i in range(n):
        here = np.array([x[1], x[0] - i])
        best = here if here[1] < best[1] else best
    return best


def in_a_branch(x, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        if i % 2 == 0:
            flags = np.array([x[0] > i, x[1] > i])
            total += np.sum(flags)
        else:
            total += np.max(np.array([x[0], x[1], 1.0 * i]))
    return total


def updated(x, n):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(n):
        room = np.zeros(3)
        before = room
        room[i % 3] = x[0] + i
        room[2] += x[1]
        total += np.sum(room * np.array([1.0, 2.0, 3.0])) + before[2]
    return total


def stepped(x, n):  # type: ignore[no-untyped-def]
    """Few elements, of unknown number."""
    for i in range(n):
        x = x + 0.5 * x[::-1] * i
    return x


def in_place(x, n):  # type: ignore[no-untyped-def]
    """Written number by number, and gone with the iteration."""
    total, i = 0.0, 0
    while i < n:
        room = np.zeros(2)
        room[1] = x[0] + i
        room[0] += x[1] * room[1]
        total += np.sum(room * room)
        i += 1
    return total


PROGRAMS = [pieces, kept, listed, chosen, in_a_branch, updated, stepped, in_place]


@pytest.mark.parametrize("program", PROGRAMS)
def test_values(program: Any) -> None:
    compiled = ag.jit(program)
    for n in (0, 1, 2, 5):
        x = np.array([1.5, -0.5])
        assert np.array_equal(compiled(x, n), program(x, n))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
def test_any_number_of_elements(size: int) -> None:
    x = np.linspace(-1.0, 2.0, size)
    x[0] = np.nan
    assert np.array_equal(ag.jit(stepped)(x, 4), stepped(x, 4), equal_nan=True)


def loop_of(program: Any) -> str:
    text = str(ag.inspect(program)(np.array([1.5, -0.5]), 5).loops)
    return text[min(text.find(word) for word in ("while carried", "for %") if word in text) :]


def test_what_stays_in_one_iteration_needs_no_memory() -> None:
    assert "alloc" not in loop_of(pieces)
    assert "kernel" not in loop_of(pieces)
    assert "scratch" in loop_of(pieces)


def test_what_is_updated_in_place_has_one_memory_under_all_names() -> None:
    assert "alloc" not in loop_of(in_place)
    assert "release" not in loop_of(in_place)


def midpoints(x, n):  # type: ignore[no-untyped-def]
    """Steps whose derivative reads small arrays that they made."""
    t, y = 0.0, np.array([x[0], x[1]])
    while t < n:
        half = y + 0.1 * np.array([y[1] * y[0], -y[0]])
        y = y + 0.2 * half * np.array([half[1], np.sin(half[0])])
        t = t + 1.0
    return np.sum(y)


def test_a_loop_of_any_length_saves_small_arrays_as_numbers() -> None:
    assert "ptr[buffer]" not in loop_of(ag.grad(midpoints))
    for n in (0, 1, 7, 9, 40, 150):
        ag.check_grads(lambda x: midpoints(x, n) * 1.0, (np.array([0.3, -0.2]),))  # noqa: B023


@pytest.mark.parametrize("program", [kept, listed])
def test_what_is_handed_on_has_memory(program: Any) -> None:
    assert "alloc" in loop_of(program)


def test_few_elements_of_unknown_number_have_a_loop_of_their_own() -> None:
    assert "less_equal(%" in loop_of(stepped)
    assert ", 4:int64)" in loop_of(stepped)


@pytest.mark.parametrize("program", [pieces, kept, in_a_branch, updated, stepped, in_place, midpoints])
def test_gradients(program: Any) -> None:
    value = lambda x: np.sum(program(x, 4)) * 1.0  # noqa: E731
    ag.check_grads(value, (np.array([1.5, -0.7]),))
