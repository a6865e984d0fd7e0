"""The peak memory of a step of one workload in one system, which has this process for itself.

    python -m benchmarks.memory NAME SYSTEM CASE

prints one JSON object: the most memory that is resident during three steps after warm-up, beyond what was resident when
the system, its compiler included, was loaded and the inputs were made. A step is the gradient where there is one.
"""

import argparse
import ctypes
import gc
import importlib
import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np

from benchmarks.worker import OURS, builders
from benchmarks.workload import load

MODULES = {OURS: "arignote", "JAX": "jax", "PyTorch": "torch", "PyTorch compile": "torch", "PyTensor": "pytensor",
           "Numba": "numba"}  # fmt: skip
STEPS = 3
WARM_UP = 3


def resident(field: str) -> int:
    """Bytes that the system says are (VmRSS), or at most have been (VmHWM), in memory."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(f"the system does not tell {field}")


def settle() -> None:
    """Gives back what nothing uses, and starts the record of the peak anew."""
    gc.collect()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def warm(system: str) -> None:
    """Imports a system and runs the smallest program, so that its compiler is there: LLVM alone is 50 MB."""
    np.ones((64, 64)) @ np.ones((64, 64))
    module, x = importlib.import_module(MODULES[system]), np.ones(3)
    if system == OURS:
        module.jit(module.value_and_grad(lambda v: np.sum(v * v)))(x)
    elif system == "JAX":
        module.config.update("jax_enable_x64", True)
        module.block_until_ready(module.jit(module.value_and_grad(lambda v: module.numpy.sum(v * v)))(x))
    elif system == "Numba":
        module.njit(lambda v: np.sum(v * v))(x)
    elif system == "PyTensor":
        v = module.tensor.dvector()
        module.function([v], [module.tensor.sum(v * v), module.grad(module.tensor.sum(v * v), v)])(x)
    else:
        square = lambda v: (v * v).sum()  # noqa: E731
        program = module.compile(square) if system == "PyTorch compile" else square
        program(module.ones(3, requires_grad=True)).backward()


def peak(name: str, system: str, case_name: str) -> int:
    """The bytes of a step beyond the system and the inputs."""
    workload = load(name)
    os.environ["ARIGNOTE_CACHE"] = "0"  # or else the compiler may be loaded for the step, and count as a part of it
    warm(system)
    inputs = next(case for case in workload.cases if case.name == case_name).inputs()
    settle()
    before = resident("VmRSS")
    thunks = builders(workload, None)[system](*inputs)
    del inputs  # a system that makes copies of its own need not keep these
    step = thunks.get("gradient", thunks.get("value"))
    for _ in range(WARM_UP):
        step()
    settle()
    for _ in range(STEPS):
        step()
    return resident("VmHWM") - before


def main() -> None:
    """Print the peak of one system."""
    parser = argparse.ArgumentParser(description=__doc__)
    for argument in ("name", "system", "case"):
        parser.add_argument(argument)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    json.dump({"peak": peak(options.name, options.system, options.case)}, sys.stdout)


if __name__ == "__main__":
    main()
