"""Tail calls are loops: which functions become loops, what stays recursion, and that no stack is used."""

from __future__ import annotations

import time

import numpy as np
import pytest

import arignote as ag
from arignote.ir.graph import Apply, functions_below, nodes_of
from arignote.opt.program import components
from arignote.runtime.native import live_buffers
from tests.frontend.running import graph

MANY = 10_000_000


def total(acc, n):
    return acc if n == 0 else total(acc + 0.5, n - 1)


def is_even(n):
    return True if n == 0 else is_odd(n - 1)


def is_odd(n):
    return False if n == 0 else is_even(n - 1)


def scaled(v, x, n):
    return v if n == 0 else scaled(v * x, x, n - 1)


def factorial(n):
    return 1 if n == 0 else n * factorial(n - 1)


def swapped(a, b, n):
    """Not in tail position: what it returns is put in another order."""
    if n == 0:
        return a, b
    first, second = swapped(a, b + a, n - 1)
    return second, first


def in_a_loop(x, n):
    if n == 0:
        return x
    for _ in range(2):
        x = in_a_loop(x * 0.5, n - 1)
    return x


def endless(n):
    """Its result is never known, so that nothing is done after the call."""
    return 1 + endless(n + 1)


def ping(n):
    return pong(n + 1)


def pong(n):
    return ping(n - 1)


def operations(function, *arguments):
    main = graph(function, *arguments).main
    return [node.op.name for f in functions_below(main) for node in nodes_of(f) if isinstance(node, Apply)]


def is_recursive(function, *arguments):
    return any(recursive for _, recursive in components(graph(function, *arguments).main))


@pytest.mark.parametrize("function, arguments", [
    (lambda n: total(0.0, n), (3,)),
    (lambda n: is_even(n), (3,)),
    (lambda v, x, n: scaled(v, x, n), (np.ones(3), 2.0, 3)),
])  # fmt: skip
def test_becomes_a_loop(function, arguments):
    assert not is_recursive(function, *arguments)
    assert operations(function, *arguments).count("while_loop") == 1


@pytest.mark.parametrize("function, arguments", [
    (lambda n: factorial(n), (3,)),
    (lambda n: swapped(1.0, 2.0, n), (3,)),
    (lambda x, n: in_a_loop(x, n), (1.0, 3)),
])  # fmt: skip
def test_stays_recursion(function, arguments):
    assert is_recursive(function, *arguments)
    assert ag.jit(function)(*arguments) == function(*arguments)


@pytest.mark.parametrize("function", [lambda n: endless(n), lambda n: ping(n)])
def test_what_never_ends_stays_recursion(function):
    """As in Python it meets the limit of recursion; a loop would run for ever."""
    assert is_recursive(function, 1)
    with pytest.raises(RecursionError):
        ag.jit(function)(1)


def test_what_never_changes_is_not_carried():
    main = graph(lambda v, x, n: scaled(v, x, n), np.ones(3), 2.0, 3).main
    nodes = [node for function in functions_below(main) for node in nodes_of(function) if isinstance(node, Apply)]
    loop = next(node for node in nodes if node.op.name == "while_loop")
    assert len(loop.inputs) - 2 == 4  # whether it goes on, the token, the array, the count


def test_ten_million_calls():
    assert ag.jit(total)(0.0, MANY) == 0.5 * MANY
    assert ag.jit(is_even)(MANY) and not ag.jit(is_odd)(MANY)


def test_reverse_mode_through_many_calls():
    gradient = ag.grad(lambda x, n: total(x * x, n))
    before = live_buffers()
    assert gradient(3.0, 1_000_000) == 6.0
    assert live_buffers() == before


def test_many_branches_take_linear_time():
    def source(count):
        lines = ["def many(x, n):", "    if n < 0:", "        return x"]
        for i in range(count):
            lines += [f"    elif n == {i}:", f"        return many(x * {i}.5, n - 1)"]
        return "\n".join([*lines, "    return many(x, n - 1)"])

    import linecache

    times = []
    for count in (20, 200):
        name, space = f"<branches {count}>", {}
        text = source(count)
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        exec(compile(text, name, "exec"), space)
        started = time.perf_counter()
        assert not is_recursive(space["many"], 1.0, 3)
        times.append(time.perf_counter() - started)
    assert times[1] < 40 * times[0] + 0.5


def collatz(n):
    def steps(n, k):
        if n == 1:
            return k
        return steps(n // 2, k + 1) if n % 2 == 0 else steps(3 * n + 1, k + 1)

    return steps(n, 0)


def test_unrolled_recursion_with_two_calls_is_not_copied_again_and_again():
    """The count begins with a number known at compile time; each level calls the next one in two branches."""
    assert ag.jit(collatz)(27) == collatz(27) == 111
