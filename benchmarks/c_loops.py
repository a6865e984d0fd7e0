"""Arignote against the loops that a C compiler makes of the same formula, in the cache, on one thread.

    python -m benchmarks.c_loops [--seconds 0.3]

compiles the C loops below with `gcc -O3 -march=native -ffast-math`, which calls the vector mathematics of the C library
(libmvec, up to 4 ulp), and prints both times and their ratio. The goal is 1.3 or less. Without gcc nothing is measured.
"""

import argparse
import ctypes
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import arignote as ag

SOURCE = r"""
#include <math.h>
#include <stdint.h>
#define LOOPS(T, S, TANH, EXP)                                                                       \
void chain_##S(const T *restrict x, const T *restrict y, T *restrict out, int64_t n) {              \
  for (int64_t i = 0; i < n; i++) out[i] = TANH(x[i]) * EXP((T)-0.5 * y[i] * y[i]) + x[i] * y[i];    \
}                                                                                                    \
void polynomial_##S(const T *restrict x, const T *restrict y, T *restrict out, int64_t n) {         \
  for (int64_t i = 0; i < n; i++) out[i] = x[i] * y[i] + (x[i] - y[i]) * (T)0.5 + (T)1;              \
}                                                                                                    \
void rows_##S(const T *restrict x, T *restrict out, int64_t rows, int64_t columns) {                 \
  for (int64_t i = 0; i < rows; i++) {                                                               \
    T total = 0;                                                                                     \
    for (int64_t j = 0; j < columns; j++) total += x[i * columns + j];                               \
    out[i] = total;                                                                                  \
  }                                                                                                  \
}                                                                                                    \
void exponentials_##S(const T *restrict x, T *restrict out, int64_t rows, int64_t columns) {         \
  for (int64_t i = 0; i < rows; i++) {                                                               \
    T total = 0;                                                                                     \
    for (int64_t j = 0; j < columns; j++) total += EXP(x[i * columns + j]);                          \
    out[i] = total;                                                                                  \
  }                                                                                                  \
}
LOOPS(float, float32, tanhf, expf)
LOOPS(double, float64, tanh, exp)
"""
FLAGS = ["-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-shared", "-fPIC"]
Array = np.ndarray[Any, Any]


def chain(x: Array, y: Array) -> Array:
    return np.tanh(x) * np.exp(-0.5 * y * y) + x * y


def polynomial(x: Array, y: Array) -> Array:
    return x * y + (x - y) * 0.5 + 1.0


def rows(x: Array) -> Array:
    return np.sum(x, axis=1)


def exponentials(x: Array) -> Array:
    return np.sum(np.exp(x), axis=1)


def compiled_c() -> ctypes.CDLL | None:
    """The C loops, or None where there is no gcc."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp())
    (folder / "loops.c").write_text(SOURCE)
    library = folder / "loops.so"
    subprocess.run([compiler, *FLAGS, str(folder / "loops.c"), "-o", str(library), "-lm"], check=True)
    return ctypes.CDLL(str(library))


def address(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def in_c(library: ctypes.CDLL, program: Callable[..., Array], inputs: tuple[Array, ...]) -> Callable[[], Array]:
    """The C loop of a program on these inputs, with a result that stays in the cache."""
    loop = getattr(library, f"{program.__name__}_{inputs[0].dtype}")
    out = np.empty_like(program(*inputs))
    sizes = [ctypes.c_int64(size) for size in inputs[0].shape]
    arguments = [*map(address, inputs), address(out), *sizes]

    def run() -> Array:
        loop(*arguments)
        return out

    return run


def best(thunks: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """The median seconds of a call of each, in alternating rounds."""
    times: dict[str, list[float]] = {name: [] for name in thunks}
    repeat = 50
    end = time.perf_counter() + seconds * len(thunks)
    while time.perf_counter() < end:
        for name, thunk in thunks.items():
            start = time.perf_counter()
            for _ in range(repeat):
                thunk()
            times[name].append((time.perf_counter() - start) / repeat)
    return {name: statistics.median(found) for name, found in times.items()}


def cases(dtype: str) -> list[tuple[Callable[..., Array], tuple[Array, ...]]]:
    generator = np.random.default_rng(0)
    flat = [generator.normal(size=(2, size)).astype(dtype) for size in (1024, 16_384, 65_536)]
    table = generator.normal(size=(64, 1024)).astype(dtype)
    found: list[tuple[Callable[..., Array], tuple[Array, ...]]] = []
    for program in (polynomial, chain):
        found += [(program, (pair[0].copy(), pair[1].copy())) for pair in flat]
    return [*found, (rows, (table,)), (exponentials, (table,))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.3)
    options = parser.parse_args()
    library = compiled_c()
    if library is None:
        sys.exit("gcc is not installed")
    ag.set_num_threads(1)
    for dtype in ("float32", "float64"):
        for program, inputs in cases(dtype):
            thunk = in_c(library, program, inputs)
            ours = ag.jit(program)
            assert np.allclose(ours(*inputs), thunk(), rtol=1e-4, atol=1e-4), program.__name__
            found = best({"ours": lambda: ours(*inputs), "C": thunk}, options.seconds)  # noqa: B023
            ratio = found["ours"] / found["C"]
            shape = "x".join(map(str, inputs[0].shape))
            print(f"{program.__name__:13s} {dtype} {shape:8s} {found['ours'] * 1e6:8.2f} us, "
                  f"C {found['C'] * 1e6:8.2f} us: {ratio:.2f}")


if __name__ == "__main__":
    main()
