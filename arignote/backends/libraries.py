"""Addresses of the C functions that generated code uses: libm's, and those that SciPy's Cython modules export."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import sys
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

EXPORTED = {
    "ag_digamma": ("scipy.special.cython_special", "__pyx_fuse_1psi"),
    **{f"ag_blas_{letter}{name}": ("scipy.linalg.cython_blas", f"{letter}{name}")
       for letter in "sd" for name in ("gemm", "gemv", "trsm", "trsv")},
    **{f"ag_lapack_{letter}{name}": ("scipy.linalg.cython_lapack", f"{letter}{name}")
       for letter in "sd" for name in ("potrf", "getrf")},
}  # fmt: skip
BLAS_SETTINGS = {"ag_blas_set_threads": "set_num_threads", "ag_blas_get_threads": "get_num_threads"}
PTHREADS = 1
"""What OpenBLAS answers when it has threads of its own."""

ALONE = ("cython_blas", "cython_lapack")
"""Modules that need nothing of their package."""


@cache
def address_of(symbol: str) -> int:
    """The address of a C function by its name in generated code."""
    if symbol in BLAS_SETTINGS:
        return blas_setting(BLAS_SETTINGS[symbol])
    if symbol in EXPORTED:
        return capsule_address(*EXPORTED[symbol])
    try:
        return ctypes.cast(getattr(process(), symbol), ctypes.c_void_p).value or 0
    except AttributeError:
        raise LookupError(f"no symbol {symbol!r} is given, nor is it known in this process") from None


def blas_setting(name: str) -> int:
    """The address of one of OpenBLAS's functions on its number of threads; 0 where BLAS is another, or uses OpenMP,
    whose numbers belong to the thread that sets them."""
    library = ctypes.CDLL(extension("scipy.linalg.cython_blas").__file__)
    for form in ("scipy_openblas_{}", "openblas_{}", "scipy_openblas_{}64_", "openblas_{}64_"):
        found, kind = (getattr(library, form.format(each), None) for each in (name, "get_parallel"))
        if found is not None and kind is not None:
            return (ctypes.cast(found, ctypes.c_void_p).value or 0) if kind() == PTHREADS else 0
    return 0


@cache
def process() -> ctypes.CDLL:
    """The process's own symbols, libm among them."""
    return ctypes.CDLL(None)


@cache
def extension(name: str) -> ModuleType:
    """A module of SciPy's. BLAS comes without its package, whose import takes 0.2 s, where that is not loaded."""
    package, _, last = name.rpartition(".")
    if last not in ALONE or package in sys.modules:
        return importlib.import_module(name)
    root = importlib.import_module(package.partition(".")[0])
    folder = Path(root.__path__[0], *package.split(".")[1:])
    spec = PathFinder.find_spec(name, [str(folder)])
    if spec is None or spec.loader is None:
        return importlib.import_module(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules.pop(name, None)  # so that an import of the package finds and binds it in the ordinary way
    return module


def capsule_address(module: str, name: str) -> int:
    """The address of a C function that a Cython module exports."""
    capsule = extension(module).__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
