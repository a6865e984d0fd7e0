"""Methods that write in place or leave NumPy, methods of ufuncs, and functions of whole arrays that compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import numpy_size as s
from arignote.frontend.numpy_binding import FUNCTIONS, Declared, Dtype, Known, Refused, numpy_function
from arignote.frontend.numpy_index import gathering, index_shape, plan_index
from arignote.frontend.numpy_operand import as_node, as_size, cast, normal_axis, rank_of, refuse
from arignote.frontend.numpy_reduce import (
    accumulator,
    axes_of,
    extremum,
    flat,
    part,
    reduced,
)
from arignote.frontend.numpy_set import copy_into, fitted
from arignote.frontend.numpy_shape import keeps_order, reshaped
from arignote.frontend.numpy_ufunc import is_close, operand, ufunc2
from arignote.frontend.promotion import kind_of, result_dtype
from arignote.frontend.values import ArrayValue, ListValue, Static, Value
from arignote.ir.graph import Constant, Node
from arignote.ir.types import BOOL, dims_of, dtype_of

if TYPE_CHECKING:
    from arignote.frontend.context import Context


# To Python ---------------------------------------------------------------------------------------------------------


@numpy_function(method="item")
def item(c: Context, a: Node, /, *places: Value) -> Value:
    """A Python number: the only element, or the one at an index."""
    if not places:
        return as_python(c, only_element(c, a))
    if len(places) == 1:
        a = flat(c, a)
    elif len(places) != rank_of(a):
        refuse(c, "incorrect number of indices for array")
    return as_python(c, c.emit("index", a, *[as_size(c, i) for i in places], axes=tuple(range(rank_of(a)))))


def as_python(c: Context, number: Node) -> Value:
    """A NumPy scalar as a Python bool, int or float."""
    dtype = dtype_of(number.type)
    return c.scalar(cast(c, number, {"int32": "int64", "float32": "float64"}.get(dtype, dtype)), python=True)


def only_element(c: Context, x: Node) -> Node:
    """The element of an array that has one."""
    if not rank_of(x):
        return x
    count = s.product(c, s.shape(c, x))
    many = s.compare(c, "not_equal", count, s.ONE)
    text = "can only convert an array of size 1 to a Python scalar"
    if isinstance(many, Constant) and many.value:
        refuse(c, text)
    c.raise_if(many, ValueError, text)
    return reshaped(c, x, [])


@numpy_function(method="tolist")
def tolist(c: Context, a: Node, /) -> Any:
    if not rank_of(a):
        return as_python(c, a)
    if min(dims_of(a.type)) < 0:
        refuse(c, f"tolist() of an array whose size is known at run time only ({a.type!r})", "loop over the array")
    return _nested_list(c, a)


def _nested_list(c: Context, x: Node) -> Value:
    if not rank_of(x):
        return as_python(c, x)
    rows = [c.emit("index", x, s.integer(i), axes=(0,)) for i in range(dims_of(x.type)[0])]
    return ListValue(tuple([_nested_list(c, row) for row in rows]))


# In place ----------------------------------------------------------------------------------------------------------


def _target(c: Context, value: Value, what: str) -> ArrayValue:
    if not isinstance(value, ArrayValue):
        refuse(c, f"{what} writes into an array, got {c.show(value)}")
    return value


@numpy_function(method="fill")
def fill(c: Context, a: Value, value: Value, /) -> None:
    copy_into(c, _target(c, a, "fill"), value)


@numpy_function("copyto")
def copyto(c: Context, dst: Value, src: Value, casting: Refused = "same_kind", where: Refused = True) -> None:
    cell = _target(c, dst, "np.copyto")
    source = dtype_of(as_node(c, src).type)
    if not np.can_cast(source, cell.dtype, "same_kind"):
        refuse(c, f"Cannot cast array data from dtype('{source}') to dtype('{cell.dtype}') according to the rule "
               "'same_kind'")  # fmt: skip
    copy_into(c, cell, src)


@numpy_function(method="sort")
def sort_in_place(c: Context, a: Value, axis: Known = -1, kind: Known = None, order: Refused = None, *,
                  stable: Known = None) -> None:  # fmt: skip
    cell = _target(c, a, "sort")
    node = c.node(cell)
    axis, is_stable = normal_axis(c, axis, rank_of(node)), keeps_order(c, kind, stable)
    c.write(cell, c.emit("sort", node, axis=axis, stable=is_stable))


@numpy_function("fill_diagonal")
def fill_diagonal(c: Context, a: Value, val: Value, wrap: Refused = False) -> None:
    cell = _target(c, a, "np.fill_diagonal")
    x = c.node(cell)
    if rank_of(x) != 2:
        refuse(c, "np.fill_diagonal of an array that has not two dimensions is not supported in compiled code")
    count = s.minimum(c, *s.shape(c, x))
    i = c.emit("iota", count, dtype="int64", dim=s.dim_of(count))
    value = fitted(c, cast(c, as_node(c, val), cell.dtype), [count])
    c.write(cell, c.emit("scatter", x, value, i, i, axis=0, accumulate=False))


# Methods of ufuncs -------------------------------------------------------------------------------------------------


def _accumulate_at(ufunc: np.ufunc, negate: bool) -> None:
    def at(c: Context, a: Value, indices: Value, b: Value = None, /) -> None:  # type: ignore[assignment]
        """Repeated indices all count."""
        cell = _target(c, a, f"np.{ufunc.__name__}.at")
        plan = plan_index(c, c.node(cell), indices)
        if plan.new_axes or plan.slices or not plan.is_advanced:
            refuse(c, f"np.{ufunc.__name__}.at is only supported with index arrays, one for each of the first axes")
        found = gathering(c, plan, plan.x)
        sizes = s.shape(c, found.x)
        region = [*sizes[: found.axis], *index_shape(c, found.indices), *sizes[found.axis + len(found.indices) :]]
        b = operand(c, b)
        if result_dtype(kind_of(c, b), (cell.dtype, False)) != cell.dtype or cell.dtype == "bool":
            refuse(c, f"np.{ufunc.__name__}.at into {cell.dtype} from {c.show(b)} is not supported in compiled code")
        value = c.node(b, cell.dtype)
        value = fitted(c, c.emit("negative", value) if negate else value, region)
        result = c.emit("scatter", found.x, value, *found.indices, axis=found.axis, accumulate=True)
        if found.order is not None:
            result = c.emit("transpose", result, permutation=tuple(int(axis) for axis in np.argsort(found.order)))
        c.write(cell, result)

    FUNCTIONS[ufunc.at] = Declared(at, f"np.{ufunc.__name__}.at", False, False)


_accumulate_at(np.add, False)
_accumulate_at(np.subtract, True)


def _reduce_method(ufunc: np.ufunc, name: str) -> None:
    def reduce(c: Context, array: Node, axis: Known = 0, dtype: Dtype = None, out: Refused = None,
               keepdims: Known = False, initial: Refused = None, where: Refused = True) -> Node:  # fmt: skip
        if name in ("maximum", "minimum"):
            return extremum(c, name, array, axis, bool(keepdims))
        x = cast(c, array, "bool") if name in ("any", "all") else accumulator(c, array, dtype)
        return reduced(c, name, x, axes_of(c, x, axis), bool(keepdims))

    FUNCTIONS[ufunc.reduce] = Declared(reduce, f"np.{ufunc.__name__}.reduce", False, False)


for _ufunc, _name in (
    (np.add, "sum"), (np.multiply, "prod"), (np.maximum, "maximum"), (np.minimum, "minimum"), (np.logical_and, "all"),
    (np.logical_or, "any"),
):  # fmt: skip
    _reduce_method(_ufunc, _name)


def _accumulate_method(ufunc: np.ufunc, whole: str) -> None:
    def accumulate(c: Context, array: Value, axis: Known = 0, dtype: Refused = None, out: Refused = None) -> Value:
        if not rank_of(as_node(c, array)):
            refuse(c, "cannot accumulate on a scalar")
        return FUNCTIONS[getattr(np, whole)](c, [array], {"axis": Static(axis)})

    FUNCTIONS[ufunc.accumulate] = Declared(accumulate, f"np.{ufunc.__name__}.accumulate", False, False)


_accumulate_method(np.add, "cumsum")
_accumulate_method(np.multiply, "cumprod")


def _outer_method(ufunc: np.ufunc) -> None:
    def outer(c: Context, a: Value, b: Value, /) -> Value:
        x, y = as_node(c, operand(c, a)), operand(c, b)
        rank = rank_of(as_node(c, y))
        left = c.emit("expand_dims", x, axes=tuple(range(rank_of(x), rank_of(x) + rank))) if rank else x
        return ufunc2(c, ufunc.__name__, c.array(left) if rank_of(left) else c.scalar(left, python=False), y)

    FUNCTIONS[ufunc.outer] = Declared(outer, f"np.{ufunc.__name__}.outer", False, False)


for _ufunc in (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power, np.less, np.greater,
               np.equal, np.less_equal, np.greater_equal, np.hypot, np.arctan2):  # fmt: skip
    _outer_method(_ufunc)


# Comparing whole arrays --------------------------------------------------------------------------------------------


@numpy_function("allclose")
def allclose(c: Context, a: Value, b: Value, rtol: Value = None, atol: Value = None,  # type: ignore[assignment]
             equal_nan: Known = False) -> Value:  # fmt: skip
    near = is_close(c, a, b, rtol, atol, equal_nan)
    return c.scalar(reduced(c, "all", near, tuple(range(rank_of(near)))), python=True)


@numpy_function("array_equal")
def array_equal(c: Context, a1: Value, a2: Value, equal_nan: Known = False) -> Any:
    """Arrays of different shapes are not equal; their common parts are compared so that nothing fails."""
    x, y = operand(c, a1), operand(c, a2)
    a, b = as_node(c, x), as_node(c, y)
    if rank_of(a) != rank_of(b):
        return c.scalar(Constant(False, BOOL), python=True)
    same: Node = Constant(True, BOOL)
    for axis in range(rank_of(a)):
        m, n = s.size(c, a, axis), s.size(c, b, axis)
        alike = s.compare(c, "equal", m, n)
        if isinstance(alike, Constant) and alike.value:
            continue
        common = s.minimum(c, m, n)
        a, b = part(c, a, axis, s.ZERO, common), part(c, b, axis, s.ZERO, common)
        same = c.emit("logical_and", same, alike)
    equal = c.node(ufunc2(c, "equal", *[c.array(node) for node in (a, b)]))
    if equal_nan and dtype_of(a.type).startswith("float"):
        both = c.emit("logical_and", c.emit("not_equal", a, a), c.emit("not_equal", b, b))
        equal = c.emit("logical_or", equal, both)
    equal = reduced(c, "all", equal, tuple(range(rank_of(equal))))
    return c.scalar(c.emit("logical_and", equal, same), python=True)


@numpy_function("isin", rank0=True)
def isin(c: Context, element: Value, test_elements: Value, assume_unique: Known = False, invert: Known = False, *,
         kind: Known = None) -> Node:  # fmt: skip
    x, y = operand(c, element), operand(c, test_elements)
    left = c.emit("expand_dims", as_node(c, x), axes=(rank_of(as_node(c, x)),))
    found = c.node(ufunc2(c, "equal", c.array(left), c.array(flat(c, as_node(c, y)))))
    result = c.emit("any", found, axes=(rank_of(left) - 1,))
    return c.emit("logical_not", result) if invert else result


# Refused -----------------------------------------------------------------------------------------------------------

HINTS = {
    "unique": "the size of its result depends on the values", "delete": "join the parts with np.concatenate",
    "insert": "join the parts with np.concatenate", "bincount": "use np.add.at on an array of zeros",
    "histogram": "", "vectorize": "call the function itself, or write a loop", "apply_along_axis": "write a loop",
    "gcd": "", "lcm": "", "imag": "complex numbers are not supported", "iscomplex": "complex numbers are not supported",
    "angle": "complex numbers are not supported", "nextafter": "", "spacing": "", "frexp": "",
    "ldexp": "multiply by 2.0 ** n",
    "resize": "use reshape, tile or concatenate", "put": "write x[i] = v", "place": "write x[mask] = v",
    "putmask": "write x[mask] = v", "partition": "use np.sort", "argpartition": "use np.argsort",
    "lexsort": "use np.argsort",
    "fromfunction": "write the expression over np.arange", "fromiter": "use np.array", "indices": "use np.meshgrid",
}  # fmt: skip


def _refused(name: str, hint: str) -> None:
    def call(c: Context, *values: Value, **keywords: Value) -> Any:
        refuse(c, f"np.{name} is not supported in compiled code", hint)

    def handler(c: Context, args: list[Value], kwargs: dict[str, Value]) -> Value:
        return call(c)

    FUNCTIONS.setdefault(getattr(np, name), handler)


for _name, _hint in HINTS.items():
    _refused(_name, _hint)
