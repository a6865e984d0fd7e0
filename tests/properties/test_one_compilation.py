"""One compilation serves all shapes."""

from typing import Any

import numpy as np
import pytest

import arignote as ag
from tests.corpus.program import Call, Program
from tests.corpus.programs import PROGRAMS
from tests.properties.comparison import assert_no_differences, outcome, outcome_differences
from tests.properties.trees import map_leaves

SHAPED = [program for program in PROGRAMS if "shapes" in program.tags]


def resized(value: Any, more: int) -> Any:
    """An array whose every size above 1 has grown; other things as they are."""
    if not isinstance(value, np.ndarray):
        return value
    shape = tuple(size + more if size > 1 else size for size in value.shape)
    return np.random.default_rng(more).uniform(0.2, 1.5, size=shape).astype(value.dtype)


def number_of_compilations(function: Any) -> int:
    """How many signatures a compiled function has been compiled for."""
    return function.cache_info().misses


@pytest.mark.parametrize("program", SHAPED, ids=[program.name for program in SHAPED])
def test_many_shapes_one_compilation(program: Program) -> None:
    """Growing every size leads to no second compilation, and to right results."""
    function = ag.jit(program.function)
    for more in range(12):
        arguments = program.calls[0]()
        grown = Call(tuple(map_leaves(lambda leaf: resized(leaf, more), item) for item in arguments.positional))
        plain, found = outcome(program.function, grown), outcome(function, grown)
        assert_no_differences(outcome_differences(plain, found, 4 * program.ulps))
    assert number_of_compilations(function) == 1


def test_a_hundred_shapes() -> None:
    """The issue's own number, with two independent sizes."""

    @ag.jit
    def total(x: Any, y: Any) -> Any:
        return np.sum(x[:, None] * y)

    for n in range(2, 12):
        for m in range(2, 12):
            assert total(np.ones(n), np.ones(m)) == n * m
    assert number_of_compilations(total) == 1


def test_a_new_dtype_or_rank_is_a_new_compilation() -> None:
    """What the types depend on is part of the signature, and nothing is compiled twice."""

    @ag.jit
    def double(x: Any) -> Any:
        return x * 2

    for _ in range(2):
        for argument in (np.ones(3), np.ones((3, 2)), np.ones(3, np.float32), 2.0, 2, True):
            assert np.all(double(argument) == argument * 2)
    assert number_of_compilations(double) == 6
