"""np.sum of a matrix along an axis or all."""

from typing import Any

import numpy as np

from benchmarks.workload import Thunks
from benchmarks.workloads._reductions import AXES, torch_axis, workload

Array = np.ndarray[Any, Any]


def program(x: Array, axis: str) -> Any:
    if axis == "all":
        return np.sum(x)
    return np.sum(x, axis=0) if axis == "axis 0" else np.sum(x, axis=1)


def jax(x: Any, axis: str) -> Any:
    from jax import numpy as jnp

    return jnp.sum(x, axis=AXES[axis])


def torch(x: Any, axis: str) -> Any:
    return x.sum(**torch_axis(axis))


def pytensor(x: Any, axis: str) -> Any:
    return x.sum(axis=AXES[axis])


def numba(x: Array, axis: str) -> Thunks:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def columns(x: Array) -> Array:
        blocks = numba.get_num_threads()
        parts = np.zeros((blocks, x.shape[1]))
        for block in numba.prange(blocks):
            for i in range(block * x.shape[0] // blocks, (block + 1) * x.shape[0] // blocks):
                for j in range(x.shape[1]):
                    parts[block, j] += x[i, j]
        return parts.sum(axis=0)

    @numba.njit(parallel=True, fastmath=True)
    def rows(x: Array) -> Array:
        result = np.empty(x.shape[0])
        for i in numba.prange(x.shape[0]):
            total = 0.0
            for j in range(x.shape[1]):
                total += x[i, j]
            result[i] = total
        return result

    @numba.njit(parallel=True, fastmath=True)
    def everything(x: Array) -> float:
        total = 0.0
        for i in numba.prange(x.shape[0]):
            for j in range(x.shape[1]):
                total += x[i, j]
        return total

    loops = {"axis 0": columns, "axis 1": rows, "all": everything}[axis]
    return {"value": lambda: loops(x)}


WORKLOAD = workload("reduce_sum", "sum of a matrix", program, jax, torch, pytensor, numba)
