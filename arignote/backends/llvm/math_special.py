"""erf, erfc, cbrt, hypot; and the functions that a C library computes one value at a time: gammaln, digamma."""

from __future__ import annotations

from .formula import FormulaBody, Lanes
from .math_logarithm import through_double

# erf(x)/x in x^2, for |x| <= 1
ERF_64 = (
    -4.230945824295338e-12, 8.709045129053106e-11, -1.216456005728345e-09, 1.4792401209404813e-08,
    -1.6364642158167616e-07, 1.6462045441468418e-06, -1.4925647567519332e-05, 0.00012055332902888736,
    -0.000854832702193483, 0.0052239776254232985, -0.02686617064512984, 0.1128379167095512,
    -0.37612638903183754, 1.1283791670955126,
)  # fmt: skip
# (1 + 2 x) exp(x^2) erfc(x) in t = (x - 4) / (x + 4), for 0.5 <= x <= 28
ERFC_64 = (
    1.9717656765049794e-09, -9.652213521087604e-09, -1.8406671051403966e-08, 1.03256669073015e-07,
    7.540467350144586e-08, -8.195085083459565e-07, 2.9313186423696087e-07, 5.706494720146254e-06,
    -1.1221668942295945e-05, -2.4398057333996413e-05, 0.00015062155590137163, -0.00019925696553927866,
    -0.0007577732634973155, 0.00503197001856426, -0.016197734061059108, 0.03716751553379472,
    -0.06633036581196795, 0.09373283499853434, -0.1010390660363143, 0.06809705425468844,
    0.015379652102619901, -0.1396211168405625, 1.2329951186255526,
)  # fmt: skip

CBRT = (
    0.145996192886612446982, -0.758397934778766047437, 1.621429720105354466140, -1.88497979543377169875,
    1.87595182427177009643,
)  # fmt: skip


def complement(f: FormulaBody, size: Lanes) -> Lanes:
    """erfc of size >= 0.5."""
    size = f.select(f.constant(28.0) < size, 28.0, size)
    scaled = f.polynomial((size - 4.0) / (size + 4.0), ERFC_64) / f.fma(size, 2.0, 1.0)
    square = size * size
    # exp(-x^2) magnifies the rounding error of x^2, so that is put back in.
    lost = f.fma(size, size, -square)
    exponential = f.call("exp", -square)
    return scaled * f.fma(exponential, -lost, exponential)


def erf(f: FormulaBody, x: Lanes) -> Lanes:
    """The error function."""
    if not f.double:
        return through_double(f, "erf", x)
    size = f.absolute(x)
    near = x * f.polynomial(x * x, ERF_64)
    return f.select(size < 1.0, near, f.copysign(1.0 - complement(f, size), x))


def erfc(f: FormulaBody, x: Lanes) -> Lanes:
    """1 - erf(x), accurate where it is small."""
    if not f.double:
        return through_double(f, "erfc", x)
    size = f.absolute(x)
    near = 1.0 - x * f.polynomial(x * x, ERF_64)
    far = complement(f, size)
    return f.select(size < 0.5, near, f.select(x < 0.0, 2.0 - far, far))


def cbrt(f: FormulaBody, x: Lanes) -> Lanes:
    """The cube root: a third of the exponent as a first guess, refined by a polynomial and a Newton step (fdlibm)."""
    if not f.double:
        return through_double(f, "cbrt", x)
    size = f.absolute(x)
    tiny = size < 2.0**-1022
    lifted = f.select(tiny, size * 2.0**54, size)
    high = f.bits(lifted).shift_right_unsigned(32)
    third = (high * 0xAAAAAAAB).shift_right_unsigned(33)
    guess = f.from_bits((third + 715094163) << 32)
    ratio = (guess * guess) * (guess / lifted)
    guess = guess * f.polynomial(ratio, CBRT)
    guess = f.from_bits((f.bits(guess) + 0x80000000) & -(1 << 30))
    # The guess has 23 bits, so that its square is exact; one Newton step gives the rest.
    square = guess * guess
    quotient = lifted / square
    step = (quotient - guess) / (guess + guess + quotient)
    root = f.fma(guess, step, guess)
    root = f.copysign(f.select(tiny, root * 2.0**-18, root), x)
    return f.select((size > 0.0) & (size < float("inf")), root, x)


def hypot(f: FormulaBody, x: Lanes, y: Lanes) -> Lanes:
    """sqrt(x^2 + y^2) without overflow."""
    if not f.double:
        return f.convert(f.call("hypot", f.convert(x, "float64"), f.convert(y, "float64")), "float32")
    a, b = f.absolute(x), f.absolute(y)
    large, small = f.select(a > b, a, b), f.select(a > b, b, a)
    factor = f.select(large > 2.0**500, 2.0**-600, f.select(large < 2.0**-500, 2.0**600, f.constant(1.0)))
    back = f.select(large > 2.0**500, 2.0**600, f.select(large < 2.0**-500, 2.0**-600, f.constant(1.0)))
    large, small = large * factor, small * factor
    root = f.intrinsic("sqrt", f.fma(large, large, small * small)) * back
    root = f.select(x.is_nan() | y.is_nan(), x + y, root)
    return f.select((a == float("inf")) | (b == float("inf")), float("inf"), root)


def gammaln(f: FormulaBody, x: Lanes) -> Lanes:
    """log |gamma(x)|, by the C library."""
    value = f.each_lane("lgamma" if f.double else "lgammaf", x)
    return f.select(x == float("-inf"), x, value)  # as SciPy has it


def digamma(f: FormulaBody, x: Lanes) -> Lanes:
    """The derivative of gammaln, by SciPy."""
    if not f.double:
        return through_double(f, "digamma", x)
    return f.each_lane("ag_digamma", x)


LIBRARY = {
    "erf": (erf, 1),
    "erfc": (erfc, 1),
    "cbrt": (cbrt, 1),
    "hypot": (hypot, 2),
    "gammaln": (gammaln, 1),
    "digamma": (digamma, 1),
}
