"""What the functions of all kernels have in common: captured values, parameters, definitions, threads that run them."""

from __future__ import annotations

from ...lower.loop_ir import For, Kernel, Var
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


def run_iterations(function: FunctionText, name: str, loop: For, args: list[str], own: list[str] | None = None) -> None:
    """Runs all iterations of a kernel: few of them here, with further arguments of this thread's own, or on threads."""
    count = function.text(loop.count)
    grain = "1" if loop.grain is None else function.text(loop.grain)
    small = function.let(f"icmp sle i64 {count}, {grain}")
    here, threads, done = function.label(), function.label(), function.label()
    function.branch(small, here, threads)
    function.begin(here)
    function.put(f"call void {global_name(name)}({', '.join([*args, *(own or []), 'i64 0', f'i64 {count}'])})")
    function.jump(done)
    function.begin(threads)
    all_args = ", ".join([f"i64 {count}", f"i64 {grain}", *args])
    function.put(f"call void {global_name(name + '.threads')}({all_args})")
    function.jump(done)
    function.begin(done)


def define_threads(function: FunctionText, name: str, captured: list[Var], has_state: bool = False) -> None:
    """Adds the function that puts the captured values where threads find them and lets them run, and what they call.

    has_state: the kernel is a loop of the user's program, which asks by its state whether it should end
    """
    _define_chunk(function, name, captured, has_state)
    inner = FunctionText(function.module, name)
    environment = store_captured(inner, captured, int(has_state))
    state = ["ptr %state"] if has_state else []
    for each in state:
        inner.put(f"store {each}, ptr {word(inner, environment, len(captured))}")
    types = ", ".join(["ptr" for _ in state] + ["ptr, ptr, i64, i64"])
    run = function.module.symbol("ag_parallel_loop" if has_state else "ag_parallel_for", "void", types)
    args = [*state, f"ptr {global_name(name + '.chunk')}", f"ptr {environment}", "i64 %count", "i64 %grain"]
    inner.put(f"call void {run}({', '.join(args)})")
    inner.put("ret void")
    values = [f"{llvm_type(var.type)} %p{number}" for number, var in enumerate(captured)]
    heads = ", ".join(["i64 %count", "i64 %grain", *values, *state])
    head = f"define internal void {global_name(name + '.threads')}({heads}) nounwind noinline"
    function.module.rare.append(inner.function(head))


def _define_chunk(function: FunctionText, name: str, captured: list[Var], has_state: bool) -> None:
    """The function that a thread calls: reads the captured values and runs the kernel on its iterations."""
    chunk = FunctionText(function.module, name)
    args = load_captured(chunk, captured)
    if has_state:  # its budget is spent from the beginning, so that each chunk asks first
        chunk.entry += ["  %left = alloca i64", "  store i64 0, ptr %left"]
        state = chunk.let(f"load ptr, ptr {word(chunk, '%environment', len(captured))}")
        args += [f"ptr {state}", "ptr %left"]
    chunk.put(f"call void {global_name(name)}({', '.join([*args, 'i64 %begin', 'i64 %end'])})")
    chunk.put("ret void")
    head = f"define internal void {global_name(name + '.chunk')}(ptr %environment, i64 %begin, i64 %end) nounwind"
    function.module.rare.append(chunk.function(head))


def word(function: FunctionText, place: str, position: int) -> str:
    """The address of a word of some memory."""
    return function.let(f"getelementptr i64, ptr {place}, i64 {position}")


def store_captured(function: FunctionText, captured: list[Var], more: int = 0) -> str:
    """Puts the captured values, which are the function's parameters, in memory that has room for some words more."""
    environment = function.area(max(len(captured) + more, 1))
    for position, var in enumerate(captured):
        place = word(function, environment, position)
        value = function.let(f"zext i1 %p{position} to i8") if var.type == "bool" else f"%p{position}"
        function.put(f"store {memory_type(var.type)} {value}, ptr {place}")
    return environment


def load_captured(function: FunctionText, captured: list[Var]) -> list[str]:
    """Reads them where they were put, for the call of a kernel."""
    args = []
    for position, var in enumerate(captured):
        place = word(function, "%environment", position)
        value = function.let(f"load {memory_type(var.type)}, ptr {place}")
        if var.type == "bool":
            value = function.let(f"trunc i8 {value} to i1")
        args.append(f"{llvm_type(var.type)} {value}")
    return args
