"""A program of loop IR to the text of an LLVM module."""

from __future__ import annotations

from ...lower.loop_ir import RECURSION_SITE, Call, Procedure, Program, walk
from . import emit, emit_kernel, emit_loops
from .emit import raise_when
from .emit_signals import emit_check_of_call
from .function_text import FunctionText
from .text import ModuleText, global_name, llvm_type, memory_type

CONTEXT_STACK_LIMIT = 72  # bytes into the context: after the site and its eight arguments
HUGE = 20_000  # lines: from here on LLVM spends more on registers than they are worth; kernels are functions apart

FunctionText.emitters = emit.EMITTERS | emit_loops.EMITTERS | emit_kernel.EMITTERS


def recursive_procedures(program: Program) -> set[str]:
    """The procedures that may call themselves, directly or through others."""
    calls = {
        name: {inner.procedure for inner in walk(procedure.body) if isinstance(inner, Call)}
        for name, procedure in program.procedures.items()
    }
    recursive = set()
    for name in calls:
        seen: set[str] = set()
        pending = list(calls[name])
        while pending:
            callee = pending.pop()
            if callee not in seen:
                seen.add(callee)
                pending.extend(calls[callee])
        if name in seen:
            recursive.add(name)
    return recursive


def check_stack(function: FunctionText) -> None:
    """Fails with a RecursionError before the machine's stack overflows."""
    frame = function.let(f"call ptr {function.module.intrinsic('llvm.frameaddress.p0', 'ptr', 'i32')}(i32 0)")
    here = function.let(f"ptrtoint ptr {frame} to i64")
    place = function.let(f"getelementptr i8, ptr %ctx, i64 {CONTEXT_STACK_LIMIT}")
    limit = function.let(f"load i64, ptr {place}")
    deep = function.let(f"icmp ult i64 {here}, {limit}")
    raise_when(function, deep, RECURSION_SITE, [], ())


def emit_procedure(module: ModuleText, procedure: Procedure, recursive: bool, is_entry: bool) -> None:
    """A procedure as `i32 name(ptr ctx, parameters..., ptr results)`."""
    function = FunctionText(module, procedure.name)
    heads = ["ptr %ctx"]
    if recursive:
        check_stack(function)
        emit_check_of_call(function)
    for position, var in enumerate(procedure.parameters):
        heads.append(f"{memory_type(var.type)} %p{position}")
        value = f"%p{position}"
        function.values[var.id] = function.let(f"trunc i8 {value} to i1") if var.type == "bool" else value
    heads.append("ptr noalias %results")
    function.statements(procedure.body)
    for position, result in enumerate(procedure.results):
        value, llvm = function.text(result), llvm_type(result.type)
        if result.type == "bool":
            value, llvm = function.let(f"zext i1 {value} to i64"), "i64"
        place = function.let(f"getelementptr i64, ptr %results, i64 {position}") if position else "%results"
        function.put(f"store {llvm} {value}, ptr {place}")
    function.put("ret i32 0")
    head = f"i32 {global_name(procedure.name)}({', '.join(heads)}) nounwind"
    text = function.function(f"define {'' if is_entry else 'internal '}{head}")
    if text.count("\n") > HUGE:
        text = text.replace(" nounwind {", " nounwind noinline optnone {", 1)
    module.functions.append(text)


def emit_program(program: Program, vector_bytes: int = 64, masks: bool = True) -> ModuleText:
    """The module of a program; its first procedure is the only one visible from outside."""
    module = ModuleText(vector_bytes, masks)
    recursive = recursive_procedures(program)
    entry = program.entry.name
    for name, procedure in program.procedures.items():
        emit_procedure(module, procedure, name in recursive, name == entry)
    return module
