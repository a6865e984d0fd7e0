"""The graph after every pass is well formed, and its text reads back to the same text."""

import os

import pytest

import arignote as ag
from arignote.ir.check import check
from arignote.ir.text import show
from arignote.ir.text_read import read
from arignote.ops.table import OPERATIONS
from tests.corpus.program import MakeCall, Program
from tests.corpus.programs import PROGRAMS
from tests.properties.comparison import assert_no_differences
from tests.properties.subjects import cases, differentiable_cases

# One call of each program: further calls differ in values only, or in dtypes, which other tests cover.
FIRST_CALLS = [case for case in cases(PROGRAMS, edges=False) if str(case.id).endswith("-0")]
FIRST_DERIVATIVES = [case for case in differentiable_cases() if str(case.id).endswith("-0")]


def stages(function: object, make: MakeCall) -> list[tuple[str, str]]:
    """The text of the graph after each pass. The checker runs between them, because the tests ask for it."""
    assert os.environ["ARIGNOTE_VERIFY"] == "1"
    arguments = make()
    return ag.inspect(function)(*arguments.positional, **arguments.keywords).stages


def round_trip_differences(texts: list[tuple[str, str]]) -> list[str]:
    """What changes when a graph's text is read and shown again."""
    lines = []
    for name, text in texts:
        graph = read(text, OPERATIONS)
        check(graph)
        again = show(graph)
        if again != text:
            pairs = zip(text.splitlines(), again.splitlines())
            changed = next((pair for pair in pairs if pair[0] != pair[1]), ("", "(of another length)"))
            lines += [f"after {name}:", f"    was   {changed[0]}", f"    reads {changed[1]}"]
    return lines


@pytest.mark.parametrize(("program", "make"), FIRST_CALLS)
def test_round_trip(program: Program, make: MakeCall) -> None:
    """show(read(text)) == text after every pass."""
    if "may_be_refused" in program.tags:
        pytest.skip("not every compiler compiles this")
    texts = stages(ag.jit(program.function), make)
    assert texts
    assert_no_differences(round_trip_differences(texts))


@pytest.mark.parametrize(("program", "make"), FIRST_DERIVATIVES)
def test_round_trip_of_derivatives(program: Program, make: MakeCall) -> None:
    """The same for what the backpropagator transform makes."""
    assert program.differentiable is not None
    arguments = make()
    if not isinstance(program.function(*arguments.positional, **arguments.keywords), float):
        pytest.skip("the result is not a scalar")
    texts = stages(ag.jit(ag.grad(program.function, argnums=program.differentiable)), make)
    assert_no_differences(round_trip_differences(texts))
