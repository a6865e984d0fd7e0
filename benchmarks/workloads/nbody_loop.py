"""Gravity between 128 bodies, by loops over pairs and coordinates, and five leapfrog steps."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
STEP, SOFTENING = 0.01, 1e-3


def accelerations(position: Array, mass: Array) -> Array:
    n = len(mass)
    found = np.zeros((n, 3))
    for i in range(n):
        for j in range(i):
            dx = position[j, 0] - position[i, 0]
            dy = position[j, 1] - position[i, 1]
            dz = position[j, 2] - position[i, 2]
            square = dx * dx + dy * dy + dz * dz + SOFTENING
            inverse = 1.0 / (square * np.sqrt(square))
            found[i, 0] += mass[j] * dx * inverse
            found[i, 1] += mass[j] * dy * inverse
            found[i, 2] += mass[j] * dz * inverse
            found[j, 0] -= mass[i] * dx * inverse
            found[j, 1] -= mass[i] * dy * inverse
            found[j, 2] -= mass[i] * dz * inverse
    return found


def program(position: Array, velocity: Array, mass: Array, steps: int) -> Any:
    for _ in range(steps):
        velocity = velocity + STEP * accelerations(position, mass)
        position = position + STEP * velocity
    return np.sum(position * position) + np.sum(velocity * velocity)


def broadcast(position: Any, mass: Any) -> Any:
    """The accelerations as users of array libraries write them."""
    between = position[None, :, :] - position[:, None, :]
    square = (between * between).sum(-1) + SOFTENING
    return (between * (mass[None, :] / (square * square**0.5))[:, :, None]).sum(1)


def steps_of(position: Any, velocity: Any, mass: Any, steps: int) -> Any:
    """The same program over whole arrays."""
    for _ in range(steps):
        velocity = velocity + STEP * broadcast(position, mass)
        position = position + STEP * velocity
    return (position * position).sum() + (velocity * velocity).sum()


def jax(position: Array, velocity: Array, mass: Array, steps: int) -> Thunks:
    import jax

    def simulation(position: Any, velocity: Any, mass: Any, steps: int) -> Any:
        def step(_: int, state: Any) -> Any:
            position, velocity = state
            velocity = velocity + STEP * broadcast(position, mass)
            return position + STEP * velocity, velocity

        position, velocity = jax.lax.fori_loop(0, steps, step, (position, velocity))
        return jax.numpy.sum(position * position) + jax.numpy.sum(velocity * velocity)

    return _jax.thunks(simulation, (position, velocity, mass, steps), (0, 1), static=(3,))


def eager(position: Array, velocity: Array, mass: Array, steps: int) -> Thunks:
    return _torch.thunks(steps_of, (position, velocity, mass, steps), (0, 1))


def compiled(position: Array, velocity: Array, mass: Array, steps: int) -> Thunks:
    return _torch.compiled(steps_of, (position, velocity, mass, steps), (0, 1))


def pytensor(position: Array, velocity: Array, mass: Array, steps: int) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    inputs = pt.dmatrix("position"), pt.dmatrix("velocity"), pt.dvector("mass")
    total = steps_of(*inputs, steps)
    value = pytensor.function(list(inputs), total)
    both = pytensor.function(list(inputs), [total, *pytensor.grad(total, list(inputs[:2]))])
    return {"value": lambda: value(position, velocity, mass), "gradient": lambda: both(position, velocity, mass)}


def numba(position: Array, velocity: Array, mass: Array, steps: int) -> Thunks:
    import numba

    forces = numba.njit(accelerations)

    @numba.njit
    def simulation(position: Array, velocity: Array, mass: Array, steps: int) -> float:
        for _ in range(steps):
            velocity = velocity + STEP * forces(position, mass)
            position = position + STEP * velocity
        return np.sum(position * position) + np.sum(velocity * velocity)

    return {"value": lambda: simulation(position, velocity, mass, steps)}


def inputs() -> tuple[Any, ...]:
    """128 bodies at random places."""
    generator = np.random.default_rng(0)
    return generator.normal(size=(128, 3)), generator.normal(size=(128, 3)) * 0.1, generator.random(128), 5


WORKLOAD = Workload(
    name="nbody_loop",
    title="N-body by loops over pairs: 128 bodies, 5 steps",
    program=program,
    cases=(Case("128", inputs),),
    gradient=(0, 1),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
    why_not={"Numba": "has no derivatives"},
)
