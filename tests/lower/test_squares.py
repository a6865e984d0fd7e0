"""Sums of squares about a mean: one pass over memory, as accurate as two, with the same special values."""

import warnings

import numpy as np
import pytest

import arignote as ag

rng = np.random.default_rng(0)


@ag.jit
def of_all(x):
    return np.mean(x), np.var(x)


@ag.jit
def of_columns(x):
    return np.mean(x, axis=0), np.var(x, axis=0)


@ag.jit
def of_channels(x):
    return np.mean(x, axis=(0, 1)), np.std(x, axis=(0, 1), ddof=1)


@ag.jit
def about_another_number(x):
    near = np.sum(x, axis=0) / 7.0 + 1.0
    return np.sum((x - near) * (x - near), axis=0)


@ag.jit
def about_the_mean_of_before(x):
    y = x * 1.0
    middle = np.mean(y, keepdims=True)
    y[0, 0] = 5.0
    return np.sum((y - middle) ** 2), middle


@ag.jit
def in_a_branch_or_not(x, flag):
    middle = np.mean(x, keepdims=True)
    total = np.zeros(x.shape)
    if flag:
        total = (x - middle) * (x - middle)
    for i in range(2):
        total = total + (x - middle) * i
    return np.sum(total), np.sum((x - middle) * (x - middle))


def test_x_is_read_by_one_kernel():
    x = rng.normal(size=(300, 70))
    for function in (of_all, of_columns):
        text = str(ag.inspect(function)(x).loops)
        argument = text.split(": ptr[float64]")[0].rsplit("%", 1)[1]
        kernels = [line for line in text.splitlines() if line.strip().startswith("kernel ")]
        assert sum(f"reads(%{argument})" in line or f"(%{argument}," in line for line in kernels) == 1, text


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (33, 5), (300, 70), (17, 1100), (140, 2050), (4099, 3)])
def test_values(shape, dtype, tolerance):
    x = (rng.normal(size=shape) + 3.0).astype(dtype)
    for function in (of_all, of_columns, about_another_number):
        for found, expected in zip(np.atleast_1d(function(x)), np.atleast_1d(function.__wrapped__(x)), strict=True):
            assert np.asarray(found).dtype == dtype
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_axes_before_the_last():
    x = rng.normal(size=(20, 30, 5))
    np.testing.assert_allclose(of_channels(x), of_channels.__wrapped__(x), rtol=1e-13, atol=1e-14)


def test_writes_and_branches_in_between():
    x = rng.normal(size=(90, 70))
    for args, function in (((x,), about_the_mean_of_before), ((x, True), in_a_branch_or_not),
                           ((x, False), in_a_branch_or_not)):  # fmt: skip
        for found, expected in zip(function(*args), function.__wrapped__(*args), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-9)


def test_nothing_and_special_values_as_in_numpy():
    few, many = rng.normal(size=(40, 3)), rng.normal(size=(900, 6))
    arrays = [np.zeros((0, 4)), np.zeros((3, 0)), many * 1e200, np.full((300, 20), 1.7e308), np.full((300, 20), 0.1)]
    for place, value in ((0, np.nan), (0, -np.inf), (50, np.inf), (50, np.nan)):
        for array in (few, many):
            arrays.append(array.copy())
            arrays[-1].flat[place] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for x in arrays:
            for function in (of_all, of_columns):
                for found, expected in zip(function(x), function.__wrapped__(x), strict=True):
                    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-28)


HARD = {
    "far from zero": lambda shape: rng.normal(size=shape) + 1e3,
    "sorted": lambda shape: np.sort(rng.normal(size=shape).ravel()).reshape(shape),
    "every sixteenth row": lambda shape: rng.normal(size=shape) + 1e3 * (np.arange(shape[0]) % 16 == 0)[:, None],
    "every thirteenth row": lambda shape: rng.normal(size=shape) + 1e3 * (np.arange(shape[0]) % 13 == 0)[:, None],
    "the first eight rows": lambda shape: rng.normal(size=shape) + 1e4 * (np.arange(shape[0]) < 8)[:, None],
    "every eighth row": lambda shape: rng.normal(size=shape) + 1e3 * (np.arange(shape[0]) % 8 == 0)[:, None],
    "some columns": lambda shape: rng.normal(size=shape) + 1e4 * (np.arange(shape[1]) < shape[1] // 8),
    "the first 512": lambda shape: rng.normal(size=shape) + 1e4 * (np.arange(np.prod(shape)) < 512).reshape(shape),
    "the first rows": lambda shape: rng.normal(size=shape) + 1e6 * (np.arange(shape[0]) < 4)[:, None],
}


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_as_accurate_as_two_passes(name, dtype):
    """Errors in units of the last place; what NumPy's own two passes reach for columns grows with the rows."""
    for shape in ((300, 400), (5000, 17)):
        x = HARD[name](shape).astype(dtype)
        for function, axis in ((of_all, None), (of_columns, 0)):
            exact = np.var(x.astype(np.longdouble), axis=axis)
            ours, numpys = (np.max(np.abs(found - exact) / exact) / np.finfo(dtype).eps
                            for found in (function(x)[1], np.var(x, axis=axis)))  # fmt: skip
            assert ours <= max(2 * numpys, 4.0), (shape, axis, ours, numpys)


def test_results_do_not_depend_on_the_number_of_threads():
    x = rng.normal(size=(1024, 300))
    threads = ag.get_num_threads()
    several = [np.asarray(found) for function in (of_all, of_columns) for found in function(x)]
    try:
        ag.set_num_threads(1)
        alone = [np.asarray(found) for function in (of_all, of_columns) for found in function(x)]
    finally:
        ag.set_num_threads(threads)
    assert all(np.array_equal(one, other) for one, other in zip(several, alone, strict=True))


def test_gradients():
    x = rng.normal(size=(70, 90))
    along = rng.normal(size=x.shape)
    for function in (lambda x: np.var(x), lambda x: np.sum(np.std(x, axis=0))):
        slope = (function(x + 1e-6 * along) - function(x - 1e-6 * along)) / 2e-6
        np.testing.assert_allclose(np.sum(ag.grad(function)(x) * along), slope, rtol=1e-6)


@pytest.mark.parametrize("rows", [1, 3, 9, 70, 600, 5000])
def test_sums_of_whole_numbers_are_exact(rows):
    x = np.rint(rng.normal(size=(rows, 1)) * 1e4)
    assert of_all(x)[0] == np.sum(x) / rows
    if rows < 100:
        assert of_columns(np.hstack([x, x]))[0].tolist() == [np.sum(x) / rows] * 2


@pytest.mark.parametrize("size", [2, 3, 1026])
def test_distances_that_overflow_leave_the_mean(size):
    x = np.full(size, 1.6e308)
    x[size // 2 :] = -1.6e308
    x[1 : size // 2] = 0.0
    x[size // 2 + 1 :] = 0.0
    middle, spread = of_all(x)
    assert middle == np.mean(x) == 0.0
    assert spread == np.inf
    middle, spread = of_columns(np.stack([x, np.ones(size)], axis=1))
    assert middle.tolist() == [0.0, 1.0]
    assert spread.tolist() == [np.inf, 0.0]
