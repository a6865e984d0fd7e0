"""Many elements made of one call: each number becomes an array of numbers near it, each array a stack of such."""

import contextlib
import dataclasses
import io
from collections.abc import Callable
from typing import Any

import numpy as np

import arignote as ag
from arignote.frontend.families import family_of
from tests.corpus.program import Call
from tests.properties.comparison import Outcome, outcome

COUNT = 3


def stacked(value: Any, count: int = COUNT) -> tuple[Any, Any]:
    """(stacks, axes) of a value: what cannot be stacked stays as it is, with the axis None."""
    if isinstance(value, np.ndarray | np.generic | bool | int | float):
        found = _near(np.asarray(value), count)
        return (value, None) if found is None else (found, 0)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _all(value._fields, value, count, lambda items: type(value)(*items))
    if isinstance(value, tuple | list):
        return _all(range(len(value)), value, count, type(value))
    if isinstance(value, dict):
        return _all(value, value.values(), count, lambda items: type(value)(zip(value, items)))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        if family_of(type(value)) is not None:
            return _tree(value, names, count)
        return _all(names, [getattr(value, n) for n in names], count,
                    lambda items: dataclasses.replace(value, **dict(zip(names, items))))  # fmt: skip
    return value, None


def _all(names: Any, items: Any, count: int, make: Callable[..., Any]) -> tuple[Any, Any]:
    pairs = [stacked(item, count) for item in items]
    axes = [axis for _, axis in pairs]
    if all(axis is None for axis in axes):
        return make([item for item, _ in pairs]), None
    return make([item for item, _ in pairs]), make(axes)


def _tree(value: Any, names: list[str], count: int) -> tuple[Any, Any]:
    """A tree of stacks, which has one axis for all; itself where a part cannot be stacked, or there is none."""
    found, axis = {}, None
    for name in names:
        item = getattr(value, name)
        found[name], axes = stacked(item, count)
        if axes is None and not _has_no_axis(item):
            return value, None
        axis = axis if axes is None else 0
    return dataclasses.replace(value, **found), axis


def _has_no_axis(item: Any) -> bool:
    if isinstance(item, tuple | list):
        return all(map(_has_no_axis, item))
    return item is None or isinstance(item, str)


def _near(value: np.ndarray, count: int) -> np.ndarray | None:
    if value.dtype.kind == "f":
        return np.stack([(value * (1 + k / 8)).astype(value.dtype) for k in range(count)])
    if value.dtype.kind in "ib" and value.dtype.name in ("bool", "int32", "int64"):
        others = [np.roll(value, k) if value.ndim else value for k in range(count)]
        return np.stack([other.astype(value.dtype) for other in others])
    return None


def plain_and_compiled(function: Callable[..., Any], call: Call, in_axes: Any) -> tuple[Outcome, Outcome, str, str]:
    """The outcome of the loop over elements and of the compiled program, and what both printed."""
    mapped = ag.vmap(function, in_axes)
    outcomes, texts = [], []
    for disabled in (True, False):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), ag.disable_jit() if disabled else contextlib.nullcontext():
            outcomes.append(outcome(mapped, call))
        texts.append(out.getvalue())
    return outcomes[0], outcomes[1], texts[0], texts[1]
