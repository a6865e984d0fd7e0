"""`match`: patterns become tests and bindings; on what is known at compile time, at compile time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from arignote.frontend import analysis
from arignote.frontend.assignment import assign_name
from arignote.frontend.attributes import get_attribute
from arignote.frontend.branches import branch
from arignote.frontend.cases import agreed, is_one_of, is_union, known_to_be, narrowed, option
from arignote.frontend.identity import identical
from arignote.frontend.iterate import items_now
from arignote.frontend.narrowing import both, possible
from arignote.frontend.operators import compare_named, short_circuit
from arignote.frontend.scope import HOOKS, executes
from arignote.frontend.statements import execute_conditional, left_block, nothing
from arignote.frontend.values import (
    DictValue,
    ListValue,
    RecordValue,
    ScalarValue,
    Static,
    TupleValue,
    Value,
    Variable,
)
from arignote.ir.errors import UnsupportedSyntaxError

if TYPE_CHECKING:
    from arignote.frontend.context import Context

HOLDS_ITSELF = (bool, bytearray, bytes, dict, float, frozenset, int, list, set, str, tuple)
"""Classes whose one positional sub-pattern is about the instance itself."""


@executes(ast.Match)
def _match(context: Context, node: ast.Match) -> None:
    subject = context.evaluate(node.subject)
    _run_cases(context, node, subject, 0)


def _run_cases(context: Context, node: ast.Match, subject: Value, index: int) -> None:
    """Run the first case from `index` on that matches."""
    if index == len(node.cases):
        return
    case = node.cases[index]
    subject = narrowed(context, subject)
    context.at(case.pattern)
    condition = matches(context, case.pattern, subject)

    def rest() -> None:
        _run_cases(context, node, subject, index + 1)

    if isinstance(condition, Static):
        if not condition.object:
            rest()
        else:
            _guarded(context, node, case, subject, rest)
        return
    test = context.node(condition)
    live = node.live_after  # type: ignore[attr-defined]
    if case.guard is None:
        branch(context, test, lambda: _run_body(context, case, subject), rest, live)
        return
    matched = Variable("whether a case matched", Static(False), internal=True)

    def then() -> None:
        _guarded(context, node, case, subject, nothing, matched)

    branch(context, test, then, nothing, live | frozenset(_names_after(node, index)))
    left = analysis.always_leaves(case.body)
    _unless(context, node, matched, (lambda: left_block(context)) if left else nothing, rest)


def _guarded(
    context: Context, node: ast.Match, case: ast.match_case, subject: Value, rest: Any, matched: Variable | None = None
) -> None:
    """Run a case whose pattern matches, if its guard holds."""
    bind(context, case.pattern, subject)
    holds: Value = Static(True)
    if case.guard is not None:
        holds = context.truth(context.evaluate(case.guard))
        context.at(case.guard)

    def body() -> None:
        if matched is not None:
            context.set(matched, Static(True))
        execute_conditional(context, case.body)

    if isinstance(holds, Static):
        (body if holds.object else rest)()
    else:
        branch(context, context.node(holds), body, rest, None)


def _unless(context: Context, node: ast.Match, matched: Variable, done: Any, rest: Any) -> None:
    """The cases that remain, where none matched so far; `done` where one did."""
    state = matched.state
    if isinstance(state, Static):
        if not state.object:
            rest()
        return
    branch(context, context.node(state), done, rest, node.live_after)  # type: ignore[attr-defined]


def _names_after(node: ast.Match, index: int) -> Iterator[str]:
    """The names that the cases behind this one read."""
    for case in node.cases[index + 1 :]:
        for part in ast.walk(case):
            if isinstance(part, ast.Name):
                yield part.id


def _run_body(context: Context, case: ast.match_case, subject: Value) -> None:
    bind(context, case.pattern, subject)
    execute_conditional(context, case.body)


# Tests


def matches(context: Context, pattern: ast.pattern, subject: Value) -> Value:
    """Whether a pattern matches: a Python bool that tells what the subject is where it does."""
    match pattern:
        case ast.MatchAs():
            return Static(True) if pattern.pattern is None else matches(context, pattern.pattern, subject)
        case ast.MatchOr():
            found: Value = Static(False)
            for part in pattern.patterns:
                found = short_circuit(context, False, found, lambda part=part: matches(context, part, subject))
            return found
        case ast.MatchValue():
            value = context.evaluate(pattern.value)
            context.at(pattern)
            return context.truth(compare_named(context, "equal", "eq", subject, value))
        case ast.MatchSingleton():
            return _is_singleton(context, subject, pattern.value)
        case ast.MatchClass():
            return _is_class(context, pattern, subject)
        case ast.MatchSequence():
            return _is_sequence(context, pattern, subject)
        case ast.MatchMapping():
            return _is_mapping(context, pattern, subject)
    context.error("this pattern is not supported in compiled code", UnsupportedSyntaxError)


def _is_singleton(context: Context, subject: Value, thing: bool | None) -> Value:
    value = narrowed(context, subject)
    if thing is None or not isinstance(value, ScalarValue):
        return identical(context, value, Static(thing))
    if not (value.python and value.dtype == "bool"):
        return Static(False)
    return compare_named(context, "equal", "eq", value, Static(thing))


def _all(context: Context, first: Value, tests: list[Any]) -> Value:
    """Whether all hold, evaluated one after the other."""
    for test in tests:
        first = short_circuit(context, True, first, test)
    return first


def _is_class(context: Context, pattern: ast.MatchClass, subject: Value) -> Value:
    cls = _class_of(context, pattern)
    test = context.call(Static(isinstance), [subject, Static(cls)])
    tests = [
        lambda part=part, name=name: matches(context, part, _part(context, subject, name))
        for name, part in _sub_patterns(context, pattern, cls)
        if not _takes_anything(part)
    ]
    return _all(context, test, tests)


def _takes_anything(pattern: ast.pattern) -> bool:
    """Whether it is a name or `_`."""
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None


def _class_of(context: Context, pattern: ast.MatchClass) -> type:
    cls = context.static(context.evaluate(pattern.cls), "the class of a pattern")
    context.at(pattern)
    if not isinstance(cls, type):
        context.error(f"a class pattern needs a class, got {context.show(Static(cls))}")
    return cls


def _sub_patterns(
    context: Context, pattern: ast.MatchClass, cls: type
) -> list[tuple[str | None, ast.pattern]]:
    """The patterns of a class pattern, and the attribute that each is about; None: the instance itself."""
    named = list(zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True))
    if cls in HOLDS_ITSELF and len(pattern.patterns) == 1:
        return [(None, pattern.patterns[0]), *named]
    names = getattr(cls, "__match_args__", ())
    if len(pattern.patterns) > len(names):
        context.error(f"{cls.__name__}() accepts {len(names)} positional sub-patterns ({len(pattern.patterns)} given)")
    return [*zip(names, pattern.patterns), *named]


def _part(context: Context, subject: Value, name: str | None) -> Value:
    subject = narrowed(context, subject)
    return subject if name is None else get_attribute(context, subject, name)


def _is_list_or_tuple(value: Value) -> bool:
    return isinstance(value, TupleValue | ListValue) or isinstance(value, RecordValue) and value.is_tuple


def _sequence_in(context: Context, subject: Value) -> tuple[Value, Value | None]:
    """Whether the subject is a tuple or a list, and which."""
    subject = narrowed(context, subject)
    if not is_union(subject):
        return (Static(True), subject) if _is_list_or_tuple(subject) else (Static(False), None)
    places = [place for place in possible(context, subject) if _is_list_or_tuple(subject.options[place])]
    if len(places) > 1:
        context.error("a sequence pattern on a value that may be several kinds of sequences is not supported",
                      UnsupportedSyntaxError)  # fmt: skip
    return is_one_of(context, subject, places), option(context, subject, places[0]) if places else None


def _is_sequence(context: Context, pattern: ast.MatchSequence, subject: Value) -> Value:
    test, found = _sequence_in(context, subject)
    if found is None:
        return test
    star = _star(pattern.patterns)
    if HOOKS["is_sequence"](found):
        context.error("a sequence pattern on a list of run-time length is not supported", UnsupportedSyntaxError,
                      "test its length with len()")  # fmt: skip
    count = len(items_now(context, found))
    wanted = len(pattern.patterns)
    if count != wanted if star is None else count < wanted - 1:
        return Static(False)
    items = _items_for(context, pattern, found)
    pairs = [
        (part, item)
        for part, item in zip(pattern.patterns, items)
        if not isinstance(part, ast.MatchStar) and not _takes_anything(part)
    ]
    return _all(context, test, [lambda part=part, item=item: matches(context, part, item) for part, item in pairs])


def _star(patterns: list[ast.pattern]) -> int | None:
    return next((place for place, part in enumerate(patterns) if isinstance(part, ast.MatchStar)), None)


def _items_for(context: Context, pattern: ast.MatchSequence, subject: Value) -> list[Value]:
    """The items that the parts of a sequence pattern are about."""
    items = items_now(context, subject)
    star = _star(pattern.patterns)
    if star is None:
        return items
    after = len(pattern.patterns) - star - 1
    middle = ListValue(tuple(items[star : len(items) - after]))
    return [*items[:star], middle, *items[len(items) - after :]]


def _is_mapping(context: Context, pattern: ast.MatchMapping, subject: Value) -> Value:
    subject = narrowed(context, subject)
    if is_union(subject):
        context.error("a mapping pattern on a value that may be of several kinds is not supported",
                      UnsupportedSyntaxError)  # fmt: skip
    if not isinstance(subject, DictValue):
        return Static(False)
    pairs = dict(context.read(subject))
    keys = [context.static(context.evaluate(key), "the key of a pattern") for key in pattern.keys]
    if any(key not in pairs for key in keys):
        return Static(False)
    return _all(context, Static(True), [
        lambda key=key, part=part: matches(context, part, pairs[key]) for key, part in zip(keys, pattern.patterns)
    ])  # fmt: skip


# Bindings


def bind(context: Context, pattern: ast.pattern, subject: Value) -> None:
    """Assign the names of a pattern that matches, and note what it tells of the subject."""
    match pattern:
        case ast.MatchAs():
            if pattern.pattern is not None:
                bind(context, pattern.pattern, subject)
            if pattern.name is not None:
                assign_name(context, pattern.name, narrowed(context, subject), pattern.lineno)
        case ast.MatchOr():
            _bind_one_of(context, pattern.patterns, subject)
        case ast.MatchSingleton():
            _note(context, pattern, subject)
        case ast.MatchClass():
            _note(context, pattern, subject)
            for name, part in _sub_patterns(context, pattern, _class_of(context, pattern)):
                bind(context, part, _part(context, subject, name))
        case ast.MatchSequence():
            _note(context, pattern, subject)
            found = _sequence_in(context, subject)[1]
            assert found is not None
            for part, item in zip(pattern.patterns, _items_for(context, pattern, found)):
                if not isinstance(part, ast.MatchStar):
                    bind(context, part, item)
                elif part.name is not None:
                    assign_name(context, part.name, item, part.lineno)
        case ast.MatchMapping():
            _bind_mapping(context, pattern, subject)


def _note(context: Context, pattern: ast.pattern, subject: Value) -> None:
    """The subject is what the pattern says."""
    if not is_union(subject):
        return
    cls = _class_of(context, pattern) if isinstance(pattern, ast.MatchClass) else type(None)

    def fits(part: Value) -> bool:
        if isinstance(pattern, ast.MatchSequence):
            return _is_list_or_tuple(part)
        return issubclass(HOOKS["class_of"](part), cls)

    places = [place for place in possible(context, subject) if agreed(subject.options[place], fits) is not False]
    context.facts = both(context.facts, known_to_be(context, subject, places))
    if len(places) == 1 and is_union(subject.options[places[0]]):
        _note(context, pattern, narrowed(context, subject))


def _bind_one_of(context: Context, patterns: list[ast.pattern], subject: Value) -> None:
    first, rest = patterns[0], patterns[1:]
    if not rest:
        bind(context, first, subject)
    elif any(isinstance(part, ast.MatchAs | ast.MatchStar) and part.name for part in ast.walk(first)):
        condition = matches(context, first, subject)
        if isinstance(condition, Static):
            bind(context, first, subject) if condition.object else _bind_one_of(context, rest, subject)
            return
        binds_rest = lambda: _bind_one_of(context, rest, subject)  # noqa: E731
        branch(context, context.node(condition), lambda: bind(context, first, subject), binds_rest)


def _bind_mapping(context: Context, pattern: ast.MatchMapping, subject: Value) -> None:
    found = narrowed(context, subject)
    assert isinstance(found, DictValue)
    pairs = dict(context.read(found))
    keys = [context.static(context.evaluate(key), "the key of a pattern") for key in pattern.keys]
    for key, part in zip(keys, pattern.patterns):
        bind(context, part, pairs[key])
    if pattern.rest is not None:
        left = DictValue([(key, value) for key, value in pairs.items() if key not in keys])
        assign_name(context, pattern.rest, left, pattern.lineno)
