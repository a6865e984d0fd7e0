"""Matrix products in tiles: sizes around the widths of vectors and blocks, stacks, and all orders of memory."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

import arignote as ag
from arignote.backends.llvm.gemm_stack import stack_module, stack_symbols
from arignote.backends.llvm.link import compile_text, vector_form

from .native import live_buffers, runtime

RNG = np.random.default_rng(5)
SIZES = ((1, 1, 1), (4, 4, 4), (5, 7, 3), (9, 33, 17), (1, 40, 9), (40, 1, 9), (2, 40, 0), (0, 3, 2), (64, 64, 64),
         (130, 31, 600), (3, 64, 1030), (128, 160, 32), (33, 70, 520))  # fmt: skip


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a @ b


COMPILED = ag.jit(product)


def turned(x: np.ndarray) -> np.ndarray:
    """The same matrices, column by column in memory."""
    return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stack", [(), (3,), (2, 5), (2, 1)])
def test_products(stack: tuple[int, ...], dtype: str) -> None:
    for m, n, k in SIZES:
        a, b = RNG.normal(size=(*stack, m, k)).astype(dtype), RNG.normal(size=(*stack, k, n)).astype(dtype)
        expected = a.astype(np.float64) @ b.astype(np.float64)
        tolerance = 4 * (k + 1) * np.finfo(dtype).eps
        np.testing.assert_allclose(COMPILED(a, b), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transposed_factors(dtype: str) -> None:
    """Views that compiled code makes are read where they lie, or packed."""
    both = ag.jit(lambda a, b: a.swapaxes(-1, -2) @ b.swapaxes(-1, -2))
    spread = ag.jit(lambda a, b: a[None] @ b[:, ::2, ::-1])
    for m, n, k in SIZES:
        a, b = RNG.normal(size=(2, k, m)).astype(dtype), RNG.normal(size=(2, n, k)).astype(dtype)
        tolerance = 1e-3 if dtype == "float32" else 1e-11
        expected = a.swapaxes(-1, -2) @ b.swapaxes(-1, -2)
        np.testing.assert_allclose(both(a, b), expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(both(a[0], b[0]), expected[0], rtol=tolerance, atol=tolerance)
        c = RNG.normal(size=(3, 2 * k, n)).astype(dtype)
        left = a[0].T
        expected = left[None] @ c[:, ::2, ::-1]
        np.testing.assert_allclose(spread(turned(left), c), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stacks_of_stacks(dtype: str) -> None:
    """Of slices and of broadcast matrices, in which the matrices follow one another along none, one or both axes."""

    def products(a: np.ndarray, b: np.ndarray, c: np.ndarray, i: int, j: int) -> tuple[np.ndarray, ...]:
        inside = a[:, i : i + 3, j : j + 4]
        return inside @ c[0, 0, 0], inside @ b[:, :1, :4], inside[:, :1] @ b[:1, :3], inside[:, :, ::2] @ b[:, :3, 1:3]

    compiled = ag.jit(products)
    for m, n, k in ((3, 16, 5), (9, 7, 33), (1, 4, 4), (4, 1, 3), (0, 2, 2), (130, 65, 40)):
        a, b, c = (RNG.normal(size=(2, 2, *sizes)).astype(dtype) for sizes in ((5, m, k), (5, k, n), (1, k, n)))
        a, b = (x.reshape(2, 10, *x.shape[-2:])[:, :5].copy() for x in (a, b))
        a = np.concatenate([a, a[:, ::-1]], axis=1)[:, :, None].repeat(6, axis=2)  # (2, 10, 6, m, k)
        b = b[:, :, None].repeat(4, axis=2)  # (2, 5, 4, k, n)
        tolerance = 1e-3 if dtype == "float32" else 1e-11
        for i, j in ((0, 0), (5, 2)):
            for found, expected in zip(compiled(a, b, c, i, j), products(a, b, c, i, j), strict=True):
                assert found.shape == expected.shape and found.dtype == expected.dtype
                np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


BLOCKED = ((13, 90, 600), (20, 610, 700), (24, 600, 1030), (100, 130, 257), (361, 49, 130), (375, 600, 259))
"""Sizes of products in blocks, around the heights of tiles and blocks, and the lengths of stretches."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_products(dtype: str) -> None:
    """Whatever the order of memory of the factors."""
    forms = [ag.jit(lambda a, b: a @ b), ag.jit(lambda a, b: a.T @ b), ag.jit(lambda a, b: a @ b.T),
             ag.jit(lambda a, b: a.T @ b.T), ag.jit(lambda a, b: a[:, ::2] @ b[::2, ::-1])]  # fmt: skip
    plain, left, right, both, apart = forms
    for m, n, k in BLOCKED:
        a, b = RNG.normal(size=(m, 2 * k)).astype(dtype), RNG.normal(size=(2 * k, n)).astype(dtype)
        every_second = a[:, ::2] @ b[::2, ::-1].astype(np.float64)
        expected = a[:, :k] @ b[:k].astype(np.float64)
        tolerance = 4 * (k + 1) * np.finfo(dtype).eps
        a_turned, b_turned = np.ascontiguousarray(a[:, :k].T), np.ascontiguousarray(b[:k].T)
        np.testing.assert_allclose(apart(a, b), every_second, rtol=tolerance, atol=tolerance)
        a, b = np.ascontiguousarray(a[:, :k]), b[:k]
        np.testing.assert_allclose(plain(a, b), expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(left(a_turned, b), expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(right(a, b_turned), expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(both(a_turned, b_turned), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_matrix_for_a_stack(dtype: str) -> None:
    """Rows of several matrices that lie one below the other are rows of one; those of views that do not are not."""
    apart = ag.jit(lambda a, b: a[:, :-1] @ b)
    turned = ag.jit(lambda a, b: a.swapaxes(-1, -2) @ b)
    stacks = ag.jit(lambda a, b: a[::-1] @ b.T)
    for count, m, n, k in ((0, 3, 4, 5), (1, 3, 4, 5), (6, 5, 7, 3), (3, 40, 130, 260), (4, 1, 64, 300)):
        a, b = RNG.normal(size=(count, m, k)).astype(dtype), RNG.normal(size=(k, n)).astype(dtype)
        exact, tolerance = a.astype(np.float64) @ b, 4 * (k + 1) * np.finfo(dtype).eps
        swapped, transposed = np.ascontiguousarray(a.swapaxes(-1, -2)), np.ascontiguousarray(b.T)
        np.testing.assert_allclose(COMPILED(a, b), exact, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(apart(a, b), exact[:, :-1], rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(turned(swapped, b), exact, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(stacks(a, transposed), exact[::-1], rtol=tolerance, atol=tolerance)


def test_large_products_do_not_depend_on_threads() -> None:
    a, b = RNG.normal(size=(20, 700)), RNG.normal(size=(700, 610))
    c, d = RNG.normal(size=(375, 300)), RNG.normal(size=(300, 333))
    with_all = COMPILED(a, b), COMPILED(c, d)
    threads = ag.get_num_threads()
    ag.set_num_threads(1)
    try:
        alone = COMPILED(a, b), COMPILED(c, d)
    finally:
        ag.set_num_threads(threads)
    for one, other in zip(with_all, alone):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("m", [20, 100])
def test_what_is_not_a_number_in_a_large_product(m: int) -> None:
    a, b = np.ones((m, 600)), np.ones((600, 500))
    a[3, 5], b[417, 20] = np.nan, np.inf
    np.testing.assert_array_equal(COMPILED(a, b), a @ b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_that_are_added(dtype: str) -> None:
    """C = C + A B, for all orders of memory of A and B, and rows of C that are apart."""
    module = compile_text(stack_module(dtype, *vector_form()), stack_symbols(dtype), runtime()[1])  # type: ignore[arg-type]
    size, pointer = ctypes.c_int64, ctypes.c_void_p
    types = [size, size, size, pointer, size, size, pointer, size, size, pointer, size]
    name = {"float32": "ag_product_sum_f32", "float64": "ag_product_sum_f64"}[dtype]
    add = ctypes.CFUNCTYPE(None, *types)(module.address(name))
    for m, n, k in (*SIZES, (320, 128, 32), (90, 100, 80)):
        for a_turned, b_turned in ((False, False), (True, False), (False, True)):
            a, b = RNG.normal(size=(m, k)).astype(dtype), RNG.normal(size=(k, n)).astype(dtype)
            a, b = turned(a) if a_turned else a, turned(b) if b_turned else b
            c = RNG.normal(size=(m, n + 3)).astype(dtype)
            expected = c.astype(np.float64)
            expected[:, :n] += a.astype(np.float64) @ b.astype(np.float64)
            strides = [each // a.itemsize for x in (a, b) for each in x.strides]
            add(m, n, k, a.ctypes.data, *strides[:2], b.ctypes.data, *strides[2:], c.ctypes.data, n + 3)
            tolerance = 4 * (k + 1) * np.finfo(dtype).eps
            np.testing.assert_allclose(c, expected, rtol=tolerance, atol=tolerance)


def test_large_products_without_memory() -> None:
    """Blocks that cannot be packed, as there is no memory, are left to BLAS."""
    engine, symbols = runtime()
    module = compile_text(stack_module("float64", *vector_form()), stack_symbols("float64"), symbols)
    size, pointer = ctypes.c_int64, ctypes.c_void_p
    types = [size, size, size, pointer, size, size, pointer, size, size, pointer, size]
    multiply = ctypes.CFUNCTYPE(None, *types)(module.address("ag_product_f64"))
    limit = ctypes.c_int64.from_address(engine.get_global_value_address("limit"))
    before = limit.value, live_buffers()
    for allowed in (0, before[0]):
        for m, n, k in ((20, 610, 700), (100, 130, 257)):
            a, b, c = RNG.normal(size=(m, k)), RNG.normal(size=(k, n)), np.full((m, n), np.nan)
            limit.value = allowed
            multiply(m, n, k, a.ctypes.data, k, 1, b.ctypes.data, n, 1, c.ctypes.data, n)
            limit.value = before[0]
            np.testing.assert_allclose(c, a @ b, rtol=1e-11, atol=1e-11)
            assert live_buffers() == before[1]


def test_what_is_not_a_number_stays_in_its_row_and_column() -> None:
    a, b = np.ones((9, 21)), np.ones((21, 37))
    a[3, 5], b[7, 20] = np.nan, np.inf
    np.testing.assert_array_equal(COMPILED(a, b), a @ b)
