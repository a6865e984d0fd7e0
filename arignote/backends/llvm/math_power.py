"""Powers whose exponent is a known half: a root, a few products and perhaps a division in place of a logarithm.

A square root is rounded correctly, and what the products round away is known exactly by fused multiply-add, so that the
results are within 2 ulp. Where a product in between would leave the range of normal numbers, the base is scaled by a
power of 4 before and the result after, which is exact.
"""

from __future__ import annotations

from collections.abc import Callable

from .formula import Formula, FormulaBody, Lanes
from .text import Type, scalar_text

HALVES = (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
NAMES = {exponent: f"power_{str(exponent).replace('-', 'minus_').replace('.', '_')}" for exponent in HALVES}
INFINITY = float("inf")


def power_of_half(exponent: float) -> Callable[[FormulaBody, Lanes], Lanes]:
    """The formula of x ** exponent."""

    def formula(f: FormulaBody, x: Lanes) -> Lanes:
        # As C says: the power of minus zero and of minus infinity is that of zero and of infinity.
        x = f.select(x == -INFINITY, INFINITY, x + 0.0)
        if exponent == 0.5:
            return f.intrinsic("sqrt", x)
        if exponent == -0.5:
            return 1.0 / f.intrinsic("sqrt", x)
        return product_with_root(f, x, exponent)[0] if exponent > 0.0 else reciprocal(f, x, exponent)

    return formula


def product_with_root(f: FormulaBody, x: Lanes, exponent: float) -> tuple[Lanes, Lanes]:
    """x ** 1.5 or x ** 2.5, and about what it lacks; the second may be nan where the first is infinite."""
    root = f.intrinsic("sqrt", x)
    if abs(exponent) == 1.5:
        result = x * root
        return result, f.fma(x, root, -result)
    square = x * x
    lacking = f.fma(x, x, -square)
    result = square * root
    low = f.fma(square, root, -result) + lacking * root
    better = result + low
    return f.select(f.absolute(low) < INFINITY, better, result), low - (better - result)


def reciprocal(f: FormulaBody, x: Lanes, exponent: float) -> Lanes:
    """x ** -1.5 or x ** -2.5: the reciprocal with one step of correction."""
    limit, scale = (300, 400) if f.double else (30, 40)
    tiny, huge = x < 2.0**-limit, x > 2.0**limit
    x = x * f.select(tiny, 2.0**scale, f.select(huge, 2.0**-scale, f.lift(1.0, x.type)))
    product, low = product_with_root(f, x, -exponent)
    result = 1.0 / product
    lacking = f.fma(-product, result, 1.0) - low * result
    better = f.fma(result, lacking, result)
    result = f.select(f.absolute(lacking) < 1.0, better, result)
    up, down = 2.0 ** (-scale * exponent), 2.0 ** (scale * exponent)
    return result * f.select(tiny, up, f.select(huge, down, f.lift(1.0, x.type)))


def formula_of_exponent(text: str, type: Type) -> str | None:
    """The formula for an exponent, given as its text: a constant, or one for all lanes of a vector."""
    constant = text.removeprefix("splat (").removesuffix(")").split()[-1]
    return next((NAMES[each] for each in HALVES if scalar_text(each, type) == constant), None)


LIBRARY: dict[str, tuple[Formula, int]] = {NAMES[each]: (power_of_half(each), 1) for each in HALVES}
