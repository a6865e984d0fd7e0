"""Alternating rounds: every system, quantity and limit of the machine takes turns, and all see the same machine.

A machine that is shared has phases, of seconds to minutes, in which everything is half as fast. What is to be compared
(a peer with us, a gradient with its value, a loop with a copy) is therefore measured turn by turn, never one after the
other, and the medians are of many short turns. Whoever is slow gets fewer of them, spread over the same time.
"""

import gc
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.workload import Thunk

Name = TypeVar("Name", bound=Hashable)

BATCH_SECONDS = 10e-3
LEAST_TURNS = 5
SETTLE_STEP, SETTLE_STEPS = 5e-3, 60
"""After a turn: thread pools (of OpenBLAS, OpenMP) spin for up to 120 ms after their last work, and would take the
processors from the next. The first call of a turn, which wakes its own threads, is not counted."""


@dataclass
class Player:
    """Who takes turns: calls in a turn, the seconds it may use in all, those it has used, and those of one call."""

    thunk: Thunk
    calls: int
    seconds: float
    spent: float = 0.0
    times: list[float] = field(default_factory=list)

    @property
    def progress(self) -> float:
        """The part that it has had of its seconds, or of the turns that all have."""
        return min(self.spent / self.seconds, len(self.times) / LEAST_TURNS)

    def take_turn(self) -> None:
        """One call that is not counted, those that are, and the time until no thread works any more."""
        before = time.perf_counter()
        self.thunk()
        start = time.perf_counter()
        for _ in range(self.calls):
            self.thunk()
        self.times.append((time.perf_counter() - start) / self.calls)
        settle()
        self.spent += time.perf_counter() - before


def seconds_of_turns(thunks: Mapping[Name, Thunk], seconds: float) -> dict[Name, list[float]]:
    """The seconds of a call in each turn; every thunk gets that many seconds, more if it needs them for five turns."""
    players = {name: player(thunk, seconds) for name, thunk in thunks.items()}
    settle()
    gc.collect()
    gc.disable()
    try:
        while True:
            behind = min(players.values(), key=lambda each: each.progress)
            if behind.progress >= 1.0:
                break
            behind.take_turn()
    finally:
        gc.enable()
    return {name: each.times for name, each in players.items()}


def player(thunk: Thunk, seconds: float) -> Player:
    """A player whose turns last long enough for the clock."""
    once = min(_timed(thunk), _timed(thunk))
    calls = max(1, min(100_000, int(BATCH_SECONDS / max(once, 1e-8))))
    return Player(thunk, calls, seconds)


def _timed(thunk: Thunk) -> float:
    start = time.perf_counter()
    thunk()
    return time.perf_counter() - start


def settle() -> None:
    """Waits until no thread of this process works any more."""
    for _ in range(SETTLE_STEPS):
        before = time.process_time()
        time.sleep(SETTLE_STEP)
        if time.process_time() - before < SETTLE_STEP / 10:
            return
