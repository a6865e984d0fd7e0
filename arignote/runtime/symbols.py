"""The C functions of the runtime that generated code may call, for the linker.

ptr  ag_alloc(i64 bytes)                        a buffer with one reference; null when out of memory
void ag_free(ptr buffer)                        when the last reference is gone
void ag_release(ptr buffer)                     one reference less; null is allowed
ptr  ag_grow(ptr buffer, i64 bytes)             the only reference to a buffer, for one with more room; null: no memory
void ag_parallel_for(ptr fn, ptr env, i64 n, i64 grain)     fn(env, begin, end) over chunks of 0..n
i32  ag_print(ptr ctx, i64 site, ptr values)    see `printing.py`
i32  ag_check_signals(ptr ctx)                  non-zero when Ctrl-C was pressed; cheap enough for long loops
"""

from __future__ import annotations

import functools

from arignote.runtime import native
from arignote.runtime.printing import print_address

_NATIVE = ("ag_alloc", "ag_free", "ag_release", "ag_grow", "ag_parallel_for", "ag_check_signals")

NAMES = (*_NATIVE, "ag_print")


@functools.cache
def symbols() -> dict[str, int]:
    """Name -> address."""
    return {name: native.address(name) for name in _NATIVE} | {"ag_print": print_address()}
