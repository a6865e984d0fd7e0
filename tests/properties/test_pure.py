"""A call leaves its arguments as they were, and a second call gives the same."""

import copy

from tests.corpus.program import MakeCall, Program
from tests.properties.comparison import assert_no_differences, differences, outcome, outcome_differences
from tests.properties.subjects import compiled, every_ordinary_case


@every_ordinary_case
def test_arguments_unchanged(program: Program, make: MakeCall) -> None:
    """The arguments hold the same values after a call, of the same types."""
    arguments = make()
    before = copy.deepcopy((arguments.positional, arguments.keywords))
    outcome(compiled(program.function), arguments)
    assert_no_differences(differences(before, (arguments.positional, arguments.keywords), 0, "arguments"))


@every_ordinary_case
def test_second_call_is_the_same(program: Program, make: MakeCall) -> None:
    """The same call twice gives the same bits; the first result is not disturbed by the second call."""
    arguments = make()
    first = outcome(compiled(program.function), arguments)
    kept = copy.deepcopy(first.value)
    second = outcome(compiled(program.function), arguments)
    assert_no_differences(outcome_differences(first, second, 0))
    assert_no_differences(differences(kept, first.value, 0))
