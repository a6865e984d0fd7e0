"""A list of a million numbers made by appending, and read back in a second loop."""

from typing import Any

from benchmarks.workload import Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _numba

ITEMS = 1_000_000


def program(x: float, n: int) -> float:
    items = []
    value = x
    for _ in range(n):
        value = value * 0.999 + 1.0
        items.append(value)
    total = 0.0
    for i, item in enumerate(items):
        total = total + item * (i % 3)
    return total


def jax(x: float, n: int) -> Thunks:
    import jax

    def loop(x: Any, n: int) -> Any:
        def step(before: Any, _: Any) -> Any:
            item = before * 0.999 + 1.0
            return item, item

        _, items = jax.lax.scan(step, x, None, length=n)
        return jax.numpy.sum(items * (jax.numpy.arange(n) % 3))

    return _jax.thunks(loop, (x, n), (0,), static=(1,))


def pytensor(x: float, n: int) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    start = pt.dscalar("x")
    items, updates = pytensor.scan(
        lambda before: before * 0.999 + 1.0, outputs_info=[start], n_steps=n, return_updates=True
    )
    total = pt.sum(items * (pt.arange(n) % 3))
    value = pytensor.function([start], total, updates=updates)
    both = pytensor.function([start], [total, pytensor.grad(total, start)], updates=updates)
    return {"value": lambda: value(x), "gradient": lambda: both(x)}


WORKLOAD = Workload(
    name="list_append",
    title="a list of a million numbers by append, and a sum over it",
    program=program,
    cases=(Case("1000000", lambda: (0.3, ITEMS), {"value": Limit(bytes=16.0 * ITEMS)}),),
    gradient=(0,),
    peers={"JAX": jax, "PyTensor": pytensor, "Numba": _numba.builder(program)},
    why_not={
        "PyTorch": "several microseconds for each item: ten seconds; see logistic_map for the rate",
        "PyTorch compile": "unrolls the million iterations",
        "Numba": "has no derivatives",
    },
)
