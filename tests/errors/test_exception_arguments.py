"""What exceptions are made with: the values and types that plain Python gives them."""

import ast
from collections.abc import Callable
from typing import Any

import pytest

import arignote as ag
from tests.corpus.program import Call
from tests.errors import raising
from tests.errors.expectation import full_text
from tests.properties.comparison import outcome


@pytest.mark.parametrize("function", raising.ALL)
def test_same_arguments(function: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    plain = outcome(function, Call((3, 0.1))).error
    printed = capsys.readouterr().out
    found = outcome(ag.jit(function), Call((3, 0.1))).error
    assert plain is not None and found is not None
    assert type(found) is type(plain), full_text(found)
    assert (repr(found.args), str(found), vars(found)) == (repr(plain.args), str(plain), vars(plain))
    assert capsys.readouterr().out == printed


def test_constants_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While two threads parse at once, some versions of CPython raise a SystemError."""

    @ag.jit
    def failing(x: float) -> float:
        if x > 0.0:
            raise ValueError("read once", x)
        return x

    def raised() -> tuple[Any, ...]:
        with pytest.raises(ValueError) as caught:
            failing(2.5)
        return caught.value.args

    assert raised() == ("read once", 2.5)
    monkeypatch.delattr(ast, "literal_eval")
    assert raised() == ("read once", 2.5)
