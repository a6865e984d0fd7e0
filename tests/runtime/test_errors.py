"""Errors from compiled code: the exception of plain Python, at the user's line."""

from __future__ import annotations

import gc
import sys
import traceback

import numpy as np
import pytest

from arignote.ir.errors import RESERVED_SITES, ErrorSite
from arignote.ir.graph import Span
from arignote.ir.structure import NumpyScalarOf, PythonScalarOf, leaf_structures
from arignote.runtime.dispatch import Dispatcher
from arignote.runtime.entry import CompiledSpecialisation
from tests.runtime.programs import failing_procedure

INTEGER, FLOAT, BOOLEAN = PythonScalarOf("int64"), PythonScalarOf("float64"), PythonScalarOf("bool")


class UserError(Exception):
    def __init__(self, message):
        super().__init__(message)
        self.is_mine = True


class Refusing(Exception):
    def __init__(self):
        raise LookupError("no instances")


def user_program(x):
    value = x + 1
    return value / 0  # the line that fails


LINE = user_program.__code__.co_firstlineno + 2
SPAN = Span(__file__, "user_program", LINE, 11, LINE, 20)


def failing(site, error_site=None):
    def compile(signature):
        leaves = [leaf for structure in signature.structures for leaf in leaf_structures(structure)]
        sites = (*RESERVED_SITES, error_site)
        return CompiledSpecialisation(failing_procedure(site, leaves), FLOAT, error_sites=sites)

    return Dispatcher(lambda *args: None, compile).callable


@pytest.mark.parametrize(("site", "error"), [(0, MemoryError), (1, RecursionError)])
def test_reserved_sites(site, error):
    for _ in range(2):
        with pytest.raises(error):
            failing(site)()


@pytest.mark.parametrize(
    ("pieces", "args", "text"),
    [
        (("plain",), (), "plain"),
        ((), (), ""),
        (("index ", INTEGER, " is out of bounds: ", INTEGER), (7, -3), "index 7 is out of bounds: -3"),
        ((FLOAT, " ", BOOLEAN, " ", NumpyScalarOf("float32")), (0.1, True, np.float32(0.1)), "0.1 True 0.1"),
        ((NumpyScalarOf("int32"), NumpyScalarOf("bool")), (np.int32(-4), np.bool_(False)), "-4False"),
    ],
)  # fmt: skip
def test_messages(pieces, args, text):
    with pytest.raises(ValueError) as raised:
        failing(2, ErrorSite(ValueError, pieces, None))(*args)
    assert str(raised.value) == text


def test_the_traceback_shows_the_users_line():
    function = failing(2, ErrorSite(ZeroDivisionError, ("division by zero",), SPAN))
    for _ in range(2):
        try:
            function(1)
        except ZeroDivisionError as error:
            text, frames = traceback.format_exc(), traceback.extract_tb(error.__traceback__)
        assert "return value / 0  # the line that fails" in text and "in user_program" in text
        assert frames[-1].filename == __file__ and frames[-1].lineno == LINE and frames[-1].name == "user_program"
        assert len(frames) == 2, "nothing of the runtime is in the traceback"


def test_carets_point_at_the_expression():
    try:
        failing(2, ErrorSite(ZeroDivisionError, ("division by zero",), SPAN))(1)
    except ZeroDivisionError:
        lines = traceback.format_exc().splitlines()
    shown = next(index for index, line in enumerate(lines) if "return value / 0" in line)
    start = lines[shown].index("value / 0")
    assert lines[shown + 1][start : start + 9].strip("~^") == ""


def test_exceptions_of_the_user():
    with pytest.raises(UserError) as raised:
        failing(2, ErrorSite(UserError, ("mine",), SPAN))(1)
    assert raised.value.is_mine and raised.value.args == ("mine",)


def test_a_class_that_cannot_be_made():
    with pytest.raises(LookupError, match="no instances"):
        failing(2, ErrorSite(Refusing, (), SPAN))(1)


def test_the_exception_being_handled_is_the_context():
    try:
        raise KeyError("first")
    except KeyError:
        with pytest.raises(ValueError) as raised:
            failing(2, ErrorSite(ValueError, ("second",), SPAN))(1)
    assert isinstance(raised.value.__context__, KeyError)


def test_unknown_sites_are_internal_errors():
    with pytest.raises(SystemError, match="unknown error site 99"):
        failing(99)()


def test_references_stay():
    argument, function = np.float64(3.5), failing(2, ErrorSite(ValueError, ("no",), SPAN))

    def call():
        try:
            function(argument)
        except ValueError:
            pass

    call()
    gc.collect()  # what other tests left would go away in between
    before = sys.getrefcount(argument), sys.getrefcount(ValueError)
    for _ in range(1000):
        call()
    after = sys.getrefcount(argument), sys.getrefcount(ValueError)
    assert all(abs(x - y) < 5 for x, y in zip(before, after))
