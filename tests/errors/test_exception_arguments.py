"""What exceptions are made with: the values and types that plain Python gives them."""

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
