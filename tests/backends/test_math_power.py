"""Powers with known halves as exponents: within 2 units of the last place, at the ends of the range too."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import arignote as ag
from arignote.backends.llvm.math_power import HALVES

RNG = np.random.default_rng(3)


def arguments(dtype):
    """Numbers of all sizes, subnormal ones too, and what C mentions by name."""
    info = np.finfo(dtype)
    sizes = 2.0 ** RNG.uniform(np.log2(float(info.tiny)) - info.nmant, np.log2(float(info.max)), 300)
    special = [0.0, -0.0, 1.0, np.inf, -np.inf, np.nan, -1.0, info.max, info.tiny, info.smallest_subnormal]
    return np.concatenate((special, RNG.uniform(0, 10, 300), sizes)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("exponent", HALVES)
def test_half_exponents(exponent, dtype):
    x = arguments(dtype)
    with np.errstate(all="ignore"):
        plain = np.power(x, np.full_like(x, exponent))
    found = ag.jit(lambda x: np.power(x, exponent))(x)
    assert found.dtype == dtype
    ordinary = np.isfinite(x) & (x > 0)
    np.testing.assert_array_equal(found[~ordinary], plain[~ordinary])
    known = ~np.isnan(plain)
    np.testing.assert_array_equal(np.signbit(found[~ordinary & known]), np.signbit(plain[~ordinary & known]))
    for value, given in zip(found[ordinary], x[ordinary], strict=True):
        exact = mpmath.mpf(float(given)) ** exponent
        with np.errstate(over="ignore"):
            nearest = dtype(float(exact))
        if not np.isfinite(nearest):
            assert value == nearest or value == np.finfo(dtype).max
            continue
        assert abs(mpmath.mpf(float(value)) - exact) <= 2 * mpmath.mpf(float(np.spacing(nearest))), given
