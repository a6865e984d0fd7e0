"""After optimisation a derivative has the operations that one would write by hand. Compared as text."""

import pytest

from arignote.autodiff.reverse import vjp
from arignote.ir.check import check
from arignote.ir.graph import Function, Parameter
from arignote.ir.structure import MANY
from arignote.ir.text import show
from arignote.ir.types import FLOAT64, Array
from arignote.ops.emit import Emit
from arignote.opt import optimise

VECTOR, MATRIX = Array("float64", (MANY,)), Array("float64", (MANY, MANY))


def cube(emit, x):
    return emit.op("power", x, emit.constant(3.0, "float64"))


def cube_by_hand(emit, x):
    return [emit.op("multiply", emit.constant(3.0, "float64"), emit.op("power", x, emit.constant(2.0, "float64")))]


def affine(emit, x, w, b):
    return emit.op("sum", emit.op("add", emit.op("matmul", x, w), b), axes=(0, 1))


def affine_by_hand(emit, x, w, b):
    ones = emit.op("broadcast_to", emit.constant(1.0, "float64"), emit.size(x, 0), emit.size(w, 1), dims=(MANY, MANY))
    of_x = emit.op("matmul", ones, emit.op("transpose", w, permutation=(1, 0)))
    of_w = emit.op("matmul", emit.op("transpose", x, permutation=(1, 0)), ones)
    return [of_x, of_w, emit.op("sum", ones, axes=(0,))]


def square_norm(emit, x):
    return emit.op("sum", emit.op("multiply", x, x), axes=(0,))


def square_norm_by_hand(emit, x):
    return [emit.op("add", x, x)]


def sine(emit, x):
    return emit.op("sum", emit.op("multiply", emit.op("sin", x), x), axes=(0,))


def sine_by_hand(emit, x):
    return [emit.op("add", emit.op("sin", x), emit.op("multiply", x, emit.op("cos", x)))]


def function_of(write, types) -> Function:
    emit = Emit()
    parameters = [Parameter(f"x{i}", t) for i, t in enumerate(types)]
    result = write(emit, *parameters)
    return emit.function("main", parameters, emit.tuple(result) if isinstance(result, list) else result)


def gradient(function: Function) -> Function:
    emit = Emit()
    parameters = [Parameter(p.name, p.type) for p in function.parameters]
    forward = vjp(function, (True,) * len(parameters))
    backward = emit.item(emit.call(forward, *parameters), 1)
    cotangents = emit.op("call", backward, emit.constant(1.0, "float64"))
    return emit.function("main", parameters, emit.tuple(emit.items(cotangents)))


@pytest.mark.parametrize(("write", "by_hand", "types"), [
    (cube, cube_by_hand, [FLOAT64]),
    (affine, affine_by_hand, [MATRIX, MATRIX, VECTOR]),
    (square_norm, square_norm_by_hand, [VECTOR]),
    (sine, sine_by_hand, [VECTOR]),
], ids=lambda x: getattr(x, "__name__", ""))  # fmt: skip
def test_derivative_collapses(write, by_hand, types):
    derivative = optimise(gradient(function_of(write, types)))
    check(derivative)
    assert show(derivative) == show(optimise(function_of(by_hand, types)))
