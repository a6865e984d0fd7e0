"""The class of compiled functions: an object with attributes whose call goes straight into native code.

    object = { header; ptr vectorcall; ptr state; ptr dict; ptr weak references; ptr owner of the state }

It is made with the C API's `PyType_FromSpec`: a class statement cannot give a class a vectorcall, and `__call__`
costs more. Its Python methods are set afterwards. Like a function it binds as a method, and knows its own attributes.
"""

from __future__ import annotations

from arignote.runtime import call, layout
from arignote.runtime.assembly import Function
from arignote.runtime.imports import imported

VECTORCALL, STATE, DICT, WEAK, OWNER = 16, call.STATE_IN_OBJECT, 32, 40, 48
OBJECT_BYTES = 56

DEFINITIONS = ""


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
    for field in (DICT, OWNER, layout.TYPE):
        value = f.load("ptr", f["callable"], field)
        with f.when(value.differs(None)):
            answer = f.call("i32", f["visit"], value, f["argument"])
            with f.when(answer.differs(0)):
                f.leave(answer)
    f.leave(0)
    return f


def _clear() -> Function:
    f = Function("clear_callable", "i32", callable="ptr")
    # Without its owner the state may be gone; a call by some finaliser then raises a TypeError.
    f.store(None, f["callable"], VECTORCALL, "ptr")
    for field in (DICT, OWNER):
        value = f.load("ptr", f["callable"], field)
        f.store(None, f["callable"], field, "ptr")
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
