"""When two results agree: the same types, dtypes and shapes, and values as near as the program's operations allow."""

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import arignote as ag
from tests.corpus.program import Call

# Errors that depend on types alone. A compiler may report these when it compiles, under its own name.
STATIC_ERRORS = (TypeError, KeyError, AttributeError, NameError, np.exceptions.AxisError)


@dataclass(frozen=True)
class Outcome:
    """What a call gave: a value, or an exception."""

    value: Any = None
    error: BaseException | None = None


def as_numpy_scalar(value: Outcome) -> Outcome:
    """A Python number as the NumPy scalar that it equals."""
    return Outcome(np.float64(value.value)) if type(value.value) is float else value


def outcome(function: Callable[..., Any], arguments: Call) -> Outcome:
    """Call a function; NumPy's warnings about inf and nan are no part of the result."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Outcome(value=function(*arguments.positional, **arguments.keywords))
        except Exception as error:
            return Outcome(error=error)


def type_name(value: Any) -> str:
    """The type that a message shows."""
    if isinstance(value, np.ndarray):
        return f"{type(value).__name__} of {value.dtype} {value.shape}"
    return f"{type(value).__module__}.{type(value).__name__}".removeprefix("builtins.")


def children(value: Any) -> dict[str, Any] | None:
    """The named parts of a tuple, list, dict or dataclass; None for a leaf."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f".{f.name}": getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {f"[{key!r}]": item for key, item in value.items()}
    if isinstance(value, tuple | list):
        return {f"[{i}]": item for i, item in enumerate(value)}
    return None


def differences(expected: Any, actual: Any, ulps: float, path: str = "result", each: bool = False) -> list[str]:
    """What is wrong with `actual`, one line for each leaf; empty if it agrees."""
    if type(expected) is not type(actual):
        wanted, found = type_name(expected), type_name(actual)
        return [f"{path}: expected {wanted} {short(expected)}, got {found} {short(actual)}"]
    parts = children(expected)
    if parts is None:
        return leaf_differences(expected, actual, ulps, path, each)
    others = children(actual) or {}
    if list(parts) != list(others):
        return [f"{path}: expected the items {list(parts)}, got {list(others)}"]
    return [line for name in parts for line in differences(parts[name], others[name], ulps, path + name, each)]


def leaf_differences(expected: Any, actual: Any, ulps: float, path: str, each: bool) -> list[str]:
    """Compare two arrays or numbers of the same Python type."""
    if not isinstance(expected, np.ndarray | np.generic | bool | int | float):
        return [] if expected == actual else [f"{path}: expected {expected!r}, got {actual!r}"]
    if isinstance(expected, np.ndarray) and (expected.dtype, expected.shape) != (actual.dtype, actual.shape):
        return [f"{path}: expected {type_name(expected)}, got {type_name(actual)}"]
    if not agree(np.asarray(expected), np.asarray(actual), ulps, each):
        return [f"{path}: expected {short(expected)}\n{' ' * len(path)}       got {short(actual)}"]
    return []


def agree(expected: np.ndarray[Any, Any], actual: np.ndarray[Any, Any], ulps: float, each: bool) -> bool:
    """Whether the values agree within units in the last place.

    The unit is that of each entry, or that of the largest entry and of 1, as the rounding errors of sums are.
    """
    if expected.dtype.kind != "f":
        return bool(np.array_equal(expected, actual))
    same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
    if ulps == 0:
        sign = (np.signbit(expected) == np.signbit(actual)) | np.isnan(expected)
        return bool(np.all(same & sign))
    with np.errstate(all="ignore"):
        sizes = np.abs(expected)
        scale = sizes if each else sizes[np.isfinite(sizes)].max(initial=1.0)
        near = np.abs(expected - actual) <= ulps * np.finfo(expected.dtype).eps * scale
    return bool(np.all(same | near))


def short(value: Any) -> str:
    """A value on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 200 else text[:197] + "..."


def outcome_differences(
    plain: Outcome, compiled: Outcome, ulps: float, may_be_refused: bool = False, each: bool = False
) -> list[str]:
    """What is wrong with the compiled outcome, given the plain one."""
    refused = isinstance(compiled.error, ag.CompileError)
    if refused and (may_be_refused or isinstance(plain.error, STATIC_ERRORS)):
        return []
    if plain.error is None:
        if compiled.error is not None:
            return [f"expected {short(plain.value)}, but the compiled function raised {show(compiled.error)}"]
        return differences(plain.value, compiled.value, ulps, each=each)
    if compiled.error is None:
        return [f"expected {show(plain.error)}, but the compiled function returned {short(compiled.value)}"]
    if type(plain.error) is not type(compiled.error):
        return [f"expected {show(plain.error)}, got {show(compiled.error)}"]
    return []


def show(error: BaseException) -> str:
    """An exception's type and message."""
    return f"{type(error).__name__}: {error}"


def assert_no_differences(lines: list[str]) -> None:
    """Fail with nothing but the differences."""
    __tracebackhide__ = True
    if lines:
        raise AssertionError("\n" + "\n".join(lines))
