"""Text goes out and comes back."""

import numpy as np
import pytest

from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Span
from arignote.ir.text import show
from arignote.ir.text_read import TextError, read
from arignote.ops.emit import Emit
from arignote.ops.table import OPERATIONS
from tests.ir import programs
from tests.ops.cases import CASES, apply, arguments


@pytest.mark.parametrize("make", programs.ALL, ids=lambda f: f.__name__)
def test_round_trip(make):
    function = make()
    check(function)
    text = show(function)
    again = read(text, OPERATIONS)
    check(again)
    assert show(again) == text


def test_the_reading_means_the_same():
    x = np.array([0.1, 0.2, 0.3])
    assert evaluate(read(show(programs.loop()), OPERATIONS), x) == evaluate(programs.loop(), x)


@pytest.mark.parametrize("case", CASES[::3], ids=repr)
def test_every_kind_of_attribute(case):
    emit = Emit()
    node, parameters = apply(case, emit, True)
    function = emit.function(f"<{case.op} of/1>", parameters, node)
    again = read(show(function), OPERATIONS)
    assert show(again) == show(function)
    np.testing.assert_array_equal(evaluate(again, *arguments(case)), evaluate(function, *arguments(case)))


def test_what_it_looks_like():
    assert show(programs.loop()) == """\
@loop(%x: f64[n]) -> f64:
  %0 = size %x {axis=0} : i64
  %1 = sin %x : f64[n]
  %2 = sum %1 {axes=(0,)} : f64
  %3 = closure %2 {function=@body/1} : fn @body/1/1
  %4 = for_loop %0, %3, 1.5:f64 : (f64,)
  %5 = item %4 {index=0} : f64
  return %5

@body/1(%k: f64, %i: i64, %carried: f64) -> (f64,):
  %0 = multiply %carried, %k : f64
  %1 = cast %i {dtype=f64} : f64
  %2 = add %0, %1 : f64
  %3 = tuple %2 : (f64,)
  return %3
"""


def test_functions_of_one_name_are_told_apart():
    text = show(programs.branches())
    assert "@then(" in text and "@then.2(" in text
    assert "nan:f32" in text and "-0.0:f32" in text


def test_spans_are_comments():
    emit = Emit()
    node, parameters = apply(CASES[0], emit, True)
    function = emit.function("f", parameters, node)
    function.spans = {node: frozenset({Span("a.py", "f", 3), Span("a.py", "f", 5)})}
    text = show(function, spans=True)
    assert "# a.py:3, a.py:5" in text
    assert show(read(text, OPERATIONS)) == show(function)


@pytest.mark.parametrize(("text", "message"), [
    ("", "no function"),
    ("@f(%x: f64) -> f64:\n  %0 = no_such %x : f64\n  return %0", "no such operation"),
    ("@f(%x: f64) -> f64:\n  %0 = sin %y : f64\n  return %0", "no value %y"),
    ("@f(%x: f64) -> f64:\n  %0 = sin %x : f32\n  return %0", "the type is f64"),
    ("@f(%x: f65) -> f64:\n  return %x", "no type 'f65'"),
    ("@f(%x: f64) -> f64:\n  %0 = sin %x : f64\n", "no return"),
    ("@f(%x: f64) -> f64:\n  return $x", "unexpected"),
])  # fmt: skip
def test_what_is_not_a_graph(text, message):
    with pytest.raises(TextError, match=message):
        read(text, OPERATIONS)
