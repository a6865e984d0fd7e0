"""The edit distance of two sequences by a table, with real costs: the gradient counts the operations."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _numba, _torch

Array = np.ndarray[Any, Any]


def program(a: Array, b: Array, costs: Array) -> Any:
    insert, delete, replace = costs[0], costs[1], costs[2]
    table = np.zeros((len(a) + 1, len(b) + 1))
    for i in range(1, len(a) + 1):
        table[i, 0] = i * delete
    for j in range(1, len(b) + 1):
        table[0, j] = j * insert
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            if a[i - 1] == b[j - 1]:
                table[i, j] = table[i - 1, j - 1]
            else:
                table[i, j] = min(table[i - 1, j] + delete, table[i, j - 1] + insert, table[i - 1, j - 1] + replace)
    return table[len(a), len(b)]


def diagonals(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """For each diagonal of the table (i + j = d), by i: equal symbols, the first row, the first column."""
    n, m = len(a), len(b)
    d, i = np.arange(1, n + m + 1)[:, None], np.arange(n + 1)[None, :]
    j = d - i
    equal = (i > 0) & (j > 0) & (j <= m) & (a[np.clip(i - 1, 0, n - 1)] == b[np.clip(j - 1, 0, m - 1)])
    return equal, np.broadcast_to(i == 0, equal.shape).copy(), j == 0


def jax(a: Array, b: Array, costs: Array) -> Thunks:
    """By diagonals, whose cells do not depend on one another."""
    import jax
    import jax.numpy as jnp

    last = len(a)

    def distance(equal: Any, first_row: Any, first_column: Any, costs: Any) -> Any:
        insert, delete, replace = costs[0], costs[1], costs[2]
        count = jnp.arange(1, equal.shape[0] + 1)

        def step(carry: Any, given: Any) -> Any:
            before, previous = carry
            d, same, row, column = given
            up, corner = jnp.roll(previous, 1), jnp.roll(before, 1)
            best = jnp.minimum(jnp.minimum(up + delete, previous + insert), corner + replace)
            now = jnp.where(same, corner, best)
            now = jnp.where(row, d * insert, jnp.where(column, d * delete, now))
            return (previous, now), None

        zero = jnp.zeros(equal.shape[1])
        (_, final), _ = jax.lax.scan(step, (zero, zero), (count, equal, first_row, first_column))
        return final[last]

    return _jax.thunks(distance, (*diagonals(a, b), costs), (3,))


def eager(a: Array, b: Array, costs: Array) -> Thunks:
    import torch

    def distance(equal: Any, first_row: Any, first_column: Any, costs: Any) -> Any:
        insert, delete, replace = costs[0], costs[1], costs[2]
        before = previous = torch.zeros(equal.shape[1], dtype=costs.dtype)
        for d in range(equal.shape[0]):
            up, corner = torch.roll(previous, 1), torch.roll(before, 1)
            best = torch.minimum(torch.minimum(up + delete, previous + insert), corner + replace)
            now = torch.where(equal[d], corner, best)
            now = torch.where(first_row[d], (d + 1) * insert, torch.where(first_column[d], (d + 1) * delete, now))
            before, previous = previous, now
        return previous[len(a)]

    return _torch.thunks(distance, (*diagonals(a, b), costs), (3,))


def pytensor(a: Array, b: Array, costs: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    tables = diagonals(a, b)
    given = [pt.bmatrix(name) for name in ("equal", "first_row", "first_column")]
    prices = pt.dvector("costs")
    insert, delete, replace = prices[0], prices[1], prices[2]

    def step(d: Any, same: Any, row: Any, column: Any, before: Any, previous: Any, *_: Any) -> Any:
        up, corner = pt.roll(previous, 1), pt.roll(before, 1)
        best = pt.minimum(pt.minimum(up + delete, previous + insert), corner + replace)
        now = pt.where(same, corner, best)
        return previous, pt.where(row, d * insert, pt.where(column, d * delete, now))

    zero = pt.zeros(len(a) + 1)
    (_, rows), updates = pytensor.scan(
        step,
        sequences=[pt.arange(1, len(a) + len(b) + 1), *given],
        outputs_info=[zero, zero],
        non_sequences=[insert, delete, replace],
        return_updates=True,
    )
    final = rows[-1, len(a)]
    value = pytensor.function([*given, prices], final, updates=updates)
    both = pytensor.function([*given, prices], [final, pytensor.grad(final, prices)], updates=updates)
    inputs = *(table.astype(np.int8) for table in tables), costs
    return {"value": lambda: value(*inputs), "gradient": lambda: both(*inputs)}


def inputs() -> tuple[Array, Array, Array]:
    """Two sequences of letters, and costs of which no two sums are equal by chance."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 20, 500), generator.integers(0, 20, 480), np.array([1.0, 1.1236067, 1.4142135])


WORKLOAD = Workload(
    name="edit_distance",
    title="edit distance of 500 and 480 symbols",
    program=program,
    cases=(Case("500x480", inputs),),
    gradient=(2,),
    peers={"JAX": jax, "PyTorch": eager, "PyTensor": pytensor, "Numba": _numba.builder(program)},
    why_not={"PyTorch compile": "unrolls the 980 steps of the loop: minutes", "Numba": "has no derivatives"},
)
