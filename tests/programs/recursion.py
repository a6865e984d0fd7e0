"""Recursion: divide and conquer, backtracking, functions that call one another."""

import math

import numpy as np

from tests.programs.whole_program import whole_program


def transform(re, im):
    n = re.shape[0]
    if n == 1:
        return re, im
    er, ei = transform(re[0::2], im[0::2])
    odd_re, odd_im = transform(re[1::2], im[1::2])
    angle = -2.0 * np.pi * np.arange(n // 2) / n
    c, s = np.cos(angle), np.sin(angle)
    tr, ti = c * odd_re - s * odd_im, c * odd_im + s * odd_re
    return np.concatenate([er + tr, er - tr]), np.concatenate([ei + ti, ei - ti])


@whole_program(lambda g: (g.normal(size=2 ** int(g.integers(1, 6))),), wrt=(0,), mapped=(0,), rtol=1e-11)
def fast_fourier_transform(x):
    """Cooley and Tukey: energy of the upper half of the spectrum."""
    re, im = transform(x, np.zeros_like(x))
    half = x.shape[0] // 2
    return np.sum(re[half:] ** 2 + im[half:] ** 2)


@whole_program(lambda g: (int(g.integers(0, 3)), int(g.integers(0, 5))))
def ackermann(m, n):
    """Nested recursion that no loop replaces."""
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


@whole_program(lambda g: (int(g.integers(4, 8)),))
def queens(n):
    """How many ways to place n queens, by bits."""

    def place(row, columns, left, right):
        if row == n:
            return 1
        total = 0
        for column in range(n):
            bit = 1 << column
            if columns & bit or left & bit or right & bit:
                continue
            total += place(row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
        return total

    return place(0, 0, 0, 0)


def simpson(f, a, b):
    return (b - a) / 6.0 * (f(a) + 4.0 * f((a + b) / 2.0) + f(b))


def adaptive(f, a, b, whole, tolerance, depth):
    m = (a + b) / 2.0
    left, right = simpson(f, a, m), simpson(f, m, b)
    error = left + right - whole
    if depth == 0 or abs(error) < 15.0 * tolerance:
        return left + right + error / 15.0
    half = tolerance / 2.0
    return adaptive(f, a, m, left, half, depth - 1) + adaptive(f, m, b, right, half, depth - 1)


@whole_program(lambda g: (float(g.uniform(1, 2)), float(g.uniform(2, 3))), wrt=(0, 1), mapped=(0,))
def adaptive_quadrature(k, end):
    """Simpson's rule, halved where it must be; the integrand closes over k."""

    def f(x):
        return math.exp(-k * x) * math.sin(k * x * x)

    return adaptive(f, 0.0, end, simpson(f, 0.0, end), 1e-7, 20)


def power(x, n):
    if n == 0:
        return 1.0
    if n % 2 == 1:
        return x * power(x, n - 1)
    half = power(x, n // 2)
    return half * half


@whole_program(lambda g: (float(g.uniform(0.9, 1.1)), int(g.integers(0, 60))), wrt=(0,), mapped=(0,))
def power_by_squaring(x, n):
    """The derivative takes as many steps as the power."""
    return power(x, n) + power(2.0 * x, n // 3)


@whole_program(lambda g: (g.normal(size=(4, 4)),), wrt=(0,), rtol=1e-11)
def determinant(a):
    """Laplace's expansion: the minors are smaller matrices at each level."""

    def minor(m, column):
        return np.concatenate([m[1:, :column], m[1:, column + 1 :]], axis=1)

    def det(m):
        if m.shape[0] == 0:
            return 1.0
        total, sign = 0.0, 1.0
        for column in range(m.shape[1]):
            total += sign * m[0, column] * det(minor(m, column))
            sign = -sign
        return total

    return det(a)


@whole_program(lambda g: (int(g.integers(0, 200)),))
def even_or_odd(n):
    """Two functions that call one another in tail position."""

    def even(k):
        return True if k == 0 else odd(k - 1)

    def odd(k):
        return False if k == 0 else even(k - 1)

    return even(n), odd(n)


@whole_program(lambda g: (g.permutation(int(g.integers(1, 40))).astype(float),))
def merge_sort(x):
    """Sorts by halves; merging fills an array item by item."""

    def merge(a, b):
        out = np.empty(a.shape[0] + b.shape[0])
        i, j = 0, 0
        for k in range(out.shape[0]):
            if j >= b.shape[0] or (i < a.shape[0] and a[i] <= b[j]):
                out[k] = a[i]
                i += 1
            else:
                out[k] = b[j]
                j += 1
        return out

    def sort(part):
        n = part.shape[0]
        if n <= 1:
            return part.copy()
        return merge(sort(part[: n // 2]), sort(part[n // 2 :]))

    return sort(x)


@whole_program(lambda g: (float(g.uniform(0.5, 2.0)), int(g.integers(1, 12))), wrt=(0,), mapped=(0,))
def continued_fraction(x, depth):
    """tan by Lambert's fraction."""

    def level(k):
        if k > depth:
            return 0.0
        return x * x / (2.0 * k + 1.0 - level(k + 1))

    return x / (1.0 - level(1))


@whole_program(lambda g: (float(g.uniform(0.5, 1.5)), 6), wrt=(0,))
def compose_repeatedly(x, n):
    """Higher-order recursion: a function applied to the results of itself."""

    def repeat(f, k, y):
        return y if k == 0 else f(repeat(f, k - 1, y))

    def twice(f):
        return lambda y: f(f(y))

    return repeat(twice(lambda y: math.sin(x * y) + y / 2.0), n, x)


@whole_program(lambda g: (g.normal(size=(int(g.integers(2, 7)), 2)),), wrt=(0,), mapped=(0,))
def bezier(points):
    """De Casteljau's algorithm by recursion over shrinking arrays: the length of the control polygon's derivative."""

    def curve(p, t):
        if p.shape[0] == 1:
            return p[0]
        return curve((1.0 - t) * p[:-1] + t * p[1:], t)

    total = 0.0
    for i in range(5):
        q = curve(points, i / 4.0)
        total += np.dot(q, q)
    return total
