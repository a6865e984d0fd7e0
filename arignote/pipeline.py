"""The one list of passes, in order, and the function that runs them.

A pass is a function graph -> graph (the first makes the graph from Python, the last turns it into loop nests). Each
says why it is there and what must have run before it; the order is checked when this module is read. With `verify` on
(ARIGNOTE_VERIFY=1, always in tests) the checker of the stage runs after every pass, and a failure names the pass.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Any

from arignote.frontend.specialise import Specialised, specialise
from arignote.ir.check import check
from arignote.ir.graph import Function
from arignote.ir.records import dataclass, field
from arignote.ir.structure import Structure
from arignote.ir.text import show
from arignote.ir.types import Type
from arignote.lower.lower import Lowered, lower
from arignote.opt import PASSES as OPTIMISER_PASSES


@dataclass(frozen=True)
class Pass:
    """One step of the compiler. `reads` and `gives` name the languages at its two ends."""

    name: str
    why: str
    run: Callable[..., Any]
    after: tuple[str, ...] = ()
    reads: str = "graph"
    gives: str = "graph"


@dataclass
class Stage:
    """What a pass left behind."""

    name: str
    seconds: float
    function: Function | None = None

    def text(self) -> str:
        return "" if self.function is None else show(self.function)


@dataclass
class Compilation:
    """A program on its way through the pipeline."""

    specialised: Specialised
    lowered: Lowered
    stages: list[Stage] = field(default_factory=list)


class Transforms:
    """The program transformations that the front end applies to finished functions; read in when one is asked for, as
    many programs never do."""

    @staticmethod
    def jvp(function: Function, active: tuple[bool, ...]) -> Function:
        from arignote.autodiff.forward import jvp

        return jvp(function, active)

    @staticmethod
    def vjp(function: Function, wrt: tuple[bool, ...]) -> Function:
        from arignote.autodiff.reverse import vjp
        from arignote.opt.distribution import distribute

        return vjp(distribute(function), wrt)

    @functools.cached_property
    def _batcher(self) -> Any:
        from arignote.batching.transform import Batcher

        return Batcher()

    def batch(self, function: Function, masks: tuple[Any, ...], dim: int, whole: tuple[bool, ...]) -> Any:
        from arignote.batching.batch import batch

        return batch(self._batcher, function, masks, dim, whole)

    @staticmethod
    def batched_type(type_: Type, mask: Any, dim: int) -> Type:
        from arignote.batching.masks import batched_type

        return batched_type(type_, mask, dim)

    @staticmethod
    def silenced(function: Function) -> Function:
        from arignote.opt.settle import silenced

        return silenced(function)

    @staticmethod
    def tail_calls(function: Function) -> None:
        from arignote.opt.tail_calls import make_loops

        make_loops(function)


def _passes() -> tuple[Pass, ...]:
    first = Pass("specialise", "run what is static, emit typed nodes for the rest", specialise, reads="python")
    optimiser = [Pass(p.name, p.why, p.function, ("specialise",)) for p in OPTIMISER_PASSES]
    last = Pass("lower", "arrays become loop nests over memory, fused", lower, ("specialise",), gives="loop IR")
    return (first, *optimiser, last)


PASSES = _passes()


def verify_order(passes: tuple[Pass, ...]) -> None:
    """Every pass runs after those it names."""
    seen: set[str] = set()
    for step in passes:
        missing = set(step.after) - seen
        if missing:
            raise AssertionError(f"pass {step.name} must come after {', '.join(sorted(missing))}")
        seen.add(step.name)


verify_order(PASSES)


def should_verify() -> bool:
    return os.environ.get("ARIGNOTE_VERIFY", "0") not in ("", "0")


class PassError(AssertionError):
    """A pass broke an invariant: names the pass and the function."""


def run(function: Any, arguments: tuple[Structure, ...], keywords: dict[str, Structure],
        keep: bool = False, assumes: bool = False) -> Compilation:  # fmt: skip
    """Take a Python function through all passes for these argument structures. `keep` records the graph after each;
    `assumes`: whether it may raise WrongAssumption, to be compiled again."""
    verify = should_verify()
    stages: list[Stage] = []
    started = time.perf_counter()
    specialised = specialise(function, arguments, keywords, Transforms(), assumes)
    graph = specialised.main
    stages.append(Stage("specialise", time.perf_counter() - started, graph if keep else None))
    if verify:
        _verified(graph, "specialise")
    for step in PASSES[1:-1]:
        started = time.perf_counter()
        graph = step.run(graph)
        stages.append(Stage(step.name, time.perf_counter() - started, graph if keep else None))
        if verify:
            _verified(graph, step.name)
    started = time.perf_counter()
    lowered = lower(graph)
    stages.append(Stage("lower", time.perf_counter() - started))
    return Compilation(specialised, lowered, stages)


def _verified(graph: Function, name: str) -> None:
    try:
        check(graph)
    except AssertionError as error:
        raise PassError(f"after pass {name} of {graph.name}: {error}") from error
