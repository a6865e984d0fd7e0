"""Derivatives composed of `grad` and `vjp`, written in the compiled language itself and compiled like any program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote.api.transforms import grad, jit, jvp, vjp


def hvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Hessian-vector product of a scalar function of several arguments: H(primals) tangents.

    primals, tangents: sequences of equal length and structure.
    Returns a tuple with one tree per argument. By symmetry of the Hessian it is the pullback of the gradient.
    """
    return _hvp(fun, len(primals))(tuple(primals), tuple(tangents))


_hvp_programs: dict[tuple[Any, int], Any] = {}


def _hvp(fun: Callable[..., Any], count: int) -> Any:
    known = _hvp_programs.get((fun, count))
    if known is None:
        gradient = grad(fun, argnums=tuple(range(count)))

        def program(primals: Any, tangents: Any) -> Any:
            _, pullback = vjp(gradient, *primals)
            return pullback(tangents)

        known = _hvp_programs[fun, count] = jit(program)
    return known


def hessian(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The Hessian of a scalar function of one array of shape S: an array of shape S + S, by one pullback per row.

    Raises DifferentiationError where the argument is not an array of floats.
    """
    return jacrev(grad(fun))


def jacrev(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The Jacobian, by reverse mode, of a function from one array (shape S) to one array (shape T): shape T + S."""

    def jacobian(x: Any) -> Any:
        value, pullback = vjp(fun, x)
        rows = np.zeros((value.size, x.size), value.dtype)
        for i in range(value.size):
            basis = np.zeros(value.size, value.dtype)
            basis[i] = 1
            rows[i] = pullback(basis.reshape(value.shape))[0].ravel()
        return rows.reshape(value.shape + x.shape)

    return jit(jacobian)


def jacfwd(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The Jacobian, by forward mode, of a function from one array (shape S) to one array (shape T): shape T + S."""

    def jacobian(x: Any) -> Any:
        value = fun(x)
        columns = np.zeros((value.size, x.size), value.dtype)
        for i in range(x.size):
            basis = np.zeros(x.size, x.dtype)
            basis[i] = 1
            _, column = jvp(fun, (x,), (basis.reshape(x.shape),))
            columns[:, i] = column.ravel()
        return columns.reshape(value.shape + x.shape)

    return jit(jacobian)
