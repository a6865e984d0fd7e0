"""Comprehensions and generator expressions.

A comprehension over known items is run one item after the other; any other one is a loop that appends to a list of
run-time length, which is written as the syntax of such a loop and executed like one that the user wrote.
A generator expression is a `LazyValue`: its items are computed where they are consumed, in Python's order.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arignote.frontend import analysis
from arignote.frontend.context import StaticRequired
from arignote.frontend.expressions import evaluates
from arignote.frontend.instances import NORMAL
from arignote.frontend.iterate import is_structural, length, use_up
from arignote.frontend.iterators import LazyValue
from arignote.frontend.loops import LONGEST_STATIC_LIST
from arignote.frontend.operators import negate
from arignote.frontend.scope import EXECUTORS, HOOKS
from arignote.frontend.values import Cell, DictValue, ListValue, PartialValue, Static, Unbound, Value, Variable
from arignote.ir.errors import AliasingError, UnsupportedSyntaxError
from arignote.ir.graph import Apply, Node
from arignote.ir.types import Array, Scalar

if TYPE_CHECKING:
    from arignote.frontend.context import Context

LIST, ITERABLE, FOUND = "<list>", "<iterable>", "<found>"
"""Variables of the loops that comprehensions become; no name of a program is written so."""


@evaluates(ast.ListComp)
def _list_comprehension(context: Context, node: ast.ListComp) -> Value:
    first = context.evaluate(node.generators[0].iter)
    context.at(node.generators[0].iter)
    return collect(context, node, first)


@evaluates(ast.GeneratorExp)
def _generator(context: Context, node: ast.GeneratorExp) -> Value:
    first = context.evaluate(node.generators[0].iter)
    seen = {}
    for name in analysis.reads(node):
        variable = context.frame.variables.get(name)
        if variable is not None:
            value = variable.state
            seen[name] = (value, value.state if isinstance(value, Cell) else None)
    return LazyValue(node, context.frame, first, seen)


@evaluates(ast.DictComp)
def _dict_comprehension(context: Context, node: ast.DictComp) -> Value:
    pairs: dict[Any, Value] = {}

    def add() -> None:
        key = context.evaluate(node.key)
        pairs[context.static(key, "the key of a dict")] = context.evaluate(node.value)

    first = context.evaluate(node.generators[0].iter)
    context.at(node.generators[0].iter)
    _comprehend(context, node.generators, 0, first, add)
    return DictValue(pairs.items())


# Known items


def _comprehend(
    context: Context, generators: list[ast.comprehension], index: int, iterable: Value, action: Callable[[], None]
) -> None:
    """Run the action for each round of a comprehension, whose variables are its own."""
    generator = generators[index]
    items = context.elements(iterable)
    with HOOKS["own_variables"](context, generator.target):
        for item in items:
            HOOKS["assign"](context, generator.target, item)
            if not all(_holds(context, condition) for condition in generator.ifs):
                continue
            if index + 1 == len(generators):
                action()
                continue
            inner = context.evaluate(generators[index + 1].iter)
            context.at(generators[index + 1].iter)
            _comprehend(context, generators, index + 1, inner, action)


def _holds(context: Context, node: ast.expr) -> bool:
    value = context.truth(context.evaluate(node))
    context.at(node)
    return bool(context.static(value, "the condition of a comprehension"))


def has_known_items(context: Context, iterable: Value) -> bool:
    """Whether it has items that are known one by one, and few of them."""
    if is_structural(iterable):
        return True
    size = length(context, iterable)
    if isinstance(size, Static):
        return size.object <= LONGEST_STATIC_LIST
    return getattr(size, "origin", None) is not None


def collect(context: Context, node: ast.ListComp | ast.GeneratorExp, first: Value) -> ListValue:
    """The items of a comprehension; `first` is what its first `for` goes through."""
    if not has_known_items(context, first):
        return _loop(context, node, first)
    items: list[Value] = []

    def add() -> None:
        items.append(context.evaluate(node.elt))

    if is_simple(node):
        _comprehend(context, node.generators, 0, first, add)
        return ListValue(tuple(items))
    used = getattr(first, "used", None)
    scope, mark = context.scope, context.scope.mark()
    context.journal.open()
    try:
        _comprehend(context, node.generators, 0, first, add)
    except StaticRequired as problem:
        context.journal.close()
        if problem.origin is not None:
            raise
        scope.reset(mark)
        if used is not None:
            first.used = used  # type: ignore[attr-defined]
        return _loop(context, node, first)
    except BaseException:
        context.journal.close()
        raise
    context.journal.keep()
    return ListValue(tuple(items))


def is_simple(node: ast.ListComp | ast.GeneratorExp) -> bool:
    """Whether there is one item for each that is gone through."""
    return len(node.generators) == 1 and not node.generators[0].ifs


# Loops


def _loop(context: Context, node: ast.ListComp | ast.GeneratorExp, first: Value) -> ListValue:
    """Run a comprehension as a loop that appends to a list."""
    loop = getattr(node, "arignote_loop", None)
    if loop is None:
        call = ast.Call(ast.Attribute(ast.Name(LIST, ast.Load()), "append", ast.Load()), [node.elt], [])
        loop = node.arignote_loop = _written(node, [ast.Expr(call)], LIST, [])  # type: ignore[union-attr]
    result = Variable(LIST, ListValue(()), internal=True)
    with _variables(context, node, first, {LIST: result}):
        EXECUTORS[ast.For](context, loop)
    assert isinstance(result.state, ListValue)
    return result.state


def _written(
    node: ast.ListComp | ast.GeneratorExp, body: list[ast.stmt], result: str, after: list[ast.stmt]
) -> ast.For:
    """The loops of a comprehension around a body; `after` stands behind each inner loop."""
    for place, generator in reversed(list(enumerate(node.generators))):
        for condition in reversed(generator.ifs):
            body = [ast.If(condition, body, [])]
        iterable = generator.iter if place else ast.Name(ITERABLE, ast.Load())
        loop = ast.For(generator.target, iterable, body, [])
        body = [loop, *after]
    ast.copy_location(loop.iter, node.generators[0].iter)
    ast.copy_location(loop, node)
    for child in ast.walk(loop):
        if isinstance(child, ast.stmt | ast.expr) and not hasattr(child, "lineno"):
            ast.copy_location(child, node.elt)
    named = {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}
    analysis.mark_liveness([loop], frozenset((result, *named)))
    return loop


@contextmanager
def _variables(
    context: Context, node: ast.ListComp | ast.GeneratorExp, first: Value, own: dict[str, Variable]
) -> Iterator[None]:
    """The variables of a comprehension, and those of its loop."""
    variables = context.frame.variables
    own = {**own, ITERABLE: Variable(ITERABLE, first)}
    saved = {name: variables.get(name) for name in own}
    variables.update(own)
    try:
        with ExitStack() as stack:
            for generator in node.generators:
                stack.enter_context(HOOKS["own_variables"](context, generator.target))
            yield
    finally:
        for name, variable in saved.items():
            if variable is None:
                del variables[name]
            else:
                variables[name] = variable


# Generator expressions


@contextmanager
def _where_it_stands(context: Context, lazy: LazyValue) -> Iterator[None]:
    """Interpret in the function that the generator expression is part of."""
    for name, (value, state) in lazy.seen.items():
        now = lazy.frame.variables[name].state if name in lazy.frame.variables else value
        if isinstance(value, PartialValue) and now is value.value:
            continue
        if now is not value or isinstance(value, Cell) and value.state is not state:
            context.error(
                f"'{name}' has changed since this generator expression was made; in Python it would see the change",
                AliasingError,
                "make a list: [...] instead of (...)",
            )
    # Where the function has returned meanwhile, its own flow says so.
    flow, returned = Variable("flow", Static(NORMAL), internal=True), Variable("returned", Unbound(), internal=True)
    frame, context.frame = context.frame, replace(lazy.frame, flow=flow, returned=returned)
    span = context.span
    try:
        yield
        context.span = span
    finally:
        context.frame = frame


def lazy_item(context: Context, lazy: LazyValue, item: Value) -> Value:
    """One item of a generator expression, from one of what it goes through."""
    span = context.span
    node = lazy.node
    with _where_it_stands(context, lazy), HOOKS["own_variables"](context, node.generators[0].target):
        HOOKS["assign"](context, node.generators[0].target, item)
        found = context.evaluate(node.elt)
    context.span = span
    if span is not None:
        context.scope.emit.span = frozenset((span,))
    return found


def collected(context: Context, lazy: LazyValue) -> ListValue:
    """All items of a generator expression, put into a list when they are first asked for."""
    if lazy.items is None:
        with _where_it_stands(context, lazy):
            lazy.items = collect(context, lazy.node, lazy.iterable)
    return lazy.items


def check_order(context: Context, lazy: LazyValue, before: Node) -> None:
    """Refuse a loop over a generator expression whose items, all computed before the first round, print."""
    if _prints(context.scope.token, before):
        context.error(
            "this generator expression prints, which in Python happens between the rounds of the loop",
            UnsupportedSyntaxError,
            "write it as a loop with an `if`, or make a list first: [...]",
        )


def _prints(token: Node, before: Node) -> bool:
    """Whether anything is printed on the way from one token to a later one."""
    waiting, seen = [token], {before}
    while waiting:
        node = waiting.pop()
        if node in seen or not isinstance(node, Apply):
            continue
        seen.add(node)
        if node.op.name == "print":
            return True
        if node.op.name == "closure" and node["function"].result is not None:
            waiting.append(node["function"].result)
        waiting += [part for part in node.inputs if not isinstance(part.type, Array | Scalar)]
    return False


def quantified(context: Context, lazy: LazyValue, is_all: bool) -> Value:
    """any() or all() of a generator expression, as a loop that ends where the result is known."""
    use_up(context, lazy)
    node = lazy.node
    name = "arignote_all" if is_all else "arignote_any"
    loop = getattr(node, name, None)
    if loop is None:
        test: ast.expr = ast.UnaryOp(ast.Not(), node.elt) if is_all else node.elt
        found = ast.Assign([ast.Name(FOUND, ast.Store())], ast.Constant(True))
        leave = ast.If(ast.Name(FOUND, ast.Load()), [ast.Break()], [])
        loop = _written(node, [ast.If(test, [found, ast.Break()], [])], FOUND, [leave])
        setattr(node, name, loop)
    result = Variable(FOUND, Static(False), internal=True)
    with _where_it_stands(context, lazy), _variables(context, node, lazy.iterable, {FOUND: result}):
        EXECUTORS[ast.For](context, loop)
    return negate(context, result.state) if is_all else result.state


HOOKS["lazy_item"] = lazy_item
HOOKS["collected"] = collected
HOOKS["check_order"] = check_order
HOOKS["has_known_items"] = has_known_items
