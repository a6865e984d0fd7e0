"""Values of one of several kinds: None or not, one record or another, strings chosen at run time."""

import enum
from dataclasses import dataclass

import numpy as np

from tests.corpus.program import call, program

ONE = lambda: call(1.0, 2.0)  # noqa: E731
OTHER = lambda: call(-1.0, 2.0)  # noqa: E731


@dataclass
class Point:
    """A record."""

    x: float
    y: float

    def norm(self):
        return self.x * self.x + self.y * self.y


@dataclass
class Radius:
    """Another record with a method of the same name."""

    r: float

    def norm(self):
        return self.r * self.r


class Side(enum.Enum):
    """An enumeration."""

    LEFT = 1
    RIGHT = 2

    def sign(self):
        return 1.0 if self is Side.LEFT else -1.0


def _list_of_floats(*values):
    return lambda: call(list(values))


@program(_list_of_floats(1.0, 3.0, 2.0), _list_of_floats(5.0), differentiable=(0,))
def best_so_far(values):
    best = None
    for value in values:
        if best is None or value > best:
            best = value
    return -1.0 if best is None else best


@program(
    lambda: call(np.array([1.0, 3.0, 2.0])),
    lambda: call(np.array([2.0, -3.0])),
    edges=[lambda: call(np.zeros(0))],
    differentiable=(0,),
    tags="sum_from_zero twice",
)
def differences_of_neighbours(values):
    before = None
    total = 0.0
    for value in values:
        if before is not None:
            total += (value - before) ** 2
        before = value
    return total


@program(ONE, OTHER, differentiable=(1,))
def one_of_two_records(c, x):
    shape = Point(x, 2.0) if c > 0 else Radius(x)
    return shape.norm()


@program(ONE, OTHER, lambda: call(-3.0, 2.0), differentiable=(1,), tags="twice")
def record_or_none(c, x):
    shape = Point(x, 2.0) if c > 0 else Radius(x) if c < -2 else None
    if shape is None:
        return 3.0 * x
    if isinstance(shape, Point):
        return shape.x * shape.y
    return shape.r**3


@program(ONE, edges=[OTHER])
def attribute_of_none(c, x):
    point = Point(x, 2.0) if c > 0 else None
    return point.x


@program(ONE, edges=[OTHER])
def arithmetic_with_none(c, x):
    value = x if c > 0 else None
    return value + 1.0


@program(ONE, edges=[OTHER])
def raising_for_none(c, x):
    point = Point(x, 1.0) if c > 0 else None
    if point is None:
        raise ValueError("there is no point")
    return point.x + point.y


@program(ONE, edges=[OTHER])
def asserting_not_none(c, x):
    point = Point(x, 1.0) if c > 0 else None
    assert point is not None, "there is no point"
    return point.x + point.y


@program(ONE, OTHER, differentiable=(1,))
def truth_of_a_record(c, x):
    point = Point(x, 1.0) if c > 0 else None
    if point:
        return point.norm()
    return x


@program(ONE, OTHER, differentiable=(1,))
def default_by_or(c, x):
    value = None
    if c > 0:
        value = x
    return x * (value or 3.0)


@program(ONE, OTHER, lambda: call(3.0, 2.0))
def conditions_together(c, x):
    a = Point(x, 1.0) if c > 0 else None
    b = Radius(x) if c > 2 else None
    if a is None and b is None:
        return 0.0
    if not (a is None or b is None):
        return a.x * b.r
    return a.y if a is not None else 1.0


@program(ONE, OTHER)
def result_or_none(c, x):
    if c > 0:
        return x
    return None


@program(ONE, OTHER)
def falls_off_the_end(c, x):
    if c > 0:
        return Point(x, c)


@program(ONE, OTHER)
def optional_inside_a_result(c, x):
    return x, Point(x, x) if c > 0 else None, "a" if c > 0 else "b"


def _first_coordinate(point):
    return 0.0 if point is None else point.x


@program(ONE, OTHER, differentiable=(1,))
def optional_argument(c, x):
    return _first_coordinate(Point(x, 1.0) if c > 0 else None) + _first_coordinate(None)


@program(ONE, OTHER, tags="prints")
def printing_optionals(c, x):
    point = Point(x, 1.0) if c > 0 else None
    print("the point is", point, "and", x if c > 0 else "nothing")
    return x


@program(ONE, OTHER)
def class_of_a_value(c, x):
    shape = Point(x, 1.0) if c > 0 else Radius(x)
    return x if type(shape) is Point else 2.0 * shape.r


@program(ONE, OTHER)
def fields_of_one_of_two(c, x):
    shape = Point(x, 1.0) if c > 0 else Radius(x)
    if isinstance(shape, Point):
        shape.x = 5.0
    else:
        shape.r = 3.0 * x
    return shape.norm()


@program(edges=[ONE, OTHER])
def error_that_names_a_choice(c, x):
    name = "large" if c > 0 else "small"
    raise ValueError(f"{name} is not allowed, as {x} shows")


@program(ONE, OTHER, differentiable=(1,), ulps=2)
def string_chosen_at_run_time(c, x):
    name = "sin" if c > 0 else "cos"
    if name == "sin":
        return np.sin(x)
    return np.cos(x)


@program(ONE, OTHER, differentiable=(1,))
def member_of_an_enumeration(c, x):
    side = Side.LEFT if c > 0 else Side.RIGHT
    return x * side.sign() + side.value


@program(lambda: call(np.array([1.0, -3.0, 2.0])), differentiable=(0,), tags="sum_from_zero")
def continuing_without_a_value(values):
    total = 0.0
    for value in values:
        found = Point(value, 1.0) if value > 0 else None
        if found is None:
            continue
        total += found.x * found.x
    return total


@program(_list_of_floats(1.0, -3.0, 2.0), _list_of_floats(1.0, -3.0))
def found_or_not(values):
    found = None
    for value in values:
        if value > 1.0:
            found = value
            break
    return "nothing" if found is None else found * 2


@program(lambda: call(0, 1.0), lambda: call(1, 1.0), lambda: call(4, 1.0), differentiable=(1,))
def record_made_in_a_loop(n, x):
    point = None
    for i in range(n):
        point = Point(x, float(i)) if point is None else Point(point.x * x, point.y)
    return 0.0 if point is None else point.x + point.y


@program(ONE, OTHER)
def pair_with_a_tag(c, x):
    result = ("found", x) if c > 0 else ("missing", 0.0)
    if result[0] == "found":
        return result[1]
    return -1.0


@program(ONE, OTHER)
def optional_items_of_a_list(c, x):
    first = np.array([x, 1.0]) if c > -9.0 else None
    second = None if c > 9.0 else np.array([2.0 * x])
    return np.concatenate([first, second]), np.stack((first, first))
