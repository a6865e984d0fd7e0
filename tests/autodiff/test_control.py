"""Derivatives of calls, closures, branches, loops and lists, in both modes, to second and third order."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import numpy as np
import pytest

from arignote.autodiff.check import pulled
from arignote.autodiff.reverse import vjp
from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Apply, Function, Node, Parameter, functions_below, nodes_of
from arignote.ir.structure import ANY
from arignote.ir.types import BOOL, FLOAT64, INT64, TOKEN, Array, Closure, List, Scalar, Tuple
from tests.autodiff.graphs import F64, I64, MATRIX, VECTOR, Build, array, define, verify


def operations(function: Function) -> list[str]:
    return [n.op.name for f in functions_below(function) for n in nodes_of(f) if isinstance(n, Apply)]


def test_calls_that_share_a_function() -> None:
    f = define("f", [F64, F64], lambda e, x, y: e.multiply(e.sin(x), e.exp(y)))
    g = define("g", [F64, F64], lambda e, x, y: e.add(e.call(f, x, y), e.multiply(e.call(f, y, x), e.call(f, x, x))))
    verify(g, 0.3, 0.7, order=3)


def test_call_of_an_array_function() -> None:
    f = define("f", [MATRIX, VECTOR], lambda e, w, x: e.tanh(e.total(e.multiply(w, x))))
    g = define("g", [MATRIX, VECTOR], lambda e, w, x: e.multiply(e.call(f, w, x), e.call(f, e.sin(w), x)))
    verify(g, array(3, 2), array(2, seed=1), order=2)


def test_nested_closures_with_captures() -> None:
    inner = define("inner", [F64, F64, F64], lambda e, a, b, x: e.multiply(e.sin(e.multiply(a, x)), b))

    def outer_body(e: Build, a: Node, f: Node, x: Node) -> Node:
        return e.add(e.op("call", f, x), e.multiply(a, e.op("call", f, e.multiply(x, x))))

    outer = define("outer", [F64, Closure(inner, 2), F64], outer_body)

    def body(e: Build, a: Node, b: Node, x: Node) -> Node:
        f = e.closure(inner, [a, e.exp(b)])
        return e.op("call", e.closure(outer, [b, f]), x)

    verify(define("main", [F64, F64, F64], body), 0.3, 0.4, 0.5, order=3)


def test_a_closure_as_a_result() -> None:
    inner = define("inner", [VECTOR, F64], lambda e, a, x: e.total(e.sin(e.multiply(a, x))))
    make = define("make", [VECTOR], lambda e, a: e.tuple([e.total(a), e.closure(inner, [e.exp(a)])]))

    def body(e: Build, a: Node, x: Node) -> Node:
        pair = e.call(make, a)
        return e.multiply(e.item(pair, 0), e.op("call", e.item(pair, 1), x))

    verify(define("main", [VECTOR, F64], body), array(3), 0.5, order=2)


def branches(then: Function, otherwise: Function) -> Function:
    def body(e: Build, x: Node, y: Node) -> Node:
        c = e.less(x, y)
        return e.cond(c, e.closure(then, [x]), e.closure(otherwise, [x, y]))

    return define("branches", [F64, F64], body)


@pytest.mark.parametrize("x", [0.3, 0.9])
def test_cond(x: float) -> None:
    then = define("then", [F64], lambda e, x: e.multiply(e.sin(x), x))
    otherwise = define("otherwise", [F64, F64], lambda e, x, y: e.exp(e.multiply(x, y)))
    verify(branches(then, otherwise), x, 0.5, order=3)


@pytest.mark.parametrize("x", [-0.3, 0.4, 0.9])
def test_nested_cond_on_arrays(x: float) -> None:
    a = define("a", [VECTOR], lambda e, v: e.sin(v))
    b = define("b", [VECTOR, F64], lambda e, v, x: e.multiply(v, x))
    c = define(
        "c", [VECTOR, F64], lambda e, v, x: e.cond(e.less(x, 0.5), e.closure(b, [v, e.exp(x)]), e.closure(a, [v]))
    )

    def body(e: Build, v: Node, x: Node) -> Node:
        picked = e.cond(e.less(x, 0.0), e.closure(a, [v]), e.closure(c, [v, x]))
        return e.total(e.multiply(picked, e.exp(v)))

    verify(define("main", [VECTOR, F64], body), array(3), x, order=2)


def for_loop(e: Build, count: Node, body: Function, captures: list[Node], *init: Node) -> list[Node]:
    return e.items(e.op("for_loop", count, e.closure(body, captures), *init))


LOGISTIC = define("logistic", [F64, I64, F64],
                  lambda e, r, i, x: e.tuple([e.multiply(e.multiply(r, x), e.subtract(1.0, x))]))  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 4])
def test_for_loop(count: int) -> None:
    f = define("f", [F64, F64, I64], lambda e, r, x, n: for_loop(e, n, LOGISTIC, [r], x)[0])
    verify(f, 1.7, 0.3, count, order=3)


def test_a_negative_count_runs_nothing() -> None:
    f = define("f", [F64, F64, I64], lambda e, r, x, n: for_loop(e, n, LOGISTIC, [r], x)[0])
    verify(f, 1.7, 0.3, -2)


def test_a_linear_loop_saves_nothing() -> None:
    body = define("body", [F64, I64, F64], lambda e, r, i, x: e.tuple([e.multiply(x, 3.0)]))
    f = define("f", [F64, F64, I64], lambda e, r, x, n: for_loop(e, n, body, [r], x)[0])
    verify(f, 1.7, 0.3, 3)
    assert "list_push" not in operations(vjp(f, (True, True, False)))


def test_nothing_loop_invariant_is_saved() -> None:
    """The step needs exp(w), w and the index, which are the same in every iteration or known; nothing is pushed."""

    def step(e: Build, w: Node, data: Node, i: Node, s: Node) -> Node:
        return e.tuple([e.add(s, e.multiply(e.exp(w), e.multiply(w, e.index(data, i, axes=(0,)))))])

    body = define("body", [F64, VECTOR, I64, F64], step)
    f = define("f", [F64, VECTOR], lambda e, w, d: for_loop(e, e.size(d, 0), body, [w, d], e.lift(0.0))[0])
    verify(f, 0.4, array(3))
    assert "list_push" not in operations(vjp(f, (True, False)))
    assert "list_push" not in operations(vjp(f, (True, True)))


def test_reading_an_array_in_a_loop_adds_in_place() -> None:
    """The cotangent of an array that a loop reads is carried and increased, not made anew in each iteration."""

    def step(e: Build, data: Node, i: Node, s: Node) -> Node:
        return e.tuple([e.add(s, e.sin(e.index(data, i, axes=(0,))))])

    body = define("body", [VECTOR, I64, F64], step)
    f = define("f", [VECTOR], lambda e, d: for_loop(e, e.size(d, 0), body, [d], e.lift(0.0))[0])
    verify(f, array(4), order=3)
    backward = next(g for g in functions_below(vjp(f, (True,))) if g.name == "body_backward")
    assert [
        n for n in nodes_of(backward) if isinstance(n, Apply) and n.type is VECTOR and n.op.name != "update_index"
    ] == []


def test_a_branch_in_a_loop_adds_in_place() -> None:
    taken = define("taken", [VECTOR, I64, F64], lambda e, d, i, s: e.add(s, e.sin(e.index(d, i, axes=(0,)))))
    passed = define("passed", [F64], lambda e, s: s)

    def step(e: Build, data: Node, i: Node, s: Node) -> Node:
        even = e.equal(e.remainder(i, 2), 0)
        return e.tuple([e.cond(even, e.closure(taken, [data, i, s]), e.closure(passed, [s]))])

    body = define("body", [VECTOR, I64, F64], step)
    f = define("f", [VECTOR], lambda e, d: for_loop(e, e.size(d, 0), body, [d], e.lift(0.0))[0])
    verify(f, array(5), order=2)
    below = functions_below(vjp(f, (True,)))
    inside = [g for g in below if g.name in ("body_backward", "taken_backward", "passed_backward")]
    assert len(inside) == 3
    assert "broadcast_to" not in [n.op.name for g in inside for n in nodes_of(g) if isinstance(n, Apply)]


def test_array_carries_and_an_unused_carry() -> None:
    def step(e: Build, w: Node, i: Node, x: Node, n: Node, flag: Node, frozen: Node) -> Node:
        moved = e.tanh(e.add(e.multiply(w, x), frozen))
        return e.tuple([moved, e.add(n, 1), e.logical_not(flag), frozen])

    body = define("body", [VECTOR, I64, VECTOR, I64, BOOL, F64], step)

    def f(e: Build, w: Node, x: Node) -> Node:
        items = for_loop(e, e.lift(3), body, [w], x, e.lift(0), e.constant(True, "bool"), e.lift(0.25))
        return e.multiply(e.total(items[0]), e.cast(items[1], "float64"))

    verify(define("f", [VECTOR, VECTOR], f), array(3), array(3, seed=1), order=2)


def test_nested_loops() -> None:
    def inner_step(e: Build, w: Node, scale: Node, i: Node, x: Node) -> Node:
        return e.tuple([e.sin(e.add(e.multiply(w, x), e.multiply(scale, e.cast(i, "float64"))))])

    inner = define("inner", [F64, F64, I64, F64], inner_step)

    def outer_step(e: Build, w: Node, i: Node, x: Node, total: Node) -> Node:
        y = for_loop(e, e.add(i, 1), inner, [w, total], x)[0]
        return e.tuple([y, e.add(total, e.multiply(y, w))])

    outer = define("outer", [F64, I64, F64, F64], outer_step)
    f = define("f", [F64, F64], lambda e, w, x: e.tuple(for_loop(e, e.lift(3), outer, [w], x, e.lift(0.5))))
    verify(f, 0.8, 0.4, order=3, tolerance=1e-4)


def test_a_call_in_a_loop_of_arrays() -> None:
    layer = define(
        "layer", [MATRIX, VECTOR, VECTOR], lambda e, w, b, x: e.tanh(e.add(e.op("sum", e.multiply(w, x), axes=(1,)), b))
    )
    body = define("body", [MATRIX, VECTOR, I64, VECTOR], lambda e, w, b, i, x: e.tuple([e.call(layer, w, b, x)]))
    f = define("f", [MATRIX, VECTOR, VECTOR], lambda e, w, b, x: e.total(for_loop(e, e.lift(3), body, [w, b], x)[0]))
    verify(f, array(2, 2), array(2, seed=1), array(2, seed=2), order=2)


def while_loop(e: Build, condition: Function, body: Function, captures: list[Node], *init: Node) -> list[Node]:
    return e.items(e.op("while_loop", e.closure(condition), e.closure(body, captures), *init))


def test_while_loop() -> None:
    condition = define("condition", [F64, I64], lambda e, x, n: e.less(x, 5.0))
    body = define("body", [F64, F64, I64], lambda e, r, x, n: e.tuple([e.multiply(x, e.add(x, r)), e.add(n, 1)]))

    def f(e: Build, r: Node, x: Node) -> Node:
        y, n = while_loop(e, condition, body, [r], x, e.lift(0))
        return e.multiply(y, e.cast(n, "float64"))

    g = define("f", [F64, F64], f)
    verify(g, 0.7, 0.8, order=3, tolerance=1e-4)
    verify(g, 0.7, 7.0, order=2)


def test_a_linear_while_loop_counts() -> None:
    condition = define("condition", [F64], lambda e, x: e.less(x, 5.0))
    body = define("body", [F64, F64], lambda e, r, x: e.tuple([e.multiply(x, 2.0)]))
    f = define("f", [F64, F64], lambda e, r, x: while_loop(e, condition, body, [r], x)[0])
    verify(f, 0.7, 0.8, order=2)
    assert "list_push" not in operations(vjp(f, (True, True)))


def test_carries_that_change_size() -> None:
    any_vector = Array("float64", (ANY,))
    body = define(
        "body", [F64, I64, any_vector], lambda e, w, i, x: e.tuple([e.sin(e.multiply(e.concatenate(x, x, axis=0), w))])
    )
    f = define("f", [F64, VECTOR], lambda e, w, x: e.total(for_loop(e, e.lift(2), body, [w], x)[0]))
    verify(f, 0.7, array(2), order=2)


def test_lists() -> None:
    def fill(e: Build, w: Node, i: Node, values: Node) -> Node:
        return e.tuple([e.list_push(values, e.multiply(w, e.cast(i, "float64")))])

    def use(e: Build, values: Node, i: Node, s: Node) -> Node:
        return e.tuple([e.add(s, e.multiply(s, e.sin(e.list_get(values, i))))])

    filling = define("filling", [F64, I64, List(FLOAT64)], fill)
    using = define("using", [List(FLOAT64), I64, F64], use)

    def f(e: Build, w: Node, x: Node) -> Node:
        n = e.lift(4)
        values = for_loop(e, n, filling, [w], e.list_new(n, element=FLOAT64))[0]
        values = e.list_set(values, 1, e.multiply(x, w))
        popped = e.list_pop(e.list_push(values, e.exp(x)))
        s = for_loop(e, e.list_length(values), using, [e.item(popped, 0)], x)[0]
        return e.multiply(s, e.item(popped, 1))

    verify(define("f", [F64, F64], f), 0.7, 0.3, order=3, tolerance=1e-4)


def test_lists_of_arrays_and_tuples() -> None:
    element = Tuple([VECTOR, INT64, FLOAT64])

    def fill(e: Build, w: Node, i: Node, values: Node) -> Node:
        return e.tuple([e.list_push(values, e.tuple([e.multiply(w, w), i, e.total(w)]))])

    filling = define("filling", [VECTOR, I64, List(element)], fill)

    def f(e: Build, w: Node) -> Node:
        values = for_loop(e, e.lift(2), filling, [w], e.list_new(e.lift(0), element=element))[0]
        values = e.list_set(values, 0, e.tuple([e.exp(w), e.lift(1), e.lift(2.0)]))
        a, b = e.list_get(values, 0), e.list_get(values, -1)
        return e.multiply(e.total(e.multiply(e.item(a, 0), e.item(b, 0))), e.item(b, 2))

    verify(define("f", [VECTOR], f), array(3), order=2)


def test_parameters_that_are_lists_and_tuples() -> None:
    def f(e: Build, values: Node, pair: Node) -> Node:
        return e.multiply(e.list_get(values, 0), e.multiply(e.list_get(values, 1), e.sin(e.item(pair, 1))))

    g = define("f", [List(FLOAT64), Tuple([INT64, FLOAT64])], f)
    verify(g, [np.float64(0.3), np.float64(0.4), np.float64(0.5)], (np.int64(3), np.float64(0.7)), order=2)


def test_a_print_prints_once() -> None:
    def step(e: Build, i: Node, token: Node, x: Node) -> Node:
        return e.tuple([e.op("print", token, template=("step\n",)), e.sin(x)])

    body = define("step", [I64, TOKEN, F64], step)

    def f(e: Build, token: Node, x: Node) -> Node:
        token = e.op("print", token, template=("start\n",))
        token, y = for_loop(e, e.lift(2), body, [], token, x)
        return e.tuple([token, y])

    inner = define("f", [TOKEN, F64], f)
    main = define("main", [F64], lambda e, x: e.call(inner, e.op("token"), x))
    made = pulled(main, (True,))
    check(made)
    text = io.StringIO()
    with redirect_stdout(text):
        (found,) = evaluate(made, 0.5, ((), 1.0))
    assert text.getvalue() == "start\nstep\nstep\n"
    assert np.isclose(found, np.cos(np.sin(0.5)) * np.cos(0.5))


def test_integer_parameters_give_unit() -> None:
    f = define("f", [F64, I64], lambda e, x, n: e.multiply(x, e.cast(n, "float64")))
    assert evaluate(pulled(f, (True, True)), 0.5, 3, 1.0) == (3.0, ())


def test_a_parameter_that_does_not_matter_gives_zeros() -> None:
    f = define("f", [F64, VECTOR], lambda e, x, v: e.multiply(x, x))
    of_x, of_v = evaluate(pulled(f, (True, True)), 0.5, array(3), 1.0)
    assert of_x == 1.0 and np.array_equal(of_v, np.zeros(3))


def factorial_like() -> Function:
    """f(x, n) = 1 if n < 1 else sin(x) * f(x, n - 1)."""
    f = Function("f", (Parameter("x", F64), Parameter("n", I64)))
    f.declare(FLOAT64)
    one = define("one", [], lambda e: e.lift(1.0))
    step = Function("step", (Parameter("x", F64), Parameter("n", I64)))
    e = Build()
    x, n = step.parameters
    step.define(e.multiply(e.sin(x), e.call(f, x, e.subtract(n, 1))))
    x, n = f.parameters
    f.define(e.cond(e.less(n, 1), e.closure(one), e.closure(step, [x, n])))
    check(f)
    return f


def test_recursion() -> None:
    f = factorial_like()
    verify(f, 0.6, 3, order=1)
    verify(f, 0.6, 3, order=3, modes=("fwd",))
    main = define("main", [F64], lambda e, x: e.call(f, x, e.lift(4)))
    verify(main, 0.6, order=1)


def test_float32_stays_float32() -> None:
    single = Scalar("float32")

    def f(e: Build, x: Node) -> Node:
        return e.multiply(e.sin(x), e.constant(2.5, "float32"))

    made = pulled(define("f", [single], f), (True,))
    check(made)
    assert evaluate(made, 0.5, np.float32(1.0))[0].dtype == np.float32


def storage(function: Function, wrt: tuple[bool, ...]) -> list[str]:
    """The types of what the loops of the reverse mode save in each iteration."""
    made = vjp(function, wrt)
    return [repr(n.inputs[1].type) for f in functions_below(made) for n in nodes_of(f)
            if isinstance(n, Apply) and n.op.name == "list_push"]  # fmt: skip


def test_a_counter_of_a_while_loop_is_not_saved() -> None:
    """x = x * cos(i * w); i += step: everything that the backward reads follows from the iteration."""
    condition = define("condition", [I64, I64, F64], lambda e, n, i, x: e.less(i, n))

    def step(e: Build, w: Node, stride: Node, i: Node, x: Node) -> Node:
        angle = e.multiply(w, e.cast(i, "float64"))
        return e.tuple([e.subtract(e.add(i, stride), e.lift(-1)), e.multiply(x, e.cos(angle))])

    body = define("body", [F64, I64, I64, F64], step)

    def f(e: Build, w: Node, x: Node, n: Node, stride: Node) -> Node:
        loop = e.while_loop(e.closure(condition, [n]), e.closure(body, [w, stride]), e.lift(3), x)
        return e.item(loop, 1)

    g = define("f", [F64, F64, I64, I64], f)
    assert storage(g, (False, True, False, False)) == []
    assert storage(g, (True, True, False, False)) == ["f64"]  # x itself, for the derivative by w
    verify(g, 0.3, 0.7, 11, 1, order=3, tolerance=1e-5)


def test_a_position_that_an_inner_loop_moves_is_not_saved() -> None:
    def inner_step(e: Build, data: Node, i: Node, k: Node, x: Node) -> Node:
        return e.tuple([e.add(k, 1), e.multiply(x, e.index(data, k, axes=(0,)))])

    inner = define("inner", [VECTOR, I64, I64, F64], inner_step)

    def outer_step(e: Build, data: Node, i: Node, k: Node, x: Node) -> Node:
        k, x = e.items(e.for_loop(3, e.closure(inner, [data]), k, x))
        return e.tuple([e.subtract(k, 2), x])

    outer = define("outer", [VECTOR, I64, I64, F64], outer_step)
    f = define("f", [VECTOR, F64], lambda e, d, x: e.item(e.for_loop(3, e.closure(outer, [d]), e.lift(0), x), 1))
    assert storage(f, (False, True)) == []
    verify(f, array(6), 0.7, order=2)


def test_a_carried_value_that_does_not_change_is_not_saved() -> None:
    def step(e: Build, i: Node, scale: Node, x: Node) -> Node:
        return e.tuple([scale, e.multiply(e.exp(scale), x)])

    body = define("body", [I64, VECTOR, VECTOR], step)
    f = define("f", [VECTOR, VECTOR], lambda e, s, x: e.total(e.item(e.for_loop(3, e.closure(body), s, x), 1)))
    assert storage(f, (False, True)) == []
    verify(f, array(3), array(3, seed=1), order=2)


def test_branches_and_calls_in_loops_save_nothing_that_follows_from_the_iteration() -> None:
    read = define("read", [VECTOR, I64], lambda e, d, i: e.sin(e.index(d, i, axes=(0,))))
    even = define("even", [VECTOR, I64, F64], lambda e, d, i, x: e.multiply(x, e.call(read, d, i)))
    odd = define("odd", [F64], lambda e, x: e.add(x, 1.0))

    def step(e: Build, d: Node, i: Node, x: Node) -> Node:
        parity = e.equal(e.remainder(i, 2), 0)
        return e.tuple([e.cond(parity, e.closure(even, [d, i, x]), e.closure(odd, [x]))])

    body = define("body", [VECTOR, I64, F64], step)
    f = define("f", [VECTOR, F64], lambda e, d, x: e.item(e.for_loop(e.size(d, 0), e.closure(body, [d]), x), 0))
    assert storage(f, (False, True)) == []
    verify(f, array(5), 0.7, order=2)


def test_a_break_keeps_the_counter() -> None:
    """A loop that leaves through a flag, as the front end writes it: the step is in a branch that is always taken."""
    condition = define("condition", [I64, F64, I64], lambda e, i, x, flow: e.equal(flow, 0))

    def inside(e: Build, i: Node, flow: Node) -> Node:
        following = e.add(i, 1)
        return e.tuple([following, e.select(e.greater_equal(following, 4), e.lift(2), flow)])

    then = define("then", [I64, I64], inside)
    otherwise = define("else", [I64], lambda e, i: e.tuple([i, e.lift(2)]))

    def step(e: Build, d: Node, i: Node, x: Node, flow: Node) -> Node:
        moved, left = e.items(e.cond(e.equal(flow, 0), e.closure(then, [i, flow]), e.closure(otherwise, [i])))
        return e.tuple([moved, e.multiply(x, e.index(d, i, axes=(0,))), left])

    body = define("body", [VECTOR, I64, F64, I64], step)

    def f(e: Build, d: Node, x: Node) -> Node:
        return e.item(e.while_loop(e.closure(condition), e.closure(body, [d]), e.lift(0), x, e.lift(0)), 1)

    g = define("f", [VECTOR, F64], f)
    assert storage(g, (False, True)) == []
    verify(g, array(5), 0.7, order=2)


def test_a_function_that_reads_one_place_is_given_the_total() -> None:
    """No array of zeros is made for each call, and none is added."""
    read = define("read", [VECTOR, I64], lambda e, d, i: e.sin(e.index(d, i, axes=(0,))))
    body = define("body", [VECTOR, I64, F64], lambda e, d, i, s: e.tuple([e.add(s, e.call(read, d, i))]))
    f = define("f", [VECTOR], lambda e, d: e.item(e.for_loop(e.size(d, 0), e.closure(body, [d]), e.lift(0.0)), 0))
    verify(f, array(4), order=2)
    inside = [g for g in functions_below(vjp(f, (True,))) if g.name in ("body_backward", "read_backward")]
    made = [n for g in inside for n in nodes_of(g) if isinstance(n, Apply) and n.type is VECTOR]
    assert {n.op.name for n in made} == {"update_index", "item"}
