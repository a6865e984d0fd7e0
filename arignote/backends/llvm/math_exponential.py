"""exp and its relatives: exp2, expm1, sinh, cosh, tanh.

All reduce x = k ln 2 + r with a rounded k and two parts of ln 2 (Cody and Waite; an fma makes the first step exact),
use a polynomial for (exp(r) - 1 - r) / r^2 on |r| <= ln 2 / 2 (Chebyshev), and scale by 2^k in two steps, so that
overflow and subnormal results come out rounded once.
"""

from __future__ import annotations

import math
import struct

from .formula import FormulaBody, Lanes

# (exp(r) - 1 - r) / r^2, highest power first; errors 2^-53 and 2^-29 of a result that is multiplied by r^2 < 0.13.
TAIL_64 = (
    2.510134692835034e-08, 2.7621338669142925e-07, 2.75572664186123e-06, 2.4801518641395993e-05,
    0.00019841269864380513, 0.0013888888918939168, 0.008333333333329793, 0.04166666666662064,
    0.16666666666666669, 0.5,
)  # fmt: skip
TAIL_32 = (
    0.0001989198131397769, 0.0013934541928270264, 0.008333310024225292, 0.04166645680967788, 0.16666666682534356, 0.5,
)  # fmt: skip
# (2^r - 1) / r
TWO_64 = (
    2.5730348009234352e-11, 4.4560247551334643e-10, 7.054896722470352e-09, 1.0178055912546169e-07,
    1.3215486809848003e-06, 1.5252733843864855e-05, 0.00015403530393369832, 0.001333355814640465,
    0.00961812910762848, 0.05550410866482163, 0.24022650695910072, 0.6931471805599453,
)  # fmt: skip
TWO_32 = (
    1.5298221267173666e-05, 0.00015462610757797552, 0.0013333500120002693, 0.009618053734326929,
    0.055504108849824686, 0.2402265093622689, 0.6931471805599453,
)  # fmt: skip

LN2_64 = (0.6931471805599453, 2.3190468138462996e-17)
LN2_32 = (0.6931471824645996, -1.9046542121259336e-09)


def magic(f: FormulaBody) -> float:
    """A number so large that adding it rounds to a whole number, which is then found in its low bits."""
    return f.choose(1.5 * 2.0**52, 1.5 * 2.0**23)


def magic_bits(f: FormulaBody) -> int:
    """The bits of `magic`."""
    if f.double:
        return struct.unpack("<q", struct.pack("<d", magic(f)))[0]
    return struct.unpack("<i", struct.pack("<f", magic(f)))[0]


def nearest(f: FormulaBody, x: Lanes, factor: float) -> tuple[Lanes, Lanes]:
    """The whole number nearest to x * factor, as a float and as an integer; |x * factor| < 2^51 (2^22 in float32)."""
    shifted = f.fma(x, factor, magic(f))
    return shifted - magic(f), f.bits(shifted) - magic_bits(f)


def power_of_two(f: FormulaBody, exponent: Lanes) -> Lanes:
    """2^exponent for an exponent of normal numbers."""
    return f.from_bits((exponent + f.choose(1023, 127)) << f.choose(52, 23))


def scale(f: FormulaBody, x: Lanes, k: Lanes, whole: Lanes) -> Lanes:
    """x * 2^k for k as a float and as an integer; correct for results that overflow or are subnormal."""
    if f.module.masks and f.width * f.choose(8, 4) == 64:
        return _scale_instruction(f, x, k)
    half = whole >> 1
    return x * power_of_two(f, half) * power_of_two(f, whole - half)


def _scale_instruction(f: FormulaBody, x: Lanes, k: Lanes) -> Lanes:
    """The AVX-512 instruction for x * 2^k."""
    name = f"llvm.x86.avx512.mask.scalef.{f.choose('pd', 'ps')}.512"
    type, mask = f.llvm(x.type), f"i{f.width}"
    reference = f.module.intrinsic(name, type, f"{type}, {type}, {type}, {mask}, i32")
    return f.emit(
        f"call {type} {reference}({type} {x.text}, {type} {k.text}, {type} zeroinitializer, {mask} -1, i32 4)", x.type
    )


def clamp(f: FormulaBody, x: Lanes, low: float, high: float) -> Lanes:
    """x limited to low..high; nan stays."""
    below = f.select(f.constant(high) < x, high, x)
    return f.select(f.constant(low) > below, low, below)


def reduced(f: FormulaBody, x: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """k (twice) and expm1(r), where x = k ln 2 + r."""
    k, whole = nearest(f, x, math.log2(math.e))
    high, low = f.choose(LN2_64, LN2_32)
    first = f.fma(-k, high, x)
    r = f.fma(-k, low, first)
    tail = f.polynomial(r, f.choose(TAIL_64, TAIL_32))
    if not f.double:
        return k, whole, f.fma(r * r, tail, r)
    return k, whole, r + f.fma(r * r, tail, f.fma(-k, low, first - r))


def exp(f: FormulaBody, x: Lanes) -> Lanes:
    """e^x."""
    x = clamp(f, x, f.choose(-746.0, -104.5), f.choose(710.0, 89.0))
    k, whole, expm1_r = reduced(f, x)
    return scale(f, expm1_r + 1.0, k, whole)


def exp2(f: FormulaBody, x: Lanes) -> Lanes:
    """2^x."""
    x = clamp(f, x, f.choose(-1076.0, -151.0), f.choose(1025.0, 129.0))
    k, whole = nearest(f, x, 1.0)
    r = x - k
    return scale(f, f.fma(r, f.polynomial(r, f.choose(TWO_64, TWO_32)), 1.0), k, whole)


def expm1(f: FormulaBody, x: Lanes) -> Lanes:
    """e^x - 1: with t = expm1(r) and k whole, 2^k (t + (1 - 2^-k))."""
    y = clamp(f, x, f.choose(-40.0, -18.0), f.choose(710.0, 89.0))
    k, whole, t = reduced(f, y)
    inverse = power_of_two(f, 0 - f.select(whole > f.choose(1000, 120), f.choose(1000, 120), whole))
    # x itself for tiny x keeps the sign of zero and the value of subnormals.
    return f.select(f.absolute(x) < f.choose(2.0**-54, 2.0**-25), x, scale(f, t + (1.0 - inverse), k, whole))


def tanh(f: FormulaBody, x: Lanes) -> Lanes:
    """t / (t + 2) for t = expm1(2 |x|), with the sign of x."""
    size = f.absolute(x)
    limit = f.choose(22.0, 10.0)
    size = f.select(f.constant(limit) < size, limit, size)
    doubled = size + size
    _, whole, part = reduced(f, doubled)
    power = power_of_two(f, whole)
    t = f.fma(part, power, power - 1.0)
    divisor = t + 2.0
    # One more step of the division, which also puts back what rounding t + 2 lost.
    inverse = 1.0 / divisor
    quotient = t * inverse
    rest = f.fma(-quotient, divisor, t) - quotient * (t - (divisor - 2.0))
    return f.copysign(f.fma(rest, inverse, quotient), x)


def halves(f: FormulaBody, x: Lanes) -> tuple[Lanes, Lanes]:
    """e^|x| / 2, which overflows only where the result does, and expm1(|x|) for moderate x."""
    limited = f.select(f.constant(f.choose(711.0, 90.0)) < x, f.choose(711.0, 90.0), x)
    k, whole, part = reduced(f, limited)
    half = scale(f, part + 1.0, k - 1.0, whole - 1)
    small = f.select(whole > f.choose(60, 30), f.choose(60, 30), whole)
    power = power_of_two(f, small)
    return half, f.fma(part, power, power - 1.0)


def sinh(f: FormulaBody, x: Lanes) -> Lanes:
    """(t + t / (t + 1)) / 2 for t = expm1(|x|); e^|x| / 2 for large x."""
    size = f.absolute(x)
    half, t = halves(f, size)
    moderate = 0.5 * (t + t / (t + 1.0))
    return f.copysign(f.select(size < f.choose(22.0, 10.0), moderate, half), x)


def cosh(f: FormulaBody, x: Lanes) -> Lanes:
    """h + 1 / (4 h) for h = e^|x| / 2."""
    half, _ = halves(f, f.absolute(x))
    return half + 0.25 / half


LIBRARY = {
    "exp": (exp, 1),
    "exp2": (exp2, 1),
    "expm1": (expm1, 1),
    "tanh": (tanh, 1),
    "sinh": (sinh, 1),
    "cosh": (cosh, 1),
}
