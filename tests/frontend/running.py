"""Run a Python function by way of its graph: specialise, check, evaluate by the reference interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np

from arignote.autodiff.reverse import vjp
from arignote.frontend.specialise import Specialised, specialise
from arignote.ir.check import check
from arignote.ir.describe import structure_of
from arignote.ir.evaluate import evaluate
from arignote.ir.structure import ArrayOf, PythonScalarOf, leaf_structures
from arignote.ir.structure_values import leaves_of, rebuild
from arignote.opt.tail_calls import make_loops


class Transforms:
    vjp = staticmethod(vjp)
    tail_calls = staticmethod(make_loops)


def graph(function: Any, *arguments: Any, **keywords: Any) -> Specialised:
    """The checked graph of a function for these arguments."""
    structures = tuple(map(structure_of, arguments))
    named = {name: structure_of(value) for name, value in keywords.items()}
    found = specialise(function, structures, named, Transforms())
    check(found.main)
    return found


def run(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """What the function's graph gives for these arguments."""
    program = graph(function, *arguments, **keywords)
    leaves: list[Any] = []
    for value in (*arguments, *keywords.values()):
        leaves += leaves_of(structure_of(value), value)
    for capture in program.captures:
        leaves += leaves_of(capture.structure, capture.read()) if capture.structure is not None else []
    leaves = [leaf[()] if isinstance(leaf, np.ndarray) and leaf.ndim == 0 else leaf for leaf in leaves]
    _, *results = evaluate(program.main, *leaves)
    kinds = leaf_structures(program.result)
    return rebuild(program.result, [_leave(kind, value) for kind, value in zip(kinds, results, strict=True)])


def _leave(kind: Any, value: Any) -> Any:
    if isinstance(kind, ArrayOf):
        return np.asarray(value)
    return value.item() if isinstance(kind, PythonScalarOf) else value
