"""General random programs: loops, branches, closures, recursion, lists, records, trees, writes; typed, and they end.

A program is `program(a, b, u, v, n, tree)` of two floats, two float64 arrays of equal length, an int and a tree, and
`loss` is what it returns as one number. All choices are drawn from one `random.Random`: Hypothesis gives one that
shrinks.
"""

import re
from random import Random

from tests.properties.general_expressions import Expressions, Scope

HEAD = (
    "import math",
    "from dataclasses import replace",
    "from functools import partial",
    "",
    "import numpy as np",
    "",
    "",
)
RESULTS = ("scalar", "array", "scalars", "arrays", "state", "optional", "tree")


class Writer(Expressions):
    """Writes one program."""

    def __init__(self, random: Random, size: int = 6, aliases: bool = False) -> None:
        super().__init__(random)
        self.size, self.aliases = size, aliases
        self.result_kinds = ("scalar", *random.sample(RESULTS, random.randrange(3)))

    def text(self) -> str:
        """The whole text."""
        lines = ["a = np.tanh(a) * 1.5", "b = np.tanh(b) * 1.5"]
        scope = Scope()
        scope.names["scalar"] += ["a", "b"]
        for name in "uv":
            if self.chance(2):
                lines.append(f"{name} = {name}.copy()")
                scope.add("array", name)
            else:
                scope.add("array", name, fixed=True)
        scope.add("tree", "tree")
        for _ in range(self.random.randint(1, self.size)):
            lines += self.statement(scope)
        lines.append(f"return {self.result(scope)}")
        loss = ["def loss(a, b, u, v, n, tree):", "    results = program(a, b, u, v, n, tree)"]
        terms = [f"measure_{kind}(results[{number}])" for number, kind in enumerate(self.result_kinds)]
        loss.append(f"    return {' + '.join(terms)}")
        program = ["def program(a, b, u, v, n, tree):", *indented(lines)]
        return "\n".join([*HEAD, *program, "", "", *loss, ""])

    def result(self, scope: Scope) -> str:
        """What is returned: the same kinds at every return."""
        return "(" + "".join(self.of_kind(kind, scope) + ", " for kind in self.result_kinds) + ")"

    def of_kind(self, kind: str, scope: Scope) -> str:
        """An expression of a kind, for results."""
        names = scope.names[kind]
        if names and not self.chance(4):
            return self.pick(*names)
        if kind == "scalars":
            return f"[np.tanh({self.scalar(scope, 1)})]"
        if kind == "arrays":
            return f"[{self.array(scope, 1)} + 0.0]"
        if kind == "state":
            return f"State({self.array(scope, 1)} + 0.0, np.tanh({self.scalar(scope, 1)}))"
        if kind == "optional":
            return f"(np.tanh({self.scalar(scope, 1)}) if {self.condition(scope)} else None)"
        if kind == "tree":
            return self.tree(scope)
        return f"np.tanh({self.scalar(scope)})" if kind == "scalar" else self.array(scope) + " + 0.0"

    def block(self, scope: Scope, size: int = 3) -> list[str]:
        """An indented block, whose scope is its own."""
        lines: list[str] = []
        for _ in range(self.random.randint(1, size)):
            lines += self.statement(scope)
        return indented(lines)

    def statement(self, scope: Scope) -> list[str]:
        """One statement, which may add to the scope."""
        if self.aliases and self.chance(4):
            return self.alias(scope)
        writers = [self.assign, self.assign, self.write, self.write, self.data, self.data, self.change, self.change]
        if scope.depth < 3:
            writers += [self.branch, self.for_loop, self.for_loop, self.while_loop, self.match, self.change]
        if scope.depth < 2:
            writers += [self.make_function, self.recursion, self.tree_function, self.comprehension]
        return self.random.choice(writers)(scope)

    def assign(self, scope: Scope) -> list[str]:
        """A number, an array or an int, under a new name or an old one."""
        kind = self.pick("scalar", "scalar", "array", "int", "tree", "function", "swap")
        if kind == "swap":
            some = self.pick("scalar", "array")
            names = scope.writable(some)
            if len(names) > 1:
                x, y = self.random.sample(names, 2)
                return [f"{x}, {y} = {y}, {self.of_kind(some, scope)}"]
            kind = "scalar"
        # A function under an old name would call itself, as closures see the latest value.
        old = scope.writable(kind) if kind != "function" else []
        name = self.pick(*old) if old and self.chance(2) else self.name(kind[0])
        text = {
            "scalar": lambda: f"np.tanh({self.scalar(scope)}) * 1.5",
            "array": lambda: f"np.tanh({self.array(scope)}) * 1.5",
            "int": lambda: f"{self.int(scope)} % 5",
            "tree": lambda: self.tree(scope),
            "function": lambda: self.function(scope),
        }[kind]()
        scope.add(kind, name)
        return [f"{name} = {text}"]

    def write(self, scope: Scope) -> list[str]:
        """Into an array, a row, a slice or a matrix."""
        arrays, matrices = scope.writable("array"), scope.writable("matrix")
        value, i = f"np.tanh({self.scalar(scope, 1)})", self.int(scope)
        if matrices and self.chance(2):
            m, j = self.pick(*matrices), self.int(scope)
            return self.random.choice(
                [
                    [f"{m}[{i} % 3, {j} % 3] {self.pick('=', '+=', '*=')} {value}"],
                    [f"{m}[{i} % 3] = {m}[{j} % 3] * 0.5 + {value}"],
                    [f"{m}[:, {i} % 3] += {m}[{j} % 3] * 0.1"],
                    [f"{m}[:2] = np.tanh({m}[1:] + {m}[:2])"],
                    [f"{m}[[0, 2, 0], {i} % 3] += {value}"],
                    [f"{m} = np.tanh({m} @ {m}.T)"],
                ]
            )
        if not arrays or self.chance(6):
            name = self.name("m")
            scope.add("matrix", name)
            return [f"{name} = np.outer({self.array(scope, 0)}[:1] * np.ones(3), np.array([{value}, a, b]))"]
        w = self.pick(*arrays)
        return self.random.choice(
            [
                [f"{w}[{i} % len({w})] {self.pick('=', '+=', '*=')} {value}"],
                [f"{w}[-1] {self.pick('=', '-=')} {value}"],
                [f"{w}[{self.pick('1:', ':-1', '::2', '::-1')}] {self.pick('*= 0.9', '+= 0.1', '= ' + value)}"],
                [f"{w}[1:] = np.tanh({w}[:-1] + {self.array(scope, 0)}[1:])"],
                [f"{w}[{i} % len({w})], {w}[0] = {w}[0], {w}[{i} % len({w})] * 0.9"],
                [f"{w} += {self.array(scope, 1)} * 0.1"],
                [f"{w}[{w} > 0.3] = {value}"],
            ]
        )

    def data(self, scope: Scope) -> list[str]:
        """Makes a list, a record or an optional number."""
        kind = self.pick("scalars", "arrays", "state", "optional", "cell")
        name = self.name({"scalars": "xs", "arrays": "ws", "state": "st", "optional": "o", "cell": "cell"}[kind])
        if kind == "optional":
            lines = [f"{name} = {self.pick('None', self.of_kind(kind, scope))}"]
        elif kind == "scalars":
            lines = [
                f"{name} = [{', '.join(f'np.tanh({self.scalar(scope, 1)})' for _ in range(self.random.randint(1, 3)))}]"
            ]
        elif kind == "arrays":
            lines = [
                f"{name} = [{', '.join(f'{self.array(scope, 1)} + 0.0' for _ in range(self.random.randint(1, 2)))}]"
            ]
        elif kind == "cell":
            state = f"State({self.array(scope, 1)} + 0.0, np.tanh({self.scalar(scope, 1)}))"
            lines = [f"{name} = Cell([np.tanh({self.scalar(scope, 1)})], {state})"]
            scope.add("scalars", f"{name}.parts")
            scope.add("state", f"{name}.inner")
            scope.add("optional", f"{name}.best")
            return lines
        else:
            lines = [f"{name} = {self.of_kind('state', scope.body()) if self.chance(4) else self.new_state(scope)}"]
        scope.add(kind, name)
        return lines

    def new_state(self, scope: Scope) -> str:
        return f"State({self.array(scope, 1)} + 0.0, np.tanh({self.scalar(scope, 1)}))"

    def change(self, scope: Scope) -> list[str]:
        """Changes a list, a record or an optional number."""
        value, i, array = f"np.tanh({self.scalar(scope, 1)})", self.int(scope), f"np.tanh({self.array(scope, 1)})"
        options: list[list[str]] = []
        for xs in scope.writable("scalars"):
            options += [[f"{xs}.append({value})"], [f"{xs}[{i} % len({xs})] {self.pick('=', '+=')} {value}"]]
            options += [
                [f"if len({xs}) > 1:", f"    {xs}.pop()"],
                [f"{xs} = {xs} + [{value}]"],
                [f"{xs}.insert(0, {value})"],
            ]
            options += [[f"{xs} = [np.tanh(q + {value}) for q in {xs}{self.pick('', ' if q > -0.2')}] + [{value}]"]]
            options += [
                [f"if len({xs}) > 2:", f"    a = np.tanh({xs}.pop(0) + {xs}.pop())"],
                [f"{xs}.extend({xs}[:2])"],
            ]
            options += [[f"{xs} = {xs}[::-1]"], [f"{xs} = sorted({xs})"], [f"{xs}.reverse()"]]
        for ws in scope.writable("arrays"):
            options += [[f"{ws}.append({array})"], [f"{ws}[{i} % len({ws})] = {array}"]]
            options += [[f"{ws}[{i} % len({ws})][0] = {value}"], [f"{ws}[-1] += {array}"]]
            options += [[f"{ws} = [np.tanh(q + {value}) for q in {ws}]"], [f"for q in {ws}:", f"    q[-1] = {value}"]]
        for st in scope.writable("state"):
            options += [[f"{st}.speed = {value}"], [f"{st}.place[{i} % len(u)] {self.pick('=', '+=')} {value}"]]
            options += [[f"{st}.place = {array}"], [f"{st} = replace({st}, speed={value})"], [f"{st}.kick({value})"]]
            options += [[f"{st} = {st} + {self.pick(*scope.names['state'])}"], [f"{st}.place[1:] *= 0.5"]]
        for o in scope.writable("optional"):
            options += [
                [f"{o} = {value}"],
                [f"{o} = None"],
                [f"if {o} is not None:", f"    {o} = np.tanh({o} + {value})"],
            ]
            options += [
                [f"if {o} is None or {o} < {value}:", f"    {o} = {value}"],
                [f"{o} = {self.of_kind('optional', scope)}"],
            ]
        return self.random.choice(options) if options else self.assign(scope)

    def alias(self, scope: Scope) -> list[str]:
        """Another name of something that is written, or a function that writes into what it captures or is given."""
        kind = self.pick(
            "array", "array", "state", "scalars", "arrays", "row", "element", "field", "function", "helper"
        )
        name, w, i = self.name("z"), self.pick(*scope.names["array"]), self.int(scope)
        value = f"np.tanh({self.scalar(scope, 1)})"
        if kind in ("function", "helper") and w in scope.fixed:
            return self.write(scope)
        if kind == "function":
            scope.add("function", name)
            x, y = self.name("x"), self.name("y")
            inside = [f"{w}[{i} % len({w})] = {x}", f"return np.tanh({x} * {w}[-1] + {y})"]
            return [f"def {name}({x}, {y}):", *indented(inside)]
        if kind == "helper":
            return [f"bump({w}, {value})"]
        sources = {"row": "matrix", "element": "arrays", "field": "state"}
        names = scope.writable(sources.get(kind, kind))
        if not names:
            return self.data(scope)
        whole = self.pick(*names)
        text = {"row": f"{whole}[{i} % 3]", "element": f"{whole}[{i} % len({whole})]", "field": f"{whole}.place"}
        if kind == "row":
            return [f"{name} = {text[kind]}", f"{name}[{i} % 3] = {value}", f"{whole}[0, 0] = {name}[0] * 0.5"]
        scope.add("array" if kind in text else kind, name)
        return [f"{name} = {text.get(kind, whole)}"]

    def branch(self, scope: Scope) -> list[str]:
        lines = [f"if {self.condition(scope, 1)}:", *self.block(scope.inner())]
        if self.chance(3):
            lines += [f"elif {self.condition(scope)}:", *self.block(scope.inner(), 2)]
        if self.chance(2):
            lines += ["else:", *self.block(scope.inner(), 2)]
        return lines

    def leave(self, scope: Scope) -> list[str]:
        """A way out of the loop, or out of the function."""
        word = self.pick("break", "continue", "break", f"return {self.result(scope)}")
        return [f"if {self.condition(scope)}:", f"    {word}"]

    def with_exits(self, scope: Scope, size: int = 3) -> list[str]:
        """The body of a loop, indented."""
        lines = self.block(scope, size)
        if self.chance(3):
            lines += indented(self.leave(scope)) + self.block(scope, 1)
        return lines

    def for_loop(self, scope: Scope) -> list[str]:
        inside, item = scope.inner(True), self.name("i")
        sources = [(f"for {item} in range({self.pick('n', '3', 'n + 1', '0', 'len(u)', 'n, 0, -1', '1, n')}):", "int")]
        if scope.loops < 2:
            array = self.pick(*scope.names["array"])
            sources += [(f"for {item} in {array}:", "scalar"), (f"for {item}, {item}q in zip({array}, u):", "scalar")]
            sources += [(f"for {item}q, {item} in enumerate({array}):", "scalar")]
            whole = "[:]" if self.aliases else ""  # another name of a list may let it grow for ever
            sources += [(f"for {item} in {xs}{whole}:", "scalar") for xs in scope.names["scalars"]]
            sources += [(f"for {item}q, {item} in enumerate({xs}{whole}):", "scalar") for xs in scope.names["scalars"]]
            sources += [(f"for {item} in {ws}{whole}:", "array") for ws in scope.names["arrays"]]
            sources += [(f"for {item} in ({', '.join(fs)},):", "function") for fs in [scope.names["function"]] if fs]
        header, kind = self.random.choice(sources)
        inside.add(kind, item, fixed=True)
        inside.fixed.update(re.findall(r"[\w.]+", header.split(" in ")[1]))  # it does not grow meanwhile
        lines = [header, *self.with_exits(inside)]
        if self.chance(5):
            lines += ["else:", *self.block(scope.inner(), 1)]
        return lines

    def while_loop(self, scope: Scope) -> list[str]:
        inside, k = scope.inner(True), self.name("k")
        inside.add("int", k, fixed=True)
        more = f" and ({self.condition(scope)})" if self.chance(2) else ""
        lines = [
            f"{k} = 0",
            f"while {k} < {self.pick('n', '4', 'n + 1')}{more}:",
            f"    {k} += 1",
            *self.with_exits(inside),
        ]
        if self.chance(6):
            lines += ["else:", *self.block(scope.inner(), 1)]
        return lines

    def match(self, scope: Scope) -> list[str]:
        """Looks into a tree, or into an optional number."""
        tree, x, y, z = self.pick(*scope.names["tree"]), self.name("p"), self.name("p"), self.name("p")
        leaf, pair, vector = scope.inner(), scope.inner(), scope.inner()
        leaf.add("scalar", x, fixed=True)
        vector.add("array", x, fixed=True)
        for name in (x, y):
            pair.add("tree", name, fixed=True)
        pair.add("scalar", z, fixed=True)
        lines = [f"match {tree}:", f"    case Leaf({x}):", *indented(self.block(leaf, 2))]
        lines += [f"    case Pair({x}, {y}, {z}):", *indented(self.block(pair, 2))]
        if self.chance(2):
            lines += [f"    case Vector(values={x}):", *indented(self.block(vector, 1))]
        return [*lines, "    case _:", *indented(self.block(scope.inner(), 1))]

    def make_function(self, scope: Scope) -> list[str]:
        """A closure with statements of its own."""
        name, x, y = self.name("f"), self.name("x"), self.name("y")
        if self.chance(3):
            lines = self.chosen(scope, name) if scope.names["function"] else [f"{name} = {self.function(scope)}"]
            scope.add("function", name)
            return lines
        inside = scope.body()
        for parameter in (x, y):
            inside.add("scalar", parameter)
        kinds, self.result_kinds = self.result_kinds, ()
        lines = [f"def {name}({x}, {y}):", f"    {x} = np.tanh({x})", f"    {y} = np.tanh({y})"]
        if self.chance(3):
            lines += [f"    if {self.condition(inside)}:", f"        return np.tanh({self.scalar(inside)})"]
        lines += [*self.plain_block(inside), f"    return np.tanh({self.scalar(inside)}) + 0.5 * {x}"]
        self.result_kinds = kinds
        scope.add("function", name)
        return lines

    def chosen(self, scope: Scope, name: str) -> list[str]:
        """A name for one of some functions, chosen at run time."""
        lines = [
            f"{name} = {self.function(scope)}",
            f"if {self.condition(scope)}:",
            f"    {name} = {self.function(scope)}",
        ]
        functions = scope.names["function"]
        if self.chance(2):
            return lines
        inside = scope.inner(True)
        inside.add("int", k := self.name("k"))
        again = self.pick(f"compose({name}, {self.pick(*functions)})", f"partial(iterate, {name})")
        if "partial" in again:
            return [*lines, f"for {k} in range({self.pick('n', '2')}):", f"    {name} = {self.function(inside)}"]
        return [*lines, f"if {self.condition(scope)}:", f"    {name} = {again}"]

    def plain_block(self, scope: Scope) -> list[str]:
        """Some simple statements, indented."""
        writers = [self.assign, self.write, self.data, self.change]
        return indented([line for _ in range(self.random.randrange(3)) for line in self.random.choice(writers)(scope)])

    def recursion(self, scope: Scope) -> list[str]:
        """A local function that calls itself, once or twice, and a call of it."""
        name, k, x, target = self.name("r"), self.name("k"), self.name("x"), self.name("s")
        inside = scope.body()
        inside.add("int", k, fixed=True)
        inside.add("scalar", x)
        lines = [f"def {name}({k}, {x}):", f"    if {k} <= 0{self.pick('', f' or {x} > 0.9')}:"]
        lines += [f"        return np.tanh({self.scalar(inside)})", *self.plain_block(inside)]
        call = f"{name}({k} - 1, np.tanh({self.scalar(inside, 1)}))"
        tail = [
            f"{call}",
            f"np.tanh({call} + {self.scalar(inside, 1)})",
            f"np.tanh({call} * {name}({k} - 2, {x} * 0.5))",
        ]
        tail.append(f"np.sin({call} if {self.condition(inside)} else {x} + {name}({k} - 2, -{x}))")
        lines.append(f"    return {self.random.choice(tail)}")
        lines.append(f"{target} = {name}({self.pick('n', '3', 'n + 2')}, np.tanh({self.scalar(scope, 1)}))")
        scope.add("scalar", target)
        return lines

    def tree_function(self, scope: Scope) -> list[str]:
        """A recursive function of a tree to a number or a tree, and a call of it."""
        name, t, x = self.name("w"), self.name("t"), self.name("x")
        gives_tree = self.chance(3)
        inside = scope.body()
        inside.add("scalar", x)
        inside.names["tree"] = [t]
        inside.fixed.add(t)
        left, right = (f"{name}({t}.{side}, np.tanh({self.scalar(inside, 1)}))" for side in ("left", "right"))
        inner, scalar = f"{name}({t}.inner, {x})", f"np.tanh({self.scalar(inside, 1)})"
        if gives_tree:
            cases = [
                f"Leaf(np.tanh({t}.value + {x}))",
                f"{self.pick('Pair({0}, {1}, {2})', 'Wrap(Pair({1}, {0}, {2}), 1)', '{0}')}",
            ]
            cases += [f"{t} if {t}.inner is None else {inner}", self.pick(t, f"Vector(np.sin({t}.values) * {x})")]
        else:
            cases = [f"np.tanh({t}.value * {scalar} + {x})", "np.tanh({0} * {1} + {2})"]
            cases += [f"{scalar} if {t}.inner is None else np.sin({inner})", f"np.sum({t}.values) * {x} * 0.3"]
        lines = [f"def {name}({t}, {x}):", f"    if isinstance({t}, Leaf):", f"        return {cases[0]}"]
        lines += [f"    if isinstance({t}, Pair):", f"        return {cases[1].format(left, right, scalar)}"]
        lines += [f"    if isinstance({t}, Wrap):", f"        return {cases[2]}", f"    return {cases[3]}"]
        target, kind = self.name("t" if gives_tree else "s"), "tree" if gives_tree else "scalar"
        lines.append(f"{target} = {name}({self.pick(*scope.names['tree'])}, np.tanh({self.scalar(scope, 1)}))")
        scope.add(kind, target)
        return lines

    def comprehension(self, scope: Scope) -> list[str]:
        """A list whose length is known at run time."""
        inside, item, kind = scope.inner(), self.name("q"), self.pick("scalars", "arrays")
        header, item_kind = self.random.choice([(f"range({self.pick('n', 'n + 1', '3')})", "int"), ("u", "scalar")])
        inside.add(item_kind, item, fixed=True)
        value = f"np.tanh({self.scalar(inside, 1)})" if kind == "scalars" else f"{self.array(inside, 1)} * 0.9"
        first = f"np.tanh({self.scalar(scope, 1)})" if kind == "scalars" else f"{self.array(scope, 1)} + 0.0"
        condition = f" if {self.condition(inside)}" if self.chance(3) else ""
        name = self.name("xs" if kind == "scalars" else "ws")
        scope.add(kind, name)
        return [f"{name} = [{value} for {item} in {header}{condition}] + [{first}]"]


def indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]
