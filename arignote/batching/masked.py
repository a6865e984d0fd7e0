"""Loops that run differently often for each element, where an iteration is a short formula of scalars.

The elements of a block iterate together, in vectors; those that have finished keep their values. When most have, the
rest go on one by one, so that a few long ones do not hold up all: what is computed in vain is at most a constant times
what is needed, and vectors make up for it. A block stays in the cache however many elements there are.

As in `selection`, derivatives must not see what is computed for elements that have finished.
"""

from __future__ import annotations

from collections.abc import Sequence

from arignote.batching.convert import components, conform, widen
from arignote.batching.elements import Given, each
from arignote.batching.masks import Mask, uniform
from arignote.batching.selection import is_formula
from arignote.batching.transform import Batching, function_of
from arignote.ir.graph import Apply, Function, Node, Parameter, functions_below, nodes_of, substitute
from arignote.ir.records import dataclass
from arignote.ir.structure import ANY, MANY
from arignote.ir.types import BOOL, INT64, TOKEN, Array, Scalar, Tuple, Type, dtype_of, is_float
from arignote.ops.batching import Batch
from arignote.ops.emit import Emit

BLOCK = 1024
"""Elements that iterate together."""

FEWEST = 8
"""So many elements or fewer go one by one."""

SHARE = 8
"""One in so many elements must still be running."""

LONGEST_BODY = 200

EXPENSIVE = frozenset(
    "divide power sqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan arctan2 sinh cosh "
    "tanh arcsinh arccosh arctanh hypot erf erfc gammaln digamma".split()
)
"""Operations that take so long that vectors of them pay for keeping count of what is running. Without them the loops
one by one were measured to be as fast, or faster."""


def can_run_together(node: Apply) -> bool:
    """Whether the body and the condition of a while loop are short formulas of scalars, and it pays."""
    condition, body = map(function_of, node.inputs[:2])
    carried = [x.type for x in node.inputs[2:]]
    return (all(isinstance(t, Scalar) or t is TOKEN for t in carried)
            and is_formula(body, LONGEST_BODY, raises=True) and is_formula(condition, LONGEST_BODY)
            and _is_expensive(body))  # fmt: skip


def _is_expensive(body: Function) -> bool:
    return any(isinstance(node, Apply) and node.op.name in EXPENSIVE and is_float(dtype_of(node.type))
               for function in functions_below(body) for node in nodes_of(function))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Loop:
    """A loop for one element. `before`: whether there is an iteration at all; `step`: (captures, states, running) ->
    (states, running), which changes nothing where it is not running."""

    before: Function
    step: Function
    condition_captures: int


def as_while(walk: Batching, node: Apply) -> Apply:
    """A for loop as a while loop, that carries the index before the rest."""
    body = function_of(node.inputs[1])
    emit = Emit()
    captured = len(components(walk.emit, walk.values[node.inputs[1]], node.inputs[1].type, walk.masks[node.inputs[1]]))
    parameters = [Parameter(p.name, p.type) for p in body.parameters]
    index = parameters[captured]
    states = emit.items(substitute([body.result], dict(zip(body.parameters, parameters, strict=True)))[0])
    following = emit.op("add", index, emit.integer(1))
    wide = emit.function(f"{body.name}_step", parameters, emit.tuple([following, *states]))
    count, position = Parameter("count", INT64), Parameter("index", INT64)
    others = [Parameter(p.name, p.type) for p in parameters[captured + 1 :]]
    test = emit.function(f"{body.name}_test", [count, position, *others], emit.op("less", position, count))
    return _while_node(walk, node, test, wide)


def _while_node(walk: Batching, node: Apply, test: Function, body: Function) -> Apply:
    """The loop, for one element, and its operands made known to the walk."""
    emit = Emit()
    closure = node.inputs[1]
    given: list[Node] = [emit.op("captured", closure, index=n)
                         for n in range(closure.type.captured)]  # type: ignore[attr-defined]  # fmt: skip
    if isinstance(closure, Apply) and closure.op.name == "closure":
        given = list(closure.inputs)
    zero = emit.integer(0)
    operands = [emit.op("closure", node.inputs[0], function=test), emit.op("closure", *given, function=body)]
    walk.values[zero], walk.masks[zero] = zero, False
    for operand in operands:
        for x in operand.inputs:
            if x not in walk.values:
                assert isinstance(x, Apply)
                walk.values[x], walk.masks[x] = walk.step(x)
        walk.values[operand], walk.masks[operand] = walk.step(operand)
    return emit.op("while_loop", *operands, zero, *node.inputs[2:])


def run_together(walk: Batching, node: Apply) -> tuple[Node, Mask]:
    """The results of a while loop for all elements."""
    batch, emit = walk.batch, walk.emit
    loop = _loop(node)
    closures = node.inputs[:2]
    captures = [Given(*x) for closure in closures for x in _captures(walk, closure)]
    wanted = uniform(node.type, True)
    states = [widen(batch, walk.values[x], x.type, walk.masks[x], m)
              for x, m in zip(node.inputs[2:], wanted, strict=True)]  # fmt: skip
    types = [p.type for p in function_of(closures[1]).parameters[-len(states) :]] if states else []
    states = [conform(emit, x, _stacked(t, batch.dim)) for x, t in zip(states, types, strict=True)]
    block = _Block(walk, node, loop, captures, types)
    body = block.function(states)
    size = emit.integer(BLOCK)
    blocks = emit.op("floor_divide", emit.op("add", batch.count, emit.integer(BLOCK - 1)), size)
    closure = emit.closure(body, [*(c.value for c in captures), batch.count, blocks])
    return emit.op("for_loop", blocks, closure, *states), wanted


def _stacked(type_: Type, dim: int) -> Type:
    return Array(type_.dtype, (dim,)) if isinstance(type_, Scalar) else type_


def _captures(walk: Batching, closure: Node) -> list[tuple[Node, Type, Mask]]:
    mask = walk.masks[closure]
    found = components(walk.emit, walk.values[closure], closure.type, mask)
    return list(zip(found, closure.type.capture_types, mask, strict=True))  # type: ignore[attr-defined]


# one element -------------------------------------------------------------------------------------------------------


def _loop(node: Apply) -> _Loop:
    condition, body = map(function_of, node.inputs[:2])
    carried = len(node.inputs) - 2
    first = len(condition.parameters) - carried
    return _Loop(_before(condition), _step(condition, body, first, carried), first)


def _before(condition: Function) -> Function:
    """The condition, without the token that it does not read."""
    return Function(f"{condition.name}_before", [p for p in condition.parameters if p.type is not TOKEN],
                    condition.result, condition.spans)  # fmt: skip


def _step(condition: Function, body: Function, first: int, carried: int) -> Function:
    emit = Emit()
    tests = [Parameter(p.name, p.type) for p in condition.parameters[:first]]
    inside = [Parameter(p.name, p.type) for p in body.parameters]
    running = Parameter("running", BOOL)
    states = inside[len(inside) - carried :]
    guarded = [_guarded(emit, running, x) for x in inside]
    mapping: dict[Node, Node] = dict(zip(body.parameters, guarded, strict=True))
    new = emit.items(_copied(emit, body, mapping, running))
    kept = [x if x.type is TOKEN else emit.op("select", running, x, old) for x, old in zip(new, states, strict=True)]
    following: dict[Node, Node] = dict(zip(condition.parameters, [*tests, *kept], strict=True))
    goes_on = emit.op("logical_and", running, _copied(emit, condition, following, running))
    return emit.function(f"{body.name}_together", [*tests, *inside, running], emit.tuple([*kept, goes_on]))


def _guarded(emit: Emit, running: Node, x: Node) -> Node:
    """A value whose derivative is nothing for what has finished."""
    if not isinstance(x.type, Scalar) or not is_float(x.type.dtype):
        return x
    return emit.op("select", running, x, emit.op("stop_gradient", x))


def _copied(emit: Emit, function: Function, mapping: dict[Node, Node], running: Node) -> Node:
    """The function's result with its parameters replaced; it raises only for what is running."""
    for node in nodes_of(function):
        if isinstance(node, Apply):
            inputs = [mapping[x] for x in node.inputs]
            if node.op.name == "raise_if":
                inputs[1] = emit.op("logical_and", running, inputs[1])
            emit.at(function.spans.get(node))
            mapping[node] = emit.apply(node.op, *inputs, **dict(node.attributes))
        elif node not in mapping:
            mapping[node] = node
    emit.at(None)
    return mapping[function.result]


# a block -----------------------------------------------------------------------------------------------------------


class _Block:
    """The function that takes a block of elements through the loop."""

    def __init__(self, walk: Batching, node: Apply, loop: _Loop, captures: Sequence[Given],
                 types: Sequence[Type]) -> None:  # fmt: skip
        self.walk, self.node, self.loop, self.types = walk, node, loop, types
        self.emit = Emit().at(walk.emit.span)
        self.captures = captures
        self.parameters = [Parameter(f"c{n}", c.value.type) for n, c in enumerate(captures)]
        self.count, self.blocks, self.index = (Parameter(name, INT64) for name in ("count", "blocks", "block"))
        self.dim = ANY if walk.batch.dim in (ANY, 1) else MANY

    def function(self, states: Sequence[Node]) -> Function:
        """(captures, count, how many blocks, number of the block, states of all elements) -> states

        The blocks are about as large as one another, so that none has a single element, unless that is all there is:
        then nothing in them needs to ask whether it must be broadcast.
        """
        emit = self.emit
        carried = [Parameter(f"s{n}", x.type) for n, x in enumerate(states)]
        start = self._start(self.index)
        size = emit.op("subtract", self._start(emit.op("add", self.index, emit.integer(1))), start)
        bounds = (start, size, emit.integer(1))
        own = [Given(self._part(p, c.mask, bounds), c.type, c.mask)
               for p, c in zip(self.parameters, self.captures, strict=True)]  # fmt: skip
        parts = [self._part(x, x.type is not TOKEN, bounds) for x in carried]
        batch = Batch(emit, size, self.dim)
        *iterated, running = self._together(batch, own, parts)
        finished = self._rest(own, size, iterated, running)
        result = [new if x.type is TOKEN else emit.op("update_slice", x, new, *bounds, axes=(0,), accumulate=False)
                  for x, new in zip(carried, finished, strict=True)]  # fmt: skip
        parameters = [*self.parameters, self.count, self.blocks, self.index, *carried]
        return emit.function("block", parameters, emit.tuple(result))

    def _start(self, block: Node) -> Node:
        """Where a block begins."""
        return self.emit.op("floor_divide", self.emit.op("multiply", block, self.count), self.blocks)

    def _part(self, x: Node, mapped: Mask, bounds: tuple[Node, Node, Node]) -> Node:
        return self.emit.op("slice", x, *bounds, axes=(0,), dims=(self.dim,)) if mapped else x

    def _together(self, batch: Batch, own: Sequence[Given], states: Sequence[Node]) -> list[Node]:
        """As long as many elements are running, all iterate. The states, and which are running still."""
        emit, batcher, loop = self.emit, self.walk.batcher, self.loop
        captures, masks = [c.value for c in own], tuple([c.mask for c in own])
        flags = tuple([x.type is not TOKEN for x in states])
        visible = [x for x, flag in zip(states, flags, strict=True) if flag]
        first = loop.condition_captures
        before = batcher.batch(loop.before, masks[:first] + (True,) * len(visible), self.dim, True)
        running = emit.call(before.function, *before.operands(batch, [*captures[:first], *visible]))
        step = batcher.batch(loop.step, (*masks, *flags, True), self.dim, (*flags, True))
        closure = emit.closure(step.function, step.operands(batch, captures))
        few = emit.op("maximum", emit.op("floor_divide", batch.count, emit.integer(SHARE)), emit.integer(FEWEST))
        test = emit.closure(_many_are_running([*(x.type for x in states), running.type]), [few])
        return emit.items(emit.op("while_loop", test, closure, *states, running))

    def _rest(self, own: Sequence[Given], size: Node, states: Sequence[Node], running: Node) -> list[Node]:
        """Those that are still running, one by one."""
        emit, inner = self.emit, Emit().at(self.emit.span)
        outside = [size, *(c.value for c in own), *states]
        inside = [Parameter(f"r{n}", x.type) for n, x in enumerate(outside)]
        count, *values = inside
        types = [*(c.type for c in own), *self.types]
        masks = [*(c.mask for c in own), *(x.type is not TOKEN for x in states)]
        given = [Given(*x) for x in zip(values, types, masks, strict=True)]
        result = each(Batch(inner, count, self.dim), "each_that_runs", given, Tuple(self.types), self._iterate)
        rest = emit.closure(inner.function("rest", inside, result), outside)
        same = [Parameter(x.name, x.type) for x in inside[-len(states) :]]
        done = emit.closure(Emit().function("done", same, Emit().tuple(same)), states)
        return emit.items(emit.op("cond", emit.op("any", running, axes=(0,)), rest, done))

    def _iterate(self, emit: Emit, operands: list[Node]) -> Node:
        """The loop for one element, from where it is."""
        condition, body = map(function_of, self.node.inputs[:2])
        first, captured = self.loop.condition_captures, len(self.captures)
        test, run = emit.closure(condition, operands[:first]), emit.closure(body, operands[first:captured])
        return emit.op("while_loop", test, run, *operands[captured:])


def _many_are_running(types: Sequence[Type]) -> Function:
    """(few, states, running) -> more than a few are running"""
    emit = Emit()
    few = Parameter("few", INT64)
    states = [Parameter(f"s{n}", type_) for n, type_ in enumerate(types)]
    count = emit.op("sum", emit.cast(states[-1], "int64"), axes=(0,))
    return emit.function("many_are_running", [few, *states], emit.op("greater", count, few))
