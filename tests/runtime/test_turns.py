"""Calls that take turns on a thread: the same numbers, errors and memory as one after the other."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag
from arignote.runtime import large_stack
from arignote.runtime.imports import IS_LINUX, TABLE
from arignote.runtime.native import live_buffers

GENERATOR = np.random.default_rng(11)


@dataclass
class Tree:
    x: np.ndarray
    left: Tree | None
    right: Tree | None


def encode(p, tree):
    if tree.left is None or tree.right is None:
        return np.tanh(p["leaf"] @ tree.x)
    below = np.concatenate([encode(p, tree.left), encode(p, tree.right)])
    return np.tanh(p["gates"] @ below)


def score(p, tree):
    return np.sum(encode(p, tree) * p["out"])


def total(p, trees):
    result = 0.0
    for tree in trees:
        result += score(p, tree)
    return result


def random_tree(leaves, size, dtype=np.float64):
    if leaves == 1:
        return Tree(GENERATOR.normal(size=size).astype(dtype), None, None)
    left = int(GENERATOR.integers(1, leaves))
    x = np.zeros(1, dtype)
    return Tree(x, random_tree(left, size, dtype), random_tree(leaves - left, size, dtype))


def parameters(hidden, size, dtype=np.float64):
    shapes = {"leaf": (hidden, size), "gates": (hidden, 2 * hidden), "out": (hidden,)}
    return {name: (GENERATOR.normal(size=shape) / np.sqrt(shape[-1])).astype(dtype) for name, shape in shapes.items()}


def forest(count, size, dtype=np.float64):
    return [random_tree(int(GENERATOR.integers(1, 12)), size, dtype) for _ in range(count)]


@pytest.fixture(params=[1, 3], ids=lambda n: f"{n} threads")
def threads(request):
    before = ag.get_num_threads()
    ag.set_num_threads(request.param)
    yield request.param
    ag.set_num_threads(before)


@pytest.mark.parametrize(("hidden", "size", "dtype"), [
    (64, 64, np.float64), (67, 70, np.float64), (75, 61, np.float64), (97, 94, np.float32),
])  # fmt: skip
def test_numbers_are_those_of_each_call_alone(threads, hidden, size, dtype):
    p, trees, before = parameters(hidden, size, dtype), forest(40, size, dtype), live_buffers()
    alone, together = ag.jit(score), ag.jit(total)
    result = 0.0
    for tree in trees:
        result += alone(p, tree)
    assert together(p, trees) == result
    np.testing.assert_allclose(result, total(p, trees), rtol=1e-12 if dtype is np.float64 else 1e-4)
    assert live_buffers() == before


def test_gradients(threads):
    p, trees = parameters(70, 67), forest(16, 67)
    found, alone = ag.grad(total)(p, trees), ag.grad(score)
    each = [alone(p, tree) for tree in trees]
    for name in p:
        np.testing.assert_allclose(found[name], sum(one[name] for one in each), rtol=1e-9, atol=1e-11)


def test_what_is_no_number_stays_in_its_call(threads):
    p, trees = parameters(67, 70), forest(40, 70)

    def finite(p, trees):
        count = 0.0
        for tree in trees:
            count += 1.0 if np.isfinite(score(p, tree)) else 0.0
        return count

    trees[7] = Tree(np.full(70, np.nan), None, None)
    assert ag.jit(finite)(p, trees) == finite(p, trees) == 39.0


def deep(n, size):
    leaf = Tree(np.ones(size), None, None)
    tree = leaf
    for _ in range(n):
        tree = Tree(np.zeros(1), tree, leaf)
    return tree


def endless(n):
    return 1.0 + endless(n + 1)


def failing(p, trees):
    result = 0.0
    for tree in trees:
        if tree.x.shape[0] == 2:
            result += endless(0)
        result += np.sum(checked(p, tree))
    return result


def checked(p, tree):
    if tree.left is None or tree.right is None:
        if tree.x[0] > 100.0:
            raise ValueError("too large:", tree.x[0])
        while tree.x[0] < -100.0:
            pass
        return np.tanh(p["leaf"] @ tree.x)
    return np.tanh(p["square"] @ (checked(p, tree.left) + checked(p, tree.right)))


def test_errors_of_calls_that_wait(threads):
    p, trees, before = parameters(70, 70), forest(60, 70), live_buffers()
    p["square"] = p["gates"][:, :70].copy()
    compiled = ag.jit(failing)
    wanted = compiled(p, trees)
    for places in ((0,), (59,), (3, 4), (20, 40, 50), (30, 31, 32, 33)):
        bad = list(trees)
        for place in places:
            large = Tree(np.full(70, 1000.0 + place), None, None)
            bad[place] = Tree(np.zeros(1), trees[place], Tree(np.zeros(1), trees[place], large))
        for _ in range(5):
            with pytest.raises(ValueError) as caught:
                compiled(p, bad)
            assert caught.value.args == ("too large:", 1000.0 + min(places))
    assert compiled(p, trees) == wanted
    assert live_buffers() == before


def test_an_error_of_a_call_that_waits_ends_one_that_would_never_end(threads):
    p, trees, before = parameters(70, 70), forest(60, 70), live_buffers()
    p["square"] = p["gates"][:, :70].copy()
    compiled = ag.jit(failing)
    for place in (0, 3, 4, 22):
        bad = list(trees)
        large, never = (Tree(np.full(70, x), None, None) for x in (500.0, -500.0))
        bad[place] = Tree(np.zeros(1), deep(300, 70), large)
        bad[place + 1 :] = [never] * (59 - place)
        with pytest.raises(ValueError, match="too large"):
            compiled(p, bad)
    assert live_buffers() == before


@pytest.mark.skipif(not large_stack.IS_SUPPORTED, reason="no large stacks on this machine")
def test_deep_and_endless_recursion(threads):
    p, trees, before = parameters(70, 70), forest(30, 70), live_buffers()
    p["square"] = p["gates"][:, :70].copy()
    compiled = ag.jit(failing)
    compiled(p, [deep(5_000, 70), *trees, deep(5_000, 70), *trees])
    with pytest.raises(RecursionError):
        compiled(p, [*trees[:20], Tree(np.zeros(2), trees[0], trees[1]), *trees])
    compiled(p, trees)
    assert live_buffers() == before


def test_python_that_runs_meanwhile_may_call_the_same(threads):
    """A signal's handler runs between the turns, on the thread's own stack."""
    p, trees, calls = parameters(80, 80), forest(60, 80), []
    together, gradient = ag.jit(total), ag.jit(ag.grad(total))
    wanted, slopes = together(p, trees), gradient(p, trees)

    def handler(number, frame):
        calls.append(together(p, trees) == wanted)

    kept = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.03, 0.03)
    end = time.perf_counter() + 0.5
    while time.perf_counter() < end:
        assert together(p, trees * 20) == pytest.approx(20.0 * wanted)
        np.testing.assert_array_equal(gradient(p, trees)["gates"], slopes["gates"])
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, kept)
    assert calls and all(calls)


def test_ctrl_c_between_turns(threads):
    p, trees = parameters(80, 80), forest(60, 80)
    together, before = ag.jit(total), live_buffers()
    wanted = together(p, trees)
    many = trees * 400

    def interrupt(number, frame):
        raise KeyboardInterrupt

    kept = signal.signal(signal.SIGALRM, interrupt)
    for after in (0.03, 0.06):
        signal.setitimer(signal.ITIMER_REAL, after)
        with pytest.raises(KeyboardInterrupt):
            while True:
                together(p, many)
    signal.signal(signal.SIGALRM, kept)
    assert together(p, trees) == wanted
    assert live_buffers() == before


def in_threads(run, count=4):
    running = [threading.Thread(target=run) for _ in range(count)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def test_several_python_threads_at_once():
    p, trees, found = parameters(80, 80), forest(40, 80), []
    together = ag.jit(total)
    wanted = together(p, trees)
    in_threads(lambda: found.extend(together(p, trees) == wanted for _ in range(20)))
    assert len(found) == 80 and all(found)


@pytest.mark.skipif(not large_stack.IS_SUPPORTED or not IS_LINUX, reason="no large stacks, or no list of mappings")
def test_memory_for_further_stacks():
    """Without any, calls do not wait. All of them are as large as the thread's own: calls that never end go deep in
    turn, and would take several times the memory of one."""
    p, trees, threads, found = parameters(80, 80), forest(40, 80), ag.get_num_threads(), []
    together, reserved, small = ag.jit(total), large_stack.bytes_to_reserve(), 3 * large_stack.LEAST_BYTES
    wanted = together(p, trees)

    def run():
        before = address_space()
        found.append((together(p, trees) == wanted, address_space() - before))

    ag.set_num_threads(1)
    try:
        for size in (0, small):
            TABLE.set("large_stack_bytes", size)
            in_threads(run, 1)
    finally:
        TABLE.set("large_stack_bytes", reserved)
        ag.set_num_threads(threads)
    assert all(is_same for is_same, _ in found)
    assert found[0][1] < small < found[1][1] < 2.5 * small


def address_space():
    """Bytes of addresses of this process."""
    with open("/proc/self/statm") as status:
        return int(status.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def test_without_memory_for_more_stacks():
    p, trees, found = parameters(80, 80), forest(40, 80), []
    together, reserved = ag.jit(total), large_stack.bytes_to_reserve()
    wanted = together(p, trees)
    TABLE.set("large_stack_bytes", 0)
    try:
        in_threads(lambda: found.append(together(p, trees) == wanted))
    finally:
        TABLE.set("large_stack_bytes", reserved)
    assert found == [True] * 4
