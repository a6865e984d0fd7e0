"""Indexing: what the entries of an index mean, and reading by them.

New axes are made first, so that each entry then stands for axes of the array. Integers and slices give a view. If there
is an index array or a mask, integers count as index arrays too; the dimensions of the indices stand where the index
arrays stood if those are next to each other, otherwise in front.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from arignote.frontend import numpy_size as s
from arignote.frontend.assumptions import assumed_dim
from arignote.frontend.numpy_operand import as_node, cast, rank_of, refuse, refuse_shape, sequence_items, wrap
from arignote.frontend.numpy_slice import Slice, slice_of
from arignote.frontend.values import (
    ArrayValue,
    ListValue,
    ScalarValue,
    SliceValue,
    Static,
    TupleValue,
    Value,
    is_number,
    number_dtype,
)
from arignote.ir.graph import Constant, Node
from arignote.ir.records import dataclass, field
from arignote.ir.types import dims_of, dtype_of, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

NOT_AN_INDEX = (
    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are valid "
    "indices"
)
NOT_AN_INDEX_ARRAY = "arrays used as indices must be of integer (or boolean) type"


@dataclass(slots=True)
class Plan:
    """An index, taken apart. All axes are those of `x`, which has the new axes.

    numbers: axis -> integer        slices: axis -> slice
    arrays:  axis -> int64 array    masks:  first axis -> truth values
    """

    x: Node
    new_axes: tuple[int, ...] = ()
    numbers: dict[int, Node] = field(default_factory=dict)
    slices: dict[int, Slice] = field(default_factory=dict)
    arrays: dict[int, Node] = field(default_factory=dict)
    masks: dict[int, Node] = field(default_factory=dict)
    has_ellipsis: bool = False

    @property
    def is_advanced(self) -> bool:
        return bool(self.arrays or self.masks)


def _not_an_index(c: Context) -> NoReturn:
    refuse(c, NOT_AN_INDEX)


def entries_of(index: Value) -> tuple[Value, ...]:
    """The entries of an index; a list is one entry, an index array."""
    if isinstance(index, ListValue) or (isinstance(index, Static) and isinstance(index.object, list)):
        return (index,)
    items = sequence_items(index)
    return (index,) if items is None else items


def _is(entry: Value, thing: object) -> bool:
    return isinstance(entry, Static) and entry.object is thing


def is_slice(entry: Value) -> bool:
    """Whether an entry of an index is a slice."""
    return isinstance(entry, SliceValue) or (isinstance(entry, Static) and isinstance(entry.object, slice))


def gives_view(array: ArrayValue, index: Value) -> bool:
    """Whether an index reads a view of an array: slices, and integers for some of the axes."""
    entries = entries_of(index)
    opens = [is_slice(entry) or _is(entry, Ellipsis) or _is(entry, None) for entry in entries]
    is_basic = all(opened or _is_integer(entry) for opened, entry in zip(opens, entries))
    return is_basic and (any(opens) or len(entries) < array.rank)


def _node_of(c: Context, entry: Value) -> Node:
    """The integers or truth values of an entry that is no slice."""
    if not (isinstance(entry, ArrayValue) or is_number(entry)):
        items = sequence_items(entry)
        if items is None and not isinstance(entry, ListValue):
            _not_an_index(c)
        if items == ():
            return c.emit("iota", s.ZERO, dtype="int64", dim=0)
    node = as_node(c, entry)
    if is_float(dtype_of(node.type)):
        refuse(c, NOT_AN_INDEX_ARRAY if rank_of(node) else NOT_AN_INDEX)
    return node if dtype_of(node.type) == "bool" else cast(c, node, "int64")


def plan_index(c: Context, x: Node, index: Value) -> Plan:
    """Take an index apart."""
    given = entries_of(index)
    if sum(_is(entry, Ellipsis) for entry in given) > 1:
        refuse_shape(c, "an index can only have a single ellipsis ('...')")
    entries: list[Value | Node] = [
        entry if _is(entry, None) or _is(entry, Ellipsis) or is_slice(entry) else _node_of(c, entry) for entry in given
    ]
    used = sum(map(_axes_used, entries))
    if used > rank_of(x):
        dimensional = f"array is {rank_of(x)}-dimensional, but {used} were indexed"
        refuse_shape(c, f"too many indices for array: {dimensional}")
    plan = Plan(x, has_ellipsis=any(isinstance(e, Value) and _is(e, Ellipsis) for e in entries))
    _make_new_axes(c, plan, entries)
    _place(c, plan, entries, rank_of(x) - used)
    return plan


def _axes_used(entry: Value | Node) -> int:
    """How many axes of the array an entry stands for."""
    if isinstance(entry, Node):
        return rank_of(entry) if dtype_of(entry.type) == "bool" else 1
    return int(is_slice(entry))


def _is_new(entry: Value | Node) -> bool:
    """A new axis: None, or a single truth value, which keeps or drops all."""
    if isinstance(entry, Node):
        return dtype_of(entry.type) == "bool" and not rank_of(entry)
    return _is(entry, None)


def _make_new_axes(c: Context, plan: Plan, entries: Sequence[Value | Node]) -> None:
    rest = rank_of(plan.x) - sum(map(_axes_used, entries))
    axis, new = 0, []
    for entry in entries:
        if _is_new(entry):
            new.append(axis)
            axis += 1
        else:
            axis += rest if isinstance(entry, Value) and _is(entry, Ellipsis) else _axes_used(entry)
    if new:
        plan.new_axes = tuple(new)
        plan.x = c.emit("expand_dims", plan.x, axes=plan.new_axes)


def _place(c: Context, plan: Plan, entries: Sequence[Value | Node], rest: int) -> None:
    """Say which axes each entry stands for."""
    axis = 0
    for entry in entries:
        if isinstance(entry, Node):
            axis += _place_node(c, plan, entry, axis)
        elif _is(entry, Ellipsis):
            axis += rest
        elif _is(entry, None):
            axis += 1
        else:
            found = slice_of(c, entry, s.size(c, plan.x, axis))
            if found is not None:
                plan.slices[axis] = found
            axis += 1


def _place_node(c: Context, plan: Plan, entry: Node, axis: int) -> int:
    if dtype_of(entry.type) == "bool":
        mask = entry if rank_of(entry) else c.emit("expand_dims", entry, axes=(0,))
        check_mask(c, plan.x, mask, axis)
        plan.masks[axis] = mask
        return rank_of(mask)
    if rank_of(entry):
        plan.arrays[axis] = entry
    else:
        plan.numbers[axis] = entry
    return 1


def check_mask(c: Context, x: Node, mask: Node, axis: int) -> None:
    """A mask has the shape of the axes that it stands for."""
    for position in range(rank_of(mask)):
        have, given = s.size(c, x, axis + position), s.size(c, mask, position)
        different = s.compare(c, "not_equal", have, given)
        text = ("boolean index did not match indexed array along axis ", str(axis + position), "; size of axis is ",
                *_pieces(have), " but size of corresponding boolean axis is ", *_pieces(given))  # fmt: skip
        if isinstance(different, Constant):
            if different.value:
                refuse_shape(c, "".join(map(str, text)))
            continue
        c.raise_if(different, IndexError, *text)


def _pieces(node: Node) -> tuple[str | tuple[str, bool, Node]]:
    return (str(node.value),) if isinstance(node, Constant) else (("int64", True, node),)


# Reading -----------------------------------------------------------------------------------------------------------


def getitem(c: Context, value: Value, index: Value) -> Value:
    """value[index] of an array or a NumPy scalar."""
    whole = whole_of(value, index) if isinstance(value, ArrayValue) else None
    if whole is not None:
        c.check_fresh(value)  # type: ignore[arg-type]
        return getitem(c, *whole)
    x = c.node(value)
    if isinstance(value, ScalarValue) and any(isinstance(e, ScalarValue) or is_slice(e) for e in entries_of(index)):
        refuse(c, "invalid index to scalar variable.")
    plan = plan_index(c, x, index)
    if plan.is_advanced:
        return wrap(c, read_advanced(c, plan))
    found = wrap(c, read_basic(c, plan), value, rank0=plan.has_ellipsis)
    if isinstance(found, ArrayValue) and isinstance(value, ArrayValue):
        c.link(found, value, index)
    return found


def whole_of(cell: ArrayValue, index: Value) -> tuple[ArrayValue, Value] | None:
    """x[i][j] is x[i, j], which need not look at the whole row: (x, (i, j)) for the view x[i] and the index j."""
    link = cell.link
    if link is None or not link.is_live or not isinstance(link.parent, ArrayValue):
        return None
    outer, inner = entries_of(link.index), entries_of(index)
    if all(map(_is_integer, outer)) and all(map(_is_basic, inner)):
        return link.parent, TupleValue((*outer, *inner))
    return None


def _is_basic(entry: Value) -> bool:
    """Whether an entry of an index is an integer, a slice or `...`."""
    return _is_integer(entry) or is_slice(entry) or isinstance(entry, Static) and entry.object is Ellipsis


def _is_integer(entry: Value) -> bool:
    return is_number(entry) and number_dtype(entry).startswith("int")


def read(c: Context, plan: Plan) -> Node:
    return read_advanced(c, plan) if plan.is_advanced else read_basic(c, plan)


def sliced(c: Context, x: Node, slices: dict[int, Slice]) -> Node:
    """x with slices of some of its axes."""
    if not slices:
        return x
    axes = tuple(sorted(slices))
    dims = list(dims_of(x.type))
    for axis in axes:
        dims[axis] = assumed_dim(c, slices[axis].count)
    return c.emit("slice", x, *triples(slices), axes=axes, dims=tuple(dims))


def triples(slices: dict[int, Slice]) -> list[Node]:
    return [node for axis in sorted(slices) for node in (slices[axis].start, slices[axis].count, slices[axis].step)]


def read_basic(c: Context, plan: Plan) -> Node:
    x = plan.x
    if plan.numbers:
        axes = tuple(sorted(plan.numbers))
        x = c.emit("index", x, *[plan.numbers[axis] for axis in axes], axes=axes)
    kept = [axis for axis in range(rank_of(plan.x)) if axis not in plan.numbers]
    return sliced(c, x, {kept.index(axis): found for axis, found in plan.slices.items()})


@dataclass(slots=True)
class Gathering:
    """Index arrays of one rank for adjacent axes of `x`, which may have been transposed: axis j of the transposed array
    was axis order[j]."""

    x: Node
    indices: list[Node]
    axis: int
    order: tuple[int, ...] | None


def gathering(c: Context, plan: Plan, x: Node) -> Gathering:
    """Integers, index arrays and masks as index arrays for adjacent axes. `x` is the plan's, sliced."""
    arrays = dict(plan.arrays)
    for axis, mask in plan.masks.items():
        found = c.emit("nonzero", mask)
        for position in range(rank_of(mask)):
            arrays[axis + position] = c.emit("item", found, index=position)
    arrays.update(plan.numbers)
    axes = sorted(arrays)
    rank = max(rank_of(node) for node in arrays.values())
    indices = [_to_rank(c, arrays[axis], rank) for axis in axes]
    if axes == list(range(axes[0], axes[0] + len(axes))):
        return Gathering(x, indices, axes[0], None)
    order = (*axes, *[axis for axis in range(rank_of(x)) if axis not in arrays])
    return Gathering(c.emit("transpose", x, permutation=order), indices, 0, order)


def _to_rank(c: Context, node: Node, rank: int) -> Node:
    missing = rank - rank_of(node)
    return c.emit("expand_dims", node, axes=tuple(range(missing))) if missing else node


def read_advanced(c: Context, plan: Plan) -> Node:
    found = gathering(c, plan, sliced(c, plan.x, plan.slices))
    return c.emit("gather", found.x, *found.indices, axis=found.axis)


def index_shape(c: Context, indices: Sequence[Node]) -> list[Node]:
    """The shape of index arrays broadcast together."""
    whole = indices[0]
    for node in indices[1:]:
        whole = c.emit("add", whole, node)
    return s.shape(c, whole)
