"""Compiled functions in many Python threads: they run side by side, and forks meanwhile leave working children."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import arignote as ag
from arignote.runtime.threads import available_processors


@ag.jit
def chain(x):
    for _ in range(8):
        x = np.sin(x) * x + np.exp(-x * x)
    return np.sum(x)


@ag.jit
def logistic(r, x, n):
    for _ in range(n):
        x = r * x * (1.0 - x)
    return x


@pytest.fixture(autouse=True)
def number_of_threads():
    before = ag.get_num_threads()
    yield
    ag.set_num_threads(before)


def seconds(work, threads, rounds):
    """The time of so many calls in so many threads."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: work(), range(threads)))  # starts the threads
        start = time.perf_counter()
        list(pool.map(lambda _: work(), range(rounds)))
        return time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.skipif(available_processors() < 2, reason="one processor")
def test_two_threads_do_twice_as_much():
    x = np.linspace(0.0, 1.0, 400_000)
    ag.set_num_threads(1)
    best = max(seconds(lambda: chain(x), 1, 20) / seconds(lambda: chain(x), 2, 20) for _ in range(5))
    assert best > 1.7


@pytest.mark.slow
@pytest.mark.skipif(available_processors() < 2, reason="one processor")
def test_two_threads_do_twice_as_much_without_arrays():
    def work():
        for _ in range(200):
            logistic(3.5, 0.3, 30_000)

    assert max(seconds(work, 1, 10) / seconds(work, 2, 10) for _ in range(5)) > 1.6


def test_python_runs_while_a_call_lasts():
    x, counted, stop = np.linspace(0.0, 1.0, 2_000_000), [0], threading.Event()
    expected = chain(x)

    def count():
        while not stop.is_set():
            counted[0] += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted[0]
    assert chain(x) == expected
    after = counted[0]
    stop.set()
    thread.join()
    assert after > before


def test_forks_from_other_threads_during_calls():
    x = np.linspace(0.0, 1.0, 300_000)
    ag.set_num_threads(3)
    expected, stop = chain(x), threading.Event()

    def work():
        while not stop.is_set():
            chain(x)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            child = os.fork()
            if child == 0:
                os._exit(0 if chain(x) == expected and chain(x[::2]) > 0 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_nothing_runs_when_idle():
    a = np.ones((300, 300))
    ag.jit(lambda x: np.tanh(x @ x))(a)
    chain(np.linspace(0.0, 1.0, 500_000))
    time.sleep(0.1)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.02
