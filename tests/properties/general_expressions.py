"""Random expressions of each kind of value, for the general random programs.

Every number that is assigned passes through tanh: bounded, and a NumPy float on all paths.
"""

from dataclasses import dataclass, field
from random import Random

CONSTANTS = ("-1.5", "-0.7", "0.25", "0.9", "1.3", "2.1")
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
    "{0}[{2} % len({0})]",
)
SHAPED = (
    "{0}[::-1]",
    "np.cumsum({0})",
    "({0} - np.mean({0}))",
    "np.full(len({0}), {2})",
    "{0}.copy()",
    "np.roll({0}, 1)",
)
COMPARISONS = ("{0} > {1}", "{0} < 0.3", "{0} > 0.1 and {1} < 0.7", "{0} < {1} or n > 1", "not {0} > {1}", "n % 2 == 0")
KINDS = ("scalar", "array", "int", "scalars", "arrays", "state", "optional", "tree", "function", "matrix")


@dataclass
class Scope:
    """The names of each kind that may be read and assigned; `fixed` may only be read."""

    names: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    fixed: set[str] = field(default_factory=set)
    loops: int = 0
    depth: int = 0

    def inner(self, is_loop: bool = False) -> "Scope":
        """A block inside: what it makes stays inside."""
        copies = {kind: list(names) for kind, names in self.names.items()}
        return Scope(copies, set(self.fixed), self.loops + is_loop, self.depth + 1)

    def body(self) -> "Scope":
        """The body of a function inside: its surroundings are read only."""
        copies = {kind: list(names) for kind, names in self.names.items()}
        return Scope(copies, {name for names in copies.values() for name in names}, 0, self.depth + 1)

    def add(self, kind: str, name: str, fixed: bool = False) -> None:
        if name not in self.names[kind]:
            self.names[kind].append(name)
        if fixed:
            self.fixed.add(name)

    def writable(self, kind: str) -> list[str]:
        return [name for name in self.names[kind] if name not in self.fixed]


class Expressions:
    """Draws expressions."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.fresh = 0

    def pick(self, *options: str) -> str:
        return self.random.choice(options)

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def name(self, prefix: str) -> str:
        self.fresh += 1
        return f"{prefix}{self.fresh}"

    def scalar(self, scope: Scope, depth: int = 2) -> str:
        """A bounded float."""
        if depth == 0 or self.chance(3):
            return self.pick(*CONSTANTS) if self.chance(4) else self.pick(*scope.names["scalar"])
        x, y = self.scalar(scope, depth - 1), self.scalar(scope, depth - 1)
        options = [
            self.pick(*UNARY, *SCALAR_UNARY).format(x),
            self.pick(*BINARY).format(x, y),
            self.pick(*REDUCTIONS).format(self.array(scope, 0), self.array(scope, 0), self.int(scope, 1)),
            f"(np.sin({x}) if {self.condition(scope)} else np.cos({y}))",
            self.pick("max(np.sin({0}), np.cos({1}))", "min(np.cos({0}), np.cos({1}))").format(x, y),
            *self.scalars_of_data(scope, x, y),
        ]
        return self.random.choice(options)

    def scalars_of_data(self, scope: Scope, x: str, y: str) -> list[str]:
        """Ways to get a number from lists, records, functions, trees and matrices in scope."""
        options = []
        for f in scope.names["function"]:
            options += [f"{f}({x}, {y})", f"{f}({y}, {x})"]
            options.append(
                f"{self.pick('twice({0}, {1})', 'iterate({0}, {1}, n)', 'partial({0}, 0.4)({1})')}".format(f, x)
            )
            other = self.pick(*scope.names["function"])
            options.append(f"applied({f}, {other}, {self.condition(scope)}, {x})")
            options.append(f"fold({f}, {self.pick(*scope.names['array'])}, np.tanh({x}))")
        for xs in scope.names["scalars"]:
            options += [f"{xs}[{self.int(scope, 1)} % len({xs})]", f"{xs}[-1]", f"measure_scalars({xs})"]
            options.append(self.pick(f"sum({xs}, 0.0)", f"sum([np.sin(q) for q in {xs}], 0.0)", f"max({xs})"))
        for state in scope.names["state"]:
            options += [f"{state}.speed", f"{state}.energy({x})", f"{state}.half", f"{state}({x}, {y})"]
        for optional in scope.names["optional"]:
            options.append(f"({optional} if {optional} is not None else np.tanh({x}))")
        options += [f"measure_tree({tree})" for tree in scope.names["tree"]]
        for matrix in scope.names["matrix"]:
            i, j = self.int(scope, 1), self.int(scope, 0)
            options.append(f"{matrix}[{i} % 3, {j} % 3]")
        return options

    def int(self, scope: Scope, depth: int = 1) -> str:
        """A Python int that is not negative."""
        options = ["n", *scope.names["int"]]
        if depth:
            x = self.int(scope, depth - 1)
            options += [f"({x} + 1)", f"({x} * 2)", f"{x} % 3", f"({x} // 2)", "len(u)", "0", "1"]
            options += [f"len({xs})" for xs in scope.names["scalars"] + scope.names["arrays"]]
        return self.pick(*options)

    def array(self, scope: Scope, depth: int = 2) -> str:
        """A bounded array as long as `u`."""
        if depth == 0 or self.chance(3):
            return self.pick(*scope.names["array"])
        x, y = self.array(scope, depth - 1), self.array(scope, depth - 1)
        options = [
            self.pick(*UNARY).format(x),
            self.pick(*SHAPED).format(x, y, self.scalar(scope, 0)),
            self.pick(*SELECTING).format(x, y),
            self.pick(*BINARY).format(x, y),
            self.pick(*BINARY).format(x, self.scalar(scope, 1)),
            f"np.array([np.sin(q * {self.scalar(scope, 0)}) for q in {x}])",
        ]
        options += [f"{xs}[{self.int(scope, 1)} % len({xs})] * 0.8" for xs in scope.names["arrays"]]
        options += [f"{state}.place * 0.9" for state in scope.names["state"]]
        return self.random.choice(options)

    def tree(self, scope: Scope, depth: int = 2) -> str:
        """A tree, made of those in scope."""
        trees = scope.names["tree"]
        if trees and (depth == 0 or self.chance(4)):
            return self.pick(*trees)
        if depth == 0 or self.chance(3):
            return self.pick(
                f"Leaf(np.tanh({self.scalar(scope, 1)}))", f"Vector({self.array(scope, 1)} * 0.5)", "Wrap(None, n)"
            )
        if self.chance(3):
            return f"Wrap({self.tree(scope, depth - 1)}, {self.int(scope, 1)})"
        left = self.tree(scope, depth - 1)
        # Two trees from before would double the tree in each iteration of a loop.
        right = f"Leaf(np.tanh({self.scalar(scope, 0)}))" if scope.loops else self.tree(scope, depth - 1)
        return f"Pair({left}, {right}, np.tanh({self.scalar(scope, 1)}))"

    def condition(self, scope: Scope, depth: int = 0) -> str:
        """A truth value."""
        options = [self.pick(*COMPARISONS).format(self.scalar(scope, 0), self.scalar(scope, depth)) for _ in range(2)]
        options += [f"{k} {self.pick('% 2 == 0', '> 1', '< n')}" for k in scope.names["int"]]
        options += [f"len({xs}) > {self.int(scope, 0)}" for xs in scope.names["scalars"]]
        options += [f"isinstance({tree}, {self.pick('Leaf', 'Pair', 'Wrap')})" for tree in scope.names["tree"]]
        options += [f"{optional} is None" for optional in scope.names["optional"]]
        options += [f"{optional} is not None and {optional} > 0.2" for optional in scope.names["optional"]]
        return self.random.choice(options)

    def function(self, scope: Scope) -> str:
        """A function of two floats, made on the spot or chosen at run time."""
        functions = scope.names["function"]
        x, y = self.name("x"), self.name("y")
        inside = scope.body()
        inside.names["scalar"] += [x, y]
        made = f"lambda {x}, {y}: np.tanh({self.scalar(inside)}) + 0.5 * {x}"
        if not functions or self.chance(3):
            return made
        f, g = self.pick(*functions), self.pick(*functions)
        options = [
            f"compose({f}, {g})",
            f"({f} if {self.condition(scope)} else {g})",
            f"({f}, {g})[{self.int(scope)} % 2]",
        ]
        options += [f"partial(lambda p, {x}, {y}: np.tanh(p * {x} + {f}({y}, {x})), {self.scalar(scope, 1)})"]
        options += [f"({f} if {self.condition(scope)} else ({made}))", f"[{f}, {g}][{self.int(scope)} % 2]"]
        return self.random.choice([*options, *scope.names["state"]])
