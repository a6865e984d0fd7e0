"""What a whole program is, and the register of them."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Make = Callable[[np.random.Generator], tuple[Any, ...]]


@dataclass(frozen=True)
class WholeProgram:
    """A program and what is asked of it.

    make:   random arguments, also of random sizes
    wrt:    the argument numbers by which it is differentiated; the result is then one float
    order:  the highest derivative that is compared with differences of the one before
    mapped: the argument numbers that `vmap` maps; None where mapping makes no sense
    rtol:   relative tolerance of values, for other orders of summation
    """

    function: Callable[..., Any]
    make: Make
    wrt: tuple[int, ...]
    order: int
    mapped: tuple[int, ...] | None
    rtol: float

    @property
    def name(self) -> str:
        """The function's name, which the test report shows."""
        return self.function.__name__


REGISTERED: list[WholeProgram] = []


def whole_program(
    make: Make,
    wrt: tuple[int, ...] = (),
    order: int = 2,
    mapped: tuple[int, ...] | None = None,
    rtol: float = 1e-12,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put the decorated function, unchanged, into the register."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        REGISTERED.append(WholeProgram(function, make, wrt, order, mapped, rtol))
        return function

    return register


def every_program() -> list[WholeProgram]:
    """All programs of this folder."""
    package = importlib.import_module(__package__)
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("test_"):
            importlib.import_module(f"{__package__}.{module.name}")
    return list(REGISTERED)
