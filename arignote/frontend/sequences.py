"""Lists whose length is known at run time only: a list becomes one where control flow needs it.

What takes constant time is an operation of the graph (`elements`). Everything else is written in the language itself
(`prelude_lists`) and becomes loops.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.frontend import prelude_lists
from arignote.frontend.elements import (
    append,
    as_sequence,
    copied,
    elements_of,
    empty_like,
    forget_length,
    get,
    is_sequence,
    length_of,
    list_node,
    pop,
    put,
)
from arignote.frontend.instances import inline
from arignote.frontend.iterate import check_unused
from arignote.frontend.iterators import EnumerateValue, LazyValue, ZipValue
from arignote.frontend.numpy_slice import slice_of
from arignote.frontend.operators import negate
from arignote.frontend.scope import HOOKS, Scope
from arignote.frontend.spec import leaf_types, rebuild
from arignote.frontend.values import (
    Elements,
    FunctionValue,
    ListValue,
    ScalarValue,
    SliceValue,
    Static,
    TupleValue,
    Value,
    is_python_number,
    number_dtype,
)
from arignote.ir.errors import UnsupportedSyntaxError
from arignote.ir.graph import Parameter
from arignote.ir.types import dims_of, dtype_of, is_float

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Method = Callable[..., Value]
SEQUENCE_METHODS: dict[str, Method] = {}
NONE = Static(None)


# The language's own functions


def run(context: Context, function: Any, *arguments: Value) -> Value:
    """Call a function of the prelude."""
    lazy = [argument for argument in arguments if isinstance(argument, LazyValue)]
    for argument in lazy:
        check_unused(context, argument)
    if lazy:
        return run_in_place(context, function, *arguments)
    return context.call(context.lift(function), list(arguments))


def run_in_place(context: Context, function: Any, *arguments: Value) -> Value:
    """Interpret a function of the prelude that changes its arguments."""
    target = context.lift(function)
    assert isinstance(target, FunctionValue)
    return inline(context, target, arguments, {})


def push_from(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """`prelude_lists.push_of`"""
    target, source, place = arguments
    assert isinstance(target, ListValue) and isinstance(source, ListValue)
    item = get(context, source, place) if source.is_sequence else HOOKS["getitem"](context, source, place)
    append(context, target, item, once=True)
    return NONE


def move(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """`prelude_lists.move_of`"""
    cell, to, place = arguments
    assert isinstance(cell, ListValue)
    put(context, cell, to, get(context, cell, place), once=True)
    return NONE


def from_other(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """`prelude_lists.from_other_of`"""
    cell, to, source, place = arguments
    assert isinstance(cell, ListValue) and isinstance(source, ListValue)
    put(context, cell, to, get(context, source, place), once=True)
    return NONE


def _empty(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    cell = arguments[0]
    assert isinstance(cell, ListValue)
    return empty_like(context, cell) if cell.is_sequence else ListValue(())


PRELUDE_HANDLERS = {
    prelude_lists.push_of: push_from,
    prelude_lists.move_of: move,
    prelude_lists.from_other_of: from_other,
    prelude_lists.empty_like: _empty,
}


# Items and slices


def get_item(context: Context, cell: ListValue, index: Value) -> Value:
    """cell[index], also for slices."""
    bounds = _slice_of(context, cell, index)
    if bounds is None:
        return get(context, cell, index)
    return run(context, prelude_lists.sliced, cell, *bounds)


def _slice_of(context: Context, cell: ListValue, index: Value) -> tuple[Value, Value, Value] | None:
    """(start, count, step) of a slice."""
    if isinstance(index, Static) and isinstance(index.object, slice):
        given = index.object
        index = SliceValue(Static(given.start), Static(given.stop), Static(given.step))
    if not isinstance(index, SliceValue):
        return None
    emit = context.scope.emit
    size = emit.op("list_length", list_node(context, cell))
    found = slice_of(context, index, size)
    if found is None:
        return Static(0), context.scalar(size, True, 0, 2**60), Static(1)
    values = [context.scalar(node, True) for node in (found.start, found.count, found.step)]
    count = context.scalar(found.count, True, 0, 2**60)
    return values[0], count, values[2]


def set_item(context: Context, cell: ListValue, index: Value, value: Value) -> None:
    """cell[index] = value, also for slices."""
    bounds = _slice_of(context, cell, index)
    if bounds is None:
        put(context, cell, index, value)
        return
    start, count, step = bounds
    if not (isinstance(step, Static) or isinstance(_step_of(index), Static)) or _step(index) not in (None, 1):
        context.error("a slice with a step cannot be assigned in a list of run-time length", UnsupportedSyntaxError)
    items = value if isinstance(value, ListValue) else HOOKS["call"](context, Static(list), [value], {})
    new = run(context, prelude_lists.slice_replaced, cell, start, count, items)
    assert isinstance(new, ListValue)
    context.write(cell, new.state)


def _step_of(index: Value) -> Value:
    if isinstance(index, SliceValue):
        return index.step
    assert isinstance(index, Static)
    return Static(index.object.step)


def _step(index: Value) -> Any:
    step = _step_of(index)
    return step.object if isinstance(step, Static) else HOOKS


def delete_item(context: Context, cell: ListValue, index: Value) -> None:
    """del cell[index]"""
    bounds = _slice_of(context, cell, index)
    if bounds is None:
        get(context, cell, index)
        run_in_place(context, prelude_lists.pop_at, cell, index)
        return
    new = run(context, prelude_lists.without, cell, *bounds)
    assert isinstance(new, ListValue)
    context.write(cell, new.state)


# Methods


def _method(name: str) -> Callable[[Method], Method]:
    def register(function: Method) -> Method:
        SEQUENCE_METHODS[name] = function
        return function

    return register


@_method("append")
def _append(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    append(context, cell, arguments[0])
    return NONE


@_method("pop")
def _pop(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    if not arguments or isinstance(arguments[0], Static) and arguments[0].object == -1:
        return pop(context, cell)
    return run_in_place(context, prelude_lists.pop_at, cell, arguments[0])


@_method("extend")
def _extend(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    extend_list(context, cell, arguments[0])
    return NONE


def extend_list(context: Context, cell: ListValue, items: Value) -> None:
    """cell.extend(items)"""
    function = prelude_lists.extend_by_list if is_sequence(items) else prelude_lists.extend
    run_in_place(context, function, cell, items)


@_method("insert")
def _insert(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    run_in_place(context, prelude_lists.insert_at, cell, *arguments)
    return NONE


@_method("clear")
def _clear(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    context.write(cell, empty_like(context, cell).state)
    return NONE


@_method("copy")
def _copy(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    return copied(context, cell)


@_method("reverse")
def _reverse(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    run_in_place(context, prelude_lists.reverse, cell)
    return NONE


@_method("index")
def _index(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    return run(context, prelude_lists.index_of, cell, *arguments)


@_method("count")
def _count(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    return run(context, prelude_lists.count_of, cell, *arguments)


@_method("remove")
def _remove(context: Context, cell: ListValue, arguments: list[Value]) -> Value:
    run_in_place(context, prelude_lists.remove, cell, *arguments)
    return NONE


def sorted_list(context: Context, cell: ListValue, keywords: dict[str, Value]) -> ListValue:
    """sorted(cell, key=..., reverse=...)"""
    key = keywords.get("key", NONE)
    ranks = cell
    if not (isinstance(key, Static) and key.object is None):
        found = run(context, prelude_lists.ranks_of, cell, key)
        assert isinstance(found, ListValue)
        ranks = found
    backwards = context.truth(keywords.get("reverse", Static(False)))
    result = run(context, prelude_lists.sorted_by, cell, ranks, backwards)
    assert isinstance(result, ListValue)
    return result


# Operators


def add(context: Context, left: ListValue, right: ListValue) -> Value:
    """left + right, one of which is of run-time length."""
    if not left.is_sequence:
        found = as_sequence(context, left)
        if found is None:
            return copied(context, right)
        left = found
    return run(context, prelude_lists.joined, left, right)


def repeat(context: Context, items: ListValue, times: Value) -> Value:
    """items * times"""
    if not items.is_sequence and not context.read(items):
        return ListValue(())
    return run(context, prelude_lists.repeated, items, times)


def times(context: Context, value: Value, other: Value) -> Value:
    """A factor beside a sequence: NumPy's integers repeat it as Python's do, its other scalars multiply no sequence."""
    if not isinstance(value, ScalarValue) or value.python or not isinstance(other, TupleValue | ListValue):
        return value
    if is_float(value.dtype) or value.dtype == "bool":
        message = f"can't multiply sequence by non-int of type 'numpy.{value.dtype}'"
        context.error(message, raises=(TypeError, message))
    return context.scalar(context.cast(context.node(value), "int64"), python=True)


def operator(context: Context, name: str, left: Value, right: Value) -> Value | None:
    """+ and * where the result is of run-time length; None where it is not, or is no list."""
    if name == "add":
        if isinstance(left, ListValue) and isinstance(right, ListValue) and (left.is_sequence or right.is_sequence):
            return add(context, left, right)
        return None
    items, times = (left, right) if isinstance(left, ListValue) else (right, left)
    assert isinstance(items, ListValue)
    if not is_python_number(times) or number_dtype(times) == "float64":
        return None
    if not items.is_sequence and (context.is_static(times) or getattr(times, "origin", None) is not None):
        return None
    return repeat(context, items, times)


def compare(context: Context, name: str, left: Value, right: Value) -> Value:
    """A comparison of lists, one of which is of run-time length."""
    if name in ("equal", "not_equal"):
        same = _is_empty(context, left, right) or run(context, prelude_lists.equal, left, right)
        return same if name == "equal" else negate(context, same)
    if name in ("greater", "greater_equal"):
        left, right = right, left
    return run(context, prelude_lists.less, left, right, Static(name.endswith("equal")))


def _is_empty(context: Context, left: Value, right: Value) -> Value | None:
    """left == right, where one of them is known to be empty; None where none is."""
    for one, other in ((left, right), (right, left)):
        if isinstance(one, ListValue) and not one.is_sequence and not context.read(one):
            assert isinstance(other, ListValue)
            return negate(context, truth_of(context, other))
    return None


def contains(context: Context, cell: ListValue, item: Value) -> Value:
    """item in cell"""
    return run(context, prelude_lists.contains, cell, item)


def truth_of(context: Context, cell: ListValue) -> Value:
    """bool(cell)"""
    size = context.node(length_of(context, cell))
    return context.scalar(context.emit("greater", size, context.constant(0)), True)


# Going through lists that change

GROWING = frozenset(("append", "extend", "insert", "pop", "remove", "clear"))


def lists_in(iterable: Value) -> list[ListValue]:
    """The lists that an iterable goes through from their start to their end."""
    if isinstance(iterable, ListValue):
        return [iterable]
    if isinstance(iterable, EnumerateValue):
        return lists_in(iterable.iterable)
    return [found for item in iterable.items for found in lists_in(item)] if isinstance(iterable, ZipValue) else []


def versions_of(iterable: Value) -> list[object]:
    """Of the lists of run-time length that it goes through: what changes when their elements move."""
    return [cell.state.version for cell in lists_in(iterable) if isinstance(cell.state, Elements)]


def grows(context: Context, loop: ast.For, iterable: Value) -> bool:
    """Whether the body of a loop changes the length of a list that it goes through: the list's length is then one that
    is known at run time only."""
    lists = lists_in(iterable)
    if not lists:
        return False
    names = {
        n.func.value.id
        for statement in loop.body
        for n in ast.walk(statement)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in GROWING
        and isinstance(n.func.value, ast.Name)
    }  # fmt: skip
    variables = context.frame.variables
    changed = [cell for name in names if (cell := getattr(variables.get(name), "state", None)) in lists]
    return bool(changed) and all(cell.is_sequence or forget_length(context, cell) for cell in lists)


# As arrays


def as_array(context: Context, cell: ListValue, dtype: str | None = None) -> Value:
    """np.array(cell)"""
    found, dims = entry_type(context, cell)
    is_array = bool(dims)
    if dtype is None and found != "float64" and not is_array:
        empty = context.emit("equal", context.node(length_of(context, cell)), context.constant(0))
        message = f"compiled code cannot make an array of an empty list that would hold {found}: "
        context.raise_if(empty, ValueError, message + "in Python its dtype would be float64")
    function = prelude_lists.array_of_arrays if is_array else prelude_lists.array_of_numbers
    return run(context, function, cell, Static(_numpy_type(dtype or found)))


def _numpy_type(dtype: str) -> Any:
    return np.dtype(dtype).type


def entry_type(context: Context, cell: ListValue) -> tuple[str, tuple[int, ...]]:
    """The dtype that NumPy gives an array of such elements, and the dimensions that they have themselves."""
    element = elements_of(context, cell).element
    outer, context.scope = context.scope, Scope("nothing", context.scope)
    try:
        nodes = [Parameter("x", type_) for type_ in leaf_types(element)]
        node = context.node(HOOKS["asarray"](context, rebuild(element, nodes, context.scope)))
        return dtype_of(node.type), dims_of(node.type)
    finally:
        context.scope = outer


HOOKS["sequence_array"] = as_array
HOOKS["compare_sequences"] = compare
HOOKS["sequence_operator"] = operator
HOOKS["times"] = times
HOOKS["sequence_contains"] = contains
