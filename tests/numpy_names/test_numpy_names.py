"""Every NumPy name, compiled against plain: results, types, dtypes, shapes, raised errors."""

import os
from collections.abc import Callable
from typing import Any

import pytest

import arignote as ag
from tests.corpus.program import Call
from tests.numpy_names import (
    rows_creation,
    rows_elementwise,
    rows_indexing,
    rows_linear_algebra,
    rows_reductions,
    rows_shapes,
)
from tests.numpy_names.cases import Case
from tests.numpy_names.table import ROWS, Row
from tests.properties.comparison import Outcome, outcome, outcome_differences
from tests.properties.trees import leaves

THEMES = (rows_elementwise, rows_reductions, rows_shapes, rows_indexing, rows_creation, rows_linear_algebra)
SAMPLE = int(os.environ.get("ARIGNOTE_NUMPY_CASES", "4"))
SUPPORTED = {"bool", "int32", "int64", "float32", "float64"}


def may_be_refused(plain: Outcome) -> bool:
    """A compile error will do where plain NumPy raises too, or gives a dtype that compiled code does not hold."""
    dtypes = {getattr(leaf, "dtype", None) for leaf in leaves(plain.value)} - {None}
    return plain.error is not None or any(dtype.name not in SUPPORTED for dtype in dtypes)


def case_differences(row: Row, function: Callable[..., Any], compiled: Callable[..., Any], case: Case) -> list[str]:
    """What is wrong in one case."""
    arguments = Call(case.arguments)
    plain = outcome(function, arguments)
    found = outcome(compiled, arguments)
    lines = outcome_differences(plain, found, row.ulps, may_be_refused(plain), row.each)
    return [f"{row.expression} on {case.label}:", *("    " + line for line in lines)] if lines else []


def check(row: Row, chosen: list[Case]) -> None:
    """Fail with all that is wrong in any of the cases."""
    __tracebackhide__ = True
    function = row.function()
    compiled = ag.jit(function)
    lines = [line for case in chosen for line in case_differences(row, function, compiled, case)]
    if lines:
        pytest.fail("\n" + "\n".join(lines[:40]), pytrace=False)


every_row = pytest.mark.parametrize("row", ROWS, ids=[row.expression for row in ROWS])


@every_row
def test_sample(row: Row) -> None:
    """A few of a row's cases, always the same; ARIGNOTE_NUMPY_CASES=n takes more."""
    check(row, row.sample(SAMPLE))


@pytest.mark.slow
@every_row
def test_all(row: Row) -> None:
    """All of a row's cases."""
    check(row, list(row.make_cases()))
