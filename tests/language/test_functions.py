"""Functions as values: parameters of every kind, nesting, closures, recursion, what a call passes and gives."""

import functools
import math
import operator

import numpy as np

from tests.corpus.program import call
from tests.language.expectation import refused, same_as_python

OFFSET = 10.0


@same_as_python(call(2.0))
def test_lambdas_have_defaults(x):
    # Silently dropped elsewhere.
    scaled = lambda v, factor=3.0: v * factor
    return scaled(x), scaled(x, 2.0), scaled(x, factor=x), scaled(factor=1.0, v=x)


@same_as_python(call(2.0))
def test_lambdas_have_keyword_only_and_star_parameters(x):
    first = lambda v, *, factor=3.0, offset: v * factor + offset
    rest = lambda v, *others, **named: (v, others, named, len(others))
    only = lambda a, /, b, *, c: (a, b, c)
    return first(x, offset=1.0), rest(x, 1, 2, a=3, b=x), rest(x), only(1, b=2, c=3)


@same_as_python(call(2.0))
def test_defaults_are_computed_once_where_the_function_is_made(x):
    def base():
        print("base")
        return x + 1.0

    def scaled(v, factor=base()):
        return v * factor

    print("made")
    return scaled(x), scaled(2.0 * x)


@same_as_python(call(2.0))
def test_defaults_see_what_variables_held_then(x):
    k = 1.0
    early = lambda v, factor=k: v * factor
    late = lambda v: v * k
    k = x * 10.0
    return early(x), late(x)


@same_as_python(call(2.0))
def test_parameters_of_every_kind(x):
    def f(a, b=2.0, /, c=3.0, *rest, d, e=5.0, **others):
        return a, b, c, rest, d, e, others

    items = (x, 1.0, 7.0, 8.0)
    named = {"d": 4.0, "z": x}
    return f(x, d=1.0), f(*items, **named), f(x, c=4.0, d=0.0, e=x), f(*items[:1], d=x, **{"e": 1.0})


@same_as_python(call(2.0))
def test_stars_anywhere_in_calls_and_displays(x):
    def f(*values):
        return values

    pair = (x, 1.0)
    table = {"a": x}
    return f(*pair, 3.0, *[4.0]), [*pair, 2.0], (0.0, *pair), {**table, "b": 1.0}, {"a": 0.0, **table}


@same_as_python(call(2.0))
def test_keywords_are_evaluated_in_the_order_of_the_call(x):
    def said(text):
        print(text)
        return x

    def f(a, b, c):
        return a - b * c

    return f(c=said("c"), a=said("a"), b=said("b"))


@same_as_python(call(1.0))
def test_the_function_is_evaluated_before_its_arguments(x):
    def chosen():
        print("function")
        return lambda a, b: a + b

    def said(value):
        print("argument", value)
        return value

    return chosen()(said(x), said(2.0))


def twice(function):
    @functools.wraps(function)
    def repeated(*arguments):
        return function(function(*arguments))

    return repeated


def scaled_by(factor):
    def decorate(function):
        return lambda *arguments, **named: factor * function(*arguments, **named)

    return decorate


@same_as_python(call(2.0))
def test_decorators_of_nested_functions_are_applied(x):
    # Silently ignored elsewhere.
    @twice
    def squared(v):
        return v * v

    return squared(x)


@same_as_python(call(2.0))
def test_nested_decorators_are_applied_from_the_inside(x):
    @scaled_by(x)
    @twice
    @scaled_by(3.0)
    def increased(v):
        return v + 1.0

    @twice
    @scaled_by(2.0)
    def other(v, *, offset=0.5):
        return v - offset

    return increased(x), other(x)


@same_as_python(call(2.0))
def test_a_variable_captured_and_reassigned_is_read_when_called(x):
    # A syntax error elsewhere.
    y = x

    def read():
        return y

    first = read()
    y = 10.0 * x
    second = read()
    for i in range(3):
        y = y + i
    return first, second, read()


@same_as_python(call(4))
def test_functions_made_in_a_loop_share_its_variable(n):
    functions = []
    for i in range(3):
        functions.append(lambda: i * n)
    frozen = [lambda i=i: i * n for i in range(3)]
    return [f() for f in functions], [f() for f in frozen]


@same_as_python(call(3.0, True), call(3.0, False))
def test_a_variable_captured_and_reassigned_in_a_branch(x, flag):
    y = 1.0
    read = lambda: y * x
    if flag:
        y = 2.0
    return read()


@same_as_python(call(5.0, 4))
def test_a_variable_captured_and_carried_by_a_loop(x, n):
    y = x

    def step():
        return y / 2.0 + 1.0

    for _ in range(n):
        y = step()
    while y > 1.0:
        y = step() - 1.5
    return y, step()


@same_as_python(call(6), call(7))
def test_nested_functions_refer_to_later_ones(n):
    def even(k):
        return True if k == 0 else odd(k - 1)

    def odd(k):
        return False if k == 0 else even(k - 1)

    return even(n), odd(n)


@same_as_python(call(2.0))
def test_a_function_may_use_what_is_defined_after_it(x):
    def first():
        return second() + constant

    def second():
        return third(x)

    constant = 5.0
    third = lambda v: v * v
    return first()


@same_as_python(call(2.0))
def test_a_function_called_before_what_it_needs_is_unbound(x):
    def first():
        return constant

    y = first()
    constant = 5.0
    return y


@same_as_python(call(2.0))
def test_function_names_can_be_rebound(x):
    def f(v):
        return v + 1.0

    g = f

    def f(v):
        return 10.0 * g(v)

    return f(x), g(x)


@same_as_python(call(2.0, 5))
def test_functions_of_functions(x, n):
    def compose(*functions):
        return functools.reduce(lambda f, g: lambda v: f(g(v)), functions)

    def iterate(f, count):
        def run(v):
            for _ in range(count):
                v = f(v)
            return v

        return run

    h = compose(math.sin, lambda v: v * x, iterate(lambda v: v / 2.0 + x, n))
    return h(1.0), iterate(h, 2)(x)


@same_as_python(call(3.0))
def test_a_function_applied_to_its_own_result(x):
    # f(h, x) = h(h(x)) with h closing over x: a KeyError elsewhere.
    def f(h, v):
        return h(h(v))

    return f(lambda v: v * x + v, x)


@same_as_python(call(3.0))
def test_polymorphic_functions(x):
    def pair(a, b):
        return a, b

    def first(p):
        return p[0]

    identity = lambda v: v
    return first(pair(x, 1)), first(pair(first, x))(pair(2, x)), identity(identity)(x), identity((1, x))


@same_as_python(call(3.0, 4))
def test_partials(x, n):
    def f(a, b, *, c=1.0):
        return a * 100.0 + b * 10.0 + c

    one = functools.partial(f, x)
    two = functools.partial(one, c=x)
    power = functools.partial(pow, exp=3)
    return one(2.0), two(1.0), two(1.0, c=5.0), power(x), functools.partial(operator.mul, n)(2), one.func is f


@same_as_python(call([1.0, 2.0, 3.0], np.arange(3.0)))
def test_map_filter_reduce_zip_enumerate(values, x):
    return (
        list(map(lambda v: v * 2.0, values)),
        tuple(map(operator.add, values, x)),
        functools.reduce(lambda a, b: a * b, values, 1.0),
        [i * v for i, v in enumerate(values, 1)],
        list(zip(values, x, (4, 5, 6))),
        sum(values),
        max(values, key=lambda v: -v),
        sorted(values, reverse=True),
        all(v > 0.0 for v in values),
    )


@same_as_python(call(3), call(0), call(6))
def test_recursion_through_an_argument(n):
    def fix(f):
        return lambda k: f(lambda j: fix(f)(j), k)

    factorial = fix(lambda again, k: 1 if k <= 0 else k * again(k - 1))
    return factorial(n)


@same_as_python(call(10), call(0))
def test_recursion_with_accumulator_lists_of_known_length(n):
    def pair(k):
        if k == 0:
            return (0, 1)
        a, b = pair(k - 1)
        return (b, a + b)

    return pair(n)


@same_as_python(call(7, 3))
def test_three_functions_that_call_one_another(n, m):
    def a(k):
        return 1 if k <= 0 else b(k - 1) + m

    def b(k):
        return 2 if k <= 0 else c(k - 2) * 2

    def c(k):
        return a(k - 1) + b(k - 1)

    return a(n), b(n), c(n)


def count_down(n, total=0):
    return total if n == 0 else count_down(n - 1, total + n)


@same_as_python(call(900))
def test_recursion_as_deep_as_python_allows(n):
    def depth(k):
        return 0 if k == 0 else 1 + depth(k - 1)

    return depth(n), count_down(n)


@same_as_python(call(2.0, 1), call(2.0, 0), call(2.0, -1), call(2.0, 5))
def test_functions_in_tuples_and_dicts_chosen_at_run_time(x, k):
    table = (math.sin, lambda v: v + x, abs)
    named = {"double": lambda v: 2.0 * v}
    return table[k](x) + named["double"](x)


@same_as_python(call(2.0, 1), call(2.0, 3))
def test_a_function_chosen_at_run_time_is_passed_on(x, k):
    def choose(j):
        if j > 2:
            return lambda v: v * x
        if j > 0:
            return math.exp
        return abs

    f = choose(k)
    apply = lambda g, v: g(v) + g(1.0)
    return apply(f, x)


@same_as_python(call(2.0, True), call(2.0, False))
def test_either_function_with_keywords_and_defaults(x, flag):
    f = (lambda v, scale=2.0: v * scale) if flag else (lambda v, scale=5.0: v + scale)
    return f(x), f(x, scale=1.0), f(v=x)


@same_as_python(call(1.0))
def test_missing_and_extra_arguments_raise(x):
    return (lambda a, b: a)(x)


@same_as_python(call(1.0))
def test_repeated_arguments_raise(x):
    return (lambda a, b=1.0: a)(x, a=2.0)


@same_as_python(call(2.0))
def test_globals_are_read_when_called(x):
    def scaled():
        return x * OFFSET

    return scaled() + OFFSET


def make_power(exponent):
    def power(base):
        return base**exponent

    return power


SQUARE = make_power(2)


@same_as_python(call(3.0))
def test_closures_from_outside_are_called(x):
    return SQUARE(x), make_power(3)(x), [make_power(k)(x) for k in (1, 2)]


def variadic(*values, scale=1.0, **named):
    total = 0.0
    for value in values:
        total += value
    for name in named:
        total += 100.0 * named[name]
    return total * scale


@same_as_python(call(), call(1.0, 2.0), call(1.0, scale=3.0), call(1.0, a=1.0, b=2.0))
def test_star_parameters_at_the_root(*values, scale=1.0, **named):
    return variadic(*values, scale=scale, **named), len(values), tuple(named)


@same_as_python(call(1.0, b=2.0), call(a=1.0, b=2.0), call(1.0, 2.0), call(1.0))
def test_keyword_only_parameters_at_the_root(a, *, b=3.0):
    return a - b


@same_as_python(call(3.0))
def test_immediate_and_returned_lambdas(x):
    return (lambda: lambda v: v * x)()(2.0), (lambda *a: a)(), (lambda f: f(f))(lambda g: x)


@same_as_python(call(3))
def test_recursion_that_never_ends_raises(n):
    def forever(k):
        return 1 + forever(k + 1)

    return forever(n)


@same_as_python(call(3.0, 2))
def test_functions_that_return_several_functions(x, n):
    def pair():
        return (lambda v: v + x), (lambda v: v * n)

    f, g = pair()
    return f(g(x)), g(f(x))


@same_as_python(call(3.0), call(-3.0))
def test_nested_functions_return_from_loops(x):
    def first_above(values, limit):
        for i, value in enumerate(values):
            if value > limit:
                return i, value
        return -1, 0.0

    return first_above((1.0, 2.0, 5.0), x), first_above(np.array([1.0, 9.0]), x)


@same_as_python(call(3.0))
def test_callables_of_operator_and_builtins_are_values(x):
    table = [operator.add, operator.sub, operator.truediv, max, min, pow, math.atan2, math.hypot, np.maximum]
    return [f(x, 2.0) for f in table], list(map(abs, (x, -x))), list(map(float, (1, 2))), list(map(int, (1.5, x)))


@refused(call([1.0, 2.0]), "UnsupportedSyntaxError", "next")
def test_iterators_by_hand_are_refused(values):
    return next(values)  # here


@refused(call(2.0), "UnsupportedSyntaxError", "set")
def test_sets_are_refused(x):
    return len(set((x, 1.0)))  # here
