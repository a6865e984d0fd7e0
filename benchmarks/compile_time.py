"""What the first call costs: cold, and from the cache on disk, each in new processes; imports; calls with new shapes.

    python -m benchmarks.compile_time [--only lstm] [--rounds 5] [--cold] [--json out/compile_time.json]

A first call is counted from before the decorator to its result, less the time of a second call. Cold means that
nothing is known of the program; the runtime's own module, which is compiled once after installation, is there. The
compiler's own modules, LLVM among them, are loaded when a process first compiles something, and never where the cache
has all programs: that time is a row of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Row
from benchmarks.report import publish

CACHED_SECONDS, IMPORT_SECONDS = 0.04, 0.12
Calls = tuple[Callable[[], Any], list[tuple[Any, ...]]]


def one_line() -> Calls:
    import numpy as np

    import arignote as ag
    from benchmarks.one_line import function

    plain = function.__wrapped__
    return lambda: ag.jit(plain), [(np.linspace(0.0, 1.0, size),) for size in (10, 1000, 17)]


def one_line_gradient() -> Calls:
    import arignote as ag

    _, arguments = one_line()
    from benchmarks.one_line import function

    return lambda: ag.grad(function.__wrapped__), arguments


def gradient_of(name: str, arguments: Callable[[Any], list[tuple[Any, ...]]]) -> Calls:
    """Value and gradient of a workload's program."""
    import importlib

    import arignote as ag

    module = importlib.import_module(f"benchmarks.workloads.{name}")
    workload = module.WORKLOAD
    return lambda: ag.jit(ag.value_and_grad(workload.program, workload.gradient)), arguments(module)


def mlp() -> Calls:
    return gradient_of("mlp_step", lambda module: [module.case(size).inputs() for size in (32, 8, 5)])


def lstm() -> Calls:
    from benchmarks.workloads import _lstm

    sizes = ((8, 3), (12, 5), (5, 4))
    return gradient_of("lstm_small", lambda module: [_lstm.inputs(*size) for size in sizes])


def attention() -> Calls:
    sizes = ((2, 16, 64), (3, 9, 32), (4, 8, 16))
    return gradient_of("attention", lambda module: [module.case(*size).inputs() for size in sizes])


def tree_lstm() -> Calls:
    return gradient_of("tree_lstm", lambda module: [module.case(size).inputs() for size in (16, 8, 5)])


PROGRAMS: dict[str, tuple[Callable[[], Calls], str, float]] = {
    "one_line": (one_line, "one-line function", 0.04),
    "one_line_gradient": (one_line_gradient, "its gradient", 0.08),
    "mlp": (mlp, "value and gradient of an MLP", 0.4),
    "lstm": (lstm, "value and gradient of an LSTM", 0.8),
    "attention": (attention, "value and gradient of a transformer block", 1.5),
    "tree_lstm": (tree_lstm, "value and gradient of a TreeLSTM", 1.5),
}
"""By name: what makes the compiled function and its arguments in several shapes, a title, seconds of a cold call."""

LOADS = """
import gc, time
import arignote
from arignote.backends.read_ahead import load_library_ahead
gc.disable()  # as it is while something is compiled
start = time.perf_counter()
load_library_ahead()
import arignote.pipeline, arignote.autodiff.reverse, arignote.backends.llvm
print(time.perf_counter() - start)
"""

IMPORTS = """
import time
import numpy, scipy, scipy.linalg, scipy.special
start = time.perf_counter()
import arignote
print(time.perf_counter() - start)
"""


def load_compiler() -> None:
    """Reads in the modules of the compiler."""
    import importlib

    for name in ("pipeline", "autodiff.reverse", "backends.llvm"):
        importlib.import_module(f"arignote.{name}")


def measure_here(name: str) -> dict[str, float]:
    """The first call in this process, and how many compilations calls with other shapes took."""
    make, arguments = PROGRAMS[name][0]()
    if os.environ["ARIGNOTE_CACHE"] == "0":
        load_compiler()
    started = time.perf_counter()
    function = make()
    function(*arguments[0])
    first = time.perf_counter() - started
    started = time.perf_counter()
    function(*arguments[0])
    second = time.perf_counter() - started
    known = function.cache_info().misses
    for given in arguments[1:]:
        function(*given)
    return {"first": first - second, "again": function.cache_info().misses - known}


def in_new_process(command: list[str], folder: str, programs: bool = True) -> str:
    """What a Python process prints, with its cache and its bytecode in a folder."""
    environment = os.environ | {
        "ARIGNOTE_CACHE_DIR": f"{folder}/cache",
        "ARIGNOTE_CACHE": "1" if programs else "0",
        "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
    }
    for unwanted in ("PYTHONDONTWRITEBYTECODE", "ARIGNOTE_VERIFY"):
        environment.pop(unwanted, None)
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def first_call(name: str, folder: str, programs: bool) -> dict[str, float]:
    found: dict[str, float] = json.loads(
        in_new_process(["-m", "benchmarks.compile_time", "--child", name], folder, programs)
    )
    return found


def rows_of(name: str, folder: str, rounds: int, only_cold: bool) -> Iterator[Row]:
    """The rows of one program. The first process is not counted: it writes bytecode, and the runtime's module."""
    _, title, limit = PROGRAMS[name]
    first_call(name, folder, programs=False)
    cold = [first_call(name, folder, programs=False) for _ in range(rounds)]
    seconds = statistics.median(found["first"] for found in cold)
    yield Row(f"first call, {title}", seconds, {}, f"<= {1e3 * limit:.0f} ms", limit)
    yield Row(f"compilations for new shapes, {title}", cold[0]["again"], {}, "0", 0.0, unit="")
    if not only_cold:
        first_call(name, folder, programs=True)
        cached = [first_call(name, folder, programs=True)["first"] for _ in range(rounds)]
        target = f"<= {1e3 * CACHED_SECONDS:.0f} ms"
        yield Row(f"from the cache, {title}", statistics.median(cached), {}, target, CACHED_SECONDS)


def import_rows(folder: str, rounds: int) -> Iterator[Row]:
    def median(text: str) -> float:
        in_new_process(["-c", text], folder)
        return statistics.median(float(in_new_process(["-c", text], folder)) for _ in range(rounds))

    target = f"<= {1e3 * IMPORT_SECONDS:.0f} ms"
    yield Row("import beyond NumPy and SciPy", median(IMPORTS), {}, target, IMPORT_SECONDS)
    yield Row("loading the compiler, once per process that compiles", median(LOADS), {})


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="measure only the programs whose name contains this word, or import")
    parser.add_argument("--rounds", type=int, default=5, help="processes for each number")
    parser.add_argument("--cold", action="store_true", help="do not measure the cache")
    parser.add_argument("--json", type=Path, default=Path("out/compile_time.json"), help="where to write the numbers")
    parser.add_argument("--child", choices=PROGRAMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure_here(options.child)))
        return
    with tempfile.TemporaryDirectory() as folder:
        chosen = [name for name in PROGRAMS if options.only in name]
        rows = [row for name in chosen for row in rows_of(name, folder, options.rounds, options.cold)]
        if options.only in "import":
            rows += import_rows(folder, options.rounds)
    publish(rows, options.json)


if __name__ == "__main__":
    main()
