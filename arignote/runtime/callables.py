"""The class of compiled functions with its Python methods."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from arignote.runtime import native, object_type

_TYPE_FLAGS = (1 << 9) | (1 << 11) | (1 << 14) | (1 << 17) | (1 << 18)
"""HEAPTYPE, HAVE_VECTORCALL, HAVE_GC, METHOD_DESCRIPTOR, DEFAULT (version tag)."""

_SLOT_CALL, _SLOT_CLEAR, _SLOT_DEALLOC, _SLOT_DESCR_GET = 50, 51, 52, 54
_SLOT_TRAVERSE, _SLOT_MEMBERS, _SLOT_GETSET = 71, 72, 73
_PY_SSIZE_T, _READ_ONLY = 19, 1


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


def _bare_type() -> type:
    """The class itself, without its Python methods."""
    offsets = (
        (b"__vectorcalloffset__", object_type.VECTORCALL),
        (b"__dictoffset__", object_type.DICT),
        (b"__weaklistoffset__", object_type.WEAK),
    )
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
    spec = _Spec(b"arignote.CompiledFunction", object_type.OBJECT_BYTES, 0, _TYPE_FLAGS, slots)
    create = ctypes.pythonapi.PyType_FromSpec
    create.argtypes, create.restype = [ctypes.POINTER(_Spec)], ctypes.py_object
    made = create(ctypes.byref(spec))
    # Some versions keep pointers into the description.
    _descriptions.append((members, attributes, slots, spec))
    return made


_descriptions: list[Any] = []


def _cache_info(self: Any) -> Any:
    """Calls served from the cache, compilations, specialisations kept."""
    return self.dispatcher.cache_info()


def _cache_clear(self: Any) -> None:
    """Forgets every specialisation; the next call compiles again."""
    self.dispatcher.cache_clear()


def _show(self: Any) -> str:
    name = getattr(self, "__qualname__", "leaves")
    return f"<compiled function {name} at {id(self):#x}>"


def _reduce(self: Any) -> str:
    """Pickled, and copied, by reference, as functions are."""
    return self.__qualname__


@functools.cache
def compiled_function_type() -> type:
    """The class of what `jit` returns."""
    kind: Any = _bare_type()
    kind.cache_info, kind.cache_clear = _cache_info, _cache_clear
    kind.__repr__, kind.__reduce__ = _show, _reduce
    return kind


def make_callable(state: int, owner: Any) -> Any:
    """A callable object over the native state at this address; it keeps the owner of the state alive."""
    made = compiled_function_type()()
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))
    fields = {
        object_type.OWNER: id(owner),
        object_type.STATE: state,
        object_type.VECTORCALL: native.address("ag_call"),
    }
    for offset, value in fields.items():
        ctypes.c_int64.from_address(id(made) + offset).value = value
    return made
