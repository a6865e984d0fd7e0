"""Printing from compiled code."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from arignote.ir.structure import ArrayOf, NumpyScalarOf, PythonScalarOf, StaticOf, leaf_structures
from arignote.runtime.dispatch import Dispatcher
from arignote.runtime.entry import CompiledSpecialisation
from arignote.runtime.operands import value_words
from arignote.runtime.printing import print_site
from tests.runtime.programs import finish, outside, procedure


def printing(template):
    """Compiled code that prints the template with its arguments."""

    def compile(signature):
        leaves = [leaf for structure in signature.structures for leaf in leaf_structures(structure)]
        f = procedure(leaves)
        count = sum(map(value_words, leaves))
        values = f.local_words(count + 1)
        for index in range(count):
            f.store(f[f"p{index}"], values, 8 * index)
        f.leave(f.call("i32", outside(f, "ag_print"), f["ctx"], print_site(template), values))
        return CompiledSpecialisation(finish(f), StaticOf(None), release_bytes=0)

    return Dispatcher(lambda *args: None, compile).callable


def test_values_look_as_in_python(capsys):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    pieces = (PythonScalarOf("float64"), " ", NumpyScalarOf("int32"), "|", ArrayOf("float32", (-1, -1)), "\n")
    for _ in range(2):
        assert printing(pieces)(0.1, np.int32(-3), array) is None
    assert capsys.readouterr().out == 2 * f"0.1 -3|{array}\n"


def test_order_and_replaced_stdout(monkeypatch):
    written = []

    class Stream:
        write = staticmethod(written.append)

    monkeypatch.setattr(sys, "stdout", Stream)
    function = printing((PythonScalarOf("int64"), "\n"))
    for index in range(5):
        function(index)
        print("between")
    assert "".join(written) == "".join(f"{index}\nbetween\n" for index in range(5))


def test_an_exception_while_printing_propagates(monkeypatch):
    class Broken:
        def write(self, text):
            raise KeyboardInterrupt

    function = printing(("text",))
    monkeypatch.setattr(sys, "stdout", Broken())
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            function()


def test_sites_are_the_same_in_every_process():
    template = ("x = ", PythonScalarOf("int64"), "\n")
    assert print_site(template) == print_site(tuple(template)) and 0 <= print_site(template) < 2**63
