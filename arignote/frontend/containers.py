"""Tuples, lists, dicts, records, strings: items, slices and methods. Their structure is known at compile time."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from arignote.frontend import prelude_lists, sequences, sorting
from arignote.frontend.cases import for_each_case, is_union, split
from arignote.frontend.context import MADE_WITH, StaticRequired
from arignote.frontend.elements import forget_length, has_parts, item_of_known
from arignote.frontend.iterate import elements, is_structural, length
from arignote.frontend.iterators import ViewValue
from arignote.frontend.numpy_table import getitem as get_array_item
from arignote.frontend.numpy_table import inplace
from arignote.frontend.numpy_table import setitem as set_array_item
from arignote.frontend.operators import (
    compare_named,
    find_method,
    static_call,
)
from arignote.frontend.scope import HOOKS
from arignote.frontend.values import (
    ArrayValue,
    BoundMethod,
    ChoiceValue,
    DictValue,
    FunctionValue,
    ListValue,
    MethodValue,
    RangeValue,
    RecordValue,
    ScalarValue,
    Static,
    TransformValue,
    TupleValue,
    Value,
)
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Sequence = TupleValue | ListValue


def get_item(context: Context, base: Value, index: Value) -> Value:
    """base[index]."""
    if is_union(base):
        return split(context, base, lambda value: get_item(context, value, index))
    if is_union(index):
        return split(context, index, lambda value: get_item(context, base, value))
    if isinstance(base, ArrayValue | ScalarValue):
        return get_array_item(context, base, index)
    if isinstance(base, DictValue):
        key = context.static(index, "the key of a dict")
        for known, value in context.read(base):
            if known == key:
                return HOOKS["readable"](context, value)
        known_keys = ", ".join(repr(known) for known, _ in context.read(base))
        context.error(f"KeyError: {key!r} is not a key of this dict", hint=f"it has the keys {known_keys}")
    if isinstance(base, RangeValue):
        return _range_item(context, base, index)
    if isinstance(base, ListValue) and base.is_sequence:
        return sequences.get_item(context, base, index)
    if isinstance(base, TupleValue | ListValue) or isinstance(base, RecordValue) and base.is_tuple:
        return _sequence_item(context, base, index)
    if isinstance(base, Static) and context.is_static(index):
        return _static_item(context, base, context.static(index))
    method = find_method(context, base, "__getitem__")
    if method is not None:
        return context.call(method, [index])
    raises = None
    if isinstance(base, Static):
        raises = TypeError, f"'{type(base.object).__name__}' object is not subscriptable"
    context.error(f"{context.show(base)} cannot be indexed", raises=raises)


def _static_item(context: Context, base: Static, index: Any) -> Value:
    if isinstance(base.object, type) and not hasattr(type(base.object), "__getitem__"):
        context.error(f"{context.show(base)} cannot be indexed in compiled code")
    return static_call(context, operator.getitem, base.object, index)


def _items(context: Context, base: Value) -> tuple[Value, ...]:
    return base.items if isinstance(base, TupleValue) else context.read(base)  # type: ignore[arg-type]


def _sequence_item(context: Context, base: Value, index: Value) -> Value:
    items = _items(context, base)
    if not context.is_static(index) and isinstance(index, ScalarValue):
        return _run_time_item(context, base, items, index)
    place = context.static(index, "the index of a tuple or list")
    if isinstance(place, slice):
        part = items[place]
        return ListValue(part) if isinstance(base, ListValue) else TupleValue(part)
    name = "list" if isinstance(base, ListValue) else "tuple"
    if not hasattr(place, "__index__"):
        context.error(f"{name} indices must be integers or slices, not {context.show(index)}")
    place = place.__index__()
    if not -len(items) <= place < len(items):
        context.raise_now(IndexError, f"{name} index out of range")
    return HOOKS["readable"](context, items[place])


def _run_time_item(context: Context, base: Value, items: tuple[Value, ...], index: ScalarValue) -> Value:
    """An index known at run time only: possible where all items are functions, of which a call will choose, or of one
    type, so that a list of the graph can hold them."""
    name = "list" if isinstance(base, ListValue) else "tuple"
    if index.dtype not in ("int64", "int32", "bool"):
        context.error(f"{name} indices must be integers or slices, not {context.show(index)}")
    if items and all(map(is_function, items)):
        return _run_time_function(context, base, items, index)
    if index.origin is None and not context.loops_to_unroll:
        if isinstance(base, ListValue) and has_parts(context, base) and forget_length(context, base):
            return sequences.get_item(context, base, index)
        found = item_of_known(context, items, index, name)
        if found is not None:
            return found
    _refuse_run_time_index(context, base, index)


def _refuse_run_time_index(context: Context, base: Value, index: ScalarValue) -> NoReturn:
    error = StaticRequired(
        f"the index of {context.show(base)} must be known at compile time, but it is {context.show(index)}, known "
        "at run time only",
        context.span,
        "loop over the items themselves, or let all items be of one type",
        context.known_calls(),
    )
    error.origin = index.origin
    raise error


def _run_time_function(context: Context, base: Value, items: tuple[Value, ...], index: ScalarValue) -> Value:
    count, place = context.constant(len(items)), context.node(index, "int64")
    negative = context.emit("less", place, context.constant(0))
    place = context.emit("select", negative, context.emit("add", place, count), place)
    outside = context.emit(
        "logical_or", context.emit("less", place, context.constant(0)), context.emit("greater_equal", place, count)
    )
    name = "list" if isinstance(base, ListValue) else "tuple"
    context.raise_if(outside, IndexError, f"{name} index out of range")
    return ChoiceValue(context.scalar(place, python=True), items)


def is_function(value: Value) -> bool:
    """Whether a value is something to be called, and nothing else."""
    if isinstance(value, Static):
        return callable(value.object)
    return isinstance(value, FunctionValue | BoundMethod | TransformValue)


def _range_item(context: Context, base: RangeValue, index: Value) -> Value:
    from arignote.frontend.iterate import item_at, length

    if not isinstance(index, Static) or type(index.object) is not int:
        context.error("a range can only be indexed by an integer known at compile time")
    count = context.static(length(context, base), "the length of this range")
    if not -count <= index.object < count:
        context.raise_now(IndexError, "range object index out of range")
    return item_at(context, base, Static(index.object % count))


def set_item(context: Context, base: Value, index: Value, value: Value, operation: str | None) -> None:
    """base[index] = value; with an operation, of arrays, base[index] op= value."""
    if is_union(base):
        for_each_case(context, base, lambda found: set_item(context, found, index, value, operation))
        return
    if is_union(index):
        for_each_case(context, index, lambda found: set_item(context, base, found, value, operation))
        return
    if is_union(value) and isinstance(base, ArrayValue):
        for_each_case(context, value, lambda found: set_item(context, base, index, found, operation))
        return
    if isinstance(base, ArrayValue):
        if operation is not None and isinstance(index, Static) and index.object is Ellipsis:
            inplace(context, operation, base, value)
        else:
            set_array_item(context, base, index, value, operation)
    elif isinstance(base, ListValue) and base.is_sequence:
        sequences.set_item(context, base, index, value)
    elif isinstance(base, ListValue):
        _set_list_item(context, base, index, value)
    elif isinstance(base, DictValue):
        key = context.static(index, "the key of a dict")
        pairs = dict(context.read(base))
        pairs[key] = value
        context.write(base, tuple(pairs.items()))
    else:
        method = find_method(context, base, "__setitem__")
        if method is None:
            context.error(f"{context.show(base)} does not support item assignment")
        context.call(method, [index, value])


def _set_list_item(context: Context, base: ListValue, index: Value, value: Value) -> None:
    items = list(context.read(base))
    if not context.is_static(index) and isinstance(index, ScalarValue):
        if index.origin is None and not context.loops_to_unroll and forget_length(context, base):
            sequences.set_item(context, base, index, value)
            return
        _refuse_run_time_index(context, base, index)
    place = context.static(index, "the index of a list")
    if isinstance(place, slice):
        items[place] = elements(context, value)
    elif -len(items) <= place < len(items):
        items[place] = value
    else:
        context.raise_now(IndexError, "list assignment index out of range")
    context.write(base, tuple(items))


def delete_item(context: Context, base: Value, index: Value) -> None:
    """del base[index]."""
    if isinstance(base, DictValue):
        dict_pop(context, base, [index])
    elif isinstance(base, ListValue) and base.is_sequence:
        sequences.delete_item(context, base, index)
    elif isinstance(base, ListValue):
        items = list(context.read(base))
        place = context.static(index, "the index of a list")
        try:
            del items[place]
        except IndexError as error:
            context.raise_now(IndexError, str(error))
        context.write(base, tuple(items))
    else:
        context.error(f"{context.show(base)} does not support item deletion", UnsupportedSyntaxError)


# Methods: (context, instance, arguments) -> value

Method = Callable[..., Value]
LIST_METHODS: dict[str, Method] = {}
TUPLE_METHODS: dict[str, Method] = {}
DICT_METHODS: dict[str, Method] = {}
NONE = None


def _methods(table: dict[str, Method], name: str) -> Callable[[Method], Method]:
    def register(function: Method) -> Method:
        table[name] = function
        return function

    return register


@_methods(LIST_METHODS, "append")
def list_append(context: Context, base: ListValue, arguments: list[Value]) -> Value:
    context.write(base, (*context.read(base), arguments[0]))
    return Static(None)


@_methods(LIST_METHODS, "extend")
def list_extend(context: Context, base: ListValue, arguments: list[Value]) -> Value:
    if is_structural(arguments[0]) or isinstance(length(context, arguments[0]), Static):
        context.write(base, (*context.read(base), *elements(context, arguments[0])))
    else:
        sequences.extend_list(context, base, arguments[0])
    return Static(None)


def _by_loops(context: Context, name: str, base: ListValue, arguments: list[Value]) -> Value:
    """A method whose effect depends on what is known at run time only: the list's length is so from now on."""
    if not forget_length(context, base):
        context.error(f"the arguments of .{name} of a list whose items are of several types must be known at compile "
                      "time", hint="let all items be of one type")  # fmt: skip
    return sequences.SEQUENCE_METHODS[name](context, base, arguments)


@_methods(LIST_METHODS, "remove")
def list_remove(context: Context, base: ListValue, arguments: list[Value]) -> Value:
    items = context.read(base)
    for place, item in enumerate(items):
        same = context.truth(compare_named(context, "equal", "eq", item, arguments[0]))
        if not context.is_static(same):
            return _by_loops(context, "remove", base, arguments)
        if context.static(same):
            context.write(base, items[:place] + items[place + 1 :])
            return Static(None)
    context.raise_now(ValueError, "list.remove(x): x not in list")


@_methods(LIST_METHODS, "insert")
def list_insert(context: Context, base: ListValue, arguments: list[Value]) -> Value:
    if context.read(base) and not context.is_static(arguments[0]):
        return _by_loops(context, "insert", base, arguments)
    items = list(context.read(base))
    items.insert(context.static(arguments[0], "the place of insertion"), arguments[1])
    context.write(base, tuple(items))
    return Static(None)


@_methods(LIST_METHODS, "pop")
def list_pop(context: Context, base: ListValue, arguments: list[Value]) -> Value:
    items = list(context.read(base))
    if items and arguments and not context.is_static(arguments[0]):
        return _by_loops(context, "pop", base, arguments)
    place = context.static(arguments[0], "the index of a list") if arguments else -1
    if not items:
        context.raise_now(IndexError, "pop from empty list")
    if not -len(items) <= place < len(items):
        context.raise_now(IndexError, "pop index out of range")
    value = items.pop(place)
    context.write(base, tuple(items))
    return value


@_methods(LIST_METHODS, "clear")
def list_clear(context: Context, base: ListValue, arguments: list[Value]) -> Value:
    context.write(base, ())
    return Static(None)


@_methods(LIST_METHODS, "reverse")
def list_reverse(context: Context, base: ListValue, arguments: list[Value]) -> Value:
    context.write(base, context.read(base)[::-1])
    return Static(None)


@_methods(LIST_METHODS, "copy")
def list_copy(context: Context, base: ListValue, arguments: list[Value]) -> Value:
    return ListValue(context.read(base))


@_methods(LIST_METHODS, "index")
@_methods(TUPLE_METHODS, "index")
def sequence_index(context: Context, base: Sequence, arguments: list[Value]) -> Value:
    if len(arguments) > 1:
        return sequences.run(context, prelude_lists.index_of, base, *arguments)
    for place, item in enumerate(_items(context, base)):
        same = context.truth(compare_named(context, "equal", "eq", item, arguments[0]))
        if not context.is_static(same):
            return sequences.run(context, prelude_lists.index_of, base, *arguments)
        if context.static(same):
            return Static(place)
    context.raise_now(ValueError, "the value is not in the sequence")


@_methods(LIST_METHODS, "count")
@_methods(TUPLE_METHODS, "count")
def sequence_count(context: Context, base: Sequence, arguments: list[Value]) -> Value:
    total: Value = Static(0)
    for item in _items(context, base):
        same = context.truth(compare_named(context, "equal", "eq", item, arguments[0]))
        total = HOOKS["arithmetic"](context, "add", total, same)
    return total


@_methods(DICT_METHODS, "keys")
def dict_keys(context: Context, base: DictValue, arguments: list[Value]) -> Value:
    return ViewValue("keys", base)


@_methods(DICT_METHODS, "values")
def dict_values(context: Context, base: DictValue, arguments: list[Value]) -> Value:
    return ViewValue("values", base)


@_methods(DICT_METHODS, "items")
def dict_items(context: Context, base: DictValue, arguments: list[Value]) -> Value:
    return ViewValue("items", base)


@_methods(DICT_METHODS, "get")
def dict_get(context: Context, base: DictValue, arguments: list[Value]) -> Value:
    key = context.static(arguments[0], "the key of a dict")
    default = arguments[1] if len(arguments) > 1 else Static(None)
    return dict(context.read(base)).get(key, default)


@_methods(DICT_METHODS, "pop")
def dict_pop(context: Context, base: DictValue, arguments: list[Value]) -> Value:
    key = context.static(arguments[0], "the key of a dict")
    pairs = dict(context.read(base))
    if key not in pairs:
        if len(arguments) > 1:
            return arguments[1]
        context.raise_now(KeyError, MADE_WITH, TupleValue((Static(key),)))
    value = pairs.pop(key)
    context.write(base, tuple(pairs.items()))
    return value


@_methods(DICT_METHODS, "setdefault")
def dict_setdefault(context: Context, base: DictValue, arguments: list[Value]) -> Value:
    key = context.static(arguments[0], "the key of a dict")
    pairs = dict(context.read(base))
    if key not in pairs:
        pairs[key] = arguments[1] if len(arguments) > 1 else Static(None)
        context.write(base, tuple(pairs.items()))
    return pairs[key]


@_methods(DICT_METHODS, "copy")
def dict_copy(context: Context, base: DictValue, arguments: list[Value]) -> Value:
    return DictValue(context.read(base), base.cls)


def dict_update(context: Context, base: DictValue, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """d.update(other, key=value ...)."""
    pairs = dict(context.read(base))
    for other in arguments:
        pairs.update(to_pairs(context, other))
    pairs.update(keywords)
    context.write(base, tuple(pairs.items()))
    return Static(None)


def to_pairs(context: Context, value: Value) -> dict[Any, Value]:
    """What dict() makes a dict of: a dict, or pairs."""
    if isinstance(value, DictValue):
        return dict(context.read(value))
    pairs: dict[Any, Value] = {}
    for item in elements(context, value):
        key, part = elements(context, item)
        pairs[context.static(key, "the key of a dict")] = part
    return pairs


def call_method(context: Context, method: MethodValue, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """Call a method of a container, or of a string."""
    base, name = method.instance, method.name
    if isinstance(base, DictValue) and name == "update":
        return dict_update(context, base, arguments, keywords)
    if isinstance(base, ListValue) and name == "sort":
        return sorting.sort(context, base, keywords)
    of_lists = sequences.SEQUENCE_METHODS if isinstance(base, ListValue) and base.is_sequence else LIST_METHODS
    tables = {ListValue: of_lists, TupleValue: TUPLE_METHODS, DictValue: DICT_METHODS}
    found = tables[type(base)].get(name)  # type: ignore[index]
    if found is None:
        context.error(
            f"the method .{name} of {context.show(base)} is not supported in compiled code", UnsupportedSyntaxError
        )
    if keywords:
        context.error(f".{name}() takes no keyword arguments")
    return found(context, base, arguments)


def has_method(base: Value, name: str) -> bool:
    """Whether a container has a method of this name, supported or not."""
    kinds = {ListValue: list, TupleValue: tuple, DictValue: dict}
    return hasattr(kinds[type(base)], name)  # type: ignore[index]


HOOKS["getitem"] = get_item
HOOKS["setitem"] = set_item
HOOKS["delitem"] = delete_item
