"""A loop and its backward loop become one, where all that the backward loop does is add up.

    for i in n: total += f(p, trees[i]); push what f leaves for its backward         for i in n: total += f(...)
    for i in n, from the last: dp += backward(what was pushed)                  ->               dp += backward(...)

What a recursive function leaves for its backward is a tree. With two loops the trees of all iterations are in memory at
once, and long out of the caches when they are read. This needs that nothing else is carried from one backward iteration
to the next, that the backward loop reads nothing of what the first loop ends with, and that it neither prints nor
raises. A backward function that adds to an array which it is given gets the sum itself, and not zeros
(`passed_through.py`).
"""

from __future__ import annotations

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, functions_below, nodes_of, topological
from arignote.ir.records import dataclass
from arignote.ir.types import INT64, Array, List, Scalar, Tuple, Type, Union, dtype_of, is_float
from arignote.opt.loops import copied
from arignote.opt.passed_through import only_added_to, users_of
from arignote.opt.rewrite import Rewriter, Rule
from arignote.opt.rules.structure import made_by
from arignote.opt.saved import Saving, list_in, reads_within, savings, understood

NAME = "joined loops"
RULE = Rule(NAME, (), lambda rewriter, node: None,
            "an iteration's backward reads what it saved; the order in which cotangents are added is free")


def joined(rewriter: Rewriter, result: Node) -> Node:
    """A function's result, with backward loops joined to the loops that they belong to."""
    while True:
        pair = next((found for each in savings(result) if (found := _pair(each)) is not None), None)
        if pair is None or not rewriter.fuel.spend(RULE, pair.saving.loop, pair.saving.loop):
            return result
        result = _replaced(rewriter, result, pair)


@dataclass(slots=True)
class _Pair:
    """A loop that fills a list, and the one backward loop that reads it."""

    saving: Saving
    backward: Apply
    gets: list[Apply]
    position: Node
    """Which element a backward iteration reads."""

    @property
    def closure(self) -> Apply:
        return self.backward.inputs[1]  # type: ignore[return-value]

    @property
    def function(self) -> Function:
        return self.closure["function"]  # type: ignore[no-any-return]

    @property
    def index(self) -> Parameter:
        return self.function.parameters[len(self.closure.inputs)]

    @property
    def carried(self) -> tuple[Parameter, ...]:
        return tuple(self.function.parameters[len(self.closure.inputs) + 1 :])


def _pair(saving: Saving) -> _Pair | None:
    element = saving.filled.type.element  # type: ignore[attr-defined]
    if not _is_unbounded(element) or len(saving.readers) != 1 or not understood(saving):
        return None
    loop = saving.readers[0]
    if made_by(loop.inputs[1], "closure") is None or not reads_within(saving, loop):
        return None
    list_ = list_in(saving, loop)
    gets = [node for node in nodes_of(loop.inputs[1]["function"])  # type: ignore[index]
            if isinstance(node, Apply) and list_ in node.inputs]  # fmt: skip
    if len({get.inputs[1] for get in gets}) != 1:
        return None
    pair = _Pair(saving, loop, gets, gets[0].inputs[1])
    return pair if _only_adds_up(pair) and not _reads_what_is_left(pair) and not _is_noticed(pair) else None


def _is_unbounded(type_: Type) -> bool:
    """Whether what is saved may be a tree."""
    parts = type_.items if isinstance(type_, Tuple) else [type_]
    return any(isinstance(part, Union | List) for part in parts)


def _only_adds_up(pair: _Pair) -> bool:
    """Whether the backward loop carries nothing but sums."""
    first = len(pair.closure.inputs) + 1
    return all(isinstance(parameter.type, Scalar | Array) and is_float(parameter.type.dtype)
               and only_added_to(pair.function, first + i, i) for i, parameter in enumerate(pair.carried))  # fmt: skip


def _reads_what_is_left(pair: _Pair) -> bool:
    """Whether the backward loop depends on the first one beside its list."""
    given = [x for x in (*pair.closure.inputs, *pair.backward.inputs[2:]) if x is not pair.saving.filled]
    return pair.saving.loop in topological(given)


def _is_noticed(pair: _Pair) -> bool:
    """Whether a backward iteration prints or raises: that would come before what later iterations of the first loop
    print or raise."""
    below = functions_below(pair.function)
    return not all(function.is_defined for function in below) or any(
        isinstance(node, Apply) and node.op.effectful for function in below for node in nodes_of(function)
    )


def _replaced(rewriter: Rewriter, result: Node, pair: _Pair) -> Node:
    saving, first = pair.saving, pair.saving.loop
    function, captures = _body(rewriter, pair)
    init = [x for i, x in enumerate(first.inputs[2:]) if i != saving.place]
    loop = rewriter.op("for_loop", first.inputs[0], rewriter.closure(function, captures), *init,
                       *pair.backward.inputs[2:])  # fmt: skip
    items = [rewriter.item(loop, i) for i in range(len(init) + len(pair.carried))]
    before, after = items[: len(init)], items[len(init) :]
    before.insert(saving.place, first.inputs[2 + saving.place])
    mapping: dict[Node, Node] = {first: rewriter.tuple(before), pair.backward: rewriter.tuple(after)}
    return copied(rewriter, [result], mapping, rewriter.spans)[0]


def _body(rewriter: Rewriter, pair: _Pair) -> tuple[Function, list[Node]]:
    """The body of both, and what it captures."""
    saving, builder = pair.saving, Rewriter(rewriter.rules)
    first = saving.function
    closure = saving.loop.inputs[1]
    assert isinstance(closure, Apply)
    captured: dict[Node, Parameter] = {}
    for value, parameter in zip((*closure.inputs, *pair.closure.inputs), _captured(pair, closure), strict=True):
        if value is not saving.filled:
            captured.setdefault(value, Parameter(parameter.name, parameter.type))
    inside: dict[Node, Node] = dict(zip(first.parameters, [captured[x] for x in closure.inputs]))
    index = inside[saving.index] = Parameter(saving.index.name, INT64)
    carried = [p for p in first.parameters[len(closure.inputs) + 1 :] if p is not saving.parameter]
    inside.update((p, Parameter(p.name, p.type)) for p in carried)
    assert isinstance(first.result, Apply)
    results = [x for i, x in enumerate(first.result.inputs) if i != saving.place]
    copies = copied(builder, [*results, *saving.components], inside, first.spans)
    there: dict[Node, Node] = {p: captured[x] for p, x in zip(pair.function.parameters, pair.closure.inputs)
                               if x is not saving.filled}  # fmt: skip
    sums = [Parameter(p.name, p.type) for p in pair.carried]
    there.update(zip(pair.carried, sums))
    _read_directly(builder, pair, index, copies[len(results) :], there)
    totals = _totals(builder, pair, there)
    parameters = [*captured.values(), index, *[inside[p] for p in carried], *sums]
    body = builder.function(first.name, parameters, builder.tuple([*copies[: len(results)], *totals]))  # type: ignore[arg-type]
    return body, list(captured)


def _captured(pair: _Pair, closure: Apply) -> list[Parameter]:
    first, second = pair.saving.function, pair.function
    return [*first.parameters[: len(closure.inputs)], *second.parameters[: len(pair.closure.inputs)]]


def _read_directly(builder: Rewriter, pair: _Pair, index: Node, components: list[Node],
                   there: dict[Node, Node]) -> None:  # fmt: skip
    """What a backward iteration reads of the list is what the same iteration has just computed."""
    back = made_by(pair.position, "subtract")
    if back is None:
        there[pair.index] = index
    else:
        last = copied(builder, [back.inputs[0]], there, pair.function.spans)[0]
        there[pair.index] = builder.op("subtract", last, index)
    for get in pair.gets:
        if not pair.saving.in_parts:
            there[get] = components[0]
            continue
        for node in nodes_of(pair.function):
            if isinstance(node, Apply) and node.op.name == "item" and node.inputs[0] is get:
                there[node] = components[node["index"]]


def _totals(builder: Rewriter, pair: _Pair, there: dict[Node, Node]) -> list[Node]:
    """The sums after an iteration. Calls that only add to zeros are given the sums."""
    result = pair.function.result
    whole = made_by(result, "tuple")
    if whole is None:  # of a call or a branch, which has all sums as they are
        made = copied(builder, [result], there, pair.function.spans)[0]
        return [builder.item(made, i) for i in range(len(pair.carried))]
    users = users_of(pair.function)
    calls: dict[Apply, dict[int, Node]] = {}
    through: dict[int, tuple[Apply, int]] = {}
    for number, (after, parameter) in enumerate(zip(whole.inputs, pair.carried, strict=True)):
        found = _started_with_zeros(after, parameter, users)
        if found is not None:
            call, component, place = found
            calls.setdefault(call, {})[place] = parameter
            through[number] = call, component
    for call in [node for node in nodes_of(pair.function) if node in calls]:  # what a call reads before it
        replaced = calls[call]  # type: ignore[index]
        given = [replaced.get(i, x) for i, x in enumerate(call.inputs)]
        inputs = copied(builder, given, there, pair.function.spans)
        there[call] = builder.build(call.op, tuple(inputs), call.attributes)
    return [
        builder.item(there[through[i][0]], through[i][1]) if i in through
        else copied(builder, [after], there, pair.function.spans)[0]
        for i, after in enumerate(whole.inputs)
    ]  # fmt: skip


def _started_with_zeros(after: Node, parameter: Parameter,
                        users: dict[Node, list[Apply]]) -> tuple[Apply, int, int] | None:  # fmt: skip
    """Of a sum to which a component of a call is added, that nothing else reads: the call, the component, and where
    zeros are passed for it."""
    added = made_by(after, "add")
    if added is None or parameter not in added.inputs:
        return None
    item = made_by(added.inputs[added.inputs[0] is parameter], "item")
    call = None if item is None else made_by(item.inputs[0], "call")
    if call is None or item is None or item.type is not parameter.type or users[item] != [added]:
        return None
    place = _place_of_zeros(call, item["index"])
    return None if place is None else (call, item["index"], place)


def _place_of_zeros(call: Apply, component: int) -> int | None:
    """Where a call is given the zeros to which it adds a component of its result."""
    closure = made_by(call.inputs[0], "closure")
    if closure is None:
        return None
    for place, given in enumerate(call.inputs[1:], 1):
        if _is_zeros(given) and call.inputs.count(given) == 1:
            if only_added_to(closure["function"], len(closure.inputs) + place - 1, component):
                return place
    return None


def _is_zeros(node: Node) -> bool:
    filled = made_by(node, "broadcast_to")
    value = node if filled is None else filled.inputs[0]
    return isinstance(value, Constant) and is_float(dtype_of(value.type)) and value.value == 0.0
