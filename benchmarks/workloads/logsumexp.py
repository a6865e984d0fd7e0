"""log(sum(exp(x))) over several axes of an array of rank three, made stable by its maximum."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(x: Array) -> Any:
    largest = np.max(x, axis=(0, 2), keepdims=True)
    total = np.sum(np.exp(x - largest), axis=(0, 2), keepdims=True)
    return np.sum(np.log(total) + largest)


def jax(x: Array) -> Thunks:
    import jax

    return _jax.thunks(lambda v: jax.numpy.sum(jax.scipy.special.logsumexp(v, axis=(0, 2))), (x,), (0,))


def eager(x: Array) -> Thunks:
    import torch

    return _torch.thunks(lambda v: torch.logsumexp(v, dim=(0, 2)).sum(), (x,), (0,))


def compiled(x: Array) -> Thunks:
    import torch

    return _torch.compiled(lambda v: torch.logsumexp(v, dim=(0, 2)).sum(), (x,), (0,))


def pytensor(x: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    v = pt.tensor3("x", dtype=x.dtype)
    total = pt.sum(pt.logsumexp(v, axis=(0, 2)))
    value, both = pytensor.function([v], total), pytensor.function([v], [total, pytensor.grad(total, v)])
    return {"value": lambda: value(x), "gradient": lambda: both(x)}


def numba(x: Array) -> Thunks:
    import numba

    @numba.njit
    def loops(v: Array) -> float:
        result = 0.0
        for j in range(v.shape[1]):
            largest = np.max(v[:, j, :])
            result += np.log(np.sum(np.exp(v[:, j, :] - largest))) + largest
        return result

    return {"value": lambda: loops(x)}


def case(name: str, *shape: int) -> Case:
    """A case of one shape; each entry must be read once, and once more (and written) for the gradient."""
    size = float(np.prod(shape)) * 8
    limits = {"value": Limit(bytes=size), "gradient": Limit(bytes=2 * size)}
    return Case(name, lambda: (np.random.default_rng(0).normal(size=shape),), limits)


WORKLOAD = Workload(
    name="logsumexp",
    title="logsumexp over axes 0 and 2",
    program=program,
    cases=(case("32x64x32", 32, 64, 32), case("64x256x256", 64, 256, 256)),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
