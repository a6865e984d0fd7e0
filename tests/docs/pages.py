"""Pages of documentation as programs: what a page shows is what running it gives.

A ```python block runs; all blocks of a page share one namespace, as if the page were one file. In a ```sh block each
line is a command `arignote ...`. A block that follows and is marked as output (```text output) is what was printed;
`...` in it stands for anything. A block may end with an exception only where its output shows it.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import linecache
import re
import shlex
import sys
import traceback
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arignote.tools.command_line import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass
class Block:
    """A fenced block: its language, whether it is marked as output, the line of its first line, its lines."""

    language: str
    is_output: bool
    line: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    current: Block | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("```"):
            if current is not None:
                current.lines.append(line)
        elif current is None:
            language, *marks = line[3:].split() or [""]
            current = Block(language, "output" in marks, number + 1, [])
        else:
            found.append(current)
            current = None
    assert current is None, f"the block at line {current and current.line} does not end"
    return found


def steps(found: list[Block]) -> Iterator[tuple[Block, Block | None]]:
    """What runs, with the output that the page shows for it."""
    for block, after in itertools.zip_longest(found, found[1:]):
        if block.language in ("python", "sh") and not block.is_output:
            yield block, after if after is not None and after.is_output else None


class PageProgram:
    """A page on its way through its blocks."""

    def __init__(self, path: Path) -> None:
        self.name = str(path.relative_to(ROOT))
        text = path.read_text(encoding="utf-8")
        self.blocks = blocks(text)
        module = types.ModuleType("__page__")
        sys.modules["__page__"] = module  # dataclasses look for the module of a class
        self.namespace: dict[str, Any] = module.__dict__
        source = [""] * len(text.splitlines())
        for block in self.blocks:
            if block.language == "python":
                source[block.line - 1 : block.line - 1 + len(block.lines)] = block.lines
        # With the page's own lines, so that messages show them.
        linecache.cache[self.name] = (len(text), None, [line + "\n" for line in source], self.name)

    def run(self, block: Block) -> tuple[str, BaseException | None]:
        """What the block prints, and the exception that ends it."""
        printed = io.StringIO()
        failure: BaseException | None = None
        with contextlib.redirect_stdout(printed):
            try:
                self._execute(block)
            except Exception as error:
                failure = error
        return printed.getvalue() + ("" if failure is None else self.report(failure)), failure

    def _execute(self, block: Block) -> None:
        if block.language == "python":
            code = compile("\n" * (block.line - 1) + block.text, self.name, "exec")
            exec(code, self.namespace)
            return
        for command in block.lines:
            name, *arguments = shlex.split(command)
            assert name == "arignote", f"{self.name}:{block.line}: only `arignote` commands run, not {name}"
            assert main(arguments) == 0, command

    def report(self, error: BaseException) -> str:
        """The exception as Python shows it, without the frames of the compiler."""
        shown = traceback.TracebackException.from_exception(error)
        kept = [frame for frame in shown.stack if frame.filename == self.name]
        shown.stack = traceback.StackSummary.from_list(kept)
        return "".join(shown.format(chain=False))


def normal(text: str) -> str:
    """Text as it is compared: without blanks at the ends of lines, and without the marks below a traceback's frames,
    which differ from one version of Python to the next."""
    lines: list[str] = []
    in_frames = False
    for line in text.strip("\n").splitlines():
        in_frames = line.startswith("Traceback (") or (in_frames and line.startswith(" "))
        if not (in_frames and line.strip() and not line.strip(" ~^")):
            lines.append(line.rstrip())
    return "\n".join(lines)


def matches(shown: str, printed: str) -> bool:
    """Whether this is the output that a page shows; `...` stands for anything."""
    pattern = ".*".join(map(re.escape, normal(shown).split("...")))
    return re.fullmatch(pattern, normal(printed), re.DOTALL) is not None
