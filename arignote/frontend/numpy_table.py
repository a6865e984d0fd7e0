"""What the compiler knows of NumPy: handlers by function object, by method name and by attribute name.

The modules of the families register themselves in `numpy_binding`; this one joins them.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from arignote.frontend import (
    numpy_create,
    numpy_dtype,
    numpy_einsum,
    numpy_factor,
    numpy_join,
    numpy_linalg,
    numpy_method,
    numpy_numeric,
    numpy_reduce,
    numpy_shape,
    numpy_ufunc,
)
from arignote.frontend.numpy_binding import ATTRIBUTES, FUNCTIONS, METHODS, Handler
from arignote.frontend.numpy_index import getitem
from arignote.frontend.numpy_linalg import matmul_of
from arignote.frontend.numpy_operand import as_node
from arignote.frontend.numpy_set import inplace, setitem
from arignote.frontend.scope import HOOKS

if TYPE_CHECKING:
    from arignote.frontend.context import Context
    from arignote.frontend.values import Value

FAMILIES = (
    numpy_create, numpy_dtype, numpy_einsum, numpy_factor, numpy_join, numpy_linalg, numpy_method, numpy_numeric,
    numpy_reduce, numpy_shape, numpy_ufunc,
)  # fmt: skip


def lookup(function: Any) -> Handler | None:
    """The handler of a function of NumPy, scipy.special or scipy.linalg, or None."""
    try:
        found = FUNCTIONS.get(function)
    except TypeError:  # a callable object that cannot be hashed is none of NumPy's functions
        return None
    if found is None and "scipy.special" in sys.modules:
        from arignote.frontend import numpy_scipy

        assert numpy_scipy.special is not None
        found = FUNCTIONS.get(function)
    if found is None and "scipy.linalg" in sys.modules:
        from arignote.frontend import scipy_linalg

        assert scipy_linalg.declared is not None
        found = FUNCTIONS.get(function)
    return found


def matmul(context: Context, left: Value, right: Value) -> Value:
    """left @ right."""
    return context.result(matmul_of(context, left, right))


def asarray(context: Context, value: Value) -> Value:
    """Nested tuples and lists of numbers and arrays as an array."""
    return context.array(as_node(context, value))


HOOKS["matmul"] = matmul
HOOKS["asarray"] = asarray

__all__ = ["ATTRIBUTES", "FUNCTIONS", "METHODS", "getitem", "inplace", "lookup", "setitem"]
