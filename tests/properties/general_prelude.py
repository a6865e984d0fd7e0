"""What the general random programs use: classes, trees, higher-order functions, and how results are measured."""

from dataclasses import dataclass

import numpy as np


@dataclass
class State:
    place: np.ndarray
    speed: float

    def energy(self, weight):
        return np.sum(self.place * self.place) * 0.1 + np.tanh(self.speed * weight)

    @property
    def half(self):
        return self.speed * 0.5

    def kick(self, amount):
        self.speed = np.tanh(self.speed + amount)
        self.place[0] += amount * 0.1
        return self.speed

    def __add__(self, other):
        return State(self.place + other.place * 0.5, np.tanh(self.speed - other.speed))

    def __call__(self, x, y):
        return np.tanh(self.speed * x + y)


@dataclass
class Cell:
    parts: list
    inner: State
    best: object = None


@dataclass(frozen=True)
class Leaf:
    value: float


@dataclass(frozen=True)
class Vector:
    values: np.ndarray


@dataclass(frozen=True)
class Pair:
    left: "Leaf | Vector | Pair | Wrap"
    right: "Leaf | Vector | Pair | Wrap"
    weight: float


@dataclass(frozen=True)
class Wrap:
    inner: "Leaf | Vector | Pair | Wrap | None"
    count: int


Tree = Leaf | Vector | Pair | Wrap


def twice(f, x):
    return f(f(x, 0.5), x)


def iterate(f, x, count):
    for _ in range(count):
        x = f(x, 0.3)
    return x


def compose(f, g):
    return lambda x, y: f(g(x, y), y)


def fold(f, items, start):
    for item in items:
        start = f(start, item)
    return start


def applied(f, g, c, x):
    h = f if c else g
    return h(x, 0.2) + h(0.1, x)


def bump(array, amount):
    array[0] = array[-1] * 0.5 + amount


def measure_scalar(x):
    return np.tanh(x)


def measure_array(x):
    return np.sum(np.sin(x)) * 0.7


def measure_scalars(items):
    total = np.tanh(0.0)
    for number, item in enumerate(items):
        total = total + np.sin(item) / (1.0 + number)
    return total


def measure_arrays(items):
    total = np.tanh(0.0)
    for number, item in enumerate(items):
        total = total + np.sum(np.sin(item)) / (1.0 + number)
    return total


def measure_state(state):
    return np.sum(np.sin(state.place)) + np.cos(state.speed)


def measure_optional(x):
    return np.tanh(0.1) if x is None else np.sin(x)


def measure_int(k):
    return np.tanh(k * 0.1)


def measure_tree(tree):
    match tree:
        case Leaf(value):
            return np.sin(value)
        case Vector(values):
            return np.sum(np.sin(values)) * 0.5
        case Pair(left, right, weight):
            return np.tanh(measure_tree(left) * weight + 0.5 * measure_tree(right))
        case Wrap(inner, count):
            return np.tanh(0.3 * count) if inner is None else np.tanh(measure_tree(inner) + 0.1 * count)
