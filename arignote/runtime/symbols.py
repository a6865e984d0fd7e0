"""The C functions of the runtime that generated code may call, for the linker.

ptr  ag_alloc(i64 bytes)                        a buffer with one reference; null when out of memory
void ag_free(ptr buffer)                        when the last reference is gone
void ag_release(ptr buffer)                     one reference less; null is allowed
ptr  ag_grow(ptr buffer, i64 bytes)             the only reference to a buffer, for one with more room; null: no memory
void ag_parallel_for(ptr fn, ptr env, i64 n, i64 grain)     fn(env, begin, end) over chunks of 0..n
void ag_parallel_loop(ptr state, ptr fn, ptr env, i64 n, i64 grain)    the same, which Ctrl-C can end; see `threads.py`
i32  ag_check_loop(ptr state)                   in such a loop: non-zero when it should end
i32  ag_parallel_map(ptr ctx, ptr run, ptr env, i64 n, ptr took)     n times run(its ctx, env, null); `parallel_map.py`
i32  ag_wait_for_product(ptr fn, i64 m, i64 k, ptr matrix, i64 row, ptr x, ptr y)     whether y is there; see `turns.py`
void ag_product(ptr block, ptr task, ptr set_threads, ptr get_threads)     see `products.py`
i64  ag_sort(ptr keys, i64 lanes, i64 length, i64 bytes, i64 routine)     see `sorting.py`, also for ag_argsort
i32  ag_print(ptr ctx, i64 site, ptr values)    see `printing.py`
i32  ag_on_large_stack(ptr fn, ptr ctx, ptr slots, ptr results)     fn(ctx, slots, results) with room for recursion
i32  ag_deepen(ptr ctx)                         0 if there is more room than the context says
i32  ag_check_signals(ptr ctx)                  non-zero when Ctrl-C was pressed; cheap enough for long loops
"""

from __future__ import annotations

import functools

from arignote.runtime import native

NAMES = ("ag_alloc", "ag_free", "ag_release", "ag_grow", "ag_parallel_for", "ag_parallel_loop", "ag_check_loop",
         "ag_parallel_map", "ag_wait_for_product", "ag_product", "ag_sort", "ag_argsort", "ag_check_signals",
         "ag_print", "ag_on_large_stack", "ag_deepen")  # fmt: skip


@functools.cache
def symbols() -> dict[str, int]:
    """Name -> address."""
    return {name: native.address(name) for name in NAMES}
