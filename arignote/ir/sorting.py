"""The numbers of the routines that sort, by which the lowering names them and the runtime finds them."""

from __future__ import annotations

from itertools import product

ROUTINES = tuple(product(("bool", "int32", "int64", "float32", "float64"), ("sort", "argsort"), (False, True)))
"""What is sorted, what is asked for, and whether equal elements keep their order; the number is the position."""


def routine_number(dtype: str, name: str, stable: bool) -> int:
    """The number of a routine."""
    return ROUTINES.index((dtype, name, stable))
