"""Programs over NumPy names, through the front end and the reference interpreter, beside plain NumPy."""

import warnings
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.special

from arignote.frontend.specialise import specialise
from arignote.ir.check import check
from arignote.ir.describe import structure_of
from arignote.ir.errors import CompileError
from arignote.ir.evaluate import evaluate
from arignote.ir.structure import ArrayOf, PythonScalarOf, leaf_structures
from arignote.ir.structure_values import leaves_of, rebuild
from tests.source_text import function_from

NAMES = "xyzw"
SUPPORTED = {"bool", "int32", "int64", "float32", "float64"}


def program(code: str, count: int) -> Any:
    """An expression over x, y, z ... or statements that end with one, as a function."""
    *statements, last = code.split("; ")
    body = "".join(f"    {line}\n" for line in [*statements, f"return {last}"])
    source = f"def program({', '.join(NAMES[:count])}):\n{body}"
    return function_from(source, "program", f"<{code}>", scipy=scipy)


def evaluated(function: Any, *arguments: Any) -> Any:
    """What the front end's graph gives."""
    structures = tuple(structure_of(argument) for argument in arguments)
    specialised = specialise(function, structures, {}, SimpleNamespace(vjp=None))
    check(specialised.main)
    leaves = [leaf for structure, argument in zip(structures, arguments) for leaf in leaves_of(structure, argument)]
    leaves = [leaf[()] if isinstance(leaf, np.ndarray) and leaf.ndim == 0 else leaf for leaf in leaves]
    _, *results = evaluate(specialised.main, *leaves)
    kinds = leaf_structures(specialised.result)
    return rebuild(specialised.result, [_leave(kind, value) for kind, value in zip(kinds, results, strict=True)])


def _leave(kind: Any, value: Any) -> Any:
    if isinstance(kind, ArrayOf):
        return np.asarray(value)
    return value.item() if isinstance(kind, PythonScalarOf) else value


def leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def assert_same(expected: Any, found: Any, tolerance: float) -> None:
    """The same types, dtypes, shapes; values within a tolerance relative to the largest."""
    assert type(found) is type(expected), f"{found!r} instead of {expected!r}"
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for a, b in zip(expected, found):
            assert_same(a, b, tolerance)
    elif isinstance(expected, np.ndarray | np.generic):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        finite = np.abs(expected[np.isfinite(expected)]) if expected.dtype.kind == "f" else np.zeros(0)
        scale = float(finite.max(initial=0.0)) * tolerance * float(np.finfo(expected.dtype).eps) if finite.size else 0
        np.testing.assert_allclose(found, expected, rtol=0, atol=scale)
    else:
        assert found == expected or found != found


def outcome(function: Any, *arguments: Any) -> tuple[Any, Exception | None]:
    arguments = tuple(a.copy() if isinstance(a, np.ndarray) else a for a in arguments)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*arguments), None
        except Exception as error:
            return None, error


def compare(code: str, *arguments: Any, tolerance: float = 64) -> None:
    """Compiled agrees with plain: in the value, or in the class of the error. The compiler may refuse what NumPy
    refuses, and dtypes that it does not have."""
    function = program(code, len(arguments))
    expected, error = outcome(function, *arguments)
    found, failure = outcome(lambda *given: evaluated(function, *given), *arguments)
    if failure is None:
        assert error is None, f"{code}: no error, but NumPy raises {error!r}"
        assert_same(expected, found, tolerance)
    elif isinstance(failure, CompileError):
        unknown = [v for v in leaves(expected) if hasattr(v, "dtype") and v.dtype.name not in SUPPORTED]
        if error is None and not unknown:
            pytest.fail(f"{code}: refused: {failure}", pytrace=False)
    else:
        if error is None or not (isinstance(failure, type(error)) or isinstance(error, type(failure))):
            raise AssertionError(f"{code}: {failure!r}, but plain gives {error or expected!r}") from failure
