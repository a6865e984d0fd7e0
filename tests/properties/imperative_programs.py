"""Random imperative programs over four-element vectors x, y, z, a matrix M and numbers s, t.

Element and slice writes, copies, names that swap, branches, loops with break and continue, helpers that return early.
"""

import random

PRELUDE = """def helper(a, q):
    a = a.copy()
    a[0] = a[1] * 0.5
    if q > 0.2:
        return a
    return a * 0.9 + 0.05

def program(x, y, s, n):
    x = x.copy()
    y = y.copy()
    z = x * y
    M = np.outer(x, y)
    t = s * 0.5
"""
RESULT = "    return x, y, z, M, s, t\n"
VECTORS = ("x", "y", "z")
PARTS = ("1:3", ":2", "::2", "2:", "1::-1")


class Writer:
    """Writes one program."""

    def __init__(self, seed: int) -> None:
        self.random, self.lines, self.counters = random.Random(seed), [], 0

    def text(self) -> str:
        self.block(1, (), self.random.randint(3, 8))
        return PRELUDE + "\n".join(self.lines) + "\n" + RESULT

    def put(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    def vector(self) -> str:
        return self.pick(*VECTORS)

    def index(self, loops: tuple[str, ...]) -> str:
        options = [str(self.random.randint(-4, 3))]
        for name in loops:
            options += [f"{name} % 4", f"({name} + {self.random.randint(1, 3)}) % 4", f"-1 - {name} % 4"]
        return self.pick(*options)

    def number(self, loops: tuple[str, ...], depth: int = 0) -> str:
        """An expression for a number."""
        options = [str(round(self.random.uniform(-1, 1), 2)), "s", "t", f"{self.vector()}[{self.index(loops)}]"]
        options.append(f"np.{self.pick('sum', 'max', 'mean')}({self.vector()})")
        if depth < 2:
            first, second = self.number(loops, depth + 1), self.number(loops, depth + 1)
            options += [
                f"np.{self.pick('sin', 'tanh', 'cos')}({first})",
                f"({first} {self.pick('+', '-', '*')} {second})",
            ]
        return self.pick(*options)

    def array(self, loops: tuple[str, ...]) -> str:
        """An expression for a vector."""
        a, b, number = self.vector(), self.vector(), self.number(loops)
        return self.pick(
            *(f"{a}.copy()", f"{a} * 0.5 + {b}", f"np.sin({a})", f"{a} * {number}", f"{a}[::-1] + {b}"),
            *(f"np.where({a} > {b}, {a}, {b} * 0.5)", f"np.tanh(np.cumsum({a}))", f"helper({a}, {number})"),
            *(f"np.concatenate([{a}[2:], {b}[:2]])", f"np.tanh(M @ {a})", f"{a}[np.array([3, 1, 0, 2])]"),
            f"np.tanh(M[{self.index(loops)}] + M.T[{self.index(loops)}])",
        )

    def condition(self, loops: tuple[str, ...]) -> str:
        options = [f"{self.number(loops)} > {self.number(loops)}"]
        return self.pick(*options, *(f"{name} % 2 == 0" for name in loops), *(f"{name} > 1" for name in loops))

    def block(self, depth: int, loops: tuple[str, ...], statements: int) -> None:
        for _ in range(statements):
            self.random.choice((self.simple, self.simple, self.simple, self.compound))(depth, loops)

    def simple(self, depth: int, loops: tuple[str, ...]) -> None:
        """A statement without a body."""
        a, b, i, j = self.vector(), self.vector(), self.index(loops), self.index(loops)
        number = f"np.tanh({self.number(loops)})"
        self.put(
            depth,
            self.pick(
                *(
                    f"{a}[{i}] = {number}",
                    f"{a}[{i}] {self.pick('+=', '-=')} 0.3 * {number}",
                    f"{self.pick('s', 't')} = {number}",
                ),
                *(f"{a} = {self.array(loops)}", f"{a}, {b} = {b}, {a}", f"{a}[{i}], {a}[{j}] = {a}[{j}], {a}[{i}]"),
                *(f"{a}[{self.pick(*PARTS)}] = {b}[{self.pick(*PARTS)}] * 0.5", f"M[{i}, {j}] = {number}"),
                *(f"M[{i}] = {self.array(loops)} * 0.5", f"M[:, {i}] += {a} * 0.1", f"{a} *= 0.9"),
            ),
        )

    def compound(self, depth: int, loops: tuple[str, ...]) -> None:
        """A branch, a loop, or a way out of one."""
        kind = self.pick("if", "if", "for", "for", "while", "leave")
        if depth > 3 or (kind == "for" and len(loops) == 3):
            self.simple(depth, loops)
        elif kind == "if" or (kind == "leave" and not loops):
            self.put(depth, f"if {self.condition(loops)}:")
            self.block(depth + 1, loops, self.random.randint(1, 3))
            if self.random.random() < 0.5:
                self.put(depth, "else:")
                self.block(depth + 1, loops, self.random.randint(1, 3))
        elif kind == "leave":
            self.put(depth, f"if {self.condition(loops)}:")
            self.put(depth + 1, self.pick("break", "continue"))
        elif kind == "for":
            name = "ijk"[len(loops)]
            self.put(depth, f"for {name} in range({self.pick('n', '3', '4', '2 * n', '0')}):")
            self.block(depth + 1, (*loops, name), self.random.randint(1, 4))
        else:
            self.counters += 1
            name = f"c{self.counters}"
            self.put(depth, f"{name} = 0")
            self.put(depth, f"while {name} < n:")
            self.put(depth + 1, f"{name} += 1")
            self.block(depth + 1, (*loops, name), self.random.randint(1, 3))
