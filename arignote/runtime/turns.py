"""Calls that take turns on one thread, so that what they multiply with the same matrix meets it together.

Of a recursive function along trees each step multiplies a vector with the same matrices, which no first cache holds: a
product is the reading of its matrix. The calls of a parallel map are independent, and a thread has several of them. So
where one comes to such a product, it waits, and another begins or goes on; when all wait, those that wait for the same
product are given their results in one pass over the matrix. Cheap products come first, so that calls gather at the
expensive ones. Each call's numbers are what they would be alone, whoever waits beside it: a product that may wait is
computed by the same sums in the same order for one vector and for several (`gemm_vector.py` of the backend).

    take_turns(state, slot)       the calls of a parallel map, on this thread, as long as there are any
    ag_wait_for_product(...)      asked by the products; 0 where nobody takes turns
    let_others_go_on()            asked by calls that take long: one that waits may be the one whose error ends all

Each call that waits has a large stack of its own, kept with the thread's for the next time. A call never leaves its
thread. What it calls in Python runs on the thread's own stack, where no product waits.
"""

from __future__ import annotations

from arignote.runtime.assembly import Function, Value
from arignote.runtime.call import CALLS_LEFT, CONTEXT_WORDS, NUMBER, SHARED, STACK_LIMIT
from arignote.runtime.imports import imported
from arignote.runtime.large_stack import (
    BELOW_FRAME,
    GUARD_BYTES,
    IS_SUPPORTED,
    KEPT_BYTES,
    MACHINE,
    NEXT,
    REQUEST,
    THREAD_STACK,
    TURNS,
    give_back,
    is_on,
    naked,
    own_record,
    stack_pointer,
)

AT_ONCE = 3
"""Calls that take turns on a thread: as many vectors as one pass over a matrix multiplies."""

_SAVE = {
    "x86_64": ("pushq %rbp", "pushq %rbx", "pushq %r12", "pushq %r13", "pushq %r14", "pushq %r15", "movq %rsp, (%rdi)",
               "movq %rsi, %rsp"),
    "aarch64": ("stp x29, x30, [sp, #-160]!", "stp x19, x20, [sp, #16]", "stp x21, x22, [sp, #32]",
                "stp x23, x24, [sp, #48]", "stp x25, x26, [sp, #64]", "stp x27, x28, [sp, #80]",
                "stp d8, d9, [sp, #96]", "stp d10, d11, [sp, #112]", "stp d12, d13, [sp, #128]",
                "stp d14, d15, [sp, #144]", "mov x9, sp", "str x9, [x0]", "mov sp, x1"),
}  # fmt: skip
_BEGIN = {
    "x86_64": ("movq %rcx, %rdi", "callq *%rdx", "ud2"),
    "aarch64": ("mov x0, x3", "blr x2", "brk #0"),
}
_GO_ON = {
    "x86_64": ("popq %r15", "popq %r14", "popq %r13", "popq %r12", "popq %rbx", "popq %rbp", "retq"),
    "aarch64": ("ldp x19, x20, [sp, #16]", "ldp x21, x22, [sp, #32]", "ldp x23, x24, [sp, #48]",
                "ldp x25, x26, [sp, #64]", "ldp x27, x28, [sp, #80]", "ldp d8, d9, [sp, #96]",
                "ldp d10, d11, [sp, #112]", "ldp d12, d13, [sp, #128]", "ldp d14, d15, [sp, #144]",
                "ldp x29, x30, [sp], #160", "ret"),
}  # fmt: skip
"""ag_begin_turn(place, stack, function, argument), ag_go_on(place, stack): keep at `place` where this call goes on, and
begin a function on another stack, or go on where another call was. What a callee has to keep is on the stacks."""

DEFINITIONS = (
    naked("ag_begin_turn", (*_SAVE[MACHINE], *_BEGIN[MACHINE])) + naked("ag_go_on", (*_SAVE[MACHINE], *_GO_ON[MACHINE]))
    if IS_SUPPORTED
    else ""
)

_GOES_ON, _FUNCTION, _M, _K, _MATRIX, _ROW, _X, _Y = range(REQUEST, REQUEST + 64, 8)
"""In the record of a stack: where its call goes on, and the product that it waits for (FUNCTION: 0 if for none)."""
_PRODUCT = (_FUNCTION, _M, _K, _MATRIX, _ROW)

# The state of a thread's turns.
_RETURN, _STATE, _SLOT, _OWN, _COUNT, _WAITING, _XS, _YS = 0, 8, 16, 24, 32, 40, 40 + 8 * AT_ONCE, 40 + 16 * AT_ONCE
_READY = 40 + 24 * AT_ONCE
_TURN_WORDS = 5 + 4 * AT_ONCE


def _wait_for_product() -> Function:
    """`ag_wait_for_product(function, m, k, matrix, row, x, y) -> i32`: whether it waited, and y is there."""
    names = {"function": "ptr", "m": "i64", "k": "i64", "matrix": "ptr", "row": "i64", "x": "ptr", "y": "ptr"}
    f = Function("ag_wait_for_product", "i32", **names)
    if IS_SUPPORTED:
        record = own_record(f)
        with f.when(record.equals(None)):
            f.leave(0)
        turns = f.load("ptr", record, TURNS)
        with f.when(turns.equals(None)):
            f.leave(0)
        with f.when(is_on(f, record).equals(0)):  # called from Python that a call has called
            f.leave(0)
        for name, field in zip(names, (*_PRODUCT, _X, _Y), strict=True):
            f.store(f[name], record, field)
        f.call("void", "ag_go_on", f.address(record, _GOES_ON), f.load("ptr", turns, _RETURN))
        f.leave(1)
    f.leave(0)
    return f


def _let_others_go_on() -> Function:
    """`let_others_go_on()`: a call that has worked for long waits until all others wait for nothing cheaper."""
    f = Function("let_others_go_on", "void")
    nothing = Value(f, "ptr", "@no_product")
    f.call("i32", "ag_wait_for_product", nothing, 1 << 31, 1 << 30, None, 0, None, None)
    f.leave()
    return f


def _no_product() -> Function:
    """What it waits for."""
    f = Function("no_product", "void", count="i64", m="i64", k="i64", matrix="ptr", row="i64", xs="ptr", ys="ptr")
    f.leave()
    return f


def _run_turns() -> Function:
    """What runs on the stack of a record: calls, as long as there are any. It never returns."""
    f = Function("run_turns", "void", record="ptr")
    record = f["record"]
    turns, context = f.load("ptr", record, TURNS), f.local_words(CONTEXT_WORDS)
    state = f.load("ptr", turns, _STATE)
    with f.loop() as end:
        number = f.call("i64", "next_shared_call", state, f.load("i64", turns, _SLOT))
        with f.when(number < 0):
            f.jump(end)
        f.store(state, context, SHARED)
        f.store(number, context, NUMBER)
        f.store(0, context, CALLS_LEFT, "i64")
        f.store(f.to_integer(record) - KEPT_BYTES, context, STACK_LIMIT)
        f.call("void", "run_in_context", state, context, Value(f, "ptr", "@run_here"))
    f.store(None, record, _FUNCTION, "ptr")
    f.call("void", "ag_go_on", f.address(record, _GOES_ON), f.load("ptr", turns, _RETURN))
    return f


def _give_turn() -> Function:
    """`give_turn(turns, record)`: the call of a record begins or goes on, until it waits or all calls are taken."""
    f = Function("give_turn", "void", turns="ptr", record="ptr")
    turns, record, key = f["turns"], f["record"], imported(f, "large_stack_key", "i64")
    own, set_own = f.load("ptr", turns, _OWN), imported(f, "pthread_setspecific")
    python_stack = f.variable("i64", (stack_pointer(f) - BELOW_FRAME) & -16)
    with f.when(is_on(f, own)):
        python_stack.set(f.load("i64", own, THREAD_STACK))
    f.store(python_stack.get(), record, THREAD_STACK)
    f.call("i32", set_own, key, record)
    place, begins = f.address(turns, _RETURN), f.load("ptr", record, TURNS).equals(None)
    with f.when(begins):
        f.store(turns, record, TURNS)
        f.call("void", "ag_begin_turn", place, record, Value(f, "ptr", "@run_turns"), record)
    with f.when(begins.equals(0)):
        f.call("void", "ag_go_on", place, f.load("ptr", record, _GOES_ON))
    f.call("i32", set_own, key, own)
    with f.when(f.load("ptr", record, _FUNCTION).differs(None)):
        count = f.load("i64", turns, _COUNT)
        f.store(record, turns, (count << 3) + _WAITING)
        f.store(count + 1, turns, _COUNT)
        f.leave()
    f.store(None, record, TURNS, "ptr")
    f.store(0, record, THREAD_STACK, "i64")
    give_back(f, record)
    f.leave()
    return f


def _same_product(f: Function, left: Value, right: Value) -> Value:
    same = f.load("i64", left, _FUNCTION).equals(f.load("i64", right, _FUNCTION))
    for field in _PRODUCT[1:]:
        same = same & f.load("i64", left, field).equals(f.load("i64", right, field))
    return same


def _cheapest() -> Function:
    """One of the calls that wait for the product with the fewest multiplications."""
    f = Function("cheapest_product", "ptr", turns="ptr")
    chosen, least = f.variable("ptr"), f.variable("i64", (1 << 63) - 1)
    with f.repeat(f.load("i64", f["turns"], _COUNT)) as index:
        record = f.load("ptr", f["turns"], (index << 3) + _WAITING)
        work = f.load("i64", record, _M) * f.load("i64", record, _K)
        with f.when(work < least.get()):
            least.set(work)
            chosen.set(record)
    f.leave(chosen.get())
    return f


def _multiply_together() -> Function:
    """The cheapest product, for all calls that wait for it; they go on."""
    f = Function("multiply_together", "void", turns="ptr")
    turns, ready, kept = f["turns"], f.variable("i64", 0), f.variable("i64", 0)
    first = f.call("ptr", "cheapest_product", turns)
    with f.repeat(f.load("i64", turns, _COUNT)) as index:
        record = f.load("ptr", turns, (index << 3) + _WAITING)
        is_same, place = _same_product(f, first, record), ready.get() << 3
        with f.when(is_same):
            f.store(record, turns, place + _READY)
            f.store(f.load("ptr", record, _X), turns, place + _XS)
            f.store(f.load("ptr", record, _Y), turns, place + _YS)
            ready.set(ready.get() + 1)
        with f.when(is_same.equals(0)):
            f.store(record, turns, (kept.get() << 3) + _WAITING)
            kept.set(kept.get() + 1)
    f.store(kept.get(), turns, _COUNT)
    function, *product = (f.load("ptr" if field in (_FUNCTION, _MATRIX) else "i64", first, field) for field in _PRODUCT)
    f.call("void", function, ready.get(), *product, f.address(turns, _XS), f.address(turns, _YS))
    with f.repeat(ready.get()) as index:
        f.call("void", "give_turn", turns, f.load("ptr", turns, (index << 3) + _READY))
    f.leave()
    return f


def _further_stack() -> Function:
    """`further_stack(record) -> ptr`: the record of the thread's next stack; null where there is no memory for it. All
    of them together are as large as the thread's own: calls that never end go deep in turn, and all stacks grow."""
    f = Function("further_stack", "ptr", record="ptr")
    found = f.variable("ptr", f.load("ptr", f["record"], NEXT))
    with f.when(found.get().equals(None)):
        most = (imported(f, "large_stack_bytes", "i64") // AT_ONCE) & -GUARD_BYTES
        found.set(f.call("ptr", "reserve_stack", most))
        f.store(found.get(), f["record"], NEXT)
    f.leave(found.get())
    return f


def _take_turns() -> Function:
    """`take_turns(state, slot) -> i32`: 0 where there are no stacks for it, or calls take turns already. Another call
    begins only when all that have begun wait: calls without products follow one another on one stack."""
    f = Function("take_turns", "i32", state="ptr", slot="i64")
    if not IS_SUPPORTED:
        f.leave(0)
        return f
    own = f.variable("ptr", own_record(f))
    with f.when(own.get().equals(None)):
        own.set(f.call("ptr", "make_large_stack"))
        with f.when(own.get().equals(None)):
            f.leave(0)
    with f.when(f.load("ptr", own.get(), TURNS).differs(None)):
        f.leave(0)
    turns, begun, most = f.local_words(_TURN_WORDS), f.variable("i64", 0), f.variable("i64", AT_ONCE)
    for value, field in ((f["state"], _STATE), (f["slot"], _SLOT), (own.get(), _OWN)):
        f.store(value, turns, field)
    f.store(0, turns, _COUNT, "i64")
    last = f.variable("ptr", own.get())
    with f.loop() as end:
        with f.when(f.load("i64", turns, _COUNT).equals(begun.get()) & (begun.get() < most.get())):
            record = f.call("ptr", "further_stack", last.get())
            with f.when(record.equals(None)):
                with f.when(begun.get().equals(0)):
                    f.leave(0)
                most.set(begun.get())
            with f.when(record.differs(None)):
                last.set(record)
                begun.set(begun.get() + 1)
                f.call("void", "give_turn", turns, record)
        waiting = f.load("i64", turns, _COUNT)
        with f.when(waiting.equals(0)):
            f.jump(end)
        with f.when(waiting.differs(begun.get()) | begun.get().equals(most.get())):
            f.call("void", "multiply_together", turns)
    f.leave(1)
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    waiting = [_wait_for_product(), _let_others_go_on(), _no_product(), _further_stack(), _take_turns()]
    if not IS_SUPPORTED:
        return waiting
    return [*waiting, _run_turns(), _give_turn(), _cheapest(), _multiply_together()]
