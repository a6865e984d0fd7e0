"""What the front end refuses: class, line, and words of the message."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag
from arignote.frontend.source import definition_of
from arignote.ir.errors import AliasingError, CompileError, DifferentiationError, TypeInferenceError, UndefinedNameError
from tests.frontend.running import graph

X = np.arange(4.0)
GLOBAL = np.arange(3.0)


def refused(function, *arguments) -> CompileError:
    with pytest.raises(CompileError) as caught:
        graph(function, *arguments)
    return caught.value


def line_of(function, marker="# here") -> int:
    node = definition_of(function).node
    text = open(__file__).read().splitlines()
    return next(n for n in range(node.lineno, node.end_lineno + 1) if marker in text[n - 1])


def check(function, arguments, kind, *words) -> None:
    error = refused(function, *arguments)
    assert isinstance(error, kind), repr(error)
    assert error.span is not None and error.span.line == line_of(function), str(error)
    for word in words:
        assert word in str(error), str(error)


def test_write_into_an_argument() -> None:
    def f(x):
        x[0] = 1.0  # here
        return x

    check(f, (X,), AliasingError, "the argument 'x'", "x.copy()")


@dataclass
class SimpleState:
    x: object


def test_extreme_of_two_types() -> None:
    def f(x):
        return x / max(x[0], 1e-12)  # here

    check(f, (X.astype(np.float32),), TypeInferenceError, "the result of max", "np.maximum")


def test_an_attribute_of_two_types() -> None:
    def f(x, n):
        state = SimpleState(x)
        for _ in range(n):
            state.x = state.x + np.ones(x.size)  # here
        return state.x

    check(f, (X.astype(np.float32), 3), TypeInferenceError, "the attribute 'x'", "f32[n]", "same type")


def test_write_into_a_view_of_an_argument() -> None:
    def f(x):
        y = x[1:]
        y += 1  # here
        return y

    check(f, (X,), AliasingError, "the argument 'x'")


def test_write_into_a_global() -> None:
    def f(n):
        GLOBAL[0] = n  # here
        return n

    check(f, (1.0,), AliasingError, "global variable 'GLOBAL'")


def test_write_into_an_argument_by_a_helper() -> None:
    def helper(a):
        a[0] = 1.0

    def f(x):
        helper(x)
        return x

    error = refused(f, X)
    assert isinstance(error, AliasingError)
    assert "the argument 'x'" in str(error)


def test_stale_view() -> None:
    def f(x):
        y = x.copy()
        v = y.reshape(-1)
        y[1] = 7.0
        return v.sum()  # here

    check(f, (X,), AliasingError, "may share memory", "line")


def test_stale_in_the_next_iteration() -> None:
    def f(x, n):
        y = x.copy()
        v = y.reshape(-1)
        t = 0.0
        for i in range(n):
            t = t + v[0]  # here
            y[1] = 7.0
        return t

    check(f, (X, 3), AliasingError, "may share memory")


def test_one_of_two_arrays_written() -> None:
    def f(x, flag):
        a, b = x.copy(), x + 1
        c = a if flag else b
        c[0] = 5.0
        return a  # here

    error = refused(f, X, True)
    assert "may share memory" in str(error) or "overwritten" in str(error)


def test_different_types_on_two_paths() -> None:
    def f(x):
        if x > 0:
            y = np.zeros(3)
        else:
            y = np.zeros((2, 2))
        return y  # here

    check(f, (1.0,), TypeInferenceError, "'y' is f64[2,2] on one path and f64[3] on another", "lines")


def test_a_name_not_defined() -> None:
    def f(x):
        return nunpy.sum(x)  # here # noqa: F821

    check(f, (X,), UndefinedNameError, "'nunpy'")


def test_an_attribute_not_known() -> None:
    def f(x):
        return np.summ(x)  # here

    check(f, (X,), UndefinedNameError, "summ")


def test_gradient_by_an_integer() -> None:
    def f(n):
        return ag.grad(lambda k: k * 2.0)(n)  # here

    check(f, (3,), DifferentiationError, "int")


def test_gradient_of_an_array() -> None:
    def f(x):
        return ag.grad(lambda v: v * 2.0)(x)  # here

    check(f, (X,), DifferentiationError, "f64[n]")


def test_calls_that_led_there() -> None:
    def inner(v):
        return v + None

    def outer(v):
        return inner(v) * 2

    def f(x):
        return outer(x)

    error = refused(f, X)
    assert [what.split("(")[0] for _, what in error.calls] == ["outer", "inner"]
    assert "f64[n]" in error.calls[0][1]


def test_tuple_of_run_time_length() -> None:
    def f(n):
        found = []
        for i in range(n):
            found.append(i)
        return tuple(found)  # here

    refused(f, 3)


def test_unknown_function() -> None:
    def f(x):
        return math.ulp(x)  # here

    check(f, (3,), CompileError, "ulp")


def test_number_that_must_be_known_below_a_derivative() -> None:
    def f(x, axis):
        return np.sum(np.cumsum(x, axis=axis))  # here

    with pytest.raises(TypeInferenceError, match="axis must be known at compile time") as caught:
        ag.grad(f)(X, 0)
    assert caught.value.span is not None and caught.value.span.line == line_of(f)


def test_plus_a_truth_value() -> None:
    def f(x):
        return +x  # here

    check(f, (X > 1.0,), TypeInferenceError, "ufunc 'positive' did not contain a loop")
