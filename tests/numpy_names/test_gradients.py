"""The derivative of every NumPy name, against central differences of plain NumPy.

For each row and each case with arguments of float64: the gradient of sum(w * expression) for random weights w, along a
random direction. What jumps or has a kink at the arguments is seen from differences that disagree, and left out.
"""

import math
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import arignote as ag
from tests.numpy_names.cases import Case
from tests.numpy_names.table import Row
from tests.numpy_names.test_numpy_names import ROWS
from tests.source_text import function_from

SAMPLE_EVERY = int(os.environ.get("ARIGNOTE_GRADIENT_ROWS", "3"))
"""Of so many rows one is in the sample."""
CASES_OF_SAMPLE = 1
CASES_OF_ALL = 20
STEP = 1e-6
TOLERANCE = 2e-5

Function = Callable[..., Any]


def is_active(argument: Any) -> bool:
    """Whether the loss is differentiated with respect to an argument: it is of float64, has entries, all finite."""
    if not isinstance(argument, float | np.ndarray):
        return False
    array = np.asarray(argument)
    return array.dtype == np.float64 and array.size > 0 and bool(np.isfinite(array).all())


def can_be_compared(row: Row, value: np.ndarray[Any, Any]) -> bool:
    """Whether numerical differences say something: not in single precision, nor where a standard deviation is 0."""
    has_kink = "std" in row.expression and not value.all()
    return value.dtype != np.float32 and bool(np.isfinite(value).all()) and not has_kink


@dataclass(frozen=True)
class Problem:
    """One loss, the arguments at which it is differentiated, and the direction."""

    loss: Function
    case: Case
    weights: Any
    active: tuple[int, ...]
    directions: tuple[Any, ...]

    def along(self, distance: float) -> float:
        """Plain NumPy's loss at a distance from the arguments."""
        moved = list(self.case.arguments)
        for number, direction in zip(self.active, self.directions, strict=True):
            there = moved[number] + distance * direction
            moved[number] = float(there) if type(moved[number]) is float else there  # its kind decides about dtypes
        with np.errstate(all="ignore"):
            return float(self.loss(*moved, self.weights))

    def slope(self) -> float:
        """The compiled derivative along the direction."""
        derivative = ag.jit(ag.value_and_grad(self.loss, argnums=self.active))
        value, gradients = derivative(*self.case.arguments, self.weights)
        assert value == pytest.approx(self.along(0.0), rel=1e-9, abs=1e-9)
        return sum(float(np.sum(g * d)) for g, d in zip(gradients, self.directions, strict=True))

    def differences(self) -> tuple[float, float] | None:
        """The numerical slope and how large an error it may have; None where the loss is not smooth."""
        try:
            here, ahead, behind = self.along(0.0), self.along(STEP), self.along(-STEP)
        except ValueError:  # a size depends on the arguments
            return None
        near = (self.along(STEP / 8) - self.along(-STEP / 8)) / (STEP / 4)
        central, forward, backward = (ahead - behind) / (2 * STEP), (ahead - here) / STEP, (here - behind) / STEP
        scale = 1 + abs(central) + abs(here)
        if not all(map(math.isfinite, (central, near))) or max(abs(forward - backward), abs(central - near)) > (
            1e-3 * scale
        ):
            return None
        return central, TOLERANCE * scale


def problem(row: Row, function: Function, loss: Function, case: Case) -> Problem | None:
    """The loss of a case, unless plain NumPy refuses it or nothing in it can be differentiated."""
    active = tuple(number for number, argument in enumerate(case.arguments) if is_active(argument))
    if not active:
        return None
    try:
        with np.errstate(all="ignore"):
            value = function(*case.arguments)
    except Exception:
        return None
    if not isinstance(value, float | np.ndarray | np.generic) or not can_be_compared(row, np.asarray(value)):
        return None
    generator = np.random.default_rng(5)
    weights = generator.uniform(0.5, 1.5, np.shape(value))
    directions = tuple(generator.uniform(-1, 1, np.shape(case.arguments[number])) for number in active)
    return Problem(loss, case, weights, active, directions)


def problems(row: Row) -> Iterator[Problem]:
    """The problems of a row, always in the same random order."""
    names = f"{row.parameters}, weights" if row.parameters else "weights"
    source = f"def loss({names}):\n    return np.sum(weights * ({row.expression}))\n"
    function, loss = row.function(), function_from(source, "loss", f"<sum of {row.expression}>")
    every = list(row.make_cases())
    random.Random(row.expression).shuffle(every)
    for case in every:
        found = problem(row, function, loss, case)
        if found is not None:
            yield found


def check(row: Row, most: int) -> None:
    """Fail with all cases of a row whose gradient is not the numerical one."""
    __tracebackhide__ = True
    lines = []
    for count, item in enumerate(problems(row)):
        if count == most:
            break
        numeric = item.differences()
        if numeric is None:
            continue
        found = item.slope()
        if not abs(found - numeric[0]) <= numeric[1]:
            lines.append(f"{row.expression} on {item.case.label}: slope {found}, numerically {numeric[0]}")
    if lines:
        pytest.fail("\n" + "\n".join(lines[:40]), pytrace=False)


def names(rows: list[Row]) -> list[str]:
    return [row.expression for row in rows]


SAMPLED = ROWS[::SAMPLE_EVERY]


@pytest.mark.parametrize("row", SAMPLED, ids=names(SAMPLED))
def test_sample(row: Row) -> None:
    """One case of some rows, always the same ones."""
    check(row, CASES_OF_SAMPLE)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=names(ROWS))
def test_all(row: Row) -> None:
    """Many cases of all rows."""
    check(row, CASES_OF_ALL)
