"""From text to object code: target machine, the few passes that pay, and several threads for the parts of a module.

LLVM is safe on several threads as long as nothing is shared: each `Generator` has a context, target machines and
passes of its own, and serves one thread at a time. The binding of llvmlite runs one call at a time in the whole
process, whatever it works on; so the one call that takes long is made past it.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

import llvmlite.binding as llvm
from llvmlite.utils import get_library_name

from arignote.ir.records import dataclass

OPTIMISED, STRAIGHT = 2, 0
"""LLVM's levels of code generation: with everything, and a line at a time in a tenth of the time."""
PART_CHARACTERS = 16_000
"""Text that is worth a thread of its own: some fifteen milliseconds of code generation."""
MOST_PARTS = 8


@dataclass(frozen=True, slots=True)
class Part:
    """A module, or what of it is translated on its own; and how well."""

    text: str
    level: int = OPTIMISED


def create_target_machine(level: int) -> llvm.TargetMachine:
    """The machine of this process, with all its features."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=level,
        reloc="pic",
        codemodel="small",
    )


@cache
def target_machine(level: int = OPTIMISED) -> llvm.TargetMachine:
    """The machine for all that one thread does at a time, under the binding's lock."""
    return create_target_machine(level)


class Generator:
    """What one thread needs to make object code."""

    def __init__(self) -> None:
        self.context = llvm.create_context()
        self.machines: dict[int, llvm.TargetMachine] = {}

    def machine(self, level: int) -> llvm.TargetMachine:
        """The target machine of a level."""
        if level not in self.machines:
            self.machines[level] = create_target_machine(level)
        return self.machines[level]

    @cached_property
    def passes(self) -> tuple[llvm.PassBuilder, llvm.ModulePassManager]:
        """What is run on every module: only the inlining of formulas, and budgets of loops into registers.

        Everything else is done when the text is written.
        """
        options = llvm.create_pipeline_tuning_options(speed_level=1)
        builder = llvm.create_pass_builder(self.machine(OPTIMISED), options)
        manager = llvm.create_new_module_pass_manager()
        manager.add_always_inliner_pass()
        manager.add_sroa_pass()
        manager.add_global_dead_code_eliminate_pass()
        return builder, manager

    def optimised(self, text: str) -> llvm.ModuleRef:
        """The module of a text after the passes."""
        module = llvm.parse_assembly(text, self.context)
        module.verify()  # a hundredth of the time, and LLVM aborts the process where it meets what is not well formed
        builder, manager = self.passes
        manager.run(module, builder)
        return module

    def object_code(self, part: Part) -> bytes:
        """The object code of a part."""
        module, machine = self.optimised(part.text), self.machine(part.level)
        emit = _unlocked_emit()
        if emit is None:
            return machine.emit_object(module)
        error = ctypes.c_char_p()
        buffer = emit(machine, module, 1, ctypes.byref(error))
        if not buffer:
            raise RuntimeError(f"LLVM cannot generate code: {(error.value or b'').decode()}")
        try:
            start, size = llvm.ffi.lib.LLVMPY_GetBufferStart(buffer), llvm.ffi.lib.LLVMPY_GetBufferSize(buffer)
            return ctypes.string_at(start, size)
        finally:
            llvm.ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)

    def assembly(self, part: Part) -> str:
        """The machine code of a part as text."""
        return self.machine(part.level).emit_assembly(self.optimised(part.text))


@cache
def _unlocked_emit() -> ctypes._FuncPointer | None:
    """The binding's function that generates code, without its lock; None where it has no such function."""
    library = ctypes.CDLL(str(Path(llvm.__file__).parent / get_library_name()))
    emit = getattr(library, "LLVMPY_TargetMachineEmitToMemory", None)
    if emit is not None:
        emit.restype = llvm.ffi.LLVMMemoryBufferRef
        emit.argtypes = [llvm.ffi.LLVMTargetMachineRef, llvm.ffi.LLVMModuleRef, ctypes.c_int,
                         ctypes.POINTER(ctypes.c_char_p)]  # fmt: skip
    return emit


_idle: list[Generator] = []


def _take() -> Generator:
    """A generator that no other thread uses."""
    try:
        return _idle.pop()
    except IndexError:
        return Generator()


@cache
def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def number_of_parts(characters: int) -> int:
    """In how many parts so much text is best translated."""
    return max(1, min(_processors(), MOST_PARTS, characters // PART_CHARACTERS))


def object_codes(parts: Sequence[Part]) -> list[bytes]:
    """The object code of each part: those that are worth it on threads of their own, the others here."""
    found: list[bytes] = [b""] * len(parts)
    failures: list[BaseException] = []
    apart = [position for position, part in enumerate(parts) if position and len(part.text) >= PART_CHARACTERS]

    def work(positions: Sequence[int]) -> None:
        generator = _take()
        try:
            for position in positions:
                found[position] = generator.object_code(parts[position])
        except BaseException as failure:  # raised again by the caller's thread
            failures.append(failure)
        _idle.append(generator)

    threads = [threading.Thread(target=work, args=([position],), daemon=True) for position in apart]
    for thread in threads:
        thread.start()
    work([position for position in range(len(parts)) if position not in apart])
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return found


def assembly(parts: Sequence[Part]) -> str:
    """The machine code of all parts as text."""
    generator = _take()
    try:
        return "\n".join(generator.assembly(part) for part in parts)
    finally:
        _idle.append(generator)
