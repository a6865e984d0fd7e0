"""The runtime's own native module: put together from this folder's files, compiled at first use, never unloaded."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import os
import sys
import sysconfig
import threading
from collections.abc import Sequence
from typing import Any

from arignote.backends.native_image import Loaded, UnsupportedObjectError, is_supported, lay_out
from arignote.runtime import (
    array_memory,
    boxing,
    buffers,
    call,
    disk_cache,
    guards,
    imports,
    large_stack,
    layout,
    node_boxing,
    node_guards,
    object_type,
    parallel_map,
    placement,
    printing,
    products,
    signals,
    sorting,
    stack,
    stamps,
    threads,
    trees,
    turns,
)

_PARTS = (
    *(buffers, array_memory, stack, large_stack, placement, threads, parallel_map, turns, products, sorting, signals),
    *(printing, guards, node_guards, trees, node_boxing, boxing, call, object_type),
)

_loading = threading.RLock()
os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


def refuse_unsupported_interpreter() -> None:
    """Native code reads the interpreter's objects directly, so it must be an interpreter whose layout is known."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8 or sys.byteorder != "little":
        raise ImportError("arignote needs CPython on a 64-bit little-endian machine")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise ImportError("arignote does not support free-threaded builds of Python; use the standard build")
    if not (imports.IS_LINUX or imports.IS_MACOS):
        raise ImportError(f"arignote runs on Linux and macOS, not on {sys.platform}")


def module_text() -> str:
    """The whole module as LLVM text."""
    definitions = [imports.DEFINITION, *(part.DEFINITIONS for part in _PARTS)]
    functions = [imports.table_function(), *(function for part in _PARTS for function in part.functions())]
    return "\n".join([*definitions, *(function.text() for function in functions)])


@functools.cache
def _machine(level: int = 2) -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()  # of `large_stack.py`
    model = "small" if is_supported() else "jitdefault"
    return llvm.Target.from_default_triple().create_target_machine(opt=level, reloc="pic", codemodel=model)


@functools.cache
def _linker() -> Any:
    """The engine that holds this code until the end of the process: threads sleep in it, objects are freed by it."""
    import llvmlite.binding as llvm

    engine = llvm.create_lljit_compiler(_machine())
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    return engine


def _object_code() -> bytes:
    """The machine code of the module, from disk where it has been compiled before."""
    key = f"the runtime of {stamps.package()}".encode()
    found = disk_cache.read(key)
    if found is None:
        found = _compile(module_text())
        if stamps.is_unchanged():
            disk_cache.write(key, found)
    return found


def _compile(text: str) -> bytes:
    import llvmlite.binding as llvm

    module, machine = llvm.parse_assembly(text), _machine()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    passes = llvm.create_new_module_pass_manager()
    cleaning = ("add_sroa_pass", "add_simplify_cfg_pass", "add_instruction_combine_pass", "add_simplify_cfg_pass")
    for add in ("add_always_inliner_pass", *cleaning):
        getattr(passes, add)()
    passes.run(module, builder)
    return machine.emit_object(module)


_numbers = itertools.count()


def _load(code: bytes, names: Sequence[str]) -> Any:
    """Loads a module for ever; maps the exported names to addresses."""
    if is_supported():
        with contextlib.suppress(UnsupportedObjectError):
            image = lay_out(code)
            if not image.imported:
                return _for_ever(Loaded(image, {}))
    import llvmlite.binding as llvm

    builder = llvm.JITLibraryBuilder().add_object_img(code)
    for name in names:
        builder.export_symbol(name)
    return _for_ever(builder.link(_linker(), f"runtime{next(_numbers)}"))


def _for_ever(loaded: Any) -> Any:
    """The same, which is not freed before the process ends."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(loaded))
    return loaded


EXPORTED = (
    *("ag_imports", "ag_alloc", "ag_free", "ag_release", "ag_grow", "ag_live_buffers", "ag_system_blocks"),
    "ag_unlock_buffers",
    *array_memory.EXPORTED,
    *("ag_stack_limit", "ag_on_large_stack", "ag_deepen", "ag_free_large_stack"),
    *("ag_parallel_for", "ag_parallel_loop", "ag_check_loop", "ag_parallel_map", "ag_wait_for_product",
      "ag_reset_pool"),
    *("ag_product", "ag_sort", "ag_argsort", "ag_check_signals", "ag_print", "ag_call"),
    *("ag_hold_products", "ag_resume_products", "ag_reset_products"),
    *("bind_callable", "traverse_callable", "clear_callable", "deallocate_callable"),
)


@functools.cache
def _runtime() -> Any:
    with _loading:
        refuse_unsupported_interpreter()
        loaded = _load(_object_code(), EXPORTED)
        _initialise(loaded)
        return loaded


def _initialise(loaded: Any) -> None:
    """Fills the table of imports, and prepares what the native functions keep."""
    layout.verify(imports.numpy_memory_handler())
    imports.TABLE.load(ctypes.CFUNCTYPE(ctypes.c_void_p)(loaded["ag_imports"])())
    imports.TABLE.write("array_handler", array_memory.make_handler(loaded))
    imports.TABLE.write("stack_key", stack.create_key())
    imports.TABLE.write("worker_key", stack.create_key())
    imports.TABLE.write("large_stack_key", large_stack.create_key(loaded["ag_free_large_stack"]))
    imports.TABLE.write("large_stack_bytes", large_stack.bytes_to_reserve())
    imports.TABLE.write("print_callback", printing.callback_address())
    _survive_forks({name: ctypes.CFUNCTYPE(None)(loaded[name]) for name in _FORK_FUNCTIONS})


_FORK_FUNCTIONS = (
    "ag_reset_pool", "ag_unlock_buffers", "ag_hold_products", "ag_resume_products", "ag_reset_products",
)  # fmt: skip


def _survive_forks(functions: dict[str, Any]) -> None:
    """A forked child has none of the other threads, and none of their locks."""

    def in_child() -> None:
        for name in ("ag_reset_pool", "ag_unlock_buffers", "ag_reset_products"):
            functions[name]()

    functions["ag_reset_pool"]()
    os.register_at_fork(
        before=functions["ag_hold_products"],
        after_in_parent=functions["ag_resume_products"],
        after_in_child=in_child,
    )


def compile_small(text: str, name: str) -> int:
    """The address of a function of a small module, which stays loaded for ever. Not optimised: for straight code."""
    import llvmlite.binding as llvm

    with _loading:
        return _load(_machine(0).emit_object(llvm.parse_assembly(text)), [name])[name]


def address(name: str) -> int:
    """The address of one of the module's functions; the first use compiles the module."""
    with _loading:
        return _runtime()[name]


@functools.cache
def function(name: str, returns: Any = None, *parameters: Any) -> Any:
    """One of the module's functions, to be called from Python with the interpreter lock released."""
    return ctypes.CFUNCTYPE(returns, *parameters)(address(name))


def live_buffers() -> int:
    """How many buffers are alive; a test that compares it before and after proves that nothing leaks."""
    return function("ag_live_buffers", ctypes.c_int64)()


def system_blocks() -> int:
    """How often native code has asked the system for memory; a program in its steady state does not."""
    return function("ag_system_blocks", ctypes.c_int64)()
