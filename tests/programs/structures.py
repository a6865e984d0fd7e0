"""Programs whose data grows while they run: spatial trees, heaps, environments of an interpreter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.programs.whole_program import whole_program


@dataclass
class Quad:
    """A square of the plane with the bodies in it."""

    mass: float
    x: float
    y: float
    size: float
    children: list[Quad]


def quad_tree(x, y, mass, inside, cx, cy, half, depth):
    total, sx, sy = 0.0, 0.0, 0.0
    for i in inside:
        total += mass[i]
        sx += mass[i] * x[i]
        sy += mass[i] * y[i]
    children = []
    if len(inside) > 1 and depth > 0:
        for right in (-1.0, 1.0):
            for up in (-1.0, 1.0):
                part = [i for i in inside if (x[i] >= cx) == (right > 0) and (y[i] >= cy) == (up > 0)]
                if len(part) > 0:
                    mx, my = cx + right * half / 2, cy + up * half / 2
                    children.append(quad_tree(x, y, mass, part, mx, my, half / 2, depth - 1))
    return Quad(total, sx / total, sy / total, 2 * half, children)


def potential(node, x, y, opening):
    distance = math.sqrt((node.x - x) ** 2 + (node.y - y) ** 2 + 1e-3)
    if len(node.children) == 0 or node.size / distance < opening:
        return -node.mass / distance
    total = 0.0
    for child in node.children:
        total += potential(child, x, y, opening)
    return total


@whole_program(
    lambda g: (g.normal(size=int(g.integers(2, 40))), g.normal(size=40), g.uniform(1, 2, size=40)),
    wrt=(0, 1, 2),
    rtol=1e-10,
)
def barnes_and_hut(x, y, mass):
    """The energy of bodies by a tree of squares, built and walked for each position."""
    root = quad_tree(x, y, mass, list(range(x.shape[0])), 0.0, 0.0, 4.0, 12)
    energy = 0.0
    for i in range(x.shape[0]):
        energy += 0.5 * mass[i] * potential(root, x[i], y[i], 0.5)
    return energy


def random_graph(generator):
    n, degree = int(generator.integers(2, 25)), 3
    starts = np.arange(0, n * degree + 1, degree)
    return starts, generator.integers(0, n, size=n * degree), generator.uniform(1, 2, size=n * degree)


@whole_program(random_graph, wrt=(2,), mapped=(2,))
def dijkstra(starts, targets, weights):
    """Shortest paths with a binary heap of pairs; the derivative says which edges the paths use."""
    n = starts.shape[0] - 1
    distance = np.full(n, np.inf)
    distance[0] = 0.0
    heap = [(0.0, 0)]
    while heap:
        d, u = heap[0]
        last = heap.pop()
        if heap:
            heap[0] = last
            i = 0
            while True:
                least, left = i, 2 * i + 1
                if left < len(heap) and heap[left][0] < heap[least][0]:
                    least = left
                if left + 1 < len(heap) and heap[left + 1][0] < heap[least][0]:
                    least = left + 1
                if least == i:
                    break
                heap[i], heap[least] = heap[least], heap[i]
                i = least
        if d > distance[u]:
            continue
        for k in range(starts[u], starts[u + 1]):
            v, new = targets[k], d + weights[k]
            if new < distance[v]:
                distance[v] = new
                heap.append((new, v))
                i = len(heap) - 1
                while i > 0 and heap[(i - 1) // 2][0] > heap[i][0]:
                    heap[i], heap[(i - 1) // 2] = heap[(i - 1) // 2], heap[i]
                    i = (i - 1) // 2
    return np.sum(np.where(np.isfinite(distance), distance, 0.0))


class Term:
    """A term of the lambda calculus, with numbers."""


@dataclass
class Literal(Term):
    value: float


@dataclass
class Index(Term):
    """A variable, by how many lambdas lie between it and its own."""

    depth: int


@dataclass
class Lambda(Term):
    body: Term


@dataclass
class Apply(Term):
    function: Term
    argument: Term


@dataclass
class Arithmetic(Term):
    sign: int
    left: Term
    right: Term


@dataclass
class Unless(Term):
    """`then` if the condition is 0."""

    condition: Term
    then: Term
    otherwise: Term


class Value:
    """What a term evaluates to."""


@dataclass
class Known(Value):
    value: float


@dataclass
class Closure(Value):
    body: Term
    environment: Environment | None


@dataclass
class Environment:
    head: Value
    tail: Environment | None


def lookup(environment, depth):
    while depth > 0:
        environment = environment.tail
        depth -= 1
    return environment.head


def evaluate(term, environment):
    match term:
        case Literal(value):
            return Known(value)
        case Index(depth):
            return lookup(environment, depth)
        case Lambda(body):
            return Closure(body, environment)
        case Apply(function, argument):
            closure = evaluate(function, environment)
            value = evaluate(argument, environment)
            if not isinstance(closure, Closure):
                raise TypeError("not a function")
            return evaluate(closure.body, Environment(value, closure.environment))
        case Arithmetic(sign, left, right):
            x, y = evaluate(left, environment), evaluate(right, environment)
            if not isinstance(x, Known) or not isinstance(y, Known):
                raise TypeError("numbers are expected")
            if sign == 0:
                return Known(x.value + y.value)
            return Known(x.value * y.value if sign == 1 else x.value - y.value)
        case Unless(condition, then, otherwise):
            known = evaluate(condition, environment)
            if isinstance(known, Known) and known.value == 0.0:
                return evaluate(then, environment)
            return evaluate(otherwise, environment)
    raise ValueError("no term")


def factorial_program(generator):
    """Recursion by self-application, times a function applied twice."""
    down = Apply(Apply(Index(1), Index(1)), Arithmetic(2, Index(0), Literal(1.0)))
    body = Unless(Index(0), Literal(1.0), Arithmetic(1, Index(0), down))
    factorial = Lambda(Lambda(body))
    number = float(generator.integers(0, 8))
    twice = Lambda(Lambda(Apply(Index(1), Apply(Index(1), Index(0)))))
    square = Lambda(Arithmetic(0, Arithmetic(1, Index(0), Index(0)), Literal(float(generator.normal()))))
    left = Apply(Apply(factorial, factorial), Literal(number))
    return (Arithmetic(1, left, Apply(Apply(twice, square), Literal(float(generator.normal())))),)


@whole_program(factorial_program)
def lambda_calculus(term):
    """An interpreter with closures and environments as data."""
    result = evaluate(term, None)
    if isinstance(result, Known):
        return result.value
    raise TypeError("a number is expected")
