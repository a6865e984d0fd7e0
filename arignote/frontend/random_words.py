"""The one function of `arignote.api.random` that compiled code knows; the others are programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend import numpy_size as s
from arignote.frontend.values import ArrayValue, Value
from arignote.ir.errors import TypeInferenceError

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def random_words(context: Context, arguments: list[Value]) -> Value:
    """random_words(key, start, count, stream) -> int64 array of shape (count,)."""
    key, start, count, stream = arguments
    if not isinstance(key, ArrayValue) or key.dtype != "int64" or key.rank != 1:
        context.error(
            f"a key is an int64 array of two entries, got {context.show(key)}",
            TypeInferenceError,
            "make one with ag.random.key(seed)",
        )
    node = context.node(key)
    if key.dims[0] != 2:
        wrong = context.emit("not_equal", s.size(context, node, 0), context.constant(2))
        context.raise_if(wrong, ValueError, "a key is an int64 array of two entries")
    length = context.node(count, "int64")
    number = context.static(stream, "the stream")
    return context.array(
        context.emit("random_words", node, context.node(start, "int64"), length, stream=number, dim=s.dim_of(length))
    )
