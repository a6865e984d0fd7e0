"""The runtime's own native module: put together from the files of this folder, compiled at first use, never unloaded."""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import sysconfig
import threading
from typing import Any

from arignote.runtime import imports

IS_LINUX = sys.platform.startswith("linux")
IS_MACOS = sys.platform == "darwin"

_loading = threading.RLock()


def refuse_unsupported_interpreter() -> None:
    """Native code reads the interpreter's objects directly, so it must be an interpreter whose layout is known."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8 or sys.byteorder != "little":
        raise ImportError("arignote needs CPython on a 64-bit little-endian machine")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise ImportError("arignote does not support free-threaded builds of Python; use the standard build")
    if not (IS_LINUX or IS_MACOS):
        raise ImportError(f"arignote runs on Linux and macOS, not on {sys.platform}")


def module_text() -> str:
    """The whole module as LLVM text."""
    from arignote.runtime import boxing, buffers, call, guards, object_type, signals, stack, threads

    parts = (buffers, stack, threads, signals, guards, boxing, call, object_type)
    definitions = [imports.DEFINITION, *(part.DEFINITIONS for part in parts)]
    functions = [imports.table_function(), *(function for part in parts for function in part.functions())]
    return "\n".join([*definitions, *(function.text() for function in functions)])


def _compile(text: str) -> Any:
    """An engine that holds the compiled module."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    machine = llvm.Target.from_default_triple().create_target_machine(opt=2, jit=True)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    passes = llvm.create_new_module_pass_manager()
    for add in ("add_sroa_pass", "add_simplify_cfg_pass", "add_instruction_combine_pass", "add_simplify_cfg_pass"):
        getattr(passes, add)()
    passes.run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


@functools.cache
def _engine() -> Any:
    with _loading:
        refuse_unsupported_interpreter()
        engine = _compile(module_text())
        # Threads may sleep in this code, and objects be freed by it, until the very end of the process.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
        _initialise(engine)
        return engine


_table_address = 0
_numbers: dict[str, int] = {}
"""What has been written to the table, and what waits for it."""


def _initialise(engine: Any) -> None:
    """Fills the table of imports, and prepares what the native functions keep."""
    from arignote.runtime import buffers, layout, stack, threads

    global _table_address
    layout.verify()
    _table_address = ctypes.CFUNCTYPE(ctypes.c_void_p)(engine.get_function_address("ag_imports"))()
    for name, value in imports.addresses().items():
        set_number(name, value)
    set_number("cache_limit", buffers.default_cache_limit())
    set_number("stack_key", stack.create_key())
    set_number("thread_limit", threads.get_num_threads())
    set_number("jit_disabled", _numbers.get("jit_disabled", 0))
    reset_pool = ctypes.CFUNCTYPE(None)(engine.get_function_address("ag_reset_pool"))
    unlock_buffers = ctypes.CFUNCTYPE(None)(engine.get_function_address("ag_unlock_buffers"))
    reset_pool()
    os.register_at_fork(after_in_child=lambda: (reset_pool(), unlock_buffers()))


def compile_small(text: str, name: str) -> int:
    """The address of a function of a small module, which stays loaded for ever."""
    with _loading:
        engine = _compile(text)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
        return engine.get_function_address(name)


def set_number(name: str, value: int) -> None:
    """Writes one entry of the table, once the module is loaded."""
    _numbers[name] = value
    if _table_address:
        ctypes.c_int64.from_address(_table_address + 8 * imports.POSITION[name]).value = value


def address(name: str) -> int:
    """The address of one of the module's functions; the first use compiles the module."""
    with _loading:
        found = _engine().get_function_address(name)
    if not found:
        raise KeyError(f"the runtime has no native function {name!r}")
    return found


@functools.cache
def function(name: str, returns: Any = None, *parameters: Any) -> Any:
    """One of the module's functions, to be called from Python with the interpreter lock released."""
    return ctypes.CFUNCTYPE(returns, *parameters)(address(name))
