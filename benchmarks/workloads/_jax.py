"""JAX as its users call it: arrays on the device before the clock starts, the result waited for."""

from collections.abc import Callable
from typing import Any


def thunks(program: Callable[..., Any], inputs: tuple[Any, ...], argnums: tuple[int, ...] = (),
           static: tuple[int, ...] = ()) -> dict[str, Callable[[], Any]]:
    """The jitted program, and its value with the gradient, on inputs that are on the device already.

    Inputs of the numbers in `static` are compile-time values of the program.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    put = lambda leaf: leaf if isinstance(leaf, (int, bool, str)) else jax.device_put(leaf)  # noqa: E731
    there = tuple(value if at in static else jax.tree.map(put, value) for at, value in enumerate(inputs))
    value = jax.jit(program, static_argnums=static)
    found: dict[str, Callable[[], Any]] = {"value": lambda: jax.block_until_ready(value(*there))}
    if argnums:
        both = jax.jit(jax.value_and_grad(program, argnums), static_argnums=static)
        found["gradient"] = lambda: jax.block_until_ready(both(*there))
    return found
