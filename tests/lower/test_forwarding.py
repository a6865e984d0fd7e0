"""What an iteration stores and the next one reads stays in a register, and nothing else does."""

from typing import Any

import numpy as np
import pytest

import arignote as ag


def recurrence(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n + 2)
    out[0] = x
    for i in range(1, n):
        out[i] = out[i - 1] * 0.5 + x
    return out


def rows(x, n):  # type: ignore[no-untyped-def]
    table = np.zeros((n + 1, n + 1)) + x
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            if (i * j) % 3 == 0:
                table[i, j] = table[i - 1, j - 1]
            elif i > j:
                table[i, j] = min(table[i - 1, j], table[i, j - 1]) + x
            else:
                table[i, j] = table[i, j - 1] * 0.5 + 1.0
    return table


def of_integers(x, n):  # type: ignore[no-untyped-def]
    counts = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        counts[i + 1] = 3 * counts[i] + i
    return counts * x


def backwards(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n + 1) + x
    for i in range(n - 1, -1, -1):
        out[i] = out[i + 1] * 0.5 + i
    return out


def every_third(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(3 * n + 4) + x
    for i in range(n):
        out[3 * i + 3] = out[3 * i] + x
    return out


@pytest.mark.parametrize("n", [0, 1, 2, 9])
@pytest.mark.parametrize("program", [recurrence, rows, of_integers, backwards, every_third])
def test_values(program: Any, n: int) -> None:
    assert np.array_equal(ag.jit(program)(1.25, n), program(1.25, n))


@pytest.mark.parametrize("program", [recurrence, rows, of_integers])
def test_only_the_first_iteration_reads(program: Any) -> None:
    text = str(ag.inspect(ag.jit(program))(1.25, 9).loops)
    assert "equal(%" in text and any(is_first_read(text, line) for line in text.splitlines())


def is_first_read(text: str, line: str) -> bool:
    """Whether a line tests for the first iteration, and a branch follows from it."""
    name = line.strip().split(":")[0]
    return ": bool = equal(%" in line and ", 0:int64)" in line and f"if {name} {{" in text


def beside_flags(x, n):  # type: ignore[no-untyped-def]
    out, flags = np.zeros(n + 1) + x, np.zeros(n + 1, dtype=bool)
    for i in range(n):
        flags[i] = i % 3 == 0
        out[i + 1] = out[i] + 0.5 if flags[i] else out[i] * 1.5
    return out * flags


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_stores_of_other_types_are_elsewhere(n: int) -> None:
    assert np.array_equal(ag.jit(beside_flags)(1.25, n), beside_flags(1.25, n))
    text = str(ag.inspect(beside_flags)(1.25, 9).loops)
    assert any(is_first_read(text, line) for line in text.splitlines())


def table(costs, n):  # type: ignore[no-untyped-def]
    """Cells from their neighbours: the gradient remembers which one, beside the cells."""
    cells = np.zeros((n + 1, n + 1))
    for i in range(1, n + 1):
        for j in range(1, n + 1):
            if (i * j) % 3 == 0:
                cells[i, j] = cells[i - 1, j - 1]
            else:
                cells[i, j] = min(cells[i - 1, j] + costs[0], cells[i, j - 1] + costs[1])
    return cells[n, n]


def test_the_gradient_of_a_table() -> None:
    costs = np.array([1.0, 1.3])
    gradient = ag.value_and_grad(table)
    value, found = ag.jit(gradient)(costs, 7)
    expected, wanted = gradient(costs, 7)
    assert value == expected and np.array_equal(found, wanted)
    ag.check_grads(lambda c: table(c, 7), (costs,))
    text = str(ag.inspect(gradient)(costs, 7).loops)
    assert any(is_first_read(text, line) for line in text.splitlines())
    assert text.count("unique") == 1, "only the list of the rows grows"


def only_sometimes(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n + 1) + x
    for i in range(n):
        if i % 2 == 0:
            out[i + 1] = out[i] * 2.0
    return out


def two_before(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n + 2) + x
    for i in range(n):
        out[i + 2] = out[i] + 0.5 * out[i + 1]
    return out


def two_stores(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n + 2) + x
    for i in range(n):
        out[i + 1] = out[i] * 2.0
        out[i] = x - i
    return out


def the_same_place(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(4) + x
    for i in range(n):
        out[1] = out[0] + out[1] + i
    return out


def strides_that_vary(x, n):  # type: ignore[no-untyped-def]
    table = np.zeros((n + 1, n + 1)) + x
    for i in range(n):
        for j in range(n):
            table[j + 1, i] = table[j, i] + x
    return table


def negative_first(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n + 1) + x
    for i in range(n):
        out[i] = out[i - 1] + x
    return out


def guarded(x, n):  # type: ignore[no-untyped-def]
    out = np.zeros(n + 1)
    for i in range(n):
        if i > 0:
            out[i] = out[i - 1] + x
        else:
            out[i] = x
    return out


@pytest.mark.parametrize("n", [0, 1, 2, 9])
@pytest.mark.parametrize(
    "program", [only_sometimes, two_before, two_stores, the_same_place, strides_that_vary, negative_first, guarded]
)
def test_other_loops(program: Any, n: int) -> None:
    assert np.array_equal(ag.jit(program)(1.25, n), program(1.25, n))


def test_small_types() -> None:
    def program(x, n):  # type: ignore[no-untyped-def]
        out = np.zeros(n + 1, dtype=np.float32)
        flags = np.zeros(n + 1, dtype=bool)
        out[0] = x
        for i in range(n):
            out[i + 1] = out[i] / 3.0 + i
        for i in range(n):
            flags[i + 1] = not flags[i]
        return out, flags

    for found, expected in zip(ag.jit(program)(0.1, 9), program(0.1, 9), strict=True):
        assert found.dtype == expected.dtype and np.array_equal(found, expected)


@pytest.mark.parametrize("program", [recurrence, rows])
def test_gradient(program: Any) -> None:
    ag.check_grads(lambda x: np.sum(program(x, 7)), (1.25,))
