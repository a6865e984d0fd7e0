"""What a graph value is while its function is lowered.

    value = operand                     a scalar: a loop-IR variable or constant
          | UNIT                        the empty tuple, or a token: nothing at run time
          | TupleValue(items) | ClosureValue(function, captures) | ListValue | StackedValue | UnionValue
          | Stored(buffer, pointer, sizes, strides)      an array in memory, possibly a strided view
          | Lazy                        an array or scalar not computed yet (`lazy.py`)

Lazy values are what makes fusion work: an elementwise expression becomes a value that knows how to compute one element,
and loops are generated only when its elements are needed in memory.
"""

from __future__ import annotations

from arignote.ir.graph import Function
from arignote.ir.records import dataclass, field
from arignote.ir.types import Type as GraphType
from arignote.ir.types import Union
from arignote.lower.loop_ir import INT64, Const, Operand, Var

ZERO, ONE = Const(0, INT64), Const(1, INT64)


class Value:
    """Base of everything that is not an operand."""

    __slots__ = ()


class Unit(Value):
    """Nothing at run time: tokens and empty tuples."""

    __slots__ = ()


UNIT = Unit()


@dataclass(slots=True, eq=False)
class TupleValue(Value):
    """A fixed number of values."""

    items: tuple[AnyValue, ...]


@dataclass(slots=True, eq=False)
class ClosureValue(Value):
    """A known function with its first parameters supplied."""

    function: Function
    captures: tuple[AnyValue, ...]


@dataclass(slots=True, eq=False)
class Stored(Value):
    """An array in memory. Strides count elements. `uses` counts the uses of the graph still to come; `within` tells of
    how many elements it is a part, if nobody reads any of them before all are written."""

    dtype: str
    buffer: Var
    pointer: Var
    sizes: tuple[Operand, ...]
    strides: tuple[Operand, ...]
    contiguous: bool = False
    uses: int = 0
    within: Operand | None = None


@dataclass(slots=True, eq=False)
class ListValue(Value):
    """A growable list: its length, the capacity of its buffers, and one buffer per component of an element."""

    element: GraphType
    length: Operand
    capacity: Operand
    buffers: tuple[Var, ...]


@dataclass(slots=True, eq=False)
class NewList(Value):
    """An empty list with room for some elements, which has no memory yet."""

    element: GraphType
    wanted: Operand


@dataclass(slots=True, eq=False)
class StackedValue(Value):
    """A list that a counted loop fills: for each part of an element one array of all (see `stacked.py`).

    only_read: whether it stays as it is after the loop; otherwise it becomes a list like others
    places: where parts of the next element go, as far as that has been asked for
    """

    element: GraphType
    length: Operand
    blocks: tuple[Stored, ...]
    only_read: bool = True
    places: dict[int, Stored] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class UnionValue(Value):
    """A union: a box, or null for an alternative without payload."""

    type: Union
    buffer: Var


AnyValue = Operand | Value


def size_key(size: Operand) -> tuple[str, int]:
    """Identity of a size: equal keys are equal sizes."""
    return ("var", size.id) if isinstance(size, Var) else ("const", int(size.value))


def is_constant(operand: Operand, value: int) -> bool:
    """Whether the operand is this known number."""
    return isinstance(operand, Const) and operand.value == value
