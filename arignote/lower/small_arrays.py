"""Small arrays of known size in loops: made without a loop nest of their own, and kept in the frame.

    while ... {                                 scratch p = 4
        alloc b, p = 4                          while ... {
        kernel { for i in 1 { store p = x } }       store p at 0 = x
        kernel { for i in 4 { ... } }      ->       for i in 4 { ... }
        y = load p at 3                             y = load p at 3
        release b                               }
    }

A kernel is a function, whose call costs more than a few elements do; and numbers that were stored as parts of a vector
are not there yet when they are read one by one. So a cheap kernel of unknown size has a second form beside it, which
goes through few elements one after the other. What has a known size, lives in one iteration
and is handed to nobody needs no memory of its own: in the frame, LLVM keeps it in registers where all places are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from arignote.lower.lazy import element_cost
from arignote.lower.loop_ir import (
    BOOL,
    BUFFER,
    INT64,
    Alloc,
    Const,
    For,
    If,
    Kernel,
    Let,
    Load,
    Operand,
    Procedure,
    Release,
    Retain,
    Scratch,
    Statement,
    Store,
    Type,
    Var,
    While,
    bodies,
    operands,
    walk,
)
from arignote.lower.renaming import rename

NewVariable = Callable[[Type], Var]
FEW_ELEMENTS = 4
"""So many elements are done one by one."""
CHEAP_BODY = 12
"""What an element may cost for that."""
FEW_STATEMENTS = 96
"""What a kernel may execute at most to be written in place, as many as LLVM unrolls without harm."""
SMALL = 64
"""Elements of an array in the frame."""
MOST_IN_FRAME = 512
"""Elements of all of them in one procedure."""


def keep_small_arrays(procedure: Procedure, new_variable: NewVariable) -> None:
    """Rewrite the loops of a procedure."""
    loops = list(_loops(procedure.body))
    for loop in loops:
        for body in bodies(loop):
            _write_in_place(body, new_variable)
    if any(isinstance(each, Alloc) and _is_small(each) for loop in loops for each in walk([loop])):
        _Frame(procedure).use(loops)


def _loops(body: list[Statement]) -> Iterator[Statement]:
    """The outermost loops of a body, kernels left out."""
    for statement in body:
        if isinstance(statement, For | While):
            yield statement
        elif isinstance(statement, If):
            yield from _loops(statement.then_body)
            yield from _loops(statement.else_body)


def _write_in_place(body: list[Statement], new_variable: NewVariable) -> None:
    """Put the statements of small kernels where the kernels stand."""
    place = 0
    while place < len(body):
        statement = body[place]
        if isinstance(statement, Kernel):
            if _steps(statement.body, FEW_STATEMENTS) <= FEW_STATEMENTS:
                inside = _straight(statement.body)
                results = [Let(var, "reinterpret", (value,)) for var, value in zip(statement.results, statement.yields)]
                body[place : place + 1] = [*inside, *results]
                place += len(inside) + len(results)
                continue
            if _is_cheap(statement):
                is_small = new_variable(BOOL)
                loop: For = statement.body[0]  # type: ignore[assignment]
                body[place : place + 1] = [
                    Let(is_small, "less_equal", (loop.count, Const(FEW_ELEMENTS, INT64))),
                    If(is_small, [_one_by_one(loop, new_variable)], (), [statement], (), ()),
                ]
                place += 1
        else:
            for inner in bodies(statement):
                _write_in_place(inner, new_variable)
        place += 1


def _is_cheap(kernel: Kernel) -> bool:
    """Whether a kernel is one loop over elements, of unknown number, that cost little."""
    loop = kernel.body[0]
    return (
        isinstance(loop, For)
        and len(kernel.body) == 1
        and not (kernel.results or loop.carried or isinstance(loop.count, Const))
        and len(loop.body) <= CHEAP_BODY
        and all(isinstance(each, Let | Load | Store) for each in loop.body)
        and sum(element_cost(each.op) for each in loop.body if isinstance(each, Let)) <= CHEAP_BODY
    )


def _one_by_one(loop: For, new_variable: NewVariable) -> For:
    """The same loop without vectors."""
    index = new_variable(INT64)
    names: dict[int, Operand] = {loop.index.id: index}
    body: list[Statement] = []
    for each in loop.body:
        if isinstance(each, Store):
            body.append(Store(each.pointer, each.offset, each.value))
            continue
        var = new_variable(each.var.type)  # type: ignore[union-attr]
        body.append(Let(var, each.op, each.args) if isinstance(each, Let) else Load(var, each.pointer, each.offset))  # type: ignore[union-attr]
        names[each.var.id] = var  # type: ignore[union-attr]
    rename(body, names)
    return For(index, loop.count, (), (), body, (), ())


def _steps(body: list[Statement], limit: int) -> int:
    """How many statements run, if that is known and only simple ones do; more than the limit otherwise."""
    total = 0
    for statement in body:
        if isinstance(statement, For) and isinstance(statement.count, Const):
            total += max(int(statement.count.value), 0) * (1 + _steps(statement.body, limit))
        elif isinstance(statement, If):
            total += 1 + _steps(statement.then_body, limit) + _steps(statement.else_body, limit)
        elif isinstance(statement, Let | Load | Store | Scratch):
            total += 1
        else:
            return limit + 1
        if total > limit:
            return limit + 1
    return total


def _straight(body: list[Statement]) -> list[Statement]:
    """A body whose loops are no longer a kernel's; those of one iteration are gone."""
    found: list[Statement] = []
    for statement in body:
        if not isinstance(statement, For):
            found.append(statement)
            continue
        statement.body[:] = _straight(statement.body)
        statement.parallel, statement.grain = False, None
        if isinstance(statement.count, Const) and statement.count.value == 1 and not statement.carried:
            rename(statement.body, {statement.index.id: Const(0, statement.index.type)})
            found += statement.body
        else:
            found.append(statement)
    return found


def _is_small(alloc: Alloc) -> bool:
    return isinstance(alloc.count, Const) and 0 < alloc.count.value <= SMALL and alloc.pointer.type != "ptr[buffer]"


class _Frame:
    def __init__(self, procedure: Procedure) -> None:
        self.procedure = procedure
        self.room = MOST_IN_FRAME
        self.handed_on = {value.id for value in procedure.results if isinstance(value, Var)}
        self.names: dict[int, int] = {}
        """The first name of each buffer that has another: what an update in place gives is the same memory."""
        for statement in walk(procedure.body):
            if _is_new_name(statement):
                source = statement.args[0].id  # type: ignore[union-attr]
                self.names[statement.var.id] = self.names.get(source, source)  # type: ignore[union-attr]
            elif not isinstance(statement, Retain | Release):
                self.handed_on.update(value.id for value in _taken(statement) if isinstance(value, Var))
        self.handed_on.update([first for name, first in self.names.items() if name in self.handed_on])

    def use(self, loops: list[Statement]) -> None:
        """Arrays that are handed to nobody lie in the frame."""
        gone: set[int] = set()
        for loop in loops:
            for body in _all_bodies(loop):
                for place, statement in enumerate(body):
                    if isinstance(statement, Alloc) and self._fits(statement):
                        count = int(statement.count.value)  # type: ignore[union-attr]
                        self.room -= count
                        gone.add(statement.buffer.id)
                        body[place] = Scratch(statement.pointer, count)
        if gone:
            gone.update([name for name, first in self.names.items() if first in gone])
            _forget(self.procedure.body, gone)

    def _fits(self, alloc: Alloc) -> bool:
        return (
            _is_small(alloc)
            and int(alloc.count.value) <= self.room  # type: ignore[union-attr]
            and alloc.buffer.id not in self.handed_on
        )


def _taken(statement: Statement) -> tuple[Operand, ...]:
    """The operands of a statement, without what is only alive there."""
    alive = getattr(statement, "live", ())
    every = operands(statement)
    return every[: len(every) - len(alive)] if alive else every


def _all_bodies(statement: Statement) -> Iterator[list[Statement]]:
    for each in walk([statement]):
        if not isinstance(each, Kernel):
            yield from bodies(each)


def _forget(body: list[Statement], gone: set[int]) -> None:
    """Take the counting of references away."""
    body[:] = [
        each
        for each in body
        if not (isinstance(each, Retain | Release) and _number(each.buffer) in gone)
        and not (_is_new_name(each) and each.var.id in gone)  # type: ignore[union-attr]
    ]
    for statement in body:
        live = getattr(statement, "live", ())
        if any(var.id in gone for var in live):
            statement.live = tuple([var for var in live if var.id not in gone])  # type: ignore[union-attr]
        for inner in bodies(statement):
            _forget(inner, gone)


def _is_new_name(statement: Statement) -> bool:
    """Whether a statement gives a buffer another name."""
    return (
        isinstance(statement, Let)
        and statement.op == "reinterpret"
        and statement.var.type == BUFFER
        and isinstance(statement.args[0], Var)
        and statement.args[0].type == BUFFER
    )


def _number(buffer: Operand) -> int:
    return buffer.id if isinstance(buffer, Var) else -1
