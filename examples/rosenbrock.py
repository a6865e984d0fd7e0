"""Minimise Rosenbrock's function with SciPy, which gets the compiled gradient and the compiled Hessian.

Run `make rosenbrock`, or `python examples/rosenbrock.py`.
"""

import statistics
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

import arignote as ag

Array = NDArray[np.float64]
TIMED_CALLS = 300


@ag.jit
def rosenbrock(x: Array) -> Any:
    """A curved valley; the minimum, 0, lies where every coordinate is 1."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


gradient = ag.jit(ag.grad(rosenbrock))


@ag.jit
def hessian(x: Array) -> Array:
    """Row i is the gradient of the i-th entry of the gradient."""
    rows = np.zeros((len(x), len(x)))
    for i in range(len(x)):
        rows[i] = ag.grad(lambda y: gradient(y)[i])(x)
    return rows


def median_seconds(functions: list[Any], argument: Array) -> list[float]:
    """The median time of each function's call, called in turns."""
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(TIMED_CALLS):
        for function, record in zip(functions, times):
            start = time.perf_counter()
            function(argument)
            record.append(time.perf_counter() - start)
    return [statistics.median(record) for record in times]


def main() -> None:
    """Minimise from a far point; compare the derivatives with those that SciPy wrote by hand."""
    start = np.array([1.3, 0.7, 0.8, 1.9, 1.2, -1.5, 2.5, 0.1, -0.4, 1.6])
    result = optimize.minimize(rosenbrock, start, jac=gradient, hess=hessian, method="trust-exact")
    print(f"minimum {result.fun:.3e} after {result.nit} iterations: {result.message}")
    print(f"at {np.array2string(result.x, precision=6)}")
    assert np.allclose(result.x, 1.0, atol=1e-6)

    pairs = [
        ("value", rosenbrock, optimize.rosen),
        ("gradient", gradient, optimize.rosen_der),
        ("Hessian", hessian, optimize.rosen_hess),
    ]
    for name, ours, theirs in pairs:
        difference = float(np.max(np.abs(ours(start) - theirs(start))))
        compiled, by_hand = median_seconds([ours, theirs], start)
        print(
            f"{name:8}  compiled {compiled * 1e6:7.2f} µs   SciPy, by hand {by_hand * 1e6:7.2f} µs   "
            f"largest difference {difference:.1e}"
        )


if __name__ == "__main__":
    main()
