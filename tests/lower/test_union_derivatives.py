"""Derivatives of functions of trees, as native code: values of graphs, interpreted loop IR and machine code agree."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arignote.autodiff.check import pulled, pushed, tangent_like
from arignote.ir.check import check
from arignote.ir.graph import Function
from arignote.ir.types import UNIT, Tuple, Type
from arignote.opt import optimise
from tests.autodiff import trees
from tests.lower.harness import agree, agree_interpreted

CASES: dict[str, tuple[Callable[[], Function], Callable[[np.random.Generator], list[Any]]]] = {
    "tree": (trees.tree_value, lambda r: [trees.tree(5, r), 0.7]),
    "nothing": (trees.tree_value, lambda r: [trees.tree(0, r), 0.7]),
    "arrays": (trees.vectors_value, lambda r: [trees.vectors(4, r), r.normal(size=3)]),
    "rose": (trees.rose_value, lambda r: [trees.rose(2, r)]),
    "expression": (trees.expression_value, lambda r: [trees.expression(4, r), 0.8]),
    "chain": (trees.chain_value, lambda r: [trees.chain(5, r), 0.8]),
}


def settled(value: Any, type_: Type) -> Any:
    """A tangent that the harness can pass on."""
    if isinstance(type_, Tuple) and isinstance(value, tuple):
        return tuple(settled(v, t) for v, t in zip(value, type_.items, strict=True))
    return () if type_ is UNIT else value


@pytest.mark.parametrize("order", ["rev", "fwd", "rev rev", "fwd rev"])
@pytest.mark.parametrize("case", CASES)
def test_derivative(case: str, order: str) -> None:
    make, values = CASES[case]
    function, generator = make(), np.random.default_rng(3)
    arguments = values(generator)
    for mode in reversed(order.split()):
        transform = pulled if mode == "rev" else pushed
        types = [p.type for p in function.parameters]
        if mode == "rev":
            arguments = [*arguments, tangent_like(_zero(function, arguments), function.result_type, generator)]
        else:
            arguments += [tangent_like(v, t, generator) for v, t in zip(arguments, types, strict=True)]
        function = transform(function, tuple([True] * len(types)))
    check(function)
    better = optimise(function)
    check(better)
    agree_interpreted(function, *arguments)
    agree(better, *arguments, tolerance=1e-9)


def _zero(function: Function, arguments: list[Any]) -> Any:
    from arignote.ir.evaluate import evaluate

    return evaluate(function, *arguments)
