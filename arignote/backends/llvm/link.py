"""From a program to machine code: object code linked by address, with the functions on matrices that it uses."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import llvmlite.binding as llvm

from ...ir.records import dataclass, field
from ...lower.loop_ir import Program
from ..libraries import BLAS_SETTINGS, address_of
from ..native_image import Image, Loaded, UnsupportedObjectError, is_supported, lay_out
from .blas import product_module, product_symbols, product_type
from .blas_blocks import RUNTIME_PRODUCT
from .emit_program import emit_program
from .factors import factor_module, factor_of
from .gemm_stack import stack_module, stack_symbols, stack_type
from .generate import STRAIGHT, Part, assembly, number_of_parts, object_codes, target_machine
from .text import ModuleText


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


@dataclass(slots=True)
class CompiledModule:
    """Machine code in this process; it is freed with this object."""

    exported: tuple[str, ...]
    text: ModuleText | None
    objects: tuple[bytes, ...]
    imported: tuple[str, ...]
    image: Image | None
    _loaded: Loaded | llvm.ResourceTracker
    timings: dict[str, float] = field(default_factory=dict)

    def address(self, name: str | None = None) -> int:
        """The address of a visible function; the first one's by default, which is the entry's."""
        return self._loaded[name or self.exported[0]]

    @property
    def llvm_ir(self) -> str:
        """The text that it was compiled from: what is optimised, and then what is translated straight."""
        return "" if self.text is None else self.text.render()

    @property
    def object_bytes(self) -> int:
        """The size of its object code."""
        return sum(map(len, self.objects))

    def assembly(self) -> str:
        """The machine code as assembly text."""
        return "" if self.text is None else assembly(parts_of(self.text, 1))


_numbers = itertools.count()


def link(exported: Sequence[str], objects: Sequence[bytes], imported: Mapping[str, int]) -> llvm.ResourceTracker:
    """Loads object code with LLVM's linker, with the symbols that it imports bound to addresses."""
    builder = llvm.JITLibraryBuilder()
    for each in objects:
        builder.add_object_img(each)
    for name in exported:
        builder.export_symbol(name)
    for name, address in imported.items():
        builder.import_symbol(name, address)
    return builder.link(engine(), f"arignote{next(_numbers)}")


def image_of(objects: Sequence[bytes]) -> Image | None:
    """The code laid out by ourselves, which takes little time; None where that is left to LLVM's linker."""
    if not is_supported():
        return None
    try:
        return lay_out(*objects)
    except UnsupportedObjectError:
        return None


def exported_with(symbol: str) -> tuple[str, ...]:
    """The functions that are compiled together with one of our own on matrices; none for other symbols."""
    type = product_type(symbol)
    if type is not None:
        return product_symbols(type)
    type = stack_type(symbol)
    if type is not None:
        return stack_symbols(type)
    return () if factor_of(symbol) is None else (symbol,)


def is_on_matrices(symbol: str) -> bool:
    """Whether a function is one of our own on matrices, which is compiled once for all programs."""
    return bool(exported_with(symbol))


_on_matrices: dict[tuple[tuple[str, ...], int], CompiledModule] = {}
"""By what they export and where the runtime's products are."""


def matrix_module(symbol: str, symbols: Mapping[str, int]) -> CompiledModule | None:
    """The module of a matrix product or factorisation of ours, made once per process; None for other symbols."""
    exported = exported_with(symbol)
    if not exported:
        return None
    key = exported, symbols.get(RUNTIME_PRODUCT, 0)
    if key not in _on_matrices:
        _on_matrices[key] = compile_text(_matrix_text(symbol, symbols), exported, symbols)
    return _on_matrices[key]


def _matrix_text(symbol: str, symbols: Mapping[str, int]) -> ModuleText:
    """The text of such a module; large products are in blocks where the runtime and BLAS have what that needs."""
    factor, stack = factor_of(symbol), stack_type(symbol)
    settable = RUNTIME_PRODUCT in symbols and all(map(address_of, BLAS_SETTINGS))
    if factor is not None:
        return factor_module(*factor, *vector_form(), settable)
    if stack is not None:
        return stack_module(stack, *vector_form())
    type = product_type(symbol)
    assert type is not None
    return product_module(type, *vector_form(), settable)


def bind(name: str, symbols: Mapping[str, int]) -> int:
    """The address of an imported function: given, one of our own on matrices, or of a library."""
    if name in symbols:
        return symbols[name]
    module = matrix_module(name, symbols)
    return address_of(name) if module is None else module.address(name)


def load_object(
    exported: Sequence[str],
    objects: Sequence[bytes],
    imported: Sequence[str],
    symbols: Mapping[str, int],
    text: ModuleText | None = None,
) -> CompiledModule:
    """A module from object code that was compiled before."""
    image = image_of(objects)
    bound = {name: bind(name, symbols) for name in (imported if image is None else image.imported)}
    loaded = link(exported, objects, bound) if image is None else Loaded(image, bound)
    return CompiledModule(tuple(exported), text, tuple(objects), tuple(imported), image, loaded)


def parts_of(text: ModuleText, count: int) -> list[Part]:
    """The parts of a module that are translated on their own: what is optimised, in so many parts, and the rest."""
    optimised, straight = text.parts(count)
    return [*map(Part, optimised), *([Part(straight, STRAIGHT)] if straight else [])]


def compile_text(
    text: ModuleText, exported: Sequence[str], symbols: Mapping[str, int], threads: int = 1
) -> CompiledModule:
    """Compiles the text of a module, on several threads, and binds the C functions that it uses."""
    emitted = time.perf_counter()
    objects = object_codes(parts_of(text, threads))
    generated = time.perf_counter()
    compiled = load_object(exported, objects, sorted(text.imported), symbols, text)
    compiled.timings = {"codegen": generated - emitted, "link": time.perf_counter() - generated}
    return compiled


def compile_program(
    program: Program,
    symbols: Mapping[str, int],
    appended: Mapping[str, Callable[[ModuleText], str]] | None = None,
    on_matrices: Callable[[Sequence[str], Mapping[str, int]], Mapping[str, int]] | None = None,
) -> CompiledModule:
    """Compiles a program; its first procedure is the one whose address the module gives.

    appended:    further visible functions: by name, what writes their LLVM text
    on_matrices: where functions on matrices are, of those who keep them beyond this process
    """
    started = time.perf_counter()
    text = emit_program(program, *vector_form())
    text.functions.extend(write(text) for write in (appended or {}).values())
    emitted = time.perf_counter()
    if on_matrices is not None:
        symbols = {**symbols, **on_matrices(sorted(filter(is_on_matrices, text.imported)), symbols)}
    found = time.perf_counter()
    threads = number_of_parts(sum(map(len, text.functions)))
    compiled = compile_text(text, (program.entry.name, *(appended or {})), symbols, threads)
    compiled.timings = {"emit": emitted - started, "matrix functions": found - emitted} | compiled.timings
    return compiled
