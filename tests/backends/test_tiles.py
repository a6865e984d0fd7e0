"""Matrix products in tiles: sizes around the widths of vectors and blocks, stacks, and all orders of memory."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag

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


def test_what_is_not_a_number_stays_in_its_row_and_column() -> None:
    a, b = np.ones((9, 21)), np.ones((21, 37))
    a[3, 5], b[7, 20] = np.nan, np.inf
    np.testing.assert_array_equal(COMPILED(a, b), a @ b)
