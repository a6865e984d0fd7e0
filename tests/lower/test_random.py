"""Random programs of everything at once: the interpreter of the graph and of the loop IR agree, and nothing leaks."""

import numpy as np
import pytest

from arignote.ir.types import UNIT, List, Tuple, Union, UnionDefinition
from tests.lower.harness import Array, Emit, Parameter, Scalar, agree_interpreted, main

N, ANY = -1, -2
F, I, B = Scalar("float64"), Scalar("int64"), Scalar("bool")
UNARY = ["sin", "tanh", "negative", "absolute", "floor", "sign"]
BINARY = ["add", "multiply", "subtract", "maximum", "minimum"]


class Writer:
    """Grows a random graph over matrices (n, m), vectors (m), scalars, and trees that hold them."""

    def __init__(self, rng, dims, depth=2, tree=None):
        self.rng, self.e, self.dims, self.depth = rng, Emit(), dims, depth
        self.tree = tree or tree_type(dims)
        self.trees = []
        self.matrices, self.vectors, self.scalars, self.integers = [], [], [], []

    def pick(self, pool):
        # Mostly recent values, so that programs are deep and things die early.
        return pool[-1 - int(self.rng.integers(min(len(pool), 6)))]

    def grow(self, steps):
        kinds = [
            self.unary,
            self.binary,
            self.mixed,
            self.reduce,
            self.rows,
            self.shape,
            self.update,
            self.gather,
            self.select,
            self.scan,
            self.listed,
            self.made,
            self.opened,
            self.opened,
        ]
        if self.depth:
            kinds += [self.cond, self.loop]
        for _ in range(steps):
            kinds[self.rng.integers(len(kinds))]()

    def unary(self):
        pool = [self.matrices, self.vectors, self.scalars][self.rng.integers(3)]
        pool.append(self.e.op(UNARY[self.rng.integers(len(UNARY))], self.pick(pool)))

    def binary(self):
        pool = [self.matrices, self.vectors, self.scalars][self.rng.integers(3)]
        pool.append(self.tame(self.e.op(BINARY[self.rng.integers(len(BINARY))], self.pick(pool), self.pick(pool))))

    def tame(self, x):
        return self.e.op("tanh", x) if self.rng.integers(3) == 0 else x

    def mixed(self):
        other = self.pick([self.vectors, self.scalars][self.rng.integers(2)])
        self.matrices.append(
            self.tame(self.e.op(BINARY[self.rng.integers(len(BINARY))], self.pick(self.matrices), other))
        )

    def reduce(self):
        op = ["sum", "max", "min", "prod"][self.rng.integers(4)]
        self.scalars.append(self.e.op("tanh", self.e.op(op, self.pick(self.matrices), axes=(0, 1))))

    def rows(self):
        op = ["sum", "max", "min"][self.rng.integers(3)]
        self.vectors.append(self.e.op("tanh", self.e.op(op, self.pick(self.matrices), axes=(0,))))
        column = self.e.op("expand_dims", self.e.op(op, self.pick(self.matrices), axes=(1,)), axes=(1,))
        self.matrices.append(self.e.op("subtract", self.pick(self.matrices), column))

    def shape(self):
        e, x = self.e, self.pick(self.matrices)
        n, m = e.size(x, 0), e.size(x, 1)
        choice = self.rng.integers(4)
        if choice == 0:
            y = e.op("sin", e.op("transpose", x, permutation=(1, 0)))
            self.matrices.append(e.op("transpose", y, permutation=(1, 0)))
        elif choice == 1:
            last = e.op("subtract", n, e.integer(1))
            self.matrices.append(e.op("slice", x, last, n, e.integer(-1), axes=(0,), dims=self.dims))
        elif choice == 2:
            flat = e.op("reshape", x, e.op("multiply", n, m), dims=(ANY,))
            self.matrices.append(e.op("reshape", e.op("tanh", flat), n, m, dims=self.dims))
        else:
            self.vectors.append(e.op("index", x, self.pick(self.integers), axes=(0,)))

    def update(self):
        e, x, i = self.e, self.pick(self.matrices), self.pick(self.integers)
        accumulate = bool(self.rng.integers(2))
        choice = self.rng.integers(3)
        if choice == 0:
            y = e.op("update_index", x, self.pick(self.scalars), i, i, axes=(0, 1), accumulate=accumulate)
        elif choice == 1:
            row = (
                self.pick(self.vectors)
                if self.rng.integers(2)
                else e.op("index", x, self.pick(self.integers), axes=(0,))
            )
            y = e.op("update_index", x, row, i, axes=(0,), accumulate=accumulate)
        else:
            y = e.op(
                "update_slice",
                x,
                e.op("sin", x),
                e.integer(0),
                e.size(x, 0),
                e.integer(1),
                axes=(0,),
                accumulate=accumulate,
            )
        self.matrices.append(y)

    def gather(self):
        e, x = self.e, self.pick(self.matrices)
        order = e.op("argsort", self.pick(self.vectors), axis=0, stable=False)
        if self.rng.integers(2):
            self.matrices.append(e.op("gather", x, order, axis=1))
        else:
            self.matrices.append(
                e.op("scatter", x, self.pick(self.matrices), order, axis=1, accumulate=bool(self.rng.integers(2)))
            )

    def select(self):
        e, x = self.e, self.pick(self.matrices)
        self.matrices.append(e.op("select", e.op("greater", x, self.pick(self.scalars)), x, self.pick(self.vectors)))

    def scan(self):
        self.matrices.append(
            self.e.op(
                "cumsum",
                self.e.op("tanh", self.pick(self.matrices)),
                axis=int(self.rng.integers(2)),
                reverse=bool(self.rng.integers(2)),
            )
        )

    def listed(self):
        e = self.e
        element = Array("float64", self.dims)
        values = e.op("list_new", e.integer(int(self.rng.integers(3))), element=element)
        for _ in range(3):
            values = e.op("list_push", values, self.pick(self.matrices))
        values = e.op("list_set", values, e.integer(0), self.pick(self.matrices))
        popped = e.op("list_pop", values)
        self.matrices += [
            e.item(popped, 1),
            e.op("list_get", values, e.integer(1)),
            e.op("list_get", e.item(popped, 0), e.integer(0)),
        ]

    def made(self):
        e = self.e
        below = e.op("list_new", e.integer(1), element=self.tree)
        for _ in range(self.rng.integers(3)):
            below = e.op("list_push", below, self.pick(self.trees))
        held = e.tuple([self.pick(self.trees), self.pick(self.matrices), self.pick(self.scalars), below])
        self.trees.append(e.op("inject", held, type=self.tree, alternative=1))

    def opened(self):
        """What a tree holds, or something else where it holds nothing."""
        e = self.e
        tree, matrix, scalar = Parameter("t", self.tree), Parameter("m", Array("float64", self.dims)), Parameter("s", F)
        left, array, number, below = e.items(e.op("project", tree, alternative=1))
        child = e.op("list_push", below, left)
        child = e.op("list_get", child, e.integer(0))
        number = e.op("add", number, e.cast(e.op("list_length", below), "float64"))
        full = e.function("full", [tree, matrix, scalar], e.tuple([child, array, e.op("tanh", number)]))
        given = [Parameter("t", self.tree), Parameter("m", Array("float64", self.dims)), Parameter("s", F)]
        nothing = e.op("list_new", e.integer(0), element=self.tree)
        kept = e.op("inject", e.tuple([*given, nothing]), type=self.tree, alternative=1)
        empty = e.function("empty", given, e.tuple([kept, *given[1:]]))
        captures = [self.pick(self.trees), self.pick(self.matrices), self.pick(self.scalars)]
        test = e.op("equal", e.op("tag", captures[0]), e.integer(1))
        found = e.op("cond", test, e.closure(full, captures), e.closure(empty, captures))
        for place, pool in enumerate((self.trees, self.matrices, self.scalars)):
            pool.append(e.item(found, place))

    def inner(self, steps, extra=()):
        """A function over some of what is here: (parameters, captures, writer inside)."""
        inside = Writer(self.rng, self.dims, self.depth - 1, self.tree)
        inside.e = self.e
        captures, parameters = [], []
        for pool, target, type_ in (
            (self.matrices, inside.matrices, Array("float64", self.dims)),
            (self.vectors, inside.vectors, Array("float64", self.dims[1:])),
            (self.scalars, inside.scalars, F),
            (self.integers, inside.integers, I),
            (self.trees, inside.trees, self.tree),
        ):
            for _ in range(2):
                node, parameter = self.pick(pool), Parameter("p", type_)
                captures.append(node)
                parameters.append(parameter)
                target.append(parameter)
        return parameters, captures, inside

    def cond(self):
        e, sides = self.e, []
        for _ in range(2):
            parameters, captures, inside = self.inner(3)
            inside.grow(3)
            picked = [inside.pick(pool) for pool in (inside.matrices, inside.scalars, inside.trees)]
            function = e.function("side", parameters, e.tuple(picked))
            sides.append(e.closure(function, captures))
        result = e.op("cond", e.op("greater", self.pick(self.scalars), e.constant(0, "float64")), *sides)
        for place, pool in enumerate((self.matrices, self.scalars, self.trees)):
            pool.append(e.item(result, place))

    def loop(self):
        e = self.e
        parameters, captures, inside = self.inner(3)
        i, a, s = Parameter("i", I), Parameter("a", Array("float64", self.dims)), Parameter("s", F)
        inside.matrices.append(a)
        inside.scalars.append(s)
        t = Parameter("t", self.tree)
        inside.trees.append(t)
        inside.grow(4)
        body = e.function(
            "body",
            [*parameters, i, a, s, t],
            e.tuple([e.op("tanh", inside.pick(inside.matrices)), inside.pick(inside.scalars),
                     inside.pick(inside.trees)]),  # fmt: skip
        )
        result = e.op(
            "for_loop",
            e.integer(int(self.rng.integers(4))),
            e.closure(body, captures),
            self.pick(self.matrices),
            self.pick(self.scalars),
            self.pick(self.trees),
        )
        for place, pool in enumerate((self.matrices, self.scalars, self.trees)):
            pool.append(e.item(result, place))


def tree_type(dims):
    """Nothing, or a tree, a matrix, a number and any number of trees."""
    definition = UnionDefinition("Tree")
    tree = Union(definition)
    return definition.define([UNIT, Tuple([tree, Array("float64", dims), F, List(tree)])])


SHAPES = [((N, N), (3, 4)), ((ANY, ANY), (3, 4)), ((ANY, ANY), (1, 4)), ((ANY, N), (0, 4)), ((ANY, ANY), (3, 1)),
          ((1, N), (1, 4)), ((N, 1), (3, 1)), ((3, 4), (3, 4)), ((ANY, ANY), (3, 0))]  # fmt: skip


def program(seed, steps):
    rng = np.random.default_rng(seed)
    dims, shape = SHAPES[0] if rng.integers(2) else SHAPES[rng.integers(len(SHAPES))]
    w = Writer(rng, dims)
    x, y = (Parameter(name, Array("float64", dims)) for name in "xy")
    v, s, i = Parameter("v", Array("float64", dims[1:])), Parameter("s", F), Parameter("i", I)
    w.matrices += [x, y]
    w.vectors.append(v)
    w.scalars.append(s)
    w.integers.append(i)
    w.trees.append(w.e.op("inject", w.e.tuple([]), type=w.tree, alternative=0))
    w.grow(steps)
    results = [w.pick(pool) for pool in (w.matrices, w.matrices, w.vectors, w.scalars, w.trees)]
    arguments = (
        rng.normal(size=shape),
        rng.normal(size=shape),
        rng.normal(size=shape[1]),
        0.3,
        int(rng.integers(-3, 3)),
    )
    return main(w.e, [x, y, v, s, i], *results), arguments


@pytest.mark.parametrize("seed", range(60))
def test_random_program(seed):
    function, arguments = program(seed, 12)
    agree_interpreted(function, *arguments, tolerance=1e-9)
