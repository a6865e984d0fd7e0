"""The meaning of each scalar operation of the loop IR, by NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special

from .loop_ir import Type

RENAMED: dict[str, Callable[..., Any]] = {
    "round": np.rint,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "gammaln": scipy.special.gammaln,
    "digamma": scipy.special.digamma,
    "unsigned_right_shift": lambda a, b: unsigned_right_shift(a, b),
    "multiply_high": lambda a, b: multiply_high(a, b),
    "select": lambda condition, a, b: a if condition else b,
    "add_overflows": lambda a, b: overflows(int(a) + int(b), a),
    "subtract_overflows": lambda a, b: overflows(int(a) - int(b), a),
    "multiply_overflows": lambda a, b: overflows(int(a) * int(b), a),
}
WHOLE = frozenset(["floor", "ceil", "trunc", "round"])


def overflows(exact: int, like: Any) -> bool:
    """Whether an exact result does not fit the type of `like`."""
    bounds = np.iinfo(like.dtype)
    return not bounds.min <= exact <= bounds.max


def unsigned_right_shift(a: Any, b: Any) -> Any:
    """The bits of a shifted right, filled with zeros."""
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    bits = 8 * a.dtype.itemsize
    return (a.view(unsigned) >> unsigned.type(b)).view(a.dtype) if 0 <= b < bits else a.dtype.type(0)


def multiply_high(a: Any, b: Any) -> Any:
    """The upper half of the product of two words, taken as unsigned."""
    bits = 8 * a.dtype.itemsize
    high = ((int(a) % 2**bits) * (int(b) % 2**bits)) >> bits
    return a.dtype.type(high - 2**bits if high >= 2 ** (bits - 1) else high)


def power_integer(a: Any, b: Any) -> Any:
    """Wrapping power; 0 for a negative exponent."""
    return np.power(a, b) if b >= 0 else a.dtype.type(0)


def power(a: Any, b: Any) -> Any:
    """C's pow: in arrays, because NumPy takes a square root for one exponent 0.5, which differs for -0 and -inf."""
    return np.power(np.array([a, a]), np.array([b, b]))[0]


def cast(value: Any, type: Type) -> Any:
    """Conversion; a float that does not fit an integer type gives its least number."""
    dtype = np.dtype(type)
    if value.dtype.kind == "f" and dtype.kind == "i":
        least = float(np.iinfo(dtype).min)
        if not (np.trunc(value) >= least and value < -least):
            return dtype.type(np.iinfo(dtype).min)
        return dtype.type(int(value))
    return value.astype(dtype)


def scalar(op: str, args: Sequence[Any], type: Type) -> Any:
    """The result of a scalar operation on NumPy scalars."""
    with np.errstate(all="ignore"):
        if op == "cast":
            return cast(args[0], type)
        if op == "reinterpret":
            return args[0].view(type)
        if op == "power":
            return (power_integer if args[0].dtype.kind == "i" else power)(*args)
        if op in WHOLE and args[0].dtype.kind != "f":
            return args[0]
        function = RENAMED.get(op) or getattr(np, op)
        return function(*args)
