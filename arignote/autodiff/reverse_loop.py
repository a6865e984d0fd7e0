"""Reverse mode of loops: a loop over the same iterations, from the last to the first.

The forward loop carries one list more, of what the backward of each iteration reads and could not compute again;
nothing that is the same in every iteration goes there. The backward loop carries the cotangents of the carried
values, and adds up those of the captures in place.
"""

from __future__ import annotations

from arignote.autodiff.activity import Flags, body_flags, loop_demand, loop_want
from arignote.autodiff.adjoint import Adjoint, Place, Pullback, parameters_for, spread_all
from arignote.autodiff.cotangent import Cotangent, spread, whole
from arignote.autodiff.emit import function_of, widen
from arignote.autodiff.induction import inductions
from arignote.autodiff.residuals import Kept, Policy
from arignote.autodiff.reverse_call import supply
from arignote.autodiff.small_parts import array, numbers
from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, substitute, topological
from arignote.ir.records import dataclass
from arignote.ir.types import INT64, Array, Closure, List, tangent_type


@dataclass(slots=True)
class _Body:
    """The body of a loop, run backward.

    tangents: cotangents of the demanded carried values, as the backward body receives them; then the totals of captures
    roots:    what it gives for them
    steps:    the carried values that follow from the iteration: which they are, and what each iteration adds
    """

    adjoint: Adjoint
    captured: int
    index: Parameter | None
    tangents: list[Parameter]
    roots: list[Node]
    kept: Kept
    steps: dict[Parameter, tuple[int, Node]]

    @property
    def following(self) -> list[Parameter]:
        """The carried values that the backward computes from the iteration."""
        return [p for p in self.kept.known if isinstance(p, Parameter) and p in self.steps]

    @property
    def parts(self) -> list[Node]:
        """What is saved, part by part. A counted loop has room for all that it saves before it begins."""
        saved = self.kept.saved
        return saved if self.index is not None else [part for x in saved for part in numbers(self.adjoint.emit, x)]

    @property
    def element(self) -> Node:
        """What the forward body pushes."""
        parts = self.parts
        return parts[0] if len(parts) == 1 else self.adjoint.emit.tuple(parts)

    def restored(self, element: Node) -> list[Node]:
        """What was saved, from an element of the list."""
        emit, saved, width = self.adjoint.emit, self.kept.saved, len(self.parts)
        parts = [element] if width == 1 else [emit.item(element, i) for i in range(width)]
        if self.index is not None:
            return parts
        rest = iter(parts)
        return [array(emit, x, rest) for x in saved]


def _run_body(outer: Adjoint, node: Apply, captures: Flags, carried: Flags) -> _Body:
    function = function_of(node.inputs[1])
    places = outer.places(node.inputs[1])
    volatile = [i for i, place in enumerate(places) if place.capture is None and place.node in outer.volatile]
    count, counted = len(captures), node.op.name == "for_loop"
    wrt = body_flags(node, captures, carried)
    seeded = [p for p, flag in zip(function.parameters, captures, strict=False) if flag]
    first = count + counted
    steps = {j: step for j, step in inductions(node).items() if node.inputs[2 + j] not in outer.volatile}
    changing = [p for j, p in enumerate(function.parameters[first:]) if j not in steps]
    written = [p for p in changing if isinstance(p.type, Array | List)]
    written += [function.parameters[i] for i in volatile]
    steady = [*function.parameters[:first], *(function.parameters[first + j] for j in steps)]
    adjoint = Adjoint(function, wrt, loop_want(node, wrt, carried), seeded=seeded, written=written, steady=steady)
    marked = [i for i, flag in enumerate(wrt) if flag and i >= first]
    starts = {i: _tangent_parameter("cotangent", adjoint.parameters[i]) for i in marked}
    totals = {i: _tangent_parameter("total", adjoint.parameters[i]) for i in range(count) if captures[i]}
    emit = adjoint.emit
    cotangent: Cotangent = [
        spread(emit, starts[first + j]) if first + j in starts else None for j in range(len(carried))
    ]
    adjoint.run_backward(cotangent, {function.parameters[i]: spread(emit, p) for i, p in totals.items()})
    emit.at(None)
    roots = [adjoint.cotangent_of(i) for i in (*starts, *totals)]
    tangents = [*starts.values(), *totals.values()]
    index = adjoint.parameters[count] if counted else None
    own: dict[Node, Node] = dict(zip(function.parameters, adjoint.parameters, strict=True))
    steps_of = {adjoint.parameters[first + j]: (j, substitute([step], dict(own))[0])
                 for j, step in steps.items()}  # fmt: skip
    free = frozenset[Node](adjoint.parameters[:count])
    known = frozenset[Node](steps_of) if index is None else frozenset[Node]([*steps_of, index])
    policy = Policy(free, known, free, in_loop=True, volatile=frozenset(adjoint.parameters[i] for i in volatile))
    kept = adjoint.keep(roots, tangents, policy)
    for parameter in kept.known:
        if parameter in steps_of:
            leaves = topological([steps_of[parameter][1]])
            kept.supplied += [x for x in leaves if isinstance(x, Parameter) and x not in kept.supplied]
    return _Body(adjoint, count, index, tangents, roots, kept, steps_of)


def _tangent_parameter(prefix: str, parameter: Parameter) -> Parameter:
    return Parameter(f"{prefix}_{parameter.name}", tangent_type(parameter.type))


def _forward_body(body: _Body, extra: Parameter, extra_result: Node) -> Function:
    """The body with one more carried value."""
    adjoint = body.adjoint
    count = len(adjoint.parameters) - body.captured - (body.index is not None)
    items = [adjoint.emit.item(adjoint.result, i) for i in range(count)]
    function = Function(f"{adjoint.function.name}_forward", ())
    return adjoint.finish(function, [*adjoint.parameters, extra], adjoint.emit.tuple([*items, extra_result]))


def _saving_body(body: _Body) -> Function:
    element = body.element
    saved = Parameter("saved", List(element.type))
    return _forward_body(body, saved, body.adjoint.emit.op("list_push", saved, element))


def _counting_body(body: _Body) -> Function:
    trips = Parameter("trips", INT64)
    emit = body.adjoint.emit
    return _forward_body(body, trips, emit.op("add", trips, emit.integer(1)))


def _backward_body(body: _Body) -> tuple[Function, bool]:
    """(supplied, starts, [saved], [count], index, tangents) -> tangents; and whether it asks for the count."""
    adjoint, kept = body.adjoint, body.kept
    emit = adjoint.emit
    supplied, starts = parameters_for("kept", kept.supplied), parameters_for("start", body.following)
    count, index = Parameter("count", INT64), Parameter("index", INT64)
    position = emit.op("subtract", emit.op("subtract", count, emit.integer(1)), index)
    mapping: dict[Node, Node] = dict(zip(kept.supplied, supplied, strict=True))
    lists: list[Parameter] = []
    if kept.saved:
        lists = [Parameter("saved", List(body.element.type))]
        mapping.update(zip(kept.saved, body.restored(emit.op("list_get", lists[0], position)), strict=True))
    if body.index is not None:
        mapping[body.index] = position
    for start, parameter in zip(starts, body.following, strict=True):
        step = substitute([body.steps[parameter][1]], dict(mapping))[0]
        still = isinstance(step, Constant) and step.value == 0
        mapping[parameter] = start if still else emit.op("add", start, emit.op("multiply", position, step))
    result = emit.tuple(adjoint.rebuild(body.roots, mapping))
    counted = count in set(topological([result]))
    parameters = [*supplied, *starts, *lists, *([count] if counted else []), index, *body.tangents]
    function = Function(f"{adjoint.function.name}_backward", ())
    return adjoint.finish(function, parameters, result), counted


def for_loop(adjoint: Adjoint, node: Apply) -> tuple[Node, Pullback]:
    emit = adjoint.emit
    captures, carried = loop_demand(node, adjoint.active, adjoint.demand[node])
    body = _run_body(adjoint, node, captures, carried)
    count = adjoint.forward[node.inputs[0]]
    if not body.kept.saved:
        result = adjoint.copy(node)
        return result, _pullback(adjoint, node, body, captures, carried, result, count, [])
    start = emit.op("list_new", count, element=body.element.type)
    closure = emit.closure(_saving_body(body), adjoint.values(node.inputs[1]))
    loop = emit.op("for_loop", count, closure, *(adjoint.forward[x] for x in node.inputs[2:]), start)
    items = emit.items(loop)
    result = emit.tuple(items[:-1])
    return result, _pullback(adjoint, node, body, captures, carried, result, count, items[-1:])


def while_loop(adjoint: Adjoint, node: Apply) -> tuple[Node, Pullback]:
    """The forward loop counts its iterations, by the length of the list where there is one."""
    emit = adjoint.emit
    captures, carried = loop_demand(node, adjoint.active, adjoint.demand[node])
    body = _run_body(adjoint, node, captures, carried)
    zero = emit.integer(0)
    if body.kept.saved:
        function = _saving_body(body)
        start: Node = emit.op("list_new", zero, element=body.element.type)
    else:
        function, start = _counting_body(body), zero
    condition = emit.closure(widen(function_of(node.inputs[0]), [start.type]), adjoint.values(node.inputs[0]))
    closure = emit.closure(function, adjoint.values(node.inputs[1]))
    loop = emit.op("while_loop", condition, closure, *(adjoint.forward[x] for x in node.inputs[2:]), start)
    items = emit.items(loop)
    result = emit.tuple(items[:-1])
    if not body.kept.saved:
        return result, _pullback(adjoint, node, body, captures, carried, result, items[-1], [])
    trips = emit.op("list_length", items[-1])
    return result, _pullback(adjoint, node, body, captures, carried, result, trips, items[-1:])


def _pullback(adjoint: Adjoint, node: Apply, body: _Body, captures: Flags, carried: Flags, result: Node, count: Node,
              saved: list[Node]) -> Pullback:  # fmt: skip
    emit = adjoint.emit
    closure = node.inputs[1]
    assert isinstance(closure.type, Closure)
    backward, counted = _backward_body(body)
    captured = [place for place, flag in zip(adjoint.places(closure), captures, strict=True) if flag]
    starting = [Place(x) for x, flag in zip(node.inputs[2:], carried, strict=True) if flag]
    demanded = [i for i, flag in enumerate(carried) if flag]
    operands: dict[Node, Node] = dict(zip(body.adjoint.parameters, adjoint.values(closure), strict=False))
    starts = [adjoint.forward[node.inputs[2 + body.steps[p][0]]] for p in body.following]
    given = [*supply(emit, tuple(body.kept.supplied), operands), *starts, *saved, *([count] if counted else [])]

    def pullback(cotangent: Cotangent) -> None:
        parts = cotangent if isinstance(cotangent, list) else [None] * len(carried)
        tangents = [whole(emit, parts[i], emit.item(result, i)) for i in demanded]
        totals = [whole(emit, adjoint.take(place), adjoint.value(place)) for place in captured]
        loop = emit.op("for_loop", count, emit.closure(backward, given), *tangents, *totals)
        spread_all(emit, adjoint, starting + captured, loop)

    return pullback
