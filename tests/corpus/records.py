"""What dataclasses and named tuples can do: operators, inheritance, `__post_init__`, fields set in place."""

import abc
from dataclasses import InitVar, asdict, astuple, dataclass, field, replace
from typing import ClassVar, NamedTuple

import numpy as np

from tests.corpus.program import call, program


@dataclass
class Vector:
    """A vector with operators."""

    x: float
    y: float
    scale: ClassVar[float] = 2.0

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y)

    def __radd__(self, number):
        return Vector(self.x + number, self.y + number)

    def __sub__(self, other):
        return self + (-other)

    def __mul__(self, number):
        return Vector(self.x * number, self.y * number)

    def __rmul__(self, number):
        return self * number

    def __matmul__(self, other):
        return self.x * other.x + self.y * other.y

    def __neg__(self):
        return Vector(-self.x, -self.y)

    def __abs__(self):
        return abs(self.x) + abs(self.y)

    def __getitem__(self, index):
        return self.x if index == 0 else self.y

    def __len__(self):
        return 2

    def __bool__(self):
        return self.x != 0.0

    def __lt__(self, other):
        return self.x < other.x

    def __contains__(self, number):
        return number == self.x or number == self.y

    def __call__(self, factor):
        return self.x * factor + self.y

    def __iadd__(self, other):
        self.x = self.x + other.x
        return self

    @property
    def squared(self):
        return self @ self

    @staticmethod
    def diagonal(a):
        return Vector(a, a)

    @classmethod
    def zero(cls):
        return cls(0.0, 0.0)

    def scaled(self):
        return self * self.scale


@dataclass
class Base:
    """A base class."""

    a: float

    def value(self):
        return self.a

    def doubled(self):
        return 2.0 * self.value()


@dataclass
class Derived(Base):
    """Overrides a method and calls the one that it overrides."""

    b: float = 3.0

    def value(self):
        return super().value() * self.b


@dataclass
class Prepared:
    """Has fields that are computed."""

    a: float
    n: int = 2
    product: float = field(init=False)
    seen: list = field(default_factory=list)

    def __post_init__(self):
        self.product = self.a * self.n


@dataclass(frozen=True)
class Checked:
    """Frozen, checked and completed when it is made."""

    a: float
    square: float = field(init=False)
    pair: tuple = (1.0, 2.0)

    def __post_init__(self):
        if self.a < 0:
            raise ValueError("a must not be negative")
        object.__setattr__(self, "square", self.a * self.a)


@dataclass
class Scaled:
    """Takes an argument that is no field."""

    a: float
    factor: InitVar[float] = 2.0

    def __post_init__(self, factor):
        self.a = self.a * factor


@dataclass(order=True)
class Ordered:
    """Ordered by its fields."""

    a: float
    b: float


@dataclass
class Larger:
    """Calls equal what it is larger than."""

    a: float

    def __eq__(self, other):
        return self.a > other.a


class Pair(NamedTuple):
    """A named tuple with a default and methods."""

    x: float
    y: float = 2.0

    def dot(self, other):
        return self.x * other.x + self.y * other.y

    @property
    def total(self):
        return self.x + self.y


class Shape(abc.ABC):
    """An abstract base class."""

    @abc.abstractmethod
    def area(self): ...

    def twice(self):
        return 2.0 * self.area()


@dataclass
class Square(Shape):
    """A shape."""

    side: float

    def area(self):
        return self.side**2


@dataclass
class Circle(Shape):
    """Another one."""

    radius: float

    def area(self):
        return 3.0 * self.radius**2


@program(lambda: call(1.0, 2.0), differentiable=(0, 1))
def operators_of_a_vector(a, b):
    v, w = Vector(a, b), Vector(b, a)
    u = v + w * 2.0 - (-v)
    return u.x, u.y, v @ w, (2.0 * v).y, abs(v), v[0], v[1], v(3.0), (1.0 + v).x


@program(lambda: call(1.0), lambda: call(0.0))
def truth_and_length(a):
    v = Vector(a, 1.0)
    return len(v), 1.0 if v else 0.0, a in v, 7.0 in v


@program(lambda: call(1.0, 2.0), lambda: call(2.0, 1.0))
def comparisons(a, b):
    v, w = Vector(a, b), Vector(b, a)
    return v < w, v == w, v != w, Ordered(a, b) < Ordered(b, a), Ordered(a, b) >= Ordered(a, a)


@program(lambda: call(1.0, 2.0), lambda: call(2.0, 1.0))
def equality_of_its_own(a, b):
    return Larger(a) == Larger(b), Larger(a) != Larger(b), Larger(b) != Base(a)


@program(lambda: call(3.0), differentiable=(0,))
def properties_and_class_methods(a):
    v = Vector(a, a)
    return v.squared, Vector.diagonal(a).y, Vector.zero().x + a, v.scaled().x, Vector.scale * a


@program(lambda: call(1.0))
def in_place_operator(a):
    v = Vector(a, 1.0)
    v += Vector(2.0, 2.0)
    return v.x, v.y


@program(lambda: call(2.0), differentiable=(0,))
def inherited_methods(a):
    d = Derived(a)
    return d.doubled() * (1.0 if isinstance(d, Base) else 0.0), Base(a).doubled()


@program(lambda: call(3.0), differentiable=(0,))
def completed_instance(a):
    p = Prepared(a)
    p.seen.append(a)
    return p.product * p.seen[0] + len(Prepared(a).seen)


@program(lambda: call(3.0), edges=[lambda: call(-1.0)], differentiable=(0,))
def frozen_instance(a):
    return Checked(a).square * Checked(a).pair[1]


@program(lambda: call(3.0), differentiable=(0,))
def argument_that_is_no_field(a):
    return Scaled(a).a, Scaled(a, factor=3.0).a


@program(lambda: call(3.0))
def replaced_and_taken_apart(a):
    v = Vector(a, 1.0)
    return replace(v, y=5.0), astuple(v), asdict(Derived(a)), v


@program(lambda: call(3.0))
def named_tuple_methods(a):
    p = Pair(a)
    q = p._replace(y=a)
    return p.dot(q), q.total, p._asdict(), p[0], len(p), p == q


@program(lambda: call(5), lambda: call(0))
def fields_set_in_a_loop(n):
    v = Vector(0.0, 1.0)
    for _ in range(n):
        v.x += 1.0
        if v.x > 2.0:
            v.y = v.y * 2.0
    return v


@program(lambda: call(5))
def array_in_a_field(n):
    p = Prepared(1.0)
    p.seen = [np.zeros(3)]
    for i in range(n):
        p.seen[0][i % 3] += 1.0
    return p.seen[0]


@program(lambda: call(1.0))
def two_names_of_one_instance(a):
    v = Vector(a, 1.0)
    w = v
    w.x = 5.0
    pair = (v, v)
    v.y = 7.0
    items = [v]
    items[0].x += 1.0
    return v.x, w.y, pair[0].y, v is w


def _set_x(vector, value):
    vector.x = value


@program(lambda: call(1.0), differentiable=(0,))
def instance_changed_by_a_function(a):
    v = Vector(a, 1.0)
    _set_x(v, 2.0 * a)
    return v.x


@program(lambda: call(1.0, 2.0), lambda: call(-1.0, 2.0), differentiable=(1,))
def shape_chosen_at_run_time(c, a):
    shape = Square(a) if c > 0 else Circle(a)
    return shape.twice()


@program(lambda: call(1.5), differentiable=(0,))
def shapes_in_a_list(a):
    total = 0.0
    for shape in [Square(a), Circle(a), Square(2.0)]:
        total += shape.twice()
    return total


@program(lambda: call(1.0, 2.0), lambda: call(-1.0, 2.0))
def optional_field(c, a):
    p = Prepared(a)
    p.product = None if c > 0 else a
    return (0.0 if p.product is None else p.product), hasattr(p, "missing"), getattr(p, "a")


@dataclass
class Named:
    """Equal if its array, of any size that has one truth value, is equal."""

    values: np.ndarray
    scale: float = 1.0


@program(lambda: call(Named(np.ones(1)), Named(np.ones(1))), lambda: call(Named(np.ones(1)), Named(np.zeros(1))))
def equality_is_a_truth_value(a, b):
    return a == b, a != b, (a.values, 1) == (b.values, 1)


@dataclass
class Summed:
    """A field that is computed when an instance is made."""

    a: float
    b: float = 1.0
    total: float = field(init=False, default=0.0)

    def __post_init__(self):
        self.total = self.a + self.b


@program(lambda: call(2.0), differentiable=(0,))
def replaced_with_a_computed_field(x):
    first = Summed(x)
    second = replace(first, b=5.0 * x)
    return first.total, second.total, second.a, second.b
