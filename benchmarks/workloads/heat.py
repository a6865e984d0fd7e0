"""The heat equation on a square by explicit steps: a five-point stencil made of slices."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
STEPS = 20


def program(u: Array, rate: Any) -> Any:
    u = u.copy()
    for _ in range(STEPS):
        inside = u[1:-1, 1:-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        u[1:-1, 1:-1] = inside + rate * (around - 4.0 * inside)
    return np.mean(u * u)


def jax(u: Array, rate: Any) -> Thunks:
    import jax
    import jax.numpy as jnp

    def run(u: Any, rate: Any) -> Any:
        def step(_: Any, u: Any) -> Any:
            inside = u[1:-1, 1:-1]
            around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
            return u.at[1:-1, 1:-1].set(inside + rate * (around - 4.0 * inside))

        return jnp.mean(jax.lax.fori_loop(0, STEPS, step, u) ** 2)

    return _jax.thunks(run, (u, rate), (0, 1))


def with_torch(u: Any, rate: Any) -> Any:
    """The program in PyTorch; the border never changes, so it is padded around the new inside."""
    import torch

    for _ in range(STEPS):
        inside = u[1:-1, 1:-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        changed = u.clone()
        changed[1:-1, 1:-1] = inside + rate * (around - 4.0 * inside)
        u = changed
    return torch.mean(u * u)


def eager(u: Array, rate: Any) -> Thunks:
    return _torch.thunks(with_torch, (u, np.asarray(rate)), (0, 1))


def compiled(u: Array, rate: Any) -> Thunks:
    return _torch.compiled(with_torch, (u, np.asarray(rate)), (0, 1))


def pytensor(u: Array, rate: Any) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    start, factor = pt.matrix("u"), pt.scalar("rate")

    def step(u: Any, rate: Any) -> Any:
        inside = u[1:-1, 1:-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        return pt.set_subtensor(u[1:-1, 1:-1], inside + rate * (around - 4.0 * inside))

    states, _ = pytensor.scan(step, outputs_info=[start], non_sequences=[factor], n_steps=STEPS)
    total = pt.mean(states[-1] ** 2)
    value = pytensor.function([start, factor], total)
    both = pytensor.function([start, factor], [total, *pytensor.grad(total, [start, factor])])
    return {"value": lambda: value(u, rate), "gradient": lambda: both(u, rate)}


def numba(u: Array, rate: Any) -> Thunks:
    import numba

    @numba.njit(parallel=True)
    def run(u: Array, rate: float) -> float:
        one, other = u.copy(), u.copy()
        for _ in range(STEPS):
            for i in numba.prange(1, u.shape[0] - 1):
                for j in range(1, u.shape[1] - 1):
                    around = one[i + 1, j] + one[i - 1, j] + one[i, j + 1] + one[i, j - 1]
                    other[i, j] = one[i, j] + rate * (around - 4.0 * one[i, j])
            one, other = other, one
        return np.mean(one * one)

    return {"value": lambda: run(u, rate)}


def case(size: int) -> Case:
    """A square; each step reads and writes it once."""
    moved = 16.0 * size * size * STEPS
    limits = {"value": Limit(bytes=moved), "gradient": Limit(bytes=3 * moved)}
    name = f"{size} x {size}, {STEPS} steps"
    return Case(name, lambda: (np.random.default_rng(0).normal(size=(size, size)), 0.1), limits)


WORKLOAD = Workload(
    name="heat",
    title="Heat equation, five-point stencil",
    program=program,
    cases=(case(128), case(1024)),
    gradient=(0, 1),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
