"""The sum of a chain of elementwise operations on two arrays, and its gradient."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
MANY = 100_000
"""From so many elements on a user of Numba writes a parallel loop."""


def program(x: Array, y: Array) -> Any:
    return np.sum(np.tanh(x) * np.exp(-0.5 * y * y) + x * y)


def jax(x: Array, y: Array) -> Thunks:
    from jax import numpy as jnp

    def total(x: Any, y: Any) -> Any:
        return jnp.sum(jnp.tanh(x) * jnp.exp(-0.5 * y * y) + x * y)

    return _jax.thunks(total, (x, y), (0, 1))


def torch_program(x: Any, y: Any) -> Any:
    import torch

    return torch.sum(torch.tanh(x) * torch.exp(-0.5 * y * y) + x * y)


def eager(x: Array, y: Array) -> Thunks:
    return _torch.thunks(torch_program, (x, y), (0, 1))


def compiled(x: Array, y: Array) -> Thunks:
    return _torch.compiled(torch_program, (x, y), (0, 1))


def pytensor(x: Array, y: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    a, b = pt.vector("x", dtype=x.dtype), pt.vector("y", dtype=y.dtype)
    half = np.asarray(-0.5, x.dtype)
    total = pt.sum(pt.tanh(a) * pt.exp(half * b * b) + a * b)
    value = pytensor.function([a, b], total)
    both = pytensor.function([a, b], [total, *pytensor.grad(total, [a, b])])
    return {"value": lambda: value(x, y), "gradient": lambda: both(x, y)}


def numba(x: Array, y: Array) -> Thunks:
    import numba

    half = x.dtype.type(-0.5)

    @numba.njit(parallel=x.size >= MANY, fastmath=True)
    def loop(x: Array, y: Array) -> float:
        total = 0.0
        for i in numba.prange(x.size):
            total += np.tanh(x[i]) * np.exp(half * y[i] * y[i]) + x[i] * y[i]
        return total

    return {"value": lambda: loop(x, y)}


def inputs(size: int, dtype: str) -> tuple[Array, Array]:
    generator = np.random.default_rng(0)
    return generator.normal(size=size).astype(dtype), generator.normal(size=size).astype(dtype)


def case(size: int, name: str, dtype: str) -> Case:
    """Both arrays are read; the gradient writes as many, and may do it in the same pass."""
    read = 2.0 * size * np.dtype(dtype).itemsize
    limits = {"value": Limit(bytes=read), "gradient": Limit(bytes=2 * read)}
    return Case(f"{name} {dtype}", lambda: inputs(size, dtype), limits)


SIZES = {"1k": 1024, "64k": 65_536, "1M": 1_048_576, "8M": 8_388_608}
WORKLOAD = Workload(
    name="elementwise",
    title="sum of an elementwise chain",
    program=program,
    cases=tuple(case(size, name, dtype) for dtype in ("float32", "float64") for name, size in SIZES.items()),
    gradient=(0, 1),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
    rtol=1e-5,
)
