"""Effects: prints, assertions and exceptions happen, in the order of the program, once."""

import math

import numpy as np
import pytest

import arignote as ag
from tests.corpus.program import call
from tests.language.expectation import refused, same_as_python


@same_as_python(call(3.0))
def test_prints_happen_in_order(x):
    # Never executed elsewhere.
    print("start", x)
    y = x * x
    print("square", y)
    z = y + x
    print("end", z, y)
    return z


@same_as_python(call(3), call(0))
def test_prints_of_loops_branches_and_calls_in_order(n):
    def step(i):
        print("step", i)
        return i * i

    total = 0
    for i in range(n):
        print("before", i)
        if i % 2 == 0:
            print("even")
        else:
            print("odd")
        total += step(i)
        print("after", total)
    while total > 1:
        print(total)
        total //= 2
    print("done")
    return total


@same_as_python(call(3))
def test_prints_of_recursion_in_order(n):
    def walk(k):
        print("down", k)
        result = 0 if k == 0 else walk(k - 1) + k
        print("up", k, result)
        return result

    return walk(n)


@same_as_python(call(3), call(0))
def test_a_function_called_for_its_prints_alone(n):
    def report(k):
        if k > 1:
            print("many", k)
            return
        print("few")

    report(n)
    [report(k) for k in range(n)]
    return n


@same_as_python(call(2.0))
def test_the_result_of_print_is_none(x):
    return print(x), print(), print(x, end="|"), print("a", 1, sep="-")


@same_as_python(call(2.0, np.arange(3.0)))
def test_prints_of_values_of_every_kind(x, v):
    print(x, v, v[0], v.sum(), (x, 1), [x, (2,)], {"a": x}, None, True, "text", v > 1.0, v.shape)
    print(np.float64(1.5), [np.float64(2.0)], 1e300, -0.0, math.nan, 10**15, 1e-7)
    return x


@same_as_python(call(np.array([[1.0, 2.5], [-3.0, 1e10]])), call(np.zeros((0, 3))), call(np.arange(2000.0)))
def test_prints_of_arrays(v):
    print(v)
    print(f"values: {v}", v[0:1])


@refused(call(np.ones(2)), "UnsupportedSyntaxError", "repr")
def test_the_repr_of_an_array_is_refused(v):
    print((v, 1))  # here


@refused(call(1.5), "UnsupportedSyntaxError", "text made at run time")
def test_text_made_at_run_time_in_a_container_is_refused(x):
    # Its quotes were missing.
    print((f"x is {x}", 1))  # here


@same_as_python(call(0), call(1), call(2))
def test_prints_before_an_error_are_seen(i):
    print("first")
    x = np.ones(2)
    y = x[i]
    print("second")
    if i == 1:
        raise ValueError("one")
    print("third")
    return y


@same_as_python(call(3), call(20))
def test_errors_in_loops_come_in_their_iteration(n):
    x = np.zeros(5)
    for i in range(n):
        print(i)
        x[i] = 1.0 / (10 - i)
    return x


@same_as_python(call(1, 0), call(0, 1), call(1, 1), call(0, 0))
def test_the_first_of_several_errors_is_raised(a, b):
    first = 1 // a
    second = math.sqrt(-1.0 + b)
    return second, first


@same_as_python(call(1.0), call(-1.0))
def test_assertions_hold_with_messages(x):
    assert x > -2.0
    assert x > 0.0, f"x is {x}"
    return x


@same_as_python(call(3), call(-1), call(0))
def test_assertions_in_loops_and_recursion(n):
    def inner(k):
        assert k >= 0, "negative"
        return 0 if k == 0 else inner(k - 1)

    for i in range(3):
        assert i < 5 or n > 0
    assert n, "zero"
    return inner(n)


@same_as_python(call(0), call(1), call(2), call(3), call(4), call(5))
def test_exceptions_of_every_kind(k):
    if k == 0:
        raise ValueError
    if k == 1:
        raise ValueError("text", k)
    if k == 2:
        raise KeyError("name")
    if k == 3:
        raise NotImplementedError
    if k == 4:
        raise StopIteration("stop")
    return k


class OwnError(Exception):
    """An error of the program's own."""


@same_as_python(call(1.0), call(-1.0))
def test_exceptions_of_ones_own(x):
    if x < 0.0:
        raise OwnError(f"negative: {x}")
    return x


def test_messages_are_those_of_python() -> None:
    def program(x, k):
        if k == 0:
            raise OwnError(f"k is {k}, x is {x:.2f}")
        if k == 3:
            raise OwnError("k", k, x)
        assert x > 0.0, ("not positive", x)
        return 1 // (k - 1)

    for arguments in ((1.5, 0), (1.5, 3), (-1.0, 2), (1.0, 1)):
        with pytest.raises(Exception) as expected:  # noqa: PT011
            program(*arguments)
        with pytest.raises(type(expected.value)) as found:
            ag.jit(program)(*arguments)
        assert str(found.value) == str(expected.value).splitlines()[0]  # pytest adds to what assert says


@same_as_python(call(2.0), call(-2.0))
def test_conditions_with_effects_are_run_once(x):
    def positive(v):
        print("asked", v)
        return v > 0.0

    if positive(x) and positive(x - 3.0) or positive(x + 5.0):
        print("yes")
    while positive(x):
        x = x - 1.5
    return 1.0 if positive(x) else 0.0


@same_as_python(call(3))
def test_comprehensions_have_effects_in_order(n):
    def said(v):
        print(v)
        return v

    known = [said(i) + said(10 * i) for i in (1, 2) if said(i) > 0]
    unknown = [said(i) for i in range(n) if said(-i) < 0]
    return known, unknown, any(said(i) > 0 for i in (0, 1, 2)), all(said(i) < 1 for i in range(n))


def printing(x):
    print("x", x)
    y = x * x
    for i in range(2):
        print("loop", i, y)
        y = y * x
    return y


@pytest.mark.parametrize(
    "transform",
    [
        lambda f: ag.grad(f),
        lambda f: ag.value_and_grad(f),
        lambda f: ag.grad(ag.grad(f)),
        lambda f: ag.grad(ag.grad(ag.grad(f))),
        lambda f: lambda x: ag.jvp(f, (x,), (1.0,)),
        lambda f: lambda x: ag.vjp(f, x)[1](1.0),
        lambda f: ag.checkpoint(f),
        lambda f: ag.grad(ag.checkpoint(f)),
        lambda f: ag.jit(ag.grad(f)),
    ],
)
def test_what_is_printed_is_printed_once_under_derivatives(transform, capfd) -> None:
    printing(1.5)
    expected = capfd.readouterr().out
    transform(printing)(1.5)
    assert capfd.readouterr().out == expected


@pytest.mark.parametrize("transform", [ag.jacfwd, ag.jacrev, ag.hessian])
def test_jacobians_print_what_is_printed_once(transform, capfd) -> None:
    # By columns, the function runs once for each of them.
    def program(v):
        print("run", len(v))
        total = np.sum(v**3)
        for i in range(2):
            print(i)
        return total

    transform(program)(np.ones(3))
    assert capfd.readouterr().out == "run 3\n0\n1\n"


def test_prints_of_a_program_that_differentiates_inside(capfd) -> None:
    def program(x):
        print("before")
        slope = ag.grad(lambda v: printing(v) + 1.0)(x)
        print("after", slope)
        return slope

    with ag.disable_jit():
        plain = program(1.5)
    expected = capfd.readouterr().out
    assert ag.jit(program)(1.5) == pytest.approx(plain)
    assert capfd.readouterr().out == expected


def test_prints_under_vmap_are_in_the_order_of_a_loop(capfd) -> None:
    for value in (1.0, 2.0, 3.0):
        printing(value)
    lines = capfd.readouterr().out.splitlines()
    result = ag.vmap(printing)(np.array([1.0, 2.0, 3.0]))
    assert result == pytest.approx([1.0, 16.0, 81.0])
    assert capfd.readouterr().out.splitlines() == lines


def failing(x, n):
    total = x
    for i in range(n):
        if i == 3:
            raise ValueError(f"three at {total}")
        assert i < 7
        total = total * x
    return total


@pytest.mark.parametrize("transform", [ag.grad, ag.value_and_grad, lambda f: ag.grad(ag.grad(f)), ag.checkpoint])
def test_errors_are_raised_under_derivatives(transform) -> None:
    assert np.all(np.isfinite(transform(failing)(1.5, 3)))
    with pytest.raises(ValueError, match="three at"):
        transform(failing)(1.5, 4)


def test_errors_are_raised_under_vmap() -> None:
    assert ag.vmap(failing, in_axes=(0, None))(np.array([1.0, 2.0]), 3).tolist() == [1.0, 16.0]
    with pytest.raises(ValueError, match="three at"):
        ag.vmap(failing, in_axes=(0, 0))(np.array([1.0, 2.0]), np.array([2, 5]))


def test_nothing_is_left_after_an_error() -> None:
    compiled = ag.jit(failing)
    for _ in range(3):
        with pytest.raises(ValueError, match="three"):
            compiled(2.0, 5)
        assert compiled(2.0, 2) == 8.0
