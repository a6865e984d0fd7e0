"""The checks of all iterations of a loop are made at once, in front of it.

    for j in n {                                bad = 0 < n and (0 >= size or n - 1 >= size)
        raise_if j >= size                      if bad { for j in n { raise_if j >= size } }
        a = load x at j                  ->     for j in n {
        ...                                         a = load x at j
    }                                               ...
                                                }

Where a comparison's two sides differ by a multiple of the loop's index and what does not change, it holds in some
iteration only if it does in the first or the last one. NumPy's integers may wrap around on the way: that shows in the
first or the last iteration as well, and counts as a failure. Where some check fails, a loop that does nothing but check
finds out which one is the first. Such a loop may only compute, and read and write arrays, which nobody sees after an
error; and all its checks must be of this kind, so that the first error stays the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from arignote.lower.independence import Independence
from arignote.lower.loop_ir import (
    BOOL,
    INT64,
    Const,
    Extern,
    For,
    If,
    Let,
    Operand,
    Procedure,
    RaiseIf,
    Statement,
    Type,
    Var,
    operands,
    walk,
)
from arignote.lower.plain_loops import Around, rewrite_plain_loops

NewVariable = Callable[[Type], Var]
ORDERED = ("less", "less_equal", "greater", "greater_equal")
OVERFLOWS = ("add_overflows", "subtract_overflows", "multiply_overflows")
COMPARISONS = (*ORDERED, *OVERFLOWS)
LINES = dict(zip(("add", "subtract", "multiply", "negative"), (*OVERFLOWS, "subtract_overflows")))
"""Of what integers that change evenly are made, and what tells that it wraps around."""
HARMLESS = frozenset(
    (*COMPARISONS, *LINES, "equal", "not_equal", "logical_or", "logical_and", "logical_not", "select", "minimum",
     "maximum")
)  # fmt: skip
"""What may be computed before it is known that it will be needed."""
MOST_CHECKS = 24


def check_in_front(procedure: Procedure, new_variable: NewVariable) -> None:
    """Rewrite the innermost loops of a procedure."""
    outside = {each.var.id: each for each in walk(procedure.body) if isinstance(each, Let)}

    def rewrite(loop: For, inner: list[Statement]) -> Around:
        checks = [each for each in inner if isinstance(each, RaiseIf)]
        return (_Loop(loop, outside, new_variable).rewrite(checks) if checks else []), []

    rewrite_plain_loops(procedure, rewrite)


class _Loop:
    def __init__(self, loop: For, outside: Mapping[int, Let], new_variable: NewVariable) -> None:
        self.loop, self.new_variable = loop, new_variable
        self.found = Independence(loop, outside)
        self.followed = {loop.index.id}
        """What is computed from the index and what comes from around the loop."""
        self.fixed: set[int] = set()
        """Of that, what is the same in all iterations."""
        self.lines = {loop.index.id}
        """Integers that change by the same number from iteration to iteration, if they do not wrap around."""
        self.told: set[int] = set()
        """Conditions that hold in some iteration only if they do in the first or the last one."""

    def rewrite(self, checks: list[RaiseIf]) -> list[Statement]:
        """Take the checks out of the loop; what stands in front of it instead."""
        straight = {id(each) for each in self.loop.body}
        if len(checks) > MOST_CHECKS or any(id(each) not in straight for each in checks):
            return []
        self._survey()
        told = all(self._is_told(check.condition) and all(map(self._follows, check.args)) for check in checks)
        if not told or not self.found.hands_on_references():
            return []
        front: list[Statement] = []
        bad = self._some_fails(front, checks)
        front.append(If(bad, [self._checking_loop(checks)], (), [], (), ()))
        gone = {id(each) for each in checks}
        self.loop.body[:] = self._without_unused([each for each in self.loop.body if id(each) not in gone])
        return front

    # What is known of a check

    def _survey(self) -> None:
        """What is known of the values on the straight path."""
        for each in self.loop.body:
            if isinstance(each, Let) and each.op in HARMLESS and all(map(self._follows, each.args)):
                self.followed.add(each.var.id)
                if all(map(self._is_fixed, each.args)):
                    self.fixed.add(each.var.id)
                elif self._makes_line(each):
                    self.lines.add(each.var.id)
                elif self._makes_told(each):
                    self.told.add(each.var.id)

    def _follows(self, value: Operand) -> bool:
        return self.found.is_outside(value) or value.id in self.followed  # type: ignore[union-attr]

    def _is_fixed(self, value: Operand) -> bool:
        return self.found.is_outside(value) or value.id in self.fixed  # type: ignore[union-attr]

    def _is_on_line(self, value: Operand) -> bool:
        return value.type == INT64 and (self._is_fixed(value) or value.id in self.lines)  # type: ignore[union-attr]

    def _is_told(self, condition: Operand) -> bool:
        return self._is_fixed(condition) or condition.id in self.told  # type: ignore[union-attr]

    def _makes_line(self, let: Let) -> bool:
        is_sum = let.op != "multiply" or any(map(self._is_fixed, let.args))
        return let.op in LINES and is_sum and all(map(self._is_on_line, let.args))

    def _makes_told(self, let: Let) -> bool:
        if let.op == "logical_or":
            return all(map(self._is_told, let.args))
        if let.op == "multiply_overflows" and not any(map(self._is_fixed, let.args)):
            return False
        return let.op in COMPARISONS and all(map(self._is_on_line, let.args))

    # What is written

    def _some_fails(self, front: list[Statement], checks: list[RaiseIf]) -> Operand:
        """Whether a check fails in the first or the last iteration, if there are any; or may fail between them, as an
        integer wraps around."""
        count = self.loop.count
        last = self._let(front, INT64, "subtract", count, Const(1, INT64))
        first_made: dict[int, Operand] = {self.loop.index.id: Const(0, INT64)}
        last_made: dict[int, Operand] = {self.loop.index.id: last}
        found: list[Operand] = []
        for check in checks:
            ends = [first_made] if self._is_fixed(check.condition) else [first_made, last_made]
            found += [self._again(front, check.condition, made, found) for made in ends]
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

    def _again(self, body: list[Statement], value: Operand, made: dict[int, Operand],
               wraps: list[Operand] | None = None) -> Operand:  # fmt: skip
        """A value computed again, with another index; and whether it wraps around, where that is asked for."""
        if isinstance(value, Const) or value.id in made:
            return value if isinstance(value, Const) else made[value.id]
        if self.found.is_outside(value):
            return value
        let = self.found.lets[value.id]
        args = tuple([self._again(body, arg, made, wraps) for arg in let.args])
        made[value.id] = found = self._let(body, value.type, let.op, *args)
        if wraps is not None and value.id in self.lines:
            from_zero = (Const(0, INT64), *args) if let.op == "negative" else args
            wraps.append(self._let(body, BOOL, LINES[let.op], *from_zero))
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
