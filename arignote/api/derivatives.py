"""Derivatives composed of `grad` and `vjp`, written in the compiled language itself and compiled like any program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote.api.transforms import grad, jit, jvp, vjp
from arignote.api.vmap import vmap


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
    """The Hessian of a scalar function of one array of shape S: an array of shape S + S, by forward over reverse mode.

    Raises DifferentiationError where the argument is not an array of floats.
    """
    return jacfwd(grad(fun))


def jacrev(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The Jacobian, by reverse mode, of a function from one array (shape S) to one array (shape T): shape T + S.

    The rows are pulled back at once.
    """

    def jacobian(x: Any) -> Any:
        value, pullback = vjp(fun, x)
        basis = np.eye(value.size, dtype=value.dtype).reshape((value.size, *value.shape))
        rows = vmap(lambda row: pullback(row)[0])(basis)
        return rows.reshape(value.shape + x.shape)

    return jit(jacobian)


def jacfwd(fun: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The Jacobian, by forward mode, of a function from one array (shape S) to one array (shape T): shape T + S.

    The columns are computed at once.
    """

    def jacobian(x: Any) -> Any:
        basis = np.eye(x.size, dtype=x.dtype).reshape((x.size, *x.shape))
        columns = vmap(lambda column: jvp(fun, (x,), (column,))[1], out_axes=-1)(basis)
        return columns.reshape(columns.shape[:-1] + x.shape)

    return jit(jacobian)
