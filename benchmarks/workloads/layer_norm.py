"""Layer norm over rows with scale and shift, weighted by what comes after it."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(x: Array, scale: Array, shift: Array, weights: Array) -> Any:
    centred = x - np.mean(x, axis=1, keepdims=True)
    variance = np.mean(centred * centred, axis=1, keepdims=True)
    return np.sum((centred / np.sqrt(variance + 1e-5) * scale + shift) * weights)


def jax(x: Array, scale: Array, shift: Array, weights: Array) -> Thunks:
    from jax import lax
    from jax import numpy as jnp

    def total(x: Any, scale: Any, shift: Any, weights: Any) -> Any:
        mean = jnp.mean(x, axis=1, keepdims=True)
        variance = jnp.var(x, axis=1, keepdims=True)
        return jnp.sum(((x - mean) * lax.rsqrt(variance + 1e-5) * scale + shift) * weights)

    return _jax.thunks(total, (x, scale, shift, weights), (0, 1, 2))


def torch_program(x: Any, scale: Any, shift: Any, weights: Any) -> Any:
    import torch

    return torch.sum(torch.nn.functional.layer_norm(x, x.shape[1:], scale, shift) * weights)


def eager(*inputs: Array) -> Thunks:
    return _torch.thunks(torch_program, inputs, (0, 1, 2))


def compiled(*inputs: Array) -> Thunks:
    return _torch.compiled(torch_program, inputs, (0, 1, 2))


def pytensor(*inputs: Array) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    x, weights = pt.matrix("x", dtype="float32"), pt.matrix("weights", dtype="float32")
    scale, shift = pt.vector("scale", dtype="float32"), pt.vector("shift", dtype="float32")
    centred = x - pt.mean(x, axis=1, keepdims=True)
    variance = pt.mean(centred * centred, axis=1, keepdims=True)
    total = pt.sum((centred / pt.sqrt(variance + np.float32(1e-5)) * scale + shift) * weights)
    symbols = [x, scale, shift, weights]
    value = pytensor.function(symbols, total)
    both = pytensor.function(symbols, [total, *pytensor.grad(total, [x, scale, shift])])
    return {"value": lambda: value(*inputs), "gradient": lambda: both(*inputs)}


def numba(*inputs: Array) -> Thunks:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def loops(x: Array, scale: Array, shift: Array, weights: Array) -> float:
        total, columns = 0.0, x.shape[1]
        for i in numba.prange(x.shape[0]):
            first, second, row = x.dtype.type(0), x.dtype.type(0), x.dtype.type(0)
            for j in range(columns):
                first += x[i, j]
            mean = x.dtype.type(first / columns)
            for j in range(columns):
                second += (x[i, j] - mean) * (x[i, j] - mean)
            inverse = x.dtype.type(1 / np.sqrt(second / columns + 1e-5))
            for j in range(columns):
                row += ((x[i, j] - mean) * inverse * scale[j] + shift[j]) * weights[i, j]
            total += row
        return total

    return {"value": lambda: loops(*inputs)}


def inputs(rows: int, columns: int) -> tuple[Array, ...]:
    generator = np.random.default_rng(0)
    shapes = ((rows, columns), (columns,), (columns,), (rows, columns))
    return tuple(generator.normal(size=shape).astype("float32") for shape in shapes)


def case(rows: int, columns: int) -> Case:
    """The rows and the weights are read; the gradient of the rows is written."""
    array = 4.0 * rows * columns
    limits = {"value": Limit(bytes=2 * array), "gradient": Limit(bytes=3 * array)}
    return Case(f"{rows}x{columns}", lambda: inputs(rows, columns), limits)


WORKLOAD = Workload(
    name="layer_norm",
    title="layer norm",
    program=program,
    cases=(case(512, 768), case(4096, 1024)),
    gradient=(0, 1, 2),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
    rtol=1e-4,
)
