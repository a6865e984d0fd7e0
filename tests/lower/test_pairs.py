"""Nests over pairs of points: broadcasting without arrays of all pairs, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag

RNG = np.random.default_rng(5)


def forces(x, masses):
    apart = x[None, :, :] - x[:, None, :]
    squared = np.sum(apart * apart, axis=-1) + 0.1
    return np.sum(apart * (masses * squared**-1.5)[:, :, None], axis=1)


def potential(x, masses):
    apart = x[None, :, :] - x[:, None, :]
    distance = np.sqrt(np.sum(apart * apart, axis=-1) + 0.1)
    return np.sum(masses[:, None] * masses[None, :] / distance)


def by_column(x, masses):
    apart = np.abs(x[None, :, :] - x[:, None, :])
    return np.sum(apart * masses[:, None, None], axis=0), np.max(apart, axis=1), np.sum(apart, axis=(0, 1))


def nearest(x, masses):
    apart = x[None, :, :] - x[:, None, :]
    return np.argmax(apart, axis=1), np.argmin(np.sum(apart * apart, axis=-1) + masses, axis=1)


def two_sets(x, masses):
    y = 0.5 * x[::2] + 1.0
    apart = x[:, None, :] - y[None, :, :]
    return np.sum(np.exp(-np.sum(apart * apart, axis=-1)), axis=1), np.sum(apart * apart, axis=(1, 2)), apart


def kept(x, masses):
    apart = x[None, :, :] - x[:, None, :]
    return apart, np.sum(apart * apart, axis=-1), np.sum(apart, axis=1)


SHAPES = [(1, 3), (2, 3), (7, 2), (33, 3), (5, 40), (70, 5), (0, 3), (4, 0)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("program", [forces, potential, by_column, two_sets, kept])
def test_like_numpy(program, shape):
    if program is by_column and shape[0] == 0:
        pytest.skip("no largest element of none")
    x, masses = RNG.normal(size=shape), RNG.uniform(0.5, 1.5, shape[0])
    compiled = ag.jit(program)
    for given in (x, np.asfortranarray(x), x.astype(np.float32)):
        plain, found = program(given, masses), compiled(given, masses)
        if not isinstance(plain, tuple):
            plain, found = (plain,), (found,)
        for one, other in zip(found, plain, strict=True):
            assert np.asarray(one).dtype == np.asarray(other).dtype
            np.testing.assert_allclose(one, other, rtol=1e-4 if given.dtype == np.float32 else 1e-11, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3), (33, 3), (9, 20)])
def test_positions(shape):
    x, masses = RNG.normal(size=shape), RNG.uniform(0.5, 1.5, shape[0])
    for found, plain in zip(ag.jit(nearest)(x, masses), nearest(x, masses), strict=True):
        np.testing.assert_array_equal(found, plain)


def test_nan_stays_in_its_place():
    x = RNG.normal(size=(20, 3))
    x[4, 1] = np.nan
    masses = np.ones(20)
    np.testing.assert_allclose(ag.jit(forces)(x, masses), forces(x, masses), rtol=1e-11)


@pytest.mark.parametrize("shape", [(2, 3), (21, 3), (6, 9)])
def test_gradient(shape):
    x, masses = RNG.normal(size=shape), RNG.uniform(0.5, 1.5, shape[0])
    ag.check_grads(lambda x, masses: np.sum(np.sin(forces(x, masses))) + potential(x, masses), (x, masses))


def test_updated_between_uses():
    def program(x):
        x = x.copy()
        first = np.sum(np.abs(x[None, :, :] - x[:, None, :]), axis=1)
        x[0] = 2.0
        second = np.sum(np.abs(x[None, :, :] - x[:, None, :]), axis=1)
        return first, second

    x = RNG.normal(size=(12, 3))
    for found, plain in zip(ag.jit(program)(x), program(x), strict=True):
        np.testing.assert_allclose(found, plain, rtol=1e-12)


def test_nothing_for_all_pairs_and_coordinates_is_kept():
    """The result, the transposed coordinates, and a row of weights where it is too long for the stack."""
    loops = ag.inspect(forces)(RNG.normal(size=(8, 3)), np.ones(8)).loops
    assert loops.count("alloc ") <= 3


def across(x, masses):
    return np.sum(np.abs(x[None, :, :] - x[:, None, :]) * masses[:, None, None], axis=0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (70, 5), (130, 3), (0, 3), (4, 0)])
def test_sums_over_the_first_axis(shape):
    """In several blocks, where the sums of a block lie along the middle axis and the result does not."""
    x, masses = RNG.normal(size=shape), RNG.uniform(0.5, 1.5, shape[0])
    np.testing.assert_allclose(ag.jit(across)(x, masses), across(x, masses), rtol=1e-12)


def test_sums_over_the_first_axis_lie_as_the_loops_run():
    """The sums of a block (%45) are read and written along j: no stride of the width (%3) along j (%60)."""
    loops = ag.inspect(across)(RNG.normal(size=(8, 3)), np.ones(8)).loops
    lines = [line.strip() for line in loops.splitlines()]
    add = next(i for i, line in enumerate(lines) if "absolute(" in line)
    inner = max(i for i in range(add) if lines[i].startswith("for ") and "vector" in lines[i])
    index = lines[inner].split()[1]
    assert not any(line.split(" = ")[1].startswith(f"multiply({index},") for line in lines[inner:add] if " = " in line)


def both_ways(x, y, w):
    """Sums, and a largest value, over either of the first two axes."""
    apart = (x[:, None, :] - y[None, :, :]) * w
    return np.sum(apart, axis=0), np.sum(np.abs(apart), axis=1), np.sum(apart * apart, axis=0), np.min(apart, axis=1)


BOTH = [(1, 1, 1), (1, 4, 3), (33, 7, 2), (7, 33, 3), (130, 40, 3), (3, 4100, 2), (2, 9, 20)]


@pytest.mark.parametrize("sizes", BOTH)
def test_both_ways(sizes):
    rows, columns, width = sizes
    x, y = RNG.normal(size=(rows, width)), RNG.normal(size=(columns, width))
    compiled = ag.jit(both_ways)
    for w in (2.0, RNG.normal(size=(columns, width)), RNG.normal(size=(1, width)), RNG.normal(size=(columns, 1))):
        for found, plain in zip(compiled(x, y, w), both_ways(x, y, w), strict=True):
            np.testing.assert_allclose(found, plain, rtol=1e-11, atol=1e-11)


def sums_both_ways(x, y):
    apart = x[:, None, :] - y[None, :, :]
    return np.sum(np.tanh(apart), axis=1), np.sum(np.tanh(apart), axis=0), np.sum(np.abs(apart), axis=0)


@pytest.mark.parametrize("sizes", [*BOTH, (0, 3, 2), (3, 0, 2), (3, 2, 0)])
def test_sums_both_ways(sizes):
    rows, columns, width = sizes
    x, y = RNG.normal(size=(rows, width)), RNG.normal(size=(columns, width))
    compiled = ag.jit(sums_both_ways)
    for dtype in (np.float64, np.float32):
        given = x.astype(dtype), y.astype(dtype)
        for found, plain in zip(compiled(*given), sums_both_ways(*given), strict=True):
            assert found.dtype == plain.dtype
            np.testing.assert_allclose(found, plain, rtol=1e-11 if dtype == np.float64 else 1e-3, atol=1e-3)
    ag.check_grads(lambda x, y: sum(np.sum(np.sin(part)) for part in sums_both_ways(x, y)), (x[:5], y[:6]))


def test_sums_both_ways_are_made_in_one_pass():
    def program(x, y):
        apart = np.abs(x[:, None, :] - y[None, :, :])
        return np.sum(apart, axis=0), np.sum(apart, axis=1)

    loops = ag.inspect(program)(RNG.normal(size=(8, 3)), RNG.normal(size=(5, 3))).loops
    assert loops.count("= absolute(") == 1


def test_one_row_in_a_set():
    """Of an axis of one entry nothing is left in a nest; what is reduced along the others has rows as results."""

    def program(x, y):
        both = x[:, None, :] * y
        return np.max(both, axis=(0, 1)), np.min(both, axis=(0, 1)), np.sum(both, axis=(0, 1)), np.max(both, axis=0)

    y = RNG.normal(size=(9, 3))
    for x in (RNG.normal(size=(1, 3)), RNG.normal(size=(4, 3))):
        for found, plain in zip(ag.jit(program)(x, y), program(x, y), strict=True):
            np.testing.assert_allclose(found, plain, rtol=1e-12)
