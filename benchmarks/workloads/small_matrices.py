"""Stacks of small matrices: ten thousand products and ten thousand linear systems of size 4 x 4."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(a: Array, b: Array, c: Array) -> Any:
    product = a @ b
    solution = np.linalg.solve(a, c)
    return np.sum(product * product) + np.sum(solution * solution)


def jax(a: Array, b: Array, c: Array) -> Thunks:
    import jax.numpy as jnp

    def both(a: Any, b: Any, c: Any) -> Any:
        product, solution = a @ b, jnp.linalg.solve(a, c)
        return jnp.sum(product * product) + jnp.sum(solution * solution)

    return _jax.thunks(both, (a, b, c), (0, 1, 2))


def _torch_program(a: Any, b: Any, c: Any) -> Any:
    import torch

    product, solution = a @ b, torch.linalg.solve(a, c)
    return (product * product).sum() + (solution * solution).sum()


def eager(a: Array, b: Array, c: Array) -> Thunks:
    return _torch.thunks(_torch_program, (a, b, c), (0, 1, 2))


def compiled(a: Array, b: Array, c: Array) -> Thunks:
    return _torch.compiled(_torch_program, (a, b, c), (0, 1, 2))


def pytensor(a: Array, b: Array, c: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    variables = [pt.tensor3(name, dtype=a.dtype) for name in "abc"]
    u, v, w = variables
    product, solution = u @ v, pt.linalg.solve(u, w)
    total = pt.sum(product * product) + pt.sum(solution * solution)
    value = pytensor.function(variables, total)
    both = pytensor.function(variables, [total, *pytensor.grad(total, variables)])
    return {"value": lambda: value(a, b, c), "gradient": lambda: both(a, b, c)}


def numba(a: Array, b: Array, c: Array) -> Thunks:
    import numba

    @numba.njit
    def loops(a: Array, b: Array, c: Array) -> float:
        total = 0.0
        for i in range(a.shape[0]):
            total += np.sum((a[i] @ b[i]) ** 2) + np.sum(np.linalg.solve(a[i], c[i]) ** 2)
        return total

    return {"value": lambda: loops(a, b, c)}


def case(count: int, size: int) -> Case:
    """A case of so many matrices of one size, well conditioned."""

    def inputs() -> tuple[Array, ...]:
        random = np.random.default_rng(0)
        a, b, c = (random.normal(size=(count, size, size)) for _ in range(3))
        return a + 4 * np.eye(size), b, c

    read = 3.0 * 8 * count * size * size
    return Case(f"{count} of {size}x{size}", inputs, {"value": Limit(bytes=read), "gradient": Limit(bytes=2 * read)})


WORKLOAD = Workload(
    name="small_matrices",
    title="batched small matrices: products and solves",
    program=program,
    cases=(case(10_000, 4),),
    gradient=(0, 1, 2),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
