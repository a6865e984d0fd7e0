"""One pool of native threads for parallel loops. No Python runs in its threads.

`ag_parallel_for(fn, env, n, grain)` runs `fn(env, begin, end)` over chunks of 0..n on the calling thread and the
pool's. Each thread begins with a part of 0..n of its own, the same one in every loop, since what it reads there may
still be in its caches, and then takes what others have left. One loop uses the pool at a time: a nested loop, or a loop
of another Python thread meanwhile, runs on its own thread alone. Threads start when first needed and sleep on a
condition variable between loops, after a short spin that catches loops in quick succession. A forked child starts with
an empty pool.

`ag_parallel_loop(state, fn, env, n, grain)` is the same for loops of the user's program, whose chunks may take any
time: they ask `ag_check_loop(state)` now and then whether Ctrl-C was pressed.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable

from arignote.runtime.assembly import Function, Value
from arignote.runtime.imports import TABLE, imported
from arignote.runtime.signals import INTERVAL_NANOSECONDS

# Fields of the pool. What a thread reads when it begins a loop is in one cache line.
_BUSY, _STARTED, _LAST_WAY = 0, 8, 16
_BODY, _ENV, _COUNT, _CHUNK, _PARTS, _MANNER, _PARTICIPANTS, _STATE = 64, 72, 80, 88, 96, 104, 112, 120
_SLEEPERS, _WAITING = 192, 200
_MUTEX, _WAKE, _DONE = 256, 384, 512
_LOOP_FIELDS = (("ptr", _BODY), ("ptr", _ENV), ("i64", _COUNT), ("i64", _CHUNK), ("i64", _PARTS), ("i64", _MANNER))

# The state of the pool in one word: how many threads are in the loop, whether more may come, and the loop's number. A
# thread that enters adds itself and sees in the same moment whether it may.
_THREADS_IN, _OPEN, _NUMBER = (1 << 16) - 1, 1 << 16, 17
_MOST_PARTS, _PART_BYTES, _BEGUN = 128, 128, 8
"""A loop's chunks are divided into so many parts at most; the next chunk of each, and whether its own thread has begun
with it, have two cache lines for themselves."""
_BACKWARD, _LEAVE_LAST = 1, 2
"""In which manner a loop is gone through: parts from their last chunk to the first; the last chunk of a part is left to
its own thread, if that is at work. It comes to it as soon as another would have done it; and what another thread takes
over has to move to its cache, now and again the next time, which may take longer than the work."""
_PAUSES = 3_000
"""How often a thread looks again before it sleeps, some 50 microseconds in all: programs are sequences of loops, and
waking a thread costs its waker 10 microseconds."""

_PAUSE = "pause" if platform.machine().lower() in ("x86_64", "amd64") else "yield"
"""The instruction that leaves the processor's units to others while a thread looks again."""

_CHUNKS_FOR_EACH_THREAD = 4
_MANY_CHUNKS_FOR_EACH_THREAD = 16
"""Of long loops, at whose end all wait for the last chunk, and of loops of the user's program, whose iterations may
take longer here than there."""

_LONG = 16
"""A loop of so many grains goes through more than a near cache holds. Every other one takes the chunks of each part
from the last to the first: so where a program goes through large arrays again and again, or through what it has just
written, it begins with what is still in a cache. From the first to the last each time it would find nothing there, as
what it begins with has been out for longest."""

LOOP_CONTEXT, LOOP_STOP, LOOP_THREAD, LOOP_BUDGET = 0, 8, 16, 24
"""The state of a loop of the user's program: the context of the procedure, whether it should end, the thread that
called it (0: the one that asks), and what is left of the caller's budget; see the backend's `emit_parallel.py`."""
_CLOCK_REALTIME = 0
_SECOND = 1_000_000_000

_ALIGNED_CHUNK, _ALIGNMENT = 1024, 64
"""Chunks of so many iterations begin at multiples of a cache line's elements: vectors that lie across two lines take
twice as long, and stores that pass the caches by want whole lines."""

DEFINITIONS = (
    "@pool = internal global [80 x i64] zeroinitializer, align 64\n"
    f"@next_chunks = internal global [{_MOST_PARTS * _PART_BYTES} x i8] zeroinitializer, align 128\n"
)


def _pool(f: Function) -> Value:
    return Value(f, "ptr", "@pool")


def worker_number(f: Function) -> Value:
    """0 on a thread that is not the pool's, and while no loop is shared; else which of the pool's this is, from 1."""
    number = f.variable("i64", 0)
    with f.when(f.load_atomic("i64", _pool(f), _BUSY).differs(0)):
        number.set(f.call("i64", imported(f, "pthread_getspecific"), imported(f, "worker_key", "i64")))
    return number.get()


def _lock(f: Function) -> None:
    f.call("i32", imported(f, "pthread_mutex_lock"), f.address(_pool(f), _MUTEX))


def _unlock(f: Function) -> None:
    f.call("i32", imported(f, "pthread_mutex_unlock"), f.address(_pool(f), _MUTEX))


def _wait(f: Function, condition: int) -> None:
    pool = _pool(f)
    f.call("i32", imported(f, "pthread_cond_wait"), f.address(pool, condition), f.address(pool, _MUTEX))


def _next_chunk(f: Function, part: Value) -> Value:
    """Where the number of the next chunk of a part stands."""
    return f.address(Value(f, "ptr", "@next_chunks"), part * _PART_BYTES)


def _run_chunks() -> Function:
    """Takes chunks of the present loop until none is left: those of the thread's own part, then those of the others."""
    f = Function("run_chunks", "void", body="ptr", env="ptr", count="i64", chunk="i64", parts="i64", manner="i64",
                 own="i64")  # fmt: skip
    chunk, parts, part = f["chunk"], f["parts"], f.variable("i64", 0)
    chunks = (f["count"] + chunk - 1) // chunk
    with f.repeat(parts) as other:
        part.set(f["own"] + other)
        with f.when(part.get() >= parts):
            part.set(part.get() - parts)
        place, last = _next_chunk(f, part.get()), (part.get() + 1) * chunks // parts
        ends = part.get() * chunks // parts + last - 1  # the numbers of its first and last chunk, added
        until = f.variable("i64", last)
        with f.when(other.equals(0)):
            f.store_atomic(1, place, _BEGUN, "i64")
        with f.loop() as end:
            with f.when(other.differs(0)):
                with f.when(f.load_atomic("i64", place, _BEGUN).differs(0)):
                    until.set(last - ((f["manner"] & _LEAVE_LAST) >> 1))
            with f.when(f.load_atomic("i64", place) >= until.get()):  # reading takes the line from no other thread
                f.jump(end)
            number = f.exchange("add", 1, place, 0, "i64")
            with f.when(number >= last):
                f.jump(end)
            begin = f.variable("i64", number * chunk)
            with f.when((f["manner"] & _BACKWARD).differs(0)):
                begin.set((ends - number) * chunk)
            f.call("void", f["body"], f["env"], begin.get(), f.minimum(begin.get() + chunk, f["count"]))
    f.leave()
    return f


def _divide(f: Function, count: Value, chunk: Value, parts: Value) -> None:
    """Gives each part its first chunk."""
    chunks = (count + chunk - 1) // chunk
    with f.repeat(parts) as part:
        f.store(part * chunks // parts, _next_chunk(f, part))
        f.store(0, _next_chunk(f, part), _BEGUN, "i64")


def _number(f: Function) -> Value:
    """The number of the present loop."""
    return f.load_atomic("i64", _pool(f), _STATE) >> _NUMBER


def _threads_in(f: Function) -> Value:
    """How many threads are in the present loop, the caller apart."""
    return f.load_atomic("i64", _pool(f), _STATE) & _THREADS_IN


def _look_again(f: Function, ended: Callable[[], Value]) -> Function:
    """Returns when something holds, or after some microseconds."""
    with f.repeat(f.constant("i64", _PAUSES)):
        with f.when(ended()):
            f.leave()
        f.emit(f'call void asm sideeffect "{_PAUSE}", "~{{memory}}"()')
    f.leave()
    return f


def _spin_until_next() -> Function:
    f = Function("spin_until_next", "void", number="i64")
    return _look_again(f, lambda: _number(f).differs(f["number"]))


def _spin_until_empty() -> Function:
    f = Function("spin_until_empty", "void")
    return _look_again(f, lambda: _threads_in(f).equals(0))


def _sleep() -> Function:
    """Waits for a loop with another number than this."""
    f = Function("sleep_until_next", "void", number="i64")
    pool = _pool(f)
    _lock(f)
    f.exchange("add", 1, pool, _SLEEPERS, "i64")  # before it looks a last time, as the caller first opens a loop
    with f.loop() as awake:
        with f.when(_number(f).differs(f["number"])):
            f.jump(awake)
        _wait(f, _WAKE)
    f.exchange("sub", 1, pool, _SLEEPERS, "i64")
    _unlock(f)
    f.leave()
    return f


def _worker() -> Function:
    """What a thread of the pool does, for ever. Also one that came too late for a loop looks for the next one before it
    sleeps: where all loops are short it would be too late for each."""
    f = Function("pool_worker", "ptr", argument="ptr")
    pool, index, seen = _pool(f), f.to_integer(f["argument"]), f.variable("i64", 0)
    f.call("i32", imported(f, "pthread_setspecific"), imported(f, "worker_key", "i64"), index + 1)
    with f.loop():
        f.call("void", "spin_until_next", seen.get())
        with f.when(_number(f).equals(seen.get())):
            f.call("void", "sleep_until_next", seen.get())
        found = f.exchange("add", 1, pool, _STATE, "i64")
        seen.set(found >> _NUMBER)
        with f.when((found & _OPEN).differs(0)):
            with f.when(index < f.load("i64", pool, _PARTICIPANTS)):
                loop = [f.load(kind, pool, field) for kind, field in _LOOP_FIELDS]
                own = f.variable("i64", index + 1)
                with f.when(own.get() >= loop[4]):
                    own.set(0)
                f.call("void", "run_chunks", *loop, own.get())
        left = f.exchange("sub", 1, pool, _STATE, "i64")
        is_last = (left & (_OPEN | _THREADS_IN)).equals(1)
        with f.when(is_last & f.load_atomic("i64", pool, _WAITING).differs(0)):
            _lock(f)
            f.call("i32", imported(f, "pthread_cond_signal"), f.address(pool, _DONE))
            _unlock(f)
    f.leave(None)
    return f


def _start_threads() -> Function:
    """Starts threads until `wanted` run; the result is how many there are (the system may refuse more)."""
    f = Function("start_threads", "i64", wanted="i64")
    pool, identity = _pool(f), f.variable("i64")
    with f.loop() as end:
        started = f.load("i64", pool, _STARTED)
        with f.when(started >= f["wanted"]):
            f.leave(f["wanted"])
        with f.when(started.equals(0)):
            f.call("void", "begin_placement")
        worker = Value(f, "ptr", "@pool_worker")
        failed = f.call("i32", imported(f, "pthread_create"), identity.address, None, worker, f.to_pointer(started))
        with f.when(failed.differs(0)):
            f.jump(end)
        f.call("void", "add_to_placement", started, identity.get())
        f.call("i32", imported(f, "pthread_detach"), identity.get())
        f.store(started + 1, pool, _STARTED)
    f.leave(f.load("i64", pool, _STARTED))
    return f


def _share_out() -> Function:
    """`share_out(ptr state, ptr fn, ptr env, i64 n, i64 grain)`: both kinds of loops; `state` is null for kernels."""
    f = Function("share_out", "void", state="ptr", body="ptr", env="ptr", count="i64", grain="i64")
    pool, count = _pool(f), f["count"]
    grain = f.variable("i64", f["grain"])
    with f.when(grain.get() < 1):
        grain.set(1)
    threads = imported(f, "thread_limit", "i64")
    with f.when(count <= 0):
        f.leave()
    is_small = (count <= grain.get()) | (threads <= 1)
    with f.when(is_small):
        f.call("void", f["body"], f["env"], 0, count)
        f.leave()
    with f.when(f.exchange("xchg", 1, pool, _BUSY, "i64").differs(0)):
        f.call("void", f["body"], f["env"], 0, count)
        f.leave()
    # The caller is one of the threads, so the others need only what one grain leaves over.
    helpers = f.call("i64", "start_threads", f.minimum(threads - 1, (count - 1) // grain.get()))
    chunks, manner = f.variable("i64", _CHUNKS_FOR_EACH_THREAD), f.variable("i64", 0)
    with f.when(f["state"].differs(None)):
        f.store(f.call("i64", imported(f, "pthread_self")), f["state"], LOOP_THREAD)
        chunks.set(_MANY_CHUNKS_FOR_EACH_THREAD)
    with f.when(f["state"].equals(None) & (count // grain.get() >= _LONG)):
        chunks.set(_MANY_CHUNKS_FOR_EACH_THREAD)
        manner.set(f.load("i64", pool, _LAST_WAY) ^ _BACKWARD)
        f.store(manner.get(), pool, _LAST_WAY)
    each = f.variable("i64", f.minimum(chunks.get(), count // (grain.get() * (helpers + 1))))
    with f.when(each.get() < 1):
        each.set(1)
    with f.when(f["state"].equals(None) & (each.get() >= _CHUNKS_FOR_EACH_THREAD)):
        manner.set(manner.get() | _LEAVE_LAST)
    shares = each.get() * (helpers + 1)  # as many for each thread, so that all end together
    chunk = f.variable("i64", (count + shares - 1) // shares)
    with f.when(chunk.get() >= _ALIGNED_CHUNK):
        chunk.set((chunk.get() + (_ALIGNMENT - 1)) & -_ALIGNMENT)
    parts = f.minimum(helpers + 1, _MOST_PARTS)
    loop = (f["body"], f["env"], count, chunk.get(), parts, manner.get())
    for value, (_, field) in zip(loop, _LOOP_FIELDS, strict=True):
        f.store(value, pool, field)
    f.store(helpers, pool, _PARTICIPANTS)
    _divide(f, count, chunk.get(), parts)
    f.call("void", "keep_away", f.load("i64", pool, _STARTED))
    f.exchange("add", (1 << _NUMBER) + _OPEN, pool, _STATE, "i64")
    with f.when(f.load_atomic("i64", pool, _SLEEPERS).differs(0)):
        _lock(f)
        f.call("i32", imported(f, "pthread_cond_broadcast"), f.address(pool, _WAKE))
        _unlock(f)
    f.call("void", "run_chunks", *loop, 0)
    _finish(f)
    f.leave()
    return f


def _finish(f: Function) -> None:
    """Closes the loop to threads that come late, waits for those at work, and frees the pool."""
    pool, state = _pool(f), f["state"]
    left = f.exchange("and", ~_OPEN, pool, _STATE, "i64")
    with f.when((left & _THREADS_IN).differs(0)):
        f.call("void", "spin_until_empty")
        with f.when(_threads_in(f).differs(0)):
            _lock(f)
            f.exchange("xchg", 1, pool, _WAITING, "i64")  # before it looks a last time, as the others first leave
            with f.loop() as end:
                with f.when(_threads_in(f).equals(0)):
                    f.jump(end)
                with f.when(state.differs(None)):
                    _wait_a_moment(f)
                    _unlock(f)
                    f.call("i32", "ag_check_loop", state)
                    _lock(f)
                with f.when(state.equals(None)):
                    _wait(f, _DONE)
            f.store_atomic(0, pool, _WAITING, "i64")
            _unlock(f)
    f.store_atomic(0, pool, _BUSY, "i64")


def _wait_a_moment(f: Function) -> None:
    """Waits until the others are done, but no longer than Ctrl-C may: only the caller can ask Python for it."""
    until, clock = f.local_words(2), Value(f, "i32", str(_CLOCK_REALTIME))
    f.call("i32", imported(f, "clock_gettime"), clock, until)
    later = f.load("i64", until, 8) + INTERVAL_NANOSECONDS
    seconds = later // _SECOND
    f.store(f.load("i64", until) + seconds, until)
    f.store(later - seconds * _SECOND, until, 8)
    pool = _pool(f)
    wait = imported(f, "pthread_cond_timedwait")
    f.call("i32", wait, f.address(pool, _DONE), f.address(pool, _MUTEX), until)


def _parallel_for() -> Function:
    """`ag_parallel_for(ptr fn, ptr env, i64 n, i64 grain)`."""
    f = Function("ag_parallel_for", "void", body="ptr", env="ptr", count="i64", grain="i64")
    f.call("void", "share_out", None, f["body"], f["env"], f["count"], f["grain"])
    f.leave()
    return f


def _parallel_loop() -> Function:
    """`ag_parallel_loop(ptr state, ptr fn, ptr env, i64 n, i64 grain)`."""
    f = Function("ag_parallel_loop", "void", state="ptr", body="ptr", env="ptr", count="i64", grain="i64")
    f.call("void", "share_out", f["state"], f["body"], f["env"], f["count"], f["grain"])
    f.leave()
    return f


def _check_loop() -> Function:
    """`i32 ag_check_loop(ptr state)`: whether the loop should end. Only its caller's thread can ask Python."""
    f = Function("ag_check_loop", "i32", state="ptr")
    state = f["state"]
    with f.when(f.load_atomic("i64", state, LOOP_STOP).differs(0)):
        f.leave(1)
    thread = f.load("i64", state, LOOP_THREAD)
    with f.when(thread.differs(0)):
        with f.when(thread.differs(f.call("i64", imported(f, "pthread_self")))):
            f.leave(0)
    with f.when(f.call("i32", "ag_check_signals", f.load("ptr", state, LOOP_CONTEXT)).equals(0)):
        f.leave(0)
    f.store_atomic(1, state, LOOP_STOP, "i64")
    f.leave(1)
    return f


def _reset() -> Function:
    """`ag_reset_pool()`: a pool without threads; at the start, and in a forked child, whose threads are gone."""
    f = Function("ag_reset_pool", "void")
    pool = _pool(f)
    for field in (_BUSY, _STARTED, _STATE, _SLEEPERS, _WAITING):
        f.store(0, pool, field, "i64")
    f.call("i32", imported(f, "pthread_mutex_init"), f.address(pool, _MUTEX), None)
    for condition in (_WAKE, _DONE):
        f.call("i32", imported(f, "pthread_cond_init"), f.address(pool, condition), None)
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_run_chunks(), _spin_until_next(), _spin_until_empty(), _sleep(), _worker(), _start_threads(),
            _check_loop(), _share_out(), _parallel_for(), _parallel_loop(), _reset()]  # fmt: skip


def available_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _initial_threads() -> int:
    """What the environment says, as joblib and others set it for the processes that they start, or all processors."""
    for name in ("ARIGNOTE_NUM_THREADS", "OMP_NUM_THREADS"):
        given = os.environ.get(name, "").split(",")[0].strip()
        if given.isdigit() and int(given) > 0:
            return int(given)
    return available_processors()


_threads = _initial_threads()
TABLE.set("thread_limit", _threads)


def set_num_threads(count: int) -> None:
    """Lets parallel loops use this many threads, the caller's included."""
    global _threads
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"the number of threads must be an int, not {type(count).__name__}")
    if count < 1:
        raise ValueError(f"the number of threads must be at least 1, not {count}")
    _threads = count
    TABLE.set("thread_limit", count)


def get_num_threads() -> int:
    """How many threads a parallel loop may use."""
    return _threads
