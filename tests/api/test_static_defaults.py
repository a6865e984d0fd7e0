"""Numbers that must be known at compile time: parameters with a default are, and are guarded by value."""

from __future__ import annotations

import enum

import numpy as np
import pytest

import arignote as ag

X = np.arange(6.0).reshape(2, 3)


def total(x, axis=0, *, keepdims=False):
    return np.sum(x, axis=axis, keepdims=keepdims)


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(X),
        lambda f: f(X, 0),
        lambda f: f(X, axis=0),
        lambda f: f(X, 1),
        lambda f: f(X, axis=-1),
        lambda f: f(X, None),
        lambda f: f(X, keepdims=True),
        lambda f: f(X, axis=1, keepdims=True),
        lambda f: f(x=X, keepdims=False, axis=0),
    ],
)
def test_settings_with_a_default(call):
    compiled = ag.jit(total)
    for _ in range(2):
        np.testing.assert_array_equal(call(compiled), call(total))
    assert compiled.cache_info().misses <= 2


def test_each_value_has_a_specialisation_of_its_own():
    compiled = ag.jit(total)
    for axis in (0, 1, 0, 1, -1, 0):
        np.testing.assert_array_equal(compiled(X, axis), total(X, axis))
    assert compiled.cache_info().currsize == 3


def test_what_need_not_be_known_is_not():
    compiled = ag.jit(lambda x, n=2, axis=0: np.sum(x, axis=axis) * n)
    for n in range(5):
        np.testing.assert_array_equal(compiled(X, n, axis=1), np.sum(X, axis=1) * n)
    assert compiled.cache_info().currsize == 1


def test_without_a_default_it_is_refused():
    compiled = ag.jit(lambda x, axis: np.sum(x, axis=axis))
    with pytest.raises(ag.TypeInferenceError, match="known at compile time"):
        compiled(X, 0)


def test_the_gradient_too():
    gradient = ag.grad(lambda x, axis=0: np.sum(np.sum(x, axis=axis) ** 2))
    for axis in (0, 1):
        expected = 2 * np.broadcast_to(np.sum(X, axis=axis, keepdims=True), X.shape)
        np.testing.assert_allclose(gradient(X, axis=axis), expected)


class Kind(enum.Enum):
    SUM = "sum"
    MEAN = "mean"


def test_strings_none_and_enums_are_guarded_by_value():
    def reduce(x, how="sum"):
        return np.sum(x) if how in ("sum", Kind.SUM) else np.mean(x) if how is not None else x

    compiled = ag.jit(reduce)
    for _ in range(2):
        for how in ("sum", "me" + "an", None, Kind.SUM, Kind.MEAN, "".join(["s", "um"])):
            np.testing.assert_array_equal(compiled(X, how), reduce(X, how))
    assert compiled.cache_info().currsize == 5


def test_clear_cache():
    first, second = ag.jit(lambda x: x + 1), ag.jit(lambda x: x * 2)
    assert (first(X)[0, 1], second(X)[0, 1]) == (2.0, 2.0)
    ag.clear_cache()
    assert first.cache_info().currsize == second.cache_info().currsize == 0
    assert (first(X)[0, 1], second(X)[0, 1]) == (2.0, 2.0)
    assert first.cache_info().currsize == 1


class Count(int):
    pass


@pytest.mark.parametrize("value", [np.bool_(True), np.int32(3), np.float32(0.5), True, 7])
def test_scalars_of_every_class(value):
    compiled = ag.jit(lambda x: (x, x + x))
    plain = (value, value + value)
    for _ in range(2):
        result = compiled(value)
        assert result == plain and [type(part) for part in result] == [type(part) for part in plain]


def test_a_subclass_of_int_is_refused():
    with pytest.raises(TypeError, match=r"'x'.*Count"):
        ag.jit(lambda x: x + 1)(Count(3))
