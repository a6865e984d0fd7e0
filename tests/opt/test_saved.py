"""What loops save for their backward loops: once, and only what cannot be had otherwise."""

import numpy as np
import pytest

import arignote as ag
from arignote.opt.rewrite import switched_off, with_fuel
from arignote.opt.saved import NAME


def density(q, x, y):
    logits = x @ q
    return np.sum(y * logits - np.logaddexp(0.0, logits)) - 0.5 * np.sum(q * q)


def leapfrog(step, q, p, x, y):
    """The gradient inside saves the transposed matrix, constants of its shape, and one array twice."""
    slope = ag.value_and_grad(density)
    value, force = slope(q, x, y)
    for _ in range(5):
        p = p + 0.5 * step * force
        q = q + step * p
        value, force = slope(q, x, y)
    return value * np.sum(p * p)


def by_iteration(w, xs):
    """What follows from the iteration is made again from its number."""

    def cell(h, t):
        return np.tanh(h * w) * (1.0 + 0.1 * t)

    h = xs[0]
    for t in range(xs.shape[0]):
        h = h + cell(h, t) * xs[t]
    return np.sum(h * h)


def list_read_after(w, xs):
    """Two loops over one list, and its length."""
    kept = []
    h = xs[0]
    for t in range(xs.shape[0]):
        h = np.tanh(w * h + xs[t])
        kept.append((h, w, h))
    total = 0.0
    for i in range(len(kept)):
        total = total + np.sum(kept[i][0] * kept[i][1] * kept[i][2])
    return total * len(kept)


def spent(function, argnums, *args):
    with with_fuel(None) as fuel:
        found = ag.value_and_grad(function, argnums=argnums)(*args)
    return fuel.spent[NAME], found


RNG = np.random.default_rng(0)
HMC = 0.02, RNG.normal(size=3), RNG.normal(size=3), RNG.normal(size=(7, 3)), (RNG.random(7) > 0.5).astype(float)


@pytest.mark.parametrize("program, argnums, given", [
    (leapfrog, (0, 1), HMC),
    (by_iteration, (0, 1), (RNG.normal(size=4), RNG.normal(size=(5, 4)))),
    (list_read_after, (0, 1), (RNG.normal(size=4), RNG.normal(size=(5, 4)))),
    (list_read_after, (0, 1), (RNG.normal(size=4), RNG.normal(size=(1, 4)))),
])  # fmt: skip
def test_the_same_to_the_bit(program, argnums, given):
    _, (value, gradient) = spent(program, argnums, *given)
    with switched_off(NAME):
        off, (expected, wanted) = spent(program, argnums, *given)
    assert off == 0
    np.testing.assert_array_equal(value, expected)
    for got, exact in zip(gradient, wanted, strict=True):
        np.testing.assert_allclose(got, exact, rtol=1e-13)
    ag.check_grads(lambda *x: program(*x, *given[len(argnums) :]), given[: len(argnums)])


def test_less_is_saved():
    count, _ = spent(leapfrog, (0, 1), *HMC)
    assert count > 0
    text = ag.inspect(ag.value_and_grad(leapfrog))(*HMC).stages[-1][1]
    (pushed,) = [line for line in text.splitlines() if line.startswith("@loop_forward")]
    assert "f64[n,n], " not in pushed.split("%saved: list")[1]


def shifted_sums(u, rate):
    """Linear in the array: the backward loop wants nothing but sizes, which no iteration changes."""
    u = u.copy()
    for _ in range(20):
        u[1:-1] = u[1:-1] + rate * (u[2:] + u[:-2])
    return np.sum(u)


def test_no_list_of_what_can_all_be_made_again():
    u = RNG.normal(size=7)
    count, _ = spent(shifted_sums, 0, u, 0.1)
    assert count > 0
    for size in (2, 4, 7):
        ag.check_grads(lambda u: shifted_sums(u, 0.1), (RNG.normal(size=size),))
    text = ag.inspect(ag.grad(shifted_sums))(u, 0.1).stages[-1][1]
    assert "@loop_backward" in text and "list" not in text


def test_second_order():
    ag.check_grads(lambda step, q: leapfrog(step, q, *HMC[2:]), HMC[:2], order=2)


@pytest.mark.parametrize("transform", [lambda f: f, ag.grad])
def test_reading_beyond_the_end_fails(transform):
    """Also where the elements could be made again without the list."""

    def program(x, n, m):
        kept = []
        for t in range(n):
            kept.append(x.shape[0] + t)
        total = 0.0
        for i in range(m):
            total = total + kept[i] * x[0]
        return total

    compiled = ag.jit(transform(program))
    assert np.sum(compiled(np.ones(3), 5, 5)) == 25.0
    with pytest.raises(IndexError):
        compiled(np.ones(3), 5, 6)
