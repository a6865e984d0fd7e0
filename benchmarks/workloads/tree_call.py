"""What a call with a tree of parameters costs: the penalty on the weights of a network of ten small layers.

The parameters are a dict of twenty arrays. A peer whose users would not pass a dict gets what they would pass: PyTensor
a list of inputs, Numba a tuple.
"""

from typing import Any

import numpy as np

from benchmarks.workload import Case, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Parameters = dict[str, np.ndarray[Any, Any]]


def program(parameters: Parameters) -> Any:
    return sum(np.sum(value * value) for value in parameters.values())


def jax(parameters: Parameters) -> Thunks:
    import jax.numpy as jnp

    return _jax.thunks(lambda tree: sum(jnp.sum(value * value) for value in tree.values()), (parameters,), (0,))


def eager(parameters: Parameters) -> Thunks:
    return _torch.thunks(lambda tree: sum((value * value).sum() for value in tree.values()), (parameters,), (0,))


def compiled(parameters: Parameters) -> Thunks:
    return _torch.compiled(lambda tree: sum((value * value).sum() for value in tree.values()), (parameters,), (0,))


def pytensor(parameters: Parameters) -> Thunks:
    import pytensor
    import pytensor.tensor as pt

    arrays = list(parameters.values())
    symbols = [pt.tensor(dtype=array.dtype, shape=(None,) * array.ndim) for array in arrays]
    total = sum(pt.sum(symbol * symbol) for symbol in symbols)
    value = pytensor.function(symbols, total, trust_input=True)
    both = pytensor.function(symbols, [total, *pytensor.grad(total, symbols)], trust_input=True)
    return {"value": lambda: value(*arrays), "gradient": lambda: both(*arrays)}


def numba(parameters: Parameters) -> Thunks:
    import numba
    from numba import literal_unroll

    @numba.njit
    def penalty(value: Any) -> float:
        total = 0.0
        for entry in value.flat:
            total += entry * entry
        return total

    @numba.njit
    def loop(tree: Any) -> float:
        total = 0.0
        for value in literal_unroll(tree):
            total += penalty(value)
        return total

    tree = tuple(parameters.values())
    return {"value": lambda: loop(tree)}


def network() -> tuple[Parameters]:
    """Weights and biases of ten layers of eight units."""
    random = np.random.default_rng(0)
    shapes = {f"{kind}{layer}": shape for kind, shape in (("bias", (8,)), ("weight", (8, 8))) for layer in range(10)}
    return ({name: random.normal(size=shape) for name, shape in shapes.items()},)


WORKLOAD = Workload(
    name="tree_call",
    title="Call overhead: a dict of 20 arrays",
    program=program,
    cases=(Case("20 arrays", network),),
    gradient=(0,),
    peers={"JAX": jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": pytensor, "Numba": numba},
)
