"""Rows that are asked for in advance: which loads ask, and that values stay the same."""

import numpy as np
import pytest

import arignote as ag


def layer_norm(x, w):
    centred = x - np.mean(x, axis=1, keepdims=True)
    return np.sum(centred / np.sqrt(np.mean(centred * centred, axis=1, keepdims=True) + 1e-5) * w, axis=1)


def row_sums(x, w):
    return np.sum(x * w, axis=1)


def softmax(x, w):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True) * w


def inputs(rows, columns, dtype="float64"):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, columns)).astype(dtype), rng.normal(size=(rows, columns)).astype(dtype)


def asked(program):
    """The number of loops that ask."""
    llvm = str(ag.inspect(ag.jit(program))(*inputs(7, 33)).llvm)
    blocks = llvm.split("\nb")
    return sum("call void @llvm.prefetch" in block for block in blocks)


def test_the_last_loop_that_reads_a_row_asks_for_the_next():
    assert asked(layer_norm) in (1, 2)  # without masks, and under a mask


def test_rows_that_are_gone_through_once_are_not_asked_for():
    assert asked(row_sums) == 0


@pytest.mark.parametrize("program", [layer_norm, row_sums, softmax])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(program, dtype):
    compiled = ag.jit(program)
    for rows, columns in [(0, 3), (1, 1), (3, 17), (5, 64), (130, 515), (3, 40_001)]:
        x, w = inputs(rows, columns, dtype)
        rtol = 2e-4 if dtype == "float32" else 1e-11
        np.testing.assert_allclose(compiled(x, w), program(x, w), rtol=rtol, atol=rtol)
