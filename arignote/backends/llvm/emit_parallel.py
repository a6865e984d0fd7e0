"""Loops of the user's program that several threads run: kernels that Ctrl-C can end.

An iteration may take any time, so the kernel asks now and then, as the loop would have done. Only the caller's thread
can ask Python; the others see in the *state* of the loop what it was told. The state lies in the caller's frame: the
context, whether the loop should end, the thread that called, and what is left of the caller's budget.
"""

from __future__ import annotations

from ...lower.loop_ir import For, Kernel, Var, free_variables
from .cleanup import ending
from .emit_loops import emit_range
from .emit_signals import budget, share_budget
from .function_text import FunctionText
from .kernel_text import call_arguments, define, inner_function, load_captured, parameters, store_captured
from .text import global_name, llvm_type

CONTEXT, STOP, THREAD, BUDGET_LEFT = range(4)
"""The words of the state, as the runtime knows them (`runtime/threads.py`)."""


def emit_parallel_loop(function: FunctionText, kernel: Kernel) -> None:
    """Outlines the loop, runs it, here if it is small, and leaves if it was interrupted."""
    loop = kernel.parallel_loop
    assert loop is not None
    own = f"{function.procedure_name}.kernel{function.kernels}"
    captured = free_variables(kernel.body)
    name = _define_loop(function, kernel, loop, own, captured)
    if name is own:
        _define_chunk(function, name, captured)
        _define_threads(function, name, captured)
    state, left = _begin(function)
    count, grain = function.text(loop.count), function.text(loop.grain)  # type: ignore[arg-type]
    args = ", ".join([*call_arguments(function, captured), f"ptr {state}"])
    small = function.let(f"icmp sle i64 {count}, {grain}")
    here, threads, done = function.label(), function.label(), function.label()
    function.branch(small, here, threads)
    function.begin(here)
    function.put(f"call void {global_name(name)}({args}, ptr {left}, i64 0, i64 {count})")
    function.jump(done)
    function.begin(threads)
    function.put(f"call void {global_name(name + '.threads')}(i64 {count}, i64 {grain}, {args})")
    function.jump(done)
    function.begin(done)
    function.put(f"store i64 {function.let(f'load i64, ptr {left}')}, ptr {budget(function)}")
    stopped = function.let(f"load i64, ptr {_word(function, state, STOP)}")
    going_on = function.label()
    function.branch(function.let(f"icmp ne i64 {stopped}, 0"), ending(function, kernel.live), going_on, unlikely=True)
    function.begin(going_on)


def _word(function: FunctionText, state: str, position: int) -> str:
    return function.let(f"getelementptr i64, ptr {state}, i64 {position}")


def _begin(function: FunctionText) -> tuple[str, str]:
    """The state of a loop that begins, and the address of the budget in it."""
    if not function.has_loop_state:
        function.has_loop_state = True
        function.entry.append("  %loop_state = alloca [4 x i64]")
    state = "%loop_state"
    given = function.let(f"load i64, ptr {budget(function)}")
    left = _word(function, state, BUDGET_LEFT)
    function.put(f"store ptr %ctx, ptr {_word(function, state, CONTEXT)}")
    function.put(f"store i64 0, ptr {_word(function, state, STOP)}")
    function.put(f"store i64 0, ptr {_word(function, state, THREAD)}")
    function.put(f"store i64 {given}, ptr {left}")
    return state, left


def _define_loop(function: FunctionText, kernel: Kernel, loop: For, name: str, captured: list[Var]) -> str:
    """The iterations begin..end, which pay from the budget at `%left`."""
    inner = inner_function(function, kernel, name, captured)
    inner.fails_with, inner.loop_state = "ret void", "%state"
    share_budget(inner)
    emit_range(inner, loop, "%begin", "%end")
    inner.put(f"store i64 {inner.let('load i64, ptr %budget')}, ptr %left")
    inner.put("ret void")
    heads = [*parameters(kernel, captured), "ptr %state", "ptr %left", "i64 %begin", "i64 %end"]
    return define(function, inner, "void", name, heads)


def _define_threads(function: FunctionText, name: str, captured: list[Var]) -> None:
    """The function that puts the captured values where threads find them, and lets them run."""
    inner = FunctionText(function.module, name)
    environment = store_captured(inner, captured, 1)
    inner.put(f"store ptr %state, ptr {_word(inner, environment, len(captured))}")
    run = function.module.symbol("ag_parallel_loop", "void", "ptr, ptr, ptr, i64, i64")
    chunk = global_name(name + ".chunk")
    inner.put(f"call void {run}(ptr %state, ptr {chunk}, ptr {environment}, i64 %count, i64 %grain)")
    inner.put("ret void")
    values = [f"{llvm_type(var.type)} %p{number}" for number, var in enumerate(captured)]
    heads = ", ".join(["i64 %count", "i64 %grain", *values, "ptr %state"])
    head = f"define internal void {global_name(name + '.threads')}({heads}) nounwind noinline"
    function.module.rare.append(inner.function(head))


def _define_chunk(function: FunctionText, name: str, captured: list[Var]) -> None:
    """The function that a thread calls. Its budget is spent from the beginning, so that each chunk asks first."""
    chunk = FunctionText(function.module, name)
    chunk.entry += ["  %left = alloca i64", "  store i64 0, ptr %left"]
    args = load_captured(chunk, captured)
    state = chunk.let(f"load ptr, ptr {_word(chunk, '%environment', len(captured))}")
    chunk.put(f"call void {global_name(name)}({', '.join([*args, f'ptr {state}'])}, ptr %left, i64 %begin, i64 %end)")
    chunk.put("ret void")
    head = f"define internal void {global_name(name + '.chunk')}(ptr %environment, i64 %begin, i64 %end) nounwind"
    function.module.rare.append(chunk.function(head))
