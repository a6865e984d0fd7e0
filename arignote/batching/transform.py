"""The transform: a function of one element to one of many, node by node.

What is the same for all elements stays as it is; a plain operation follows its own rule; calls, branches and loops
(`control`) call batched functions. What cannot be done at once is done per element (`elements`), in the smallest part
of the program whose results are certain to have one shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from arignote.batching.convert import conform, leading, widen
from arignote.batching.masks import Mask, batched_type, check_finite, some, uniform, union
from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, function_in, keep_spans, nodes_of
from arignote.ir.records import dataclass
from arignote.ir.types import INT64, Closure
from arignote.ops.batching import Aligned, Batch, CannotBatch, Operand, PerElement, Stacked, Uniform, aligned
from arignote.ops.emit import Emit


@dataclass(slots=True, eq=False)
class Batched:
    """A batched function. Its parameters are the number of elements, if `counted`, and then those of the function for
    one element, in the representation of `masks`; `mask` is that of its result."""

    function: Function
    masks: tuple[Mask, ...]
    mask: Mask
    counted: bool
    running: bool = True
    recursive: bool = False

    def operands(self, batch: Batch, values: Sequence[Node]) -> list[Node]:
        """What a call passes."""
        given = [batch.count, *values] if self.counted else list(values)
        wanted = self.function.parameters
        return [conform(batch.emit, x, p.type) for x, p in zip(given, wanted, strict=False)]


Key = tuple[Function, tuple[Mask, ...], int, Mask, bool]


class Batcher:
    """Batched functions, each made once for each way in which its parameters are mapped."""

    def __init__(self) -> None:
        self.made: dict[Key, Batched] = {}
        self.refused: dict[Key, str] = {}

    def batch(self, function: Function, masks: tuple[Mask, ...], dim: int, wanted: Mask = None,
              in_loop: bool = False) -> Batched:  # fmt: skip
        """The function for many elements. `wanted`: parts of the result to be mapped even if they are the same;
        `in_loop`: it runs once for each iteration of a loop, for all elements."""
        key = (function, masks, dim, wanted, in_loop)
        if key in self.refused:
            raise CannotBatch(self.refused[key])
        found = self.made.get(key)
        if found is None:
            try:
                found = self._make(key)
            except CannotBatch as error:
                self.made.pop(key, None)
                self.refused[key] = str(error)
                raise
        elif found.running:
            found.recursive = True
        return found

    def _make(self, key: Key) -> Batched:
        """A function that calls itself is made again until its calls of itself are known to give what it gives: at
        first nothing of that is taken to be mapped."""
        function, masks, dim, wanted, in_loop = key
        if not function.is_defined:
            raise CannotBatch(f"{function.name}, which is still being made")
        for parameter in function.parameters:
            check_finite(parameter.type)
        check_finite(function.result_type)
        result = uniform(function.result_type, False) if wanted is None else wanted
        while True:
            known = len(self.made), len(self.refused)
            made = Batched(Function(f"{function.name}_batch", ()), masks, result, False)
            made.function.declare(batched_type(function.result_type, result, dim))
            made.function.is_opaque = function.is_opaque
            self.made[key] = made
            walk = Batching(self, function, made, dim, in_loop)
            walk.run()
            walk.finish(wanted)
            if not made.recursive or made.mask == result:
                return made
            result = made.mask
            for cache, count in ((self.made, known[0]), (self.refused, known[1])):
                for later in list(cache)[count:]:
                    del cache[later]


class Batching:
    """The walk over one function. `values` and `masks`: each node's batched form, and which parts of it are mapped."""

    def __init__(self, batcher: Batcher, function: Function, made: Batched, dim: int, in_loop: bool) -> None:
        self.batcher, self.function, self.made, self.in_loop = batcher, function, made, in_loop
        emit = Emit()
        types = [p.type for p in function.parameters]
        parameters = [Parameter(p.name, batched_type(p.type, m, dim))
                      for p, m in zip(function.parameters, made.masks, strict=True)]  # fmt: skip
        count = leading(emit, parameters, types, made.masks)
        if count is None:
            count = Parameter("count", INT64)
            made.counted = True
        made.function.parameters = (count, *parameters) if isinstance(count, Parameter) else tuple(parameters)
        self.batch = Batch(emit, count, dim)
        self.emit = emit
        self.values: dict[Node, Node] = dict(zip(function.parameters, parameters, strict=True))
        self.masks: dict[Node, Mask] = dict(zip(function.parameters, made.masks, strict=True))

    def run(self) -> None:
        for node in nodes_of(self.function):
            if isinstance(node, Constant):
                self.values[node], self.masks[node] = node, False
            elif isinstance(node, Apply):
                self.emit.at(self.function.spans.get(node))
                self.values[node], self.masks[node] = self.step(node)
        self.emit.at(None)

    def finish(self, wanted: Mask) -> None:
        """Define the function, with what is wanted of its result mapped."""
        result, made = self.function.result, self.made
        mask = self.masks[result] if wanted is None else union(self.masks[result], wanted)
        if made.recursive:
            mask = union(mask, made.mask)
        value = widen(self.batch, self.values[result], result.type, self.masks[result], mask)
        type_ = batched_type(self.function.result_type, mask, self.batch.dim)
        value = conform(self.emit, value, type_)
        made.mask = mask
        made.function.declare(type_)
        made.function.define(value)
        keep_spans(made.function, self.emit.spans)
        made.running = False

    def mapped(self, node: Node) -> bool:
        return some(self.masks[node])

    def step(self, node: Apply) -> tuple[Node, Mask]:
        """The batched form of a node whose operands have theirs, and which parts of it are mapped."""
        if not any(self.mapped(x) for x in node.inputs):
            return self._copy(node), uniform(node.type, False)
        try:
            structural = STRUCTURAL.get(node.op.name)
            return self._plain(node) if structural is None else structural(self, node)
        except CannotBatch:
            return PER_ELEMENT[0](self, node)

    def _copy(self, node: Apply) -> Node:
        inputs = [self.values[x] for x in node.inputs]
        if node.op.name == "item":
            return self.emit.item(inputs[0], node["index"])
        return self.emit.apply(node.op, *inputs, **dict(node.attributes))

    def _plain(self, node: Apply) -> tuple[Node, Mask]:
        """An operation that says how it is batched."""
        batching = node.op.batching
        operands = [Operand(self.values[x], self.masks[x]) for x in node.inputs]
        match batching:
            case Aligned():
                return aligned(self.batch, node, operands), True
            case Stacked():
                return batching.rule(self.batch, node, operands), True
            case Uniform():
                return batching.rule(self.batch, node, operands), False
            case PerElement():
                raise CannotBatch(batching.why)
        raise AssertionError(f"{node.op.name} does not say how it is batched")


Step = Callable[[Batching, Apply], tuple[Node, Mask]]

STRUCTURAL: dict[str, Step] = {}
"""Calls, control flow, tuples, lists, effects. Filled by `batch`."""

PER_ELEMENT: list[Step] = []
"""How an application is done for each element by itself. Filled by `batch`."""


def function_of(closure: Node) -> Function:
    assert isinstance(closure.type, Closure)
    return closure.type.function


def prints(function: Function) -> bool:
    """Whether the function, or one that it calls, prints, or may: then the elements go one after another."""
    waiting, seen = [function], {function}
    while waiting:
        current = waiting.pop()
        if not current.is_defined:
            return True
        for node in nodes_of(current):
            if isinstance(node, Apply) and node.op.name == "print":
                return True
            callee = function_in(node)
            if callee is not None and callee not in seen:
                seen.add(callee)
                waiting.append(callee)
    return False
