"""Programs rebuilt: what changes, what stays, and the types that name functions."""

import numpy as np

from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Function, Parameter
from arignote.ir.types import FLOAT64, INT64, UNIT, Closure, Tuple, Union, UnionDefinition
from arignote.ops.emit import Emit
from arignote.opt import optimise
from arignote.opt.rewrite import with_fuel


def chain_of_closures() -> Function:
    """A linked list of functions, made in a loop and applied one after the other:

    def step(k, unused, x): return k * x + 0.0 * 1.0
    """
    e = Emit()
    k, unused, x = Parameter("k", FLOAT64), Parameter("unused", FLOAT64), Parameter("x", FLOAT64)
    sum_ = e.op("add", e.op("multiply", k, x), e.op("negative", e.op("negative", x)))
    step = e.function("step", [k, unused, x], sum_)
    definition = UnionDefinition("Chain")
    chain = Union(definition)
    definition.define([UNIT, Tuple([Closure(step, 2), chain])])

    i, rest = Parameter("i", INT64), Parameter("rest", chain)
    factor = e.cast(i, "float64")
    link = e.tuple([e.closure(step, [factor, factor]), rest])
    body = e.function("body", [i, rest], e.tuple([e.op("inject", link, type=chain, alternative=1)]))
    n, start = Parameter("n", INT64), Parameter("start", FLOAT64)
    none = e.op("inject", e.tuple([]), type=chain, alternative=0)
    made = e.item(e.op("for_loop", n, e.closure(body), none), 0)

    c, y = Parameter("c", chain), Parameter("y", FLOAT64)
    test = e.function("test", [c, y], e.op("not_equal", e.op("tag", c), e.integer(0)))
    d, z = Parameter("d", chain), Parameter("z", FLOAT64)
    function, following = e.items(e.op("project", d, alternative=1))
    apply = e.function("apply", [d, z], e.tuple([following, e.op("call", function, z)]))
    result = e.item(e.op("while_loop", e.closure(test), e.closure(apply), made, start), 1)
    return e.function("main", [n, start], result)


def test_unions_that_hold_functions_follow_them():
    function = chain_of_closures()
    check(function)
    better = optimise(function)
    check(better)
    for n in (0, 1, 4):
        assert evaluate(better, n, 1.5) == evaluate(function, n, 1.5)
    again = optimise(better)
    check(again)
    with with_fuel(0):
        assert optimise(again) is again


def test_what_a_function_in_a_union_does_not_read_is_not_captured():
    better = optimise(chain_of_closures())
    from arignote.ir.text import show

    assert "Closure" not in show(better)
    assert "union Chain = () | (fn @step/1, union Chain)" in show(better)
    np.testing.assert_allclose(evaluate(better, 3, 1.0), 1.0 * 3.0 * 2.0)
