"""Running loop IR natively and by its interpreter, for the tests: memory, allocation, threads, calls."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm
import numpy as np

from arignote.backends.llvm import CompiledModule, compile_program
from arignote.backends.llvm.generate import target_machine
from arignote.lower.loop_ir import Program
from arignote.lower.loop_ir_check import check
from arignote.lower.loop_ir_evaluate import Buffer, Pointer, SiteRaised, evaluate
from arignote.lower.loop_ir_text import read, show
from arignote.runtime.call import CONTEXT_WORDS, STACK_LIMIT

RUNTIME = """
@live = global i64 0
@limit = global i64 1099511627776
declare ptr @aligned_alloc(i64, i64)
declare void @free(ptr)
define ptr @ag_alloc(i64 %bytes) {
entry:
  %limit = load i64, ptr @limit
  %bad = icmp ugt i64 %bytes, %limit
  br i1 %bad, label %fail, label %go
go:
  %more = add i64 %bytes, 127
  %size = and i64 %more, -64
  %p = call ptr @aligned_alloc(i64 64, i64 %size)
  store i64 1, ptr %p
  %old = load i64, ptr @live
  %new = add i64 %old, 1
  store i64 %new, ptr @live
  ret ptr %p
fail:
  ret ptr null
}
define void @ag_free(ptr %p) {
entry:
  %old = load i64, ptr @live
  %new = sub i64 %old, 1
  store i64 %new, ptr @live
  call void @free(ptr %p)
  ret void
}
define void @ag_parallel_for(ptr %f, ptr %environment, i64 %n, i64 %grain) {
entry:
  br label %test
test:
  %i = phi i64 [0, %entry], [%j, %loop]
  %more = icmp slt i64 %i, %n
  br i1 %more, label %loop, label %end
loop:
  %next = add i64 %i, %grain
  %last = icmp sgt i64 %next, %n
  %j = select i1 %last, i64 %n, i64 %next
  call void %f(ptr %environment, i64 %i, i64 %j)
  br label %test
end:
  ret void
}
define i32 @ag_check_signals(ptr %ctx) {
  ret i32 0
}
define i32 @ag_deepen(ptr %ctx) {
  ret i32 1
}
define i32 @ag_wait_for_product(ptr %f, i64 %m, i64 %k, ptr %matrix, i64 %row, ptr %x, ptr %y) {
  ret i32 0
}
"""


@cache
def runtime() -> tuple[llvm.ExecutionEngine, dict[str, int]]:
    """A small runtime: counted allocation from the C library, and a parallel loop in one thread."""
    target_machine()
    module = llvm.parse_assembly(RUNTIME)
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    names = ("ag_alloc", "ag_free", "ag_parallel_for", "ag_check_signals", "ag_deepen", "ag_wait_for_product")
    addresses = {name: engine.get_function_address(name) for name in names}
    addresses["live"] = engine.get_global_value_address("live")
    return engine, addresses


def live_buffers() -> int:
    """How many native buffers exist."""
    return ctypes.c_int64.from_address(runtime()[1]["live"]).value


C_TYPES = {
    "bool": ctypes.c_uint8,
    "int32": ctypes.c_int32,
    "int64": ctypes.c_int64,
    "float32": ctypes.c_float,
    "float64": ctypes.c_double,
}


@dataclass(slots=True)
class Native:
    """What a native call gave."""

    status: int
    results: list[object]
    site: int
    arguments: list[int]


def compiled(program: Program) -> CompiledModule:
    """The machine code of a program, which must be well formed and survive its text form."""
    check(program)
    assert show(read(show(program))) == show(program)
    return compile_program(program, runtime()[1])


def call(module: CompiledModule, program: Program, args: Sequence[object], stack_limit: int = 0) -> Native:
    """Calls a compiled program's entry; arrays are passed by address, None as a null pointer."""
    entry = program.entry
    types, values = [ctypes.c_void_p], []
    for var, arg in zip(entry.parameters, args, strict=True):
        types.append(C_TYPES.get(var.type, ctypes.c_void_p))
        values.append(arg.ctypes.data if isinstance(arg, np.ndarray) else arg)
    context = np.zeros(CONTEXT_WORDS, np.int64)
    context[STACK_LIMIT // 8] = stack_limit
    slots = np.zeros(max(len(entry.results), 1), np.int64)
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *types, ctypes.c_void_p)(module.address())
    status = function(context.ctypes.data, *values, slots.ctypes.data)
    results = [
        slots[i : i + 1].view(result.type)[0] if result.type in C_TYPES else int(slots[i])
        for i, result in enumerate(entry.results)
    ]
    return Native(status, results, int(context[0]), [int(each) for each in context[1:9]])


def same(a: np.ndarray | object, b: np.ndarray | object) -> bool:
    """Equal bits, except that all nans are equal."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    signs = (np.signbit(a) == np.signbit(b)) | np.isnan(a)
    return bool(np.array_equal(a, b, equal_nan=True) and signs.all())


def run_both(program: Program, args: Sequence[object], close: float = 0.0) -> Native:
    """Runs a program both ways on copies of its arguments: same results, memory, error; no buffer left behind."""
    module = compiled(program)
    mine = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
    theirs = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
    before = live_buffers()
    native = call(module, program, mine)
    interpreted = [Pointer(arg.reshape(-1)) if isinstance(arg, np.ndarray) else arg for arg in theirs]
    try:
        expected, run = evaluate(program, interpreted)
        site = None
        kept = run.live_buffers()
        assert live_buffers() - before == kept
    except SiteRaised as raised:
        site, expected = raised.site, ()
        assert live_buffers() == before
    assert native.status == (0 if site is None else 1)
    if site is not None:
        assert native.site == site
    for got, wanted in zip(native.results if site is None else (), expected, strict=True):
        if not isinstance(wanted, (Buffer, Pointer)) and wanted is not None:
            assert np.allclose(got, wanted, rtol=close, atol=0) if close else same(got, wanted), (got, wanted)
    for got, wanted in zip(mine, theirs, strict=True):
        if isinstance(got, np.ndarray):
            assert np.allclose(got, wanted, rtol=close, atol=0) if close else same(got, wanted)
    return native
