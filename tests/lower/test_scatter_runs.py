"""np.add.at along one axis: runs of equal indices, ascending and not, on several threads."""

from __future__ import annotations

import numpy as np
import pytest

import arignote as ag

RNG = np.random.default_rng(2)


def program(target, index, value):
    target = target.copy()
    np.add.at(target, index, 2.0 * value)
    return target


compiled = ag.jit(program)


@pytest.mark.parametrize("count", [0, 1, 2, 1000, 65537, 200_003])
@pytest.mark.parametrize("kind", ["ascending", "random", "negative", "one", "strided"])
def test_like_numpy_to_the_bit(count, kind):
    size = 300
    index = RNG.integers(0, size, count)
    if kind == "ascending":
        index = np.sort(index)
    elif kind == "negative":
        index = np.sort(index) - size
    elif kind == "one":
        index = np.full(count, 7)
    elif kind == "strided":
        index = np.repeat(np.sort(index), 2)[::2]
    target, value = RNG.normal(size=size), RNG.normal(size=count)
    np.testing.assert_array_equal(compiled(target, index, value), program(target, index, value))


def test_value_that_reads_the_target():
    def twice(target, index):
        target = target.copy()
        np.add.at(target, index, target[index])
        return target

    target, index = RNG.normal(size=9), np.array([1, 1, 2, 8, 8, 0])
    np.testing.assert_array_equal(ag.jit(twice)(target, index), twice(target, index))


def test_out_of_range():
    with pytest.raises(IndexError):
        compiled(np.zeros(3), np.array([0, 3]), np.ones(2))


def test_gradient():
    index = np.array([0, 0, 2, 1, 1, 1])
    ag.check_grads(lambda t, v: np.sum(np.sin(program(t, index, v))), (RNG.normal(size=3), RNG.normal(size=6)))
