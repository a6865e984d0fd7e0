"""Outer products that a recursive function adds to a matrix are collected: the graph, values and derivatives."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag
from arignote.ir.check import check
from arignote.ir.evaluate import evaluate
from arignote.ir.text import show
from arignote.ir.text_read import read
from arignote.lower.lower import lower
from arignote.ops.table import OPERATIONS
from arignote.opt.delayed_updates import NAME, ROWS, delay_updates
from arignote.opt.rewrite import switched_off, with_fuel
from arignote.runtime.native import live_buffers
from tests.lower.harness import run

MAIN = """
@main(%n: i64, %w: f64[n,n], %u: f64[n], %v: f64[n]) -> f64[n,n]:
  %0 = closure {function=@walk} : fn @walk/0
  %1 = call %0, %n, %u, %v, %w : (f64[n,n], i64)
  %2 = item %1 {index=0} : f64[n,n]
  return %2
"""

LOOP = """
@main(%n: i64, %w: f64[n,n], %u: f64[n], %v: f64[n]) -> f64[n,n]:
  %0 = closure %n, %u, %v {function=@body} : fn @body/3
  %1 = for_loop 3:i64, %0, %w : (f64[n,n],)
  %2 = item %1 {index=0} : f64[n,n]
  return %2

@body(%n: i64, %u: f64[n], %v: f64[n], %i: i64, %total: f64[n,n]) -> (f64[n,n],):
  %0 = closure {function=@walk} : fn @walk/0
  %1 = call %0, %n, %u, %v, %total : (f64[n,n], i64)
  %2 = item %1 {index=0} : f64[n,n]
  %3 = tuple %2 : (f64[n,n],)
  return %3
"""

WALK = """
@walk(%k: i64, %u: f64[n], %v: f64[n], %total: f64[n,n]) -> (f64[n,n], i64):
  %0 = less %k, 1:i64 : bool
  %1 = closure %total {function=@stop} : fn @stop/1
  %2 = closure %k, %u, %v, %total {function=@step} : fn @step/4
  %3 = cond %0, %1, %2 : (f64[n,n], i64)
  return %3

@stop(%total: f64[n,n]) -> (f64[n,n], i64):
  %0 = size %total {axis=0} : i64
  %1 = tuple %total, %0 : (f64[n,n], i64)
  return %1

@step(%k: i64, %u: f64[n], %v: f64[n], %total: f64[n,n]) -> (f64[n,n], i64):
  %0 = closure {function=@walk} : fn @walk/0
  %1 = subtract %k, 1:i64 : i64
  %2 = expand_dims %u {axes=(1,)} : f64[n,1]
  %3 = expand_dims %v {axes=(0,)} : f64[1,n]
  %4 = multiply %2, %3 : f64[n,n]
  %5 = update_slice %total, %4 {accumulate=True, axes=()} : f64[n,n]
  %6 = multiply %u, 0.5:f64 : f64[n]
  %7 = call %0, %1, %6, %v, %5 : (f64[n,n], i64)
  return %7
"""

DELAYED = """@main(%n: i64, %w: f64[n,n], %u: f64[n], %v: f64[n]) -> f64[n,n]:
  %0 = closure {function=@settle_outer} : fn @settle_outer/0
  %1 = closure {function=@walk} : fn @walk/0
  %2 = size %w {axis=0} : i64
  %3 = size %w {axis=1} : i64
  %4 = multiply %2, %3 : i64
  %5 = less %4, 4096:i64 : bool
  %6 = select %5, 0:i64, 32:i64 : i64
  %7 = broadcast_to 0.0:f64, %6, %2 {dims=[n,n]} : f64[n,n]
  %8 = broadcast_to 0.0:f64, %6, %3 {dims=[n,n]} : f64[n,n]
  %9 = tuple %w, %7, %8, 0:i64 : (f64[n,n], f64[n,n], f64[n,n], i64)
  %10 = call %1, %n, %u, %v, %9 : ((f64[n,n], f64[n,n], f64[n,n], i64), i64)
  %11 = item %10 {index=0} : (f64[n,n], f64[n,n], f64[n,n], i64)
"""

STEP = """
@step(%k: i64, %u: f64[n], %v: f64[n], %total: (f64[n,n], f64[n,n], f64[n,n], i64)) -> ((f64[n,n], f64[n,n], f64[n,n], i64), i64):
  %0 = closure {function=@walk} : fn @walk/0
  %1 = subtract %k, 1:i64 : i64
  %2 = multiply %u, 0.5:f64 : f64[n]
  %3 = closure {function=@collect_outer} : fn @collect_outer/0
  %4 = item %total {index=0} : f64[n,n]
  %5 = item %total {index=1} : f64[n,n]
  %6 = item %total {index=2} : f64[n,n]
  %7 = item %total {index=3} : i64
  %8 = expand_dims %u {axes=(1,)} : f64[n,1]
  %9 = expand_dims %v {axes=(0,)} : f64[1,n]
  %10 = call %3, %4, %5, %6, %7, %8, %9 : (f64[n,n], f64[n,n], f64[n,n], i64)
  %11 = call %0, %1, %2, %v, %10 : ((f64[n,n], f64[n,n], f64[n,n], i64), i64)
  return %11
"""  # noqa: E501

COLLECT = """
@collect(%total: f64[n,n], %left: f64[n,n], %right: f64[n,n], %count: i64, %column: f64[n,1], %row: f64[1,n]) -> (f64[n,n], f64[n,n], f64[n,n], i64):
  %0 = add %count, 1:i64 : i64
  %1 = size %left {axis=0} : i64
  %2 = equal %0, %1 : bool
  %3 = transpose %column {permutation=(1, 0)} : f64[1,n]
  %4 = update_slice %left, %3, %count, 1:i64, 1:i64 {accumulate=False, axes=(0,)} : f64[n,n]
  %5 = update_slice %right, %row, %count, 1:i64, 1:i64 {accumulate=False, axes=(0,)} : f64[n,n]
  %6 = closure %total, %4, %5, %0 {function=@add_rows} : fn @add_rows/4
  %7 = closure %total, %4, %5, %0 {function=@keep_rows} : fn @keep_rows/4
  %8 = cond %2, %6, %7 : (f64[n,n], f64[n,n], f64[n,n], i64)
  return %8

"""  # noqa: E501


def program(text):
    return read(text, OPERATIONS)


def test_text():
    found = delay_updates(program(MAIN + WALK))
    check(found)
    text = show(found)
    assert text.startswith(DELAYED) and STEP in text + "\n" and COLLECT in text
    assert "update_slice %total, %4" not in text


def test_a_loop_hands_the_collection_on():
    """What is left is added after the loop, and not in each iteration."""
    found = delay_updates(program(LOOP + WALK))
    check(found)
    text = show(found)
    assert re.search(r"for_loop 3:i64, %\d+, %\d+ : \(\(f64\[n,n\], f64\[n,n\], f64\[n,n\], i64\),\)", text)
    body = text[text.index("@body(") : text.index("return", text.index("@body("))]
    assert "settle_outer" in text and "settle_outer" not in body


@pytest.mark.parametrize("text", [MAIN + WALK, LOOP + WALK], ids=["call", "loop"])
@pytest.mark.parametrize("shape", [(70, 60), (5, 3)])
@pytest.mark.parametrize("count", [0, 1, ROWS - 1, ROWS, 2 * ROWS + 1])
def test_values(text, shape, count):
    generator = np.random.default_rng(count)
    w, u, v = (generator.normal(size=size) for size in (shape, shape[:1], shape[1:]))
    before, after = program(text), delay_updates(program(text))
    given = (np.int64(count), w, u, v)
    wanted = evaluate(before, *given)
    np.testing.assert_allclose(evaluate(after, *given), wanted, rtol=1e-12, atol=1e-12)
    if shape == (5, 3) and count <= 2:
        np.testing.assert_allclose(run(lower(after), after, *given), wanted, rtol=1e-12, atol=1e-12)


USED = WALK.replace("%6 = multiply %u, 0.5:f64 : f64[n]", "%6 = sum %5 {axes=(1,)} : f64[n]")
OTHER = WALK.replace("%4 = multiply %2, %3 : f64[n,n]", "%4 = add %2, %3 : f64[n,n]")


@pytest.mark.parametrize("text", [MAIN + USED, MAIN + OTHER], ids=["read on the way", "no outer product"])
def test_others_stay(text):
    before = program(text)
    assert delay_updates(before) is before


def test_the_rule_can_be_switched_off():
    before = program(MAIN + WALK)
    with switched_off(NAME):
        assert delay_updates(before) is before
    with with_fuel(0):
        assert delay_updates(before) is before


# Whole programs ------------------------------------------------------------------------------------------------------


@dataclass
class Node:
    x: np.ndarray
    left: Node | None
    right: Node | None


def encode(p, tree):
    if tree is None:
        return np.zeros(p["w"].shape[0])
    children = encode(p, tree.left) * encode(p, tree.right)
    return np.tanh(p["w"] @ children + p["v"] @ tree.x)


def of_one(p, tree):
    return np.sum(encode(p, tree) ** 2)


def of_many(p, trees):
    total = 0.0
    for tree in trees:
        total += np.sum(encode(p, tree) * encode(p, tree))
    return total


def chain(w, x, n):
    if n == 0:
        return x
    return np.tanh(w @ chain(w, x, n - 1)) + chain_of_two(w, x, n - 1)


def chain_of_two(w, x, n):
    if n <= 1:
        return x
    return np.sin(w @ x) + chain(w, x, n - 2)


def random_tree(generator, nodes, width, dtype):
    if nodes == 0:
        return None
    left = int(generator.integers(0, nodes))
    x = generator.normal(size=width).astype(dtype)
    return Node(x, random_tree(generator, left, width, dtype), random_tree(generator, nodes - 1 - left, width, dtype))


def parameters(generator, hidden, width, dtype):
    return {"w": (generator.normal(size=(hidden, hidden)) / hidden**0.5).astype(dtype),
            "v": (generator.normal(size=(hidden, width)) / width**0.5).astype(dtype)}  # fmt: skip


@pytest.fixture(scope="module", params=["float64", "float32"])
def gradients(request):
    """The gradient of one tree with sums that are collected, and with sums that are not, and the dtype."""
    generator = np.random.default_rng(0)
    given = parameters(generator, 3, 2, request.param), random_tree(generator, 3, 2, request.param)
    collected, plain = ag.grad(of_one), ag.grad(of_one)
    collected(*given)
    assert "collect_outer" in ag.inspect(collected)(*given).loops
    with switched_off(NAME):
        plain(*given)
        assert "collect_outer" not in ag.inspect(plain)(*given).loops
    return collected, plain, request.param


@pytest.mark.parametrize("hidden, width", [(70, 65), (3, 5), (100, 2)])
@pytest.mark.parametrize("nodes", [1, 2, ROWS, 150])
def test_gradients(gradients, hidden, width, nodes):
    collected, plain, dtype = gradients
    generator = np.random.default_rng(nodes)
    p, tree = parameters(generator, hidden, width, dtype), random_tree(generator, nodes, width, dtype)
    before = live_buffers()
    found, wanted = collected(p, tree), plain(p, tree)
    tolerance = 1e-11 if dtype == "float64" else 2e-4
    for name in p:
        assert found[name].dtype == dtype
        np.testing.assert_allclose(found[name], wanted[name], rtol=tolerance, atol=tolerance)
    del found, wanted
    assert live_buffers() == before


def test_in_a_loop_that_threads_share():
    generator = np.random.default_rng(3)
    p = parameters(generator, 66, 64, "float64")
    trees = [random_tree(generator, int(generator.integers(0, 40)), 64, "float64") for _ in range(30)]
    with switched_off(NAME):
        wanted = ag.grad(of_many)(p, trees)
    gradient = ag.grad(of_many)
    before = ag.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 2):
            ag.set_num_threads(threads)
            found.append(gradient(p, trees))
    finally:
        ag.set_num_threads(before)
    for name in p:
        np.testing.assert_allclose(found[0][name], wanted[name], rtol=1e-10, atol=1e-10)
        for again in found[1:]:
            np.testing.assert_array_equal(again[name], found[0][name])


@dataclass
class Many:
    x: np.ndarray
    children: list[Many]


def of_children(w, tree):
    total = np.zeros(w.shape[0])
    for child in tree.children:
        total = total + np.tanh(w @ of_children(w, child))
    return np.tanh(total + tree.x)


def test_loops_within_recursion():
    generator = np.random.default_rng(6)
    leaves = [Many(generator.normal(size=70), []) for _ in range(50)]
    tree = Many(leaves[0].x, [Many(leaf.x, leaves[k : k + 3]) for k, leaf in enumerate(leaves[:40])])
    w = generator.normal(size=(70, 70)) / 8.0
    gradient = ag.grad(lambda w: np.sum(of_children(w, tree) ** 2))
    assert "collect_outer" in ag.inspect(gradient)(w).loops
    with switched_off(NAME):
        wanted = ag.grad(lambda w: np.sum(of_children(w, tree) ** 2))(w)
    np.testing.assert_allclose(gradient(w), wanted, rtol=1e-12, atol=1e-12)


def outer_products(w, tree, total):
    if tree is None:
        return total
    total = outer_products(w, tree.left, total + np.outer(w @ tree.x, tree.x))
    return outer_products(w, tree.right, total)


def test_the_order_of_a_programs_own_sums_stays():
    generator = np.random.default_rng(7)
    w, tree = generator.normal(size=(70, 70)), random_tree(generator, 40, 70, "float64")
    sums = ag.jit(lambda w, tree: outer_products(w, tree, np.zeros((70, 70))))
    assert "collect_outer" not in ag.inspect(sums)(w, tree).loops
    with switched_off(NAME):
        wanted = ag.jit(lambda w, tree: outer_products(w, tree, np.zeros((70, 70))))(w, tree)
    np.testing.assert_array_equal(sums(w, tree), wanted)


def test_functions_that_call_each_other_and_second_derivatives():
    generator = np.random.default_rng(8)
    w, x = generator.normal(size=(64, 64)) / 8.0, generator.normal(size=64)
    direction = generator.normal(size=(64, 64)) / 64.0

    def value(w):
        return np.sum(chain(w, x, 9))

    def slope(w):
        return np.sum(ag.grad(value)(w) * direction)

    step = 1e-5
    numeric = (slope(w + step * direction) - slope(w - step * direction)) / (2 * step)
    assert np.sum(ag.grad(slope)(w) * direction) == pytest.approx(numeric, rel=1e-6)
    numeric = (value(w + step * direction) - value(w - step * direction)) / (2 * step)
    assert slope(w) == pytest.approx(numeric, rel=1e-7)


def test_what_is_not_a_number_stays_in_its_row_and_column(gradients):
    collected, plain, dtype = gradients
    generator = np.random.default_rng(4)
    p, tree = parameters(generator, 64, 64, dtype), random_tree(generator, 5, 64, dtype)
    tree.x[3] = np.inf
    found, wanted = collected(p, tree), plain(p, tree)
    for name in p:
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(wanted[name]))
