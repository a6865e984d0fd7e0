"""NumPy's functions that join arrays, of a list of run-time length."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import prelude_lists, sequences
from arignote.frontend.numpy_table import FUNCTIONS, Handler
from arignote.frontend.values import ListValue, Static, Value

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Joiner = Callable[["Context", ListValue, int, "dict[str, Value]"], Value]


def _stack(context: Context, items: ListValue, rank: int, options: dict[str, Value]) -> Value:
    whole = sequences.as_array(context, items)
    axis = options.get("axis", Static(0))
    return context.call(Static(np.moveaxis), [whole, Static(0), axis])


def _concatenate(context: Context, items: ListValue, rank: int, options: dict[str, Value]) -> Value:
    axis = context.static(options.get("axis", Static(0)), "the axis")
    if axis is None:
        message = "np.concatenate(axis=None) of a list of run-time length is not supported"
        context.error(message, hint="ravel the arrays")
    if not rank:
        context.raise_now(ValueError, "zero-dimensional arrays cannot be concatenated")
    return _joined(context, items, axis % rank)


def _joined(context: Context, items: ListValue, axis: int) -> Value:
    dtype, _ = sequences.entry_type(context, items)
    kind = Static(np.dtype(dtype).type)
    return sequences.run(context, prelude_lists.concatenated, items, Static(axis), kind)


def _vstack(context: Context, items: ListValue, rank: int, options: dict[str, Value]) -> Value:
    if rank > 1:
        return _joined(context, items, 0)
    whole = sequences.as_array(context, items)
    return whole if rank else context.call(Static(np.reshape), [whole, Static((-1, 1))])


def _hstack(context: Context, items: ListValue, rank: int, options: dict[str, Value]) -> Value:
    return _joined(context, items, min(rank - 1, 1)) if rank else sequences.as_array(context, items)


def _column_stack(context: Context, items: ListValue, rank: int, options: dict[str, Value]) -> Value:
    if rank > 1:
        return _joined(context, items, 1)
    whole = sequences.as_array(context, items)
    if not rank:
        return context.call(Static(np.reshape), [whole, Static((1, -1))])
    return context.call(Static(np.transpose), [whole])


def _of_lists(function: Any, joiner: Joiner) -> None:
    """Let a function of NumPy take lists of run-time length as well."""
    known: Handler = FUNCTIONS[function]

    def handler(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        first = arguments[0] if arguments else None
        if not isinstance(first, ListValue) or not first.is_sequence:
            return known(context, arguments, keywords)
        options = {**dict(zip(("axis",), arguments[1:])), **keywords}
        if len(arguments) > 2 or not options.keys() <= {"axis"}:
            context.error(f"np.{function.__name__} of a list of run-time length takes an axis only")
        return joiner(context, first, len(sequences.entry_type(context, first)[1]), options)

    handler.declared = known  # type: ignore[attr-defined]
    FUNCTIONS[function] = handler


for _function, _joiner in (
    (np.stack, _stack), (np.concatenate, _concatenate), (np.vstack, _vstack), (np.hstack, _hstack),
    (np.column_stack, _column_stack),
):  # fmt: skip
    _of_lists(_function, _joiner)
