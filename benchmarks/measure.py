"""Timing: medians of runs that take turns in one process, so that all see the same machine."""

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Thunk = Callable[[], object]
Clock = Callable[[], float]


@dataclass
class Row:
    """One line of the table: seconds of Arignote and of the peers, and what was to be reached."""

    name: str
    seconds: float
    peers: dict[str, float] = field(default_factory=dict)
    target: str = ""
    limit: float | None = None  # None where the peer to compare with is not installed
    unit: str = "s"  # or "B", of memory; "", a number

    @property
    def passed(self) -> bool | None:
        """Whether the target is reached; None if it could not be told."""
        return None if self.limit is None else self.seconds <= self.limit


def calls_per_batch(function: Thunk, batch_seconds: float, clock: Clock) -> int:
    """How many calls last long enough for the clock."""
    function()
    start = clock()
    function()
    once = max(clock() - start, 1e-8)
    return max(1, min(100_000, int(batch_seconds / once)))


def take_turns(
    functions: dict[str, Thunk],
    rounds: int = 41,
    batch_seconds: float = 2e-3,
    clock: Clock = time.perf_counter,
    summary: Callable[[list[float]], float] = statistics.median,
) -> dict[str, float]:
    """The median seconds of one call of each function, or another summary of the rounds."""
    sizes = {name: calls_per_batch(function, batch_seconds, clock) for name, function in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, function in functions.items():
                repeat = range(sizes[name])
                start = clock()
                for _ in repeat:
                    function()
                times[name].append((clock() - start) / sizes[name])
    finally:
        gc.enable()
    return {name: summary(values) for name, values in times.items()}


def in_fresh_processes(program: str, rounds: int = 5) -> float:
    """The median of the numbers that a Python program prints, each time in a process of its own."""
    values = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        values.append(float(done.stdout.split()[-1]))
    return statistics.median(values)


UNITS = {
    "s": (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)),
    "B": (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)),
    "": (("", 1.0),),
}


def readable(value: float, unit: str = "s") -> str:
    """Seconds or bytes in the unit that suits them, or a number."""
    name, size = next((each for each in UNITS[unit] if value >= each[1]), UNITS[unit][-1])
    return f"{value / size:.3g} {name}".rstrip()
