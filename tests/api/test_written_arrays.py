"""Arrays that a loop fills are not kept, version by version, for the derivative: what was read from them is."""

import re

import numpy as np
import pytest

import arignote as ag
from arignote.api.inspect import inspect


def lower_triangle(a):
    """The access pattern of a Cholesky factorisation."""
    n = a.shape[0]
    factor = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s = s - factor[i, k] * factor[j, k]
            if i == j:
                factor[i, j] = np.sqrt(s)
            else:
                factor[i, j] = s / factor[j, j]
    return np.sum(np.sin(factor))


def substitution(a):
    """Reads slices of what it writes."""
    n = a.shape[0]
    x = np.zeros(n)
    for i in range(n):
        x[i] = (1.0 - np.sum(a[i, :i] * x[:i])) / a[i, i]
    return np.sum(x**2)


def lagged(a):
    """Writes in one loop and reads in another, inside a branch."""
    n = a.shape[0]
    x = np.zeros(n)
    for i in range(n):
        total = 0.0
        if i % 2 == 0:
            for k in range(i):
                total = total + x[k] * a[i, k]
        x[i] = np.tanh(total + a[i, i])
    return np.sum(x)


@pytest.mark.parametrize("function", [lower_triangle, substitution, lagged])
def test_gradient_is_right_and_keeps_no_array(function):
    square = np.random.default_rng(0).normal(size=(6, 6))
    a = square @ square.T + 6 * np.eye(6)
    value, gradient = ag.jit(ag.value_and_grad(function))(a)
    assert value == pytest.approx(function(a))
    for i, j in [(0, 0), (3, 1), (5, 5), (4, 4)]:
        step = np.zeros((6, 6))
        step[i, j] = 1e-6
        assert gradient[i, j] == pytest.approx((function(a + step) - function(a - step)) / 2e-6, rel=1e-6, abs=1e-8)
    text = inspect(ag.value_and_grad(function))(a).stages[-1][1]
    kept = set(re.findall(r"list_new[^\n]*element=([^}]*)\}", text))
    assert not [element for element in kept if "[?,?]" in element or "[n,n]" in element], kept


def test_second_order():
    square = np.random.default_rng(1).normal(size=(4, 4))
    ag.check_grads(lower_triangle, (square @ square.T + 4 * np.eye(4),), order=2)
