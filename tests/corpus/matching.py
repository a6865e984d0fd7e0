"""`match` statements: on numbers, tuples, lists, dicts, records, strings chosen at run time."""

import enum
from typing import NamedTuple

import numpy as np

from tests.corpus.optional import Point, Radius
from tests.corpus.program import call, program
from tests.corpus.trees import Link, linked


class Pair(NamedTuple):
    """A named tuple."""

    x: float
    y: float


class Colour(enum.Enum):
    """An enumeration."""

    RED = 1
    BLUE = 2


@program(*[lambda n=n: call(n) for n in (0, 1, 2, -3, 7)])
def literals(n):
    match n:
        case 0:
            return 1.0
        case 1 | 2:
            return 2.0
        case -3:
            return 3.0
        case _:
            return float(n)


@program(lambda: call((0.0, 2.0)), lambda: call((1.0, 0.0)), lambda: call((1.0, 2.0)))
def captures_in_tuples(pair):
    match pair:
        case (0.0, y):
            return y
        case (x, 0.0):
            return 2.0 * x
        case (x, y):
            return x + y


@program(lambda: call(2.0), lambda: call(0.5), lambda: call(-1.0), differentiable=(0,))
def guards(x):
    match x:
        case large if large > 1.0:
            result = large**2
        case positive if positive > 0.0:
            result = 3.0 * positive
        case _:
            result = -x
    return result


@program(lambda: call([1.0]), lambda: call([1.0, 2.0, 3.0]), lambda: call((1.0, 2.0)), lambda: call([]))
def lengths(items):
    match items:
        case []:
            return 0.0
        case [only]:
            return only
        case [first, *others]:
            return first * sum(others)


@program(lambda: call({"a": 1.0, "b": 2.0}), lambda: call({"a": 1.0}), lambda: call({"c": 1.0}))
def keys(mapping):
    match mapping:
        case {"a": a, "b": b}:
            return a + b
        case {"a": a, **others}:
            return a + len(others)
        case _:
            return 0.0


@program(lambda: call(1.0, 2.0), lambda: call(-1.0, 2.0), lambda: call(5.0, 2.0), differentiable=(1,))
def classes(c, x):
    shape = None if c > 3 else Point(x, 3.0) if c > 0 else Radius(x)
    match shape:
        case None:
            return 0.0 * x
        case Point(x=a, y=b) if a > b:
            return a
        case Point(a, b):
            return a * b
        case Radius() as circle:
            return circle.r**2


@program(lambda: call(linked(1.0, 2.0, 3.0)), lambda: call(linked(1.0, 2.0)), differentiable=(0,))
def two_at_a_time(link):
    match link:
        case None:
            return 0.0
        case Link(value, None):
            return value
        case Link(first, Link(second, rest)):
            return first * second + two_at_a_time(rest)


@program(lambda: call(1.0, 2.0), lambda: call(-1.0, 2.0), differentiable=(1,), ulps=2)
def strings(c, x):
    name = "sin" if c > 0 else "cos"
    match name:
        case "sin":
            return np.sin(x)
        case "cos":
            return np.cos(x)
        case _:
            return 0.0 * x


@program(lambda: call(1.0, 2.0), lambda: call(-1.0, 2.0), differentiable=(1,))
def members_of_an_enumeration(c, x):
    match Colour.RED if c > 0 else Colour.BLUE:
        case Colour.RED:
            return x
        case Colour.BLUE:
            return -x


@program(lambda: call(Pair(0.0, 1.0)), lambda: call(Pair(3.0, 1.0)))
def named_tuples(pair):
    match pair:
        case Pair(x=0.0):
            return 1.0
        case Pair(x, y):
            return x - y


@program(lambda: call(np.array([1.0, 0.0, 2.0, 11.0, 3.0])), lambda: call(np.array([1.0, 0.0, 2.0])))
def leaving_a_loop(values):
    total, count = 0.0, 0
    for value in values:
        match value:
            case 0.0:
                continue
            case large if large > 10:
                break
            case other:
                total += float(other)
        count += 1
    return total, count


@program(lambda: call(1), lambda: call(2.5), lambda: call("a"), lambda: call((1, 2)))
def builtin_classes(x):
    match x:
        case int():
            return 1
        case float(value):
            return 2.0 * value
        case str():
            return 3
        case (first, _):
            return first
