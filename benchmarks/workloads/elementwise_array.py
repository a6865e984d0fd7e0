"""A chain of elementwise operations on two arrays that gives an array: what a formula over a column of data costs."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch
from benchmarks.workloads.elementwise import MANY, SIZES, inputs

Array = np.ndarray[Any, Any]


def program(x: Array, y: Array) -> Any:
    return np.tanh(x) * np.exp(-0.5 * y * y) + x * y


def jax(x: Array, y: Array) -> Thunks:
    from jax import numpy as jnp

    return _jax.thunks(lambda x, y: jnp.tanh(x) * jnp.exp(-0.5 * y * y) + x * y, (x, y))


def torch_program(x: Any, y: Any) -> Any:
    import torch

    return torch.tanh(x) * torch.exp(-0.5 * y * y) + x * y


def eager(x: Array, y: Array) -> Thunks:
    return _torch.thunks(torch_program, (x, y))


def compiled(x: Array, y: Array) -> Thunks:
    return _torch.compiled(torch_program, (x, y))


def pytensor(x: Array, y: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    a, b = pt.vector("x", dtype=x.dtype), pt.vector("y", dtype=y.dtype)
    value = pytensor.function([a, b], pt.tanh(a) * pt.exp(np.asarray(-0.5, x.dtype) * b * b) + a * b)
    return {"value": lambda: value(x, y)}


def numba(x: Array, y: Array) -> Thunks:
    import numba

    half = x.dtype.type(-0.5)

    @numba.njit(parallel=x.size >= MANY, fastmath=True)
    def loop(x: Array, y: Array) -> Array:
        result = np.empty_like(x)
        for i in numba.prange(x.size):
            result[i] = np.tanh(x[i]) * np.exp(half * y[i] * y[i]) + x[i] * y[i]
        return result

    return {"value": lambda: loop(x, y)}


def case(size: int, name: str, dtype: str) -> Case:
    """Two arrays are read and one is written."""
    limits = {"value": Limit(bytes=3.0 * size * np.dtype(dtype).itemsize)}
    return Case(f"{name} {dtype}", lambda: inputs(size, dtype), limits)


WORKLOAD = Workload(
    name="elementwise_array",
    title="elementwise chain",
    program=program,
    cases=tuple(case(size, name, dtype) for dtype in ("float32", "float64") for name, size in SIZES.items()),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
    rtol=1e-5,
)
