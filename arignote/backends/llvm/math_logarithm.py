"""log and its relatives, power, and the inverse hyperbolic functions.

x = 2^k m with m in sqrt(1/2)..sqrt(2); with f = m - 1 and s = f / (2 + f), log(m) = f - (f^2/2 - s (f^2/2 + R(s^2))),
the scheme and the coefficients of fdlibm (Sun Microsystems, 1993), here free of branches.
"""

from __future__ import annotations

import struct

from .formula import FormulaBody, Lanes
from .math_exponential import TWO_64, nearest, scale

RATIONAL_64 = (
    1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01, 2.222219843214978396e-01,
    2.857142874366239149e-01, 3.999999999940941908e-01, 6.666666666666735130e-01,
)  # fmt: skip
RATIONAL_32 = (0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693)
# ln 2 with trailing zeros, so that its products with k are exact.
LN2_64 = (6.93147180369123816490e-01, 1.90821492927058770002e-10)
LN2_32 = (6.9313812256e-01, 9.0580006145e-06)
# (atanh(s)/s - 1 - z/3) / z^2 in z = s^2
ATANH_TAIL = (
    0.05865053930946515, 0.05852785947838605, 0.06667414786953267, 0.07692297251904945, 0.09090909169848817,
    0.11111111110818422, 0.14285714285714698, 0.2,
)  # fmt: skip
THIRD = (0.3333333333333333, 1.850371707708594e-17)
INVERSE_LN2 = (1.4426950408889634, 2.0355273740931033e-17)
INVERSE_LN2_32 = (1.4426950216293335, 1.925963033500011e-08)
INVERSE_LN10 = (0.4342944819032518, 1.098319650216765e-17)
INVERSE_LN10_32 = (0.4342944920063019, -1.0103049952192578e-08)
LOG10_2 = (3.01029995663611771306e-01, 3.69423907715893078616e-13)
LOG10_2_32 = (3.0102920532e-01, 7.9034151668e-07)


def root_half_bits(f: FormulaBody) -> int:
    """The bits of sqrt(1/2)."""
    if f.double:
        return struct.unpack("<q", struct.pack("<d", 0.7071067811865476))[0]
    return struct.unpack("<i", struct.pack("<f", 0.70710677))[0]


def split(f: FormulaBody, x: Lanes) -> tuple[Lanes, Lanes]:
    """k as a float, and m in sqrt(1/2)..sqrt(2), for a positive normal x."""
    bits = f.bits(x)
    above = bits - root_half_bits(f)
    shift = f.choose(52, 23)
    return f.to_float(above >> shift), f.from_bits(bits - (above & (-1 << shift)))


def normalised(f: FormulaBody, x: Lanes) -> tuple[Lanes, Lanes]:
    """`split` for subnormal x as well."""
    tiny = x < f.choose(2.0**-1022, 2.0**-126)
    lift = f.choose(2.0**54, 2.0**25)
    k, m = split(f, f.select(tiny, x * lift, x))
    return f.select(tiny, k - f.choose(54.0, 25.0), k), m


def series(f: FormulaBody, part: Lanes) -> tuple[Lanes, Lanes]:
    """f^2/2, and s (f^2/2 + R)."""
    s = part / (part + 2.0)
    z = s * s
    rest = z * f.polynomial(z, f.choose(RATIONAL_64, RATIONAL_32))
    half_square = 0.5 * part * part
    return half_square, s * (half_square + rest)


def specials(f: FormulaBody, x: Lanes, y: Lanes, pole: float = 0.0) -> Lanes:
    """Results of a logarithm at and below its pole, at infinity and for nan."""
    y = f.select(x > pole, y, float("nan"))
    y = f.select(x == pole, float("-inf"), y)
    return f.select(x == float("inf"), float("inf"), y)


def log(f: FormulaBody, x: Lanes) -> Lanes:
    """The natural logarithm."""
    k, m = normalised(f, x)
    part = m - 1.0
    half_square, product = series(f, part)
    high, low = f.choose(LN2_64, LN2_32)
    return specials(f, x, k * high - ((half_square - f.fma(k, low, product)) - part))


def log1p(f: FormulaBody, x: Lanes) -> Lanes:
    """log(1 + x): the rounding error of 1 + x is put back in."""
    u = x + 1.0
    near = (x > -0.2928932188134524) & (x < 0.41421356237309503)
    k, m = split(f, u)
    lost = f.select(k > 1.0, 1.0 - (u - x), x - (u - 1.0)) / u
    lost = f.select(near, 0.0, lost)
    k = f.select(near, 0.0, k)
    part = f.select(near, x, m - 1.0)
    half_square, product = series(f, part)
    high, low = f.choose(LN2_64, LN2_32)
    whole = k * high - ((half_square - (product + f.fma(k, low, lost))) - part)
    whole = f.select(f.absolute(x) < f.choose(2.0**-54, 2.0**-25), x, whole)
    return specials(f, x, whole, -1.0)


def logarithm_pair(f: FormulaBody, m: Lanes) -> tuple[Lanes, Lanes]:
    """log(m) for m near 1 as a part with few bits and the rest."""
    part = m - 1.0
    half_square, product = series(f, part)
    high = part - half_square
    keep = f.choose(-1 << 32, -1 << 12)
    high = f.from_bits(f.bits(high) & keep)
    return high, (part - high) - half_square + product


def log2(f: FormulaBody, x: Lanes) -> Lanes:
    """The logarithm to base 2, exact for powers of two."""
    k, m = normalised(f, x)
    high, low = logarithm_pair(f, m)
    first, second = f.choose(INVERSE_LN2, INVERSE_LN2_32)
    main = high * first
    rest = f.fma(high, first, -main) + f.fma(low + high, second, low * first)
    total = k + main
    return specials(f, x, total + (rest + ((k - total) + main)))


def log10(f: FormulaBody, x: Lanes) -> Lanes:
    """The logarithm to base 10."""
    k, m = normalised(f, x)
    high, low = logarithm_pair(f, m)
    first, second = f.choose(INVERSE_LN10, INVERSE_LN10_32)
    two_high, two_low = f.choose(LOG10_2, LOG10_2_32)
    main = high * first
    rest = f.fma(high, first, -main) + f.fma(low + high, second, low * first)
    rest = f.fma(k, two_low, rest)
    scaled = k * two_high
    total = scaled + main
    return specials(f, x, total + (rest + ((scaled - total) + main)))


def precise_log2(f: FormulaBody, x: Lanes) -> tuple[Lanes, Lanes]:
    """log2 of a positive finite x to about 68 bits, as a sum of two numbers."""
    k, m = normalised(f, x)
    part, divisor = m - 1.0, m + 1.0
    divisor_low = m - (divisor - 1.0)
    s = part / divisor
    s_low = (f.fma(-s, divisor, part) - s * divisor_low) / divisor
    z = s * s
    z_low = f.fma(s, s, -z) + 2.0 * s * s_low
    third = z * THIRD[0]
    third_low = f.fma(z, THIRD[0], -third) + f.fma(z_low, THIRD[0], z * THIRD[1])
    tail = z * z * f.polynomial(z, ATANH_TAIL)
    # atanh(s) = s (1 + third + tail): first the factor, then the products, each with its rounding error.
    factor = third + tail
    factor_low = (third - factor) + tail + third_low
    product = s * factor
    product_low = f.fma(s, factor, -product) + f.fma(s, factor_low, s_low * factor)
    high = s + product
    low = (s - high) + product + (product_low + s_low)
    two = 2.0 * INVERSE_LN2[0]
    main = high * two
    main_low = f.fma(high, two, -main) + f.fma(low, two, high * (2.0 * INVERSE_LN2[1]))
    total = k + main
    back = total - k
    return total, ((k - (total - back)) + (main - back)) + main_low


def power_of_size(f: FormulaBody, size: Lanes, y: Lanes) -> Lanes:
    """size ** y for a positive finite size."""
    high, low = precise_log2(f, size)
    main = y * high
    rest = f.fma(y, high, -main) + y * low
    limit = 1100.0
    over, under = main > limit, main < -limit
    main = f.select(over, limit, f.select(under, -limit, main))
    rest = f.select(over | under, 0.0, rest)
    k, whole = nearest(f, main, 1.0)
    r = (main - k) + rest
    return scale(f, f.fma(r, f.polynomial(r, TWO_64), 1.0), k, whole)


def power(f: FormulaBody, x: Lanes, y: Lanes) -> Lanes:
    """x ** y with C's special cases; float32 goes through float64."""
    if not f.double:
        return f.convert(f.call("power", f.convert(x, "float64"), f.convert(y, "float64")), "float32")
    infinity = float("inf")
    size, y_size = f.absolute(x), f.absolute(y)
    result = power_of_size(f, size, y)
    whole = f.intrinsic("trunc", y) == y
    odd = whole & (f.intrinsic("trunc", y * 0.5) != y * 0.5) & (y_size < 2.0**53)
    up = y > 0.0
    result = f.select(size == 0.0, f.select(up, 0.0, infinity), result)
    result = f.select(size == infinity, f.select(up, infinity, 0.0), result)
    grows = (size > 1.0) ^ ~up
    at_infinity = f.select(size == 1.0, 1.0, f.select(grows, infinity, 0.0))
    result = f.select(y_size == infinity, at_infinity, result)
    negative = f.bits(x) < 0
    result = f.select(negative & odd, -result, result)
    no_root = (x < 0.0) & ~whole & (size < infinity)
    result = f.select(no_root, float("nan"), result)
    result = f.select(x.is_nan() | y.is_nan(), x + y, result)
    return f.select((y == 0.0) | (x == 1.0), 1.0, result)


def through_double(f: FormulaBody, name: str, x: Lanes) -> Lanes:
    """A function of float32 computed in float64."""
    return f.convert(f.call(name, f.convert(x, "float64")), "float32")


def arcsinh(f: FormulaBody, x: Lanes) -> Lanes:
    """log(a + sqrt(a^2 + 1)) of a = |x|, through log1p."""
    if not f.double:
        return through_double(f, "arcsinh", x)
    size = f.absolute(x)
    square = size * size
    moderate = f.call("log1p", size + square / (1.0 + f.intrinsic("sqrt", square + 1.0)))
    large = f.call("log", size) + 0.6931471805599453
    return f.copysign(f.select(size > 2.0**28, large, moderate), x)


def arccosh(f: FormulaBody, x: Lanes) -> Lanes:
    """log(x + sqrt(x^2 - 1)), through log1p."""
    if not f.double:
        return through_double(f, "arccosh", x)
    above = x - 1.0
    moderate = f.call("log1p", above + f.intrinsic("sqrt", f.fma(above, above, 2.0 * above)))
    large = f.call("log", x) + 0.6931471805599453
    return f.select(x > 2.0**28, large, moderate)


def arctanh(f: FormulaBody, x: Lanes) -> Lanes:
    """log((1 + x) / (1 - x)) / 2, through log1p."""
    if not f.double:
        return through_double(f, "arctanh", x)
    size = f.absolute(x)
    argument = (size + size) / (1.0 - size)
    return f.copysign(0.5 * f.call("log1p", argument), x)


LIBRARY = {
    "log": (log, 1),
    "log1p": (log1p, 1),
    "log2": (log2, 1),
    "log10": (log10, 1),
    "power": (power, 2),
    "arcsinh": (arcsinh, 1),
    "arccosh": (arccosh, 1),
    "arctanh": (arctanh, 1),
}
