"""What one iteration hands to the next is written over what it replaces."""

from typing import Any

import numpy as np
import pytest

import arignote as ag


def stepped(x, n):  # type: ignore[no-untyped-def]
    for i in range(n):
        x = x + 0.5 * i
    return x


def to_a_limit(x, n):  # type: ignore[no-untyped-def]
    speed = np.ones_like(x)
    t = 0
    while t < n and np.sum(x) < 1e3:
        speed = speed * 0.9 + np.sin(x)
        x = x + 0.1 * speed
        t += 1
    return x, speed


def falling(x, n):  # type: ignore[no-untyped-def]
    speed, t = np.ones_like(x), 0
    while t < n:
        speed = speed * 0.9 + np.sin(x)
        x = x + 0.1 * speed
        t += 1
    return x, speed


def scaled_rows(x, n):  # type: ignore[no-untyped-def]
    for i in range(n):
        x = x * np.arange(1.0, 3.0)[:, None] - x[0] * 0.0 + i
    return x


def turned(x, n):  # type: ignore[no-untyped-def]
    """Read at other places than it is written."""
    for _ in range(n):
        x = x + x[::-1]
    return x


def collected(x, n):  # type: ignore[no-untyped-def]
    found = [x]
    for _ in range(n):
        x = x * 1.5
        found.append(x)
    return found


def both(x, n):  # type: ignore[no-untyped-def]
    """The array before the last iteration is wanted too."""
    before = x
    for _ in range(n):
        before = x
        x = x + 1.0
    return before, x


def grown(x, n):  # type: ignore[no-untyped-def]
    for i in range(n):
        x = np.concatenate((x, x[-1:] + i))
    return x


def joined(x, n):  # type: ignore[no-untyped-def]
    """Written by two kernels."""
    for _ in range(n):
        x = np.concatenate((x[1:] * 2.0, np.sin(x[:1])))
    return x


def swapped(x, n):  # type: ignore[no-untyped-def]
    y = x * 2.0
    for _ in range(n):
        x, y = y + 1.0, x - 1.0
    return x, y


PROGRAMS = [stepped, to_a_limit, falling, turned, collected, both, grown, joined, swapped]


def same(found: Any, expected: Any) -> None:
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            same(one, other)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 3000])
def test_values(program: Any, size: int) -> None:
    compiled = ag.jit(program)
    x = np.linspace(-1.0, 2.0, size)
    before = x.copy()
    for n in (0, 1, 2, 5):
        same(compiled(x, n), program(x, n))
        assert np.array_equal(x, before)
    strided = np.linspace(-1.0, 2.0, 2 * size)[::2]
    same(compiled(strided, 3), program(strided, 3))


def test_rows() -> None:
    x = np.array([[0.5, -1.0, np.nan], [2.0, 3.0, np.inf]])
    before = x.copy()
    compiled = ag.jit(scaled_rows)
    for n in (0, 1, 4):
        with np.errstate(invalid="ignore"):
            assert np.array_equal(compiled(x, n), scaled_rows(x, n), equal_nan=True)
    assert np.array_equal(x, before, equal_nan=True)


def test_an_empty_array() -> None:
    assert ag.jit(stepped)(np.zeros(0), 4).shape == (0,)


@pytest.mark.parametrize("program", [stepped, turned, joined, swapped, to_a_limit])
def test_gradients(program: Any) -> None:
    def value(x: Any) -> Any:
        found = program(x, 3)
        total = found[0] if isinstance(found, tuple) else found
        return np.sum(total * total)

    ag.check_grads(value, (np.array([0.3, -0.2, 0.7]),))


def loop_of(program: Any, n: int = 5) -> str:
    text = str(ag.inspect(program)(np.array([1.5, -0.5]), n).loops)
    return text[text.find("while carried" if "while carried" in text else "for %") :]


def test_nothing_is_allocated() -> None:
    loop = loop_of(falling)
    assert "alloc" not in loop[: loop.find("procedure")]


@pytest.mark.parametrize("program", [turned, both, collected])
def test_what_is_still_read_stays(program: Any) -> None:
    assert "alloc" in loop_of(program)
