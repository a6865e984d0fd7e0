"""Recursion: deep, in tail position, mutual, through closures and through functions that are passed on."""

import math

import numpy as np

from tests.corpus.program import call, program


@program(lambda: call(0.5, 300), lambda: call(2.0, 0), differentiable=(0,), tags="twice")
def tail_sum(x, n):
    def add(total, k):
        return total if k == 0 else add(total + x * k, k - 1)

    return add(x * x, n)


@program(lambda: call(48, 18), lambda: call(17, 5), lambda: call(0, 3))
def greatest_common_divisor(a, b):
    return a if b == 0 else greatest_common_divisor(b, a % b)


@program(lambda: call(27), lambda: call(1))
def collatz_steps(n):
    def steps(n, k):
        if n == 1:
            return k
        if n % 2 == 0:
            return steps(n // 2, k + 1)
        return steps(3 * n + 1, k + 1)

    return steps(n, 0)


def halve(x, n):
    if n <= 0:
        return x
    if n % 3 == 0:
        return double(x * 0.5, n - 1, 2.0)
    return shift(x + 1.0, n - 1) if n % 3 == 1 else halve(x, n - 1)


def double(x, n, y):
    return x + y if n <= 0 else halve(x * y, n - 1)


def shift(y, m):
    if m % 7 == 3:
        return double(y, m - 1, y * 0.25)
    return y * y if m <= 0 else shift(y * 0.5, m - 1)


@program(*[lambda n=n: call(1.5, n) for n in (0, 1, 2, 5, 8, 30)], differentiable=(0,), tags="twice")
def three_functions_by_turns(x, n):
    return halve(x, n)


@program(lambda: call(5), lambda: call(6))
def odd_or_even(n):
    def even(n):
        return True if n == 0 else odd(n - 1)

    def odd(n):
        return False if n == 0 else even(n - 1)

    return even(n), odd(n)


@program(lambda: call(3, 1.5), lambda: call(0, 1.5), tags="prints")
def prints_on_the_way(n, x):
    if n == 0:
        print("end", x)
        return x
    print("at", n, x)
    return prints_on_the_way(n - 1, x * 2.0)


@program(lambda: call(3), lambda: call(0), edges=[lambda: call(-3)])
def raises_at_the_end(n):
    if n < 0:
        raise ValueError("negative")
    return n if n == 0 else raises_at_the_end(n - 1)


@program(lambda: call(2, 3), lambda: call(1, 5))
def ackermann(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


@program(lambda: call(np.array([1.0, -2.0, 0.5]), 4), lambda: call(np.array([]), 3), differentiable=(0,))
def tail_recursion_over_an_array(v, n):
    return v if n == 0 else tail_recursion_over_an_array(v * 0.5 + 1.0, n - 1)


@program(lambda: call(np.array([1.0, -2.0, 0.5])), differentiable=(0,))
def array_of_squares(v):
    def fill(out, i):
        if i == len(v):
            return out
        out = out.copy()
        out[i] = v[i] * v[i]
        return fill(out, i + 1)

    return fill(np.zeros(len(v)), 0)


@program(lambda: call(20), lambda: call(0))
def fibonacci_with_defaults(n, a=0, b=1):
    return a if n == 0 else fibonacci_with_defaults(n - 1, b, a + b)


@program(lambda: call(2.0), lambda: call(9.0), differentiable=(0,), ulps=4)
def square_root_by_newton(a):
    def improve(x, n):
        return x if n == 0 else improve(0.5 * (x + a / x), n - 1)

    return improve(a, 8)


@program(lambda: call(0.7), differentiable=(0,), ulps=8)
def fixed_point(x):
    def iterate(function, value, n):
        after = function(value)
        if n == 0 or abs(after - value) < 1e-13:
            return after
        return iterate(function, after, n - 1)

    return iterate(lambda y: math.cos(y) * x, x, 200)


@program(lambda: call(1.5, 4), lambda: call(1.5, 1), differentiable=(0,), tags="twice")
def results_in_another_order(x, n):
    def rotate(a, b, n):
        if n == 0:
            return a, b
        first, second = rotate(b * 0.5, a + 1.0, n - 1)
        return second, first

    a, b = rotate(x, x * x, n)
    return a - 2.0 * b


@program(lambda: call(3, 2.0), lambda: call(6, 2.0), differentiable=(1,))
def tail_call_in_a_loop(n, x):
    total = 0.0
    for i in range(n):
        total = total + power(x, i, 1.0)
    return total


def power(x, n, so_far):
    return so_far if n == 0 else power(x, n - 1, so_far * x)


@program(lambda: call(1.25, 6), lambda: call(1.25, 0), differentiable=(0,), tags="twice")
def loop_in_a_tail_call(x, n):
    def outer(x, n):
        if n == 0:
            return x
        for i in range(n):
            x = x * 0.9 + 0.01 * i
        return outer(x, n - 1)

    return outer(x, n)


@program(lambda: call(1.5, 4), lambda: call(1.5, 5), differentiable=(0,))
def recursion_by_passing_oneself(x, n):
    """The fixed-point combinator, as far as its types are finite."""

    def step(self, k):
        return 1.0 if k == 0 else x * self(self, k - 1)

    return step(step, n)


@program(lambda: call(0.3, 5), differentiable=(0,), tags="twice")
def continued_fraction(x, n):
    return 1.0 if n == 0 else 1.0 + x / continued_fraction(x, n - 1)


@program(lambda: call(0.3, 5), lambda: call(0.3, 0), differentiable=(0,))
def mutual_recursion_not_in_tail_position(x, n):
    def sine(n):
        return x if n == 0 else 2.0 * sine(n - 1) * cosine(n - 1)

    def cosine(n):
        if n == 0:
            return 1.0 - 0.5 * x * x
        c, s = cosine(n - 1), sine(n - 1)
        return c * c - s * s

    return sine(n) + cosine(n)
