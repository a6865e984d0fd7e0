"""The table of all operations, by name."""

from __future__ import annotations

from arignote.ir.graph import Operation
from arignote.ops import (
    control,
    custom,
    data,
    effects,
    elementwise,
    factor,
    index,
    linalg,
    random,
    reduce,
    shape,
    unions,
)

FAMILIES = (elementwise, shape, index, reduce, linalg, factor, random, control, custom, data, unions, effects)

OPERATIONS: dict[str, Operation] = {operation.name: operation for family in FAMILIES for operation in family.FAMILY}
