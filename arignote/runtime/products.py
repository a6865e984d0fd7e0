"""Large matrix products on the pool's threads: BLAS computes blocks of the result, each on one thread.

BLAS has a pool of its own, which serves one caller at a time, and whose threads stay awake for some 30 milliseconds
after a product: they would take the processors from the loops that follow. So while our products run BLAS is kept to
one thread, and our pool, which is awake for the loops around the product, takes its place. The blocks follow from the
sizes and the number of threads alone, so that a result does not depend on which thread came first.

    ag_product(block, task, set_threads, get_threads)

`task` begins with the words m, n, k (sizes of the product) and rows, columns, across, which are filled in: the size of
a block, and how many of them lie side by side. `block(task, begin, end)` computes the blocks of those numbers. The last
two are BLAS's own functions.
"""

from __future__ import annotations

from arignote.runtime.assembly import Function, Value
from arignote.runtime.imports import imported

M, N, K, ROWS, COLUMNS, ACROSS = range(0, 48, 8)
"""Offsets in a task."""

_MATRIX_PARALLEL, _VECTOR_PARALLEL = 1 << 19, 1 << 17
"""Multiplications from which several threads pay: some 10 microseconds of work."""

_LARGE = 1 << 27
"""Multiplications from which there are two blocks for each thread, so that a thread that is held up costs less."""

_MULTIPLE = 16
"""Blocks are so many rows and columns, or a multiple: what BLAS's innermost loops want."""

_LOCK, _COUNT, _SAVED, _SET = 0, 8, 16, 24

DEFINITIONS = "@products = internal global [8 x i64] zeroinitializer, align 64\n"


def _state(f: Function) -> Value:
    return Value(f, "ptr", "@products")


def _lock(f: Function) -> None:
    with f.loop() as end:
        with f.when(f.exchange("xchg", 1, _state(f), _LOCK, "i32").equals(0)):
            f.jump(end)
        f.call("i32", imported(f, "sched_yield"))


def _unlock(f: Function) -> None:
    f.store_atomic(0, _state(f), _LOCK, "i32")


def _enter() -> Function:
    """Keeps BLAS to one thread; how many it had, as its user wants."""
    f = Function("enter_product", "i64", set_threads="ptr", get_threads="ptr")
    state = _state(f)
    _lock(f)
    running = f.load("i64", state, _COUNT)
    f.store(running + 1, state, _COUNT)
    with f.when(running.equals(0)):
        allowed = f.call("i32", f["get_threads"])
        f.store(f.widen(allowed), state, _SAVED)
        f.store(f["set_threads"], state, _SET)
        with f.when(allowed > 1):
            f.call("void", f["set_threads"], f.constant("i32", 1))
    saved = f.load("i64", state, _SAVED)
    _unlock(f)
    f.leave(saved)
    return f


def _leave() -> Function:
    """The last product to end gives BLAS its threads back, unless somebody has set another number meanwhile."""
    f = Function("leave_product", "void", get_threads="ptr")
    state = _state(f)
    _lock(f)
    running = f.load("i64", state, _COUNT) - 1
    saved = f.load("i64", state, _SAVED)
    with f.when(running.equals(0) & (saved > 1)), f.when(f.call("i32", f["get_threads"]).equals(1)):
        f.call("void", f.load("ptr", state, _SET), f.narrow(saved, "i32"))
    f.store_atomic(running, state, _COUNT, "i64")  # last: a child forked before must know that BLAS is still alone
    _unlock(f)
    f.leave()
    return f


def _shape_blocks() -> Function:
    """Cuts the result into about `wanted` blocks, not much narrower than they are high; how many there are."""
    f = Function("shape_blocks", "i64", task="ptr", wanted="i64")
    m, n = (f.load("i64", f["task"], offset) for offset in (M, N))
    down, across = f.variable("i64", 1), f.variable("i64", f["wanted"])
    with f.loop() as end:
        is_narrow = ((n // across.get()) << 1) < m // down.get()
        with f.when((is_narrow & (across.get() > 1)).equals(0)):
            f.jump(end)
        with f.when((across.get() & 1).differs(0)):  # an odd number: all of them one above the other
            down.set(down.get() * across.get())
            across.set(1)
            f.jump(end)
        down.set(down.get() << 1)
        across.set(across.get() >> 1)

    def size(whole: Value, parts: Value) -> Value:
        return ((whole + parts - 1) // parts + (_MULTIPLE - 1)) & -_MULTIPLE

    rows, columns = size(m, down.get()), size(n, across.get())
    side_by_side = (n + columns - 1) // columns
    for value, offset in ((rows, ROWS), (columns, COLUMNS), (side_by_side, ACROSS)):
        f.store(value, f["task"], offset)
    f.leave(side_by_side * ((m + rows - 1) // rows))
    return f


def _product() -> Function:
    """`ag_product(ptr block, ptr task, ptr set_threads, ptr get_threads)`."""
    f = Function("ag_product", "void", block="ptr", task="ptr", set_threads="ptr", get_threads="ptr")
    m, n, k = (f.load("i64", f["task"], offset) for offset in (M, N, K))
    allowed = f.call("i64", "enter_product", f["set_threads"], f["get_threads"])
    threads = f.minimum(imported(f, "thread_limit", "i64"), allowed)
    work, blocks = m * n * k, f.variable("i64", 1)
    is_vector = m.equals(1) | n.equals(1)
    pays = (work >= _MATRIX_PARALLEL) | ((work >= _VECTOR_PARALLEL) & is_vector)
    with f.when(pays & (threads > 1)):
        blocks.set(threads << f.widen(work >= _LARGE, signed=False))
    count = f.call("i64", "shape_blocks", f["task"], blocks.get())
    f.call("void", "ag_parallel_for", f["block"], f["task"], count, 1)
    f.call("void", "leave_product", f["get_threads"])
    f.leave()
    return f


def _hold() -> list[Function]:
    """`ag_hold_products()`, `ag_resume_products()`: no product begins or ends while the process forks.

    The start and end of a product may make BLAS start its threads again, which it ends before a fork, and a child that
    is forked meanwhile would wait for ever for BLAS's lock.
    """
    hold, resume = Function("ag_hold_products", "void"), Function("ag_resume_products", "void")
    _lock(hold)
    _unlock(resume)
    for f in (hold, resume):
        f.leave()
    return [hold, resume]


def _reset() -> Function:
    """`ag_reset_products()`: in a forked child no other thread's product runs, and BLAS gets its threads back."""
    f = Function("ag_reset_products", "void")
    state = _state(f)
    running, saved = f.load("i64", state, _COUNT), f.load("i64", state, _SAVED)
    f.store(0, state, _COUNT, "i64")
    _unlock(f)
    with f.when(running.differs(0) & (saved > 1)):
        f.call("void", f.load("ptr", state, _SET), f.narrow(saved, "i32"))
    f.leave()
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_enter(), _leave(), _shape_blocks(), _product(), *_hold(), _reset()]
