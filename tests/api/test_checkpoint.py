"""`checkpoint` changes what is saved, and nothing else."""

import numpy as np

import arignote as ag

X, W = np.array([0.3, 0.5]), np.array([1.1, 0.9])


def block(x, w):
    for _ in range(20):
        x = np.tanh(x * w) + 0.1 * x
    return x


def loss(step):
    return lambda x, w: np.sum(step(step(x, w), w=w) ** 2)


def test_values_and_derivatives_are_those_of_the_function():
    kept, again = loss(block), loss(ag.checkpoint(block))
    assert ag.jit(again)(X, W) == ag.jit(kept)(X, W) == again(X, W)
    for mine, wanted in zip(ag.grad(again, (0, 1))(X, W), ag.grad(kept, (0, 1))(X, W), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-12, atol=1e-18)
    assert ag.jvp(again, (X, W), (X, W))[1] == ag.jvp(kept, (X, W), (X, W))[1]
    np.testing.assert_allclose(ag.hvp(again, (X, W), (X, W))[1], ag.hvp(kept, (X, W), (X, W))[1], rtol=1e-10)


def test_inside_compiled_code():
    @ag.jit
    def program(x):
        factor = x[0] * 2.0
        return np.sum(ag.checkpoint(lambda y: np.sin(y) * factor)(x))

    def plain(x):
        return np.sum(np.sin(x) * (x[0] * 2.0))

    np.testing.assert_allclose(ag.grad(program)(X), ag.grad(plain)(X), rtol=1e-14)


def test_prints_happen_once(capfd):
    @ag.checkpoint
    def noisy(x):
        print("once")
        return np.sin(x)

    ag.grad(lambda x: np.sum(noisy(x)))(X)
    assert capfd.readouterr().out == "once\n"


def test_prints_of_loops_and_recursion_happen_once(capfd):
    def recursive(x, n):
        print("rec", n)
        return x if n == 0 else recursive(x * 1.5, n - 1) + x

    @ag.checkpoint
    def noisy(x):
        for i in range(3):
            print("loop", i)
            x = np.sin(x) * x
        return recursive(x, 2)

    wanted = ["loop 0", "loop 1", "loop 2", "rec 2", "rec 1", "rec 0"]
    ag.grad(noisy)(0.7)
    assert capfd.readouterr().out.splitlines() == wanted
    ag.grad(ag.grad(noisy))(0.7)
    assert capfd.readouterr().out.splitlines() == wanted


def test_under_vmap():
    """What runs it again stays a function of its own, with effects of its own: a loop over a batch may fail in it."""

    def path(x, steps):
        for n in range(3):
            assert steps[n] > 0
            x = np.sin(x) * steps[n]
        return x

    xs, steps = np.array([0.3, 0.4]), np.array([[1, 2, 3], [2, 1, 2]])
    mapped = ag.vmap(ag.value_and_grad(ag.checkpoint(path)))
    for mine, wanted in zip(mapped(xs, steps), ag.vmap(ag.value_and_grad(path))(xs, steps), strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-13)
    text = ag.inspect(mapped)(xs, steps).ir["prune again"]
    assert "_again_batch(" in text or "_again_each(" in text
