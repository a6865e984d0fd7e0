"""What the records of the workloads say: seconds, ratios to the best peer, ratios of gradient to value."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import readable

OURS = "Arignote"


@dataclass(frozen=True)
class Line:
    """One quantity of one case: the median seconds of every system."""

    title: str
    case: str
    quantity: str
    ours: float
    peers: dict[str, float]
    first_call: float
    one_product: bool

    @property
    def best_peer(self) -> str | None:
        """The name of the fastest peer, None if there is none."""
        return min(self.peers, key=lambda name: self.peers[name]) if self.peers else None

    @property
    def ratio(self) -> float | None:
        """The best peer's time by ours."""
        return self.peers[self.best_peer] / self.ours if self.best_peer else None


def lines(records: Iterable[dict[str, Any]]) -> Iterator[Line]:
    """The lines of the table, in the order of the records."""
    for record in records:
        for case in record["cases"]:
            systems = case["systems"]
            for quantity in ("value", "gradient"):
                if quantity not in systems[OURS]:
                    continue
                peers = {name: found[quantity]["median"] for name, found in systems.items() if quantity in found and name != OURS}
                ours = systems[OURS]
                first = ours["first_call"][quantity]
                yield Line(record["title"], case["case"], quantity, ours[quantity]["median"], peers, first, record["one_product"])


def geometric_mean(values: Iterable[float]) -> float:
    """The geometric mean; NaN of nothing."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def lines_of(record: dict[str, Any]) -> list[str]:
    """A record as text for the terminal."""
    found = []
    for line in lines([record]):
        others = ", ".join(f"{name} {readable(seconds)}" for name, seconds in sorted(line.peers.items(), key=lambda each: each[1]))
        ratio = "" if line.ratio is None else f"x{line.ratio:.2f}"
        found.append(f"{line.title}, {line.case}, {line.quantity}: {readable(line.ours)} {ratio} [{others}] first {readable(line.first_call)}")
    for case in record["cases"]:
        found += [f"  {name} left out: {system['left_out']}" for name, system in case["systems"].items() if "left_out" in system]
        found += [f"  {name} disagrees: {system['difference']}" for name, system in case["systems"].items() if "disagrees" in system]
    return found
