"""Recursive data for the tests of the transforms: unions, functions over them, and values of any shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from arignote.ir.check import check
from arignote.ir.graph import Function, Node, Parameter
from arignote.ir.types import FLOAT64, UNIT, List, Tuple, Type, Union, UnionDefinition
from tests.autodiff.graphs import F64, I64, VECTOR, Build, define


def union(name: str, *alternatives: Any) -> Union:
    """A union; alternatives are types, or functions from the union to a type."""
    definition = UnionDefinition(name)
    self = Union(definition)
    return definition.define([t(self) if callable(t) and not isinstance(t, Type) else t for t in alternatives])


TREE = union("Tree", UNIT, lambda t: Tuple([FLOAT64, t, t]))
"""Nothing, or a number and two trees."""

VECTORS = union("Vectors", Tuple([VECTOR]), lambda t: Tuple([t, t]))
"""Leaves that hold arrays."""

CHAIN = union("Chain", UNIT, lambda t: Tuple([FLOAT64, t]))
"""A linked list."""

ROSE = union("Rose", lambda t: Tuple([FLOAT64, List(t)]))
"""A number and any number of trees."""

EXPRESSION = union("Expression", Tuple([FLOAT64]), UNIT, lambda t: Tuple([t, t]), lambda t: Tuple([t, t]),
                   lambda t: Tuple([t]))  # fmt: skip
"""A number, the variable, a sum, a product, a sine."""


class Recursive:
    """A function under construction, which may call itself."""

    def __init__(self, name: str, types: list[Type], result: Type) -> None:
        self.function = Function(name, [Parameter(f"x{i}", t) for i, t in enumerate(types)])
        self.function.declare(result)

    def body(self, make: Any) -> Function:
        e = Build()
        self.function.define(make(e, *self.function.parameters))
        check(self.function)
        return self.function


def branch(e: Build, union: Node, alternative: int, then: Function, otherwise: Function, *captures: Node) -> Node:
    """One of two functions of (union, *captures)."""
    test = e.equal(e.tag(union), alternative)
    return e.cond(test, e.closure(then, [union, *captures]), e.closure(otherwise, [union, *captures]))


def parts(e: Build, union: Node, alternative: int) -> list[Node]:
    return e.items(e.project(union, alternative=alternative))


def tree_value() -> Function:
    """f(t, w) = w where t is nothing, otherwise sin(value * f(left)) + w * f(right)."""
    f = Recursive("tree_value", [TREE, F64], FLOAT64)

    def full(e: Build, t: Node, w: Node) -> Node:
        value, left, right = parts(e, t, 1)
        return e.add(e.sin(e.multiply(value, e.call(f.function, left, w))), e.multiply(w, e.call(f.function, right, w)))

    nothing = define("nothing", [TREE, F64], lambda e, t, w: w)
    return f.body(lambda e, t, w: branch(e, t, 0, nothing, unchecked("full", [TREE, F64], full), w))


def unchecked(name: str, types: list[Type], body: Any) -> Function:
    """A function whose callees are not defined yet."""
    e = Build()
    parameters = [Parameter(f"x{i}", t) for i, t in enumerate(types)]
    return Function(name, parameters, body(e, *parameters))


def vectors_value() -> Function:
    """A small TreeLSTM-like network: tanh(w * (left + right)) above the leaves' sines."""
    f = Recursive("vectors_value", [VECTORS, VECTOR], VECTOR)

    def inner(e: Build, t: Node, w: Node) -> Node:
        left, right = parts(e, t, 1)
        return e.tanh(e.multiply(w, e.add(e.call(f.function, left, w), e.call(f.function, right, w))))

    leaf = define("leaf", [VECTORS, VECTOR], lambda e, t, w: e.sin(parts(e, t, 0)[0]))
    return f.body(lambda e, t, w: branch(e, t, 0, leaf, unchecked("inner", [VECTORS, VECTOR], inner), w))


def rose_value() -> Function:
    """f(t) = value * prod over children of (1 + sin f(child))."""
    f = Recursive("rose_value", [ROSE], FLOAT64)

    def step(e: Build, children: Node, i: Node, product: Node) -> Node:
        below = e.call(f.function, e.list_get(children, i))
        return e.tuple([e.multiply(product, e.add(1.0, e.sin(below)))])

    def body(e: Build, t: Node) -> Node:
        value, children = parts(e, t, 0)
        closure = e.closure(unchecked("step", [List(ROSE), I64, F64], step), [children])
        return e.item(e.for_loop(e.list_length(children), closure, value), 0)

    return f.body(body)


def expression_value() -> Function:
    """An interpreter: f(expression, x)."""
    f = Recursive("interpret", [EXPRESSION, F64], FLOAT64)
    types: list[Type] = [EXPRESSION, F64]
    number = define("number", types, lambda e, t, x: parts(e, t, 0)[0])
    variable = define("variable", types, lambda e, t, x: x)

    def both(name: str, alternative: int) -> Function:
        def body(e: Build, t: Node, x: Node) -> Node:
            a, b = (e.call(f.function, part, x) for part in parts(e, t, alternative))
            return e.op("add" if alternative == 2 else "multiply", a, b)

        return unchecked(name, types, body)

    sine = unchecked("sine", types, lambda e, t, x: e.sin(e.call(f.function, parts(e, t, 4)[0], x)))
    rest = unchecked("rest", types, lambda e, t, x: branch(e, t, 3, both("product", 3), sine, x))
    rest = unchecked("rest", types, lambda e, t, x, r=rest: branch(e, t, 2, both("sum", 2), r, x))
    rest = unchecked("rest", types, lambda e, t, x, r=rest: branch(e, t, 1, variable, r, x))
    return f.body(lambda e, t, x: branch(e, t, 0, number, rest, x))


def chain_value() -> Function:
    """A loop along a linked list: s = sin(s * value) + value, while there is a rest."""
    condition = define("more", [CHAIN, F64], lambda e, rest, s: e.not_equal(e.tag(rest), 0))

    def step(e: Build, rest: Node, s: Node) -> Node:
        value, following = parts(e, rest, 1)
        return e.tuple([following, e.add(e.sin(e.multiply(s, value)), value)])

    body = define("step", [CHAIN, F64], step)

    def run(e: Build, rest: Node, s: Node) -> Node:
        return e.item(e.while_loop(e.closure(condition), e.closure(body), rest, s), 1)

    return define("chain_value", [CHAIN, F64], run)


# values --------------------------------------------------------------------------------------------------------------


def tree(size: int, generator: np.random.Generator) -> Any:
    if size == 0:
        return (0, ())
    left = int(generator.integers(size))
    return (1, (number(generator), tree(left, generator), tree(size - 1 - left, generator)))


def number(generator: np.random.Generator) -> np.float64:
    return np.float64(generator.uniform(0.5, 1.5))


def vectors(leaves: int, generator: np.random.Generator) -> Any:
    if leaves == 1:
        return (0, (generator.uniform(0.5, 1.5, 3),))
    left = int(generator.integers(1, leaves))
    return (1, (vectors(left, generator), vectors(leaves - left, generator)))


def chain(length: int, generator: np.random.Generator) -> Any:
    found: Any = (0, ())
    for _ in range(length):
        found = (1, (number(generator), found))
    return found


def rose(depth: int, generator: np.random.Generator) -> Any:
    count = int(generator.integers(3)) if depth else 0
    return (0, (number(generator), [rose(depth - 1, generator) for _ in range(count)]))


def expression(depth: int, generator: np.random.Generator) -> Any:
    kind = int(generator.integers(5)) if depth else int(generator.integers(2))
    if kind == 0:
        return (0, (number(generator),))
    if kind == 1:
        return (1, ())
    count = 1 if kind == 4 else 2
    return (kind, tuple(expression(depth - 1, generator) for _ in range(count)))
