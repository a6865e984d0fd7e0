"""np.argmax of a matrix along an axis or all."""

from typing import Any

import numpy as np

from benchmarks.workload import Thunks
from benchmarks.workloads._reductions import AXES, torch_axis, workload

Array = np.ndarray[Any, Any]


def program(x: Array, axis: str) -> Any:
    if axis == "all":
        return np.argmax(x)
    return np.argmax(x, axis=0) if axis == "axis 0" else np.argmax(x, axis=1)


def jax(x: Any, axis: str) -> Any:
    from jax import numpy as jnp

    return jnp.argmax(x, axis=AXES[axis])


def torch(x: Any, axis: str) -> Any:
    return x.argmax(**torch_axis(axis))


def pytensor(x: Any, axis: str) -> Any:
    import pytensor.tensor as pt

    return pt.argmax(x, axis=AXES[axis])


def numba(x: Array, axis: str) -> Thunks:
    import numba

    @numba.njit(parallel=True)
    def columns(x: Array) -> Array:
        result = np.zeros(x.shape[1], dtype=np.int64)
        blocks = numba.get_num_threads()
        for block in numba.prange(blocks):
            begin, end = block * x.shape[1] // blocks, (block + 1) * x.shape[1] // blocks
            best = x[0, begin:end].copy()
            for i in range(1, x.shape[0]):
                for j in range(begin, end):
                    if x[i, j] > best[j - begin]:
                        best[j - begin], result[j] = x[i, j], i
        return result

    @numba.njit(parallel=True)
    def rows(x: Array) -> Array:
        result = np.empty(x.shape[0], dtype=np.int64)
        for i in numba.prange(x.shape[0]):
            result[i] = np.argmax(x[i])
        return result

    @numba.njit(parallel=True)
    def everything(x: Array) -> int:
        places, best = np.empty(x.shape[0], dtype=np.int64), np.empty(x.shape[0])
        for i in numba.prange(x.shape[0]):
            places[i] = np.argmax(x[i])
            best[i] = x[i, places[i]]
        row = np.argmax(best)
        return row * x.shape[1] + places[row]

    loops = {"axis 0": columns, "axis 1": rows, "all": everything}[axis]
    return {"value": lambda: loops(x)}


WORKLOAD = workload("reduce_argmax", "place of the maximum of a matrix", program, jax, torch, pytensor, numba)
