"""Kernels: loop nests as LLVM functions of their own, called directly or in chunks by several threads."""

from __future__ import annotations

from collections.abc import Callable

from ...lower.loop_ir import Extern, For, Kernel, RaiseIf, Statement, Var, free_variables, walk
from .emit_loops import emit_range
from .emit_parallel import emit_parallel_loop
from .emit_signals import spend_on_kernel
from .function_text import FunctionText
from .kernel_text import call_arguments, define, define_threads, inner_function, parameters, run_iterations
from .next_rows import steps_to_next_rows
from .status import begin_failing, call_failing, leave_well, structure, together
from .streaming import begin_streams, end_streams
from .text import global_name, llvm_type


def emit_kernel(function: FunctionText, kernel: Kernel) -> None:
    """Outlines a kernel and calls it."""
    function.kernels += 1
    if any(isinstance(statement, Extern) for statement in walk(kernel.body)):
        emit_parallel_loop(function, kernel)
        return
    spend_on_kernel(function, kernel)
    name = f"{function.procedure_name}.kernel{function.kernels}"
    captured = free_variables(kernel.body, kernel.yields)
    loop = kernel.parallel_loop
    if loop is not None:
        outline_parallel(function, kernel, loop, name, captured)
    elif any(isinstance(statement, RaiseIf) for statement in walk(kernel.body)):
        outline_failing(function, kernel, name, captured)
    else:
        outline(function, kernel, name, captured)


def outline(function: FunctionText, kernel: Kernel, name: str, captured: list[Var]) -> None:
    """A kernel that cannot fail returns its values, several as a structure."""
    inner = inner_function(function, kernel, name, captured)
    inner.statements(kernel.body)
    types = [llvm_type(value.type) for value in kernel.yields]
    result = "void" if not types else types[0] if len(types) == 1 else structure(types)
    give_back(inner, result, [inner.text(value) for value in kernel.yields], types)
    name = define(function, inner, result, name, parameters(kernel, captured))
    call = f"call {result} {global_name(name)}({', '.join(call_arguments(function, captured))})"
    if not types:
        function.put(call)
        return
    value = function.let(call)
    for position, var in enumerate(kernel.results):
        many = len(types) > 1
        function.values[var.id] = function.let(f"extractvalue {result} {value}, {position}") if many else value


def give_back(inner: FunctionText, result: str, values: list[str], types: list[str]) -> None:
    """Returns none, one or several values."""
    if not values:
        inner.put("ret void")
        return
    inner.put(f"ret {result} {values[0] if len(values) == 1 else together(inner, types, values)}")


def outline_failing(function: FunctionText, kernel: Kernel, name: str, captured: list[Var]) -> None:
    """A kernel that may raise returns its status before its values; its errors release nothing by themselves."""
    inner = inner_function(function, kernel, name, captured)
    types = [llvm_type(value.type) for value in kernel.yields]
    result = begin_failing(inner, types)
    inner.statements(kernel.body)
    leave_well(inner, types, [inner.text(value) for value in kernel.yields])
    name = define(function, inner, result, name, ["ptr %ctx", *parameters(kernel, captured)])
    args = ["ptr %ctx", *call_arguments(function, captured)]
    call_failing(function, global_name(name), args, kernel.results, kernel.live)


def outline_parallel(function: FunctionText, kernel: Kernel, loop: For, name: str, captured: list[Var]) -> None:
    """A parallel kernel runs iterations begin..end; threads reach it through the addresses of its captured values."""
    inner = inner_function(function, kernel, name, captured)
    begin_streams(inner, kernel)
    inner.next_rows = steps_to_next_rows(kernel)
    inner.statements(kernel.body[:-1])
    emit_range(inner, loop, "%begin", "%end")
    end_streams(inner)
    inner.put("ret void")
    own = name
    name = define(function, inner, "void", own, [*parameters(kernel, captured), "i64 %begin", "i64 %end"])
    if name is own:
        define_threads(function, name, captured)
    run_iterations(function, name, loop, call_arguments(function, captured))


EMITTERS: dict[type, Callable[[FunctionText, Statement], None]] = {Kernel: emit_kernel}
