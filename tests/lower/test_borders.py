"""Updates of all but the border of an array from the array itself: values against NumPy, and what is in memory."""

import numpy as np
import pytest

import arignote as ag
from arignote.lower.planned import FEWEST_ELEMENTS

rng = np.random.default_rng(0)


def heat(u, steps):
    u = u.copy()
    for _ in range(steps):
        inside = u[1:-1, 1:-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        u[1:-1, 1:-1] = inside + 0.1 * (around - 4.0 * inside)
    return u


def shifted(u, steps):
    u = u.copy()
    for _ in range(steps):
        u[2:] = 0.5 * u[:-2] + u[2:]
    return u


def one_axis(u, steps):
    u = u.copy()
    for _ in range(steps):
        u[:, :-1] = u[:, 1:] * 2.0
    return u


def of_rank_three(u, steps):
    u = u.copy()
    for _ in range(steps):
        u[1:, :, 1:-2] = u[:-1, :, :-3] + u[1:, ::-1, 3:]
    return u


def twice(u, steps):
    u = u.copy()
    before = u[0]
    for _ in range(steps):
        old = u
        u = u.copy()
        u[1:] = old[:-1] - u[:-1]
        u[:-1] = u[1:] + 1.0
    return u, before


PROGRAMS = {heat: 2, shifted: 1, one_axis: 2, of_rank_three: 3, twice: 1}


@pytest.mark.parametrize("program", PROGRAMS)
def test_values(program):
    compiled = ag.jit(program)
    for size in (2, 3, 4, 5, 8, 19):
        u = rng.normal(size=tuple(size + k for k in range(PROGRAMS[program])))
        kept = u.copy()
        for steps in (0, 1, 3):
            for ours, plain in zip(leaves(compiled(u, steps)), leaves(program(u, steps)), strict=True):
                np.testing.assert_allclose(ours, plain, rtol=1e-13, atol=1e-14)
        np.testing.assert_array_equal(u, kept)


def leaves(result):
    return result if isinstance(result, tuple) else (result,)


def test_small_and_strided():
    for shape in ((0, 0), (0, 4), (1, 1), (1, 5), (2, 2)):
        u = rng.normal(size=shape)
        np.testing.assert_array_equal(ag.jit(heat)(u, 2), heat(u, 2))
    u = rng.normal(size=(14, 9))[::2].T
    np.testing.assert_allclose(ag.jit(heat)(u, 3), heat(u, 3), rtol=1e-13)


def test_nan_stays_where_it_is():
    u = np.zeros((6, 6))
    u[0, 0] = u[5, 3] = np.nan
    np.testing.assert_array_equal(ag.jit(heat)(u, 1), heat(u, 1))


def test_nothing_is_copied_back():
    loops = ag.inspect(heat)(np.ones((6, 6)), 2).loops
    step = loops[loops.index("ag_check_signals") : loops.index("release")]
    assert step.count("alloc") == 1 and "unique" not in step


def test_rows_by_number_are_written_in_place():
    def program(u):
        u = u.copy()
        for k in range(1, len(u)):
            u[k] = u[k - 1] + u[k]
        return u

    u = rng.normal(size=(5, 7))
    np.testing.assert_allclose(ag.jit(program)(u), np.cumsum(u, axis=0), rtol=1e-13)
    loops = ag.inspect(program)(u).loops
    assert "unique" in loops[loops.index("ag_check_signals") :]


def test_gradient():
    ag.check_grads(lambda u: np.sum(heat(u, 3) ** 2), (rng.normal(size=(5, 6)),))


def test_the_more_is_done_the_fewer_elements_are_worth_a_thread():
    def grains(program, *arguments):
        return [int(line.split()[-2].split(":")[0]) for line in ag.inspect(program)(*arguments).loops.split("\n")
                if " grain " in line and ":int64" in line.split(" grain ")[1]]  # fmt: skip

    x = np.ones(10)
    assert grains(lambda x: x + 1.0, x) == [32768]
    assert FEWEST_ELEMENTS <= grains(lambda x: np.sin(np.exp(np.tanh(x))) * x, x)[0] < 32768
