"""Recursive programs run on a large stack of their own: one per thread, reserved when first needed.

The memory is reserved, not used: the kernel gives pages as the stack grows, and gets most of them back after a call
that went deep. The last page before the end is never accessible. A thread gives its stack back when it ends.

What runs on it calls into Python only from the thread's own stack, because Python compares addresses with the ends of
the stack that it knows; `ag_on_thread_stack` changes back for that. While it does, another compiled function that is
called from there runs on the thread's own stack, with the limit of that.

A procedure that may call itself compares its frame with the limit in the context. That limit comes early at first; who
meets it asks `ag_deepen`, which notes that the stack is being used deeply, and gives the true limit.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Sequence

from arignote.runtime.assembly import Function, Value
from arignote.runtime.call import STACK_LIMIT
from arignote.runtime.imports import IS_MACOS, imported
from arignote.runtime.stack import RESERVED_BYTES

STACK_BYTES = 1 << 30
"""What is reserved; a small machine, or one that refuses, gets less."""

LEAST_BYTES = 64 << 20
KEPT_BYTES = 16 << 20
"""Memory that stays with the stack between calls: deeper parts are given back."""

RECORD_BYTES = 4096
THREAD_STACK, WAS_DEEP, LIMIT, START, SIZE, NEXT, TURNS, REQUEST = 0, 8, 16, 24, 32, 40, 48, 56
"""The record of a stack lies above its first frame. THREAD_STACK: where the thread's own stack goes on, 0 while nobody
is on this one. WAS_DEEP: whether the early limit was passed. LIMIT: the true one. START, SIZE: of the memory. NEXT: the
record of a further stack of the thread, or null. TURNS and what follows: of calls that take turns (`turns.py`)."""

GUARD_BYTES = 64 << 10  # a page, whatever its size
BELOW_FRAME = 256  # more than what a call pushes, and than what may be used below the stack pointer

_READ_WRITE, _DONT_NEED = 3, 5 if IS_MACOS else 4
_MAP_FLAGS = 0x1042 if IS_MACOS else 0x24022  # private, anonymous, not reserved; on Linux also: for a stack

_CALL_ON = {
    "x86_64": (
        "pushq %rbp", "movq %rsp, %rbp", "movq %rdi, %rsp", "movq %rsi, %rax", "movq %rdx, %rdi", "movq %rcx, %rsi",
        "movq %r8, %rdx", "callq *%rax", "movq %rbp, %rsp", "popq %rbp", "retq",
    ),
    "aarch64": (
        "stp x29, x30, [sp, #-16]!", "mov x29, sp", "mov sp, x0", "mov x9, x1", "mov x0, x2", "mov x1, x3",
        "mov x2, x4", "blr x9", "mov sp, x29", "ldp x29, x30, [sp], #16", "ret",
    ),
}  # fmt: skip
"""ag_call_on(stack, function, a, b, c): function(a, b, c) with the stack pointer at `stack`, 16-byte aligned."""

MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
IS_SUPPORTED = MACHINE in _CALL_ON


def naked(name: str, code: Sequence[str], returns: str = "void", parameters: int = 4) -> str:
    """A function that is nothing but these instructions, as LLVM text."""
    given = ", ".join(["ptr"] * parameters)
    lines = "\\0A".join(code)
    return (
        f"define internal {returns} @{name}({given}) naked noinline nounwind {{\n"
        f'  call void asm sideeffect "{lines}", ""()\n  unreachable\n}}\n'
    )


DEFINITIONS = "declare ptr @llvm.stacksave.p0()\n" + (
    naked("ag_call_on", _CALL_ON[MACHINE], "i32", 5) if IS_SUPPORTED else ""
)


def stack_pointer(f: Function) -> Value:
    """Of the function that asks."""
    return f.to_integer(f.result("ptr", "call ptr @llvm.stacksave.p0()"))


def own_record(f: Function) -> Value:
    """The record of this thread's large stack, or null."""
    return f.call("ptr", imported(f, "pthread_getspecific"), imported(f, "large_stack_key", "i64"))


def _reserve_stack() -> Function:
    """`reserve_stack(most) -> ptr`: the record of a new stack; null where there is no memory for it."""
    f = Function("reserve_stack", "ptr", most="i64")
    size, start = f.variable("i64", f["most"]), f.variable("i64", -1)
    with f.loop() as end:
        with f.when(size.get() < LEAST_BYTES):
            f.leave(None)
        flags = (f.constant("i32", _READ_WRITE), f.constant("i32", _MAP_FLAGS), f.constant("i32", -1))
        start.set(f.call("i64", imported(f, "mmap"), None, size.get(), *flags, 0))
        with f.when(start.get().differs(-1)):
            f.jump(end)
        size.set(size.get() >> 1)
    low = f.to_pointer(start.get())
    f.call("i32", imported(f, "mprotect"), low, GUARD_BYTES, f.constant("i32", 0))
    record = f.address(low, size.get() - RECORD_BYTES)
    f.store(start.get() + (GUARD_BYTES + RESERVED_BYTES), record, LIMIT)
    f.store(start.get(), record, START)
    f.store(size.get(), record, SIZE)
    f.leave(record)
    return f


def _make_large_stack() -> Function:
    """`make_large_stack() -> ptr`: the same for this thread."""
    f = Function("make_large_stack", "ptr")
    record = f.call("ptr", "reserve_stack", imported(f, "large_stack_bytes", "i64"))
    with f.when(record.equals(None)):
        f.leave(None)
    with f.when(
        f.call("i32", imported(f, "pthread_setspecific"), imported(f, "large_stack_key", "i64"), record).differs(0)
    ):
        f.call("void", "ag_free_large_stack", record)
        f.leave(None)
    f.leave(record)
    return f


def _free_large_stack() -> Function:
    """`ag_free_large_stack(record)`: with all further ones; called when the thread ends."""
    f = Function("ag_free_large_stack", "void", record="ptr")
    record = f.variable("ptr", f["record"])
    with f.loop() as end:
        here = record.get()
        with f.when(here.equals(None)):
            f.jump(end)
        record.set(f.load("ptr", here, NEXT))
        f.call("i32", imported(f, "munmap"), f.load("ptr", here, START), f.load("i64", here, SIZE))
    f.leave()
    return f


def _on_large_stack() -> Function:
    """`ag_on_large_stack(fn, ctx, slots, results) -> i32`: fn(ctx, slots, results) with room for deep recursion. The
    context has the limit of the thread's own stack already, which holds where there is no other."""
    f = Function("ag_on_large_stack", "i32", fn="ptr", context="ptr", slots="ptr", results="ptr")
    arguments = f["context"], f["slots"], f["results"]
    if not IS_SUPPORTED:
        f.leave(f.call("i32", f["fn"], *arguments))
        return f
    record = f.variable("ptr", own_record(f))
    with f.when(record.get().equals(None)):
        record.set(f.call("ptr", "make_large_stack"))
        with f.when(record.get().equals(None)):
            f.leave(f.call("i32", f["fn"], *arguments))
    here = record.get()
    with f.when(f.load("i64", here, THREAD_STACK).differs(0)):  # called from Python that was called from there
        f.leave(f.call("i32", f["fn"], *arguments))
    f.store((stack_pointer(f) - BELOW_FRAME) & -16, here, THREAD_STACK)
    f.store(f.to_integer(here) - KEPT_BYTES, f["context"], STACK_LIMIT)
    status = f.call("i32", "ag_call_on", here, f["fn"], *arguments)
    f.store(0, here, THREAD_STACK, "i64")
    give_back(f, here)
    f.leave(status)
    return f


def give_back(f: Function, record: Value) -> None:
    """The memory of a stack that nobody is on, where it was used deeply."""
    with f.when(f.load("i64", record, WAS_DEEP).differs(0)):
        f.store(0, record, WAS_DEEP, "i64")
        start = f.load("i64", record, START) + GUARD_BYTES
        deep = f.to_integer(record) - (KEPT_BYTES - RECORD_BYTES)
        f.call("i32", imported(f, "madvise"), f.to_pointer(start), (deep - start) & -GUARD_BYTES,
               f.constant("i32", _DONT_NEED))  # fmt: skip


def is_on(f: Function, record: Value) -> Value:
    """Whether the stack pointer is in the stack of this record."""
    return f.compare("ult", stack_pointer(f) - f.load("i64", record, START), f.load("i64", record, SIZE))


def _deepen() -> Function:
    """`ag_deepen(ctx) -> i32`: 0 if the stack goes on below the limit in the context, which is then the true one."""
    f = Function("ag_deepen", "i32", context="ptr")
    record = own_record(f)
    with f.when(record.equals(None)):
        f.leave(1)
    with f.when(is_on(f, record).equals(0)):
        f.leave(1)
    limit = f.load("i64", record, LIMIT)
    with f.when(f.compare("ult", stack_pointer(f), limit)):
        f.leave(1)
    f.store(1, record, WAS_DEEP, "i64")
    f.store(limit, f["context"], STACK_LIMIT)
    f.leave(0)
    return f


def _on_thread_stack() -> Function:
    """`ag_on_thread_stack(fn, a, b, c) -> i32`: fn(a, b, c) on the stack that Python knows."""
    f = Function("ag_on_thread_stack", "i32", fn="ptr", a="ptr", b="ptr", c="ptr")
    arguments = f["a"], f["b"], f["c"]
    if IS_SUPPORTED:
        record = own_record(f)
        with f.when(record.differs(None)), f.when(is_on(f, record)):
            stack = f.load("ptr", record, THREAD_STACK)
            f.leave(f.call("i32", "ag_call_on", stack, f["fn"], *arguments))
    f.leave(f.call("i32", f["fn"], *arguments))
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_reserve_stack(), _make_large_stack(), _free_large_stack(), _on_large_stack(),
            _deepen(), _on_thread_stack()]  # fmt: skip


def create_key(free: int) -> int:
    """The key under which each thread keeps its large stack; `free` is the address of `ag_free_large_stack`."""
    key = ctypes.c_ulong(0)
    if ctypes.CDLL(None).pthread_key_create(ctypes.byref(key), ctypes.c_void_p(free)):
        raise MemoryError("no thread-specific storage is left")
    return key.value


def bytes_to_reserve(ask: Callable[[str], int] = os.sysconf) -> int:
    """A quarter of the machine's memory at most, so that endless recursion ends before the memory does."""
    memory = ask("SC_PHYS_PAGES") * ask("SC_PAGE_SIZE")
    return max(LEAST_BYTES, min(STACK_BYTES, memory // 4)) & -GUARD_BYTES
