"""One workload in a process of its own: every system on the same inputs, in alternating rounds.

    python -m benchmarks.worker NAME [--peers JAX,Numba] [--case TEXT] [--seconds 1] [--patience 120]

prints one JSON object. `benchmarks.run` calls it for all workloads.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from benchmarks.bandwidth import least_seconds, machine
from benchmarks.turns import seconds_of_turns
from benchmarks.workload import Case, Thunk, Workload, arignote, load

OURS = "Arignote"
MACHINE = "the machine"
"""The name under which the machine's limits take turns with the systems."""


class OutOfPatienceError(Exception):
    """A system was not ready in the time that it was given."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Give up with OutOfPatienceError after that time."""

    def give_up(*_: object) -> None:
        raise OutOfPatienceError(f"not ready after {seconds:.0f} s")

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def leaves(tree: Any) -> list[np.ndarray[Any, Any]]:
    """The arrays of a result of any system, in the order of its structure; dicts by key."""
    if tree is None:
        return []
    if isinstance(tree, dict):
        return [leaf for name in sorted(tree) for leaf in leaves(tree[name])]
    if isinstance(tree, (list, tuple)):
        return [leaf for value in tree for leaf in leaves(value)]
    if hasattr(tree, "__dataclass_fields__"):
        return [leaf for name in tree.__dataclass_fields__ for leaf in leaves(getattr(tree, name))]
    if hasattr(tree, "detach"):
        tree = tree.detach()
    return [np.asarray(tree)]


def difference(found: Any, expected: Any) -> float:
    """The largest difference of two results relative to the largest entry of each array; inf if they do not match."""
    pairs = leaves(found), leaves(expected)
    if len(pairs[0]) != len(pairs[1]):
        return float("inf")
    worst = 0.0
    for one, other in zip(*pairs):
        if one.size != other.size:
            return float("inf")
        one, other = (array.ravel().astype(np.float64) for array in (one, other))
        if not np.array_equal(np.isfinite(one), np.isfinite(other)):
            return float("inf")
        finite = np.isfinite(other)
        scale = max(float(np.max(np.abs(other[finite]), initial=0.0)), 1e-30)
        worst = max(worst, float(np.max(np.abs(one[finite] - other[finite]), initial=0.0)) / scale)
    return worst


def builders(workload: Workload, chosen: set[str] | None) -> dict[str, Callable[..., Any]]:
    """What makes the thunks of each system that is to be measured."""
    found: dict[str, Callable[..., Any]] = {OURS: lambda *inputs: arignote(workload, inputs)}
    found |= {name: build for name, build in workload.peers.items() if chosen is None or name in chosen}
    return found


Started = tuple[dict[str, Thunk], dict[str, Any]]


def started(build: Callable[..., Any], inputs: tuple[Any, ...], limit: float) -> Started:
    """The thunks of a system, called once, with the seconds to their first result; or why there are none."""
    record: dict[str, Any] = {"first_call": {}}
    ready: dict[str, Thunk] = {}
    try:
        with patience(limit):
            start = time.perf_counter()
            thunks = build(*inputs)
            record["build"] = time.perf_counter() - start
        for quantity, thunk in thunks.items():
            with patience(limit):
                start = time.perf_counter()
                thunk()
                record["first_call"][quantity] = time.perf_counter() - start
            ready[quantity] = thunk
    except ImportError as error:
        record["left_out"] = f"not installed: {error}"
    except Exception as error:  # a peer may fail in any way: the table says so
        if build.__module__ == __name__:
            raise
        record["left_out"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"[:300]
    return ready, record


def measure(workload: Workload, case: Case, chosen: set[str] | None, seconds: float, limit: float) -> dict[str, Any]:
    """One case: first calls, agreement with plain NumPy and with each other, then the turns."""
    inputs = case.inputs()
    systems: dict[str, Any] = {}
    ready: dict[str, dict[str, Thunk]] = {}
    for name, build in builders(workload, chosen).items():
        ready[name], systems[name] = started(build, inputs, limit)
    expected = (workload.plain or workload.program)(*inputs)
    for name, thunks in ready.items():
        checks = {}
        if "value" in thunks:
            checks["value"] = difference(thunks["value"](), expected)
        if "gradient" in thunks and name != OURS:
            checks["gradient"] = difference(thunks["gradient"](), ready[OURS]["gradient"]())
        systems[name]["difference"] = checks
        wrong = [quantity for quantity, worst in checks.items() if not worst <= workload.rtol]
        if wrong and name == OURS:
            raise AssertionError(f"{workload.name}, {case.name}: {checks} from plain NumPy, allowed {workload.rtol}")
        if wrong:
            systems[name]["disagrees"] = wrong
            print(f"{workload.name}, {case.name}: {name} disagrees: {checks}", file=sys.stderr)
    turns = {(name, quantity): thunk for name, thunks in ready.items() for quantity, thunk in thunks.items()
             if quantity in ready[OURS] and quantity not in systems[name].get("disagrees", ())}
    limits = [limit for quantity, limit in case.limits.items() if quantity in ready[OURS]]
    work = machine(limits)
    found = seconds_of_turns({**turns, **{(MACHINE, rate): work[rate].run for rate in work}}, seconds)
    for name, quantity in turns:
        times = found[name, quantity]
        systems[name][quantity] = {"median": statistics.median(times), "best": min(times), "turns": len(times)}
    rates = {rate: work[rate].amount / statistics.median(found[MACHINE, rate]) for rate in work}
    add_fractions(case, systems, rates)
    return {"case": case.name, "systems": systems, "machine": rates,
            "limits": {quantity: vars(limit) for quantity, limit in case.limits.items()}}


def add_fractions(case: Case, systems: dict[str, Any], rates: dict[str, float]) -> None:
    """Adds which fraction of the machine's limit every system reaches, where one applies."""
    for quantity, limit in case.limits.items():
        for found in systems.values():
            if quantity in found:
                found[quantity]["fraction"] = least_seconds(limit, rates) / found[quantity]["median"]


def main() -> None:
    """Measure one workload and print the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--peers", help="only these, by commas; `none` for Arignote alone")
    parser.add_argument("--case", default="", help="only cases with this text in their name")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each system and quantity")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds that a system may take to be ready")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("ARIGNOTE_CACHE_DIR", tempfile.mkdtemp())
    workload = load(options.name)
    chosen = None if options.peers is None else set(options.peers.split(","))
    cases = [measure(workload, case, chosen, options.seconds, options.patience)
             for case in workload.cases if options.case in case.name]
    record = {"name": workload.name, "title": workload.title, "one_product": workload.one_product,
              "memory": workload.memory, "why_not": dict(workload.why_not), "cases": cases}
    json.dump(record, sys.stdout)


if __name__ == "__main__":
    main()
