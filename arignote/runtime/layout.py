"""Where the fields of CPython's and NumPy's objects lie, with a test at start-up that they really do.

Native code reads these fields instead of calling functions. The offsets hold for CPython 3.11 to 3.14 with the standard
build and for NumPy 2; `verify` compares them with live objects, so that another layout is refused and never misread.
"""

from __future__ import annotations

import ctypes
import types
from typing import Any

import numpy as np

REFERENCE_COUNT, TYPE, VARIABLE_SIZE = 0, 8, 16
FLOAT_VALUE = 16
TUPLE_ITEMS, LIST_ITEMS = 24, 24
DICT_USED, DICT_TABLE = 16, 32
TABLE_FORM, TABLE_FORM_MASK, TABLE_INDICES = 8, 0xFFFFFF, 32
"""Of a dict's table: three bytes (its size, that of its indices, the kind of its entries); where its indices are."""
TABLE_ENTRY_BYTES, TABLE_ENTRY_VALUE = 16, 8
CELL_CONTENTS = 16
METHOD_FUNCTION, METHOD_SELF = 16, 24
NUMPY_SCALAR_VALUE = 16

ARRAY_DATA, ARRAY_RANK, ARRAY_DIMS, ARRAY_DESCR, ARRAY_FLAGS, ARRAY_HANDLER = 16, 24, 32, 56, 64, 88
DESCR_BYTE_ORDER, DESCR_TYPE_NUMBER = 26, 28

C_CONTIGUOUS, OWNS_DATA, ALIGNED, WRITEABLE = 0x0001, 0x0004, 0x0100, 0x0400
BIG_ENDIAN = ord(">")


def _word(value: object, offset: int, kind: Any = ctypes.c_int64) -> Any:
    return kind.from_address(id(value) + offset).value


def dict_entries(value: dict[str, Any]) -> int:
    """Where the entries of a dict lie in its table, in the order of the dict and without gaps; 0 if that is not known.

    It holds for a dict with strings as keys that was filled once, and for copies whose tables have the same form.
    """
    if not value or dict.__basicsize__ < DICT_TABLE + 8:
        return 0
    table = _word(value, DICT_TABLE)
    begin = TABLE_INDICES + (1 << ctypes.c_ubyte.from_address(table + TABLE_FORM + 1).value)
    if begin + TABLE_ENTRY_BYTES * len(value) > value.__sizeof__() - dict.__basicsize__:
        return 0
    found = (ctypes.c_int64 * (2 * len(value))).from_address(table + begin)
    return begin if list(found) == [id(part) for item in value.items() for part in item] else 0


def verify(memory_handler: int) -> None:
    """Raises ImportError where an object of this interpreter is not laid out as expected.

    `memory_handler` is the address of what manages the memory of NumPy's new arrays.
    """
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    swapped = np.dtype(">f8")
    method = types.MethodType(len, array)
    cell = types.CellType(array)
    scalar, items, listed = np.float64(1.5), (array, None), [array]
    dims = ctypes.c_int64.from_address(_word(array, ARRAY_DIMS)).value
    checks = {
        "object": _word(array, TYPE) == id(np.ndarray),
        "float": _word(2.5, FLOAT_VALUE, ctypes.c_double) == 2.5,
        "tuple": _word(items, VARIABLE_SIZE) == 2 and _word(items, TUPLE_ITEMS) == id(array),
        "list": ctypes.c_int64.from_address(_word(listed, LIST_ITEMS)).value == id(array),
        "dict": _word({"a": 1, "b": 2, "c": 3}, DICT_USED) == 3,
        "cell": _word(cell, CELL_CONTENTS) == id(array),
        "method": _word(method, METHOD_FUNCTION) == id(len) and _word(method, METHOD_SELF) == id(array),
        "array data": _word(array, ARRAY_DATA) == array.ctypes.data,
        "array rank": _word(array, ARRAY_RANK, ctypes.c_int32) == 2,
        "array dims": dims == 2,
        "array descr": _word(array, ARRAY_DESCR) == id(array.dtype),
        "array flags": _word(np.zeros(2), ARRAY_FLAGS, ctypes.c_int32) & 0x505 == 0x505
        and _word(array, ARRAY_FLAGS, ctypes.c_int32) & 0x505 == array.flags.num & 0x505 == 0x501,
        "array handler": np.ndarray.__basicsize__ >= ARRAY_HANDLER + 8
        and (_word(np.zeros(2), ARRAY_HANDLER), _word(array, ARRAY_HANDLER)) == (memory_handler, 0),
        "descr": _word(swapped, DESCR_BYTE_ORDER, ctypes.c_ubyte) == BIG_ENDIAN
        and _word(swapped, DESCR_TYPE_NUMBER, ctypes.c_int32) == swapped.num,
        "scalar": all(
            kind.from_address(id(number) + NUMPY_SCALAR_VALUE).value == 1
            for kind, number in (
                (ctypes.c_int32, np.int32(1)),
                (ctypes.c_int64, np.int64(1)),
                (ctypes.c_float, np.float32(1)),
                (ctypes.c_bool, np.bool_(True)),
            )
        )
        and _word(scalar, NUMPY_SCALAR_VALUE, ctypes.c_double) == 1.5,
    }
    wrong = [name for name, holds in checks.items() if not holds]
    if wrong:
        raise ImportError(f"the layout of this interpreter's objects is not known: {', '.join(wrong)}")
