"""Derivatives composed of `grad`, `jvp` and `vjp`, written in the compiled language and compiled like any program."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote.api.compiled import make_compiled
from arignote.api.transforms import (
    Argnums,
    Target,
    argnums_of,
    as_written,
    grad,
    jit,
    jvp,
    require_callable,
    silent,
    vjp,
)
from arignote.api.vmap import vmap
from arignote.ir.marks import JACOBIAN_PROGRAMS, MAKER_ATTRIBUTE


def hvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Hessian-vector product of a scalar function of several arguments: H(primals) tangents.

    primals, tangents: sequences of equal length and structure.
    Returns a tuple with one tree per argument. By symmetry of the Hessian it is the pullback of the gradient.
    """
    return _hvp(fun, len(primals))(tuple(primals), tuple(tangents))


@functools.lru_cache(maxsize=4096)
def _hvp(fun: Callable[..., Any], count: int) -> Any:
    gradient = grad(fun, argnums=tuple(range(count)))

    def program(primals: Any, tangents: Any) -> Any:
        _, pullback = vjp(gradient, *primals)
        return pullback(tangents)

    return jit(program)


def hessian(fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The Hessian of a scalar function, by forward over reverse mode; of one array of shape S, an array of shape S + S.

    argnums, has_aux: as for `grad`. Of trees, it is the tree of the argument whose leaves are trees of the argument.
    Raises DifferentiationError with respect to an argument that holds no float.
    """
    return jacfwd(grad(fun, argnums, has_aux), argnums, has_aux)


def jacrev(fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The Jacobian, by reverse mode: of a function from an array (shape S) to an array (shape T), shape T + S.

    argnums: the arguments to differentiate by: a position, a name, or a tuple of them, which gives a tuple
    has_aux: `fun` returns (value, anything); the result is (Jacobian, anything)

    Of trees, it is the tree of the value whose leaves are trees of the argument. All rows are pulled back at once.
    """
    return _jacobian("jacrev", fun, argnums, has_aux)


def jacfwd(fun: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The Jacobian, by forward mode: like `jacrev`, but all columns are computed at once."""
    return _jacobian("jacfwd", fun, argnums, has_aux)


def _jacobian(kind: str, fun: Callable[..., Any], argnums: Argnums, has_aux: bool) -> Callable[..., Any]:
    require_callable(fun, kind)
    transform = (kind, as_written(fun), argnums_of(argnums), bool(has_aux))
    return make_compiled(Target(transform), as_written(fun), transform, plain=False)


def _rows(function: Any, chosen: Any, single: str | None, aux: str | None) -> Any:
    """The Jacobian by reverse mode, a leaf of the value at a time."""
    value, pullback, *beside = vjp(function, *chosen, has_aux=aux is not None)
    outputs, inputs = float_leaves(value), float_leaves(chosen)
    by = chosen[0] if single is not None else chosen
    blocks = []
    for place, output in enumerate(outputs):
        before, after = [np.zeros_like(x) for x in outputs[:place]], [np.zeros_like(x) for x in outputs[place + 1 :]]
        shape = np.shape(output)
        basis = np.eye(np.size(output), dtype=np.asarray(output).dtype).reshape((np.size(output), *shape))
        rows = vmap(lambda row: float_leaves(pullback(with_float_leaves(value, (*before, row, *after)))))(basis)  # noqa: B023
        blocks.append(with_float_leaves(by, [_shaped(x, shape + np.shape(y)) for x, y in zip(rows, inputs)]))
    result = with_float_leaves(value, blocks)
    return result if aux is None else (result, beside[0])


def _columns(function: Any, chosen: Any, single: str | None, aux: str | None) -> Any:
    """The Jacobian by forward mode, a leaf of the arguments at a time."""
    value, *beside = function(*chosen) if aux is not None else (function(*chosen),)
    outputs, inputs = float_leaves(value), float_leaves(chosen)
    by, again = chosen[0] if single is not None else chosen, silent(function)
    found = []
    for place, given in enumerate(inputs):
        before, after = [np.zeros_like(x) for x in inputs[:place]], [np.zeros_like(x) for x in inputs[place + 1 :]]
        shape = np.shape(given)
        basis = np.eye(np.size(given), dtype=np.asarray(given).dtype).reshape((np.size(given), *shape))
        columns = vmap(lambda column: float_leaves(
            jvp(again, chosen, with_float_leaves(chosen, (*before, column, *after)), has_aux=aux is not None)[1]  # noqa: B023
        ), out_axes=-1)(basis)  # fmt: skip
        found.append([_shaped(x, np.shape(y) + shape) for x, y in zip(columns, outputs)])
    blocks = [with_float_leaves(by, [column[place] for column in found]) for place in range(len(outputs))]
    result = with_float_leaves(value, blocks)
    return result if aux is None else (result, beside[0])


def _shaped(x: Any, shape: Any) -> Any:
    """An array of this shape; a number where there is no dimension."""
    return x.reshape(shape) if len(shape) > 0 else x[0]


def float_leaves(tree: Any) -> Any:
    """The floats and arrays of floats in a tree, as a tuple. Known to the compiler."""
    raise NotImplementedError("float_leaves is for compiled code")


def with_float_leaves(tree: Any, leaves: Any) -> Any:
    """The tree with other things in the places of its float leaves. Known to the compiler."""
    raise NotImplementedError("with_float_leaves is for compiled code")


JACOBIAN_PROGRAMS.update({"jacrev": _rows, "jacfwd": _columns})

for _maker in (jacrev, jacfwd, float_leaves, with_float_leaves):
    setattr(_maker, MAKER_ATTRIBUTE, _maker.__name__)
