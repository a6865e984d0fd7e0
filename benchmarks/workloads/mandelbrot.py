"""The Mandelbrot set as NumPy's users write it: all points of the grid at once, under a mask."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]


def program(x: Array, y: Array, steps: int) -> Any:
    real, imaginary = np.zeros((len(y), len(x))), np.zeros((len(y), len(x)))
    counts = np.zeros((len(y), len(x)), dtype=np.int64)
    for _ in range(steps):
        inside = real * real + imaginary * imaginary <= 4.0
        counts += inside
        following = real * real - imaginary * imaginary + x
        imaginary = np.where(inside, 2.0 * real * imaginary + y[:, np.newaxis], imaginary)
        real = np.where(inside, following, real)
    return counts


def jax(x: Array, y: Array, steps: int) -> Thunks:
    from jax import lax
    from jax import numpy as jnp

    def whole(x: Any, y: Any, steps: Any) -> Any:
        def step(_: Any, state: Any) -> Any:
            real, imaginary, counts = state
            inside = real * real + imaginary * imaginary <= 4.0
            following = real * real - imaginary * imaginary + x
            imaginary = jnp.where(inside, 2.0 * real * imaginary + y[:, None], imaginary)
            return jnp.where(inside, following, real), imaginary, counts + inside

        zeros = jnp.zeros((len(y), len(x)))
        return lax.fori_loop(0, steps, step, (zeros, zeros, zeros.astype(jnp.int64)))[2]

    return _jax.thunks(whole, (x, y, steps))


def eager(x: Array, y: Array, steps: int) -> Thunks:
    import torch

    def whole(x: Any, y: Any) -> Any:
        real, imaginary = torch.zeros(len(y), len(x), dtype=x.dtype), torch.zeros(len(y), len(x), dtype=x.dtype)
        counts = torch.zeros(len(y), len(x), dtype=torch.int64)
        for _ in range(steps):
            inside = real * real + imaginary * imaginary <= 4.0
            counts += inside
            following = real * real - imaginary * imaginary + x
            imaginary = torch.where(inside, 2.0 * real * imaginary + y[:, None], imaginary)
            real = torch.where(inside, following, real)
        return counts

    return _torch.thunks(whole, (x, y))


def pytensor(x: Array, y: Array, steps: int) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    columns, rows = pt.vector("x", dtype="float64"), pt.vector("y", dtype="float64")

    def step(real: Any, imaginary: Any, counts: Any) -> Any:
        inside = pt.le(real * real + imaginary * imaginary, 4.0)
        following = real * real - imaginary * imaginary + columns
        imaginary = pt.where(inside, 2.0 * real * imaginary + rows[:, None], imaginary)
        return pt.where(inside, following, real), imaginary, counts + inside

    zeros = pt.zeros((rows.shape[0], columns.shape[0]), dtype="float64")
    found = pytensor.scan(step, outputs_info=[zeros, zeros, pt.zeros_like(zeros, dtype="int64")], n_steps=steps,
                          return_updates=False)  # fmt: skip
    value = pytensor.function([columns, rows], found[2][-1])
    return {"value": lambda: value(x, y)}


def numba(x: Array, y: Array, steps: int) -> Thunks:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def loops(x: Array, y: Array, steps: int) -> Array:
        counts = np.zeros((len(y), len(x)), dtype=np.int64)
        for i in numba.prange(len(y)):
            for j in range(len(x)):
                real, imaginary, count = 0.0, 0.0, 0
                while count < steps and real * real + imaginary * imaginary <= 4.0:
                    real, imaginary = real * real - imaginary * imaginary + x[j], 2.0 * real * imaginary + y[i]
                    count += 1
                counts[i, j] = count
        return counts

    return {"value": lambda: loops(x, y, steps)}


def inputs() -> tuple[Array, Array, int]:
    return np.linspace(-2.0, 0.6, 400), np.linspace(-1.1, 1.1, 320), 200


WORKLOAD = Workload(
    name="mandelbrot",
    title="Mandelbrot set, masked arrays",
    program=program,
    cases=(Case("320x400, 200 steps", inputs),),
    peers={"JAX": jax, "PyTorch": eager, "PyTensor": pytensor, "Numba": numba},
    why_not={"PyTorch compile": "unrolls the 200 steps"},
    rtol=1e-2,
)
