"""The reference interpreter on graphs built by hand."""

import numpy as np
import pytest

from arignote.ir.evaluate import UNDEFINED, evaluate
from arignote.ir.graph import Parameter
from arignote.ir.types import FLOAT64
from arignote.ops.emit import Emit
from tests.ir import programs


def test_loop():
    x = np.array([0.1, 0.2, 0.3])
    expected = 1.5
    for i in range(3):
        expected = expected * np.sum(np.sin(x)) + i
    assert evaluate(programs.loop(), x) == expected


def test_effects(capsys):
    assert evaluate(programs.effects(), None, 2.0) == (None, 2.0)
    assert capsys.readouterr().out == "x's = 2.02.0\n"
    with pytest.raises(ValueError, match="# bad 'x'"):
        evaluate(programs.effects(), None, -1.0)
    assert capsys.readouterr().out == "x's = -1.0-1.0\n"


def test_branches(capsys):
    x = np.ones((2, 3))
    _, (rows, zero), flag = evaluate(programs.branches(), True, x)
    assert len(rows) == 1 and zero == 0 and np.signbit(zero) and flag
    assert evaluate(programs.branches(), False, x)[1][0] is UNDEFINED
    assert capsys.readouterr().out == f"{x}\n" * 2


def test_recursion():
    assert evaluate(programs.factorial(), 10) == 3628800


def test_closures_are_values():
    assert evaluate(programs.returned_closure(), 0.5) == np.cos(0.5)


def test_deep_graphs_need_no_stack():
    emit = Emit()
    x = node = Parameter("x", FLOAT64)
    for _ in range(20_000):
        node = emit.op("add", node, x)
    assert evaluate(emit.function("deep", [x], node), 1.0) == 20_001


def test_a_wrong_type_is_noticed():
    with pytest.raises(AssertionError, match=r"should be f64\[n\]"):
        evaluate(programs.loop(), np.ones(1))
