"""The total of np.var of a matrix along an axis or all, and its gradient."""

from typing import Any

import numpy as np

from benchmarks.workload import Thunks
from benchmarks.workloads._reductions import AXES, torch_axis, workload

Array = np.ndarray[Any, Any]


def program(x: Array, axis: str) -> Any:
    if axis == "all":
        return np.var(x)
    return np.sum(np.var(x, axis=0)) if axis == "axis 0" else np.sum(np.var(x, axis=1))


def jax(x: Any, axis: str) -> Any:
    from jax import numpy as jnp

    return jnp.sum(jnp.var(x, axis=AXES[axis]))


def torch(x: Any, axis: str) -> Any:
    return x.var(**torch_axis(axis), correction=0).sum()


def pytensor(x: Any, axis: str) -> Any:
    return x.var(axis=AXES[axis]).sum()


def numba(x: Array, axis: str) -> Thunks:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def columns(x: Array) -> float:
        blocks = numba.get_num_threads()
        first, second = np.zeros((blocks, x.shape[1])), np.zeros((blocks, x.shape[1]))
        for block in numba.prange(blocks):
            for i in range(block * x.shape[0] // blocks, (block + 1) * x.shape[0] // blocks):
                for j in range(x.shape[1]):
                    first[block, j] += x[i, j]
        mean = first.sum(axis=0) / x.shape[0]
        for block in numba.prange(blocks):
            for i in range(block * x.shape[0] // blocks, (block + 1) * x.shape[0] // blocks):
                for j in range(x.shape[1]):
                    second[block, j] += (x[i, j] - mean[j]) ** 2
        return second.sum() / x.shape[0]

    @numba.njit(parallel=True, fastmath=True)
    def rows(x: Array) -> float:
        result = 0.0
        for i in numba.prange(x.shape[0]):
            first, second = 0.0, 0.0
            for j in range(x.shape[1]):
                first += x[i, j]
            mean = first / x.shape[1]
            for j in range(x.shape[1]):
                second += (x[i, j] - mean) ** 2
            result += second / x.shape[1]
        return result

    @numba.njit(parallel=True, fastmath=True)
    def everything(x: Array) -> float:
        first, second = 0.0, 0.0
        for i in numba.prange(x.shape[0]):
            for j in range(x.shape[1]):
                first += x[i, j]
        mean = first / x.size
        for i in numba.prange(x.shape[0]):
            for j in range(x.shape[1]):
                second += (x[i, j] - mean) ** 2
        return second / x.size

    loops = {"axis 0": columns, "axis 1": rows, "all": everything}[axis]
    return {"value": lambda: loops(x)}


WORKLOAD = workload("reduce_variance", "variance of a matrix", program, jax, torch, pytensor, numba, (0,))
