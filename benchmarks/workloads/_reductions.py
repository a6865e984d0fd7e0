"""Reductions of a matrix along one axis or all: a workload for each kind."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workload import Builder, Case, Limit, Thunks, Workload
from benchmarks.workloads import _jax, _torch

Array = np.ndarray[Any, Any]
AXES = {"axis 0": 0, "axis 1": 1, "all": None}
SHAPES = {"256x256": (256, 256), "8192x1024": (8192, 1024)}


def torch_axis(axis: str) -> dict[str, int]:
    """The keyword arguments of a reduction in PyTorch."""
    return {} if axis == "all" else {"dim": AXES[axis]}


def cases(gradient: bool = False) -> tuple[Case, ...]:
    """A matrix in the cache and one that is not; each must be read once, and a gradient be written."""
    return tuple(case(name, shape, axis, gradient) for name, shape in SHAPES.items() for axis in AXES)


def case(name: str, shape: tuple[int, int], axis: str, gradient: bool) -> Case:
    size = float(np.prod(shape)) * 8
    limits = {"value": Limit(bytes=size)} | ({"gradient": Limit(bytes=2 * size)} if gradient else {})
    return Case(f"{name} {axis}", lambda: (np.random.default_rng(0).normal(size=shape), axis), limits)


def workload(name: str, title: str, program: Callable[..., Any], jax: Callable[..., Any], torch: Callable[..., Any],
             pytensor: Callable[..., Any], numba: Builder, gradient: tuple[int, ...] = ()) -> Workload:  # fmt: skip
    """A workload of which each peer's program is a function of an array and the name of an axis."""

    def in_jax(x: Array, axis: str) -> Thunks:
        return _jax.thunks(jax, (x, axis), gradient, static=(1,))

    def eager(x: Array, axis: str) -> Thunks:
        return _torch.thunks(torch, (x, axis), gradient)

    def compiled(x: Array, axis: str) -> Thunks:
        return _torch.compiled(torch, (x, axis), gradient)

    def in_pytensor(x: Array, axis: str) -> Thunks:
        import pytensor as pytensor_module
        import pytensor.tensor as pt

        symbol = pt.matrix("x", dtype=x.dtype)
        result = pytensor(symbol, axis)
        value = pytensor_module.function([symbol], result)
        if not gradient:
            return {"value": lambda: value(x)}
        both = pytensor_module.function([symbol], [result, pytensor_module.grad(result, symbol)])
        return {"value": lambda: value(x), "gradient": lambda: both(x)}

    peers = {"JAX": in_jax, "PyTorch": eager, "PyTorch compile": compiled, "PyTensor": in_pytensor, "Numba": numba}
    sizes = cases(bool(gradient))
    return Workload(name, title, program, sizes, gradient=gradient, peers=peers, rtol=1e-10)
