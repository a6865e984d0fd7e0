"""Sums down to the shape of an array whose axes may have size 1 at run time, or not: then nothing is summed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import arignote as ag

RNG = np.random.default_rng(3)


def program(x: np.ndarray, y: np.ndarray) -> float:
    z = np.sqrt(x * y) + y
    return np.sum(z * z[::-1])


def derivative(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By complex steps."""
    out = []
    for which in (0, 1):
        found = np.zeros((x, y)[which].shape)
        for place in np.ndindex(found.shape):
            args = [x.astype(complex), y.astype(complex)]
            args[which][place] += 1e-30j
            found[place] = program(*args).imag / 1e-30
        out.append(found)
    return out[0], out[1]


GRADIENT = ag.grad(program, (0, 1))


@pytest.mark.parametrize("order", ["C", "F"])
def test_sizes_that_are_one_or_not(order: str) -> None:
    for first, second in itertools.product([(4, 3), (1, 3), (4, 1), (1, 1)], repeat=2):
        x, y = (np.asarray(RNG.uniform(1, 2, size), order=order) for size in (first, second))
        for found, expected in zip(GRADIENT(x, y), derivative(x, y), strict=True):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_empty() -> None:
    for shapes in (((0, 3), (0, 3)), ((0, 3), (1, 3)), ((0, 1), (0, 3)), ((1, 1), (0, 3))):
        for found, shape in zip(GRADIENT(*map(np.ones, shapes)), shapes, strict=True):
            np.testing.assert_array_equal(found, np.zeros(shape))


def test_results_are_arrays_of_their_own() -> None:
    def both(x: np.ndarray, y: np.ndarray, cotangent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        _, pull = ag.vjp(lambda x, y: x + y, x, y)
        return pull(cotangent)

    cotangent = RNG.normal(size=(4, 3))
    first, second = ag.jit(both)(np.ones((4, 3)), np.ones((4, 3)), cotangent)
    assert not any(np.shares_memory(*pair) for pair in itertools.combinations((first, second, cotangent), 2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("shapes", [((2, 3, 4, 5), (5, 6)), ((4, 5), (2, 3, 5, 6)), ((2, 1, 4, 5), (1, 3, 5, 6)),
                                    ((0, 3, 4, 5), (5, 6)), ((2, 3, 4, 5), (1, 1, 5, 6))])  # fmt: skip
def test_one_matrix_for_a_stack_of_stacks(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = (RNG.normal(size=shape) for shape in shapes)

    def loss(a: np.ndarray, b: np.ndarray) -> float:
        c = a[..., ::-1] @ b
        return np.sum(c * c)

    found = ag.grad(loss, (0, 1))(a, b)
    reverse = a[..., ::-1]
    cotangent = 2 * (reverse @ b)
    for gradient, like, full in ((found[0], a, (cotangent @ b.swapaxes(-1, -2))[..., ::-1]),
                                 (found[1], b, reverse.swapaxes(-1, -2) @ cotangent)):  # fmt: skip
        lead = full.ndim - like.ndim
        ones = tuple(lead + i for i, n in enumerate(like.shape) if n == 1 and full.shape[lead + i] != 1)
        expected = full.sum(axis=tuple(range(lead)) + ones).reshape(like.shape)
        np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)
