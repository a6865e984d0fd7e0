"""Random numbers from explicit keys: the same key gives the same numbers, in plain Python as in compiled code.

The bits are those of `numpy.random.Philox`: `bits(key, n)` is `Philox(key=key).random_raw(n)`, and `uniform(key, n)` is
`Generator(Philox(key=key)).random(n)`. A key is an int64 array of two entries. It is never used up: new keys are made
with `split` and `fold_in`, and the same key in two places gives the same numbers in both.

`shape` is a tuple of integers, an integer, or () for one number. Numbers that depend smoothly on a parameter have the
derivative of that dependence: loc + scale * normal(key), exponential and gamma by reparameterisation.

Raises ValueError where a key has not two entries.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from arignote.api.custom import custom_jvp
from arignote.api.transforms import jvp
from arignote.ir.marks import MAKER_ATTRIBUTE

_DRAW, _SPLIT, _FOLD = 0, 1, 2
"""The streams of a key: what is drawn, the keys it is split into, and those that numbers are folded into."""

_LARGEST = 2**63 - 1
_UNIT = 2.0**-53


def random_words(key: Any, start: Any, count: Any, stream: int) -> Any:
    """`count` words of 64 bits from a position of a stream: int64 of shape (count,)."""
    key = np.asarray(key)
    if key.dtype != np.int64 or key.shape != (2,):
        raise ValueError(f"a key is an int64 array of two entries, got {key.dtype} of shape {key.shape}")
    from arignote.ops.random import words

    return words(key, start, count, stream)


setattr(random_words, MAKER_ATTRIBUTE, "random_words")


def key(seed: int) -> Any:
    """The key of a seed: int64 of shape (2,)."""
    return np.array([seed, 0])


def split(key: Any, count: int = 2) -> Any:
    """New keys, which have nothing to do with one another: int64 of shape (count, 2)."""
    return random_words(key, 0, 2 * count, _SPLIT).reshape(count, 2)


def fold_in(key: Any, number: int) -> Any:
    """The key for a number, such as that of an iteration: int64 of shape (2,)."""
    return random_words(key, number & _LARGEST, 2, _FOLD)


def _count(shape: Any) -> Any:
    if isinstance(shape, (int, np.integer)):
        return shape
    total = 1
    for size in shape:
        total = total * size
    return total


def _shaped(flat: Any, shape: Any) -> Any:
    """An array of this shape; one number for the shape ()."""
    if isinstance(shape, (int, np.integer)):
        return flat
    if len(shape) == 0:
        return flat[0]
    return flat.reshape(shape)


def bits(key: Any, shape: Any = ()) -> Any:
    """Words of 64 random bits, as int64."""
    return _shaped(random_words(key, 0, _count(shape), _DRAW), shape)


def _unit(words: Any) -> Any:
    """The 53 upper bits as numbers in [0, 1)."""
    return ((words >> 11) & (2**53 - 1)) * _UNIT


def _positive(words: Any) -> Any:
    """The 53 upper bits as numbers in (0, 1]."""
    return (((words >> 11) & (2**53 - 1)) + 1) * _UNIT


def uniform(key: Any, shape: Any = (), low: Any = 0.0, high: Any = 1.0) -> Any:
    """Numbers in [low, high)."""
    unit = _unit(random_words(key, 0, _count(shape), _DRAW))
    return _shaped(unit, shape) * (high - low) + low


def normal(key: Any, shape: Any = (), loc: Any = 0.0, scale: Any = 1.0) -> Any:
    """Normally distributed numbers, by Box and Muller's transformation of pairs of uniform ones."""
    count = _count(shape)
    half = (count + 1) // 2
    made = random_words(key, 0, 2 * half, _DRAW)
    radius = np.sqrt(-2.0 * np.log(_positive(made[:half])))
    angle = (2.0 * np.pi) * _unit(made[half:])
    flat = np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))[:count]
    return loc + scale * _shaped(flat, shape)


def integers(key: Any, low: int, high: int, shape: Any = ()) -> Any:
    """Integers in [low, high), as int64. Uniform but for a bias below (high - low) / 2**63. Raises ValueError where
    there is none."""
    if low >= high:
        raise ValueError(f"there are no integers from {low} to below {high}")
    made = random_words(key, 0, _count(shape), _DRAW) & _LARGEST
    return _shaped(low + made % (high - low), shape)


def bernoulli(key: Any, p: Any = 0.5, shape: Any = ()) -> Any:
    """Truth values that are true with probability p, a number or an array that broadcasts to `shape`."""
    return uniform(key, shape) < p


def exponential(key: Any, shape: Any = (), scale: Any = 1.0) -> Any:
    """Exponentially distributed numbers of mean `scale`."""
    made = random_words(key, 0, _count(shape), _DRAW)
    return scale * _shaped(-np.log(_positive(made)), shape)


def gumbel(key: Any, shape: Any = ()) -> Any:
    """Standard Gumbel numbers, -log(-log(u)) of u in (0, 1)."""
    made = random_words(key, 0, _count(shape), _DRAW)
    unit = (((made >> 11) & (2**53 - 1)) + 0.5) * _UNIT
    return _shaped(-np.log(-np.log(unit)), shape)


def categorical(key: Any, logits: Any) -> Any:
    """For each row of `logits`, unnormalised logarithms of probabilities along the last axis, a position: int64."""
    return np.argmax(logits + gumbel(key, logits.shape), axis=-1)


def permutation(key: Any, x: Any) -> Any:
    """The numbers 0 ... x - 1 in random order, or an array's rows in random order."""
    if isinstance(x, np.ndarray):
        return x[np.argsort(random_words(key, 0, x.shape[0], _DRAW), kind="stable")]
    return np.argsort(random_words(key, 0, x, _DRAW), kind="stable")


def choice(key: Any, x: Any, shape: Any = ()) -> Any:
    """Rows of an array, drawn with replacement."""
    return x[integers(key, 0, x.shape[0], shape)]


def gamma(key: Any, shape_parameter: Any, shape: Any = (), scale: Any = 1.0) -> Any:
    """Gamma distributed numbers, by Marsaglia and Tsang's method (2000), for a shape parameter that is one number.

    The derivative by the shape parameter is the implicit one, -(dP/da) / (dP/dz) for the distribution P(a, z).
    """
    if isinstance(shape, tuple) and len(shape) == 0:
        return scale * _one_gamma(float(shape_parameter), key)
    return scale * _shaped(_gammas(float(shape_parameter), key, _count(shape)), shape)


@custom_jvp
def _gammas(a: float, key: Any, count: int) -> Any:
    """All at once; those that are refused are drawn again with another key, until there are none."""
    raised = a if a >= 1.0 else a + 1.0
    result, accepted = _gamma_attempts(raised, key, count)
    pending, attempt = np.nonzero(np.logical_not(accepted))[0], 0
    while pending.shape[0] > 0:
        attempt += 1
        again, accepted = _gamma_attempts(raised, fold_in(key, attempt), pending.shape[0])
        result[pending] = again
        pending = pending[np.logical_not(accepted)]
    if a < 1.0:
        result = result * _positive(random_words(fold_in(key, 0), 0, count, _DRAW)) ** (1.0 / a)
    return result


def _gamma_attempts(a: float, key: Any, count: int) -> Any:
    """Candidates for a >= 1, and which of them are accepted."""
    half = (count + 1) // 2
    made = random_words(key, 0, 2 * half + count, _DRAW)
    radius, angle = np.sqrt(-2.0 * np.log(_positive(made[:half]))), (2.0 * np.pi) * _unit(made[half : 2 * half])
    x = np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))[:count]
    u = _positive(made[2 * half :])
    d = a - 1.0 / 3.0
    root = 1.0 + x / math.sqrt(9.0 * d)
    v = root * root * root
    inside = np.log(u) < 0.5 * x * x + d - d * v + d * np.log(np.where(v > 0.0, v, 1.0))
    return d * v, np.logical_and(v > 0.0, inside)


@custom_jvp
def _one_gamma(a: float, key: Any) -> float:
    raised = a if a >= 1.0 else a + 1.0
    d = raised - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    result, attempt = 0.0, 0
    while result == 0.0:
        made = random_words(key, attempt, 4, _DRAW)
        attempt += 1
        x = math.sqrt(-2.0 * math.log(float(_positive(made[0])))) * math.cos(2.0 * math.pi * float(_unit(made[1])))
        root = 1.0 + c * x
        v = root * root * root
        u = float(_positive(made[2]))
        # The first test is the paper's squeeze: where it holds so does the second, which is exact and takes logarithms.
        inside = u < 1.0 - 0.0331 * (x * x) * (x * x)
        if v > 0.0 and (inside or math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v)):
            result = d * v
            if a < 1.0:
                result = result * float(_positive(made[3])) ** (1.0 / a)
    return result


def _lower_gamma(a: float, z: float) -> float:
    """The regularised lower incomplete gamma function, by its series."""
    term = math.exp(a * math.log(z) - z - math.lgamma(a + 1.0))
    total, n = term, 0
    while n < 10000 and (abs(term) > 1e-17 * abs(total) or n < z - a):
        n += 1
        term = term * z / (a + n)
        total = total + term
    return total


@_one_gamma.defjvp
def _one_gamma_jvp(primals: Any, tangents: Any) -> Any:
    a, key = primals
    z = _one_gamma(a, key)
    return z, _gamma_slope(a, z) * tangents[0]


@_gammas.defjvp
def _gammas_jvp(primals: Any, tangents: Any) -> Any:
    a, key, count = primals
    result = _gammas(a, key, count)
    slopes = np.empty(count)
    for i in range(count):
        slopes[i] = _gamma_slope(a, float(result[i]))
    return result, slopes * tangents[0]


def _gamma_slope(a: float, z: float) -> float:
    """By how much a sample grows with the shape parameter where its distribution function keeps its value."""
    density = math.exp((a - 1.0) * math.log(z) - z - math.lgamma(a))
    _, slope = jvp(_lower_gamma, (a, z), (1.0, 0.0))
    return -slope / density
