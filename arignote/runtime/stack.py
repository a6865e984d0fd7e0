"""How deep compiled code may recurse: the end of the running thread's stack, found once for each thread."""

from __future__ import annotations

import ctypes

from arignote.runtime.assembly import Function, Value
from arignote.runtime.imports import IS_MACOS, imported

DEFINITIONS = ""

RESERVED_BYTES = 256 << 10
"""Left free below the limit, for what compiled code calls: BLAS, and Python for printing."""


def _bounds_on_linux(f: Function) -> tuple[Value, Value]:
    attributes, low, size = f.local_words(16), f.variable("i64"), f.variable("i64")
    f.call("i32", imported(f, "pthread_getattr_np"), f.call("i64", imported(f, "pthread_self")), attributes)
    f.call("i32", imported(f, "pthread_attr_getstack"), attributes, low.address, size.address)
    f.call("i32", imported(f, "pthread_attr_destroy"), attributes)
    return low.get(), size.get()


def _bounds_on_macos(f: Function) -> tuple[Value, Value]:
    thread = f.call("i64", imported(f, "pthread_self"))
    high = f.call("i64", imported(f, "pthread_get_stackaddr_np"), thread)
    size = f.call("i64", imported(f, "pthread_get_stacksize_np"), thread)
    return high - size, size


def _stack_limit() -> Function:
    """`ag_stack_limit() -> i64`: the address below which compiled code must not push its stack."""
    f = Function("ag_stack_limit", "i64")
    key = imported(f, "stack_key", "i64")
    known = f.call("i64", imported(f, "pthread_getspecific"), key)
    with f.when(known.differs(0)):
        f.leave(known)
    low, size = _bounds_on_macos(f) if IS_MACOS else _bounds_on_linux(f)
    limit = low + f.minimum(size >> 2, RESERVED_BYTES)
    f.call("i32", imported(f, "pthread_setspecific"), key, limit)
    f.leave(limit)
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_stack_limit()]


def create_key() -> int:
    """A key under which each thread keeps a number of its own, such as its limit; 0 at first."""
    key = ctypes.c_ulong(0)
    if ctypes.CDLL(None).pthread_key_create(ctypes.byref(key), None):
        raise MemoryError("no thread-specific storage is left")
    return key.value
