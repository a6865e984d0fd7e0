"""Products with one matrix for all elements: one product of long matrices, and so are their gradients."""

import numpy as np
import pytest

import arignote as ag

random = np.random.default_rng(0)
WEIGHTS, ROWS, STACK = random.normal(size=(4, 4)), random.normal(size=(7, 4)), random.normal(size=(7, 3, 4))

PRODUCTS = [
    pytest.param(lambda x, w: w @ x, ROWS, id="matrix times vector"),
    pytest.param(lambda x, w: x @ w, ROWS, id="vector times matrix"),
    pytest.param(lambda x, w: x @ w, STACK, id="matrices from the left"),
    pytest.param(lambda x, w: w @ x.T, STACK, id="matrices from the right"),
]


def products(function, *arguments):
    """The types of the products that are computed."""
    text = ag.inspect(function)(*arguments).stages[-1][1]
    return [line.rsplit(":", 1)[1].strip() for line in text.splitlines() if " = matmul " in line]


@pytest.mark.parametrize(("product", "x"), PRODUCTS)
def test_values(product, x):
    found = ag.vmap(product, (0, None))(x, WEIGHTS)
    np.testing.assert_allclose(found, np.stack([product(row, WEIGHTS) for row in x]), rtol=1e-13)


@pytest.mark.parametrize(("product", "x"), PRODUCTS)
def test_gradients_are_one_product(product, x):
    def loss(w, x):
        return np.sum(np.tanh(ag.vmap(product, (0, None))(x, w)))

    def loop(w, x):
        return sum([np.sum(np.tanh(product(row, w))) for row in x])

    gradient = ag.grad(loss)
    with ag.disable_jit():
        wanted = gradient(WEIGHTS, x)
    np.testing.assert_allclose(gradient(WEIGHTS, x), wanted, rtol=1e-6)
    np.testing.assert_allclose(gradient(WEIGHTS, x), ag.grad(loop)(WEIGHTS, x), rtol=1e-12)
    assert products(gradient, WEIGHTS, x)[-1] == "f64[n,n]"
    assert len(products(gradient, WEIGHTS, x)) == 2
    ag.check_grads(loss, (WEIGHTS, x), order=2)


@pytest.mark.parametrize("depths", [(1, 5), (5, 1), (1, 1), (5, 5)])
def test_gradients_of_stacks(depths):
    a, b = random.normal(size=(depths[0], 2, 3)), random.normal(size=(depths[1], 3, 4))
    ag.check_grads(lambda a, b: np.sum(np.sin(a @ b)), (a, b), order=2)
