"""Loops over vectors of iterations, written as vector instructions.

Not left to LLVM's loop vectoriser: that one takes several times as long, and cannot know what the lowering knows. A
short body is unrolled without masks, and a second loop does the rest under a mask; a long body exists once, always
under the mask.
"""

from __future__ import annotations

from collections.abc import Callable

from ...lower.loop_ir import Extern, For, If, Let, Load, Operand, Statement, Store, While
from .emit import emit_extern, emit_let
from .function_text import FunctionText, Lines
from .loop_frame import LoopFrame
from .streaming import first_whole_line, streamed_part
from .table import instruction
from .text import llvm_type
from .vector_analysis import Reduction, VectorPlan, longest_chain, unrollable
from .vector_memory import emit_vector_load, emit_vector_store
from .vector_values import (
    Progression,
    Vector,
    any_lane,
    both,
    first_lanes,
    horizontal,
    identity,
    lane_of,
    progression,
    splat,
    value_of,
    vector_of,
)

MASKED_COST = 16
UNMASKED_COST = 120
"""Loops that read picked elements and cost more than this are no faster for reading them one by one. Nor does it matter
to more costly ones that what is stored under a mask is slow to read again."""
ACCUMULATORS = 4
INNER_ITERATIONS = 8


def emit_vector_loop(
    function: FunctionText, statement: For, plan: VectorPlan, begin: str = "0", end: str | None = None
) -> None:
    """A loop over vectors of iterations begin..end, and the combination of what its lanes have accumulated."""
    outer_emitters, function.emitters = function.emitters, EMITTERS
    function.width = min(max(function.module.vector_bytes // plan.width_bytes, 2) * abreast(function, statement), 64)
    end = end or function.text(statement.count)
    accumulators = [starting_lanes(function, statement, plan, place) for place in range(len(plan.reductions))]
    copies = unrolling(function, plan)
    streams, part = function.streams, streamed_part(function, statement)
    if part is not None:
        begin, accumulators = whole_lines(function, statement, plan, part, begin, end, copies, accumulators)
    if not copies and begin == "0" and end[0] != "%" and int(end) % function.width == 0:
        copies = 1  # whole vectors are left over: what is stored under a mask is slow to read again
    if copies:
        middle = whole_vectors(function, begin, end, copies * function.width)
        if middle != begin:
            accumulators = main_loop(function, statement, plan, begin, middle, copies, accumulators)
        begin = middle
    if begin != end:
        accumulators = masked_loop(function, statement, plan, begin, end, accumulators, copies == 1)
    results = [result_of_lanes(function, statement, plan, place, accumulators) for place in range(len(accumulators))]
    for var, result in zip(statement.results, results, strict=True):
        function.values[var.id] = result
    function.width, function.emitters, function.fused, function.streams = 0, outer_emitters, frozenset(), streams


def whole_lines(
    function: FunctionText, statement: For, plan: VectorPlan, part: Store, begin: str, end: str, copies: int,
    start: list[str],
) -> tuple[str, list[str]]:  # fmt: skip
    """The iterations that fill whole lines of a part, in a loop of their own where it is streamed: what is left begins
    where the first result says. Otherwise nothing is asked of each vector."""
    pointer = part.pointer.id  # type: ignore[union-attr]
    others = {each: answer for each, answer in function.streams.items() if each != pointer}
    before, inside, after = function.block, function.label(), function.label()
    function.branch(function.streams[pointer], inside, after)
    function.begin(inside)
    function.open(None)
    function.streams = {pointer: "true"}
    first = first_whole_line(function, statement, part, begin, end)
    accumulators = masked_loop(function, statement, plan, begin, first, start, True)
    middle = whole_vectors(function, first, end, copies * function.width) if copies else end
    if copies:
        accumulators = main_loop(function, statement, plan, first, middle, copies, accumulators)
    else:
        accumulators = masked_loop(function, statement, plan, first, middle, accumulators, False)
    last = function.block
    function.jump(after)
    function.close()
    function.begin(after)
    function.streams = others
    begin = function.let(f"phi i64 [{begin}, %{before}], [{middle}, %{last}]")
    types = [vector_type(function, statement, place) for place in range(len(start))]
    return begin, [function.let(f"phi {type} [{old}, %{before}], [{new}, %{last}]")
                   for type, old, new in zip(types, start, accumulators, strict=True)]  # fmt: skip


def abreast(function: FunctionText, statement: For) -> int:
    """How many vectors are gone through together, as one: several where a loop inside would wait for its own results,
    as many as there are registers for."""
    chain = longest_chain(statement)
    registers = 24 if function.module.masks else 12
    return 1 if chain is None else 4 if 4 * chain <= registers else 2 if 2 * chain <= registers else 1


def whole_vectors(function: FunctionText, begin: str, end: str, step: int) -> str:
    """Where the iterations end that fill whole steps."""
    if begin == "0" and end[0] != "%":
        return str(max(int(end), 0) // step * step)
    types = ["int64", "int64"]
    count = function.scalar_let("subtract", [end, begin], types, "int64")
    whole = function.scalar_let("bitwise_and", [count, str(-step)], types, "int64")
    return function.scalar_let("add", [begin, whole], types, "int64")


def result_of_lanes(
    function: FunctionText, statement: For, plan: VectorPlan, place: int, accumulators: list[str]
) -> str:
    """The result of a reduction from those of its lanes."""
    reduction, var = plan.reductions[place], statement.results[place]
    if reduction.best is not None:
        return first_position(function, statement, plan, place, accumulators)
    lanes = function.let(
        horizontal(function.module, reduction.op, var.type, reduction.kind, accumulators[place], function.width)
    )
    if reduction.keeps_initial:
        return lanes
    types = [var.type, var.type]
    return function.scalar_let(reduction.op, [function.text(statement.initial[place]), lanes], types, var.type)


def first_position(
    function: FunctionText, statement: For, plan: VectorPlan, place: int, accumulators: list[str]
) -> str:
    """The least position among the lanes that have the best value."""
    reduction, width = plan.reductions[place], function.width
    best, type = accumulators[reduction.best], statement.results[reduction.best].type  # type: ignore[index]
    vector, wide, masks = llvm_type(type, width), llvm_type("int64", width), llvm_type("bool", width)
    overall = function.let(horizontal(function.module, reduction.op, type, reduction.kind, best, width))
    compare = "fcmp ueq" if reduction.kind == "float" else "icmp eq"  # nan: only the lanes that are nan may win
    equal = function.let(f"{compare} {vector} {best}, {splat(function, overall, type)}")
    if reduction.kind == "float":
        lane_nan = function.let(f"fcmp uno {vector} {best}, {best}")
        overall_nan = splat(function, function.let(f"fcmp uno {llvm_type(type)} {overall}, {overall}"), "bool")
        differ = function.let(f"xor {masks} {lane_nan}, {overall_nan}")
        agree = function.let(f"xor {masks} {differ}, splat (i1 true)")
        equal = function.let(f"and {masks} {equal}, {agree}")
    last = f"splat (i64 {2**63 - 1})"
    candidates = function.let(f"select {masks} {equal}, {wide} {accumulators[place]}, {wide} {last}")
    return function.let(horizontal(function.module, "minimum", "int64", "integer", candidates, width))


def unrolling(function: FunctionText, plan: VectorPlan) -> int:
    """How many vectors of iterations the loop without masks does at a time; 0 for no such loop.

    More than one only pays where accumulating would wait for the sum before.
    """
    if plan.cost > MASKED_COST and not ((plan.picks or plan.returns) and plan.cost <= UNMASKED_COST):
        return 0 if function.module.masks else 1
    return ACCUMULATORS if plan.reductions else 1


def starting_lanes(function: FunctionText, statement: For, plan: VectorPlan, place: int) -> str:
    """An accumulator before the first iteration."""
    reduction, type = plan.reductions[place], statement.carried[place].type
    if reduction.keeps_initial:
        return splat(function, function.text(statement.initial[place]), type)
    return f"splat ({llvm_type(type)} {identity(reduction.op, type, reduction.kind)})"


def vector_type(function: FunctionText, statement: For, position: int) -> str:
    """The LLVM type of an accumulator."""
    return llvm_type(statement.carried[position].type, function.width)


def main_loop(
    function: FunctionText,
    statement: For,
    plan: VectorPlan,
    begin: str,
    end: str,
    copies: int,
    start: list[str],
) -> list[str]:
    """The unrolled loop without masks; each copy has accumulators of its own, which hides the latency of adding."""
    function.mask, function.fused = None, plan.fused
    frame = LoopFrame(function, begin, end, copies * function.width)
    names = [[frame.carry() for _ in range(copies)] for _ in start]
    later: list[list[str]] = [[] for _ in start]
    for copy in range(copies):
        function.values[statement.index.id] = Progression(frame.index, "1", "0", copy * function.width)
        for var, copied in zip(statement.carried, names, strict=True):
            function.values[var.id] = Vector(copied[copy])
        function.statements(statement.body)
        for position, value in enumerate(statement.yields):
            later[position].append(vector_of(function, value_of(function, value), value.type))
    carried = [
        (names[position][copy], vector_type(function, statement, position), start[position], later[position][copy])
        for position in range(len(start))
        for copy in range(copies)
    ]
    after = frame.finish(carried)
    return combine(function, statement, plan, [after[i : i + copies] for i in range(0, len(after), copies)])


def combine(function: FunctionText, statement: For, plan: VectorPlan, copies: list[list[str]]) -> list[str]:
    """One accumulator for each reduction from those of its copies."""
    found: list[str] = []
    for place, reduction in enumerate(plan.reductions):
        if reduction.best is not None:
            continue  # it comes right after its best value
        if reduction.keeps_initial:
            found += combine_positions(function, statement, reduction, copies[place : place + 2], place)
        else:
            found.append(combine_copies(function, statement, reduction, copies[place], place))
    return found


def combine_copies(
    function: FunctionText, statement: For, reduction: Reduction, vectors: list[str], place: int
) -> str:  # fmt: skip
    """One accumulator from those of the copies, as a tree."""
    op, type = reduction.op, statement.carried[place].type
    while len(vectors) > 1:
        vectors = [
            function.let(instruction(function.module, op, vectors[i : i + 2], [type, type], type, function.width)[0])
            for i in range(0, len(vectors), 2)
        ]
    return vectors[0]


def combine_positions(
    function: FunctionText, statement: For, reduction: Reduction, copies: list[list[str]], place: int
) -> list[str]:  # fmt: skip
    """In each lane the best value of the copies and the least of the positions that have it, as a tree."""
    type, pairs = statement.carried[place].type, list(zip(*copies, strict=True))
    vector, wide, masks = [llvm_type(each, function.width) for each in (type, "int64", "bool")]
    while len(pairs) > 1:
        halves = list(zip(pairs[::2], pairs[1::2], strict=True))
        pairs = []
        for (best, position), (other, where) in halves:
            wins = wins_copy(function, reduction, vector, (best, position), (other, where))
            pairs.append((function.let(f"select {masks} {wins}, {vector} {other}, {vector} {best}"),
                          function.let(f"select {masks} {wins}, {wide} {where}, {wide} {position}")))  # fmt: skip
    return list(pairs[0])


def wins_copy(
    function: FunctionText, reduction: Reduction, vector: str, one: tuple[str, str], other: tuple[str, str]
) -> str:  # fmt: skip
    """In which lanes the other copy has the better value (nan is the best), or the same at a lesser position."""
    masks, wide = llvm_type("bool", function.width), llvm_type("int64", function.width)
    greater, floating = reduction.op == "maximum", reduction.kind == "float"

    def test(relation: str, left: str, right: str) -> str:
        return function.let(f"{relation} {vector} {left}, {right}")

    earlier = function.let(f"icmp slt {wide} {other[1]}, {one[1]}")
    if not floating:
        better = test("icmp sgt" if greater else "icmp slt", other[0], one[0])
        equal = test("icmp eq", other[0], one[0])
    else:
        known, unknown = test("fcmp ord", one[0], one[0]), test("fcmp uno", other[0], other[0])
        beyond = test("fcmp ugt" if greater else "fcmp ult", other[0], one[0])
        better = function.let(f"and {masks} {beyond}, {known}")
        same = test("fcmp oeq", other[0], one[0])
        equal = function.let(f"select {masks} {known}, {masks} {same}, {masks} {unknown}")
    first = function.let(f"and {masks} {equal}, {earlier}")
    return function.let(f"or {masks} {better}, {first}")


def masked_loop(
    function: FunctionText, statement: For, plan: VectorPlan, begin: str, end: str, start: list[str], once: bool
) -> list[str]:
    """The loop under a mask of the lanes that are left; `once` when there is less than one vector of them."""
    function.fused = plan.fused
    streams = function.streams
    if once:  # what is streamed are whole vectors
        function.streams = {}
    frame = LoopFrame(function, begin, end, function.width, once)
    function.mask = mask = first_lanes(function, frame.index, end)
    function.values[statement.index.id] = Progression(frame.index, "1")
    names = [frame.carry() for _ in start]
    for var, name in zip(statement.carried, names, strict=True):
        function.values[var.id] = Vector(name)
    function.statements(statement.body)
    carried = []
    for position, (name, value) in enumerate(zip(names, statement.yields, strict=True)):
        type = vector_type(function, statement, position)
        lanes = vector_of(function, value_of(function, value), value.type)
        kept = function.let(f"select <{function.width} x i1> {mask}, {type} {lanes}, {type} {name}")
        carried.append((name, type, start[position], kept))
    after = frame.finish(carried)
    function.mask, function.streams = None, streams
    return after


def emit_vector_let(function: FunctionText, statement: Let) -> None:
    """An operation: once for all lanes where it is the same in all, otherwise on vectors."""
    values = [value_of(function, arg) for arg in statement.args]
    if all(value.__class__ is str for value in values):
        emit_let(function, statement)
        return
    op, result = statement.op, statement.var.type
    if result == "int64" and op in ("add", "subtract", "multiply"):
        found = progression(function, op, values[0], values[1])
        if found is not None:
            function.values[statement.var.id] = found
            return
    types = [arg.type for arg in statement.args]
    texts = [vector_of(function, value, type) for value, type in zip(values, types, strict=True)]
    key = (op, result, function.width, types[0], *texts)
    found_text = function.known(key)
    if found_text is None:
        right, is_value = instruction(function.module, op, texts, types, result, function.width)
        if statement.var.id in function.fused:
            right = right.replace("fadd", "fadd reassoc contract", 1).replace("fmul", "fmul contract", 1)
        found_text = right if is_value else function.pure(key, right, texts)
    function.values[statement.var.id] = Vector(found_text, lane_of(function, op, values, types, result))


def emit_vector_if(function: FunctionText, statement: If) -> None:
    """A branch: a real one when all lanes agree, otherwise both sides under masks."""
    condition = value_of(function, statement.condition)
    if isinstance(condition, str):
        uniform_if(function, statement, condition)
        return
    llvm = llvm_type("bool", function.width)
    mask = vector_of(function, condition, "bool")
    negated = function.let(f"xor {llvm} {mask}, splat (i1 true)")
    first = masked_side(function, mask, statement.then_body, statement.then_yields)
    second = masked_side(function, negated, statement.else_body, statement.else_yields)
    for var, a, b in zip(statement.results, first, second, strict=True):
        type = llvm_type(var.type, function.width)
        function.values[var.id] = Vector(function.let(f"select {llvm} {mask}, {type} {a}, {type} {b}"))


def masked_side(function: FunctionText, mask: str, body: list[Statement], yields: tuple[Operand, ...]) -> list[str]:
    """One side of a branch whose lanes differ; skipped when no lane takes it, unless it is only a few values."""
    if all(isinstance(each, Let) for each in body):
        function.statements(body)
        return [vector_of(function, value_of(function, value), value.type) for value in yields]
    outer = function.mask
    function.mask = both(function, outer, mask)
    run, after = function.label(), function.label()
    function.branch(any_lane(function, function.mask), run, after)
    before = function.block
    function.begin(run)
    function.open(None)
    function.statements(body)
    values = [vector_of(function, value_of(function, value), value.type) for value in yields]
    function.close()
    last = function.block
    function.jump(after)
    function.begin(after)
    function.mask = outer
    return [
        function.let(f"phi {llvm_type(value.type, function.width)} [{text}, %{last}], [zeroinitializer, %{before}]")
        for value, text in zip(yields, values, strict=True)
    ]


def uniform_if(function: FunctionText, statement: If, condition: str) -> None:
    """A branch that all lanes take together."""
    then, otherwise, done = function.label(), function.label(), function.label()
    function.branch(condition, then, otherwise)
    sides = []
    for label, body, yields in (
        (then, statement.then_body, statement.then_yields),
        (otherwise, statement.else_body, statement.else_yields),
    ):
        function.begin(label)
        function.open(None)
        function.statements(body)
        values = [vector_of(function, value_of(function, value), value.type) for value in yields]
        function.close()
        sides.append((values, function.block))
        function.jump(done)
    function.begin(done)
    (first, first_block), (second, second_block) = sides
    for var, a, b in zip(statement.results, first, second, strict=True):
        right = f"phi {llvm_type(var.type, function.width)} [{a}, %{first_block}], [{b}, %{second_block}]"
        function.values[var.id] = Vector(function.let(right))


def emit_inner_for(function: FunctionText, statement: For) -> None:
    """A counted loop that all lanes run together."""
    if unrollable(statement, INNER_ITERATIONS):
        unroll_inner(function, statement)
        return
    initial = [vector_of(function, value_of(function, value), value.type) for value in statement.initial]
    frame = LoopFrame(function, "0", function.text(statement.count))
    function.values[statement.index.id] = frame.index
    names = [frame.carry() for _ in initial]
    for var, name in zip(statement.carried, names, strict=True):
        function.values[var.id] = Vector(name)
    function.statements(statement.body)
    types = [llvm_type(var.type, function.width) for var in statement.carried]
    later = [vector_of(function, value_of(function, value), value.type) for value in statement.yields]
    after = frame.finish(list(zip(names, types, initial, later, strict=True)))
    for var, text in zip(statement.results, after, strict=True):
        function.values[var.id] = Vector(text)


def unroll_inner(function: FunctionText, statement: For) -> None:
    """A short loop as straight code."""
    carried = [value_of(function, initial) for initial in statement.initial]
    for iteration in range(int(statement.count.value)):  # type: ignore[union-attr]
        function.values[statement.index.id] = str(iteration)
        for var, value in zip(statement.carried, carried, strict=True):
            function.values[var.id] = value
        function.statements(statement.body)
        carried = [value_of(function, value) for value in statement.yields]
    for var, value in zip(statement.results, carried, strict=True):
        function.values[var.id] = value


def emit_inner_while(function: FunctionText, statement: While) -> None:
    """A loop with a test: it runs as long as some lane goes on; lanes that have stopped keep their values."""
    width, llvm = function.width, llvm_type("bool", function.width)
    outer = function.mask
    initial = [vector_of(function, value_of(function, value), value.type) for value in statement.initial]
    preheader: Lines = []
    function.lines.append(preheader)
    before = function.block
    header, body, done = function.label(), function.label(), function.label()
    function.jump(header)
    function.begin(header)
    phis: Lines = []
    function.lines.append(phis)
    function.open(preheader)
    depth = len(function.regions) - 1
    active, *names = [function.name("c") for _ in range(len(initial) + 1)]
    function.depths.update(dict.fromkeys([active, *names], depth))
    for var, name in zip(statement.carried, names, strict=True):
        function.values[var.id] = Vector(name)
    function.mask = active
    function.statements(statement.test_body)
    test = vector_of(function, value_of(function, statement.test), "bool")
    going = both(function, active, test)
    function.branch(any_lane(function, going), body, done)
    function.begin(body)
    function.mask = going
    function.statements(statement.body)
    phi_rows = [(active, llvm, outer or "splat (i1 true)", going)]
    for name, var, first, value in zip(names, statement.carried, initial, statement.yields, strict=True):
        type = llvm_type(var.type, width)
        lanes = vector_of(function, value_of(function, value), value.type)
        phi_rows.append((name, type, first, function.let(f"select {llvm} {going}, {type} {lanes}, {type} {name}")))
    latch = function.block
    function.jump(header)
    function.close()
    phis += [f"  {name} = phi {type} [{a}, %{before}], [{b}, %{latch}]" for name, type, a, b in phi_rows]
    function.begin(done)
    function.mask = outer
    function.depths.update(dict.fromkeys(names, depth - 1))
    for var, name in zip(statement.results, names, strict=True):
        function.values[var.id] = Vector(name)


EMITTERS: dict[type, Callable[[FunctionText, Statement], None]] = {
    Let: emit_vector_let,
    Load: emit_vector_load,
    Store: emit_vector_store,
    If: emit_vector_if,
    For: emit_inner_for,
    While: emit_inner_while,
    Extern: emit_extern,  # asks for signals, once for all lanes
}
