"""The total of np.max of a matrix along an axis or all, and its gradient."""

from typing import Any

import numpy as np

from benchmarks.workload import Thunks
from benchmarks.workloads._reductions import AXES, torch_axis, workload

Array = np.ndarray[Any, Any]


def program(x: Array, axis: str) -> Any:
    if axis == "all":
        return np.max(x)
    return np.sum(np.max(x, axis=0)) if axis == "axis 0" else np.sum(np.max(x, axis=1))


def jax(x: Any, axis: str) -> Any:
    from jax import numpy as jnp

    return jnp.sum(jnp.max(x, axis=AXES[axis]))


def torch(x: Any, axis: str) -> Any:
    return x.amax(**torch_axis(axis)).sum()


def pytensor(x: Any, axis: str) -> Any:
    return x.max(axis=AXES[axis]).sum()


def numba(x: Array, axis: str) -> Thunks:
    import numba

    @numba.njit(parallel=True)
    def columns(x: Array) -> float:
        blocks = numba.get_num_threads()
        parts = np.full((blocks, x.shape[1]), -np.inf)
        for block in numba.prange(blocks):
            for i in range(block * x.shape[0] // blocks, (block + 1) * x.shape[0] // blocks):
                for j in range(x.shape[1]):
                    parts[block, j] = max(parts[block, j], x[i, j])
        total = 0.0
        for j in range(x.shape[1]):
            total += parts[:, j].max()
        return total

    @numba.njit(parallel=True)
    def rows(x: Array) -> float:
        total = 0.0
        for i in numba.prange(x.shape[0]):
            total += x[i].max()
        return total

    @numba.njit(parallel=True)
    def everything(x: Array) -> float:
        parts = np.empty(x.shape[0])
        for i in numba.prange(x.shape[0]):
            parts[i] = x[i].max()
        return parts.max()

    loops = {"axis 0": columns, "axis 1": rows, "all": everything}[axis]
    return {"value": lambda: loops(x)}


WORKLOAD = workload("reduce_max", "maximum of a matrix", program, jax, torch, pytensor, numba, (0,))
