"""The log likelihood of a linear Gaussian state-space model by the Kalman filter: 4 states, 2 observed."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _numba, _torch

Array = np.ndarray[Any, Any]


def program(motion: Array, noise: Array, view: Array, error: Array, observations: Array) -> Any:
    size = motion.shape[0]
    mean, covariance, total = np.zeros(size), np.eye(size), 0.0
    for t in range(len(observations)):
        mean = motion @ mean
        covariance = motion @ covariance @ motion.T + noise
        surprise = observations[t] - view @ mean
        spread = view @ covariance @ view.T + error
        inverse = np.linalg.inv(spread)
        gain = covariance @ view.T @ inverse
        mean = mean + gain @ surprise
        covariance = covariance - gain @ view @ covariance
        total = total - 0.5 * (surprise @ inverse @ surprise + np.log(np.linalg.det(2 * np.pi * spread)))
    return total


def _step(xp: Any, motion: Any, noise: Any, view: Any, error: Any, mean: Any, covariance: Any, observed: Any) -> Any:
    """One step in the words of JAX and PyTorch, which have the same names for it."""
    mean = motion @ mean
    covariance = motion @ covariance @ motion.T + noise
    surprise = observed - view @ mean
    spread = view @ covariance @ view.T + error
    inverse = xp.linalg.inv(spread)
    gain = covariance @ view.T @ inverse
    term = surprise @ inverse @ surprise + xp.log(xp.linalg.det(2 * np.pi * spread))
    return mean + gain @ surprise, covariance - gain @ view @ covariance, -0.5 * term


def jax(*inputs: Any) -> Thunks:
    import jax
    import jax.numpy as jnp

    def likelihood(motion: Any, noise: Any, view: Any, error: Any, observations: Any) -> Any:
        def step(carry: Any, observed: Any) -> Any:
            mean, covariance, term = _step(jnp, motion, noise, view, error, *carry, observed)
            return (mean, covariance), term

        start = jnp.zeros(motion.shape[0]), jnp.eye(motion.shape[0])
        return jnp.sum(jax.lax.scan(step, start, observations)[1])

    return _jax.thunks(likelihood, inputs, (0, 1, 2, 3))


def eager(*inputs: Any) -> Thunks:
    import torch

    def likelihood(motion: Any, noise: Any, view: Any, error: Any, observations: Any) -> Any:
        mean = torch.zeros(motion.shape[0], dtype=torch.float64)
        covariance = torch.eye(motion.shape[0], dtype=torch.float64)
        terms = []
        for observed in observations:
            mean, covariance, term = _step(torch, motion, noise, view, error, mean, covariance, observed)
            terms.append(term)
        return torch.stack(terms).sum()

    return _torch.thunks(likelihood, inputs, (0, 1, 2, 3))


def pytensor(*inputs: Any) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    given = [pt.dmatrix() for _ in inputs]
    motion, noise, view, error, observations = given

    def step(observed: Any, mean: Any, covariance: Any, motion: Any, noise: Any, view: Any, error: Any) -> Any:
        mean = motion @ mean
        covariance = motion @ covariance @ motion.T + noise
        surprise = observed - view @ mean
        spread = view @ covariance @ view.T + error
        inverse = pt.linalg.inv(spread)
        gain = covariance @ view.T @ inverse
        term = surprise @ inverse @ surprise + pt.log(pt.linalg.det(2 * np.pi * spread))
        return mean + gain @ surprise, covariance - gain @ view @ covariance, -0.5 * term

    start = [pt.zeros(motion.shape[0]), pt.eye(motion.shape[0]), None]
    matrices = [motion, noise, view, error]
    terms = pytensor.scan(step, [observations], start, matrices, return_updates=False)[2]
    total = pt.sum(terms)
    value = pytensor.function(given, total)
    both = pytensor.function(given, [total, *pytensor.grad(total, given[:4])])
    return {"value": lambda: value(*inputs), "gradient": lambda: both(*inputs)}


def inputs(steps: int) -> tuple[Any, ...]:
    """Motion in a plane at nearly constant velocity, its position observed."""
    rng = np.random.default_rng(0)
    motion = np.eye(4) + 0.1 * np.eye(4, k=2)
    noise, view, error = 0.05 * np.eye(4) + 0.01, np.eye(2, 4), 0.3 * np.eye(2) + 0.05
    state, seen = np.zeros(4), np.empty((steps, 2))
    for t in range(steps):
        state = motion @ state + rng.multivariate_normal(np.zeros(4), noise)
        seen[t] = view @ state + rng.multivariate_normal(np.zeros(2), error)
    return motion, noise, view, error, seen


WORKLOAD = Workload(
    name="kalman",
    title="Kalman filter, 4 states, 2 observed",
    program=program,
    cases=(Case("1000 steps", lambda: inputs(1000)),),
    gradient=(0, 1, 2, 3),
    peers={"JAX": jax, "PyTorch": eager, "PyTensor": pytensor, "Numba": _numba.builder(program)},
    why_not={"PyTorch compile": "it unrolls the 1,000 steps: minutes to compile"},
    rtol=1e-6,
)
