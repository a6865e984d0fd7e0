"""Loops that only add up what a recursive function gives are divided into parts, which several threads run.

    for i in n: total += f(p, trees[i]); dp += ...     ->     parts = parallel_map(m, k -> the k-th part of the loop)
                                                              for k in m: total, dp += what part k has found

A number to which each iteration adds one number is added up in the order of the program: a part gives the list of what
its iterations would have added. Other sums are added up in each part, and then over the parts. Into how many parts a
loop is divided depends on its iterations and on the sizes of its sums, never on the threads, and so do the results.

Errors stay the first: each part checks in order, the first part that fails is the one that is heard of, and effects
come before all parts or after them.

An iteration that calls a recursive function is worth a thread; of others, the arrays are shared out. Not so where the
function takes a tree of numbers apart: that is waiting for memory, which lies in the caches of the thread that wrote
the tree, and takes longer in another. Loops in recursive functions stay as they are, as do those with effects and those
inside a loop that is divided.
"""

from __future__ import annotations

from collections.abc import Iterator

from arignote.ir.graph import Apply, Constant, Function, Node, Parameter, Span, functions_below, nodes_of
from arignote.ir.types import INT64, TOKEN, Array, List, Scalar, Union, is_float
from arignote.opt.demand import LOOPS
from arignote.opt.loops import copied
from arignote.opt.passed_through import only_added_to
from arignote.opt.program import Translation, components, rebuild
from arignote.opt.rewrite import Rewriter, Rule, fuel, is_on, node_by_node
from arignote.opt.rules.structure import made_by

NAME = "loops shared out"
RULE = Rule(NAME, (), lambda rewriter, node: None,
            "iterations that only add up are independent; numbers are added in the same order")

MOST_PARTS = 12
"""They can be shared evenly by 2, 3, 4, 6 or 12 threads."""
LEAST_ITERATIONS = 4
"""A part has so many at least."""
ELEMENTS_FOR_ITERATION = 8192
"""To add up the parts may cost so many additions for each iteration of the loop."""

_BODIES = {"cond": (1, 2), "for_loop": (1,), "while_loop": (1,)}
"""The operands of an operation that are bodies written in place."""


def share_out(root: Function) -> Function:
    """The program with such loops divided."""
    recursive = {function for group, circular in components(root) if circular for function in group}
    if not recursive or not is_on(RULE):
        return root
    chosen = {loop: sums for loop, sums in _loops(root, recursive) if fuel().spend(RULE, loop, loop)}
    if not chosen:
        return root

    def body(translation: Translation, old: Function, new: Function) -> tuple[Node, dict[Node, frozenset[Span]]]:
        def step(rewriter: Rewriter, node: Apply, mapping: dict[Node, Node]) -> Node:
            attributes = translation.attributes(node.attributes)
            built = rewriter.build(node.op, tuple([mapping[x] for x in node.inputs]), attributes)
            return _divided(rewriter, built, chosen[node]) if node in chosen else built

        return node_by_node(old, new, step)

    return rebuild(root, body)


# Which loops ---------------------------------------------------------------------------------------------------------


def _loops(root: Function, recursive: set[Function]) -> Iterator[tuple[Apply, list[int]]]:
    """The outermost loops to be divided, and for each the places of the numbers that are added up in order."""
    waiting = [root]
    while waiting:
        function = waiting.pop()
        if function in recursive:
            continue
        for node in nodes_of(function):
            if not isinstance(node, Apply) or node.op.name not in _BODIES:
                continue
            ordered = _only_adds_up(node, recursive) if node.op.name == "for_loop" else None
            if ordered is not None:
                yield node, ordered
            else:
                closures = [made_by(node.inputs[i], "closure") for i in _BODIES[node.op.name]]
                waiting += [closure["function"] for closure in closures if closure is not None]


def _only_adds_up(loop: Apply, recursive: set[Function]) -> list[int] | None:
    """Of a loop that can be divided and is worth it, the places of the numbers to which one number is added."""
    closure = made_by(loop.inputs[1], "closure")
    if closure is None or made_by(closure["function"].result, "tuple") is None:
        return None
    if isinstance(loop.inputs[0], Constant) and loop.inputs[0].value < 2 * LEAST_ITERATIONS:
        return None
    function = closure["function"]
    below = functions_below(function)
    called = [each for each in below if each in recursive]
    if not any(map(_is_worth_threads, called)) or not all(map(_is_pure, below)):
        return None
    first = len(closure.inputs) + LOOPS["for_loop"]
    places = [place for place, x in enumerate(loop.inputs[2:]) if x.type is not TOKEN]
    if len(loop.inputs) - 2 - len(places) > 1:
        return None
    ordered = [place for place in places if _added(function, first, place) is not None]
    others = [place for place in places if place not in ordered]
    return ordered if places and all(_is_sum(function, first, place) for place in others) else None


def _is_worth_threads(function: Function) -> bool:
    """Whether a recursive function takes no tree apart, or computes arrays."""
    if not any(isinstance(parameter.type, Union) for parameter in function.parameters):
        return True
    nodes = [node for each in functions_below(function) for node in nodes_of(each) if isinstance(node.type, Array)]
    return any(isinstance(node, Apply) and (node.op.elementwise or node.op.name == "matmul") for node in nodes)


def _is_pure(function: Function) -> bool:
    """Whether it writes nothing; what a generator of random numbers becomes is carried, and no sum."""
    return function.is_defined and not any(isinstance(x, Apply) and x.op.name == "print" for x in nodes_of(function))


def _added(function: Function, first: int, place: int) -> Node | None:
    """The number that an iteration adds to the one which is carried at a place, if that is all that it does with it."""
    carried = function.parameters[first + place]
    result = function.result
    assert isinstance(result, Apply)
    added = made_by(result.inputs[place], "add")
    if added is None or not isinstance(carried.type, Scalar) or not is_float(carried.type.dtype):
        return None
    users = [x for x in nodes_of(function) if isinstance(x, Apply) and (carried in x.inputs or added in x.inputs)]
    if carried not in added.inputs or set(users) != {added, result} or result.inputs.count(added) != 1:
        return None
    value = added.inputs[added.inputs[0] is carried]
    return value if value is not carried and value.type is carried.type else None


def _is_sum(function: Function, first: int, place: int) -> bool:
    type_ = function.parameters[first + place].type
    return (isinstance(type_, Scalar | Array) and is_float(type_.dtype)
            and only_added_to(function, first + place, place))  # fmt: skip


# The loop divided ----------------------------------------------------------------------------------------------------


class _Division:
    """A loop, and the places of the numbers that are added up in order, of other sums, and of the token."""

    def __init__(self, loop: Apply, ordered: list[int]) -> None:
        self.loop, self.ordered = loop, ordered
        closure = loop.inputs[1]
        assert isinstance(closure, Apply)
        self.function: Function = closure["function"]
        self.captures = closure.inputs
        self.init = loop.inputs[2:]
        count = len(self.captures)
        self.captured, self.index = self.function.parameters[:count], self.function.parameters[count]
        self.carried = self.function.parameters[count + 1 :]
        tokens = [place for place, p in enumerate(self.carried) if p.type is TOKEN]
        self.token = tokens[0] if tokens else None
        self.sums = [place for place in range(len(self.carried)) if place not in (*tokens, *ordered)]


def _divided(rewriter: Rewriter, loop: Node, ordered: list[int]) -> Node:
    """The tuple of what the loop ends with."""
    assert isinstance(loop, Apply)
    division = _Division(loop, ordered)
    init, count = division.init, loop.inputs[0]
    parts = _number_of_parts(rewriter, division)
    like = [init[place] for place in division.sums]
    part = rewriter.closure(_part(division, rewriter.span), (*division.captures, *like, count, parts))
    found, *token = rewriter.items(rewriter.op("parallel_map", parts, part, *[x for x in init if x.type is TOKEN]))
    total = rewriter.closure(_total(division, found.type, rewriter.span), (found,))  # type: ignore[arg-type]
    after = rewriter.op("for_loop", parts, total, *[x for x in init if x.type is not TOKEN])
    results = rewriter.items(after)
    if division.token is not None:
        results.insert(division.token, token[0])
    return rewriter.tuple(results)


def _number_of_parts(rewriter: Rewriter, division: _Division) -> Node:
    """At least one."""
    count = division.loop.inputs[0]
    elements: Node = rewriter.integer(1)
    for place in division.sums:
        number: Node = rewriter.integer(1)
        for size in rewriter.sizes(division.init[place]):
            number = rewriter.op("multiply", number, size)
        elements = rewriter.op("add", elements, number)
    work = rewriter.op("multiply", count, rewriter.integer(ELEMENTS_FOR_ITERATION))
    affordable = rewriter.op("floor_divide", work, elements)
    long = rewriter.op("floor_divide", count, rewriter.integer(LEAST_ITERATIONS))
    most = rewriter.op("minimum", rewriter.op("minimum", affordable, long), rewriter.integer(MOST_PARTS))
    return rewriter.op("maximum", most, rewriter.integer(1))


def _part(division: _Division, span: frozenset[Span]) -> Function:
    """The k-th part of a loop as a function of k: lists of what is added up in order, sums that begin with zeros."""
    builder = Rewriter({})
    builder.span = span
    captures = [Parameter(p.name, p.type) for p in division.captured]
    like = {place: Parameter("like", division.carried[place].type) for place in division.sums}
    count, parts, k = (Parameter(name, INT64) for name in ("count", "parts", "part"))

    def begin(number: Node) -> Node:
        return builder.op("floor_divide", builder.op("multiply", number, count), parts)

    first = begin(k)
    length = builder.op("subtract", begin(builder.op("add", k, builder.integer(1))), first)
    starts: list[Node] = []
    for place, p in enumerate(division.carried):
        if place in division.ordered:
            starts.append(builder.op("list_new", length, element=p.type))
        else:
            starts.append(builder.op("token") if place == division.token else builder.zeros_like(like[place]))
    loop = builder.op("for_loop", length, builder.closure(_body_of_part(division), (*captures, first)), *starts)
    found = [builder.item(loop, place) for place in range(len(starts)) if place != division.token]
    return builder.function(f"{division.function.name}_part", [*captures, *like.values(), count, parts, k],
                            builder.tuple(found))  # fmt: skip


def _body_of_part(division: _Division) -> Function:
    """An iteration, numbered from the beginning of its part."""
    builder, function = Rewriter({}), division.function
    inside: dict[Node, Node] = {p: Parameter(p.name, p.type) for p in division.captured}
    first, index = Parameter("first", INT64), Parameter(division.index.name, INT64)
    inside[division.index] = builder.op("add", first, index)
    result = function.result
    assert isinstance(result, Apply)
    carried: list[Parameter] = []
    wanted: list[Node] = []
    for place, p in enumerate(division.carried):
        added = _added(function, len(division.captured) + 1, place) if place in division.ordered else None
        carried.append(Parameter(p.name, p.type if added is None else List(p.type)))
        wanted.append(result.inputs[place] if added is None else added)
        if added is None:
            inside[p] = carried[-1]
    copies = copied(builder, wanted, inside, function.spans)
    for place in division.ordered:
        copies[place] = builder.op("list_push", carried[place], copies[place])
    parameters = [*(inside[p] for p in division.captured), first, index, *carried]
    return builder.function(function.name, parameters, builder.tuple(copies))  # type: ignore[arg-type]


def _total(division: _Division, found: List, span: frozenset[Span]) -> Function:
    """Adds to all sums what a part has found."""
    builder = Rewriter({})
    builder.span = span
    list_, k = Parameter("parts", found), Parameter("part", INT64)
    part = builder.op("list_get", list_, k)
    totals: list[Parameter] = []
    after: list[Node] = []
    for place, p in enumerate(division.carried):
        if place == division.token:
            continue
        mine = builder.item(part, len(totals))
        totals.append(Parameter(p.name, p.type))
        in_order = place in division.ordered
        after.append(_in_order(builder, totals[-1], mine) if in_order else builder.op("add", totals[-1], mine))
    return builder.function(f"{division.function.name}_total", [list_, k, *totals], builder.tuple(after))


def _in_order(builder: Rewriter, total: Node, numbers: Node) -> Node:
    """A number, and to it one after the other those of a list."""
    inner = Rewriter({})
    inner.span = builder.span
    list_, index, sum_ = Parameter("numbers", numbers.type), Parameter("index", INT64), Parameter("total", total.type)
    added = inner.op("add", sum_, inner.op("list_get", list_, index))
    body = inner.function("in_order", [list_, index, sum_], inner.tuple([added]))
    loop = builder.op("for_loop", builder.op("list_length", numbers), builder.closure(body, (numbers,)), total)
    return builder.item(loop, 0)
