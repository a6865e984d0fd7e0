"""Effects under differentiation, natively: the primal's prints and failures, once and in the program's order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import arignote as ag


def looping(x: float, n: int) -> float:
    for i in range(n):
        print("loop", i)
        assert x > 0.0, "x left"
        x = x - 0.25 * np.sin(x)
    return x


def waiting(x: float, n: int) -> float:
    i = 0
    while True:
        print("turn", i)
        x = np.sin(x) * 1.1
        i += 1
        if i >= n:
            print("enough")
            break
    return x


def descending(x: float, n: int) -> float:
    print("down", n)
    if n == 0:
        return np.exp(x)
    y = descending(x * 0.9, n - 1) * x
    print("up", n)
    return y


def closing(x: float, n: int) -> float:
    def noisy(factor: float) -> Callable[[float], float]:
        print("made")

        def scale(y: float) -> float:
            print("called")
            return np.sin(y * factor)

        return scale

    f = noisy(x)
    return f(f(x)) * n


@dataclasses.dataclass
class Link:
    value: float
    rest: Link | None = None


def along(x: float, n: int) -> float:
    chain = Link(x, Link(0.5, Link(x * x)))
    return linked(chain, x) * n


def linked(chain: Link | None, x: float) -> float:
    if chain is None:
        print("end")
        return x
    print("link")
    return np.sin(chain.value) * linked(chain.rest, x)


PROGRAMS = [looping, waiting, descending, closing, along]


def plain_output(capsys: Any, f: Callable[[float, int], float]) -> str:
    f(0.8, 3)
    return capsys.readouterr().out


DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "r": ag.grad,
    "f": lambda f: ag.jit(lambda x, n: ag.jvp(lambda x: f(x, n), (x,), (1.0,))[1]),
    "rr": lambda f: ag.grad(ag.grad(f)),
    "fr": lambda f: ag.jit(lambda x, n: ag.jvp(lambda x: ag.grad(f)(x, n), (x,), (1.0,))[1]),
    "rf": lambda f: ag.grad(lambda x, n: ag.jvp(lambda x: f(x, n), (x,), (1.0,))[1]),
    "rrr": lambda f: ag.grad(ag.grad(ag.grad(f))),
}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("derivative", DERIVATIVES)
def test_the_primal_prints_once(program: Any, derivative: str, capsys: Any) -> None:
    expected = plain_output(capsys, program)
    derived = DERIVATIVES[derivative](program)
    assert np.isfinite(derived(0.8, 3))
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("derivative", ["r", "f", "rr"])
def test_a_failure_comes_in_order(derivative: str, capsys: Any) -> None:
    def program(x: float, n: int) -> float:
        s = 0.0
        for i in range(n):
            print("step", i)
            if x * i > 1.5:
                raise ValueError("too far")
            s = s + np.sin(x * i)
        print("never")
        return s

    with pytest.raises(ValueError, match="too far"):
        program(0.8, 5)
    expected = capsys.readouterr().out
    with pytest.raises(ValueError, match="too far"):
        DERIVATIVES[derivative](program)(0.8, 5)
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("derivative", ["r", "f", "rr"])
def test_a_failure_deep_in_recursion(derivative: str, capsys: Any) -> None:
    def down(x: float, n: int) -> float:
        print("at", n)
        assert n >= 0, "below"
        return np.sin(x) * down(x, n - 2) if n != 0 else x

    expected = "at 3\nat 1\nat -1\n"
    with pytest.raises(AssertionError, match="below"):
        DERIVATIVES[derivative](down)(0.8, 3)
    assert capsys.readouterr().out == expected


def test_an_index_out_of_bounds_fails_in_the_primal() -> None:
    def program(x: float, n: int) -> float:
        a = np.zeros(3)
        for i in range(n):
            a[i] = x * i
        return np.sum(a * a)

    assert ag.grad(program)(0.5, 3) == pytest.approx(5.0)
    with pytest.raises(IndexError):
        ag.grad(program)(0.5, 4)


def digammas(x: float) -> float:
    s = 0.0
    for i in range(3):
        s = s + (scipy.special.digamma(x + i) if x > 0.1 else x)
    return s


def deep_digamma(x: float, n: int) -> float:
    if n == 0:
        return scipy.special.digamma(x)
    return deep_digamma(x, n - 1) * x


@pytest.mark.parametrize("derivative", [
    ag.grad(digammas), ag.jit(lambda x: ag.jvp(digammas, (x,), (1.0,))), ag.grad(lambda x: deep_digamma(x, 3)),
    ag.grad(ag.grad(lambda x: scipy.special.gammaln(np.sin(x)))),
])  # fmt: skip
def test_an_error_of_differentiation_points_at_the_place(derivative: Any) -> None:
    with pytest.raises(ag.DifferentiationError, match="trigamma") as caught:
        derivative(0.7)
    text = str(caught.value)
    assert "test_effects.py" in text and "scipy.special." in text and "^^^^" in text
