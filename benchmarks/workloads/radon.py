"""The "radon" model: a hierarchical regression of 919 houses in 85 counties, its non-centred log density."""

import math
from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
COUNTIES, HOUSES = 85, 919


def normal(x: Any, scale: Any) -> Any:
    """The log density of a normal distribution around zero, up to a constant."""
    return -0.5 * (x / scale) ** 2 - np.log(scale)


def program(parameters: dict[str, Any], county: Array, floor: Array, radon: Array) -> Any:
    scale_a, scale_b, noise = (np.exp(parameters[name]) for name in ("log_scale_a", "log_scale_b", "log_noise"))
    intercept = parameters["mean_a"] + scale_a * parameters["a"]
    slope = parameters["mean_b"] + scale_b * parameters["b"]
    expected = intercept[county] + slope[county] * floor
    prior = normal(parameters["mean_a"], 10.0) + normal(parameters["mean_b"], 10.0)
    for scale, name in ((scale_a, "log_scale_a"), (scale_b, "log_scale_b"), (noise, "log_noise")):
        prior = prior - np.log1p((scale / 5.0) ** 2) + parameters[name]
    prior = prior + np.sum(normal(parameters["a"], 1.0)) + np.sum(normal(parameters["b"], 1.0))
    return prior + np.sum(normal(radon - expected, noise))


def jax(parameters: dict[str, Any], county: Array, floor: Array, radon: Array) -> Thunks:
    import jax.numpy as jnp

    def normal(x: Any, scale: Any) -> Any:
        return -0.5 * (x / scale) ** 2 - jnp.log(scale)

    def log_density(parameters: dict[str, Any], county: Any, floor: Any, radon: Any) -> Any:
        scale_a, scale_b, noise = (jnp.exp(parameters[name]) for name in ("log_scale_a", "log_scale_b", "log_noise"))
        intercept = parameters["mean_a"] + scale_a * parameters["a"]
        slope = parameters["mean_b"] + scale_b * parameters["b"]
        expected = intercept[county] + slope[county] * floor
        prior = normal(parameters["mean_a"], 10.0) + normal(parameters["mean_b"], 10.0)
        for scale, name in ((scale_a, "log_scale_a"), (scale_b, "log_scale_b"), (noise, "log_noise")):
            prior = prior - jnp.log1p((scale / 5.0) ** 2) + parameters[name]
        prior = prior + jnp.sum(normal(parameters["a"], 1.0)) + jnp.sum(normal(parameters["b"], 1.0))
        return prior + jnp.sum(normal(radon - expected, noise))

    return _jax.thunks(log_density, (parameters, county, floor, radon), (0,))


def with_torch() -> Any:
    """The log density in PyTorch."""
    import torch

    def normal(x: Any, scale: Any) -> Any:
        return -0.5 * (x / scale) ** 2 - (torch.log(scale) if isinstance(scale, torch.Tensor) else math.log(scale))

    def log_density(parameters: dict[str, Any], county: Any, floor: Any, radon: Any) -> Any:
        scale_a, scale_b, noise = (torch.exp(parameters[name]) for name in ("log_scale_a", "log_scale_b", "log_noise"))
        intercept = parameters["mean_a"] + scale_a * parameters["a"]
        slope = parameters["mean_b"] + scale_b * parameters["b"]
        expected = intercept[county] + slope[county] * floor
        prior = normal(parameters["mean_a"], 10.0) + normal(parameters["mean_b"], 10.0)
        for scale, name in ((scale_a, "log_scale_a"), (scale_b, "log_scale_b"), (noise, "log_noise")):
            prior = prior - torch.log1p((scale / 5.0) ** 2) + parameters[name]
        prior = prior + torch.sum(normal(parameters["a"], 1.0)) + torch.sum(normal(parameters["b"], 1.0))
        return prior + torch.sum(normal(radon - expected, noise))

    return log_density


def for_torch(parameters: dict[str, Any]) -> dict[str, Any]:
    """Numbers as arrays without axes, which become tensors."""
    return {name: np.asarray(value) for name, value in sorted(parameters.items())}


def eager(parameters: dict[str, Any], county: Array, floor: Array, radon: Array) -> Thunks:
    return _torch.thunks(with_torch(), (for_torch(parameters), county, floor, radon), (0,))


def compiled(parameters: dict[str, Any], county: Array, floor: Array, radon: Array) -> Thunks:
    return _torch.compiled(with_torch(), (for_torch(parameters), county, floor, radon), (0,))


def pytensor(parameters: dict[str, Any], county: Array, floor: Array, radon: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    def normal(x: Any, scale: Any) -> Any:
        return -0.5 * (x / scale) ** 2 - pt.log(scale)

    free = {name: pt.vector(name) if name in ("a", "b") else pt.scalar(name) for name in sorted(parameters)}
    places, levels, measured = pt.lvector("county"), pt.vector("floor"), pt.vector("radon")
    scale_a, scale_b, noise = (pt.exp(free[name]) for name in ("log_scale_a", "log_scale_b", "log_noise"))
    intercept, slope = free["mean_a"] + scale_a * free["a"], free["mean_b"] + scale_b * free["b"]
    expected = intercept[places] + slope[places] * levels
    total = normal(free["mean_a"], 10.0) + normal(free["mean_b"], 10.0)
    for scale, name in ((scale_a, "log_scale_a"), (scale_b, "log_scale_b"), (noise, "log_noise")):
        total = total - pt.log1p((scale / 5.0) ** 2) + free[name]
    total = total + pt.sum(normal(free["a"], 1.0)) + pt.sum(normal(free["b"], 1.0))
    total = total + pt.sum(normal(measured - expected, noise))
    inputs = [*free.values(), places, levels, measured]
    given = [*(parameters[name] for name in free), county, floor, radon]
    value = pytensor.function(inputs, total)
    both = pytensor.function(inputs, [total, *pytensor.grad(total, list(free.values()))])
    return {"value": lambda: value(*given), "gradient": lambda: both(*given)}


def numba(parameters: dict[str, Any], county: Array, floor: Array, radon: Array) -> Thunks:
    import numba

    @numba.njit
    def normal(x: float, scale: float) -> float:
        return -0.5 * (x / scale) ** 2 - np.log(scale)

    @numba.njit(fastmath=True)
    def log_density(mean_a: float, log_scale_a: float, a: Array, mean_b: float, log_scale_b: float, b: Array,
                    log_noise: float, county: Array, floor: Array, radon: Array) -> float:
        scale_a, scale_b, noise = np.exp(log_scale_a), np.exp(log_scale_b), np.exp(log_noise)
        total = normal(mean_a, 10.0) + normal(mean_b, 10.0) + log_scale_a + log_scale_b + log_noise
        total -= np.log1p((scale_a / 5.0) ** 2) + np.log1p((scale_b / 5.0) ** 2) + np.log1p((noise / 5.0) ** 2)
        for k in range(len(a)):
            total -= 0.5 * (a[k] * a[k] + b[k] * b[k])
        residual = 0.0
        for i in range(len(radon)):
            at = county[i]
            expected = mean_a + scale_a * a[at] + (mean_b + scale_b * b[at]) * floor[i]
            residual += (radon[i] - expected) ** 2
        return total - 0.5 * residual / noise**2 - len(radon) * np.log(noise)

    names = ("mean_a", "log_scale_a", "a", "mean_b", "log_scale_b", "b", "log_noise")
    given = (*(parameters[name] for name in names), county, floor, radon)
    return {"value": lambda: log_density(*given)}


def inputs() -> tuple[dict[str, Any], Array, Array, Array]:
    """Data like the published ones: most counties have few houses, the houses are sorted by county."""
    rng = np.random.default_rng(0)
    parameters = {"mean_a": 1.3, "log_scale_a": -1.1, "a": rng.normal(size=COUNTIES), "mean_b": -0.7,
                  "log_scale_b": -1.2, "b": rng.normal(size=COUNTIES), "log_noise": -0.3}
    county = np.sort(np.minimum(rng.geometric(0.03, HOUSES) - 1, COUNTIES - 1))
    return parameters, county, (rng.random(HOUSES) < 0.83).astype(float), rng.normal(1.2, 0.85, HOUSES)


WORKLOAD = Workload(
    name="radon",
    title='Hierarchical "radon" log density',
    program=program,
    cases=(Case("85 counties, 919 houses", inputs),),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
