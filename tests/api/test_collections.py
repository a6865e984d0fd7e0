"""Python's collector of cycles is off while a program is compiled, and then as it was."""

import gc

import numpy as np
import pytest

import arignote as ag


@pytest.fixture(params=[True, False])
def collecting(request):
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_the_collector_is_as_it_was_after_a_compilation(collecting):
    assert ag.jit(lambda x: x + 1.0)(1.5) == 2.5
    assert gc.isenabled() == collecting


def test_the_collector_is_as_it_was_after_a_refusal(collecting):
    with pytest.raises(ag.CompileError):
        ag.jit(lambda x: open(x))(np.ones(3))
    assert gc.isenabled() == collecting
