"""The numbers of the pipeline: call overhead, fused loops, scalar loops, compile time, import time.

    python benchmarks/spine.py [--only WORD] [--json FILE]

Prints a Markdown table and writes it, and the same as JSON, to out/spine.md and out/spine.json. Peers that are not
installed are left out.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
EXAMPLES = Path(__file__).parent.parent / "examples"

import arignote as ag  # noqa: E402
from benchmarks import peers  # noqa: E402
from benchmarks.measure import Row, in_fresh_processes, take_turns  # noqa: E402
from benchmarks.report import publish  # noqa: E402

Array = np.ndarray[Any, Any]
ITERATIONS = 10_000


def sum_of_sines(x: Array) -> Any:
    return np.sum(np.sin(x) * x)


def sum_of_ten(tree: dict[str, Array]) -> Any:
    total = 0.0
    for name in tree:
        total = total + np.sum(tree[name])
    return total


def elementwise(x: Array, y: Array) -> Array:
    return np.tanh(x * y) * np.exp(-x)


def logistic(r: float, x: float, n: int) -> float:
    for _ in range(n):
        x = r * x * (1.0 - x)
    return x


def call_overhead() -> Iterator[Row]:
    """What a call costs when there is next to nothing to compute."""
    x = np.linspace(0.0, 1.0, 10)
    compiled = ag.jit(sum_of_sines)
    assert np.isclose(compiled(x), sum_of_sines(x))
    times = take_turns({"Arignote": lambda: compiled(x), **peers.sum_of_sines(x)})
    yield Row("call of sum(sin(x) * x), 10 float64", times.pop("Arignote"), times, "<= 1.5 µs", 1.5e-6)

    tree = {f"array_{i}": x + i for i in range(10)}
    on_tree = ag.jit(sum_of_ten)
    assert np.isclose(on_tree(tree), sum_of_ten(tree))
    times = take_turns({"Arignote": lambda: on_tree(tree), **peers.sum_of_ten(tree)})
    yield Row("call with a dict of 10 arrays", times.pop("Arignote"), times, "<= 5 µs", 5e-6)


def large_arrays() -> Iterator[Row]:
    """A chain of elementwise operations that should be one pass over memory."""
    generator = np.random.default_rng(0)
    x, y = (generator.normal(size=1_000_000).astype(np.float32) for _ in range(2))
    compiled = ag.jit(elementwise)
    assert np.allclose(compiled(x, y), elementwise(x, y), rtol=1e-5, atol=1e-6)
    times = take_turns({"Arignote": lambda: compiled(x, y), **peers.large_elementwise(x, y)}, batch_seconds=0.0)
    yield Row("tanh(x*y)*exp(-x), 1M float32", times.pop("Arignote"), times, "<= JAX", times.get("JAX"))


def scalar_loops() -> Iterator[Row]:
    """A loop of Python numbers, and its derivative."""
    arguments = (3.7, 0.3, ITERATIONS)
    compiled = ag.jit(logistic)
    gradient = ag.jit(ag.grad(logistic, argnums=1))
    assert compiled(*arguments) == logistic(*arguments)
    rivals = peers.logistic(logistic, *arguments)
    functions: dict[str, Callable[[], object]] = {
        "Arignote": lambda: compiled(*arguments),
        "gradient": lambda: gradient(*arguments),
        **rivals,
    }
    times = take_turns(functions)
    primal, slope = times.pop("Arignote"), times.pop("gradient")
    limit = 1.2 * times["Numba"] if "Numba" in times else None
    yield Row(f"logistic map, {ITERATIONS:,} iterations", primal, times, "<= 1.2 x Numba", limit)
    yield Row("gradient of the logistic map", slope, {"Arignote, primal": primal}, "<= 4 x primal", 4 * primal)


def digits_step() -> Iterator[Row]:
    """A training step of examples/digits.py."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        import digits
    except ImportError as error:
        print(f"left out: the digits step ({error})")
        return
    layers = digits.initial_layers(np.random.default_rng(0))
    images, labels, _, _ = digits.load_images()
    velocity = tuple({name: np.zeros_like(value) for name, value in layer.items()} for layer in layers)
    arguments = (layers, velocity, images[: digits.BATCH], labels[: digits.BATCH], digits.RATE)
    functions: dict[str, Callable[[], object]] = {
        "Arignote": lambda: digits.step(*arguments),
        "NumPy, gradients by hand": lambda: digits.step_by_hand(*arguments),
    }
    times = take_turns(functions)
    by_hand = times["NumPy, gradients by hand"]
    yield Row("digits: one training step", times.pop("Arignote"), times, "< NumPy by hand", by_hand)


FIRST_CALL = """
import sys, time
import numpy as np
import arignote as ag
{prepare}
start = time.perf_counter()
{call}
print(time.perf_counter() - start)
"""
PREPARE_DIGITS = f"""
sys.path.insert(0, {str(EXAMPLES)!r})
import digits
layers = digits.initial_layers(np.random.default_rng(0))
images, labels = np.zeros((32, 64), np.float32), np.zeros(32, np.int64)
function = ag.jit(ag.value_and_grad(digits.loss))
"""
# A lambda has no source in a program given by -c, so the function comes from a file.
PREPARE_ONE_LINE = f"""
sys.path.insert(0, {str(Path(__file__).parent)!r})
import one_line
x = np.linspace(0.0, 1.0, 10)
"""
WARM = "one_line.warm(2.0)\n"
IMPORT = """
import time
import numpy, scipy, scipy.linalg, scipy.special
start = time.perf_counter()
import arignote
print(time.perf_counter() - start)
"""


def first_calls() -> Iterator[Row]:
    """From the text of a function to its first result; and what importing the package takes."""
    one = in_fresh_processes(FIRST_CALL.format(prepare=PREPARE_ONE_LINE, call="one_line.function(x)"))
    yield Row("first call of a one-line function, new process", one, {}, "<= 60 ms", 0.06)
    warm = in_fresh_processes(FIRST_CALL.format(prepare=PREPARE_ONE_LINE + WARM, call="one_line.function(x)"))
    yield Row("the same after another compilation", warm, {}, "<= 60 ms", 0.06)
    try:
        call = "function(layers, images, labels)"
        network = in_fresh_processes(FIRST_CALL.format(prepare=PREPARE_DIGITS, call=call), rounds=3)
        yield Row("first call of the digits value_and_grad", network, {}, "<= 0.7 s", 0.7)
    except Exception as error:
        print(f"left out: the digits value_and_grad ({error})")
    yield Row("import beyond NumPy and SciPy", in_fresh_processes(IMPORT), {}, "<= 150 ms", 0.15)


PREPARE_GENERATED = f"""
sys.path.insert(0, {str(Path(__file__).parent)!r})
from generated import function_of
plain = function_of(LINES)
function = ag.jit(ag.value_and_grad(plain, argnums=(0, 1)))
x = np.linspace(0.0, 1.0, 20)
"""


def long_programs() -> Iterator[Row]:
    """How compile time grows with the program: value and gradient of generated functions, from text to first result."""
    for lines, limit in ((200, 2.5), (2000, 20.0)):
        prepare = PREPARE_GENERATED.replace("LINES", str(lines))
        call = "value, _ = function(x, 0.3, 3); assert np.isclose(value, plain(x, 0.3, 3))"
        seconds = in_fresh_processes(FIRST_CALL.format(prepare=prepare, call=call), rounds=3 if lines < 1000 else 1)
        yield Row(f"first call of value and gradient, {lines:,} lines", seconds, {}, f"< {limit} s", limit)


GROUPS: tuple[Callable[[], Iterator[Row]], ...] = (
    call_overhead, digits_step, large_arrays, scalar_loops, first_calls, long_programs,
)  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="measure only the groups whose name contains this word")
    parser.add_argument("--json", type=Path, default=Path("out/spine.json"), help="where to write the numbers")
    options = parser.parse_args()
    publish([row for group in GROUPS if options.only in group.__name__ for row in group()], options.json)


if __name__ == "__main__":
    main()
