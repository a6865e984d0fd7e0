"""Timing: medians of runs that take turns in one process, so that all see the same machine."""

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Thunk = Callable[[], object]


@dataclass
class Row:
    """One line of the table: seconds of Arignote and of the peers, and what was to be reached."""

    name: str
    seconds: float
    peers: dict[str, float] = field(default_factory=dict)
    target: str = ""
    limit: float | None = None  # seconds; None where the peer to compare with is not installed

    @property
    def passed(self) -> bool | None:
        """Whether the target is reached; None if it could not be told."""
        return None if self.limit is None else self.seconds <= self.limit


def calls_per_batch(function: Thunk, batch_seconds: float) -> int:
    """How many calls last long enough for the clock."""
    function()
    start = time.perf_counter()
    function()
    once = max(time.perf_counter() - start, 1e-8)
    return max(1, min(100_000, int(batch_seconds / once)))


def take_turns(functions: dict[str, Thunk], rounds: int = 41, batch_seconds: float = 2e-3) -> dict[str, float]:
    """The median seconds of one call of each function."""
    sizes = {name: calls_per_batch(function, batch_seconds) for name, function in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, function in functions.items():
                repeat = range(sizes[name])
                start = time.perf_counter()
                for _ in repeat:
                    function()
                times[name].append((time.perf_counter() - start) / sizes[name])
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}


def in_fresh_processes(program: str, rounds: int = 5) -> float:
    """The median of the seconds that a Python program prints, each time in a process of its own."""
    values = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        values.append(float(done.stdout.split()[-1]))
    return statistics.median(values)


def readable(seconds: float) -> str:
    """Seconds in the unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
