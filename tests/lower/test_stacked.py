"""Lists that a loop fills: in blocks where the sizes are known, as they were where not; the same values, no leaks."""

import numpy as np
import pytest

import arignote as ag


def outputs(w, n):
    """Elements of one size: a block."""
    h, found = np.zeros(w.shape[0]), []
    for i in range(n):
        h = np.tanh(w @ h + i)
        found.append(h)
    total = 0.0
    for i in range(n):
        total = total + np.sum(found[i] * found[n - 1 - i])
    return total


def growing(w, n):
    """Elements of different sizes: a list."""
    h, total = w[0], 0.0
    for i in range(n):
        h = np.concatenate((h, np.sin(w[i])))
        total = total + np.sum(h) * i
    return total


def returned(w, n):
    """A list that leaves the function."""
    found = []
    for i in range(n):
        found.append(w[i % w.shape[0]] * i)
    return found


def changed(w, n):
    """A list that is written into after the loop."""
    found = []
    for i in range(n):
        found.append(w[i % w.shape[0]] * i)
    if n > 1:
        found[1] = found[0] + 1.0
    return sum(np.sum(x * x) for x in found)


def in_place(w, n):
    """A view of a block is not written into."""
    found = []
    for i in range(n):
        found.append(w[i % w.shape[0]] * i)
    total = 0.0
    for i in range(n):
        part = found[i].copy()
        part[0] = 7.0
        total += np.sum(part) + found[i][0]
    return total


def numbers(w, n):
    """Numbers that go into a block, and then the list goes on to grow."""
    found = []
    for i in range(n):
        found.append(w[i % w.shape[0], 0] * i)
    found.append(w[1, 1])
    found[0] = found[0] * found[-1]
    found.append(w[2, 2])
    found.pop(0)
    return sum(x * (k + 1) for k, x in enumerate(found))


def lists_of_numbers(w, n):
    """A list of lists, whose numbers go into blocks."""
    found = []
    for i in range(n):
        row = []
        for j in range(i + 1):
            row.append(w[i % w.shape[0], j % w.shape[1]] * j)
        found.append(row)
    if n > 1:
        found[1][0] = found[0][0] + w[0, 0]
    total = 0.0
    for row in found:
        row.append(w[1, 1])
        for x in row:
            total += x * x
    return total


def narrow(x, t, n):
    """The carried array has the size that the first iteration checks."""
    for _ in range(n):
        s = x[:, np.newaxis] + t
        x = np.log(np.sum(np.exp(s), axis=0))
    return np.sum(x)


W = np.random.default_rng(0).normal(size=(4, 4))


@pytest.mark.parametrize("n", [0, 1, 2, 7])
@pytest.mark.parametrize("program", [outputs, growing, changed, in_place, numbers, lists_of_numbers],
                         ids=lambda f: f.__name__)
def test_values_and_gradients(program, n):
    if program is growing and n > 4:
        n = 4
    np.testing.assert_allclose(ag.jit(program)(W, n), program(W, n), rtol=1e-12)
    if n:
        ag.check_grads(lambda w: program(w, n), (W,))


def test_a_list_that_is_returned():
    for ours, expected in zip(ag.jit(returned)(W, 5), returned(W, 5), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_numbers_are_pushed_without_asking():
    """Within the loops nobody asks whether the list has room, or whose it is."""

    def program(w, n):
        found = []
        for i in range(n):
            found.append(w * i)
        return found

    loops = ag.inspect(program)(1.5, 7).loops
    assert "unique" not in loops and loops.count("alloc ") == 1
    assert ag.jit(program)(1.5, 7) == program(1.5, 7)
    assert ag.jit(program)(1.5, 0) == ag.jit(program)(1.5, -3) == []


def test_sizes_that_an_iteration_checks():
    compiled, gradient = ag.jit(narrow), ag.jit(ag.grad(narrow, (0, 1)))
    x, t = np.ones(3), np.random.default_rng(0).normal(size=(3, 3))
    for n in (0, 1, 6):
        np.testing.assert_allclose(compiled(x, t, n), narrow(x, t, n))
        assert [g.shape for g in gradient(x, t, n)] == [(3,), (3, 3)]
    ag.check_grads(lambda x, t: narrow(x, t, 3), (x, t))
    np.testing.assert_allclose(gradient(x, np.ones((3, 2)), 1)[1].shape, (3, 2))
    for wrong in (np.ones((3, 2)), np.ones((2, 3))):
        with pytest.raises(ValueError):
            gradient(x, wrong, 5)


def test_the_blocks_are_used():
    loops = ag.inspect(ag.grad(narrow, (0, 1)))(np.ones(4), W, 5).loops
    assert "ptr[buffer]" not in loops
