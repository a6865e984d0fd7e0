"""What must hold of a general random program: its value, its derivatives of both modes and two orders, and its vmap."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

import arignote as ag
from arignote.runtime import native
from tests.corpus.program import Call
from tests.properties import general_prelude
from tests.properties.comparison import outcome, outcome_differences, show
from tests.properties.general_prelude import Leaf, Pair, Tree, Vector, Wrap
from tests.source_text import function_from

FLOATS = (0, 1, 2, 3)
COUNTS = (0, 1, 4)
ILL_TYPED = (NameError, TypeError, AttributeError, RecursionError)
# A few units in the last place are lost at every function, and trees and loops add many.
ULPS = 1e5


class Refused(Exception):
    """The compiler refused the program, at one of its lines."""


class Program:
    """One program, with arguments for it."""

    def __init__(self, text: str, seed: int) -> None:
        self.text, self.file = text, f"<general program {hashlib.sha256(text.encode()).hexdigest()[:12]}>"
        names = {name: value for name, value in vars(general_prelude).items() if not name.startswith("__")}
        self.program = function_from(text, "program", self.file, **names)
        self.loss: Callable[..., Any] = self.program.__globals__["loss"]
        self.calls = [arguments_for(seed + 1000 * place, n) for place, n in enumerate(COUNTS)]
        self.plain = [outcome(self.program, Call(arguments)) for arguments in self.calls]

    def is_usable(self) -> bool:
        """Whether plain Python gives finite values, or fails for reasons that are no matter of types."""
        for plain in self.plain:
            if isinstance(plain.error, ILL_TYPED):
                return False
        return all(plain.error is not None or is_finite(plain.value) for plain in self.plain)

    def is_smooth_enough(self) -> bool:
        """Whether it can be differentiated: nothing is raised."""
        return self.is_usable() and all(plain.error is None for plain in self.plain)

    def called(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a compiled function returns; a refusal must be at a line of the program, and nothing else may fail."""
        found = outcome(function, Call(arguments))
        if isinstance(found.error, ag.CompileError):
            self.check_refusal(found.error)
        assert found.error is None, f"{show(found.error)}\n{self.text}"
        return found.value

    def check_refusal(self, error: ag.CompileError) -> None:
        """A refusal names a line of the program, or a call there."""
        places = [error.span, *(span for span, _ in error.calls)]
        assert any(span is not None and span.file == self.file for span in places), f"{show(error)}\n{self.text}"
        raise Refused(str(error).splitlines()[0])

    def direction(self, place: int) -> tuple[Any, ...]:
        """A direction in which the floats of a call move."""
        generator = np.random.default_rng(place + 50)
        return tuple(
            generator.uniform(-1, 1, x.shape) if isinstance(x, np.ndarray) else float(generator.uniform(-1, 1))
            for x in self.calls[place][:4]
        )

    # Properties

    def check_value(self) -> None:
        """Values, types and errors are those of plain Python; nothing leaks."""
        compiled = ag.jit(self.program)
        for arguments, plain in zip(self.calls, self.plain):
            found = outcome(compiled, Call(arguments))
            if isinstance(found.error, ag.CompileError):
                self.check_refusal(found.error)
            lines = outcome_differences(plain, found, ULPS)
            assert not lines, "\n".join([*lines, self.text])
        del found
        self.check_leaks(lambda: [outcome(compiled, Call(arguments)) for arguments in self.calls])

    def check_leaks(self, run: Callable[[], Any]) -> None:
        before = native.live_buffers()
        run()
        assert native.live_buffers() == before, f"{native.live_buffers() - before} buffers leak\n{self.text}"

    def check_gradient(self) -> None:
        """Reverse mode gives what forward mode does, and the slope where two steps agree on what that is."""
        derivative = ag.jit(ag.value_and_grad(self.loss, argnums=FLOATS))
        for place, arguments in enumerate(self.calls):
            value, gradient = self.called(derivative, *arguments)
            assert np.isclose(value, self.loss(*arguments), rtol=1e-9, atol=1e-10), self.text
            direction = self.direction(place)
            slope = inner(gradient, direction)
            steps = self.slopes(lambda *moved: float(self.loss(*moved)), place)
            is_smooth = abs(steps[0] - steps[1]) <= 1e-5 * (1.0 + abs(steps[0]))
            assert not is_smooth or abs(slope - steps[1]) <= 1e-4 * (1.0 + abs(slope)), f"{slope} {steps}\n{self.text}"
            _, forward = self.called(directional(self.loss), arguments, direction)
            assert abs(forward - slope) <= 1e-8 * (1.0 + abs(slope)), f"{forward} {slope} {steps}\n{self.text}"
        self.check_leaks(lambda: [derivative(*arguments) and None for arguments in self.calls])

    def check_second(self) -> None:
        """Reverse over reverse and forward over reverse agree with each other, and with the slope of the gradient."""
        gradient = ag.jit(ag.grad(self.loss, argnums=FLOATS))
        second = ag.jit(ag.grad(along(self.loss), argnums=FLOATS))
        for place, arguments in enumerate(self.calls[1:], 1):
            direction = self.direction(place)
            found = self.called(second, *arguments[:4], *direction, *arguments[4:])
            mixed = self.called(directional(ag.grad(self.loss, argnums=FLOATS)), arguments, direction)[1]
            for a, b in zip(found, mixed, strict=True):
                assert np.allclose(a, b, rtol=1e-7, atol=1e-8), f"{found} {mixed}\n{self.text}"
            curvature = inner(found, direction)
            steps = self.slopes(lambda *moved, d=direction: inner(gradient(*moved), d), place)
            is_smooth = abs(steps[0] - steps[1]) <= 1e-4 * (1.0 + abs(steps[0]))
            assert not is_smooth or abs(curvature - steps[1]) <= 1e-3 * (1.0 + abs(curvature)), (
                f"{curvature} {steps}\n{self.text}"
            )

    def check_vmap(self) -> None:
        """vmap is a loop."""
        mapped = ag.jit(ag.vmap(self.loss, in_axes=(0, 0, 0, 0, None, None)))
        for arguments in self.calls[1:]:
            generator, length = np.random.default_rng(9), len(arguments[2])
            batch = [generator.uniform(-1.5, 1.5, (5, *([length] * (k > 1)))) for k in range(4)]
            rows = [outcome(self.loss, Call((*(x[i] for x in batch), *arguments[4:]))) for i in range(5)]
            if any(row.error is not None for row in rows):
                continue
            found = self.called(mapped, *batch, *arguments[4:])
            expected = [row.value for row in rows]
            assert np.allclose(found, expected, rtol=1e-9, atol=1e-10), f"{found} {expected}\n{self.text}"

    def slopes(self, function: Callable[..., float], place: int) -> list[float]:
        """Central differences of two steps; far apart near a kink or a jump."""
        arguments, direction = self.calls[place], self.direction(place)

        def at(distance: float) -> float:
            return function(*(x + distance * d for x, d in zip(arguments, direction)), *arguments[4:])

        return [(at(step) - at(-step)) / (2.0 * step) for step in (1e-5, 3e-6)]


def directional(function: Callable[..., Any]) -> Callable[..., Any]:
    """The value and the derivative of a function of the floats along a direction."""

    def derivative(arguments: Any, direction: Any) -> Any:
        def of_floats(a: Any, b: Any, u: Any, v: Any) -> Any:
            return function(a, b, u, v, arguments[4], arguments[5])

        return ag.jvp(of_floats, arguments[:4], direction)

    return derivative


def along(loss: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient along a direction, as a function that can be differentiated again."""

    def slope(a: Any, b: Any, u: Any, v: Any, p: Any, q: Any, w: Any, z: Any, n: int, tree: Any) -> Any:
        g = ag.grad(loss, argnums=(0, 1, 2, 3))(a, b, u, v, n, tree)
        return g[0] * p + g[1] * q + np.sum(g[2] * w) + np.sum(g[3] * z)

    return slope


def inner(first: Any, second: Any) -> float:
    return sum(float(np.sum(x * y)) for x, y in zip(first, second, strict=True))


def random_tree(generator: np.random.Generator, depth: int) -> Tree:
    """A tree of random shape."""
    kind = generator.integers(0, 6 if depth else 3)
    if kind == 0:
        return Leaf(np.float64(generator.uniform(-1, 1)))
    if kind == 1:
        return Vector(generator.uniform(-1, 1, generator.integers(1, 4)))
    if kind == 2:
        return Wrap(None, int(generator.integers(0, 3)))
    if kind == 3:
        return Wrap(random_tree(generator, depth - 1), int(generator.integers(0, 3)))
    left, right = random_tree(generator, depth - 1), random_tree(generator, depth - 1)
    return Pair(left, right, np.float64(generator.uniform(-1, 1)))


def arguments_for(seed: int, n: int) -> tuple[Any, ...]:
    """Reproducible arguments."""
    generator = np.random.default_rng(seed)
    length = int(generator.integers(2, 5))
    a, b = generator.uniform(-1.5, 1.5, 2).tolist()
    u, v = generator.uniform(-1.5, 1.5, (2, length))
    return a, b, u, v, n, random_tree(generator, 3)


def is_finite(value: Any) -> bool:
    """Whether every number in a result is finite."""
    if isinstance(value, Leaf | Vector | Pair | Wrap | general_prelude.State):
        return all(map(is_finite, vars(value).values()))
    if isinstance(value, tuple | list):
        return all(map(is_finite, value))
    return value is None or bool(np.all(np.isfinite(value)))
