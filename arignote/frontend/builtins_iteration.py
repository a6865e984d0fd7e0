"""Builtins that go through things: sums, extremes, quantifiers, ranges, zips, maps, containers."""

from __future__ import annotations

import collections
import functools
from typing import TYPE_CHECKING

from arignote.frontend import numbers, numpy_lists, prelude, prelude_lists, sequences, sorting  # noqa: F401
from arignote.frontend.branches import choose
from arignote.frontend.builtins_table import BUILTINS, Handler, builtin, only_keywords
from arignote.frontend.comprehensions import has_known_items, quantified
from arignote.frontend.containers import to_pairs
from arignote.frontend.instances import inline
from arignote.frontend.iterate import consume, count_now, elements, is_structural, item_now, length
from arignote.frontend.iterators import EnumerateValue, LazyValue, MapValue, ReversedValue, ZipValue
from arignote.frontend.join import join
from arignote.frontend.operators import (
    binary_values,
    compare_named,
    short_circuit,
)
from arignote.frontend.spec import flatten
from arignote.frontend.values import (
    DictValue,
    FunctionValue,
    ListValue,
    RangeValue,
    SliceValue,
    Static,
    TupleValue,
    Unreadable,
    Value,
    is_number,
    is_python_number,
    number_dtype,
)
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context


# Extremes, sums and quantifiers


def _extreme(name: str, sign: str) -> Handler:
    def handler(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        only_keywords(context, keywords, "key", "default")
        items = arguments
        if len(arguments) == 1:
            short = isinstance(arguments[0], LazyValue) and _is_short(context, arguments[0])
            if not is_structural(arguments[0]) and not short and (
                "key" not in keywords or not isinstance(length(context, arguments[0]), Static)
            ):
                return _extreme_at_run_time(context, name, arguments[0], keywords)
            items = elements(context, arguments[0])
        if not items:
            if "default" in keywords:
                return keywords["default"]
            context.raise_now(ValueError, f"{name}() iterable argument is empty")
        key = keywords.get("key")
        best = items[0]
        rank = best if key is None else context.call(key, [best])
        for item in items[1:]:
            own = item if key is None else context.call(key, [item])
            best, rank = _better(context, sign, best, rank, item, own)
        return best

    return handler


def _better(context: Context, sign: str, best: Value, rank: Value, item: Value, own: Value) -> tuple[Value, Value]:
    """The better of two, by their ranks; the first where neither is."""
    wins = context.truth(compare_named(context, sign, {"greater": "gt", "less": "lt"}[sign], own, rank))
    if isinstance(wins, Static):
        return (item, own) if wins.object else (best, rank)
    if own is item and rank is best and is_number(best) and is_number(item):
        chosen = _select(context, wins, item, best)
        if chosen is not None:
            return chosen, chosen
    node = context.node(wins)
    both = choose(context, node, lambda: TupleValue((item, own)), lambda: TupleValue((best, rank)))
    assert isinstance(both, TupleValue)
    return _of_one_type(context, sign, both.items[0]), _of_one_type(context, sign, both.items[1])


def _of_one_type(context: Context, sign: str, best: Value) -> Value:
    """The value, or why there is none: it would be of one type or of another."""
    if isinstance(best, Unreadable):
        name, elementwise = ("max", "maximum") if sign == "greater" else ("min", "minimum")
        context.unreadable(f"the result of {name} {best.message}", f"np.{elementwise} gives both the same type")
    return best


def _select(context: Context, wins: Value, item: Value, best: Value) -> Value | None:
    """One of two numbers of one kind, without a branch."""
    spec = join(flatten(context, item).spec, flatten(context, best).spec)
    if not isinstance(spec, tuple) or spec[0] != "scalar":
        return None
    if spec[1] != number_dtype(item) or spec[1] != number_dtype(best):
        return None
    node = context.emit("select", context.node(wins), context.node(item), context.node(best))
    low, high = -(2**63), 2**63 - 1
    if spec[1] == "int64" and is_python_number(item) and is_python_number(best):
        ranges = numbers.bounds(item), numbers.bounds(best)
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    return context.scalar(node, spec[2], low, high)


def _extreme_at_run_time(context: Context, name: str, value: Value, keywords: dict[str, Value]) -> Value:
    """Over an array or a range: a loop."""
    size = length(context, value)
    empty = context.emit("equal", context.node(size), context.constant(0))
    if "default" in keywords:
        rest = {key: item for key, item in keywords.items() if key != "default"}
        return choose(
            context,
            empty,
            lambda: keywords["default"],
            lambda: _extreme_at_run_time(context, name, value, rest),
        )
    if "key" in keywords:
        items = context.call(Static(list), [value])
        context.raise_if(empty, ValueError, f"{name}() iterable argument is empty")
        return sequences.run(context, prelude_lists.best_by, items, keywords["key"], Static(name == "max"))
    context.raise_if(empty, ValueError, f"{name}() iterable argument is empty")
    return sequences.run(context, getattr(prelude, f"{name}_of"), value)


BUILTINS[max] = _extreme("max", "greater")


BUILTINS[min] = _extreme("min", "less")


def _is_short(context: Context, lazy: LazyValue) -> bool:
    """Whether the items of a generator expression are known one by one, without computing any."""
    return lazy.source is not None and has_known_items(context, lazy.source)


@builtin(sum, least=1, most=2)
def _sum(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    import ast

    only_keywords(context, keywords, "start")
    total = arguments[1] if len(arguments) > 1 else keywords.get("start", Static(0))
    if not is_structural(arguments[0]) and not (
        isinstance(arguments[0], LazyValue) and _is_short(context, arguments[0])
    ):
        return sequences.run(context, prelude.sum_of, arguments[0], total)
    consume(context, arguments[0])
    for place in range(count_now(context, arguments[0])):
        total = binary_values(context, ast.Add, total, item_now(context, arguments[0], place))
    return total


def _quantifier(is_all: bool) -> Handler:
    def handler(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        if isinstance(arguments[0], LazyValue) and not _is_short(context, arguments[0]):
            return quantified(context, arguments[0], is_all)
        if not is_structural(arguments[0]):
            return sequences.run(context, prelude.all_of if is_all else prelude.any_of, *arguments)
        result: Value = Static(is_all)
        consume(context, arguments[0])
        for place in range(count_now(context, arguments[0])):
            step = lambda place=place: context.truth(item_now(context, arguments[0], place))  # noqa: E731
            result = short_circuit(context, is_all, result, step)
        return result

    return handler


BUILTINS[all] = _quantifier(True)


BUILTINS[any] = _quantifier(False)


# Iteration and containers


@builtin(range, least=1, most=3)
def _range(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    for argument in arguments:
        whole = (
            is_number(argument)
            and "int" in number_dtype(argument)
            or (is_number(argument) and is_python_number(argument) and number_dtype(argument) == "bool")
        )
        if not whole:
            context.error(f"range() needs integers, got {context.show(argument)}")
    values = [_index(context, argument) for argument in arguments]
    start, stop, step = (Static(0), values[0], Static(1)) if len(values) == 1 else (*values, Static(1))[:3]
    if isinstance(step, Static) and step.object == 0:
        context.raise_now(ValueError, "range() arg 3 must not be zero")
    return RangeValue(start, stop, step)


def _index(context: Context, value: Value) -> Value:
    """A Python int."""
    if isinstance(value, Static):
        return Static(int(value.object))
    return value if is_python_number(value) and number_dtype(value) == "int64" else numbers.to_int(context, value)


@builtin(slice, least=1, most=3)
def _slice(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    none = Static(None)
    parts = [none, arguments[0], none] if len(arguments) == 1 else [*arguments, none][:3]
    if all(isinstance(part, Static) for part in parts):
        return Static(slice(*[part.object for part in parts]))  # type: ignore[attr-defined]
    return SliceValue(*parts)


@builtin(enumerate, least=1, most=2)
def _enumerate(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    start = arguments[1] if len(arguments) > 1 else keywords.get("start", Static(0))
    return EnumerateValue(arguments[0], start)


@builtin(zip)
def _zip(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    strict = bool(context.static(keywords.get("strict", Static(False))))
    return ZipValue(tuple(arguments), strict) if arguments else TupleValue(())


@builtin(map, least=2)
def _map(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return MapValue(arguments[0], tuple(arguments[1:]))


@builtin(filter, least=2, most=2)
def _filter(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    function = arguments[0]
    is_none = isinstance(function, Static) and function.object is None
    written = context.lift(prelude_lists.filtered_by_truth if is_none else prelude_lists.filtered)
    assert isinstance(written, FunctionValue)
    return inline(context, written, arguments, {})


@builtin(reversed, least=1, most=1)
def _reversed(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return ReversedValue(arguments[0])


@builtin(sorted, least=1, most=1)
def _sorted(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    only_keywords(context, keywords, "key", "reverse")
    return sorting.sorted_values(context, arguments[0], keywords)


@builtin(tuple, least=0, most=1)
def _tuple(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    return TupleValue(tuple(elements(context, arguments[0])) if arguments else ())


@builtin(list, least=0, most=1)
def _list(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    if not arguments:
        return ListValue(())
    if sequences.is_sequence(arguments[0]):
        return sequences.copied(context, arguments[0])  # type: ignore[arg-type]
    if not is_structural(arguments[0]):
        size = length(context, arguments[0])
        if not isinstance(size, Static) and getattr(size, "origin", None) is None:
            if not isinstance(arguments[0], LazyValue):  # that one is gone through where it is
                consume(context, arguments[0])
            return sequences.run(context, prelude_lists.list_of, arguments[0])
    return ListValue(tuple(elements(context, arguments[0])))


@builtin(dict, collections.OrderedDict, least=0, most=1)
def _dict(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    pairs = to_pairs(context, arguments[0]) if arguments else {}
    return DictValue({**pairs, **keywords}.items())


@builtin(functools.reduce, least=2, most=3)
def _reduce(context: Context, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    if not is_structural(arguments[1]):
        if len(arguments) == 3:
            return context.call(context.lift(prelude.reduce_of), arguments)
        context.error("functools.reduce over an array needs a start value", UnsupportedSyntaxError)
    items = [*arguments[2:], *elements(context, arguments[1])]
    if not items:
        context.raise_now(TypeError, "reduce() of empty iterable with no initial value")
    total = items[0]
    for item in items[1:]:
        total = context.call(arguments[0], [total, item])
    return total


BUILTINS.update(sequences.PRELUDE_HANDLERS)
