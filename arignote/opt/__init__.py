"""The optimiser: what it does, in order. Every pass is a function from a graph to a graph that means the same."""

from __future__ import annotations

from collections.abc import Callable

from arignote.ir.graph import Function
from arignote.ir.records import dataclass
from arignote.opt.delayed_updates import delay_updates
from arignote.opt.prune import prune
from arignote.opt.settle import settle
from arignote.opt.shared_out import share_out
from arignote.opt.simplify import simplify


@dataclass(frozen=True)
class OptimiserPass:
    """One step of the optimiser."""

    name: str
    function: Callable[[Function], Function]
    why: str


PASSES: tuple[OptimiserPass, ...] = (
    OptimiserPass("settle", settle, "derivatives have been taken: calls with rules of their own become calls"),
    OptimiserPass("simplify", simplify, "calls are inlined and every rule applied, so that derivatives collapse"),
    OptimiserPass("prune", prune, "values that nobody reads are no longer passed, captured, carried or returned"),
    OptimiserPass("simplify again", simplify, "with fewer uses more is inlined, and constants passed are known inside"),
    OptimiserPass("prune again", prune, "what the simplification left unused"),
    OptimiserPass("share out", share_out, "loops that add up what recursive functions give become parts for threads"),
    OptimiserPass("delay updates", delay_updates, "outer products that recursive functions add up become products"),
)


def optimise(function: Function) -> Function:
    """The function, with all that it reaches, after all passes."""
    for step in PASSES:
        function = step.function(function)
    return function
