"""ag.random: NumPy's bits, the distributions they are turned into, their derivatives, keys in loops and under vmap."""

import math

import numpy as np
import pytest
import scipy.stats

import arignote as ag

random = ag.random
MANY = 20_000


def test_bits_are_those_of_numpy():
    for seed in (0, 42, 2**62):
        for count in (0, 1, 3, 4, 1001):
            found = ag.jit(lambda k, n: random.bits(k, (n,)))(random.key(seed), count)
            assert np.array_equal(found.view(np.uint64), np.random.Philox(key=seed).random_raw(count))


def test_uniform_is_numpys():
    found = ag.jit(lambda k: random.uniform(k, 100))(random.key(7))
    assert np.array_equal(found, np.random.Generator(np.random.Philox(key=7)).random(100))


DRAWS = {
    "uniform": lambda k: random.uniform(k, (3, 4), -1.0, 2.0),
    "normal": lambda k: random.normal(k, (5,), 1.0, 3.0),
    "one_normal": lambda k: random.normal(k),
    "integers": lambda k: random.integers(k, -5, 9, (2, 6)),
    "bernoulli": lambda k: random.bernoulli(k, np.array([0.2, 0.9]), (7, 2)),
    "exponential": lambda k: random.exponential(k, 6),
    "gumbel": lambda k: random.gumbel(k, (2, 2)),
    "categorical": lambda k: random.categorical(k, np.log(np.arange(1.0, 13.0)).reshape(3, 4)),
    "permutation": lambda k: random.permutation(k, 9),
    "permuted_rows": lambda k: random.permutation(k, np.arange(12.0).reshape(6, 2)),
    "choice": lambda k: random.choice(k, np.arange(5.0), (8,)),
    "gamma": lambda k: random.gamma(k, 2.5, (6,)),
    "small_gamma": lambda k: random.gamma(k, 0.3, (6,)),
    "split": lambda k: random.split(k, 3),
    "fold_in": lambda k: random.fold_in(k, -12),
}


@pytest.mark.parametrize("name", DRAWS)
def test_compiled_as_plain(name):
    draw = DRAWS[name]
    expected, found = draw(random.key(3)), ag.jit(draw)(random.key(3))
    assert type(expected) is type(found) and np.asarray(expected).dtype == np.asarray(found).dtype
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", DRAWS)
def test_mapped_over_keys(name):
    keys = random.split(random.key(4), 4)
    draw = DRAWS[name]
    expected = np.stack([draw(k) for k in keys])
    np.testing.assert_allclose(ag.jit(ag.vmap(draw))(keys), expected, rtol=1e-12, atol=1e-13)


DISTRIBUTIONS = {
    "uniform": (lambda k: random.uniform(k, MANY), scipy.stats.uniform()),
    "normal": (lambda k: random.normal(k, MANY), scipy.stats.norm()),
    "exponential": (lambda k: random.exponential(k, MANY, 2.0), scipy.stats.expon(scale=2.0)),
    "gumbel": (lambda k: random.gumbel(k, MANY), scipy.stats.gumbel_r()),
    "gamma": (lambda k: random.gamma(k, 3.5, MANY), scipy.stats.gamma(3.5)),
    "small_gamma": (lambda k: random.gamma(k, 0.4, MANY), scipy.stats.gamma(0.4)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution(name):
    """Kolmogorov and Smirnov; the keys are fixed, so the test gives the same every time."""
    draw, distribution = DISTRIBUTIONS[name]
    assert scipy.stats.kstest(ag.jit(draw)(random.key(11)), distribution.cdf).pvalue > 1e-3


def test_discrete_distributions():
    counts = np.bincount(ag.jit(lambda k: random.integers(k, 0, 7, MANY))(random.key(1)), minlength=7)
    assert scipy.stats.chisquare(counts).pvalue > 1e-3
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    drawn = ag.jit(lambda k: random.categorical(k, np.broadcast_to(np.log(weights), (MANY, 4))))(random.key(2))
    assert scipy.stats.chisquare(np.bincount(drawn, minlength=4), weights * MANY).pvalue > 1e-3
    heads = ag.jit(lambda k: random.bernoulli(k, 0.3, MANY))(random.key(3))
    assert scipy.stats.binomtest(int(heads.sum()), MANY, 0.3).pvalue > 1e-3
    orders = [tuple(random.permutation(random.fold_in(random.key(5), i), 3)) for i in range(600)]
    assert scipy.stats.chisquare([orders.count(order) for order in set(orders)]).pvalue > 1e-3
    assert len(set(orders)) == 6


def test_keys_of_split_and_fold_are_independent():
    left, right = random.split(random.key(6))
    streams = [random.uniform(k, MANY) for k in (random.key(6), left, right, random.fold_in(random.key(6), 0))]
    for i in range(len(streams)):
        for j in range(i):
            assert abs(np.corrcoef(streams[i], streams[j])[0, 1]) < 4.0 / math.sqrt(MANY)


def walk(key, n, scale):
    position = 0.0
    for i in range(n):
        position += scale * random.normal(random.fold_in(key, i))
    return position


def test_loop_and_its_derivative():
    key = random.key(9)
    assert ag.jit(walk)(key, 50, 0.5) == pytest.approx(walk(key, 50, 0.5), rel=1e-12)
    assert ag.grad(walk, argnums=2)(key, 50, 0.5) == pytest.approx(walk(key, 50, 1.0), rel=1e-12)


def test_recursion():
    def branching(key, depth):
        if depth == 0:
            return random.uniform(key)
        left, right = random.split(key)
        return branching(left, depth - 1) - branching(right, depth - 1)

    assert ag.jit(branching)(random.key(1), 6) == pytest.approx(branching(random.key(1), 6), rel=1e-12)


def test_reparameterised_derivatives():
    def sample(mean, scale, rate, key):
        a, b = random.split(key)
        return random.normal(a, (), mean, scale) + random.exponential(b, (), 1.0 / rate)

    values = (0.3, 1.7, 2.0)
    gradients = ag.grad(sample, argnums=(0, 1, 2))(*values, random.key(2))
    for n, gradient in enumerate(gradients):
        up, down = list(values), list(values)
        up[n] += 1e-6
        down[n] -= 1e-6
        slope = (sample(*up, random.key(2)) - sample(*down, random.key(2))) / 2e-6
        assert gradient == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("a", [0.5, 2.5, 30.0])
def test_derivative_of_gamma(a):
    """The implicit derivative moves the sample so that its distribution function keeps its value."""
    key = random.key(8)
    z = random.gamma(key, a)
    slope = ag.grad(lambda a: random.gamma(key, a))(a)
    h = 1e-5 * a
    by_shape = (scipy.stats.gamma(a + h).cdf(z) - scipy.stats.gamma(a - h).cdf(z)) / (2 * h)
    assert slope == pytest.approx(-by_shape / scipy.stats.gamma(a).pdf(z), rel=1e-5)


def test_bad_keys():
    with pytest.raises(ag.TypeInferenceError, match="a key is an int64 array"):
        ag.jit(lambda k: random.uniform(k))(np.zeros(2))
    with pytest.raises(ValueError, match="two entries"):
        ag.jit(lambda k: random.uniform(k))(np.zeros(3, dtype=np.int64))
    with pytest.raises(ValueError, match="two entries"):
        random.uniform(np.zeros(3, dtype=np.int64))


@pytest.mark.parametrize("draw", [random.integers, ag.jit(random.integers)])
def test_no_integers(draw):
    with pytest.raises(ValueError, match="there are no integers from 3 to below 3"):
        draw(random.key(0), 3, 3)


@pytest.mark.parametrize("draw", [random.uniform, ag.jit(random.uniform)])
def test_shapes_of_numpys_integers(draw):
    wanted = random.uniform(random.key(0), 3)
    for shape in (3, np.int64(3), (np.int64(3),)):
        np.testing.assert_array_equal(draw(random.key(0), shape), wanted)
