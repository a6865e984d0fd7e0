"""Values that are not computed yet, and how to compute one element of them.

    Splat(scalar)              the same scalar everywhere
    Repeated(source)           the same scalar everywhere, not computed yet
    Elementwise(op, inputs)    every input is an operand or has the value's own shape
    Mapped(source, axes)       each axis of the source is read at start + step * (one of the indices)
    Iota(start)                the index itself
    Gather(source, indices)    elements of an array in memory, picked by index arrays that are known to be in range
    Reduction(op, source, axes)

`element` writes the scalar code for one element at given indices, through a `Nest` (`nests.py`), which remembers what
it has computed in the loops that are open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.lower.loop_ir import Const, Operand
from arignote.lower.values import ONE, ZERO, AnyValue, Stored, Value, is_constant

if TYPE_CHECKING:
    from arignote.lower.nests import Nest

CHEAP = frozenset(
    """add subtract multiply negative absolute maximum minimum fmax fmin equal not_equal less less_equal greater
    greater_equal logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor invert isnan isinf
    isfinite signbit select cast left_shift right_shift copysign floor ceil trunc round""".split()
)
EXPENSIVE = 8
"""A value that costs this much or more is not computed twice."""
SHORT = 64
DEEPEST = 40
"""Chains of lazy values are cut here, which bounds both the recursion and the size of a loop body."""
COSTS = {"divide": 4, "sqrt": 4, "sign": 2}

AxisMap = tuple[int | None, Operand, Operand]
"""(axis of the result or None, start, step)."""


class Lazy(Value):
    """An array or scalar to be computed when it is needed.

    forced: the array in memory or the operand, once it has been computed
    uses:   how many uses in the graph are still to come
    needed: whether some use needs it in memory
    place:  where it is to be put, if not in memory of its own
    """

    __slots__ = ("dtype", "sizes", "forced", "uses", "needed", "cost", "own_cost", "depth", "place")

    def __init__(self, dtype: str, sizes: tuple[Operand, ...], cost: int, inputs: tuple[AnyValue, ...]) -> None:
        self.dtype, self.sizes = dtype, sizes
        self.forced: AnyValue | None = None
        self.uses, self.needed = 0, False
        self.place: Stored | None = None
        self.cost, self.own_cost, self.depth = cost, cost, 1
        for value in inputs:
            if isinstance(value, Lazy) and value.forced is None:
                self.cost = min(self.cost + value.cost, 1000)
                self.depth = max(self.depth, value.depth + 1)
            elif isinstance(value, Stored):
                self.cost += 1

    def children(self) -> tuple[AnyValue, ...]:
        """The values that an element is computed from."""
        raise NotImplementedError

    def element(self, nest: Nest, indices: tuple[Operand, ...]) -> Operand:
        """Write the code for one element."""
        raise NotImplementedError


class Splat(Lazy):
    """One scalar everywhere."""

    __slots__ = ("scalar",)

    def __init__(self, dtype: str, sizes: tuple[Operand, ...], scalar: Operand) -> None:
        super().__init__(dtype, sizes, 0, ())
        self.scalar = scalar

    def children(self) -> tuple[AnyValue, ...]:
        return ()

    def element(self, nest: Nest, indices: tuple[Operand, ...]) -> Operand:
        return self.scalar


class Repeated(Lazy):
    """One scalar everywhere that is still to be computed."""

    __slots__ = ("source",)

    def __init__(self, source: Lazy, sizes: tuple[Operand, ...]) -> None:
        super().__init__(source.dtype, sizes, 0, (source,))
        self.source = source

    def children(self) -> tuple[AnyValue, ...]:
        return (self.source,)

    def element(self, nest: Nest, indices: tuple[Operand, ...]) -> Operand:
        return nest.value(self.source, ())


def element_cost(op: str) -> int:
    """What an elementwise operation costs."""
    return 1 if op in CHEAP else COSTS.get(op, 20)


class Elementwise(Lazy):
    """A scalar operation on the elements at the same position."""

    __slots__ = ("op", "inputs")

    def __init__(self, op: str, dtype: str, sizes: tuple[Operand, ...], inputs: tuple[AnyValue, ...]) -> None:
        super().__init__(dtype, sizes, element_cost(op), inputs)
        self.op, self.inputs = op, inputs

    def children(self) -> tuple[AnyValue, ...]:
        return self.inputs

    def element(self, nest: Nest, indices: tuple[Operand, ...]) -> Operand:
        return scalar_operation(nest, self.op, self.dtype, [nest.value(x, indices) for x in self.inputs])


def scalar_operation(nest: Nest, op: str, dtype: str, args: list[Operand]) -> Operand:
    """One operation of the graph on scalars."""
    if op == "cast":
        return nest.build.cast(args[0], dtype)
    if op == "stop_gradient":
        return args[0]
    return nest.build.let(op, *args)


class Mapped(Lazy):
    """A lazy value seen through an affine map of its axes."""

    __slots__ = ("source", "axes", "repeats")

    def __init__(self, source: Lazy, sizes: tuple[Operand, ...], axes: tuple[AxisMap, ...]) -> None:
        super().__init__(source.dtype, sizes, 0, (source,))
        self.source, self.axes = source, axes
        read = {axis for axis, _, step in axes if axis is not None and not is_constant(step, 0)}
        self.repeats = any(axis not in read and not is_constant(size, 1) for axis, size in enumerate(sizes))

    def children(self) -> tuple[AnyValue, ...]:
        return (self.source,)

    def element(self, nest: Nest, indices: tuple[Operand, ...]) -> Operand:
        build = nest.build
        return nest.value(self.source, tuple([
            start if axis is None else build.index_add(start, build.index_multiply(indices[axis], nest.step(step)))
            for axis, start, step in self.axes
        ]))  # fmt: skip


class Iota(Lazy):
    """0, 1, 2 ..."""

    __slots__ = ()

    def __init__(self, dtype: str, count: Operand) -> None:
        super().__init__(dtype, (count,), 1, ())

    def children(self) -> tuple[AnyValue, ...]:
        return ()

    def element(self, nest: Nest, indices: tuple[Operand, ...]) -> Operand:
        return nest.build.cast(indices[0], self.dtype)


class Gather(Lazy):
    """Elements of `source` (in memory, or cheap to compute singly), whose axes `axis`, `axis + 1`, ... are picked by
    index arrays of one shape."""

    __slots__ = ("source", "indices", "axis")

    def __init__(
        self, source: Stored | Lazy, indices: tuple[AnyValue, ...], axis: int, sizes: tuple[Operand, ...]
    ) -> None:
        super().__init__(source.dtype, sizes, 3, (source, *indices))
        self.source, self.indices, self.axis = source, indices, axis

    def children(self) -> tuple[AnyValue, ...]:
        return (self.source, *self.indices)

    def element(self, nest: Nest, indices: tuple[Operand, ...]) -> Operand:
        return nest.value(self.source, picked_position(nest, self.source, self.indices, self.axis, indices))


def picked_position(nest: Nest, source: Stored | Lazy, picks: tuple[AnyValue, ...], axis: int,
                    indices: tuple[Operand, ...]) -> tuple[Operand, ...]:  # fmt: skip
    """Where in `source` the element of a gather (or scatter) lies."""
    rank = len(source.sizes) - len(picks)
    width = len(indices) - rank
    inner = indices[axis : axis + width]
    found = [position_of(nest, pick, inner, source.sizes[axis + k]) for k, pick in enumerate(picks)]
    return (*indices[:axis], *found, *indices[axis + width :])


def position_of(nest: Nest, pick: AnyValue, indices: tuple[Operand, ...], size: Operand) -> Operand:
    """One element of an index array, as a position."""
    index = nest.value(pick, indices)
    if isinstance(pick, Stored) and pick.pointer.id in nest.context.from_start:
        return index
    return from_end(nest, index, size)


def from_end(nest: Nest, index: Operand, size: Operand) -> Operand:
    """An index that may count from the end, as a position."""
    if isinstance(index, Const):
        return index if index.value >= 0 else nest.build.index_add(index, size)
    negative = nest.build.let("less", index, ZERO)
    return nest.build.let("add", index, nest.build.let("select", negative, size, ZERO))


class Reduction(Lazy):
    """`op` over some axes of the source. `positions` says that the result is where, not what (argmax, argmin)."""

    __slots__ = ("op", "source", "axes")

    def __init__(self, op: str, source: AnyValue, axes: tuple[int, ...], dtype: str) -> None:
        all_sizes = source.sizes  # type: ignore[union-attr]
        sizes = tuple([size for axis, size in enumerate(all_sizes) if axis not in axes])
        super().__init__(dtype, sizes, 100, (source,))
        self.op, self.source, self.axes = op, source, axes

    @property
    def space(self) -> tuple[Operand, ...]:
        """The sizes that the reduction runs over."""
        return self.source.sizes  # type: ignore[union-attr, return-value]

    @property
    def runs_inside(self) -> bool:
        """Whether the innermost axis is reduced, so that each result is one loop that accumulates in a register."""
        return len(self.space) - 1 in self.axes

    @property
    def is_short(self) -> bool:
        """Whether each result is of a known small number of elements."""
        return all(isinstance(self.space[axis], Const) and self.space[axis].value <= SHORT for axis in self.axes)  # type: ignore[union-attr]

    def children(self) -> tuple[AnyValue, ...]:
        return (self.source,)

    def element(self, nest: Nest, indices: tuple[Operand, ...]) -> Operand:
        from arignote.lower.reductions import element_of_reduction

        return element_of_reduction(nest, self, indices)


def costs(value: Lazy, limit: int) -> bool:
    """Whether computing one element costs this much now. `cost` was true when the value was made; what has been
    computed since, or will be because it is needed in memory, costs no more than a load; and what is read twice on the
    way is computed once."""
    if value.cost < limit:
        return False
    total, waiting, seen = 0, [value], {id(value)}
    while waiting and total < limit:
        each = waiting.pop()
        total += each.own_cost
        for child in each.children():
            if not isinstance(child, Lazy | Stored) or id(child) in seen:
                continue
            seen.add(id(child))
            if isinstance(child, Stored) or _comes_from_memory(child):
                total += 1
            else:
                waiting.append(child)
    return total >= limit


def computes(value: Lazy, limit: int) -> bool:
    """Whether one element takes this much arithmetic; what is read, wherever it lies, is not counted."""
    total, waiting = 0, [value]
    while waiting and total < limit:
        each = waiting.pop()
        if isinstance(each, Reduction):
            return True
        total += element_cost(each.op) if isinstance(each, Elementwise) else 0
        waiting += [x for x in each.children() if isinstance(x, Lazy) and x.forced is None]
    return total >= limit


def _comes_from_memory(value: Lazy) -> bool:
    """Whether an element will be a load: of what is needed in memory, or expensive and read several times."""
    return value.forced is not None or value.needed or (
        isinstance(value, Mapped) and value.repeats and value.cost >= EXPENSIVE)  # fmt: skip


def direct(axis: int) -> AxisMap:
    """The axis as it is."""
    return (axis, ZERO, ONE)
