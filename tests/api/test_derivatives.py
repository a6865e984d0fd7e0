"""The derivatives of the public interface, against each other and against central differences."""

import numpy as np
import pytest

import arignote as ag

POINT = np.array([0.5, -1.2, 2.0])


def model(x, params):
    """A loop, a branch and a tree."""
    total = 0.0
    for i in range(3):
        total = total + np.sum(np.sin(x * i) * params["w"]) + params["b"]
        if total > 1.0:
            total = total * 0.5
    return total


def vector(x):
    return np.outer(x, np.cos(x))[0] * np.exp(x)


def test_jvp_along_a_tree():
    params = {"w": np.full(3, 0.3), "b": 0.7}
    direction = {"w": np.ones(3), "b": 1.0}
    value, tangent = ag.jvp(model, (POINT, params), (np.ones(3), direction))
    assert value == pytest.approx(model(POINT, params))

    def at(h):
        return model(POINT + h, {"w": params["w"] + h, "b": params["b"] + h})

    assert tangent == pytest.approx((at(1e-6) - at(-1e-6)) / 2e-6, rel=1e-7)


def test_jacobians_agree():
    forward, reverse = ag.jacfwd(vector)(POINT), ag.jacrev(vector)(POINT)
    assert forward.shape == (3, 3)
    np.testing.assert_allclose(forward, reverse, rtol=1e-13)


def test_hessian_by_two_ways():
    def cubic(x):
        return np.sum(x**3) * x[0]

    np.testing.assert_allclose(ag.hessian(cubic)(POINT), ag.jacrev(ag.grad(cubic))(POINT), rtol=1e-13)
    product = ag.hvp(cubic, (POINT,), (np.ones(3),))
    np.testing.assert_allclose(product[0], ag.hessian(cubic)(POINT) @ np.ones(3), rtol=1e-13)


def test_modes_nest():
    assert ag.jit(lambda x: ag.jvp(lambda y: y * y * y, (x,), (1.0,)))(2.0) == (8.0, 12.0)
    assert ag.grad(lambda x: ag.jvp(lambda y: y**3, (x,), (1.0,))[1])(2.0) == 12.0
    assert ag.jvp(ag.grad(lambda y: y**4), (2.0,), (1.0,)) == (32.0, 48.0)


def test_check_grads_accepts_what_is_right_and_not_what_is_wrong():
    ag.check_grads(lambda x: np.sum(np.tanh(x) * x), (POINT,), order=2, modes=("fwd", "rev"))

    def stopped(x):
        return np.sum(ag.stop_gradient(x) * x)

    with pytest.raises(AssertionError, match="central differences"):
        ag.check_grads(stopped, (POINT,), order=1)


def test_tangents_must_fit():
    with pytest.raises(ag.DifferentiationError, match="1 primals and 2 tangents"):
        ag.jvp(vector, (POINT,), (POINT, POINT))
    with pytest.raises(ValueError, match="shape of its primal"):
        ag.jvp(vector, (POINT,), (np.ones(2),))


def test_a_tangent_of_what_does_not_move_is_refused():
    def scaled(x, n):
        return x * n

    assert ag.jvp(scaled, (2.0, 3), (1.0, None)) == (6.0, 3.0)
    assert ag.jvp(scaled, (2.0, 3), (1.0, 0)) == (6.0, 3.0)
    for n, direction in ((3, 1.0), (np.arange(2), np.ones(2))):
        with pytest.raises(ag.DifferentiationError, match="holds no float, but its tangent is"):
            ag.jvp(scaled, (2.0, n), (1.0, direction))


def test_check_grads_of_higher_order():
    """A rule that is right at first and at second order, and wrong at third."""

    @ag.custom_jvp
    def cube(x):
        return x**3

    @ag.custom_jvp
    def square(x):
        return x**2

    @ag.custom_jvp
    def twice(x):
        return 2.0 * x

    cube.defjvp(lambda primals, tangents: (cube(primals[0]), 3.0 * square(primals[0]) * tangents[0]))
    square.defjvp(lambda primals, tangents: (square(primals[0]), twice(primals[0]) * tangents[0]))
    twice.defjvp(lambda primals, tangents: (twice(primals[0]), 2.5 * tangents[0]))
    ag.check_grads(cube, (2.0,), order=2)
    with pytest.raises(AssertionError):
        ag.check_grads(cube, (2.0,), order=3)
    ag.check_grads(lambda x: np.sum(np.sin(x) * x), (np.array([0.3, 0.4]),), order=4)
    with pytest.raises(ValueError, match="order must be 1 or higher"):
        ag.check_grads(cube, (2.0,), order=0)
