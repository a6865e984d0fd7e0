"""Which parameters come out of a function with nothing but additions: through branches, calls and recursion."""

import pytest

from arignote.ir.text_read import read
from arignote.ops.table import OPERATIONS
from arignote.opt.passed_through import only_added_to

BRANCH = """
@main(%c: bool, %x: f64[n], %t: f64[n], %u: f64[n]) -> (f64[n], f64[n]):
  %0 = closure %x, %t, %u {function=@then} : fn @then/3
  %1 = closure %u, %t {function=@else} : fn @else/2
  %2 = cond %c, %0, %1 : (f64[n], f64[n])
  %3 = item %2 {index=1} : f64[n]
  %4 = item %2 {index=0} : f64[n]
  %5 = tuple %3, %4 : (f64[n], f64[n])
  return %5

@then(%x: f64[n], %t: f64[n], %u: f64[n]) -> (f64[n], f64[n]):
  %0 = THEN %x, %t : f64[n]
  %1 = tuple %u, %0 : (f64[n], f64[n])
  return %1

@else(%u: f64[n], %t: f64[n]) -> (f64[n], f64[n]):
  %0 = tuple %u, %t : (f64[n], f64[n])
  return %0
"""

RECURSION = """
@main(%n: i64, %x: f64[n], %t: f64[n], %u: f64[n]) -> (f64[n], f64[n]):
  %0 = less %n, 1:i64 : bool
  %1 = closure %t, %u {function=@then} : fn @then/2
  %2 = closure %n, %x, %t, %u {function=@else} : fn @else/4
  %3 = cond %0, %1, %2 : (f64[n], f64[n])
  return %3

@then(%t: f64[n], %u: f64[n]) -> (f64[n], f64[n]):
  %0 = tuple %t, %u : (f64[n], f64[n])
  return %0

@else(%n: i64, %x: f64[n], %t: f64[n], %u: f64[n]) -> (f64[n], f64[n]):
  %0 = closure {function=@main} : fn @main/0
  %1 = subtract %n, 1:i64 : i64
  %2 = add %t, %x : f64[n]
  %3 = call %0, %1, %x, FIRST : (f64[n], f64[n])
  %4 = item %3 {index=0} : f64[n]
  %5 = item %3 {index=1} : f64[n]
  %6 = call %0, %1, %x, %4, %5 : (f64[n], f64[n])
  %7 = item %6 {index=0} : f64[n]
  %8 = AFTER %7, %x : f64[n]
  %9 = item %6 {index=1} : f64[n]
  %10 = tuple SECOND : (f64[n], f64[n])
  return %10
"""


def answers(text):
    function = read(text, OPERATIONS)
    return [[only_added_to(function, parameter, component) for component in (0, 1)] for parameter in (2, 3)]


@pytest.mark.parametrize(("then", "expected"), [
    ("add", [[True, False], [False, True]]),
    ("multiply", [[False, False], [False, True]]),
])  # fmt: skip
def test_branches(then, expected):
    assert answers(BRANCH.replace("THEN", then)) == expected


@pytest.mark.parametrize(("first", "after", "second", "expected"), [
    ("%2, %u", "add", "%8, %9", [[True, False], [False, True]]),
    ("%2, %u", "multiply", "%8, %9", [[False, False], [False, True]]),
    ("%u, %2", "add", "%8, %9", [[False, False], [False, False]]),
    ("%2, %u", "add", "%9, %8", [[False, False], [False, False]]),
    ("%2, %2", "add", "%8, %9", [[False, False], [False, False]]),
])  # fmt: skip
def test_recursion(first, after, second, expected):
    text = RECURSION.replace("FIRST", first).replace("AFTER", after).replace("SECOND", second)
    assert answers(text) == expected
