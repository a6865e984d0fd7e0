"""Kernels over the same rows become one: values against NumPy, and what the program looks like."""

import numpy as np
import pytest

import arignote as ag
from arignote.lower.loop_ir import Alloc, Kernel, Scratch
from tests.lower.harness import Array, Emit, Parameter, agree, count, counts, main

N = -1
rng = np.random.default_rng(0)
SHAPES = [(0, 3), (1, 1), (3, 0), (1, 7), (17, 33), (70, 5), (3, 20_000)]
"""The last one has rows that are longer than the room on the stack."""


def vector(name, dtype="float64", dims=(N,)):
    return Parameter(name, Array(dtype, dims))


def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def layer_norm(x):
    centred = x - np.mean(x, axis=1, keepdims=True)
    return centred / np.sqrt(np.mean(centred * centred, axis=1, keepdims=True) + 1e-5)


def columns_after_rows(x):
    y = x - np.sum(x, axis=1, keepdims=True)
    return np.sum(y * y, axis=0), np.sum(y)


def mixed(x):
    row = np.sum(x, axis=1)
    total = np.sum(row * row)
    return x * row[:, np.newaxis] + total, row


def log_softmax_loss(x):
    shifted = x - np.max(x, axis=1, keepdims=True)
    return np.sum((shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))) ** 2)


def leaves(tree):
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, tuple) else [tree]


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("program", [softmax, layer_norm, columns_after_rows, mixed])
def test_values(program):
    compiled = ag.jit(program)
    for shape in SHAPES:
        x = rng.normal(size=shape)
        if program is softmax and shape[1] == 0:
            continue
        with np.errstate(all="ignore"):
            expected = leaves(program(x))
        for found, wanted in zip(leaves(compiled(x)), expected, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * max(1.0, x.size))


def test_nan_stays_in_its_row():
    x = rng.normal(size=(20, 9))
    x[3, 4], x[7, 0] = np.nan, np.inf
    with np.errstate(all="ignore"):
        expected = layer_norm(x)
    np.testing.assert_allclose(ag.jit(layer_norm)(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(1, 4), (17, 33), (100, 3), (2, 20_000)])
def test_gradient(shape):
    x = rng.normal(size=shape)
    found = ag.jit(ag.grad(log_softmax_loss))(x)
    p = softmax(x)
    outer = 2 * np.log(p)
    np.testing.assert_allclose(found, outer - p * np.sum(outer, axis=1, keepdims=True), rtol=1e-8, atol=1e-8)


def test_reduction_to_an_array_of_size_one():
    """Its kept axis is known to have size 1, so that no loop is kept; it is still an array to be written."""

    def program(x, w):
        return np.sum(w * np.all(x, axis=(0, -1)))

    for value in (1.0, 0.0):
        x, w = np.ones((20, 1, 3)), rng.normal(size=1)
        x[-1, 0, -1] = value
        assert ag.jit(program)(x, w) == program(x, w)


def test_strided_and_threads():
    x = rng.normal(size=(300, 400))[::2, ::-1]
    threads = ag.get_num_threads()
    found = []
    for number in (1, threads):
        ag.set_num_threads(number)
        found.append(ag.jit(columns_after_rows)(x))
    for one, other, wanted in zip(*found, columns_after_rows(x), strict=True):
        assert np.array_equal(one, other)
        np.testing.assert_allclose(one, wanted, rtol=1e-11)


def test_softmax_is_one_kernel_and_stores_no_row_but_its_result():
    e, x = Emit(), vector("x", dims=(N, N))
    top = e.op("expand_dims", e.op("max", x, axes=(1,)), axes=(1,))
    exponentials = e.op("exp", e.op("subtract", x, top))
    total = e.op("expand_dims", e.op("sum", exponentials, axes=(1,)), axes=(1,))
    lowered = agree(main(e, [x], e.op("divide", exponentials, total)), rng.normal(size=(3, 4)))
    assert counts(lowered)[0] == 1
    assert count(lowered.program, Kernel) == 1
    assert count(lowered.program, Scratch) <= 1
    assert count(lowered.program, Alloc) <= 2


def test_other_rows_are_not_fused():
    e, x = Emit(), vector("x", dims=(N, N))
    sums = e.op("sum", x, axes=(1,))
    flipped = e.op("slice", sums, e.op("subtract", e.size(x, 0), e.integer(1)), e.size(x, 0), e.integer(-1),
                   axes=(0,), dims=(-2,))  # fmt: skip
    shown = e.op("multiply", x, e.op("expand_dims", flipped, axes=(1,)))
    lowered = agree(main(e, [x], e.op("sum", shown, axes=(1,))), rng.normal(size=(5, 4)))
    assert counts(lowered)[0] == 2


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions_along_the_first_axis(name):
    def program(x):
        return np.argmax(x, axis=0) if name == "argmax" else np.argmin(x, axis=0)

    compiled = ag.jit(program)
    for shape in [(1, 5), (17, 33), (200, 7), (5, 6, 7), (40, 0)]:
        for dtype in ("float32", "float64", "int64"):
            x = (rng.normal(size=shape) * 3).astype(dtype)
            assert np.array_equal(compiled(x), program(x))
            if x.size and dtype != "int64":
                x.flat[[x.size // 2, x.size // 3]] = np.nan
                assert np.array_equal(compiled(x), program(x))
    x = np.full((100, 3), -np.inf)
    assert np.array_equal(compiled(x), program(x))
    x[70:] = np.nan
    assert np.array_equal(compiled(x), program(x))


@pytest.mark.parametrize("name", ["sum", "max"])
def test_several_rows_at_once(name):
    def program(x):
        return np.sum(x * 2.0, axis=0) if name == "sum" else np.max(x, axis=0)

    compiled = ag.jit(program)
    for shape in [(1, 3), (3, 5), (4, 1), (67, 3), (4100, 9), (8, 0)]:
        x = rng.normal(size=shape)
        np.testing.assert_allclose(compiled(x), program(x), rtol=1e-12, atol=1e-11)
    assert np.array_equal(ag.jit(lambda x: np.sum(x, axis=0))(np.zeros((0, 3))), np.zeros(3))


def test_rows_of_which_a_row_mean_is_subtracted():
    program = lambda x: (np.var(x, axis=0), np.sum((x - x[0]) * (x - np.mean(x, axis=0)), axis=0))  # noqa: E731
    compiled = ag.jit(program)
    for shape in [(1, 3), (3, 5), (4, 1), (67, 3), (4100, 9), (300, 70)]:
        x = rng.normal(size=shape)
        for found, wanted in zip(compiled(x), program(x), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11)


def logsumexp(x):
    largest = np.max(x, axis=(0, 2), keepdims=True)
    return np.log(np.sum(np.exp(x - largest), axis=(0, 2))) + largest[0, :, 0]


def test_what_is_kept_may_be_the_middle_axis():
    compiled = ag.jit(logsumexp)
    for shape in [(3, 5, 4), (1, 7, 1), (64, 1, 3), (2, 0, 3), (1, 1, 1), (5, 300, 7)]:
        x = rng.normal(size=shape)
        np.testing.assert_allclose(compiled(x), logsumexp(x), rtol=1e-13)
    x[2, 100, 3] = np.nan
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(compiled(x), logsumexp(x), rtol=1e-13)
    kernels = str(ag.inspect(logsumexp)(x).loops).split("kernel ")
    assert any("maximum(" in kernel and "exp(" in kernel for kernel in kernels)


def test_a_loss_and_its_gradient_go_through_the_rows_once():
    def loss(x):
        return np.sum(layer_norm(x) ** 3)

    compiled = ag.value_and_grad(loss)
    for shape in [(1, 4), (17, 33), (40, 300), (20_000, 3)]:  # the sum over rows has one block of rows, or several
        x = rng.normal(size=shape)
        value, gradient = compiled(x)
        np.testing.assert_allclose(value, loss(x), rtol=1e-10, atol=1e-8)
        direction = rng.normal(size=shape) * 1e-6
        change = loss(x + direction) - loss(x - direction)
        np.testing.assert_allclose(2 * np.sum(gradient * direction), change, rtol=1e-4, atol=1e-8)
    heads = [kernel.splitlines()[0] for kernel in str(ag.inspect(compiled)(x).loops).split("kernel ")[1:]]
    assert sum("%1" in head.split("writes")[0].strip("reads() ").split(", ") for head in heads) == 1


def test_what_a_branch_hands_on_is_another_name_of_an_array():
    def value_or_three(c, x):
        value = x if c > 0 else None
        return x * (value or 3.0)

    def gradients(c, xs):
        return ag.vmap(ag.grad(lambda x: value_or_three(c, x)))(xs)

    xs = np.array([2.0, 2.25, 2.5])
    assert np.array_equal(ag.jit(gradients)(1.0, xs), 2 * xs)
    assert np.array_equal(ag.jit(gradients)(-1.0, xs), [3.0, 3.0, 3.0])
