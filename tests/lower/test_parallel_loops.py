"""Loops whose iterations are independent: which do run on threads, and that values are those of one thread."""

import re
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import arignote as ag
from arignote.lower import parallel_loops
from arignote.lower.loop_ir import Var
from arignote.lower.loop_ir_check import check
from arignote.lower.loop_ir_text import read, show
from arignote.runtime import native
from arignote.runtime.threads import get_num_threads, set_num_threads

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def four_threads():
    before = get_num_threads()
    set_num_threads(4)
    yield
    set_num_threads(before)


@pytest.fixture
def eager(monkeypatch):
    """Any two iterations are worth a thread."""
    monkeypatch.setattr(parallel_loops, "WORTH_A_THREAD", 1)


def escapes(x, y, steps):
    counts = np.zeros((len(y), len(x)), dtype=np.int64)
    for i in range(len(y)):
        for j in range(len(x)):
            real, imaginary, count = 0.0, 0.0, 0
            while count < steps and real * real + imaginary * imaginary <= 4.0:
                real, imaginary = real * real - imaginary * imaginary + x[j], 2.0 * real * imaginary + y[i]
                count += 1
            counts[i, j] = count
    return counts


def squares(x):
    out = np.empty(len(x))
    for i in range(len(x)):
        out[i] = x[i] * x[i] + 1.0
    return out


def two_arrays(x):
    low, high = np.zeros(len(x)), np.ones((len(x), 2))
    for i in range(len(x)):
        if x[i] > 0.0:
            low[i] += x[i]
        else:
            high[i, 1] = low[i] - x[i]
            high[i, 0] *= 2.0
    return low, high


def rows_from_left(x):
    out = np.zeros((len(x), 6))
    for i in range(len(x)):
        for j in range(1, 6):
            out[i, j] = 0.5 * out[i, j - 1] + x[i]
    return out


def three_axes(x):
    out = np.zeros((len(x), 4, 3))
    for i in range(len(x)):
        for j in range(4):
            for k in range(3):
                out[i, j, k] = x[i] * j + k
    return out


def backwards(x):
    out = np.zeros(len(x))
    for i in range(len(x) - 1, -1, -1):
        out[i] = x[i] - i
    return out


def many_times(x, n):
    out = np.zeros((len(x), len(x)))
    for t in range(n):
        for i in range(len(x)):
            for j in range(len(x)):
                out[i, j] += x[j] * t
    return out


def branches(x):
    """Lanes that differ, with reads under conditions, a division, and a test of each element."""
    y, out, kind = x[::-1].copy(), np.zeros(len(x)), np.zeros(len(x), dtype=np.int32)
    for i in range(min(len(x), len(y))):
        value = x[i]
        if value > 0.5:
            value, kind[i] = np.sqrt(value), 1
        elif value < -0.5 and i % 3 != 0:
            value, kind[i] = y[i] / value, 2
        while abs(value) > 0.25:
            value = value * 0.5 + x[i] * 0.01
        out[i] = value if value == value else -1.0
    return out, kind


def digits(x):
    """A loop over lanes with whole numbers; each lane takes its own number of steps."""
    out = np.zeros(len(x), dtype=np.int64)
    for i in range(len(x)):
        rest = i % 1000
        while rest > 9:
            rest //= 3
        out[i] = rest ^ (i % 7)
    return out


def single_precision(x):
    y = x.astype(np.float32)
    out = np.zeros(len(x), dtype=np.float32)
    for i in range(len(y)):
        out[i] = np.sqrt(abs(y[i])) + y[i] * y[i]
    return out


def grown(x):
    """The list has its room beforehand."""
    items = []
    for i in range(len(x)):
        items.append(x[i])
    return np.array(items)


PARALLEL: dict[Any, Any] = {
    escapes: lambda n: (np.linspace(-2.0, 0.6, n), np.linspace(-1.1, 1.1, n // 20 + 2), 30),
    squares: lambda n: (rng.normal(size=n),),
    two_arrays: lambda n: (rng.normal(size=n),),
    rows_from_left: lambda n: (rng.normal(size=n),),
    three_axes: lambda n: (rng.normal(size=n),),
    backwards: lambda n: (rng.normal(size=n),),
    **{program: lambda n: (rng.normal(size=n),) for program in (branches, digits, single_precision, grown)},
    many_times: lambda n: (rng.normal(size=n // 8), 3),
}


def from_before(x):
    out = np.zeros(len(x))
    for i in range(1, len(x)):
        out[i] = 0.5 * out[i - 1] + x[i]
    return out


def from_after(x):
    out = 1.0 * x
    for i in range(len(x) - 1):
        out[i] = out[i + 1] + 1.0
    return out


def total(x):
    found = 0.0
    for i in range(len(x)):
        found += x[i] * x[i]
    return found


def columns(x):
    """All iterations write the same row."""
    out = np.zeros((2, 5))
    for i in range(len(x)):
        for j in range(5):
            out[0, j] = x[i] + j
    return out


def through_a_table(x):
    out = np.zeros(8)
    for i in range(len(x)):
        out[i * i % 8] += x[i]
    return out


ORDERED: dict[Any, Any] = {
    program: lambda n: (rng.normal(size=n),)
    for program in (from_before, from_after, total, columns, through_a_table)
}


def compare(program, arguments):
    found, expected = ag.jit(program)(*arguments), program(*arguments)
    for ours, plain in zip(*[leaf if isinstance(leaf, tuple) else (leaf,) for leaf in (found, expected)], strict=True):
        np.testing.assert_array_equal(ours, plain)


@pytest.mark.parametrize("program", [*PARALLEL, *ORDERED])
def test_values(program, eager):
    for size in (0, 1, 2, 37, 400):
        compare(program, (PARALLEL | ORDERED)[program](size))


@pytest.mark.parametrize("program", [*PARALLEL, *ORDERED])
def test_which_loops_are_parallel(program):
    loops = ag.inspect(program)(*(PARALLEL | ORDERED)[program](16)).loops
    found = re.search(r" parallel grain \S+ \{\n *extern \(\) = ag_check_signals", loops)
    assert bool(found) == (program in PARALLEL), loops


BEFORE = """
procedure main(%0: buffer, %1: ptr[float64], %2: int64, %3: int64) {
  alloc %4: buffer, %5: ptr[float64] = %2
  for %8 in %3 carried(%6: buffer = %4, %7: ptr[float64] = %5) {
    extern () = ag_check_signals() can_fail live(%6)
    for %13 in %2 carried(%11: buffer = %6, %12: ptr[float64] = %7) {
      extern () = ag_check_signals() can_fail live(%11)
      %16: float64 = load %1 at %13
      %17: ptr[float64] = reinterpret(%12)
      %18: int64 = multiply(%8, STRIDE)
      %19: int64 = add(%18, %13)
      store %17 at %19 = %16
      yield(%11, %17)
    } -> (%14: buffer, %15: ptr[float64])
    yield(%14, %15)
  } -> (%9: buffer, %10: ptr[float64])
  return(%9, %10)
}
"""
AFTER = """
procedure main(%0: buffer, %1: ptr[float64], %2: int64, %3: int64) {
  alloc %4: buffer, %5: ptr[float64] = %2
  CONDITION
  kernel reads(%1) writes(%5) live(%4) {
    for %8 in %3 carried() parallel grain GRAIN {
      extern () = ag_check_signals() can_fail
      for %13 in %2 carried() vector {
        extern () = ag_check_signals() can_fail
        %16: float64 = load %1 at %13
        %18: int64 = multiply(%8, STRIDE)
        %19: int64 = add(%18, %13)
        store %5 at %19 = %16
        yield()
      } -> ()
      yield()
    } -> ()
    yield()
  } -> ()
  %9: buffer = reinterpret(%4)
  %10: ptr[float64] = reinterpret(%5)
  return(%9, %10)
}
"""


def rewritten(text):
    program = read(text)
    numbers = iter(range(100, 200))
    parallel_loops.run_in_parallel(program.entry, lambda type: Var(next(numbers), type))
    check(program)
    return show(program)


@pytest.mark.parametrize("stride", ["%2", "7:int64", "%3"])
def test_before_and_after(stride):
    """The loop hands nothing on, its results are names of what it was given, and it is in order where places may be
    the same."""
    found = rewritten(BEFORE.replace("STRIDE", stride))
    begin, end = found.index("  %100"), found.index("  kernel")
    grain = found[found.index("grain ") + 6 :].split(" ")[0]
    expected = AFTER.replace("STRIDE", stride).replace("GRAIN", grain).replace("  CONDITION\n", found[begin:end])
    assert found.strip() == expected.strip()
    assert f"{grain}: int64 = select(" in found[begin:end]
    assert "less_equal" in found[begin:end]


@pytest.mark.parametrize(("old", "new"), [
    ("store %17 at %19 = %16", "store %17 at %13 = %16"),  # the same places in all iterations
    ("load %1 at %13", "load %12 at %13"),  # reads what others write
    ("yield(%11, %17)", "yield(%11, %1)"),  # hands on something else
    ("for %13 in %2", "for %13 in %8"),  # reaches as far as the iteration says
    ("%16: float64 = load %1 at %13", "%20: bool = less(%8, %13)\n      raise_if %20 site 0 () live(%11)\n"
                                      "      %16: float64 = load %1 at %13"),  # may fail
])  # fmt: skip
def test_loops_that_stay(old, new):
    text = BEFORE.replace("STRIDE", "%2")
    assert old in text
    assert "parallel" not in rewritten(text.replace(old, new)).replace("STRIDE", "%2")


def strided(x, step, count):
    out = np.zeros(60)
    for i in range(len(x)):
        for j in range(count):
            out[i * step + j] = x[i] + j
    return out


def test_lanes_of_special_values(eager):
    x = np.array([np.nan, 0.0, -0.0, 1e-310, 3.0, -3.0, 1e300, 0.5, -0.5, 0.25, 7.0])
    with np.errstate(all="ignore"):
        compare(squares, (x,))
        compare(two_arrays, (x,))


def test_neighbours_run_on_vectors():
    """The innermost loop does, as long as what it stores lies side by side."""
    found = ag.inspect(escapes)(*PARALLEL[escapes](10))
    assert len(re.findall(r"carried\(\) vector \{", found.loops)) == 1
    assert re.search(r"fmul <\d+ x double>", found.llvm)


def test_places_that_may_be_the_same(eager):
    """Whether iterations touch the same places is known when the program runs: then they run in order."""
    x = rng.normal(size=10)
    for step, count in ((0, 1), (0, 3), (1, 1), (1, 2), (2, 2), (2, 3), (5, 5), (5, 6), (3, 0)):
        with np.errstate(all="ignore"):
            compare(strided, (x, step, count))


def test_one_thread_and_many_give_the_same(eager):
    arguments = PARALLEL[escapes](60)
    compiled = ag.jit(escapes)
    many = compiled(*arguments)
    for count in (1, 2, 3):
        set_num_threads(count)
        np.testing.assert_array_equal(compiled(*arguments), many)


def test_an_array_that_is_read_elsewhere_is_copied_first(eager):
    def program(x):
        old = 2.0 * x
        new = old.copy()
        for i in range(len(x)):
            new[i] = old[len(x) - 1 - i]
        return old, new

    compare(program, (rng.normal(size=100),))


def test_gradient(eager):
    ag.check_grads(lambda x: np.sum(rows_from_left(x) ** 2), (rng.normal(size=7),))
    ag.check_grads(lambda x: np.sum(squares(x)), (rng.normal(size=7),))


def test_calls_from_several_threads(eager):
    arguments = PARALLEL[escapes](100)
    compiled, expected = ag.jit(escapes), escapes(*arguments)
    compiled(*arguments)
    wrong = []

    def call():
        wrong.extend(1 for _ in range(50) if not np.array_equal(compiled(*arguments), expected))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def endless(n, steps):
    out = np.zeros(n)
    for i in range(n):
        total, count = 0.0, 0
        while count < steps * i:
            total = total * 0.999 + count
            count += 1
        out[i] = total
    return out


@pytest.mark.parametrize(("size", "steps"), [(1000, 10**12), (2, 10**15), (5, 10**15), (10**7, 1)])
@pytest.mark.parametrize("threads", [1, 4])
def test_interrupt(size, steps, threads):
    """Where all threads are busy, where only a thread of the pool is (the first iteration is short), and where one
    iteration is."""
    set_num_threads(threads)
    compiled = ag.jit(endless)
    compiled(3, 2)
    live = native.live_buffers()

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    started = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            compiled(size, steps)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < 1.1
    assert native.live_buffers() == live
    np.testing.assert_array_equal(compiled(3, 2), endless(3, 2))
