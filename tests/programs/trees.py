"""Recursive data: networks over trees, interpreters, lists with links."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from tests.programs.whole_program import whole_program


@dataclass
class Sentence:
    """A binary parse tree with a vector at each leaf."""

    vector: np.ndarray | None
    left: Sentence | None
    right: Sentence | None


def random_sentence(generator, depth, width):
    if depth == 0 or generator.random() < 0.2:
        return Sentence(generator.normal(size=width), None, None)
    return Sentence(None, random_sentence(generator, depth - 1, width), random_sentence(generator, depth - 1, width))


def tree_lstm_parameters(generator, width, hidden):
    scale = 1.0 / math.sqrt(hidden)
    return {
        "leaf": generator.normal(size=(2 * hidden, width)) * scale,
        "gates": generator.normal(size=(5 * hidden, 2 * hidden)) * scale,
        "bias": generator.normal(size=5 * hidden) * scale,
        "out": generator.normal(size=hidden),
    }


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def encode(p, tree):
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


@whole_program(
    lambda g: (tree_lstm_parameters(g, 4, 3), random_sentence(g, int(g.integers(1, 5)), 4)), wrt=(0, 1), rtol=1e-11
)
def tree_lstm(parameters, tree):
    """Tai, Socher and Manning: a recurrent network along a parse tree."""
    h, _ = encode(parameters, tree)
    score = np.dot(parameters["out"], h)
    return np.log1p(np.exp(-score))


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


def random_expression(generator, depth):
    kind = int(generator.integers(0, 5)) if depth > 0 else int(generator.integers(0, 2))
    if kind == 0:
        return Number(float(generator.normal()))
    if kind == 1:
        return Variable(int(generator.integers(0, 3)))
    if kind == 2:
        return Add(random_expression(generator, depth - 1), random_expression(generator, depth - 1))
    if kind == 3:
        return Multiply(random_expression(generator, depth - 1), random_expression(generator, depth - 1))
    return Sine(random_expression(generator, depth - 1))


def every_kind(generator, depth):
    """An expression in which every class of node occurs."""
    some = Multiply(Variable(0), Add(Number(1.5), Sine(Variable(1))))
    return Add(some, Multiply(random_expression(generator, depth), random_expression(generator, depth)))


def interpret(expression, x):
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Variable):
        return float(x[expression.index])
    if isinstance(expression, Add):
        return interpret(expression.left, x) + interpret(expression.right, x)
    if isinstance(expression, Multiply):
        return interpret(expression.left, x) * interpret(expression.right, x)
    return math.sin(interpret(expression.operand, x))


@whole_program(lambda g: (every_kind(g, 4), g.normal(size=3)), wrt=(0, 1))
def expression_value(expression, x):
    """An interpreter of expression trees; its gradient with respect to the tree has the numbers' derivatives."""
    return interpret(expression, x)


def symbolic(expression, index):
    match expression:
        case Number():
            return Number(0.0)
        case Variable(i):
            return Number(1.0 if i == index else 0.0)
        case Add(left, right):
            return Add(symbolic(left, index), symbolic(right, index))
        case Multiply(left, right):
            return Add(Multiply(symbolic(left, index), right), Multiply(left, symbolic(right, index)))
        case Sine(operand):
            return Multiply(Sine(Add(operand, Number(math.pi / 2))), symbolic(operand, index))
    raise TypeError("not an expression")


@whole_program(lambda g: (every_kind(g, 3), g.normal(size=3)), wrt=(1,))
def symbolic_derivative(expression, x):
    """The derivative as another expression, built by matching, and its value."""
    return interpret(symbolic(expression, 0), x) - 2.0 * interpret(symbolic(expression, 1), x)


def simplify(expression):
    match expression:
        case Add(left, right):
            a, b = simplify(left), simplify(right)
            if isinstance(a, Number) and isinstance(b, Number):
                return Number(a.value + b.value)
            if isinstance(a, Number) and a.value == 0.0:
                return b
            return Add(a, b)
        case Multiply(left, right):
            a, b = simplify(left), simplify(right)
            if isinstance(a, Number) and a.value == 0.0:
                return Number(0.0)
            return Multiply(a, b)
        case Sine(operand):
            return Sine(simplify(operand))
        case _:
            return expression


@whole_program(lambda g: (every_kind(g, 4),))
def simplified_expression(expression):
    """Constant folding; the result is a tree."""
    return simplify(symbolic(expression, 0))


@dataclass
class Link:
    """A list with links."""

    value: float
    rest: Link | None


def chain(generator):
    link = None
    for value in generator.normal(size=int(generator.integers(1, 20))):
        link = Link(float(value), link)
    return link


@whole_program(lambda g: (chain(g), float(g.normal())), wrt=(0, 1))
def horner_on_links(link, x):
    """A polynomial whose coefficients are a linked list."""
    total = 0.0
    while link is not None:
        total = total * x + link.value
        link = link.rest
    return total


@whole_program(lambda g: (chain(g),))
def reversed_links(link):
    """Map and reverse, building new links."""
    result = None
    while link is not None:
        result = Link(math.exp(link.value), result)
        link = link.rest
    return result


@dataclass
class Search:
    key: float
    left: Search | None = None
    right: Search | None = None


def insert(tree, key):
    if tree is None:
        return Search(key)
    if key < tree.key:
        return replace(tree, left=insert(tree.left, key))
    return replace(tree, right=insert(tree.right, key))


def in_order(tree, place, out):
    if tree is None:
        return place
    place = in_order(tree.left, place, out)
    out[place] = tree.key
    return in_order(tree.right, place + 1, out)


def count(tree):
    return 0 if tree is None else 1 + count(tree.left) + count(tree.right)


def height(tree):
    return 0 if tree is None else 1 + max(height(tree.left), height(tree.right))


@whole_program(lambda g: (g.normal(size=int(g.integers(1, 30))),))
def search_tree(keys):
    """Insert the keys one by one; how many there are, and how deep the tree is."""
    tree = None
    for key in keys:
        tree = insert(tree, float(key))
    return count(tree), height(tree)


@dataclass
class Family:
    """A tree with any number of children."""

    weight: np.ndarray
    children: list[Family] = field(default_factory=list)


def random_family(generator, depth):
    children = [random_family(generator, depth - 1) for _ in range(int(generator.integers(0, 4)))] if depth else []
    return Family(generator.normal(size=2), children)


def gather(node, inherited):
    state = np.tanh(node.weight + 0.5 * inherited)
    total = np.sum(state**2)
    for child in node.children:
        total = total + gather(child, state)
    return total


@whole_program(lambda g: (random_family(g, 4), g.normal(size=2)), wrt=(0, 1), rtol=1e-11)
def family_energy(root, start):
    """Down an n-ary tree with a state that depends on all ancestors."""
    return gather(root, start)


@dataclass
class Split:
    """A soft decision tree: a logistic split, or a leaf with a value."""

    direction: np.ndarray
    value: float
    low: Split | None
    high: Split | None

    @property
    def is_leaf(self):
        return self.low is None

    def __call__(self, x):
        if self.is_leaf:
            return self.value
        gate = 1.0 / (1.0 + math.exp(-float(np.dot(self.direction, x))))
        return gate * self.high(x) + (1.0 - gate) * self.low(x)


def random_split(generator, depth):
    if depth == 0:
        return Split(generator.normal(size=3), float(generator.normal()), None, None)
    low, high = random_split(generator, depth - 1), random_split(generator, int(generator.integers(0, depth)))
    return Split(generator.normal(size=3), 0.0, low, high)


@whole_program(lambda g: (random_split(g, 4), g.normal(size=(5, 3)), g.normal(size=5)), wrt=(0,), rtol=1e-11)
def soft_decision_tree(tree, xs, ys):
    """Squared error of a tree that is called like a function."""
    error = 0.0
    for i in range(xs.shape[0]):
        error += (tree(xs[i]) - ys[i]) ** 2
    return error
