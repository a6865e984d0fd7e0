"""The programs of the corpus and their gradients mean the same before and after the optimiser, to the bit."""

import contextlib
import io

import numpy as np
import pytest

import arignote as ag
from arignote import pipeline
from arignote.ir.describe import structure_of
from arignote.ir.errors import CompileError
from arignote.ir.evaluate import evaluate
from arignote.ir.structure_values import leaves_of
from tests.corpus.program import Program
from tests.corpus.programs import PROGRAMS


def outcome(function, leaves):
    """The value or the exception, and what is printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), np.errstate(all="ignore"):
        try:
            return evaluate(function, *leaves), printed
        except Exception as error:  # noqa: BLE001 - whatever is raised must be raised in both
            return (type(error), str(error)), printed


def equal(a, b):
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return a == b or a is b


def compare(target, call):
    values = [*call.positional, *call.keywords.values()]
    structures = tuple(map(structure_of, call.positional))
    keywords = {name: structure_of(value) for name, value in call.keywords.items()}
    try:
        stages = pipeline.run(target, structures, keywords, keep=True).stages
    except CompileError:
        return  # other tests say what must compile
    written, optimised = stages[0].function, stages[-2].function
    leaves = [leaf for value in values for leaf in leaves_of(structure_of(value), value)]
    if len(leaves) != len(written.parameters):
        return  # it captures values from outside
    before, after = outcome(written, leaves), outcome(optimised, leaves)
    assert equal(before[0], after[0])
    assert before[1].getvalue() == after[1].getvalue()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_optimised_is_as_written(program: Program) -> None:
    for make in (*program.calls, *program.edge_calls):
        compare(program.function, make())


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p.differentiable], ids=lambda p: p.name)
def test_optimised_gradient_is_as_written(program: Program) -> None:
    function = program.function

    def total(*arguments):
        return np.sum(function(*arguments))

    first = program.calls[0]()
    is_array = isinstance(function(*first.positional, **first.keywords), np.ndarray)
    gradient = ag.value_and_grad(total if is_array else function, argnums=program.differentiable)
    for make in (*program.calls, *program.edge_calls):
        compare(gradient, make())
