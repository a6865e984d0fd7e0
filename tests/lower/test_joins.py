"""Arrays of one shape are joined in one pass, each element where it belongs."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag
from arignote.lower.loop_ir import Kernel, walk
from arignote.lower.loop_ir_text import read

RNG = np.random.default_rng(2)


def interleaved(x):
    return np.stack([x, x + 1, np.abs(x) * 2], axis=-1)


def in_the_middle(x):
    return np.stack([x, -x], axis=1), np.stack([x] * 9, axis=-1)


def one_after_the_other(x):
    y = x * x
    return np.concatenate([y, y + x, x[::-1]], axis=-1), y


def with_what_is_kept(x):
    y = np.abs(x) + 1
    return np.stack([y, x, y], axis=0), np.sum(y), y


def of_columns(x):
    return np.column_stack([x[:, 0], x[:, 1] * 2, x[:, 0] - x[:, 1]])


@pytest.mark.parametrize("program", [interleaved, in_the_middle, one_after_the_other, with_what_is_kept, of_columns])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32"])
def test_like_numpy(program, dtype):
    compiled = ag.jit(program)
    for shape in [(1, 2), (3, 5), (40, 17), (9, 64), (2, 131), (0, 4)]:
        x = RNG.integers(-9, 9, shape).astype(dtype)
        found, plain = compiled(x), program(x)
        pairs = zip(found, plain, strict=True) if isinstance(plain, tuple) else [(found, plain)]
        for one, other in pairs:
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)


def test_elements_at_equal_distances_are_read_and_written():
    def program(x, y):
        z = np.zeros_like(y)
        z[:, ::3] = x[:, 1::2] * 2
        z[:, 1::3] = x[:, ::2]
        return z, x[:, ::2] > x[:, 1::2], np.sum(x[::2, ::2])

    compiled = ag.jit(program)
    for width in (2, 14, 32, 66):
        for dtype in ("float64", "float32", "int32"):
            x, y = RNG.integers(-9, 9, (5, width)).astype(dtype), np.ones((5, width // 2 * 3), dtype)
            for found, plain in zip(compiled(x, y), program(x, y), strict=True):
                np.testing.assert_array_equal(found, plain)


def test_flags_at_equal_distances():
    def program(x):
        return np.stack([x > 0, x < 3], axis=-1)

    x = RNG.integers(-9, 9, (6, 75))
    np.testing.assert_array_equal(ag.jit(program)(x), program(x))


def test_a_stack_is_one_pass():
    loops = read(ag.inspect(ag.jit(interleaved))(np.ones((4, 4))).loops)
    assert sum(isinstance(each, Kernel) for each in walk(loops.entry.body)) == 1
