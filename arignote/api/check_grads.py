"""Numerical checks of derivatives.

A derivative is checked by random projections: for a random direction v and a random cotangent w, the product w . J v by
the compiled derivative must equal the one by central differences (as in HIPS autograd's `check_grads`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote.api.derivatives import hvp
from arignote.api.transforms import grad, jit, jvp
from arignote.ir.structure_values import map_leaves


def _flat(value: Any) -> np.ndarray[Any, Any]:
    """The float leaves of a tree as one float64 vector."""
    floats: list[np.ndarray[Any, Any]] = []

    def keep(leaf: Any) -> None:
        array = np.asarray(leaf)
        if array.dtype.kind == "f":
            floats.append(array.astype(np.float64).ravel())

    map_leaves(keep, value)
    return np.concatenate(floats) if floats else np.zeros(0)


def _moved(value: Any, direction: np.ndarray[Any, Any], step: float) -> Any:
    """The tree with its float leaves moved along the direction."""
    position = 0

    def move(leaf: Any) -> Any:
        nonlocal position
        array = np.asarray(leaf)
        if array.dtype.kind != "f":
            return leaf
        part = direction[position : position + array.size].reshape(array.shape)
        position += array.size
        moved = (array + step * part).astype(array.dtype)
        return moved if isinstance(leaf, np.ndarray) else type(leaf)(moved)

    return map_leaves(move, value)


def check_grads(fun: Callable[..., Any], args: Sequence[Any], order: int = 2, modes: Sequence[str] = ("fwd", "rev"),
                step: float = 1e-5, tolerance: float = 1e-5, seed: int = 0) -> None:  # fmt: skip
    """Check the derivatives of a scalar-valued function at `args`, with respect to all of them, up to `order`.

    fun:   takes float64 arrays, scalars and trees of them; returns one float scalar
    args:  its arguments, in a tuple or list
    order: 1 or higher. Second order is forward over reverse mode, or reverse over reverse where "fwd" is not asked for;
           third order is the second of a derivative along a random direction, and so on
    modes: "fwd", "rev" or both
    step:  of the central differences; tolerance: how far apart the two may be, absolutely and relatively, and ten times
           as far for the second order; seed: of the random directions

    Raises AssertionError, with both values, where a compiled derivative and central differences disagree, and
    ValueError for another order or mode.
    """
    if order < 1:
        raise ValueError(f"order must be 1 or higher, not {order!r}")
    unknown = set(modes) - {"fwd", "rev"}
    if unknown:
        raise ValueError(f"unknown modes {sorted(unknown)}: there are 'fwd' and 'rev'")
    generator = np.random.default_rng(seed)
    argnums = tuple(range(len(args)))
    _check(fun, tuple(args), argnums, order, modes, step, tolerance, generator)


def _check(fun: Callable[..., Any], args: tuple[Any, ...], argnums: tuple[int, ...], order: int, modes: Sequence[str],
           step: float, tolerance: float, generator: np.random.Generator) -> None:  # fmt: skip
    gradient = grad(fun, argnums=argnums)
    direction = generator.standard_normal(_flat(args).size)
    ahead, behind = (float(fun(*_moved(args, direction, sign * step))) for sign in (1, -1))
    numeric = (ahead - behind) / (2 * step)
    for mode in modes:
        if mode == "rev":
            exact = float(_flat(gradient(*args)) @ direction)
        else:
            exact = float(jvp(fun, args, _along(args, direction))[1])
        if not np.isclose(exact, numeric, rtol=tolerance, atol=tolerance):
            raise AssertionError(f"mode {mode}: {exact!r} along a random direction, central differences {numeric!r}")
    if order > 1:
        weights = generator.standard_normal(direction.size)

        def projected(*values: Any) -> float:
            return float(_flat(gradient(*values)) @ weights)

        product = (lambda *v: jvp(gradient, args, v)[1]) if "fwd" in modes else (lambda *v: hvp(fun, args, v))
        _check_projection(product, projected, args, weights, step, tolerance, generator)
    if order > 2:
        towards = _along(args, generator.standard_normal(direction.size))
        slope = jit(lambda *values: jvp(fun, values, towards)[1])
        _check(slope, args, argnums, order - 1, modes, step, tolerance, generator)


def _check_projection(product: Callable[..., Any], projected: Callable[..., float], args: tuple[Any, ...],
                      weights: np.ndarray[Any, Any], step: float, tolerance: float,
                      generator: np.random.Generator) -> None:  # fmt: skip
    """Second order: the compiled derivative of w . grad(fun) against central differences of it."""
    direction = generator.standard_normal(weights.size)
    exact = float(_flat(product(*_along(args, direction))) @ weights)
    ahead, behind = (projected(*_moved(args, direction, sign * step)) for sign in (1, -1))
    numeric = (ahead - behind) / (2 * step)
    if not np.isclose(exact, numeric, rtol=10 * tolerance, atol=10 * tolerance):
        raise AssertionError(f"second order: compiled {exact!r}, central differences of the gradient {numeric!r}")


def _along(args: tuple[Any, ...], direction: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    """A vector as tangents of the arguments."""
    moved: tuple[Any, ...] = _moved(tuple(map(_zeros, args)), direction, 1.0)
    return moved


def _zeros(value: Any) -> Any:
    return map_leaves(lambda leaf: leaf * 0, value)
