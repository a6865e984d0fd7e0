"""From text to machine code: target machine, the few passes that pay, object code, linking by address."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import llvmlite.binding as llvm

from ...lower.loop_ir import Program, Type
from .blas import product_module, product_symbols, product_type
from .blas_blocks import RUNTIME_PRODUCT
from .emit_program import HUGE_MARK, emit_program
from .factors import factor_module, factor_of
from .gemm_stack import stack_module, stack_symbols, stack_type
from .libraries import BLAS_SETTINGS, address_of
from .text import ModuleText


@cache
def target_machine() -> llvm.TargetMachine:
    """The machine of this process, with all its features."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        reloc="pic",
        codemodel="small",
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
    """What is run on every module: only the inlining of formulas, and budgets of loops into registers.

    Everything else is done when the text is written.
    """
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    builder = llvm.create_pass_builder(target_machine(), options)
    manager = llvm.create_new_module_pass_manager()
    manager.add_always_inliner_pass()
    manager.add_sroa_pass()
    manager.add_global_dead_code_eliminate_pass()
    return builder, manager


@dataclass(slots=True)
class CompiledModule:
    """Machine code in this process; it is freed with this object."""

    exported: tuple[str, ...]
    llvm_ir: str
    object_code: bytes
    imported: tuple[str, ...]
    timings: dict[str, float] = field(default_factory=dict)
    _tracker: llvm.ResourceTracker | None = None

    def address(self, name: str | None = None) -> int:
        """The address of a visible function; the first one's by default, which is the entry's."""
        return self._tracker[name or self.exported[0]]  # type: ignore[index]

    def assembly(self) -> str:
        """The machine code as assembly text."""
        return target_machine().emit_assembly(optimised(self.llvm_ir))


def optimised(text: str) -> llvm.ModuleRef:
    """The module of a text after the passes."""
    module = llvm.parse_assembly(text)
    module.verify()  # takes a hundredth of the time, and LLVM aborts the process where it meets what is not well formed
    builder, manager = passes()
    manager.run(module, builder)
    if HUGE_MARK in text:
        for function in module.functions:
            if HUGE_MARK.encode() in b"".join(function.attributes):
                function.add_function_attribute("optnone")
    return module


_numbers = itertools.count()


def link(exported: Sequence[str], object_code: bytes, imported: Mapping[str, int]) -> llvm.ResourceTracker:
    """Loads object code, with the symbols that it imports bound to addresses."""
    builder = llvm.JITLibraryBuilder().add_object_img(object_code)
    for name in exported:
        builder.export_symbol(name)
    for name, address in imported.items():
        builder.import_symbol(name, address)
    return builder.link(engine(), f"arignote{next(_numbers)}")


def bind(name: str, symbols: Mapping[str, int]) -> int:
    """The address of an imported function: given, one of our own on matrices, or of a library."""
    if name in symbols:
        return symbols[name]
    module = matrix_module(name, symbols)
    return address_of(name) if module is None else module.address(name)


_on_matrices: dict[str, CompiledModule] = {}


def matrix_module(symbol: str, symbols: Mapping[str, int]) -> CompiledModule | None:
    """The module of a matrix product or factorisation of ours, made once per process; None for other symbols."""
    type = product_type(symbol)
    if type is not None:
        return matrix_products(type, symbols.get(RUNTIME_PRODUCT, 0))
    factor, stack = factor_of(symbol), stack_type(symbol)
    if factor is None and stack is None:
        return None
    key = symbol if stack is None else stack
    if key not in _on_matrices:
        text = factor_module(*factor, *vector_form()) if factor is not None else stack_module(stack, *vector_form())
        _on_matrices[key] = compile_text(text, (symbol,) if stack is None else stack_symbols(stack), symbols)
    return _on_matrices[key]


@cache
def matrix_products(type: Type, runtime_product: int) -> CompiledModule:
    """The matrix products of a type; large ones in blocks where the runtime and BLAS have what that needs."""
    in_blocks = bool(runtime_product and all(map(address_of, BLAS_SETTINGS)))
    text = product_module(type, *vector_form(), in_blocks)
    return compile_text(text, product_symbols(type), {RUNTIME_PRODUCT: runtime_product} if in_blocks else {})


def load_object(
    exported: Sequence[str],
    object_code: bytes,
    imported: Sequence[str],
    symbols: Mapping[str, int],
    llvm_ir: str = "",
) -> CompiledModule:
    """A module from object code that was compiled before."""
    bound = {name: bind(name, symbols) for name in imported}
    return CompiledModule(
        tuple(exported), llvm_ir, object_code, tuple(imported), {}, link(exported, object_code, bound)
    )


def compile_text(text: ModuleText, exported: Sequence[str], symbols: Mapping[str, int]) -> CompiledModule:
    """Compiles the text of a module and binds the C functions that it uses."""
    emitted = time.perf_counter()
    rendered = text.render()
    module = optimised(rendered)
    inlined = time.perf_counter()
    object_code = target_machine().emit_object(module)
    generated = time.perf_counter()
    compiled = load_object(exported, object_code, sorted(text.imported), symbols, rendered)
    compiled.timings = {
        "optimise": inlined - emitted,
        "codegen": generated - inlined,
        "link": time.perf_counter() - generated,
    }
    return compiled


def compile_program(
    program: Program, symbols: Mapping[str, int], appended: Mapping[str, Callable[[ModuleText], str]] | None = None
) -> CompiledModule:
    """Compiles a program; its first procedure is the one whose address the module gives.

    appended: further visible functions: by name, what writes their LLVM text
    """
    started = time.perf_counter()
    text = emit_program(program, *vector_form())
    text.functions.extend(write(text) for write in (appended or {}).values())
    emitted = time.perf_counter()
    compiled = compile_text(text, (program.entry.name, *(appended or {})), symbols)
    compiled.timings = {"emit": emitted - started} | compiled.timings
    return compiled
