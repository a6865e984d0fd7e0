"""Calls of one procedure that the threads of the pool share, each in a context of its own.

`ag_parallel_map(ctx, run, environment, count, took)` calls `run(context, environment, null)` for each number 0..count,
which stands in the context. `took` points to how many nanoseconds the first call took the last time. Were they few, it
runs alone, and only if it takes long now are the others given to threads; else threads share all calls from the start.
Each thread has a large stack of its own, and several where its calls take turns (`turns.py`). Of calls that fail, the
one with the least number is the one that is heard of, as if they had run in order: later ones need not begin then, and
those that run stop when they next look.
"""

from __future__ import annotations

from arignote.runtime.assembly import Function, Value
from arignote.runtime.call import CALLS_LEFT, CONTEXT_WORDS, NUMBER, SHARED, SITE, STACK_LIMIT
from arignote.runtime.imports import imported
from arignote.runtime.threads import LOOP_CONTEXT, LOOP_STOP, LOOP_THREAD

DEFINITIONS = ""

# What the calls have in common: first the state of a loop, as the pool knows it.
_RUN, _ENVIRONMENT, _FAILED, _LOCK, _SLOTS, _TOOK, _ERROR = 32, 40, 48, 56, 64, 72, 80
_ERROR_WORDS = STACK_LIMIT // 8
_TAKEN = _ERROR + 8 * _ERROR_WORDS
_MOST_SLOTS = 16
_STATE_WORDS = _TAKEN // 8 + 2 * _MOST_SLOTS
"""SLOTS: into how many ranges the calls are divided, one for each thread. TAKEN: of each the next call and the end."""
_NONE_FAILED = (1 << 62) - 1

_WORTH_THREADS = 10_000
"""The first call takes so many nanoseconds where threads share them, which takes about as long."""


def _is_callers(f: Function, state: Value) -> Value:
    """Whether this is the thread that called; before the pool is asked it is."""
    thread = f.load("i64", state, LOOP_THREAD)
    return thread.equals(0) | thread.equals(f.call("i64", imported(f, "pthread_self")))


def _run_call() -> Function:
    """A call on the stack of its thread: the caller's, or the large one of a thread of the pool."""
    f = Function("run_shared_call", "void", state="ptr", number="i64")
    state = f["state"]
    context = f.local_words(CONTEXT_WORDS)
    f.store(state, context, SHARED)
    f.store(f["number"], context, NUMBER)
    f.store(0, context, CALLS_LEFT, "i64")
    here = _is_callers(f, state)
    with f.when(here):
        f.store(f.load("i64", f.load("ptr", state, LOOP_CONTEXT), STACK_LIMIT), context, STACK_LIMIT)
        f.call("void", "run_in_context", state, context, Value(f, "ptr", "@run_here"))
    with f.when(here.equals(0)):
        f.store(f.call("i64", "ag_stack_limit"), context, STACK_LIMIT)
        f.call("void", "run_in_context", state, context, Value(f, "ptr", "@ag_on_large_stack"))
    f.leave()
    return f


def _run_here() -> Function:
    """What `ag_on_large_stack` does, on the stack of the caller."""
    f = Function("run_here", "i32", run="ptr", context="ptr", environment="ptr", unused="ptr")
    f.leave(f.call("i32", f["run"], f["context"], f["environment"], f["unused"]))
    return f


def _run_in_context() -> Function:
    """A call whose number and stack are in its context, unless an earlier one has failed or all should end."""
    f = Function("run_in_context", "void", state="ptr", context="ptr", way="ptr")
    state, context = f["state"], f["context"]
    with f.when(f.load_atomic("i64", state, LOOP_STOP).differs(0)):
        f.leave()
    with f.when(f.load("i64", context, NUMBER) > f.load_atomic("i64", state, _FAILED)):
        f.leave()
    is_first, begin = f.load("i64", context, NUMBER).equals(0), f.variable("i64", 0)
    with f.when(is_first):
        begin.set(f.call("i64", "nanoseconds"))
    status = f.call("i32", f["way"], f.load("ptr", state, _RUN), context, f.load("ptr", state, _ENVIRONMENT), None)
    with f.when(is_first):
        f.store_atomic(f.call("i64", "nanoseconds") - begin.get(), f.load("ptr", state, _TOOK), 0, "i64")
    with f.when(status.differs(0)):
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
    f.call("void", "let_others_go_on")
    with f.when(f.load("i64", f["context"], NUMBER) > f.load_atomic("i64", state, _FAILED)):
        f.leave(1)
    f.leave(f.call("i32", "ag_check_loop", state))
    return f


def _next_call() -> Function:
    """`next_shared_call(state, slot) -> i64`: the number of a call that nobody has taken, first of the slot's own; -1
    where there is none."""
    f = Function("next_shared_call", "i64", state="ptr", slot="i64")
    slots, slot = f.load("i64", f["state"], _SLOTS), f.variable("i64", f["slot"])
    with f.repeat(slots):
        place = f.address(f["state"], (slot.get() << 4) + _TAKEN)
        with f.when(f.load_atomic("i64", place) < f.load("i64", place, 8)):
            number = f.exchange("add", 1, place, 0, "i64")
            with f.when(number < f.load("i64", place, 8)):
                f.leave(number)
        slot.set(slot.get() + 1)
        with f.when(slot.get() >= slots):
            slot.set(0)
    f.leave(-1)
    return f


def _run_in_order() -> Function:
    """The calls of a slot, and then what others have left, one after the other."""
    f = Function("run_calls_in_order", "void", state="ptr", slot="i64")
    with f.loop() as end:
        number = f.call("i64", "next_shared_call", f["state"], f["slot"])
        with f.when(number < 0):
            f.jump(end)
        f.call("void", "run_shared_call", f["state"], number)
    f.leave()
    return f


def _run_calls() -> Function:
    """The calls of some slots, as iterations of a loop."""
    f = Function("run_shared_calls", "void", state="ptr", begin="i64", end="i64")
    with f.repeat(f["end"] - f["begin"]) as index:
        slot = f["begin"] + index
        with f.when(f.call("i32", "take_turns", f["state"], slot).equals(0)):
            f.call("void", "run_calls_in_order", f["state"], slot)
    f.leave()
    return f


def _divide_calls() -> Function:
    """`divide_calls(state, first, count, most) -> i64`: gives each slot a range of the calls from the first that is
    shared on; how many slots there are."""
    f = Function("divide_calls", "i64", state="ptr", first="i64", count="i64", most="i64")
    shared = f["count"] - f["first"]
    slots = f.minimum(f.minimum(shared, f["most"]), _MOST_SLOTS)
    f.store(slots, f["state"], _SLOTS)
    with f.repeat(slots) as slot:
        place = f.address(f["state"], (slot << 4) + _TAKEN)
        f.store(f["first"] + slot * shared // slots, place)
        f.store(f["first"] + (slot + 1) * shared // slots, place, 8)
    f.leave(slots)
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
        f.call("void", "run_shared_call", state, 0)
        short.set(f.load_atomic("i64", f["took"]) < _WORTH_THREADS)
    with f.when(short.get()):
        f.call("i64", "divide_calls", state, alone.get(), f["count"], 1)
        f.call("void", "run_calls_in_order", state, 0)
    with f.when(short.get().equals(0)):
        slots = f.call("i64", "divide_calls", state, alone.get(), f["count"], imported(f, "thread_limit", "i64"))
        f.call("void", "ag_parallel_loop", state, Value(f, "ptr", "@run_shared_calls"), state, slots, 1)
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
    return [_run_call(), _note_failure(), _check_shared_call(), _run_here(), _run_in_context(), _next_call(),
            _divide_calls(), _run_in_order(), _run_calls(), _parallel_map()]  # fmt: skip
