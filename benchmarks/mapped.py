"""What vmap costs, against a Python loop over the compiled function and, where it is installed, JAX.

python -m benchmarks.mapped
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import arignote as ag
from benchmarks.measure import take_turns
from benchmarks.peers import MODULES


def root(a: Any) -> Any:
    """Newton's iteration: about as many steps for each element."""
    x = a
    while abs(x * x - a) > 1e-9:
        x = 0.5 * (x + a / x)
    return x


def escape(re: Any, im: Any) -> Any:
    """The Mandelbrot set: from one step to all two hundred."""
    x, y, n = 0.0, 0.0, 0
    while n < 200 and x * x + y * y <= 4.0:
        x, y = x * x - y * y + re, 2.0 * x * y + im
        n += 1
    return n


def wave(x: Any) -> Any:
    """A formula of one number."""
    return np.sin(x) * np.exp(-x * x) + x


def branch(x: Any) -> Any:
    """A branch on the element."""
    return np.sqrt(x) if x > 0 else x * x


def layers(x: Any, first: Any, second: Any) -> Any:
    """Two layers of a network."""
    return np.tanh(x @ first) @ second


def squares(x: Any, first: Any, second: Any) -> Any:
    """A loss of one example."""
    return np.sum(layers(x, first, second) ** 2)


random = np.random.default_rng(0)
GRID = [part.ravel() for part in np.meshgrid(np.linspace(-2, 0.6, 300), np.linspace(-1.2, 1.2, 300))]
EXAMPLES = random.normal(size=(1000, 64)), random.normal(size=(64, 128)), random.normal(size=(128, 10))
CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {
    "formula": (wave, (random.normal(size=100_000),), 0),
    "branch": (branch, (random.normal(size=100_000),), 0),
    "Newton": (root, (np.abs(random.normal(size=100_000)) + 0.5,), 0),
    "Mandelbrot": (escape, tuple(GRID), 0),
    "two layers": (layers, EXAMPLES, (0, None, None)),
    "gradient per example": (ag.grad(squares), EXAMPLES, (0, None, None)),
}


def python_loop(function: Callable[..., Any], arguments: tuple[Any, ...], axes: Any) -> float:
    """Seconds of a loop over the compiled function."""
    compiled = ag.jit(function)
    each = axes if isinstance(axes, tuple) else (axes,) * len(arguments)
    rows = [[x if axis is None else x[n] for x, axis in zip(arguments, each, strict=True)]
            for n in range(len(arguments[0]))]  # fmt: skip
    compiled(*rows[0])
    start = time.perf_counter()
    np.stack([compiled(*row) for row in rows])
    return time.perf_counter() - start


def in_jax() -> dict[str, Callable[..., Any]]:
    """The same functions, as JAX wants them written."""
    jax = MODULES["jax"]
    jnp, lax = jax.numpy, jax.lax

    def jax_escape(re: Any, im: Any) -> Any:
        def step(state: Any) -> Any:
            x, y, n = state
            return x * x - y * y + re, 2.0 * x * y + im, n + 1

        return lax.while_loop(lambda s: (s[2] < 200) & (s[0] ** 2 + s[1] ** 2 <= 4.0), step, (0.0 * re, 0.0 * re, 0))[2]

    def jax_layers(x: Any, first: Any, second: Any) -> Any:
        return jnp.tanh(x @ first) @ second

    return {
        "formula": lambda x: jnp.sin(x) * jnp.exp(-x * x) + x,
        "branch": lambda x: lax.cond(x > 0, jnp.sqrt, lambda v: v * v, x),
        "Newton": lambda a: lax.while_loop(lambda x: abs(x * x - a) > 1e-9, lambda x: 0.5 * (x + a / x), a),
        "Mandelbrot": jax_escape,
        "two layers": jax_layers,
        "gradient per example": jax.grad(lambda *xs: jnp.sum(jax_layers(*xs) ** 2)),
    }


def main() -> None:
    """Print one line for each case: milliseconds."""
    peers = in_jax() if "jax" in MODULES else {}
    print(f"{'':22s}{'vmap':>10s}{'loop':>12s}{'JAX':>10s}   milliseconds")
    for name, (function, arguments, axes) in CASES.items():
        mapped = ag.vmap(function, axes)
        turns: dict[str, Callable[[], object]] = {"vmap": lambda f=mapped, a=arguments: f(*a)}
        if name in peers:
            jax = MODULES["jax"]
            compiled, given = jax.jit(jax.vmap(peers[name], axes)), [jax.numpy.asarray(x) for x in arguments]
            turns["JAX"] = lambda f=compiled, a=given, wait=jax.block_until_ready: wait(f(*a))
        found = take_turns(turns, rounds=11)
        loop = python_loop(function, arguments, axes)
        shown = f"{found['JAX'] * 1e3:10.3f}" if "JAX" in found else f"{'-':>10s}"
        print(f"{name:22s}{found['vmap'] * 1e3:10.3f}{loop * 1e3:12.1f}{shown}")


if __name__ == "__main__":
    main()
