"""Arithmetic, comparison, logic, bits, mathematical functions, entry by entry."""

from tests.numpy_names.cases import DTYPES, FLOATS, INTEGERS, NUMBERS
from tests.numpy_names.table import binary, given, special, unary

# Exactly rounded.
unary(
    "-x",
    "+x",
    "abs(x)",
    "np.negative(x)",
    "np.positive(x)",
    "np.abs(x)",
    "np.absolute(x)",
    "np.sign(x)",
    "np.floor(x)",
    "np.ceil(x)",
    "np.trunc(x)",
    "np.rint(x)",
    "np.round(x)",
    "np.square(x)",
    "np.isnan(x)",
    "np.isinf(x)",
    "np.isfinite(x)",
    "np.logical_not(x)",
    "np.sqrt(x * x)",
)
unary("np.round(x, 1)", "x.round()", "np.around(x)", dtypes=FLOATS)
unary("~x", "np.invert(x)", "np.bitwise_not(x)", dtypes=("bool", *INTEGERS))
unary("np.sqrt(x)", "np.reciprocal(x)", domain="positive", dtypes=NUMBERS)
unary("x.astype(np.float32)", "x.astype(np.int64)", "x.astype(bool)", "x.astype(float)", shapes=((), (3,), (2, 3)))
special(
    "-x",
    "np.abs(x)",
    "np.sign(x)",
    "np.floor(x)",
    "np.ceil(x)",
    "np.trunc(x)",
    "np.round(x)",
    "np.rint(x)",
    "np.sqrt(x)",
    "np.isnan(x)",
    "np.isinf(x)",
    "np.isfinite(x)",
    "np.square(x)",
    "np.reciprocal(x)",
    "np.logical_not(x)",
    "x.astype(bool)",
)

# Within a few units in the last place, as NumPy's own are.
unary("np.exp(x)", "np.expm1(x)", "np.exp2(x)", "np.tanh(x)", "np.arctan(x)", "np.arcsinh(x)", ulps=4)
unary("np.sin(x)", "np.cos(x)", "np.tan(x)", "np.sinh(x)", "np.cosh(x)", ulps=4)
unary("np.log(x)", "np.log2(x)", "np.log10(x)", domain="positive", dtypes=NUMBERS, ulps=4)
unary("np.log1p(x)", domain="positive", ulps=4)
unary("np.arcsin(x)", "np.arccos(x)", domain="unit", ulps=4)
unary("np.arctanh(x)", domain="unit", dtypes=FLOATS, ulps=4)
unary("np.arccosh(x)", domain="above one", dtypes=NUMBERS, ulps=4)
unary("np.exp(x)", "np.sinh(x)", "np.cosh(x)", "np.tanh(x)", domain="large", dtypes=FLOATS, ulps=4)
unary("np.sin(x)", "np.cos(x)", "np.tan(x)", domain="large", dtypes=FLOATS, ulps=4)
special(
    "np.exp(x)",
    "np.expm1(x)",
    "np.log(x)",
    "np.log1p(x)",
    "np.log2(x)",
    "np.log10(x)",
    "np.sin(x)",
    "np.cos(x)",
    "np.tan(x)",
    "np.arcsin(x)",
    "np.arccos(x)",
    "np.arctan(x)",
    "np.sinh(x)",
    "np.cosh(x)",
    "np.tanh(x)",
    "np.arcsinh(x)",
    "np.arccosh(x)",
    "np.arctanh(x)",
    ulps=4,
)

# Two operands.
binary("x + y", "x - y", "x * y", "x / y", "x // y", "x % y")
binary("np.add(x, y)", "np.subtract(x, y)", "np.multiply(x, y)", "np.divide(x, y)", "np.true_divide(x, y)")
binary("np.floor_divide(x, y)", "np.remainder(x, y)", "np.mod(x, y)")
binary("x < y", "x <= y", "x == y", "x != y", "x >= y", "x > y")
binary("np.less(x, y)", "np.less_equal(x, y)", "np.equal(x, y)", "np.not_equal(x, y)")
binary("np.greater(x, y)", "np.greater_equal(x, y)")
binary("np.minimum(x, y)", "np.maximum(x, y)")
binary("np.logical_and(x, y)", "np.logical_or(x, y)", "np.logical_xor(x, y)")
binary("x & y", "x | y", "x ^ y", dtypes=("bool", *INTEGERS), specials=False)
binary("np.bitwise_and(x, y)", "np.bitwise_or(x, y)", "np.bitwise_xor(x, y)", dtypes=DTYPES, specials=False)
binary("x << y", "x >> y", "np.left_shift(x, y)", dtypes=INTEGERS, second_domain="count", specials=False)
binary("np.right_shift(x, y)", dtypes=INTEGERS, second_domain="count", specials=False)
binary("x ** y", "np.power(x, y)", domain="positive", ulps=4)
binary("np.arctan2(x, y)", "np.hypot(x, y)", ulps=4, dtypes=NUMBERS)
unary(
    "x ** 2", "x ** 3", "x ** 0", "x ** 0.5", "x ** 2.0", "2 ** x", "2.0 ** x", "np.power(x, 2)", domain="count", ulps=4
)
unary("x ** -1", "x ** -2.0", "x ** -0.5", domain="positive", dtypes=FLOATS, ulps=4)
unary("x ** -1", "2 ** x", domain="any", dtypes=INTEGERS)
unary("x + 1", "1 - x", "2.5 * x", "x / 2", "x // 2", "x % 3", "-7 % x", "x > 0", "1 == x", "x + True")
unary("x + np.float32(1.5)", "x * np.float64(2)", "x + np.int32(1)", "np.int64(3) * x", "x & np.bool_(True)")

# Three operands.
unary(
    "np.where(x > 0, x, 0)", "np.where(x, 1.5, x)", "np.clip(x, -1, 2)", "np.clip(x, None, 1)", "np.clip(x, 0.5, None)"
)
unary("x.clip(-1, 1)", "np.maximum(0, x)", "np.minimum(x, 2.5)", "np.where(x > 1, x * 2, -x)")
binary("np.where(x > 0, x, y)", "np.where(x, y, 1)", "np.clip(x, y, 3)", "np.clip(x, 0, y)", specials=False)
special("np.where(x > 0, x, -x)", "np.clip(x, -1.0, 1.0)", "np.maximum(x, 0.0)", "np.minimum(x, 0.0)")
given("np.where(c, x, y)", "c, x, y", (True, 1, 2), (False, 1.5, 2), (True, 1, 2.5))
