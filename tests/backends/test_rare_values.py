"""Selections in scalar loops by conditions that hold only where something is not finite: branches, the same values."""

import re

import numpy as np
import pytest

import arignote as ag


def pulls(x, weights):
    """Forces between neighbours in a loop over single values; where the weight is 0 nothing is pulled, however near."""
    total = 0.0
    for i in range(1, len(x)):
        for j in range(i):
            apart = x[i] - x[j]
            total += weights[i] * weights[j] * (1.0 / (apart * np.sqrt(apart * apart)))
    return total


def cleaned(x):
    """Not derivatives: a program's own question."""
    out = np.empty_like(x)
    last = 0.0
    for i in range(len(x)):
        last = 0.0 if not np.isfinite(x[i]) and last > 1.0 else x[i] + 0.5 * last
        out[i] = last
    return out


def test_the_gradient_asks_by_branches():
    x, weights = np.array([1.0, 2.5, 4.0, 4.25]), np.array([0.5, 1.0, 2.0, 1.5])
    gradient = ag.grad(pulls)
    text = ag.inspect(gradient)(x, weights).llvm
    assert len(re.findall(r":\n  %v\d+ = select i1 .*\n  br label", text)) == 1
    step = 1e-6
    found = gradient(x, weights)
    for k in range(4):
        more, less = x.copy(), x.copy()
        more[k], less[k] = x[k] + step, x[k] - step
        np.testing.assert_allclose(found[k], (pulls(more, weights) - pulls(less, weights)) / (2 * step), rtol=1e-6)


def test_zero_times_infinite_is_zero_and_nan_stays():
    gradient = ag.grad(pulls)
    near, weights = np.array([1.0, 1.0, 3.0]), np.array([1.0, 0.0, 1.0])
    alone = gradient(near[[0, 2]], weights[[0, 2]])
    np.testing.assert_array_equal(gradient(near, weights), [alone[0], 0.0, alone[1]])
    assert np.isnan(gradient(near, np.ones(3))[:2]).all()
    assert np.isnan(gradient(np.array([1.0, np.nan, 3.0]), np.ones(3))).all()


@pytest.mark.parametrize("size", [0, 1, 2, 7, 64])
def test_questions_of_programs(size):
    rng = np.random.default_rng(size)
    x = np.where(rng.random(size) < 0.4, np.nan, rng.normal(size=size) + 1.0)
    np.testing.assert_array_equal(ag.jit(cleaned)(x), cleaned(x))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_slopes_of_reciprocals(dtype):
    """The square of the reciprocal is as good as its quotient, everywhere."""
    info = np.finfo(dtype)
    extreme = [0.0, -0.0, np.inf, -np.inf, np.nan, info.max, -info.max, info.tiny, -info.tiny, info.smallest_subnormal]
    with np.errstate(all="ignore"):
        ordinary = np.random.default_rng(0).normal(size=500) * 10.0 ** np.linspace(-12, 12, 500)
        x = np.concatenate([extreme, ordinary]).astype(dtype)
        found = ag.grad(lambda v: np.sum(1.0 / v))(x)
        exact = -1.0 / np.square(x.astype(np.longdouble))
        np.testing.assert_array_max_ulp(found, exact.astype(dtype), maxulp=2, dtype=dtype)
