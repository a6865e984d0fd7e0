"""`checkpoint`: derivatives that save little and compute again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from arignote.ir.marks import MAKER_ATTRIBUTE, TRANSFORM_ATTRIBUTE

P = ParamSpec("P")
R = TypeVar("R")


def checkpoint(fun: Callable[P, R], loops: bool = True) -> Callable[P, R]:
    """The same function, whose reverse-mode derivative saves its arguments only and runs it again.

    loops: a loop in `fun` of n iterations keeps the state of some sqrt(n) of them, and runs the stretches between again

    What `fun` prints, it prints once. Outside of reverse mode, and in plain Python, it is `fun`. Derivatives of higher
    order save as little; by `ag.jvp` nothing is saved anyway. Raises TypeError for what is no function.

    Source: Chen et al., "Training deep nets with sublinear memory cost" (2016).
    """
    if not callable(fun):
        raise TypeError(f"checkpoint expects a function, got {type(fun).__name__}")

    @functools.wraps(fun)
    def checkpointed(*args: P.args, **kwargs: P.kwargs) -> R:
        return fun(*args, **kwargs)

    setattr(checkpointed, TRANSFORM_ATTRIBUTE, ("checkpoint", fun, bool(loops)))
    return checkpointed


setattr(checkpoint, MAKER_ATTRIBUTE, "checkpoint")
