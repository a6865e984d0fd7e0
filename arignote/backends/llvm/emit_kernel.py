"""Kernels: loop nests as LLVM functions of their own, called directly or in chunks by several threads."""

from __future__ import annotations

from collections.abc import Callable

from ...lower.loop_ir import Extern, For, Kernel, RaiseIf, Statement, Var, free_variables, walk
from .cleanup import ending
from .emit_loops import emit_range
from .emit_parallel import emit_parallel_loop
from .emit_signals import spend_on_kernel
from .function_text import FunctionText
from .kernel_text import call_arguments, define, inner_function, load_captured, parameters, store_captured
from .streaming import begin_streams, end_streams
from .text import global_name, llvm_type, scalar_text


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
    result = "void" if not types else types[0] if len(types) == 1 else f"{{{', '.join(types)}}}"
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
    if len(values) < 2:
        inner.put(f"ret {result} {values[0]}" if values else "ret void")
        return
    whole = "poison"
    for position, (type, value) in enumerate(zip(types, values, strict=True)):
        whole = inner.let(f"insertvalue {result} {whole}, {type} {value}, {position}")
    inner.put(f"ret {result} {whole}")


def outline_failing(function: FunctionText, kernel: Kernel, name: str, captured: list[Var]) -> None:
    """A kernel that may raise returns its status before its values; its errors release nothing by themselves."""
    inner = inner_function(function, kernel, name, captured)
    types = ["i32", *(llvm_type(value.type) for value in kernel.yields)]
    result = f"{{{', '.join(types)}}}"
    inner.fails_with = f"ret {result} {{{', '.join(['i32 1', *(f'{type} zeroinitializer' for type in types[1:])])}}}"
    inner.statements(kernel.body)
    values = ["0", *(inner.text(value) for value in kernel.yields)]
    whole = "poison"
    for position, (type, value) in enumerate(zip(types, values, strict=True)):
        whole = inner.let(f"insertvalue {result} {whole}, {type} {value}, {position}")
    inner.put(f"ret {result} {whole}")
    name = define(function, inner, result, name, ["ptr %ctx", *parameters(kernel, captured)])
    args = ", ".join(["ptr %ctx", *call_arguments(function, captured)])
    value = function.let(f"call {result} {global_name(name)}({args})")
    status = function.let(f"extractvalue {result} {value}, 0")
    failed = function.let(f"icmp ne i32 {status}, 0")
    going_on = function.label()
    function.branch(failed, ending(function, kernel.live), going_on, unlikely=True)
    function.begin(going_on)
    for position, var in enumerate(kernel.results):
        function.values[var.id] = function.let(f"extractvalue {result} {value}, {position + 1}")


def outline_parallel(function: FunctionText, kernel: Kernel, loop: For, name: str, captured: list[Var]) -> None:
    """A parallel kernel runs iterations begin..end; threads reach it through the addresses of its captured values."""
    inner = inner_function(function, kernel, name, captured)
    begin_streams(inner, kernel)
    inner.statements(kernel.body[:-1])
    emit_range(inner, loop, "%begin", "%end")
    end_streams(inner)
    inner.put("ret void")
    own = name
    name = define(function, inner, "void", own, [*parameters(kernel, captured), "i64 %begin", "i64 %end"])
    if name is own:
        define_chunk(function, name, captured)
        define_threads(function, name, captured)
    count = function.text(loop.count)
    grain = function.text(loop.grain) if loop.grain is not None else scalar_text(1, "int64")
    small = function.let(f"icmp sle i64 {count}, {grain}")
    here, threads, done = function.label(), function.label(), function.label()
    function.branch(small, here, threads)
    function.begin(here)
    args = call_arguments(function, captured)
    function.put(f"call void {global_name(name)}({', '.join([*args, 'i64 0', f'i64 {count}'])})")
    function.jump(done)
    function.begin(threads)
    all_args = ", ".join([f"i64 {count}", f"i64 {grain}", *args])
    function.put(f"call void {global_name(name + '.threads')}({all_args})")
    function.jump(done)
    function.begin(done)


def define_threads(function: FunctionText, name: str, captured: list[Var]) -> None:
    """The function that puts the captured values where threads find them, and lets them run."""
    inner = FunctionText(function.module, name)
    environment = store_captured(inner, captured)
    run = function.module.symbol("ag_parallel_for", "void", "ptr, ptr, i64, i64")
    inner.put(f"call void {run}(ptr {global_name(name + '.chunk')}, ptr {environment}, i64 %count, i64 %grain)")
    inner.put("ret void")
    heads = ["i64 %count", "i64 %grain", *(f"{llvm_type(var.type)} %p{n}" for n, var in enumerate(captured))]
    head = f"define internal void {global_name(name + '.threads')}({', '.join(heads)}) nounwind noinline"
    function.module.rare.append(inner.function(head))


def define_chunk(function: FunctionText, name: str, captured: list[Var]) -> None:
    """The function that a thread calls: reads the captured values and runs the kernel on its iterations."""
    chunk = FunctionText(function.module, name)
    args = load_captured(chunk, captured)
    chunk.put(f"call void {global_name(name)}({', '.join([*args, 'i64 %begin', 'i64 %end'])})")
    chunk.put("ret void")
    head = f"define internal void {global_name(name + '.chunk')}(ptr %environment, i64 %begin, i64 %end) nounwind"
    function.module.rare.append(chunk.function(head))


EMITTERS: dict[type, Callable[[FunctionText, Statement], None]] = {Kernel: emit_kernel}
