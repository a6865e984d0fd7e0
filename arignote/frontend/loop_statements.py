"""`for` and `while`: loops of the graph; over items that are known, one round after the other."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from arignote.frontend import analysis, sequences
from arignote.frontend.assignment import assign
from arignote.frontend.branches import branch, choose, run_branch
from arignote.frontend.cases import for_each_case, is_union, narrowed
from arignote.frontend.context import StaticRequired
from arignote.frontend.instances import BREAK, CONTINUE, NORMAL, RETURN
from arignote.frontend.iterate import (
    LONGEST_UNROLLED,
    consume,
    count_now,
    is_live,
    is_structural,
    item_at,
    item_now,
    items_now,
    length,
)
from arignote.frontend.iterators import LazyValue, ViewValue
from arignote.frontend.loops import LONGEST_STATIC_LIST, CannotCarry, conditional_loop, counted_loop
from arignote.frontend.narrowing import Facts, both, told_by
from arignote.frontend.scope import HOOKS, executes
from arignote.frontend.statements import execute_block, execute_conditional, is_normal, nothing, ways_out
from arignote.frontend.values import DictValue, PartialValue, ScalarValue, Static, TupleValue, Value, Variable
from arignote.ir.errors import TypeInferenceError

if TYPE_CHECKING:
    from arignote.frontend.context import Context


@contextmanager
def _inside(context: Context, loop: ast.For | ast.While) -> Iterator[None]:
    """The body of a loop is being interpreted."""
    loops = context.frame.loops
    loops.append(loop)
    try:
        yield
    finally:
        loops.pop()


def _execute_body(context: Context, loop: ast.For | ast.While) -> None:
    with _inside(context, loop):
        execute_conditional(context, loop.body)


# Loops


@executes(ast.For)
def _for(context: Context, node: ast.For) -> None:
    iterable = narrowed(context, context.evaluate(node.iter))
    context.at(node.iter)
    if is_union(iterable):
        for_each_case(context, iterable, lambda found: _for_over(context, node, found))
    else:
        _for_over(context, node, iterable)


def _for_over(context: Context, node: ast.For, iterable: Value) -> None:
    unrolled = context.frame.memory.setdefault("unrolled", set())
    token, lazy = context.scope.token, isinstance(iterable, LazyValue) and iterable.source is None
    consume(context, iterable)
    if lazy:
        HOOKS["check_order"](context, iterable, token)
    if sequences.grows(context, node, iterable):
        _position_for(context, node, iterable, lambda: length(context, iterable))
        return
    if is_structural(iterable) or node in unrolled:
        _unroll(context, node, iterable)
        return
    count = length(context, iterable)
    can_unroll = isinstance(count, Static) and count.object <= LONGEST_UNROLLED
    if isinstance(count, Static) and count.object == 0:
        execute_block(context, node.orelse)
        return
    is_short = can_unroll and count.object <= LONGEST_STATIC_LIST  # type: ignore[attr-defined]
    context.loops_to_unroll += is_short
    try:
        _run_time_for(context, node, iterable, count, can_unroll)
    except (StaticRequired, CannotCarry) as problem:
        context.loops_to_unroll -= is_short
        is_short = False
        if not can_unroll or getattr(problem, "origin", None) is not None:
            _complain(context, problem)
        unrolled.add(node)
        context.at(node.iter)
        _unroll(context, node, iterable)
    finally:
        context.loops_to_unroll -= is_short


def _complain(context: Context, problem: Exception) -> None:
    if isinstance(problem, CannotCarry):
        context.error(f"in this loop, {problem.message}", hint=problem.hint)
    raise problem


def _run_time_for(context: Context, node: ast.For, iterable: Value, count: Value, strict: bool) -> None:
    if not analysis.breaks(node):

        def body(index: Value) -> None:
            context.at(node.iter)
            versions = sequences.versions_of(iterable)
            assign(context, node.target, item_at(context, iterable, index))
            _execute_body(context, node)
            context.set(context.frame.flow, Static(NORMAL))
            if sequences.versions_of(iterable) != versions:
                _check_length(context, iterable, count)

        counted_loop(context, node, count, body, strict)
        execute_block(context, node.orelse)
        return
    is_list = bool(sequences.versions_of(iterable))
    _position_for(context, node, iterable, lambda: length(context, iterable) if is_list else count)


def _check_length(context: Context, iterable: Value, count: Value) -> None:
    """A list that a counted loop goes through keeps its length; Python would go on to its new end."""
    changed = context.emit("not_equal", context.node(length(context, iterable)), context.node(count))
    context.raise_if(
        changed, RuntimeError, "compiled code cannot go through a list whose length changes in a function called there"
    )


def _position_for(context: Context, node: ast.For, iterable: Value, count: Callable[[], Value]) -> None:
    """A loop that may end early, or over a list that changes its length meanwhile."""
    position = Variable("position", Static(0), internal=True)

    def test(guarded: bool) -> Value:
        context.at(node.iter)
        more = context.emit("less", context.node(position.state), context.node(count()))
        return context.scalar(context.emit("logical_and", more, is_normal(context)), True)

    def step() -> None:
        index = position.state
        assert isinstance(index, ScalarValue)
        index = ScalarValue(index.node, index.scope, True, 0, 2**63 - 2)
        context.at(node.iter)
        assign(context, node.target, item_at(context, iterable, index))
        _execute_body(context, node)
        _after_iteration(context)
        emit = context.scope.emit
        context.set(position, context.scalar(emit.op("add", context.node(index), emit.integer(1)), True))

    conditional_loop(context, node, test, step, (context.frame.flow, position))
    _after_loop(context, node)


def _after_iteration(context: Context) -> None:
    """A `continue` ends here."""
    flow = context.frame.flow
    state = flow.state
    if isinstance(state, Static):
        if state.object == CONTINUE:
            context.set(flow, Static(NORMAL))
        return
    context.set(flow, _replace(context, state, CONTINUE))


def _replace(context: Context, flow: Value, what: int) -> Value:
    node = context.node(flow)
    here = context.emit("equal", node, context.constant(what))
    return context.scalar(context.emit("select", here, context.constant(NORMAL), node), True)


def _after_loop(context: Context, node: ast.For | ast.While) -> None:
    """Run `else` where the loop was not left, and end a `break` here."""
    flow = context.frame.flow
    state = flow.state
    returns = any(isinstance(n, ast.Return) for s in node.body for n in ast.walk(s))
    if isinstance(state, Static):
        if state.object == BREAK:
            context.set(flow, Static(NORMAL))
        elif state.object == NORMAL:
            execute_block(context, node.orelse)
        return
    finished = is_normal(context)
    context.set(flow, _replace(context, state, BREAK) if returns else Static(NORMAL))
    if node.orelse:
        branch(context, finished, lambda: execute_block(context, node.orelse), nothing, node.live_after)  # type: ignore[union-attr]


def _after_endless_loop(context: Context, node: ast.While) -> None:
    """The condition never fails, so that control comes here by `break` or `return` only, and never to `else`."""
    frame = context.frame
    state = frame.flow.state
    kinds = ways_out(node) - {CONTINUE}
    if isinstance(state, Static):
        kinds = {state.object}
    if kinds == {RETURN}:
        context.set(frame.flow, Static(RETURN))
        if isinstance(frame.returned.state, PartialValue):
            context.set(frame.returned, frame.returned.state.value)
    elif RETURN in kinds:
        context.set(frame.flow, _replace(context, state, BREAK))
    else:
        context.set(frame.flow, Static(NORMAL))


@executes(ast.While)
def _while(context: Context, node: ast.While) -> None:
    breaks = analysis.breaks(node)
    if node in context.frame.memory.setdefault("unrolled", set()):
        _unroll_while(context, node, 0)
        return

    def test(guarded: bool) -> Value:
        if not breaks:
            return _condition(context, node)
        flow = context.frame.flow.state
        if isinstance(flow, Static):
            return _condition(context, node) if flow.object == NORMAL else Static(False)
        normal = is_normal(context)
        if guarded:
            return choose(context, normal, lambda: _condition(context, node), lambda: Static(False))
        condition = _condition(context, node)
        return context.scalar(context.emit("logical_and", normal, context.node(condition)), True)

    def body() -> None:
        _assume_condition(context, node)
        _execute_body(context, node)
        if breaks:
            _after_iteration(context)
        else:
            context.set(context.frame.flow, Static(NORMAL))

    try:
        conditional_loop(context, node, test, body, (context.frame.flow,) if breaks else ())
    except StaticRequired as problem:
        if problem.origin is not None or not isinstance(_condition(context, node), Static):
            raise
        context.frame.memory["unrolled"].add(node)
        _unroll_while(context, node, 0)
        return
    if isinstance(node.test, ast.Constant) and node.test.value and breaks:
        _after_endless_loop(context, node)
    else:
        _after_loop(context, node)


def _assume_condition(context: Context, node: ast.While) -> None:
    """What the condition tells of unions is known in the body. It is evaluated in a branch that is thrown away."""
    told: list[Facts] = []

    def attempt() -> None:
        condition = _condition(context, node)
        if isinstance(condition, ScalarValue):
            told.append(told_by(context, context.node(condition), True))

    run_branch(context, "trial", attempt)
    if told:
        context.facts = both(context.facts, told[0])


def _condition(context: Context, node: ast.While) -> Value:
    value = context.evaluate(node.test)
    context.at(node.test)
    return context.truth(value)


def _unroll_while(context: Context, node: ast.While, done: int) -> None:
    """Run a loop whose condition is known each time, now."""
    condition = _condition(context, node)
    if context.static(condition, "the condition of this loop"):
        if done > LONGEST_UNROLLED:
            context.error("this loop does not end at compile time", TypeInferenceError)
        _execute_body(context, node)
        _continue_unrolled(context, node, lambda: _unroll_while(context, node, done + 1))
    else:
        execute_block(context, node.orelse)


def _unroll(context: Context, node: ast.For, iterable: Value) -> None:
    """Run a loop over known items, one after the other."""
    if not is_live(iterable):
        iterable = TupleValue(tuple(items_now(context, iterable)))
    _unroll_from(context, node, iterable, 0, count_now(context, iterable))


def _unroll_from(context: Context, node: ast.For, iterable: Value, place: int, first_count: int) -> None:
    count = count_now(context, iterable)
    while place < count:
        if count > LONGEST_UNROLLED:
            context.error("this loop goes through too many items at compile time")
        context.at(node.iter)
        assign(context, node.target, item_now(context, iterable, place))
        _execute_body(context, node)
        place += 1
        flow = context.frame.flow.state
        if not isinstance(flow, Static) or flow.object not in (NORMAL, CONTINUE):
            rest = partial(_unroll_from, context, node, iterable, place, first_count)
            _continue_unrolled(context, node, rest)
            return
        context.set(context.frame.flow, Static(NORMAL))
        count = count_now(context, iterable)
        if count != first_count and isinstance(iterable, DictValue | ViewValue):
            context.raise_now(RuntimeError, "dictionary changed size during iteration")
    execute_block(context, node.orelse)


def _continue_unrolled(context: Context, node: ast.For | ast.While, rest: Callable[[], None]) -> None:
    """The remaining iterations, where no `break` or `return` happened; then a `break` ends here."""
    flow = context.frame.flow
    state = flow.state
    if isinstance(state, Static):
        if state.object in (NORMAL, CONTINUE):
            context.set(flow, Static(NORMAL))
            rest()
        elif state.object == BREAK:
            context.set(flow, Static(NORMAL))
        return
    _after_iteration(context)
    normal = is_normal(context)
    live = node.live_head | node.live_after  # type: ignore[union-attr]
    leaving = _replace(context, flow.state, BREAK)
    context.set(flow, Static(NORMAL))
    branch(context, normal, rest, lambda: context.set(flow, leaving), live)
