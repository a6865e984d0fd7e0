"""What a program of the corpus is: a plain Python function, arguments to call it with, and what may be asked of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """The arguments of one call."""

    positional: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)


def call(*positional: Any, **keywords: Any) -> Call:
    """The arguments of one call, written as a call."""
    return Call(positional, keywords)


MakeCall = Callable[[], Call]


@dataclass(frozen=True)
class Program:
    """One small function and its calls.

    `ulps` is how many units in the last place, of the largest entry of a result, the compiled value may be off: 0 for
    programs whose every operation is exactly rounded, so that only what plain Python computes will do.
    """

    function: Callable[..., Any]
    calls: tuple[MakeCall, ...]  # ordinary arguments: every property holds here
    edge_calls: tuple[MakeCall, ...]  # kinks, empty arrays, errors: only the value (or the exception) is compared
    differentiable: tuple[int, ...] | None  # the argument numbers with respect to which the derivative is checked
    ulps: float
    tags: frozenset[str]

    @property
    def name(self) -> str:
        """The function's name, which the test report shows."""
        return self.function.__name__


REGISTERED: list[Program] = []


def program(
    *calls: MakeCall,
    edges: Iterable[MakeCall] = (),
    differentiable: tuple[int, ...] | None = None,
    ulps: float = 0,
    tags: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put the decorated function, unchanged, into the corpus.

    Tags: `twice` (the second derivative is checked too), `prints`, `shapes` (takes arrays of any size on every axis),
    `sum_from_zero` (a loop makes a NumPy scalar of a Python number, which is one from the start in compiled code, so
    that where the loop does not run at all an equal number of the other kind comes out),
    `may_be_refused` (no type fits every path: a compile error will do where Python finds a value), and the theme.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        theme = function.__module__.rpartition(".")[2]
        every_tag = frozenset([theme, *tags.split()])
        REGISTERED.append(Program(function, calls, tuple(edges), differentiable, ulps, every_tag))
        return function

    return register
