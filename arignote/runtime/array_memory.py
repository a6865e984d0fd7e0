"""NumPy's arrays over counted buffers: a memory handler, by which NumPy gives a buffer back when it frees its array.

Each array of NumPy knows what manages its memory (NEP 49). The arrays that calls return name the handler made here, so
they own their memory as any array does, may be resized or reused by NumPy, and cost no object beside them and no copy.
The address that NumPy knows is the data's, 64 bytes behind the buffer's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

import numpy as np

from arignote.runtime.assembly import Function, Value
from arignote.runtime.buffers import BYTES, CAPACITY, HEADER_BYTES
from arignote.runtime.imports import imported

DEFINITIONS = ""

CAPSULE_NAME = b"mem_handler"
TRACE_DOMAIN = np.lib.tracemalloc_domain
_HANDLER_NAME, _HANDLER_VERSION = b"arignote", 1
_UNUSED_BYTES = 1 << 10
"""An array that shrinks keeps its block if that has no more unused than this and as much again as is used."""


def _buffer_of(f: Function, data: Value) -> Value:
    """The buffer whose data begins here."""
    return f.address(data, -HEADER_BYTES)


def _malloc() -> Function:
    f = Function("ag_array_malloc", "ptr", context="ptr", size="i64")
    buffer = f.call("ptr", "ag_alloc", f["size"])
    with f.when(buffer.equals(None)):
        f.leave(None)
    f.leave(f.address(buffer, HEADER_BYTES))
    return f


def _calloc() -> Function:
    f = Function("ag_array_calloc", "ptr", context="ptr", count="i64", size="i64")
    with f.when(f["size"].differs(0)), f.when(f.compare("ugt", f["count"], f.constant("i64", 1 << 46) // f["size"])):
        f.leave(None)
    total = f["count"] * f["size"]
    data = f.call("ptr", "ag_array_malloc", f["context"], total)
    with f.when(data.differs(None)):
        f.call("ptr", imported(f, "memset"), data, 0, total, types=("", "i32", ""))
    f.leave(data)
    return f


def _realloc() -> Function:
    """Stays where it is if there is room that would not mostly be wasted. On failure the old memory is as it was."""
    f = Function("ag_array_realloc", "ptr", context="ptr", data="ptr", size="i64")
    size, data = f["size"], f["data"]
    with f.when(data.equals(None)):
        f.leave(f.call("ptr", "ag_array_malloc", f["context"], size))
    buffer = _buffer_of(f, data)
    capacity, used = f.load("i64", buffer, CAPACITY), f.load("i64", buffer, BYTES)
    is_filled = f.compare("ule", capacity, (size << 1) + _UNUSED_BYTES)
    with f.when(f.compare("ule", size, capacity) & is_filled):
        f.store(size, buffer, BYTES)
        f.leave(data)
    fresh = f.call("ptr", "ag_array_malloc", f["context"], size)
    with f.when(fresh.differs(None)):
        f.call("ptr", imported(f, "memcpy"), fresh, data, f.minimum(size, used))
        f.call("void", "ag_release", buffer)
    f.leave(fresh)
    return f


def _free() -> Function:
    f = Function("ag_array_free", "void", context="ptr", data="ptr", size="i64")
    with f.when(f["data"].differs(None)):
        f.call("void", "ag_release", _buffer_of(f, f["data"]))
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_malloc(), _calloc(), _realloc(), _free()]


EXPORTED = ("ag_array_malloc", "ag_array_calloc", "ag_array_realloc", "ag_array_free")


class _Handler(ctypes.Structure):
    """NumPy's `PyDataMem_Handler`."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in EXPORTED),
    )


_handler = _Handler(_HANDLER_NAME, _HANDLER_VERSION)


def make_handler(addresses: Mapping[str, int]) -> int:
    """The address of the capsule that arrays hold a reference to; it and the handler live as long as the process."""
    for name in EXPORTED:
        setattr(_handler, name, addresses[name])
    new = ctypes.pythonapi.PyCapsule_New
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
        ctypes.cast(new, ctypes.c_void_p).value or 0
    )
    capsule = make(ctypes.addressof(_handler), CAPSULE_NAME, None)
    for kept in (capsule, CAPSULE_NAME, _handler):  # arrays may be freed after the interpreter emptied this module
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))
    return id(capsule)
