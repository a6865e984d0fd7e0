"""Every rule fires, and both sides give the same bits on ordinary and on special values."""

from __future__ import annotations

import numpy as np
import pytest

from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Parameter
from arignote.ir.structure import ANY, MANY, PythonScalarOf
from arignote.ir.types import BOOL, FLOAT64, INT64, TOKEN, UNIT, Array, Tuple, UnionDefinition
from arignote.ops.emit import Emit
from arignote.opt import joined, optimise, saved
from arignote.opt.rewrite import switched_off, with_fuel
from arignote.opt.simplify import ALL_RULES, simplify
from tests.ir import programs

FLOATS = np.array([0.0, -0.0, 1.0, -1.5, np.inf, -np.inf, np.nan, 5e-324, 1e308, -3.0])
INTEGERS = np.array([0, 1, -1, 2**63 - 1, -(2**63), 7])
PAIRS = len(FLOATS) ** 2
MAYBE = UnionDefinition("Maybe").define([UNIT, Tuple([FLOAT64, INT64])])

VALUES = {
    "x": np.repeat(FLOATS, len(FLOATS)), "y": np.tile(FLOATS, len(FLOATS)),
    "i": np.repeat(INTEGERS, len(INTEGERS)), "j": np.tile(INTEGERS, len(INTEGERS)),
    "p": np.array([True, True, False, False]), "q": np.array([True, False, True, False]),
    "s": 2.5, "t": -0.0, "k": 7, "c": True, "d": False, "m": np.arange(12.0).reshape(3, 4), "e": np.zeros((0, 4)),
    "o": np.array([[1.0], [-0.0], [np.nan]]), "token": None, "h": np.arange(4, dtype=np.float32), "r": np.ones(4),
    "u": (1, (2.5, 7)),
}  # fmt: skip
TYPES = {
    **dict.fromkeys("xy", Array("float64", (PAIRS,))), **dict.fromkeys("ij", Array("int64", (INTEGERS.size**2,))),
    **dict.fromkeys("pq", Array("bool", (4,))), **dict.fromkeys("st", FLOAT64), "k": INT64, "c": BOOL, "d": BOOL,
    "m": Array("float64", (MANY, ANY)), "e": Array("float64", (ANY, ANY)), "o": Array("float64", (ANY, 1)),
    "token": TOKEN, "h": Array("float32", (ANY,)), "r": Array("float64", (ANY,)), "u": MAYBE,
}  # fmt: skip


class Write:
    """Writes the left side of a rule: `w.negative(w.x)`; numbers become constants of the first operand's dtype."""

    def __init__(self):
        self.emit = Emit()
        self.parameters = {}

    def __getattr__(self, name):
        if name in TYPES:
            return self.parameters.setdefault(name, Parameter(name, TYPES[name]))
        return lambda *inputs, **attributes: self.op(name, *inputs, **attributes)

    def op(self, name, *inputs, **attributes):
        like = next((x.type for x in inputs if hasattr(x, "type") and hasattr(x.type, "dtype")), FLOAT64)
        nodes = [x if hasattr(x, "type") else self.emit.constant(x, like.dtype) for x in inputs]
        return self.emit.op(name, *nodes, **attributes)

    def int(self, value):
        return self.emit.integer(value)

    def sizes(self, x):
        return self.emit.sizes(x)

    def like(self, x, shape):
        return self.emit.broadcast_like(x, shape)

    def function(self, name, parameters, result):
        return self.emit.function(name, parameters, result)

    def closure(self, parameters, result, *captures):
        return self.emit.closure(self.function("inner", parameters, result), captures)


def turned(w, order):
    """An array of rank three with its axes in another order."""
    return w.transpose(w.reshape(w.x, w.int(4), w.int(5), w.int(5), dims=(4, 5, 5)), permutation=order)


def full(w, value, like):
    return w.emit.full_like(like, value)


def branch(w, value):
    return w.closure([], w.emit.tuple([w.emit.constant(value, "float64")]))


def counted(w, count):
    i, a = Parameter("i", INT64), Parameter("a", FLOAT64)
    body = w.closure([i, a], w.emit.tuple([w.multiply(a, 3.0)]))
    return w.emit.op("for_loop", w.emit.integer(count), body, w.s)


def accumulated(w):
    """A loop that adds the product of two matrices of a list, seven times."""
    matrix = w.reshape(w.r, w.int(2), w.int(2), dims=(2, 2))
    found = w.list_push(w.list_new(w.int(1), element=matrix.type), matrix)
    list_, index, total = Parameter("list", found.type), Parameter("index", INT64), Parameter("total", matrix.type)
    one = w.emit.op("list_get", list_, w.int(0))
    scaled = w.emit.op("multiply", one, w.emit.op("cast", index, dtype="float64"))
    product = w.emit.op("matmul", w.emit.op("transpose", one, permutation=(1, 0)), scaled)
    body = w.emit.function("body", [list_, index, total], w.emit.tuple([w.emit.op("add", total, product)]))
    return w.emit.op("for_loop", w.k, w.emit.closure(body, [found]), matrix)


def distributed(w):
    """A loop that lists the products of a matrix that changes and one that stays the same."""
    matrix = w.reshape(w.r, w.int(2), w.int(2), dims=(2, 2))
    start = w.list_new(w.int(1), element=matrix.type)
    fixed, index, list_ = Parameter("fixed", matrix.type), Parameter("index", INT64), Parameter("list", start.type)
    scaled = w.emit.op("multiply", fixed, w.emit.op("cast", index, dtype="float64"))
    product = w.emit.op("matmul", scaled, fixed)
    body = w.emit.function("body", [fixed, index, list_], w.emit.tuple([w.emit.op("list_push", list_, product)]))
    return w.emit.op("for_loop", w.k, w.emit.closure(body, [matrix]), start)


def invariant(w):
    i, a, b, c = Parameter("i", INT64), Parameter("a", FLOAT64), Parameter("b", FLOAT64), Parameter("c", TYPES["m"])
    total = w.add(a, w.sum(w.exp(c), axes=(0, 1)))
    body = w.closure([c, i, a, b], w.emit.tuple([w.add(total, b), b]), w.m)
    return w.emit.op("for_loop", w.k, body, w.s, w.t)


def called(w):
    a = Parameter("a", FLOAT64)
    return w.op("call", w.closure([a], w.multiply(a, a)), w.s)


def push(w):
    return w.list_push(w.list_new(w.int(1), element=FLOAT64), w.s)


FIRES = {
    "times one": [lambda w: w.multiply(w.x, 1.0), lambda w: w.multiply(full(w, 1, w.x), w.x),
                  lambda w: w.multiply(w.i, 1)],
    "divided by one": [lambda w: w.divide(w.x, 1.0)],
    "to the first": [lambda w: w.power(w.x, 1.0), lambda w: w.power(w.i, 1)],
    "plus minus zero": [lambda w: w.add(w.x, -0.0)],
    "minus zero": [lambda w: w.subtract(w.x, 0.0), lambda w: w.subtract(w.i, 0)],
    "plus zero, integers": [lambda w: w.add(w.i, 0)],
    "largest of one": [lambda w: w.maximum(w.x, w.x), lambda w: w.maximum(w.i, w.i)],
    "smallest of one": [lambda w: w.minimum(w.x, w.x)],
    "negation twice": [lambda w: w.negative(w.negative(w.x)), lambda w: w.negative(w.negative(w.i))],
    "times minus one": [lambda w: w.multiply(w.x, -1.0), lambda w: w.multiply(w.i, -1)],
    "divided by minus one": [lambda w: w.divide(w.x, -1.0)],
    "plus a negation": [lambda w: w.add(w.x, w.negative(w.y)), lambda w: w.add(w.negative(w.i), w.j)],
    "minus a negation": [lambda w: w.subtract(w.x, w.negative(w.y)), lambda w: w.subtract(w.i, w.negative(w.j))],
    "product of negations": [lambda w: w.multiply(w.negative(w.x), w.negative(w.y))],
    "quotient of negations": [lambda w: w.divide(w.negative(w.x), w.negative(w.y))],
    "absolute of a negation": [lambda w: w.absolute(w.negative(w.x)), lambda w: w.absolute(w.negative(w.i))],
    "absolute twice": [lambda w: w.absolute(w.absolute(w.x)), lambda w: w.absolute(w.absolute(w.i))],
    "zero minus, integers": [lambda w: w.subtract(full(w, 0, w.i), w.i)],
    "square": [lambda w: w.power(w.x, 2.0), lambda w: w.power(w.i, 2)],
    "to the zeroth": [lambda w: w.power(w.x, 0.0), lambda w: w.power(w.m, -0.0), lambda w: w.power(w.i, 0)],
    "divided by a power of two": [lambda w: w.divide(w.x, 2.0), lambda w: w.divide(w.x, -0.125),
                                  lambda w: w.divide(w.s, 4.0)],
    "zero of integers": [lambda w: w.multiply(w.i, 0), lambda w: w.subtract(w.i, w.i), lambda w: w.subtract(w.k, w.k)],
    "sum of constants": [lambda w: w.add(w.subtract(w.i, 5), 3), lambda w: w.subtract(w.add(w.k, 5), 3)],
    "not not": [lambda w: w.logical_not(w.logical_not(w.p))],
    "and true": [lambda w: w.logical_and(w.p, True), lambda w: w.logical_and(w.c, True)],
    "or false": [lambda w: w.logical_or(w.p, False)],
    "and false": [lambda w: w.logical_and(w.c, False)],
    "or true": [lambda w: w.logical_or(w.c, True)],
    "and itself": [lambda w: w.logical_and(w.p, w.p)],
    "or itself": [lambda w: w.logical_or(w.p, w.p)],
    "not equal": [lambda w: w.logical_not(w.equal(w.x, w.y)), lambda w: w.logical_not(w.equal(w.p, w.q))],
    "not not equal": [lambda w: w.logical_not(w.not_equal(w.x, w.y))],
    "not compared": [lambda w, op=op: w.logical_not(w.op(op, w.i, w.j))
                     for op in ("less", "less_equal", "greater", "greater_equal")],
    "select known": [lambda w: w.select(w.like(w.emit.constant(True, "bool"), w.x), w.x, w.y),
                     lambda w: w.select(w.emit.constant(False, "bool"), w.s, w.t)],
    "select same": [lambda w: w.select(w.c, w.x, w.x)],
    "select not": [lambda w: w.select(w.logical_not(w.p), w.s, w.t)],
    "constants": [lambda w: w.sin(w.emit.constant(0.5, "float32")), lambda w: w.add(w.int(2**63 - 1), 1),
                  lambda w: w.floor_divide(w.int(-7), 2), lambda w: w.less(w.int(1), 2)],
    "cast of a constant": [lambda w: w.cast(w.int(2**62 + 1), dtype="float64"),
                           lambda w: w.cast(w.emit.constant(2.9, "float64"), dtype="int64")],
    "cast to itself": [lambda w: w.cast(w.x, dtype="float64")],
    "cast twice": [lambda w: w.cast(w.cast(w.h, dtype="float64"), dtype="float32"),
                   lambda w: w.cast(w.cast(w.p, dtype="int64"), dtype="float64")],
    "item of a tuple": [lambda w: w.item(w.tuple(w.s, w.x), index=1)],
    "tuple of items": [lambda w: w.tuple(w.item(counted(w, 3), index=0))],
    "captured value": [lambda w: w.captured(w.closure([Parameter("a", FLOAT64)], w.int(1), w.s), index=0)],
    "known branch": [lambda w: w.cond(w.emit.constant(False, "bool"), branch(w, 1.0), branch(w, 2.0))],
    "same branch": [lambda w: (lambda b: w.cond(w.c, b, b))(branch(w, 1.0))],
    "negated branch": [lambda w: w.cond(w.logical_not(w.c), branch(w, 1.0), branch(w, 2.0))],
    "short loop": [lambda w: counted(w, 1), lambda w: counted(w, 0), lambda w: counted(w, -2)],
    "pop of push": [lambda w: w.item(w.list_pop(push(w)), index=1)],
    "tag of inject": [lambda w: w.tag(w.inject(w.emit.tuple([w.s, w.k]), type=MAYBE, alternative=1))],
    "project of inject": [
        lambda w: w.project(w.inject(w.emit.tuple([w.s, w.k]), type=MAYBE, alternative=1), alternative=1)
    ],
    "inject of project": [lambda w: w.inject(w.project(w.u, alternative=1), type=MAYBE, alternative=1)],
    "length of nothing": [lambda w: w.list_length(w.list_new(w.int(3), element=FLOAT64))],
    "raise never": [lambda w: w.raise_if(w.token, w.emit.constant(False, "bool"), exception=ValueError, message=())],
    "after nothing": [lambda w: w.after(w.token, w.x, w.sin(w.x)),
                      lambda w: (lambda n: w.after(w.after(w.token, n), n))(w.add(w.r, w.m))],
    "ordered after nothing": [lambda w: w.ordered(w.fork(w.token), w.s)],
    "stop gradient": [lambda w: w.stop_gradient(w.x)],
    "inline": [called],
    "loop invariants": [invariant],
    "products after the loop": [accumulated],
    "products before the loop": [distributed],
    "known size": [lambda w: w.size(w.x, axis=0), lambda w: w.size(w.sin(w.m), axis=1)],
    "to its own sizes": [lambda w: w.broadcast_to(w.m, *w.sizes(w.m), dims=(MANY, ANY)),
                         lambda w: w.reshape(w.e, *w.sizes(w.e), dims=(ANY, ANY))],
    "broadcast twice": [lambda w: w.broadcast_to(w.like(w.s, w.m), w.int(2), *w.sizes(w.m), dims=(2, MANY, ANY)),
                        lambda w: w.like(w.expand_dims(w.sum(w.m, axes=(0,)), axes=(0,)), w.m)],
    "broadcast of scalars": [lambda w: w.multiply(w.like(w.s, w.m), w.like(w.t, w.m)),
                             lambda w: w.exp(w.like(w.s, w.e))],
    "broadcast operand": [lambda w: w.add(w.m, w.like(w.s, w.m)),
                          lambda w: w.add(w.m, w.like(w.sum(w.m, axes=(0,)), w.m))],
    "sum to a shape": [lambda w: w.sum_to(w.m, w.sin(w.m)), lambda w: w.sum_to(w.m, w.s),
                       lambda w: w.sum_to(w.m, w.expand_dims(w.sum(w.m, axes=(0,)), axes=(0,)))],
    "reduction of one": [lambda w, op=op: w.op(op, w.o, axes=(1,)) for op in ("prod", "max", "min")]
                        + [lambda w: w.prod(w.o, axes=(0, 1)), lambda w: w.prod(w.o, axes=())],
    "reduction of a transpose": [
        lambda w, op=op, axes=axes: w.op(op, turned(w, order), axes=axes)
        for op in ("sum", "prod", "max", "min") for order in ((1, 2, 0), (2, 1, 0), (0, 2, 1))
        for axes in ((0,), (1,), (2,), (0, 2), (0, 1, 2))] + [
        lambda w, op=op: w.op(op, w.transpose(w.isnan(w.m), permutation=(1, 0)), axes=(0,)) for op in ("any", "all")],
    "position in a transpose": [
        lambda w, op=op, axis=axis: w.op(op, turned(w, (2, 1, 0)), axis=axis)
        for op in ("argmax", "argmin") for axis in (0, 1, 2)],
    "transpose": [lambda w: w.transpose(w.m, permutation=(0, 1)),
                  lambda w: w.transpose(w.transpose(w.m, permutation=(1, 0)), permutation=(1, 0))],
    "reshape twice": [lambda w: w.reshape(w.reshape(w.x, w.int(50), w.int(2), dims=(50, 2)),
                                w.int(4), w.int(25), dims=(4, 25))],
    "no axes": [lambda w: w.squeeze(w.m, axes=()), lambda w: w.expand_dims(w.s, axes=())],
    "squeeze of expand_dims": [lambda w: w.squeeze(w.expand_dims(w.m, axes=(0, 2)), axes=(0, 2)),
                               lambda w: w.squeeze(w.expand_dims(w.o, axes=(0, 3)), axes=(0, 2)),
                               lambda w: w.squeeze(w.expand_dims(w.s, axes=(0, 1)), axes=(0,))],
    "expand_dims of squeeze": [lambda w: w.expand_dims(w.squeeze(w.o, axes=(1,)), axes=(1,))],
    "expand_dims twice": [lambda w: w.expand_dims(w.expand_dims(w.m, axes=(1,)), axes=(0, 2))],
    "slice of everything": [
        lambda w: w.slice(w.m, w.int(0), w.sizes(w.m)[0], w.int(1), axes=(0,), dims=(MANY, ANY)),
        lambda w: w.slice(w.m, w.int(0), w.sizes(w.m)[0], w.int(1), w.int(3),
                  w.int(2), w.int(-1), axes=(0, 1), dims=(MANY, 2))],
    "index of an update": [lambda w: w.index(w.update_index(w.r, w.s, w.int(2), axes=(0,), accumulate=False),
                                     w.int(2), axes=(0,))],
    "concatenation of one": [lambda w: w.concatenate(w.m, axis=0)],
}  # fmt: skip


def built(write):
    w = Write()
    node = write(w)
    return w.function("f", list(w.parameters.values()), node), [VALUES[name] for name in w.parameters]


def same(a, b):
    if isinstance(a, tuple | list):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    elif a is not None:
        np.testing.assert_array_equal(a, b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        if np.asarray(a).dtype.kind == "f":
            known = ~np.isnan(a)
            np.testing.assert_array_equal(np.signbit(a)[known], np.signbit(b)[known])


ELSEWHERE = {saved.NAME, joined.NAME}
"""They rewrite two loops at once: tests/opt/test_saved.py and test_joined.py."""


def test_every_rule_is_here():
    assert {r.name for r in ALL_RULES if not r.inexact} == set(FIRES) | ELSEWHERE
    assert len({r.name for r in ALL_RULES}) == len(ALL_RULES)
    assert all(r.reason for r in ALL_RULES)


@pytest.mark.parametrize(("name", "write"), [(n, w) for n, writes in FIRES.items() for w in writes])
def test_rule(name, write):
    function, arguments = built(write)
    check(function)
    alone = tuple(r for r in ALL_RULES if r.name == name)
    with with_fuel(None) as used:
        by_itself = simplify(function, alone)
    assert used.spent[name] >= 1
    optimised = optimise(function)
    expected = evaluate(function, *arguments)
    for result in (by_itself, optimised):
        check(result)
        same(evaluate(result, *arguments), expected)


STAYS = {
    "zero times a float": lambda w: w.multiply(w.x, 0.0),
    "a float minus itself": lambda w: w.subtract(w.x, w.x),
    "plus zero": lambda w: w.add(w.x, 0.0),
    "negated difference": lambda w: w.negative(w.subtract(w.x, w.y)),
    "not less, floats": lambda w: w.logical_not(w.less(w.x, w.y)),
    "narrowing cast": lambda w: w.cast(w.cast(w.x, dtype="float32"), dtype="float64"),
    "int to float and back": lambda w: w.cast(w.cast(w.i, dtype="float64"), dtype="int64"),
    "one of another size": lambda w: w.multiply(w.r, w.like(w.emit.constant(1.0, "float64"), w.m)),
    "sides of other sizes": lambda w: w.select(w.logical_and(w.less(w.m, 3.0), True), w.r, w.r),
    "division by three": lambda w: w.divide(w.x, 3.0),
    "broadcast that may fail": lambda w: w.like(w.like(w.r, w.h), w.m),
    "integer division by zero": lambda w: w.floor_divide(w.int(1), 0),
}


@pytest.mark.parametrize("name", STAYS)
def test_near_misses_stay(name):
    w = Write()
    node = STAYS[name](w)
    result = simplify(w.function("f", list(w.parameters.values()), node)).result
    assert result.op is node.op


def test_fuel_stops_at_one_rewrite():
    function, _ = built(lambda w: w.negative(w.negative(w.multiply(w.x, 1.0))))
    with with_fuel(1) as used:
        once = optimise(function)
    assert sum(used.spent.values()) == 1 and used.last.startswith("times one")
    assert once.result.op.name == "negative"
    with with_fuel(0):
        assert optimise(function) is function


def test_rules_can_be_switched_off():
    function, _ = built(lambda w: w.negative(w.negative(w.x)))
    with switched_off("negation twice"):
        assert optimise(function) is function
    assert optimise(function).result is function.parameters[0]


def test_no_fuel_still_compiles():
    for make in programs.ALL:
        function = make()
        with with_fuel(0):
            check(optimise(function))


def test_normal_form_is_reached_at_once():
    w = Write()
    node = w.x
    for _ in range(5000):
        node = w.negative(w.multiply(node, -1.0))
    assert simplify(w.function("f", [w.x], node)).result is w.x


def test_spans_travel():
    from arignote.ir.graph import Span

    w = Write()
    inner = w.multiply(w.x, -1.0)
    node = w.exp(inner)
    function = w.function("f", [w.x], node)
    here, there = frozenset({Span("a.py", "f", 1)}), frozenset({Span("a.py", "f", 2)})
    function.spans = {inner: here, node: there}
    result = optimise(function)
    assert result.spans[result.result] == there
    assert result.spans[result.result.inputs[0]] == here


def test_templates_survive():
    template = (PythonScalarOf("float64"), "\n")
    function, _ = built(lambda w: w.print(w.token, w.multiply(w.s, 1.0), template=template))
    assert optimise(function).result["template"] == template
