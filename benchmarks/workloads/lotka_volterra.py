"""Predators and prey, integrated by an adaptive Runge-Kutta method of order five (Dormand and Prince)."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
MOST_STEPS = 128  # for systems that must know a bound; 102 are taken


def field(y: Array, p: Array) -> Array:
    return np.array([p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]])


def program(p: Array, y: Array, end: float, tolerance: float) -> Any:
    t, h = 0.0, 0.01
    k1 = field(y, p)
    while t < end:
        h = min(h, end - t)
        k2 = field(y + h * (k1 / 5), p)
        k3 = field(y + h * (3 / 40 * k1 + 9 / 40 * k2), p)
        k4 = field(y + h * (44 / 45 * k1 - 56 / 15 * k2 + 32 / 9 * k3), p)
        k5 = field(y + h * (19372 / 6561 * k1 - 25360 / 2187 * k2 + 64448 / 6561 * k3 - 212 / 729 * k4), p)
        k6 = field(
            y + h * (9017 / 3168 * k1 - 355 / 33 * k2 + 46732 / 5247 * k3 + 49 / 176 * k4 - 5103 / 18656 * k5), p
        )
        new = y + h * (35 / 384 * k1 + 500 / 1113 * k3 + 125 / 192 * k4 - 2187 / 6784 * k5 + 11 / 84 * k6)
        k7 = field(new, p)
        error = h * (71 / 57600 * k1 - 71 / 16695 * k3 + 71 / 1920 * k4 - 17253 / 339200 * k5 + 22 / 525 * k6 - k7 / 40)
        scale = tolerance * (1.0 + np.maximum(np.abs(y), np.abs(new)))
        norm = np.sqrt(np.mean((error / scale) ** 2)) + 1e-12
        if norm <= 1.0:
            t = t + h
            y = new
            k1 = k7
        h = h * min(5.0, max(0.2, 0.9 * norm**-0.2))
    return np.sum(y**2)


def attempt(numpy: Any, field: Any, y: Any, k1: Any, h: Any, p: Any, tolerance: float) -> tuple[Any, Any, Any]:
    """One step in any library of arrays: the new state, its derivative, the norm of the error."""
    k2 = field(y + h * (k1 / 5), p)
    k3 = field(y + h * (3 / 40 * k1 + 9 / 40 * k2), p)
    k4 = field(y + h * (44 / 45 * k1 - 56 / 15 * k2 + 32 / 9 * k3), p)
    k5 = field(y + h * (19372 / 6561 * k1 - 25360 / 2187 * k2 + 64448 / 6561 * k3 - 212 / 729 * k4), p)
    k6 = field(y + h * (9017 / 3168 * k1 - 355 / 33 * k2 + 46732 / 5247 * k3 + 49 / 176 * k4 - 5103 / 18656 * k5), p)
    new = y + h * (35 / 384 * k1 + 500 / 1113 * k3 + 125 / 192 * k4 - 2187 / 6784 * k5 + 11 / 84 * k6)
    k7 = field(new, p)
    error = h * (71 / 57600 * k1 - 71 / 16695 * k3 + 71 / 1920 * k4 - 17253 / 339200 * k5 + 22 / 525 * k6 - k7 / 40)
    scale = tolerance * (1.0 + numpy.maximum(abs(y), abs(new)))
    return new, k7, (((error / scale) ** 2).mean()) ** 0.5 + 1e-12


def jax(p: Array, y: Array, end: float, tolerance: float) -> Thunks:
    """The value by while_loop; for the gradient a scan with a bound, which does nothing after the end."""
    import jax
    import jax.numpy as jnp

    def derivative(y: Any, p: Any) -> Any:
        return jnp.stack([p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]])

    def advance(state: Any, p: Any) -> Any:
        t, h, y, k1 = state
        h = jnp.minimum(h, end - t)
        new, k7, norm = attempt(jnp, derivative, y, k1, h, p, tolerance)
        taken = norm <= 1.0
        following = h * jnp.minimum(5.0, jnp.maximum(0.2, 0.9 * norm**-0.2))
        return jnp.where(taken, t + h, t), following, jnp.where(taken, new, y), jnp.where(taken, k7, k1)

    def start(p: Any, y: Any) -> Any:
        return jnp.zeros(()), jnp.asarray(0.01), y, derivative(y, p)

    @jax.jit
    def value(p: Any, y: Any) -> Any:
        final = jax.lax.while_loop(lambda state: state[0] < end, lambda state: advance(state, p), start(p, y))
        return jnp.sum(final[2] ** 2)

    def bounded(p: Any, y: Any) -> Any:
        def step(state: Any, _: Any) -> Any:
            return jax.lax.cond(state[0] < end, lambda s: advance(s, p), lambda s: s, state), None

        final, _ = jax.lax.scan(step, start(p, y), None, length=MOST_STEPS)
        return jnp.sum(final[2] ** 2)

    gradient = _jax.thunks(bounded, (p, y), (0,))["gradient"]
    there = jax.device_put(p), jax.device_put(y)
    return {"value": lambda: jax.block_until_ready(value(*there)), "gradient": gradient}


def torch_program(p: Any, y: Any, end: float, tolerance: float, attempt: Any = attempt) -> Any:
    import torch

    def derivative(y: Any, p: Any) -> Any:
        return torch.stack([p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]])

    t, h = torch.zeros((), dtype=y.dtype), torch.tensor(0.01, dtype=y.dtype)
    k1 = derivative(y, p)
    while t < end:
        h = torch.minimum(h, end - t)
        new, k7, norm = attempt(torch, derivative, y, k1, h, p, tolerance)
        if norm <= 1.0:
            t, y, k1 = t + h, new, k7
        h = h * torch.clamp(0.9 * norm**-0.2, 0.2, 5.0)
    return (y**2).sum()


def eager(p: Array, y: Array, end: float, tolerance: float) -> Thunks:
    return _torch.thunks(torch_program, (p, y, end, tolerance), (0,))


def compiled(p: Array, y: Array, end: float, tolerance: float) -> Thunks:
    """One step is compiled; how many there are depends on the data, so the loop is Python's."""
    import torch

    torch._dynamo.reset()
    one = torch.compile(attempt)
    return _torch.thunks(lambda *given: torch_program(*given, attempt=one), (p, y, end, tolerance), (0,))


def pytensor(p: Array, y: Array, end: float, tolerance: float) -> Thunks:
    import pytensor
    import pytensor.tensor as pt
    from pytensor.scan.utils import until

    def derivative(y: Any, p: Any) -> Any:
        return pt.stack([p[0] * y[0] - p[1] * y[0] * y[1], p[2] * y[0] * y[1] - p[3] * y[1]])

    def step(t: Any, h: Any, y: Any, k1: Any, p: Any) -> Any:
        h = pt.minimum(h, end - t)
        new, k7, norm = attempt(pt, derivative, y, k1, h, p, tolerance)
        taken = norm <= 1.0
        following = h * pt.clip(0.9 * norm**-0.2, 0.2, 5.0)
        states = pt.where(taken, t + h, t), following, pt.where(taken, new, y), pt.where(taken, k7, k1)
        return states, until(states[0] >= end)

    rates, start = pt.dvector("p"), pt.dvector("y")
    initial = [pt.zeros(()), pt.constant(0.01), start, derivative(start, rates)]
    (_, _, states, _), updates = pytensor.scan(
        step, outputs_info=initial, non_sequences=[rates], n_steps=1000, return_updates=True
    )
    total = pt.sum(states[-1] ** 2)
    value = pytensor.function([rates, start], total, updates=updates)
    return {"value": lambda: value(p, y)}


def numba(p: Array, y: Array, end: float, tolerance: float) -> Thunks:
    import types

    import numba

    names = {**globals(), "field": numba.njit(field)}
    solve = numba.njit(types.FunctionType(program.__code__, names, "solve"))
    return {"value": lambda: solve(p, y, end, tolerance)}


WORKLOAD = Workload(
    name="lotka_volterra",
    title="Lotka-Volterra by adaptive Runge-Kutta 4(5)",
    program=program,
    cases=(Case("to 20", lambda: (np.array([1.1, 0.4, 0.1, 0.4]), np.array([10.0, 5.0]), 20.0, 1e-6)),),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
    why_not={"Numba": "has no derivatives", "PyTensor gradient": "compiles for more than two minutes"},
    rtol=1e-5,
)
