"""Compiled derivatives agree with finite differences of the plain program."""

from typing import Any

import numpy as np
import pytest

import arignote as ag
from tests.corpus.program import MakeCall, Program
from tests.properties.comparison import assert_no_differences, differences
from tests.properties.subjects import differentiable_cases, with_argument
from tests.properties.trees import (
    gradient_differences,
    inner_product,
    is_float,
    is_tree,
    leaves,
    numerical_gradient,
    project,
    random_like,
)


def is_scalar(value: Any) -> bool:
    """Whether a result can be differentiated as it is."""
    return isinstance(value, float)


@pytest.mark.parametrize(("program", "make"), list(differentiable_cases()))
def test_value_and_grad(program: Program, make: MakeCall) -> None:
    """value_and_grad gives the value, and for every argument a gradient of its structure."""
    assert program.differentiable is not None
    arguments = make()
    function = program.function
    value = function(*arguments.positional, **arguments.keywords)
    if is_tree(value):
        pytest.skip("the entries of a tree cannot be added up by a program for every tree; vjp shows them")
    if not is_scalar(value):
        weights = random_like(value, seed=0)

        def function(*positional: Any, **keywords: Any) -> Any:
            return project(program.function(*positional, **keywords), weights)

        value = function(*arguments.positional, **arguments.keywords)
    numbers = tuple(n for n in program.differentiable if all(map(is_float, leaves(arguments.positional[n]))))
    derivative = ag.jit(ag.value_and_grad(function, argnums=numbers))
    found, gradients = derivative(*arguments.positional, **arguments.keywords)
    # A weighted sum is added up in another order, and may cancel.
    lines = differences(value, found, program.ulps * 4 if function is program.function else 64, "value")
    for number, gradient in zip(numbers, gradients, strict=True):

        def along(argument: Any, number: int = number) -> Any:
            moved = with_argument(arguments, number, argument)
            return function(*moved.positional, **moved.keywords)

        tree = arguments.positional[number]
        lines += gradient_differences(numerical_gradient(along, tree), gradient, tree, f"argument {number}")
    assert_no_differences(lines)


@pytest.mark.parametrize(("program", "make"), list(differentiable_cases()))
def test_vjp(program: Program, make: MakeCall) -> None:
    """The pullback of vjp gives, for a random cotangent, what value_and_grad of the weighted sum does."""
    arguments = make()
    if arguments.keywords or program.differentiable != tuple(range(len(arguments.positional))):
        pytest.skip("vjp differentiates with respect to all arguments")
    if not all(is_float(leaf) for leaf in leaves(arguments.positional)):
        pytest.skip("not every argument is a float")
    value, pullback = ag.vjp(program.function, *arguments.positional)
    weights = random_like(value, seed=1)
    gradients = pullback(weights)
    lines = differences(program.function(*arguments.positional), value, program.ulps * 4, "value")
    for number, gradient in enumerate(gradients):

        def along(argument: Any, number: int = number) -> Any:
            result = program.function(*with_argument(arguments, number, argument).positional)
            return inner_product(result, weights) if is_tree(result) else project(result, weights)

        tree = arguments.positional[number]
        lines += gradient_differences(numerical_gradient(along, tree), gradient, tree, f"argument {number}")
    assert_no_differences(lines)


@pytest.mark.parametrize(("program", "make"), list(differentiable_cases("twice")))
def test_gradient_of_gradient(program: Program, make: MakeCall) -> None:
    """grad(grad(f)) agrees with finite differences of grad(f), along a random direction."""
    arguments = make()
    function = program.function
    if not is_scalar(function(*arguments.positional)):
        pytest.skip("the result is not a scalar")
    others = arguments.positional[1:]
    direction = random_like(arguments.positional[0], seed=2)
    if is_tree(arguments.positional[0]):
        assert_no_differences(second_derivative_differences(function, arguments.positional[0], direction))
        return

    def slope(argument: Any) -> Any:
        return np.sum(ag.grad(function)(argument, *others) * direction)

    second = ag.jit(ag.grad(slope))(arguments.positional[0])
    first = ag.jit(slope)
    numeric = numerical_gradient(first, arguments.positional[0])
    assert_no_differences(gradient_differences(numeric, second, arguments.positional[0], "second derivative"))


def second_derivative_differences(function: Any, tree: Any, direction: Any) -> list[str]:
    """Of a function of a tree: the tangent of the gradient along a direction, and finite differences of the slope."""
    gradient = ag.jit(ag.grad(function))
    _, second = ag.jvp(ag.grad(function), (tree,), (direction,))
    numeric = numerical_gradient(lambda moved: inner_product(gradient(moved), direction), tree)
    return gradient_differences(numeric, second, tree, "second derivative")


@pytest.mark.parametrize(("program", "make"), list(differentiable_cases()))
def test_forward_mode_agrees_with_reverse(program: Program, make: MakeCall) -> None:
    """w . (J v) by jvp is (w J) . v by vjp."""
    arguments = make()
    if arguments.keywords or program.differentiable != tuple(range(len(arguments.positional))):
        pytest.skip("all arguments are differentiated by")
    if not all(is_float(leaf) for leaf in leaves(arguments.positional)):
        pytest.skip("not every argument is a float")
    directions = random_like(arguments.positional, seed=2)
    value, tangent = ag.jvp(program.function, arguments.positional, directions)
    weights = random_like(value, seed=1)
    _, pullback = ag.vjp(program.function, *arguments.positional)
    forward, reverse = inner_product(tangent, weights), inner_product(pullback(weights), directions)
    assert forward == pytest.approx(reverse, rel=1e-9, abs=1e-9)
