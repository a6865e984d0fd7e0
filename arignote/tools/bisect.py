"""Find the one rewrite of the optimiser that makes a program wrong.

All rewriting spends fuel (`arignote.opt.rewrite`), so the programs with 0, 1, 2 ... rewrites form a line from right
to wrong, and the first wrong one is found in a logarithmic number of runs.

    arignote bisect script.py [argument ...]        right: it ends without an exception, with exit status 0
    arignote bisect -m pytest test_file.py::test
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from arignote.ir.records import dataclass
from arignote.opt.rewrite import Fuel, with_fuel


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run: whether it was right, how many rewrites it made, and what the last one allowed was."""

    good: bool
    spent: int
    last: str


@dataclass(frozen=True, slots=True)
class Found:
    """The answer. `number` is the first wrong rewrite, counted from 1; 0 where it is wrong without any; None where no
    number of rewrites makes it wrong."""

    number: int | None
    total: int
    rewrite: str

    def __str__(self) -> str:
        if self.number is None:
            return f"right with all {self.total} rewrites: nothing to find"
        if self.number == 0:
            return "wrong without any rewrite: the optimiser's rules are not the cause"
        return f"rewrite {self.number} of {self.total} makes it wrong: {self.rewrite}"


def search(attempt: Callable[[int | None], Attempt], report: Callable[[str], None] = lambda line: None) -> Found:
    """The first wrong rewrite. `attempt(n)` runs the program with at most n rewrites (None: without limit)."""
    whole = attempt(None)
    if whole.good:
        return Found(None, whole.spent, "")
    if not attempt(0).good:
        return Found(0, whole.spent, "")
    good, bad = 0, whole.spent
    last = attempt(bad)
    while bad - good > 1:
        middle = (good + bad) // 2
        tried = attempt(middle)
        report(f"{middle:>8} rewrites: {'right' if tried.good else 'wrong'}")
        if tried.good:
            good = middle
        else:
            bad, last = middle, tried
    return Found(bad, whole.spent, last.last)


def in_process(is_good: Callable[[], bool]) -> Found:
    """The first rewrite after which `is_good()` is false. It must compile what it tests anew each time it is called."""

    def attempt(limit: int | None) -> Attempt:
        with with_fuel(limit) as fuel:
            good = is_good()
        return _attempt(good, fuel)

    return search(attempt)


def _attempt(good: bool, fuel: Fuel) -> Attempt:
    return Attempt(good, fuel.spent.total(), fuel.last)


def of_command(arguments: Sequence[str], report: Callable[[str], None] = lambda line: None) -> Found:
    """The first rewrite that makes a Python script (or `-m module`) fail, each attempt in a process of its own."""

    def attempt(limit: int | None) -> Attempt:
        with tempfile.TemporaryDirectory() as folder:
            answer = Path(folder, "answer.json")
            command = [sys.executable, "-m", "arignote.tools.bisect", str(answer), str(limit), *arguments]
            # Machine code of another process would hide what this one's rewrites do.
            environment = {**os.environ, "ARIGNOTE_CACHE_DIR": ""}
            subprocess.run(command, env=environment, capture_output=True, check=False)
            if not answer.exists():
                return Attempt(False, 0, "the process died")
            return Attempt(**json.loads(answer.read_text()))

    return search(attempt, report)


def _run_limited(answer: str, limit: str, arguments: Sequence[str]) -> None:
    """One attempt, in the process made for it: run the script and write down how it went."""
    with with_fuel(None if limit == "None" else int(limit)) as fuel:
        good = _succeeds(arguments)
    found = _attempt(good, fuel)
    Path(answer).write_text(json.dumps({"good": found.good, "spent": found.spent, "last": found.last}))


def _succeeds(arguments: Sequence[str]) -> bool:
    """Whether a script ends well. Whatever it raises is the answer that is looked for."""
    sys.path.insert(0, os.getcwd())
    try:
        if arguments[0] == "-m":
            sys.argv = list(arguments[1:])
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(arguments)
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as ended:
        return ended.code in (None, 0)
    except BaseException:
        return False
    return True


if __name__ == "__main__":
    _run_limited(sys.argv[1], sys.argv[2], sys.argv[3:])
