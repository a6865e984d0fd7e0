"""Tuples, lists, dicts, named tuples, dataclasses; unpacking and comprehensions."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from tests.corpus.program import call, program


class Point(NamedTuple):
    """A named tuple."""

    x: Any
    y: Any

    def dot(self, other):
        return self.x * other.x + self.y * other.y


@dataclass(frozen=True)
class Particle:
    """A frozen dataclass."""

    position: Any
    velocity: Any
    mass: Any = 2.0

    def energy(self):
        return 0.5 * self.mass * self.velocity**2

    @property
    def momentum(self):
        return self.mass * self.velocity


@dataclass(frozen=True)
class Segment:
    """A dataclass of named tuples."""

    start: Point
    end: Point


@program(lambda: call((1.0, 2.0)), lambda: call((3.0, -1.0)), differentiable=(0,))
def tuple_items(pair):
    return pair[0] * pair[1] + pair[-1]


@program(lambda: call(1.0, 2.0), lambda: call(1, np.array([1.0, 2.0])))
def tuple_result(x, y):
    return x, (y, x + 1), ()


@program(lambda: call((1.0, (2.0, 3.0))), differentiable=(0,))
def nested_unpacking(tree):
    a, (b, c) = tree
    return a * b + c


@program(
    lambda: call((1.0, 2.0, 3.0, 4.0)), lambda: call((1.0, 2.0)), edges=[lambda: call((1.0,))], differentiable=(0,)
)
def starred_unpacking(values):
    first, *middle, last = values
    total = first - last
    for value in middle:
        total = total + value * value
    return total


@program(lambda: call((1.0, 2.0)), edges=[lambda: call((1.0, 2.0, 3.0))])
def unpack_two(values):
    a, b = values
    return a - b


@program(lambda: call(np.array([1.0, 2.0, 4.0])), edges=[lambda: call(np.array([1.0, 2.0]))], differentiable=(0,))
def unpack_an_array(x):
    a, b, c = x
    return a * b - c


@program(lambda: call((1.0, 2.0, 3.0)), lambda: call((5, 6.0, 7)))
def tuple_slices(values):
    return values[1:], values[::-1], values[:-1] + values[:1], values * 2, len(values)


@program(lambda: call((1.0, 2.0), (1.0, 3.0)), lambda: call((1.0, 2.0), (1.0, 2.0)))
def tuple_comparison(a, b):
    return a == b, a != b


@program(lambda: call([1.0, 2.0, 3.0]), lambda: call([4.0]), edges=[lambda: call([])])
def list_argument(values):
    total = 0.0
    for value in values:
        total += value
    return total, len(values)


@program(lambda: call(1.0, 2.0), differentiable=None)
def list_result(x, y):
    return [x, y, [x * y]]


@program(lambda: call(1.0, 3.0), differentiable=(0, 1))
def list_grows(x, y):
    values = [x]
    values.append(y)
    values.append(x * y)
    return values[0] + values[1] * values[2] + len(values)


@program(lambda: call(2.0), differentiable=(0,))
def list_built_in_a_known_loop(x):
    powers = []
    for n in range(4):
        powers.append(x**n)
    return powers[3] - powers[1] + sum(powers)


@program(lambda: call([1.0, 2.0]), lambda: call([5.0, 7.0]))
def list_of_an_argument_changes(values):
    changed = list(values)
    changed[0] = 10.0
    return changed, values


@program(lambda: call({"weights": np.array([1.0, 2.0]), "bias": 0.5}), differentiable=(0,), ulps=4)
def dict_argument(parameters):
    return np.sum(parameters["weights"] ** 2) * parameters["bias"]


@program(lambda: call({"b": 1.0, "a": 2.0}))
def dict_keeps_its_order(tree):
    return {key: value * 2.0 for key, value in tree.items()}


@program(lambda: call(1.0, 2.0))
def dict_result(x, y):
    result = {"sum": x + y}
    result["product"] = x * y
    return result


@program(lambda: call({"x": 1.0}), lambda: call({"x": 1.0, "y": 2.0}), edges=[lambda: call({"y": 2.0})])
def dict_membership(tree):
    scale = tree["y"] if "y" in tree else 3.0
    return tree["x"] * scale + tree.get("z", 0.5), len(tree)


@program(lambda: call({"a": {"b": (1.0, 2.0)}, "c": [3.0]}), differentiable=(0,))
def deep_tree(tree):
    first, second = tree["a"]["b"]
    return first * second + tree["c"][0]


@program(lambda: call({"u": 1.0, "v": 2.0}), differentiable=(0,))
def sum_over_a_dict(tree):
    total = 0.0
    for name in tree:
        total = total + tree[name] ** 2
    for value in tree.values():
        total = total * value
    return total


@program(lambda: call(Point(1.0, 2.0)), lambda: call(Point(-1.0, 0.5)), differentiable=(0,))
def namedtuple_argument(point):
    x, y = point
    return point.x * y + point.dot(point) + x


@program(lambda: call(Point(1.0, 2.0)))
def namedtuple_result(point):
    return Point(point.y, x := point.x), point._replace(y=x * 2.0), Point(y=1.0, x=2.0)


@program(lambda: call(Particle(1.0, 3.0)), lambda: call(Particle(1.0, 3.0, 4.0)), differentiable=(0,))
def dataclass_argument(particle):
    return particle.energy() + particle.momentum * particle.position


@program(lambda: call(Particle(1.0, 3.0), 0.1))
def dataclass_result(particle, step):
    moved = replace(particle, position=particle.position + step * particle.velocity)
    return moved, Particle(0.0, moved.velocity)


@program(lambda: call(Particle(np.array([1.0, 2.0]), np.array([0.5, 0.25])), 3), differentiable=(0,), ulps=8)
def dataclass_carried_by_a_loop(particle, n):
    for _ in range(n):
        velocity = particle.velocity - 0.1 * particle.position
        particle = Particle(particle.position + 0.1 * velocity, velocity, particle.mass)
    return np.sum(particle.position * particle.velocity) * particle.mass


@program(lambda: call(Segment(Point(0.0, 1.0), Point(2.0, 5.0))), differentiable=(0,))
def nested_records(segment):
    return (segment.end.x - segment.start.x) ** 2 + (segment.end.y - segment.start.y) ** 2


@program(lambda: call((1.0, 2.0, 3.0)), differentiable=(0,))
def list_comprehension(values):
    squares = [value * value for value in values]
    return squares[0] + squares[-1] * len(squares)


@program(lambda: call((1.0, 2.0, 3.0), 1), differentiable=(0,))
def comprehension_with_a_condition(values, n):
    kept = [value * n for i, value in enumerate(values) if i != 1]
    return sum(kept)


@program(lambda: call((1.0, 2.0), (3.0, 4.0)))
def comprehension_of_pairs(a, b):
    return [x * y for x in a for y in b], tuple(x + y for x, y in zip(a, b)), {str(i): x for i, x in enumerate(a)}


@program(lambda: call(3), lambda: call(5), tags="may_be_refused")
def comprehension_of_unknown_length(n):
    return [i * i for i in range(n)]


@program(lambda: call((1.0, -2.0, 3.0)), differentiable=(0,))
def builtins_over_a_tuple(values):
    return min(values) * 2.0 + max(values) + sum(values) + len(values)


@program(lambda: call((True, False)), lambda: call((True, True)), edges=[lambda: call(())])
def all_and_any_of_a_tuple(values):
    return all(values), any(values)


@program(lambda: call(1.0))
def none_in_a_tree(x):
    return {"value": x, "nothing": None}, None


@program(lambda: call(2.0), lambda: call(-2.0), differentiable=(0,))
def tuple_across_branches(x):
    pair = (x, 1.0)
    if x > 0.0:
        pair = (pair[1], pair[0] * x)
    return pair[0] * 3.0 + pair[1]


@program(lambda: call({"a": np.ones(3), "b": (np.ones((2, 2)), 1.5)}, 0.1), ulps=2)
def map_over_a_tree(tree, rate):
    return {"a": tree["a"] - rate, "b": tuple(leaf * rate for leaf in tree["b"])}


@program(lambda: call((1.0, 2.0, 3.0)), lambda: call((3.0, 2.0)))
def is_a_tuple(values):
    return isinstance(values, tuple), isinstance(values, (list, dict)), 2.0 in values


@program(lambda: call([(1.0, 2.0), (3.0, 4.0)]), differentiable=(0,))
def list_of_pairs(pairs):
    total = 0.0
    for a, b in pairs:
        total += a * b
    return total


@program(lambda: call(Point(1.0, 2.0), Point(3.0, 5.0)), differentiable=(0, 1))
def named_tuples_joined(p, q):
    joined = p + q
    swapped = p._replace(x=p.y)
    return joined, (*p, 1.0) + q, swapped.dot(q), sum(joined)
