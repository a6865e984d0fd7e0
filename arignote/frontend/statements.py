"""Statements, and how control leaves blocks.

Where control goes is a variable, `frame.flow`: normal, return, break or continue. It is static until branches disagree;
then the rest of the block runs where it is still normal. The common case needs no such test: the rest of a block behind
`if c: return ...` becomes the other branch.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from arignote.frontend import analysis
from arignote.frontend.branches import branch
from arignote.frontend.context import MADE_WITH
from arignote.frontend.instances import BREAK, CONTINUE, NORMAL, RETURN
from arignote.frontend.narrowing import assume
from arignote.frontend.scope import EXECUTORS, executes
from arignote.frontend.values import (
    Static,
    TupleValue,
    Value,
)
from arignote.ir.errors import UnsupportedSyntaxError
from arignote.ir.graph import Node

if TYPE_CHECKING:
    from arignote.frontend.context import Context


# Blocks and branches


@executes(list)
def execute_block(context: Context, block: Sequence[ast.stmt]) -> None:
    """Run statements until one leaves the block."""
    for index, statement in enumerate(block):
        if isinstance(statement, ast.If):
            if _execute_if(context, statement, block[index + 1 :]):
                return
        else:
            context.at(statement)
            EXECUTORS[type(statement)](context, statement)
        flow = context.frame.flow.state
        if isinstance(flow, Static):
            if flow.object != NORMAL:
                return
        else:
            _run_rest(context, block, block[index + 1 :])
            return


def _run_rest(context: Context, block: Sequence[ast.stmt], rest: Sequence[ast.stmt]) -> None:
    """Run the rest of a block where control has not left it."""
    if rest:
        live = getattr(block[-1], "block_live", None) or block[-1].live_after  # type: ignore[attr-defined]
        branch(context, is_normal(context), lambda: execute_block(context, rest), lambda: left_block(context), live)


def nothing() -> None:
    pass


def left_block(context: Context) -> None:
    """Control has left the block; where there is but one way to do so, it is static again where it went."""
    frame = context.frame
    kinds = {RETURN} if not frame.loops else ways_out(frame.loops[-1])
    if len(kinds) == 1:
        context.set(frame.flow, Static(kinds.pop()))


def ways_out(loop: ast.For | ast.While) -> set[int]:
    """How control may leave a block inside this loop."""
    found: set[int] = set()

    def visit(node: ast.AST, inner: bool) -> None:
        if isinstance(node, ast.Return):
            found.add(RETURN)
        elif isinstance(node, ast.Break | ast.Continue):
            if not inner:
                found.add(BREAK if isinstance(node, ast.Break) else CONTINUE)
        elif not isinstance(node, ast.FunctionDef):
            for name in ("body", "orelse"):
                below = inner or name == "body" and isinstance(node, ast.For | ast.While)
                for child in getattr(node, name, ()):
                    visit(child, below)
            for case in getattr(node, "cases", ()):
                visit(case, inner)

    for statement in loop.body:
        visit(statement, False)
    return found


def is_normal(context: Context) -> Node:
    return context.emit("equal", context.node(context.frame.flow.state), context.constant(NORMAL))


def execute_conditional(context: Context, block: Sequence[ast.stmt]) -> None:
    """Run a block that may not be reached."""
    context.unless_skipped(lambda: execute_block(context, block))


def _execute_if(context: Context, node: ast.If, rest: Sequence[ast.stmt]) -> bool:
    """Run an `if`; True if the rest of the block was run with it."""
    test = context.evaluate(node.test)
    context.at(node.test)
    condition = context.truth(test)
    if isinstance(condition, Static):
        execute_block(context, node.body if condition.object else node.orelse)
        return False
    if _raises_at_once(context, node, condition):
        return False
    then, otherwise, takes_rest = _with_rest(node, rest)
    live = node.block_live if takes_rest else node.live_after  # type: ignore[attr-defined]
    branch(
        context,
        context.node(condition),
        lambda: execute_conditional(context, then),
        lambda: execute_conditional(context, otherwise),
        live,
    )
    return takes_rest


def _with_rest(node: ast.If, rest: Sequence[ast.stmt]) -> tuple[Sequence[ast.stmt], Sequence[ast.stmt], bool]:
    """The two blocks; the rest joins the one that does not leave, if the other always does."""
    if rest and _jumps(node.body) and not _jumps(node.orelse):
        return node.body, [*node.orelse, *rest], True
    if rest and _jumps(node.orelse) and not _jumps(node.body):
        return [*node.body, *rest], node.orelse, True
    return node.body, node.orelse, False


def _jumps(block: Sequence[ast.stmt]) -> bool:
    """Whether control always leaves the block, and not only by raising."""
    return analysis.always_leaves(block) and any(map(analysis.leaves, block))


def _raises_at_once(context: Context, node: ast.If, condition: Value) -> bool:
    """`if c: raise E(...)` is one operation."""
    if len(node.body) != 1 or not isinstance(node.body[0], ast.Raise) or node.orelse:
        return False
    statement = node.body[0]
    if any(isinstance(n, ast.Call) and n is not statement.exc for n in ast.walk(statement)):
        return False
    mark = context.scope.mark()
    context.at(statement)
    exception, message = _exception(context, statement)
    if context.scope.reset(mark):
        return False
    context.raise_if(context.node(condition), exception, *message)
    assume(context, context.node(condition), False)
    return True


@executes(ast.Return)
def _return(context: Context, node: ast.Return) -> None:
    value = Static(None) if node.value is None else context.evaluate(node.value)
    frame = context.frame
    frame.returned.places.append((value, node.lineno))
    context.set(frame.returned, value)
    context.returned_at = context.span
    context.set(frame.flow, Static(RETURN))


@executes(ast.Break)
def _break(context: Context, node: ast.Break) -> None:
    context.set(context.frame.flow, Static(BREAK))


@executes(ast.Continue)
def _continue(context: Context, node: ast.Continue) -> None:
    context.set(context.frame.flow, Static(CONTINUE))


@executes(ast.Pass)
def _pass(context: Context, node: ast.Pass) -> None:
    pass


@executes(ast.Expr)
def _expression(context: Context, node: ast.Expr) -> None:
    if not isinstance(node.value, ast.Constant):
        context.evaluate(node.value)


# Failures


@executes(ast.Assert)
def _assert(context: Context, node: ast.Assert) -> None:
    condition = context.truth(context.evaluate(node.test))
    if isinstance(condition, Static) and condition.object:
        return
    _check(context, node, condition)
    if not isinstance(condition, Static):
        assume(context, context.node(condition), True)


def _check(context: Context, node: ast.Assert, condition: Value) -> None:
    """Raise where the condition does not hold."""
    if node.msg is None:
        context.at(node)
        failed = context.emit("logical_not", context.node(condition))
        context.raise_if(failed, AssertionError) if not isinstance(condition, Static) else context.raise_now(
            AssertionError
        )
        return
    if isinstance(condition, Static):
        context.raise_now(AssertionError, MADE_WITH, TupleValue((context.evaluate(node.msg),)))
    mark = context.scope.mark()
    message = context.evaluate(node.msg)
    context.at(node)
    if not context.scope.reset(mark):
        failed = context.emit("logical_not", context.node(condition))
        context.raise_if(failed, AssertionError, MADE_WITH, TupleValue((message,)))
        return
    branch(
        context,
        context.node(condition),
        nothing,
        lambda: context.raise_now(AssertionError, MADE_WITH, TupleValue((context.evaluate(node.msg),))),  # type: ignore[arg-type]
    )


@executes(ast.Raise)
def _raise(context: Context, node: ast.Raise) -> None:
    exception, message = _exception(context, node)
    context.at(node)
    context.raise_now(exception, *message)


def _exception(context: Context, node: ast.Raise) -> tuple[type[BaseException], list[Any]]:
    """The class and the message of a raise statement."""
    if node.exc is None:
        context.error("a bare `raise` is not supported in compiled code", UnsupportedSyntaxError,
                      "name the exception: raise ValueError(...)")  # fmt: skip
    message: list[Value] = []
    target = node.exc
    if isinstance(target, ast.Call):
        if target.keywords:
            context.error("an exception is raised with positional arguments only", UnsupportedSyntaxError)
        message = [context.evaluate(argument) for argument in target.args]
        target = target.func
    found = context.evaluate(target)
    context.at(node)
    kind = found.object if isinstance(found, Static) else None
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        context.error(f"exceptions must derive from BaseException, got {context.show(found)}")
    return kind, [MADE_WITH, TupleValue(tuple(message))] if message else []
