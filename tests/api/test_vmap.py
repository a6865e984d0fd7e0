"""vmap: what may be mapped, along which axes, and what comes out."""

from collections import namedtuple
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest

import arignote as ag

random = np.random.default_rng(5)
X, Y = random.normal(size=(5, 4)), random.normal(size=(5, 4))
M, V = random.normal(size=(5, 4, 3)), random.normal(size=4)


@dataclass
class Layer:
    weights: np.ndarray
    bias: np.ndarray


Point = namedtuple("Point", "x y")


def rows(function, *arguments):
    return np.stack([function(*row) for row in zip(*arguments)])


def affine(layer, x):
    return np.tanh(layer.weights * x + layer.bias)


def pair(x):
    return {"twice": x * 2, "rest": (x.sum(), [x[0], 7])}


@pytest.fixture(params=["compiled", "plain"], autouse=True)
def mode(request):
    """Everything holds for the loop that defines it, too."""
    with ag.disable_jit() if request.param == "plain" else nullcontext():
        yield request.param


def test_axes_of_arguments():
    np.testing.assert_allclose(ag.vmap(np.sum)(X), X.sum(1))
    np.testing.assert_array_equal(ag.vmap(lambda x: x * 2, in_axes=1)(X), X.T * 2)
    np.testing.assert_array_equal(ag.vmap(lambda m: m[0], in_axes=-1)(M), np.moveaxis(M, -1, 0)[:, 0])
    np.testing.assert_array_equal(ag.vmap(lambda x, y: x * y, in_axes=(0, None))(X, V), X * V)
    np.testing.assert_array_equal(ag.vmap(lambda x, y: x * y, in_axes=[None, 0])(V, X), X * V)
    np.testing.assert_array_equal(ag.vmap(lambda x, y: x + y, in_axes=(0, 1))(X, Y.T), X + Y)


def test_axes_of_results():
    np.testing.assert_array_equal(ag.vmap(lambda m: m * 2, out_axes=-1)(M), np.moveaxis(M, 0, -1) * 2)
    np.testing.assert_array_equal(ag.vmap(lambda m: m * 2, out_axes=1)(M), np.moveaxis(M, 0, 1) * 2)
    one, two = ag.vmap(lambda x, y: (x, y * 2), in_axes=(0, None), out_axes=(1, None))(X, V)
    np.testing.assert_array_equal(one, X.T)
    np.testing.assert_array_equal(two, V * 2)


def test_trees():
    layers = Layer(random.normal(size=(5, 4)), V)
    result = ag.vmap(affine, in_axes=(Layer(0, None), 0))(layers, X)
    np.testing.assert_allclose(result, [np.tanh(w * x + V) for w, x in zip(layers.weights, X)])
    stacked = ag.vmap(lambda a, x: Layer(a.weights * x, a.bias), in_axes=(Layer(0, None), 0))(layers, X)
    assert type(stacked) is Layer
    np.testing.assert_array_equal(stacked.bias, np.stack([V] * 5))
    found = ag.vmap(lambda d: d["a"] * d["b"][0] + d["b"][1], in_axes=({"a": 0, "b": (None, 1)},))(
        {"a": X, "b": (V, Y.T)})  # fmt: skip
    np.testing.assert_array_equal(found, X * V + Y)
    points = ag.vmap(lambda p: Point(p.y, p.x))(Point(X, Y[:, 0].copy()))
    assert type(points) is Point
    np.testing.assert_array_equal(points.y, X)
    result = ag.vmap(pair, out_axes={"twice": 1, "rest": 0})(X)
    np.testing.assert_array_equal(result["twice"], X.T * 2)
    np.testing.assert_array_equal(result["rest"][1][1], np.full(5, 7))
    assert ag.vmap(lambda x: (x, None))(X)[1] is None


def test_keywords_and_defaults():
    np.testing.assert_array_equal(ag.vmap(lambda x, *, y: x * y)(X, y=np.arange(5.0)), X * np.arange(5.0)[:, None])
    np.testing.assert_array_equal(ag.vmap(lambda x, y=3.0: x * y)(X), X * 3)
    np.testing.assert_array_equal(ag.vmap(lambda *xs: xs[0] + xs[1])(X, Y), X + Y)


def test_dtypes_of_results():
    numbers = np.arange(3)
    assert ag.vmap(lambda n: n * 2)(numbers).dtype == np.int64
    assert ag.vmap(lambda n: n > 1)(numbers).dtype == np.bool_
    assert ag.vmap(lambda n: 1.5)(numbers).dtype == np.float64
    assert ag.vmap(lambda x: x * 2)(np.ones(3, np.float32)).dtype == np.float32
    assert ag.vmap(lambda x, y: x * y)(np.ones(3, np.float32), np.ones(3)).dtype == np.float64
    np.testing.assert_array_equal(ag.vmap(lambda n: n * 2**61)(numbers), np.array([0, 2**61, 2**62]))


def test_sizes_that_disagree(mode):
    with pytest.raises(ValueError, match=r"argument 0 \(axis 0\) has 5, but argument 1 \(axis 1\) has 4"):
        ag.vmap(lambda x, y: x * y[0], in_axes=(0, 1))(X, X)
    with pytest.raises(ValueError, match="argument 0 .* has 5, but argument 'y' .* has 3"):
        ag.vmap(lambda x, y: x)(X, y=np.ones(3))


def test_what_cannot_be_mapped(mode):
    error = ValueError if mode == "plain" else ag.CompileError
    for axes, arguments, message in [
        (0, (X, 1.0), "argument 1 is a number"), (2, (X,), "has 2 dimensions, so no axis 2"),
        ((0,), (X, X), "in_axes has 1 entries, but 2 arguments"), (None, (X,), "at least one array"),
        (({"a": 0},), ({"b": X},), "argument 0 has the items 'b' of a dict"),
        ((Layer(0, 0),), (X,), "argument 0"),
    ]:  # fmt: skip
        with pytest.raises(error, match=message):
            ag.vmap(lambda *xs: xs[0], axes)(*arguments)
    with pytest.raises(TypeError, match="in_axes must be an integer"):
        ag.vmap(np.sum, "rows")
    with pytest.raises(TypeError, match="expects a function"):
        ag.vmap(X)


def test_results_must_have_one_shape():
    with pytest.raises(ValueError, match="same shape"):
        ag.vmap(lambda x: x[x > 0])(X)
    np.testing.assert_array_equal(ag.vmap(lambda x: x[x > 1])(np.array([[1.0, 2, 3], [3, 2, 1]])), [[2, 3], [3, 2]])
    np.testing.assert_array_equal(ag.vmap(lambda n: np.arange(n))(np.array([2, 2])), [[0, 1], [0, 1]])
    with pytest.raises(ValueError, match="same shape"):
        ag.vmap(lambda n: np.zeros((2, n)))(np.array([2, 1]))


def test_no_elements():
    none = np.zeros((0, 4))
    assert ag.vmap(np.sum)(none).shape == (0,)
    assert ag.vmap(lambda x: x * 2)(none).shape == (0, 4)
    assert ag.vmap(lambda x: np.outer(x, x), out_axes=1)(none).shape == (4, 0, 4)
    assert ag.vmap(lambda x: 1)(none).dtype == np.int64


def test_an_index_out_of_bounds():
    with pytest.raises(IndexError):
        ag.vmap(lambda x, i: x[i])(X, np.array([0, 1, 2, 3, 4]))
    with pytest.raises(IndexError):
        ag.vmap(lambda x, i: x[i], (None, 0))(V, np.array([0, -5]))


def test_prints_in_the_order_of_the_elements(capsys):
    def speak(x):
        print("start", x)
        if x > 0:
            print("positive")
        return x + 1

    np.testing.assert_array_equal(ag.vmap(speak)(np.array([1.0, -1.0])), [2.0, 0.0])
    assert capsys.readouterr().out == "start 1.0\npositive\nstart -1.0\n"


def test_raises_as_the_element_does():
    def checked(x):
        if x < 0:
            raise ValueError(f"negative: {x}")
        return x

    np.testing.assert_array_equal(ag.vmap(checked)(np.array([1.0, 2.0])), [1.0, 2.0])
    with pytest.raises(ValueError, match="negative: -3.0"):
        ag.vmap(checked)(np.array([1.0, -3.0, -4.0]))
    with pytest.raises(ZeroDivisionError):
        ag.vmap(lambda n: 10 // int(n))(np.array([1, 0]))


def test_nested():
    distances = ag.vmap(lambda a: ag.vmap(lambda b: np.sum((a - b) ** 2))(X))(X)
    np.testing.assert_allclose(distances, ((X[:, None] - X[None]) ** 2).sum(-1))
    outer = ag.vmap(ag.vmap(lambda x, y: x * y, (None, 0)), (0, None))(V, V)
    np.testing.assert_array_equal(outer, np.outer(V, V))
    three = ag.vmap(ag.vmap(ag.vmap(lambda x: x + 1 if x > 0 else np.sin(x))))(M)
    np.testing.assert_allclose(three, np.where(M > 0, M + 1, np.sin(M)))


def test_inside_compiled_code():
    scale = np.float64(3.0)

    @ag.jit
    def program(xs, c):
        def one(x):
            return x * c * scale

        return ag.vmap(one)(xs) + ag.vmap(lambda x, y: x * y, in_axes=(0, None), out_axes=0)(xs, c)

    np.testing.assert_allclose(program(X, 2.0), X * 8)


def test_of_compiled_functions():
    np.testing.assert_allclose(ag.vmap(ag.jit(np.cumsum))(X), np.cumsum(X, 1))
    np.testing.assert_allclose(ag.jit(ag.vmap(np.cumsum))(X), np.cumsum(X, 1))


def smooth(x):
    return np.sum(np.sin(x) * x**2)


def test_derivatives():
    gradients = np.stack([np.cos(x) * x**2 + 2 * np.sin(x) * x for x in X])
    np.testing.assert_allclose(ag.vmap(ag.grad(smooth))(X), gradients)
    np.testing.assert_allclose(ag.grad(lambda xs: np.sum(ag.vmap(smooth)(xs)))(X), gradients)
    value, pullback = ag.vjp(ag.vmap(smooth), X)
    np.testing.assert_allclose(pullback(np.arange(5.0))[0], gradients * np.arange(5.0)[:, None])
    value, tangent = ag.jvp(ag.vmap(smooth), (X,), (Y,))
    np.testing.assert_allclose(tangent, np.sum(gradients * Y, 1))
    np.testing.assert_allclose(ag.vmap(lambda x, t: ag.jvp(smooth, (x,), (t,))[1])(X, Y), tangent)
    hessians = np.stack([ag.hessian(smooth)(x) for x in X])
    np.testing.assert_allclose(ag.vmap(ag.hessian(smooth))(X), hessians, atol=1e-14)
    values, grads = ag.vmap(ag.value_and_grad(smooth))(X)
    np.testing.assert_allclose(grads, gradients)


def test_gradient_of_what_is_shared():
    """The derivative with respect to an argument that is not mapped adds up over the elements."""

    def loss(w):
        return np.sum(ag.vmap(lambda x: np.tanh(x @ w))(X))

    np.testing.assert_allclose(ag.grad(loss)(V), X.T @ (1 - np.tanh(X @ V) ** 2))
    np.testing.assert_allclose(ag.hessian(loss)(V), ag.jacrev(ag.grad(loss))(V), atol=1e-14)


def test_branches_do_not_disturb_derivatives():
    def root(x):
        return np.sqrt(x) if x > 0 else x * x

    points = np.array([-2.0, 0.0, 4.0])
    np.testing.assert_allclose(ag.grad(lambda xs: np.sum(ag.vmap(root)(xs)))(points), [-4.0, 0.0, 0.25])
    np.testing.assert_allclose(ag.vmap(ag.grad(root))(points), [-4.0, 0.0, 0.25])
    _, tangent = ag.jvp(ag.vmap(root), (points,), (np.ones(3),))
    np.testing.assert_allclose(tangent, [-4.0, 0.0, 0.25])


def test_custom_rules():
    @ag.custom_vjp
    def clipped(x):
        return np.maximum(x, 0.0)

    clipped.defvjp(lambda x: (np.maximum(x, 0.0), x), lambda x, g: (np.where(x > 0, g, 0.1 * g),))
    wanted = np.where(X > 0, 1.0, 0.1)
    np.testing.assert_allclose(ag.vmap(ag.grad(lambda x: np.sum(clipped(x))))(X), wanted)
    np.testing.assert_allclose(ag.grad(lambda x: np.sum(ag.vmap(clipped)(x)))(X), wanted)


def test_many_sizes_share_one_compilation(mode):
    mapped = ag.vmap(lambda x: x * 2)
    for size in range(2, 12):
        assert mapped(np.ones(size)).shape == (size,)
    if mode == "compiled":
        assert mapped.cache_info().misses == 1
