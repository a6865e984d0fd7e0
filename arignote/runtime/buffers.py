"""Counted buffers: allocation, release and reuse, as native functions.

A buffer is a 64-byte header followed by 64-byte-aligned data; its address is the header's. Blocks come in size
classes (steps of 64 bytes up to 1 KiB, then four sizes to each doubling). A freed block goes to the free list of its
class, guarded by a spin lock, so that a program in its steady state asks the system for nothing. Large blocks are
kept as well, and many of one class, up to a common bound: fresh pages cost more than the arithmetic of many kernels.
Threads of the pool have small classes of their own, so that they seldom wait for each other: a block goes back to the
class that it came from, whoever frees it.
Small blocks are carved from slabs, at last of a huge page each, so that trees lie together; past 64 MB of a size they
come one by one.
"""

from __future__ import annotations

import os

from arignote.runtime.assembly import Function, Value
from arignote.runtime.imports import IS_LINUX, TABLE, imported
from arignote.runtime.threads import worker_number

HEADER_BYTES = 64
REFERENCES, BYTES, KIND, LENGTH, CLASS, CAPACITY, TAG, NEXT = 0, 8, 16, 24, 32, 40, 48, 56
"""Offsets of the header's fields. CAPACITY is what the block can hold; TAG says which alternative of a union a box
holds; NEXT links blocks that are being freed."""

PLAIN_KIND, REFERENCES_KIND = 0, 1
"""What the data is: plain numbers, or LENGTH references to other buffers, which the buffer owns."""

_CLASS_COUNT = 176
_SETS, _SHARED_SET_BYTES = 16, 64 << 10
"""Sets of classes: one for all threads but the pool's, and for blocks from so many bytes on; the others for those."""
_SMALL_LIMIT = 1024
_LARGE_BYTES = 1 << 20
_SMALL_CLASS_CACHE = 4 << 20
_FIRST_SLAB, _SLAB_LIMIT, _IN_SLAB = 32 << 10, 64 << 20, 1 << 32
_HUGE_PAGE = 2 << 20
_MADV_HUGEPAGE = 14
_SHIFTED_BYTES, _SHIFT, _SHIFTS, _SHIFT_POSITION = 32 << 10, 512, 7, 40
"""Blocks from so many bytes on begin at different places in their pages: a load waits for an earlier store to the same
place in another page, which costs a loop that goes through two such arrays side by side up to five times its time.
NumPy's large arrays begin at the start of a page, so ours begin at one of the next places, by turns."""
_LOCK, _HEAD, _LIVE, _CACHED, _CURSOR, _END, _SLABS = range(0, 56, 8)

DEFINITIONS = (
    f"@classes = internal global [{_SETS * _CLASS_COUNT} x [8 x i64]] zeroinitializer, align 64\n"
    "@cached_large = internal global i64 0, align 64\n"
    "@system_blocks = internal global i64 0, align 64\n"
    "declare i64 @llvm.ctlz.i64(i64, i1)\n"
)


def _class_at(f: Function, index: Value) -> Value:
    return f.address(Value(f, "ptr", "@classes"), index << 6)


def _lock(f: Function, place: Value) -> None:
    with f.loop() as end:
        with f.when(f.exchange("xchg", 1, place, _LOCK, "i32").equals(0)):
            f.jump(end)
        f.call("i32", imported(f, "sched_yield"))


def _unlock(f: Function, place: Value) -> None:
    f.store_atomic(0, place, _LOCK, "i32")


def _alloc() -> Function:
    """`ag_alloc(i64 bytes) -> ptr`: a fresh buffer with one reference, or null."""
    f = Function("ag_alloc", "ptr", bytes="i64")
    with f.when(f.compare("ugt", f["bytes"], 1 << 46)):
        f.leave(None)
    total = f["bytes"] + HEADER_BYTES
    index = f.variable("i64", (total + 63) >> 6)
    size = f.variable("i64", index.get() << 6)
    with f.when(total > _SMALL_LIMIT):
        below = total - 1
        exponent = f.constant("i64", 63) - f.call("i64", "llvm.ctlz.i64", below, Value(f, "i1", "true"))
        shift = exponent - 2
        quarters = (below >> shift) + 1
        size.set(quarters << shift)
        index.set(((exponent - 10) << 2) + quarters + 12)
    worker = worker_number(f)
    with f.when(worker.differs(0) & (size.get() < _SHARED_SET_BYTES)):
        own = (worker - 1) - (worker - 1) // (_SETS - 1) * (_SETS - 1) + 1
        index.set(index.get() + own * _CLASS_COUNT)
    place = _class_at(f, index.get())
    _lock(f, place)
    block, is_counted = f.variable("ptr", f.load("ptr", place, _HEAD)), f.variable("i1", size.get() >= _LARGE_BYTES)
    f.store(f.load("i64", place, _LIVE) + 1, place, _LIVE)
    with f.when(block.get().differs(None)):
        f.store(f.load("ptr", block.get(), NEXT), place, _HEAD)
        left = f.load("i64", place, _CACHED) - size.get()
        f.store(left, place, _CACHED)
        is_in_slab = (f.load("i64", block.get(), CLASS) & _IN_SLAB).differs(0)
        with f.when((left > _SMALL_CLASS_CACHE) & is_in_slab.equals(0)):
            is_counted.set(1)  # as it was when it was kept, with as many below it
    with f.when(block.get().equals(None) & (size.get() <= _SMALL_LIMIT)):
        block.set(f.call("ptr", "carve", place, size.get(), index.get()))
    _unlock(f, place)
    with f.when(block.get().equals(None)):
        block.set(f.call("ptr", "fresh_block", size.get()))
        with f.when(block.get().equals(None)):
            _lock(f, place)
            f.store(f.load("i64", place, _LIVE) - 1, place, _LIVE)
            _unlock(f, place)
            f.leave(None)
        f.store(f.load("i64", block.get(), CLASS) | index.get(), block.get(), CLASS)
        f.store(size.get() - HEADER_BYTES, block.get(), CAPACITY)
        f.jump("ready")
    with f.when(is_counted.get()):
        f.exchange("sub", size.get(), Value(f, "ptr", "@cached_large"), 0, "i64")
    f.emit("br label %ready")
    f.label("ready")
    for offset, value in ((REFERENCES, 1), (KIND, PLAIN_KIND), (LENGTH, 0)):
        f.store(value, block.get(), offset, "i64")
    f.store(f["bytes"], block.get(), BYTES)
    f.leave(block.get())
    return f


def _carve() -> Function:
    """The next block of the class's slab, or null when its slabs are all that they may be. Under the class's lock."""
    f = Function("carve", "ptr", place="ptr", size="i64", index="i64")
    place, begin = f["place"], f.variable("ptr", f.load("ptr", f["place"], _CURSOR))
    with f.when(f.to_integer(begin.get()) + f["size"] > f.load("i64", place, _END)):
        used = f.load("i64", place, _SLABS)
        bytes = f.variable("i64", f.minimum(used, _HUGE_PAGE))
        with f.when(used >= _SLAB_LIMIT):
            f.leave(None)
        with f.when(bytes.get() < _FIRST_SLAB):
            bytes.set(_FIRST_SLAB)
        begin.set(f.call("ptr", "fresh_slab", bytes.get()))
        with f.when(begin.get().equals(None)):
            f.leave(None)
        f.store(f.to_integer(begin.get()) + bytes.get(), place, _END)
        f.store(used + bytes.get(), place, _SLABS)
    f.store(f.address(begin.get(), f["size"]), place, _CURSOR)
    f.store(f["index"] | _IN_SLAB, begin.get(), CLASS)
    f.store(f["size"] - HEADER_BYTES, begin.get(), CAPACITY)
    f.leave(begin.get())
    return f


def _fresh_slab() -> Function:
    """Memory from the system for a slab; a large one is one huge page."""
    f = Function("fresh_slab", "ptr", bytes="i64")
    f.exchange("add", 1, Value(f, "ptr", "@system_blocks"), 0, "i64")
    with f.when(f["bytes"] < _HUGE_PAGE):
        f.leave(f.call("ptr", imported(f, "aligned_alloc"), HEADER_BYTES, f["bytes"]))
    f.leave(f.call("ptr", "huge_block", f["bytes"]))
    return f


def _fresh_block() -> Function:
    """Memory from the system; large blocks in huge pages, so that touching them first costs few page faults.

    The block begins at a shift from the memory's start, which it keeps above its class.
    """
    f = Function("fresh_block", "ptr", size="i64")
    number = f.exchange("add", 1, Value(f, "ptr", "@system_blocks"), 0, "i64")
    size, shift = f.variable("i64", f["size"]), f.variable("i64", 0)
    with f.when(f["size"] >= _SHIFTED_BYTES):
        turn = number - (number // _SHIFTS) * _SHIFTS
        shift.set((turn + 1) * _SHIFT - HEADER_BYTES)
        size.set(f["size"] + (_SHIFTS + 1) * _SHIFT)
    memory = f.variable("ptr", None)
    with f.when(f["size"] < 2 * _HUGE_PAGE):
        memory.set(f.call("ptr", imported(f, "aligned_alloc"), HEADER_BYTES, size.get()))
    with f.when(f["size"] >= 2 * _HUGE_PAGE):
        memory.set(f.call("ptr", "huge_block", size.get()))
    with f.when(memory.get().equals(None)):
        f.leave(None)
    block = f.address(memory.get(), shift.get())
    f.store(shift.get() << _SHIFT_POSITION, block, CLASS)
    f.leave(block)
    return f


def _huge_block() -> Function:
    """Memory from the system at the start of a huge page, in such pages where the system has them."""
    f = Function("huge_block", "ptr", size="i64")
    block = f.call("ptr", imported(f, "aligned_alloc"), _HUGE_PAGE, f["size"])
    if IS_LINUX:
        with f.when(block.differs(None)):
            f.call("i32", imported(f, "madvise"), block, f["size"], _MADV_HUGEPAGE, types=("", "", "i32"))
    f.leave(block)
    return f


def _may_keep() -> Function:
    """Whether a block is kept that is large, or one of many: counts it among those if there is room for it."""
    f = Function("may_keep", "i1", size="i64")
    cached = f.exchange("add", f["size"], Value(f, "ptr", "@cached_large"), 0, "i64")
    with f.when(cached + f["size"] > imported(f, "cache_limit", "i64")):
        f.exchange("sub", f["size"], Value(f, "ptr", "@cached_large"), 0, "i64")
        f.leave(Value(f, "i1", "false"))
    f.leave(Value(f, "i1", "true"))
    return f


def _keep_or_free() -> Function:
    """Gives a block without references back: to its class, or to the system when enough is kept."""
    f = Function("keep_or_free", "void", block="ptr")
    size = f.load("i64", f["block"], CAPACITY) + HEADER_BYTES
    kind = f.load("i64", f["block"], CLASS)
    place, is_large = _class_at(f, kind & (_IN_SLAB - 1)), size >= _LARGE_BYTES
    is_in_slab = (kind & _IN_SLAB).differs(0)
    keep = f.variable("i1", 1)
    with f.when(is_large):
        keep.set(f.call("i1", "may_keep", size))
    _lock(f, place)
    f.store(f.load("i64", place, _LIVE) - 1, place, _LIVE)
    small_full = f.load("i64", place, _CACHED) > _SMALL_CLASS_CACHE
    with f.when(small_full & (is_large | is_in_slab).equals(0)):
        keep.set(f.call("i1", "may_keep", size))
    with f.when(keep.get()):
        f.store(f.load("ptr", place, _HEAD), f["block"], NEXT)
        f.store(f["block"], place, _HEAD)
        f.store(f.load("i64", place, _CACHED) + size, place, _CACHED)
    _unlock(f, place)
    with f.when(f.binary("xor", keep.get(), 1)):
        shift = kind >> _SHIFT_POSITION
        f.call("void", imported(f, "free"), f.to_pointer(f.to_integer(f["block"]) - shift))
    f.leave()
    return f


def _free() -> Function:
    """`ag_free(ptr header)`: the last reference is gone. Releases what it refers to, without recursion."""
    f = Function("ag_free", "void", header="ptr")
    waiting = f.variable("ptr", f["header"])
    f.store(None, f["header"], NEXT, "ptr")
    with f.loop() as end:
        block = waiting.get()
        with f.when(block.equals(None)):
            f.jump(end)
        waiting.set(f.load("ptr", block, NEXT))
        with (
            f.when(f.load("i64", block, KIND).equals(REFERENCES_KIND)),
            f.repeat(f.load("i64", block, LENGTH)) as index,
        ):
            child = f.load("ptr", f.address(block, HEADER_BYTES), index << 3)
            with f.when(child.differs(None)):
                is_last = f.variable("i1", f.load_atomic("i64", child, REFERENCES).equals(1))
                with f.when(is_last.get().equals(0)):  # other threads may have references as well
                    is_last.set(f.exchange("sub", 1, child, REFERENCES, "i64").equals(1))
                with f.when(is_last.get()):
                    f.store(waiting.get(), child, NEXT)
                    waiting.set(child)
        f.call("void", "keep_or_free", block)
    f.leave()
    return f


def _release() -> Function:
    """`ag_release(ptr header)`: one reference less; null is allowed."""
    f = Function("ag_release", "void", header="ptr")
    with f.when(f["header"].differs(None)):
        references = f.load("i64", f["header"], REFERENCES) - 1
        f.store(references, f["header"], REFERENCES)
        with f.when(references.equals(0)):
            f.call("void", "ag_free", f["header"])
    f.leave()
    return f


def _grow() -> Function:
    """`ag_grow(ptr header, i64 bytes) -> ptr`: the only reference to a buffer, for one with room for `bytes`.

    The contents stay; capacity grows by half at least, so that appending n times copies O(n). Null when out of memory
    (the old buffer is then as it was).
    """
    f = Function("ag_grow", "ptr", header="ptr", bytes="i64")
    capacity = f.load("i64", f["header"], CAPACITY)
    with f.when(f["bytes"] <= capacity):
        f.store(f["bytes"], f["header"], BYTES)
        f.leave(f["header"])
    wanted = f.variable("i64", capacity + (capacity >> 1))
    with f.when(wanted.get() < f["bytes"]):
        wanted.set(f["bytes"])
    grown = f.call("ptr", "ag_alloc", wanted.get())
    with f.when(grown.equals(None)):
        f.leave(None)
    used = f.load("i64", f["header"], BYTES)
    f.call("ptr", imported(f, "memcpy"), f.address(grown, HEADER_BYTES), f.address(f["header"], HEADER_BYTES), used)
    for offset in (KIND, LENGTH):
        f.store(f.load("i64", f["header"], offset), grown, offset)
    f.store(f["bytes"], grown, BYTES)
    f.call("void", "keep_or_free", f["header"])
    f.leave(grown)
    return f


def _live() -> Function:
    """`ag_live_buffers() -> i64`: how many buffers are not freed."""
    f = Function("ag_live_buffers", "i64")
    total = f.variable("i64", 0)
    with f.repeat(f.constant("i64", _SETS * _CLASS_COUNT)) as index:
        total.set(total.get() + f.load("i64", _class_at(f, index), _LIVE))
    f.leave(total.get())
    return f


def _system_blocks() -> Function:
    """`ag_system_blocks() -> i64`: how often memory has been asked from the system."""
    f = Function("ag_system_blocks", "i64")
    f.leave(f.load_atomic("i64", Value(f, "ptr", "@system_blocks")))
    return f


def _unlock_all() -> Function:
    """In a forked child no other thread exists that could give a lock back."""
    f = Function("ag_unlock_buffers", "void")
    with f.repeat(f.constant("i64", _SETS * _CLASS_COUNT)) as index:
        _unlock(f, _class_at(f, index))
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    makers = (_alloc, _carve, _fresh_slab, _fresh_block, _huge_block)
    others = (_may_keep, _keep_or_free, _free, _release, _grow, _live, _system_blocks, _unlock_all)
    return [make() for make in (*makers, *others)]


def default_cache_limit() -> int:
    """How many bytes of freed large blocks are kept: ARIGNOTE_CACHE_BYTES, or an eighth of the machine's memory."""
    given = os.environ.get("ARIGNOTE_CACHE_BYTES")
    if given is not None:
        return int(given)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8


TABLE.set("cache_limit", default_cache_limit())
