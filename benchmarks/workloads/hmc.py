"""Hamiltonian Monte Carlo on logistic regression: one trajectory, and the criterion that its step size is tuned by.

The derivative of the log density is taken inside the program; the gradient of the criterion by the step size is a
derivative of that derivative.
"""

from typing import Any

import numpy as np

import arignote as ag
from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
LEAPS = 20


def log_density(q: Array, x: Array, y: Array) -> Any:
    logits = x @ q
    return np.sum(y * logits - np.logaddexp(0.0, logits)) - 0.5 * np.sum(q * q)


def program(step: Any, q: Array, p: Array, x: Array, y: Array) -> Any:
    slope = ag.value_and_grad(log_density)
    start, (value, force) = q, slope(q, x, y)
    before = value - 0.5 * np.sum(p * p)
    for _ in range(LEAPS):
        p = p + 0.5 * step * force
        q = q + step * p
        value, force = slope(q, x, y)
        p = p + 0.5 * step * force
    accepted = np.minimum(1.0, np.exp(value - 0.5 * np.sum(p * p) - before))
    return accepted * np.sum((q - start) ** 2)


def plain(step: Any, q: Array, p: Array, x: Array, y: Array) -> Any:
    """The same with the derivative written by hand."""

    def slope(q: Array) -> Any:
        return log_density(q, x, y), x.T @ (y - 1.0 / (1.0 + np.exp(-(x @ q)))) - q

    start, (value, force) = q, slope(q)
    before = value - 0.5 * np.sum(p * p)
    for _ in range(LEAPS):
        p = p + 0.5 * step * force
        q = q + step * p
        value, force = slope(q)
        p = p + 0.5 * step * force
    return np.minimum(1.0, np.exp(value - 0.5 * np.sum(p * p) - before)) * np.sum((q - start) ** 2)


def jax(step: Any, q: Array, p: Array, x: Array, y: Array) -> Thunks:
    import jax
    import jax.numpy as jnp

    def log_density(q: Any, x: Any, y: Any) -> Any:
        logits = x @ q
        return jnp.sum(y * logits - jnp.logaddexp(0.0, logits)) - 0.5 * jnp.sum(q * q)

    slope = jax.value_and_grad(log_density)

    def trajectory(step: Any, q: Any, p: Any, x: Any, y: Any) -> Any:
        value, force = slope(q, x, y)
        before = value - 0.5 * jnp.sum(p * p)

        def leap(_: Any, state: Any) -> Any:
            q, p, _, force = state
            p = p + 0.5 * step * force
            q = q + step * p
            value, force = slope(q, x, y)
            return q, p + 0.5 * step * force, value, force

        end, p, value, _ = jax.lax.fori_loop(0, LEAPS, leap, (q, p, value, force))
        accepted = jnp.minimum(1.0, jnp.exp(value - 0.5 * jnp.sum(p * p) - before))
        return accepted * jnp.sum((end - q) ** 2)

    return _jax.thunks(trajectory, (step, q, p, x, y), (0,))


def with_torch() -> Any:
    """The program in PyTorch, whose derivative inside is differentiable again where gradients are recorded."""
    import torch

    def log_density(q: Any, x: Any, y: Any) -> Any:
        logits = x @ q
        return torch.sum(y * logits - torch.nn.functional.softplus(logits)) - 0.5 * torch.sum(q * q)

    def trajectory(step: Any, q: Any, p: Any, x: Any, y: Any) -> Any:
        again = torch.is_grad_enabled()

        def slope(q: Any) -> Any:
            with torch.enable_grad():
                q = q if q.requires_grad else q.detach().requires_grad_()
                value = log_density(q, x, y)
                (force,) = torch.autograd.grad(value, q, create_graph=again)
            return value, force

        start, (value, force) = q, slope(q)
        before = value - 0.5 * torch.sum(p * p)
        for _ in range(LEAPS):
            p = p + 0.5 * step * force
            q = q + step * p
            value, force = slope(q)
            p = p + 0.5 * step * force
        accepted = torch.exp(value - 0.5 * torch.sum(p * p) - before).clamp(max=1.0)
        return accepted * torch.sum((q - start) ** 2)

    return trajectory


def eager(step: Any, q: Array, p: Array, x: Array, y: Array) -> Thunks:
    return _torch.thunks(with_torch(), (np.asarray(step), q, p, x, y), (0,))


def pytensor(step: Any, q: Array, p: Array, x: Array, y: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    size, start, impulse = pt.scalar("step"), pt.vector("q"), pt.vector("p")
    rows, labels = pt.matrix("x"), pt.vector("y")

    def slope(q: Any) -> Any:
        logits = rows @ q
        value = pt.sum(labels * logits - pt.softplus(logits)) - 0.5 * pt.sum(q * q)
        return value, pytensor.grad(value, q)

    def leap(q: Any, p: Any, value: Any, force: Any, size: Any, rows: Any, labels: Any) -> Any:
        p = p + 0.5 * size * force
        q = q + size * p
        value, force = slope(q)
        return q, p + 0.5 * size * force, value, force

    value, force = slope(start)
    before = value - 0.5 * pt.sum(impulse * impulse)
    (qs, ps, values, _), _ = pytensor.scan(leap, outputs_info=[start, impulse, value, force], n_steps=LEAPS,
                                           non_sequences=[size, rows, labels])
    accepted = pt.minimum(1.0, pt.exp(values[-1] - 0.5 * pt.sum(ps[-1] ** 2) - before))
    total = accepted * pt.sum((qs[-1] - start) ** 2)
    inputs = [size, start, impulse, rows, labels]
    value_of, both = pytensor.function(inputs, total), pytensor.function(inputs, [total, pytensor.grad(total, size)])
    return {"value": lambda: value_of(step, q, p, x, y), "gradient": lambda: both(step, q, p, x, y)}


def numba(step: Any, q: Array, p: Array, x: Array, y: Array) -> Thunks:
    import numba

    @numba.njit
    def slope(q: Array, x: Array, y: Array) -> tuple[float, Array]:
        logits = x @ q
        value = -0.5 * np.sum(q * q)
        residual = np.empty_like(logits)
        for i in range(len(logits)):
            z = logits[i]
            value += y[i] * z - max(z, 0.0) - np.log1p(np.exp(-abs(z)))
            residual[i] = y[i] - 1.0 / (1.0 + np.exp(-z))
        return value, residual @ x - q

    @numba.njit
    def trajectory(step: float, q: Array, p: Array, x: Array, y: Array) -> float:
        start = q
        value, force = slope(q, x, y)
        before = value - 0.5 * np.sum(p * p)
        for _ in range(LEAPS):
            p = p + 0.5 * step * force
            q = q + step * p
            value, force = slope(q, x, y)
            p = p + 0.5 * step * force
        return min(1.0, np.exp(value - 0.5 * np.sum(p * p) - before)) * np.sum((q - start) ** 2)

    return {"value": lambda: trajectory(step, q, p, x, y)}


def inputs() -> tuple[Any, Array, Array, Array, Array]:
    """A start near the mode of synthetic data."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 25))
    true = 0.5 * rng.normal(size=25)
    y = (rng.random(1000) < 1.0 / (1.0 + np.exp(-(x @ true)))).astype(float)
    return 0.02, true + 0.05 * rng.normal(size=25), rng.normal(size=25), x, y


WORKLOAD = Workload(
    name="hmc",
    title="HMC trajectory on logistic regression",
    program=program,
    cases=(Case("25 coefficients, 1,000 rows, 20 leaps", inputs),),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTensor": pytensor, "Numba": numba},
    why_not={"PyTorch compile": "torch.autograd.grad inside a compiled function leaves the graph at every leap"},
    plain=plain,
)
