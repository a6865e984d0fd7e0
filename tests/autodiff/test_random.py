"""Random programs of calls, closures, branches, loops and lists: both modes against differences, to second order."""

from __future__ import annotations

import numpy as np
import pytest

from arignote.ir.graph import Function, Node
from arignote.ir.types import FLOAT64, List, Type
from tests.autodiff.graphs import F64, I64, VECTOR, Build, array, define, verify

SMOOTH = ("sin", "cos", "tanh", "arctan")


class Programs:
    """Draws programs. A body is drawn over parameters of given types; it may call and loop over bodies drawn before."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.count = 0

    def pick(self, items: list[Node]) -> Node:
        return items[self.random.integers(len(items))]

    def function(self, types: list[Type], results: list[Type], depth: int, single: bool = False) -> Function:
        """A function of these types that gives a tuple of results, or one."""
        self.count += 1

        def body(e: Build, *parameters: Node) -> Node:
            values = list(parameters)
            for _ in range(self.random.integers(2, 5)):
                values.append(self.step(e, values, depth))
            found = [self.of_type(e, values, t) for t in results]
            return found[0] if single else e.tuple(found)

        return define(f"f{self.count}", types, body)

    def of_type(self, e: Build, values: list[Node], type_: Type) -> Node:
        """A value of a type, bounded, so that loops do not run away."""
        fitting = [x for x in values if x.type is type_]
        x = self.pick(fitting)
        return x if type_ is I64 else e.op(SMOOTH[self.random.integers(len(SMOOTH))], x)

    def step(self, e: Build, values: list[Node], depth: int) -> Node:
        scalars = [x for x in values if x.type is F64]
        vectors = [x for x in values if x.type is VECTOR]
        choice = self.random.integers(9 if depth > 0 else 4)
        x, v = self.pick(scalars), self.pick(vectors)
        if choice == 0:
            return e.multiply(x, self.pick(scalars + vectors))
        if choice == 1:
            return e.add(v, e.op("sin", self.pick(scalars + vectors)))
        if choice == 2:
            return e.index(v, e.lift(self.random.integers(2).item()), axes=(0,))
        if choice == 3:
            return e.update_index(v, x, e.lift(1), axes=(0,), accumulate=bool(self.random.integers(2)))
        if choice == 4:
            callee = self.function([F64, VECTOR], [self.result()], depth - 1, single=True)
            return e.call(callee, x, v)
        if choice == 5:
            result = self.result()
            sides = [e.closure(self.function([F64, VECTOR, F64], [result], depth - 1, single=True),
                               [self.pick(scalars), v, x]) for _ in range(2)]  # fmt: skip
            return e.cond(e.less(self.pick(scalars), x), *sides)
        if choice == 6:
            body = self.function([F64, VECTOR, I64, F64, VECTOR], [F64, VECTOR], depth - 1)
            loop = e.for_loop(
                self.random.integers(4).item(), e.closure(body, [x, v]), self.pick(scalars), self.pick(vectors)
            )
            return e.item(loop, self.random.integers(2).item())
        if choice == 7:
            condition = define("condition", [VECTOR, F64, I64], lambda e, v, x, n: e.less(n, 2))
            step = self.function([F64, VECTOR, F64], [VECTOR, F64], depth - 1)

            def body(e: Build, a: Node, v: Node, x: Node, n: Node) -> Node:
                return e.tuple([*e.items(e.call(step, a, v, x)), e.add(n, 1)])

            counted = define("counted", [F64, VECTOR, F64, I64], body)
            loop = e.while_loop(e.closure(condition), e.closure(counted, [x]), v, self.pick(scalars), 0)
            return e.item(loop, self.random.integers(2).item())
        values = e.list_new(e.lift(2), element=F64)
        for _ in range(2):
            values = e.list_push(values, self.pick(scalars))
        values = e.list_set(values, 0, e.multiply(e.list_get(values, 1), x))
        reading = define("reading", [List(FLOAT64), I64, F64],
                         lambda e, l, i, s: e.tuple([e.sin(e.add(s, e.list_get(l, i)))]))  # fmt: skip
        return e.item(e.for_loop(2, e.closure(reading, [values]), x), 0)

    def result(self) -> Type:
        return F64 if self.random.integers(2) else VECTOR


@pytest.mark.parametrize("seed", range(30))
def test_random_programs(seed: int) -> None:
    f = Programs(seed).function([F64, VECTOR], [F64, VECTOR], 2)
    verify(f, 0.4, array(2, seed=seed, low=-1.0), order=2, tolerance=1e-4)
