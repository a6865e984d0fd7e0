"""`checkpoint`: the same derivatives, and what they save."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arignote as ag
from arignote.autodiff.check import pulled
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Apply, Function, Node, Parameter, functions_below, nodes_of
from arignote.opt import optimise
from tests.autodiff import trees
from tests.autodiff.graphs import F64, I64, VECTOR, Build, array, define, verify


def checkpointed(function: Function, loops: bool = True) -> Function:
    """A function that calls this one and saves nothing for its backward."""
    e = Build()
    parameters = [Parameter(p.name, p.type) for p in function.parameters]
    return Function("main", parameters, e.op("checkpoint", e.closure(function), *parameters, loops=loops))


def logistic() -> Function:
    def turn(e: Build, r: Node, i: Node, x: Node) -> Node:
        return e.tuple([e.multiply(e.multiply(r, x), e.subtract(1.0, x))])

    step = define("step", [F64, I64, F64], turn)
    return define("logistic", [F64, F64, I64], lambda e, r, x, n: e.item(e.for_loop(n, e.closure(step, [r]), x), 0))


def test_a_plain_function() -> None:
    f = define("f", [VECTOR, F64], lambda e, v, x: e.total(e.sin(e.multiply(e.exp(v), x))))
    verify(checkpointed(f), array(3), 0.4, order=3, tolerance=1e-4)


@pytest.mark.parametrize("count", [-1, 0, 1, 2, 5, 10])
def test_a_for_loop(count: int) -> None:
    verify(checkpointed(logistic()), 1.7, 0.3, count, order=2)


def test_a_for_loop_to_third_order() -> None:
    verify(checkpointed(logistic()), 1.7, 0.3, 4, order=3, tolerance=1e-4)


@pytest.mark.parametrize("start", [0.8, 7.0])
def test_a_while_loop(start: float) -> None:
    condition = define("condition", [F64, I64], lambda e, x, n: e.less(x, 5.0))
    body = define("body", [F64, F64, I64], lambda e, r, x, n: e.tuple([e.multiply(x, e.add(x, r)), e.add(n, 1)]))

    def f(e: Build, r: Node, x: Node) -> Node:
        y, n = e.items(e.while_loop(e.closure(condition), e.closure(body, [r]), x, e.lift(0)))
        return e.multiply(y, e.cast(n, "float64"))

    verify(checkpointed(define("f", [F64, F64], f)), 0.7, start, order=2)


def test_a_loop_in_a_branch_in_a_call() -> None:
    loop = logistic()
    then = define("then", [F64, F64, I64], lambda e, r, x, n: e.call(loop, r, x, n))
    otherwise = define("otherwise", [F64], lambda e, x: e.sin(x))
    f = define("f", [F64, F64, I64], lambda e, r, x, n: e.cond(
        e.less(x, 0.5), e.closure(then, [r, x, n]), e.closure(otherwise, [x])))  # fmt: skip
    verify(checkpointed(f), 1.7, 0.3, 5, order=2)
    verify(checkpointed(f), 1.7, 0.8, 5, order=2)


def test_recursion() -> None:
    verify(checkpointed(trees.tree_value()), trees.tree(3, np.random.default_rng(0)), 0.7, order=2)


def test_inside_a_loop() -> None:
    f = logistic()
    step = define(
        "outer", [F64, I64, F64], lambda e, r, i, x: e.tuple([e.checkpoint(e.closure(f), r, x, e.lift(3), loops=True)])
    )
    main = define("main", [F64, F64], lambda e, r, x: e.item(e.for_loop(2, e.closure(step, [r]), x), 0))
    verify(main, 1.7, 0.3, order=2)


def test_an_array_read_in_a_loop_is_added_to_in_place() -> None:
    step = define("step", [VECTOR, I64, F64],
                  lambda e, d, i, s: e.tuple([e.sin(e.add(s, e.index(d, i, axes=(0,))))]))  # fmt: skip
    f = define("f", [VECTOR, F64], lambda e, d, s: e.item(e.for_loop(e.size(d, 0), e.closure(step, [d]), s), 0))
    verify(checkpointed(f), array(7), 0.3, order=2)
    made = optimise(pulled(checkpointed(f), (True, True)))
    inside = [n for g in functions_below(made) if g is not made for n in nodes_of(g) if isinstance(n, Apply)]
    assert not [n for n in inside if n.type is VECTOR and n.op.name == "add"]


def test_it_runs_the_function_again_and_saves_only_operands() -> None:
    """Optimised, the backward is still a function of its own, and nothing computed before is kept for it."""
    f = define("f", [VECTOR], lambda e, v: e.total(e.sin(e.exp(e.sin(v)))))
    g = define("g", [VECTOR], lambda e, v: e.multiply(*[e.op("checkpoint", e.closure(f), v, loops=True)] * 2))
    made = optimise(pulled(g, (True,)))
    again = [h for h in functions_below(made) if h.is_opaque]
    assert len(again) == 1
    calls = [n for n in nodes_of(made) if isinstance(n, Apply) and n.op.name == "call"]
    assert [x.type for c in calls for x in c.inputs[1:] if x.type is VECTOR] == [VECTOR]
    assert np.allclose(evaluate(made, array(3), 1.0)[0], evaluate(pulled(g, (True,)), array(3), 1.0)[0])


@pytest.mark.parametrize("order", [1, 2])
def test_effects_happen_once(order: int, capsys: Any) -> None:
    def program(x: float, n: int) -> float:
        i = 0
        while i < n:
            print("turn", i)
            assert x > 0.0
            x = np.sin(x)
            i += 1
        for j in range(2):
            print("last", j)
            x = x * x
        return x

    program(0.7, 3)
    expected = capsys.readouterr().out
    derived, wanted = ag.checkpoint(program), program
    for _ in range(order):
        derived, wanted = ag.grad(derived), ag.grad(wanted)
    found = derived(0.7, 3)
    assert capsys.readouterr().out == expected
    assert found == pytest.approx(wanted(0.7, 3), rel=1e-12)
