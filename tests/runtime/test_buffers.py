"""The allocator: sizes, alignment, reuse, buffers that hold references, growth, many threads."""

from __future__ import annotations

import ctypes
import random
import threading

import numpy as np
import pytest

import arignote as ag
from arignote.runtime import native
from arignote.runtime.buffers import BYTES, CAPACITY, HEADER_BYTES, KIND, LENGTH, REFERENCES, REFERENCES_KIND


def functions():
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    return (
        native.function("ag_alloc", pointer, size),
        native.function("ag_free", None, pointer),
        native.function("ag_release", None, pointer),
        native.function("ag_grow", pointer, pointer, size),
    )


def word(address, offset):
    return ctypes.c_int64.from_address(address + offset)


SIZES = [0, 1, 63, 64, 65, 959, 960, 961, 1023, 1024, 1025, 5000, 65536, 10**6, 2**20, 3 * 10**6, 2**22, 10**7]


@pytest.mark.parametrize("size", SIZES)
def test_size_and_alignment(size):
    alloc, free, _, _ = functions()
    before = native.live_buffers()
    buffer = alloc(size)
    assert buffer % 64 == 0 and native.live_buffers() == before + 1
    assert [word(buffer, field).value for field in (REFERENCES, BYTES, KIND, LENGTH)] == [1, size, 0, 0]
    assert size <= word(buffer, CAPACITY).value <= max(1.3 * size, size + 64)
    ctypes.memset(buffer + HEADER_BYTES, 255, word(buffer, CAPACITY).value)
    free(buffer)
    assert native.live_buffers() == before
    assert alloc(size) == buffer, "a freed block is used again"
    free(buffer)


@pytest.mark.parametrize("size", [-1, -(2**63), 2**46 + 1, 2**63 - 1, 2**45])
def test_impossible_sizes_give_null(size):
    before = native.live_buffers()
    assert functions()[0](size) is None and native.live_buffers() == before


def test_references_are_released_without_recursion():
    alloc, _, release, _ = functions()
    before, head = native.live_buffers(), None
    for _ in range(200_000):
        buffer = alloc(16)
        word(buffer, KIND).value, word(buffer, LENGTH).value = REFERENCES_KIND, 2
        word(buffer, HEADER_BYTES).value, word(buffer, HEADER_BYTES + 8).value = head or 0, 0
        head = buffer
    release(head)
    assert native.live_buffers() == before


def test_shared_children_live_until_the_last_reference():
    alloc, _, release, _ = functions()
    before = native.live_buffers()
    child, parent = alloc(8), alloc(16)
    word(child, REFERENCES).value = 3
    word(parent, KIND).value, word(parent, LENGTH).value = REFERENCES_KIND, 2
    word(parent, HEADER_BYTES).value = word(parent, HEADER_BYTES + 8).value = child
    release(parent)
    assert native.live_buffers() == before + 1 and word(child, REFERENCES).value == 1
    release(child)
    release(None)
    assert native.live_buffers() == before


@pytest.mark.parametrize(("size", "count"), [(8, 3000), (900, 72_000)])
def test_small_blocks_lie_apart_also_past_the_slabs(size, count):
    alloc, free, _, _ = functions()
    before = native.live_buffers()
    buffers = [alloc(size) for _ in range(count)]
    places = sorted(buffers)
    assert all(there - here >= size + HEADER_BYTES for here, there in zip(places, places[1:]))
    assert all(buffer % 64 == 0 for buffer in buffers)
    for buffer in buffers:
        free(buffer)
    assert native.live_buffers() == before


def test_growing_keeps_the_contents():
    alloc, _, release, grow = functions()
    before, buffer, moves = native.live_buffers(), alloc(8), 0
    for count in range(1, 20_000):
        grown = grow(buffer, 8 * count)
        moves += grown != buffer
        buffer = grown
        word(buffer, HEADER_BYTES + 8 * (count - 1)).value = count
    assert moves < 40 and word(buffer, BYTES).value == 8 * 19_999
    assert all(word(buffer, HEADER_BYTES + 8 * index).value == index + 1 for index in range(19_999))
    assert grow(buffer, 2**60) is None
    release(buffer)
    assert native.live_buffers() == before


def test_many_threads():
    alloc, free, _, _ = functions()
    before, failures = native.live_buffers(), []

    def work(seed):
        generator, held = random.Random(seed), []
        for _ in range(3000):
            size = generator.choice([8, 100, 3000, 70_000])
            buffer = alloc(size)
            word(buffer, HEADER_BYTES).value = buffer
            held.append(buffer)
            if len(held) > 20:
                freed = held.pop(generator.randrange(len(held)))
                if word(freed, HEADER_BYTES).value != freed:
                    failures.append(freed)
                free(freed)
        for buffer in held:
            free(buffer)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and native.live_buffers() == before


def test_large_blocks_begin_at_different_places_in_their_pages():
    # A store to one array would delay a load from another at the same place in its page; NumPy's begin at the first.
    copy = ag.jit(lambda x: x + 1.0)
    x = np.ones(50_001)
    kept = [copy(x) for _ in range(6)]
    places = {array.ctypes.data % 4096 // 512 for array in kept}
    assert len(places) >= 3
    assert all(array.ctypes.data % 64 == 0 for array in kept)


@pytest.mark.parametrize("size, count", [(30_000, 400), (900, 30_000), (3 << 20, 20)])
def test_as_many_blocks_as_were_there_are_kept(size, count):
    alloc, free, _, _ = functions()
    for _ in range(2):
        for buffer in [alloc(size) for _ in range(count)]:
            free(buffer)
    before = native.system_blocks()
    for buffer in [alloc(size) for _ in range(count)]:
        free(buffer)
    assert native.system_blocks() == before


def test_no_more_is_kept_than_the_bound():
    from arignote.runtime.imports import TABLE

    alloc, free, _, _ = functions()
    limit = TABLE.settings["cache_limit"]
    for size, count, few in ((1 << 20, 10, 0), (200_000, 60, 30)):
        TABLE.set("cache_limit", 0)
        try:
            for buffer in [alloc(size) for _ in range(count)]:
                free(buffer)
            before = native.system_blocks()
            for buffer in [alloc(size) for _ in range(count)]:
                free(buffer)
            assert native.system_blocks() - before >= count - few
        finally:
            TABLE.set("cache_limit", limit)
