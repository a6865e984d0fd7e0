"""What is needed of a program: which results of each function, and therefore which of its parameters.

Demand starts at the root's result and flows against the edges of the graph, through calls and around loops, to a
fixed point. It is exact to one component of a tuple-valued call, branch or loop. Every call is direct (a closure's
type names its function), so all places that bind a parameter are known. Three couplings keep layouts equal: the
branches of a `cond` give the same components, a loop's body takes what it gives, and a loop's condition takes what
its body takes.
"""

from __future__ import annotations

from collections import defaultdict

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter
from arignote.ir.types import TOKEN, Closure, Tuple, Type

Part = int | None
"""A component of a tuple, or all of a value."""

LOOPS = {"for_loop": 1, "while_loop": 0}
"""How many parameters of a loop's body come before the carried ones."""


class Demand:
    """The demand of a program whose root must keep its parameters and its result."""

    def __init__(self, root: Function) -> None:
        self.root = root
        self.results: dict[Function, set[int]] = defaultdict(set)
        self.parameters: dict[Function, set[int]] = defaultdict(set)
        self.live: dict[Function, dict[Node, set[Part]]] = defaultdict(dict)
        self.bound: dict[tuple[Function, int], list[Node]] = defaultdict(list)
        self.carried: set[tuple[Function, int]] = set()
        self._followers: dict[tuple[str, Function, int], list[tuple[str, Function, int]]] = defaultdict(list)
        self._sites: dict[Function, list[tuple[Function, tuple[Node, ...], int]]] = defaultdict(list)
        self._place: dict[Function, dict[Parameter, int]] = {}
        self._seen: set[tuple[Function, Node]] = set()
        self._whole: set[Function] = {root}
        self._work: list[tuple[Function, Node, Part]] = []
        self.need(root, root.result, None)
        for index in range(len(root.parameters)):
            self.need_parameter(root, index)
        while self._work:
            self._visit(*self._work.pop())

    def keeps_all(self, function: Function) -> bool:
        """Whether the result keeps its form: the root's does, and what is not a tuple."""
        return function in self._whole or not isinstance(function.result_type, Tuple)

    # Demand is noted ...

    def need(self, function: Function, node: Node, part: Part) -> None:
        known = self.live[function].setdefault(node, set())
        if part not in known and None not in known:
            known.add(part)
            self._work.append((function, node, part))

    def need_result(self, function: Function, part: Part) -> None:
        type_ = function.result_type
        if not isinstance(type_, Tuple):
            self.need(function, function.result, None)
        elif part is None:
            self._whole.add(function)
            self.need(function, function.result, None)
            for index in range(len(type_.items)):
                self._need_component(function, index)
        else:
            self._need_component(function, part)

    def _need_component(self, function: Function, index: int) -> None:
        if index not in self.results[function]:
            self.results[function].add(index)
            self.need(function, function.result, index)
            self._tell(("result", function, index))

    def need_parameter(self, function: Function, index: int) -> None:
        if index in self.parameters[function]:
            return
        self.parameters[function].add(index)
        for where, operands, first in self._sites[function]:
            if first <= index < first + len(operands):
                self.need(where, operands[index - first], None)
        self._tell(("parameter", function, index))

    def _tell(self, event: tuple[str, Function, int]) -> None:
        for kind, function, index in self._followers.get(event, ()):
            if kind == "result":
                self._need_component(function, index)
            else:
                self.need_parameter(function, index)

    def _couple(self, a: tuple[str, Function, int], b: tuple[str, Function, int]) -> None:
        for one, other in ((a, b), (b, a)):
            self._followers[one].append(other)
            known = self.results if one[0] == "result" else self.parameters
            if one[2] in known[one[1]]:
                self._tell(one)

    # ... and flows on.

    def _visit(self, function: Function, node: Node, part: Part) -> None:
        if isinstance(node, Parameter):
            places = self._place.get(function)
            if places is None:
                places = self._place[function] = {p: i for i, p in enumerate(function.parameters)}
            self.need_parameter(function, places[node])
        elif isinstance(node, Apply):
            handler = _HANDLERS.get(node.op.name)
            if handler is not None:
                handler(self, function, node, part)
            else:
                for operand in node.inputs:
                    self.need(function, operand, None)

    def _tuple(self, function: Function, node: Apply, part: Part) -> None:
        for operand in node.inputs if part is None else (node.inputs[part],):
            self.need(function, operand, None)

    def _item(self, function: Function, node: Apply, part: Part) -> None:
        self.need(function, node.inputs[0], node["index"])

    def _closure(self, function: Function, node: Apply, part: Part) -> None:
        if self._is_first(function, node):
            self._bind(function, node["function"], node.inputs, 0)

    def _captured(self, function: Function, node: Apply, part: Part) -> None:
        self.need(function, node.inputs[0], None)
        self.need_parameter(_function(node.inputs[0]), node["index"])

    def _call(self, function: Function, node: Apply, part: Part) -> None:
        callee = _function(node.inputs[0])
        if self._is_first(function, node):
            self.need(function, node.inputs[0], None)
            self._bind(function, callee, node.inputs[1:], _captured_by(node.inputs[0]))
        if TOKEN in _types_of(node, part):
            self._need_effects(callee, node)
        self.need_result(callee, part)

    def _need_effects(self, callee: Function, node: Apply) -> None:
        """What happens before a call is needed, also where the call never comes back: its result tells nothing then."""
        first = _captured_by(node.inputs[0])
        for index, operand in enumerate(node.inputs[1:], first):
            if operand.type is TOKEN:
                self.need_parameter(callee, index)

    def _cond(self, function: Function, node: Apply, part: Part) -> None:
        branches = [_function(x) for x in node.inputs[1:]]
        if self._is_first(function, node):
            for operand in node.inputs:
                self.need(function, operand, None)
            if isinstance(node.type, Tuple):
                for index in range(len(node.type.items)):
                    self._couple(("result", branches[0], index), ("result", branches[1], index))
        for branch in branches:
            self.need_result(branch, part)

    def _loop(self, function: Function, node: Apply, part: Part) -> None:
        skip = LOOPS[node.op.name]
        body, init = node.inputs[1], node.inputs[2:]
        callee, first = _function(body), _captured_by(body) + skip
        if self._is_first(function, node):
            for operand in node.inputs[:2]:
                self.need(function, operand, None)
            for index in range(skip):  # the loop index
                self.need_parameter(callee, first - 1 - index)
            self._bind(function, callee, init, first)
            for index in range(len(init)):
                self.carried.add((callee, first + index))
                self._couple(("result", callee, index), ("parameter", callee, first + index))
            if skip == 0:
                self._condition(function, node.inputs[0], callee, first, init)
        self.need_result(callee, part)

    def _condition(self, function: Function, condition: Node, body: Function, first: int,
                   init: tuple[Node, ...]) -> None:  # fmt: skip
        callee, own = _function(condition), _captured_by(condition)
        self.need_result(callee, None)
        self._bind(function, callee, init, own)
        for index in range(len(init)):
            self.carried.add((callee, own + index))
            self._couple(("parameter", callee, own + index), ("parameter", body, first + index))

    def _is_first(self, function: Function, node: Apply) -> bool:
        if (function, node) in self._seen:
            return False
        self._seen.add((function, node))
        return True

    def _bind(self, where: Function, callee: Function, operands: tuple[Node, ...], first: int) -> None:
        """These operands, in the function `where`, are the callee's parameters from `first` on."""
        self._sites[callee].append((where, operands, first))
        for offset, operand in enumerate(operands):
            self.bound[callee, first + offset].append(operand)
            if first + offset in self.parameters[callee]:
                self.need(where, operand, None)

    def constant(self, function: Function, index: int) -> Constant | None:
        """The number that a parameter always is."""
        found = self.bound.get((function, index))
        if function is self.root or not found or (function, index) in self.carried:
            return None
        first = found[0]
        return first if isinstance(first, Constant) and all(x is first for x in found) else None


def _types_of(node: Node, part: Part) -> tuple[Type, ...]:
    """The types of what is needed of a value."""
    if not isinstance(node.type, Tuple):
        return (node.type,)
    return node.type.items if part is None else (node.type.items[part],)


def _function(closure: Node) -> Function:
    assert isinstance(closure.type, Closure)
    return closure.type.function


def _captured_by(closure: Node) -> int:
    assert isinstance(closure.type, Closure)
    return closure.type.captured


_HANDLERS = {
    "tuple": Demand._tuple, "item": Demand._item, "closure": Demand._closure, "captured": Demand._captured,
    "call": Demand._call, "cond": Demand._cond, "for_loop": Demand._loop, "while_loop": Demand._loop,
}  # fmt: skip
