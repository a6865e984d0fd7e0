"""Loops of the user's program that several threads run: kernels that Ctrl-C can end.

An iteration may take any time, so the kernel asks now and then, as the loop would have done. Only the caller's thread
can ask Python; the others see in the *state* of the loop what it was told. The state lies in the caller's frame: the
context, whether the loop should end, the thread that called, and what is left of the caller's budget.
"""

from __future__ import annotations

from ...lower.loop_ir import For, Kernel, Var, free_variables
from .cleanup import leave_when
from .emit_loops import emit_range
from .emit_signals import budget, share_budget
from .function_text import FunctionText
from .kernel_text import call_arguments, define, define_threads, inner_function, parameters, run_iterations, word

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
        define_threads(function, name, captured, has_state=True)
    state, left = _begin(function)
    args = [*call_arguments(function, captured), f"ptr {state}"]
    run_iterations(function, name, loop, args, [f"ptr {left}"])
    function.put(f"store i64 {function.let(f'load i64, ptr {left}')}, ptr {budget(function)}")
    stopped = function.let(f"load i64, ptr {word(function, state, STOP)}")
    leave_when(function, function.let(f"icmp ne i64 {stopped}, 0"), kernel.live)


def _begin(function: FunctionText) -> tuple[str, str]:
    """The state of a loop that begins, and the address of the budget in it."""
    if not function.has_loop_state:
        function.has_loop_state = True
        function.entry.append("  %loop_state = alloca [4 x i64]")
    state = "%loop_state"
    given = function.let(f"load i64, ptr {budget(function)}")
    left = word(function, state, BUDGET_LEFT)
    function.put(f"store ptr %ctx, ptr {word(function, state, CONTEXT)}")
    function.put(f"store i64 0, ptr {word(function, state, STOP)}")
    function.put(f"store i64 0, ptr {word(function, state, THREAD)}")
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
