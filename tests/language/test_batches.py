"""vmap of the whole language: branches, loops, recursion and effects, each element as it would be alone."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag

POINTS = np.array([0.5, -1.2, 2.0, 0.0])
COUNTS = np.array([3, 0, 5, 1])


def branches(x, n):
    if x > 0.0:
        return math.log(x) if n > 1 else x
    return x * n


def loops(x, n):
    y = x
    for i in range(n):
        y = y * 0.5 + i
        if y > 3.0:
            break
    else:
        y = -y
    return y


def until_small(x, n):
    y = abs(x) + n
    while y > 0.1:
        y = y / (2.0 + x * x)
    return y


def recursion(x, n):
    def power(k):
        return 1.0 if k == 0 else x * power(k - 1)

    return power(n)


def closures(x, n):
    f = (lambda v: v * x) if n > 2 else math.sin
    return f(f(x)) + n


def lists(x, n):
    values = [x]
    for i in range(n):
        values.append(values[-1] * 0.5 + i)
    return sum(values) + values[n // 2]


def writes(x, n):
    out = np.zeros(6)
    for i in range(n):
        out[i] = x + i
    out[n] += 1.0
    out[::2] *= x
    return np.sum(out * out)


def optional(x, n):
    found = None
    for i in range(n):
        if i * x > 1.0:
            found = i * x
            break
    return -1.0 if found is None else found


def domain(x, n):
    # The side that is not taken must neither fail nor give NaN.
    return math.sqrt(x) + 1.0 / x if x > 0.0 else float(n)


PROGRAMS = [branches, loops, until_small, recursion, closures, lists, writes, optional, domain]
each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)


@each_program
def test_every_element_is_as_it_would_be_alone(program) -> None:
    alone = [program(x, n) for x, n in zip(POINTS.tolist(), COUNTS.tolist())]
    np.testing.assert_allclose(ag.vmap(program)(POINTS, COUNTS), alone, rtol=1e-13)
    same = [program(x, 2) for x in POINTS.tolist()]
    np.testing.assert_allclose(ag.vmap(program, in_axes=(0, None))(POINTS, 2), same, rtol=1e-13)


@each_program
def test_gradients_of_every_element(program) -> None:
    alone = [ag.grad(program)(x, n) for x, n in zip(POINTS.tolist(), COUNTS.tolist())]
    np.testing.assert_allclose(ag.vmap(ag.grad(program))(POINTS, COUNTS), alone, rtol=1e-12)
    together = ag.grad(lambda x: np.sum(ag.vmap(program)(x, COUNTS)))(POINTS)
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    assert np.all(np.isfinite(together))


@each_program
def test_second_derivatives_of_every_element(program) -> None:
    twice = ag.grad(ag.grad(program))
    alone = [twice(x, n) for x, n in zip(POINTS.tolist(), COUNTS.tolist())]
    np.testing.assert_allclose(ag.vmap(twice)(POINTS, COUNTS), alone, rtol=1e-12)
    along = ag.jvp(lambda x: ag.vmap(ag.grad(program))(x, COUNTS), (POINTS,), (np.ones(4),))[1]
    np.testing.assert_allclose(along, alone, rtol=1e-12)


def test_batches_of_batches() -> None:
    table = ag.vmap(ag.vmap(branches, in_axes=(None, 0)), in_axes=(0, None))(POINTS, COUNTS)
    expected = [[branches(x, n) for n in COUNTS.tolist()] for x in POINTS.tolist()]
    np.testing.assert_allclose(table, expected)


@dataclass
class State:
    """A position and a speed."""

    x: float
    v: np.ndarray
    label: str = "state"


def test_batches_of_records() -> None:
    def moved(state, dt):
        return State(state.x + dt * state.v[0], state.v * 0.5 if state.x > 0.0 else -state.v, state.label)

    states = State(POINTS, np.arange(8.0).reshape(4, 2))
    result = ag.vmap(moved, in_axes=(0, None))(states, 0.1)
    alone = [moved(State(x, v), 0.1) for x, v in zip(POINTS.tolist(), states.v)]
    np.testing.assert_allclose(result.x, [s.x for s in alone])
    np.testing.assert_allclose(result.v, [s.v for s in alone])
    assert result.label == "state"


def test_an_element_that_fails_fails_the_whole() -> None:
    with pytest.raises(ZeroDivisionError):
        ag.vmap(lambda n: 1 // int(n))(COUNTS)
    with pytest.raises(IndexError):
        ag.vmap(lambda n: np.zeros(4)[n])(COUNTS)
    assert ag.vmap(lambda n: 1 // n if n > 0 else 0)(COUNTS).tolist() == [0, 0, 0, 1]


def test_what_cannot_be_mapped_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        ag.vmap(branches)(POINTS, COUNTS[:2])
    with pytest.raises((ag.CompileError, ValueError)):
        ag.vmap(branches)(1.0, 2)
    with pytest.raises((ag.CompileError, ValueError)):
        ag.vmap(branches, in_axes=(None, None))(1.0, 2)
    with pytest.raises(ValueError, match="shape"):
        ag.vmap(lambda n: np.zeros(n))(COUNTS)
