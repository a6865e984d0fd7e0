"""Reproducers: when a pass fails, the graph that it failed on, as a file that runs it again.

# pass: simplify
# error: TypeRuleError: ...
# replay: arignote replay crash-0123456789ab.ir
@main(...) ...
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from arignote import pipeline
from arignote.backends.llvm import compile_program
from arignote.frontend.specialise import specialise
from arignote.ir.check import check
from arignote.ir.errors import CompileError
from arignote.ir.graph import Function
from arignote.ir.records import dataclass
from arignote.ir.structure import Structure
from arignote.ir.text import show
from arignote.ir.text_read import read
from arignote.ops.table import OPERATIONS
from arignote.runtime.symbols import symbols

BACKEND = "llvm"


@dataclass
class PassFailure(Exception):
    """A pass failed on a graph."""

    step: str
    graph: Function
    error: Exception

    def __str__(self) -> str:
        return f"pass {self.step!r}: {type(self.error).__name__}: {self.error}"


def steps_from(name: str) -> Iterator[tuple[str, Callable[[Function], Any]]]:
    """The passes over graphs from the one of this name on, to machine code."""
    names = [step.name for step in pipeline.PASSES[1:]]
    if name not in names:
        raise ValueError(f"no pass {name!r}; the passes are {', '.join(names)}")
    for step in pipeline.PASSES[1 + names.index(name) :]:
        yield step.name, step.run
    yield BACKEND, lambda lowered: compile_program(lowered.program, symbols())


def run_from(graph: Function, name: str) -> list[tuple[str, str]]:
    """(pass, graph text) for each pass from `name` on, verified. Raises PassFailure."""
    stages: list[tuple[str, str]] = []
    value: Any = graph
    last = graph
    for step, run in steps_from(name):
        try:
            value = run(value)
            if isinstance(value, Function):
                check(value)
        except CompileError:
            raise
        except Exception as error:
            raise PassFailure(step, last, error) from error
        if isinstance(value, Function):
            last = value
            stages.append((step, show(value)))
    return stages


def write(failure: PassFailure, directory: Path) -> Path:
    """Write the file that reproduces a failure; its name is a digest of the graph."""
    graph = show(failure.graph)
    name = f"crash-{hashlib.sha256(graph.encode()).hexdigest()[:12]}.ir"
    message = " ".join(f"{type(failure.error).__name__}: {failure.error}".splitlines()[:1])
    step = "lower" if failure.step == BACKEND else failure.step
    path = directory / name
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# pass: {step}\n# error: {message}\n# replay: arignote replay {name}\n\n{graph}")
    return path


def replay(path: Path) -> list[tuple[str, str]]:
    """Run the passes that a reproducer names on its graph. Raises PassFailure as long as it fails."""
    text = path.read_text()
    for line in text.splitlines():
        if line.startswith("# pass: "):
            return run_from(read(text, OPERATIONS), line.removeprefix("# pass: ").strip())
    raise ValueError(f"{path} does not say which pass it is for: its first line should be '# pass: name'")


def default_directory() -> Path:
    """Where reproducers go: ARIGNOTE_CRASH_DIR, or a folder among the temporary files."""
    given = os.environ.get("ARIGNOTE_CRASH_DIR")
    return Path(given) if given else Path(tempfile.gettempdir(), "arignote-crashes")


def report(target: Any, arguments: Sequence[Structure], keywords: Mapping[str, Structure],
           directory: Path | None = None) -> Path | None:  # fmt: skip
    """Compile again, pass by pass; the reproducer of the pass that fails, or None where there is no graph to show."""
    try:
        graph = specialise(target, tuple(arguments), dict(keywords), pipeline.Transforms()).main
    except Exception:  # the caller is raising this very error already
        return None
    try:
        run_from(graph, pipeline.PASSES[1].name)
    except PassFailure as failure:
        return write(failure, directory or default_directory())
    return None
