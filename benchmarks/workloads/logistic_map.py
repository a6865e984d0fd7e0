"""The logistic map, 10,000 times: three operations on numbers that wait for one another."""

from typing import Any

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _numba, _torch

STEPS = 10_000


def program(r: float, x: float, n: int) -> float:
    for _ in range(n):
        x = r * x * (1.0 - x)
    return x


def jax(r: float, x: float, n: int) -> Thunks:
    import jax

    def loop(r: Any, x: Any, n: int) -> Any:
        return jax.lax.fori_loop(0, n, lambda _, v: r * v * (1.0 - v), x)

    return _jax.thunks(loop, (r, x, n), (0, 1), static=(2,))


def eager(r: float, x: float, n: int) -> Thunks:
    import torch

    inputs = torch.tensor(r, dtype=torch.float64).numpy(), torch.tensor(x, dtype=torch.float64).numpy(), n
    return _torch.thunks(program, inputs, (0, 1))


def pytensor(r: float, x: float, n: int) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    rate, start = pt.dscalar("r"), pt.dscalar("x")
    steps, updates = pytensor.scan(
        lambda v, rate: rate * v * (1.0 - v), outputs_info=[start], non_sequences=[rate], n_steps=n, return_updates=True
    )
    value = pytensor.function([rate, start], steps[-1], updates=updates)
    both = pytensor.function([rate, start], [steps[-1], *pytensor.grad(steps[-1], [rate, start])], updates=updates)
    return {"value": lambda: value(r, x), "gradient": lambda: both(r, x)}


WORKLOAD = Workload(
    name="logistic_map",
    title="logistic map, 10,000 iterations",
    program=program,
    cases=(Case("10000", lambda: (3.5, 0.3, STEPS), {"value": Limit(flops=3.0 * STEPS)}),),
    gradient=(0, 1),
    peers={"JAX": jax, "PyTorch": eager, "PyTensor": pytensor, "Numba": _numba.builder(program)},
    why_not={"PyTorch compile": "unrolls the 10,000 iterations", "Numba": "has no derivatives"},
)
