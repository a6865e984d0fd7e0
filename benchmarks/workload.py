"""What a workload is: a program in plain NumPy, its inputs, and the same in the systems that people use.

A workload is a module of `benchmarks/workloads` with a constant `WORKLOAD`. Arignote compiles `program` as it stands;
each peer builds what its own users would write. A builder gets the inputs of one case and returns what is to be timed:
thunks under the names "value" and "gradient" (the value and the gradient together, as a training step needs them), each
of which returns when its result is complete. Builders import their peer; where that fails the peer is left out.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Thunk = Callable[[], Any]
Thunks = Mapping[str, Thunk]
Builder = Callable[..., Thunks]


@dataclass(frozen=True)
class Limit:
    """What the machine must do at least: bytes through memory, or multiply-adds (two operations each) in products."""

    bytes: float = 0.0
    flops: float = 0.0
    dtype: str = "float64"


@dataclass(frozen=True)
class Case:
    """One size of a workload: how its inputs are made, and the least that the machine must do for each quantity."""

    name: str
    inputs: Callable[[], tuple[Any, ...]]
    limits: Mapping[str, Limit] = field(default_factory=dict)


@dataclass(frozen=True)
class Workload:
    """A program, what it is differentiated for, and the same program elsewhere.

    `gradient` are the argument numbers of the derivative, empty where only the value is timed. `plain` is the oracle
    where running `program` on NumPy would take minutes. Peers maps the name shown to a builder; a peer that cannot
    express the program is not in it, and `why_not` says why. `rtol` is for the comparison of results, relative to the
    largest entry.
    """

    name: str
    title: str
    program: Callable[..., Any]
    cases: tuple[Case, ...]
    gradient: tuple[int, ...] = ()
    peers: Mapping[str, Builder] = field(default_factory=dict)
    why_not: Mapping[str, str] = field(default_factory=dict)
    plain: Callable[..., Any] | None = None
    rtol: float = 1e-6
    one_product: bool = False  # dominated by one large matrix product
    memory: bool = False  # whether the peak memory of a step is compared


def arignote(workload: Workload, inputs: tuple[Any, ...]) -> Thunks:
    """The workload compiled by Arignote."""
    import arignote as ag

    value = ag.jit(workload.program)
    thunks: dict[str, Thunk] = {"value": lambda: value(*inputs)}
    if workload.gradient:
        both = ag.jit(ag.value_and_grad(workload.program, workload.gradient))
        thunks["gradient"] = lambda: both(*inputs)
    return thunks


def names() -> list[str]:
    """The names of all workloads, in alphabetical order."""
    from benchmarks import workloads

    return sorted(module.name for module in pkgutil.iter_modules(workloads.__path__) if not module.name.startswith("_"))


def load(name: str) -> Workload:
    """A workload by its name."""
    return importlib.import_module(f"benchmarks.workloads.{name}").WORKLOAD
