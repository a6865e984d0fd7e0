"""Numerical checks of derivatives, on graphs.

For a random direction v and a random cotangent w, the number w . J v is computed by the transform and by central
differences. Derivatives of higher order are checked by applying the same check to the function that the transform made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.autodiff.forward import jvp
from arignote.autodiff.reverse import vjp
from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.graph import Function, Parameter
from arignote.ir.types import Array, List, Scalar, Tuple, Type, Union, is_differentiable, tangent_type
from arignote.ops.emit import Emit


def pulled(function: Function, wrt: tuple[bool, ...]) -> Function:
    """(*parameters, cotangent) -> cotangents of the parameters in `wrt`."""
    emit = Emit()
    parameters = [Parameter(p.name, p.type) for p in function.parameters]
    cotangent = Parameter("w", tangent_type(function.result_type))
    pair = emit.call(vjp(function, wrt), *parameters)
    result = emit.op("call", emit.item(pair, 1), cotangent)
    return Function(f"pulled_{function.name}", [*parameters, cotangent], result)


def pushed(function: Function, active: tuple[bool, ...]) -> Function:
    """(*parameters, *tangents of those active) -> tangent of the result."""
    emit = Emit()
    parameters = [Parameter(p.name, p.type) for p in function.parameters]
    tangents = [
        Parameter(f"d{p.name}", tangent_type(p.type)) for p, flag in zip(parameters, active, strict=True) if flag
    ]
    pair = emit.call(jvp(function, active), *parameters, *tangents)
    return Function(f"pushed_{function.name}", [*parameters, *tangents], emit.item(pair, 1))


def tangent_like(value: Any, type_: Type, generator: np.random.Generator) -> Any:
    """A random tangent at a value."""
    if not is_differentiable(type_) and not isinstance(type_, Tuple):
        return ()
    if isinstance(type_, Tuple):
        return tuple(tangent_like(x, t, generator) for x, t in zip(value, type_.items, strict=True))
    if isinstance(type_, List):
        return [tangent_like(x, type_.element, generator) for x in value]
    if isinstance(type_, Union):
        tag, payload = value
        return _tangent_union(type_, tag, tangent_like(payload, type_.alternatives[tag], generator))
    assert isinstance(type_, Scalar | Array)
    return generator.standard_normal(np.shape(value)).astype(type_.dtype)[()]


def _tangent_union(type_: Union, tag: int, tangent: Any) -> Any:
    """The tangent of a union that holds this alternative."""
    tag = type_.definition.tangent_alternative(tag)
    return (tag, tangent) if is_differentiable(type_.definition.tangent.alternatives[tag]) else (0, ())


def moved(value: Any, tangent: Any, step: float, type_: Type) -> Any:
    """value + step * tangent, part by part."""
    if not is_differentiable(type_):
        return value
    if isinstance(type_, Union):
        tag, payload = value
        return value if tangent[0] == 0 else (tag, moved(payload, tangent[1], step, type_.alternatives[tag]))
    if isinstance(type_, Tuple):
        return tuple(moved(x, t, step, item) for x, t, item in zip(value, tangent, type_.items, strict=True))
    if isinstance(type_, List):
        return [moved(x, t, step, type_.element) for x, t in zip(value, tangent, strict=True)]
    return value + step * tangent


def inner(a: Any, b: Any, type_: Type) -> float:
    """The inner product of two tangents, whose type this is."""
    if isinstance(type_, Union):
        if a[0] == 0 or b[0] == 0:
            return 0.0
        assert a[0] == b[0], (a, b)
        return inner(a[1], b[1], type_.alternatives[a[0]])
    if isinstance(type_, Tuple):
        assert len(a) == len(b), (a, b)
        return sum((inner(x, y, t) for x, y, t in zip(a, b, type_.items, strict=True)), 0.0)
    if isinstance(type_, List):
        assert len(a) == len(b), (a, b)
        return sum((inner(x, y, type_.element) for x, y in zip(a, b, strict=True)), 0.0)
    assert np.shape(a) == np.shape(b), (np.shape(a), np.shape(b))
    return float(np.sum(np.asarray(a, np.float64) * np.asarray(b, np.float64)))


def difference(a: Any, b: Any, type_: Type, scale: float) -> Any:
    """(a - b) * scale as a tangent."""
    if isinstance(type_, Tuple):
        return tuple(difference(x, y, t, scale) for x, y, t in zip(a, b, type_.items, strict=True))
    if not is_differentiable(type_):
        return ()
    if isinstance(type_, List):
        return [difference(x, y, type_.element, scale) for x, y in zip(a, b, strict=True)]
    if isinstance(type_, Union):
        (tag, x), (_, y) = a, b
        return _tangent_union(type_, tag, difference(x, y, type_.alternatives[tag], scale))
    return (a - b) * scale


def numeric_vjp_check(function: Function, args: Sequence[Any], order: int = 1, modes: Sequence[str] = ("rev", "fwd"),
                      wrt: tuple[bool, ...] | None = None, step: float = 1e-5, tolerance: float = 2e-6,
                      seed: int = 0) -> None:  # fmt: skip
    """Check the derivatives of a graph at `args` up to `order`, in all combinations of modes. Raises AssertionError."""
    flags = tuple(is_differentiable(p.type) for p in function.parameters) if wrt is None else wrt
    generator = np.random.default_rng(seed)
    tangents = [tangent_like(x, p.type, generator) if flag else ()
                for x, p, flag in zip(args, function.parameters, flags, strict=True)]  # fmt: skip
    expected, slope = _by_differences(function, args, tangents, step)
    cotangent = tangent_like(expected, function.result_type, generator)
    result_type = tangent_type(function.result_type)
    wanted = inner(cotangent, slope, result_type)
    scale = 1.0 + abs(wanted)
    for mode in modes:
        made = vjp(function, flags) if mode == "rev" else jvp(function, flags)
        check(made)
        given = [t for t, flag in zip(tangents, flags, strict=True) if flag]
        if mode == "rev":
            derived, extra = pulled(function, flags), [cotangent]
            found = inner(evaluate(derived, *args, cotangent), tuple(given), derived.result_type)
        else:
            derived, extra = pushed(function, flags), given
            found = inner(evaluate(derived, *args, *given), cotangent, result_type)
        assert abs(found - wanted) <= tolerance * scale, f"{function.name}, {mode}: {found} is not {wanted}"
        if order > 1:
            again = flags + tuple(is_differentiable(p.type) for p in derived.parameters[len(flags) :])
            numeric_vjp_check(derived, [*args, *extra], order - 1, modes, again, step, tolerance, seed + 1)


def _by_differences(function: Function, args: Sequence[Any], tangents: Sequence[Any], step: float) -> tuple[Any, Any]:
    """The result, and its derivative along the tangents."""
    ahead, behind = (
        [moved(x, t, sign * step, p.type) for x, t, p in zip(args, tangents, function.parameters, strict=True)]
        for sign in (1, -1)
    )
    result = evaluate(function, *args)
    slope = difference(evaluate(function, *ahead), evaluate(function, *behind), function.result_type, 0.5 / step)
    return result, slope
