"""Sums over shifted regions of one array, as derivatives of stencils make them: values against NumPy, and the loops."""

import re

import numpy as np
import pytest

import arignote as ag

rng = np.random.default_rng(0)


def line(u):
    return u[:-2] * 3.0 - u[1:-1] + 0.5 * u[2:]


def line_pulled(u, c):
    total = np.zeros_like(u)
    total[:-2] += 3.0 * c
    total[1:-1] -= c
    total[2:] += 0.5 * c
    return total


def plane(u):
    return u[1:, 1:-1] * u[:-1, 2:] + np.exp(u[1:, :-2]) - u[:-1, 1:-1]


def plane_pulled(u, c):
    total = np.zeros_like(u)
    total[1:, 1:-1] += c * u[:-1, 2:]
    total[:-1, 2:] += c * u[1:, 1:-1]
    total[1:, :-2] += c * np.exp(u[1:, :-2])
    total[:-1, 1:-1] -= c
    return total


def last_axis(u):
    return u[:, 1:] - u[:, :-1] + np.sum(u[:, 1:], axis=1, keepdims=True)


def last_axis_pulled(u, c):
    total = np.zeros_like(u)
    total[:, 1:] += c
    total[:, :-1] -= c
    total[:, 1:] += np.sum(c, axis=1, keepdims=True)
    return total


def space(u):
    return u[2:, 1:, :-1] - u[:-2, :-1, 1:] + 2.0 * u[1:-1, 1:, 1:]


def space_pulled(u, c):
    total = np.zeros_like(u)
    total[2:, 1:, :-1] += c
    total[:-2, :-1, 1:] -= c
    total[1:-1, 1:, 1:] += 2.0 * c
    return total


def wide(u):
    """More regions than one pass takes, and some that do not overlap."""
    total = 0.0 * u[8:]
    for k in range(9):
        total = total + (k + 1.0) * u[k : u.shape[0] - 8 + k]
    for k in range(9):
        total = total - np.sin(u[k : u.shape[0] - 8 + k])
    return total


def wide_pulled(u, c):
    total = np.zeros_like(u)
    for k in range(9):
        here = u[k : u.shape[0] - 8 + k]
        total[k : u.shape[0] - 8 + k] += c * ((k + 1.0) - np.cos(here))
    return total


PROGRAMS = {line: (line_pulled, 1), plane: (plane_pulled, 2), last_axis: (last_axis_pulled, 2),
            space: (space_pulled, 3), wide: (wide_pulled, 1)}  # fmt: skip
SIZES = {1: [(0,), (1,), (2,), (3,), (4,), (9,), (17,), (70_000,)],
         2: [(0, 5), (1, 5), (2, 2), (2, 3), (3, 4), (4, 3), (19, 21), (260, 301)],
         3: [(0, 3, 4), (2, 2, 2), (3, 2, 2), (4, 5, 6), (5, 4, 3), (40, 33, 35)]}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_values(program):
    pulled, rank = PROGRAMS[program]
    gradient = ag.jit(ag.grad(lambda u, w: np.sum(program(u) * w)))
    for size in SIZES[rank]:
        if program is wide and size[0] < 9:
            continue  # broadcasts, or fails
        u = rng.normal(size=size)
        w = rng.normal(size=program(u).shape)
        expected = pulled(u, w)
        np.testing.assert_allclose(gradient(u, w), expected, rtol=1e-12, atol=1e-12)


def test_strided():
    u, w = rng.normal(size=(7, 18))[:, ::2].T, rng.normal(size=(8, 5))
    np.testing.assert_allclose(ag.grad(lambda u: np.sum(plane(u) * w))(u), plane_pulled(u, w), rtol=1e-12)


def test_second_order():
    ag.check_grads(lambda u: np.sum(plane(u) ** 2), (rng.normal(size=(4, 5)),), order=2)


def steps(u, rate):
    u = u.copy()
    for _ in range(3):
        inside = u[1:-1, 1:-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        u[1:-1, 1:-1] = inside + rate * (around - 4.0 * inside)
    return np.sum(u * u)


def steps_pulled(u, rate):
    """The derivative by hand: the loop backwards."""
    states = [u]
    for _ in range(3):
        after, inside = states[-1].copy(), states[-1][1:-1, 1:-1]
        u = states[-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        after[1:-1, 1:-1] = inside + rate * (around - 4.0 * inside)
        states.append(after)
    pulled, of_rate = 2.0 * states.pop(), 0.0
    while states:
        u = states.pop()
        inside = pulled[1:-1, 1:-1].copy()
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        of_rate += np.sum(inside * (around - 4.0 * u[1:-1, 1:-1]))
        pulled[1:-1, 1:-1] = (1.0 - 4.0 * rate) * inside
        for place in ((slice(2, None), slice(1, -1)), (slice(None, -2), slice(1, -1)),
                      (slice(1, -1), slice(2, None)), (slice(1, -1), slice(None, -2))):  # fmt: skip
            pulled[place] += rate * inside
    return pulled, of_rate


def test_loops():
    gradient = ag.jit(ag.grad(steps, (0, 1)))
    alone = ag.jit(ag.grad(steps))
    for size in ((0, 4), (1, 5), (2, 2), (3, 3), (3, 4), (4, 3), (5, 9), (33, 34), (200, 230)):
        u = rng.normal(size=size)
        expected, of_rate = steps_pulled(u, 0.1)
        found, rate = gradient(u, 0.1)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(rate, of_rate, rtol=1e-10)
        np.testing.assert_array_equal(alone(u, 0.1), found)


def test_nan_and_infinity_stay_in_reach():
    u = rng.normal(size=(9, 11))
    w = np.ones((8, 9))
    w[3, 4] = np.nan
    w[6, 0] = np.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(
            ag.grad(lambda u: np.sum(plane(u) * w))(u), plane_pulled(u, w), rtol=1e-13, atol=1e-13
        )


def loops_over_steps(argnums):
    """The loop over steps that computes the value, and the one backwards."""
    loops = ag.inspect(ag.grad(steps, argnums))(np.ones((6, 6)), 0.1).loops
    found = re.findall(r"^  for .*?^  }", loops, re.MULTILINE | re.DOTALL)
    assert len(found) == 2
    return found


def test_one_pass():
    """The backward loop of a linear stencil saves nothing, copies nothing, and writes one array in one kernel."""
    forward, backward = loops_over_steps(0)
    assert backward.count("alloc") == backward.count("kernel") == forward.count("alloc") == 1
    assert "unique" not in backward


def test_what_is_saved_is_written_in_its_place():
    forward, _ = loops_over_steps((0, 1))
    assert forward.count("alloc") == 1 and forward.count("kernel") == 2  # the inside with what is saved, the border
