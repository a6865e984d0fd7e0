"""Loops over time that run inside their kernels: values against NumPy, and which loops do."""

import numpy as np
import pytest

import arignote as ag
from arignote.lower import time_loops

rng = np.random.default_rng(0)


def escapes(x, y, steps):
    real, imaginary = np.zeros((len(y), len(x))), np.zeros((len(y), len(x)))
    counts = np.zeros((len(y), len(x)), dtype=np.int64)
    for _ in range(steps):
        inside = real * real + imaginary * imaginary <= 4.0
        counts += inside
        following = real * real - imaginary * imaginary + x
        imaginary = np.where(inside, 2.0 * real * imaginary + y[:, np.newaxis], imaginary)
        real = np.where(inside, following, real)
    return counts, real


def logistic(x, rate, steps):
    for _ in range(steps):
        x = rate * x * (1.0 - x)
    return x


def exchanged(x, y, steps):
    for _ in range(steps):
        x, y = y, 0.5 * x + y
    return x, y


def last_of_each(x, steps):
    z = x
    for k in range(steps):
        z = x * k
        x = 0.5 * x + 1.0
    return z, x


def with_the_step(x, steps):
    for k in range(steps):
        x = 0.25 * x + np.sin(1.0 * k)
    return x


def neighbours(x, steps):
    for _ in range(steps):
        x = 0.5 * (x + x[::-1])
    return x


def mean_of_all(x, steps):
    for _ in range(steps):
        x = x - np.mean(x)
    return x


def in_one_row(x, steps):
    for _ in range(steps):
        x = x + x[0]
    return x


MOVED = {
    logistic: lambda n: (rng.uniform(size=n), 3.7),
    last_of_each: lambda n: (rng.normal(size=(2, n)),),
    with_the_step: lambda n: (rng.normal(size=(n, 3)),),
}
OTHERS = {
    exchanged: lambda n: (rng.normal(size=n), rng.normal(size=n)),
    neighbours: lambda n: (rng.normal(size=n),),
    mean_of_all: lambda n: (rng.normal(size=n + 1),),
    in_one_row: lambda n: (rng.normal(size=(3, n)),),
}


def compare(program, arguments):
    found, expected = ag.jit(program)(*arguments), program(*arguments)
    for ours, plain in zip(*[leaf if isinstance(leaf, tuple) else (leaf,) for leaf in (found, expected)], strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-13, atol=1e-14)
        assert ours.dtype == plain.dtype


@pytest.mark.parametrize("program", [*MOVED, *OTHERS])
def test_values(program, monkeypatch):
    monkeypatch.setattr(time_loops, "SEGMENT", 300)
    for size in (0, 1, 37, 400):
        for steps in (0, 1, 29):
            compare(program, (*(MOVED | OTHERS)[program](size), steps))


def test_masked_arrays():
    for width, height, steps in ((40, 33, 20), (1, 5, 3), (0, 4, 2), (7, 1, 0)):
        x, y = np.linspace(-2.0, 0.6, width), np.linspace(-1.1, 1.1, height)
        for ours, plain in zip(ag.jit(escapes)(x, y, steps), escapes(x, y, steps), strict=True):
            np.testing.assert_array_equal(ours, plain)


def test_special_values():
    x = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e308, 5e-324])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(ag.jit(logistic)(x, 3.0, 9), logistic(x, 3.0, 9))


@pytest.mark.parametrize("program", [*MOVED, *OTHERS])
def test_which_loops_move(program):
    loops = ag.inspect(program)(*(MOVED | OTHERS)[program](5), 3).loops
    assert (f"{time_loops.SEGMENT}:int64" in loops) == (program in MOVED), loops


def test_the_text():
    """One kernel, in which the loop over steps carries numbers."""
    loops = ag.inspect(logistic)(np.ones(5), 3.7, 3).loops
    body = loops[loops.index("ag_check_signals") :]
    kernel = body[body.index("kernel") : body.index("release")].split("\n")
    words = [word for line in kernel for word in line.split() if word in ("kernel", "for", "load", "multiply", "store")]
    assert words == ["kernel", "for", "load", "for", "store"]


def test_gradient():
    x = rng.uniform(size=11)
    ag.check_grads(lambda x: np.sum(logistic(x, 2.5, 4)), (x,))


def test_shapes_that_do_not_match_still_raise():
    def program(x, y, steps):
        for _ in range(steps):
            x = x + y
        return x

    compiled = ag.jit(program)
    np.testing.assert_array_equal(compiled(np.ones(3), np.ones(4), 0), np.ones(3))
    with pytest.raises(ValueError):
        compiled(np.ones(3), np.ones(4), 2)
