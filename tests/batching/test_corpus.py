"""Every program of the corpus, mapped: the same as a loop over the elements."""

import re
from dataclasses import fields

import numpy as np
import pytest

import arignote as ag
from tests.batching.subjects import plain_and_compiled, stacked
from tests.corpus.program import Call, Program
from tests.corpus.programs import PROGRAMS
from tests.properties.comparison import assert_no_differences, differences, outcome, show

FIRST_CALLS = [pytest.param(p, p.calls[0], id=p.name) for p in PROGRAMS if p.calls]


OF_SEVERAL_KINDS = re.compile("vmap cannot stack .* or .*, which the function returns")
"""How results are refused that are None, or of another class, for some elements."""


def check(program: Program, call: Call, in_axes: tuple) -> None:
    """Whether the mapped program is the loop. Where an element raises, or results cannot be stacked, so does it."""
    plain, compiled, plain_text, compiled_text = plain_and_compiled(program.function, call, in_axes)
    if plain.error is not None:
        assert compiled.error is not None, f"expected {show(plain.error)}"
        return
    if isinstance(compiled.error, ag.UnsupportedSyntaxError) and OF_SEVERAL_KINDS.match(str(compiled.error)):
        pytest.skip("the result is one of several kinds, which cannot be stacked")
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


@pytest.mark.parametrize(("program", "make"), FIRST_CALLS)
def test_mapped_twice(program, make):
    """Elements of elements: a map of a map is the loop of loops."""
    call = make()
    pairs = [stacked(x) for x in call.positional]
    if all(axes is None for _, axes in pairs) or "prints" in program.tags:
        pytest.skip("no argument can be stacked")
    twice = [stacked(x, 2)[0] for x, _ in pairs]
    axes = tuple(axes for _, axes in pairs)
    once = Program(ag.vmap(program.function, axes), *(getattr(program, f.name) for f in fields(program)[1:]))
    check(once, Call(tuple(twice)), axes)


SMOOTH = [pytest.param(p, p.calls[0], id=p.name) for p in PROGRAMS if p.differentiable and p.calls]


def summed(value):
    """All floats of a result added up."""
    total = 0.0
    if isinstance(value, (tuple, list)):
        for item in value:
            total = total + summed(item)
        return total
    return total + np.sum(value) * 1.0


@pytest.mark.parametrize(("program", "make"), SMOOTH)
def test_gradients(program, make):
    """The map of a gradient is each element's gradient, and so is the gradient of the sum of a map."""
    call = make()
    place = program.differentiable[0]
    before, after = call.positional[:place], call.positional[place + 1 :]
    xs, axes = stacked(call.positional[place])

    def value(x):
        return summed(program.function(*before, x, *after))

    gradient = ag.grad(value)
    plain, compiled, _, _ = plain_and_compiled(gradient, Call((xs,)), (axes,))
    if plain.error is not None:
        pytest.skip("an element has no gradient")
    assert compiled.error is None, show(compiled.error)
    assert_no_differences(differences(plain.value, compiled.value, 64))
    mapped = ag.vmap(value, (axes,))
    of_sum = outcome(ag.grad(lambda xs: np.sum(mapped(xs))), Call((xs,)))
    assert of_sum.error is None, show(of_sum.error)
    assert_no_differences(differences(plain.value, of_sum.value, 64))
