"""The promise: a compiled program gives what plain Python gives, value, type, dtype, shape, exception, printed text."""

import pytest

from tests.corpus.program import MakeCall, Program
from tests.corpus.programs import PROGRAMS
from tests.properties.comparison import as_numpy_scalar, assert_no_differences, outcome, outcome_differences
from tests.properties.subjects import cases, compiled, every_case


@every_case
def test_same_as_plain(program: Program, make: MakeCall) -> None:
    """The compiled program returns, or raises, what the plain one does."""
    plain = outcome(program.function, make())
    found = outcome(compiled(program.function), make())
    if "sum_from_zero" in program.tags:
        plain = as_numpy_scalar(plain)
    assert_no_differences(outcome_differences(plain, found, program.ulps, "may_be_refused" in program.tags))


@pytest.mark.parametrize(("program", "make"), list(cases([p for p in PROGRAMS if "prints" in p.tags])))
def test_prints_the_same(program: Program, make: MakeCall, capfd: pytest.CaptureFixture[str]) -> None:
    """The compiled program prints the same text, also when it is compiled already."""
    outcome(program.function, make())
    expected = capfd.readouterr().out
    for _ in range(2):
        outcome(compiled(program.function), make())
        assert capfd.readouterr().out == expected
