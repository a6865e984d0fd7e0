"""Tail calls become loops: functions that call each other, and themselves, only as the last thing that they do.

Such a family of functions becomes one `while_loop`. It carries whether it goes on, which of the functions is to run,
and *slots* for their parameters; parameters of one type of different functions share a slot, and the result comes out
in a slot of its type. What every call passes on unchanged is not carried but captured.

    total(acc, n) = cond(n == 0, acc, total(acc + n, n - 1))
        ->  while going_on:  cond(n == 0, (False, acc, n), (True, acc + n, n - 1))

It happens as soon as the last of the functions is defined, before anything is derived from them: so the derivative
of such a function is that of a loop, and costs no stack either. Calls may stand in branches of branches, and the order
of effects is kept, as the token is a parameter and a result like others. A family with another kind of call stays as it
is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from arignote.ir.graph import (
    FALSE,
    TRUE,
    Apply,
    Constant,
    Function,
    Node,
    Parameter,
    keep_spans,
    nodes_of,
    substitute,
    topological,
)
from arignote.ir.records import dataclass, field
from arignote.ir.types import INT64, TOKEN, Closure, Tuple, Type
from arignote.ops.emit import Emit
from arignote.opt.program import components

GOING_ON, WHICH = "going_on", "which"


def make_loops(root: Function) -> None:
    """Redefine all functions below the root that are families of tail calls. Does nothing while one of them is not
    defined yet: it may belong to a family, and will ask again."""
    if _is_complete(root):
        for group, recursive in components(root):
            if recursive:
                _Family(group).try_to_redefine(root)


def _is_complete(root: Function) -> bool:
    found, pending = {root}, [root]
    while pending:
        function = pending.pop()
        if not function.is_defined:
            return False
        for node in nodes_of(function):
            if isinstance(node, Apply) and node.op.name == "closure" and node["function"] not in found:
                found.add(node["function"])
                pending.append(node["function"])
    return True


class _NotATailCall(Exception):
    """The family has a call of another kind."""


@dataclass(eq=False)
class _Frame:
    """A head of the family, or a branch in it: what it gives in each place of the result, and by what.

    wanted:   the nodes of the result
    tail:     the call or the branch that they are items of; None where the recursion ends
    origin:   which slots its parameters stand for, if they are nothing but that
    given:    nodes of the parent that the result needs here, with the parameters that stand for them
    passed:   slots that are passed in only to be passed on, with the parameters that stand for them
    """

    function: Function
    wanted: list[Node]
    origin: dict[Node, int]
    given: dict[Node, Parameter] = field(default_factory=dict)
    passed: dict[int, Node] = field(default_factory=dict)
    tail: Apply | None = None
    branches: list[_Frame] = field(default_factory=list)
    result: Node | None = None

    def slot(self, number: int, type_: Type) -> Node:
        """What a slot held when the iteration began."""
        known = self.passed.get(number)
        if known is None:
            own = next((node for node, place in self.origin.items() if place == number), None)
            known = self.passed[number] = Parameter(f"s{number}", type_) if own is None else own
        return known


class _Family:
    """Functions that call each other."""

    def __init__(self, group: Sequence[Function]) -> None:
        self.members = dict.fromkeys(group)
        self.emit = Emit()
        self.slots: list[Type] = []
        self.places: dict[Function, list[int]] = {}
        self.frames: list[_Frame] = []

    def try_to_redefine(self, root: Function) -> None:
        heads = self._heads(root)
        first = heads[0]
        if not isinstance(first.result_type, Tuple) or any(f.result_type is not first.result_type for f in heads):
            return
        for head in heads:
            self.places[head] = self._place(head)
        try:
            for head in heads:
                self._analyse(head)
        except _NotATailCall:
            return
        if all(frame.tail is not None for frame in self.frames):
            return  # it never ends: as calls it runs into the limit of recursion, as in Python, and as a loop it hangs
        self._place_results(first.result_type.items)
        self._redefine(heads)

    def _heads(self, root: Function) -> list[Function]:
        """The functions that are called, which the branches between them are not."""
        heads = {root: None} if root in self.members else {}
        for function in self.members:
            for node in nodes_of(function):
                called = _called(node)
                if called in self.members:
                    heads[called] = None
        return list(heads)

    def _place(self, head: Function) -> list[int]:
        """The slots of its parameters: the first free ones of their types."""
        places: list[int] = []
        for parameter in head.parameters:
            free = (n for n, type_ in enumerate(self.slots) if type_ is parameter.type and n not in places)
            place = next(free, len(self.slots))
            if place == len(self.slots):
                self.slots.append(parameter.type)
            places.append(place)
        return places

    # What the functions do

    def _analyse(self, head: Function) -> None:
        """Follow the result of a head through branches to its ends."""
        origin: dict[Node, int] = dict(zip(head.parameters, self.places[head], strict=True))
        pending = [_Frame(head, self._parts(head.result), origin)]
        while pending:
            frame = pending.pop()
            self.frames.append(frame)
            frame.tail = self._tail_of(frame)
            if frame.tail is None:
                continue
            if frame.tail.op.name == "call":
                whole = len(frame.tail.type.items)  # type: ignore[attr-defined]
                if [_item(node, frame.tail) for node in frame.wanted] != list(range(whole)):
                    raise _NotATailCall
            else:
                frame.branches = [self._branch(frame, closure) for closure in frame.tail.inputs[1:]]
                pending.extend(frame.branches)

    def _parts(self, result: Node) -> list[Node]:
        return self.emit.items(result)

    def _tail_of(self, frame: _Frame) -> Apply | None:
        """The call or branch of the family that a frame ends with; anything else of the family in it is refused."""
        found = {tail for node in frame.wanted if (tail := self._of_family(node)) is not None}
        if len(found) > 1:
            raise _NotATailCall
        tail = found.pop() if found else None
        roots: list[Node] = [node for node in frame.wanted if tail is None or _item(node, tail) is None]
        if tail is not None:
            for operand in tail.inputs:
                if isinstance(operand, Apply) and operand.op.name == "closure":
                    roots += operand.inputs
                else:
                    roots.append(operand)
        for node in topological(roots):
            if self._names_member(node):
                raise _NotATailCall
        return tail

    def _of_family(self, item: Node) -> Apply | None:
        """The call or branch of the family that this is an item of."""
        node = item.inputs[0] if isinstance(item, Apply) and item.op.name == "item" else None
        if not isinstance(node, Apply) or node.op.name not in ("call", "cond"):
            return None
        closures = node.inputs[:1] if node.op.name == "call" else node.inputs[1:]
        is_known = all(isinstance(closure, Apply) and closure.op.name == "closure" for closure in closures)
        return node if is_known and any(map(self._names_member, closures)) else None

    def _names_member(self, node: Node) -> bool:
        return isinstance(node.type, Closure) and node.type.function in self.members

    def _branch(self, parent: _Frame, closure: Node) -> _Frame:
        """The frame of one side of the branch with which the parent ends."""
        assert isinstance(closure, Apply)
        function: Function = closure["function"]
        captures = zip(function.parameters, closure.inputs, strict=True)
        known: dict[Node, int] = {p: parent.origin[outer] for p, outer in captures if outer in parent.origin}
        frame = _Frame(function, [], known)
        parts = self._parts(function.result)
        for node in parent.wanted:
            place = _item(node, parent.tail)
            if place is not None:
                frame.wanted.append(parts[place])
            elif isinstance(node, Constant):
                frame.wanted.append(node)
            else:
                parameter = frame.given.get(node)
                if parameter is None:
                    parameter = frame.given[node] = Parameter("outer", node.type)
                    if node in parent.origin:
                        frame.origin[parameter] = parent.origin[node]
                frame.wanted.append(parameter)
        return frame

    # Slots

    def _place_results(self, types: Sequence[Type]) -> None:
        """Where the results come out, and which slots never change."""
        calls = [frame for frame in self.frames if frame.tail is not None and frame.tail.op.name == "call"]
        ends = [frame for frame in self.frames if frame.tail is None]
        changed = {slot for frame in calls for slot, node in self._passed_on(frame) if frame.origin.get(node) != slot}
        changed.update(n for n, slot in enumerate(self.slots) if slot is TOKEN)  # is used once, so it is not captured
        self.results: list[int] = []
        for number, type_ in enumerate(types):
            given = {frame.origin.get(frame.wanted[number]) for frame in ends}
            direct = given.pop() if len(given) == 1 else None
            if direct is None or direct in self.results:
                usable = (n for n, slot in enumerate(self.slots)
                          if slot is type_ and n not in self.results and (n in changed or slot is TOKEN))  # fmt: skip
                direct = next(usable, len(self.slots))
                if direct == len(self.slots):
                    self.slots.append(type_)
                changed.add(direct)
            self.results.append(direct)
        self.carried = sorted(changed)
        self.fixed = [n for n in range(len(self.slots)) if n not in changed]

    def _passed_on(self, frame: _Frame) -> Iterable[tuple[int, Node]]:
        """The arguments of the call with which a frame ends, by slot."""
        assert frame.tail is not None
        closure, *arguments = frame.tail.inputs
        assert isinstance(closure, Apply)
        return zip(self.places[closure["function"]], (*closure.inputs, *arguments), strict=True)

    # The loop

    def _redefine(self, heads: list[Function]) -> None:
        for frame in reversed(self.frames):
            self._build(frame, heads)
        body = self._body(heads)
        going_on = Parameter(GOING_ON, TRUE.type)
        state = [going_on, *self._state_parameters(heads)]
        condition = Function("going_on", state, going_on)
        for head in heads:
            self._define(head, heads, condition, body)

    def _build(self, frame: _Frame, heads: list[Function]) -> None:
        """The state that a frame leaves."""
        if frame.tail is not None and frame.tail.op.name == "cond":
            closures = [self._closure(frame, branch, old) for branch, old in zip(frame.branches, frame.tail.inputs[1:])]
            self.emit.at(frame.function.spans.get(frame.tail))
            frame.result = self.emit.op("cond", frame.tail.inputs[0], *closures)
            return
        calls = frame.tail is not None
        left = dict(self._passed_on(frame) if calls else zip(self.results, frame.wanted, strict=True))
        which = heads.index(frame.tail.inputs[0]["function"]) if calls else 0  # type: ignore[union-attr, index]
        state: list[Node] = [TRUE if calls else FALSE]
        if len(heads) > 1:
            state.append(self.emit.integer(which))
        state += [left[n] if n in left else frame.slot(n, self.slots[n]) for n in self.carried]
        frame.result = self.emit.tuple(state)

    def _closure(self, frame: _Frame, branch: _Frame, old: Node) -> Node:
        """The branch with what it needs beside its old captures."""
        assert isinstance(old, Apply) and branch.result is not None
        own = set(branch.function.parameters) | set(branch.given.values())
        passed = {n: parameter for n, parameter in branch.passed.items() if parameter not in own}
        parameters: list[Any] = [*branch.function.parameters, *branch.given.values(), *passed.values()]
        function = _finished(branch.function, parameters, branch.result, self.emit)
        slots = [frame.slot(n, self.slots[n]) for n in passed]
        return self.emit.closure(function, [*old.inputs, *branch.given, *slots])

    def _state_parameters(self, heads: list[Function]) -> list[Parameter]:
        which = [Parameter(WHICH, INT64)] if len(heads) > 1 else []
        return [*which, *(Parameter(f"s{n}", self.slots[n]) for n in self.carried)]

    def _body(self, heads: list[Function]) -> Function:
        """One iteration: the function whose turn it is."""
        fixed = {n: Parameter(f"s{n}", self.slots[n]) for n in self.fixed}
        carried = [Parameter(GOING_ON, TRUE.type), *self._state_parameters(heads)]
        local = dict(zip(self.carried, carried[-len(self.carried) :])) | fixed if self.carried else fixed
        tops = {frame.function: frame for frame in self.frames if frame.function in self.places}
        if len(heads) == 1:
            result = self._inside(tops[heads[0]], local)
        else:
            result = self._dispatch([tops[head] for head in heads], carried[1], local)
        body = Function("tail_calls", [*fixed.values(), *carried], result)
        keep_spans(body, self.emit.spans)
        return body

    def _inside(self, top: _Frame, local: dict[int, Any]) -> Node:
        """The state that a head leaves, in terms of slots."""
        assert top.result is not None
        mapping: dict[Node, Node] = {node: local[n] for n, node in top.passed.items()}
        mapping.update((p, local[n]) for p, n in zip(top.function.parameters, self.places[top.function]))
        spans = top.function.spans | self.emit.spans

        def note(old: Node, new: Node) -> None:
            if old in spans:
                self.emit.note(new, spans[old])

        return substitute([top.result], mapping, note)[0]

    def _dispatch(self, tops: list[_Frame], which: Node, local: dict[int, Any]) -> Node:
        """Branch on which head's turn it is; built from the last head, as each is followed by the next."""
        heads = [self._head(top, list(local)) for top in tops]
        rest, taken = heads.pop(), 0  # `taken`: whether it asks again whose turn it is
        while len(heads) > 1:
            turn, *slots = [Parameter(WHICH, INT64), *(Parameter(p.name, p.type) for p in heads[-1].parameters)]
            result = self._turn(len(heads) - 1, turn, slots, heads.pop(), rest, taken)
            rest, taken = Function("turn", [turn, *slots], result), 1
        return self._turn(0, which, list(local.values()), heads.pop(), rest, taken)

    def _head(self, top: _Frame, numbers: list[int]) -> Function:
        slots = {n: Parameter(f"s{n}", self.slots[n]) for n in numbers}
        head = Function(top.function.name, list(slots.values()), self._inside(top, slots))
        keep_spans(head, self.emit.spans)
        return head

    def _turn(self, place: int, which: Node, slots: Sequence[Node], head: Function, rest: Function, taken: int) -> Node:
        here = self.emit.op("equal", which, self.emit.integer(place))
        others = [which, *slots] if taken else slots
        return self.emit.op("cond", here, self.emit.closure(head, slots), self.emit.closure(rest, others))

    def _define(self, head: Function, heads: list[Function], condition: Function, body: Function) -> None:
        """The head as a loop that starts with its turn."""
        given = dict(zip(self.places[head], head.parameters))
        emit = Emit()
        slots = [given.get(n) or emit.op("undefined", type=type_) for n, type_ in enumerate(self.slots)]
        start: list[Node] = [TRUE, *([emit.integer(heads.index(head))] if len(heads) > 1 else [])]
        start += [slots[n] for n in self.carried]
        step = emit.closure(body, [slots[n] for n in self.fixed])
        loop = emit.op("while_loop", emit.closure(condition), step, *start)
        first = len(start) - len(self.carried)
        after = {n: emit.item(loop, first + place) for place, n in enumerate(self.carried)}
        head.redefine(emit.tuple([after.get(n) or slots[n] for n in self.results]), emit.spans)


def _called(node: Node) -> Function | None:
    """The function that a call names."""
    if isinstance(node, Apply) and node.op.name == "call" and isinstance(node.inputs[0].type, Closure):
        return node.inputs[0].type.function
    return None


def _item(node: Node, whole: Node | None) -> int | None:
    """Which item of `whole` the node is, if any."""
    is_item = isinstance(node, Apply) and node.op.name == "item" and node.inputs[0] is whole
    return node["index"] if is_item else None  # type: ignore[index]


def _finished(old: Function, parameters: list[Any], result: Node, emit: Emit) -> Function:
    """A changed function, with the spans of the old one and of the new nodes."""
    function = Function(old.name, parameters, result)
    keep_spans(function, old.spans | emit.spans)
    return function
