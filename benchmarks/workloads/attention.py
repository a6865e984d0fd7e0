"""A transformer block: layer norm, multi-head self-attention, layer norm, feed-forward layer, residual connections."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
HEADS = 8


def layer_norm(x: Array, scale: Array, shift: Array) -> Array:
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * scale + shift


def softmax(x: Array) -> Array:
    exponentials = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return exponentials / np.sum(exponentials, axis=-1, keepdims=True)


def program(p: dict[str, Array], x: Array) -> Any:
    batch, length, width = x.shape
    depth = width // HEADS
    joined = layer_norm(x, p["scale1"], p["shift1"]) @ p["qkv"]
    q, k, v = joined.reshape(batch, length, 3, HEADS, depth).transpose(2, 0, 3, 1, 4)
    weights = softmax(q @ k.swapaxes(-1, -2) / np.sqrt(depth).astype(np.float32))
    mixed = (weights @ v).transpose(0, 2, 1, 3).reshape(batch, length, width)
    x = x + mixed @ p["out"]
    hidden = np.maximum(layer_norm(x, p["scale2"], p["shift2"]) @ p["up"] + p["up_bias"], 0.0)
    y = x + hidden @ p["down"] + p["down_bias"]
    return np.mean(y * y)


def jax(p: Any, x: Array) -> Thunks:
    import jax
    import jax.numpy as jnp
    from jax import nn

    def norm(x: Any, scale: Any, shift: Any) -> Any:
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        return centred * jax.lax.rsqrt(jnp.var(x, axis=-1, keepdims=True) + 1e-5) * scale + shift

    def block(p: Any, x: Any) -> Any:
        batch, length, width = x.shape
        joined = norm(x, p["scale1"], p["shift1"]) @ p["qkv"]
        q, k, v = jnp.moveaxis(joined.reshape(batch, length, 3, HEADS, width // HEADS), 2, 0)
        mixed = nn.dot_product_attention(q, k, v)
        x = x + mixed.reshape(batch, length, width) @ p["out"]
        hidden = nn.relu(norm(x, p["scale2"], p["shift2"]) @ p["up"] + p["up_bias"])
        y = x + hidden @ p["down"] + p["down_bias"]
        return jnp.mean(y * y)

    return _jax.thunks(block, (p, x), (0, 1))


def _torch_block(p: Any, x: Any) -> Any:
    from torch.nn import functional

    batch, length, width = x.shape
    joined = functional.layer_norm(x, (width,), p["scale1"], p["shift1"], 1e-5) @ p["qkv"]
    q, k, v = joined.view(batch, length, 3, HEADS, width // HEADS).permute(2, 0, 3, 1, 4)
    mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width)
    x = x + mixed @ p["out"]
    normed = functional.layer_norm(x, (width,), p["scale2"], p["shift2"], 1e-5)
    y = x + functional.relu(normed @ p["up"] + p["up_bias"]) @ p["down"] + p["down_bias"]
    return (y * y).mean()


def eager(p: Any, x: Array) -> Thunks:
    return _torch.thunks(_torch_block, (p, x), (0, 1))


def compiled(p: Any, x: Array) -> Thunks:
    return _torch.compiled(_torch_block, (p, x), (0, 1))


def pytensor(p: Any, x: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    variables = {name: pt.tensor(name, dtype="float32", shape=(None,) * array.ndim) for name, array in p.items()}
    inputs = pt.ftensor3("x")
    batch, length, width = inputs.shape
    depth = width // HEADS

    def norm(x: Any, scale: Any, shift: Any) -> Any:
        centred = x - pt.mean(x, axis=-1, keepdims=True)
        return centred / pt.sqrt(pt.mean(centred * centred, axis=-1, keepdims=True) + np.float32(1e-5)) * scale + shift

    joined = norm(inputs, variables["scale1"], variables["shift1"]) @ variables["qkv"]
    heads = joined.reshape((batch, length, 3, HEADS, depth)).transpose(2, 0, 3, 1, 4)
    q, k, v = heads[0], heads[1], heads[2]
    weights = pt.special.softmax(q @ k.swapaxes(-1, -2) / pt.sqrt(depth.astype("float32")), axis=-1)
    mixed = (weights @ v).transpose(0, 2, 1, 3).reshape((batch, length, width))
    middle = inputs + mixed @ variables["out"]
    normed = norm(middle, variables["scale2"], variables["shift2"])
    hidden = pt.maximum(normed @ variables["up"] + variables["up_bias"], np.float32(0))
    y = middle + hidden @ variables["down"] + variables["down_bias"]
    total = pt.mean(y * y)
    by_name = [variables[name] for name in sorted(variables)]
    arguments = [*by_name, inputs]
    value = pytensor.function(arguments, total)
    both = pytensor.function(arguments, [total, *pytensor.grad(total, arguments)])
    given = [*(p[name] for name in sorted(p)), x]
    return {"value": lambda: value(*given), "gradient": lambda: both(*given)}


def case(batch: int, length: int, width: int) -> Case:
    """A case of one shape; the feed-forward layer is four times as wide."""

    def inputs() -> tuple[Any, ...]:
        random = np.random.default_rng(1)
        wide = 4 * width
        weights = {"qkv": (width, 3 * width), "out": (width, width), "up": (width, wide), "down": (wide, width)}
        p = {name: random.normal(0, shape[0] ** -0.5, shape) for name, shape in weights.items()}
        p |= {"scale1": np.ones(width), "shift1": np.zeros(width), "scale2": np.ones(width), "shift2": np.zeros(width)}
        p |= {"up_bias": np.zeros(wide), "down_bias": np.zeros(width), "x": random.normal(size=(batch, length, width))}
        singles = {name: array.astype(np.float32) for name, array in p.items()}
        return singles, singles.pop("x")

    flops = 2.0 * batch * length * width * (12 * width + 2 * length)
    limits = {"value": Limit(flops=flops, dtype="float32"), "gradient": Limit(flops=3 * flops, dtype="float32")}
    return Case(f"{batch}x{length}x{width}", inputs, limits)


WORKLOAD = Workload(
    name="attention",
    title="transformer block, 8 heads, float32",
    program=program,
    cases=(case(4, 128, 256),),
    gradient=(0, 1),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor},
    why_not={"Numba": "products of stacks of matrices are not supported"},
    rtol=1e-4,
    memory=True,
)
