"""Loops of a large procedure as functions of their own.

LLVM takes as long for one line of a procedure that runs once as for one in a hot loop. So large procedures are
translated straight, without optimisation, in a tenth of the time, and their loops apart from them, with all of it.
Kernels are functions apart anyway. A loop that is itself large stays; the loops in it are looked at in turn.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...lower.loop_ir import For, Kernel, Procedure, Statement, Var, While, bodies, free_variables
from .cleanup import emit_cleanup, slots_of
from .emit_signals import budget, share_budget
from .function_text import FunctionText
from .status import begin_failing, call_failing, leave_well
from .text import global_name, llvm_type

LARGE_PROCEDURE = 1500
"""Statements from which on a procedure is translated straight, which makes a statement take about twice its time."""
LARGE_ENTRY = 40
"""The same for the procedure that a call runs once, if all its loops can be translated apart. Where it has kernels,
beside whose time that of its own statements is nothing, it may be of any size."""
LARGE_LOOP = 1000
"""Statements up to which a loop of such a procedure is translated apart from it."""


def is_large(procedure: Procedure, is_entry: bool) -> bool:
    """Whether a procedure is translated straight."""
    size = size_of(procedure.body, LARGE_PROCEDURE)
    if not is_entry or size >= LARGE_PROCEDURE:
        return size >= LARGE_PROCEDURE
    has_kernels = any(isinstance(statement, Kernel) for statement in own_statements(procedure.body))
    return (has_kernels or size >= LARGE_ENTRY) and runs_once(procedure.body)


def runs_once(body: list[Statement]) -> bool:
    """Whether all loops of a body, kernels apart, can be translated apart from it."""
    return all(
        can_be_apart(statement) if isinstance(statement, (For, While)) else all(map(runs_once, bodies(statement)))
        for statement in body
        if not isinstance(statement, Kernel)
    )


def can_be_apart(loop: For | While) -> bool:
    """Whether `emit_apart` takes a loop."""
    return size_of([loop], LARGE_LOOP) < LARGE_LOOP and alive_around(loop, captured_by(loop)) is not None


def captured_by(loop: For | While) -> set[int]:
    """The numbers of the variables that a loop takes from around it."""
    return {var.id for var in free_variables([loop])}


def own_statements(body: list[Statement]) -> Iterator[Statement]:
    """The statements of a body and of those in it, kernels apart."""
    for statement in body:
        yield statement
        if not isinstance(statement, Kernel):
            for inner in bodies(statement):
                yield from own_statements(inner)


def size_of(body: list[Statement], limit: int) -> int:
    """The number of statements, counted up to a limit."""
    count = 0
    for _ in own_statements(body):
        count += 1
        if count >= limit:
            break
    return count


def emit_apart(function: FunctionText, loop: For | While) -> bool:
    """Writes a loop as a function of its own and calls it; whether it did."""
    if size_of([loop], LARGE_LOOP) >= LARGE_LOOP:
        return False
    captured = free_variables([loop])
    around = alive_around(loop, {var.id for var in captured})
    if around is None:
        return False
    function.loops += 1
    inner = FunctionText(function.module, f"{function.procedure_name}.loop{function.loops}")
    inner.released_outside = frozenset(var.id for var in around)
    inner.slots = slots_of([loop])
    passed = []
    for var in captured:
        text = function.text(var)
        if text[0] == "%":
            inner.values[var.id] = f"%p{len(passed)}"
            passed.append((llvm_type(var.type), text))
        else:
            inner.values[var.id] = text
    _define(inner, loop, [type for type, _ in passed])
    args = ["ptr %ctx", f"ptr {budget(function)}", *(f"{type} {text}" for type, text in passed)]
    call_failing(function, global_name(inner.procedure_name), args, loop.results, around)
    return True


def alive_around(loop: For | While, captured: set[int]) -> list[Var] | None:
    """What the surroundings own while the loop runs: the same wherever it may fail, or None."""
    found: list[Var] | None = None
    for statement in own_statements([loop]):
        live = getattr(statement, "live", None)
        if live is None or isinstance(statement, Kernel) and not live:
            continue
        around = sorted((var for var in live if var.id in captured), key=lambda var: var.id)
        if found is None:
            found = around
        elif found != around:
            return None
    return found or []


def _define(inner: FunctionText, loop: For | While, types: list[str]) -> None:
    """The loop's function returns its status before its results."""
    results = [llvm_type(var.type) for var in loop.results]
    result = begin_failing(inner, results)
    share_budget(inner)
    inner.statements([loop])
    inner.put(f"store i64 {inner.let('load i64, ptr %budget')}, ptr %left")
    leave_well(inner, results, [inner.text(var) for var in loop.results])
    emit_cleanup(inner)
    heads = ", ".join(["ptr %ctx", "ptr %left", *(f"{type} %p{number}" for number, type in enumerate(types))])
    head = f"define internal {result} {global_name(inner.procedure_name)}({heads}) nounwind noinline"
    inner.module.functions.append(inner.function(head))
