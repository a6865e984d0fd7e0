"""The programs and calls that the properties run over, and each program compiled once."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

import arignote as ag
from tests.corpus.program import Call, Program
from tests.corpus.programs import PROGRAMS


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled function, shared by all properties."""
    return ag.jit(function)


def cases(programs: Iterable[Program], edges: bool = True) -> Iterator[Any]:
    """One pytest parameter for each program and call."""
    for program in programs:
        makers = [("", program.calls)] + ([("edge", program.edge_calls)] if edges else [])
        for kind, calls in makers:
            for number, make in enumerate(calls):
                yield pytest.param(program, make, id=f"{program.name}-{kind}{number}")


def differentiable_cases(tag: str | None = None) -> Iterator[Any]:
    """The ordinary calls of the differentiable programs, perhaps only of those with a tag."""
    chosen = [p for p in PROGRAMS if p.differentiable is not None and (tag is None or tag in p.tags)]
    return cases(chosen, edges=False)


every_case = pytest.mark.parametrize(("program", "make"), list(cases(PROGRAMS)))
every_ordinary_case = pytest.mark.parametrize(("program", "make"), list(cases(PROGRAMS, edges=False)))


def with_argument(arguments: Call, number: int, value: Any) -> Call:
    """The call with one positional argument replaced."""
    positional = (*arguments.positional[:number], value, *arguments.positional[number + 1 :])
    return Call(positional, arguments.keywords)
