"""Parameters, calls, nested functions, lambdas, closures, recursion."""

import functools
import math
import operator
from collections.abc import Callable

import numpy as np

from tests.corpus.program import call, program

SCALE = 2.5
TABLE = np.array([1.0, 2.0, 4.0])
NAMES = ("first", "second")


def square(x):
    return x * x


def affine(x, slope=2.0, *, intercept=1.0):
    return x * slope + intercept


@program(
    lambda: call(3.0),
    lambda: call(3.0, 4.0),
    lambda: call(3.0, slope=4.0),
    lambda: call(x=3.0, intercept=0.5),
    edges=[lambda: call(), lambda: call(1.0, 2.0, 3.0), lambda: call(1.0, x=2.0), lambda: call(1.0, nothing=2.0)],
)
def parameters(x, slope=2.0, *, intercept=1.0):
    return x * slope + intercept


@program(lambda: call(1.0, 2.0), lambda: call(1.0, 2.0, c=5.0), edges=[lambda: call(1.0, b=2.0)], differentiable=(0, 1))
def positional_only(a, b, /, c=3.0):
    return a * b + c


@program(lambda: call(3.0), lambda: call(-2.0), differentiable=(0,), tags="twice")
def calls_another(x):
    return square(x) + square(x + 1.0)


@program(lambda: call(3.0), differentiable=(0,))
def calls_with_keywords(x):
    return affine(x) + affine(x, 3.0) + affine(intercept=x, x=2.0) + affine(x, slope=x, intercept=0.0)


@program(lambda: call(3.0, 2), lambda: call(np.array([1.0, 2.0]), 3))
def called_with_two_signatures(x, n):
    return square(x), square(n)


@program(lambda: call(3.0), differentiable=(0,), tags="twice")
def local_lambda(x):
    double = lambda value: 2.0 * value
    return double(x) * double(x + 1.0)


@program(lambda: call(3.0, 2.0), differentiable=(0, 1))
def nested_function(x, y):
    def shifted(z):
        return z * y + x

    return shifted(x) * shifted(2.0)


@program(lambda: call(3.0, 2.0), differentiable=(0, 1))
def closure_over_closure(x, y):
    def outer(a):
        def inner(b):
            return a * b + x

        return inner(y) + inner(a)

    return outer(x * y)


@program(lambda: call(3.0, 2.0), differentiable=(0, 1))
def returned_closure(x, y):
    def adder(a):
        return lambda b: a * b + a

    return adder(x)(y) - adder(y)(x * x)


@program(lambda: call(3.0), differentiable=(0,))
def closure_sees_the_last_value(x):
    y = x

    def read():
        return y * 2.0

    before = read()
    y = x * x
    return before + read()


@program(lambda: call(3.0), lambda: call(-3.0), differentiable=(0,))
def higher_order(x):
    def twice(function, value):
        return function(function(value))

    return twice(lambda v: v * v, x) + twice(square, x) + twice(abs, x)


@program(lambda: call(3.0), differentiable=(0,))
def function_from_a_tuple(x):
    total = 0.0
    for function in (square, math.sqrt, lambda v: v * SCALE):
        total = total + function(x)
    return total


@program(lambda: call(3.0, True), lambda: call(3.0, False), differentiable=(0,))
def function_chosen_at_run_time(x, flag):
    function = square if flag else (lambda v: v + 1.0)
    return function(x)


@program(lambda: call(3.0, 2), lambda: call(3.0, 5), differentiable=(0,))
def function_called_in_a_loop(x, n):
    def body(value, i):
        return value * 0.5 + x * i

    value = 1.0
    for i in range(n):
        value = body(value, i)
    return value


@program(lambda: call(2.0), differentiable=(0,))
def global_number(x):
    return x * SCALE


@program(lambda: call(2.0), differentiable=(0,), ulps=4)
def global_array(x):
    return np.sum(TABLE * x)


@program(lambda: call(2.0))
def global_tuple_of_names(x):
    return x * len(NAMES)


@program(lambda: call(square, 3.0), lambda: call(abs, -3.0), lambda: call(lambda v: v + 1.0, 2.0), differentiable=(1,))
def function_as_argument(function: Callable[[float], float], x: float) -> float:
    return function(x) + 1.0


@program(lambda: call(5), lambda: call(0), lambda: call(20))
def factorial(n):
    return 1 if n <= 1 else n * factorial(n - 1)


@program(lambda: call(1.1, 5), lambda: call(0.5, 0), differentiable=(0,))
def recursive_power(x, n):
    if n == 0:
        return 1.0
    half = recursive_power(x, n // 2)
    return half * half * (x if n % 2 else 1.0)


def is_even(n):
    return True if n == 0 else is_odd(n - 1)


def is_odd(n):
    return False if n == 0 else is_even(n - 1)


@program(lambda: call(7), lambda: call(10))
def mutual_recursion(n):
    return is_even(n), is_odd(n)


@program(lambda: call(12))
def recursive_fibonacci(n):
    return n if n < 2 else recursive_fibonacci(n - 1) + recursive_fibonacci(n - 2)


@program(lambda: call(2.0, 3), differentiable=(0,))
def nested_recursion(x, n):
    def power(k):
        if k == 0:
            return 1.0
        return x * power(k - 1)

    return power(n)


@program(lambda: call(1.0, 2.0), lambda: call(-1.0, 2.0), differentiable=(0, 1))
def default_reads_a_local(x, y):
    scale = x * y

    def scaled(z, factor=scale):
        return z * factor

    return scaled(x) + scaled(y, 3.0)


@program(lambda: call(2.0), differentiable=(0,))
def starred_call(x):
    pair = (x, 3.0)
    return affine(*pair) + affine(*pair, **{"intercept": x})


@program(lambda: call(1.0, 2.0, 3.0), lambda: call(1.0), differentiable=(0,))
def variable_arguments(x, *rest):
    total = x * x
    for value in rest:
        total = total * value
    return total


@program(lambda: call(1.0, y=2.0, z=3.0), differentiable=(0,))
def variable_keywords(x, **named):
    return x * named["y"] + named["z"] * len(named)


def make_counter(step):
    def advance(x):
        return x + step

    return advance


advance_by_three = make_counter(3.0)


@program(lambda: call(2.0), differentiable=(0,))
def closure_made_outside(x):
    return advance_by_three(x) * advance_by_three(0.0)


@program(lambda: call(0.5), differentiable=(0,), ulps=8)
def composed(x):
    def compose(*functions):
        def composition(value):
            for function in functions:
                value = function(value)
            return value

        return composition

    return compose(math.sin, math.exp, square)(x)


class Quadratic:
    """A model whose call is a method on plain numbers."""

    def __init__(self, a, b):
        self.a = a
        self.b = b

    def evaluate(self, x):
        return self.a * x * x + self.b


MODEL = Quadratic(2.0, 0.5)


@program(lambda: call(1.5), differentiable=(0,))
def method_of_a_global_object(x):
    return MODEL.evaluate(x)


@program(lambda: call(2.0), differentiable=(0,), tags="twice")
def partials_of_partials(x):
    first = functools.partial(affine, slope=x)
    second = functools.partial(first, intercept=x * x)
    return first(x) + second(x) + functools.partial(operator.mul, x)(3.0) + second.func(x) * second.keywords["slope"]


@program(lambda: call(3.0, 4), lambda: call(3.0, 0), differentiable=(0,))
def function_replaced_in_a_loop(x, n):
    def times_x(v):
        return v * x

    function = square
    for i in range(n):
        if i == 2:
            function = times_x
    return function(x)


@program(lambda: call(2.0, True), lambda: call(2.0, False), differentiable=(0,), tags="twice")
def closures_made_in_branches(x, flag):
    def times(k):
        return lambda v: v * k

    functions = (times(x), times(1.0)) if flag else (times(3.0), times(x * x))
    return functions[0](x) * functions[1](2.0)


@program(*[lambda k=k: call(0.7, k) for k in (0, 1, 2, -1)], edges=[lambda: call(0.7, 3)], differentiable=(0,), ulps=4)
def function_from_a_tuple_at_run_time(x, k):
    return (square, math.sin, lambda v: v * x)[k](x)


@program(lambda: call(2.0), differentiable=(0,))
def growing_composition_of_known_length(x):
    function = lambda v: v
    for i in range(3):
        function = (lambda inner, k: lambda v: inner(v) * x + k)(function, i)
    return function(x)


@program(lambda: call(0.5, 3), lambda: call(0.5, 0), differentiable=(0,))
def closure_remade_in_a_loop(x, n):
    def times(k):
        return lambda v: v * k

    function = times(1.0)
    for i in range(n):
        function = times(x * i)
    return function(x)


@program(lambda: call(2.0, 3.0), differentiable=(0, 1), tags="twice")
def getters_and_operators(x, y):
    pair = (x, y)
    second, both = operator.itemgetter(1), operator.itemgetter(1, 0)
    b, a = both(pair)
    return operator.neg(second(pair)) * operator.sub(b, a) + functools.reduce(operator.mul, (x, y, x), 1.0)


@program(lambda: call(2.0), differentiable=(0,))
def decorated_inside(x):
    def scaled(function):
        @functools.wraps(function)
        def wrapper(*arguments, **named):
            return x * function(*arguments, **named)

        return wrapper

    @scaled
    def shifted(v, by=1.0):
        return v + by

    return shifted(x) + shifted(x, by=x)


@program(lambda: call(2.0), differentiable=(0,))
def late_binding_and_defaults(x):
    late, early = [], []
    for i in range(3):
        late.append(lambda v: v * x + i)
        early.append(lambda v, i=i: v * x + i)
    return sum([f(1.0) for f in late]) + 10.0 * sum([f(x) for f in early])


@program(lambda: call(1.5, 0), lambda: call(1.5, 2), lambda: call(1.5, 7), differentiable=(0,), ulps=4)
def function_returned_from_branches(x, k):
    def pick(k):
        if k == 0:
            return math.sin
        if k == 1:
            return square
        if k == 2:
            return functools.partial(affine, slope=x)
        return lambda v: v * x

    return pick(k)(x)


@program(lambda: call(1.0), lambda: call(-1.0))
def equality_of_functions(c):
    chosen = np.sin if c > 0 else np.cos
    return chosen == np.sin, chosen is np.cos, chosen != np.sin, type(c) == float, None == c  # noqa: E711, E721
