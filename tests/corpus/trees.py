"""Recursive data: linked lists, binary and n-ary trees, expression trees."""

import abc
import math
from dataclasses import dataclass, replace
from typing import Optional

import numpy as np

from tests.corpus.program import call, program


@dataclass
class Link:
    """A linked list of numbers."""

    value: float
    rest: Optional["Link"] = None


@dataclass
class Tree:
    """A binary tree of numbers."""

    value: float
    left: "Tree | None" = None
    right: "Tree | None" = None


@dataclass
class ArrayTree:
    """A binary tree of arrays."""

    values: np.ndarray
    left: "ArrayTree | None" = None
    right: "ArrayTree | None" = None


@dataclass
class Many:
    """A tree with any number of children."""

    value: float
    children: list["Many"]


@dataclass
class Leaf:
    """The end of a decision."""

    result: np.ndarray


@dataclass
class Split:
    """A decision."""

    feature: int
    threshold: float
    low: "Leaf | Split"
    high: "Leaf | Split"


class Expression(abc.ABC):
    """An expression in x."""

    @abc.abstractmethod
    def at(self, x): ...

    def twice(self, x):
        return 2.0 * self.at(x)

    def __add__(self, other):
        return Sum(self, other)

    def __mul__(self, other):
        return Product(self, other)


@dataclass
class Number(Expression):
    """A constant."""

    value: float

    def at(self, x):
        return self.value


@dataclass
class Variable(Expression):
    """The variable."""

    def at(self, x):
        return x


@dataclass
class Sum(Expression):
    """One expression added to another."""

    left: Expression
    right: Expression

    def at(self, x):
        return self.left.at(x) + self.right.at(x)


@dataclass
class Product(Expression):
    """One expression times another."""

    left: Expression
    right: Expression

    def at(self, x):
        return self.left.at(x) * self.right.at(x)


@dataclass
class Applied(Expression):
    """A function of an expression."""

    function: str
    argument: Expression

    def at(self, x):
        if self.function == "sin":
            return math.sin(self.argument.at(x))
        if self.function == "exp":
            return math.exp(self.argument.at(x))
        raise ValueError("no function " + self.function)


@dataclass
class Husband:
    """One of two classes that lead to each other."""

    age: float
    wife: Optional["Wife"] = None


@dataclass
class Wife:
    """The other one."""

    ages: np.ndarray
    husband: Optional[Husband] = None


def linked(*values):
    """A linked list."""
    return Link(values[0], linked(*values[1:])) if values else None


def small_tree():
    """A tree that is not balanced."""
    return Tree(1.0, Tree(2.0), Tree(3.0, Tree(4.0, None, Tree(5.5))))


def array_tree():
    """A tree of arrays of different sizes."""
    inner = ArrayTree(np.ones(3), None, ArrayTree(np.array([4.0, 5.0, 6.0, 7.0])))
    return ArrayTree(np.array([1.0, 2.0]), ArrayTree(np.array([3.0])), inner)


def formula():
    """x * x + sin(2 * x)"""
    return Sum(Product(Variable(), Variable()), Applied("sin", Product(Number(2.0), Variable())))


def decisions():
    """Two decisions."""
    inner = Split(1, -1.0, Leaf(np.array([0.0, 1.0])), Leaf(np.array([0.5, 0.5])))
    return Split(0, 0.5, Leaf(np.array([1.0, 0.0])), inner)


SHORT, LONG = lambda: call(linked(3.0)), lambda: call(linked(1.0, 2.0, 3.0))


@program(SHORT, LONG, differentiable=(0,), tags="twice")
def sum_of_a_linked_list(link):
    total = 0.0
    while link is not None:
        total += link.value * link.value * link.value
        link = link.rest
    return total


@program(SHORT, LONG, differentiable=(0,), tags="twice")
def product_of_a_linked_list(link):
    return 1.0 if link is None else link.value * product_of_a_linked_list(link.rest)


@program(SHORT, LONG, differentiable=(0,))
def squares_of_a_linked_list(link):
    return None if link is None else Link(link.value**2, squares_of_a_linked_list(link.rest))


@program(SHORT, LONG, differentiable=(0,))
def reversed_list(link):
    result = None
    while link is not None:
        result = Link(link.value, result)
        link = link.rest
    return result


@program(lambda: call(0, 2.0), lambda: call(5, 2.0), differentiable=(1,))
def built_in_a_loop(n, x):
    link = None
    for i in range(n):
        link = Link(x * i, link)
    total = 0.0
    while link is not None:
        total = total * x + link.value
        link = link.rest
    return total


def _folded(function, link, start):
    return start if link is None else _folded(function, link.rest, function(start, link.value))


@program(SHORT, LONG, differentiable=(0,))
def fold_with_a_function(link):
    return _folded(lambda total, value: 2.0 * total + value, link, 1.0)


@program(lambda: call(linked(1.0, 4.0), linked(2.0, 3.0, 5.0)))
def merged(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a.value <= b.value:
        return Link(a.value, merged(a.rest, b))
    return Link(b.value, merged(a, b.rest))


@program(lambda: call(linked(1.0, 2.0, 3.0), 2.0), lambda: call(linked(1.0), 7.0))
def part_from_a_value_on(link, wanted):
    while link is not None:
        if link.value == wanted:
            return link
        link = link.rest
    return None


@program(lambda: call(linked(1.0, 2.0, 3.0), 2), edges=[lambda: call(linked(1.0), 3)])
def nth_value(link, n):
    return link.value if n == 0 else nth_value(link.rest, n - 1)


@program(lambda: call(linked(1.0, 2.0)))
def field_of_a_node_set(link):
    copy = Link(link.value, link.rest)
    copy.value = 7.0
    copy.rest = Link(8.0, copy.rest)
    return copy


@program(lambda: call(small_tree()), lambda: call(Tree(2.0)), differentiable=(0,), tags="twice")
def weighted_sum_of_a_tree(tree):
    if tree is None:
        return 0.0
    return tree.value**2 + 2.0 * weighted_sum_of_a_tree(tree.left) * weighted_sum_of_a_tree(tree.right)


@program(lambda: call(small_tree()), lambda: call(Tree(2.0)))
def depth_of_a_tree(tree):
    return 0 if not tree else 1 + max(depth_of_a_tree(tree.left), depth_of_a_tree(tree.right))


@program(lambda: call(small_tree()))
def mirrored(tree):
    return tree and Tree(tree.value, mirrored(tree.right), mirrored(tree.left))


def _inserted(tree, value):
    if tree is None:
        return Tree(value)
    if value < tree.value:
        return replace(tree, left=_inserted(tree.left, value))
    if value > tree.value:
        return Tree(tree.value, tree.left, _inserted(tree.right, value))
    return tree


@program(lambda: call([3.0, 1.0, 2.0, 5.0, 3.0]), lambda: call([1.0]))
def search_tree(values):
    tree = None
    for value in values:
        tree = _inserted(tree, value)
    return tree


def _smallest(tree):
    if tree is None:
        raise ValueError("an empty tree has no smallest value")
    while tree.left is not None:
        tree = tree.left
    return tree.value


def _without(tree, value):
    if tree is None:
        return None
    if value < tree.value:
        return Tree(tree.value, _without(tree.left, value), tree.right)
    if value > tree.value:
        return Tree(tree.value, tree.left, _without(tree.right, value))
    if tree.left is None:
        return tree.right
    if tree.right is None:
        return tree.left
    successor = _smallest(tree.right)
    return Tree(successor, tree.left, _without(tree.right, successor))


@program(lambda: call(Tree(3.0, Tree(1.0), Tree(5.0, Tree(4.0))), 3.0), lambda: call(Tree(1.0), 1.0))
def removed_from_a_search_tree(tree, value):
    return _without(tree, value)


@program(lambda: call(small_tree(), small_tree()), lambda: call(small_tree(), Tree(1.0)))
def equality_of_trees(a, b):
    return a == b, a != b, a.left == b.left


@program(lambda: call(3, 1.5), lambda: call(0, 1.5), differentiable=(1,))
def full_tree(depth, x):
    return None if depth == 0 else Tree(x, full_tree(depth - 1, x * x), full_tree(depth - 1, 0.5 * x))


@program(lambda: call(array_tree()), lambda: call(ArrayTree(np.ones(2))), differentiable=(0,), ulps=4, tags="twice")
def sum_of_a_tree_of_arrays(tree):
    if tree is None:
        return 0.0
    below = sum_of_a_tree_of_arrays(tree.left) + sum_of_a_tree_of_arrays(tree.right)
    return np.sum(tree.values * tree.values) + 2.0 * below


@program(lambda: call(array_tree()), differentiable=(0,))
def scaled_tree_of_arrays(tree):
    if tree is None:
        return None
    return ArrayTree(2.0 * tree.values, scaled_tree_of_arrays(tree.left), scaled_tree_of_arrays(tree.right))


@program(lambda: call(Many(1.0, [Many(2.0, []), Many(3.0, [Many(4.0, [])])])), lambda: call(Many(2.0, [])),
         differentiable=(0,))  # fmt: skip
def sum_of_many_children(tree):
    total = tree.value**2
    for child in tree.children:
        total += 2.0 * sum_of_many_children(child)
    return total


@program(lambda: call(decisions(), np.array([1.0, -2.0])), lambda: call(decisions(), np.array([0.0, 1.0])))
def decision_by_a_loop(tree, x):
    while isinstance(tree, Split):
        tree = tree.low if x[tree.feature] < tree.threshold else tree.high
    return tree.result


@program(lambda: call(decisions(), np.array([1.0, -2.0])), lambda: call(decisions().low, np.array([0.0, 1.0])))
def decision_by_recursion(tree, x):
    if isinstance(tree, Leaf):
        return tree.result
    return decision_by_recursion(tree.low if x[tree.feature] < tree.threshold else tree.high, x)


@program(lambda: call(formula(), 1.5), lambda: call(Number(2.0), 1.5),
         edges=[lambda: call(Applied("tan", Variable()), 1.0)], differentiable=(1,), ulps=2)  # fmt: skip
def value_of_an_expression(expression, x):
    return expression.at(x) + expression.twice(x)


def _derivative(expression):
    match expression:
        case Number():
            return Number(0.0)
        case Variable():
            return Number(1.0)
        case Sum(a, b):
            return _derivative(a) + _derivative(b)
        case Product(a, b):
            return _derivative(a) * b + a * _derivative(b)
        case Applied("exp", a):
            return _derivative(a) * expression
        case Applied("sin", a):
            return _derivative(a) * Applied("exp", a)
        case _:
            raise TypeError("this is no expression")


@program(lambda: call(formula()))
def derivative_of_an_expression(expression):
    return _derivative(expression)


@program(lambda: call(formula(), 1.5), differentiable=(1,), ulps=2)
def derivative_at_a_point(expression, x):
    return _derivative(expression).at(x)


def _simplified(expression):
    match expression:
        case Sum(a, b):
            match (_simplified(a), _simplified(b)):
                case (Number(0.0), other) | (other, Number(0.0)):
                    return other
                case (Number(x), Number(y)):
                    return Number(x + y)
                case (left, right):
                    return Sum(left, right)
        case Product(a, b):
            match (_simplified(a), _simplified(b)):
                case (Number(0.0), _) | (_, Number(0.0)):
                    return Number(0.0)
                case (Number(1.0), other) | (other, Number(1.0)):
                    return other
                case (left, right):
                    return Product(left, right)
        case other:
            return other


@program(lambda: call(formula()), lambda: call(Sum(Number(1.0), Number(2.0))))
def simplified_derivative(expression):
    return _simplified(_derivative(expression))


@dataclass
class Bound:
    """A variable of a language and its value, and those bound before."""

    name: str
    value: float
    rest: Optional["Bound"] = None


class Term:
    """A term of a small language."""


@dataclass
class Constant(Term):
    """A number."""

    value: float


@dataclass
class Name(Term):
    """A variable."""

    name: str


@dataclass
class Let(Term):
    """A variable bound in a term."""

    name: str
    value: Term
    body: Term


@dataclass
class Binary(Term):
    """An operator between two terms."""

    sign: str
    left: Term
    right: Term


@dataclass
class IfPositive(Term):
    """A decision."""

    test: Term
    then: Term
    otherwise: Term


def _looked_up(bound, name):
    while bound is not None:
        if bound.name == name:
            return bound.value
        bound = bound.rest
    raise KeyError(name)


def _interpreted(term, bound):
    match term:
        case Constant(value):
            return value
        case Name(name):
            return _looked_up(bound, name)
        case Let(name, value, body):
            return _interpreted(body, Bound(name, _interpreted(value, bound), bound))
        case Binary("+", left, right):
            return _interpreted(left, bound) + _interpreted(right, bound)
        case Binary("*", left, right):
            return _interpreted(left, bound) * _interpreted(right, bound)
        case Binary(sign, _, _):
            raise ValueError(f"no operator {sign}")
        case IfPositive(test, then, otherwise):
            return _interpreted(then if _interpreted(test, bound) > 0 else otherwise, bound)
    raise TypeError("this is no term")


def small_program():
    """let x = z * 3 in let y = x * 2 in x + y if x - 5 > 0 else z"""
    decision = IfPositive(Binary("+", Name("x"), Constant(-5.0)), Binary("+", Name("x"), Name("y")), Name("z"))
    return Let("x", Binary("*", Name("z"), Constant(3.0)), Let("y", Binary("*", Name("x"), Constant(2.0)), decision))


@program(lambda: call(small_program(), 1.0), lambda: call(small_program(), 4.0), lambda: call(Name("z"), 4.0),
         edges=[lambda: call(Name("w"), 1.0), lambda: call(Binary("-", Name("z"), Name("z")), 1.0)],
         differentiable=(1,))  # fmt: skip
def interpreter(term, z):
    return _interpreted(term, Bound("z", z))


def _melded(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a.value > b.value:
        a, b = b, a
    return Tree(a.value, _melded(a.right, b), a.left)


@program(lambda: call([3.0, 1.0, 2.0]), lambda: call([5.0]))
def skew_heap(values):
    heap = None
    for value in values:
        heap = _melded(heap, Tree(value))
    result = []
    while heap is not None:
        result.append(heap.value)
        heap = _melded(heap.left, heap.right)
    return result


def _kept(link, keeps):
    if link is None:
        return None
    return Link(link.value, _kept(link.rest, keeps)) if keeps(link.value) else _kept(link.rest, keeps)


def _joined(a, b):
    return b if a is None else Link(a.value, _joined(a.rest, b))


@program(lambda: call(linked(3.0, 1.0, 2.0)), SHORT, differentiable=(0,))
def quicksort_of_a_linked_list(link):
    if link is None:
        return None
    smaller = quicksort_of_a_linked_list(_kept(link.rest, lambda value: value < link.value))
    larger = quicksort_of_a_linked_list(_kept(link.rest, lambda value: value >= link.value))
    return _joined(smaller, Link(link.value, larger))


def _of_husband(husband):
    return 0.0 if husband is None else husband.age * _of_wife(husband.wife)


def _of_wife(wife):
    return 1.0 if wife is None else np.sum(wife.ages) + _of_husband(wife.husband)


@program(lambda: call(Husband(2.0, Wife(np.ones(3), Husband(3.0, Wife(np.ones(2)))))), differentiable=(0,))
def classes_that_lead_to_each_other(husband):
    return float(_of_husband(husband))


def _sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def _tree_lstm(tree, weights):
    if tree is None:
        return np.zeros(2), np.zeros(2)
    left, left_cell = _tree_lstm(tree.left, weights)
    right, right_cell = _tree_lstm(tree.right, weights)
    gates = weights @ np.concatenate([tree.values, left, right])
    enter, leave, update, keep = _sigmoid(gates[:2]), _sigmoid(gates[2:4]), np.tanh(gates[4:6]), _sigmoid(gates[6:])
    cell = enter * update + keep * (left_cell + right_cell)
    return leave * np.tanh(cell), cell


def _words(seed):
    rng = np.random.default_rng(seed)
    leaves = [ArrayTree(rng.normal(size=3)) for _ in range(3)]
    return ArrayTree(rng.normal(size=3), leaves[0], ArrayTree(rng.normal(size=3), leaves[1], leaves[2]))


@program(lambda: call(0.3 * np.random.default_rng(0).normal(size=(8, 7)), _words(1)), differentiable=(0, 1), ulps=16)
def tree_lstm(weights, tree):
    return np.sum(_tree_lstm(tree, weights)[0] ** 2)


@program(lambda: call(formula()), lambda: call(Number(2.0)), lambda: call(Variable()))
def class_of_a_node(expression):
    if type(expression) is Number:
        return expression.value, type(expression).__name__
    return -1.0, type(expression).__name__


@program(lambda: call(3))
def fields_of_a_root_set_in_a_loop(n):
    tree = Tree(1.0)
    for i in range(n):
        tree.value += i
        tree.left = Tree(tree.value, tree.left)
    return tree


@program(lambda: call(3))
def array_in_a_node_written(n):
    tree = ArrayTree(np.zeros(2))
    tree.values[0] = 3.0
    tree.values += 1.0
    for i in range(n):
        tree.values[1] += i
    return tree.values


@dataclass
class Counted:
    """A linked list with methods that call themselves."""

    value: float
    rest: Optional["Counted"] = None

    def __len__(self):
        return 1 + (len(self.rest) if self.rest is not None else 0)

    def __getitem__(self, index):
        return self.value if index == 0 else self.rest[index - 1]

    def __contains__(self, value):
        return self.value == value or (self.rest is not None and value in self.rest)

    def __add__(self, other):
        both = self.rest is not None and other.rest is not None
        return Counted(self.value + other.value, self.rest + other.rest if both else None)

    def mapped(self, function):
        return Counted(function(self.value), self.rest.mapped(function) if self.rest is not None else None)

    @property
    def last(self):
        return self if self.rest is None else self.rest.last

    @classmethod
    def of(cls, values):
        made = None
        for i in range(len(values)):
            made = cls(values[len(values) - 1 - i], made)
        return made


@program(lambda: call(Counted(1.0, Counted(2.0, Counted(3.0)))), lambda: call(Counted(1.0, Counted(5.0))))
def methods_that_call_themselves(link):
    return len(link), link[1], 2.0 in link, 9.0 in link, link.last.value, link + link, link.mapped(lambda v: v * v)


@program(lambda: call([1.0, 2.0, 3.0]))
def made_by_a_class_method(values):
    return Counted.of(values)


@program(lambda: call(small_tree()), lambda: call(Tree(1.0)))
def nodes_in_tuples_dicts_and_records(tree):
    pair = (tree, 0)
    while pair[0] is not None:
        pair = (pair[0].left, pair[1] + 1)
    state = {"tree": tree, "n": 0}
    while state["tree"] is not None:
        state["tree"] = state["tree"].right
        state["n"] += 1
    return pair[1], state["n"]


@program(lambda: call(small_tree()), lambda: call(small_tree().right), edges=[lambda: call(Tree(1.0))])
def one_child_or_the_other(tree):
    return (tree.left or tree.right).value


@program(lambda: call(Tree(1.0, Tree(2.0), Tree(3.0))), lambda: call(Tree(1.0)))
def identity_of_nodes(tree):
    same = tree
    local = Tree(2.0)
    return same is tree, local is same, local is not Tree(2.0), (tree.value > 1.5) is False
