"""From error sites to exceptions: of the class that plain Python would raise, at the user's line."""

from __future__ import annotations

import ast
import ctypes
import threading
from collections.abc import Sequence
from types import CodeType
from typing import Any

from arignote.ir.errors import ErrorSite
from arignote.ir.exceptions import WrongAssumption, arguments_of
from arignote.ir.graph import Span
from arignote.ir.structure import Structure
from arignote.runtime.call import SITE, SITE_ARGUMENTS
from arignote.runtime.leaves import read_leaves, written

PYTHON_EXCEPTION_SITE = -1
"""The site of a failure whose exception a Python callback has left with `keep_exception`."""

_pending = threading.local()


def keep_exception(context: int, error: BaseException) -> int:
    """Keeps what a callback raised until compiled code has returned; the result is the callback's status."""
    _pending.error = error
    ctypes.c_int64.from_address(context + SITE).value = PYTHON_EXCEPTION_SITE
    return 1


class ErrorTable:
    """The error sites of one specialisation. `refuted`: whether what it assumed has been found wrong."""

    def __init__(self, sites: Sequence[ErrorSite]) -> None:
        self.sites = tuple(sites)
        self.refuted = False

    def make_error(self, context: int) -> BaseException:
        """The exception for the failure that a context describes."""
        number = ctypes.c_int64.from_address(context + SITE).value
        if number == PYTHON_EXCEPTION_SITE:
            error = _pending.error
            _pending.error = None
            return error
        if not 0 <= number < len(self.sites):
            return SystemError(f"compiled code failed at the unknown error site {number}")
        site = self.sites[number]
        self.refuted = self.refuted or site.exception is WrongAssumption
        error = make_exception(site.exception, arguments_at(site.message, context + SITE_ARGUMENTS))
        return error if site.span is None else with_user_frame(error, site.span)


def arguments_at(pieces: Sequence[str | Structure], address: int) -> tuple[Any, ...]:
    """What the exception's class is called with; the run-time values of the message lie at the address."""
    values = read_leaves([piece for piece in pieces if isinstance(piece, Structure)], address)
    return arguments_of(pieces, values, written)


def make_exception(kind: type[BaseException], arguments: Sequence[Any]) -> BaseException:
    """An instance of the class, which may be the user's; what making it raises, where it cannot be made."""
    try:
        return kind(*arguments)
    except Exception as error:
        return error


def with_user_frame(error: BaseException, span: Span) -> BaseException:
    """The exception as if it had been raised at this place: its traceback has one frame, with the user's line."""
    try:
        exec(_raising_code(span), {"error": error, "__name__": span.file})
    except BaseException as raised:
        traceback = raised.__traceback__
        return raised.with_traceback(traceback.tb_next if traceback is not None else None)
    raise AssertionError("the code of `_raising_code` raises")


def _raising_code(span: Span) -> CodeType:
    """Code that raises its variable `error`, seemingly at the span."""
    place: dict[str, Any] = {"lineno": max(span.line, 1), "col_offset": span.column}
    is_range = (span.end_line, span.end_column) > (span.line, span.column)
    place["end_lineno"] = span.end_line if is_range else place["lineno"]
    place["end_col_offset"] = span.end_column if is_range else span.column
    statement = ast.Raise(exc=ast.Name(id="error", ctx=ast.Load(), **place), cause=None, **place)
    code = compile(ast.Module(body=[statement], type_ignores=[]), span.file, "exec")
    return code.replace(co_name=span.function, co_qualname=span.function)
