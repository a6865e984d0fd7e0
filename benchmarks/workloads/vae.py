"""A training step of a variational autoencoder, 784-400-20-400-784, with the noise given."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
PIXELS, HIDDEN, LATENT = 784, 400, 20
SHAPES = {"encode": (PIXELS, HIDDEN), "mean": (HIDDEN, LATENT), "variance": (HIDDEN, LATENT),
          "decode": (LATENT, HIDDEN), "pixels": (HIDDEN, PIXELS)}  # fmt: skip


def affine(p: dict[str, tuple[Array, Array]], name: str, x: Array) -> Array:
    weights, bias = p[name]
    return x @ weights + bias


def program(p: dict[str, tuple[Array, Array]], x: Array, noise: Array) -> Any:
    hidden = np.tanh(affine(p, "encode", x))
    mean, log_variance = affine(p, "mean", hidden), affine(p, "variance", hidden)
    code = mean + np.exp(0.5 * log_variance) * noise
    logits = affine(p, "pixels", np.tanh(affine(p, "decode", code)))
    reconstruction = np.sum(np.logaddexp(0.0, logits) - x * logits)
    divergence = -0.5 * np.sum(1.0 + log_variance - mean * mean - np.exp(log_variance))
    return (reconstruction + divergence) / len(x)


def jax(p: Any, x: Array, noise: Array) -> Thunks:
    import jax.numpy as jnp
    from jax import nn

    def loss(p: Any, x: Any, noise: Any) -> Any:
        hidden = jnp.tanh(affine(p, "encode", x))
        mean, log_variance = affine(p, "mean", hidden), affine(p, "variance", hidden)
        code = mean + jnp.exp(0.5 * log_variance) * noise
        logits = affine(p, "pixels", jnp.tanh(affine(p, "decode", code)))
        reconstruction = jnp.sum(nn.softplus(logits) - x * logits)
        divergence = -0.5 * jnp.sum(1.0 + log_variance - mean * mean - jnp.exp(log_variance))
        return (reconstruction + divergence) / len(x)

    return _jax.thunks(loss, (p, x, noise), (0,))


def _torch_loss(p: Any, x: Any, noise: Any) -> Any:
    import torch

    def layer(name: str, x: Any) -> Any:
        weights, bias = p[name]
        return torch.addmm(bias, x, weights)

    hidden = torch.tanh(layer("encode", x))
    mean, log_variance = layer("mean", hidden), layer("variance", hidden)
    code = mean + torch.exp(0.5 * log_variance) * noise
    logits = layer("pixels", torch.tanh(layer("decode", code)))
    reconstruction = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    divergence = -0.5 * torch.sum(1.0 + log_variance - mean * mean - torch.exp(log_variance))
    return (reconstruction + divergence) / len(x)


def eager(p: Any, x: Array, noise: Array) -> Thunks:
    return _torch.thunks(_torch_loss, (p, x, noise), (0,))


def compiled(p: Any, x: Array, noise: Array) -> Thunks:
    return _torch.compiled(_torch_loss, (p, x, noise), (0,))


def pytensor(p: Any, x: Array, noise: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    variables = {name: (pt.fmatrix(), pt.fvector()) for name in sorted(p)}
    pixels, given_noise = pt.fmatrix("x"), pt.fmatrix("noise")
    half = np.float32(0.5)
    hidden = pt.tanh(affine(variables, "encode", pixels))
    mean, log_variance = affine(variables, "mean", hidden), affine(variables, "variance", hidden)
    code = mean + pt.exp(half * log_variance) * given_noise
    logits = affine(variables, "pixels", pt.tanh(affine(variables, "decode", code)))
    reconstruction = pt.sum(pt.softplus(logits) - pixels * logits)
    divergence = -half * pt.sum(np.float32(1) + log_variance - mean * mean - pt.exp(log_variance))
    loss = (reconstruction + divergence) / pixels.shape[0].astype("float32")
    parameters = [variable for name in variables for variable in variables[name]]
    arguments = [*parameters, pixels, given_noise]
    value = pytensor.function(arguments, loss)
    both = pytensor.function(arguments, [loss, *pytensor.grad(loss, parameters)])
    given = [*(array for name in variables for array in p[name]), x, noise]
    return {"value": lambda: value(*given), "gradient": lambda: both(*given)}


def numba(p: Any, x: Array, noise: Array) -> Thunks:
    import numba

    @numba.njit
    def loss(we: Any, be: Any, wm: Any, bm: Any, wv: Any, bv: Any, wd: Any, bd: Any, wp: Any, bp: Any, x: Any,
             noise: Any) -> Any:  # fmt: skip
        hidden = np.tanh(x @ we + be)
        mean, log_variance = hidden @ wm + bm, hidden @ wv + bv
        code = mean + np.exp(np.float32(0.5) * log_variance) * noise
        logits = np.tanh(code @ wd + bd) @ wp + bp
        total = 0.0
        for i in range(logits.shape[0]):
            for j in range(logits.shape[1]):
                at = logits[i, j]
                total += max(at, np.float32(0)) + np.log1p(np.exp(-abs(at))) - x[i, j] * at
        for i in range(mean.shape[0]):
            for j in range(mean.shape[1]):
                at = log_variance[i, j]
                total -= 0.5 * (1.0 + at - mean[i, j] * mean[i, j] - np.exp(at))
        return total / x.shape[0]

    given = [*(array for name in SHAPES for array in p[name]), x, noise]
    return {"value": lambda: loss(*given)}


def case(batch: int) -> Case:
    """A case of one batch size."""

    def inputs() -> tuple[Any, ...]:
        random = np.random.default_rng(0)
        p = {name: (random.normal(0, shape[0] ** -0.5, shape).astype(np.float32), np.zeros(shape[1], np.float32))
             for name, shape in SHAPES.items()}  # fmt: skip
        return p, random.random((batch, PIXELS), np.float32), random.normal(size=(batch, LATENT)).astype(np.float32)

    flops = 2.0 * batch * sum(rows * columns for rows, columns in SHAPES.values())
    limits = {"value": Limit(flops=flops, dtype="float32"),
              "gradient": Limit(flops=3 * flops - 2.0 * batch * PIXELS * HIDDEN, dtype="float32")}  # fmt: skip
    return Case(f"batch {batch}", inputs, limits)


WORKLOAD = Workload(
    name="vae",
    title="variational autoencoder step, float32",
    program=program,
    cases=(case(128),),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
    rtol=1e-4,
    memory=True,
)
