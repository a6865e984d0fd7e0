"""Recursion whose arguments are known numbers at first: one form of the function serves all depths."""

import numpy as np

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
