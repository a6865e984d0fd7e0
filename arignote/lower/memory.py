"""Ownership: where references to buffers are taken, handed over and given back.

The lowering writes code as if memory were collected. This pass then walks every procedure backwards, once, and makes
the counts precise, in the manner of Perceus (Reinking, Xie, de Moura, Leijen, 2021), on structured control flow:

- A buffer variable that a statement defines owns one reference. Parameters are borrowed, but for those that are written
  in place (`consumption.py`). So are buffers that are read from a box, which keeps them alive as long as it is alive:
  using them is using the box.
- Values yielded by a region, initial values of a loop, results, arguments of a call that takes them over, buffers
  stored into memory or a box, and `Take` consume
  a reference: it is handed over where it was the last use, otherwise `Retain` comes before. Everything else borrows,
  and is followed by `Release` where it was the last use.
- `Own` is memory that nobody else sees: the source itself where it dies there and is known to be the only reference
  (an allocation, or what an earlier `Own` gave); otherwise that is asked at run time, and a copy made if need be.
- A buffer that dies in only one side of a branch is released at the beginning of the other.
- Inside a loop, what comes from outside is borrowed.
- A statement that can leave the procedure names the buffers that are alive there.

A pointer keeps its buffer alive: the pointer defined (or loaded) right after a buffer belongs to it, and a pointer
derived from another belongs where that belongs. A buffer loaded from memory is retained; the lowering releases what a
store overwrites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from arignote.lower.loop_ir import (
    BUFFER,
    Alloc,
    Box,
    Call,
    Const,
    Extern,
    For,
    If,
    Kernel,
    Let,
    Load,
    Operand,
    ParallelMap,
    Procedure,
    RaiseIf,
    Release,
    Retain,
    Statement,
    Store,
    Tag,
    Unbox,
    Unique,
    Var,
    While,
    element_of,
    is_pointer,
)
from arignote.lower.reuse import BodyUse, find_carried, find_reuse, hand_on_in_place, work_in_place
from arignote.lower.sole import Sole
from arignote.lower.taking import Own, Take

ZERO = Const(0, "int64")
NOTHING_CONSUMED: Mapping[str, frozenset[int]] = MappingProxyType({})


def copy_procedure(dtype: str) -> str:
    """The name of the procedure (address, count) -> (buffer, address) that copies elements; functions of users have
    other names."""
    return f"copy.{dtype}"


def insert_ownership(
    procedure: Procedure, new_variable: Callable[[str], Var], consumed: Mapping[str, frozenset[int]] = NOTHING_CONSUMED
) -> set[str]:
    """Insert Retain and Release, and the `live` lists of everything that can fail. Gives the types of elements for
    which the procedure needs a `copy_procedure`. `consumed`: the parameters that each procedure takes over."""
    ownership = _Ownership(procedure, new_variable, consumed)
    ownership.run()
    return ownership.copied


class _Ownership:
    def __init__(
        self, procedure: Procedure, new_variable: Callable[[str], Var], consumed: Mapping[str, frozenset[int]]
    ) -> None:
        self.procedure, self.new_variable, self.consumed = procedure, new_variable, consumed
        mine = consumed.get(procedure.name, frozenset())
        procedure.consumed = tuple([var for i, var in enumerate(procedure.parameters) if i in mine])
        self.copied: set[str] = set()
        self.owner: dict[int, Var] = {}
        self.box: dict[int, Var] = {}
        self.alias: dict[int, Var] = {}
        self.borrowed: set[int] = {
            var.id for i, var in enumerate(procedure.parameters) if var.type == BUFFER and i not in mine
        }
        self.null: set[int] = set()
        self.handed_on: dict[int, int] = {}
        """How often, on any one path, a buffer is given to something that may keep a reference to it."""
        self.only: set[int] = set()
        """Buffers that are the only reference when they are defined."""
        self.own_already: dict[int, Var] = {}
        """Results that turned out to be nobody else's: what they are under their first name."""
        self.with_kernels: list[BodyUse] = []
        self.loops: dict[int, For | While] = {}
        """The loops, by the identity of their bodies."""
        self.captured: dict[int, dict[int, Var]] = {}
        self._pair(procedure.parameters)

    def run(self) -> None:
        self._survey(self.procedure.body)
        results = self.procedure.results
        sole = Sole(self.owner, self._operands)
        sole.run(self.procedure)
        self.only, self.handed_on = sole.buffers, sole.handed_on
        self._reuse()
        body, alive = self._rewrite(self.procedure.body, {}, {}, results)
        self.procedure.body[:] = [Release(var) for var in self.procedure.consumed if var.id not in alive] + body
        own = tuple([self.own_already.get(x.id, x) if isinstance(x, Var) else x for x in results])
        self.procedure.results = self._named(own)

    # First walk: which buffer a pointer belongs to, and which buffers from outside a loop uses.

    def _pair(self, variables: Iterable[Var]) -> None:
        last: Var | None = None
        for var in variables:
            if is_pointer(var.type) and last is not None:
                self.owner[var.id] = last
            last = var if var.type == BUFFER else None

    def _survey(self, body: list[Statement]) -> dict[int, Var]:
        """Buffers used in the body, those defined in it included."""
        used: dict[int, Var] = {}
        uses = BodyUse(body)
        loaded: Var | None = None
        for statement in body:
            mine: dict[int, Var] = {}
            for operand in self._operands(statement):
                self._use(operand, mine)
            self._survey_one(statement, mine)
            uses.used.append(mine)
            used.update(mine)
            if isinstance(statement, Load) and is_pointer(statement.var.type) and loaded is not None:
                self.owner[statement.var.id] = loaded
            loaded = statement.var if isinstance(statement, Load) and statement.var.type == BUFFER else None
        if any(isinstance(statement, Kernel) for statement in body):
            self.with_kernels.append(uses)
        return used

    def _reuse(self) -> None:
        """Allocations that take over the memory of what dies there."""
        for uses in self.with_kernels:
            found = find_reuse(uses, self.handed_on, self.owner)
            place = {id(each): number for number, each in enumerate(uses.body)} if found else {}
            for reuse in found:
                work_in_place(reuse)
                new, old = reuse.new, reuse.old
                uses.body[place[id(new)]] = Take(new.buffer, new.pointer, old.buffer, old.pointer)
                self.alias[new.buffer.id] = old.buffer
            loop = self.loops.get(id(uses.body))
            for carried in find_carried(uses, loop, self.handed_on, self.owner) if loop is not None else ():
                hand_on_in_place(uses.body, carried)
                self.handed_on[carried.buffer.id] = 1
        self.alias = {number: self._root(buffer) for number, buffer in self.alias.items()}

    def _root(self, buffer: Var) -> Var:
        while buffer.id in self.alias:
            buffer = self.alias[buffer.id]
        return buffer

    def _survey_one(self, statement: Statement, used: dict[int, Var]) -> None:
        match statement:
            case Let():
                if statement.args and isinstance(statement.args[0], Var) and is_pointer(statement.var.type):
                    source = statement.args[0]
                    owner = source if source.type == BUFFER else self.owner.get(source.id)
                    if owner is not None:
                        self.owner[statement.var.id] = owner
                elif statement.var.type == BUFFER:
                    self.borrowed.add(statement.var.id)
                    if statement.op == "null":
                        self.null.add(statement.var.id)
            case Alloc() | Own():
                self.owner[statement.pointer.id] = statement.buffer
            case Unbox():
                self._survey_unbox(statement)
            case Take():
                self.owner[statement.pointer.id] = statement.buffer
                self.alias[statement.buffer.id] = statement.source
            case For() | While():
                self._pair(statement.carried)
                self.loops[id(statement.body)] = statement
                inner: dict[int, Var] = {}
                if isinstance(statement, While):
                    inner.update(self._survey(statement.test_body))
                inner.update(self._survey(statement.body))
                for operand in statement.yields:
                    self._use(operand, inner)
                self.captured[id(statement)] = inner
                used.update(inner)
                self._pair(statement.results)
            case If():
                for side, yields in ((statement.then_body, statement.then_yields),
                                     (statement.else_body, statement.else_yields)):  # fmt: skip
                    used.update(self._survey(side))
                    for operand in yields:
                        self._use(operand, used)
                self._pair(statement.results)
            case Call() | Extern():
                self._pair(statement.results)

    def _survey_unbox(self, statement: Unbox) -> None:
        """What is read from a box belongs to it, or to the box that it was read from."""
        self._pair(statement.results)
        assert isinstance(statement.buffer, Var)
        box = self.box.get(statement.buffer.id, statement.buffer)
        for var in statement.results:
            if var.type == BUFFER:
                self.box[var.id] = box

    def _operands(self, statement: Statement) -> tuple[Operand, ...]:
        """What a statement itself reads, without what its bodies read."""
        match statement:
            case Let() | Call() | Extern() | Box():
                return statement.args
            case ParallelMap():
                return (*statement.args, *statement.targets)
            case Load():
                return (statement.pointer,)
            case Store():
                return (statement.pointer, statement.value)
            case Unique() | Tag() | Unbox():
                return (statement.buffer,)
            case Take() | Own():
                return (statement.source,)
            case For() | While():
                return statement.initial
            case Kernel():
                return (*statement.reads, *statement.writes)
        return ()

    def _use(self, operand: Operand, used: dict[int, Var]) -> None:
        if isinstance(operand, Var):
            owner = operand if operand.type == BUFFER else self.owner.get(operand.id)
            if owner is not None:
                owner = self.box.get(owner.id, owner)
            if owner is not None and owner.id not in self.borrowed:
                used[owner.id] = owner

    def _alias(self, buffer: Var) -> Var:
        return self.alias.get(buffer.id, buffer)

    def _named(self, operands: tuple[Operand, ...]) -> tuple[Operand, ...]:
        return tuple([self._alias(x) if isinstance(x, Var) and x.type == BUFFER else x for x in operands])

    # Second walk, backwards.

    def _rewrite(self, body: list[Statement], after: dict[int, Var], outside: dict[int, Var],
                 yields: tuple[Operand, ...]) -> tuple[list[Statement], dict[int, Var]]:  # fmt: skip
        """The body with references counted, and what is alive where it begins.

        after:   owned buffers alive after the body, which it may consume
        outside: owned buffers of enclosing loops, which it may not
        """
        live = dict(after)
        backwards: list[Statement] = []
        self._consume(yields, live, outside, backwards)
        for statement in reversed(body):
            self._statement(statement, live, outside, backwards)
        backwards.reverse()
        return backwards, live

    def _statement(self, statement: Statement, live: dict[int, Var], outside: dict[int, Var],
                   out: list[Statement]) -> None:  # fmt: skip
        match statement:
            case If():
                self._branch(statement, live, outside, out)
            case For() | While():
                self._loop(statement, live, outside, out)
            case Take():
                self._take(statement, live, outside, out)
            case Own():
                self._own(statement, live, outside, out)
            case _:
                self._plain(statement, live, outside, out)

    def _drop_unused(self, defined: Iterable[Var], live: dict[int, Var], out: list[Statement]) -> None:
        """Definitions: release at once what nobody uses."""
        for var in defined:
            if var.type == BUFFER and var.id not in self.borrowed and live.pop(var.id, None) is None:
                out.append(Release(self._alias(var)))

    def _borrow(self, operands: Iterable[Operand], live: dict[int, Var], outside: dict[int, Var],
                out: list[Statement]) -> None:  # fmt: skip
        """Uses that borrow: after the last one the buffer is released."""
        used: dict[int, Var] = {}
        for operand in operands:
            self._use(operand, used)
        for number, var in used.items():
            if number not in live and number not in outside:
                out.append(Release(self._alias(var)))
                live[number] = var

    def _consume(self, operands: Iterable[Operand], live: dict[int, Var], outside: dict[int, Var],
                 out: list[Statement]) -> None:  # fmt: skip
        """Uses that hand a reference over; `Retain` where it cannot be handed over."""
        buffers = [x for x in operands if isinstance(x, Var) and x.type == BUFFER and x.id not in self.null]
        for operand in buffers:
            number = operand.id
            if number in self.box:
                continue
            if number in live or number in outside or number in self.borrowed:
                out.append(Retain(self._alias(operand)))
            else:
                live[number] = operand
        kept = [x for x in buffers if x.id in self.box]
        self._borrow(kept, live, outside, out)
        out.extend(Retain(operand) for operand in kept)

    def _alive(self, live: dict[int, Var], outside: dict[int, Var]) -> tuple[Var, ...]:
        return tuple([self._alias(var) for var in (*outside.values(), *live.values())])

    def _plain(self, statement: Statement, live: dict[int, Var], outside: dict[int, Var],
               out: list[Statement]) -> None:  # fmt: skip
        match statement:
            case Let() | Unique() | Kernel() | Tag() | Unbox():
                self._borrow(self._operands(statement), live, outside, out)
                if isinstance(statement, Unique) and isinstance(statement.buffer, Var):
                    statement.buffer = self._alias(statement.buffer)
                elif isinstance(statement, Let):
                    statement.args = self._named(statement.args)
            case Load():
                if statement.var.type == BUFFER:
                    self._drop_unused((statement.var,), live, out)
                    self._borrow((statement.pointer,), live, outside, out)
                    out.append(Retain(statement.var))
                else:
                    self._borrow((statement.pointer,), live, outside, out)
            case Store():
                self._borrow((statement.pointer,), live, outside, out)
                out.append(statement)
                self._consume((statement.value,), live, outside, out)
                statement.value = self._named((statement.value,))[0]
                return
            case Alloc():
                self._drop_unused((statement.buffer,), live, out)
                statement.live = self._alive(live, outside)
            case Box():
                self._drop_unused((statement.buffer,), live, out)
                around = self._alive(live, outside)
                out.append(statement)
                given, statement.args = statement.args, self._named(statement.args)
                # Where there is no memory for it, what it would have taken over is given back.
                owned = [x for x in statement.args if isinstance(x, Var) and x.type == BUFFER and x.id not in self.null]
                statement.live = (*around, *owned)
                self._consume(given, live, outside, out)
                return
            case RaiseIf():
                statement.live = self._alive(live, outside)
            case Call():
                self._call(statement, live, outside, out)
                return
            case ParallelMap():
                self._borrow(self._operands(statement), live, outside, out)
                statement.live = self._alive(live, outside)
                statement.args = self._named(statement.args)
            case Extern():
                self._drop_unused(statement.results, live, out)
                self._borrow(statement.args, live, outside, out)
                statement.live = self._alive(live, outside)
                statement.args = self._named(statement.args)
        out.append(statement)

    def _call(self, statement: Call, live: dict[int, Var], outside: dict[int, Var], out: list[Statement]) -> None:
        self._drop_unused(statement.results, live, out)
        given, consumed = statement.args, self.consumed.get(statement.procedure, frozenset())
        # The pointer after a buffer that is handed over points into it.
        self._borrow([x for i, x in enumerate(given) if not {i, i - 1} & consumed], live, outside, out)
        statement.live = self._alive(live, outside)
        statement.args = self._named(given)
        out.append(statement)
        self._consume([given[i] for i in sorted(consumed)], live, outside, out)

    def _take(self, statement: Take, live: dict[int, Var], outside: dict[int, Var], out: list[Statement]) -> None:
        self._drop_unused((statement.buffer,), live, out)
        out.append(Let(statement.pointer, "pointer_offset", (statement.source_pointer, ZERO)))
        self._consume((statement.source,), live, outside, out)

    def _own(self, statement: Own, live: dict[int, Var], outside: dict[int, Var], out: list[Statement]) -> None:
        buffer, pointer, source = statement.buffer, statement.pointer, statement.source
        number = source.id
        if number in self.only and self.handed_on[number] == 1 and number not in live and number not in outside:
            self._drop_unused((buffer,), live, out)
            if statement.is_result and not any(isinstance(later, If) for later in out):
                # The copy of another result would have named it among what is alive.
                self.own_already.update({buffer.id: source, pointer.id: statement.source_pointer})
            else:
                out.append(Let(pointer, "reinterpret", (statement.source_pointer,)))
                out.append(Let(buffer, "reinterpret", (self._alias(source),)))
            live[number] = source
            return
        taken, taken_pointer = self.new_variable(BUFFER), self.new_variable(pointer.type)
        copied, copied_pointer = self.new_variable(BUFFER), self.new_variable(pointer.type)
        unique = self.new_variable("bool")
        self.owner[taken_pointer.id] = taken
        self.alias[taken.id] = self._alias(source)
        dtype = element_of(pointer.type)
        self.copied.add(dtype)
        copy = Call((copied, copied_pointer), copy_procedure(dtype), (taken_pointer, statement.count))
        yields = (taken, taken_pointer), (copied, copied_pointer)
        self._branch(If(unique, [], yields[0], [copy], yields[1], (buffer, pointer)), live, outside, out)
        self._plain(Unique(unique, taken), live, outside, out)
        self._take(Take(taken, taken_pointer, source, statement.source_pointer), live, outside, out)

    def _branch(self, statement: If, live: dict[int, Var], outside: dict[int, Var], out: list[Statement]) -> None:
        self._drop_unused(statement.results, live, out)
        sides = [
            self._rewrite(statement.then_body, live, outside, statement.then_yields),
            self._rewrite(statement.else_body, live, outside, statement.else_yields),
        ]
        before: dict[int, Var] = {}
        for _, alive in sides:
            before.update(alive)
        for body, alive in sides:
            dead = [Release(self._alias(var)) for number, var in before.items() if number not in alive]
            body[:0] = dead
        statement.then_body[:], statement.else_body[:] = sides[0][0], sides[1][0]
        statement.then_yields, statement.else_yields = map(self._named, (statement.then_yields, statement.else_yields))
        live.clear()
        live.update(before)
        out.append(statement)

    def _loop(self, statement: For | While, live: dict[int, Var], outside: dict[int, Var],
              out: list[Statement]) -> None:  # fmt: skip
        self._drop_unused(statement.results, live, out)
        captured = self.captured[id(statement)]
        defined = self._defined_inside(statement)
        used = [var for number, var in captured.items() if number not in defined]
        self._borrow(used, live, outside, out)
        around = {**outside, **live}
        self._loop_bodies(statement, around)
        out.append(statement)
        self._consume(statement.initial, live, outside, out)
        statement.initial = self._named(statement.initial)
        statement.yields = self._named(statement.yields)

    def _loop_bodies(self, statement: For | While, around: dict[int, Var]) -> None:
        """Bodies: carried buffers belong to each iteration, everything else is borrowed."""
        carried = {var.id: var for var in statement.carried if var.type == BUFFER}
        body, alive = self._rewrite(statement.body, {}, around, statement.yields)
        statement.body[:] = [Release(var) for number, var in carried.items() if number not in alive] + body
        if isinstance(statement, While):
            # Until the test is made, whatever is carried stays alive: it is the body's or the result's.
            test, _ = self._rewrite(statement.test_body, {}, {**around, **carried}, ())
            statement.test_body[:] = test

    def _defined_inside(self, statement: For | While) -> set[int]:
        """Numbers of the buffers that a loop defines; gathered once per loop while its bodies are walked."""
        found = {var.id for var in statement.carried}
        stack: list[Statement] = [*statement.body]
        if isinstance(statement, While):
            stack += statement.test_body
        while stack:
            inner = stack.pop()
            match inner:
                case Alloc() | Take() | Own() | Box():
                    found.add(inner.buffer.id)
                case Load():
                    found.add(inner.var.id)
                case Call() | Extern():
                    found.update(var.id for var in inner.results)
                case If():
                    found.update(var.id for var in inner.results)
                    stack += inner.then_body
                    stack += inner.else_body
                case For():
                    found.update(var.id for var in (*inner.carried, *inner.results))
                    stack += inner.body
                case While():
                    found.update(var.id for var in (*inner.carried, *inner.results))
                    stack += inner.body
                    stack += inner.test_body
        return found
