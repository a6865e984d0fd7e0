"""sin, cos, tan and their inverses.

x = k pi/2 + r with three parts of pi/2; as the first step is an exact fma, k may be large, and r comes with its
rounding error. Only beyond 2^30 (float64) or 2^16 (float32) is the C library asked, in a branch that vectors without
such lanes skip. The polynomials in float64 are those of fdlibm (Sun Microsystems, 1993).
"""

from __future__ import annotations

import math

from .formula import Formula, FormulaBody, Lanes
from .math_exponential import nearest

HALF_PI_64 = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
HALF_PI_32 = (1.570796251296997, 7.549790126404332e-08, -1.7151245100058819e-15)  # -0 stays -0: the second is positive
QUARTER_PI_64 = (0.7853981633974483, 3.061616997868383e-17)
QUARTER_PI_32 = (0.7853981852531433, -2.1855694143368964e-08)

SINE_64 = (
    1.58969099521155010221e-10, -2.50507602534068634195e-08, 2.75573137070700676789e-06,
    -1.98412698298579493134e-04, 8.33333333332248946124e-03, -1.66666666666666324348e-01,
)  # fmt: skip
SINE_32 = (2.724378140946123e-06, -0.00019840038872556747, 0.008333331785217696, -0.1666666666362283)
COSINE_64 = (
    -1.13596475577881948265e-11, 2.08757232129817482790e-09, -2.75573143513906633035e-07,
    2.48015872894767294178e-05, -1.38888888888741095749e-03, 4.16666666666666019037e-02,
)  # fmt: skip
COSINE_32 = (-2.7295830827614617e-07, 2.4800560429914505e-05, -0.001388888759732781, 0.04166666666412721)
# (arctan(x)/x - 1) / x^2 in x^2, for |x| <= tan(pi/8)
ARCTAN_64 = (
    0.01627552168389342, -0.03456132296826231, 0.04551233844829568, -0.05230375457576669, 0.058789182929757273,
    -0.06666423954373413, 0.07692296323157785, -0.09090908751706075, 0.11111111105119366, -0.14285714285659457,
    0.19999999999999804, -0.3333333333333333,
)  # fmt: skip
ARCTAN_32 = (-0.06450377352341542, 0.10743263384329244, -0.1426391227285186, 0.19999539232716604, -0.3333333175572402)
ARCSINE_64_TOP = (
    3.47933107596021167570e-05, 7.91534994289814532176e-04, -4.00555345006794114027e-02, 2.01212532134862925881e-01,
    -3.25565818622400915405e-01, 1.66666666666666657415e-01,
)  # fmt: skip
ARCSINE_64_BOTTOM = (
    7.70381505559019352791e-02, -6.88283971605453293030e-01, 2.02094576023350569471e00, -2.40339491173441421878e00, 1.0,
)  # fmt: skip
ARCSINE_32_TOP = (-8.6563630030e-03, -4.2743422091e-02, 1.6666586697e-01)
ARCSINE_32_BOTTOM = (-7.0662963390e-01, 1.0)


def quadrant(f: FormulaBody, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """k as an integer, r, and what r lacks, which is known later than r itself."""
    k, whole = nearest(f, x, 2.0 / math.pi)
    first, second, third = f.choose(HALF_PI_64, HALF_PI_32)
    exact = f.fma(-k, first, x)
    product = k * second
    r = exact - product
    product_low = f.fma(k, third, f.fma(k, second, -product))
    return whole, r, lost(f, exact, product, r) - product_low


def lost(f: FormulaBody, a: Lanes, b: Lanes, difference: Lanes) -> Lanes:
    """The rounding error of a - b. Near a multiple of pi/2 b may be larger, which is rare for one number; vectors
    do without a branch (Knuth's two-sum)."""
    taken = difference - a

    def knuth() -> Lanes:
        return (a - (difference - taken)) - (b + taken)

    if f.width:
        return knuth()
    return f.rarely(f.absolute(a) < f.absolute(b), -taken - b, knuth)


def wave(f: FormulaBody, r: Lanes, low: Lanes, is_cosine: Lanes, flip: Lanes | None = None) -> Lanes:
    """sin(r + low) or cos(r + low) for |r| <= pi/4, and its negative where `flip` has the sign bit.

    Both are base - (factor * series + rest), so that only one series is computed; everything but the series is known
    early. Of -0 the sine is -0.
    """
    z = r * r
    coefficients = zip(f.choose(COSINE_64, COSINE_32), f.choose(SINE_64, SINE_32), strict=True)
    series = estrin(f, z, [f.select(is_cosine, c, s) for c, s in coefficients])
    one = f.fma(z, -0.5, 1.0)
    of_one = f.fma(z, 0.5, one - 1.0)
    parts = (
        f.select(is_cosine, one, r),
        z * f.select(is_cosine, -z, -r),
        f.select(is_cosine, f.fma(r, low, of_one), f.fma(low, 0.5 * z, -low)),
    )
    if flip is not None:
        parts = tuple(f.from_bits(f.bits(part) ^ flip) for part in parts)
    base, factor, rest = parts
    return base - f.fma(factor, series, rest)


def estrin(f: FormulaBody, x: Lanes, coefficients: list[Lanes]) -> Lanes:
    """A polynomial, highest power first, by pairs: short chains, where Horner's scheme is one long one."""
    terms = coefficients[::-1]
    while len(terms) > 1:
        rest = terms[len(terms) & ~1 :]
        terms = [f.fma(terms[i + 1], x, terms[i]) for i in range(0, len(terms) - 1, 2)] + rest
        x = x * x if len(terms) > 1 else x
    return terms[0]


def beyond(f: FormulaBody, x: Lanes, usual: Lanes, name: str) -> Lanes:
    """Repairs the lanes whose argument is too large for the reduction."""
    huge = f.absolute(x) >= f.choose(2.0**30, 2.0**16)
    return f.rarely(huge, usual, lambda: f.call(f"{name}_far", x, apart=True))


def far(name: str) -> Formula:
    """A trigonometric function of a very large argument."""

    def formula(f: FormulaBody, x: Lanes) -> Lanes:
        return f.each_lane(name if f.double else f"{name}f", x)

    return formula


def sin(f: FormulaBody, x: Lanes) -> Lanes:
    """sin."""
    whole, r, low = quadrant(f, x)
    return beyond(f, x, wave(f, r, low, (whole & 1) != 0, half_turn(f, whole)), "sin")


def cos(f: FormulaBody, x: Lanes) -> Lanes:
    """cos."""
    whole, r, low = quadrant(f, x)
    return beyond(f, x, wave(f, r, low, (whole & 1) == 0, half_turn(f, whole + 1)), "cos")


def half_turn(f: FormulaBody, whole: Lanes) -> Lanes:
    """The sign bit where the number of quarter turns is 2 or 3 (modulo 4)."""
    return (whole & 2) << f.choose(62, 30)


def tan(f: FormulaBody, x: Lanes) -> Lanes:
    """tan."""
    whole, r, low = quadrant(f, x)
    s, c = (wave(f, r, low, f.constant(which, "bool")) for which in (False, True))
    odd = (whole & 1) != 0
    value = f.select(odd, -c, s) / f.select(odd, s, c)
    return beyond(f, x, value, "tan")


def arctan_reduced(f: FormulaBody, top: Lanes, bottom: Lanes, high: Lanes, low: Lanes) -> Lanes:
    """high + low + arctan(top / bottom) for |top / bottom| <= tan(pi/8)."""
    t = top / bottom
    z = t * t
    return high + (f.fma(t * z, f.polynomial(z, f.choose(ARCTAN_64, ARCTAN_32)), low) + t)


def arctan(f: FormulaBody, x: Lanes) -> Lanes:
    """arctan: |x| is moved to tan(-pi/8)..tan(pi/8) by pi/4 or pi/2."""
    size = f.absolute(x)
    middle, large = size > 0.41421356237309503, size > 2.414213562373095
    top = f.select(large, -1.0, f.select(middle, size - 1.0, size))
    bottom = f.select(large, size, f.select(middle, size + 1.0, 1.0))
    quarter, quarter_low = f.choose(QUARTER_PI_64, QUARTER_PI_32)
    zero = f.constant(0.0)
    high = f.select(large, 2.0 * quarter, f.select(middle, quarter, zero))
    low = f.select(large, 2.0 * quarter_low, f.select(middle, quarter_low, zero))
    return f.copysign(arctan_reduced(f, top, bottom, high, low), x)


def arctan2(f: FormulaBody, y: Lanes, x: Lanes) -> Lanes:
    """The angle of (x, y)."""
    across, up = f.absolute(x), f.absolute(y)
    swapped = up > across
    small, large = f.select(swapped, across, up), f.select(swapped, up, across)
    # Sums of very large numbers must not overflow.
    shrink = f.select(large > f.choose(2.0**1000, 2.0**120), 0.25, f.constant(1.0))
    infinite = small == float("inf")
    small, large = f.select(infinite, 1.0, small * shrink), f.select(infinite, 1.0, large * shrink)
    middle = small > 0.41421356237309503 * large
    top = f.select(middle, small - large, small)
    bottom = f.select(middle, small + large, large)
    bottom = f.select(large == 0.0, 1.0, bottom)
    quarter, quarter_low = f.choose(QUARTER_PI_64, QUARTER_PI_32)
    # The angle is base + sign * (angle of the reduced quotient): fold pi/4, then pi/2 - , then pi - .
    left = f.bits(x) < 0
    turns = f.select(middle, 1.0, f.constant(0.0))
    turns = f.select(swapped, 2.0 - turns, turns)
    turns = f.select(left, 4.0 - turns, turns)
    top = f.select(swapped ^ left, -top, top)
    angle = arctan_reduced(f, top, bottom, turns * quarter, turns * quarter_low)
    angle = f.select(x.is_nan() | y.is_nan(), x + y, angle)
    return f.copysign(angle, y)


def arcsine_series(f: FormulaBody, z: Lanes) -> Lanes:
    """(arcsin(x) - x) / x as a function of z = x^2 <= 1/4."""
    top = f.polynomial(z, f.choose(ARCSINE_64_TOP, ARCSINE_32_TOP))
    return z * top / f.polynomial(z, f.choose(ARCSINE_64_BOTTOM, ARCSINE_32_BOTTOM))


def near_one(f: FormulaBody, size: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """(1 - |x|) / 2, its square root, and the rounding error of the root."""
    z = 0.5 * (1.0 - size)
    root = f.intrinsic("sqrt", z)
    error = f.fma(-root, root, z) / f.select(root > 0.0, root + root, 1.0)
    return z, root, error


def arcsin(f: FormulaBody, x: Lanes) -> Lanes:
    """arcsin; near 1 it is pi/2 - 2 arcsin(sqrt((1 - |x|) / 2))."""
    size = f.absolute(x)
    large = size > 0.5
    z, root, error = near_one(f, size)
    series = arcsine_series(f, f.select(large, z, x * x))
    quarter, quarter_low = f.choose(QUARTER_PI_64, QUARTER_PI_32)
    small_result = f.fma(size, series, size)
    large_result = 2.0 * (quarter - (root - (quarter_low - f.fma(root, series, error))))
    return f.copysign(f.select(large, large_result, small_result), x)


def arccos(f: FormulaBody, x: Lanes) -> Lanes:
    """arccos; near 1 it is 2 arcsin(sqrt((1 - x) / 2))."""
    size = f.absolute(x)
    z, root, error = near_one(f, size)
    series = arcsine_series(f, f.select(size > 0.5, z, x * x))
    quarter, quarter_low = f.choose(QUARTER_PI_64, QUARTER_PI_32)
    middle = 2.0 * quarter - (x - (2.0 * quarter_low - x * series))
    rest = f.fma(root, series, error)
    right = 2.0 * (root + rest)
    left = 2.0 * (2.0 * quarter - (root + (rest - 2.0 * quarter_low)))
    return f.select(x > 0.5, right, f.select(x < -0.5, left, middle))


LIBRARY = {
    "sin": (sin, 1),
    "cos": (cos, 1),
    "tan": (tan, 1),
    "sin_far": (far("sin"), 1),
    "cos_far": (far("cos"), 1),
    "tan_far": (far("tan"), 1),
    "arctan": (arctan, 1),
    "arctan2": (arctan2, 2),
    "arcsin": (arcsin, 1),
    "arccos": (arccos, 1),
}
