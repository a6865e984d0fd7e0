"""Functions as arguments and results of compiled functions, and what is refused about functions as values."""

from __future__ import annotations

import functools
import types

import numpy as np
import pytest

import arignote as ag
from arignote.runtime.native import live_buffers


def application():
    """A function of its own for those who count how often it is compiled."""

    @ag.jit
    def apply(function, x):
        return function(x) + 1.0

    return apply


apply = application()


def times(factor):
    return lambda x: factor * x


def test_a_new_closure_does_not_compile_again():
    apply = application()
    assert [apply(times(float(k)), 2.0) for k in range(5)] == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert apply.cache_info().misses == 1
    np.testing.assert_array_equal(apply(times(np.array([1.0, 2.0])), 3.0), [4.0, 7.0])
    assert apply.cache_info().misses == 2


def test_defaults_of_functions_are_arguments():
    apply = application()
    for k in (1.0, 2.0, 3.0):
        assert apply(lambda x, a=k, *, b=2.0 * k: a * x + b, 2.0) == 4.0 * k + 1.0
    assert apply.cache_info().misses == 1


def test_other_code_and_other_globals_are_other_functions():
    apply = application()
    assert (apply(lambda x: x, 2.0), apply(lambda x: -x, 2.0)) == (3.0, -1.0)
    function = times(3.0)
    elsewhere = types.FunctionType(function.__code__, {}, "f", None, function.__closure__)
    assert apply(function, 2.0) == apply(elsewhere, 2.0) == 7.0
    assert apply.cache_info().misses == 4


def summed_over(axis):
    return lambda x: np.sum(x, axis=axis)


def test_a_number_in_a_closure_that_must_be_known():
    x = np.arange(6.0).reshape(2, 3)
    for axis in (0, 1):
        np.testing.assert_array_equal(apply(summed_over(axis), x), summed_over(axis)(x) + 1.0)


def test_functions_in_containers():
    @ag.jit
    def both(pair, x):
        return pair["first"](pair["second"][0](x))

    for k in (1.0, 2.0):
        assert both({"first": times(k), "second": [times(k)]}, 3.0) == 3.0 * k * k
    assert both.cache_info().misses == 1


def test_partials_bound_methods_and_transformed_functions_as_arguments():
    class Line:
        def __init__(self, slope):
            self.slope = slope

        def at(self, x):
            return self.slope * x

    assert apply(functools.partial(lambda a, b: a * b, 3.0), 2.0) == 7.0
    np.testing.assert_array_equal(apply(functools.partial(np.multiply, np.ones(2)), 2.0), [3.0, 3.0])
    assert apply(Line(3.0).at, 2.0) == 7.0
    assert apply(ag.grad(lambda v: v * v), 3.0) == 7.0
    assert apply(ag.jit(times(2.0)), 3.0) == 7.0


def test_a_function_that_calls_itself_as_argument():
    def factorial(n):
        return 1 if n == 0 else n * factorial(n - 1)

    assert apply(factorial, 5) == 121


def test_derivatives_of_what_a_function_does_to_its_argument():
    def loss(x, function):
        return function(x)

    for k in (2.0, 3.0):
        assert ag.grad(loss)(1.5, lambda v, k=k: v * v * k) == 3.0 * k
    with pytest.raises(ag.DifferentiationError, match="holds no float"):
        ag.grad(loss, argnums=1)(1.5, times(2.0))


@ag.jit
def line(slope, offset):
    def at(x, *, scale=2.0):
        return slope * x * scale + offset

    return at


def test_a_returned_closure():
    function = line(3.0, np.array([1.0, 2.0]))
    assert type(function) is types.FunctionType and function.__name__ == "at"
    np.testing.assert_array_equal(function(1.0), [7.0, 8.0])
    np.testing.assert_array_equal(function(1.0, scale=1.0), [4.0, 5.0])
    np.testing.assert_array_equal(apply(function, 1.0), [8.0, 9.0])
    assert ag.grad(line(3.0, 1.0))(5.0) == 6.0


def test_returned_closures_in_containers_and_chosen_at_run_time():
    @ag.jit
    def several(x, flag):
        return {"up": (lambda y: y + x, x), "abs": abs}, ((lambda y: y * x) if flag else (lambda y: -y))

    parts, chosen = several(3.0, True)
    assert parts["up"][0](1.0) == 4.0 and parts["up"][1] == 3.0 and parts["abs"] is abs
    assert chosen(2.0) == 6.0 and several(3.0, False)[1](2.0) == -2.0


def test_returned_closures_leak_nothing():
    before = live_buffers()
    for _ in range(10):
        apply(line(2.0, np.ones(3)), 1.0)
    assert live_buffers() == before


def refused(function, *arguments):
    with pytest.raises(ag.CompileError) as raised:
        ag.jit(function)(*arguments)
    return str(raised.value)


def test_a_returned_function_that_calls_itself_is_refused():
    def power(x):
        def to(k):
            return 1.0 if k == 0 else x * to(k - 1)

        return to

    assert "calls itself cannot be returned" in refused(power, 2.0)


def test_a_chain_of_functions_that_grows_in_a_loop_names_both():
    def grows(x, n):
        function = lambda v: v
        for _ in range(n):
            function = (lambda inner: lambda v: inner(v) * x)(function)
        return function(x)

    message = refused(grows, 2.0, 3)
    assert "'function' becomes longer from iteration to iteration" in message
    assert message.count("<lambda> (line") == 2


def test_a_chain_of_functions_that_grows_in_recursion_names_both():
    def factorial(n, rest):
        return rest(1.0) if n == 0 else factorial(n - 1, lambda r: rest(r * n))

    message = refused(lambda n: factorial(n, lambda r: r), 3)
    assert "each call of factorial in itself is given a new function" in message
    assert message.count("<lambda> (line") == 2


def test_returned_partials_and_methods():
    class Line:
        def at(self, x):
            return 2.0 * x

    found = Line()

    @ag.jit
    def several(x):
        return functools.partial(lambda a, b, c=1.0: a * b + c, x, c=x * x), found.at

    part, method = several(3.0)
    assert type(part) is functools.partial and part(2.0) == 15.0 and part(2.0, c=0.0) == 6.0
    assert method.__self__ is found and method(3.0) == 6.0


def test_lambdas_in_lambdas_on_one_line():
    thing = object()
    assert (lambda y: apply(lambda v: v if thing is not None else -v, y))(2.0) == 3.0
    assert apply((lambda k: lambda v: v * k)(3.0), 2.0) == 7.0
