"""Small random programs as source text, well typed by construction, and with loops that end.

A program is a function of two floats `a`, `b`, two float64 arrays `u`, `v` of equal length and an integer `n`. Every
statement keeps the numbers bounded, so that long runs neither overflow nor lose what finite differences need.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

UNARY = ("np.sin({0})", "np.cos({0})", "np.tanh({0})", "np.exp(-{0} * {0})", "np.sqrt(1.0 + {0} * {0})", "-{0}")
SCALAR_UNARY = ("math.sin({0})", "math.tanh({0})", "abs({0})", "{0} ** 2 / (1.0 + {0} ** 2)")
BINARY = ("({0} + {1})", "({0} - {1})", "({0} * {1})", "({0} / (1.5 + {1} * {1}))", "(0.5 * {0} + {1})")
SELECTING = ("np.maximum({0}, {1})", "np.minimum({0}, {1})", "np.where({0} > {1}, {0}, {1})")
REDUCTIONS = (
    "np.sum({0})",
    "np.mean({0})",
    "np.max({0})",
    "{0}[0]",
    "{0}[-1]",
    "np.dot({0}, {1})",
    "{0}[n % len({0})]",
)
ARRAY_SHAPED = ("{0}[::-1]", "np.cumsum({0})", "({0} * {1})[::-1]", "({0} - np.mean({0}))", "np.full(len({0}), {2})")
CONDITIONS = ("{0} > {1}", "{0} < 0.3", "{0} > 0.1 and {1} < 0.7", "{0} < {1} or n > 1", "not {0} > {1}", "n % 2 == 0")


@dataclass(frozen=True)
class Scope:
    """The names that a statement may read: those it may assign are the same."""

    scalars: tuple[str, ...] = ("a", "b")
    arrays: tuple[str, ...] = ("u", "v")
    functions: tuple[str, ...] = ()
    depth: int = 0
    in_loop: bool = False


class Writer:
    """Draws a program, statement by statement."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.fresh = 0

    def pick(self, choices: tuple[str, ...]) -> str:
        return self.draw(st.sampled_from(choices))

    def name(self, prefix: str) -> str:
        self.fresh += 1
        return f"{prefix}{self.fresh}"

    def constant(self) -> str:
        return repr(self.draw(st.sampled_from([-1.5, -0.7, 0.25, 0.9, 1.3, 2.1])))

    def scalar(self, scope: Scope, depth: int = 2) -> str:
        """A bounded expression of a float.

        Where two paths meet (a conditional expression, max) both give a NumPy float, so that the type is one.
        """
        if depth == 0 or self.draw(st.booleans()):
            return self.pick(scope.scalars) if self.draw(st.integers(0, 3)) else self.constant()
        kind = self.draw(st.integers(0, 5))
        x, y = self.scalar(scope, depth - 1), self.scalar(scope, depth - 1)
        if kind == 0:
            return self.pick(UNARY + SCALAR_UNARY).format(x)
        if kind == 1:
            return self.pick(REDUCTIONS).format(self.array(scope, 0), self.array(scope, 0))
        if kind == 2:
            return f"(np.sin({x}) if {self.condition(scope)} else np.cos({y}))"
        if kind == 3 and scope.functions:
            return f"{self.pick(scope.functions)}({x}, {y})"
        if kind == 4:
            return self.pick(("max(np.sin({0}), np.cos({1}))", "min(np.cos({0}), np.cos({1}))")).format(x, y)
        return self.pick(BINARY).format(x, y)

    def array(self, scope: Scope, depth: int = 2) -> str:
        """A bounded expression of an array as long as `u`."""
        if depth == 0 or self.draw(st.integers(0, 2)) == 0:
            return self.pick(scope.arrays)
        kind = self.draw(st.integers(0, 4))
        x, y = self.array(scope, depth - 1), self.array(scope, depth - 1)
        if kind == 0:
            return self.pick(UNARY).format(x)
        if kind == 1:
            return self.pick(ARRAY_SHAPED).format(x, y, self.scalar(scope, 0))
        if kind == 2:
            return self.pick(SELECTING).format(x, y)
        return self.pick(BINARY).format(x, y if kind == 3 else self.scalar(scope, 1))

    def condition(self, scope: Scope) -> str:
        return self.pick(CONDITIONS).format(self.scalar(scope, 1), self.scalar(scope, 1))

    def block(self, scope: Scope, size: int) -> list[str]:
        """Some statements, at least one."""
        lines: list[str] = []
        for _ in range(self.draw(st.integers(1, size))):
            new, scope = self.statement(scope)
            lines += new
        return lines

    def inner(self, scope: Scope, in_loop: bool) -> list[str]:
        """An indented block; the names it makes stay inside."""
        deeper = Scope(scope.scalars, scope.arrays, scope.functions, scope.depth + 1, in_loop or scope.in_loop)
        return ["    " + line for line in self.block(deeper, 2)]

    def statement(self, scope: Scope) -> tuple[list[str], Scope]:
        """One statement, and the names that may be read after it."""
        kind = self.draw(st.integers(0, 9 if scope.depth < 2 else 3))
        if kind <= 1:
            name = self.pick(scope.scalars) if self.draw(st.booleans()) else self.name("s")
            lines = [f"{name} = np.tanh({self.scalar(scope)}) * 1.5"]
            return lines, self.with_names(scope, scalars=(name,))
        if kind == 2:
            name = self.pick(scope.arrays) if self.draw(st.booleans()) else self.name("w")
            return [f"{name} = np.tanh({self.array(scope)}) * 1.5"], self.with_names(scope, arrays=(name,))
        if kind == 3:
            return self.mutation(scope)
        if kind == 4:
            lines = [f"if {self.condition(scope)}:", *self.inner(scope, False)]
            if self.draw(st.booleans()):
                lines += ["else:", *self.inner(scope, False)]
            return lines, scope
        if kind in (5, 6):
            return self.for_loop(scope), scope
        if kind == 7:
            return self.while_loop(scope), scope
        if kind == 8 and scope.depth == 0:
            return self.local_function(scope)
        if kind == 9 and self.draw(st.booleans()):
            return [f"if {self.condition(scope)}:", f"    return {self.result(scope)}"], scope
        first, second = self.pick(scope.scalars), self.pick(scope.scalars)
        if first == second:
            return [f"{first} *= 0.9"], scope
        return [f"{first}, {second} = {second}, {first} * 0.8"], scope

    def mutation(self, scope: Scope) -> tuple[list[str], Scope]:
        """A write into a fresh array."""
        name = self.name("w")
        index = self.pick(("0", "-1", "n % len(u)"))
        lines = [f"{name} = {self.array(scope, 1)} + 0.0"]
        lines.append(f"{name}[{index}] {self.pick(('=', '+=', '*='))} np.tanh({self.scalar(scope, 1)})")
        return lines, self.with_names(scope, arrays=(name,))

    def for_loop(self, scope: Scope) -> list[str]:
        index = self.name("i")
        header = self.pick((f"for {index} in range(n):", f"for {index} in range(3):", f"for {index} in u:"))
        lines = [header, *self.inner(scope, True)]
        target = self.pick(scope.scalars)
        lines.append(f"    {target} = np.tanh({target} + 0.1 * {index})")
        if self.draw(st.integers(0, 2)) == 0:
            exit_word = self.pick(("break", "continue"))
            position = self.draw(st.integers(1, len(lines) - 1))
            while lines[position].startswith("     "):
                position -= 1
            if not lines[position].strip().startswith(("else", "elif")):
                lines[position:position] = [f"    if {self.condition(scope)}:", f"        {exit_word}"]
        return lines

    def while_loop(self, scope: Scope) -> list[str]:
        count = self.name("k")
        limit = self.pick(("n", "4", "n + 1"))
        condition = f"{count} < {limit}" + self.pick(("", f" and ({self.condition(scope)})"))
        return [f"{count} = 0", f"while {condition}:", f"    {count} += 1", *self.inner(scope, True)]

    def local_function(self, scope: Scope) -> tuple[list[str], Scope]:
        """A closure over what is in scope; its names are its own."""
        name, x, y = self.name("f"), self.name("x"), self.name("y")
        inside = Scope((*scope.scalars, x, y), scope.arrays, scope.functions, 1)
        lines = [f"def {name}({x}, {y}):", f"    return np.tanh({self.scalar(inside)}) + 0.5 * {x}"]
        return lines, self.with_names(scope, functions=(name,))

    @staticmethod
    def with_names(
        scope: Scope, scalars: tuple[str, ...] = (), arrays: tuple[str, ...] = (), functions: tuple[str, ...] = ()
    ) -> Scope:
        """The scope with more names."""
        return Scope(
            tuple(dict.fromkeys(scope.scalars + scalars)),
            tuple(dict.fromkeys(scope.arrays + arrays)),
            scope.functions + functions,
            scope.depth,
            scope.in_loop,
        )

    def result(self, scope: Scope) -> str:
        return f"np.sum({self.array(scope, 1)}) * 0.3 + {self.scalar(scope)}"

    def program(self) -> str:
        """The whole text."""
        # Every number that is assigned is a NumPy float, so that a name has one type on all paths.
        lines = ["a = np.tanh(a) * 1.5", "b = np.tanh(b) * 1.5"]
        scope = Scope()
        for _ in range(self.draw(st.integers(1, 5))):
            new, scope = self.statement(scope)
            lines += new
        lines.append(f"return {self.result(scope)}")
        return "\n".join(["def program(a, b, u, v, n):", *("    " + line for line in lines), ""])


@st.composite
def programs(draw: Draw) -> str:
    """The text of a random program."""
    return Writer(draw).program()
