"""Graphs built by hand, for the tests of the transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from arignote.autodiff.check import numeric_vjp_check
from arignote.ir.check import check
from arignote.ir.graph import Function, Node, Parameter
from arignote.ir.structure import MANY
from arignote.ir.types import FLOAT64, INT64, Array, Type
from arignote.ops.emit import Emit

VECTOR, MATRIX = Array("float64", (MANY,)), Array("float64", (MANY, MANY))
F64, I64 = FLOAT64, INT64


class Build(Emit):
    """An Emit with the operations as methods: `e.sin(x)`."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *inputs, **attributes: self.op(name, *map(self.lift, inputs), **attributes)

    def lift(self, value: Any) -> Node:
        if isinstance(value, Node):
            return value
        return self.constant(value, "int64" if isinstance(value, int) else "float64")

    def total(self, x: Node) -> Node:
        return self.op("sum", x, axes=tuple(range(x.type.rank)))  # type: ignore[attr-defined]


def define(name: str, types: Sequence[Type], body: Callable[..., Node]) -> Function:
    """A function whose result is `body(e, *parameters)`."""
    emit = Build()
    parameters = [Parameter(f"x{i}", t) for i, t in enumerate(types)]
    function = Function(name, parameters, body(emit, *parameters))
    check(function)
    return function


def array(*shape: int, seed: int = 0, low: float = 0.5, high: float = 1.5) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(low, high, shape)


def verify(function: Function, *args: Any, order: int = 2, **options: Any) -> None:
    """Reverse and forward mode, to an order, against differences."""
    numeric_vjp_check(function, args, order, **options)
