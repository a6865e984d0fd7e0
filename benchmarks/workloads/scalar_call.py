"""What a call costs: sum(sin(x) * x) of ten numbers, where the arithmetic is nothing."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(x: Array) -> Any:
    return np.sum(np.sin(x) * x)


def jax(x: Array) -> Thunks:
    import jax.numpy as jnp

    return _jax.thunks(lambda v: jnp.sum(jnp.sin(v) * v), (x,))


def eager(x: Array) -> Thunks:
    import torch

    return _torch.thunks(lambda v: torch.sum(torch.sin(v) * v), (x,))


def compiled(x: Array) -> Thunks:
    import torch

    return _torch.compiled(lambda v: torch.sum(torch.sin(v) * v), (x,))


def pytensor(x: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    v = pt.dvector("x")
    value = pytensor.function([v], pt.sum(pt.sin(v) * v), trust_input=True)
    return {"value": lambda: value(x)}


def numba(x: Array) -> Thunks:
    import numba

    @numba.njit
    def loop(v: Array) -> float:
        total = 0.0
        for i in range(v.shape[0]):
            total += np.sin(v[i]) * v[i]
        return total

    return {"value": lambda: loop(x)}


WORKLOAD = Workload(
    name="scalar_call",
    title="Call overhead: one small array",
    program=program,
    cases=(Case("10", lambda: (np.linspace(0.1, 1.0, 10),)),),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
