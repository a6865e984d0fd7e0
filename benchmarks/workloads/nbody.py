"""N bodies under softened gravity, all pairs by broadcasting: leapfrog steps, and the energy at the end."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
SOFTENING = 1e-2
STEP = 1e-3
STEPS = 3


def accelerations(x: Array, masses: Array) -> Array:
    apart = x[None, :, :] - x[:, None, :]
    squared = np.sum(apart * apart, axis=-1) + SOFTENING
    return np.sum(apart * (masses * squared**-1.5)[:, :, None], axis=1)


def energy(x: Array, v: Array, masses: Array) -> Any:
    apart = x[None, :, :] - x[:, None, :]
    distance = np.sqrt(np.sum(apart * apart, axis=-1) + SOFTENING)
    potential = -0.5 * np.sum(masses[:, None] * masses[None, :] / distance)
    return potential + 0.5 * np.sum(masses[:, None] * v * v)


def program(x: Array, v: Array, masses: Array) -> Any:
    a = accelerations(x, masses)
    for _ in range(STEPS):
        v = v + 0.5 * STEP * a
        x = x + STEP * v
        a = accelerations(x, masses)
        v = v + 0.5 * STEP * a
    return energy(x, v, masses)


def jax(x: Array, v: Array, masses: Array) -> Thunks:
    import jax
    import jax.numpy as jnp

    def accelerations(x: Any, masses: Any) -> Any:
        apart = x[None, :, :] - x[:, None, :]
        squared = jnp.sum(apart * apart, axis=-1) + SOFTENING
        return jnp.sum(apart * (masses * squared**-1.5)[:, :, None], axis=1)

    def run(x: Any, v: Any, masses: Any) -> Any:
        def step(_: Any, state: Any) -> Any:
            x, v, a = state
            v = v + 0.5 * STEP * a
            x = x + STEP * v
            a = accelerations(x, masses)
            return x, v + 0.5 * STEP * a, a

        x, v, _ = jax.lax.fori_loop(0, STEPS, step, (x, v, accelerations(x, masses)))
        apart = x[None, :, :] - x[:, None, :]
        distance = jnp.sqrt(jnp.sum(apart * apart, axis=-1) + SOFTENING)
        potential = -0.5 * jnp.sum(masses[:, None] * masses[None, :] / distance)
        return potential + 0.5 * jnp.sum(masses[:, None] * v * v)

    return _jax.thunks(run, (x, v, masses), (0, 1))


def with_torch() -> Any:
    """The program in PyTorch."""
    import torch

    def accelerations(x: Any, masses: Any) -> Any:
        apart = x[None, :, :] - x[:, None, :]
        squared = torch.sum(apart * apart, dim=-1) + SOFTENING
        return torch.sum(apart * (masses * squared**-1.5)[:, :, None], dim=1)

    def run(x: Any, v: Any, masses: Any) -> Any:
        a = accelerations(x, masses)
        for _ in range(STEPS):
            v = v + 0.5 * STEP * a
            x = x + STEP * v
            a = accelerations(x, masses)
            v = v + 0.5 * STEP * a
        apart = x[None, :, :] - x[:, None, :]
        distance = torch.sqrt(torch.sum(apart * apart, dim=-1) + SOFTENING)
        potential = -0.5 * torch.sum(masses[:, None] * masses[None, :] / distance)
        return potential + 0.5 * torch.sum(masses[:, None] * v * v)

    return run


def eager(x: Array, v: Array, masses: Array) -> Thunks:
    return _torch.thunks(with_torch(), (x, v, masses), (0, 1))


def compiled(x: Array, v: Array, masses: Array) -> Thunks:
    return _torch.compiled(with_torch(), (x, v, masses), (0, 1))


def pytensor(x: Array, v: Array, masses: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    start_x, start_v, m = pt.matrix("x"), pt.matrix("v"), pt.vector("m")

    def accelerations(x: Any) -> Any:
        apart = x[None, :, :] - x[:, None, :]
        squared = pt.sum(apart * apart, axis=-1) + SOFTENING
        return pt.sum(apart * (m * squared**-1.5)[:, :, None], axis=1)

    x_, v_ = start_x, start_v
    a = accelerations(x_)
    for _ in range(STEPS):
        v_ = v_ + 0.5 * STEP * a
        x_ = x_ + STEP * v_
        a = accelerations(x_)
        v_ = v_ + 0.5 * STEP * a
    apart = x_[None, :, :] - x_[:, None, :]
    distance = pt.sqrt(pt.sum(apart * apart, axis=-1) + SOFTENING)
    total = -0.5 * pt.sum(m[:, None] * m[None, :] / distance) + 0.5 * pt.sum(m[:, None] * v_ * v_)
    inputs = [start_x, start_v, m]
    value = pytensor.function(inputs, total)
    both = pytensor.function(inputs, [total, *pytensor.grad(total, [start_x, start_v])])
    return {"value": lambda: value(x, v, masses), "gradient": lambda: both(x, v, masses)}


def numba(x: Array, v: Array, masses: Array) -> Thunks:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def accelerations(x: Array, masses: Array) -> Array:
        a = np.empty_like(x)
        for i in numba.prange(len(x)):
            ax = ay = az = 0.0
            for j in range(len(x)):
                dx, dy, dz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
                squared = dx * dx + dy * dy + dz * dz + SOFTENING
                weight = masses[j] / (squared * np.sqrt(squared))
                ax += dx * weight
                ay += dy * weight
                az += dz * weight
            a[i, 0], a[i, 1], a[i, 2] = ax, ay, az
        return a

    @numba.njit(parallel=True, fastmath=True)
    def energy(x: Array, v: Array, masses: Array) -> float:
        total = 0.0
        for i in numba.prange(len(x)):
            potential = 0.0
            for j in range(len(x)):
                dx, dy, dz = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
                potential += masses[j] / np.sqrt(dx * dx + dy * dy + dz * dz + SOFTENING)
            total += masses[i] * (v[i, 0] ** 2 + v[i, 1] ** 2 + v[i, 2] ** 2 - potential)
        return 0.5 * total

    @numba.njit
    def run(x: Array, v: Array, masses: Array) -> float:
        a = accelerations(x, masses)
        for _ in range(STEPS):
            v = v + 0.5 * STEP * a
            x = x + STEP * v
            a = accelerations(x, masses)
            v = v + 0.5 * STEP * a
        return energy(x, v, masses)

    return {"value": lambda: run(x, v, masses)}


def case(count: int) -> Case:
    """A cloud of bodies."""

    def inputs() -> tuple[Array, Array, Array]:
        rng = np.random.default_rng(0)
        return rng.normal(size=(count, 3)), 0.1 * rng.normal(size=(count, 3)), rng.uniform(0.5, 1.5, count) / count

    return Case(f"{count} bodies", inputs)


WORKLOAD = Workload(
    name="nbody",
    title="N-body by broadcasting, 3 leapfrog steps",
    program=program,
    cases=(case(256), case(1000)),
    gradient=(0, 1),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
