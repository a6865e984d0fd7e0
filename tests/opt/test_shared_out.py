"""Loops that only add up what recursive functions give are divided into parts; all others stay as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag
from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.text import show
from arignote.ir.text_read import read
from arignote.ops.table import OPERATIONS
from arignote.opt.rewrite import switched_off, with_fuel
from arignote.opt.shared_out import NAME, share_out

PROGRAM = """
@main(%n: i64, %x: f64[n], %start: f64) -> (f64, f64[n]):
  %0 = size %x {axis=0} : i64
  %1 = broadcast_to 0.0:f64, %0 {dims=[n]} : f64[n]
  %2 = closure %x {function=@body} : fn @body/1
  %3 = for_loop %n, %2, %start, %1 : (f64, f64[n])
  return %3

@body(%x: f64[n], %i: i64, %total: f64, %sum: f64[n]) -> (f64, f64[n]):
  %0 = closure {function=@walk} : fn @walk/0
  %1 = call %0, %i : f64
  %2 = add %total, %1 : f64
  %3 = multiply %x, %1 : f64[n]
  %4 = add %sum, %3 : f64[n]
  %5 = tuple %2, %4 : (f64, f64[n])
  return %5

@walk(%k: i64) -> f64:
  %0 = less %k, 1:i64 : bool
  %1 = closure {function=@stop} : fn @stop/0
  %2 = closure %k {function=@step} : fn @step/1
  %3 = cond %0, %1, %2 : f64
  return %3

@stop() -> f64:
  return 0.5:f64

@step(%k: i64) -> f64:
  %0 = closure {function=@walk} : fn @walk/0
  %1 = subtract %k, 1:i64 : i64
  %2 = call %0, %1 : f64
  %3 = add 0.25:f64, %2 : f64
  return %3
"""

DIVIDED = """@main(%n: i64, %x: f64[n], %start: f64) -> (f64, f64[n]):
  %0 = multiply %n, 8192:i64 : i64
  %1 = size %x {axis=0} : i64
  %2 = broadcast_to 0.0:f64, %1 {dims=[n]} : f64[n]
  %3 = size %2 {axis=0} : i64
  %4 = multiply 1:i64, %3 : i64
  %5 = add 1:i64, %4 : i64
  %6 = floor_divide %0, %5 : i64
  %7 = floor_divide %n, 4:i64 : i64
  %8 = minimum %6, %7 : i64
  %9 = minimum %8, 12:i64 : i64
  %10 = maximum %9, 1:i64 : i64
  %11 = closure %x, %2, %n, %10 {function=@body_part} : fn @body_part/4
  %12 = parallel_map %10, %11 : (list (list f64, f64[n]),)
  %13 = item %12 {index=0} : list (list f64, f64[n])
  %14 = closure %13 {function=@body_total} : fn @body_total/1
  %15 = for_loop %10, %14, %start, %2 : (f64, f64[n])
  %16 = item %15 {index=0} : f64
  %17 = item %15 {index=1} : f64[n]
  %18 = tuple %16, %17 : (f64, f64[n])
  return %18

@body_part(%x: f64[n], %like: f64[n], %count: i64, %parts: i64, %part: i64) -> (list f64, f64[n]):
  %0 = add %part, 1:i64 : i64
  %1 = multiply %0, %count : i64
  %2 = floor_divide %1, %parts : i64
  %3 = multiply %part, %count : i64
  %4 = floor_divide %3, %parts : i64
  %5 = subtract %2, %4 : i64
  %6 = closure %x, %4 {function=@body} : fn @body/2
  %7 = list_new %5 {element=f64} : list f64
  %8 = size %like {axis=0} : i64
  %9 = broadcast_to 0.0:f64, %8 {dims=[n]} : f64[n]
  %10 = for_loop %5, %6, %7, %9 : (list f64, f64[n])
  %11 = item %10 {index=0} : list f64
  %12 = item %10 {index=1} : f64[n]
  %13 = tuple %11, %12 : (list f64, f64[n])
  return %13

@body_total(%parts: list (list f64, f64[n]), %part: i64, %total: f64, %sum: f64[n]) -> (f64, f64[n]):
  %0 = list_get %parts, %part : (list f64, f64[n])
  %1 = item %0 {index=0} : list f64
  %2 = list_length %1 : i64
  %3 = closure %1 {function=@in_order} : fn @in_order/1
  %4 = for_loop %2, %3, %total : (f64,)
  %5 = item %4 {index=0} : f64
  %6 = item %0 {index=1} : f64[n]
  %7 = add %sum, %6 : f64[n]
  %8 = tuple %5, %7 : (f64, f64[n])
  return %8

@in_order(%numbers: list f64, %index: i64, %total: f64) -> (f64,):
  %0 = list_get %numbers, %index : f64
  %1 = add %total, %0 : f64
  %2 = tuple %1 : (f64,)
  return %2

@body(%x: f64[n], %first: i64, %i: i64, %total: list f64, %sum: f64[n]) -> (list f64, f64[n]):
  %0 = closure {function=@walk} : fn @walk/0
  %1 = add %first, %i : i64
  %2 = call %0, %1 : f64
  %3 = list_push %total, %2 : list f64
  %4 = multiply %x, %2 : f64[n]
  %5 = add %sum, %4 : f64[n]
  %6 = tuple %3, %5 : (list f64, f64[n])
  return %6
"""


def program(text=PROGRAM):
    return read(text, OPERATIONS)


def test_text():
    found = share_out(program())
    check(found)
    assert show(found).strip() == f"{DIVIDED}\n{PROGRAM[PROGRAM.index('@walk(') :]}".strip()


@pytest.mark.parametrize("count", [-1, 0, 1, 5, 8, 53, 100])
def test_value(count):
    x = np.array([1.0, -2.0, 0.5])
    wanted, found = (evaluate(each, np.int64(count), x, 0.125) for each in (program(), share_out(program())))
    assert found[0] == wanted[0]
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-14)


@pytest.mark.parametrize(("before", "after"), [
    ("%3 = multiply %x, %1 : f64[n]", "%3 = multiply %x, %total : f64[n]"),
    ("%3 = multiply %x, %1 : f64[n]", "%3 = multiply %sum, %1 : f64[n]"),
    ("%4 = add %sum, %3 : f64[n]", "%4 = subtract %sum, %3 : f64[n]"),
    ("%2 = add %total, %1 : f64", "%2 = add %total, %total : f64"),
    ("%2 = add %total, %1 : f64", "%2 = maximum %total, %1 : f64"),
    ("%1 = call %0, %i : f64", "%1 = cast %i {dtype=f64} : f64"),
    ("for_loop %n,", "for_loop 7:i64,"),
], ids=["total read", "sum read", "difference", "twice", "maximum", "no recursion", "few iterations"])  # fmt: skip
def test_stays(before, after):
    assert before in PROGRAM
    given = program(PROGRAM.replace(before, after))
    assert share_out(given) is given


def test_switched_off():
    given = program()
    with switched_off(NAME):
        assert share_out(given) is given
    with with_fuel(0):
        assert share_out(given) is given


def count_of(function, *args):
    with with_fuel(None) as fuel:
        found = ag.jit(function)(*args)
    return fuel.spent[NAME], found


def walk(n):
    return 0.0 if n < 1 else 0.5 + walk(n - 2)


@dataclass
class Tree:
    value: float
    left: Tree | None
    right: Tree | None


def of_numbers(w, tree):
    return 1.0 if tree is None else w[0] * tree.value + of_numbers(w, tree.left) * of_numbers(w, tree.right)


def of_arrays(w, tree):
    return w * 1.0 if tree is None else w * tree.value + of_arrays(w, tree.left) * of_arrays(w, tree.right)


@pytest.mark.parametrize(("below", "expected"), [(of_numbers, 0), (of_arrays, 1)])
def test_trees_are_worth_it_where_arrays_are_computed(below, expected):
    def program(w, trees):
        total = 0.0
        for tree in trees:
            total += np.sum(below(w, tree))
        return total

    trees = [Tree(0.01 * i, Tree(0.2, None, None), None) for i in range(40)]  # more than are known one by one
    w = np.array([0.3, -0.2])
    count, found = count_of(program, w, trees)
    assert count == expected
    assert np.isclose(found, program(w, trees), rtol=1e-14)


def test_the_outermost_loop_is_divided():
    def nested(numbers):
        total = 0.0
        for n in numbers:
            for k in range(n):
                total += walk(k)
        return total

    def in_each(numbers):
        total = 0.0
        for n in numbers:
            inner = 0.0
            for k in range(n):
                inner += walk(k)
            total += inner
        return total

    numbers = np.arange(40)
    for function in (nested, in_each):
        count, found = count_of(function, numbers)
        assert count == 1 and found == function(numbers)


def test_a_loop_inside_one_that_is_not_divided():
    def steps(numbers, many):
        x = 1.0
        for _ in range(many):
            total = 0.0
            for n in numbers:
                total += walk(n) * x
            x = total / (1.0 + total)
        return x

    count, found = count_of(steps, np.arange(40), 30)
    assert count == 1 and found == steps(np.arange(40), 30)


def test_only_the_first_level_of_a_recursion_is_divided():
    def tree(n):
        total = 1.0
        for k in range(n):
            total += tree(k - 1)
        return total

    count, found = count_of(tree, 9)  # but for the copy of it in the entry, which is not recursive
    assert count == 1 and found == tree(9)
