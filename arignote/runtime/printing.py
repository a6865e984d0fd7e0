"""Printing from compiled code: through Python's own `print`, at run time and in program order.

A template is a tuple of strings and single-leaf structures, as in `arignote.ops.effects`: the whole text, with the
end of the line. Compiled code passes its site and the address of the values in 8-byte slots (an array: buffer,
address, sizes).
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

from arignote.ir.structure import Structure
from arignote.ops.effects import template_number
from arignote.runtime.assembly import Function
from arignote.runtime.errors import keep_exception
from arignote.runtime.imports import imported
from arignote.runtime.leaves import fill_template

Template = tuple[str | Structure, ...]

_templates: dict[int, Template] = {}

_PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)


def print_site(template: Template) -> int:
    """Makes a template known to `ag_print`; the result is the number by which compiled code names it."""
    number = template_number(template)
    _templates[number] = template
    return number


def _print(context: int, site: int, values: int) -> int:
    """What `ag_print` calls; ctypes takes Python's lock for it."""
    try:
        template = _templates[site]
        print(fill_template(template, values or 0), end="")
    except BaseException as error:
        return keep_exception(context, error)
    return 0


@functools.cache
def _callback() -> Callable[..., Any]:
    return _PROTOTYPE(_print)


def callback_address() -> int:
    """The address of what `ag_print` calls."""
    return ctypes.cast(_callback(), ctypes.c_void_p).value or 0


DEFINITIONS = ""


def _print_function() -> Function:
    """`i32 ag_print(ptr ctx, i64 site, ptr values)`."""
    f = Function("ag_print", "i32", context="ptr", site="i64", values="ptr")
    site = f.to_pointer(f["site"])  # all three arguments are passed on in the same way
    f.leave(f.call("i32", "ag_on_thread_stack", imported(f, "print_callback"), f["context"], site, f["values"]))
    return f


def functions() -> list[Function]:
    """The native functions of this file."""
    return [_print_function()]
