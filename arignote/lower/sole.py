"""Which buffers are the only reference to their memory, also where loops and branches hand them on.

An array that a loop writes into is carried from one iteration to the next. If it is nobody else's before the loop, and
each iteration gives back what is nobody else's, it is nobody else's in every iteration, and no iteration need ask. This
is assumed of all that is carried, and of all that loops and branches give; then whatever was handed over by a buffer
that is shared, or used later, is taken back, and what followed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from arignote.ir.records import dataclass, field
from arignote.lower.loop_ir import BUFFER, Alloc, Box, Call, For, If, Operand, Procedure, Statement, Store, Var, While
from arignote.lower.taking import Own, Take

Operands = Callable[[Statement], tuple[Operand, ...]]
OUTSIDE = 0
"""Where no loop is around."""


@dataclass(frozen=True, slots=True)
class _HandOver:
    """`source` becomes `target`; it is used no later than `until`, and defined in the same loop, `place`."""

    source: int
    target: int
    until: int
    place: int


@dataclass(slots=True)
class Sole:
    """One walk over a procedure. `owner`: the buffers that pointers belong to; `operands`: what a statement itself
    reads."""

    owner: dict[int, Var]
    operands: Operands
    buffers: set[int] = field(default_factory=set)
    """Those that are the only reference where they are defined."""
    handed_on: dict[int, int] = field(default_factory=dict)
    """How often, on any one path, a buffer is given to something that may keep a reference to it."""
    _clock: int = 0
    _last: dict[int, int] = field(default_factory=dict)
    _home: dict[int, int] = field(default_factory=dict)
    _overs: list[_HandOver] = field(default_factory=list)
    _follows: dict[int, list[int]] = field(default_factory=dict)

    def run(self, procedure: Procedure) -> None:
        """Find them."""
        self._body(procedure.body, OUTSIDE)
        self._give(procedure.results)
        shared = [over.target for over in self._overs if not self._holds(over)]
        for over in self._overs:
            self._follows.setdefault(over.source, []).append(over.target)
        while shared:
            number = shared.pop()
            if number in self.buffers:
                self.buffers.discard(number)
                shared += self._follows.get(number, ())

    def _holds(self, over: _HandOver) -> bool:
        source = over.source
        return (source in self.buffers and self.handed_on.get(source) == 1 and self._home[source] == over.place
                and self._last.get(source, 0) <= over.until)  # fmt: skip

    def _body(self, body: list[Statement], loop: int) -> None:
        for statement in body:
            self._use(self.operands(statement))
            match statement:
                case For() | While():
                    self._loop(statement, loop)
                case If():
                    self._branch(statement, loop)
                case Alloc():
                    self._define(statement.buffer, loop)
                case Store():
                    self._give((statement.value,))
                case Box() | Call():
                    self._give(statement.args)
                case Take():
                    self._give((statement.source,))
                case Own():
                    self._give((statement.source,))
                    self._define(statement.buffer, loop)

    def _loop(self, loop: For | While, around: int) -> None:
        here, begin = id(loop), self._clock
        self._give(loop.initial)
        for var in loop.carried:
            self._define(var, here)
        if isinstance(loop, While):
            outer, self.handed_on = self.handed_on, {}
            self._body(loop.test_body, here)
            self.buffers.difference_update(self.handed_on)
            outer.update((number, outer.get(number, 0) + 2) for number in self.handed_on)
            self.handed_on = outer
        self._body(loop.body, here)
        self._use(loop.yields)
        self._give(loop.yields)
        for carried, result, first, later in zip(loop.carried, loop.results, loop.initial, loop.yields, strict=True):
            if carried.type == BUFFER:
                self._define(result, around)
                self._hand_over(first, carried, begin, around)
                self._hand_over(later, carried, self._clock, here)
                self._follows.setdefault(carried.id, []).append(result.id)

    def _branch(self, branch: If, loop: int) -> None:
        outer, counts = self.handed_on, []
        for side, yields in ((branch.then_body, branch.then_yields), (branch.else_body, branch.else_yields)):
            self.handed_on = {}
            self._body(side, loop)
            self._use(yields)
            self._give(yields)
            counts.append(self.handed_on)
        first, second = counts
        for number in first.keys() | second.keys():
            outer[number] = outer.get(number, 0) + max(first.get(number, 0), second.get(number, 0))
        self.handed_on = outer
        for result, one, other in zip(branch.results, branch.then_yields, branch.else_yields, strict=True):
            if result.type == BUFFER:
                self._define(result, loop)
                self._hand_over(one, result, self._clock, loop)
                self._hand_over(other, result, self._clock, loop)

    def _hand_over(self, source: Operand, target: Var, until: int, place: int) -> None:
        number = source.id if isinstance(source, Var) else -1
        self._overs.append(_HandOver(number, target.id, until, place))

    def _define(self, var: Var, loop: int) -> None:
        if var.type == BUFFER:
            self.buffers.add(var.id)
            self._home[var.id] = loop

    def _use(self, operands: Iterable[Operand]) -> None:
        self._clock += 1
        for operand in operands:
            if isinstance(operand, Var):
                owner = operand if operand.type == BUFFER else self.owner.get(operand.id)
                if owner is not None:
                    self._last[owner.id] = self._clock

    def _give(self, operands: Iterable[Operand]) -> None:
        for operand in operands:
            if isinstance(operand, Var) and operand.type == BUFFER:
                self.handed_on[operand.id] = self.handed_on.get(operand.id, 0) + 1
