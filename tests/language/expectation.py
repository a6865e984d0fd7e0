"""Tests that are written as the program they speak of: what it is to do is said by a decorator.

The decorated function is the program; pytest finds in its place a test of the same name.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import arignote as ag
from arignote.ir.structure_values import map_leaves
from tests.corpus.program import Call
from tests.errors.expectation import marked_line, mentions
from tests.properties.comparison import Outcome, assert_no_differences, outcome, outcome_differences

Program = Callable[..., Any]
Test = Callable[..., None]


def _arguments(call: Call) -> Call:
    """Arguments of their own for each run, as a program may write into them."""
    return copy.deepcopy(call)


def same_as_python(*calls: Call, ulps: float = 0) -> Callable[[Program], Test]:
    """The compiled program returns, raises and prints what plain Python does."""

    def decorate(program: Program) -> Test:
        def test(capfd: pytest.CaptureFixture[str]) -> None:
            compiled = ag.jit(program)
            for call in calls:
                plain = outcome(program, _arguments(call))
                printed = capfd.readouterr().out
                for _ in range(2):
                    found = outcome(compiled, _arguments(call))
                    assert_no_differences(outcome_differences(plain, found, ulps))
                    assert capfd.readouterr().out == printed

        return _named(test, program)

    return decorate


def refused(call: Call, error: str, word: str = "", has_hint: bool = True) -> Callable[[Program], Test]:
    """The program is refused at the line that carries the marker, with a way out."""

    def decorate(program: Program) -> Test:
        def test() -> None:
            with pytest.raises(ag.CompileError) as caught:
                ag.jit(program)(*call.positional, **call.keywords)
            found, text = caught.value, str(caught.value)
            assert error in [kind.__name__ for kind in type(found).__mro__], f"{type(found).__name__}: {text}"
            assert word in text, text
            assert not has_hint or found.hint, f"no way out is named:\n{text}"
            place = marked_line(program)
            assert place is None or mentions(text, *place), text

        return _named(test, program)

    return decorate


def differentiable(*calls: Call, order: int = 2, tolerance: float = 1e-5) -> Callable[[Program], Test]:
    """The compiled program is as plain Python, and its derivatives up to an order, in both modes, as differences."""

    def decorate(program: Program) -> Test:
        def test() -> None:
            compiled = ag.jit(program)
            for call in calls:
                plain, found = outcome(program, _arguments(call)), outcome(compiled, _arguments(call))
                assert_no_differences(outcome_differences(plain, found, ulps=16))
                floats_only, values = _of_floats(program, call)
                ag.check_grads(floats_only, values, order=order, tolerance=tolerance)

        return _named(test, program)

    return decorate


def _of_floats(program: Program, call: Call) -> tuple[Program, tuple[Any, ...]]:
    """The program as a function of those arguments that hold a float; they come first."""
    count = sum(map(_holds_a_float, call.positional))
    assert all(map(_holds_a_float, call.positional[:count]))
    names = list(inspect.signature(program).parameters)[count:]
    rest = dict(zip(names, call.positional[count:], strict=False))
    return (functools.partial(program, **rest) if rest else program), call.positional[:count]


def _holds_a_float(value: Any) -> bool:
    found: list[bool] = []
    map_leaves(lambda leaf: found.append(getattr(leaf, "dtype", type(leaf)) in (float, "float64", "float32")), value)
    return any(found)


def _named(test: Test, program: Program) -> Test:
    """The test under the program's name; `__wrapped__` would show pytest the program's parameters."""
    functools.update_wrapper(test, program)
    del test.__wrapped__  # type: ignore[attr-defined]
    return test


def outcomes(program: Program, *arguments: Any) -> Iterator[Outcome]:
    """What plain Python gives, then what compiled code gives."""
    for function in (program, ag.jit(program)):
        yield outcome(function, _arguments(Call(arguments)))
