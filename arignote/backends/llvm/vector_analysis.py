"""Which loops can run on vectors of iterations, what varies from lane to lane, and which values are reductions."""

from __future__ import annotations

from ...ir.records import dataclass
from ...lower.loop_ir import Const, Extern, For, If, Let, Load, Operand, Statement, Store, Var, While, operands, walk
from .table import class_of
from .text import BYTES
from .vector_values import HORIZONTAL

CHEAP = frozenset(
    """add subtract multiply negative absolute minimum maximum fmin fmax select cast equal not_equal less less_equal
    greater greater_equal logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor invert isnan
    floor ceil trunc round copysign sqrt divide""".split()
)

BEST = {"greater": "maximum", "less_equal": "maximum", "less": "minimum", "greater_equal": "minimum"}
"""What is kept where this comparison of a value with the best one so far, or its opposite, decides."""
UNROLLED_STATEMENTS = 96
SHORT_CHAIN = 64


@dataclass(slots=True)
class Reduction:
    """A carried value that only accumulates: the operation, and the accumulating statements from first to last.

    `best`: the carried value is a position, and this is the place of the reduction whose best value it is the
    position of. `keeps_initial`: the lanes start from the initial value, and the result of the lanes is the result.
    """

    op: str
    kind: str
    chain: list[Let]
    keeps_initial: bool = False
    best: int | None = None


@dataclass(slots=True)
class VectorPlan:
    """What is known of a loop that will run on vectors."""

    width_bytes: int
    cost: int
    reductions: list[Reduction]
    fused: frozenset[int]
    picks: bool
    returns: bool
    """Whether it stores where it reads, as what adds rows to sums in memory does: the next row reads it again soon."""


def plan(statement: For) -> VectorPlan | None:
    """How a loop can run on vectors of iterations; None when it cannot, or when a loop inside it had better."""
    inner = list(walk(statement.body))
    if not all(isinstance(each, (Let, Load, Store, If, For, While, Extern)) for each in inner):
        return None
    asks = any(isinstance(each, Extern) for each in inner)
    if asks and scattered(statement.index, inner) > 0:
        return None  # of the user's own loops only those that go from neighbour to neighbour are faster for sure
    if not supported(inner, varying(statement)):
        return None
    reductions = find_reductions(statement, inner)
    if reductions is None or inner_is_better(statement, inner):
        return None
    fused = fused_products(statement, inner, reductions)
    picks, returns = reads_picked(statement.index, inner), stores_where_it_reads(inner)
    return VectorPlan(widest(statement, inner), cost(inner), reductions, fused, picks, returns)


def stores_where_it_reads(inner: list[Statement]) -> bool:
    """Whether straight-line code stores through a pointer that it reads through."""
    if not all(isinstance(each, (Let, Load, Store)) for each in inner):
        return False
    read = {each.pointer for each in inner if isinstance(each, Load)}
    return any(isinstance(each, Store) and each.pointer in read for each in inner)


def reads_picked(index: Var, inner: list[Statement]) -> bool:
    """Whether elements are read where an index array says."""
    loads = [each for each in inner if isinstance(each, Load)]
    if not any(load.var.type == "int64" for load in loads):
        return False
    steps = coefficients(index, inner)
    return any(isinstance(load.offset, Var) and steps.get(load.offset.id, 0) is None for load in loads)


def inner_is_better(statement: For, inner: list[Statement]) -> bool:
    """Whether vectors of an inner loop read neighbours where vectors of this loop would not."""
    nested = [each for each in inner if isinstance(each, For) and each.vector and plan(each) is not None]
    if not nested:
        return False
    outer = scattered(statement.index, inner)
    return any(scattered(each.index, list(walk(each.body))) < outer for each in nested)


def scattered(index: Var, inner: list[Statement]) -> int:
    """How many loads and stores go to places that are neither the same nor neighbours in successive iterations."""
    steps = coefficients(index, inner)
    offsets = [each.offset for each in inner if isinstance(each, (Load, Store))]
    return sum(1 for offset in offsets if isinstance(offset, Var) and steps.get(offset.id, 0) not in (0, 1, -1))


def coefficients(index: Var, inner: list[Statement]) -> dict[int, int | None]:
    """By how much each integer moves when the index does: a number, or None for anything else; absent: it does not."""
    found: dict[int, int | None] = {index.id: 1}

    def of(operand: Operand) -> int | None:
        return found.get(operand.id, 0) if isinstance(operand, Var) else 0

    for each in inner:
        if not isinstance(each, Let):
            if isinstance(each, Load) and of(each.offset) != 0:
                found[each.var.id] = None
            continue
        steps = [of(arg) for arg in each.args]
        if any(step != 0 for step in steps):
            found[each.var.id] = _step(each, steps)
    return found


def _step(let: Let, steps: list[int | None]) -> int | None:
    """By how much the result of an operation moves when its operands move by these steps."""
    if None in steps or let.var.type != "int64":
        return None
    if let.op in ("add", "subtract"):
        return steps[0] + steps[1] if let.op == "add" else steps[0] - steps[1]  # type: ignore[operator]
    if let.op == "multiply":
        for factor, step in zip(let.args, reversed(steps), strict=True):
            if isinstance(factor, Const):
                return int(factor.value) * step  # type: ignore[operator]
    return None


def unrollable(statement: For, iterations: int) -> bool:
    """Whether a loop is so short that its iterations are written one after the other."""
    if not isinstance(statement.count, Const) or statement.count.value > iterations:
        return False
    inner = sum(1 for _ in walk(statement.body))
    return inner * max(int(statement.count.value), 1) <= UNROLLED_STATEMENTS


def longest_chain(statement: For) -> int | None:
    """How many values a loop inside needs at least, if it is short and does nothing but compute what it carries; None
    where there is no such loop, or others."""
    loops = [each for each in statement.body if isinstance(each, For | While)]
    if len(loops) != 1 or not isinstance(loops[0], For) or not loops[0].carried or isinstance(loops[0].count, Const):
        return None
    body, found = loops[0].body, varying(statement)
    if len(body) > SHORT_CHAIN or any(isinstance(each, For | While | If | Store) for each in body):
        return None
    if any(isinstance(each, Load) and each.var.id in found or isinstance(each, Let) and each.op not in CHEAP
           for each in body):  # fmt: skip
        return None
    taken = {arg.id for each in body for arg in operands(each) if isinstance(arg, Var)}
    inside = {each.var.id for each in body if isinstance(each, Let | Load)}
    return len(loops[0].carried) + len((taken & found) - inside - {var.id for var in loops[0].carried})


def varying(statement: For) -> set[int]:
    """The variables whose value may differ between lanes."""
    found = {statement.index.id, *(var.id for var in statement.carried)}
    previous = -1
    while len(found) != previous:
        previous = len(found)
        _spread(statement.body, found)
    return found


def _differs(values: tuple[Operand, ...], found: set[int]) -> bool:
    return any(isinstance(value, Var) and value.id in found for value in values)


def _spread(body: list[Statement], found: set[int]) -> None:
    """Adds what varies because its operands do."""
    for statement in body:
        match statement:
            case Let():
                if _differs(statement.args, found):
                    found.add(statement.var.id)
            case Load():
                if _differs((statement.offset,), found):
                    found.add(statement.var.id)
            case For():
                found.update(var.id for var in (*statement.carried, *statement.results))
                _spread(statement.body, found)
            case While():
                found.update(var.id for var in (*statement.carried, *statement.results))
                _spread(statement.test_body, found)
                _spread(statement.body, found)
            case If():
                _spread(statement.then_body, found)
                _spread(statement.else_body, found)
                found.update(var.id for var in statement.results)


def supported(inner: list[Statement], found: set[int]) -> bool:
    """Whether every statement has a form on vectors."""
    for statement in inner:
        match statement:
            case Let():
                if statement.var.id in found and class_of(statement.var.type) == "pointer":
                    return False
            case Load():
                if _differs((statement.pointer,), found) or class_of(statement.var.type) == "pointer":
                    return False
            case Store():
                moves = _differs((statement.offset,), found)
                if not moves or _differs((statement.pointer,), found) or class_of(statement.value.type) == "pointer":
                    return False
            case For():
                if _differs((statement.count,), found):
                    return False
            case _:
                if any(class_of(var.type) == "pointer" for var in getattr(statement, "results", ())):
                    return False
    return True


def find_reductions(statement: For, inner: list[Statement]) -> list[Reduction] | None:
    """The reductions that the carried values are, or None when one of them is something else."""
    uses: dict[int, int] = {}
    for each in [*inner, statement]:
        for operand in operands(each):
            if isinstance(operand, Var):
                uses[operand.id] = uses.get(operand.id, 0) + 1
    lets = {each.var.id: each for each in statement.body if isinstance(each, Let)}
    found: list[Reduction] = []
    steps = coefficients(statement.index, inner) if len(statement.carried) > 1 else {}
    for var, value in zip(statement.carried, statement.yields, strict=True):
        reduction = _reduction(var, value, lets, uses, statement.reduction)
        if reduction is None:
            reduction = _best_value(var, value, lets) or _position(statement, var, value, lets, steps, found)
        if reduction is None:
            return None
        found.append(reduction)
    positions = [each.best for each in found if each.best is not None]
    bests = [place for place, each in enumerate(found) if each.keeps_initial and each.best is None]
    return found if sorted(positions) == bests else None


def _best_value(var: Var, value: Operand, lets: dict[int, Let]) -> Reduction | None:
    """The best value so far: `select(wins, v, var)`, where `wins` compares v with var and perhaps minds nan."""
    let = lets.get(value.id) if isinstance(value, Var) else None
    if let is None or let.op != "select" or let.args[2] is not var or not isinstance(let.args[0], Var):
        return None
    candidate, kind = let.args[1], class_of(var.type)
    op, pending = "", [let.args[0]]
    while pending:
        test = lets.get(pending.pop().id)
        if test is None:
            return None
        if test.op in BEST and test.args == (candidate, var) and not op:
            op = BEST[test.op]
        elif test.op in ("logical_and", "logical_or", "logical_not"):
            pending += [arg for arg in test.args if isinstance(arg, Var)]
        elif test.op != "isnan" or test.args[0] not in (candidate, var):
            return None
    return Reduction(op, kind, [let], keeps_initial=True) if op and kind != "bool" else None


def _position(
    statement: For,
    var: Var,
    value: Operand,
    lets: dict[int, Let],
    steps: dict[int, int | None],
    found: list[Reduction],
) -> Reduction | None:
    """The position of the best value: `select(wins, position, var)` with the test of the best value before it."""
    let = lets.get(value.id) if isinstance(value, Var) else None
    if let is None or let.op != "select" or let.args[2] is not var or var.type != "int64" or not found:
        return None
    best = found[-1]
    if not best.keeps_initial or best.best is not None or best.chain[0].args[0] is not let.args[0]:
        return None
    position = let.args[1]
    if not isinstance(position, Var) or steps.get(position.id) != 1:
        return None  # the first of equal values wins: positions must grow
    return Reduction(best.op, best.kind, [let], keeps_initial=True, best=len(found) - 1)


def _reduction(
    var: Var, value: Operand, lets: dict[int, Let], uses: dict[int, int], free_order: bool
) -> Reduction | None:
    """The chain of one operation from a carried variable to the value that it gets next."""
    chain: list[Let] = []
    users = {arg.id: let for let in lets.values() for arg in let.args if isinstance(arg, Var)}
    current = var
    while current is not value:
        let = users.get(current.id)
        if uses.get(current.id) != 1 or let is None or (chain and let.op != chain[0].op):
            return None
        chain.append(let)
        current = let.var
    if not chain or uses.get(current.id) != 1:
        return None
    kind, op = class_of(var.type), chain[0].op
    if op not in HORIZONTAL[kind] or (kind == "float" and op in ("add", "multiply") and not free_order):
        return None
    return Reduction(op, kind, chain)


def fused_products(statement: For, inner: list[Statement], reductions: list[Reduction]) -> frozenset[int]:
    """The sums of reductions and their products: each pair may be one fused instruction, as its order is free."""
    if not statement.reduction:
        return frozenset()
    lets = [each for each in inner if isinstance(each, Let)]
    products = {let.var.id for let in lets if let.op == "multiply" and class_of(let.var.type) == "float"}
    found: set[int] = set()
    for reduction in reductions:
        if reduction.kind == "float" and reduction.op == "add":
            for let in reduction.chain:
                found.add(let.var.id)
                found.update(arg.id for arg in let.args if isinstance(arg, Var) and arg.id in products)
    return frozenset(found)


def widest(statement: For, inner: list[Statement]) -> int:
    """Bytes of the widest element that the loop works on; index arithmetic does not count."""
    sizes = [BYTES[var.type] for var in statement.carried if var.type != "int64"]
    for each in inner:
        match each:
            case Load():
                sizes.append(BYTES[each.var.type])
            case Store():
                sizes.append(BYTES[each.value.type])
            case Let():
                if class_of(each.var.type) == "float":
                    sizes.append(BYTES[each.var.type])
    return max(sizes, default=8)


def cost(inner: list[Statement]) -> int:
    """A rough number of instructions of one iteration. What the loop counts with is not counted: it costs nothing in
    addresses."""
    return sum([_cost(each) for each in inner])


def _cost(statement: Statement) -> int:
    if not isinstance(statement, Let):
        return 1
    if statement.op in CHEAP:
        return 0 if statement.var.type == "int64" and statement.op in ("add", "subtract", "multiply") else 1
    return 25
