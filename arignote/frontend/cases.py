"""Cases: what is done with a value that is one of several is done with each that it may be.

A case in which Python would raise (`None.x`, `None + 1`) raises when the program runs. If every case fails, the program
is refused, unless tests made at run time have excluded other cases: what they leave may never be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from arignote.frontend.branches import choose, run_branch
from arignote.frontend.context import Raised, StaticRequired
from arignote.frontend.narrowing import Facts, Several, assume, key_of, learn, possible, tag_of
from arignote.frontend.scope import HOOKS
from arignote.frontend.text import TextValue
from arignote.frontend.trees import option_of, tree_node
from arignote.frontend.values import ListValue, RecursiveValue, ScalarValue, Static, TupleValue, UnionValue, Value
from arignote.ir.errors import CompileError, TypeInferenceError
from arignote.ir.graph import Node

if TYPE_CHECKING:
    from arignote.frontend.context import Context

Action = Callable[[Value], Value]


def is_union(value: Value) -> TypeGuard[UnionValue | RecursiveValue]:
    """Whether the value is one of several."""
    return isinstance(value, UnionValue | RecursiveValue)


def option(context: Context, value: Several, place: int) -> Value:
    """The value as the alternative that it is known to be."""
    if isinstance(value, RecursiveValue):
        return option_of(context, value, place)
    return value.options[place]


def narrowed(context: Context, value: Value) -> Value:
    """The value itself, if it is known here which one of several it is."""
    while is_union(value):
        places = possible(context, value)
        if len(places) > 1:
            break
        value = option(context, value, places[0])
    return value


def known_to_be(context: Context, value: Several, places: Iterable[int]) -> Facts:
    """The fact that it is one of these."""
    key = key_of(value)
    return {} if key is None else {key: frozenset(places)}


def tag_node(context: Context, value: Several) -> Node:
    """Which alternative it is."""
    if isinstance(value, RecursiveValue):
        return context.scope.emit.op("tag", tree_node(context, value))
    return context.node(tag_of(value))


def is_one_of(context: Context, value: Several, wanted: Iterable[int]) -> Value:
    """Whether the value is one of these alternatives: a Python bool that tells so where it decides."""
    now = possible(context, value)
    inside, outside = set(wanted), set(range(len(value.options))) - set(wanted)
    if not inside.intersection(now) or not outside.intersection(now):
        return Static(not outside.intersection(now))
    emit, tag = context.scope.emit, tag_node(context, value)
    fewer = min(inside.intersection(now), outside.intersection(now), key=len)
    sign, join = ("equal", "logical_or") if fewer <= inside else ("not_equal", "logical_and")
    test: Node | None = None
    for place in sorted(fewer):
        here = emit.op(sign, tag, emit.integer(place))
        test = here if test is None else emit.op(join, test, here)
    assert test is not None
    learn(context, test, known_to_be(context, value, inside), known_to_be(context, value, outside))
    return context.scalar(test, True)


def ask_union(context: Context, value: Several, known: Callable[[Value], bool | None], ask: Action) -> Value:
    """The truth of a question about whichever value it is, which tells what it then may be.

    known: the answer for an alternative that need not be looked at; None: it must be asked
    """
    places = possible(context, value)
    answers = {place: known(value.options[place]) for place in places}
    if None not in answers.values():
        return is_one_of(context, value, [place for place, answer in answers.items() if answer])
    result = split(context, value, ask)
    if isinstance(result, ScalarValue):
        if_true = known_to_be(context, value, [place for place in places if answers[place] is not False])
        if_false = known_to_be(context, value, [place for place in places if answers[place] is not True])
        learn(context, context.node(result), if_true, if_false)
    return result


def agreed(value: Value, known: Callable[[Value], bool | None]) -> bool | None:
    """The answer that an alternative has; of one that is itself one of several, the one that they all have."""
    if not is_union(value):
        return known(value)
    answers = {agreed(option, known) for option in value.options}
    return answers.pop() if len(answers) == 1 else None


# Cases


def split(context: Context, value: Several, action: Action) -> Value:
    """The result of an action on whichever value it is."""
    outer, context.is_conditional = context.is_conditional, False  # errors of the cases are for this function to judge
    try:
        return _split(context, value, action)
    except CompileError as error:
        if not outer or error.raises is None or list(error.calls) != context.known_calls():
            raise
        context.raise_now(*error.raises)
    finally:
        context.is_conditional = outer


def _split(context: Context, value: Several, action: Action) -> Value:
    places = list(possible(context, value))
    tested = len(places) < len(value.options) and context.facts.get(key_of(value)) is not None  # type: ignore[arg-type]
    errors: list[CompileError] = []
    if len(places) > 1:
        places = _without_failing(context, value, places, action, errors, tested)
    if len(places) == 1 and not tested:
        return action(option(context, value, places[0]))

    def case(place: int) -> Value:
        try:
            return action(option(context, value, place))
        except CompileError as error:
            failure = _python_raises(context, value.options[place], error)
            if failure is None:
                raise
            errors.append(error)
            context.raise_now(*failure)

    def from_(number: int) -> Value:
        if number + 1 == len(places):
            return case(places[number])
        here = context.node(is_one_of(context, value, (places[number],)))
        return choose(context, here, lambda: case(places[number]), lambda: from_(number + 1))

    try:
        return from_(0)
    except Raised:
        if len(errors) == len(places) and not tested:
            raise errors[-1] from None
        raise


def for_each_case(context: Context, value: Several, action: Callable[[Value], None]) -> None:
    """Do something with whichever value it is."""

    def case(found: Value) -> Value:
        action(found)
        return Static(None)

    split(context, value, case)


def _without_failing(
    context: Context, value: Several, places: list[int], action: Action, errors: list[CompileError], tested: bool
) -> list[int]:
    """The cases that remain when those constants are sorted out at once for which Python would raise."""
    failing: list[tuple[int, Any]] = []
    for place in places:
        constant = value.options[place]
        if isinstance(constant, Static):
            found = _failure(context, constant, action, errors)
            if found is not None:
                failing.append((place, found))
    if len(failing) == len(places):
        if tested:
            return places
        raise errors[-1]
    for place, (exception, *message) in failing:
        here = context.node(is_one_of(context, value, (place,)))
        context.raise_if(here, exception, *message)
        assume(context, here, False)
    gone = {place for place, _ in failing}
    return [place for place in places if place not in gone]


def _failure(context: Context, constant: Static, action: Action, errors: list[CompileError]) -> Any:
    """What Python raises if the action is done with this constant, found out in a branch that is thrown away."""
    found: list[Any] = []

    def attempt() -> None:
        try:
            action(constant)
        except CompileError as error:
            failure = _python_raises(context, constant, error)
            if failure is None:
                raise
            errors.append(error)
            found.append(failure)

    run_branch(context, "trial", attempt)
    return found[0] if found else None


def _python_raises(context: Context, value: Value, error: CompileError) -> tuple[Any, ...] | None:
    """The exception that Python raises where this use of the value is an error of the compiler's; None if it may be
    none. Of what is done with None, every error of types is one of Python's."""
    if list(error.calls) != context.known_calls():
        return None
    if error.raises is not None:
        return error.raises
    constant = isinstance(value, Static) and type(error) is TypeInferenceError
    return (TypeError, error.message) if constant and not isinstance(error, StaticRequired) else None


def only(context: Context, value: Value, fits: Callable[[Value], bool], exception: Any, message: str) -> Value:
    """The one alternative that fits a use which cannot be split into cases; the others raise."""
    while is_union(value):
        places = possible(context, value)
        good = [place for place in places if fits(value.options[place])]
        if len(good) != 1:
            return value
        if len(places) > 1:
            here = is_one_of(context, value, good)
            node = context.emit("logical_not", context.node(here))
            context.raise_if(node, exception, message)
            assume(context, context.node(here), True)
        value = option(context, value, good[0])
    return value


# Several values


def split_first(
    context: Context, arguments: Sequence[Value], keywords: dict[str, Value], action: Callable[..., Value]
) -> Value | None:
    """action(arguments, keywords) for each case of the first argument that is one of several; None if none is."""
    for place, argument in enumerate(arguments):
        if is_union(argument):
            with_value = partial(_replaced, arguments, place)
            return split(context, argument, lambda value, given=with_value: action(given(value), keywords))
    for name, argument in keywords.items():
        if is_union(argument):
            return split(context, argument, lambda value, name=name: action(arguments, {**keywords, name: value}))
    return None


def _replaced(arguments: Sequence[Value], place: int, value: Value) -> list[Value]:
    return [*arguments[:place], value, *arguments[place + 1 :]]


def split_first_inside(
    context: Context, arguments: Sequence[Value], keywords: dict[str, Value], action: Callable[..., Value]
) -> Value | None:
    """Like `split_first`, for arguments that are one of several or tuples and lists that hold such."""
    given = TupleValue((*arguments, *keywords.values()))

    def with_values(values: Value) -> Value:
        items = values.items  # type: ignore[attr-defined]
        return action(list(items[: len(arguments)]), dict(zip(keywords, items[len(arguments) :], strict=True)))

    return split_inside(context, given, with_values)


def split_inside(context: Context, value: Value, action: Action) -> Value | None:
    """The action for each case of the first union inside a tuple, a list or a text; None if there is none."""
    found = _first_inside(value)
    if found is None:
        return None
    union, with_option = found
    return split(context, union, lambda option: action(with_option(option)))


def _first_inside(value: Value) -> tuple[UnionValue | RecursiveValue, Callable[[Value], Value]] | None:
    """The first union inside a tuple, a list or a text, and what makes the same with another value in its place."""
    if is_union(value):
        return value, lambda new: new
    parts: Sequence[Any] = ()
    if isinstance(value, TupleValue):
        parts = value.items
    elif isinstance(value, TextValue):
        parts = value.parts
    elif isinstance(value, ListValue) and not value.is_sequence:
        parts = value.state
    for place, part in enumerate(parts):
        inner = part[0] if isinstance(part, tuple) else part
        found = _first_inside(inner) if isinstance(inner, Value) else None
        if found is not None:
            return found[0], partial(_with_part, value, place, found[1])
    return None


def _with_part(value: Value, place: int, make: Callable[[Value], Value], new: Value) -> Value:
    if isinstance(value, TupleValue):
        return TupleValue(tuple(_replaced(value.items, place, make(new))))
    if isinstance(value, ListValue):
        return ListValue(tuple(_replaced(value.state, place, make(new))))
    assert isinstance(value, TextValue)
    parts = list(value.parts)
    parts[place] = (make(new), parts[place][1])
    return TextValue(parts)


def message_cases(context: Context, message: Sequence[Any]) -> list[tuple[Node, list[Any]]] | None:
    """The message of an error for each case of the first union in it, with the condition of the case."""
    for number, part in enumerate(message):
        found = _first_inside(part) if isinstance(part, Value) else None
        if found is not None and isinstance(found[0], UnionValue):
            union, with_option = found
            cases = []
            for place in possible(context, union):
                here = context.node(is_one_of(context, union, (place,)))
                cases.append((here, [*message[:number], with_option(union.options[place]), *message[number + 1 :]]))
            return cases
    return None


HOOKS["split"] = split
HOOKS["message_cases"] = message_cases
