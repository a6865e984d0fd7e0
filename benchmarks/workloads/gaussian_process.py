"""The negative log marginal likelihood of a Gaussian process with a squared-exponential kernel and noise."""

from typing import Any

import numpy as np
import scipy.linalg

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(length: float, amplitude: float, noise: float, x: Array, y: Array) -> Any:
    differences = (x[:, None] - x[None, :]) / length
    covariance = amplitude**2 * np.exp(-0.5 * differences**2) + noise**2 * np.eye(len(x))
    factor = np.linalg.cholesky(covariance)
    whitened = scipy.linalg.solve_triangular(factor, y, lower=True)
    return 0.5 * whitened @ whitened + np.sum(np.log(np.diag(factor))) + 0.5 * len(x) * np.log(2 * np.pi)


def jax(length: float, amplitude: float, noise: float, x: Array, y: Array) -> Thunks:
    import jax.numpy as jnp
    from jax.scipy.linalg import solve_triangular

    def likelihood(length: Any, amplitude: Any, noise: Any, x: Any, y: Any) -> Any:
        differences = (x[:, None] - x[None, :]) / length
        covariance = amplitude**2 * jnp.exp(-0.5 * differences**2) + noise**2 * jnp.eye(len(x))
        factor = jnp.linalg.cholesky(covariance)
        whitened = solve_triangular(factor, y, lower=True)
        return 0.5 * whitened @ whitened + jnp.sum(jnp.log(jnp.diag(factor))) + 0.5 * len(x) * jnp.log(2 * jnp.pi)

    numbers = [np.asarray(value) for value in (length, amplitude, noise)]
    return _jax.thunks(likelihood, (*numbers, x, y), (0, 1, 2))


def _torch_likelihood(length: Any, amplitude: Any, noise: Any, x: Any, y: Any) -> Any:
    import torch

    differences = (x[:, None] - x[None, :]) / length
    covariance = amplitude**2 * torch.exp(-0.5 * differences**2) + noise**2 * torch.eye(len(x), dtype=x.dtype)
    factor = torch.linalg.cholesky(covariance)
    whitened = torch.linalg.solve_triangular(factor, y[:, None], upper=False)
    return 0.5 * (whitened * whitened).sum() + factor.diagonal().log().sum() + 0.5 * len(x) * np.log(2 * np.pi)


def eager(length: float, amplitude: float, noise: float, x: Array, y: Array) -> Thunks:
    numbers = [np.asarray(value) for value in (length, amplitude, noise)]
    return _torch.thunks(_torch_likelihood, (*numbers, x, y), (0, 1, 2))


def compiled(length: float, amplitude: float, noise: float, x: Array, y: Array) -> Thunks:
    numbers = [np.asarray(value) for value in (length, amplitude, noise)]
    return _torch.compiled(_torch_likelihood, (*numbers, x, y), (0, 1, 2))


def pytensor(length: float, amplitude: float, noise: float, x: Array, y: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    wrt = [pt.dscalar(name) for name in ("length", "amplitude", "noise")]
    u, v = pt.dvector("x"), pt.dvector("y")
    differences = (u[:, None] - u[None, :]) / wrt[0]
    covariance = wrt[1] ** 2 * pt.exp(-0.5 * differences**2) + wrt[2] ** 2 * pt.eye(u.shape[0])
    factor = pt.linalg.cholesky(covariance)
    whitened = pt.linalg.solve_triangular(factor, v, lower=True)
    total = 0.5 * whitened @ whitened + pt.sum(pt.log(pt.diag(factor))) + 0.5 * u.shape[0] * np.log(2 * np.pi)
    arguments = [*wrt, u, v]
    value = pytensor.function(arguments, total)
    both = pytensor.function(arguments, [total, *pytensor.grad(total, wrt)])
    given = (length, amplitude, noise, x, y)
    return {"value": lambda: value(*given), "gradient": lambda: both(*given)}


def numba(length: float, amplitude: float, noise: float, x: Array, y: Array) -> Thunks:
    import numba

    @numba.njit
    def likelihood(length: float, amplitude: float, noise: float, x: Array, y: Array) -> float:
        n = len(x)
        covariance = np.empty((n, n))
        for i in range(n):
            for j in range(n):
                covariance[i, j] = amplitude**2 * np.exp(-0.5 * ((x[i] - x[j]) / length) ** 2)
            covariance[i, i] += noise**2
        factor = np.linalg.cholesky(covariance)
        total = 0.5 * n * np.log(2 * np.pi)
        whitened = np.empty(n)
        for i in range(n):
            whitened[i] = (y[i] - np.dot(factor[i, :i], whitened[:i])) / factor[i, i]
            total += 0.5 * whitened[i] ** 2 + np.log(factor[i, i])
        return total

    return {"value": lambda: likelihood(length, amplitude, noise, x, y)}


def case(n: int) -> Case:
    """A case of so many observations."""

    def inputs() -> tuple[Any, ...]:
        random = np.random.default_rng(0)
        x = np.sort(random.uniform(0, 10, n))
        return 0.7, 1.3, 0.3, x, np.sin(x) + 0.3 * random.normal(size=n)

    return Case(f"n = {n}", inputs, {"value": Limit(flops=n**3 / 3), "gradient": Limit(flops=float(n**3))})


WORKLOAD = Workload(
    name="gaussian_process",
    title="Gaussian-process marginal likelihood",
    program=program,
    cases=(case(200), case(1_000)),
    gradient=(0, 1, 2),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
