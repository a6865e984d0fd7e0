"""At kinks both modes give the value that the documentation states, and no derivative of second order is NaN."""

import math

import numpy as np
import pytest

import arignote as ag

A = np.array
CASES = [
    ("norm", lambda x: np.linalg.norm(x), A([0.0, 0.0]), A([0.0, 0.0])),
    ("norm of rows", lambda x: np.sum(np.linalg.norm(x, axis=1)), A([[0.0, 0.0], [3.0, 4.0]]),
     A([[0.0, 0.0], [0.6, 0.8]])),
    ("norm of order 3", lambda x: np.linalg.norm(x, 3), A([0.0, 0.0]), A([0.0, 0.0])),
    ("std", lambda x: np.std(x), A([1.0, 1.0]), A([0.0, 0.0])),
    ("hypot", lambda x: np.hypot(x[0], x[1]), A([0.0, 0.0]), A([0.0, 0.0])),
    ("root of squares", lambda x: np.sqrt(np.sum(x * x)), A([0.0, 0.0]), A([0.0, 0.0])),
    ("root of a mean", lambda x: np.sqrt(np.mean(x**2)), A([0.0, 0.0]), A([0.0, 0.0])),
    ("log not taken", lambda x: np.sum(np.where(x > 0, np.log(x), 0.0)), A([0.0, -1.0, 2.0]), A([0.0, 0.0, 0.5])),
    ("sqrt not taken", lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)), A([0.0, -1.0, 4.0]), A([0.0, 0.0, 0.25])),
    ("x log x", lambda x: np.sum(np.where(x > 0, x * np.log(x), 0.0)), A([0.0, 1.0]), A([0.0, 1.0])),
    ("in a function", lambda x: np.sum(np.where(x > 0, entropy(x), 0.0)), A([0.0, 1.0]), A([0.0, 1.0])),
    ("quotient not taken", lambda x: np.sum(np.where(x != 0, np.sin(x) / x, 1.0)), A([0.0]), A([0.0])),
    ("exp not taken", lambda x: np.sum(np.where(x < 10, np.exp(x), x)), A([0.0, 1000.0]), A([1.0, 1.0])),
    ("reshaped", lambda x: np.sum(np.where(x.reshape(2, 1) > 0, np.log(x).reshape(2, 1), 0.0)), A([0.0, 1.0]),
     A([0.0, 1.0])),
    ("sinc", lambda x: np.sum(np.sinc(x)), A([0.0]), A([0.0])),
    ("abs", lambda x: np.sum(np.abs(x)), A([0.0, -2.0]), A([0.0, -1.0])),
    ("max", lambda x: np.max(x), A([1.0, 3.0, 3.0]), A([0.0, 0.5, 0.5])),
    ("max of NaN", lambda x: np.max(x), A([1.0, np.nan]), A([0.0, 0.0])),
    ("clip", lambda x: np.sum(np.clip(x, 0.0, 1.0)), A([0.0, 0.5, 1.0]), A([0.5, 1.0, 0.5])),
    ("power 0", lambda x: np.sum(x**0), A([0.0, 1.0]), A([0.0, 0.0])),
    ("power 1", lambda x: np.sum(x ** A([1.0, 2.0])), A([0.0, 0.0]), A([1.0, 0.0])),
    ("prod", lambda x: np.prod(x), A([0.0, 2.0, 0.0]), A([0.0, 0.0, 0.0])),
    ("cumprod", lambda x: np.sum(np.cumprod(x)), A([0.0, 2.0, 0.0]), A([3.0, 0.0, 0.0])),
    ("logaddexp", lambda x: np.sum(np.logaddexp(x, A([-np.inf, 0.0]))), A([0.0, -np.inf]), A([1.0, 0.0])),
    ("arctan2", lambda x: np.arctan2(x[0], x[1]), A([0.0, 0.0]), A([0.0, 0.0])),
    ("median", lambda x: np.median(x), A([1.0, 3.0, 2.0, 2.0]), A([0.0, 0.0, 0.5, 0.5])),
    ("math.hypot", lambda x: math.hypot(x[0], x[1]), A([0.0, 0.0]), A([0.0, 0.0])),
]


def entropy(x):
    return x * np.log(x)


@pytest.mark.parametrize("function, point, wanted", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_modes_agree(function, point, wanted):
    np.testing.assert_allclose(ag.grad(function)(point), wanted, rtol=1e-12)
    np.testing.assert_allclose(ag.jacfwd(function)(point), wanted, rtol=1e-12)
    direction = np.full(point.shape, 0.5)
    product = ag.hvp(function, (point,), (direction,))[0]
    assert not np.isnan(product).any()
    np.testing.assert_allclose(ag.jvp(ag.grad(function), (point,), (direction,))[1], product, rtol=1e-12)


def test_a_zero_cotangent_that_moves_is_not_dropped():
    """The second derivative of log(x) ** 2 at 1, where the cotangent of the logarithm is 0."""
    assert ag.grad(ag.grad(lambda x: np.log(x) ** 2))(1.0) == 2.0
