"""Loops that run differently often for each element."""

import time

import numpy as np
import pytest

import arignote as ag


def root(a):
    x = a
    while abs(x * x - a) > 1e-9:
        x = 0.5 * (x + a / x)
    return x


def root_and_steps(a):
    x, n = a, 0
    while np.abs(x * x - a) > 1e-9:
        x = 0.5 * (x + a / x) if x > 1e-3 else x + 1.0
        n += 1
    return x, n


def root_with_break(a):
    x = a
    for _ in range(50):
        if abs(x * x - a) < 1e-9:
            break
        x = 0.5 * (x + a / x)
    return x


def powers(x, n):
    y = 1.0
    for i in range(n):
        y = y * x + np.sin(i + x)
    return y


def mandelbrot(re, im):
    x, y, n = 0.0, 0.0, 0
    while n < 100 and x * x + y * y <= 4.0:
        x, y = x * x - y * y + re, 2.0 * x * y + im
        n += 1
    return n


def decay_until_small(v, rate):
    n = 0
    while np.sum(v) > 0.1:
        v = v * rate
        n += 1
    return v, n


def collatz(n):
    k = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        k += 1
    return k


def checked(a):
    x = a
    while x > 1.0:
        x = np.sqrt(x) - 0.01
        if x > 50.0:
            raise ValueError(f"too large: {x}")
    return x


def nested(x, n):
    total = 0.0
    for i in range(n):
        y = x
        while y > 0.5:
            y = y / (i + 2.0)
        total += y
    return total


random = np.random.default_rng(3)
POSITIVE = {n: random.uniform(0.1, 30.0, n) for n in (0, 1, 7, 100, 3000)}
SCALARS = [root, root_and_steps, root_with_break, checked]


def close(result, wanted):
    np.testing.assert_allclose(result, wanted, rtol=1e-12, atol=1e-13)


def stack(results):
    if isinstance(results[0], tuple):
        return tuple(np.stack(column) for column in zip(*results))
    return np.stack(results)


@pytest.mark.parametrize("size", [1, 7, 100, 3000])
@pytest.mark.parametrize("function", SCALARS)
def test_trip_counts_differ(function, size):
    xs = POSITIVE[size]
    np.testing.assert_allclose(ag.vmap(function)(xs), stack([function(x) for x in xs]), rtol=1e-14)


@pytest.mark.parametrize("function", SCALARS)
def test_no_elements(function):
    result = ag.vmap(function)(POSITIVE[0])
    assert all(part.shape == (0,) for part in (result if isinstance(result, tuple) else (result,)))


@pytest.mark.parametrize("size", [1, 7, 2000])
def test_counts_differ(size):
    xs, ns = random.uniform(-1, 1, size), random.integers(-2, 40, size)
    for function in (powers, nested):
        wanted = [function(x, n) for x, n in zip(xs, ns)]
        close(ag.vmap(function)(xs, ns), wanted)
        close(ag.vmap(function, (None, 0))(xs[0], ns), [function(xs[0], n) for n in ns])
        close(ag.vmap(function, (0, None))(xs, 5), [function(x, 5) for x in xs])


def test_mandelbrot():
    re, im = (z.ravel() for z in np.meshgrid(np.linspace(-2, 0.6, 20), np.linspace(-1.2, 1.2, 20)))
    np.testing.assert_array_equal(ag.vmap(mandelbrot)(re, im), [mandelbrot(*p) for p in zip(re, im)])
    np.testing.assert_array_equal(ag.vmap(collatz)(np.arange(1, 50)), [collatz(n) for n in range(1, 50)])


def test_arrays_carried():
    vs, rates = random.uniform(0, 1, (6, 4)), random.uniform(0.1, 0.9, 6)
    wanted = stack([decay_until_small(v, r) for v, r in zip(vs, rates)])
    for got, want in zip(ag.vmap(decay_until_small)(vs, rates), wanted):
        np.testing.assert_allclose(got, want)


def test_raises_in_a_loop():
    xs = np.full(50, 2.0)
    xs[33] = 1e6
    with pytest.raises(ValueError, match="too large: 999.99"):
        ag.vmap(checked)(xs)


@pytest.mark.parametrize("size", [5, 40])
def test_derivatives(size):
    """Of elements that finish early, nothing that is computed later may reach the derivative."""
    xs = random.uniform(0.1, 30.0, size)
    wanted = 0.5 / np.sqrt(xs)
    for function in (root, root_with_break):
        np.testing.assert_allclose(ag.vmap(ag.grad(function))(xs), wanted, rtol=1e-6)
        np.testing.assert_allclose(ag.grad(lambda xs, f=function: np.sum(ag.vmap(f)(xs)))(xs), wanted, rtol=1e-6)
        _, tangent = ag.jvp(ag.vmap(function), (xs,), (np.ones(size),))
        np.testing.assert_allclose(tangent, wanted, rtol=1e-6)


def shrinking(x):
    y = 1.0
    while y > 0.5:
        y = y * np.sqrt(x - 1.0) / 2.0
        x = x - 1.0
    return y * x


def test_no_nan_from_what_is_not_computed():
    """Iterating on, finished elements would take roots of negative numbers."""
    xs = np.concatenate([np.full(20, 1.5), np.full(20, 5.5)])
    for gradient in (ag.vmap(ag.grad(shrinking))(xs), ag.grad(lambda xs: np.sum(ag.vmap(shrinking)(xs)))(xs)):
        np.testing.assert_allclose(gradient, [ag.grad(shrinking)(x) for x in xs], rtol=1e-12)
        assert np.isfinite(gradient).all()


def signed_sums(x):
    y = x.copy()
    for i in range(1, x.size):
        if y[i] > 0:
            y[i] += y[i - 1] * 0.5
        else:
            y[i] -= y[i - 1]
    return y


def test_writes_stay_cheap():
    """An array that a branch writes into is not copied in each iteration."""
    xs = random.normal(size=(4, 50))
    np.testing.assert_allclose(ag.vmap(signed_sums)(xs), [signed_sums(x) for x in xs])
    mapped, seconds = ag.vmap(signed_sums), []
    for length in (4_000, 32_000):
        xs = random.normal(size=(4, length))
        mapped(xs)
        times = []
        for _ in range(7):
            start = time.perf_counter()
            mapped(xs)
            times.append(time.perf_counter() - start)
        seconds.append(min(times))
    assert seconds[1] < 40 * seconds[0]  # eight times the length; were it quadratic, 64 times the time at least


@pytest.mark.parametrize("count", [1, 2, 1023, 1024, 1025, 2049])
def test_any_number_of_elements(count):
    """The elements are taken in blocks of about a thousand, none of a single element beside others."""
    a = np.abs(np.random.default_rng(count).normal(size=count)) + 0.5
    np.testing.assert_allclose(ag.vmap(root_with_break)(a), [root_with_break(x) for x in a], rtol=1e-14)
    of_each = ag.vmap(ag.grad(root_with_break))(a)
    np.testing.assert_allclose(ag.grad(lambda a: np.sum(ag.vmap(root_with_break)(a)))(a), of_each, rtol=1e-11)
