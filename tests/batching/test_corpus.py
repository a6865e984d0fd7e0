"""Every program of the corpus, mapped: the same as a loop over the elements."""

import pytest

from tests.batching.subjects import plain_and_compiled, stacked
from tests.corpus.program import Call, Program
from tests.corpus.programs import PROGRAMS
from tests.properties.comparison import assert_no_differences, differences, show

FIRST_CALLS = [pytest.param(p, p.calls[0], id=p.name) for p in PROGRAMS if p.calls]


def check(program: Program, call: Call, in_axes: tuple) -> None:
    """Whether the mapped program is the loop. Where an element raises, or results cannot be stacked, so does it."""
    plain, compiled, plain_text, compiled_text = plain_and_compiled(program.function, call, in_axes)
    if plain.error is not None:
        assert compiled.error is not None, f"expected {show(plain.error)}"
        return
    if compiled.error is not None:
        raise AssertionError(f"raised {show(compiled.error)}") from compiled.error
    assert_no_differences(differences(plain.value, compiled.value, max(4 * program.ulps, 4)))
    assert plain_text == compiled_text


@pytest.mark.parametrize(("program", "make"), FIRST_CALLS)
def test_all_arguments_mapped(program, make):
    call = make()
    pairs = [stacked(x) for x in call.positional]
    if all(axes is None for _, axes in pairs):
        pytest.skip("no argument can be stacked")
    check(program, Call(tuple(x for x, _ in pairs)), tuple(axes for _, axes in pairs))


@pytest.mark.parametrize(("program", "make"), FIRST_CALLS)
def test_one_argument_mapped(program, make):
    call = make()
    pairs = [stacked(x) for x in call.positional]
    for place, (value, axes) in enumerate(pairs):
        if axes is not None and len(pairs) > 1:
            positional = (*call.positional[:place], value, *call.positional[place + 1 :])
            check(program, Call(positional), (*[None] * place, axes, *[None] * (len(pairs) - place - 1)))
