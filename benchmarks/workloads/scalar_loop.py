"""x = sin(x) + 0.5, a million times: how long one formula takes that waits for the one before."""

import math
from typing import Any

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _numba


def program(x: float, n: int) -> float:
    for _ in range(n):
        x = math.sin(x) + 0.5
    return x


def jax(x: float, n: int) -> Thunks:
    import jax

    def loop(x: Any, n: int) -> Any:
        return jax.lax.fori_loop(0, n, lambda _, v: jax.numpy.sin(v) + 0.5, x)

    return _jax.thunks(loop, (x, n), (0,), static=(1,))


def pytensor(x: float, n: int) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    start = pt.dscalar("x")
    steps, updates = pytensor.scan(lambda v: pt.sin(v) + 0.5, outputs_info=[start], n_steps=n, return_updates=True)
    value = pytensor.function([start], steps[-1], updates=updates)
    both = pytensor.function([start], [steps[-1], pytensor.grad(steps[-1], start)], updates=updates)
    return {"value": lambda: value(x), "gradient": lambda: both(x)}


WORKLOAD = Workload(
    name="scalar_loop",
    title="x = sin(x) + 0.5, a million iterations",
    program=program,
    cases=(Case("1000000", lambda: (0.3, 1_000_000)),),
    gradient=(0,),
    peers={"JAX": jax, "PyTensor": pytensor, "Numba": _numba.builder(program)},
    why_not={
        "PyTorch": "two operations of some microseconds for each iteration; see logistic_map for the rate",
        "PyTorch compile": "unrolls the million iterations",
        "Numba": "has no derivatives",
    },
)
