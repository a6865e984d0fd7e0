"""The checks of all iterations of a loop are made at once, in front of it.

    for j in n {                                bad = 0 < n and (0 >= size or n - 1 >= size)
        raise_if j >= size                      if bad { for j in n { raise_if j >= size } }
        a = load x at j                  ->     for j in n {
        ...                                         a = load x at j
    }                                               ...
                                                }

Where a comparison's two sides differ by a multiple of the loop's index and what does not change, it holds in some
iteration only if it does in the first or the last one. Where some check fails, a loop that does nothing but check finds
out which one is the first. Such a loop may only compute, and read and write arrays, which nobody sees after an error;
and all its checks must be of this kind, so that the first error stays the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from arignote.lower.forwarding import is_plain, statements_of
from arignote.lower.independence import Independence
from arignote.lower.loop_ir import (
    BOOL,
    INT64,
    Const,
    Extern,
    For,
    If,
    Kernel,
    Let,
    Operand,
    Procedure,
    RaiseIf,
    Statement,
    Type,
    Var,
    bodies,
    operands,
    walk,
)

NewVariable = Callable[[Type], Var]
ORDERED = ("less", "less_equal", "greater", "greater_equal")
OVERFLOWS = ("add_overflows", "subtract_overflows")
LINES = ("add", "subtract", "multiply", "negative")
HARMLESS = frozenset(
    (*ORDERED, *OVERFLOWS, *LINES, "multiply_overflows", "equal", "not_equal", "logical_or", "logical_and",
     "logical_not", "select", "minimum", "maximum")
)  # fmt: skip
"""What may be computed before it is known that it will be needed."""
MOST_CHECKS = 24


def check_in_front(procedure: Procedure, new_variable: NewVariable) -> None:
    """Rewrite the innermost loops of a procedure."""
    outside = {each.var.id: each for each in walk(procedure.body) if isinstance(each, Let)}
    pending = [procedure.body]
    while pending:
        body = pending.pop()
        place = 0
        while place < len(body):
            statement = body[place]
            if isinstance(statement, For) and not statement.vector and not statement.parallel:
                inner = list(statements_of(statement.body))
                if all(map(is_plain, inner)):
                    checks = [each for each in inner if isinstance(each, RaiseIf)]
                    front = _Loop(statement, outside, new_variable).rewrite(checks) if checks else []
                    body[place:place] = front
                    place += len(front) + 1
                    continue
            if not isinstance(statement, Kernel):
                pending += bodies(statement)
            place += 1


class _Loop:
    def __init__(self, loop: For, outside: Mapping[int, Let], new_variable: NewVariable) -> None:
        self.loop, self.new_variable = loop, new_variable
        self.found = Independence(loop, outside)

    def rewrite(self, checks: list[RaiseIf]) -> list[Statement]:
        """Take the checks out of the loop; what stands in front of it instead."""
        straight = {id(each) for each in self.loop.body}
        if len(checks) > MOST_CHECKS or any(id(each) not in straight for each in checks):
            return []
        if not self.found.hands_on_references() or not all(map(self._is_told, checks)):
            return []
        front: list[Statement] = []
        bad = self._some_fails(front, checks)
        front.append(If(bad, [self._checking_loop(checks)], (), [], (), ()))
        gone = {id(each) for each in checks}
        self.loop.body[:] = self._without_unused([each for each in self.loop.body if id(each) not in gone])
        return front

    # What is known of a check

    def _is_told(self, check: RaiseIf) -> bool:
        """Whether the first and the last iteration tell all, and its values follow from the index."""
        return all(map(self._follows, (check.condition, *check.args))) and self._is_linear(check.condition)

    def _follows(self, value: Operand) -> bool:
        """Whether a value is computed from the index and what comes from around the loop."""
        if self.found.is_outside(value) or value is self.loop.index:
            return True
        let = self.found.lets.get(value.id)  # type: ignore[union-attr]
        return let is not None and let.op in HARMLESS and all(map(self._follows, let.args))

    def _is_linear(self, condition: Operand) -> bool:
        if self._is_fixed(condition):
            return True
        let = self.found.lets[condition.id]  # type: ignore[union-attr]
        if let.op == "logical_or":
            return all(map(self._is_linear, let.args))
        if let.op == "multiply_overflows":
            return any(map(self._is_fixed, let.args)) and all(map(self._is_on_line, let.args))
        return (let.op in ORDERED or let.op in OVERFLOWS) and all(map(self._is_on_line, let.args))

    def _is_on_line(self, value: Operand) -> bool:
        """Whether an integer changes by the same number from iteration to iteration. That sums of the user's program
        do not wrap around is checked too, and in front of what follows from it."""
        if value.type != INT64:
            return False
        if value is self.loop.index or self._is_fixed(value):
            return True
        let = self.found.lets[value.id]  # type: ignore[union-attr]
        if let.op == "multiply" and not any(map(self._is_fixed, let.args)):
            return False
        return let.op in LINES and all(map(self._is_on_line, let.args))

    def _is_fixed(self, value: Operand) -> bool:
        """Whether a value is the same in all iterations."""
        if value is self.loop.index:
            return False
        return self.found.is_outside(value) or all(map(self._is_fixed, self.found.lets[value.id].args))  # type: ignore[union-attr]

    # What is written

    def _some_fails(self, front: list[Statement], checks: list[RaiseIf]) -> Operand:
        """Whether a check fails in the first or the last iteration, if there are any."""
        count = self.loop.count
        last = self._let(front, INT64, "subtract", count, Const(1, INT64))
        first_made: dict[int, Operand] = {self.loop.index.id: Const(0, INT64)}
        last_made: dict[int, Operand] = {self.loop.index.id: last}
        found: list[Operand] = []
        for check in checks:
            ends = [first_made] if self._is_fixed(check.condition) else [first_made, last_made]
            found += [self._again(front, check.condition, made) for made in ends]
        bad = found[0]
        for other in found[1:]:
            bad = self._let(front, BOOL, "logical_or", bad, other)
        return self._let(front, BOOL, "logical_and", self._let(front, BOOL, "less", Const(0, INT64), count), bad)

    def _checking_loop(self, checks: list[RaiseIf]) -> For:
        index = self.new_variable(INT64)
        made: dict[int, Operand] = {self.loop.index.id: index}
        body: list[Statement] = [Extern((), each.symbol, each.args, each.can_fail, self._before(each.live))
                                 for each in self.loop.body if isinstance(each, Extern)]  # fmt: skip
        for check in checks:
            condition = self._again(body, check.condition, made)
            args = tuple([self._again(body, arg, made) for arg in check.args])
            body.append(RaiseIf(condition, check.site, args, self._before(check.live)))
        return For(index, self.loop.count, (), (), body, (), ())

    def _before(self, live: tuple[Var, ...]) -> tuple[Var, ...]:
        """What is alive in front of the loop, in place of what it carries."""
        return tuple([self.found.root(var) for var in live])  # type: ignore[misc]

    def _again(self, body: list[Statement], value: Operand, made: dict[int, Operand]) -> Operand:
        """A value computed again, with another index."""
        if isinstance(value, Const) or value.id in made:
            return value if isinstance(value, Const) else made[value.id]
        if self.found.is_outside(value):
            return value
        let = self.found.lets[value.id]
        args = tuple([self._again(body, arg, made) for arg in let.args])
        made[value.id] = found = self._let(body, value.type, let.op, *args)
        return found

    def _let(self, body: list[Statement], type_: Type, op: str, *args: Operand) -> Var:
        var = self.new_variable(type_)
        body.append(Let(var, op, args))
        return var

    def _without_unused(self, body: list[Statement]) -> list[Statement]:
        """The body without what only checks have read."""
        used = {value.id for value in self.loop.yields if isinstance(value, Var)}
        kept: list[Statement] = []
        for statement in reversed(body):
            if isinstance(statement, Let) and statement.var.id not in used:
                continue
            kept.append(statement)
            for each in walk([statement]):
                used.update(value.id for value in operands(each) if isinstance(value, Var))
        kept.reverse()
        return kept
