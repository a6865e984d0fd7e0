"""Gradients of random programs are the same before and after the optimiser."""

import numpy as np
import pytest

from arignote.autodiff.reverse import vjp
from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Function, Parameter
from arignote.ir.types import tangent_type
from arignote.ops.emit import Emit
from arignote.opt import optimise
from tests.opt.random_programs import Maker

INPUTS = [(0.5, -1.25, np.array([1.0, -0.5, 3.0]), 2, True), (-0.25, 2.0, np.zeros(0), 0, False)]


def gradient(function: Function) -> Function:
    """The result and the cotangents of a, b and x, for cotangents of the float results."""
    emit = Emit()
    parameters = [Parameter(p.name, p.type) for p in function.parameters]
    of_number, of_vector = (Parameter(f"g{i}", function.result_type.items[i]) for i in range(2))
    pair = emit.call(vjp(function, (True, True, True, False, False)), *parameters)
    cotangent = emit.tuple([of_number, of_vector, emit.op("tuple")])
    assert cotangent.type is tangent_type(function.result_type)
    back = emit.op("call", emit.item(pair, 1), cotangent)
    result = emit.tuple([*emit.items(emit.item(pair, 0)), *emit.items(back)])
    return emit.function("gradient", [*parameters, of_number, of_vector], result)


@pytest.mark.parametrize("seed", range(500, 540))
def test_gradients_stay(seed):
    function = Maker(seed).program()
    derivative = gradient(function)
    check(derivative)
    optimised = optimise(derivative)
    check(optimised)
    for inputs in INPUTS:
        size = evaluate(function, *inputs)[1].shape
        arguments = (*inputs, 0.75, np.full(size, -0.5))
        for a, b in zip(evaluate(derivative, *arguments), evaluate(optimised, *arguments), strict=True):
            np.testing.assert_array_equal(a, b)
