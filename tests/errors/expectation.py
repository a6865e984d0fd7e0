"""What is expected of a program that fails: the exception, the user's line, a word of the message."""

import inspect
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.corpus.program import MakeCall

MARKER = "# here"


@dataclass(frozen=True)
class Failure:
    """A function, a call of it, and what must be said about the line that carries the marker comment."""

    function: Callable[..., Any]
    make: MakeCall
    error: str  # the exception's class: its name in `arignote`, or a builtin's
    word: str  # must appear in the message, in any case

    @property
    def name(self) -> str:
        """The function's name, which the test report shows."""
        return self.function.__name__


Register = Callable[[Callable[..., Any]], Callable[..., Any]]


def collector(failures: list[Failure]) -> Callable[..., Register]:
    """A decorator that adds functions to a list."""

    def expect(make: MakeCall, error: str, word: str = "") -> Register:
        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            failures.append(Failure(function, make, error, word))
            return function

        return register

    return expect


def marked_line(function: Callable[..., Any]) -> tuple[str, int] | None:
    """The file and line of the marker comment in a function's source, if it has one."""
    lines, first = inspect.getsourcelines(function)
    for offset, line in enumerate(lines):
        if MARKER in line:
            return inspect.getsourcefile(function) or "", first + offset
    return None


def full_text(error: BaseException) -> str:
    """All that the user sees."""
    return "".join(traceback.format_exception(error))


def mentions(text: str, file: str, line: int) -> bool:
    """Whether a text names the line, as `file:line` or as tracebacks do."""
    base = re.escape(file.rpartition("/")[2])
    return re.search(rf'{base}("?, line |:){line}\b', text) is not None
