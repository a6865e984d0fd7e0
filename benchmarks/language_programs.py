"""The programs of the benchmarks of the language: trees, recursion, lists, item assignment, loops.

They are ordinary Python; what measures them is in `language.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import arignote as ag

Array = np.ndarray[Any, Any]
WIDTH, HIDDEN = 16, 16


@dataclass
class Sentence:
    """A binary parse tree with a vector at each leaf."""

    vector: np.ndarray | None
    left: Sentence | None
    right: Sentence | None


def sentence(generator: np.random.Generator, depth: int) -> Sentence:
    """The full tree of this depth: 2 ** (depth + 1) - 1 nodes."""
    if depth == 0:
        return Sentence(generator.normal(size=WIDTH), None, None)
    return Sentence(None, sentence(generator, depth - 1), sentence(generator, depth - 1))


def parameters(generator: np.random.Generator) -> dict[str, Array]:
    scale = 1.0 / math.sqrt(HIDDEN)
    return {
        "leaf": generator.normal(size=(2 * HIDDEN, WIDTH)) * scale,
        "gates": generator.normal(size=(5 * HIDDEN, 2 * HIDDEN)) * scale,
        "bias": generator.normal(size=5 * HIDDEN) * scale,
        "out": generator.normal(size=HIDDEN),
    }


def sigmoid(x):  # type: ignore[no-untyped-def]
    return 1.0 / (1.0 + np.exp(-x))


def encode(p, tree):  # type: ignore[no-untyped-def]
    n = p["out"].shape[0]
    if tree.left is None or tree.right is None:
        both = np.tanh(p["leaf"] @ tree.vector)
        return both[:n], both[n:]
    hl, cl = encode(p, tree.left)
    hr, cr = encode(p, tree.right)
    z = p["gates"] @ np.concatenate([hl, hr]) + p["bias"]
    i, fl, fr, o, u = z[:n], z[n : 2 * n], z[2 * n : 3 * n], z[3 * n : 4 * n], z[4 * n :]
    c = sigmoid(i) * np.tanh(u) + sigmoid(fl) * cl + sigmoid(fr) * cr
    return sigmoid(o) * np.tanh(c), c


def tree_lstm(p, tree):  # type: ignore[no-untyped-def]
    """Tai, Socher and Manning: a recurrent network along a parse tree."""
    h, _ = encode(p, tree)
    return np.log1p(np.exp(-np.dot(p["out"], h)))


class Expression:
    """An arithmetic expression."""


@dataclass
class Number(Expression):
    value: float


@dataclass
class Variable(Expression):
    index: int


@dataclass
class Add(Expression):
    left: Expression
    right: Expression


@dataclass
class Multiply(Expression):
    left: Expression
    right: Expression


@dataclass
class Sine(Expression):
    operand: Expression


def expression(generator: np.random.Generator, depth: int) -> Expression:
    """A tree in which sums, products and sines take turns."""
    if depth == 0:
        return Number(float(generator.normal())) if generator.random() < 0.5 else Variable(int(generator.integers(3)))
    if depth % 3 == 0:
        return Sine(expression(generator, depth - 1))
    made = expression(generator, depth - 1), expression(generator, depth - 1)
    return Add(*made) if depth % 3 == 1 else Multiply(*made)


def nodes(tree: Any) -> int:
    """How many nodes a tree has."""
    inner = [part for part in vars(tree).values() if isinstance(part, (Expression, Sentence))]
    return 1 + sum(map(nodes, inner))


def interpret(tree, x):  # type: ignore[no-untyped-def]
    if isinstance(tree, Number):
        return tree.value
    if isinstance(tree, Variable):
        return float(x[tree.index])
    if isinstance(tree, Add):
        return interpret(tree.left, x) + interpret(tree.right, x)
    if isinstance(tree, Multiply):
        return interpret(tree.left, x) * interpret(tree.right, x)
    return math.sin(interpret(tree.operand, x))


def fill(x, n):  # type: ignore[no-untyped-def]
    """An array written item by item, each from the one before."""
    out = np.zeros(n)
    out[0] = x
    for i in range(1, n):
        out[i] = out[i - 1] * 0.999 + x
    return out


def filled_sum(x, n):  # type: ignore[no-untyped-def]
    return np.sum(fill(x, n) ** 2)


def append(x, n):  # type: ignore[no-untyped-def]
    """A list made by appending, and read back."""
    items = []
    value = x
    for _ in range(n):
        value = value * 0.999 + 1.0
        items.append(value)
    total = 0.0
    for item in items:
        total += item
    return total


def smooth_loop(x, n):  # type: ignore[no-untyped-def]
    """A loop whose body is not linear in what it carries."""
    for _ in range(n):
        x = math.sin(x) + 0.5
    return x


def linear_loop(x, a, n):  # type: ignore[no-untyped-def]
    """A loop whose body is linear in what it carries."""
    y = 0.0
    for _ in range(n):
        y = a * y + x
    return y


def checkpointed_loop(x, n):  # type: ignore[no-untyped-def]
    return ag.checkpoint(smooth_loop)(x, n)


def deep(x, n):  # type: ignore[no-untyped-def]
    """Recursion that is not in tail position."""
    return 0.0 if n == 0 else math.sin(x) + 0.5 * deep(x * 0.9999, n - 1)


def tail(x, n):  # type: ignore[no-untyped-def]
    return x if n == 0 else tail(x * 0.999 + 1.0, n - 1)
