"""Random programs: compiled and plain agree, and the gradient agrees with finite differences where it exists.

ARIGNOTE_TEST_PROFILE=slow (as in `make test-slow`) tries many more.
"""

import hashlib
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import arignote as ag
from tests.corpus.program import Call
from tests.properties.comparison import assert_no_differences, outcome, outcome_differences, show
from tests.properties.random_programs import programs
from tests.source_text import function_from

EXAMPLES = 1000 if os.environ.get("ARIGNOTE_TEST_PROFILE") == "slow" else 25
sized = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 100,  # the same programs at every run of the ordinary tests
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


def made(text: str) -> Callable[..., Any]:
    """The program as a function."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return function_from(text, "program", f"<random program {digest}>", math=math)


def arguments_for(seed: int, length: int, n: int) -> tuple[Any, ...]:
    """Reproducible arguments."""
    generator = np.random.default_rng(seed)
    a, b = generator.uniform(-1.5, 1.5, size=2).tolist()
    return a, b, generator.uniform(-1.5, 1.5, size=length), generator.uniform(-1.5, 1.5, size=length), n


@sized
@given(text=programs(), seed=st.integers(0, 9), length=st.integers(1, 5), n=st.integers(0, 4))
def test_compiled_is_plain(text: str, seed: int, length: int, n: int) -> None:
    """Value and type are those of plain Python, for two sets of arguments of different lengths."""
    function = made(text)
    compiled = ag.jit(function)
    for arguments in (arguments_for(seed, length, n), arguments_for(seed + 1, length + 2, n + 1)):
        plain, found = outcome(function, Call(arguments)), outcome(compiled, Call(arguments))
        # A few units in the last place are lost at every function and grow a little along the way.
        lines = outcome_differences(plain, found, 2000)
        assert_no_differences([*lines, text] if lines else [])


def slope_along(
    function: Callable[..., Any], arguments: tuple[Any, ...], direction: tuple[Any, ...], step: float
) -> float:
    """The central difference of a program along a direction."""
    ends = []
    for sign in (1.0, -1.0):
        moved = [value + sign * step * change for value, change in zip(arguments[:4], direction)]
        ends.append(float(function(*moved, arguments[4])))
    return (ends[0] - ends[1]) / (2.0 * step)


@sized
@given(text=programs(), seed=st.integers(0, 9), length=st.integers(2, 4), n=st.integers(0, 4))
def test_gradient(text: str, seed: int, length: int, n: int) -> None:
    """The gradient along a random direction is the slope, where two step sizes agree on what that is."""
    function = made(text)
    arguments = arguments_for(seed, length, n)
    direction = arguments_for(seed + 100, length, n)[:4]
    slopes = [slope_along(function, arguments, direction, step) for step in (1e-5, 3e-6)]
    # Near a kink or a jump (a branch, a maximum) the steps disagree, and there is nothing to compare with.
    assume(abs(slopes[0] - slopes[1]) <= 1e-5 * (1.0 + abs(slopes[0])))
    found = outcome(ag.jit(ag.value_and_grad(function, argnums=(0, 1, 2, 3))), Call(arguments))
    assert found.error is None, f"{show(found.error) if found.error else ''}\n{text}"
    value, gradients = found.value
    assert np.isclose(value, function(*arguments), rtol=1e-11, atol=1e-12), text
    slope = sum(float(np.sum(gradient * change)) for gradient, change in zip(gradients, direction))
    assert abs(slope - slopes[1]) <= 1e-5 * (1.0 + abs(slope)), f"{slope} and {slopes}\n{text}"
