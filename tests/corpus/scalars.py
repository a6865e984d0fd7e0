"""Numbers: arithmetic, comparison, conversion, the mathematical functions of Python."""

import math

import numpy as np

from tests.corpus.program import call, program


@program(lambda: call(2.5), lambda: call(-1.25), edges=[lambda: call(3), lambda: call(True)], differentiable=(0,))
def identity(x):
    return x


@program(lambda: call(2.0), lambda: call(7), tags="constant")
def constant(x):
    return 3.5


@program(lambda: call(2.0, 0.5), edges=[lambda: call(2, 3), lambda: call(2, 0.5)], differentiable=(0, 1), tags="twice")
def polynomial(x, y):
    return 3.0 * x**2 - 2.0 * x * y + y**3 - 1.0


@program(lambda: call(1.5), edges=[lambda: call(4)], differentiable=(0,), tags="twice")
def cube(x):
    return x**3


@program(lambda: call(7.5, 2.0), lambda: call(-7.5, 2.0), edges=[lambda: call(1.0, 0.0)], differentiable=(0, 1))
def quotient(x, y):
    return x / y


@program(
    lambda: call(7, 3),
    lambda: call(-7, 3),
    lambda: call(7, -3),
    edges=[lambda: call(7, 0), lambda: call(-7.5, 2.0), lambda: call(7.5, -0.5), lambda: call(1.0, 0.0)],
)
def floor_division(x, y):
    return x // y


@program(
    lambda: call(7, 3),
    lambda: call(-7, 3),
    lambda: call(7, -3),
    lambda: call(-0.75, 0.5),
    edges=[lambda: call(7, 0), lambda: call(7.5, 0.0), lambda: call(-0.0, 3.0), lambda: call(5.5, math.inf)],
)
def remainder(x, y):
    return x % y


@program(lambda: call(17, 5), lambda: call(-17, 5), edges=[lambda: call(3.5, -1.5)])
def both_divisions(x, y):
    return divmod(x, y)


@program(lambda: call(6, 3), lambda: call(-1, 5), lambda: call(12345, 7))
def bits(x, y):
    return x & y, x | y, x ^ y, ~x, x << 2, x >> 1


@program(lambda: call(2, 10), lambda: call(-3, 3), edges=[lambda: call(0, 0)])
def integer_power(x, n):
    return x**n


@program(lambda: call(2.5, 3), lambda: call(2.5, -2), lambda: call(0.0, 0), differentiable=(0,), ulps=2)
def float_to_integer_power(x, n):
    return x**n


@program(lambda: call(1.5, 2.5), lambda: call(0.3, -1.2), differentiable=(0, 1), ulps=4)
def float_power(x, y):
    return x**y


@program(lambda: call(1.5), lambda: call(-1.5), edges=[lambda: call(-3), lambda: call(0.0)], differentiable=(0,))
def negated_and_absolute(x):
    return abs(x) + -x * +x


@program(lambda: call(1, 2), lambda: call(2.0, 1.0), lambda: call(1.0, 1), edges=[lambda: call(math.nan, 1.0)])
def comparisons(x, y):
    return x < y, x <= y, x == y, x != y, x >= y, x > y


@program(lambda: call(1.0, 2.0, 3.0), lambda: call(1.0, 0.0, 3.0), edges=[lambda: call(1, 1, 1)])
def chained_comparison(x, y, z):
    return x < y <= z != 3


@program(lambda: call(0.5), lambda: call(-0.5), edges=[lambda: call(0), lambda: call(0.0)])
def truth_of_a_number(x):
    return bool(x), not x


@program(lambda: call(2.75), lambda: call(-2.75), lambda: call(3), lambda: call(True))
def conversions(x):
    return float(x), int(x), bool(x)


@program(lambda: call(3.0), edges=[lambda: call(math.nan), lambda: call(math.inf)])
def to_integer(x):
    return int(x)


@program(lambda: call(0.75), lambda: call(-0.3), differentiable=(0,), ulps=4, tags="twice")
def exponentials(x):
    return math.exp(x) * math.log(x + 2.0) + math.sqrt(x + 1.0)


@program(lambda: call(0.75), lambda: call(-1.3), differentiable=(0,), ulps=8)
def trigonometry(x):
    return math.sin(x) * math.cos(2.0 * x) + math.tan(x / 2.0)


@program(lambda: call(0.4), lambda: call(-0.6), differentiable=(0,), ulps=8)
def inverse_trigonometry(x):
    return math.asin(x) + 2.0 * math.acos(x) - math.atan(3.0 * x) + math.atan2(x, 2.0)


@program(lambda: call(0.4), lambda: call(-0.6), differentiable=(0,), ulps=8)
def hyperbolic(x):
    return math.sinh(x) + math.cosh(x) * math.tanh(x)


@program(lambda: call(0.4), lambda: call(2.6), differentiable=(0,), ulps=8)
def small_and_large_exponents(x):
    return math.expm1(x) + math.log1p(x) + math.log2(x) + math.log10(x)


@program(lambda: call(2.5), lambda: call(-2.5), lambda: call(0.0), edges=[lambda: call(7)])
def rounding(x):
    return math.floor(x), math.ceil(x), math.trunc(x)


@program(lambda: call(3.0, 4.0), lambda: call(-0.5, 0.25), differentiable=(0, 1), ulps=2)
def hypotenuse(x, y):
    return math.hypot(x, y)


@program(lambda: call(1.0), edges=[lambda: call(math.nan), lambda: call(-math.inf)])
def classification(x):
    return math.isnan(x), math.isinf(x), math.isfinite(x)


@program(lambda: call(2.0), differentiable=(0,))
def known_constants(x):
    return math.pi * x - math.e + math.tau


@program(lambda: call(1.0, 2.0), lambda: call(3.0, -1.0), edges=[lambda: call(1, 2.0)], differentiable=(0, 1))
def smallest_and_largest(x, y):
    return min(x, y) - 2.0 * max(x, y, 0.5)


@program(lambda: call(1.0), lambda: call(-4.0), edges=[lambda: call(4.0), lambda: call(math.inf)], differentiable=(0,))
def square_root_or_error(x):
    return math.sqrt(-x) if x < 0 else x


@program(lambda: call(4.0), edges=[lambda: call(-4.0)], ulps=1)
def square_root_domain(x):
    return math.sqrt(x)


@program(lambda: call(4.0), edges=[lambda: call(-4.0), lambda: call(0.0)], ulps=2)
def logarithm_domain(x):
    return math.log(x)


@program(lambda: call(3), lambda: call(-2))
def integers_stay_integers(n):
    return n + 1, n - 1, n * 2, -n, abs(n), n / 2


@program(lambda: call(True, False), lambda: call(True, True))
def arithmetic_of_booleans(x, y):
    return x + y, x * y, x & y, x | y, x ^ y, -x


@program(lambda: call(3.0), lambda: call(5), differentiable=None)
def rebinding(x):
    y = x
    y += 2
    y *= x
    y -= 1
    return y


@program(lambda: call(3.0), lambda: call(-5.0), differentiable=(0,))
def augmented_division(x):
    x /= 4.0
    x **= 2
    x -= 1.0
    return x


@program(lambda: call(7), lambda: call(-9))
def augmented_integers(n):
    n //= 2
    n %= 5
    n <<= 3
    n |= 1
    n ^= 6
    n &= 31
    n >>= 1
    return n


@program(lambda: call(2.0, 3.0), differentiable=(0, 1))
def swap(x, y):
    x, y = y, x - y
    return x * 2.0 + y


@program(lambda: call(2.0), lambda: call(-2.0), differentiable=(0,))
def unused_values(x):
    y = x * 2.0
    y = x + 1.0
    _ = y
    return x


@program(lambda: call(2.6, 1), lambda: call(-0.5, 0), lambda: call(2.5, 0))
def rounded(x, n):
    return round(x)

@program(lambda: call(12, 18, -30), lambda: call(0, 5, 7), lambda: call(0, 0, 0), lambda: call(True, 4, 6))
def gcd_and_lcm(a, b, c):
    return math.gcd(a, b), math.gcd(a, b, c), math.gcd(a), math.lcm(a, b), math.lcm(a, b, c)


@program(
    lambda: call(17),
    lambda: call(2**63 - 1),
    lambda: call(3037000499**2),
    lambda: call(3037000499**2 - 1),
    lambda: call(np.int64(99)),
    edges=[lambda: call(0), lambda: call(-1)],
)
def integer_square_root(n):
    return math.isqrt(n)


@program(
    lambda: call(5, 2),
    lambda: call(20, 20),
    lambda: call(3, 5),
    edges=[lambda: call(0, 0), lambda: call(-1, 0), lambda: call(1, -1)],
)
def counting(n, k):
    return math.comb(n, k), math.perm(n, k), math.factorial(n), math.perm(n)


@program(lambda: call(66, 33), lambda: call(62, 31))
def large_binomial(n, k):
    return math.comb(n, k)


@program(edges=[lambda: call(2.5)])
def factorial_of_a_float(x):
    return math.factorial(x)


@program(edges=[lambda: call(2.5)])
def gcd_of_a_float(x):
    return math.gcd(x, 2)
