"""Deep recursion of compiled programs: derivatives, threads with small stacks, forks, prints from deep inside."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import pytest

import arignote as ag
from arignote.runtime import large_stack
from arignote.runtime.native import live_buffers

DEEP = 100_000

pytestmark = pytest.mark.skipif(not large_stack.IS_SUPPORTED, reason="no large stacks on this machine")


@ag.jit
def total(x, n):
    return 0.0 if n == 0 else x + total(x, n - 1)


@ag.jit
def is_even_sum(x, n):
    return x if n == 0 else 1.0 + is_odd_sum(x, n - 1)


def is_odd_sum(x, n):
    return -x if n == 0 else 2.0 + is_even_sum(x, n - 1)


def squares(x, n):
    return 0.0 if n == 0 else x * x + squares(x, n - 1)


def values_and_derivatives(n):
    assert total(1.0, n) == n
    assert ag.grad(squares)(3.0, n) == 6.0 * n
    assert ag.jvp(lambda x: squares(x, n), (3.0,), (1.0,))[1] == 6.0 * n


def test_values_and_derivatives():
    before = live_buffers()
    values_and_derivatives(DEEP)
    assert live_buffers() == before
    assert is_even_sum(2.0, DEEP + 1) == -2.0 + 1.5 * DEEP + 1


def test_endless_recursion():
    for _ in range(2):
        with pytest.raises(RecursionError, match="maximum recursion depth exceeded"):
            total(1.0, 10**12)
        assert total(1.0, 10) == 10


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_given_back():
    total(1.0, 10)
    before = resident_bytes()
    total(1.0, 3_000_000)
    assert resident_bytes() - before < 2 * large_stack.KEPT_BYTES


def in_thread(work):
    failures = []

    def run():
        try:
            work()
        except BaseException as error:
            failures.append(error)

    before = threading.stack_size(64 << 10)
    try:
        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.stack_size(before)
    assert not failures


def test_threads_with_small_stacks():
    values_and_derivatives(10)  # compiles, which needs a stack of some size
    before = live_buffers()
    in_thread(lambda: values_and_derivatives(DEEP))
    assert live_buffers() == before


def test_many_threads_one_after_another():
    for _ in range(200):  # each leaves a stack of a gigabyte of addresses behind, if it is not given back
        thread = threading.Thread(target=total, args=(1.0, 1000))
        thread.start()
        thread.join()


def test_fork():
    total(1.0, 10)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if total(1.0, DEEP) == DEEP else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


@ag.jit
def shout(x, n):
    if n == 0:
        print("deep", x)
        return 0.0
    return x + shout(x, n - 1)


def test_printing_from_deep_inside(capsys):
    assert shout(1.0, DEEP) == DEEP
    assert capsys.readouterr().out == "deep 1.0\n"


class Recursive:
    """A file whose `write` runs compiled recursive code, and goes deep in Python too."""

    def __init__(self):
        self.heard = []

    def write(self, text):
        def deep(n):
            return 0 if n == 0 else 1 + deep(n - 1)

        self.heard.append((text, total(1.0, 1000), deep(500)))

    def flush(self):
        pass


def test_compiled_code_called_while_printing(monkeypatch):
    shout(1.0, 1)
    out = Recursive()
    monkeypatch.setattr("sys.stdout", out)
    assert shout(1.0, DEEP) == DEEP
    assert ("deep 1.0\n", 1000.0, 500) in out.heard


class Failing:
    def write(self, text):
        raise KeyError(text)

    def flush(self):
        pass


def test_an_exception_while_printing(monkeypatch):
    monkeypatch.setattr("sys.stdout", Failing())
    with pytest.raises(KeyError):
        shout(1.0, DEEP)
    assert total(1.0, DEEP) == DEEP


@ag.jit
def slow(n):
    return 1 if n < 2 else slow(n - 1) + slow(n - 2)


def interrupt(number, frame):
    raise KeyboardInterrupt


def test_interrupting_recursion():
    assert slow(5) == 8
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        started = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            slow(80)
        assert time.monotonic() - started < 5
    finally:
        signal.signal(signal.SIGALRM, before)


def test_little_memory_reserves_less():
    pages = {"SC_PHYS_PAGES": (1 << 30) // 4096, "SC_PAGE_SIZE": 4096}
    assert large_stack.bytes_to_reserve(pages.__getitem__) == 256 << 20
