"""Calls that several threads share: `ag_parallel_map` of the runtime runs them, each in a context of its own.

    i32 procedure.each(ptr ctx, ptr environment, ptr)      calls the procedure with the operands in the environment and
                                                           the number in the context, and puts its results in place
"""

from __future__ import annotations

from collections.abc import Callable

from ...lower.loop_ir import INT64, ParallelMap, Procedure, Statement, Var, element_of, walk
from .cleanup import leave_when
from .emit import passed
from .emit_signals import CALL_COST, spend
from .function_text import FunctionText
from .kernel_text import define, word
from .text import element_bytes, global_name, memory_type

CONTEXT_NUMBER = 88
"""Bytes into the context: the number of the call (`runtime/parallel_map.py`)."""


def maps_in_parallel(procedure: Procedure) -> bool:
    """Whether a procedure has calls that several threads share."""
    return any(isinstance(statement, ParallelMap) for statement in walk(procedure.body))


def emit_parallel_map(function: FunctionText, statement: ParallelMap) -> None:
    """Puts the operands where the calls find them, and leaves with the error of the first call that fails."""
    spend(function, str(CALL_COST))
    name = _define_call(function, statement)
    given = (*statement.args, *statement.targets)
    environment = function.area(len(given))
    for position, operand in enumerate(given):
        function.put(f"store {passed(function, operand)}, ptr {word(function, environment, position)}")
    run = function.module.symbol("ag_parallel_map", "i32", "ptr, ptr, ptr, i64, ptr")
    took = global_name(f"{name}.took")
    function.module.declarations[took] = f"{took} = internal global i64 0, align 64"
    args = f"ptr %ctx, ptr {global_name(name)}, ptr {environment}, {function.typed(statement.count)}, ptr {took}"
    status = function.let(f"call i32 {run}({args})")
    leave_when(function, function.let(f"icmp ne i32 {status}, 0"), statement.live)


def _define_call(function: FunctionText, statement: ParallelMap) -> str:
    """One of the calls. Only what the types are is in its text, so it serves for all maps of the procedure."""
    inner = FunctionText(function.module, statement.procedure)
    place = inner.let(f"getelementptr i8, ptr %ctx, i64 {CONTEXT_NUMBER}")
    number = inner.let(f"load i64, ptr {place}")
    types = [operand.type for operand in (*statement.args, *statement.targets)]
    given = [inner.let(f"load {memory_type(type)}, ptr {word(inner, '%environment', position)}")
             for position, type in enumerate(types)]  # fmt: skip
    count = len(statement.args)
    args = [f"{memory_type(type)} {value}" for type, value in zip(types[:count], given)]
    results = inner.area(max(len(statement.targets), 1))
    texts = ", ".join(["ptr %ctx", *args, f"{memory_type(INT64)} {number}", f"ptr {results}"])
    status = inner.let(f"call i32 {global_name(statement.procedure)}({texts})")
    leave_when(inner, inner.let(f"icmp ne i32 {status}, 0"), ())
    for position, (target, address) in enumerate(zip(statement.targets, given[count:])):
        _put(inner, target, address, number, word(inner, results, position))
    inner.put("ret i32 0")
    heads = ["ptr %ctx", "ptr %environment", "ptr %unused"]
    return define(function, inner, "i32", f"{statement.procedure}.each", heads)


def _put(inner: FunctionText, target: Var, address: str, number: str, slot: str) -> None:
    """A result into its place: there, a truth value has one byte."""
    memory = memory_type(element_of(target.type))
    value = inner.let(f"load {memory}, ptr {slot}")
    place = inner.let(f"getelementptr i{8 * element_bytes(element_of(target.type))}, ptr {address}, i64 {number}")
    inner.put(f"store {memory} {value}, ptr {place}")


EMITTERS: dict[type, Callable[[FunctionText, Statement], None]] = {ParallelMap: emit_parallel_map}
