"""What is assumed of the sizes of slices: a wrong assumption is seen by nobody, but by a second compilation."""

import numpy as np
import pytest

import arignote as ag


def halves(x, w):
    n = w.shape[0]
    return x[:, :n] * w + x[:, n:]


def test_a_slice_of_one_entry_compiles_again():
    compiled = ag.jit(halves)
    for columns, n, misses in ((8, 4, 1), (10, 5, 1), (5, 4, 2), (8, 4, 2), (5, 4, 2)):
        x, w = np.random.default_rng(columns).normal(size=(3, columns)), np.arange(float(n))
        np.testing.assert_array_equal(compiled(x, w), halves(x, w))
        assert compiled.dispatcher.cache_info().misses == misses
    assert compiled.dispatcher.cache_info().currsize == 1


def test_gradient():
    def loss(x, w):
        return np.sum(halves(x, w) ** 2)

    gradient = ag.jit(ag.grad(loss, (0, 1)))
    for columns in (8, 5):
        x, w = np.ones((3, columns)), np.arange(4.0) + 1
        a = np.sum(halves(x, w), axis=0) if columns == 5 else None
        of_x, of_w = gradient(x, w)
        np.testing.assert_allclose(of_w, 2 * np.sum(halves(x, w), axis=0))
        assert of_x.shape == x.shape
        if a is not None:
            np.testing.assert_allclose(of_x[:, 4], 2 * np.sum(halves(x, w), axis=1))


def test_it_is_native_after_the_first_failure():
    compiled = ag.jit(lambda x: np.sum(x[1:]))
    for _ in range(3):
        assert compiled(np.arange(2.0)) == 1.0
    assert compiled.dispatcher.cache_info().hits == 2


def test_what_prints_runs_once(capfd):
    @ag.jit
    def shown(x):
        rest = x[1:]
        print("size", rest.shape[0])
        return rest * 2

    assert shown(np.arange(2.0)).tolist() == [2.0]
    assert capfd.readouterr().out == "size 1\n"


def test_what_would_be_refused_is_compiled_without_assumptions():
    @ag.jit
    def squeezed(x):
        return np.squeeze(x[:, : x.shape[0] - 2], 1)

    assert squeezed(np.ones((3, 4))).shape == (3,)


def test_errors_of_the_program_come_first_or_after():
    @ag.jit
    def failing(x, w):
        if x[0] > 0.0:
            raise KeyError("first")
        return x[1:] + w

    with pytest.raises(KeyError):
        failing(np.array([1.0, 2.0]), np.ones(3))
    assert failing(np.array([0.0, 2.0]), np.ones(3)).shape == (3,)
    with pytest.raises(ValueError):
        failing(np.zeros(5), np.ones(3))


def test_recursion_down_to_one_entry_compiles_once():
    def total(x):
        n = x.shape[0]
        return x[0] if n < 2 else total(x[: n // 2]) + total(x[n // 2 :])

    compiled = ag.jit(total)
    assert compiled(np.arange(9.0)) == 36.0
    assert compiled.dispatcher.cache_info().misses == 1


def test_recursion_that_hands_on_what_sizes_follow_from_assumes_them():
    def total(w, x, depth):
        n = w.shape[0]
        if depth == 0:
            return x[:n] * w
        return total(w, x, depth - 1) + x[n:] * total(w, x, depth - 1)

    compiled = ag.jit(total)
    for columns, n, misses in ((8, 4, 1), (6, 3, 1), (5, 4, 2), (8, 4, 2)):
        w, x = np.arange(n) + 1.0, np.random.default_rng(columns).normal(size=columns)
        np.testing.assert_array_equal(compiled(w, x, 3), total(w, x, 3))
        assert compiled.dispatcher.cache_info().misses == misses


def test_recursion_hands_on_through_others():
    def half(x, n):
        return x[: n // 2]

    def one(w, x, depth):
        return np.sum(half(w, w.shape[0])) if depth == 0 else other(w, x[1:], depth)

    def other(w, x, depth):
        return np.sum(w[1:]) + one(w, x, depth - 1) * np.sum(x)

    compiled = ag.jit(one)
    w, x = np.arange(6.0), np.arange(8.0)
    assert compiled(w, x, 3) == one(w, x, 3)
    assert compiled.dispatcher.cache_info().misses == 1
    assert compiled(w, x, 7) == one(w, x, 7)  # slices down to one entry
    assert compiled.dispatcher.cache_info().misses == 1
