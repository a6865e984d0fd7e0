"""Iteration: what can be gone through, how long it is, and its items.

Things of known structure (tuples, lists, dicts, and zips of them) have *elements*, and loops over them are unrolled.
Ranges and arrays have a length, perhaps known at run time only, and an item at a run-time index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from arignote.frontend import numbers
from arignote.frontend.iterators import (
    ITERATORS,
    EnumerateValue,
    LazyValue,
    MapValue,
    ReversedValue,
    ViewValue,
    ZipValue,
)
from arignote.frontend.scope import HOOKS
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    ListValue,
    RangeValue,
    RecordValue,
    ScalarValue,
    Static,
    TupleValue,
    Value,
)

if TYPE_CHECKING:
    from arignote.frontend.context import Context

LONGEST_UNROLLED = 10_000

UNEQUAL = "zip() arguments have different lengths"


def is_structural(value: Value) -> bool:
    """Whether it has elements known one by one."""
    match value:
        case ListValue():
            return not value.is_sequence
        case TupleValue() | DictValue() | RecordValue() | Static() | ViewValue():
            return True
        case LazyValue():
            return value.source is not None and is_structural(value.source)
        case ZipValue() | MapValue():
            return any(map(is_structural, value.items))
        case EnumerateValue() | ReversedValue():
            return is_structural(value.iterable)
    return False


def use_up(context: Context, iterator: Value) -> None:
    """Note that an iterator, but not what it goes through itself, is gone through."""
    assert isinstance(iterator, ITERATORS)
    check_unused(context, iterator)
    iterator.used = True


def check_unused(context: Context, iterator: Value) -> None:
    """Refuse to go through an iterator for the second time."""
    if iterator.used:  # type: ignore[attr-defined]
        context.error("this iterator was gone through before; in Python it would be empty now",
                      hint="make it anew, or keep its items in a tuple: tuple(...)")  # fmt: skip


def consume(context: Context, value: Value) -> None:
    """Note that an iterator is gone through; a second time, Python would find it empty."""
    if not isinstance(value, ITERATORS):
        return
    use_up(context, value)
    if isinstance(value, LazyValue) and (value.items is not None or value.source is None):
        HOOKS["collected"](context, value)  # which goes through the parts
        return
    for part in parts_of(value):
        consume(context, part)
    if isinstance(value, ZipValue | MapValue):
        _check_lengths(context, value)


def _check_lengths(context: Context, value: ZipValue | MapValue) -> None:
    """What is gone through together has one length, if it must; beside items known one by one there are enough of what
    only the run knows the number of."""
    is_strict = isinstance(value, ZipValue) and value.strict
    iterable = [item for item in value.items if _iterable(item)]
    lengths = [Static(count_now(context, item)) if is_structural(item) else length(context, item) for item in iterable]
    known = [size.object for size in lengths if isinstance(size, Static)]
    if is_strict and len(set(known)) > 1:
        context.raise_now(ValueError, UNEQUAL)
    if not known and not is_strict or not is_strict and not is_structural(value):
        return
    wanted = context.constant(min(known)) if known else context.node(lengths[0])
    for size in lengths:
        if not isinstance(size, Static) and is_strict:
            context.raise_if(context.emit("not_equal", context.node(size), wanted), ValueError, UNEQUAL)
        elif not isinstance(size, Static):
            short = context.emit("less", context.node(size), wanted)
            context.raise_if(short, ValueError, f"compiled code cannot zip {min(known)} items with fewer of an array")


def parts_of(value: Value) -> tuple[Value, ...]:
    """What an iterator goes through itself."""
    if isinstance(value, ZipValue | MapValue):
        return value.items
    return (value.iterable,) if isinstance(value, EnumerateValue | ReversedValue | LazyValue) else ()


def elements(context: Context, value: Value) -> list[Value]:
    """The items, one by one; an iterator is used up."""
    consume(context, value)
    return items_now(context, value)


def items_now(context: Context, value: Value) -> list[Value]:
    """The items as they are now."""
    match value:
        case TupleValue():
            return list(value.items)
        case LazyValue():
            if value.items is not None:
                return items_now(context, value.items)
            return [HOOKS["lazy_item"](context, value, item) for item in items_now(context, value.iterable)]
        case ListValue():
            return list(context.read(value))
        case DictValue():
            return [context.lift(key) for key, _ in context.read(value)]
        case ViewValue():
            return _view_items(context, value)
        case RecordValue() if value.is_tuple:
            return list(context.read(value))
        case Static():
            return _static_elements(context, value)
        case ZipValue():
            return [TupleValue(items) for items in zip(*_together(context, value.items))]
        case MapValue():
            return [context.call(value.function, items) for items in zip(*_together(context, value.items))]
        case EnumerateValue():
            pairs = enumerate(items_now(context, value.iterable))
            return [TupleValue((_plus(context, value.start, Static(n)), item)) for n, item in pairs]
        case ReversedValue():
            return items_now(context, value.iterable)[::-1]
        case RangeValue() | ArrayValue() if _iterable(value):
            what = "the length of what is gone through here"
            if isinstance(value, ArrayValue):
                hint = "use slices and operations on the array, or a `for` loop: sizes of arrays are run-time values"
                count = context.static(length(context, value), what, hint)
            else:
                count = context.static(length(context, value), what)
            if count > LONGEST_UNROLLED:
                context.error(f"{count} items are too many to be gone through one by one at compile time")
            return [item_at(context, value, Static(n)) for n in range(count)]
    hint = "name what it holds: x.items, (x.a, x.b)" if isinstance(value, RecordValue) else None
    context.error(f"cannot iterate over {context.show(value)}", hint=hint)


def _view_items(context: Context, view: ViewValue) -> list[Value]:
    pairs = context.read(view.base)
    if view.kind == "values":
        return [value for _, value in pairs]
    if view.kind == "keys":
        return [context.lift(key) for key, _ in pairs]
    return [TupleValue((context.lift(key), value)) for key, value in pairs]


def is_live(value: Value) -> bool:
    """Whether the items may depend on what happens while they are gone through: a list may change, a map calls."""
    live = isinstance(value, ListValue | DictValue | ViewValue | MapValue | LazyValue)
    return live or any(map(is_live, parts_of(value)))


def count_now(context: Context, value: Value) -> int:
    """How many items there are now, of something whose items are looked at one after the other."""
    match value:
        case ListValue() if value.is_sequence:
            return 2**62
        case ListValue() | DictValue():
            return len(context.read(value))
        case ViewValue():
            return len(context.read(value.base))
        case ZipValue() | MapValue():
            return min(count_now(context, item) for item in value.items)
        case EnumerateValue() | ReversedValue():
            return count_now(context, value.iterable)
        case LazyValue() if value.source is not None:
            return count_now(context, value.source)
    if is_structural(value):
        return len(items_now(context, value))
    size = length(context, value)
    return size.object if isinstance(size, Static) else 2**62


def item_now(context: Context, value: Value, place: int) -> Value:
    """One item as it is now."""
    match value:
        case ListValue() if not value.is_sequence:
            return context.read(value)[place]
        case ZipValue():
            return TupleValue(tuple([item_now(context, item, place) for item in value.items]))
        case MapValue():
            return context.call(value.function, [item_now(context, item, place) for item in value.items])
        case LazyValue() if value.items is not None:
            return item_now(context, value.items, place)
        case LazyValue():
            return HOOKS["lazy_item"](context, value, item_now(context, value.iterable, place))
        case EnumerateValue():
            number = _plus(context, value.start, Static(place))
            return TupleValue((number, item_now(context, value.iterable, place)))
        case ReversedValue():
            return item_now(context, value.iterable, count_now(context, value.iterable) - 1 - place)
    if is_structural(value):
        return items_now(context, value)[place]
    return item_at(context, value, Static(place))


def _iterable(value: Value) -> bool:
    return not isinstance(value, ArrayValue) or value.rank > 0


def _static_elements(context: Context, value: Static) -> list[Value]:
    thing = value.object
    if isinstance(thing, str | bytes | range | frozenset) or hasattr(type(thing), "__iter__") and not callable(thing):
        return [context.lift(item) for item in thing]
    if isinstance(thing, type) and hasattr(type(thing), "__iter__"):  # an enumeration
        return [context.lift(item) for item in thing]  # type: ignore[attr-defined]
    context.error(f"cannot iterate over {context.show(value)}")


def _together(context: Context, items: tuple[Value, ...]) -> list[list[Value]]:
    """The elements of several, as many as the shortest has."""
    known = {n: items_now(context, item) for n, item in enumerate(items) if is_structural(item)}
    shortest = min(map(len, known.values()), default=None)
    for n, item in enumerate(items):
        if n not in known:
            known[n] = _first(context, item, shortest)
    return [known[n] for n in range(len(items))]


def _first(context: Context, value: Value, count: int | None) -> list[Value]:
    """The first items of an array or a range beside something of known length; `consume` saw that there are enough."""
    if count is None or isinstance(length(context, value), Static):
        return items_now(context, value)
    return [item_at(context, value, Static(n)) for n in range(count)]


def length(context: Context, value: Value) -> Value:
    """How many items: static where it is known."""
    match value:
        case RangeValue():
            return _range_length(context, value)
        case ArrayValue() if value.rank > 0:
            return context.size(value, 0)
        case ListValue() if value.is_sequence:
            return HOOKS["sequence_length"](context, value)
        case ZipValue() | MapValue():
            sizes = [length(context, item) for item in value.items]
            result = sizes[0] if sizes else Static(0)
            for size in sizes[1:]:
                result = _smaller(context, result, size)
            return result
        case EnumerateValue() | ReversedValue():
            return length(context, value.iterable)
        case LazyValue():
            return length(context, value.source or HOOKS["collected"](context, value))
    if is_structural(value):
        return Static(len(items_now(context, value)))
    context.error(f"object of type {context.show(value)} has no len()")


def _smaller(context: Context, a: Value, b: Value) -> Value:
    if isinstance(a, Static) and isinstance(b, Static):
        return Static(min(a.object, b.object))
    low = min(numbers.bounds(a)[0], numbers.bounds(b)[0])
    high = min(numbers.bounds(a)[1], numbers.bounds(b)[1])
    return context.scalar(context.emit("minimum", context.node(a), context.node(b)), True, low, high)


def _range_length(context: Context, value: RangeValue) -> Value:
    start, stop, step = value.start, value.stop, value.step
    if all(isinstance(part, Static) for part in (start, stop, step)):
        return Static(len(range(start.object, stop.object, step.object)))  # type: ignore[attr-defined]
    if not isinstance(step, Static):
        return _range_length_of_unknown_step(context, value)
    first, last, size = (start, stop, step.object) if step.object > 0 else (stop, start, -step.object)
    count = last if isinstance(first, Static) and first.object == 0 else _minus(context, last, first)
    if size > 1:
        count = numbers.binary(context, "floor_divide", _plus(context, count, Static(size - 1)), Static(size))
    high = max(0, numbers.bounds(count)[1])
    if numbers.bounds(count)[0] >= 0:
        return count
    return context.scalar(context.emit("maximum", context.node(count), context.constant(0)), True, 0, high)


def _range_length_of_unknown_step(context: Context, value: RangeValue) -> Value:
    step = context.node(value.step)
    zero = context.constant(0)
    context.raise_if(context.emit("equal", step, zero), ValueError, "range() arg 3 must not be zero")
    up = context.emit("greater", step, zero)
    span = context.node(_minus(context, value.stop, value.start))
    size = context.emit("select", up, step, context.emit("negative", step))
    distance = context.emit("select", up, span, context.emit("negative", span))
    # ceil(distance / size) without overflow: floor((distance - 1) / size) + 1 where distance > 0
    positive = context.emit("greater", distance, zero)
    one = context.constant(1)
    safe = context.emit("select", positive, distance, one)
    whole = context.emit("floor_divide", context.emit("subtract", safe, one), context.emit("maximum", size, one))
    count = context.emit("select", positive, context.emit("add", whole, one), zero)
    return context.scalar(count, True, 0)


def _plus(context: Context, a: Value, b: Value) -> Value:
    return HOOKS["arithmetic"](context, "add", a, b)


def _minus(context: Context, a: Value, b: Value) -> Value:
    return HOOKS["arithmetic"](context, "subtract", a, b)


def item_at(context: Context, value: Value, index: Value) -> Value:
    """The item at an index that is known to be inside."""
    match value:
        case RangeValue():
            return _range_item(context, value, index)
        case ArrayValue() | ListValue():
            return HOOKS["getitem"](context, value, index)
        case ZipValue():
            return TupleValue(tuple([item_at(context, item, index) for item in value.items]))
        case MapValue():
            return context.call(value.function, [item_at(context, item, index) for item in value.items])
        case LazyValue() if value.items is not None:
            return item_at(context, value.items, index)
        case LazyValue():
            return HOOKS["lazy_item"](context, value, item_at(context, value.iterable, index))
        case EnumerateValue():
            number = _plus(context, value.start, index)
            return TupleValue((number, item_at(context, value.iterable, index)))
        case ReversedValue():
            last = _minus(context, length(context, value.iterable), Static(1))
            return item_at(context, value.iterable, _minus(context, last, index))
    raise AssertionError(value)


def _range_item(context: Context, value: RangeValue, index: Value) -> Value:
    """start + index * step. It lies between start and stop, so it cannot overflow."""
    start, step = value.start, value.step
    if isinstance(index, Static) and isinstance(start, Static) and isinstance(step, Static):
        return Static(start.object + index.object * step.object)
    if isinstance(start, Static) and start.object == 0 and isinstance(step, Static) and step.object == 1:
        return index
    emit = context.scope.emit
    node = context.node(index)
    if not (isinstance(step, Static) and step.object == 1):
        node = emit.op("multiply", node, context.node(step))
    node = emit.op("add", context.node(start), node)
    edges = (*numbers.bounds(start), *numbers.bounds(value.stop))
    return ScalarValue(node, context.scope, True, min(edges), max(edges))


HOOKS["elements"] = elements
