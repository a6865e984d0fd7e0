"""Errors as small documents: what the compiler refuses, and what compiled code raises at run time."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from typing import Any

from arignote.ir.graph import Span
from arignote.ir.records import dataclass


class CompileError(Exception):
    """A program that cannot be compiled. The message shows the user's line, what was found, and what to do.

    span:   the place in the user's source
    calls:  the calls that led there, outermost first, as (span, what was called with which types)
    hint:   one way out
    raises: what plain Python would raise here, as (class, message), where that is known
    needs:  the arguments, by position or name, that would have to be known at compile time
    """

    raises: tuple[type[BaseException], str] | None = None
    needs: frozenset[int | str] = frozenset()

    def __init__(self, message: str, span: Span | None = None, hint: str = "",
                 calls: Sequence[tuple[Span, str]] = ()) -> None:  # fmt: skip
        self.message, self.span, self.hint, self.calls = message, span, hint, tuple(calls)
        super().__init__(document(message, span, hint, self.calls))


class UnsupportedSyntaxError(CompileError):
    """A construct outside the compiled subset of Python."""


class TypeInferenceError(CompileError):
    """An operation does not accept the types that reach it, or a type cannot be determined."""


class ShapeError(CompileError):
    """Shapes known at compile time do not match."""


class UndefinedNameError(CompileError):
    """A name that is not defined where it is used, or an attribute that the compiler does not know."""


class DifferentiationError(CompileError):
    """A derivative that does not exist or is refused, such as one with respect to an integer."""


class AliasingError(CompileError):
    """A mutation whose effect would be visible through another reference, which compiled code does not reproduce."""


class InternalError(Exception):
    """A failure of the compiler itself, at a program that it should have compiled or refused. Its cause is the
    exception that was met; it is no `CompileError`, so that nothing takes it for a refusal."""

    def __init__(self, cause: BaseException, span: Span | None = None, calls: Sequence[tuple[Span, str]] = (),
                 replay: str = "") -> None:  # fmt: skip
        self.span, self.calls = span, tuple(calls)
        message = f"the compiler failed: {type(cause).__name__}: {cause}"
        again = f" To see it again: {replay}" if replay else ""
        super().__init__(document(message, span, f"this is a bug of Arignote, not of the program.{again}", self.calls))


@dataclass(frozen=True, slots=True)
class ErrorSite:
    """One place where compiled code may raise.

    message: pieces that are strings, or single-leaf `Structure`s each standing for the next run-time argument
    """

    exception: type[BaseException]
    message: tuple[Any, ...]
    span: Span | None


OUT_OF_MEMORY = ErrorSite(MemoryError, ("out of memory",), None)
STACK_OVERFLOW = ErrorSite(RecursionError, ("maximum recursion depth exceeded in compiled code",), None)
RESERVED_SITES = (OUT_OF_MEMORY, STACK_OVERFLOW)


def excerpt(span: Span) -> list[str]:
    """The source line with carets below the piece that is meant."""
    line = linecache.getline(span.file, span.line).rstrip("\n")
    if not line.strip():
        return []
    end = span.end_column if span.end_line == span.line and span.end_column > span.column else len(line)
    width = max(1, end - span.column)
    # Columns of `ast` count bytes of UTF-8.
    lead = len(line.encode()[: span.column].decode(errors="ignore"))
    return [f"    {line}", "    " + " " * lead + "^" * width]


def document(message: str, span: Span | None, hint: str, calls: Sequence[tuple[Span, str]]) -> str:
    """A message with the calls that led to the place, the place, and a hint."""
    lines = [message]
    for place, what in calls:
        lines.append(f"  in {what}, called at {place.file}:{place.line}")
    if span is not None:
        lines.append(f"  at {span.file}:{span.line}, in {span.function}")
        lines.extend(excerpt(span))
    if hint:
        lines.append(f"  hint: {hint}")
    return "\n".join(lines)
