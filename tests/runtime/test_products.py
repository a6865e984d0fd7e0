"""Large matrix products in blocks: any number of threads, the same bits each time, BLAS's own threads as before."""

from __future__ import annotations

import ctypes
import os
import threading

import numpy as np
import pytest

import arignote as ag
from arignote.backends.llvm.link import BLAS_SETTINGS, address_of

RNG = np.random.default_rng(5)
SIZES = [(97, 83, 101), (1, 700, 801), (803, 699, 1), (3, 70_001, 5), (400, 1200, 300), (3000, 17, 31), (31, 17, 3000)]


@ag.jit
def product(a, b):
    return a @ b


@ag.jit
def turned(a, b):
    return a.T @ b.T


@ag.jit
def factors(matrix, root, right):
    return np.linalg.cholesky(matrix), np.linalg.solve(root, right)


@pytest.fixture(autouse=True)
def number_of_threads():
    before = ag.get_num_threads()
    yield
    ag.set_num_threads(before)


def blas_threads() -> int:
    """How many threads BLAS may use now."""
    return ctypes.CFUNCTYPE(ctypes.c_int)(address_of("ag_blas_get_threads"))()


def matrices(m, k, n, dtype):
    return RNG.normal(size=(m, k)).astype(dtype), RNG.normal(size=(k, n)).astype(dtype)


@pytest.mark.skipif(not all(map(address_of, BLAS_SETTINGS)), reason="another BLAS")
class TestBlas:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_any_number_of_threads(self, size, dtype):
        a, b = matrices(*size, dtype)
        expected, given = a.astype("float64") @ b.astype("float64"), blas_threads()
        tolerance = 4 * np.finfo(dtype).eps * np.sqrt(size[1]) * np.max(np.abs(expected))
        for threads in (1, 2, 3, 4, 7):
            ag.set_num_threads(threads)
            for found in (product(a, b), turned(b, a).T):
                assert np.max(np.abs(found - expected)) <= tolerance
            assert blas_threads() == given

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("side", [70, 300, 511, 513])
    def test_factorisations(self, side, dtype):
        root, given = RNG.normal(size=(side, side)).astype(dtype), blas_threads()
        matrix, right = root @ root.T + side * np.eye(side, dtype=dtype), root[:, :3].copy()
        lower, solved = factors(matrix, root, right)
        error = 100 * np.finfo(dtype).eps * side
        np.testing.assert_allclose(lower, np.linalg.cholesky(matrix.astype("float64")), atol=error, rtol=error)
        np.testing.assert_allclose(root @ solved, right, atol=1e3 * error)
        with pytest.raises(np.linalg.LinAlgError):
            factors(-matrix, root, right)
        with pytest.raises(np.linalg.LinAlgError):
            factors(matrix, np.zeros_like(root), right)
        assert blas_threads() == given

    def test_the_same_bits_each_time_and_in_many_threads(self):
        ag.set_num_threads(4)
        a, b = matrices(300, 400, 500, "float32")
        expected, differences, given = product(a, b), [], blas_threads()

        def work():
            for _ in range(10):
                differences.append(not np.array_equal(product(a, b), expected))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(differences) == 40 and not any(differences)
        assert blas_threads() == given

    def test_what_others_set_meanwhile_stays(self):
        a, b = matrices(600, 600, 600, "float64")
        given, put = blas_threads(), ctypes.CFUNCTYPE(None, ctypes.c_int)(address_of("ag_blas_set_threads"))
        product(a, b)
        thread = threading.Thread(target=lambda: [product(a, b) for _ in range(10)])
        thread.start()
        while thread.is_alive():
            put(3)
        put(given)
        product(a, b)
        assert blas_threads() == given

    def test_a_child_forked_during_a_product_has_all_threads(self):
        a, b = matrices(500, 500, 500, "float64")
        expected, given, stop = product(a, b), blas_threads(), threading.Event()

        def work():
            while not stop.is_set():
                product(a, b)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            for _ in range(10):
                child = os.fork()
                if child == 0:
                    same = np.array_equal(product(a, b), expected)
                    os._exit((not same) + 2 * (blas_threads() != given))
                assert os.waitpid(child, 0)[1] == 0
        finally:
            stop.set()
            thread.join()
