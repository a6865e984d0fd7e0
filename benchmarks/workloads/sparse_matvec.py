"""A sparse matrix (compressed rows) times a vector: entries gathered, multiplied, and added up in their rows."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(data: Array, x: Array, rows: Array, columns: Array, target: Array) -> Any:
    product = np.zeros(target.shape[0])
    np.add.at(product, rows, data * x[columns])
    return np.sum((product - target) ** 2)


def jax(data: Array, x: Array, rows: Array, columns: Array, target: Array) -> Thunks:
    import jax
    import jax.numpy as jnp

    def loss(data: Any, x: Any, rows: Any, columns: Any, target: Any) -> Any:
        product = jax.ops.segment_sum(data * x[columns], rows, target.shape[0], indices_are_sorted=True)
        return jnp.sum((product - target) ** 2)

    return _jax.thunks(loss, (data, x, rows, columns, target), (0, 1))


def with_torch(data: Any, x: Any, rows: Any, columns: Any, target: Any) -> Any:
    """The loss in PyTorch, in the form that is differentiable by the entries."""
    import torch

    product = torch.zeros_like(target).index_add(0, rows, data * x[columns])
    return torch.sum((product - target) ** 2)


def eager(data: Array, x: Array, rows: Array, columns: Array, target: Array) -> Thunks:
    """The value by the product of its sparse matrices; their gradient by entries is dense, so that by index_add."""
    import torch

    found = dict(_torch.thunks(with_torch, (data, x, rows, columns, target), (0, 1)))
    starts = np.searchsorted(rows, np.arange(len(target) + 1))
    tensors = [torch.from_numpy(array) for array in (starts, columns, data, x, target)]
    matrix = torch.sparse_csr_tensor(*tensors[:3], size=(len(target), len(x)))
    found["value"] = lambda: torch.sum((matrix @ tensors[3] - tensors[4]) ** 2)
    return found


def compiled(data: Array, x: Array, rows: Array, columns: Array, target: Array) -> Thunks:
    return _torch.compiled(with_torch, (data, x, rows, columns, target), (0, 1))


def pytensor(data: Array, x: Array, rows: Array, columns: Array, target: Array) -> Thunks:
    import pytensor
    import pytensor.sparse as sparse
    import pytensor.tensor as pt

    starts = np.searchsorted(rows, np.arange(len(target) + 1)).astype(np.int32)
    entries, vector, wanted = pt.vector("data"), pt.vector("x"), pt.vector("target")
    matrix = sparse.CSR(entries, columns.astype(np.int32), starts, np.array([len(target), len(x)], np.int32))
    product = sparse.structured_dot(matrix, vector[:, None])[:, 0]
    loss = pt.sum((product - wanted) ** 2)
    inputs = [entries, vector, wanted]
    value = pytensor.function(inputs, loss)
    both = pytensor.function(inputs, [loss, *pytensor.grad(loss, [entries, vector])])
    return {"value": lambda: value(data, x, target), "gradient": lambda: both(data, x, target)}


def numba(data: Array, x: Array, rows: Array, columns: Array, target: Array) -> Thunks:
    import numba

    @numba.njit(parallel=True)
    def loss(data: Array, x: Array, starts: Array, columns: Array, target: Array) -> float:
        total = 0.0
        for i in numba.prange(len(target)):
            product = 0.0
            for k in range(starts[i], starts[i + 1]):
                product += data[k] * x[columns[k]]
            total += (product - target[i]) ** 2
        return total

    starts = np.searchsorted(rows, np.arange(len(target) + 1))
    return {"value": lambda: loss(data, x, starts, columns, target)}


def case(size: int, per_row: int) -> Case:
    """A square matrix with entries at random columns; each entry and its places are read once."""

    def inputs() -> tuple[Array, ...]:
        rng = np.random.default_rng(0)
        rows = np.repeat(np.arange(size), per_row)
        columns = np.sort(rng.integers(0, size, (size, per_row)), axis=1).ravel()
        return rng.normal(size=size * per_row), rng.normal(size=size), rows, columns, rng.normal(size=size)

    entries = size * per_row
    limits = {"value": Limit(bytes=24.0 * entries), "gradient": Limit(bytes=56.0 * entries)}
    return Case(f"{size:,} x {size:,}, {per_row} in a row", inputs, limits)


WORKLOAD = Workload(
    name="sparse_matvec",
    title="Sparse matrix times vector",
    program=program,
    cases=(case(10_000, 10), case(100_000, 10)),
    gradient=(0, 1),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
