"""Recursion whose arguments are known numbers at first: one form of the function serves all depths."""

import numpy as np
import pytest

import arignote as ag
from arignote import pipeline
from arignote.ir.describe import structure_of
from arignote.ir.graph import functions_below


def four_ways(x, low, high, depth):
    if depth == 0 or x < low:
        return 1.0
    middle = 0.5 * (low + high)
    total = 0.0
    for a, b in ((low, middle), (middle, high)):
        for shift in (0.0, 0.25):
            if x + shift < b:
                total += four_ways(x, a, b, depth - 1)
    return total


def start(x):
    return four_ways(x, 0.0, 1.0, 9)


def test_numbers_that_change_from_call_to_call_do_not_multiply_the_program():
    for x in (0.1, 0.7, 2.0):
        assert ag.jit(start)(x) == start(x)
    graph = pipeline.specialise(start, (structure_of(0.1),), {}, pipeline.Transforms()).main
    assert len([f for f in functions_below(graph) if f.name.startswith("four_ways")]) < 8


def test_numbers_that_stay_are_known_at_every_depth():
    def along(x, axis, n):
        return x if n == 0 or np.sum(x) > 100.0 else along(np.cumsum(x, axis=axis), axis, n - 1)

    x = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(ag.jit(lambda x, n: along(x, 1, n))(x, 4), along(x, 1, 4))


def test_what_is_not_reached_does_not_refuse_the_program():
    """None has no attribute; a call that never comes there is a program all the same."""

    def walk(link, n):
        while n > 0:
            link = link.rest
            n -= 1
        return link.value

    def read(n, x):
        return walk(None, n) if x > 0.0 else x

    def prints_first(x):
        if x > 0.0:
            print("before")
            return walk(None, 0)
        return x

    assert ag.jit(read)(3, -1.0) == -1.0
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'rest'"):
        ag.jit(read)(3, 1.0)
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'value'"):
        ag.jit(read)(0, 1.0)
    with pytest.raises(AttributeError, match="value"):
        ag.jit(prints_first)(1.0)
