"""Computing with constants, by the operations' references."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from arignote.ir.graph import Apply, Constant, Node
from arignote.ir.types import Scalar, dtype_of, is_float
from arignote.ops.table import OPERATIONS
from arignote.opt.rewrite import Rewriter, Rule

_ELEMENTWISE = tuple(name for name, operation in OPERATIONS.items() if operation.elementwise and name != "cast")


def _fold(rewriter: Rewriter, node: Apply) -> Node | None:
    for x in node.inputs:
        if not isinstance(x, Constant):
            return None
    if not isinstance(node.type, Scalar) or _is_undefined(node):
        return None
    values = [np.dtype(dtype_of(x.type)).type(x.value) for x in node.inputs]  # type: ignore[attr-defined]
    reference: Any = node.op.reference
    return Constant(np.asarray(reference(*values, **dict(node.attributes))).item(), node.type)


def _is_undefined(node: Apply) -> bool:
    """Integer operations that raise or that NumPy leaves open; what happens is decided where they run."""
    if is_float(node.type.dtype):  # type: ignore[attr-defined]
        return False
    name, last = node.op.name, node.inputs[-1].value  # type: ignore[attr-defined]
    return ((name in ("floor_divide", "remainder") and last == 0) or (name == "power" and last < 0)
            or (name in ("left_shift", "right_shift") and not 0 <= last < 64))  # fmt: skip


def _fold_cast(rewriter: Rewriter, node: Apply) -> Node | None:
    x = node.inputs[0]
    if not isinstance(x, Constant):
        return None
    dtype = node["dtype"]
    if is_float(dtype_of(x.type)) and not is_float(dtype) and not (math.isfinite(x.value) and abs(x.value) < 2**31):
        return None
    return _fold(rewriter, node)


def _cast_to_itself(rewriter: Rewriter, node: Apply) -> Node | None:
    return node.inputs[0] if dtype_of(node.inputs[0].type) == node["dtype"] else None


# Casting from the first to the second loses nothing.
_WIDER = {
    "bool": {"int32", "int64", "float32", "float64"}, "int32": {"int64", "float64"}, "float32": {"float64"},
    "int64": set(), "float64": set(),
}  # fmt: skip


def _cast_twice(rewriter: Rewriter, node: Apply) -> Node | None:
    inner = node.inputs[0]
    if not (isinstance(inner, Apply) and inner.op.name == "cast"):
        return None
    source = inner.inputs[0]
    if inner["dtype"] not in _WIDER.get(dtype_of(source.type), ()):
        return None
    return rewriter.cast(source, node["dtype"])


RULES = (
    Rule("constants", _ELEMENTWISE, _fold, "the reference defines the operation"),
    Rule("cast of a constant", ("cast",), _fold_cast, "the reference defines the operation"),
    Rule("cast to itself", ("cast",), _cast_to_itself, "nothing changes"),
    Rule("cast twice", ("cast",), _cast_twice, "the first cast loses nothing"),
)
