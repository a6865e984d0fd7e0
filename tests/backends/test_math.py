"""Accuracy of the vector math against mpmath: random arguments over the ranges that matter, and where it is hard."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from arignote.lower.loop_ir import ARITY

from .native import call, compiled
from .test_scalar_ops import table

RNG = np.random.default_rng(3)
COUNT = 400
PI = np.pi

EXACT: dict[str, Callable[..., object]] = {
    "exp": mpmath.exp, "exp2": lambda x: mpmath.mpf(2) ** x, "expm1": mpmath.expm1, "log": mpmath.log,
    "log2": lambda x: mpmath.log(x) / mpmath.log(2), "log10": mpmath.log10, "log1p": mpmath.log1p,
    "tanh": mpmath.tanh, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "sin": mpmath.sin, "cos": mpmath.cos,
    "tan": mpmath.tan, "arctan": mpmath.atan, "arcsin": mpmath.asin, "arccos": mpmath.acos, "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh, "arctanh": mpmath.atanh, "erf": mpmath.erf, "erfc": mpmath.erfc,
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)), "power": lambda x, y: x**y, "arctan2": mpmath.atan2,
    "hypot": mpmath.hypot, "sqrt": mpmath.sqrt, "gammaln": mpmath.loggamma, "digamma": mpmath.digamma,
}  # fmt: skip

# Ranges of arguments in float64 and float32; the last number is the bound in units of the last place.
RANGES: dict[str, tuple[list[tuple[float, float]], list[tuple[float, float]], float]] = {
    "exp": ([(-745, 709), (-1, 1)], [(-103, 88), (-1, 1)], 2),
    "exp2": ([(-1074, 1023), (-1, 1)], [(-149, 127), (-1, 1)], 2),
    "expm1": ([(-40, 709), (-1, 1), (-1e-9, 1e-9)], [(-18, 88), (-1, 1), (-1e-5, 1e-5)], 2.2),
    "log": ([(0, 1e300), (0, 10), (0.9, 1.1), (0, 1e-310)], [(0, 1e37), (0, 10), (0.9, 1.1), (0, 1e-39)], 2),
    "log2": ([(0, 1e300), (0, 10), (0.9, 1.1)], [(0, 1e37), (0, 10), (0.9, 1.1)], 2),
    "log10": ([(0, 1e300), (0, 10), (0.9, 1.1)], [(0, 1e37), (0, 10), (0.9, 1.1)], 2),
    "log1p": ([(-1, 10), (-0.5, 0.5), (-1e-9, 1e-9)], [(-1, 10), (-0.5, 0.5), (-1e-5, 1e-5)], 2),
    "tanh": ([(-20, 20), (-1, 1), (-1e-3, 1e-3)], [(-10, 10), (-1, 1), (-1e-3, 1e-3)], 2),
    "sinh": ([(-710, 710), (-1, 1)], [(-89, 89), (-1, 1)], 2.5),
    "cosh": ([(-710, 710), (-1, 1)], [(-89, 89), (-1, 1)], 2),
    "sin": ([(-10, 10), (-1e5, 1e5), (-1e9, 1e9), (-1e300, 1e300)], [(-10, 10), (-6e4, 6e4), (-1e30, 1e30)], 2),
    "cos": ([(-10, 10), (-1e5, 1e5), (-1e9, 1e9), (-1e300, 1e300)], [(-10, 10), (-6e4, 6e4), (-1e30, 1e30)], 2),
    "tan": ([(-10, 10), (-1e5, 1e5), (-1e9, 1e9)], [(-10, 10), (-6e4, 6e4), (-1e30, 1e30)], 2.5),
    "arctan": ([(-1, 1), (-10, 10), (-1e5, 1e5)], [(-1, 1), (-10, 10), (-1e5, 1e5)], 2),
    "arcsin": ([(-1, 1), (0.99, 1), (-0.1, 0.1)], [(-1, 1), (0.99, 1), (-0.1, 0.1)], 2),
    "arccos": ([(-1, 1), (0.99, 1), (-1, -0.99)], [(-1, 1), (0.99, 1), (-1, -0.99)], 2),
    "arcsinh": ([(-1, 1), (-100, 100), (0, 1e300)], [(-1, 1), (-100, 100), (0, 1e37)], 2.5),
    "arccosh": ([(1, 2), (1, 100), (1, 1e300)], [(1, 2), (1, 100), (1, 1e37)], 2.5),
    "arctanh": ([(-1, 1), (-0.1, 0.1)], [(-1, 1), (-0.1, 0.1)], 2.5),
    "erf": ([(-1, 1), (-6, 6)], [(-1, 1), (-4, 4)], 2),
    "erfc": ([(-6, 0.5), (0.5, 6), (5, 26)], [(-4, 0.5), (0.5, 9)], 4),
    "cbrt": ([(-1, 1), (-1e300, 1e300), (0, 1e-310)], [(-1, 1), (-1e37, 1e37), (0, 1e-39)], 2),
    "power": ([(0, 2), (0, 10), (0.99, 1.01)], [(0, 2), (0, 10)], 2),
    "arctan2": ([(-1, 1), (-1e-300, 1e-300), (-8e307, 8e307)], [(-1, 1), (-1e-37, 1e-37), (-1e38, 1e38)], 2),
    "hypot": ([(-1, 1), (-8e307, 8e307), (-1e-310, 1e-310)], [(-1, 1), (-1e38, 1e38)], 2),
    "sqrt": ([(0, 2)], [(0, 2)], 0.5),
    "gammaln": ([(0.1, 0.9), (3, 100)], [(0.1, 0.9), (3, 100)], 4),
    "digamma": ([(3, 100)], [(3, 100)], 8),
}

# Near multiples of pi/2, where all the bits of the reduced argument come from the low parts of pi. (Of the hardest
# argument of all, 6381956970095103 * 2^797, the C library's own cosine is wrong by 8 units.)
HARD = {
    "sin": [PI, 2 * PI, 355.0, 710.0, 5319372648326541.0, 1e9 * PI, 6381956970095103.0 * 2.0**797],
    "cos": [PI / 2, 3 * PI / 2, 11 * PI / 2, 1e8 * PI + PI / 2],
    "tan": [PI / 2, PI, 355.0],
}


def worst_error(op: str, arguments: list[np.ndarray], got: np.ndarray) -> tuple[float, list[float]]:
    """The largest error in units of the last place, and where."""
    worst, where = 0.0, []
    for *args, value in zip(*arguments, got, strict=True):
        exact = EXACT[op](*(mpmath.mpf(float(arg)) for arg in args))
        nearest = got.dtype.type(float(exact))
        if not np.isfinite(nearest):
            assert value == nearest, (op, args)
            continue
        error = float(abs(mpmath.mpf(float(value)) - exact) / float(np.spacing(abs(nearest))))
        if not error <= worst:
            worst, where = error, [float(arg) for arg in args]
    return worst, where


@pytest.mark.parametrize("type", ["float64", "float32"])
@pytest.mark.parametrize("op", RANGES)
def test_error_bound(op: str, type: str) -> None:
    program = table(op, [type] * ARITY[op], type, vector=True)
    module = compiled(program)
    double, single, bound = RANGES[op]
    samples = [
        [RNG.uniform(low, high, COUNT).astype(type) for _ in range(ARITY[op])]
        for low, high in (double if type == "float64" else single)
    ]
    if op == "power":
        for sample in samples:
            sample[1] *= 20
    if op in HARD and type == "float64":
        samples.append([np.array(HARD[op])])
    with mpmath.workdps(45 if op not in ("sin", "cos", "tan") else 360):
        for sample in samples:
            got = np.empty(len(sample[0]), type)
            call(module, program, [*sample, got, len(got)])
            error, where = worst_error(op, sample, got)
            assert error <= bound, f"{op} of {where}: {error:.2f}"
