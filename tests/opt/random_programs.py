"""Random well-typed programs: arithmetic, tuples, calls, closures passed on, branches, counted and conditional
loops."""

from __future__ import annotations

import random

from arignote.ir.graph import Function, Node, Parameter
from arignote.ir.structure import MANY
from arignote.ir.types import BOOL, FLOAT64, INT64, Array, Closure, Tuple, Type
from arignote.ops.emit import Emit

VECTOR = Array("float64", (MANY,))
LEAVES: tuple[Type, ...] = (FLOAT64, FLOAT64, VECTOR, INT64, BOOL)


class Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        self.finished: list[Function] = []

    def name(self) -> str:
        self.count += 1
        return f"f{self.count}"

    def program(self) -> Function:
        types = (("a", FLOAT64), ("b", FLOAT64), ("x", VECTOR), ("n", INT64), ("c", BOOL))
        parameters = [Parameter(*given) for given in types]
        scope = Scope(self, parameters, depth=0)
        scope.grow(self.random.randint(4, 12))
        results = [scope.pick(t) for t in (FLOAT64, VECTOR, INT64)]
        return scope.emit.function("main", parameters, scope.emit.tuple(results))

    def function(self, captured: list[Type], arguments: list[Type], results: list[Type] | None, depth: int) -> Function:
        """A function with these parameters; it gives a tuple of `results`, or one number."""
        if results is not None and self.random.random() < 0.3:
            for known in self.finished:
                if [p.type for p in known.parameters] == captured + arguments and known.result_type is Tuple(results):
                    return known
        parameters = [Parameter(f"p{i}", t) for i, t in enumerate(captured + arguments)]
        scope = Scope(self, parameters, depth + 1)
        scope.grow(self.random.randint(1, 5))
        result = scope.pick(FLOAT64) if results is None else scope.emit.tuple([scope.pick(t) for t in results])
        function = scope.emit.function(self.name(), parameters, result)
        self.finished.append(function)
        return function


class Scope:
    def __init__(self, maker: Maker, parameters: list[Parameter], depth: int) -> None:
        self.maker, self.random, self.depth = maker, maker.random, depth
        self.emit = Emit()
        self.values: list[Node] = list(parameters)

    def pick(self, type_: Type) -> Node:
        found = [v for v in self.values if v.type is type_]
        if found and self.random.random() < 0.9:
            return self.random.choice(found)
        if type_ is FLOAT64:
            return self.emit.constant(self.random.choice([0.0, 1.0, -1.0, 0.5, 2.0]), "float64")
        if type_ is INT64:
            return self.emit.integer(self.random.randint(-1, 3))
        if type_ is BOOL:
            return self.emit.constant(self.random.random() < 0.5, "bool")
        if isinstance(type_, Array):
            three = self.emit.integer(3)
            return found[0] if found else self.emit.op("broadcast_to", self.pick(FLOAT64), three, dims=(MANY,))
        assert isinstance(type_, Closure)
        return self.emit.closure(type_.function, [self.pick(t) for t in type_.capture_types])

    def grow(self, steps: int) -> None:
        for _ in range(steps):
            actions = [self.arithmetic] * 5 + [self.comparison, self.vector, self.integer]
            if self.depth < 3:
                actions += [self.call, self.branch, self.for_loop, self.while_loop, self.hand_on]
            self.random.choice(actions)()

    def add(self, node: Node) -> None:
        if isinstance(node.type, Tuple):
            parts = self.emit.items(node)
            self.values.extend(self.random.sample(parts, self.random.randint(0, len(parts))))
        else:
            self.values.append(node)

    def arithmetic(self) -> None:
        name = self.random.choice(["add", "subtract", "multiply", "maximum", "power", "sin", "tanh", "negative"])
        a = self.pick(FLOAT64)
        if name in ("sin", "tanh", "negative"):
            self.add(self.emit.op(name, a))
        else:
            b = self.emit.constant(self.random.choice([1.0, 2.0]), "float64") if name == "power" else self.pick(FLOAT64)
            self.add(self.emit.op(name, a, b))

    def vector(self) -> None:
        x = self.pick(VECTOR)
        kind = self.random.randint(0, 3)
        if kind == 0:
            self.add(self.emit.op("sum", x, axes=(0,)))
        elif kind == 1:
            self.add(self.emit.op("multiply", x, self.pick(FLOAT64)))
        elif kind == 2:
            self.add(self.emit.op("sin", x))
        else:
            self.add(self.emit.broadcast_like(self.pick(FLOAT64), x))

    def integer(self) -> None:
        i = self.emit.op(self.random.choice(["add", "subtract", "multiply"]), self.pick(INT64), self.pick(INT64))
        self.add(self.emit.op("minimum", i, self.emit.integer(3)))

    def comparison(self) -> None:
        kind = self.random.choice([FLOAT64, INT64])
        node = self.emit.op(self.random.choice(["less", "equal"]), self.pick(kind), self.pick(kind))
        self.add(self.emit.op("logical_not", node) if self.random.random() < 0.3 else node)

    def types(self, least: int = 0) -> list[Type]:
        return [self.random.choice(LEAVES) for _ in range(self.random.randint(least, 3))]

    def closure(self, arguments: list[Type], results: list[Type] | None) -> Node:
        captured = self.types()
        function = self.maker.function(captured, arguments, results, self.depth)
        return self.emit.closure(function, [self.pick(p.type) for p in function.parameters[: len(captured)]])

    def call(self) -> None:
        arguments = self.types()
        callee = self.closure(arguments, self.random.choice([None, self.types(1)]))
        for _ in range(self.random.randint(1, 2)):
            self.add(self.emit.op("call", callee, *map(self.pick, arguments)))

    def hand_on(self) -> None:
        """A function that takes a closure and calls it, or gives one back."""
        inner = self.closure([FLOAT64], [FLOAT64, FLOAT64])
        f, a = Parameter("f", inner.type), Parameter("a", FLOAT64)
        emit = Emit()
        if self.random.random() < 0.5:
            outer = emit.function(self.maker.name(), [f, a], emit.op("call", f, emit.op("sin", a)))
            self.add(self.emit.op("call", self.emit.closure(outer), inner, self.pick(FLOAT64)))
        else:
            assert isinstance(inner.type, Closure)
            given = [Parameter(f"g{i}", t) for i, t in enumerate(inner.type.capture_types)]
            outer = emit.function(self.maker.name(), given, emit.tuple([emit.closure(inner.type.function, given)]))
            made = self.emit.op("call", self.emit.closure(outer), *(self.pick(p.type) for p in given))
            self.add(self.emit.op("call", self.emit.op("item", made, index=0), self.pick(FLOAT64)))

    def branch(self) -> None:
        results = self.random.choice([None, self.types(1)])
        self.add(self.emit.op("cond", self.pick(BOOL), self.closure([], results), self.closure([], results)))

    def for_loop(self) -> None:
        carried = self.types(1)
        body = self.closure([INT64, *carried], carried)
        self.add(self.emit.op("for_loop", self.pick(INT64), body, *map(self.pick, carried)))

    def while_loop(self) -> None:
        """A counter makes it end."""
        carried = self.types()
        emit = Emit()
        limit, counter = Parameter("limit", INT64), Parameter("counter", INT64)
        rest = [Parameter(f"r{i}", t) for i, t in enumerate(carried)]
        test: Node = emit.op("less", counter, limit)
        flags = [p for p in rest if p.type is BOOL]
        if flags:
            test = emit.op("logical_and", test, flags[0])
        condition = emit.function(self.maker.name(), [limit, counter, *rest], test)
        step = self.closure(carried, carried)
        f = Parameter("f", step.type)
        emit = Emit()
        counter, rest = Parameter("counter", INT64), [Parameter(f"r{i}", t) for i, t in enumerate(carried)]
        more = emit.op("add", counter, emit.integer(1))
        result = emit.tuple([more, *emit.items(emit.op("call", f, *rest))])
        body = emit.function(self.maker.name(), [f, counter, *rest], result)
        init = [self.emit.integer(0), *map(self.pick, carried)]
        closures = [self.emit.closure(condition, [self.pick(INT64)]), self.emit.closure(body, [step])]
        self.add(self.emit.op("while_loop", *closures, *init))


