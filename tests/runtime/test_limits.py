"""Ctrl-C, deep recursion, memory that cannot be had: exceptions, and the process goes on."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from arignote.ir.structure import ArrayOf, PythonScalarOf
from arignote.runtime import native
from arignote.runtime.assembly import Function
from arignote.runtime.call import SITE, STACK_LIMIT
from arignote.runtime.dispatch import Dispatcher
from arignote.runtime.entry import CompiledSpecialisation
from tests.runtime.programs import finish, outside, procedure

INTEGER = PythonScalarOf("int64")


def endless(release_bytes):
    """A loop that only Ctrl-C ends."""
    f = procedure([INTEGER])
    with f.loop():
        status = f.call("i32", outside(f, "ag_check_signals"), f["ctx"])
        with f.when(status.differs(0)):
            f.leave(status)
    f.leave(0)
    compiled = CompiledSpecialisation(finish(f), INTEGER, release_bytes=release_bytes)
    return Dispatcher(lambda x: x, lambda signature: compiled).callable


def interrupt(number, frame):
    raise KeyboardInterrupt


@pytest.mark.parametrize("release_bytes", [0, 2**62])
def test_interrupting_a_long_loop(release_bytes):
    function, before = endless(release_bytes), signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(2):
            started = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt):
                function(1)
            assert time.monotonic() - started < 5
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("release_bytes", [0, 2**62])
def test_other_threads_run_during_a_long_loop(release_bytes):
    before = signal.signal(signal.SIGINT, interrupt)  # a shell's job in the background ignores it
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            endless(release_bytes)(1)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)


def recursive():
    """Calls itself `n` deep, with a large frame, unless the stack ends before."""
    inner = Function("inner", "i32", ctx="ptr", n="i64")
    frame = inner.local_words(100)
    inner.store(inner["n"], frame)
    here, limit = inner.to_integer(frame), inner.load("i64", inner["ctx"], STACK_LIMIT)
    with inner.when(inner.compare("ult", here, limit)):
        inner.store(1, inner["ctx"], SITE, "i64")
        inner.leave(1)
    with inner.when(inner["n"].equals(0)):
        inner.leave(0)
    status = inner.call("i32", "inner", inner["ctx"], inner["n"] - 1)
    inner.store(inner.load("i64", frame) + 1, frame)
    inner.leave(status)
    outer = procedure([INTEGER])
    outer.store(outer["p0"], outer["results"])
    outer.leave(outer.call("i32", "inner", outer["ctx"], outer["p0"]))
    address = native.compile_small(inner.text() + outer.text(), outer.name)
    compiled = CompiledSpecialisation(address, INTEGER)
    return Dispatcher(lambda x: x, lambda signature: compiled).callable


def check_recursion(function):
    for _ in range(3):
        assert function(50) == 50
        with pytest.raises(RecursionError, match="maximum recursion depth exceeded"):
            function(10**9)


def test_deep_recursion():
    function = recursive()
    check_recursion(function)
    assert function(5000) == 5000


def deep_in_python(levels, function):
    return deep_in_python(levels - 1, function) if levels else check_recursion(function)


def test_deep_recursion_from_deep_python_code():
    deep_in_python(500, recursive())


@pytest.mark.parametrize("kilobytes", [256, 512, 4096])
def test_deep_recursion_in_threads(kilobytes):
    function, failures = recursive(), []

    def work():
        try:
            check_recursion(function)
        except BaseException as error:
            failures.append(error)

    before = threading.stack_size(kilobytes << 10)
    try:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.stack_size(before)
    assert not failures


def test_results_that_do_not_fit_in_memory():
    """A result whose sizes are absurd: NumPy's error, and the buffer is not lost."""
    f = procedure([INTEGER])
    buffer = f.call("ptr", outside(f, "ag_alloc"), 64)
    for offset, value in enumerate((buffer, f.address(buffer, 64), f["p0"])):
        f.store(value, f["results"], 8 * offset)
    f.leave(0)
    compiled = CompiledSpecialisation(finish(f), ArrayOf("float64", (-1,)))
    function, before = Dispatcher(lambda x: x, lambda signature: compiled).callable, native.live_buffers()
    with pytest.raises((ValueError, MemoryError)):
        function(2**62)
    shape = function(2).shape
    assert shape == (2,) and native.live_buffers() == before
