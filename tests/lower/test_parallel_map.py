"""Calls that threads share: the loop IR that they become, its text, and the same values from both interpreters and
natively."""

import numpy as np
import pytest

from arignote.ir.evaluate import evaluate
from arignote.ir.text_read import read
from arignote.lower.loop_ir import ParallelMap, walk
from arignote.lower.loop_ir_check import LoopIRError, check
from arignote.lower.loop_ir_text import read as read_loops
from arignote.lower.loop_ir_text import show
from arignote.lower.lower import lower
from arignote.ops.table import OPERATIONS
from tests.lower.harness import agree

PROGRAM = """
@main(%count: i64, %x: f64[n]) -> f64[n]:
  %0 = closure %x {function=@each} : fn @each/1
  %1 = parallel_map %count, %0 : (list (f64[n], i64, bool, f64),)
  %2 = item %1 {index=0} : list (f64[n], i64, bool, f64)
  %3 = list_length %2 : i64
  %4 = closure %2 {function=@sum} : fn @sum/1
  %5 = for_loop %3, %4, %x : (f64[n],)
  %6 = item %5 {index=0} : f64[n]
  return %6

@each(%x: f64[n], %k: i64) -> (f64[n], i64, bool, f64):
  %0 = token : token
  %1 = equal %k, 40:i64 : bool
  %2 = raise_if %0, %1, %k {exception=ValueError, message=('call ', python(i64))} : token
  %3 = cast %k {dtype=f64} : f64
  %4 = multiply %x, %3 : f64[n]
  %5 = less %k, 5:i64 : bool
  %6 = tuple %4, %k, %5, %3 : (f64[n], i64, bool, f64)
  %7 = ordered %2, %6 : (f64[n], i64, bool, f64)
  return %7

@sum(%all: list (f64[n], i64, bool, f64), %k: i64, %total: f64[n]) -> (f64[n],):
  %0 = list_get %all, %k : (f64[n], i64, bool, f64)
  %1 = item %0 {index=0} : f64[n]
  %2 = item %0 {index=1} : i64
  %3 = cast %2 {dtype=f64} : f64
  %4 = item %0 {index=2} : bool
  %5 = item %0 {index=3} : f64
  %6 = select %4, %5, %3 : f64
  %7 = multiply %1, %6 : f64[n]
  %8 = add %total, %7 : f64[n]
  %9 = tuple %8 : (f64[n],)
  return %9
"""


def program():
    return read(PROGRAM, OPERATIONS)


def parallel_maps(lowered):
    return [(procedure, statement) for procedure in lowered.program.procedures.values()
            for statement in walk(procedure.body) if isinstance(statement, ParallelMap)]  # fmt: skip


@pytest.mark.parametrize("count", [-2, 0, 1, 3, 30])
def test_values(count):
    x = np.array([1.0, -2.0, 0.5])
    agree(program(), np.int64(count), x)
    found = evaluate(program(), np.int64(count), x)
    np.testing.assert_array_equal(found, x * (1 + sum(k * k for k in range(count))))


def test_errors_leave_nothing_behind():
    with pytest.raises(ValueError, match="call 40"):
        evaluate(program(), np.int64(50), np.ones(4))
    agree(program(), np.int64(50), np.ones(4))


def test_text():
    text = show(lower(program()).program)
    assert "parallel_map %4 of each.1(%1, %2, %3) into(" in text
    assert show(read_loops(text)) == text


def test_what_is_checked():
    for change in ("targets", "args", "procedure"):
        lowered = lower(program())
        [(_, statement)] = parallel_maps(lowered)
        check(lowered.program)
        value = getattr(statement, change)
        setattr(statement, change, "none" if change == "procedure" else value[1:])
        with pytest.raises(LoopIRError):
            check(lowered.program)
