"""Arithmetic on sizes: int64 scalar nodes, folded where they are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from arignote.ir.graph import Apply, Constant, Node
from arignote.ir.sizes import sizes as size_keys
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import BOOL, INT64, dims_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context

ZERO, ONE = Constant(0, INT64), Constant(1, INT64)


def integer(value: int) -> Constant:
    return Constant(value, INT64)


def known(size: Node) -> int | None:
    """The value of a size, if it is known."""
    return int(size.value) if isinstance(size, Constant) else None


def size(c: Context, x: Node, axis: int) -> Node:
    """The size of one axis, as the simplest node that has this value."""
    key = size_keys(x)[axis]
    if isinstance(key, int):
        return integer(key)
    if isinstance(key, tuple):
        return c.emit("size", key[0], axis=key[1])
    return key


def shape(c: Context, x: Node) -> list[Node]:
    return [size(c, x, axis) for axis in range(len(dims_of(x.type)))]


def dim_of(count: Node) -> int:
    """What a size tells at compile time: a number, MANY or ANY."""
    if isinstance(count, Constant):
        return int(count.value)
    if isinstance(count, Apply):
        if count.op.name == "size":
            return dims_of(count.inputs[0].type)[count["axis"]]
        if count.op.name == "multiply" and MANY in map(dim_of, count.inputs):
            return MANY  # a product is 1 only if all factors are
    return ANY


def dims(counts: Iterable[Node]) -> tuple[int, ...]:
    return tuple(map(dim_of, counts))


def add(c: Context, a: Node, b: Node) -> Node:
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return integer(x + y)
    if x == 0:
        return b
    if y == 0:
        return a
    return c.emit("add", a, b)


def subtract(c: Context, a: Node, b: Node) -> Node:
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return integer(x - y)
    if y == 0:
        return a
    return ZERO if a is b else c.emit("subtract", a, b)


def multiply(c: Context, a: Node, b: Node) -> Node:
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return integer(x * y)
    if x == 1:
        return b
    if y == 1:
        return a
    return ZERO if x == 0 or y == 0 else c.emit("multiply", a, b)


def floor_divide(c: Context, a: Node, b: Node) -> Node:
    x, y = known(a), known(b)
    if x is not None and y:
        return integer(x // y)
    return a if y == 1 else c.emit("floor_divide", a, b)


def remainder(c: Context, a: Node, b: Node) -> Node:
    x, y = known(a), known(b)
    if x is not None and y:
        return integer(x % y)
    return ZERO if y == 1 else c.emit("remainder", a, b)


def maximum(c: Context, a: Node, b: Node) -> Node:
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return integer(max(x, y))
    return a if a is b else c.emit("maximum", a, b)


def minimum(c: Context, a: Node, b: Node) -> Node:
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return integer(min(x, y))
    return a if a is b else c.emit("minimum", a, b)


def select(c: Context, condition: Node, a: Node, b: Node) -> Node:
    if isinstance(condition, Constant):
        return a if condition.value else b
    return a if a is b else c.emit("select", condition, a, b)


_COMPARE = {
    "less": int.__lt__, "less_equal": int.__le__, "equal": int.__eq__, "not_equal": int.__ne__,
    "greater": int.__gt__, "greater_equal": int.__ge__,
}  # fmt: skip


def compare(c: Context, name: str, a: Node, b: Node) -> Node:
    """A comparison of two sizes, by the name of the operation."""
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return Constant(_COMPARE[name](x, y), BOOL)
    if a is b:
        return Constant(_COMPARE[name](0, 0), BOOL)
    return c.emit(name, a, b)


def is_nonnegative(count: Node) -> bool:
    """Whether a size is known not to be negative."""
    if isinstance(count, Constant):
        return int(count.value) >= 0
    if not isinstance(count, Apply):
        return False
    if count.op.name in ("add", "multiply", "floor_divide", "minimum"):
        return all(map(is_nonnegative, count.inputs))
    return count.op.name == "size" or (count.op.name == "maximum" and any(map(is_nonnegative, count.inputs)))


def product(c: Context, counts: Iterable[Node]) -> Node:
    result: Node = ONE
    for count in counts:
        result = multiply(c, result, count)
    return result


def _factors(counts: Sequence[Node]) -> tuple[int, Counter[Node]]:
    """A product as a number times a bag of unknown sizes."""
    number, bag, pending = 1, Counter[Node](), list(counts)
    while pending:
        count = pending.pop()
        if isinstance(count, Constant):
            number *= int(count.value)
        elif isinstance(count, Apply) and count.op.name == "multiply":
            pending.extend(count.inputs)
        else:
            bag[count] += 1
    return number, bag


def exact_quotient(c: Context, counts: Sequence[Node], divisors: Sequence[Node]) -> Node | None:
    """product(counts) / product(divisors) where it is a whole number whatever the sizes are; None if that is not known.

    The quotient stands for "as many as there are", so 0 / 0 over unknown sizes is settled by cancelling.
    """
    number, bag = _factors(counts)
    divisor, below = _factors(divisors)
    if divisor == 0 or number % divisor or below - bag:
        return None
    rest = bag - below
    return product(c, [integer(number // divisor), *rest.elements()])
