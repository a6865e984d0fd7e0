"""Programs over the whole language, by way of their graphs, beside plain Python."""

import copy
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arignote as ag
from tests.frontend.language import CASES
from tests.frontend.running import run
from tests.source_text import function_from


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


def test_deeply_nested_loops_compile_in_time() -> None:
    """Liveness walks each of nested loops a few times, not twice as often as the loop around it."""
    lines = [f"{'    ' * depth}for i{depth} in range(1):" for depth in range(1, 19)]
    source = "\n".join(["def f(x):", *lines, "    " * 19 + "x = x * 0.5 + 1.0", "    return x", ""])
    started = time.perf_counter()
    assert ag.jit(function_from(source, "f", "<deep loops>"))(3.0) == 2.5
    assert time.perf_counter() - started < 3.0
