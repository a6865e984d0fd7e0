"""Programs over the whole language, by way of their graphs, beside plain Python."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.frontend.language import CASES
from tests.frontend.running import run


def outcome(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """The result, or the exception."""
    try:
        return function(*copy.deepcopy(arguments))
    except Exception as error:
        return error


@pytest.mark.parametrize(("function", "arguments"), CASES, ids=[function.__name__ for function, _ in CASES])
def test_same_as_plain(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """The graph gives what Python gives: value, types, exception."""
    expected = outcome(function, arguments)
    found = outcome(lambda *a: run(function, *a), arguments)
    if isinstance(expected, Exception) or isinstance(found, Exception):
        assert type(found) is type(expected), f"{found!r} instead of {expected!r}"
    elif repr(found) != repr(expected):
        np.testing.assert_allclose(np.array(found, float), np.array(expected, float), rtol=1e-14)
