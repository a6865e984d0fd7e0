"""Where the pool's threads run: not on the processor of the thread that shares its loop with them.

A thread that is woken may be put behind its waker, on the same processor, and stay there until the system's next tick
moves it: up to 4 ms in which it does nothing, and loops take twice their time. So before a loop the pool's threads are
kept away from the caller's processor. Threads whose processors someone else has set in the mean time are left alone,
and so are all of a large pool, in which one thread more or less is not felt. Only Linux tells and takes such wishes.
"""

from __future__ import annotations

from arignote.runtime.assembly import Function, Value
from arignote.runtime.imports import IS_MACOS, imported

_MOST_THREADS = 8
_MASK_BYTES = 128
_MASK_WORDS = _MASK_BYTES // 8
_PROCESSORS = 8 * _MASK_BYTES

_ALL, _PRESENT, _PROCESSOR, _THREADS = 0, _MASK_BYTES, 2 * _MASK_BYTES, 2 * _MASK_BYTES + 8
"""The processors that threads began with; those they have now; the one they keep away from; the threads."""

DEFINITIONS = f"@placement = internal global [{_THREADS + 8 * _MOST_THREADS} x i8] zeroinitializer, align 64\n"


def _placement(f: Function) -> Value:
    return Value(f, "ptr", "@placement")


def _copy(f: Function, target: Value, source: Value) -> None:
    f.call("ptr", imported(f, "memcpy"), target, source, _MASK_BYTES)


def _begin() -> Function:
    """`begin_placement()`: before the first thread starts, which inherits the processors of its creator."""
    f = Function("begin_placement", "void")
    place = _placement(f)
    f.store(-1, place, _PROCESSOR, "i64")
    f.call("ptr", imported(f, "memset"), f.address(place, _ALL), f.constant("i32", 0), _MASK_BYTES)
    if not IS_MACOS:
        own = f.call("i64", imported(f, "pthread_self"))
        f.call("i32", imported(f, "pthread_getaffinity_np"), own, _MASK_BYTES, f.address(place, _ALL))
    _copy(f, f.address(place, _PRESENT), f.address(place, _ALL))
    f.leave()
    return f


def _add() -> Function:
    """`add_to_placement(i64 index, i64 thread)`: a thread has been started."""
    f = Function("add_to_placement", "void", index="i64", thread="i64")
    if not IS_MACOS:
        place = _placement(f)
        with f.when(f["index"] < _MOST_THREADS):
            f.store(f["thread"], place, f["index"] * 8 + _THREADS)
            present = f.address(place, _PRESENT)
            f.call("i32", imported(f, "pthread_setaffinity_np"), f["thread"], _MASK_BYTES, present)
    f.leave()
    return f


def _keep_away() -> Function:
    """`keep_away(i64 started)`: lets the threads run on all processors but the caller's, if there are others."""
    f = Function("keep_away", "void", started="i64")
    if IS_MACOS:
        f.leave()
        return f
    place = _placement(f)
    with f.when(f["started"] > _MOST_THREADS):
        f.leave()
    processor = f.widen(f.call("i32", imported(f, "sched_getcpu")))
    with f.when(processor.equals(f.load("i64", place, _PROCESSOR))):
        f.leave()
    f.store(processor, place, _PROCESSOR)
    with f.when((processor < 0) | (processor >= _PROCESSORS)):
        f.leave()
    wanted, found, others = f.local_words(_MASK_WORDS), f.local_words(_MASK_WORDS), f.variable("i64", 0)
    _copy(f, wanted, f.address(place, _ALL))
    word, bit = (processor >> 6) << 3, f.constant("i64", 1) << (processor & 63)
    f.store(f.load("i64", wanted, word) & (bit ^ -1), wanted, word)
    with f.repeat(f.constant("i64", _MASK_WORDS)) as index:
        others.set(others.get() | f.load("i64", wanted, index << 3))
    with f.when(others.get().equals(0)):
        _copy(f, wanted, f.address(place, _ALL))
    present = f.address(place, _PRESENT)
    with f.repeat(f["started"]) as index:
        thread = f.load("i64", place, (index << 3) + _THREADS)
        f.call("i32", imported(f, "pthread_getaffinity_np"), thread, _MASK_BYTES, found)
        with f.when(f.call("i32", imported(f, "memcmp"), found, present, _MASK_BYTES).equals(0)):
            f.call("i32", imported(f, "pthread_setaffinity_np"), thread, _MASK_BYTES, wanted)
    _copy(f, present, wanted)
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_begin(), _add(), _keep_away()]
