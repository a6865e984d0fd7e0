"""Functions with derivative rules of their own."""

from functools import partial

import numpy as np
import pytest

import arignote as ag

X = np.array([0.3, -0.7, 1.1])
WEIGHTS = np.array([1.0, 2.0, 3.0])


@ag.custom_vjp
def scaled_sine(x, y):
    return np.sin(x) * y


def scaled_sine_forward(x, y):
    return scaled_sine(x, y), (np.cos(x), np.sin(x), y)


def scaled_sine_backward(residual, cotangent):
    cosine, sine, y = residual
    return cosine * y * cotangent, sine * cotangent


scaled_sine.defvjp(scaled_sine_forward, scaled_sine_backward)


@ag.custom_jvp
def exponential(x):
    return np.exp(x)


@exponential.defjvp
def exponential_rule(primals, tangents):
    value = exponential(primals[0])
    return value, value * tangents[0]


def plain_sine(x, y):
    return np.sin(x) * y


def through_everything(sine, exponential):
    """Loops, branches, closures, recursion."""

    def recursive(x, n):
        return x if n == 0 else recursive(sine(x, x), n - 1) + exponential(x * 0.1)

    def program(x):
        total = np.zeros_like(x)
        for i in range(4):
            total = total + exponential(x * 0.1) * i
            if np.sum(total) > 1.0:
                total = total + sine(total, total)
        return np.sum(total * recursive(x, 3))

    return program


def test_the_plain_function_runs_in_python_and_compiled():
    assert scaled_sine(1.0, 2.0) == plain_sine(1.0, 2.0)
    np.testing.assert_allclose(ag.jit(scaled_sine)(X, X), plain_sine(X, X), rtol=1e-14)
    with ag.disable_jit():
        assert ag.jit(lambda x: exponential(x))(1.0) == np.exp(1.0)


def test_right_rules_give_the_derivatives_of_the_function():
    given = through_everything(scaled_sine, exponential)
    plain = through_everything(plain_sine, np.exp)
    np.testing.assert_allclose(ag.jit(given)(X), plain(X), rtol=1e-13)
    np.testing.assert_allclose(ag.grad(given)(X), ag.grad(plain)(X), rtol=1e-12)
    direction = np.array([1.0, -0.5, 0.25])
    assert ag.jvp(given, (X,), (direction,))[1] == pytest.approx(ag.jvp(plain, (X,), (direction,))[1], rel=1e-12)
    np.testing.assert_allclose(ag.hvp(given, (X,), (direction,))[0], ag.hvp(plain, (X,), (direction,))[0], rtol=1e-11)
    np.testing.assert_allclose(ag.jvp(ag.grad(given), (X,), (direction,))[1],
                               ag.hvp(plain, (X,), (direction,))[0], rtol=1e-11)  # fmt: skip


def test_third_order():
    third = ag.grad(ag.grad(ag.grad(exponential)))
    assert third(0.5) == pytest.approx(np.exp(0.5), rel=1e-14)


def test_rules_are_used_and_not_the_function():
    @ag.custom_vjp
    def identity(x):
        return x

    identity.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    np.testing.assert_array_equal(ag.grad(lambda x: np.sum(identity(x) * 3.0))(X), np.ones(3))


def test_rules_given_inside_compiled_code():
    @ag.jit
    def program(x):
        factor = x * 0.0 + 5.0

        @ag.custom_vjp
        def tripled(y):
            return y * 3.0

        def forward(y):
            return tripled(y), None

        def backward(_, cotangent):
            return (cotangent * 7.0,)

        tripled.defvjp(forward, backward)
        return tripled(x) + factor

    assert program(1.0) == 8.0
    assert ag.grad(program)(1.0) == 7.0


def test_arguments_without_derivative_and_globals():
    @partial(ag.custom_vjp, nondiff_argnums=(0,))
    def apply(function, x):
        return function(x) * WEIGHTS

    def backward(function, x, cotangent):
        return (ag.grad(lambda y: np.sum(function(y)))(x) * WEIGHTS * cotangent,)

    apply.defvjp(lambda function, x: (apply(function, x), x), backward)
    np.testing.assert_allclose(ag.grad(lambda x: np.sum(apply(np.sin, x)))(X), np.cos(X) * WEIGHTS, rtol=1e-14)


def test_a_rule_that_calls_its_function_with_other_numbers():
    @ag.custom_jvp
    def power(x, n):
        return 1.0 if n == 0 else x * power(x, n - 1)

    @power.defjvp
    def rule(primals, tangents):
        x, n = primals
        return power(x, n), n * power(x, n - 1) * tangents[0]

    assert ag.grad(lambda x: power(x, 5))(2.0) == 80.0
    assert ag.grad(ag.grad(lambda x, n: power(x, n)))(2.0, 5) == 160.0


def test_rules_of_single_arguments():
    @ag.custom_jvp
    def product(x, y):
        return x * y

    product.defjvps(lambda t, value, x, y: t * y, None)
    assert ag.grad(product, argnums=(0, 1))(2.0, 3.0) == (3.0, 0.0)


def test_effects_of_rules_happen_once_for_each_call(capfd):
    @ag.custom_vjp
    def noisy(x):
        print("primal")
        return x * 2.0

    def forward(x):
        print("forward")
        return x * 2.0, None

    def backward(_, cotangent):
        print("backward")
        return (cotangent * 2.0,)

    noisy.defvjp(forward, backward)
    ag.jit(noisy)(1.0)
    assert capfd.readouterr().out.split() == ["primal"]
    ag.grad(lambda x: noisy(x) + noisy(x))(1.0)
    assert capfd.readouterr().out.split() == ["forward", "forward", "backward", "backward"]


def rule_with(backward, forward=lambda x: (x * 2.0, None)):
    @ag.custom_vjp
    def double(x):
        return x * 2.0

    double.defvjp(forward, backward)
    return ag.grad(lambda x: np.sum(double(x)))


@pytest.mark.parametrize("gradient, argument, message", [
    (rule_with(lambda r, g: g), 1.0, "must return a tuple of one cotangent"),
    (rule_with(lambda r, g: (g, g)), 1.0, "must return a tuple of one cotangent"),
    (rule_with(lambda r, g: (np.ones(3),)), 1.0, "expected float, got f64"),
    (rule_with(lambda r, g: ("text",)), 1.0, "expected float"),
    (rule_with(lambda r, g: (g.astype(np.float64),)), np.ones(3, np.float32), "must be float32"),
    (rule_with(lambda r, g: (g,), lambda x: x * 2.0), 1.0, r"must return a pair \(value, residual\)"),
    (rule_with(lambda r, g: (g,), lambda x: (np.ones(3), None)), 1.0, "gives f64.3., where double gives float"),
])  # fmt: skip
def test_wrong_rules_are_refused_at_their_own_line(gradient, argument, message):
    with pytest.raises(ag.DifferentiationError, match=message) as caught:
        gradient(argument)
    assert "rule_with(" in str(caught.value)


def test_a_cotangent_of_another_shape():
    with pytest.raises(ValueError, match="has size 1 along axis 0, expected 3"):
        rule_with(lambda r, g: (g[:1],))(np.ones(3))


def test_none_is_a_zero_cotangent():
    assert rule_with(lambda r, g: (None,))(1.0) == 0.0


def test_captured_variables_have_no_derivative_by_the_rule():
    def program(x):
        @ag.custom_vjp
        def times(y):
            return y * x

        def forward(y):
            return y * x, x

        def backward(x, cotangent):
            return (cotangent * x,)

        times.defvjp(forward, backward)
        return times(2.0 * x)

    with pytest.raises(ag.DifferentiationError, match="captures"):
        ag.grad(program)(1.0)


def test_without_a_rule():
    @ag.custom_vjp
    def f(x):
        return x

    assert f(1.0) == 1.0
    with pytest.raises(ag.DifferentiationError, match="without a rule"):
        ag.jit(f)(1.0)
    f.defvjp(lambda x: (x, None), lambda r, g: (g,))
    with pytest.raises(ValueError, match="already"):
        f.defvjp(lambda x: (x, None), lambda r, g: (g,))


def test_a_backward_rule_that_knows_more_of_sizes_in_forward_mode():
    @ag.custom_vjp
    def product(w, b):
        return w @ b

    product.defvjp(lambda w, b: (w @ b, (w, np.zeros(3) + b)), lambda kept, g: (np.outer(g, kept[1]), kept[0].T @ g))

    def f(w, b):
        return np.sum(product(w, b) ** 2)

    generator = np.random.default_rng(0)
    w, b, dw, db = (generator.normal(size=shape) for shape in ((3, 3), 3, (3, 3), 3))
    value, tangent = ag.jvp(f, (w, b), (dw, db))
    assert np.isclose(value, f(w, b))
    assert np.isclose(tangent, 2 * (w @ b) @ (dw @ b + w @ db))
