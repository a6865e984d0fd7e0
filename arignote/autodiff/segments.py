"""Loops cut in segments, for a function that is run again by its backward.

A loop of n iterations becomes a loop over about sqrt(n) segments of about sqrt(n) iterations each; a segment is itself
run again by its backward. So the loop saves what it carries once for each segment, and of one segment at a time what
each iteration's backward reads. A `while` loop runs once more, to be counted.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from arignote.autodiff.activity import differentiable
from arignote.autodiff.emit import AdjointEmit, function_of, widen
from arignote.ir.graph import Apply, Function, Node, Parameter, nodes_of, substitute
from arignote.ir.types import INT64, TOKEN, Closure, Tuple

_made: WeakKeyDictionary[Function, Function | None] = WeakKeyDictionary()

_CALLING = {"call": (0,), "cond": (1, 2)}
_LOOPS = ("for_loop", "while_loop")


def segmented(function: Function) -> Function:
    """The function with its loops, and those of the functions that it calls, cut in segments. What calls itself is left
    as it is."""
    if function in _made:
        return _made[function] or function
    _made[function] = None
    emit = AdjointEmit()
    parameters = [Parameter(p.name, p.type) for p in function.parameters]
    mapping: dict[Node, Node] = dict(zip(function.parameters, parameters, strict=True))
    changed = False
    for node in nodes_of(function):
        if isinstance(node, Apply):
            emit.at(function.spans.get(node))
            inputs = tuple([mapping[x] for x in node.inputs])
            new = _renewed(emit, node, inputs)
            changed = changed or new is not None
            mapping[node] = emit.apply(node.op, *inputs, **dict(node.attributes)) if new is None else new
        else:
            mapping.setdefault(node, node)
    made = emit.function(function.name, parameters, mapping[function.result]) if changed else function
    _made[function] = made
    return made


def _renewed(emit: AdjointEmit, node: Apply, inputs: tuple[Node, ...]) -> Node | None:
    """The node in its new form; None where it stays."""
    if node.op.name in _LOOPS and any(differentiable(x.type) for x in node.inputs[2:]):
        return _for_loop(emit, inputs) if node.op.name == "for_loop" else _while_loop(emit, inputs)
    operands = list(inputs)
    for position in _CALLING.get(node.op.name, ()):
        callee = inputs[position]
        if isinstance(callee, Apply) and callee.op.name == "closure" and callee["function"].is_defined:
            made = segmented(callee["function"])
            if made is not callee["function"]:
                operands[position] = emit.closure(made, callee.inputs)
    if all(new is old for new, old in zip(operands, inputs, strict=True)):
        return None
    return emit.apply(node.op, *operands, **dict(node.attributes))


def _for_loop(emit: AdjointEmit, inputs: tuple[Node, ...]) -> Node:
    count, body, *init = inputs
    return _over_segments(emit, count, body, init, indexed=True)


def _while_loop(emit: AdjointEmit, inputs: tuple[Node, ...]) -> Node:
    condition, body, *init = inputs
    given = [*emit.captures(condition), *emit.captures(body), *(x for x in init if x.type is not TOKEN)]
    return _over_segments(emit, emit.call(_count(condition, body), *given), body, init, indexed=False)


def _count(condition: Node, body: Node) -> Function:
    """(captures of the condition, captures of the body, *init but for tokens) -> how often the loop runs. A function of
    its own, never inlined, because its effects, of which nothing comes, start with a token of their own."""
    emit, function = AdjointEmit(), function_of(body)
    assert isinstance(condition.type, Closure) and isinstance(body.type, Closure)
    tests = [Parameter("test", t) for t in condition.type.capture_types]
    steps, carried = _fresh(body.type, indexed=False)
    trips = emit.closure(_counting(function, len(carried)), steps)
    wide = emit.closure(widen(function_of(condition), [INT64]), tests)
    start = [emit.op("token") if x.type is TOKEN else x for x in carried]
    counted = emit.op("while_loop", wide, trips, *start, emit.integer(0))
    parameters = [*tests, *steps, *(x for x in carried if x.type is not TOKEN)]
    made = emit.function(f"{function.name}_count", parameters, emit.item(counted, len(carried)))
    made.is_opaque = True
    return made


def _counting(function: Function, carried: int) -> Function:
    """The body with one more carried value, the number of the iteration."""
    emit, trips = AdjointEmit(), Parameter("trips", INT64)
    parameters = [Parameter(p.name, p.type) for p in function.parameters]
    (result,) = _copied(emit, function, parameters)
    following = [*(emit.item(result, i) for i in range(carried)), emit.op("add", trips, emit.integer(1))]
    return emit.function(f"{function.name}_counting", [*parameters, trips], emit.tuple(following))


def _copied(emit: AdjointEmit, function: Function, operands: list[Parameter] | list[Node]) -> list[Node]:
    def note(old: Node, new: Node) -> None:
        spans = function.spans.get(old)
        if spans is not None and new is not old:
            emit.note(new, spans)

    return substitute([function.result], dict(zip(function.parameters, operands, strict=True)), note)


def _over_segments(emit: AdjointEmit, count: Node, body: Node, init: list[Node], indexed: bool) -> Node:
    assert isinstance(body.type, Closure)
    root = emit.op("sqrt", emit.cast(emit.op("maximum", count, emit.integer(1)), "float64"))
    length = emit.op("add", emit.cast(root, "int64"), emit.integer(1))
    last = emit.op("subtract", length, emit.integer(1))
    segments = emit.op("floor_divide", emit.op("add", count, last), length)
    closure = emit.closure(_outer_body(body.type, indexed), [*emit.captures(body), length, count])
    return emit.op("for_loop", segments, closure, *init)


def _outer_body(body: Closure, indexed: bool) -> Function:
    """(captures, length, count, segment, *carried) -> carried after the segment."""
    emit, function = AdjointEmit(), body.function
    emit.at(function.spans.get(function.result))
    captures, carried = _fresh(body, indexed)
    length, count, segment = (Parameter(name, INT64) for name in ("length", "count", "segment"))
    start = emit.op("multiply", segment, length)
    trips = emit.op("minimum", length, emit.op("subtract", count, start))
    inner = emit.closure(_segment(body, indexed), [*captures, start, trips])
    result = emit.op("checkpoint", inner, *carried, loops=False)
    return emit.function(f"{function.name}_segments", [*captures, length, count, segment, *carried], result)


def _segment(body: Closure, indexed: bool) -> Function:
    """(captures, start, trips, *carried) -> carried after `trips` iterations from `start` on."""
    emit, function = AdjointEmit(), body.function
    emit.at(function.spans.get(function.result))
    captures, carried = _fresh(body, indexed)
    start, trips = Parameter("start", INT64), Parameter("trips", INT64)
    closure = emit.closure(_shifted(body, indexed), [*captures, start])
    result = emit.op("for_loop", trips, closure, *carried)
    return emit.function(f"{function.name}_segment", [*captures, start, trips, *carried], result)


def _shifted(body: Closure, indexed: bool) -> Function:
    """(captures, start, index, *carried): the body in iteration start + index."""
    emit, function = AdjointEmit(), body.function
    captures, carried = _fresh(body, indexed)
    start, index = Parameter("start", INT64), Parameter("index", INT64)
    position: list[Node] = [emit.op("add", start, index)] if indexed else []
    (result,) = _copied(emit, function, [*captures, *position, *carried])
    assert isinstance(result.type, Tuple)
    return emit.function(function.name, [*captures, start, index, *carried], result)


def _fresh(body: Closure, indexed: bool) -> tuple[list[Parameter], list[Parameter]]:
    """New parameters for what the body captures and carries."""
    parameters = [Parameter(p.name, p.type) for p in body.function.parameters]
    return parameters[: body.captured], parameters[body.captured + indexed :]
