"""LLVM's library is large: it is brought into memory by another thread while Python reads the compiler's modules."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import threading
from pathlib import Path


def _library_path() -> Path | None:
    """The file of LLVM's library, found without importing its binding; None where there is no such file."""
    spec = importlib.util.find_spec("llvmlite")
    folders = spec.submodule_search_locations if spec is not None else None
    paths = [Path(folder) / "binding" / "libllvmlite.so" for folder in folders or ()]
    return next((path for path in paths if path.is_file()), None)


@functools.cache
def load_library_ahead() -> None:
    """Begins to load the library, once; whoever needs it later waits for that, or loads it where this cannot."""
    path = _library_path()
    # The linker's function itself, called as a C function: `ctypes.CDLL` would keep Python from going on meanwhile.
    load = getattr(ctypes.CDLL(None), "dlopen", None) if path is not None else None
    if load is not None:
        threading.Thread(target=load, args=(os.fsencode(path), os.RTLD_NOW), daemon=True).start()
