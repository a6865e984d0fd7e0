"""Writing parts of local arrays."""

import numpy as np

from tests.corpus.arrays import numbers
from tests.corpus.program import call, program


@program(
    lambda: call(numbers(4), 2, 7.0),
    lambda: call(numbers(4), -1, 7.0),
    edges=[lambda: call(numbers(4), 4, 7.0)],
    differentiable=(0, 2),
)
def set_item(x, i, value):
    y = x.copy()
    y[i] = value
    return y


@program(lambda: call(numbers(4), 2), edges=[lambda: call(numbers(4), -5)], differentiable=(0,))
def add_to_item(x, i):
    y = x * 1.0
    y[i] += 3.0
    y[i] *= 2.0
    return y


@program(lambda: call(5), lambda: call(1), edges=[lambda: call(0)])
def fill_in_a_loop(n):
    squares = np.zeros(n)
    for i in range(n):
        squares[i] = i * i
    return squares


@program(lambda: call(numbers(6)), lambda: call(numbers(1)), differentiable=(0,), ulps=8)
def running_sum(x):
    y = np.zeros_like(x)
    total = 0.0
    for i in range(len(x)):
        total = total + x[i]
        y[i] = total
    return y


@program(lambda: call(numbers(6)), differentiable=(0,))
def reads_what_it_wrote(x):
    y = np.zeros(len(x) + 1)
    for i in range(len(x)):
        y[i + 1] = y[i] * 0.5 + x[i]
    return y


@program(lambda: call(numbers(3, 4)), differentiable=(0,))
def set_rows_and_columns(x):
    y = np.zeros((3, 4))
    y[0] = x[1]
    y[:, 1] = x[:, 2] * 2.0
    y[2, ::2] = 5.0
    y[1:, -1] += x[0, 0]
    return y


@program(lambda: call(numbers(5)), edges=[lambda: call(numbers(3))], differentiable=(0,))
def set_a_slice(x):
    y = np.ones(5)
    y[1:4] = x[:3]
    y[::-2] -= x[2]
    return y + x[0]


@program(lambda: call(numbers(5), np.array([0, 0, 3])), differentiable=(0,))
def set_by_integer_array(x, i):
    y = x.copy()
    y[i] = -1.0
    return y


@program(lambda: call(numbers(5), np.array([0, 2, 3])), differentiable=(0,))
def add_by_integer_array(x, i):
    y = x.copy()
    y[i] += x[:3]
    return y


@program(lambda: call(numbers(5)), differentiable=(0,))
def set_by_mask(x):
    y = x.copy()
    y[y < 0.0] = 0.0
    return y


@program(lambda: call(np.arange(5)), lambda: call(np.arange(5, dtype=np.int32)))
def set_casts_to_the_dtype(x):
    y = x.copy()
    y[0] = 2.75
    y[1] = True
    return y


@program(lambda: call(numbers(3)))
def view_or_copy_does_not_matter(x):
    y = x + 0.0
    z = y.copy()
    y[0] = 9.0
    return y, z


@program(lambda: call(numbers(4, 4)), differentiable=(0,), ulps=64)
def cholesky(a):
    n = len(a)
    m = a @ a.T + np.eye(n) * 4.0
    lower = np.zeros((n, n))
    for j in range(n):
        total = m[j, j]
        for k in range(j):
            total = total - lower[j, k] ** 2
        lower[j, j] = np.sqrt(total)
        for i in range(j + 1, n):
            total = m[i, j]
            for k in range(j):
                total = total - lower[i, k] * lower[j, k]
            lower[i, j] = total / lower[j, j]
    return lower


@program(lambda: call(np.array([5, 2, 9, 1])), lambda: call(np.array([3.0, -1.0, 2.0])))
def bubble_sort(x):
    y = x.copy()
    for i in range(len(y)):
        for j in range(len(y) - 1 - i):
            if y[j] > y[j + 1]:
                y[j], y[j + 1] = y[j + 1], y[j]
    return y


@program(lambda: call(30))
def sieve(n):
    prime = np.ones(n, dtype=bool)
    prime[:2] = False
    for i in range(2, n):
        if prime[i]:
            prime[i * i :: i] = False
    return prime


@program(lambda: call(np.array([0, 2, 2, 1, 2]), 4))
def histogram(x, bins):
    counts = np.zeros(bins, dtype=np.int64)
    for value in x:
        counts[value] += 1
    return counts


@program(lambda: call(numbers(4)), lambda: call(-numbers(4)), differentiable=(0,))
def set_in_one_branch(x):
    y = x * 2.0
    if x[0] > 0.0:
        y[0] = 1.0
    else:
        y[1] = x[0] * x[1]
    return y


@program(lambda: call(numbers(8), 3), differentiable=(0,), ulps=8)
def heat_equation(u, steps):
    for _ in range(steps):
        following = u.copy()
        following[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2.0 * u[1:-1] + u[:-2])
        u = following
    return u


def fill(y, value):
    for i in range(len(y)):
        y[i] = value * i
    return y


@program(lambda: call(3, 2.0))
def filled_by_a_function(n, value):
    return fill(np.zeros(n), value)


@program(lambda: call(numbers(4), 3), lambda: call(numbers(4), 0), differentiable=(0,))
def swaps_and_writes_in_an_inner_loop(x, n):
    a, b = x * 1.0, x * 2.0
    for _ in range(n):
        a[0] += b[0]
        b[1] += a[1]
        a, b = b, a
        for j in range(2):
            a[j] += b[j]
    return a, b


@program(lambda: call(numbers(4), 3), differentiable=(0,))
def keeps_the_best_by_copying(x, n):
    best, now = x * 1.0, x * 1.0
    for i in range(n):
        now[i] += 1.0
        if now.sum() > best.sum():
            best = now.copy()
    return best, now
