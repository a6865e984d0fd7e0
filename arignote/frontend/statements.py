"""Statements, and how control leaves blocks.

Where control goes is a variable, `frame.flow`: normal, return, break or continue. It is static until branches disagree;
then the rest of the block runs where it is still normal. The common case needs no such test: the rest of a block behind
`if c: return ...` becomes the other branch.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from arignote.frontend import analysis
from arignote.frontend.branches import branch, choose
from arignote.frontend.context import StaticRequired
from arignote.frontend.expressions import BINARY, binary_values, evaluate_index, find_method, make_function
from arignote.frontend.instances import BREAK, CONTINUE, NORMAL, RETURN
from arignote.frontend.iterate import (
    LONGEST_UNROLLED,
    consume,
    count_now,
    elements,
    is_live,
    is_structural,
    item_at,
    item_now,
    items_now,
    length,
)
from arignote.frontend.loops import CannotCarry, conditional_loop, counted_loop
from arignote.frontend.names import read_name
from arignote.frontend.scope import EXECUTORS, HOOKS
from arignote.frontend.values import (
    ArrayValue,
    DictValue,
    ListValue,
    RecordValue,
    ScalarValue,
    Static,
    TupleValue,
    Unbound,
    Value,
    Variable,
    ViewValue,
)
from arignote.ir.errors import TypeInferenceError, UnsupportedSyntaxError
from arignote.ir.graph import Node

if TYPE_CHECKING:
    from arignote.frontend.context import Context


def executes(*kinds: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(function: Callable[..., None]) -> Callable[..., None]:
        for kind in kinds:
            EXECUTORS[kind] = function
        return function

    return register


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
        branch(context, _is_normal(context), lambda: execute_block(context, rest), lambda: _left(context), live)


def _nothing() -> None:
    pass


def _left(context: Context) -> None:
    """Control has left the block; where there is but one way to do so, it is static again where it went."""
    frame = context.frame
    kinds = {RETURN} if not frame.loops else _ways_out(frame.loops[-1])
    if len(kinds) == 1:
        context.set(frame.flow, Static(kinds.pop()))


def _ways_out(loop: ast.For | ast.While) -> set[int]:
    """How control may leave a block inside this loop."""
    found: set[int] = set()

    def visit(node: ast.stmt, inner: bool) -> None:
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

    for statement in loop.body:
        visit(statement, False)
    return found


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
        execute_block(context, loop.body)


def _is_normal(context: Context) -> Node:
    return context.emit("equal", context.node(context.frame.flow.state), context.constant(NORMAL))


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
        lambda: execute_block(context, then),
        lambda: execute_block(context, otherwise),
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
    if node.msg is None:
        context.at(node)
        failed = context.emit("logical_not", context.node(condition))
        context.raise_if(failed, AssertionError) if not isinstance(condition, Static) else context.raise_now(
            AssertionError
        )
        return
    if isinstance(condition, Static):
        context.raise_now(AssertionError, context.evaluate(node.msg))
    mark = context.scope.mark()
    message = context.evaluate(node.msg)
    context.at(node)
    if not context.scope.reset(mark):
        context.raise_if(context.emit("logical_not", context.node(condition)), AssertionError, message)
        return
    branch(
        context,
        context.node(condition),
        _nothing,
        lambda: context.raise_now(AssertionError, context.evaluate(node.msg)),
    )  # type: ignore[arg-type]


@executes(ast.Raise)
def _raise(context: Context, node: ast.Raise) -> None:
    exception, message = _exception(context, node)
    context.at(node)
    context.raise_now(exception, *message)


def _exception(context: Context, node: ast.Raise) -> tuple[type[BaseException], list[Any]]:
    """The class and the message of a raise statement."""
    if node.exc is None:
        context.error("a bare `raise` is not supported in compiled code", UnsupportedSyntaxError)
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
    if len(message) > 1:
        message = [TupleValue(tuple(message))]
    return kind, message


# Assignment


@executes(ast.Assign)
def _assign(context: Context, node: ast.Assign) -> None:
    value = context.evaluate(node.value)
    for target in node.targets:
        context.at(node)
        assign(context, target, value)


@executes(ast.AnnAssign)
def _annotated(context: Context, node: ast.AnnAssign) -> None:
    if node.value is not None:
        assign(context, node.target, context.evaluate(node.value))


def assign(context: Context, target: ast.expr, value: Value) -> None:
    """Bind a target: a name, items of something, a field, or a tuple of targets."""
    match target:
        case ast.Name():
            variable = context.frame.variables[target.id]
            variable.places.append((value, target.lineno))
            context.set(variable, value)
        case ast.Tuple() | ast.List():
            _unpack(context, target, value)
        case ast.Subscript():
            _store_item(context, target, value)
        case ast.Attribute():
            record = context.evaluate(target.value)
            context.at(target)
            set_field(context, record, target.attr, value)
        case _:
            context.at(target)
            context.error("this cannot be assigned to", UnsupportedSyntaxError)


def _unpack(context: Context, target: ast.Tuple | ast.List, value: Value) -> None:
    names = target.elts
    star = next((n for n, item in enumerate(names) if isinstance(item, ast.Starred)), None)
    items = _items_to_unpack(context, value, len(names), star)
    if star is None:
        if len(items) != len(names):
            _wrong_count(context, len(names), len(items))
    else:
        after = len(names) - star - 1
        if len(items) < len(names) - 1:
            context.raise_now(
                ValueError, f"not enough values to unpack (expected at least {len(names) - 1}, got {len(items)})"
            )
        middle = ListValue(tuple(items[star : len(items) - after]))
        items = [*items[:star], middle, *items[len(items) - after :]]
    for name, item in zip(names, items):
        assign(context, name.value if isinstance(name, ast.Starred) else name, item)


def _wrong_count(context: Context, expected: int, found: int) -> None:
    if found < expected:
        context.raise_now(ValueError, f"not enough values to unpack (expected {expected}, got {found})")
    context.raise_now(ValueError, f"too many values to unpack (expected {expected})")


def _items_to_unpack(context: Context, value: Value, count: int, star: int | None) -> list[Value]:
    """The items of what is unpacked; of an array of unknown length, as many as there are targets."""
    if is_structural(value) or star is not None:
        return elements(context, value)
    size = length(context, value)
    if isinstance(size, Static):
        return elements(context, value)
    wanted = context.constant(count)
    node = context.node(size)
    context.raise_if(context.emit("greater", node, wanted), ValueError, f"too many values to unpack (expected {count})")
    context.raise_if(
        context.emit("less", node, wanted),
        ValueError,
        f"not enough values to unpack (expected {count}, got ",
        size,
        ")",
    )
    return [item_at(context, value, Static(n)) for n in range(count)]


def _store_item(context: Context, target: ast.Subscript, value: Value) -> None:
    """base[index] = value. `x[i][j] = value` writes through the view x[i] into x."""
    if isinstance(target.value, ast.Subscript):
        outer = context.evaluate(target.value.value)
        if isinstance(outer, ArrayValue):
            _store_through_view(context, target, outer, value)
            return
        index = evaluate_index(context, target.value.slice)
        context.at(target.value)
        base = HOOKS["getitem"](context, outer, index)
    else:
        base = context.evaluate(target.value)
    index = evaluate_index(context, target.slice)
    context.at(target)
    HOOKS["setitem"](context, base, index, value, None)


def _store_through_view(context: Context, target: ast.Subscript, outer: ArrayValue, value: Value) -> None:
    assert isinstance(target.value, ast.Subscript)
    first = evaluate_index(context, target.value.slice)
    context.at(target.value)
    view = HOOKS["getitem"](context, outer, first)
    second = evaluate_index(context, target.slice)
    context.at(target)
    if not isinstance(view, ArrayValue):
        context.error(f"{context.show(view)} does not support item assignment")
    part = context.array(context.node(view))
    HOOKS["setitem"](context, part, second, value, None)
    if view.roots & outer.roots:
        HOOKS["setitem"](context, outer, first, part, None)


def set_field(context: Context, record: Value, name: str, value: Value) -> None:
    """record.name = value."""
    if not isinstance(record, RecordValue):
        context.error(f"cannot assign to attribute '{name}' of {context.show(record)}")
    if record.is_tuple:
        context.raise_now(AttributeError, "can't set attribute")
    if record.cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        context.raise_now(dataclasses.FrozenInstanceError, f"cannot assign to field '{name}'")
    if name not in record.names:
        context.error(f"'{name}' is not a field of {record.cls.__name__}", hint="declare it in the class")
    items = list(context.read(record))
    items[record.names.index(name)] = value
    context.write(record, tuple(items))


@executes(ast.AugAssign)
def _augmented(context: Context, node: ast.AugAssign) -> None:
    target = node.target
    if isinstance(target, ast.Name):
        current = read_name(context, target.id)
        right = context.evaluate(node.value)
        context.at(node)
        _augment(context, node.op, current, right, lambda value: assign(context, target, value))
    elif isinstance(target, ast.Subscript):
        base = context.evaluate(target.value)
        if isinstance(base, ArrayValue) and isinstance(target.value, ast.Subscript):
            context.error(
                "`x[i][j] += v` is not supported for arrays", UnsupportedSyntaxError, hint="write x[i, j] += v"
            )
        index = evaluate_index(context, target.slice)
        if isinstance(base, ArrayValue) and not isinstance(node.op, ast.MatMult):
            right = context.evaluate(node.value)
            context.at(node)
            HOOKS["setitem"](context, base, index, right, BINARY[type(node.op)][0])
            return
        context.at(target)
        current = HOOKS["getitem"](context, base, index)
        right = context.evaluate(node.value)
        context.at(node)
        _augment(context, node.op, current, right, lambda value: HOOKS["setitem"](context, base, index, value, None))
    else:
        record = context.evaluate(target.value)
        context.at(target)
        current = HOOKS["attribute"](context, record, target.attr)
        right = context.evaluate(node.value)
        context.at(node)
        _augment(context, node.op, current, right, lambda value: set_field(context, record, target.attr, value))


def _augment(context: Context, op: ast.operator, current: Value, right: Value, store: Callable[[Value], None]) -> None:
    """x op= y: in place for arrays and lists, otherwise x = x op y."""
    if isinstance(current, ArrayValue):
        HOOKS["setitem"](context, current, Static(Ellipsis), right, BINARY[type(op)][0])
        store(current)
        return
    if isinstance(current, ListValue) and isinstance(op, ast.Add):
        context.write(current, (*context.read(current), *elements(context, right)))
        store(current)
        return
    if isinstance(current, DictValue) and isinstance(op, ast.BitOr) and isinstance(right, DictValue):
        context.write(current, tuple({**dict(context.read(current)), **dict(context.read(right))}.items()))
        store(current)
        return
    method = find_method(context, current, f"__i{BINARY[type(op)][2]}__")
    store(context.call(method, [right]) if method is not None else binary_values(context, type(op), current, right))


@executes(ast.Delete)
def _delete(context: Context, node: ast.Delete) -> None:
    for target in node.targets:
        if isinstance(target, ast.Subscript):
            base = context.evaluate(target.value)
            index = evaluate_index(context, target.slice)
            context.at(target)
            HOOKS["delitem"](context, base, index)
        else:
            context.error(
                "`del` of a name is not supported in compiled code",
                UnsupportedSyntaxError,
                "leave it out: memory is freed when a value is not needed any more",
            )


@executes(ast.FunctionDef)
def _function(context: Context, node: ast.FunctionDef) -> None:
    value: Value = make_function(context, node)
    for decorator in reversed(node.decorator_list):
        value = context.call(context.evaluate(decorator), [value])
    variable = context.frame.variables[node.name]
    variable.places.append((value, node.lineno))
    context.set(variable, value)


@contextmanager
def own_variables(context: Context, target: ast.expr) -> Iterator[None]:
    """The variables of a comprehension, for as long as it runs."""
    variables = context.frame.variables
    names = analysis.stores(target)
    saved = {name: variables.get(name) for name in names}
    for name in names:
        variables[name] = Variable(name, Unbound())
    try:
        yield
    finally:
        for name, variable in saved.items():
            if variable is None:
                del variables[name]
            else:
                variables[name] = variable


# Loops


@executes(ast.For)
def _for(context: Context, node: ast.For) -> None:
    iterable = context.evaluate(node.iter)
    context.at(node.iter)
    unrolled = context.frame.memory.setdefault("unrolled", set())
    consume(context, iterable)
    if is_structural(iterable) or node in unrolled:
        _unroll(context, node, iterable)
        return
    count = length(context, iterable)
    can_unroll = isinstance(count, Static) and count.object <= LONGEST_UNROLLED
    if isinstance(count, Static) and count.object == 0:
        execute_block(context, node.orelse)
        return
    try:
        _run_time_for(context, node, iterable, count, can_unroll)
    except (StaticRequired, CannotCarry) as problem:
        if not can_unroll or getattr(problem, "origin", None) is not None:
            _complain(context, problem)
        unrolled.add(node)
        context.at(node.iter)
        _unroll(context, node, iterable)


def _complain(context: Context, problem: Exception) -> None:
    if isinstance(problem, CannotCarry):
        context.error(f"in this loop, {problem.message}", hint=problem.hint)
    raise problem


def _run_time_for(context: Context, node: ast.For, iterable: Value, count: Value, strict: bool) -> None:
    if not analysis.breaks(node):

        def body(index: Value) -> None:
            context.at(node.iter)
            assign(context, node.target, item_at(context, iterable, index))
            _execute_body(context, node)
            context.set(context.frame.flow, Static(NORMAL))

        counted_loop(context, node, count, body, strict)
        execute_block(context, node.orelse)
        return
    position = Variable("position", Static(0), internal=True)

    def test(guarded: bool) -> Value:
        context.at(node.iter)
        more = context.emit("less", context.node(position.state), context.node(count))
        return context.scalar(context.emit("logical_and", more, _is_normal(context)), True)

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
    finished = _is_normal(context)
    context.set(flow, _replace(context, state, BREAK) if returns else Static(NORMAL))
    if node.orelse:
        branch(context, finished, lambda: execute_block(context, node.orelse), _nothing, node.live_after)  # type: ignore[union-attr]


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
        normal = _is_normal(context)
        if guarded:
            return choose(context, normal, lambda: _condition(context, node), lambda: Static(False))
        condition = _condition(context, node)
        return context.scalar(context.emit("logical_and", normal, context.node(condition)), True)

    def body() -> None:
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
    _after_loop(context, node)


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
    normal = _is_normal(context)
    live = node.live_head | node.live_after  # type: ignore[union-attr]
    leaving = _replace(context, flow.state, BREAK)
    context.set(flow, Static(NORMAL))
    branch(context, normal, rest, lambda: context.set(flow, leaving), live)


HOOKS["assign"] = assign
HOOKS["own_variables"] = own_variables
