"""Calls of one procedure that the threads of the pool share, each in a context of its own.

`ag_parallel_map(ctx, run, environment, count, took)` calls `run(context, environment, null)` for each number 0..count,
which stands in the context. `took` points to how many nanoseconds the first call took the last time. Were they few, it
runs alone, and only if it takes long now are the others given to threads; else threads share all calls from the start.
Each thread has a large stack of its own. Of calls that fail, the one with the least number is the one that is heard of,
as if they had run in order: later ones need not begin then, and those that run stop when they next look.
"""

from __future__ import annotations

from arignote.runtime.assembly import Function, Value
from arignote.runtime.call import CALLS_LEFT, CONTEXT_WORDS, NUMBER, SHARED, SITE, STACK_LIMIT
from arignote.runtime.imports import imported
from arignote.runtime.threads import LOOP_CONTEXT, LOOP_STOP, LOOP_THREAD

DEFINITIONS = ""

# What the calls have in common: first the state of a loop, as the pool knows it.
_RUN, _ENVIRONMENT, _FAILED, _LOCK, _FIRST, _TOOK, _ERROR = 32, 40, 48, 56, 64, 72, 80
_ERROR_WORDS = STACK_LIMIT // 8
_STATE_WORDS = _ERROR // 8 + _ERROR_WORDS
_NONE_FAILED = (1 << 62) - 1

_WORTH_THREADS = 10_000
"""The first call takes so many nanoseconds where threads share them, which takes about as long."""


def _is_callers(f: Function, state: Value) -> Value:
    """Whether this is the thread that called; before the pool is asked it is."""
    thread = f.load("i64", state, LOOP_THREAD)
    return thread.equals(0) | thread.equals(f.call("i64", imported(f, "pthread_self")))


def _run_call() -> Function:
    f = Function("run_shared_call", "void", state="ptr", number="i64")
    state = f["state"]
    with f.when(f.load_atomic("i64", state, LOOP_STOP).differs(0)):
        f.leave()
    with f.when(f["number"] > f.load_atomic("i64", state, _FAILED)):
        f.leave()
    context = f.local_words(CONTEXT_WORDS)
    f.store(state, context, SHARED)
    f.store(f["number"], context, NUMBER)
    f.store(0, context, CALLS_LEFT, "i64")
    run, environment, status = f.load("ptr", state, _RUN), f.load("ptr", state, _ENVIRONMENT), f.variable("i32")
    here = _is_callers(f, state)
    with f.when(here):
        f.store(f.load("i64", f.load("ptr", state, LOOP_CONTEXT), STACK_LIMIT), context, STACK_LIMIT)
        status.set(f.call("i32", run, context, environment, None))
    with f.when(here.equals(0)):
        f.store(f.call("i64", "ag_stack_limit"), context, STACK_LIMIT)
        status.set(f.call("i32", "ag_on_large_stack", run, context, environment, None))
    with f.when(status.get().differs(0)):
        f.call("void", "note_failure", state, context)
    f.leave()
    return f


def _note_failure() -> Function:
    """Keeps the error of the first call that fails; one that only looked and stopped was later."""
    f = Function("note_failure", "void", state="ptr", context="ptr")
    state, number = f["state"], f.load("i64", f["context"], NUMBER)
    with f.loop() as end:
        with f.when(f.exchange("xchg", 1, state, _LOCK, "i64").equals(0)):
            f.jump(end)
        f.call("i32", imported(f, "sched_yield"))
    with f.when(number < f.load_atomic("i64", state, _FAILED)):
        f.store_atomic(number, state, _FAILED, "i64")
        for place in range(_ERROR_WORDS):
            f.store(f.load("i64", f["context"], SITE + 8 * place), state, _ERROR + 8 * place)
    f.store_atomic(0, state, _LOCK, "i64")
    f.leave()
    return f


def _check_shared_call() -> Function:
    """`check_shared_call(ctx) -> i32`: whether a call should end, as an earlier one failed or Ctrl-C was pressed."""
    f = Function("check_shared_call", "i32", context="ptr")
    state = f.load("ptr", f["context"], SHARED)
    with f.when(f.load("i64", f["context"], NUMBER) > f.load_atomic("i64", state, _FAILED)):
        f.leave(1)
    f.leave(f.call("i32", "ag_check_loop", state))
    return f


def _run_calls() -> Function:
    """The calls from the first that is shared on, as iterations of a loop."""
    f = Function("run_shared_calls", "void", state="ptr", begin="i64", end="i64")
    first = f.load("i64", f["state"], _FIRST) + f["begin"]
    with f.repeat(f["end"] - f["begin"]) as index:
        number = first + index
        with f.when(number.equals(0)):
            f.call("i64", "run_first_call", f["state"])
        with f.when(number.differs(0)):
            f.call("void", "run_shared_call", f["state"], number)
    f.leave()
    return f


def _run_first() -> Function:
    """The first call, and how many nanoseconds it takes."""
    f = Function("run_first_call", "i64", state="ptr")
    begin = f.call("i64", "nanoseconds")
    f.call("void", "run_shared_call", f["state"], 0)
    nanoseconds = f.call("i64", "nanoseconds") - begin
    f.store_atomic(nanoseconds, f.load("ptr", f["state"], _TOOK), 0, "i64")
    f.leave(nanoseconds)
    return f


def _parallel_map() -> Function:
    """`ag_parallel_map(ctx, run, environment, count, took) -> i32`."""
    f = Function("ag_parallel_map", "i32", context="ptr", run="ptr", environment="ptr", count="i64", took="ptr")
    with f.when(f["count"] <= 0):
        f.leave(0)
    state, alone, short = f.local_words(_STATE_WORDS), f.variable("i64", 0), f.variable("i1", 0)
    for field in (LOOP_STOP, LOOP_THREAD, _LOCK):
        f.store(0, state, field, "i64")
    for name, field in (("context", LOOP_CONTEXT), ("run", _RUN), ("environment", _ENVIRONMENT), ("took", _TOOK)):
        f.store(f[name], state, field)
    f.store(_NONE_FAILED, state, _FAILED, "i64")
    with f.when(f.load_atomic("i64", f["took"]) < _WORTH_THREADS):
        alone.set(1)
        short.set(f.call("i64", "run_first_call", state) < _WORTH_THREADS)
    f.store(alone.get(), state, _FIRST)
    shared = f["count"] - alone.get()
    with f.when(short.get()):
        f.call("void", "run_shared_calls", state, 0, shared)
    with f.when(short.get().equals(0)):
        f.call("void", "ag_parallel_loop", state, Value(f, "ptr", "@run_shared_calls"), state, shared, 1)
    with f.when(f.load("i64", state, LOOP_STOP).differs(0)):
        f.leave(1)
    with f.when(f.load("i64", state, _FAILED).equals(_NONE_FAILED)):
        f.leave(0)
    for place in range(_ERROR_WORDS):
        f.store(f.load("i64", state, _ERROR + 8 * place), f["context"], SITE + 8 * place)
    f.leave(1)
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_run_call(), _note_failure(), _check_shared_call(), _run_first(), _run_calls(), _parallel_map()]
