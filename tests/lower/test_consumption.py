"""Procedures that take over what they write: sums passed from call to call are never copied, and nothing is lost."""

import gc
from typing import Any

import numpy as np
import pytest

import arignote as ag
from arignote.runtime.native import live_buffers


def network(w, b, x, depth):  # type: ignore[no-untyped-def]
    if depth == 0:
        return np.tanh(w @ x)
    return np.tanh(w @ network(w, b, x, depth - 1) + b) * network(w, b, 0.5 * x, depth - 1)


def loss(w, b, x, depth):  # type: ignore[no-untyped-def]
    return np.sum(network(w, b, x, depth) ** 2)


def filled(out, i):  # type: ignore[no-untyped-def]
    """Written in place by each call, as nobody else has the array."""
    if i < 0:
        return out
    out = out.copy()
    out[i] = out[i] + i
    return filled(out, i - 1)


def kept(out, i):  # type: ignore[no-untyped-def]
    """The caller reads its array after the call."""
    if i < 0:
        return 0.0
    next_one = out * 1.0
    next_one[i] = 3.0
    return kept(next_one, i - 1) + out[i]


def endless(w, depth):  # type: ignore[no-untyped-def]
    if depth == 0:
        return np.sum(w)
    return np.sum(w * endless(w, depth + 1))


def arguments() -> tuple[Any, ...]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(3, 3)), generator.normal(size=3), generator.normal(size=3), 3


def test_gradient() -> None:
    w, b, x, depth = arguments()
    found = ag.jit(ag.grad(loss, (0, 1, 2)))(w, b, x, depth)
    step, direction = 1e-6, np.full((3, 3), 0.5)
    change = (loss(w + step * direction, b, x, depth) - loss(w - step * direction, b, x, depth)) / (2 * step)
    assert np.isclose(np.sum(found[0] * direction), change, rtol=1e-6)


def test_totals_are_written_in_place() -> None:
    text = ag.inspect(ag.grad(loss, (0, 1, 2)))(*arguments()).ir["prune again"]
    backward = next(part for part in text.split("\n\n") if part.startswith("@network_backward"))
    assert "total_p0" in backward and "total_p1" in backward and "total_p2" not in backward


@pytest.mark.parametrize("program", [filled, kept])
def test_callers_keep_theirs(program: Any) -> None:
    given = np.arange(4.0)
    expected = program(given.copy(), 3)
    assert np.array_equal(ag.jit(program)(given, 3), expected)
    assert np.array_equal(given, np.arange(4.0))


def test_nothing_is_lost() -> None:
    """Not even where a call fails as there is no more stack."""
    compiled, failing = ag.jit(ag.grad(loss, (0, 1, 2))), ag.jit(ag.grad(endless))
    for _ in range(2):
        compiled(*arguments())
        with pytest.raises(RecursionError):
            failing(np.ones(2), 1)
        gc.collect()
        before = live_buffers()
    compiled(*arguments())
    with pytest.raises(RecursionError):
        failing(np.ones(2), 1)
    gc.collect()
    assert live_buffers() == before
