"""Matrix products that are added to a matrix: in its memory, wherever nothing else reads the product or the matrix."""

from __future__ import annotations

import numpy as np
import pytest

from arignote.ir.evaluate import evaluate
from arignote.ir.text_read import read
from arignote.lower.loop_ir_text import show as show_loops
from arignote.lower.lower import lower
from arignote.ops.table import OPERATIONS
from tests.lower.harness import run

RNG = np.random.default_rng(0)

SUM = """
@main(%c: f64[n,n], %a: f64[n,n], %b: f64[n,n]) -> f64[n,n]:
  %0 = add %c, 1.0:f64 : f64[n,n]
  %1 = transpose %a {permutation=(1, 0)} : f64[n,n]
  %2 = matmul %1, %b : f64[n,n]
  %3 = update_slice %0, %2 {accumulate=True, axes=()} : f64[n,n]
  return %3
"""
OF_AN_ARGUMENT = SUM.replace("update_slice %0", "update_slice %c")
OF_A_FACTOR = """
@main(%c: f64[n,n], %b: f64[n,n]) -> f64[n,n]:
  %0 = add %c, 1.0:f64 : f64[n,n]
  %1 = matmul %0, %b : f64[n,n]
  %2 = update_slice %0, %1 {accumulate=True, axes=()} : f64[n,n]
  return %2
"""
READ_TWICE = SUM.replace("return %3", "%4 = multiply %3, %2 : f64[n,n]\n  return %4")
WRITTEN_BETWEEN = """
@main(%c: f64[n,n], %a: f64[n,n], %b: f64[n,n]) -> f64[n,n]:
  %0 = add %c, 1.0:f64 : f64[n,n]
  %1 = multiply %b, 2.0:f64 : f64[n,n]
  %2 = matmul %a, %1 : f64[n,n]
  %3 = broadcast_to 3.0:f64, 1:i64, 1:i64 {dims=[1,1]} : f64[1,1]
  %4 = update_slice %1, %3, 0:i64, 1:i64, 1:i64, 0:i64, 1:i64, 1:i64 {accumulate=False, axes=(0, 1)} : f64[n,n]
  %5 = sum %4 {axes=(0, 1)} : f64
  %6 = multiply %0, %5 : f64[n,n]
  %7 = update_slice %6, %2 {accumulate=True, axes=()} : f64[n,n]
  return %7
"""


def lowered(text):
    function = read(text, OPERATIONS)
    return function, lower(function)


@pytest.mark.parametrize("text", [SUM, OF_AN_ARGUMENT, OF_A_FACTOR, READ_TWICE, WRITTEN_BETWEEN])
@pytest.mark.parametrize("size", [2, 3])
def test_values(text, size):
    function, program = lowered(text)
    given = [RNG.normal(size=(size, size)) for _ in function.parameters]
    kept = [x.copy() for x in given]
    np.testing.assert_allclose(run(program, function, *given), evaluate(function, *given), rtol=1e-12)
    for x, before in zip(given, kept):
        np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("text, sums", [(SUM, 1), (OF_AN_ARGUMENT, 1), (OF_A_FACTOR, 0), (READ_TWICE, 0)])
def test_loops(text, sums):
    loops = show_loops(lowered(text)[1].program)
    assert loops.count("ag_product_sum_f64(") == sums and loops.count("ag_product_f64(") == 1 - sums


def test_shapes_are_checked():
    function, program = lowered(SUM)
    with pytest.raises(ValueError, match="could not broadcast input array from shape"):
        run(program, function, np.zeros((2, 3)), np.zeros((4, 2)), np.zeros((4, 5)))
    with pytest.raises(ValueError, match="mismatch in its core dimension"):
        run(program, function, np.zeros((2, 3)), np.zeros((4, 2)), np.zeros((5, 3)))
