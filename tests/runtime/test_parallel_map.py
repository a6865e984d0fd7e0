"""Loops over trees that several threads share: the same results and errors as in order, with any number of threads."""

from __future__ import annotations

import math
import signal
import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag
from arignote.opt.rewrite import switched_off, with_fuel
from arignote.opt.shared_out import NAME
from arignote.runtime import large_stack
from arignote.runtime.native import live_buffers


@dataclass
class Tree:
    x: np.ndarray
    left: Tree | None
    right: Tree | None


def encode(w, tree):
    if tree.left is None or tree.right is None:
        return np.tanh(w @ tree.x)
    return np.tanh(w @ (encode(w, tree.left) * encode(w, tree.right)) + tree.x)


def summed(w, trees):
    total = 0.0
    for tree in trees:
        total += np.sum(encode(w, tree))
    return total


def depth_first(w, tree, path):
    """A number for each node, which fails below some roots."""
    if tree is None:
        return 0.0
    if tree.x[0] > 100.0:
        raise ValueError("too large:", tree.x[0])
    return np.sum(w * tree.x) + depth_first(w, tree.left, path + 1) + depth_first(w, tree.right, path + 1)


def total_path(w, trees):
    total = 0.0
    for tree in trees:
        total += depth_first(w, tree, 0)
    return total


GENERATOR = np.random.default_rng(5)


def random_tree(depth, size=16):
    below = [random_tree(depth - 1, size) if depth and GENERATOR.random() < 0.8 else None for _ in range(2)]
    x = GENERATOR.normal(size=size)
    x[1] = abs(x[1]) % 1.0
    return Tree(x, *below)


W = GENERATOR.normal(size=(16, 16)) / 4.0
TREES = [random_tree(7) for _ in range(60)]


@pytest.fixture(params=[1, 2, 5], ids=lambda n: f"{n} threads")
def threads(request):
    before = ag.get_num_threads()
    ag.set_num_threads(request.param)
    yield request.param
    ag.set_num_threads(before)


def spent(function, *args):
    with with_fuel(None) as fuel:
        found = function(*args)
    return fuel.spent[NAME], found


def test_numbers_are_added_in_the_order_of_the_program(threads):
    before = live_buffers()
    count, found = spent(ag.jit(summed), W, TREES)
    assert count == 1
    with switched_off(NAME):
        none, in_order = spent(ag.jit(summed), W, TREES)
    assert none == 0 and found == in_order
    assert math.isclose(found, summed(W, TREES), rel_tol=1e-13)
    assert live_buffers() == before


@pytest.mark.parametrize("count", [0, 1, 3, 7, 8, 9, 26, 51, 52, 60])
def test_any_number_of_iterations(count):
    value, gradient = ag.value_and_grad(summed)(W, TREES[:count])
    assert math.isclose(value, summed(W, TREES[:count]), rel_tol=1e-13, abs_tol=1e-13)
    with switched_off(NAME):
        in_order = ag.grad(lambda w, trees: summed(w, trees))(W, TREES[:count])
    np.testing.assert_allclose(gradient, in_order, rtol=1e-11, atol=1e-12)


def test_gradients_do_not_depend_on_the_number_of_threads():
    gradient = ag.jit(ag.grad(summed))
    found = []
    before = ag.get_num_threads()
    for count in (1, 2, 3, 5):
        ag.set_num_threads(count)
        found += [gradient(W, TREES) for _ in range(5)]
    ag.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_second_derivatives_and_forward_mode():
    trees = TREES[:9]
    ag.check_grads(lambda w: summed(w, trees), (W,), order=1)
    direction = GENERATOR.normal(size=W.shape)
    forward = ag.jvp(lambda w: summed(w, trees), (W,), (direction,))[1]
    assert math.isclose(forward, np.sum(ag.grad(summed)(W, trees) * direction), rel_tol=1e-10)


@pytest.mark.parametrize("failing", [(0,), (59,), (3, 4), (58, 17, 40), (30, 31, 32, 33)])
def test_the_first_error_is_raised(threads, failing):
    trees = [random_tree(5) for _ in range(60)]
    for number in failing:
        trees[number].right = Tree(np.full(16, 1000.0 + number), None, None)
    program, before = ag.jit(total_path), live_buffers()
    for _ in range(20):
        with pytest.raises(ValueError) as caught:
            program(W[0], trees)
        assert caught.value.args == ("too large:", 1000.0 + min(failing))
        assert live_buffers() == before


def test_errors_before_and_after_keep_their_places(threads):
    def program(w, trees, limit):
        if limit == 1:
            raise KeyError("before")
        total = 0.0
        for i, tree in enumerate(trees):
            if i == limit:
                raise IndexError("inside", i)
            total += depth_first(w, tree, 0)
        if limit == 2:
            raise KeyError("after")
        return total

    trees = [random_tree(3) for _ in range(40)]
    compiled = ag.jit(program)
    for limit in (-1, 1, 2, 10, 39):
        try:
            wanted = program(W[0], trees, limit)
        except LookupError as error:
            with pytest.raises(type(error)) as caught:
                compiled(W[0], trees, limit)
            assert caught.value.args == error.args
        else:
            assert math.isclose(compiled(W[0], trees, limit), wanted, rel_tol=1e-13)


def test_prints_come_in_order(capsys):
    def shown(tree):
        if tree is None:
            return 0.0
        print(tree.x[0])
        return 1.0 + shown(tree.left) + shown(tree.right)

    def program(trees):
        total = 0.0
        for tree in trees:
            total += shown(tree)
        return total

    trees = [random_tree(3) for _ in range(40)]
    count, found = spent(ag.jit(program), trees)
    compiled = capsys.readouterr().out
    assert count == 0 and found == program(trees)
    assert compiled == capsys.readouterr().out


@pytest.mark.skipif(not large_stack.IS_SUPPORTED, reason="no large stacks on this machine")
def test_every_thread_has_room_for_deep_recursion(threads):
    def depth(n):
        return 0.0 if n == 0 else 1.0 + depth(n - 1)

    def program(numbers):
        total = 0.0
        for n in numbers:
            total += depth(n)
        return total

    compiled = ag.jit(program)
    assert compiled(np.full(40, 100_000)) == 4_000_000.0
    numbers = np.full(40, 1000)
    numbers[35] = 10**12
    with pytest.raises(RecursionError):
        compiled(numbers)
    assert compiled(np.full(40, 10_000)) == 400_000.0


def test_an_error_ends_later_iterations_that_would_never_end(threads):
    def rest(n):
        while n == 7:
            n = n * 1
        if n < 0:
            raise ValueError("negative", n)
        return 0.0 if n < 2 else 1.0 + rest(n - 2)

    def program(numbers):
        total = 0.0
        for n in numbers:
            total += rest(n)
        return total

    numbers = np.full(60, 20_000)
    numbers[0], numbers[30], numbers[50:] = 200_000, -5, 7
    with pytest.raises(ValueError, match="negative"):
        ag.jit(program)(numbers)


def test_ctrl_c_ends_all_threads(threads):
    def recursive(n):
        return n if n < 2.0 else recursive(n - 1.0) + recursive(n - 2.0)

    def program(numbers):
        total = 0.0
        for n in numbers:
            total += recursive(n)
        return total

    def interrupt(number, frame):
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    compiled, before = ag.jit(program), live_buffers()
    small, large = np.full(60, 20.0), np.full(60, 80.0)
    wanted, large[0] = compiled(small), 20.0
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    begin = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        compiled(large)
    signal.signal(signal.SIGALRM, handler)
    assert time.perf_counter() - begin < 1.1
    assert live_buffers() == before
    assert compiled(small) == wanted


def test_several_python_threads_at_once():
    gradient = ag.jit(ag.value_and_grad(summed))
    wanted = gradient(W, TREES)
    found: list[object] = []

    def run():
        found.extend(gradient(W, TREES) for _ in range(10))

    running = [threading.Thread(target=run) for _ in range(4)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(found) == 40
    for value, back in found:
        assert value == wanted[0]
        np.testing.assert_array_equal(back, wanted[1])


def test_steady_state_takes_no_memory_from_the_system(threads):
    from arignote.runtime import native

    gradient, asked = ag.jit(ag.grad(summed)), native.function("ag_system_blocks", native.ctypes.c_int64)
    for _ in range(30):
        gradient(W, TREES)
    before = asked()
    for _ in range(100):
        gradient(W, TREES)
    assert asked() - before <= 4 * threads  # which thread has how many of the trees at once may still change
