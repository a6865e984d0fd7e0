"""The same small programs in the systems that people use today. A system that is not installed is left out."""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def installed(*names: str) -> dict[str, Any]:
    """The modules that can be imported, by name; one that is broken counts as missing."""
    found = {}
    for name in names:
        if importlib.util.find_spec(name) is not None:
            try:
                found[name] = importlib.import_module(name)
            except Exception as error:
                print(f"{name} cannot be imported: {error}")
    return found


MODULES = installed("jax", "numba", "torch", "pytensor")
if "jax" in MODULES:
    MODULES["jax"].config.update("jax_enable_x64", True)


def sum_of_sines(x: Array) -> dict[str, Callable[[], object]]:
    """`sum(sin(x) * x)` of a small array: what a call costs."""
    peers: dict[str, Callable[[], object]] = {"NumPy": lambda: np.sum(np.sin(x) * x)}
    if jax := MODULES.get("jax"):
        jitted = jax.jit(lambda v: jax.numpy.sum(jax.numpy.sin(v) * v))
        on_device = jax.numpy.asarray(x)
        peers["JAX"] = lambda: jitted(on_device).block_until_ready()
    if torch := MODULES.get("torch"):
        tensor = torch.from_numpy(x)
        peers["PyTorch"] = lambda: torch.sum(torch.sin(tensor) * tensor)
    if pytensor := MODULES.get("pytensor"):
        import pytensor.tensor as pt

        variable = pt.dvector()
        function = pytensor.function([variable], pt.sum(pt.sin(variable) * variable))
        peers["PyTensor"] = lambda: function(x)
    if numba := MODULES.get("numba"):
        compiled = numba.njit(lambda v: np.sum(np.sin(v) * v))
        peers["Numba"] = lambda: compiled(x)
    return peers


def sum_of_ten(tree: dict[str, Array]) -> dict[str, Callable[[], object]]:
    """A dict of ten arrays as the argument."""
    peers: dict[str, Callable[[], object]] = {"NumPy": lambda: sum(np.sum(value) for value in tree.values())}
    if jax := MODULES.get("jax"):
        jitted = jax.jit(lambda t: sum(jax.numpy.sum(value) for value in t.values()))
        on_device = {name: jax.numpy.asarray(value) for name, value in tree.items()}
        peers["JAX"] = lambda: jitted(on_device).block_until_ready()
    return peers


def large_elementwise(x: Array, y: Array) -> dict[str, Callable[[], object]]:
    """`tanh(x * y) * exp(-x)` of large arrays."""
    peers: dict[str, Callable[[], object]] = {"NumPy": lambda: np.tanh(x * y) * np.exp(-x)}
    if jax := MODULES.get("jax"):
        jitted = jax.jit(lambda a, b: jax.numpy.tanh(a * b) * jax.numpy.exp(-a))
        left, right = jax.numpy.asarray(x), jax.numpy.asarray(y)
        peers["JAX"] = lambda: jitted(left, right).block_until_ready()
    if torch := MODULES.get("torch"):
        first, second = torch.from_numpy(x), torch.from_numpy(y)
        peers["PyTorch"] = lambda: torch.tanh(first * second) * torch.exp(-first)
    if numba := MODULES.get("numba"):
        compiled = numba.njit(lambda a, b: np.tanh(a * b) * np.exp(-a))
        peers["Numba"] = lambda: compiled(x, y)
    return peers


def logistic(program: Callable[..., float], r: float, x: float, n: int) -> dict[str, Callable[[], object]]:
    """A scalar loop, the same Python function compiled by Numba."""
    peers: dict[str, Callable[[], object]] = {}
    if numba := MODULES.get("numba"):
        compiled = numba.njit(program)
        peers["Numba"] = lambda: compiled(r, x, n)
    return peers
