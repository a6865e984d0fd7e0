"""Stores to parts of what is read when all of it is written."""

from arignote.lower.loop_ir_check import check
from arignote.lower.loop_ir_text import read, show
from arignote.lower.read_later import keep_in_caches

FILLED = """
procedure rows(%0: int64, %1: int64, %2: float64) {
  %3: int64 = multiply(%0, %1)
  alloc %4: buffer, %5: ptr[float64] = %3
  for %6 in %0 carried() {
    %7: int64 = multiply(%6, %1)
    %8: ptr[float64] = pointer_offset(%5, %7)
    kernel reads() writes(%8) live() {
      for %9 in %1 carried() vector {
        store %8 at %9 = %2 within %3
        yield()
      } -> ()
      yield()
    } -> ()
    READ
    yield()
  } -> ()
  release %4
  return()
}
"""
READ = """%10: float64 = load %8 at 0:int64"""


def kept(text):
    program = read(text)
    check(program)
    keep_in_caches(program.entry)
    return show(program)


def test_a_part_that_nobody_reads_may_pass_the_caches():
    text = FILLED.replace("    READ\n", "")
    assert kept(text).strip() == text.strip()


def test_a_part_that_the_same_iteration_reads_stays():
    text = FILLED.replace("READ", READ)
    assert kept(text).strip() == text.replace(" within %3", "").strip()
