"""Every whole program: compiled as plain, forward as reverse as differences, to second order, mapped as a loop."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import arignote as ag
from tests.programs.whole_program import WholeProgram, every_program

PROGRAMS = every_program()
SEEDS = (0, 1, 2)
MAPPED = 3
STEP, SECOND_STEP = 1e-6, 1e-5

every = pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
differentiable = pytest.mark.parametrize("program", [p for p in PROGRAMS if p.wrt], ids=lambda p: p.name)
twice = pytest.mark.parametrize("program", [p for p in PROGRAMS if p.wrt and p.order > 1], ids=lambda p: p.name)
mappable = pytest.mark.parametrize("program", [p for p in PROGRAMS if p.mapped is not None], ids=lambda p: p.name)


@functools.cache
def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled program, shared by all tests."""
    return ag.jit(function)


def arguments_of(program: WholeProgram, seed: int) -> tuple[Any, ...]:
    return program.make(np.random.default_rng(seed))


def parts(tree: Any) -> list[Any] | None:
    """What a container holds; None for a leaf."""
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return [getattr(tree, field.name) for field in dataclasses.fields(tree)]
    if isinstance(tree, dict):
        return list(tree.values())
    return list(tree) if isinstance(tree, tuple | list) else None


def with_parts(tree: Any, items: list[Any]) -> Any:
    """The container that holds other things."""
    if dataclasses.is_dataclass(tree):
        names = [field.name for field in dataclasses.fields(tree)]
        return dataclasses.replace(tree, **dict(zip(names, items, strict=True)))
    if isinstance(tree, dict):
        return dict(zip(tree, items, strict=True))
    return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)


def each(function: Callable[..., Any], *trees: Any) -> Any:
    """A function of the leaves of trees of one structure, as a tree."""
    inside = parts(trees[0])
    if inside is None:
        return function(*trees)
    return with_parts(trees[0], [each(function, *items) for items in zip(*map(parts, trees), strict=True)])


def leaves(tree: Any) -> Iterator[Any]:
    inside = parts(tree)
    if inside is None:
        yield tree
    else:
        for item in inside:
            yield from leaves(item)


def is_float(leaf: Any) -> bool:
    return isinstance(leaf, float) or isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f"


def direction_of(tree: Any, generator: np.random.Generator) -> Any:
    """A random tangent; None beside what is no float."""

    def draw(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray) and is_float(leaf):
            return generator.normal(size=leaf.shape)
        return float(generator.normal()) if is_float(leaf) else None

    return each(draw, tree)


def moved(tree: Any, direction: Any, step: float) -> Any:
    return each(lambda x, d: x if d is None else type(x)(x + step * d) if np.ndim(x) == 0 else x + step * d,
                tree, direction)  # fmt: skip


def inner(tree: Any, other: Any) -> float:
    pairs = zip(leaves(tree), leaves(other), strict=True)
    return float(sum(np.sum(a * b) for a, b in pairs if is_float(a) and is_float(b)))


def assert_same(expected: Any, found: Any, rtol: float, path: str = "result") -> None:
    """Same types, dtypes and shapes all through, and values within the tolerance."""
    assert type(expected) is type(found), f"{path}: {type(expected)} is expected, not {type(found)}"
    inside = parts(expected)
    if inside is not None:
        others = parts(found)
        assert others is not None and len(inside) == len(others), path
        for number, (a, b) in enumerate(zip(inside, others, strict=True)):
            assert_same(a, b, rtol, f"{path}[{number}]")
    elif isinstance(expected, np.ndarray):
        assert (expected.dtype, expected.shape) == (found.dtype, found.shape), path
        scale = float(np.max(np.abs(expected[np.isfinite(expected)]), initial=1.0)) if expected.size else 1.0
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * scale, err_msg=path)
    elif isinstance(expected, float | np.floating):
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol, err_msg=path)
    else:
        assert expected == found, path


def of_chosen(program: WholeProgram, arguments: tuple[Any, ...]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The program as a function of the arguments that it is differentiated by, and these."""
    function, wrt = program.function, program.wrt

    def chosen(*values):
        given = list(arguments)
        for number, value in zip(wrt, values):
            given[number] = value
        return function(*given)

    return chosen, tuple(arguments[number] for number in wrt)


@every
def test_compiled_as_plain(program: WholeProgram) -> None:
    for seed in SEEDS:
        expected = program.function(*arguments_of(program, seed))
        assert_same(expected, compiled(program.function)(*arguments_of(program, seed)), program.rtol)


@differentiable
def test_reverse_and_forward(program: WholeProgram) -> None:
    arguments = arguments_of(program, 0)
    derivative = ag.jit(ag.value_and_grad(program.function, argnums=program.wrt))
    value, gradient = derivative(*arguments)
    chosen, values = of_chosen(program, arguments)
    np.testing.assert_allclose(value, chosen(*values), rtol=max(program.rtol, 1e-11))
    direction = direction_of(values, np.random.default_rng(7))
    slope = (chosen(*moved(values, direction, STEP)) - chosen(*moved(values, direction, -STEP))) / (2 * STEP)
    along = inner(gradient, direction)
    assert along == pytest.approx(slope, rel=1e-5, abs=1e-6)
    given = list(arguments)
    directions = [each(lambda leaf: 0.0 * leaf if is_float(leaf) else None, argument) for argument in arguments]
    for number, part in zip(program.wrt, direction, strict=True):
        directions[number] = part
    _, tangent = ag.jvp(program.function, tuple(given), tuple(directions))
    assert float(tangent) == pytest.approx(along, rel=1e-9, abs=1e-9)


@twice
def test_second_order(program: WholeProgram) -> None:
    arguments = arguments_of(program, 0)
    _, values = of_chosen(program, arguments)
    direction = direction_of(values, np.random.default_rng(8))
    gradient = ag.jit(ag.grad(program.function, argnums=program.wrt))

    def gradient_at(step: float) -> Any:
        given = list(arguments)
        for number, value in zip(program.wrt, moved(values, direction, step), strict=True):
            given[number] = value
        return gradient(*given)

    curvature = (inner(gradient_at(SECOND_STEP), direction) - inner(gradient_at(-SECOND_STEP), direction)) / (
        2 * SECOND_STEP
    )
    directions = [each(lambda leaf: 0.0 * leaf if is_float(leaf) else None, argument) for argument in arguments]
    for number, part in zip(program.wrt, direction, strict=True):
        directions[number] = part
    _, change = ag.jvp(ag.grad(program.function, argnums=program.wrt), arguments, tuple(directions))
    assert inner(change, direction) == pytest.approx(curvature, rel=1e-4, abs=1e-5)


@mappable
def test_mapped_as_a_loop(program: WholeProgram) -> None:
    assert program.mapped is not None
    arguments = arguments_of(program, 0)
    generator = np.random.default_rng(9)
    rows: list[list[Any]] = []
    for _ in range(MAPPED):
        row = list(arguments)
        for number in program.mapped:
            row[number] = moved(row[number], direction_of(row[number], generator), 0.01)
        rows.append(row)
    expected = each(
        lambda *items: np.stack([np.asarray(item) for item in items]), *[program.function(*r) for r in rows]
    )
    stacked = [
        each(lambda *items: np.stack([np.asarray(item) for item in items]), *[row[number] for row in rows])
        if number in program.mapped else arguments[number]
        for number in range(len(arguments))
    ]  # fmt: skip
    axes = tuple(0 if number in program.mapped else None for number in range(len(arguments)))
    found = ag.jit(ag.vmap(program.function, in_axes=axes))(*stacked)
    assert_same(expected, found, max(program.rtol, 1e-11))
