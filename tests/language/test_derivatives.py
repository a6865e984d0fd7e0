"""Derivatives of the whole language, to second order and beyond, in both modes."""

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

import arignote as ag
from tests.corpus.program import call
from tests.language.expectation import differentiable


@differentiable(call(1.3), call(-0.7), order=3)
def test_three_times_through_if(x):
    # "Missing a backpropagator" at second order elsewhere.
    if x > 0.0:
        y = x**3 * math.sin(x)
    else:
        y = math.exp(x) * x**2
    return y * x if y > 0.0 else y / x


@differentiable(call(1.1, 3), call(1.1, 0), call(0.9, 5), order=3)
def test_three_times_through_while(x, n):
    y = x
    while n > 0:
        y = y * x + math.sin(y)
        n -= 1
    return y


@differentiable(call(1.7), call(5.0), order=3)
def test_three_times_through_a_while_that_asks_the_value(x):
    y, total = x, 0.0
    while y > 1.0:
        y = y / (1.0 + x * x / 10.0)
        total += y * y * x
    return total


@differentiable(call(0.8, 3), order=3)
def test_three_times_through_nested_loops(x, n):
    total = 0.0
    for i in range(n):
        y = x
        for j in range(i + 1):
            y = y * math.cos(x * j) + total / (1.0 + i)
        total += y * y
    return total


@differentiable(call(0.8, 6), call(0.2, 6), order=2)
def test_loops_with_break_continue_and_else(x, n):
    total = x
    for i in range(n):
        if i == 2:
            continue
        total = total * x + i
        if total > 8.0:
            break
    else:
        total = total * total
    return total * x


@differentiable(call(0.8, 5), order=3)
def test_three_times_through_recursion(x, n):
    def power(k):
        if k == 0:
            return 1.0
        half = power(k // 2)
        return half * half * x if k % 2 else half * half

    return power(n) * math.sin(x)


@differentiable(call(1.2, 0.7), order=3)
def test_three_times_through_a_function_applied_twice(x, a):
    # f(h, x) = h(h(x)) with h closing over x: a KeyError elsewhere.
    def twice(h, v):
        return h(h(v))

    return twice(lambda v: v * v * a + math.sin(x * v), x)


@differentiable(call(1.2, 0.7, True), call(1.2, 0.7, False), order=3)
def test_three_times_through_functions_chosen_at_run_time(x, a, flag):
    f = (lambda v: v * v * a) if flag else (lambda v: math.exp(v) + x)
    g = math.sin if a > x else f
    return f(g(x)) * g(a)


@differentiable(call(1.2, np.array([0.5, -1.0])), order=2)
def test_reductions_with_functions_over_arrays(x, v):
    def fold(f, items, start):
        for item in items:
            start = f(start, item)
        return start

    return fold(lambda a, b: a * b + x, v, x) + fold(lambda a, b: math.cos(a) * b, v * x, 1.0)


@differentiable(call(np.array([2.0, 3.0, 4.0])), call(np.array([2.0, 0.0, 4.0])), order=2)
def test_the_gradient_of_a_product_is_that_of_a_product(v):
    # [1, 1, 1] for [2, 3, 4] elsewhere.
    return np.prod(v)


@differentiable(call(np.array([2.0, 3.0, 4.0]), 1.5), order=2)
def test_mapping_with_a_captured_scalar(v, a):
    # Its gradient was dropped elsewhere.
    return np.sum(np.array([a * item + math.sin(item * a) for item in v]) ** 2)


@differentiable(call(2.0, 3.0), call(0.5, -2.0), order=2)
def test_powers(x, y):
    return x**y + x**2 * y**3


def test_the_derivative_of_a_power_at_a_negative_base() -> None:
    # NaN elsewhere.
    slope, slope_of_exponent = ag.grad(lambda x, y: x**y, argnums=(0, 1))(np.float64(-2.0), np.float64(2.0))
    assert slope == -4.0
    assert ag.grad(lambda x: x**2.0)(-2.0) == -4.0
    assert ag.grad(lambda x: x**3)(-2.0) == 12.0
    assert ag.grad(ag.grad(lambda x: x**2))(0.0) == 2.0
    assert ag.grad(lambda x: x**0.0)(0.0) == 0.0
    assert not np.isinf(slope_of_exponent)


SCALARS = [
    math.sin, math.cos, math.tan, math.tanh, math.sinh, math.cosh, math.exp, math.log, math.sqrt, math.atan, math.asin,
    math.log1p, math.expm1, math.erf, math.lgamma, abs, np.abs, np.sin, np.square, np.cbrt, np.arctan,
    np.exp2, np.log2, np.reciprocal, np.sinc, math.fabs, np.tan, np.arccosh, np.degrees,
]  # fmt: skip


@pytest.mark.parametrize("function", SCALARS, ids=lambda f: getattr(f, "__name__", "ufunc"))
def test_every_elementary_function_has_two_derivatives(function) -> None:
    # sin, cos, tan and mod had none elsewhere.
    x = 1.3 if function is np.arccosh else 0.6
    if function is math.lgamma:
        ag.check_grads(function, (x,), order=1)
        return
    ag.check_grads(lambda v: function(v) * v, (x,), order=2, tolerance=1e-4)


@differentiable(call(7.3, 2.0), call(-7.3, 2.0), order=2)
def test_remainders_and_roundings(x, y):
    return x % y * x + math.floor(x) * y + math.fmod(x, y) + x // y


@differentiable(call((1.0, 2.0), 3.0), order=3)
def test_items_of_tuples_set_by_rebinding(t, x):
    # No backpropagator of tuple_setitem elsewhere.
    items = list(t)
    items[0] = items[1] * x
    items[-1] *= items[0]
    a, *rest = tuple(items)
    return a * rest[0] * t[0]


@differentiable(call(2.0, 3.0, 0), call(2.0, 3.0, 1), call(2.0, 3.0, -1), order=3)
def test_lists_indexed_at_run_time(a, b, i):
    # [a, b][i] failed elsewhere.
    return [a * b, b * b * a][i] * (a, b)[i]


@differentiable(call({"w": np.ones((2, 2)) * 0.3, "b": [np.ones(2), 1.5]}, np.array([0.5, -1.0])), order=2)
def test_gradients_of_trees(parameters, x):
    return np.sum(np.tanh(parameters["w"] @ x + parameters["b"][0]) ** 2) * parameters["b"][1]


@differentiable(call(np.arange(1.0, 7.0), np.array([0.5, -1.0, 0.3])), order=3)
def test_convolution_by_loops_has_three_derivatives(x, kernel):
    # No second order of convolutions elsewhere.
    size = len(x) - len(kernel) + 1
    out = np.zeros(size)
    for i in range(size):
        for j in range(len(kernel)):
            out[i] += x[i + j] * kernel[j]
    return np.sum(out**2 * np.sin(out))


@differentiable(call(np.arange(12.0).reshape(3, 4) / 5.0, np.array([[0.5, -1.0], [0.3, 0.9]])), order=2)
def test_convolution_in_two_dimensions(x, kernel):
    h, w = x.shape[0] - 1, x.shape[1] - 1
    out = np.zeros((h, w))
    for i in range(h):
        for j in range(w):
            out[i, j] = np.sum(x[i : i + 2, j : j + 2] * kernel)
    pooled = 0.0
    for i in range(h):
        pooled += np.max(out[i]) ** 2
    return pooled


@differentiable(call(np.array([0.3, 1.2, -0.4]), 1), order=2)
def test_items_and_slices_set_and_increased(x, i):
    y = np.zeros(5)
    y[1:4] = x * x
    y[i] *= x[0]
    y[[0, 0, 2]] += x
    y[::-2] -= y[0] * 0.5
    y[y > 0.1] **= 2
    return np.sum(y**3)


@differentiable(call(0.7, 4), order=2)
def test_growing_lists(x, n):
    values = [x]
    for i in range(n):
        values.append(values[-1] * x + values[i // 2])
    return sum([v * v for v in values]) + values[-2]


@dataclass
class Layer:
    """One layer; calling it applies it."""

    w: np.ndarray
    b: np.ndarray
    steps: int = 2
    name: str = "layer"

    def __call__(self, x):
        for _ in range(self.steps):
            x = np.tanh(self.w @ x + self.b)
        return x

    @property
    def size(self):
        return np.sum(self.w**2) + np.sum(self.b**2)


def test_gradients_of_dataclasses_have_their_structure() -> None:
    layer = Layer(np.eye(2) * 0.5, np.array([0.1, -0.2]))
    x = np.array([1.0, 2.0])
    loss = lambda m, v: np.sum(m(v)) + m.size
    gradient = ag.grad(loss)(layer, x)
    assert type(gradient) is Layer
    step = 1e-6
    moved = replace(layer, b=layer.b + np.array([step, 0.0]))
    assert gradient.b[0] == pytest.approx((loss(moved, x) - loss(layer, x)) / step, rel=1e-4)
    assert gradient.w.shape == (2, 2)


def test_gradients_of_closures() -> None:
    # "'grad' does not work on closures" elsewhere.
    def program(x, a):
        scaled = lambda v: v**3 * a
        slope = ag.grad(scaled)
        return slope(x) + ag.grad(slope)(x) + ag.grad(ag.grad(slope))(x)

    assert ag.jit(program)(2.0, 3.0) == pytest.approx(3.0 * (12.0 + 12.0 + 6.0))
    assert ag.grad(program, argnums=(0, 1))(2.0, 3.0) == pytest.approx((3.0 * (12.0 + 6.0), 30.0))


def test_gradients_of_closures_from_outside() -> None:
    def make(a):
        return lambda v: v**3 * a

    assert ag.grad(make(2.0))(3.0) == 54.0
    assert ag.grad(ag.grad(make(np.float64(2.0))))(3.0) == 36.0
    assert ag.jit(lambda x, a: ag.grad(make(a))(x))(3.0, 5.0) == 135.0


def test_gradients_of_partials_and_bound_methods() -> None:
    def f(a, x, *, power=2):
        return a * x**power

    assert ag.grad(functools.partial(f, 3.0))(2.0) == 12.0
    assert ag.grad(functools.partial(f, 3.0, power=3))(2.0) == 36.0
    assert ag.grad(functools.partial(f, x=2.0))(5.0) == 4.0
    layer = Layer(np.eye(1), np.zeros(1))
    assert ag.jit(lambda m, x: ag.grad(lambda v: np.sum(m.__call__(v)))(x))(layer, np.zeros(1)).tolist() == [1.0]
    assert ag.jit(lambda a: ag.grad(functools.partial(f, a))(2.0))(3.0) == 12.0


def test_the_gradient_of_a_function_chosen_at_run_time() -> None:
    def program(x, k):
        f = (math.sin, lambda v: v * v * x, abs)[k]
        return ag.grad(f)(x) + ag.grad(lambda v: f(v) * v)(x)

    compiled = ag.jit(program)
    assert compiled(0.5, 0) == pytest.approx(math.cos(0.5) + 0.5 * math.cos(0.5) + math.sin(0.5))
    assert compiled(0.5, 1) == pytest.approx(0.5 + 3 * 0.5**3)
    assert compiled(-0.5, 2) == pytest.approx(-1.0 + 1.0)


@pytest.mark.parametrize("argument", [3, True, np.int64(3), np.arange(3), np.array([True, False])])
def test_the_gradient_by_an_integer_is_refused(argument) -> None:
    # A silent zero, or a truncated integer, elsewhere.
    for transform in (ag.grad, ag.value_and_grad, ag.jacrev, ag.jacfwd, ag.hessian):
        with pytest.raises(ag.DifferentiationError) as caught:
            transform(lambda n: np.sum(n * 2.0))(argument)
        assert caught.value.hint


@pytest.mark.parametrize("argument", ["text", None, (1, 2), {"a": None}, []])
def test_the_gradient_by_what_holds_no_float_is_refused(argument) -> None:
    with pytest.raises(ag.DifferentiationError):
        ag.grad(lambda n, x: x * 2.0)(argument, 1.0)


def test_what_is_no_float_is_passed_over_in_a_tree() -> None:
    tree = {"x": 2.0, "n": 3, "s": "name", "none": None, "v": (np.arange(2), np.ones(2))}
    gradient = ag.grad(lambda t: t["x"] ** t["n"] + np.sum(t["v"][1] * t["v"][0]))(tree)
    assert gradient["x"] == 12.0
    assert gradient["v"][1].tolist() == [0.0, 1.0]


def test_the_gradient_of_what_is_no_float_is_refused() -> None:
    for function in (lambda x: int(x), lambda x: x > 0.0, lambda x: (x, x), lambda x: None, lambda x: "text"):
        with pytest.raises(ag.DifferentiationError):
            ag.grad(function)(2.0)
    with pytest.raises(ag.DifferentiationError):
        ag.grad(lambda v: v * 2.0)(np.ones(2))


def test_argnums_by_name_and_number_and_by_what_is_not_there() -> None:
    f = lambda x, y, *, z=1.0: x * y**2 * z
    assert ag.grad(f, argnums=1)(2.0, 3.0) == 12.0
    assert ag.grad(f, argnums=("x", "y"))(2.0, 3.0) == (9.0, 12.0)
    assert ag.grad(f, argnums=(1, 0))(2.0, 3.0, z=2.0) == (24.0, 18.0)
    assert ag.grad(f, argnums=-1)(2.0, 3.0) == 12.0
    for wrong in (5, "w", 1.5):
        with pytest.raises((ValueError, TypeError, ag.CompileError)):
            ag.grad(f, argnums=wrong)(2.0, 3.0)


def test_the_same_array_twice_has_the_sum_of_its_gradients() -> None:
    x = np.array([1.0, 2.0])
    first, second = ag.grad(lambda a, b: np.sum(a * a * b), argnums=(0, 1))(x, x)
    assert first.tolist() == [2.0, 8.0]
    assert second.tolist() == [1.0, 4.0]
    assert ag.grad(lambda a: np.sum(a * a * a))(x).tolist() == [3.0, 12.0]


def test_a_variable_used_before_and_after_a_loop() -> None:
    # Gradients 27 times off, in a solver, elsewhere.
    def program(x, n):
        before = x * x
        y = x
        for _ in range(n):
            y = y * before
            if y > 100.0:
                break
        return y * before + x

    for n in (0, 1, 3, 50):
        ag.check_grads(lambda x, n=n: program(x, n), (1.3,), order=2)


def test_derivatives_inside_loops_and_loops_of_derivatives() -> None:
    def minimised(x, rate, n):
        loss = lambda v: (v * v - 2.0) ** 2
        for _ in range(n):
            x = x - rate * ag.grad(loss)(x)
        return x

    assert ag.jit(minimised)(1.0, 0.05, 100) == pytest.approx(math.sqrt(2.0))
    ag.check_grads(lambda x, rate: minimised(x, rate, 4), (1.0, 0.05), order=3, tolerance=1e-3)


def test_newton_by_second_derivatives() -> None:
    def program(x):
        f = lambda v: math.cosh(v - 1.0) + v * v / 10.0
        for _ in range(20):
            x = x - ag.grad(f)(x) / ag.grad(ag.grad(f))(x)
        return ag.grad(f)(x)

    assert abs(ag.jit(program)(0.3)) < 1e-12


def test_a_fourth_derivative() -> None:
    f = lambda x: math.sin(x) * x**5
    g = f
    for _ in range(4):
        g = ag.grad(g)
    x = 0.7
    exact = x**5 * math.sin(x) - 20 * x**4 * math.cos(x) - 120 * x**3 * math.sin(x) + 240 * x**2 * math.cos(x)
    assert g(x) == pytest.approx(exact + 120 * x * math.sin(x))
    assert ag.jit(g)(x) == pytest.approx(g(x))


def test_branches_not_taken_leave_no_trace() -> None:
    f = lambda x: math.sqrt(x) if x > 0.0 else 0.0 * x
    assert ag.grad(f)(0.0) == 0.0
    assert ag.grad(lambda x: np.sum(np.where(x > 0.0, np.sqrt(x), 0.0)))(np.array([0.0, 4.0])).tolist() == [0.0, 0.25]
    assert ag.vmap(ag.grad(f))(np.array([0.0, 4.0])).tolist() == [0.0, 0.25]
    assert ag.grad(lambda v: np.linalg.norm(v))(np.zeros(2)).tolist() == [0.0, 0.0]


def test_the_gradient_through_a_cast_to_an_integer_is_that_of_a_constant() -> None:
    assert ag.grad(lambda x: x * int(x))(2.5) == 2.0
    assert ag.grad(lambda x: float(x > 1.0) * x)(2.5) == 1.0
    assert ag.grad(lambda x: np.sum(x.astype(np.float32).astype(np.float64) * 3.0))(np.ones(2)).tolist() == [3.0, 3.0]


def test_unused_arguments_have_gradient_zero() -> None:
    assert ag.grad(lambda x, y: x * 2.0, argnums=1)(1.0, 2.0) == 0.0
    zero = ag.grad(lambda t: t[0] * 2.0)((1.0, np.ones((2, 3)), [np.float64(1.0)]))
    assert zero[1].shape == (2, 3)
    assert zero[1].sum() == 0.0
    assert ag.grad(ag.grad(lambda x: 3.0 * x))(1.0) == 0.0
    assert ag.grad(lambda x: 3.0)(1.0) == 0.0


def test_arguments_are_left_as_they_were() -> None:
    # "I didn't mutate x!"
    def program(x):
        y = x.copy()
        for i in range(len(y)):
            y[i] = y[i] ** 2
        y += x
        return np.sum(y)

    x = np.array([1.0, 2.0])
    assert ag.grad(program)(x).tolist() == [3.0, 5.0]
    assert x.tolist() == [1.0, 2.0]


def test_a_million_iterations() -> None:
    def program(x, n):
        y = 1.0
        i = 0
        while i < n:
            y = y * (1.0 - x / 1e6) + 1e-6 * math.sin(y)
            i += 1
        return y

    slope = ag.grad(program)(0.5, 1_000_000)
    assert slope == pytest.approx(ag.jvp(lambda x: program(x, 1_000_000), (0.5,), (1.0,))[1], rel=1e-9)


def test_mutual_recursion_and_trees_of_calls() -> None:
    def even(x, n):
        return x if n <= 0 else odd(x * x, n - 1) + x

    def odd(x, n):
        return math.sin(x) if n <= 0 else even(x * 0.5, n - 1) * even(x + 1.0, n - 2)

    ag.check_grads(lambda x: even(x, 5), (0.7,), order=3, tolerance=1e-4)


def test_jacobians_of_programs_with_control_flow() -> None:
    def program(v):
        out = np.zeros(2)
        for i in range(len(v)):
            if v[i] > 0.0:
                out[0] += v[i] ** 2
            else:
                out[1] += np.exp(v[i])
        return out

    v = np.array([1.0, -2.0, 3.0])
    expected = np.array([[2.0, 0.0, 6.0], [0.0, np.exp(-2.0), 0.0]])
    assert np.allclose(ag.jacrev(program)(v), expected)
    assert np.allclose(ag.jacfwd(program)(v), expected)
    assert np.allclose(ag.hessian(lambda w: np.sum(program(w)))(v), np.diag([2.0, np.exp(-2.0), 2.0]))
    assert np.allclose(ag.jit(lambda w: ag.jacfwd(ag.jacrev(program))(w))(v), ag.jacrev(ag.jacfwd(program))(v))
