"""Which arguments derivatives are by, and the structures of gradients."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import arignote as ag

X = np.array([1.0, 2.0, 3.0])


def model(x, w=2.0, *, b=1.0, n=3):
    return np.sum(x * w + b * b) * n


@pytest.mark.parametrize("argnums, arguments, keywords, wanted", [
    ("w", (X, 3.0), {}, 18.0),
    ("w", (X,), {}, 18.0),
    ("w", (X,), {"w": 3.0}, 18.0),
    (1, (X,), {"w": 3.0}, 18.0),
    (-1, (X, 2.0), {}, 18.0),
    ("b", (X,), {"b": 2.0}, 36.0),
    (("b", "w", 1), (X, 3.0), {"b": 2.0}, (36.0, 18.0, 18.0)),
])  # fmt: skip
def test_numbers_and_names(argnums, arguments, keywords, wanted):
    gradient = ag.grad(model, argnums)
    assert gradient(*arguments, **keywords) == wanted
    assert ag.jit(lambda *a: gradient(*a, **keywords))(*arguments) == wanted
    assert ag.value_and_grad(model, argnums)(*arguments, **keywords)[1] == wanted


def test_names_that_are_not_there():
    with pytest.raises(ag.DifferentiationError, match="did you mean 'w'"):
        ag.grad(model, "ww")(X)
    with pytest.raises(ag.DifferentiationError, match="argument 7"):
        ag.grad(model, 7)(X)
    with pytest.raises(TypeError, match="argnums"):
        ag.grad(model, 1.5)


@dataclass
class Record:
    w: Any
    n: int
    name: str
    missing: Any = None


class Pair(NamedTuple):
    a: Any
    b: Any


def test_the_gradient_has_the_structure_of_the_argument():
    def f(tree):
        return np.sum(tree["r"].w) * tree["r"].n + tree["l"][0] * tree["l"][1].a

    gradient = ag.grad(f)({"r": Record(X, 2, "name"), "l": [2.0, Pair(3.0, (1, "s", None, True))]})
    assert list(gradient) == ["r", "l"]
    np.testing.assert_array_equal(gradient["r"].w, [2.0, 2.0, 2.0])
    assert (gradient["r"].n, gradient["r"].name, gradient["r"].missing) == (None, "name", None)
    assert gradient["l"] == [3.0, Pair(2.0, (None, "s", None, None))]


@pytest.mark.parametrize("argument", [3, True, "text", None, (1, "s"), np.arange(3), np.int32(2)], ids=repr)
def test_what_holds_no_float_is_refused_by_name(argument):
    with pytest.raises(ag.DifferentiationError, match="argument 'value'.*it holds no float"):
        ag.grad(lambda value: 1.0)(argument)


def test_one_array_given_twice_has_two_gradients():
    left, right = ag.grad(lambda x, y: np.sum(x * y * y), (0, 1))(X, X)
    np.testing.assert_array_equal(left, X * X)
    np.testing.assert_array_equal(right, 2 * X * X)


def test_what_comes_beside_the_value():
    def f(x):
        return np.sum(x * x), {"twice": x * 2, "n": 3}

    gradient, aside = ag.grad(f, has_aux=True)(X)
    np.testing.assert_array_equal(gradient, 2 * X)
    assert aside["n"] == 3
    value, pullback, aside = ag.vjp(f, X, has_aux=True)
    np.testing.assert_array_equal(pullback(2.0)[0], 4 * X)
    value, tangent, aside = ag.jvp(f, (X,), (X,), has_aux=True)
    assert (value, tangent) == (14.0, 28.0)
    np.testing.assert_array_equal(aside["twice"], X * 2)


def test_the_pullback_keeps_what_it_needs(capfd):
    def f(x, n):
        print("forward")
        return np.sin(x) * n

    x = X.copy()
    value, pullback = ag.vjp(f, x, 2)
    x[:] = 0.0  # what it needs is its own
    for factor in (1.0, 3.0):
        gradient, none = pullback(np.full(3, factor))
        np.testing.assert_allclose(gradient, np.cos(X) * 2 * factor, rtol=1e-14)
        assert none is None
    assert capfd.readouterr().out == "forward\n"
    with pytest.raises(ValueError, match="shape"):
        pullback(np.ones(2))


def test_the_pullback_of_a_loop_runs_it_again():
    def f(x, n):
        for _ in range(n):
            x = np.sin(x) * x
        return x

    value, pullback = ag.vjp(f, X, 3)
    np.testing.assert_allclose(pullback(np.ones(3))[0], ag.grad(lambda x: np.sum(f(x, 3)))(X), rtol=1e-13)
