"""From how many elements on threads share a kernel."""

import numpy as np

import arignote as ag


def doubled(x, depth):
    return x * 2.0 if depth == 0 else doubled(x, depth - 1) + x


def test_functions_that_call_themselves_go_to_threads_later():
    alone = ag.inspect(lambda x: x * 2.0)(np.ones(3)).loops
    recursive = ag.inspect(doubled)(np.ones(3), 2).loops
    assert "grain 32768:int64" in str(alone)
    assert "grain 131072:int64" in str(recursive)
