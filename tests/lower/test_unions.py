"""Unions: values, errors, sharing, no leaks."""

import numpy as np
import pytest

from arignote.ir.graph import Function
from arignote.ir.types import BOOL, FLOAT64, INT64, UNIT, List, Tuple, Union, UnionDefinition
from arignote.lower.lower import lower
from tests.ir import programs
from tests.lower.harness import Array, Emit, Parameter, Scalar, agree, main

N = -1
F, I, B = Scalar("float64"), Scalar("int64"), Scalar("bool")
V = Array("float64", (N,))
rng = np.random.default_rng(0)


def chain_type(payload):
    """() or (payload, the rest)."""
    definition = UnionDefinition("Chain")
    chain = Union(definition)
    return definition.define([UNIT, Tuple([payload, chain])])


def inject(e, type_, alternative, *items):
    return e.op("inject", e.tuple(items), type=type_, alternative=alternative)


def is_tag(e, union, number):
    return e.op("equal", e.op("tag", union), e.integer(number))


def fold(e, name, union_type, types, empty, step):
    """def f(u, *given): return empty if u is None else step(f, payload, *given)"""
    u, *given = [Parameter(f"p{n}", t) for n, t in enumerate([union_type, *types])]
    function = Function(name, [u, *given])
    sides = []
    result = None
    for build in (empty, step):
        v, *mine = [Parameter(f"q{n}", t) for n, t in enumerate([union_type, *types])]
        value = build(function, v, *mine)
        result = result or value.type
        if not sides:
            function.declare(result)
        sides.append(e.function(f"{name}/{len(sides)}", [v, *mine], value))
    closures = [e.closure(side, [u, *given]) for side in sides]
    return function.define(e.op("cond", is_tag(e, u, 0), *closures))


def chain_of(e, chain, count, payload):
    """A chain of `count` links made in a loop; payload(i) is what each holds."""
    i, rest = Parameter("i", INT64), Parameter("rest", chain)
    item = payload(i)
    body = e.function("link", [i, rest], e.tuple([inject(e, chain, 1, item, rest)]))
    return e.item(e.op("for_loop", count, e.closure(body), inject(e, chain, 0)), 0)


def chain_sum(e, chain):
    """The sum of a chain of numbers, by recursion."""

    def step(function, u):
        value, rest = e.items(e.op("project", u, alternative=1))
        return e.op("add", value, e.call(function, rest))

    return fold(e, "chain_sum", chain, [], lambda f, u: e.constant(0.0, "float64"), step)


def test_tree_of_three_nodes():
    e = Emit()
    x, a = Parameter("x", V), Parameter("a", F)
    made = e.item(e.call(programs.tree_made(), x, a), 0)
    tree = made.type
    summed = programs.tree_sum()
    # Two programs have two definitions of one name; the sum must be over this one.
    assert summed.parameters[0].type is not tree
    agree(main(e, [x, a], e.op("tag", made), e.item(e.op("project", made, alternative=1), 1)), rng.normal(size=3), 2.0)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_chain_made_in_a_loop_and_summed_by_recursion(count):
    e, n = Emit(), Parameter("n", I)
    chain = chain_type(FLOAT64)
    made = chain_of(e, chain, n, lambda i: e.cast(i, "float64"))
    agree(main(e, [n], e.call(chain_sum(e, chain), made), e.op("tag", made)), count)
