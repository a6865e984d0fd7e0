"""An array of a million items, each written from the one before."""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _numba

ITEMS = 1_000_000


def program(x: float, n: int) -> Any:
    out = np.zeros(n)
    out[0] = x
    for i in range(1, n):
        out[i] = out[i - 1] * 0.999 + x
    return np.sum(out**2)


def jax(x: float, n: int) -> Thunks:
    import jax

    def loop(x: Any, n: int) -> Any:
        def step(before: Any, _: Any) -> Any:
            item = before * 0.999 + x
            return item, item

        _, rest = jax.lax.scan(step, x, None, length=n - 1)
        return x**2 + jax.numpy.sum(rest**2)

    return _jax.thunks(loop, (x, n), (0,), static=(1,))


def pytensor(x: float, n: int) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    start = pt.dscalar("x")
    items, updates = pytensor.scan(
        lambda before, x: before * 0.999 + x,
        outputs_info=[start],
        non_sequences=[start],
        n_steps=n - 1,
        return_updates=True,
    )
    total = start**2 + pt.sum(items**2)
    value = pytensor.function([start], total, updates=updates)
    both = pytensor.function([start], [total, pytensor.grad(total, start)], updates=updates)
    return {"value": lambda: value(x), "gradient": lambda: both(x)}


WORKLOAD = Workload(
    name="array_filling",
    title="out[i] = 0.999 out[i - 1] + x, a million items",
    program=program,
    cases=(Case("1000000", lambda: (0.3, ITEMS), {"value": Limit(bytes=8.0 * ITEMS)}),),
    gradient=(0,),
    peers={"JAX": jax, "PyTensor": pytensor, "Numba": _numba.builder(program)},
    why_not={
        "PyTorch": "several microseconds for each item: ten seconds; see logistic_map for the rate",
        "PyTorch compile": "unrolls the million iterations",
        "Numba": "has no derivatives",
    },
)
