"""Every differentiable operation, in both modes, to second order, with operands that broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from arignote.ir.graph import Node
from arignote.ir.structure import ANY
from arignote.ir.types import Array, Scalar, Type
from arignote.ops.derivative import Linear, Partials, Rules
from arignote.ops.factor import triangle
from arignote.ops.table import OPERATIONS
from tests.autodiff.graphs import F64, I64, MATRIX, VECTOR, Build, array, define, verify

LOOSE, LOOSE_MATRIX = Array("float64", (ANY,)), Array("float64", (ANY, ANY))
COLUMN = Array("float64", (-1, 1))

ELEMENTWISE = [name for name, op in OPERATIONS.items() if isinstance(op.derivative, Partials)]
UNARY = [name for name in ELEMENTWISE if len(OPERATIONS[name].derivative.of) == 1]
BINARY = [name for name in ELEMENTWISE if len(OPERATIONS[name].derivative.of) == 2]
RANGES = {"arccosh": (1.2, 2.0), "arcsin": (-0.8, 0.8), "arccos": (-0.8, 0.8), "arctanh": (-0.8, 0.8)}

# digamma, the derivative of gammaln, has no derivative itself.
FIRST_ORDER_ONLY = {"gammaln"}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name: str) -> None:
    low, high = RANGES.get(name, (0.3, 0.9))
    order = 1 if name in FIRST_ORDER_ONLY else 2
    scalar = define(name, [F64], lambda e, x: e.op(name, x))
    verify(scalar, array(seed=3, low=low, high=high)[()], order=order)
    vector = define(name, [VECTOR], lambda e, x: e.op(name, x))
    verify(vector, array(3, seed=4, low=low, high=high), order=order)


SHAPES = [
    ([F64, F64], [(), ()]),
    ([VECTOR, VECTOR], [(3,), (3,)]),
    ([VECTOR, F64], [(3,), ()]),
    ([F64, MATRIX], [(), (2, 3)]),
    ([VECTOR, MATRIX], [(3,), (2, 3)]),
    ([COLUMN, VECTOR], [(2, 1), (3,)]),
    ([COLUMN, MATRIX], [(2, 1), (2, 3)]),
    ([LOOSE, LOOSE], [(1,), (3,)]),
    ([LOOSE_MATRIX, LOOSE], [(2, 1), (3,)]),
    ([LOOSE, VECTOR], [(1,), (3,)]),
    ([VECTOR, VECTOR], [(0,), (0,)]),
]


@pytest.mark.parametrize(("types", "shapes"), SHAPES)
@pytest.mark.parametrize("name", ["multiply", "divide"])
def test_broadcasting(name: str, types: Sequence[Type], shapes: Sequence[tuple[int, ...]]) -> None:
    args = [array(*shape, seed=i)[()] for i, shape in enumerate(shapes)]
    verify(define(name, types, lambda e, x, y: e.sin(e.op(name, x, y))), *args)


@pytest.mark.parametrize("name", BINARY)
def test_binary(name: str) -> None:
    f = define(name, [MATRIX, VECTOR], lambda e, x, y: e.op(name, x, y))
    x, y = array(2, 3, low=2.0, high=2.9), array(3, seed=1, low=1.1, high=1.8)
    verify(f, x, y)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_a_tie_gives_half_to_each(name: str) -> None:
    from arignote.autodiff.check import pulled
    from arignote.ir.evaluate import evaluate

    f = define(name, [F64, F64], lambda e, x, y: e.op(name, x, y))
    assert evaluate(pulled(f, (True, True)), 0.5, 0.5, 1.0) == (0.5, 0.5)


def _slice(e: Build, x: Node, start: int, count: int, step: int, axes: tuple[int, ...], dims: tuple[int, ...]) -> Node:
    return e.op("slice", x, *map(e.lift, (start, count, step)), axes=axes, dims=dims)


def _sized(e: Build, x: Node) -> list[Node]:
    return [e.size(x, 0), e.size(x, 1)]


CUBE = Array("float64", (-1, -1, -1))
SQUARE = Array("float64", (3, 3))
STRUCTURAL: dict[str, tuple[list[Type], list[Any], Callable[..., Node]]] = {
    "broadcast_to": ([VECTOR, MATRIX], [(3,), (2, 3)],
                     lambda e, x, m: e.multiply(e.op("broadcast_to", x, *_sized(e, m), dims=(-1, -1)), m)),
    "broadcast_to_loose": ([LOOSE, MATRIX], [(1,), (2, 3)],
                           lambda e, x, m: e.multiply(e.op("broadcast_to", x, *_sized(e, m), dims=(-1, -1)), m)),
    "sum_to": ([MATRIX, LOOSE], [(2, 3), (3,)], lambda e, m, x: e.multiply(e.op("sum_to", e.sin(m), x), x)),
    "reshape": ([MATRIX], [(2, 3)], lambda e, m: e.op("reshape", m, e.multiply(*_sized(e, m)), dims=(ANY,))),
    "transpose": ([MATRIX, MATRIX], [(2, 3), (3, 2)],
                  lambda e, a, b: e.multiply(e.op("transpose", a, permutation=(1, 0)), b)),
    "expand_dims": ([VECTOR, VECTOR], [(3,), (2,)], lambda e, x, y: e.multiply(e.op("expand_dims", x, axes=(1,)), y)),
    "squeeze": ([COLUMN], [(3, 1)], lambda e, x: e.op("squeeze", x, axes=(1,))),
    "concatenate": ([VECTOR, VECTOR], [(3,), (2,)], lambda e, x, y: e.sin(e.op("concatenate", x, y, x, axis=0))),
    "slice": ([MATRIX], [(2, 5)], lambda e, x: _slice(e, x, 3, 2, -2, (1,), (-1, 2))),
    "update_slice": ([VECTOR, VECTOR], [(5,), (2,)], lambda e, x, y: e.op(
        "update_slice", e.sin(x), e.exp(y), *map(e.lift, (3, 2, -2)), axes=(0,), accumulate=False)),
    "update_slice_adding": ([VECTOR, VECTOR], [(5,), (2,)], lambda e, x, y: e.op(
        "update_slice", e.sin(x), e.exp(y), *map(e.lift, (3, 2, -2)), axes=(0,), accumulate=True)),
    "index": ([MATRIX], [(2, 3)], lambda e, x: e.op("index", x, e.lift(1), e.lift(-1), axes=(0, 1))),
    "index_row": ([MATRIX], [(2, 3)], lambda e, x: e.sin(e.op("index", x, e.lift(-1), axes=(0,)))),
    "update_index": ([MATRIX, VECTOR], [(2, 3), (3,)], lambda e, x, y: e.op(
        "update_index", e.sin(x), e.exp(y), e.lift(1), axes=(0,), accumulate=False)),
    "update_index_adding": ([MATRIX, VECTOR], [(2, 3), (3,)], lambda e, x, y: e.op(
        "update_index", e.sin(x), e.exp(y), e.lift(1), axes=(0,), accumulate=True)),
    "gather": ([MATRIX], [(4, 3)], lambda e, x: e.sin(e.op("gather", x, e.iota(3, dtype="int64", dim=3), axis=0))),
    "gather_repeated": ([VECTOR], [(4,)], lambda e, x: e.sin(e.op("gather", x, _repeated(e), axis=0))),
    "scatter": ([VECTOR, VECTOR], [(4,), (4,)], lambda e, x, y: e.op(
        "scatter", e.sin(x), e.exp(y), _repeated(e), axis=0, accumulate=False)),
    "scatter_adding": ([VECTOR, VECTOR], [(4,), (4,)], lambda e, x, y: e.op(
        "scatter", e.sin(x), e.exp(y), _repeated(e), axis=0, accumulate=True)),
    "sum": ([CUBE], [(2, 3, 4)], lambda e, x: e.op("sum", e.sin(x), axes=(0, 2))),
    "prod": ([MATRIX], [(2, 3)], lambda e, x: e.op("prod", x, axes=(1,))),
    "prod_all": ([MATRIX], [(2, 3)], lambda e, x: e.op("prod", e.sin(x), axes=(0, 1))),
    "max": ([MATRIX], [(2, 3)], lambda e, x: e.exp(e.op("max", x, axes=(1,)))),
    "min": ([MATRIX], [(2, 3)], lambda e, x: e.exp(e.op("min", x, axes=(0,)))),
    "cumsum": ([MATRIX], [(2, 3)], lambda e, x: e.sin(e.op("cumsum", x, axis=1, reverse=False))),
    "cumsum_reverse": ([MATRIX], [(2, 3)], lambda e, x: e.sin(e.op("cumsum", x, axis=0, reverse=True))),
    "recurrence": ([MATRIX, MATRIX], [(3, 2), (3, 2)],
                   lambda e, a, b: e.op("recurrence", e.sin(a), e.exp(b), axis=0, reverse=False)),
    "recurrence_reverse": ([MATRIX, MATRIX], [(3, 2), (3, 2)],
                           lambda e, a, b: e.op("recurrence", e.sin(a), e.exp(b), axis=0, reverse=True)),
    "matmul": ([MATRIX, MATRIX], [(2, 3), (3, 4)], lambda e, a, b: e.sin(e.op("matmul", a, b))),
    "matmul_stacks": ([CUBE, Array("float64", (1, -1, -1))], [(3, 2, 3), (1, 3, 2)],
                      lambda e, a, b: e.sin(e.op("matmul", a, b))),
    "matmul_loose": ([Array("float64", (ANY, -1, -1)), Array("float64", (ANY, -1, -1))], [(1, 2, 3), (3, 3, 2)],
                     lambda e, a, b: e.sin(e.op("matmul", a, b))),
    "sort": ([MATRIX], [(2, 3)],
             lambda e, x: e.sin(e.multiply(e.op("sort", x, axis=1, stable=False),
                                           e.op("sort", e.exp(x), axis=0, stable=True)))),
    "select": ([VECTOR, VECTOR, F64], [(4,), (4,), ()], lambda e, x, y, z: e.multiply(
        e.op("select", e.less(x, y), e.sin(x), z), e.op("select", e.less(x, z), z, y))),
    "stop_gradient": ([F64, F64], [(), ()], lambda e, x, y: e.multiply(e.floor(x), y)),
    "norm": ([VECTOR], [(4,)], lambda e, x: e.sqrt(e.op("sum", e.multiply(x, x), axes=(0,)))),
    "softmax": ([MATRIX], [(2, 3)], lambda e, x: _softmax(e, x)),
    "layer": ([MATRIX, MATRIX, VECTOR], [(2, 3), (3, 4), (4,)],
              lambda e, x, w, b: e.tanh(e.add(e.op("matmul", x, w), b))),
    "variance": ([MATRIX], [(4, 3)], lambda e, x: _variance(e, x)),
    "lu_solve": ([SQUARE, MATRIX], [(3, 3), (3, 2)], lambda e, x, b: _solved(e, x, b, transposed=False)),
    "lu_solve_transposed": ([SQUARE, MATRIX], [(3, 3), (3, 2)], lambda e, x, b: _solved(e, x, b, transposed=True)),
    "log_abs_det": ([SQUARE], [(3, 3)], lambda e, x: _log_det(e, _regular(e, x))),
    "cholesky": ([SQUARE], [(3, 3)], lambda e, x: e.sin(e.op("cholesky", _definite(e, x)))),
    "cholesky_adjoint": ([SQUARE, SQUARE], [(3, 3), (3, 3)], lambda e, x, y: e.op(
        "cholesky_adjoint", e.op("cholesky", _definite(e, x)), e.sin(y))),
    "triangular_solve": ([SQUARE, MATRIX], [(3, 3), (3, 2)], lambda e, x, b: e.op(
        "triangular_solve", _regular(e, x), e.sin(b), lower=True, transposed=False, unit=False)),
    "triangular_solve_unit": ([SQUARE, MATRIX], [(3, 3), (3, 2)], lambda e, x, b: e.op(
        "triangular_solve", _regular(e, x), e.sin(b), lower=False, transposed=True, unit=True)),
}  # fmt: skip


def _regular(e: Build, x: Node) -> Node:
    """The matrix with 4 added on the diagonal."""
    return e.add(x, triangle(e, e.add(e.multiply(x, 0.0), 4.0), "equal"))


def _definite(e: Build, x: Node) -> Node:
    regular = _regular(e, x)
    return e.op("matmul", regular, e.op("transpose", regular, permutation=(1, 0)))


def _solved(e: Build, x: Node, b: Node, transposed: bool) -> Node:
    matrix = _regular(e, x)
    return e.op("lu_solve", matrix, e.op("lu", matrix), e.sin(b), transposed=transposed)


def _log_det(e: Build, matrix: Node) -> Node:
    return e.sin(e.op("log_abs_det", matrix, e.op("lu", matrix)))


def _repeated(e: Build) -> Node:
    """0 1 0 1"""
    return e.remainder(e.iota(4, dtype="int64", dim=4), 2)


def _softmax(e: Build, x: Node) -> Node:
    peak = e.op("expand_dims", e.op("max", x, axes=(1,)), axes=(1,))
    powers = e.exp(e.subtract(x, e.stop_gradient(peak)))
    return e.divide(powers, e.op("expand_dims", e.op("sum", powers, axes=(1,)), axes=(1,)))


def _variance(e: Build, x: Node) -> Node:
    count = e.cast(e.size(x, 0), "float64")
    centred = e.subtract(x, e.divide(e.op("sum", x, axes=(0,)), count))
    return e.divide(e.op("sum", e.multiply(centred, centred), axes=(0,)), count)


@pytest.mark.parametrize("name", STRUCTURAL)
def test_structural(name: str) -> None:
    types, shapes, body = STRUCTURAL[name]
    verify(define(name, types, body), *(array(*shape, seed=i)[()] for i, shape in enumerate(shapes)))


def test_casts() -> None:
    def f(e: Build, x: Node, n: Node) -> Node:
        single = e.cast(x, "float32")
        return e.multiply(e.cast(e.multiply(single, single), "float64"), e.multiply(e.cast(n, "float64"), x))

    verify(define("f", [F64, I64], f), 0.5, 3, order=2, step=1e-2, tolerance=2e-3)


def test_values_from_known_sizes() -> None:
    fixed = Array("float64", (3,))
    verify(define("f", [fixed, F64], lambda e, x, y: e.op("sum", e.multiply(e.sin(x), y), axes=(0,))), array(3), 0.5)


def test_every_differentiable_operation_is_here() -> None:
    rules = {name for name, op in OPERATIONS.items() if isinstance(op.derivative, Linear | Rules)}
    tested = set(STRUCTURAL) | {"cast"}
    assert rules <= tested, rules - tested


def test_float32_operands_keep_their_dtype() -> None:
    from arignote.autodiff.check import pulled
    from arignote.ir.check import check
    from arignote.ir.evaluate import evaluate

    single = Scalar("float32")
    for name in UNARY:
        made = pulled(define(name, [single], lambda e, x, name=name: e.op(name, x)), (True,))
        check(made)
        assert evaluate(made, 0.5, np.float32(1.0))[0].dtype == np.float32


@pytest.mark.parametrize("x", [0.0, 1.5])
def test_the_derivative_of_a_zeroth_power_is_zero(x: float) -> None:
    from arignote.autodiff.check import pulled
    from arignote.ir.evaluate import evaluate

    f = define("f", [F64, F64], lambda e, x, y: e.power(x, y))
    assert evaluate(pulled(f, (True, False)), x, 0.0, 1.0) == (0.0,)
    g = define("g", [F64], lambda e, x: e.power(x, 0.0))
    assert evaluate(pulled(g, (True,)), x, 1.0) == (0.0,)
