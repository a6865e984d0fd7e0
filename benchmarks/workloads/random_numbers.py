"""A million random numbers of several distributions. Their values differ between systems; sizes are compared."""

from typing import Any

import numpy as np

from arignote import random
from benchmarks.workload import Case, Limit, Thunks, Workload

Array = np.ndarray[Any, Any]
COUNT = 1_000_000


def program(key: Array, kind: str) -> Array:
    if kind == "uniform":
        return random.uniform(key, COUNT)
    if kind == "normal":
        return random.normal(key, COUNT)
    if kind == "exponential":
        return random.exponential(key, COUNT)
    return random.gamma(key, 2.5, COUNT)


def numpy(key: Array, kind: str) -> Thunks:
    rng = np.random.default_rng(0)
    draw = {"uniform": lambda: rng.random(COUNT), "normal": lambda: rng.standard_normal(COUNT),
            "exponential": lambda: rng.standard_exponential(COUNT), "gamma": lambda: rng.standard_gamma(2.5, COUNT)}
    return {"value": draw[kind]}


def jax(key: Array, kind: str) -> Thunks:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    draw = {"uniform": lambda key: jax.random.uniform(key, COUNT, jnp.float64),
            "normal": lambda key: jax.random.normal(key, COUNT, jnp.float64),
            "exponential": lambda key: jax.random.exponential(key, COUNT, jnp.float64),
            "gamma": lambda key: jax.random.gamma(key, 2.5, (COUNT,), jnp.float64)}
    made, there = jax.jit(draw[kind]), jax.random.key(0)
    return {"value": lambda: jax.block_until_ready(made(there))}


def torch(key: Array, kind: str) -> Thunks:
    import torch

    draw = {"uniform": lambda: torch.rand(COUNT, dtype=torch.float64),
            "normal": lambda: torch.randn(COUNT, dtype=torch.float64),
            "exponential": lambda: torch.empty(COUNT, dtype=torch.float64).exponential_(),
            "gamma": lambda: torch._standard_gamma(shape)}
    shape = torch.full((COUNT,), 2.5, dtype=torch.float64)
    return {"value": draw[kind]}


def numba(key: Array, kind: str) -> Thunks:
    import numba

    @numba.njit
    def uniform(rng: Any) -> Array:
        return rng.random(COUNT)

    @numba.njit
    def normal(rng: Any) -> Array:
        return rng.standard_normal(COUNT)

    @numba.njit
    def exponential(rng: Any) -> Array:
        return rng.standard_exponential(COUNT)

    @numba.njit
    def gamma(rng: Any) -> Array:
        return rng.standard_gamma(2.5, COUNT)

    rng = np.random.default_rng(0)
    draw = {"uniform": uniform, "normal": normal, "exponential": exponential, "gamma": gamma}[kind]
    return {"value": lambda: draw(rng)}


def case(kind: str) -> Case:
    """A distribution."""
    return Case(kind, lambda: (np.array([7, 0]), kind), {"value": Limit(bytes=8.0 * COUNT)})


WORKLOAD = Workload(
    name="random_numbers",
    title="A million random numbers",
    program=program,
    cases=tuple(case(kind) for kind in ("uniform", "normal", "exponential", "gamma")),
    peers={"NumPy": numpy, "JAX": jax, "PyTorch": torch, "Numba": numba},
    why_not={"PyTensor": "its generators are NumPy's", "PyTorch compile": "its generators are those of eager PyTorch"},
    rtol=10.0,
)
