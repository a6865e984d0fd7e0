"""Lowering of functions as values, calls, branches, loops, tuples and effects.

The bodies of branches and loops are written in place; what they capture is read where it is. A call of a known
function is a call of its procedure.
"""

from __future__ import annotations

from collections.abc import Iterator

from arignote.ir.errors import UnsupportedSyntaxError
from arignote.ir.graph import Apply, Function, Node
from arignote.ir.loop_sizes import fixed_axes
from arignote.ir.types import Array, Closure, Scalar, Tuple, Type, Union, dims_of
from arignote.lower import fusion
from arignote.lower.context import MOST_ARGUMENTS, Context
from arignote.lower.flatten import flatten, rebuild, settled, types_of
from arignote.lower.frame import Frame, rule
from arignote.lower.lazy import Splat
from arignote.lower.loop_ir import BUFFER, CHECK_SIGNALS, FLOATS, INT32, INT64, Const, Operand, Var, pointer_to
from arignote.lower.ranges import compared
from arignote.lower.stacked import after_loop, at_iteration, destinations, stacked_lists
from arignote.lower.values import (
    UNIT,
    ZERO,
    AnyValue,
    ClosureValue,
    ListValue,
    StackedValue,
    Stored,
    TupleValue,
    UnionValue,
)


def run_body(context: Context, function: Function, arguments: list[AnyValue]) -> AnyValue:
    """Write the body of a function here."""
    return Frame(context, function, arguments).run()


def _closure_of(frame: Frame, node: Node) -> ClosureValue:
    value = frame.value(node)
    assert isinstance(value, ClosureValue), value
    return value


@rule("closure")
def _closure(frame: Frame, node: Apply) -> AnyValue:
    return ClosureValue(node["function"], tuple([frame.value(x) for x in node.inputs]))


@rule("captured")
def _captured(frame: Frame, node: Apply) -> AnyValue:
    return _closure_of(frame, node.inputs[0]).captures[node["index"]]


@rule("tuple")
def _tuple(frame: Frame, node: Apply) -> AnyValue:
    return TupleValue(tuple([frame.value(x) for x in node.inputs])) if node.inputs else UNIT


@rule("item")
def _item(frame: Frame, node: Apply) -> AnyValue:
    value = frame.value(node.inputs[0])
    assert isinstance(value, TupleValue), value
    return value.items[node["index"]]


def _zero_of(dtype: str) -> Const:
    return Const(False if dtype == "bool" else 0, dtype)


@rule("undefined")
def _undefined(frame: Frame, node: Apply) -> AnyValue:
    return undefined(frame.context, node["type"])


def undefined(context: Context, type_: Type) -> AnyValue:
    """Some value of a type, which nothing depends on. It can be read all the same, as when it is broadcast for many
    elements together with the value that another branch has: an array that has elements by its type has zeros."""
    build = context.build
    match type_:
        case Scalar():
            return _zero_of(type_.dtype)
        case Array():
            shape = tuple([Const(max(dim, 0), INT64) for dim in type_.dims])
            if all(dim > 0 for dim in type_.dims):
                return Splat(type_.dtype, shape, _zero_of(type_.dtype))
            pointer = build.let("null", dtype=pointer_to(type_.dtype))
            return Stored(type_.dtype, build.let("null", dtype=BUFFER), pointer, shape, context.strides(shape), True)
        case Tuple():
            return TupleValue(tuple([undefined(context, item) for item in type_.items])) if type_.items else UNIT
        case Closure():
            return ClosureValue(type_.function, tuple([undefined(context, item) for item in type_.capture_types]))
        case Union():
            return UnionValue(type_, build.let("null", dtype=BUFFER))
    buffers = tuple([build.let("null", dtype=BUFFER) for _ in types_of(type_.element)])  # type: ignore[attr-defined]
    return ListValue(type_.element, ZERO, ZERO, buffers)  # type: ignore[attr-defined]


# Calls ---------------------------------------------------------------------------------------------------------------


@rule("call")
def _call(frame: Frame, node: Apply) -> AnyValue:
    callee = _closure_of(frame, node.inputs[0])
    return call(frame.context, callee.function, [*callee.captures, *[frame.value(x) for x in node.inputs[1:]]])


def call(context: Context, function: Function, arguments: list[AnyValue]) -> AnyValue:
    """A call of the procedure of a function."""
    args: list[Operand] = []
    for value, parameter in zip(arguments, function.parameters, strict=True):
        args += flatten(context, value, parameter.type)
    name = context.unit.procedure(function)
    results = context.build.call(name, args, types_of(function.result_type))
    return rebuild(context, function.result_type, iter(results))


@rule("parallel_map")
def _parallel_map(frame: Frame, node: Apply) -> AnyValue:
    """The list is there from the start, with the calls' places in it; what they hold is released where one fails."""
    context, build = frame.context, frame.context.build
    count, callee = build.let("maximum", frame.scalar(node.inputs[0]), ZERO), _settled_closure(frame, node.inputs[1])
    args = [x for value, parameter in zip(callee.captures, callee.function.parameters)
            for x in flatten(context, value, parameter.type)]  # fmt: skip
    element = callee.function.result_type
    allocated = [build.alloc(slot, count) for slot in types_of(element)]
    build.parallel_map(count, context.unit.procedure(callee.function), args, [target for _, target in allocated])
    list_ = ListValue(element, count, count, tuple([buffer for buffer, _ in allocated]))
    return TupleValue((list_, *[UNIT for _ in node.inputs[2:]]))


# Branches ------------------------------------------------------------------------------------------------------------


@rule("cond")
def _cond(frame: Frame, node: Apply) -> AnyValue:
    context, build = frame.context, frame.context.build
    condition = frame.scalar(node.inputs[0])
    sides = [_closure_of(frame, x) for x in node.inputs[1:]]
    if isinstance(condition, Const):
        side = sides[0 if condition.value else 1]
        return run_body(context, side.function, list(side.captures))
    captured = [[settled(context, value) for value in side.captures] for side in sides]
    with build.branch(condition) as branch:
        with context.region():
            one = _side(context, sides[0].function, captured[0], node.type)
            branch.yields(*one)
        branch.otherwise()
        with context.region():
            other = _side(context, sides[1].function, captured[1], node.type)
            branch.yields(*other)
    # A size that is the same on both sides is known by its old name.
    results = [a if a is b and a.type == INT64 else x for a, b, x in zip(one, other, branch.results, strict=True)]
    return rebuild(context, node.type, iter(results))


def _side(context: Context, function: Function, arguments: list[AnyValue], type_: Type) -> list[Operand]:
    return flatten(context, run_body(context, function, arguments), type_)


# Loops ---------------------------------------------------------------------------------------------------------------


SHORT_LOOP = 16
"""A loop of at most so many iterations does not ask for Ctrl-C: it may become straight code."""


@rule("for_loop")
def _for_loop(frame: Frame, node: Apply) -> AnyValue:
    context, build = frame.context, frame.context.build
    count = frame.scalar(node.inputs[0])
    body = _settled_closure(frame, node.inputs[1])
    carry = Carry(frame, body, node.inputs[2:], skip=1, stacked=stacked_lists(frame, node, body, count))
    with build.loop(count, carry.initial) as loop:
        with context.region():
            context.now_index(loop.index, count)
            if not (isinstance(count, Const) and count.value <= SHORT_LOOP):
                _check_signals(context)
            values = carry.values(context, iter(loop.carried), loop.index)
            inside = Frame(context, body.function, [*body.captures, loop.index, *values])
            inside.destinations = destinations(context, body.function, values)
            result = inside.run()
            loop.yields(*carry.flat(context, result))
    return carry.result(context, iter(loop.results))


@rule("while_loop")
def _while_loop(frame: Frame, node: Apply) -> AnyValue:
    context, build = frame.context, frame.context.build
    condition, body = _settled_closure(frame, node.inputs[0]), _settled_closure(frame, node.inputs[1])
    carry = Carry(frame, body, node.inputs[2:], skip=0)
    with build.while_loop(carry.initial) as loop:
        with context.region():
            values = carry.values(context, iter(loop.carried))
            test = run_body(context, condition.function, [*condition.captures, *values])
            loop.test(flatten(context, test, condition.function.result_type)[0])
        with context.region():
            _check_signals(context)
            values = carry.values(context, iter(loop.carried))
            _learn_test(context, condition, values)
            result = run_body(context, body.function, [*body.captures, *values])
            loop.yields(*carry.flat(context, result))
    return carry.result(context, iter(loop.results))


def _learn_test(context: Context, condition: ClosureValue, values: list[AnyValue]) -> None:
    """What is less than what in an iteration, as the test says."""
    given = dict(zip(condition.function.parameters, [*condition.captures, *values], strict=True))
    for less, limit in compared(condition.function.result):
        if less in given and isinstance(number := given[less], Var):
            bound = given.get(limit)
            if isinstance(bound, Const | Var):
                context.now_less(number, bound)


def _check_signals(context: Context) -> None:
    """Ctrl-C ends a loop: the backend asks for it once in many iterations."""
    context.build.extern(CHECK_SIGNALS, (), (), can_fail=True)


def _settled_closure(frame: Frame, node: Node) -> ClosureValue:
    value = settled(frame.context, _closure_of(frame, node))
    assert isinstance(value, ClosureValue)
    return value


class Carry:
    """What a loop carries. Sizes of arrays that no iteration changes are not carried: the body sees those from
    outside. Nothing is carried of lists that are stacked: they lie in blocks."""

    def __init__(self, frame: Frame, body: ClosureValue, init: tuple[Node, ...], skip: int,
                 stacked: dict[int, StackedValue] | None = None) -> None:  # fmt: skip
        context, function = frame.context, body.function
        parameters = function.parameters[len(body.captures) + skip :]
        self.types = [parameter.type for parameter in parameters]
        before = [frame.taken(x) for x in init]
        self.stacked = stacked or {}
        self.fixed: list[dict[int, Operand]] = []
        self.initial: list[Operand] = []
        for position, (value, type_, axes) in enumerate(zip(before, self.types, fixed_axes(function, len(init)))):
            if position in self.stacked:
                self.fixed.append({})
                continue
            flat = flatten(context, value, type_)
            sizes = flat[2:] if isinstance(type_, Array) else []
            unknown = [axis for axis, dim in enumerate(dims_of(type_)) if dim < 0]
            known = {axis: size for axis, size in zip(unknown, sizes) if axis in axes}
            self.fixed.append(known)
            self.initial += self._without(flat, type_, known)

    def _without(self, flat: list[Operand], type_: Type, known: dict[int, Operand]) -> list[Operand]:
        if not known:
            return flat
        unknown = [axis for axis, dim in enumerate(dims_of(type_)) if dim < 0]
        return [*flat[:2], *[size for axis, size in zip(unknown, flat[2:]) if axis not in known]]

    def values(self, context: Context, operands: Iterator[Operand], index: Operand | None = None) -> list[AnyValue]:
        """The carried values from the operands of an iteration; of the loop's value where there is no index."""
        found: list[AnyValue] = []
        for position, (type_, known) in enumerate(zip(self.types, self.fixed)):
            if position in self.stacked:
                block = self.stacked[position]
                found.append(after_loop(block) if index is None else at_iteration(block, index))
            elif not known:
                found.append(rebuild(context, type_, operands))
            else:
                flat = [next(operands), next(operands)]
                for axis, dim in enumerate(dims_of(type_)):
                    if dim < 0:
                        flat.append(known[axis] if axis in known else next(operands))
                found.append(rebuild(context, type_, iter(flat)))
        return found

    def flat(self, context: Context, result: AnyValue) -> list[Operand]:
        """The operands that an iteration hands on."""
        items = result.items if isinstance(result, TupleValue) else ()
        operands: list[Operand] = []
        for position, (value, type_, known) in enumerate(zip(items, self.types, self.fixed)):
            if position in self.stacked:
                continue
            operands += self._without(flatten(context, value, type_), type_, known)
        return operands

    def result(self, context: Context, operands: Iterator[Operand]) -> AnyValue:
        """The loop's value."""
        return TupleValue(tuple(self.values(context, operands))) if self.types else UNIT


# Effects -------------------------------------------------------------------------------------------------------------


@rule("token", "after", "fork")
def _token(frame: Frame, node: Apply) -> AnyValue:
    """Operands that can fail were checked when they were lowered, before this."""
    return UNIT


@rule("ordered")
def _ordered(frame: Frame, node: Apply) -> AnyValue:
    return frame.value(node.inputs[1])


@rule("raise_if")
def _raise_if(frame: Frame, node: Apply) -> AnyValue:
    context = frame.context
    if not _can_hold(frame, node.inputs[1]):
        return UNIT
    condition = frame.scalar(node.inputs[1])
    if isinstance(condition, Const) and not condition.value:
        return UNIT
    shown = node.inputs[2:]
    if len(shown) > MOST_ARGUMENTS or any(isinstance(x.type, Array) for x in shown):
        message = f"an error message can show at most {MOST_ARGUMENTS} run-time values, and no arrays"
        raise UnsupportedSyntaxError(message, context.span, hint="print the values before raising")
    args = [frame.scalar(x) for x in shown]
    site = context.unit.site(node["exception"], node["message"], context.span)
    context.build.raise_if(condition, site, args)
    return UNIT


def _can_hold(frame: Frame, condition: Node) -> bool:
    """No number that is less than another overflows when it is counted up."""
    if not isinstance(condition, Apply) or condition.op.name != "add_overflows":
        return True
    left, right = [frame.scalar(x) for x in condition.inputs]
    if isinstance(left, Const):
        left, right = right, left
    counts = isinstance(left, Var) and isinstance(right, Const) and 0 <= right.value <= 1
    return not (counts and left.id in frame.context.limits)  # type: ignore[union-attr]


@rule("print")
def _print(frame: Frame, node: Apply) -> AnyValue:
    """The operands go into a block of eight-byte slots: a scalar one slot, an array its buffer, address and sizes."""
    context, build = frame.context, frame.context.build
    words: list[Operand] = []
    arrays: list[Stored] = []
    for child in node.inputs[1:]:
        if isinstance(child.type, Array):
            array = fusion.contiguous(context, frame.value(child))
            arrays.append(array)
            words += [array.pointer, array.pointer, *array.sizes]
        else:
            words.append(frame.scalar(child))
    _, block = build.alloc(INT64, max(len(words), 1))
    for place, word in enumerate(words):
        _store_word(context, block, place, word)
    number = context.unit.print_template(node["template"])
    build.extern("ag_print", [Const(number, INT64), block], (), can_fail=True)
    for array in arrays:  # only their addresses went to the call, so they are kept alive until after it
        build.unique(array.buffer)
    return UNIT


def _store_word(context: Context, block: Var, place: int, word: Operand) -> None:
    """Put one operand into an eight-byte slot."""
    build = context.build
    if word.type.startswith("ptr"):
        build.store(build.let("reinterpret", block, dtype=pointer_to(word.type)), place, word)
    elif word.type in FLOATS:
        bits = build.let("reinterpret", word, dtype=INT64 if word.type == "float64" else INT32)
        build.store(block, place, build.cast(bits, INT64))
    else:
        build.store(block, place, build.cast(word, INT64))
