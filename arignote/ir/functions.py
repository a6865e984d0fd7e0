"""Functions as data: what of a Python function is fixed by its text, and what it captured when it was made.

Two closures of one `def` or `lambda` differ only in the contents of their cells and in the defaults of parameters. A
`FunctionTemplate` is what they share; the rest are items of a `FunctionOf`, leaves like those of a tuple. So a compiled
function that is given a new closure each time is compiled once; one that returns a closure makes a Python function.
"""

from __future__ import annotations

import functools
import types
import weakref
from collections.abc import Sequence
from typing import Any

Cells = tuple[types.CellType | None, ...]


class FunctionTemplate:
    """What functions made by one piece of source share.

    cells:    for each variable that the code captures: the cell itself, or None where its contents are an item
    defaults: how many parameters have defaults; `keywords` names the keyword-only ones that have
    python:   a function of this kind with empty cells, for its code and its globals
    """

    __slots__ = ("code", "namespace", "cells", "defaults", "keywords", "python", "__weakref__")

    def __init__(
        self, code: types.CodeType, namespace: dict[str, Any], cells: Cells, defaults: int, keywords: tuple[str, ...]
    ) -> None:
        self.code, self.namespace, self.cells = code, namespace, cells
        self.defaults, self.keywords = defaults, keywords
        filled = tuple(types.CellType() if cell is None else cell for cell in cells)
        self.python = types.FunctionType(code, namespace, code.co_name, None, filled)

    @property
    def captured(self) -> list[str]:
        """The names of the captured variables that are items."""
        return [name for name, cell in zip(self.code.co_freevars, self.cells, strict=True) if cell is None]

    def make(self, items: Sequence[Any]) -> types.FunctionType:
        """The function with these items: contents of cells, defaults, defaults of keyword-only parameters."""
        given = iter(items)
        cells = tuple(types.CellType(next(given)) if cell is None else cell for cell in self.cells)
        defaults = tuple([next(given) for _ in range(self.defaults)])
        function = types.FunctionType(self.code, self.namespace, self.code.co_name, defaults or None, cells)
        function.__qualname__ = self.code.co_qualname
        function.__kwdefaults__ = {name: next(given) for name in self.keywords} or None
        return function

    def __repr__(self) -> str:
        return self.code.co_qualname


class PartialTemplate:
    """What partial applications share: of how many arguments, and which names. The items are the function and those."""

    __slots__ = ("keywords", "__weakref__")

    def __init__(self, keywords: tuple[str, ...]) -> None:
        self.keywords = keywords

    def make(self, items: Sequence[Any]) -> Any:
        first = len(items) - len(self.keywords)
        function, *arguments = items[:first]
        return functools.partial(function, *arguments, **dict(zip(self.keywords, items[first:], strict=True)))

    def __repr__(self) -> str:
        return "partial"


class MethodTemplate:
    """What bound methods share. The items are the function and the instance."""

    __slots__ = ("__weakref__",)

    def make(self, items: Sequence[Any]) -> Any:
        return types.MethodType(*items)

    def __repr__(self) -> str:
        return "method"


METHOD = MethodTemplate()

AnyTemplate = FunctionTemplate | PartialTemplate | MethodTemplate
"""Arguments are described by the first only; the others are of results."""


@functools.cache
def partial_template(keywords: tuple[str, ...]) -> PartialTemplate:
    """The one template of partial applications with these names."""
    return PartialTemplate(keywords)


_templates: weakref.WeakValueDictionary[Any, FunctionTemplate] = weakref.WeakValueDictionary()


def template(
    code: types.CodeType, namespace: dict[str, Any], cells: Cells, defaults: int, keywords: tuple[str, ...]
) -> FunctionTemplate:
    """The one template of functions with this code, these globals and this form."""
    key = id(code), id(namespace), tuple([cell and id(cell) for cell in cells]), defaults, keywords
    known = _templates.get(key)
    if known is None:
        known = _templates[key] = FunctionTemplate(code, namespace, cells, defaults, keywords)
    return known


def template_of(function: types.FunctionType) -> FunctionTemplate:
    """The template of a function, all of whose cells are items."""
    cells = (None,) * len(function.__code__.co_freevars)
    defaults, keywords = len(function.__defaults__ or ()), tuple(function.__kwdefaults__ or ())
    return template(function.__code__, function.__globals__, cells, defaults, keywords)


def is_made_again(function: types.FunctionType) -> bool:
    """Whether a function is likely to be one of several of its kind: a lambda, or one defined inside a function."""
    inner = function.__name__ == "<lambda>" or "<locals>" in function.__qualname__
    return inner and not function.__dict__ and "__class__" not in function.__code__.co_freevars


def items_of_function(function: types.FunctionType) -> list[Any]:
    """Contents of cells, defaults, defaults of keyword-only parameters; a ValueError where a cell is empty."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
