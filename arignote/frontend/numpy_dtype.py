"""Dtypes: NumPy's scalar types as functions, questions about dtypes that are answered at compile time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend.numpy_binding import FUNCTIONS, Declared, Known, numpy_function
from arignote.frontend.numpy_create import to_dtype
from arignote.frontend.numpy_operand import as_node, cast, dtype_name, is_array_like, rank_of, refuse
from arignote.frontend.values import ArrayValue, ScalarValue, Static, Value, is_number
from arignote.ir.graph import Constant, Node
from arignote.ir.structure import SHORT_NAMES
from arignote.ir.types import Scalar, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def converted(c: Context, value: Value | None, dtype: str) -> Node:
    """What np.float32(value) and the like give."""
    if value is None:
        return Constant(0, Scalar(dtype))
    if isinstance(value, Static) and isinstance(value.object, str):
        try:
            number = float(value.object) if is_float(dtype) else int(value.object)
        except ValueError as error:
            refuse(c, str(error))
        return Constant(number, Scalar(dtype))
    if isinstance(value, Static) and isinstance(value.object, float) and math.isfinite(value.object):
        if dtype.startswith("int"):
            return Constant(int(value.object), Scalar(dtype))
    if is_number(value):
        if dtype == "int32" and not isinstance(value, ScalarValue):
            return c.node(value, dtype)
        return to_dtype(c, c.node(value), dtype)
    node = as_node(c, value)
    return cast(c, node, dtype) if rank_of(node) else to_dtype(c, node, dtype)


def _scalar_type(dtype: str) -> None:
    def construct(c: Context, value: Value = None, /) -> Node:  # type: ignore[assignment]
        return converted(c, value, dtype)

    kind = np.dtype(dtype).type
    FUNCTIONS[kind] = Declared(construct, f"np.{kind.__name__}", False, False)


for _name in SHORT_NAMES:
    _scalar_type(_name)


def _refused_type(kind: type) -> None:
    def construct(c: Context, *values: Value) -> Any:
        supported = ", ".join(SHORT_NAMES)
        refuse(c, f"dtype {np.dtype(kind).name} is not supported in compiled code; supported are {supported}")

    FUNCTIONS[kind] = Declared(construct, f"np.{kind.__name__}", False, False)


for _kind in (np.int8, np.int16, np.uint8, np.uint16, np.uint32, np.uint64, np.float16, np.complex64, np.complex128):
    _refused_type(_kind)


@numpy_function("dtype")
def dtype_(c: Context, dtype: Known, align: Known = False, copy: Known = False) -> Any:
    return np.dtype(dtype_name(c, dtype))


def _information(function: Callable[[Any], Any], name: str) -> None:
    def ask(c: Context, dtype: Value) -> Any:
        found = dtype.dtype if isinstance(dtype, ArrayValue | ScalarValue) else c.static(dtype)
        try:
            return function(found)
        except ValueError as error:
            refuse(c, str(error))

    FUNCTIONS[function] = Declared(ask, name, False, False)


_information(np.finfo, "np.finfo")
_information(np.iinfo, "np.iinfo")


def _plain(value: Value, c: Context) -> Any:
    """A stand-in from which NumPy can tell the dtype: of arrays an empty array, of Python numbers one of their kind."""
    if isinstance(value, ArrayValue):
        return np.empty((0,) * max(value.rank, 1), value.dtype)
    if isinstance(value, ScalarValue):
        number = np.dtype(value.dtype).type(0)
        return number.item() if value.python else number
    return c.static(value)


def _about_dtypes(name: str) -> None:
    function = getattr(np, name)

    def ask(c: Context, *values: Value) -> Any:
        try:
            return function(*[_plain(value, c) for value in values])
        except TypeError as error:
            refuse(c, str(error))

    FUNCTIONS[function] = Declared(ask, f"np.{name}", False, False)


for _name in ("result_type", "promote_types", "can_cast", "issubdtype", "min_scalar_type"):
    _about_dtypes(_name)


@numpy_function("isscalar")
def isscalar(c: Context, element: Value) -> bool:
    return is_number(element) or (isinstance(element, Static) and np.isscalar(element.object))


@numpy_function("isrealobj")
def isrealobj(c: Context, x: Value) -> bool:
    if not is_array_like(x):
        refuse(c, f"np.isrealobj of {c.show(x)}")
    return True
