"""How arguments become nodes, and results become values: array-likes, nested sequences, dtypes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from arignote.frontend import numpy_size as s
from arignote.frontend.scope import HOOKS
from arignote.frontend.values import (
    ArrayValue,
    ListValue,
    RangeValue,
    RecordValue,
    ScalarValue,
    Static,
    TupleValue,
    Value,
    is_number,
)
from arignote.ir.errors import ShapeError, TypeInferenceError
from arignote.ir.graph import Constant, Node
from arignote.ir.structure import SHORT_NAMES
from arignote.ir.types import Scalar, dims_of, dtype_of, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

LARGEST_SIZE = 2**60

PROMOTED: dict[tuple[str, str], str] = {
    (a, b): np.promote_types(a, b).name for a in SHORT_NAMES for b in SHORT_NAMES
}  # fmt: skip


def promote(dtypes: Sequence[str]) -> str:
    """The dtype that holds all of these, as NumPy promotes arrays."""
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = PROMOTED[result, dtype]
    return result


def refuse(c: Context, message: str, hint: str = "") -> NoReturn:
    """NumPy raises TypeError or ValueError here, or the compiler does not know how to do it."""
    c.error(message, TypeInferenceError, hint)


def refuse_shape(c: Context, message: str) -> NoReturn:
    c.error(message, ShapeError)


def sequence_items(value: Value) -> tuple[Value, ...] | None:
    """The items of a tuple or list of known structure; None of anything else."""
    if isinstance(value, TupleValue):
        return value.items
    if isinstance(value, ListValue):
        return None if value.is_sequence else value.state
    if isinstance(value, RecordValue) and value.is_tuple:
        return value.state
    if isinstance(value, Static) and isinstance(value.object, tuple | list):
        return tuple(map(Static, value.object))
    return None


def is_sequence(value: Value) -> bool:
    """A tuple or list, of known length or not."""
    return isinstance(value, ListValue) or sequence_items(value) is not None


def items_of(c: Context, value: Value, what: str) -> list[Value]:
    """The items of a sequence of arrays; an array stands for its first axis."""
    items = sequence_items(value)
    if items is not None:
        return list(items)
    if isinstance(value, ArrayValue) and value.rank and value.dims[0] >= 0:
        node = c.node(value)
        return [wrap(c, c.emit("index", node, s.integer(i), axes=(0,))) for i in range(value.dims[0])]
    refuse(c, f"{what} must be a tuple or list of known length")


def is_array_like(value: Value) -> bool:
    return is_number(value) or isinstance(value, ArrayValue | ListValue) or sequence_items(value) is not None


def as_node(c: Context, value: Value, dtype: str | None = None) -> Node:
    """The node of an array-like: a number, an array, or nested tuples and lists of them."""
    items = sequence_items(value)
    if items is not None:
        return nested_array(c, value, dtype)
    if isinstance(value, ListValue):
        return c.node(HOOKS["sequence_array"](c, value, dtype))
    if isinstance(value, RangeValue):
        return nested_array(c, TupleValue(tuple(c.elements(value))), dtype)
    if is_number(value) or isinstance(value, ArrayValue):
        node = c.node(value)
        return node if dtype is None else cast(c, node, dtype)
    refuse(c, f"expected an array or a number, got {c.show(value)}")


def cast(c: Context, node: Node, dtype: str) -> Node:
    """The node in another dtype; of a constant, a constant."""
    source = dtype_of(node.type)
    if source == dtype:
        return node
    if isinstance(node, Constant):
        if dtype == "bool" or is_float(dtype) or not is_float(source):
            if dtype != "int32" or -(2**31) <= node.value < 2**31:
                return Constant(node.value, Scalar(dtype))
    return c.emit("cast", node, dtype=dtype)


def is_rank0(node: Node) -> bool:
    return not dims_of(node.type)


def nested_array(c: Context, value: Value, dtype: str | None = None) -> Node:
    """The array that NumPy makes of nested sequences: items of one shape, in the dtype that holds them all."""
    leaves: list[Node] = []
    shape = _collect(c, value, leaves)
    if not leaves:
        sizes = [s.integer(count) for count in shape]
        return c.emit("broadcast_to", Constant(0, Scalar(dtype or "float64")), *sizes, dims=tuple(shape))
    common = dtype or promote([dtype_of(leaf.type) for leaf in leaves])
    leaves = [cast(c, leaf, common) for leaf in leaves]
    _check_alike(c, leaves, len(shape))
    rows = [c.emit("expand_dims", leaf, axes=(0,)) for leaf in leaves]
    flat = rows[0] if len(rows) == 1 else c.emit("concatenate", *rows, axis=0)
    if len(shape) == 1:
        return flat
    sizes = [*map(s.integer, shape), *s.shape(c, leaves[0])]
    return c.emit("reshape", flat, *sizes, dims=(*shape, *dims_of(leaves[0].type)))


def _check_alike(c: Context, leaves: Sequence[Node], depth: int) -> None:
    if len({len(dims_of(leaf.type)) for leaf in leaves}) > 1:
        refuse_shape(c, _INHOMOGENEOUS.format(depth))


_INHOMOGENEOUS = (
    "setting an array element with a sequence. The requested array has an inhomogeneous shape after {} dimensions."
)


def _collect(c: Context, value: Value, leaves: list[Node]) -> list[int]:
    """Append the numbers and arrays of nested sequences; the sizes of the sequences around them."""
    items = sequence_items(value)
    if items is None:
        leaves.append(as_node(c, value))
        return []
    inner: list[int] | None = None
    for item in items:
        found = _collect(c, item, leaves)
        if inner is not None and found != inner:
            refuse_shape(c, _INHOMOGENEOUS.format(1))
        inner = found
    return [len(items), *(inner or [])]


def dtype_name(c: Context, given: Any) -> str | None:
    """The name of a dtype given in any of NumPy's ways; None for None."""
    if given is None:
        return None
    try:
        name = np.dtype(given).name
    except TypeError as error:
        refuse(c, str(error))
    if name not in SHORT_NAMES:
        refuse(c, f"dtype {name} is not supported in compiled code; supported are {', '.join(SHORT_NAMES)}")
    return name


def wrap(c: Context, result: Any, shared: Value | None = None, rank0: bool = False) -> Value:
    """A value made of what a declaration returns.

    shared: the value whose memory an array result may share
    rank0:  a result without dimensions is a 0-d array, not a NumPy scalar
    """
    if isinstance(result, Node):
        if is_rank0(result) and not rank0:
            return c.scalar(result, python=False)
        shares = (shared,) if isinstance(shared, ArrayValue) else ()
        return c.array(result, shares=shares)
    if isinstance(result, Value):
        return result
    if isinstance(result, tuple):
        return TupleValue(tuple([wrap(c, item, shared, rank0) for item in result]))
    if isinstance(result, list):
        return ListValue(tuple([wrap(c, item, shared, rank0) for item in result]))
    return Static(result)


def size_value(c: Context, size: Node) -> Value:
    """A size as a Python int."""
    if isinstance(size, Constant):
        return Static(int(size.value))
    return c.scalar(size, python=True, low=0, high=LARGEST_SIZE)


def piece(node: Node) -> str | tuple[str, bool, Node]:
    """An integer as a piece of a message."""
    return str(node.value) if isinstance(node, Constant) else (dtype_of(node.type), True, node)


def shape_pieces(counts: Sequence[Node]) -> list[Any]:
    """A shape, as NumPy writes it, as pieces of a message."""
    pieces: list[Any] = ["("]
    for position, count in enumerate(counts):
        pieces += [","] * (position > 0) + [piece(count)]
    return [*pieces, ",)" if len(counts) == 1 else ")"]


def as_size(c: Context, value: Value, what: str = "a size") -> Node:
    """An integer argument as an int64 node."""
    if isinstance(value, Static) and hasattr(value.object, "__index__"):
        return s.integer(value.object.__index__())
    node = c.node(value) if isinstance(value, ScalarValue | ArrayValue) else None
    if node is None or not is_rank0(node) or is_float(dtype_of(node.type)):
        kind = dtype_of(node.type) if node is not None else c.show(value)
        refuse(c, f"{what} must be an integer, got {kind}")
    return cast(c, node, "int64")


def as_shape(c: Context, value: Value) -> list[Node]:
    """A shape argument: an integer, or a tuple or list of them."""
    items = sequence_items(value)
    if items is not None:
        return [as_size(c, item) for item in items]
    if isinstance(value, ArrayValue) and value.rank == 1 and value.dims[0] >= 0 and not is_float(value.dtype):
        return [as_size(c, item) for item in items_of(c, value, "a shape")]
    return [as_size(c, value)]


def check_nonnegative(c: Context, counts: Sequence[Node]) -> None:
    """NumPy's error for negative sizes."""
    for count in counts:
        found = s.known(count)
        if found is not None and found < 0:
            refuse_shape(c, "negative dimensions are not allowed")
        if not s.is_nonnegative(count):
            c.raise_if(c.emit("less", count, s.ZERO), ValueError, "negative dimensions are not allowed")


def normal_axis(c: Context, axis: Any, rank: int) -> int:
    """An axis counted from the front."""
    if not hasattr(axis, "__index__"):
        refuse(c, f"'{type(axis).__name__}' object cannot be interpreted as an integer")
    axis = axis.__index__()
    if not -rank <= axis < rank:
        refuse_shape(c, f"axis {axis} is out of bounds for array of dimension {rank}")
    return axis % rank


def normal_axes(c: Context, axis: Any, rank: int) -> tuple[int, ...]:
    """Axes given as None (all), a number or a tuple, ascending."""
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    axes = [normal_axis(c, a, rank) for a in given]
    if len(set(axes)) != len(axes):
        refuse_shape(c, "duplicate value in 'axis'")
    return tuple(sorted(axes))


def rank_of(node: Node) -> int:
    return len(dims_of(node.type))


def expand_to_rank(c: Context, node: Node, rank: int) -> Node:
    """New axes of size 1 in front until the rank is reached."""
    missing = rank - rank_of(node)
    return c.emit("expand_dims", node, axes=tuple(range(missing))) if missing > 0 else node
