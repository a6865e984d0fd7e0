"""Which loops can run on vectors of iterations, what varies from lane to lane, and which carried values are reductions."""

from __future__ import annotations

from dataclasses import dataclass

from ...lower.loop_ir import For, If, Let, Load, Operand, Statement, Store, Var, While, operands, walk
from .table import SPECIAL, class_of
from .text import BYTES
from .vector_values import HORIZONTAL

CHEAP = frozenset(
    """add subtract multiply negative absolute minimum maximum fmin fmax select cast equal not_equal less less_equal
    greater greater_equal logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor invert isnan
    floor ceil trunc round copysign sqrt divide""".split()
)


@dataclass(slots=True)
class Reduction:
    """A carried value that only accumulates: the operation, and the accumulating statements from first to last."""

    op: str
    kind: str
    chain: list[Let]


@dataclass(slots=True)
class VectorPlan:
    """What is known of a loop that will run on vectors."""

    width_bytes: int
    cost: int
    reductions: list[Reduction]
    fused: frozenset[int]


def plan(statement: For) -> VectorPlan | None:
    """How a loop can run on vectors of iterations; None when it cannot."""
    inner = list(walk(statement.body))
    if not all(isinstance(each, (Let, Load, Store, If, For, While)) for each in inner):
        return None
    if not supported(inner, varying(statement)):
        return None
    reductions = find_reductions(statement, inner)
    if reductions is None:
        return None
    return VectorPlan(widest(statement, inner), cost(inner), reductions, fused_products(statement, inner, reductions))


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
                if statement.var.id in found and statement.op in SPECIAL and statement.op == "pointer_offset":
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
    found = []
    for var, value in zip(statement.carried, statement.yields, strict=True):
        reduction = _reduction(var, value, lets, uses, statement.reduction)
        if reduction is None:
            return None
        found.append(reduction)
    return found


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
    """The sums of reductions and their products: each pair may be one fused instruction, as its order is free anyway."""
    if not statement.reduction:
        return frozenset()
    products = {each.var.id for each in inner if isinstance(each, Let) and each.op == "multiply" and class_of(each.var.type) == "float"}
    found: set[int] = set()
    for reduction in reductions:
        if reduction.kind == "float" and reduction.op == "add":
            for let in reduction.chain:
                found.add(let.var.id)
                found.update(arg.id for arg in let.args if isinstance(arg, Var) and arg.id in products)
    return frozenset(found)


def widest(statement: For, inner: list[Statement]) -> int:
    """Bytes of the widest element that the loop works on; index arithmetic does not count."""
    sizes = [BYTES[var.type] for var in statement.carried]
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
    """A rough number of instructions of one iteration."""
    return sum(1 if not isinstance(each, Let) or each.op in CHEAP else 25 for each in inner)
