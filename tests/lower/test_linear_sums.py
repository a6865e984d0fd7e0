"""Sums of what is linear in the distances from a mean: known from the pass that made the mean."""

import warnings

import numpy as np
import pytest

import arignote as ag

rng = np.random.default_rng(0)


@ag.jit
def of_all(x, factor):
    gap = x - np.mean(x)
    return np.sum(gap * gap), np.sum(-(factor * gap + factor * gap)), np.sum(gap / factor)


@ag.jit
def of_columns(x, factor):
    gap = x - np.mean(x, axis=0)
    return np.sum(gap * gap, axis=0), np.sum(-(gap * factor), axis=0), np.sum(gap / factor + gap / factor, axis=0)


@ag.jit
def factors_that_differ(x, factor):
    gap = x - np.mean(x, axis=0)
    return np.sum(gap * gap, axis=0), np.sum(gap * factor, axis=0), np.sum(gap * factor)


@ag.jit
def from_elsewhere(x, factor):
    gap = x - (np.mean(x, axis=0) - 100.0)
    return np.sum(gap * gap, axis=0), np.sum(gap * factor, axis=0), np.sum(gap / factor, axis=0)


@ag.jit
def in_a_branch(x, flag):
    gap, total = x - np.mean(x), 0.0
    if flag:
        total = np.sum(gap * gap) + np.sum(2.0 * gap)
    return total + np.sum(gap * 3.0) + np.sum(gap * gap)


def variance_of_all(x):
    return np.var(x)


def variances(x):
    return np.sum(np.var(x, axis=0))


def kernels_that_read(function, x):
    text = str(ag.inspect(function)(x).loops)
    argument = text.split(": ptr[float64]")[0].rsplit("%", 1)[1]
    kernels = [line for line in text.splitlines() if line.strip().startswith("kernel ")]
    return sum(f"reads(%{argument})" in line or f"(%{argument}," in line for line in kernels)


@pytest.mark.parametrize("function", [variance_of_all, variances])
def test_a_gradient_reads_x_twice_and_writes_once(function):
    x = rng.normal(size=(300, 70))
    both = ag.value_and_grad(function)
    assert kernels_that_read(both, x) == 2
    along = rng.normal(size=x.shape)
    slope = (function(x + 1e-6 * along) - function(x - 1e-6 * along)) / 2e-6
    np.testing.assert_allclose(np.sum(both(x)[1] * along), slope, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (33, 5), (300, 70), (17, 1100), (4099, 3), (0, 4), (3, 0)])
def test_sums_are_as_near_as_those_of_all_elements(shape, dtype):
    x = (rng.normal(size=shape) + 3.0).astype(dtype)
    column, number = (rng.normal(size=shape[1]) + 5.0).astype(dtype), np.dtype(dtype).type(0.7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for function, factor, axis in ((of_all, number, None), (of_columns, column, 0)):
            for found, expected in zip(function(x, factor), function.__wrapped__(x, factor), strict=True):
                assert np.asarray(found).dtype == dtype and np.shape(found) == np.shape(expected)
                room = 40 * np.finfo(dtype).eps * np.sum(np.abs(x) * 2 * np.max(np.abs(factor), initial=0.0), axis=axis)
                assert np.all(np.abs(found - expected) <= room + 1e-6 * np.abs(expected)), (found, expected)


def test_factors_that_differ_along_the_axis():
    x = rng.normal(size=(90, 7))
    for factor in (rng.normal(size=(90, 1)), rng.normal(size=(90, 7)), rng.normal(size=7)):
        for found, expected in zip(factors_that_differ(x, factor), factors_that_differ.__wrapped__(x, factor)):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_branches():
    x = rng.normal(size=(90, 70))
    for flag in (True, False):
        np.testing.assert_allclose(in_a_branch(x, flag), in_a_branch.__wrapped__(x, flag), rtol=1e-12)


def test_special_values_as_in_numpy():
    x = rng.normal(size=(900, 6))
    cases = [(x, factor) for factor in (np.inf, -np.inf, np.nan, 0.0)]
    for value in (np.nan, np.inf, -np.inf):
        cases.append((x.copy(), 2.0))
        cases[-1][0][3, 2] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for values, factor in cases:
            for function in (of_all, of_columns):
                given = np.full(6, factor) if function is of_columns else factor
                for found, expected in zip(function(values, given), function.__wrapped__(values, given), strict=True):
                    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))
                    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


def test_distances_from_what_is_no_mean():
    """They may all have one sign, so that a sum that overflows is infinite."""
    x = rng.normal(size=(500, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for factor in (2.0, 1e308, -np.inf, 1e-308, 0.0):
            for found, expected in zip(from_elsewhere(x, factor), from_elsewhere.__wrapped__(x, factor), strict=True):
                np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("far", [0.0, 1e4, 1e8])
def test_gradients_of_variances_far_from_zero(far):
    """The sum takes the rounding of the mean away."""
    x = rng.normal(size=(700, 30)) + far
    wide = x.astype(np.longdouble)
    for function, axis, count in ((variance_of_all, None, x.size), (variances, 0, len(x))):
        exact = 2 * (wide - np.mean(wide, axis=axis, keepdims=True)) / count
        error = np.max(np.abs(ag.value_and_grad(function)(x)[1] - exact)) / np.max(np.abs(exact))
        assert error <= 4e-16 * max(far, 4.0), error


def test_results_do_not_depend_on_the_number_of_threads():
    x, threads = rng.normal(size=(1024, 300)), ag.get_num_threads()
    gradients = [ag.value_and_grad(variance_of_all), ag.value_and_grad(variances)]
    several = [gradient(x)[1] for gradient in gradients]
    try:
        ag.set_num_threads(1)
        alone = [gradient(x)[1] for gradient in gradients]
    finally:
        ag.set_num_threads(threads)
    assert all(np.array_equal(one, other) for one, other in zip(several, alone, strict=True))
