"""Ctrl-C in long loops: compiled code asks now and then whether a signal waits."""

from __future__ import annotations

import time

from arignote.runtime.assembly import Function, Value
from arignote.runtime.call import SHARED, SITE
from arignote.runtime.imports import imported

INTERVAL_NANOSECONDS = 20_000_000
"""How often Python is asked at most."""

_CLOCK_MONOTONIC = int(time.CLOCK_MONOTONIC)
_PYTHON_EXCEPTION_SITE = -1

DEFINITIONS = "@last_check = internal global i64 0, align 64\n"


def _nanoseconds() -> Function:
    """`nanoseconds() -> i64`: of a clock that never goes back."""
    f = Function("nanoseconds", "i64")
    moment, clock = f.local_words(2), Value(f, "i32", str(_CLOCK_MONOTONIC))
    f.call("i32", imported(f, "clock_gettime"), clock, moment)
    f.leave(f.load("i64", moment) * 1_000_000_000 + f.load("i64", moment, 8))
    return f


def _check_signals() -> Function:
    """`i32 ag_check_signals(ptr ctx)`: 1 when a signal handler raised; its exception is then set in this thread. Of
    calls that several threads share, also 1 where there is no use in going on."""
    f = Function("ag_check_signals", "i32", context="ptr")
    with f.when(f.load("ptr", f["context"], SHARED).differs(None)):
        f.leave(f.call("i32", "check_shared_call", f["context"]))
    last, now = Value(f, "ptr", "@last_check"), f.call("i64", "nanoseconds")
    with f.when(now - f.load_atomic("i64", last) < INTERVAL_NANOSECONDS):
        f.leave(0)
    f.store_atomic(now, last, 0, "i64")
    ask = Value(f, "ptr", "@ask_python")
    f.leave(f.call("i32", "ag_on_thread_stack", ask, f["context"], None, None))
    return f


def _ask_python() -> Function:
    """`i32 ask_python(ptr ctx, ptr, ptr)`: what `ag_check_signals` does now and then, on the thread's own stack."""
    f = Function("ask_python", "i32", context="ptr", a="ptr", b="ptr")
    state = f.call("i32", imported(f, "PyGILState_Ensure"))
    # Other Python threads get their turn, also when this call has kept Python's lock.
    f.call("void", imported(f, "PyEval_RestoreThread"), f.call("ptr", imported(f, "PyEval_SaveThread")))
    raised = f.call("i32", imported(f, "PyErr_CheckSignals"))
    f.call("void", imported(f, "PyGILState_Release"), state)
    with f.when(raised.equals(0)):
        f.leave(0)
    f.store(_PYTHON_EXCEPTION_SITE, f["context"], SITE, "i64")
    f.leave(1)
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_nanoseconds(), _check_signals(), _ask_python()]
