"""From text to machine code: target machine, the few passes that pay, object code, linking by address."""

from __future__ import annotations

import ctypes
import importlib
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import llvmlite.binding as llvm

from ...lower.loop_ir import Program
from .emit_program import emit_program


@cache
def target_machine() -> llvm.TargetMachine:
    """The machine of this process, with all its features."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2, reloc="pic", codemodel="small"
    )


@cache
def vector_form() -> tuple[int, bool]:
    """Bytes of a vector register, and whether masked memory access is as cheap as plain access."""
    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl") and features.get("avx512dq") and features.get("avx512bw"):
        return 64, True
    return (32 if features.get("avx2") else 16), False


@cache
def engine() -> llvm.LLJIT:
    """The one linker of the process; it lives as long as the process, as the code that it holds may."""
    return llvm.create_lljit_compiler(target_machine())


@cache
def passes() -> tuple[llvm.PassBuilder, llvm.ModulePassManager]:
    """What is run on every module: only the inlining of formulas; everything else is done when the text is written."""
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    builder = llvm.create_pass_builder(target_machine(), options)
    manager = llvm.create_new_module_pass_manager()
    manager.add_always_inliner_pass()
    manager.add_global_dead_code_eliminate_pass()
    return builder, manager


@dataclass(slots=True)
class CompiledModule:
    """Machine code in this process; it is freed with this object."""

    entry: str
    llvm_ir: str
    object_code: bytes
    imported: tuple[str, ...]
    timings: dict[str, float] = field(default_factory=dict)
    _tracker: llvm.ResourceTracker | None = None

    def address(self, name: str | None = None) -> int:
        """The address of a visible function; the entry procedure's by default."""
        return self._tracker[name or self.entry]  # type: ignore[index]

    def assembly(self) -> str:
        """The machine code as assembly text."""
        return target_machine().emit_assembly(optimised(self.llvm_ir))


def optimised(text: str) -> llvm.ModuleRef:
    """The module of a text after the passes."""
    module = llvm.parse_assembly(text)
    module.verify()  # takes a hundredth of the time, and LLVM aborts the process where it meets what is not well formed
    builder, manager = passes()
    manager.run(module, builder)
    return module


def capsule_address(module: str, name: str) -> int:
    """The address of a C function that a Cython module exports."""
    capsule = importlib.import_module(module).__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))


@cache
def library() -> ctypes.CDLL:
    """The process's own symbols, libm among them."""
    return ctypes.CDLL(None)


def process_symbol(name: str) -> int:
    """The address of a C function of the process."""
    try:
        return ctypes.cast(getattr(library(), name), ctypes.c_void_p).value or 0
    except AttributeError:
        if name == "ag_digamma":
            return capsule_address("scipy.special.cython_special", "__pyx_fuse_1psi")
        raise LookupError(f"no symbol {name!r} is given, nor is it known in this process") from None


_numbers = itertools.count()


def link(entry: str, object_code: bytes, imported: Mapping[str, int]) -> llvm.ResourceTracker:
    """Loads object code, with the symbols that it imports bound to addresses."""
    builder = llvm.JITLibraryBuilder().add_object_img(object_code).export_symbol(entry)
    for name, address in imported.items():
        builder.import_symbol(name, address)
    return builder.link(engine(), f"arignote{next(_numbers)}")


def load_object(
    entry: str, object_code: bytes, imported: tuple[str, ...], symbols: Mapping[str, int], llvm_ir: str = ""
) -> CompiledModule:
    """A module from object code that was compiled before."""
    bound = {name: symbols.get(name) or process_symbol(name) for name in imported}
    return CompiledModule(entry, llvm_ir, object_code, imported, {}, link(entry, object_code, bound))


def compile_program(program: Program, symbols: Mapping[str, int]) -> CompiledModule:
    """Compiles a program and binds the C functions that it uses."""
    started = time.perf_counter()
    text = emit_program(program, *vector_form())
    rendered = text.render()
    emitted = time.perf_counter()
    module = optimised(rendered)
    inlined = time.perf_counter()
    object_code = target_machine().emit_object(module)
    generated = time.perf_counter()
    compiled = load_object(program.entry.name, object_code, tuple(sorted(text.imported)), symbols, rendered)
    linked = time.perf_counter()
    compiled.timings = {
        "emit": emitted - started,
        "optimise": inlined - emitted,
        "codegen": generated - inlined,
        "link": linked - generated,
    }
    return compiled
