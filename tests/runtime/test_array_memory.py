"""The arrays that calls return own their memory as NumPy's do, and give it back as NumPy's do."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from numpy._core.multiarray import get_handler_name

import arignote as ag
from arignote.runtime import array_memory, native
from arignote.runtime.buffers import HEADER_BYTES

SIZES = [0, 1, 7, 300, 5000, 300_000]


@pytest.fixture(autouse=True)
def nothing_leaks():
    gc.collect()
    before = native.live_buffers()
    yield
    gc.collect()
    assert native.live_buffers() == before


def doubled(x):
    return x * 2


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "bool"])
def test_results_have_the_flags_of_plain_results(n, dtype):
    x = np.ones(n, dtype)
    compiled, plain = ag.jit(np.logical_not)(x), np.logical_not(x)
    assert compiled.flags.num == plain.flags.num and compiled.base is None
    assert get_handler_name(compiled) == "arignote"


@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (0, 3), (3, 0), (2, 1, 3)])
def test_layout_flags_by_shape(shape):
    compiled, plain = ag.jit(doubled)(np.ones(shape)), doubled(np.ones(shape))
    assert compiled.flags.num == plain.flags.num


@pytest.mark.parametrize("n", SIZES)
def test_results_may_be_resized(n):
    array = ag.jit(doubled)(np.arange(float(n)))
    for size in (n + 1000, 3 * n + 1, max(n // 2, 1), 0, 10):
        kept = array[:size].copy()
        array.resize(size)
        np.testing.assert_array_equal(array[: len(kept)], kept)
        assert not array[len(kept) :].any()


def test_results_may_be_pickled_and_get_another_state():
    array = ag.jit(doubled)(np.arange(9.0))
    state = np.arange(4.0).__reduce__()[2]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(array)), array)
    array.__setstate__(state)
    np.testing.assert_array_equal(array, np.arange(4.0))


def test_numpy_works_in_place_on_temporary_results_only():
    """NumPy writes the sum over its operand's memory where that is large and nothing else refers to the array."""
    program, x = ag.jit(lambda x: (x + 1, x - 1)), np.zeros(100_000)
    first, second = program(x)
    result = program(x)[0] + second - 3
    np.testing.assert_array_equal(result, np.full(100_000, -3.0))
    np.testing.assert_array_equal((first, second), (x + 1, x - 1))


@pytest.mark.parametrize("n", [3, 5000, 100_000])
def test_one_array_twice_is_not_owned_twice(n):
    first, second = ag.jit(lambda x: (x * 2, x * 2))(np.ones(n))
    total = first + second + (ag.jit(lambda x: (x * 2, x * 2))(np.ones(n))[1] + 1)
    np.testing.assert_array_equal(total, np.full(n, 7.0))
    np.testing.assert_array_equal(first, np.full(n, 2.0))
    del first
    np.testing.assert_array_equal(second, np.full(n, 2.0))


def test_a_small_view_does_not_keep_a_large_buffer():
    kept = ag.jit(lambda x: np.sort(x)[:3])(np.arange(100_000.0))
    np.testing.assert_array_equal(kept, np.arange(3.0))


def test_tracemalloc_sees_results_as_it_sees_arrays_of_numpy():
    def traced():
        domain = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
        return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces([domain]).traces)

    program, x = ag.jit(doubled), np.ones(1000)
    program(x)
    tracemalloc.start()
    try:
        before, kept = traced(), [program(x), program(x[:10])]
        assert traced() - before == 8080
        kept[0].resize(2000, refcheck=False)
        assert traced() - before == 16080
        kept.clear()
        assert traced() == before
    finally:
        tracemalloc.stop()


def test_arrays_may_be_freed_by_another_thread():
    arrays = [ag.jit(doubled)(np.ones(n)) for n in SIZES]
    thread = threading.Thread(target=arrays.clear)
    thread.start()
    thread.join()


def test_arrays_may_outlive_what_their_module_holds():
    """As the interpreter ends it empties modules in some order; PYTHONMALLOC=debug overwrites what is freed."""
    program = """
import arignote, gc, numpy
from arignote.runtime import array_memory
kept = arignote.jit(numpy.negative)(numpy.ones(1000))
array_memory._handler = array_memory.CAPSULE_NAME = None
gc.collect()
del kept
"""
    environment = {**os.environ, "PYTHONMALLOC": "debug"}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, check=False, stderr=subprocess.PIPE)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_the_handler_as_numpy_calls_it():
    """All four functions, with the sizes that are hardest to get right."""
    import ctypes

    malloc, calloc, realloc, free = array_memory.EXPORTED
    address, size = ctypes.c_void_p, ctypes.c_size_t
    malloc, realloc = (native.function(malloc, address, address, size),
                       native.function(realloc, address, address, address, size))  # fmt: skip
    calloc, free = (native.function(calloc, address, address, size, size),
                    native.function(free, None, address, address, size))  # fmt: skip
    assert malloc(None, 1 << 62) is None and calloc(None, 1 << 40, 1 << 40) is None and calloc(None, 1 << 62, 4) is None
    zeros = calloc(None, 1000, 8)
    assert zeros % HEADER_BYTES == 0 and ctypes.string_at(zeros, 8000) == bytes(8000)
    ctypes.memmove(zeros, b"abc", 3)
    assert realloc(None, zeros, 1 << 62) is None, "and the old memory is as it was"
    small = realloc(None, zeros, 3)
    assert small != zeros and ctypes.string_at(small, 3) == b"abc"
    assert realloc(None, small, 4) == small
    none = realloc(None, None, 0)
    for data in (small, none, None):
        free(None, data, 0)
    free(None, calloc(None, 0, 8), 0)
