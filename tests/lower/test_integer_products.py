"""Products of integers, which no BLAS computes."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag

RNG = np.random.default_rng(4)


def products(a, b):
    return a @ b, b.T @ a.T, a @ b[:, :1], a[:1] @ b, a @ b[:, 0], a[0] @ b, a[:, ::-1] @ b[::-1], a[::2, ::-1] @ b


def stacks(a, b):
    return np.stack([a, a + a]) @ b, a @ np.stack([b, b, b]), np.stack([a, a]) @ np.stack([b, b]), a @ b.T.copy().T


@pytest.mark.parametrize("program", [products, stacks])
@pytest.mark.parametrize("dtype", ["int64", "int32", "bool"])
def test_like_numpy(program, dtype):
    compiled = ag.jit(program)
    for m, k, n in [(1, 1, 1), (3, 4, 5), (2, 9, 70), (40, 33, 64), (5, 0, 3), (130, 7, 131)]:
        a, b = (RNG.integers(-(2**30), 2**30, shape) for shape in ((m, k), (k, n)))
        a, b = (x > 0 if dtype == "bool" else x.astype(dtype) for x in (a, b))
        for found, plain in zip(compiled(a, b), program(a, b), strict=True):
            assert found.dtype == plain.dtype
            np.testing.assert_array_equal(found, plain)
