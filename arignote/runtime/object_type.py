"""The class of compiled functions: an object with attributes whose call goes straight into native code.

    object = { header; i64 vectorcall; i64 state; ptr dict; ptr weak references }

It is made with the C API's `PyType_FromSpec`: a class statement cannot give a class a vectorcall, and `__call__` costs more.
Its Python methods are set afterwards. Like a function it binds as a method, and knows its own attributes.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from arignote.runtime import call, layout, native
from arignote.runtime.assembly import Function
from arignote.runtime.imports import imported

VECTORCALL, STATE, DICT, WEAK = 16, call.STATE_IN_OBJECT, 32, 40
_OBJECT_BYTES = 48

DEFINITIONS = ""

_TYPE_FLAGS = (1 << 9) | (1 << 11) | (1 << 14) | (1 << 17) | (1 << 18)
"""HEAPTYPE, HAVE_VECTORCALL, HAVE_GC, METHOD_DESCRIPTOR, DEFAULT (version tag)."""

_SLOT_CALL, _SLOT_CLEAR, _SLOT_DEALLOC, _SLOT_DESCR_GET = 50, 51, 52, 54
_SLOT_TRAVERSE, _SLOT_MEMBERS, _SLOT_GETSET = 71, 72, 73
_PY_SSIZE_T, _READ_ONLY = 19, 1


def _bind() -> Function:
    """As an attribute of a class it binds the instance, as a function does."""
    f = Function("bind_callable", "ptr", callable="ptr", instance="ptr", owner="ptr")
    unbound = f["instance"].equals(None) | f["instance"].equals(imported(f, "_Py_NoneStruct"))
    with f.when(unbound):
        f.call("void", "retain_object", f["callable"])
        f.leave(f["callable"])
    f.leave(f.call("ptr", imported(f, "PyMethod_New"), f["callable"], f["instance"]))
    return f


def _traverse() -> Function:
    f = Function("traverse_callable", "i32", callable="ptr", visit="ptr", argument="ptr")
    for field in (DICT, layout.TYPE):
        value = f.load("ptr", f["callable"], field)
        with f.when(value.differs(None)):
            answer = f.call("i32", f["visit"], value, f["argument"])
            with f.when(answer.differs(0)):
                f.leave(answer)
    f.leave(0)
    return f


def _clear() -> Function:
    f = Function("clear_callable", "i32", callable="ptr")
    value = f.load("ptr", f["callable"], DICT)
    f.store(None, f["callable"], DICT, "ptr")
    with f.when(value.differs(None)):
        f.call("void", "release_object", value)
    f.leave(0)
    return f


def _deallocate() -> Function:
    f = Function("deallocate_callable", "void", callable="ptr")
    value, kind = f["callable"], f.load("ptr", f["callable"], layout.TYPE)
    f.call("void", imported(f, "PyObject_GC_UnTrack"), value)
    with f.when(f.load("ptr", value, WEAK).differs(None)):
        f.call("void", imported(f, "PyObject_ClearWeakRefs"), value)
    f.call("i32", "clear_callable", value)
    f.call("void", imported(f, "PyObject_GC_Del"), value)
    f.call("void", "release_object", kind)
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_bind(), _traverse(), _clear(), _deallocate()]


class _Slot(ctypes.Structure):
    _fields_ = [("number", ctypes.c_int), ("function", ctypes.c_void_p)]


class _Member(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


class _GetSet(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("get", ctypes.c_void_p),
        ("set", ctypes.c_void_p),
        ("doc", ctypes.c_char_p),
        ("closure", ctypes.c_void_p),
    ]


class _Spec(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("basic_size", ctypes.c_int),
        ("item_size", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_Slot)),
    ]


@functools.cache
def callable_type() -> type:
    """The class itself, without its Python methods."""
    offsets = ((b"__vectorcalloffset__", VECTORCALL), (b"__dictoffset__", DICT), (b"__weaklistoffset__", WEAK))
    members = (_Member * 4)(*(_Member(name, _PY_SSIZE_T, offset, _READ_ONLY, None) for name, offset in offsets))
    vectorcall, get_dict, set_dict = (
        ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
        for name in ("PyVectorcall_Call", "PyObject_GenericGetDict", "PyObject_GenericSetDict")
    )
    attributes = (_GetSet * 2)(_GetSet(b"__dict__", get_dict, set_dict))
    slots = (_Slot * 8)(
        _Slot(_SLOT_CALL, vectorcall),
        _Slot(_SLOT_DESCR_GET, native.address("bind_callable")),
        _Slot(_SLOT_TRAVERSE, native.address("traverse_callable")),
        _Slot(_SLOT_CLEAR, native.address("clear_callable")),
        _Slot(_SLOT_DEALLOC, native.address("deallocate_callable")),
        _Slot(_SLOT_MEMBERS, ctypes.addressof(members)),
        _Slot(_SLOT_GETSET, ctypes.addressof(attributes)),
    )
    spec = _Spec(b"arignote.CompiledFunction", _OBJECT_BYTES, 0, _TYPE_FLAGS, slots)
    create = ctypes.pythonapi.PyType_FromSpec
    create.argtypes, create.restype = [ctypes.POINTER(_Spec)], ctypes.py_object
    made = create(ctypes.byref(spec))
    # Some versions keep pointers into the description.
    _descriptions.append((members, attributes, slots, spec))
    return made


_descriptions: list[Any] = []


def make_callable(kind: type, state: int) -> Any:
    """A callable object over the native state at this address, which must outlive it."""
    made = kind()
    ctypes.c_int64.from_address(id(made) + STATE).value = state
    ctypes.c_int64.from_address(id(made) + VECTORCALL).value = native.address("ag_call")
    return made
