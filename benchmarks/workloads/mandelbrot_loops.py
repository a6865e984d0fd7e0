"""The Mandelbrot set point by point: a loop that ends when its point escapes."""

from typing import Any

import numpy as np

from benchmarks.workload import Thunks, Workload
from benchmarks.workloads import _jax, mandelbrot

Array = np.ndarray[Any, Any]


def program(x: Array, y: Array, steps: int) -> Any:
    counts = np.zeros((len(y), len(x)), dtype=np.int64)
    for i in range(len(y)):
        for j in range(len(x)):
            real, imaginary, count = 0.0, 0.0, 0
            while count < steps and real * real + imaginary * imaginary <= 4.0:
                real, imaginary = real * real - imaginary * imaginary + x[j], 2.0 * real * imaginary + y[i]
                count += 1
            counts[i, j] = count
    return counts


def jax(x: Array, y: Array, steps: int) -> Thunks:
    import jax
    from jax import lax

    def point(x: Any, y: Any, steps: Any) -> Any:
        def step(state: Any) -> Any:
            real, imaginary, count = state
            return real * real - imaginary * imaginary + x, 2.0 * real * imaginary + y, count + 1

        def goes_on(state: Any) -> Any:
            real, imaginary, count = state
            return (count < steps) & (real * real + imaginary * imaginary <= 4.0)

        return lax.while_loop(goes_on, step, (0.0 * x, 0.0 * x, 0))[2]

    return _jax.thunks(jax.vmap(jax.vmap(point, (0, None, None)), (None, 0, None)), (x, y, steps))


WORKLOAD = Workload(
    name="mandelbrot_loops",
    title="Mandelbrot set, point by point",
    program=program,
    cases=mandelbrot.WORKLOAD.cases,
    peers={"JAX": jax, "Numba": mandelbrot.numba},
    why_not={"PyTorch": "no loops over elements", "PyTorch compile": "no loops over elements",
             "PyTensor": "a scan over 128,000 points runs its inner graph 20 million times"},
    rtol=1e-2,
)
