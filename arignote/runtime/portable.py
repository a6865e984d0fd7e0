"""Descriptions of compiled programs as bytes: what they refer to in this process is named by its place in a table, so
that another process finds its own."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
import types
from typing import Any

from arignote.ir.errors import ErrorSite
from arignote.ir.functions import METHOD, FunctionTemplate, MethodTemplate, PartialTemplate, partial_template, template
from arignote.ir.graph import Span
from arignote.ir.marks import KNOWN_MODULES
from arignote.ir.structure import Structure
from arignote.runtime.fingerprint import Fingerprint, is_known, is_plain

_BY_FIELDS = {Span: ("file", "function", "line", "column", "end_line", "end_column"),
              ErrorSite: ("exception", "message", "span")}  # fmt: skip


class CannotKeep(Exception):
    """Says what a program refers to that another process could not find."""


class Tables:
    """Where objects are found: in the walk through the program, and in that through what it found outside."""

    def __init__(self, program: Fingerprint, outside: Fingerprint | None = None) -> None:
        self.walks = [program] if outside is None else [program, outside]
        self.names = list(program.files)

    def place(self, thing: Any) -> tuple[int, int] | None:
        """The place of an object: which table, and its number there."""
        for which, walk in enumerate(self.walks):
            number = walk.numbers.get(id(thing))
            if number is not None:
                return which, number
        return None

    def write(self, thing: Any) -> bytes:
        """The bytes for an object. Raises CannotKeep."""
        buffer = io.BytesIO()
        _Writer(buffer, self).dump(thing)
        return buffer.getvalue()

    def read(self, data: bytes) -> Any:
        """The object from its bytes."""
        return _Reader(io.BytesIO(data), self).load()


class _Writer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, tables: Tables) -> None:
        super().__init__(file, protocol=pickle.HIGHEST_PROTOCOL)
        self.tables, self.files = tables, tables.walks[0].files

    def persistent_id(self, thing: Any) -> Any:
        """What names an object of this process."""
        kind = type(thing)
        if kind is str:
            return ("file", self.files[thing]) if thing in self.files else None
        place = self.tables.place(thing)
        if place is not None:
            return ("object", *place)
        if kind in (list, dict, set):
            module = thing.get("__name__") if kind is dict else None
            if isinstance(module, str) and is_namespace(thing, module):
                return "module", module
            raise CannotKeep(f"a {kind.__name__} that is not in the table")
        return None

    def reducer_override(self, thing: Any) -> Any:
        """How an object is made that has no place."""
        fields = _BY_FIELDS.get(type(thing))
        if fields is not None:
            return type(thing), tuple([getattr(thing, name) for name in fields])
        if isinstance(thing, FunctionTemplate):
            return template, (thing.code, thing.namespace, thing.cells, thing.defaults, thing.keywords)
        if isinstance(thing, PartialTemplate):
            return partial_template, (thing.keywords,)
        if isinstance(thing, MethodTemplate):
            return method_template, ()
        if isinstance(thing, types.ModuleType) and is_known(thing):
            return importlib.import_module, (thing.__name__,)
        if isinstance(thing, Structure) or is_plain(thing) or is_known(thing):
            return NotImplemented
        raise CannotKeep(f"{thing!r}, which is not in the table")


def method_template() -> MethodTemplate:
    """The one template of bound methods."""
    return METHOD


def is_namespace(namespace: dict[str, Any], module: str) -> bool:
    """Whether a dict holds the variables of a module that every process has."""
    found = sys.modules.get(module)
    return found is not None and found.__dict__ is namespace and is_known(found)


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, tables: Tables) -> None:
        super().__init__(file)
        self.tables = tables

    def persistent_load(self, name: Any) -> Any:
        """The object of this process that a name means."""
        kind, *rest = name
        if kind == "file":
            return self.tables.names[rest[0]]
        if kind == "module":
            return importlib.import_module(rest[0]).__dict__
        which, number = rest
        return self.tables.walks[which].objects[number]

    def find_class(self, module: str, name: str) -> Any:
        """Only what belongs to Python, NumPy, SciPy and this package."""
        if module.partition(".")[0].lstrip("_") not in {*KNOWN_MODULES, "importlib"}:
            raise pickle.UnpicklingError(f"{module}.{name} is not expected here")
        return super().find_class(module, name)
