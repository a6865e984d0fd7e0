"""How often a maximum occurs, counted in the pass that finds it: values against NumPy, and the loops."""

import numpy as np
import pytest

import arignote as ag

rng = np.random.default_rng(0)
SHAPES = [(1, 1), (1, 5), (3, 0), (7, 1), (8, 9), (9, 8), (67, 33), (300, 17), (70, 300), (5000, 3)]


def counted(x, name, axis):
    best = getattr(np, name)(x, axis=axis)
    return best, np.sum(x == best, axis=axis, dtype=x.dtype)


def shares(x, name, axis):
    """The derivative of the sum of the extrema, by hand."""
    best = getattr(np, name)(x, axis=axis, keepdims=True)
    count = np.sum(x == best, axis=axis, keepdims=True)
    return np.where(x == best, 1.0 / np.maximum(count, 1), 0.0)


@pytest.mark.parametrize("name", ["max", "min"])
def test_columns(name):
    gradient = ag.jit(ag.grad(lambda x: np.sum(getattr(np, name)(x, axis=0))))
    both = ag.jit(lambda x: counted(x, name, 0))
    for shape in SHAPES:
        for x in (rng.normal(size=shape), rng.integers(0, 4, size=shape).astype("float64")):
            np.testing.assert_allclose(gradient(x), shares(x, name, 0), rtol=1e-15)
            for dtype in ("float64", "float32", "int64"):
                for found, wanted in zip(both(x.astype(dtype)), counted(x.astype(dtype), name, 0), strict=True):
                    np.testing.assert_array_equal(found, wanted)
                    assert found.dtype == wanted.dtype


@pytest.mark.parametrize("name", ["max", "min"])
def test_everything(name):
    gradient = ag.jit(ag.grad(lambda x: getattr(np, name)(x) * 3.0))
    for shape in [(1, 1), (5, 7), (64, 64), (65, 64), (300, 200)]:
        for x in (rng.normal(size=shape), rng.integers(0, 9, size=shape).astype("float64"), np.zeros(shape)):
            np.testing.assert_allclose(gradient(x), 3.0 * shares(x, name, None), rtol=1e-15)
    x = rng.normal(size=20_000)
    np.testing.assert_array_equal(gradient(x), 3.0 * shares(x, name, 0))


def test_nan_and_infinity():
    x = rng.integers(0, 3, size=(200, 12)).astype("float64")
    x[0, 0] = x[5, 1] = x[199, 2] = x[3, 3] = x[4, 3] = np.nan
    x[:, 4] = -np.inf
    x[7, 5] = x[90, 5] = np.inf
    for name in ("max", "min"):
        for found, wanted in zip(ag.jit(lambda x: counted(x, name, 0))(x), counted(x, name, 0), strict=True):  # noqa: B023
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_allclose(ag.grad(lambda x: np.sum(getattr(np, name)(x, axis=0)))(x), shares(x, name, 0))  # noqa: B023
        large = np.full((100, 100), -np.inf)
        np.testing.assert_allclose(ag.grad(lambda x: getattr(np, name)(x))(large), np.full((100, 100), 1e-4))  # noqa: B023
        large[50, 50] = np.nan
        np.testing.assert_array_equal(ag.grad(lambda x: getattr(np, name)(x))(large), np.zeros((100, 100)))  # noqa: B023


def test_three_axes_and_forward():
    x = rng.integers(0, 5, size=(6, 40, 9)).astype("float64")
    np.testing.assert_allclose(ag.grad(lambda x: np.sum(np.max(x, axis=(0, 1)) ** 2))(x),
                               2 * np.max(x, axis=(0, 1)) * shares(x, "max", (0, 1)), rtol=1e-14)  # fmt: skip
    direction = rng.normal(size=x.shape)
    _, tangent = ag.jvp(lambda x: np.max(x, axis=(0, 1)), (x,), (direction,))
    wanted = np.sum(direction * shares(x, "max", (0, 1)), axis=(0, 1))
    np.testing.assert_allclose(tangent, wanted, rtol=1e-12, atol=1e-14)
    ag.check_grads(lambda x: np.sum(np.max(x, axis=0) ** 2), (rng.normal(size=(70, 5)),), order=2)


def test_other_axes_are_counted_apart():
    """What is compared stands along the other axis: not how often a maximum occurs."""
    def program(x):
        best = np.max(x, axis=0)
        return np.sum(x == best[:, np.newaxis], axis=0, dtype=np.float64), best

    for size in (1, 5, 70):
        x = rng.integers(0, 3, size=(size, size)).astype("float64")
        for found, wanted in zip(ag.jit(program)(x), program(x), strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_one_pass():
    for program in (lambda x: np.sum(np.max(x, axis=0)), lambda x: np.min(x)):
        loops = str(ag.inspect(ag.value_and_grad(program))(np.ones((70, 80))).loops)
        heads = [kernel.splitlines()[0] for kernel in loops.split("kernel ")[1:]]
        assert sum("%1" in head.split("writes")[0].strip("reads() ").split(", ") for head in heads) == 2


def test_threads():
    x = rng.integers(0, 50, size=(3000, 70)).astype("float64")
    gradient = ag.jit(ag.grad(lambda x: np.sum(np.max(x, axis=0)) + np.min(x)))
    before = ag.get_num_threads()
    try:
        ag.set_num_threads(1)
        alone = gradient(x)
        ag.set_num_threads(2)
        np.testing.assert_array_equal(gradient(x), alone)
    finally:
        ag.set_num_threads(before)
