"""Which functions can be compiled: under any name, and also those that are not written in Python."""

from __future__ import annotations

import linecache
import math

import numpy as np
import pytest

import arignote as ag

X = np.array([0.5, 2.0, 1e12])


def sin(x):
    return np.sin(x) + 1.0


def free(x):
    return np.exp(x - x) * 2.0


def ag_alloc(x):
    return x * 2.0


def packed_entry(x):
    return x * 3.0


@pytest.mark.parametrize("function", [sin, free, ag_alloc, packed_entry], ids=lambda f: f.__name__)
@pytest.mark.parametrize("x", [0.5, X], ids=["number", "array"])
def test_names_that_other_code_uses(function, x) -> None:
    """A user's function may be called as a function of C, or of the generated code itself, is."""
    np.testing.assert_allclose(ag.jit(function)(x), function(x), rtol=1e-15)


@pytest.mark.parametrize("function", [np.sin, np.sum, np.max, np.linalg.norm, abs], ids=lambda f: f.__name__)
def test_functions_of_libraries(function) -> None:
    np.testing.assert_allclose(ag.jit(function)(X), function(X), rtol=1e-15)
    np.testing.assert_allclose(ag.jit(function)(X[0]), function(X[0]), rtol=1e-15)


def test_gradients_of_functions_of_libraries() -> None:
    assert ag.grad(math.sin)(0.5) == pytest.approx(math.cos(0.5), rel=1e-15)
    assert ag.grad(np.tanh)(0.0) == 1.0
    np.testing.assert_array_equal(ag.grad(np.prod)(np.array([2.0, 3.0, 5.0])), [15.0, 10.0, 6.0])
    value, gradient = ag.value_and_grad(np.linalg.norm)(np.array([3.0, 4.0]))
    assert value == 5.0
    np.testing.assert_allclose(gradient, [0.6, 0.8], rtol=1e-15)


def test_deeply_nested_programs_compile():
    """A chain of `elif`s nests as deep as it is long."""
    lines = ["def chain(x):"]
    for k in range(200):
        lines += [f"    {'el' if k else ''}if x < {k}.0:", f"        y = x * {k}.5"]
    lines += ["    else:", "        y = x", "    return y", ""]
    text = "\n".join(lines)
    name = "<a chain of elifs>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    namespace = {}
    exec(compile(text, name, "exec"), namespace)
    assert ag.jit(namespace["chain"])(50.5) == namespace["chain"](50.5)
