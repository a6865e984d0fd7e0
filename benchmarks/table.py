"""What the records of the workloads say: seconds, ratios to the best peer, ratios of gradient to value."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measure import readable

OURS = "Arignote"
ONE_PRODUCT_GOAL = 0.95
"""The ratio that is enough where one large matrix product takes most of the time; 1.0 elsewhere."""


@dataclass(frozen=True)
class Line:
    """One quantity of one case: the median seconds of every system.

    `fraction` is the part of the machine's limit that is reached, where one applies; `memory` the bytes of a step.
    """

    title: str
    case: str
    quantity: str
    ours: float
    peers: dict[str, float]
    first_call: float
    one_product: bool
    fraction: float | None = None
    memory: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells the line from the others."""
        return f"{self.title}, {self.case}, {self.quantity}"

    @property
    def best_peer(self) -> str | None:
        """The name of the fastest peer, None if there is none."""
        return min(self.peers, key=lambda name: self.peers[name]) if self.peers else None

    @property
    def ratio(self) -> float | None:
        """The best peer's time by ours."""
        return self.peers[self.best_peer] / self.ours if self.best_peer else None

    @property
    def is_behind(self) -> bool:
        """Whether the best peer is faster than it may be."""
        return self.ratio is not None and self.ratio < (ONE_PRODUCT_GOAL if self.one_product else 1.0)


def lines(records: Iterable[dict[str, Any]]) -> Iterator[Line]:
    """The lines of the table, in the order of the records."""
    for record in records:
        for case in record["cases"]:
            for quantity in ("value", "gradient"):
                if quantity in case["systems"][OURS]:
                    yield _line(record, case, quantity)


def _line(record: dict[str, Any], case: dict[str, Any], quantity: str) -> Line:
    systems = case["systems"]
    seconds = {name: found[quantity]["median"] for name, found in systems.items() if quantity in found}
    last = [each for each in ("value", "gradient") if each in systems[OURS]][-1]
    memory = {name: found["peak_memory"] for name, found in systems.items() if "peak_memory" in found}
    return Line(record["title"], case["case"], quantity, seconds.pop(OURS), seconds,
                systems[OURS]["first_call"][quantity], record["one_product"],
                systems[OURS][quantity].get("fraction"), memory if quantity == last else {})  # fmt: skip


def gradient_ratios(records: Iterable[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """How often the value's time the value with its gradient takes, by title and case."""
    found = {(line.title, line.case, line.quantity): line.ours for line in lines(records)}
    return {(title, case): seconds / found[title, case, "value"] for (title, case, quantity), seconds in found.items()
            if quantity == "gradient" and (title, case, "value") in found}  # fmt: skip


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean; NaN of nothing."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def lines_of(record: dict[str, Any]) -> list[str]:
    """A record as text for the terminal."""
    found = [_shown(line) for line in lines([record])]
    for case in record["cases"]:
        for name, system in case["systems"].items():
            if "left_out" in system:
                found.append(f"  {name} left out: {system['left_out']}")
            if "disagrees" in system:
                found.append(f"  {name} disagrees: {system['difference']}")
    return found


def _shown(line: Line) -> str:
    fastest_first = sorted(line.peers.items(), key=lambda each: each[1])
    others = ", ".join(f"{name} {readable(seconds)}" for name, seconds in fastest_first)
    parts = [f"{line.name}: {readable(line.ours)}"]
    if line.ratio is not None:
        parts.append(f"x{line.ratio:.2f} [{others}]")
    parts.append(f"first {readable(line.first_call)}")
    if line.fraction is not None:
        parts.append(f"{line.fraction:.0%} of the limit")
    if line.memory:
        parts.append("memory " + ", ".join(f"{name} {readable(size, 'B')}" for name, size in line.memory.items()))
    return " ".join(parts)
