"""Which parameters a procedure takes over: those that it writes in place, or passes to one that does.

Of such a buffer the caller hands over its reference. A sum that is passed from call to call, as the gradient of a
recursive function is, is then never copied: each call adds to the memory of the one before. All other parameters are
borrowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from arignote.ir.records import dataclass, field
from arignote.lower.loop_ir import BUFFER, Call, For, Operand, ParallelMap, Procedure, Var, While, walk
from arignote.lower.taking import Own, Take

Positions = frozenset[int]
NOTHING: Positions = frozenset()


@dataclass(slots=True)
class _Passing:
    """Of one procedure: the parameters that it takes over, and those that it passes on, as (callee, position)."""

    taken: set[int] = field(default_factory=set)
    passed: dict[tuple[str, int], set[int]] = field(default_factory=dict)


def consumed_positions(procedures: Iterable[Procedure]) -> dict[str, Positions]:
    """For each procedure the positions of the parameters that it takes over: none of the entry, which is the first, or
    of what is called several times with the same operands."""
    given = list(procedures)
    borrowing = {given[0].name, *[statement.procedure for procedure in given for statement in walk(procedure.body)
                                  if isinstance(statement, ParallelMap)]}  # fmt: skip
    passing = {procedure.name: _passing(procedure) for procedure in given if procedure.name not in borrowing}
    changed = True
    while changed:
        changed = False
        for one in passing.values():
            for (callee, position), passed in one.passed.items():
                if callee in passing and position in passing[callee].taken and not passed <= one.taken:
                    one.taken |= passed
                    changed = True
    return {**dict.fromkeys(borrowing, NOTHING), **{name: frozenset(one.taken) for name, one in passing.items()}}


def _passing(procedure: Procedure) -> _Passing:
    found = _Passing()
    place = {var.id: i for i, var in enumerate(procedure.parameters) if var.type == BUFFER}
    for statement in walk(procedure.body):
        match statement:
            case Own() | Take():
                found.taken.update(_of((statement.source,), place))
            case For() | While():
                found.taken.update(_of(statement.initial, place))
            case Call():
                for position, argument in enumerate(statement.args):
                    for parameter in _of((argument,), place):
                        found.passed.setdefault((statement.procedure, position), set()).add(parameter)
    return found


def _of(operands: Iterable[Operand], place: dict[int, int]) -> Iterator[int]:
    for operand in operands:
        if isinstance(operand, Var) and operand.id in place:
            yield place[operand.id]
