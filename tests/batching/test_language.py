"""The language under vmap: lists, closures, random numbers, recursion, checks; and no memory is lost."""

import functools

import numpy as np
import pytest

import arignote as ag
from arignote.runtime import native
from tests.batching.subjects import plain_and_compiled
from tests.corpus.program import Call
from tests.properties.comparison import assert_no_differences, differences

random = np.random.default_rng(11)
X, FIRST = random.normal(size=(5, 4)), random.normal(size=5)
N = random.integers(0, 6, 5)
KEYS = ag.random.split(ag.random.key(0), 5)


def powers_in_a_list(x, n):
    found = []
    for i in range(n):
        found.append(x * i)
    total = 0.0
    for item in found:
        total += np.sum(item * item)
    return total + len(found)


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def tree_of_calls(x, depth):
    if depth <= 0:
        return np.sin(x)
    return tree_of_calls(x * 0.5, depth - 1) + tree_of_calls(x + 1.0, depth - 1) * 0.5


def optional(x):
    y = None if x[0] > 0 else x * 2
    return x.sum() if y is None else y.sum()


def applied_twice(x):
    def scale(y):
        return y * x

    return (lambda f: f(f(x)))(scale)


def chosen_function(x):
    f = np.sin if x[0] > 0 else np.cos
    return f(x)


def asserting(x):
    assert x > -10, "too small"
    return x * 2


def first_positive(x):
    for v in x:
        if v > 0:
            return v
    return -1.0


def filtered_sum(x):
    return np.sum(x[x > 0] ** 2) + np.nonzero(x > 0)[0].size


def windows(x, i):
    y = x.copy()
    y[i : i + 2] += x[:2]
    y[0] *= 2
    return y, x[i:].sum(), x[[i, 0]], np.roll(x, i)


def steps_of_descent(x):
    w = x * 0.0
    for _ in range(5):
        w = w - 0.1 * ag.grad(lambda w: np.sum((w - x) ** 2))(w)
    return np.sum(w)


def noisy(key, scale):
    a, b = ag.random.split(key)
    return ag.random.normal(a, (3,)) * scale + ag.random.uniform(b), ag.random.permutation(key, 4)


CASES = {
    "lists": (powers_in_a_list, (X, 5), (0, None)),
    "lists of lengths of their own": (powers_in_a_list, (X, N), 0),
    "gradient through lists": (ag.grad(powers_in_a_list), (X, 5), (0, None)),
    "gradient through lists of their own": (ag.grad(powers_in_a_list), (X, N), 0),
    "recursion": (fibonacci, (N,), 0),
    "recursion of one depth": (tree_of_calls, (X, 3), (0, None)),
    "recursion of many depths": (tree_of_calls, (X, N % 4), 0),
    "gradient of recursion": (ag.grad(lambda x, n: np.sum(tree_of_calls(x, n))), (X, N % 4), 0),
    "optional": (optional, (X,), 0),
    "closures": (applied_twice, (X,), 0),
    "a function chosen": (chosen_function, (X,), 0),
    "partial": (functools.partial(lambda a, x: a * x, 2.0), (X,), 0),
    "assert": (asserting, (FIRST,), 0),
    "return in a loop": (first_positive, (X,), 0),
    "shapes of their own inside": (filtered_sum, (X,), 0),
    "gradient of shapes of their own": (ag.grad(lambda x: np.sum(x[x > 0] ** 2)), (X,), 0),
    "places of their own": (windows, (X, N % 3), 0),
    "derivative inside": (steps_of_descent, (X,), 0),
    "gradient of a derivative inside": (ag.grad(steps_of_descent), (X,), 0),
    "random numbers": (noisy, (KEYS, 2.0), (0, None)),
    "random scale": (noisy, (KEYS[0], FIRST), (None, 0)),
    "gamma": (lambda k, a: ag.random.gamma(k, a), (KEYS, np.abs(FIRST) + 0.5), 0),
    "checkpoint": (ag.checkpoint(lambda x: np.sin(np.sin(x))), (X,), 0),
    "einsum": (lambda a: np.einsum("ij,j->i", np.outer(a, a), a), (X,), 0),
    "interpolation": (lambda x, q: np.interp(q, np.arange(4.0), x), (X, FIRST), 0),
    "strided": (lambda x: x * 2 + x[::-1], (X[:, ::2],), 0),
    "matrices": (lambda m, v: m.T @ m @ v, (random.normal(size=(5, 4, 3)), random.normal(size=(5, 3))), 0),
}


@pytest.mark.parametrize("name", CASES)
def test_is_the_loop(name):
    function, arguments, axes = CASES[name]
    plain, compiled, _, _ = plain_and_compiled(function, Call(arguments), axes)
    assert plain.error is None
    assert compiled.error is None, compiled.error
    assert_no_differences(differences(plain.value, compiled.value, 64))


@pytest.mark.parametrize("name", CASES)
def test_no_memory_is_lost(name):
    function, arguments, axes = CASES[name]
    mapped = ag.vmap(function, axes)
    mapped(*arguments)
    before = native.live_buffers()
    for _ in range(3):
        mapped(*arguments)
    assert native.live_buffers() == before


def test_a_function_that_certainly_raises():
    """It has no result whose batched form could be asked for."""

    def fails(x):
        raise ValueError(f"no value for {x}")

    with pytest.raises(ValueError, match="no value for 1"):
        ag.vmap(fails)(np.ones(3))


def test_what_writes_into_its_argument_is_refused_where_it_writes():
    def writes(x):
        x[0] = 0.0
        return x

    for mapped in (ag.vmap(writes), lambda x: ag.jvp(writes, (x,), (x,))):
        with pytest.raises(ag.CompileError, match="writes into its argument") as caught:
            mapped(np.ones((2, 3)))
        assert caught.value.span is not None and caught.value.span.function.endswith("writes")
