"""What the runtime's native functions need from outside, in one table of addresses that they read.

A table and not symbols: its position in the module is fixed, so the compiled module can be kept on disk and used
again in a process where everything has another address.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

import numpy as np

from arignote.ir.exceptions import WrongAssumption
from arignote.ir.sorting import ROUTINES
from arignote.runtime.assembly import Function, Value

IS_LINUX = sys.platform.startswith("linux")
IS_MACOS = sys.platform == "darwin"

PYTHON_FUNCTIONS = (
    "PyBool_FromLong",
    "PyCapsule_GetPointer",
    "PyCapsule_New",
    "PyDict_Copy",
    "PyDict_GetItemWithError",
    "PyDict_Next",
    "PyDict_SetItem",
    "PyErr_CheckSignals",
    "PyErr_Clear",
    "PyErr_ExceptionMatches",
    "PyErr_NoMemory",
    "PyErr_Occurred",
    "PyErr_SetObject",
    "PyErr_SetString",
    "PyEval_RestoreThread",
    "PyEval_SaveThread",
    "PyFloat_FromDouble",
    "PyGILState_Ensure",
    "PyGILState_Release",
    "PyList_New",
    "PyLong_AsLongLongAndOverflow",
    "PyLong_FromLongLong",
    "PyMethod_New",
    "PyObject_CallObject",
    "PyObject_ClearWeakRefs",
    "PyObject_GC_Del",
    "PyObject_GC_UnTrack",
    "PyObject_GenericSetAttr",
    "PyObject_GetAttr",
    "PyObject_RichCompareBool",
    "PyObject_Vectorcall",
    "PyTraceMalloc_Track",
    "PyTuple_New",
    "PyType_GenericAlloc",
    "PyUnicode_Compare",
    "_Py_Dealloc",
)
PYTHON_OBJECTS = ("PyFloat_Type", "PyLong_Type", "PyUnicode_Type", "PyMethod_Type", "_Py_NoneStruct")
PYTHON_SINGLETONS = {"Py_True": True, "Py_False": False}
PYTHON_EXCEPTIONS = {"AttributeError": AttributeError, "SystemError": SystemError, "MemoryError": MemoryError,
                     "WrongAssumption": WrongAssumption}  # fmt: skip

C_FUNCTIONS = (
    "aligned_alloc",
    "clock_gettime",
    "free",
    "madvise",
    "memcmp",
    "memcpy",
    "memset",
    "mmap",
    "mprotect",
    "munmap",
    "pthread_cond_broadcast",
    "pthread_cond_init",
    "pthread_cond_signal",
    "pthread_cond_timedwait",
    "pthread_cond_wait",
    "pthread_create",
    "pthread_detach",
    "pthread_getspecific",
    "pthread_key_create",
    "pthread_mutex_init",
    "pthread_mutex_lock",
    "pthread_mutex_unlock",
    "pthread_self",
    "pthread_setspecific",
    "sched_yield",
)
LINUX_FUNCTIONS = ("pthread_getattr_np", "pthread_attr_getstack", "pthread_attr_destroy", "pthread_getaffinity_np",
                   "pthread_setaffinity_np", "sched_getcpu")  # fmt: skip
MACOS_FUNCTIONS = ("pthread_get_stackaddr_np", "pthread_get_stacksize_np")

# Positions in NumPy's table of C functions, which its binary interface keeps fixed.
NUMPY_TABLE = {
    "PyArray_DescrFromType": 45,
    "PyArray_Scalar": 60,
    "PyArray_NewFromDescr": 94,
    "PyArray_FromArray": 109,
    "PyArray_SetBaseObject": 282,
    "PyDataMem_GetHandler": 305,
    "PyDataType_GetArrFuncs": 365,
}

SORT_NAMES = tuple([f"{name}_{dtype}{'_stable' * stable}" for dtype, name, stable in ROUTINES])
"""NumPy's functions, each by its place in the table of its data type, which the binary interface keeps fixed too: after
21 to cast and 12 others come three that sort (quickly, by a heap, stably), and three that find the order."""
SORT_PLACES = {"sort": 33, "argsort": 36}

SETTINGS = (
    "cache_limit", "jit_disabled", "thread_limit", "stack_key", "worker_key", "large_stack_key", "large_stack_bytes",
    "print_callback", "array_handler",
)  # fmt: skip
"""Numbers in the same table, which Python code writes and native code reads."""

NAMES = (
    *PYTHON_FUNCTIONS,
    *PYTHON_OBJECTS,
    *PYTHON_SINGLETONS,
    *PYTHON_EXCEPTIONS,
    *C_FUNCTIONS,
    *(MACOS_FUNCTIONS if IS_MACOS else LINUX_FUNCTIONS),
    *NUMPY_TABLE,
    *SORT_NAMES,
    "PyArray_Type",
    *SETTINGS,
)
POSITION = {name: position for position, name in enumerate(NAMES)}

DEFINITION = f"@imports = internal global [{len(NAMES)} x i64] zeroinitializer, align 64\n"


def imported(function: Function, name: str, type: str = "ptr") -> Value:
    """The address (or number) with this name, read from the table."""
    return function.load(type, Value(function, "ptr", "@imports"), 8 * POSITION[name])


def table_function() -> Function:
    """`ag_imports() -> ptr`: where the table is."""
    function = Function("ag_imports", "ptr")
    function.leave(Value(function, "ptr", "@imports"))
    return function


class Table:
    """The table of the loaded module, and what waits to be written to it."""

    def __init__(self) -> None:
        self.address = 0
        self.settings: dict[str, int] = {}

    def write(self, name: str, value: int) -> None:
        """Writes one entry."""
        ctypes.c_int64.from_address(self.address + 8 * POSITION[name]).value = value

    def set(self, name: str, value: int) -> None:
        """Writes a setting, at once or when the module is loaded."""
        self.settings[name] = value
        if self.address:
            self.write(name, value)

    def load(self, address: int) -> None:
        """The module is loaded, and its table is here."""
        self.address = address
        for name, value in (addresses() | self.settings).items():
            self.write(name, value)


TABLE = Table()


def _address_of(library: ctypes.CDLL, name: str) -> int:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def _word(address: int, position: int) -> int:
    return ctypes.c_void_p.from_address(address + 8 * position).value or 0


def numpy_table() -> int:
    """The address of NumPy's table of C functions."""
    from numpy._core import _multiarray_umath

    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    prototype: Callable[..., int] = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ctypes.cast(get_pointer, ctypes.c_void_p).value
    )
    return prototype(_multiarray_umath._ARRAY_API, None)  # type: ignore[attr-defined]


def numpy_memory_handler() -> int:
    """The address of the object that names what manages the memory of NumPy's new arrays."""
    address = _word(numpy_table(), NUMPY_TABLE["PyDataMem_GetHandler"])
    return id(ctypes.PYFUNCTYPE(ctypes.py_object)(address)())


def addresses() -> dict[str, int]:
    """Everything in the table, from the running interpreter, NumPy and the C library."""
    python, system, numpy = ctypes.pythonapi, ctypes.CDLL(None), numpy_table()
    found = {name: _address_of(python, name) for name in PYTHON_FUNCTIONS}
    for name in PYTHON_OBJECTS:
        found[name] = ctypes.addressof(ctypes.c_char.in_dll(python, name))
    for singletons in (PYTHON_SINGLETONS, PYTHON_EXCEPTIONS):
        found.update((name, id(value)) for name, value in singletons.items())
    for name in (*C_FUNCTIONS, *(MACOS_FUNCTIONS if IS_MACOS else LINUX_FUNCTIONS)):
        found[name] = _address_of(system, name)
    for name, position in NUMPY_TABLE.items():
        found[name] = _word(numpy, position)
    functions_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(found["PyDataType_GetArrFuncs"])
    for name, (dtype, wanted, stable) in zip(SORT_NAMES, ROUTINES):
        found[name] = _word(functions_of(np.dtype(dtype)), SORT_PLACES[wanted] + 2 * stable)
    found["PyArray_Type"] = id(np.ndarray)
    return found
