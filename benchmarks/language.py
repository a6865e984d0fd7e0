"""The numbers of the language: trees, item assignment, lists, long loops, recursion, vmap, random numbers.

    python -m benchmarks.language [--only WORD] [--json FILE]

Prints a Markdown table and writes it, and the same as JSON, to out/language.md and out/language.json. Peers that are
not installed are left out. First calls are seconds of processor time in new processes; --processor-time takes that of
all threads for the rest too, and the least of the rounds, for a machine on which other programs run.
"""

import argparse
import functools
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import arignote as ag
from benchmarks import language_programs as programs
from benchmarks import mapped
from benchmarks.measure import Row, in_fresh_processes
from benchmarks.measure import take_turns as wall_turns
from benchmarks.peers import MODULES
from benchmarks.report import publish

ROOT = str(Path(__file__).parent.parent)
MILLION = 1_000_000
take_turns = wall_turns
if "--processor-time" in sys.argv:
    take_turns = functools.partial(wall_turns, clock=time.process_time, summary=min)

FIRST_CALL = f"""
import sys, time
sys.path.insert(0, {ROOT!r})
import numpy as np
import arignote as ag
{{prepare}}
start = time.process_time()
{{call}}
print(time.process_time() - start)
"""
PREPARE_TREE = """
from benchmarks.language_programs import *
random = np.random.default_rng(0)
arguments = parameters(random), sentence(random, 5)
function = ag.jit(ag.value_and_grad(tree_lstm, argnums=(0, 1)))
"""
PREPARE_GENERATED = """
from benchmarks.generated import function_of
function = ag.jit(ag.value_and_grad(function_of({lines}), argnums=(0, 1)))
arguments = np.linspace(0.0, 1.0, 20), 0.3, 3
"""


def first_calls() -> Iterator[Row]:
    """From the text of a function to its first value and gradient."""
    call = "function(*arguments)"
    seconds = in_fresh_processes(FIRST_CALL.format(prepare=PREPARE_TREE, call=call), rounds=3)
    yield Row("TreeLSTM: first call of value and gradient", seconds, {}, "< 2 s", 2.0)
    for lines, limit in ((200, 2.5), (2000, 20.0)):
        prepare = PREPARE_GENERATED.format(lines=lines)
        seconds = in_fresh_processes(FIRST_CALL.format(prepare=prepare, call=call), rounds=3 if lines < 1000 else 1)
        yield Row(f"{lines:,} lines: first call of value and gradient", seconds, {}, f"< {limit} s", limit)


def trees() -> Iterator[Row]:
    """A TreeLSTM over 63 nodes, and an interpreter of expression trees."""
    random = np.random.default_rng(0)
    given = programs.parameters(random), programs.sentence(random, 5)
    value, both = ag.jit(programs.tree_lstm), ag.jit(ag.value_and_grad(programs.tree_lstm, argnums=(0, 1)))
    assert np.isclose(value(*given), programs.tree_lstm(*given))
    turns: dict[str, Callable[[], object]] = {
        "value": lambda: value(*given),
        "both": lambda: both(*given),
        "NumPy": lambda: programs.tree_lstm(*given),
    }
    if jax := MODULES.get("jax"):
        turns["JAX, traced for each tree"] = jax_tree_lstm(jax, *given)
    times = take_turns(turns, rounds=11)
    numpy = times.pop("NumPy")
    yield Row("TreeLSTM, 63 nodes: value", times.pop("value"), {"NumPy": numpy}, "< NumPy", numpy)
    yield Row("TreeLSTM, 63 nodes: value and gradient", times.pop("both"), {"NumPy, value": numpy} | times,
              "< NumPy's value", numpy)  # fmt: skip

    x, tree = random.normal(size=3), programs.expression(random, 13)
    count = programs.nodes(tree)
    compiled, gradient = ag.jit(programs.interpret), ag.jit(ag.grad(programs.interpret, argnums=1))
    assert np.isclose(compiled(tree, x), programs.interpret(tree, x))
    times = take_turns({
        "value": lambda: compiled(tree, x),
        "gradient": lambda: gradient(tree, x),
        "Python": lambda: programs.interpret(tree, x),
    }, rounds=11)  # fmt: skip
    python = times["Python"] / count
    name = "interpreter of expressions, for each node"
    yield Row(name, times["value"] / count, {"Python": python}, "< Python", python)
    yield Row(f"{name}: gradient", times["gradient"] / count, {"Python, value": python}, "<= 3 x Python's value",
              3 * python)  # fmt: skip


def jax_tree_lstm(jax: Any, weights: Any, tree: Any) -> Callable[[], object]:
    """Value and gradient in JAX, which cannot compile recursion over data: the tree is a constant of the program."""
    jnp = jax.numpy

    def encode(p: Any, node: Any) -> Any:
        if node.left is None:
            return jnp.split(jnp.tanh(p["leaf"] @ node.vector), 2)
        (hl, cl), (hr, cr) = encode(p, node.left), encode(p, node.right)
        i, fl, fr, o, u = jnp.split(p["gates"] @ jnp.concatenate([hl, hr]) + p["bias"], 5)
        sigmoid = jax.nn.sigmoid
        c = sigmoid(i) * jnp.tanh(u) + sigmoid(fl) * cl + sigmoid(fr) * cr
        return sigmoid(o) * jnp.tanh(c), c

    def loss(p: Any) -> Any:
        return jnp.log1p(jnp.exp(-jnp.dot(p["out"], encode(p, tree)[0])))

    function = jax.value_and_grad(loss)
    return lambda: jax.block_until_ready(function(weights))


def writes() -> Iterator[Row]:
    """An array written item by item, and a list that grows: the time of one write must not depend on the length."""
    short, long = 10_000, 1_000_000
    for name, function in (("writing out[i]", programs.filled_sum), ("list.append", programs.append)):
        forms = {"": ag.jit(function), ": gradient": ag.jit(ag.grad(function))}
        assert np.isclose(forms[""](0.5, 100), function(0.5, 100))
        turns = {
            f"{form} {n}": lambda f=compiled, n=n: f(0.5, n)  # type: ignore[misc]
            for form, compiled in forms.items()
            for n in (short, long)
        }
        turns |= {"Python": lambda f=function: f(0.5, short)}
        if "numba" in MODULES and function is programs.filled_sum:
            njit = MODULES["numba"].njit
            filled = njit(programs.fill)
            turns["Numba"] = lambda f=filled: np.sum(f(0.5, long) ** 2)  # type: ignore[misc]
        times = take_turns(turns, rounds=11)
        for form in forms:
            each = times[f"{form} {short}"] / short
            others = {"Python": times["Python"] / short, f"of {short:,} items": each}
            if "Numba" in times and not form:
                others["Numba"] = times["Numba"] / long
            # Long ones leave the caches, where each item moves through memory a few times.
            yield Row(f"{name}, each of {long:,}{form}", times[f"{form} {long}"] / long, others,
                      "<= 2 x that of a short one, or 10 ns", max(2 * each, 1e-8))  # fmt: skip


def long_loops() -> Iterator[Row]:
    """A million iterations: value, gradient, second derivative."""
    function = programs.smooth_loop
    value, first = ag.jit(function), ag.jit(ag.grad(function))
    second = ag.jit(ag.grad(ag.grad(function)))
    linear = ag.jit(ag.grad(programs.linear_loop))
    saving = ag.jit(ag.grad(programs.checkpointed_loop))
    turns: dict[str, Callable[[], object]] = {
        "value": lambda: value(0.3, MILLION),
        "gradient": lambda: first(0.3, MILLION),
        "second": lambda: second(0.3, MILLION),
        "linear": lambda: linear(0.3, 0.999, MILLION),
        "checkpointed": lambda: saving(0.3, MILLION),
    }
    if numba := MODULES.get("numba"):
        compiled = numba.njit(function)
        turns["Numba"] = lambda: compiled(0.3, MILLION)
    times = take_turns(turns, rounds=7, batch_seconds=0.0)
    numba_time = {"Numba": times["Numba"]} if "Numba" in times else {}
    yield Row("x = sin(x) + 0.5, a million times", times["value"], numba_time, "<= 1.2 x Numba",
              1.2 * times["Numba"] if numba_time else None)  # fmt: skip
    value_time = {"value": times["value"]}
    yield Row("its gradient", times["gradient"], value_time, "<= 4 x value", 4 * times["value"])
    yield Row("its gradient, checkpointed", times["checkpointed"], value_time, "<= 5 x value", 5 * times["value"])
    yield Row("its second derivative", times["second"], value_time, "<= 12 x value", 12 * times["value"])
    yield Row("gradient of y = a * y + x by x, a million times", times["linear"])


PEAK = f"""
import sys
from pathlib import Path
sys.path.insert(0, {ROOT!r})
import arignote as ag
from benchmarks.language_programs import *

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

function = ag.jit({{function}})
function({{short}})
before = peak()
function({{long}})
print(peak() - before)
"""


def memory() -> Iterator[Row]:
    """What a process's memory grows by in a derivative of a million iterations."""
    cases = (
        ("gradient of x = sin(x) + 0.5", "ag.grad(smooth_loop)", "0.3", 20e6),
        ("the same, checkpointed", "ag.grad(checkpointed_loop)", "0.3", 1e6),
        ("gradient of y = a * y + x by x", "ag.grad(linear_loop)", "0.3, 0.999", 1e6),
    )
    for name, function, numbers, limit in cases:
        program = PEAK.format(function=function, short=f"{numbers}, 1000", long=f"{numbers}, {MILLION}")
        peak = max(in_fresh_processes(program, rounds=3), 0.0)
        yield Row(f"memory, a million iterations: {name}", peak, {}, f"<= {limit / 1e6:.0f} MB", limit, "B")


def recursion() -> Iterator[Row]:
    """Recursion to a depth of 100,000, and ten million tail calls."""
    depth, calls = 100_000, 10_000_000
    value, gradient = ag.jit(programs.deep), ag.jit(ag.grad(programs.deep))
    tail = ag.jit(programs.tail)
    assert np.isclose(value(0.5, 100), programs.deep(0.5, 100))
    times = take_turns({
        "value": lambda: value(0.5, depth),
        "gradient": lambda: gradient(0.5, depth),
        "tail": lambda: tail(0.5, calls),
        "Python": lambda: programs.deep(0.5, 800),
    }, rounds=7, batch_seconds=0.0)  # fmt: skip
    python = {"Python": times["Python"] / 800}
    yield Row("recursion, each of 100,000 levels", times["value"] / depth, python, "< Python", python["Python"])
    yield Row("its gradient, each level", times["gradient"] / depth, {"value": times["value"] / depth})
    yield Row("tail calls, each of 10,000,000", times["tail"] / calls, {})


def many() -> Iterator[Row]:
    """`vmap` against a Python loop over the compiled function."""
    peers = mapped.in_jax() if "jax" in MODULES else {}
    for name, (function, arguments, axes) in mapped.CASES.items():
        over = ag.vmap(function, axes)
        turns: dict[str, Callable[[], object]] = {"vmap": lambda f=over, a=arguments: f(*a)}  # type: ignore[misc]
        if name in peers:
            jax = MODULES["jax"]
            compiled, given = jax.jit(jax.vmap(peers[name], axes)), [jax.numpy.asarray(x) for x in arguments]
            turns["JAX"] = lambda f=compiled, a=given, wait=jax.block_until_ready: wait(f(*a))  # type: ignore[misc]
        times = take_turns(turns, rounds=11)
        seconds = times.pop("vmap")
        times["loop over compiled"] = mapped.python_loop(function, arguments, axes)
        yield Row(f"vmap: {name}", seconds, times, "<= JAX", times.get("JAX"))


def random_numbers() -> Iterator[Row]:
    """A million numbers of each kind."""
    generator = np.random.Generator(np.random.Philox(1))
    plain = {"uniform": generator.random, "normal": generator.standard_normal, "gamma": generator.standard_gamma}
    key = ag.random.key(1)
    for name, draw in plain.items():
        more = (2.5,) if name == "gamma" else ()
        made = getattr(ag.random, name)
        compiled = ag.jit(lambda key, n, *more, made=made: made(key, *more, n))
        turns: dict[str, Callable[[], object]] = {
            "Arignote": lambda f=compiled, m=more: f(key, MILLION, *m),  # type: ignore[misc]
            "NumPy": lambda f=draw, m=more: f(*m, MILLION),  # type: ignore[misc]
        }
        if jax := MODULES.get("jax"):
            given = jax.random.key(1)
            draw_in_jax = getattr(jax.random, name)
            peer = jax.jit(lambda k, f=draw_in_jax, m=more: f(k, *m, (MILLION,)))  # type: ignore[misc]
            turns["JAX"] = lambda f=peer, k=given, wait=jax.block_until_ready: wait(f(k))  # type: ignore[misc]
        times = take_turns(turns, rounds=7, batch_seconds=0.0)
        yield Row(f"a million numbers: {name}", times.pop("Arignote"), times, "< NumPy", times["NumPy"])


GROUPS: tuple[Callable[[], Iterator[Row]], ...] = (
    first_calls, trees, writes, long_loops, memory, recursion, many, random_numbers,
)  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    sys.setrecursionlimit(10_000)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="measure only the groups whose name contains this word")
    parser.add_argument("--json", type=Path, default=Path("out/language.json"), help="where to write the numbers")
    parser.add_argument("--processor-time", action="store_true", help="not the clock on the wall")
    options = parser.parse_args()
    publish([row for group in GROUPS if options.only in group.__name__ for row in group()], options.json)


if __name__ == "__main__":
    main()
