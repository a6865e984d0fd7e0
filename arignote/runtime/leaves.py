"""Reading leaves from slots in memory into Python values: the slow way, for messages and printing."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from arignote.ir.structure import ArrayOf, FormattedOf, NumpyScalarOf, PythonScalarOf, Structure
from arignote.runtime.operands import value_words


def read_leaves(structures: Sequence[Structure], address: int) -> list[Any]:
    """The values of leaves that follow one another in 8-byte slots from `address`; arrays are copied."""
    values = []
    for structure in structures:
        values.append(_read_leaf(structure, address))
        address += 8 * value_words(structure)
    return values


def fill_template(pieces: Sequence[str | Structure], address: int) -> str:
    """The text of a template: strings as they are, the values at `address` as Python shows them."""
    leaves = iter(read_leaves([piece for piece in pieces if isinstance(piece, Structure)], address))
    return "".join(piece if isinstance(piece, str) else written(piece, next(leaves)) for piece in pieces)


def written(piece: Structure, value: Any) -> str:
    """The value of a leaf as text."""
    return piece.write(value) if isinstance(piece, FormattedOf) else str(value)


def _read_leaf(structure: Structure, address: int) -> Any:
    match structure:
        case ArrayOf() if structure.rank == 0:
            return np.array(_read_leaf(NumpyScalarOf(structure.dtype), address))
        case ArrayOf():
            return _read_array(structure, address)
        case NumpyScalarOf():
            dtype = np.dtype(structure.dtype)
            return dtype.type(np.frombuffer(ctypes.string_at(address, dtype.itemsize), dtype)[0])
        case PythonScalarOf() | FormattedOf():
            kinds: dict[str, Any] = {"bool": ctypes.c_bool, "int64": ctypes.c_int64, "float64": ctypes.c_double}
            return kinds[structure.dtype].from_address(address).value
    raise TypeError(f"{structure!r} is not a leaf")


def _read_array(structure: ArrayOf, address: int) -> np.ndarray[Any, Any]:
    words = (ctypes.c_int64 * (2 + structure.rank)).from_address(address)
    dtype, shape = np.dtype(structure.dtype), tuple(words[2:])
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(bytearray(ctypes.string_at(words[1], count * dtype.itemsize)), dtype).reshape(shape)
