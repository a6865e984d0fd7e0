"""Products of a matrix and a vector: rows summed side by side, panels of results, sizes that fill no vector."""

import numpy as np
import pytest

import arignote as ag

SIZES = (0, 1, 2, 3, 5, 8, 9, 15, 17, 31, 33, 64, 70)


def times(a, x):
    return a @ x


compiled = ag.jit(times)


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 4e-14), (np.float32, 2e-5)])
def test_sizes_and_directions(dtype, bound):
    generator = np.random.default_rng(0)
    for m in SIZES:
        for k in SIZES:
            a, x, z = (generator.normal(size=size).astype(dtype) for size in ((m, k), k, m))
            np.testing.assert_allclose(compiled(a, x), a @ x, rtol=bound, atol=bound)
            np.testing.assert_allclose(compiled(z, a), z @ a, rtol=bound, atol=bound)


def turned(a, x, z):
    return a.T @ z, x @ a.T, a[:, ::2] @ x[::2], a[::2] @ x, a.T[1:] @ z


def test_views():
    generator = np.random.default_rng(1)
    for m, k in ((7, 9), (33, 12), (130, 70), (200, 700)):
        a, x, z = generator.normal(size=(m, k)), generator.normal(size=k), generator.normal(size=m)
        for ours, theirs in zip(ag.jit(turned)(a, x, z), turned(a, x, z), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_a_row_is_summed_alike_in_any_place():
    generator = np.random.default_rng(2)
    a, x = generator.normal(size=(19, 37)), generator.normal(size=37)
    whole = compiled(a, x)
    for row in range(19):
        assert compiled(a[row : row + 3], x)[0] == whole[row]


def test_what_is_no_number_stays_in_its_row():
    a, x = np.ones((11, 13)), np.arange(13.0)
    a[4, 12], a[7, 2] = np.nan, np.inf
    np.testing.assert_array_equal(compiled(a, x), a @ x)
    np.testing.assert_array_equal(compiled(a[:, ::-1].copy().T, np.ones(11)), a[:, ::-1].T @ np.ones(11))
