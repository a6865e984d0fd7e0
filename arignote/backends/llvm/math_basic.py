"""Operations that need a few instructions: NumPy's division, remainder, shifts, signs, conversions, overflow."""

from __future__ import annotations

from .formula import FormulaBody, Lanes
from .text import BYTES, suffix


def smallest(type: str) -> int:
    """The least number of an integer type."""
    return -(1 << (8 * BYTES[type] - 1))


def integer_divide(f: FormulaBody, a: Lanes, b: Lanes) -> tuple[Lanes, Lanes, Lanes]:
    """Whether b is 0; the floor quotient (0 if b is 0); the divisor that is safe for the machine's instruction."""
    zero = b == 0
    negate = b == -1
    divisor = f.select(zero | negate, 1, b)
    quotient = f.emit(f"sdiv {f.llvm(a.type)} {a.text}, {divisor.text}", a.type)
    rest = a - quotient * divisor
    lower = f.select((rest != 0) & ((rest ^ divisor) < 0), quotient - 1, quotient)
    # The least number divided by -1 wraps, and must not trap: negation does that.
    return zero, f.select(zero, 0, f.select(negate, -a, lower)), divisor


def floor_divide_integer(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Floor division; a zero divisor gives 0."""
    return integer_divide(f, a, b)[1]


def remainder_integer(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Remainder with the sign of the divisor; a zero divisor gives 0."""
    zero, quotient, _ = integer_divide(f, a, b)
    return f.select(zero, 0, a - quotient * b)


def float_divide(f: FormulaBody, a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    """Floor quotient and remainder as Python and NumPy define them, for a divisor that is not zero."""
    rest = fmod(f, a, b)
    quotient = (a - rest) / b
    uneven = rest != 0.0
    other_side = uneven & ((b < 0.0) ^ (rest < 0.0))
    remainder = f.select(uneven, f.select(other_side, rest + b, rest), f.copysign(0.0, b))
    quotient = f.select(other_side, quotient - 1.0, quotient)
    floor = f.intrinsic("floor", quotient)
    floor = f.select(quotient - floor > 0.5, floor + 1.0, floor)
    return f.select(quotient != 0.0, floor, f.copysign(0.0, a / b)), remainder


def fmod(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """C's fmod: exact. The quotient is usually small, and then one fma gives the exact remainder."""
    quotient = f.intrinsic("trunc", a / b)
    rest = f.fma(-quotient, b, a)
    # The rounded quotient may be one too large: then the remainder has the wrong sign.
    fixed = f.select((rest != 0.0) & ((rest < 0.0) ^ (a < 0.0)), rest + f.copysign(f.absolute(b), a), rest)
    size = f.absolute(quotient)
    # Also false for what is not a number; subnormal divisors could make the fma inexact.
    divisor = f.absolute(b)
    easy = (size < f.choose(2.0**52, 2.0**23)) & (divisor > f.choose(2.0**-960, 2.0**-100)) & (divisor < float("inf"))
    repaired = f.rarely(~easy, fixed, lambda: f.call("fmod_far", a, b, apart=True))
    return f.copysign(repaired, a)


def fmod_far(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """C's fmod by the C library."""
    return f.each_lane("fmod" if f.double else "fmodf", a, b)


def floor_divide(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Floor division of floats."""
    return f.select(b == 0.0, a / b, float_divide(f, a, b)[0])


def remainder(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Remainder of floats, with the sign of the divisor."""
    return f.select(b == 0.0, f.constant(float("nan")), float_divide(f, a, b)[1])


def minimum(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """The smaller one, nan if one is nan, and of equal ones (zeros of both signs) the second, as NumPy on x86."""
    return f.select(a.is_nan(), a, f.select(a < b, a, b))


def maximum(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """The larger one, nan if one is nan, and of equal ones the second."""
    return f.select(a.is_nan(), a, f.select(a > b, a, b))


def smaller_number(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """The smaller one; a nan is ignored."""
    return f.select(b.is_nan(), a, f.select(a < b, a, b))


def larger_number(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """The larger one; a nan is ignored."""
    return f.select(b.is_nan(), a, f.select(a > b, a, b))


def sign(f: FormulaBody, x: Lanes) -> Lanes:
    """-1, 0 or 1, and nan for nan."""
    signed = f.select(x > 0.0, 1.0, f.select(x < 0.0, -1.0, 0.0))
    return f.select(x.is_nan(), x, signed)


def sign_integer(f: FormulaBody, x: Lanes) -> Lanes:
    """-1, 0 or 1."""
    return f.select(x > 0, 1, f.select(x < 0, -1, f.constant(0)))


def negative_integer(f: FormulaBody, x: Lanes) -> Lanes:
    """-x, which wraps."""
    return 0 - x


def absolute_integer(f: FormulaBody, x: Lanes) -> Lanes:
    """|x|, which wraps for the least number."""
    return f.select(x < 0, 0 - x, x)


def invert(f: FormulaBody, x: Lanes) -> Lanes:
    """All bits flipped."""
    return ~x


def is_finite(f: FormulaBody, x: Lanes) -> Lanes:
    """Neither infinite nor nan."""
    return f.absolute(x) < float("inf")


def is_infinite(f: FormulaBody, x: Lanes) -> Lanes:
    """Plus or minus infinity."""
    return f.absolute(x) == float("inf")


def sign_bit(f: FormulaBody, x: Lanes) -> Lanes:
    """Whether the sign bit is set."""
    return f.bits(x) < 0


def never(f: FormulaBody, x: Lanes) -> Lanes:
    """False: what isnan and isinf say of integers."""
    return x != x


def always(f: FormulaBody, x: Lanes) -> Lanes:
    """True: what isfinite says of integers."""
    return x == x


def negative_sign(f: FormulaBody, x: Lanes) -> Lanes:
    """signbit of an integer."""
    return x < 0


def truth(x: Lanes) -> Lanes:
    """Whether x counts as true."""
    return x if x.type == "bool" else x != (0.0 if x.is_float else 0)


def logical_and(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Both count as true."""
    return truth(a) & truth(b)


def logical_or(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """One counts as true."""
    return truth(a) | truth(b)


def logical_xor(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Exactly one counts as true."""
    return truth(a) ^ truth(b)


def logical_not(f: FormulaBody, x: Lanes) -> Lanes:
    """x does not count as true."""
    return ~truth(x)


def shift_in_range(f: FormulaBody, count: Lanes) -> tuple[Lanes, Lanes]:
    """Whether a shift count is less than the width (a negative one is not), and a count that the machine accepts."""
    bits = 8 * BYTES[count.type]
    good = (count & -bits) == 0
    return good, count & (bits - 1)


def left_shift(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """a << b; 0 when all bits are shifted out."""
    good, count = shift_in_range(f, b)
    return f.select(good, a << count, 0)


def right_shift(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """a >> b, filled with the sign."""
    good, count = shift_in_range(f, b)
    return f.select(good, a >> count, a >> (8 * BYTES[a.type] - 1))


def unsigned_right_shift(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """a >> b of the bits of a, filled with zeros."""
    good, count = shift_in_range(f, b)
    return f.select(good, a.shift_right_unsigned(count), 0)


def multiply_high(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """The upper half of the product of two words, taken as unsigned: one instruction on most machines."""
    bits = 8 * BYTES[a.type]
    narrow = f.llvm(a.type)
    wide = narrow.replace(f"i{bits}", f"i{2 * bits}")
    half = str(bits) if wide == f"i{2 * bits}" else f"splat (i{2 * bits} {bits})"
    factors = [f.emit(f"zext {narrow} {x.text} to {wide}", a.type) for x in (a, b)]
    product = f.emit(f"mul {wide} {factors[0].text}, {factors[1].text}", a.type)
    high = f.emit(f"lshr {wide} {product.text}, {half}", a.type)
    return f.emit(f"trunc {wide} {high.text} to {narrow}", a.type)


def add_overflows(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Whether a + b leaves the range of the type."""
    total = a + b
    return ((a ^ total) & (b ^ total)) < 0


def subtract_overflows(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Whether a - b leaves the range of the type."""
    return ((a ^ b) & (a ^ (a - b))) < 0


def multiply_overflows(f: FormulaBody, a: Lanes, b: Lanes) -> Lanes:
    """Whether a * b leaves the range of the type."""
    if not f.width:
        name = f"llvm.smul.with.overflow.{suffix(a.type)}"
        llvm = f.llvm(a.type)
        pair = f"{{{llvm}, i1}}"
        reference = f.module.intrinsic(name, pair, f"{llvm}, {llvm}")
        called = f.emit(f"call {pair} {reference}({llvm} {a.text}, {llvm} {b.text})", a.type)
        return f.emit(f"extractvalue {pair} {called.text}, 1", "bool")
    product = a * b
    divisor = f.select((b == 0) | (b == -1), 1, b)
    quotient = f.emit(f"sdiv {f.llvm(a.type)} {product.text}, {divisor.text}", a.type)
    minus = (b == -1) & (a == smallest(a.type))
    return ((b != 0) & (b != -1) & (quotient != a)) | minus


def to_integer_type(f: FormulaBody, x: Lanes, type: str) -> Lanes:
    """Conversion that truncates; what does not fit becomes the least number, as NumPy's does on x86."""
    least = float(smallest(type))
    # Both bounds are powers of two, which a float holds exactly; in float64, fractions below int32's truncate to it.
    fits = (x > least - 1.0 if type == "int32" and f.double else x >= least) & (x < -least)
    whole = f.emit(f"fptosi {f.llvm(x.type)} {x.text} to {f.llvm(type)}", type)
    return f.select(fits, whole, f.constant(smallest(type), type))


def power_integer(f: FormulaBody, base: Lanes, exponent: Lanes) -> Lanes:
    """base ** exponent, wrapping, by squaring; 0 for a negative exponent (the program has refused those before)."""
    f.count += 1
    number, origin, llvm = f.count, f.block, f.llvm(base.type)
    square, rest, product = (f"%{name}{number}" for name in ("square", "rest", "product"))
    one = f.constant(1).text
    start = f.select(exponent < 0, 0, exponent)
    begin = f.select(exponent < 0, 0, f.constant(1))
    f.lines.append(f"  br label %loop{number}")
    f.lines.append(f"loop{number}:")
    header = len(f.lines)
    odd = (Lanes(f, rest, base.type) & 1) != 0
    multiplied = f.select(odd, Lanes(f, product, base.type) * Lanes(f, square, base.type), Lanes(f, product, base.type))
    squared = Lanes(f, square, base.type) * Lanes(f, square, base.type)
    halved = Lanes(f, rest, base.type) >> Lanes(f, one, base.type)
    more = f.any(halved != 0)
    f.lines.append(f"  br i1 {more}, label %loop{number}, label %end{number}")
    f.lines.append(f"end{number}:")
    f.block = f"end{number}"
    f.lines[header:header] = [
        f"  {phi} = phi {llvm} [{first}, %{origin}], [{later}, %loop{number}]"
        for phi, first, later in (
            (square, base.text, squared.text),
            (rest, start.text, halved.text),
            (product, begin.text, multiplied.text),
        )
    ]
    return multiplied


LIBRARY = {
    "fmod_far": (fmod_far, 2),
    "floor_divide": (floor_divide, 2),
    "remainder": (remainder, 2),
    "minimum": (minimum, 2),
    "maximum": (maximum, 2),
    "fmin": (smaller_number, 2),
    "fmax": (larger_number, 2),
    "sign": (sign, 1),
    "isfinite": (is_finite, 1),
    "isinf": (is_infinite, 1),
    "signbit": (sign_bit, 1),
    "logical_and": (logical_and, 2),
    "logical_or": (logical_or, 2),
    "logical_xor": (logical_xor, 2),
    "logical_not": (logical_not, 1),
    "floor_divide_integer": (floor_divide_integer, 2),
    "remainder_integer": (remainder_integer, 2),
    "sign_integer": (sign_integer, 1),
    "negative_integer": (negative_integer, 1),
    "absolute_integer": (absolute_integer, 1),
    "invert": (invert, 1),
    "never": (never, 1),
    "always": (always, 1),
    "negative_sign": (negative_sign, 1),
    "left_shift": (left_shift, 2),
    "right_shift": (right_shift, 2),
    "unsigned_right_shift": (unsigned_right_shift, 2),
    "multiply_high": (multiply_high, 2),
    "add_overflows": (add_overflows, 2),
    "subtract_overflows": (subtract_overflows, 2),
    "multiply_overflows": (multiply_overflows, 2),
    "power_integer": (power_integer, 2),
    "to_int32": (lambda f, x: to_integer_type(f, x, "int32"), 1),
    "to_int64": (lambda f, x: to_integer_type(f, x, "int64"), 1),
}

LOGICAL = {name: name for name in ("logical_and", "logical_or", "logical_xor", "logical_not")}
FLOAT = frozenset(
    [
        "floor_divide",
        "remainder",
        "sign",
        "minimum",
        "maximum",
        "fmin",
        "fmax",
        "isfinite",
        "isinf",
        "signbit",
        *LOGICAL,
    ]
)
INTEGER = LOGICAL | {
    "floor_divide": "floor_divide_integer",
    "remainder": "remainder_integer",
    "sign": "sign_integer",
    "negative": "negative_integer",
    "absolute": "absolute_integer",
    "power": "power_integer",
    "invert": "invert",
    "isnan": "never",
    "isinf": "never",
    "isfinite": "always",
    "signbit": "negative_sign",
    "left_shift": "left_shift",
    "right_shift": "right_shift",
    "unsigned_right_shift": "unsigned_right_shift",
    "multiply_high": "multiply_high",
    "add_overflows": "add_overflows",
    "subtract_overflows": "subtract_overflows",
    "multiply_overflows": "multiply_overflows",
}
BOOL = {
    "logical_not": "invert",
    "invert": "invert",
    "isnan": "never",
    "isinf": "never",
    "isfinite": "always",
    "signbit": "never",
}
