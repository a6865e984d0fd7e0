"""The pool of native threads: every index once, whoever calls, also in a forked child."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from arignote.runtime import native
from arignote.runtime.assembly import Function, Value
from arignote.runtime.symbols import symbols
from arignote.runtime.threads import get_num_threads, set_num_threads


@pytest.fixture(autouse=True)
def four_threads():
    before = get_num_threads()
    set_num_threads(4)
    yield
    set_num_threads(before)


def add_one():
    """Adds 1 to each int64 of the range."""
    f = Function("add_one", "void", env="ptr", begin="i64", end="i64")
    with f.repeat(f["end"] - f["begin"]) as index:
        place = f.address(f["env"], (f["begin"] + index) << 3)
        f.store(f.load("i64", place) + 1, place)
    f.leave()
    return native.compile_small(f.text(), f.name)


def nested(inner):
    """For each index of the range, a parallel loop over the same array."""
    f = Function("nested", "void", env="ptr", begin="i64", end="i64")
    parallel = Value(f, "ptr", f"inttoptr (i64 {symbols()['ag_parallel_for']} to ptr)")
    body = Value(f, "ptr", f"inttoptr (i64 {inner} to ptr)")
    with f.repeat(f["end"] - f["begin"]) as index:
        row = f.address(f["env"], (f["begin"] + index) * 8000)
        f.call("void", parallel, body, row, 1000, 10)
    f.leave()
    return native.compile_small(f.text(), f.name)


def parallel_for(body, array, count, grain):
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    native.function("ag_parallel_for", None, pointer, pointer, size, size)(body, array.ctypes.data, count, grain)


@pytest.mark.parametrize("grain", [-1, 0, 1, 3, 100, 10**9])
@pytest.mark.parametrize("count", [-5, 0, 1, 2, 7, 1000, 100_003])
def test_each_index_once(count, grain):
    array, body = np.zeros(max(count, 0) + 1, np.int64), add_one()
    for _ in range(5):
        parallel_for(body, array, count, grain)
    assert (array[:-1] == 5).all() and array[-1] == 0


@pytest.mark.parametrize("grain, turns", [(10, True), (100, False)])
def test_long_loops_turn_round(grain, turns):
    """Every other one goes through the chunks of a part from the last to the first; others always from the first."""
    set_num_threads(2)
    caller, begins = threading.get_ident(), []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    def body(_, begin, end):
        if threading.get_ident() == caller and begin < 500:
            begins[-1].append(begin)

    address = ctypes.cast(body, ctypes.c_void_p).value
    for _ in range(4):
        begins.append([])
        parallel_for(address, np.zeros(1), 1000, grain)
    ways = [{one < other for one, other in itertools.pairwise(found)} for found in begins]
    if turns:
        assert all(len(way) <= 1 for way in ways) and not ways[0] & ways[1] and not ways[2] & ways[3]
        assert len(ways[0] | ways[2]) <= 1 and len(ways[1] | ways[3]) <= 1
    else:
        assert all(way <= {True} for way in ways)


def test_the_last_chunk_of_a_part_is_left_to_its_thread():
    """The pool's thread stays in the first of its four chunks; the caller takes over two of the others."""
    set_num_threads(2)
    threads, begun, helped = {}, threading.Event(), threading.Event()

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    def body(_, begin, end):
        threads[begin] = threading.get_ident()
        if begin == 0:
            begun.wait(10)
        elif begin == 500:
            begun.set()
            helped.wait(10)
            time.sleep(0.05)
        elif begin == 750:
            helped.set()

    parallel_for(ctypes.cast(body, ctypes.c_void_p).value, np.zeros(1), 1000, 100)
    caller = threading.get_ident()
    assert sorted(threads) == list(range(0, 1000, 125))
    assert threads[500] != caller and threads[625] == threads[750] == caller
    assert threads[875] == threads[500]


def test_more_threads_than_parts_of_a_loop():
    """In a child process, so that the threads do not stay."""
    array, body = np.zeros(100_003, np.int64), add_one()
    child = os.fork()
    if child == 0:
        set_num_threads(140)
        for count in (1, 100, 139, 1000, 100_003):
            parallel_for(body, array, count, 1)
        expected = sum((np.arange(100_003) < count).astype(np.int64) for count in (1, 100, 139, 1000, 100_003))
        os._exit(0 if (array == expected).all() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_many_loops_in_quick_succession():
    array, body = np.zeros(1000, np.int64), add_one()
    for index in range(20_000):
        parallel_for(body, array, 1000, 50)
        if index == 10_000:
            set_num_threads(2)
    assert (array == 20_000).all()


def test_loops_of_many_python_threads():
    body, arrays = add_one(), [np.zeros(5000, np.int64) for _ in range(6)]

    def work(array):
        for _ in range(500):
            parallel_for(body, array, 5000, 100)

    threads = [threading.Thread(target=work, args=(array,)) for array in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((array == 500).all() for array in arrays)


def test_nested_loops():
    array = np.zeros((50, 1000), np.int64)
    for _ in range(20):
        parallel_for(nested(add_one()), array, 50, 1)
    assert (array == 20).all()


def test_fork():
    array, body = np.zeros(10_000, np.int64), add_one()
    parallel_for(body, array, 10_000, 10)
    child = os.fork()
    if child == 0:
        for _ in range(10):
            parallel_for(body, array, 10_000, 10)
        os._exit(0 if (array == 11).all() else 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0
            break
        time.sleep(0.01)
    else:
        os.kill(child, 9)
        pytest.fail("the child hangs")
    parallel_for(body, array, 10_000, 10)
    assert (array == 2).all()


def test_the_pool_sleeps_when_idle():
    parallel_for(add_one(), np.zeros(1000, np.int64), 1000, 1)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.05


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError)])
def test_bad_numbers_of_threads(count, error):
    with pytest.raises(error):
        set_num_threads(count)
    assert get_num_threads() == 4


def test_the_environment_sets_the_number():
    program = "from arignote.runtime.threads import get_num_threads; print(get_num_threads())"
    environment = {**os.environ, "ARIGNOTE_NUM_THREADS": "7"}
    answer = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert answer.stdout.strip() == "7", answer.stderr
