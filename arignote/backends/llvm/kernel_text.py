"""What the functions of all kernels have in common: captured values, parameters, definitions."""

from __future__ import annotations

from ...lower.loop_ir import Kernel, Var
from .function_text import FunctionText
from .text import global_name, llvm_type, memory_type


def inner_function(function: FunctionText, kernel: Kernel, name: str, captured: list[Var]) -> FunctionText:
    """The function of a kernel, with the captured variables as its parameters."""
    inner = FunctionText(function.module, name)
    written = {var.id for var in kernel.writes}
    inner.read_only = frozenset(var.id for var in kernel.reads if var.id not in written)
    for position, var in enumerate(captured):
        inner.values[var.id] = f"%p{position}"
    return inner


def parameters(kernel: Kernel, captured: list[Var]) -> list[str]:
    """The parameters of a kernel's function: what is written is reached through no other pointer."""
    written = {var.id for var in kernel.writes}
    read = {var.id for var in kernel.reads}
    texts = []
    for position, var in enumerate(captured):
        flags = " noalias" if var.id in written else " noalias readonly" if var.id in read else ""
        texts.append(f"{llvm_type(var.type)}{flags} %p{position}")
    return texts


def define(function: FunctionText, inner: FunctionText, result: str, name: str, heads: list[str]) -> str:
    """Adds the function of a kernel to the module; gives its name. A function in the same words serves again."""
    text = inner.function(f"({', '.join(heads)}) nounwind noinline")
    module = function.module
    known = module.kernels.setdefault((result, text), name)
    if known is name:
        module.functions.append(f"define internal {result} {global_name(name)}{text}")
    return known


def call_arguments(function: FunctionText, captured: list[Var]) -> list[str]:
    """The captured values at the place of the call."""
    return [function.typed(var) for var in captured]


def store_captured(function: FunctionText, captured: list[Var], more: int = 0) -> str:
    """Puts the captured values, which are the function's parameters, in memory that has room for some words more."""
    environment = function.area(max(len(captured) + more, 1))
    for position, var in enumerate(captured):
        place = function.let(f"getelementptr i64, ptr {environment}, i64 {position}")
        value = function.let(f"zext i1 %p{position} to i8") if var.type == "bool" else f"%p{position}"
        function.put(f"store {memory_type(var.type)} {value}, ptr {place}")
    return environment


def load_captured(function: FunctionText, captured: list[Var]) -> list[str]:
    """Reads them where they were put, for the call of a kernel."""
    args = []
    for position, var in enumerate(captured):
        place = function.let(f"getelementptr i64, ptr %environment, i64 {position}")
        value = function.let(f"load {memory_type(var.type)}, ptr {place}")
        if var.type == "bool":
            value = function.let(f"trunc i8 {value} to i1")
        args.append(f"{llvm_type(var.type)} {value}")
    return args
