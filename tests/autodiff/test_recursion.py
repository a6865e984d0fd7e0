"""Derivatives through recursion: mutual, of closures, with effects, to third order."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import numpy as np
import pytest

from arignote.autodiff.check import pulled, pushed
from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Function, Node, functions_below
from arignote.ir.structure import PythonScalarOf
from arignote.ir.types import FLOAT64, TOKEN, Closure, Tuple, Type, is_differentiable
from tests.autodiff.graphs import F64, I64, VECTOR, Build, array, define, verify
from tests.autodiff.trees import Recursive, unchecked


def power_like() -> Function:
    """f(x, n) = 1 if n < 1 else sin(x) * f(x + 0.1, n - 1)."""
    f = Recursive("f", [F64, I64], FLOAT64)
    one = define("one", [], lambda e: e.lift(1.0))
    step = unchecked(
        "step", [F64, I64], lambda e, x, n: e.multiply(e.sin(x), e.call(f.function, e.add(x, 0.1), e.subtract(n, 1)))
    )
    return f.body(lambda e, x, n: e.cond(e.less(n, 1), e.closure(one), e.closure(step, [x, n])))


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_self_recursion(depth: int) -> None:
    verify(power_like(), 0.6, depth, order=3, tolerance=1e-5)


def test_recursion_called_from_elsewhere() -> None:
    f = power_like()
    main = define("main", [F64], lambda e, x: e.multiply(e.call(f, x, e.lift(3)), e.call(f, e.exp(x), e.lift(2))))
    verify(main, 0.6, order=3, tolerance=1e-5)
    assert [g.name for g in functions_below(pulled(main, (True,)))].count("f_forward") == 1


def test_a_call_that_wants_less_than_the_calls_inside_is_served_by_the_same_form() -> None:
    """f(x, n) = (x, x) if n < 1 else (a * sin(b), a + x) where a, b = f(x / 2, n - 1); main reads the first alone."""
    pair = Tuple([FLOAT64, FLOAT64])
    f = Recursive("f", [F64, I64], pair)
    stop = define("stop", [F64], lambda e, x: e.tuple([x, x]))

    def go(e: Build, x: Node, n: Node) -> Node:
        a, b = e.items(e.call(f.function, e.multiply(x, 0.5), e.subtract(n, 1)))
        return e.tuple([e.multiply(a, e.sin(b)), e.add(a, x)])

    step = unchecked("step", [F64, I64], go)
    f.body(lambda e, x, n: e.cond(e.less(n, 1), e.closure(stop, [x]), e.closure(step, [x, n])))
    main = define("main", [F64], lambda e, x: e.item(e.call(f.function, x, e.lift(3)), 0))
    verify(main, 0.6, order=3, tolerance=1e-5)
    assert [g.name for g in functions_below(pulled(main, (True,)))].count("f_backward") == 1


def mutual() -> Function:
    """even(x, n) = x if n < 1 else sin(odd(x * x, n - 1)); odd(x, n) = exp(-x) if n < 1 else x * even(x, n - 1)."""
    even, odd = Recursive("even", [F64, I64], FLOAT64), Recursive("odd", [F64, I64], FLOAT64)
    stop = define("stop", [F64], lambda e, x: x)
    decay = define("decay", [F64], lambda e, x: e.exp(e.negative(x)))
    go_odd = unchecked("go_odd", [F64, I64],
                       lambda e, x, n: e.sin(e.call(odd.function, e.multiply(x, x), e.subtract(n, 1))))  # fmt: skip
    go_even = unchecked("go_even", [F64, I64],
                        lambda e, x, n: e.multiply(x, e.call(even.function, x, e.subtract(n, 1))))  # fmt: skip
    e = Build()
    x, n = odd.function.parameters
    odd.function.define(e.cond(e.less(n, 1), e.closure(decay, [x]), e.closure(go_even, [x, n])))
    return even.body(lambda e, x, n: e.cond(e.less(n, 1), e.closure(stop, [x]), e.closure(go_odd, [x, n])))


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_mutual_recursion(depth: int) -> None:
    verify(mutual(), 0.6, depth, order=3, tolerance=1e-5)


def test_recursion_over_a_closure() -> None:
    """f(g, x, n) = g(x) if n < 1 else g(f(g, x, n - 1)); the gradient flows to what g captures."""
    scale = define("scale", [F64, VECTOR, F64], lambda e, a, v, x: e.multiply(e.sin(e.multiply(a, x)), e.total(v)))
    g_type = Closure(scale, 2)
    f = Recursive("f", [g_type, F64, I64], FLOAT64)
    stop = define("stop", [g_type, F64], lambda e, g, x: e.op("call", g, x))
    step = unchecked("step", [g_type, F64, I64],
                     lambda e, g, x, n: e.op("call", g, e.call(f.function, g, x, e.subtract(n, 1))))  # fmt: skip
    f.body(lambda e, g, x, n: e.cond(e.less(n, 1), e.closure(stop, [g, x]), e.closure(step, [g, x, n])))
    main = define("main", [F64, VECTOR, F64],
                  lambda e, a, v, x: e.call(f.function, e.closure(scale, [a, v]), x, e.lift(2)))  # fmt: skip
    verify(main, 0.9, array(2), 0.4, order=3, tolerance=1e-4)


def test_recursion_in_a_loop_and_a_loop_in_recursion() -> None:
    f = Recursive("f", [F64, I64], FLOAT64)

    def turn(e: Build, n: Node, i: Node, x: Node) -> Node:
        return e.tuple([e.sin(e.add(x, e.call(f.function, e.multiply(x, 0.5), e.subtract(n, 1))))])

    body = unchecked("turn", [I64, I64, F64], turn)
    stop = define("stop", [F64], lambda e, x: e.exp(x))
    step = unchecked("step", [F64, I64], lambda e, x, n: e.item(e.for_loop(n, e.closure(body, [n]), x), 0))
    f.body(lambda e, x, n: e.cond(e.less(n, 1), e.closure(stop, [x]), e.closure(step, [x, n])))
    verify(f.function, 0.6, 2, order=3, tolerance=1e-4)


def test_an_array_that_recursion_reads_place_by_place() -> None:
    """f(v, i) = 0 at the end, otherwise sin(v[i] + f(v, i + 1))."""
    f = Recursive("f", [VECTOR, I64], FLOAT64)
    stop = define("stop", [], lambda e: e.lift(0.0))

    def go(e: Build, v: Node, i: Node) -> Node:
        return e.sin(e.add(e.index(v, i, axes=(0,)), e.call(f.function, v, e.add(i, 1))))

    step = unchecked("step", [VECTOR, I64], go)
    f.body(lambda e, v, i: e.cond(e.greater_equal(i, e.size(v, 0)), e.closure(stop), e.closure(step, [v, i])))
    verify(f.function, array(4), 0, order=3, tolerance=1e-5)


def printing() -> Function:
    """A recursion that prints its argument on the way down and fails where it is negative."""
    f = Recursive("f", [TOKEN, F64, I64], Tuple([TOKEN, FLOAT64]))
    stop = define("stop", [TOKEN, F64], lambda e, t, x: e.tuple([t, e.sin(x)]))

    def go(e: Build, token: Node, x: Node, n: Node) -> Node:
        token = e.op("raise_if", token, e.less(x, 0.0), exception=ValueError, message=("negative",))
        token = e.op("print", token, n, template=(PythonScalarOf("int64"), "\n"))
        token, y = e.items(e.call(f.function, token, e.subtract(x, 0.25), e.subtract(n, 1)))
        return e.tuple([e.op("print", token, template=("back\n",)), e.multiply(y, x)])

    step = unchecked("step", [TOKEN, F64, I64], go)
    f.body(lambda e, t, x, n: e.cond(e.less(n, 1), e.closure(stop, [t, x]), e.closure(step, [t, x, n])))
    return define("main", [F64, I64], lambda e, x, n: e.item(e.call(f.function, e.op("token"), x, n), 1))


def run(function: Function, *args: object) -> str:
    text = io.StringIO()
    with redirect_stdout(text):
        evaluate(function, *args)
    return text.getvalue()


@pytest.mark.parametrize("modes", ["r", "f", "rr", "rf", "fr", "ff", "rrr", "fff"])
def test_a_print_prints_once(modes: str) -> None:
    """The token is part of the result, so that the effects are needed; only they are compared."""
    made, args = printing(), [1.0, 2]
    for mode in modes:
        flags = tuple(is_differentiable(p.type) for p in made.parameters)
        made = pulled(made, flags) if mode == "r" else pushed(made, flags)
        args += [ones(p.type) for p in made.parameters[len(args) :]]
    check(made)
    assert run(made, *args) == "2\n1\nback\nback\n"


def ones(type_: Type) -> object:
    return tuple(map(ones, type_.items)) if isinstance(type_, Tuple) else 1.0


def test_a_failure_fails_in_the_primal() -> None:
    made = pulled(printing(), (True, False))
    with pytest.raises(ValueError, match="negative"):
        run(made, 0.2, 3, 1.0)


def test_numbers_stay_what_they_are() -> None:
    (found, none) = evaluate(pulled(power_like(), (True, True)), 0.5, 2, 1.0)
    assert none == () and np.isclose(found, np.cos(0.5) * np.sin(0.6) + np.sin(0.5) * np.cos(0.6))
