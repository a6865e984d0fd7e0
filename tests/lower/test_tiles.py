"""Nests that read across: in tiles where they are large, with the results of NumPy for all sizes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import arignote as ag
from arignote.lower.loop_ir import For, Kernel, Scratch, walk
from arignote.lower.loop_ir_text import read

RNG = np.random.default_rng(3)
SIZES = [(15, 40), (16, 8), (7, 30), (31, 40), (32, 32), (33, 65), (64, 128), (70, 31), (97, 130), (130, 64), (1, 200),
         (200, 1), (0, 40)]  # fmt: skip
DTYPES = ["float64", "float32", "int64", "int32", "bool"]


def some(shape, dtype="float64"):
    values = RNG.integers(-9, 9, shape)
    return values > 0 if dtype == "bool" else values.astype(dtype)


def turned(x, y):
    return x.T.copy()


def joined(x, y):
    return np.where(x.T, y, x.T)


def both(x, y):
    return np.maximum(x.T, y), np.minimum(x, y.T)


def mapped(x, y):
    return np.abs(x[:, ::-1].T) * y + y[::-1]


def of_rows(x, y):
    return x.T * np.cos(y[:, :1]) + np.sin(y[:1]) * x.T


def over_columns(x, y):
    return np.where(y > 0, x.T, -x.T)


@pytest.mark.parametrize("program", [turned, joined, both])
@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_and_sizes(program, dtype):
    compiled = ag.jit(program)
    for rows, columns in SIZES:
        x, y = some((rows, columns), dtype), some((columns, rows), dtype)
        for found, plain in zip(leaves(compiled(x, y)), leaves(program(x, y)), strict=True):
            assert found.dtype == plain.dtype
            np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("program", [mapped, of_rows, over_columns])
def test_what_is_computed_with_it(program):
    compiled = ag.jit(program)
    for rows, columns in SIZES:
        x, y = some((rows, columns)) + 0.5, some((columns, rows))
        for layout in (np.ascontiguousarray, np.asfortranarray):
            np.testing.assert_allclose(compiled(layout(x), y), program(x, y), rtol=1e-14, atol=1e-14)


def leaves(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_all_orders_of_three_axes(order):
    def program(x, y, order):
        return np.transpose(x, order) - y

    compiled = ag.jit(program, static_argnums=2)
    for shape in [(33, 40, 35), (3, 70, 64), (40, 2, 33), (1, 50, 50)]:
        x = some(shape)
        y = some(np.transpose(x, order).shape)
        np.testing.assert_array_equal(compiled(x, y, order), program(x, y, order))


def test_heads_of_attention():
    def program(x):
        heads = np.transpose(x.reshape(x.shape[0], x.shape[1], 4, -1), (2, 0, 3, 1))
        return heads.copy(), np.transpose(heads, (3, 1, 2, 0)) + 0.0

    x = some((3, 50, 4 * 40))
    for found, plain in zip(ag.jit(program)(x), program(x), strict=True):
        np.testing.assert_array_equal(found, plain)


def test_in_place():
    def symmetric(x):
        x = x.copy()
        x += x.T
        return x

    def into_a_part(x):
        out = np.zeros((2 * x.shape[0], x.shape[1] + 5))
        out[::2, 5:] = x.T
        out[1::2, :-5] -= 2.0 * x.T
        return out

    def onto_itself(x):
        x = x.copy()
        x[:] = x.T
        x[:40] = x.T[10:50] + x[:40]
        return x

    x = some((70, 70))
    for program in (symmetric, into_a_part, onto_itself):
        np.testing.assert_array_equal(ag.jit(program)(x), program(x))


def test_in_a_loop_over_time():
    def program(x, steps):
        for step in range(steps):
            x = 0.5 * (x + x.T) + 0.1 * np.sin(x.T) * step
        return x

    compiled = ag.jit(program)
    for size in (4, 32, 75):
        x = RNG.normal(size=(size, size))
        np.testing.assert_allclose(compiled(x, 5), program(x, 5), rtol=1e-13, atol=1e-13)


def test_gradients():
    def program(x, y):
        return np.sum(np.sin(x.T * y) * y)

    x, y = RNG.normal(size=(40, 70)), RNG.normal(size=(70, 40))
    by_x, by_y = ag.grad(program, (0, 1))(x, y)
    np.testing.assert_allclose(by_x, (np.cos(x.T * y) * y * y).T, rtol=1e-13)
    np.testing.assert_allclose(by_y, np.cos(x.T * y) * x.T * y + np.sin(x.T * y), rtol=1e-13)


def kernels(program, *arguments):
    loops = read(ag.inspect(ag.jit(program))(*arguments).loops)
    return [each for each in walk(loops.entry.body) if isinstance(each, Kernel)]


def test_a_tile_is_read_along_one_axis_and_written_along_the_other():
    tiled, plain = kernels(lambda x, y: x.T + y, np.ones((50, 50)), np.ones((50, 50)))
    assert [type(each) for each in tiled.body] == [Scratch, For]
    rows_of_tiles = tiled.body[1]
    assert rows_of_tiles.parallel
    fill, use = [each for each in rows_of_tiles.body[-1].body if isinstance(each, For)]
    assert not any(each.vector for each in walk([fill]) if isinstance(each, For))
    assert use.body[-1].vector
    assert plain.body[0].parallel and plain.body[0].body[0].vector


def test_what_reads_along_is_left_alone():
    x = np.ones((50, 50))
    assert len(kernels(lambda x: x[::-1] + x[:, :1], x)) == 1
    assert len(kernels(lambda x: x[:, ::2] * 2.0, x)) == 1
    assert len(kernels(lambda x: x[:, ::-1] * 2.0, x)) == 1
    assert len(kernels(lambda x: np.exp(x - np.max(x, axis=1, keepdims=True)), x)) == 1
