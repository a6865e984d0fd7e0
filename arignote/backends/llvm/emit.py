"""Statements that are no loops: values, memory, buffers, errors, calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...lower.loop_ir import (
    BUFFER,
    CHECK_SIGNALS,
    OUT_OF_MEMORY_SITE,
    Alloc,
    Call,
    Extern,
    Let,
    Load,
    Operand,
    RaiseIf,
    Release,
    Retain,
    Scratch,
    Statement,
    Store,
    Unique,
    Var,
)
from .cleanup import ending, leave_when, release
from .emit_signals import CALL_COST, emit_check, spend, spend_on_matrices
from .function_text import FunctionText
from .rare_values import TELLING, chosen_by_branch, hardly_chooses, note
from .runtime_text import define_retain
from .text import element_bytes, global_name, llvm_type, memory_type, pointee


def emit_let(function: FunctionText, statement: Let) -> None:
    """A scalar operation."""
    texts = [function.text(arg) for arg in statement.args]
    types = [arg.type for arg in statement.args]
    if statement.op == "select" and hardly_chooses(function, texts):
        function.values[statement.var.id] = chosen_by_branch(function, texts, statement.var.type)
        return
    value = function.values[statement.var.id] = function.scalar_let(statement.op, texts, types, statement.var.type)
    if statement.op in TELLING:
        note(function, statement, texts, value)


def address(function: FunctionText, pointer: Operand, offset: str) -> str:
    """The address of an element."""
    base = function.text(pointer)
    if offset == "0":
        return base
    right = f"getelementptr {memory_type(pointee(pointer.type))}, ptr {base}, i64 {offset}"
    return function.pure(("address", pointer.type, base, offset), right, (base, offset))


def load_scalar(function: FunctionText, pointer: Operand, offset: str) -> str:
    """Loads one element; from memory that is only read, at most once, and in front of loops that surely run."""
    type = pointee(pointer.type)
    place = address(function, pointer, offset)
    memory = memory_type(type)
    stable = isinstance(pointer, Var) and pointer.id in function.read_only
    if not stable:
        value = function.let(f"load {memory}, ptr {place}")
    else:
        key = ("load", memory, place)
        movable = all(region.unconditional for region in function.regions[function.depth(place) + 1 :])
        value = function.pure(key, f"load {memory}, ptr {place}", (place,), movable)
    if type != "bool":
        return value
    return function.pure(("truth", value), f"trunc i8 {value} to i1", (value,))


def emit_load(function: FunctionText, statement: Load) -> None:
    """A load of one element."""
    offset = function.text(statement.offset)
    function.values[statement.var.id] = load_scalar(function, statement.pointer, offset)


def emit_store(function: FunctionText, statement: Store) -> None:
    """A store of one element."""
    place = address(function, statement.pointer, function.text(statement.offset))
    value = function.text(statement.value)
    if statement.value.type == "bool":
        value = function.let(f"zext i1 {value} to i8")
    function.put(f"store {memory_type(statement.value.type)} {value}, ptr {place}")


def emit_alloc(function: FunctionText, statement: Alloc) -> None:
    """A fresh buffer, or the out-of-memory error."""
    count = function.text(statement.count)
    size = element_bytes(pointee(statement.pointer.type))
    total = function.scalar_let("multiply", [count, str(size)], ["int64", "int64"], "int64")
    allocate = function.module.symbol("ag_alloc", "ptr", "i64")
    header = function.let(f"call ptr {allocate}(i64 {total})")
    failed = function.let(f"icmp eq ptr {header}, null")
    raise_when(function, failed, OUT_OF_MEMORY_SITE, [total], statement.live)
    function.values[statement.buffer.id] = header
    data = function.values[statement.pointer.id] = function.let(f"getelementptr i8, ptr {header}, i64 64")
    if pointee(statement.pointer.type) == BUFFER:
        hold_references(function, header, data, count, total)


def emit_scratch(function: FunctionText, statement: Scratch) -> None:
    """Memory in the frame."""
    place = function.name("scratch")
    memory = memory_type(pointee(statement.pointer.type))
    alignment = 8 if statement.count < 8 else 64
    function.entry.append(f"  {place} = alloca [{statement.count} x {memory}], align {alignment}")
    function.values[statement.pointer.id] = place


def hold_references(function: FunctionText, header: str, data: str, count: str, total: str) -> None:
    """Marks a fresh buffer as one that holds references, all null; whoever frees it releases them."""
    for offset, value in ((16, "1"), (24, count)):
        place = function.let(f"getelementptr i8, ptr {header}, i64 {offset}")
        function.put(f"store i64 {value}, ptr {place}")
    clear = function.module.intrinsic("llvm.memset.p0.i64", "void", "ptr, i8, i64, i1")
    function.put(f"call void {clear}(ptr {data}, i8 0, i64 {total}, i1 false)")


def emit_retain(function: FunctionText, statement: Retain) -> None:
    """One reference more."""
    function.put(f"call void {function.module.helper('ag_retain', define_retain)}({function.typed(statement.buffer)})")


def emit_release(function: FunctionText, statement: Release) -> None:
    """One reference less."""
    release(function, function.text(statement.buffer), function.lines)


def emit_unique(function: FunctionText, statement: Unique) -> None:
    """Whether a buffer has one reference. For a null one, which is memory not ours, the test reads a zero instead."""
    buffer = function.text(statement.buffer)
    zero = "@ag_no_references"
    function.module.declarations[zero] = f"{zero} = private constant i64 0"
    null = function.let(f"icmp eq ptr {buffer}, null")
    place = function.let(f"select i1 {null}, ptr {zero}, ptr {buffer}")
    together = function.module.counts_together
    count = function.let(f"load atomic i64, ptr {place} acquire, align 8" if together else f"load i64, ptr {place}")
    function.values[statement.var.id] = function.let(f"icmp eq i64 {count}, 1")


def raise_when(function: FunctionText, condition: str, site: int, args: list[str], live: Iterable[Var]) -> None:
    """Leaves with an error when the condition holds; the path of the error is out of the way."""
    leaving = ending(function, live)
    failing, going_on = function.label(), function.label()
    function.branch(condition, failing, going_on, unlikely=True)
    cold = function.cold
    cold.append(f"{failing}:")
    cold.append(f"  store i64 {site}, ptr %ctx")
    for position, arg in enumerate(args):
        place = function.name()
        cold.append(f"  {place} = getelementptr i64, ptr %ctx, i64 {position + 1}")
        cold.append(f"  store i64 {arg}, ptr {place}")
    cold.append(f"  br label %{leaving}")
    function.begin(going_on)


def argument_bits(function: FunctionText, operand: Operand) -> str:
    """An error's argument as 64 bits, whose first bytes are read as a value of its type."""
    text, llvm = function.text(operand), llvm_type(operand.type)
    if operand.type == "int64":
        return text
    if operand.type == "bool":
        return function.let(f"zext i1 {text} to i64")
    if operand.type == "int32":
        return function.let(f"sext i32 {text} to i64")
    if operand.type == "float32":
        return function.let(f"zext i32 {function.let(f'bitcast float {text} to i32')} to i64")
    if llvm == "double":
        return function.let(f"bitcast double {text} to i64")
    return function.let(f"ptrtoint ptr {text} to i64")


def emit_raise_if(function: FunctionText, statement: RaiseIf) -> None:
    """A conditional error."""
    args = [argument_bits(function, arg) for arg in statement.args]
    raise_when(function, function.text(statement.condition), statement.site, args, statement.live)


def passed(function: FunctionText, operand: Operand) -> str:
    """An operand as an argument of a call: a bool is a byte there."""
    if operand.type != "bool":
        return function.typed(operand)
    return f"i8 {function.let(f'zext i1 {function.text(operand)} to i8')}"


def slots(function: FunctionText, count: int) -> str:
    """Memory for the results of a call, which are read right after it."""
    return function.area(count) if count else "null"


def read_slots(function: FunctionText, place: str, results: Iterable[Var]) -> None:
    """Defines result variables from the slots that a callee has filled."""
    for position, var in enumerate(results):
        slot = function.let(f"getelementptr i64, ptr {place}, i64 {position}") if position else place
        value = function.let(f"load {memory_type(var.type)}, ptr {slot}")
        if var.type == "bool":
            value = function.let(f"trunc i8 {value} to i1")
        function.values[var.id] = value


def call_with_status(
    function: FunctionText, callee: str, args: Iterable[Operand], results: tuple[Var, ...], live: Iterable[Var]
) -> None:
    """A call of a procedure, or of a C function that follows the same convention."""
    place = slots(function, len(results))
    texts = ["ptr %ctx", *(passed(function, arg) for arg in args), f"ptr {place}"]
    status = function.let(f"call i32 {callee}({', '.join(texts)})")
    leave_when(function, function.let(f"icmp ne i32 {status}, 0"), live)
    read_slots(function, place, results)


def emit_call(function: FunctionText, statement: Call) -> None:
    """A call of another procedure."""
    spend(function, str(CALL_COST))
    call_with_status(function, global_name(statement.procedure), statement.args, statement.results, statement.live)


def emit_extern(function: FunctionText, statement: Extern) -> None:
    """A call of a C function, or of one that the backend itself provides."""
    if statement.symbol == CHECK_SIGNALS:
        emit_check(function, statement.live)
        return
    spend_on_matrices(function, statement.symbol, statement.args)
    parameters = [memory_type(arg.type) for arg in statement.args]
    if statement.can_fail:
        reference = function.module.symbol(statement.symbol, "i32", ", ".join(["ptr", *parameters, "ptr"]))
        call_with_status(function, reference, statement.args, statement.results, statement.live)
        return
    result = memory_type(statement.results[0].type) if statement.results else "void"
    reference = function.module.symbol(statement.symbol, result, ", ".join(parameters))
    call = f"call {result} {reference}({', '.join(passed(function, arg) for arg in statement.args)})"
    if not statement.results:
        function.put(call)
        return
    value = function.let(call)
    if result == "i8":
        value = function.let(f"trunc i8 {value} to i1")
    function.values[statement.results[0].id] = value


EMITTERS: dict[type, Callable[[FunctionText, Statement], None]] = {
    Let: emit_let,
    Load: emit_load,
    Store: emit_store,
    Alloc: emit_alloc,
    Scratch: emit_scratch,
    Retain: emit_retain,
    Release: emit_release,
    Unique: emit_unique,
    Call: emit_call,
    Extern: emit_extern,
    RaiseIf: emit_raise_if,
}
