"""Random programs mean the same after every pass, and print and read back."""

import numpy as np
import pytest

from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.text import show
from arignote.ir.text_read import read
from arignote.ops.table import OPERATIONS
from arignote.opt import PASSES
from arignote.opt.rewrite import with_fuel
from tests.opt.random_programs import Maker

INPUTS = [(0.5, -1.25, np.array([1.0, -0.0, 3.0]), 2, True), (-0.0, 2.0, np.zeros(0), 0, False)]


def agree(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("seed", range(120))
def test_passes_keep_the_meaning(seed):
    function = Maker(seed).program()
    check(function)
    expected = [evaluate(function, *x) for x in INPUTS]
    for step in PASSES:
        function = step.function(function)
        check(function)
        for x, y in zip(INPUTS, expected):
            agree(evaluate(function, *x), y)
    text = show(function)
    assert show(read(text, OPERATIONS)) == text


@pytest.mark.parametrize("seed", range(200, 230))
def test_passes_keep_the_meaning_without_rules(seed):
    function = Maker(seed).program()
    expected = [evaluate(function, *x) for x in INPUTS]
    with with_fuel(seed % 7 * 3):
        for step in PASSES:
            function = step.function(function)
            check(function)
    for x, y in zip(INPUTS, expected):
        agree(evaluate(function, *x), y)
