"""Linear systems, determinants, Cholesky's factorisation: values, derivatives of both modes and orders, errors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg

import arignote as ag

RNG = np.random.default_rng(3)
Array = np.ndarray[Any, Any]


def matrix(*shape: int, dtype: str = "float64") -> Array:
    """Well-conditioned matrices."""
    return (RNG.normal(size=shape) + 2 * np.sqrt(shape[-1] + 1) * np.eye(shape[-1])).astype(dtype)


def positive(*shape: int, dtype: str = "float64") -> Array:
    a = RNG.normal(size=shape)
    return (a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])).astype(dtype)


def solve(a: Array, b: Array) -> Array:
    return np.linalg.solve(a, b)


def inverse(a: Array) -> Array:
    return np.linalg.inv(a)


def determinant(a: Array) -> Array:
    return np.linalg.det(a / np.sqrt(a.shape[-1] + 1.0))


def sign_and_logarithm(a: Array) -> Any:
    result = np.linalg.slogdet(a)
    return result.sign, result.logabsdet


def root(a: Array) -> Array:
    return np.linalg.cholesky(a)


def upper_root(a: Array) -> Array:
    return np.linalg.cholesky(a, upper=True)


FUNCTIONS = (solve, inverse, determinant, sign_and_logarithm, root, upper_root)
JITTED = {function: ag.jit(function) for function in FUNCTIONS}
SIZES = (0, 1, 2, 4, 7, 16, 17, 70)
STACKS: tuple[tuple[int, ...], ...] = ((), (3,), (2, 11))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", SIZES)
def test_values(n: int, dtype: str) -> None:
    """The same as plain NumPy, for small matrices (in lanes) and large ones (LAPACK), alone and in stacks."""
    tolerance = 1e-10 if dtype == "float64" else 1e-3
    for stack in STACKS:
        a, b = matrix(*stack, n, n, dtype=dtype), RNG.normal(size=(*stack, n, 3)).astype(dtype)
        for function, arguments in ((solve, (a, b)), (solve, (a, b[..., :1])), (inverse, (a,)), (determinant, (a,)),
                                    (sign_and_logarithm, (a,)), (root, (positive(*stack, n, n, dtype=dtype),)),
                                    (upper_root, (positive(*stack, n, n, dtype=dtype),))):  # fmt: skip
            found, expected = JITTED[function](*arguments), function(*arguments)
            for one, other in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected))):
                assert np.asarray(one).dtype == np.asarray(other).dtype
                np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def test_exchanges_that_differ_from_matrix_to_matrix() -> None:
    """Every order of rows, so that each lane exchanges others."""
    rows = RNG.permuted(np.tile(np.arange(5), (50, 1)), axis=1)
    a = np.eye(5)[rows] * RNG.uniform(1, 2, size=(50, 1, 5))
    b = RNG.normal(size=(50, 5, 2))
    np.testing.assert_allclose(ag.jit(solve)(a, b), solve(a, b), rtol=1e-12)
    np.testing.assert_allclose(ag.jit(np.linalg.det)(a), np.linalg.det(a), rtol=1e-12)


def transposed_solve(a: Array, b: Array) -> Array:
    """What the derivative of a system solves, from the factors of the matrix itself."""
    return ag.grad(lambda a, b, x: np.sum(np.linalg.solve(a, x) * b), argnums=2)(a, b, np.zeros_like(b))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_smallest_sides_have_the_bits_of_the_loops(n: int, dtype: str) -> None:
    """Systems in registers against the same ones with a row and column of the identity below, which loops solve: with
    every order of exchanges, zeros, a NaN, and more matrices than lanes."""
    a, b = RNG.normal(size=(37, n, n)).astype(dtype), RNG.normal(size=(37, n, 3)).astype(dtype)
    a[3] = np.eye(n)[::-1]
    a[5, 0, 0] = 0
    a[7, n - 1, 0] = np.nan
    larger, known = np.tile(np.eye(5, dtype=dtype), (37, 1, 1)), np.zeros((37, 5, 3), dtype)
    larger[:, :n, :n], known[:, :n] = a, b
    for function in (JITTED[solve], transposed_solve):
        np.testing.assert_array_equal(function(a, b), function(larger, known)[:, :n])
        np.testing.assert_array_equal(function(a[::2, ::-1], b[::2]), function(a[::2, ::-1].copy(), b[::2].copy()))
    ordinary = np.arange(37) != 7
    np.testing.assert_allclose(transposed_solve(a, b)[ordinary], solve(a.swapaxes(1, 2), b)[ordinary],
                               rtol=1e-9 if dtype == "float64" else 2e-2)  # fmt: skip


def test_broadcasting_vectors_and_views() -> None:
    a, b = matrix(3, 4, 4), RNG.normal(size=(2, 1, 4, 5))
    for left, right in ((a, b), (a[0], b), (a, b[0, 0, :, 0]), (a[0].T, b[0, 0]), (a[::2, ::-1], b[0, :, ::-1, ::2])):
        np.testing.assert_allclose(ag.jit(solve)(left, right), solve(left, right), rtol=1e-10)
    integers = np.array([[2, 1], [1, 3]])
    np.testing.assert_allclose(ag.jit(solve)(integers, np.array([1, 2])), solve(integers, np.array([1, 2])))


DIFFERENTIATED: tuple[tuple[Callable[..., Any], tuple[Array, ...]], ...] = (
    (solve, (matrix(4, 4), RNG.normal(size=(4, 2)))),
    (solve, (matrix(3, 3, 3), RNG.normal(size=3))),
    (inverse, (matrix(2, 3, 3),)),
    (determinant, (matrix(3, 3),)),
    (lambda a: np.linalg.slogdet(a)[1], (matrix(2, 3, 3),)),
    (lambda a: np.linalg.cholesky(a @ a.T + np.eye(4)), (matrix(4, 4),)),
    (lambda a: np.linalg.cholesky(a @ a.T + np.eye(3), upper=True), (matrix(3, 3),)),
    (lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True), (matrix(4, 4), RNG.normal(size=4))),
    (lambda a, b: scipy.linalg.solve_triangular(a, b, trans="T", unit_diagonal=True),
     (0.3 * matrix(3, 3), RNG.normal(size=(3, 2)))),
    (lambda a, b: scipy.linalg.cho_solve((np.linalg.cholesky(a @ a.T), True), b), (matrix(3, 3), RNG.normal(size=3))),
)  # fmt: skip


@pytest.mark.parametrize("case", range(len(DIFFERENTIATED)))
def test_derivatives_of_both_modes_and_orders(case: int) -> None:
    function, arguments = DIFFERENTIATED[case]
    ag.check_grads(lambda *args: np.sum(np.sin(function(*args))), arguments, order=2)


@pytest.mark.parametrize("n", [63, 64, 65, 150])
def test_derivative_of_large_factorisations(n: int) -> None:
    """Blocks of the derivative backwards against the formula with inverses."""
    a, weight = positive(n, n), RNG.normal(size=(n, n))
    found = ag.grad(lambda a: np.sum(weight * np.linalg.cholesky(a)))(a)
    factor = np.linalg.cholesky(a)
    half = lambda x: np.tril(x) - 0.5 * np.diag(np.diag(x))  # noqa: E731
    inverse_of_factor = np.linalg.inv(factor)
    full = inverse_of_factor.T @ half(factor.T @ np.tril(weight)) @ inverse_of_factor
    np.testing.assert_allclose(found, half(full + full.T), rtol=1e-7, atol=1e-9 * np.abs(full).max())


def test_mapped() -> None:
    a, b = matrix(6, 3, 3), RNG.normal(size=(6, 3))
    np.testing.assert_allclose(ag.vmap(solve)(a, b), np.stack([solve(*each) for each in zip(a, b)]), rtol=1e-12)
    np.testing.assert_allclose(ag.vmap(solve, (None, 0))(a[0], b), np.stack([solve(a[0], x) for x in b]), rtol=1e-12)
    np.testing.assert_allclose(ag.vmap(determinant)(a), determinant(a), rtol=1e-12)
    spd = positive(6, 3, 3)
    np.testing.assert_allclose(ag.vmap(ag.grad(lambda a: np.sum(root(a))))(spd),
                               np.stack([ag.grad(lambda a: np.sum(root(a)))(x) for x in spd]), rtol=1e-10)  # fmt: skip


def triangular(a: Array, b: Array) -> Array:
    return scipy.linalg.solve_triangular(a, b, lower=True)


TRIANGULAR: tuple[Callable[..., Any], ...] = (
    lambda a, b: scipy.linalg.solve_triangular(a, b),
    lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True),
    lambda a, b: scipy.linalg.solve_triangular(a, b, trans=1),
    lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True, trans="T"),
    lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True, unit_diagonal=True),
)


@pytest.mark.parametrize("case", range(len(TRIANGULAR)))
def test_triangular(case: int) -> None:
    function = TRIANGULAR[case]
    compiled = ag.jit(function)
    for n in (0, 1, 5, 16, 17, 70):
        a = matrix(n, n) / np.sqrt(n + 1)
        for b, m in itertools.product((RNG.normal(size=n), RNG.normal(size=(n, 3))), (a, np.asfortranarray(a), a.T)):
            expected = function(m, b)
            found = compiled(m, b)
            scale = max(float(np.max(np.abs(expected), initial=0.0)), 1.0)
            np.testing.assert_allclose(found, expected, atol=1e-9 * scale)


ERRORS: tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...] = (
    (solve, (np.zeros((3, 3)), np.ones(3))),
    (solve, (np.stack([np.eye(2), np.ones((2, 2))]), np.ones((2, 2, 1)))),
    (inverse, (np.ones((20, 20)),)),
    (root, (-np.eye(3),)),
    (root, (-np.eye(30),)),
    (triangular, (np.zeros((3, 3)), np.ones(3))),
    (triangular, (np.full((3, 3), np.inf), np.ones(3))),
    (solve, (np.ones((2, 3)), np.ones(2))),
    (solve, (np.eye(3), np.ones(2))),
)


@pytest.mark.parametrize("case", range(len(ERRORS)))
def test_errors_are_numpys(case: int) -> None:
    function, arguments = ERRORS[case]
    with pytest.raises(Exception) as plain:
        function(*arguments)
    with pytest.raises(type(plain.value)) as compiled:
        ag.jit(function)(*arguments)
    assert str(plain.value).split(" (size")[0].split("\n")[0] in str(compiled.value)


def test_what_is_not_a_number_is_no_error() -> None:
    for n in (2, 30):
        assert np.isnan(ag.jit(root)(np.full((n, n), np.nan))[n - 1, 0])
        assert np.isnan(ag.jit(solve)(np.full((n, n), np.nan), np.ones(n))).all()


def test_determinant_of_singular_matrices() -> None:
    assert ag.jit(np.linalg.det)(np.ones((3, 3))) == 0.0
    sign, logarithm = ag.jit(sign_and_logarithm)(np.zeros((20, 20)))
    assert sign == 0.0
    assert logarithm == -np.inf
