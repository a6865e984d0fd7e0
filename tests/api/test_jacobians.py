"""Jacobians and Hessians of trees, with `argnums` and `has_aux`."""

import numpy as np
import pytest

import arignote as ag

X = np.array([1.0, 2.0])
PARAMETERS = {"w": X, "b": 2.0, "n": 3, "name": "x"}
MODES = pytest.mark.parametrize("jacobian", [ag.jacfwd, ag.jacrev])


def outputs(p, s):
    return {"a": p["w"] * s, "b": (np.sum(p["w"] ** 2) * p["b"], 3)}


@MODES
def test_trees(jacobian):
    found = jacobian(outputs)(PARAMETERS, 3.0)
    np.testing.assert_array_equal(found["a"]["w"], np.eye(2) * 3.0)
    np.testing.assert_array_equal(found["a"]["b"], np.zeros(2))
    np.testing.assert_array_equal(found["b"][0]["w"], 4.0 * X)
    assert found["b"][0]["b"] == 5.0 and found["b"][1] is None
    assert found["a"]["n"] is None and found["a"]["name"] == "x"


@MODES
def test_chosen_arguments(jacobian):
    by_both = jacobian(outputs, argnums=(0, 1))(PARAMETERS, 3.0)
    by_name = jacobian(outputs, argnums="s")(PARAMETERS, s=3.0)
    np.testing.assert_array_equal(by_both["a"][1], X)
    np.testing.assert_array_equal(by_name["a"], X)
    assert by_name["b"][0] == 0.0


@MODES
def test_shapes_of_numbers(jacobian):
    assert jacobian(lambda x: x * x)(3.0) == 6.0
    np.testing.assert_array_equal(jacobian(lambda x: np.sum(x * X))(X), X)
    np.testing.assert_array_equal(jacobian(lambda x: x * X)(3.0), X)
    assert jacobian(lambda x: np.outer(x, x))(X).shape == (2, 2, 2)


@MODES
def test_what_comes_beside_the_value(jacobian):
    found, aside = jacobian(lambda x: (x * 2.0, {"x": x}), has_aux=True)(X)
    np.testing.assert_array_equal(found, np.eye(2) * 2.0)
    np.testing.assert_array_equal(aside["x"], X)


def test_hessians():
    def f(p):
        return np.sum(p["w"] ** 2) * p["b"] ** 2

    found = ag.hessian(f)({"w": X, "b": 2.0})
    np.testing.assert_array_equal(found["w"]["w"], np.eye(2) * 8.0)
    np.testing.assert_array_equal(found["w"]["b"], 8.0 * X)
    np.testing.assert_array_equal(found["b"]["w"], 8.0 * X)
    assert found["b"]["b"] == 10.0
    (xx, xy), (yx, yy) = ag.hessian(lambda x, y: np.sum(x * x) * y, argnums=(0, 1))(X, 2.0)
    np.testing.assert_array_equal(xx, np.eye(2) * 4.0)
    np.testing.assert_array_equal(xy, yx)
    assert yy == 0.0
    second, aside = ag.hessian(lambda x: (np.sum(x**3), x), has_aux=True)(X)
    np.testing.assert_array_equal(second, np.diag(6.0 * X))


def test_inside_compiled_code():
    program = ag.jit(lambda x: ag.hessian(lambda y: np.sum(y**3))(x) @ ag.jacrev(lambda y: y * y)(x))
    np.testing.assert_allclose(program(X), np.diag(6.0 * X) @ np.diag(2.0 * X))


def test_of_a_tree_without_floats():
    with pytest.raises(ag.DifferentiationError, match="holds no float"):
        ag.jacrev(lambda n: 1.0 * n)(3)
