"""Pruning: parameters that are not needed, or that are always one number, and results that nobody reads are removed, in
calls, captures, branches and the values that loops carry. `demand.py` finds out what is needed."""

from __future__ import annotations

from arignote.ir.graph import Apply, Function, Node, Parameter, Span, nodes_of
from arignote.ir.types import Closure, Tuple, Type
from arignote.opt.demand import LOOPS, Demand
from arignote.opt.program import NOWHERE, Translation, rebuild
from arignote.opt.rewrite import Rewriter


def prune(root: Function) -> Function:
    """The program without what is not needed."""
    return rebuild(root, _body, _Pruning(Demand(root)))


class _Pruning(Translation):
    """What is kept of each function."""

    def __init__(self, demand: Demand) -> None:
        super().__init__()
        self.demand = demand
        self._kept: dict[Function, list[bool]] = {}
        self._results: dict[Function, list[int] | None] = {}

    def kept(self, function: Function) -> list[bool]:
        """Which parameters stay."""
        found = self._kept.get(function)
        if found is None:
            needed, constant = self.demand.parameters[function], self.demand.constant
            indices = range(len(function.parameters))
            found = self._kept[function] = [i in needed and constant(function, i) is None for i in indices]
        return found

    def results(self, function: Function) -> list[int] | None:
        """Which components of the result stay; None if it keeps its form."""
        if function not in self._results:
            needed, type_ = self.demand.results[function], function.result_type
            keeps = self.demand.keeps_all(function) or not isinstance(type_, Tuple) or len(needed) == len(type_.items)
            self._results[function] = None if keeps else sorted(needed)
        return self._results[function]

    def closure(self, type_: Closure) -> Type:
        function = self.functions.get(type_.function, type_.function)
        return Closure(function, sum(self.kept(type_.function)[: type_.captured]))

    def parameters(self, function: Function) -> tuple[Parameter, ...]:
        return tuple(self.parameter(p) for p, stays in zip(function.parameters, self.kept(function)) if stays)

    def result_type(self, function: Function) -> Type:
        type_, kept = function.result_type, self.results(function)
        if kept is not None:
            assert isinstance(type_, Tuple)
            type_ = Tuple([type_.items[index] for index in kept])
        return self.type(type_)


def _body(translation: Translation, old: Function, new: Function) -> tuple[Node, dict[Node, frozenset[Span]]]:
    assert isinstance(translation, _Pruning)
    builder = _Builder(translation, old, new)
    return builder.result(), builder.rewriter.spans


def _is_tuple(node: Node) -> bool:
    return isinstance(node, Apply) and node.op.name == "tuple"


class _Builder:
    """One function rebuilt with what is needed of it."""

    def __init__(self, pruning: _Pruning, old: Function, new: Function) -> None:
        self.pruning, self.old = pruning, old
        self.rewriter = Rewriter({})
        self.live = pruning.demand.live[old]
        self.mapping: dict[Node, Node] = {}
        fresh = iter(new.parameters)
        for index, (parameter, stays) in enumerate(zip(old.parameters, pruning.kept(old))):
            constant = pruning.demand.constant(old, index)
            if stays:
                self.mapping[parameter] = next(fresh)
            elif constant is not None:
                self.mapping[parameter] = constant

    def result(self) -> Node:
        for node in nodes_of(self.old):
            parts = self.live.get(node)
            if parts is None or node in self.mapping or (_is_tuple(node) and None not in parts):
                continue  # a tuple that is not needed as a whole is never read: its components are
            self.mapping[node] = self.node(node) if isinstance(node, Apply) else node
        self.rewriter.span = NOWHERE
        kept = self.pruning.results(self.old)
        result = self.old.result
        if kept is None:
            if result in self.mapping:
                return self.mapping[result]
            if result not in self.live:  # handed about, but never called
                return self.rewriter.op("undefined", type=self.pruning.type(result.type))
            assert isinstance(result, Apply)  # all components are needed, one by one
            return self.plain(result)
        return self.rewriter.tuple(self.component(result, index) for index in kept)

    def component(self, source: Node, index: int) -> Node:
        """A component of a tuple of the old function."""
        if _is_tuple(source):
            return self.mapping[source.inputs[index]]  # type: ignore[attr-defined]
        kept = self.components_of(source)
        return self.rewriter.item(self.mapping[source], index if kept is None else kept.index(index))

    def components_of(self, source: Node) -> list[int] | None:
        """Which components the new form of a tuple has; None if all."""
        if isinstance(source, Apply) and source.op.name in ("call", "cond", *LOOPS):
            running = source.inputs[0 if source.op.name == "call" else 1].type
            assert isinstance(running, Closure)
            return self.pruning.results(running.function)
        return None

    def node(self, node: Apply) -> Node:
        self.rewriter.span = self.old.spans.get(node, NOWHERE)
        name = node.op.name
        if name == "item":
            return self.component(node.inputs[0], node["index"])
        if name == "closure":
            return self.filtered(node, node["function"], 0, 0)
        if name == "captured":
            closure = node.inputs[0].type
            assert isinstance(closure, Closure)
            return self.captured(node, closure.function)
        if name in ("call", *LOOPS):
            running = node.inputs[0 if name == "call" else 1].type
            assert isinstance(running, Closure)
            skip = LOOPS.get(name, 0)
            return self.filtered(node, running.function, 1 if name == "call" else 2, running.captured + skip)
        return self.plain(node)

    def plain(self, node: Apply) -> Node:
        inputs = tuple([self.mapping[x] for x in node.inputs])
        return self.rewriter.build(node.op, inputs, self.pruning.attributes(node.attributes))

    def filtered(self, node: Apply, function: Function, lead: int, first: int) -> Node:
        """The operation with those of its operands, from `lead` on, that are bound to parameters that stay."""
        kept = self.pruning.kept(function)
        inputs = [self.mapping[x] for x in node.inputs[:lead]]
        inputs += [self.mapping[x] for x, stays in zip(node.inputs[lead:], kept[first:]) if stays]
        return self.rewriter.build(node.op, tuple(inputs), self.pruning.attributes(node.attributes))

    def captured(self, node: Apply, function: Function) -> Node:
        index = node["index"]
        constant = self.pruning.demand.constant(function, index)
        if constant is not None:
            return constant
        place = sum(self.pruning.kept(function)[:index])
        return self.rewriter.op("captured", self.mapping[node.inputs[0]], index=place)
