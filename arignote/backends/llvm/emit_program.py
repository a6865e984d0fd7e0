"""A program of loop IR to the text of an LLVM module."""

from __future__ import annotations

from ...lower.loop_ir import RECURSION_SITE, Call, ParallelMap, Procedure, Program, Var, walk
from . import emit, emit_boxes, emit_kernel, emit_loops, emit_parallel_map
from .cleanup import emit_cleanup, ending, slots_of
from .emit_apart import is_large
from .emit_signals import emit_check_of_call
from .function_text import FunctionText
from .text import ModuleText, global_name, llvm_type, memory_type

CONTEXT_STACK_LIMIT = 72  # bytes into the context: after the site and its eight arguments

FunctionText.emitters = (
    emit.EMITTERS | emit_boxes.EMITTERS | emit_loops.EMITTERS | emit_kernel.EMITTERS | emit_parallel_map.EMITTERS
)


def recursive_procedures(program: Program) -> set[str]:
    """The procedures that may call themselves, directly or through others: no order puts them behind all that they
    call. (So are those that call one of these and are called by another; the test that they make costs little.)"""
    callees = {
        name: {inner.procedure for inner in walk(procedure.body) if isinstance(inner, (Call, ParallelMap))}
        for name, procedure in program.procedures.items()
    }
    callers: dict[str, set[str]] = {name: set() for name in callees}
    for name, called in callees.items():
        for callee in called:
            callers[callee].add(name)
    return _left_over(callees, callers) & _left_over(callers, callees)


def _left_over(forward: dict[str, set[str]], backward: dict[str, set[str]]) -> set[str]:
    """What remains when nodes from which nothing goes out are taken away, as long as there are any."""
    left = {name: len(out) for name, out in forward.items()}
    pending = [name for name, count in left.items() if not count]
    while pending:
        name = pending.pop()
        del left[name]
        for before in backward[name]:
            left[before] -= 1
            if not left[before]:
                pending.append(before)
    return set(left)


def check_stack(function: FunctionText, consumed: tuple[Var, ...]) -> None:
    """Fails with a RecursionError before the machine's stack overflows. The limit in the context may be an early one:
    off the straight path the runtime is asked whether there is more room."""
    frame = function.let(f"call ptr {function.module.intrinsic('llvm.frameaddress.p0', 'ptr', 'i32')}(i32 0)")
    here = function.let(f"ptrtoint ptr {frame} to i64")
    place = function.let(f"getelementptr i8, ptr %ctx, i64 {CONTEXT_STACK_LIMIT}")
    limit = function.let(f"load i64, ptr {place}")
    deep = function.let(f"icmp ult i64 {here}, {limit}")
    asking, going_on = function.label(), function.label()
    function.branch(deep, asking, going_on, unlikely=True)
    leaving = ending(function, consumed)
    status, failed, failing = function.name(), function.name(), function.label()
    deepen = function.module.symbol("ag_deepen", "i32", "ptr", "nounwind cold")
    function.cold += [
        f"{asking}:",
        f"  {status} = call i32 {deepen}(ptr %ctx)",
        f"  {failed} = icmp ne i32 {status}, 0",
        f"  br i1 {failed}, label %{failing}, label %{going_on}, !prof !0",
        f"{failing}:",
        f"  store i64 {RECURSION_SITE}, ptr %ctx",
        f"  br label %{leaving}",
    ]
    function.begin(going_on)


def emit_procedure(module: ModuleText, procedure: Procedure, recursive: bool, is_entry: bool) -> None:
    """A procedure as `i32 name(ptr ctx, parameters..., ptr results)`."""
    function = FunctionText(module, procedure.name)
    function.slots = slots_of(procedure.body)
    function.is_straight = not recursive and is_large(procedure, is_entry)
    heads = ["ptr %ctx"]
    for position, var in enumerate(procedure.parameters):
        heads.append(f"{memory_type(var.type)} %p{position}")
        value = f"%p{position}"
        function.values[var.id] = function.let(f"trunc i8 {value} to i1") if var.type == "bool" else value
    heads.append("ptr noalias %results")
    if recursive:
        check_stack(function, procedure.consumed)
        emit_check_of_call(function, procedure.consumed)
    function.statements(procedure.body)
    for position, result in enumerate(procedure.results):
        value, llvm = function.text(result), llvm_type(result.type)
        if result.type == "bool":
            value, llvm = function.let(f"zext i1 {value} to i64"), "i64"
        place = function.let(f"getelementptr i64, ptr %results, i64 {position}") if position else "%results"
        function.put(f"store {llvm} {value}, ptr {place}")
    function.put("ret i32 0")
    emit_cleanup(function)
    head = f"i32 {global_name(procedure.name)}({', '.join(heads)}) nounwind"
    text = function.function(f"define {'' if is_entry else 'internal '}{head}")
    (module.straight if function.is_straight else module.functions).append(text)


def emit_program(program: Program, vector_bytes: int = 64, masks: bool = True) -> ModuleText:
    """The module of a program; its first procedure is the only one visible from outside."""
    module = ModuleText(vector_bytes, masks)
    recursive = recursive_procedures(program)
    module.is_recursive = bool(recursive)
    module.counts_together = any(map(emit_parallel_map.maps_in_parallel, program.procedures.values()))
    entry = program.entry.name
    for name, procedure in program.procedures.items():
        emit_procedure(module, procedure, name in recursive, name == entry)
    return module
