"""Forms of call: how many arguments come by position and which by keyword, and where each parameter finds its value."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from arignote.ir.records import dataclass
from arignote.ir.structure import Structure
from arignote.runtime.encode import GuardList

Form = tuple[int, tuple[str, ...]]
"""The number of positional arguments, and the names of the keyword arguments in the order of the call."""


@dataclass(frozen=True)
class Default:
    """The parameter's default value."""

    value: Any


Source = int | Default | tuple[int, ...] | dict[str, int]
"""An index into the call's arguments (keyword arguments follow the positional ones), a default, or what `*args` and
`**kwargs` collect."""


@dataclass(frozen=True)
class Plan:
    """Where each parameter finds its value in one form of call."""

    form: Form
    sources: tuple[Source, ...]

    def values(self, arguments: Sequence[Any]) -> list[Any]:
        """The value of each parameter."""
        return [_value(source, arguments) for source in self.sources]

    def guard(self, structures: Sequence[Structure]) -> GuardList:
        """Guards for a call of this form whose parameters have these structures."""
        positional, keywords = self.form
        guards = GuardList(positional + len(keywords))
        for source, structure in zip(self.sources, structures, strict=True):
            if isinstance(source, int):
                guards.value(structure, source)
            elif isinstance(source, Default):
                guards.value(structure, guards.constant(source.value))
            else:
                indices = source.values() if isinstance(source, dict) else source
                for index, item in zip(indices, structure.children(), strict=True):
                    guards.value(item, index)
        return guards


def _value(source: Source, arguments: Sequence[Any]) -> Any:
    if isinstance(source, int):
        return arguments[source]
    if isinstance(source, Default):
        return source.value
    if isinstance(source, dict):
        return {name: arguments[index] for name, index in source.items()}
    return tuple(arguments[index] for index in source)


class Binder:
    """Binds calls of one Python function to its parameters, as Python does."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.signature = inspect.signature(function)
        self.names = tuple(self.signature.parameters)
        self.plan = functools.lru_cache(maxsize=256)(self._plan)

    def _plan(self, form: Form) -> Plan:
        """The plan of a form of call; a TypeError where the function does not accept it."""
        positional, keywords = form
        positions = {name: positional + index for index, name in enumerate(keywords)}
        bound = self.signature.bind(*range(positional), **positions).arguments
        return Plan(form, tuple(self._source(name, bound) for name in self.names))

    def _source(self, name: str, bound: dict[str, Any]) -> Source:
        if name in bound:
            return bound[name]
        parameter = self.signature.parameters[name]
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return ()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            return {}
        return Default(parameter.default)

    def with_default(self, places: frozenset[int | str]) -> set[str]:
        """The names of the parameters at these positions, or with these names, that have a default."""
        names = self.at(places)
        return {name for name in names if self.signature.parameters[name].default is not inspect.Parameter.empty}

    def at(self, places: frozenset[int | str]) -> set[str]:
        """The names of the parameters at these positions, or with these names."""
        return {self.names[place] if isinstance(place, int) else place for place in places if place in self._places}

    @functools.cached_property
    def _places(self) -> set[int | str]:
        parameters = self.signature.parameters.values()
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        fixed = [parameter.name for parameter in parameters if parameter.kind not in variable]
        return {*range(len(fixed)), *fixed}

    def positions(self, numbers: Sequence[int], names: Sequence[str]) -> frozenset[str]:
        """The names of the parameters with these numbers or names; negative numbers count from the end."""
        for number in numbers:
            if not -len(self.names) <= number < len(self.names):
                raise ValueError(f"{self.function.__qualname__} has no parameter number {number}")
        for name in names:
            if name not in self.names:
                raise ValueError(f"{self.function.__qualname__} has no parameter {name!r}")
        return frozenset([*(self.names[number] for number in numbers), *names])
