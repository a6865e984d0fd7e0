"""Loops: a body is interpreted with its carried state unknown, until the types that it assumes are those that it
leaves.

What a loop carries: every variable that the body assigns and that somebody reads later (another iteration, or what
comes after), and every cell that it changes in place. A first guess comes from the syntax, the journal tells the rest.
Each attempt starts from wider types than the one before, so that there are few; the last one's types are remembered
for the next time that the same loop is met (the body of an outer loop is interpreted again, too).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from arignote.frontend import analysis
from arignote.frontend.coercion import coerce, coerced_roots, memory_before
from arignote.frontend.context import Raised
from arignote.frontend.function_chains import CHAIN_HINT, chain_of, show_chain
from arignote.frontend.join import is_unreadable, join, widen
from arignote.frontend.scope import Scope
from arignote.frontend.spec import UNBOUND, Flat, Roots, Spec, cell_count, leaf_types, sequence_count
from arignote.frontend.state import flatten_state, is_memory, join_states, rebuild_state, union, with_version
from arignote.frontend.values import (
    ArrayValue,
    Cell,
    Elements,
    Memory,
    Mutable,
    PartialValue,
    ScalarValue,
    Static,
    Unbound,
    Value,
    Variable,
    Write,
    now,
)
from arignote.ir.graph import Node, Parameter
from arignote.ir.records import dataclass, field
from arignote.ir.structure import StaticOf
from arignote.ir.types import INT64, TOKEN

if TYPE_CHECKING:
    from arignote.frontend.context import Context

MOST_ATTEMPTS = 16
NOTHING = StaticOf(None)
LONGEST_STATIC_LIST = 64
"""A loop of so many iterations that lets a list grow is unrolled, so that the list's length stays known."""


class CannotCarry(Exception):
    """What the body leaves has another structure than what it found; only unrolling could help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(slots=True)
class Slot:
    """One thing that a loop carries.

    outside:     for each of its cells the memory from before the loop that it may share in a later iteration
    is_constant: an attempt was made with the constant that it starts with
    """

    spec: Spec
    entry: Flat
    outside: tuple[frozenset[Memory], ...] = ()
    parameters: list[Parameter] = field(default_factory=list)
    final: Flat | None = None
    version: object = None
    is_constant: bool = False

    def learn(self, spec: Spec, entry: Sequence[frozenset[Memory]], final: Sequence[frozenset[Memory]]) -> bool:
        """Note what an iteration leaves: its spec, and for each cell the memory from before the loop that it shares at
        entry and at the end. Whether that is more than the head assumed, which shares that of the entry in any case."""
        before = self.outside
        if len(before) != len(final):
            before = (frozenset().union(*before),) * len(final)
        grown = spec != self.spec or not all(new <= first | old for new, first, old in zip(final, entry, before))
        self.spec, self.outside = spec, tuple([new | old for new, old in zip(final, before)])
        return grown


class Loop:
    """One run-time loop while it is being interpreted."""

    def __init__(
        self,
        context: Context,
        node: ast.For | ast.While,
        live_head: frozenset[str],
        live_exit: frozenset[str],
        strict: bool,
    ) -> None:
        self.context, self.node = context, node
        self.live_head, self.live_exit, self.strict = live_head, live_exit, strict
        self.slots: dict[Mutable, Slot] = {}
        self.writes: dict[Memory, Write | None] = {}
        self.scope: Scope = None  # type: ignore[assignment]
        self.start = now()
        self.dead = False
        self.runs_at_least_once = False
        self.is_short = False
        self.moved = False

    # The first guess

    def guess(self, also: tuple[Variable, ...] = ()) -> None:
        """Carry what the syntax says is assigned, and the cells that it says are written."""
        frame = self.context.frame
        names = analysis.assigned(self.node.body)
        rebound = analysis.rebound(self.node.body)
        memory = frame.memory.get(self.node, {})
        for name in sorted(names):
            variable = frame.variables.get(name)
            if variable is None or name not in self.live_head:
                continue
            in_place = isinstance(variable.state, Cell) and name not in rebound
            if not in_place and not isinstance(variable.state, Unbound):
                self.add(variable, memory.get(name))
        for variable in also:
            self.add(variable, None)
        for name in sorted(analysis.written_bases(self.node.body)):
            variable = frame.variables.get(name)
            if variable is not None and isinstance(variable.state, Cell):
                self._expect_write(variable.state, variable in self.slots)

    def _expect_write(self, cell: Cell, rebound: bool) -> None:
        if any(memory.owner is not None for memory in cell.touched):
            return
        base = cell.base
        if isinstance(base, ArrayValue) and not rebound and base not in self.slots:
            self.add(base, None)
        # Who else holds the cell must not look again if what is written are the cells that the variable holds in turn.
        writer = Cell(None) if rebound else base
        for memory in cell.touched:
            self.writes.setdefault(memory, Write(writer, now(), self.context.span, memory in cell.roots))

    def add(self, mutable: Mutable, remembered: Spec | None) -> Slot:
        """Carry one more."""
        entry = flatten_state(self.context, mutable)
        spec = widen(entry.spec) if isinstance(mutable, Variable) else entry.spec
        if remembered is not None:
            spec = join(spec, remembered)
        slot = self.slots[mutable] = Slot(spec, entry)
        if isinstance(mutable.state, Elements):
            slot.version = mutable.state.version
        return slot

    # Attempts

    def interpret(self, body: Callable[[], None], index: Parameter | None) -> None:
        """Attempt the body until what it leaves fits what it assumes."""
        for number in range(MOST_ATTEMPTS):
            # The first time, a variable that is None before the loop is taken to be nothing else.
            is_guess = number == 0 and any(slot.spec is NOTHING for slot in self.slots.values())
            outer, self.context.is_first_guess = self.context.is_first_guess, is_guess
            try:
                changed = self._attempt(body, index)
            finally:
                self.context.is_first_guess = outer
            if not (changed or is_guess):
                break
        else:
            self._refuse_growing_types()
        remembered = {m.name: slot.spec for m, slot in self.slots.items() if isinstance(m, Variable) and not m.internal}
        self.context.frame.memory[self.node] = remembered

    def _refuse_growing_types(self) -> NoReturn:
        for mutable, slot in self.slots.items():
            chain = chain_of(slot.spec)
            if len(chain) > 2 and isinstance(mutable, Variable):
                message = f"'{mutable.name}' becomes longer from iteration to iteration: {show_chain(chain)}"
                if self.strict:
                    raise CannotCarry(message, CHAIN_HINT)
                self.context.error(message, hint=CHAIN_HINT)
        self.context.error("the types of the variables of this loop do not settle")

    def _attempt(self, body: Callable[[], None], index: Parameter | None) -> bool:
        context = self.context
        outer, span, facts = context.scope, context.span, context.facts
        context.scope = self.scope = Scope("loop", outer)
        self.scope.emit.span = outer.emit.span
        start = context.journal.open()
        self.dead = False
        try:
            self.assume(self.scope)
            try:
                body()
            except Raised:
                self.dead = True
            finals = {} if self.dead else self._finals(start)
        finally:
            context.journal.close()
            context.scope, context.span, context.facts = outer, span, facts
        return self._learn(finals, start)

    def assume(self, scope: Scope) -> list[Parameter]:
        """Give everything carried its unknown state in this scope; the parameters that stand for it."""
        context = self.context
        memories = self._head_memory()
        every: list[Parameter] = []
        for memory, write in self.writes.items():
            context.set(memory, write)
        for number, (mutable, slot) in enumerate(self.slots.items()):
            name = mutable.name if isinstance(mutable, Variable) else "cell"
            slot.parameters = [Parameter(name, type_) for type_ in leaf_types(slot.spec)]
            roots = memories[number]
            state = rebuild_state(mutable, slot.spec, slot.parameters, scope, roots)
            context.set(mutable, with_version(state, slot.version))
            every += slot.parameters
        return every

    def _head_memory(self) -> list[list[Roots | None]]:
        """Memory for the cells of carried variables. Each gets its own, and one more for each other that it may share
        with, at entry or after an iteration; so two arrays that swap their names in turn stay apart."""
        cells: list[tuple[int, list[Roots]]] = []
        result: list[list[Roots | None]] = []
        for number, slot in enumerate(self.slots.values()):
            count = cell_count(slot.spec)
            known = self._roots(slot)
            result.append([])
            for position in range(count):
                found = [roots[position] for roots in known]
                cells.append((number, [pair if pair is not None else (frozenset(), frozenset()) for pair in found]))
        own = [{Memory()} for _ in cells]
        for i, (_, first) in enumerate(cells):
            for j in range(i):
                second = cells[j][1]
                if any(a[0] & b[1] or a[1] & b[0] for a, b in zip(first, second)):
                    shared = Memory()
                    own[i].add(shared)
                    own[j].add(shared)
        slots = list(self.slots.values())
        for (number, sets), mine in zip(cells, own):
            before = frozenset(m for pair in sets for m in pair[1] if m.birth < self.start)
            if slots[number].outside:
                before |= slots[number].outside[len(result[number])]
            read = frozenset(mine)
            result[number].append((read, read | before))
        return result

    def _roots(self, slot: Slot) -> list[list[Roots | None]]:
        """The memory of the cells of what a slot holds at entry, and after an iteration."""
        known = [flat for flat in (slot.entry, slot.final) if flat is not None]
        return [coerced_roots(self.context, flat, slot.spec) for flat in known]

    def _finals(self, start: int) -> dict[Mutable, Any]:
        """What the body left: flat states, and the last writes."""
        context = self.context
        finals: dict[Mutable, Any] = {}
        for mutable in list(context.journal.levels[-1]):
            if mutable.birth >= start:
                continue
            if is_memory(mutable):
                finals[mutable] = mutable.state
            elif self._matters(mutable) and not self._is_same(mutable):
                finals[mutable] = flatten_state(context, mutable)
                self._check_version(mutable)
        return finals

    def _check_version(self, mutable: Mutable) -> None:
        """Elements of a list that were read before the loop are not known in it if the body moves elements."""
        slot = self.slots.get(mutable)
        if slot is None or slot.version is None:
            return
        if getattr(mutable.state, "version", None) is not slot.version:
            slot.version = None
            self.moved = True

    def _is_same(self, mutable: Mutable) -> bool:
        """Whether a variable was given the static value that it had."""
        before, after = self.context.journal.levels[-1][mutable], mutable.state
        if mutable in self.slots or not isinstance(before, Static) or not isinstance(after, Static):
            return False
        return StaticOf(before.object) is StaticOf(after.object)

    def _matters(self, mutable: Mutable) -> bool:
        if not isinstance(mutable, Variable) or mutable.internal or mutable in self.slots:
            return True
        return mutable.name in self.live_head or mutable.name in self.live_exit

    def _learn(self, finals: dict[Mutable, Any], start: int) -> bool:
        """Widen the assumptions to what was found; whether anything changed."""
        grown, self.moved = self.moved, False
        for mutable, final in finals.items():
            if is_memory(mutable):
                grown |= self._learn_write(mutable, final, start)  # type: ignore[arg-type]
                continue
            slot = self.slots.get(mutable)
            if slot is None:
                slot = self._discovered(mutable, final)
                grown = True
            slot.final = final
            spec = join_states(self.context, mutable, slot.spec, final.spec)
            if self._may_become_numpy(slot, spec):
                slot.spec, slot.is_constant, grown = slot.entry.spec, True, True
                continue
            if not isinstance(spec, StaticOf) and spec[0] == "unreadable" and spec != slot.spec and self.strict:
                raise CannotCarry(spec[1], spec[2])
            if self.is_short and sequence_count(spec) > max(map(sequence_count, (slot.spec, final.spec))):
                raise CannotCarry("lists change their lengths", "")
            entry, outside = (memory_before(self.context, flat, spec, self.start) for flat in (slot.entry, final))
            grown |= slot.learn(spec, entry, outside)
        return grown

    def _may_become_numpy(self, slot: Slot, joined: Spec) -> bool:
        """Whether to attempt the body once with the number that a variable starts with: a Python number that meets
        NumPy's float32 becomes one, where its value is known."""
        start = slot.entry.spec
        return (is_unreadable(joined) and isinstance(start, StaticOf) and type(start.value) in (int, float)
                and slot.spec == widen(start) and not slot.is_constant)  # fmt: skip

    def _learn_write(self, memory: Memory, write: Write | None, start: int) -> bool:
        if memory not in self.writes:
            self.writes[memory] = write
            return write is not None
        before = self.writes[memory]
        same = (
            before is not None
            and write is not None
            and (before.cell is write.cell or write.cell.birth >= start and before.cell.birth >= self.start)
        )
        if not same and before is not write:
            self.writes[memory] = write
            return True
        return False

    def _discovered(self, mutable: Mutable, final: Flat) -> Slot:
        named = isinstance(mutable, Variable) and not mutable.internal
        dead_at_head = named and mutable.name not in self.live_head  # type: ignore[attr-defined]
        slot = self.add(mutable, None)
        if dead_at_head:
            slot.entry, slot.spec = Flat(UNBOUND, [], []), UNBOUND
        elif not isinstance(mutable, Variable):
            slot.spec = slot.entry.spec
        return slot

    # The result

    def finish(self, emit_loop: Callable[[Any, list[Node], bool], Node], index: Parameter | None) -> None:
        """Build the body's function, emit the loop, and give everything carried its state after it.

        emit_loop(body closure, initial values, whether the token comes first) -> the loop's node."""
        context, outer = self.context, self.context.scope
        initial, parameters, results = self._carried()
        scope = self.scope
        effects = scope.has_effects
        if effects:
            parameters.insert(0, scope.entry)  # type: ignore[arg-type]
            results.insert(0, scope.token)
            initial.insert(0, outer.token)
        own = [index, *parameters] if index is not None else parameters
        function, captures = scope.finish(own, scope.emit.tuple(results))
        node = emit_loop(outer.emit.closure(function, captures), initial, effects)
        if effects:
            outer.token = outer.emit.item(node, 0)
        self._states_after(node, 1 if effects else 0)
        for memory, write in self.writes.items():
            context.set(memory, write)

    def _carried(self) -> tuple[list[Node], list[Parameter], list[Node]]:
        context, outer = self.context, self.context.scope
        initial: list[Node] = []
        parameters: list[Parameter] = []
        results: list[Node] = []
        for slot in self.slots.values():
            initial += coerce(context, slot.entry, slot.spec).nodes
            parameters += slot.parameters
            results += self._final_nodes(slot, outer)
        return initial, parameters, results

    def _final_nodes(self, slot: Slot, outer: Scope) -> list[Node]:
        context = self.context
        if self.dead:
            return [self.scope.emit.op("undefined", type=p.type) for p in slot.parameters]
        if slot.final is None:
            return list(slot.parameters)
        context.scope = self.scope
        try:
            return coerce(context, slot.final, slot.spec).nodes
        finally:
            context.scope = outer

    def _states_after(self, node: Node, first: int) -> None:
        context = self.context
        for mutable, slot in self.slots.items():
            count = len(slot.parameters)
            nodes = [context.scope.emit.item(node, first + k) for k in range(count)]
            first += count
            if isinstance(mutable, Variable) and not mutable.internal and mutable.name not in self.live_exit:
                context.set(mutable, Unbound())
                continue
            roots = [union(pairs) for pairs in zip(*self._roots(slot))]
            state = rebuild_state(mutable, slot.spec, nodes, context.scope, roots)
            if self.runs_at_least_once and isinstance(state, PartialValue):
                state = state.value
            context.set(mutable, with_version(state, slot.version))


def counted_loop(context: Context, node: ast.For, count: Value, body: Callable[[Value], None], strict: bool) -> None:
    """A loop of known count that nothing leaves early: body(index) for index = 0 .. count - 1."""
    loop = Loop(context, node, node.live_head, node.live_exit, strict)  # type: ignore[attr-defined]
    loop.runs_at_least_once = isinstance(count, Static) and count.object >= 1
    loop.is_short = strict and isinstance(count, Static) and count.object <= LONGEST_STATIC_LIST
    loop.guess()
    index = Parameter("i", INT64)

    def run() -> None:
        body(ScalarValue(index, context.scope, True, 0, _highest(count)))

    loop.interpret(run, index)
    trips = context.node(count)
    emit = context.scope.emit
    loop.finish(lambda closure, initial, effects: emit.op("for_loop", trips, closure, *initial), index)


def _highest(count: Value) -> int:
    """The largest index."""
    high = count.object if isinstance(count, Static) else count.high  # type: ignore[attr-defined]
    return max(0, high - 1)


def conditional_loop(
    context: Context,
    node: ast.For | ast.While,
    test: Callable[[bool], Value],
    body: Callable[[], None],
    also: tuple[Variable, ...],
) -> None:
    """A loop that goes on while `test` holds; `also`: variables that it carries in any case.

    test(guarded): guarded, where it may fail and must not be evaluated once control has left the loop."""
    if isinstance(node, ast.While) and any(isinstance(part, ast.NamedExpr) for part in ast.walk(node.test)):
        _rotated_loop(context, node, test, body, also)
        return
    loop = Loop(context, node, node.live_head, node.live_exit, False)  # type: ignore[union-attr]
    loop.guess(also)
    loop.interpret(body, None)
    condition = _Condition(loop, lambda: test(False))
    if not condition.try_build():
        _rotated_loop(context, node, test, body, also)
        return
    loop.finish(condition.emit_loop, None)


class _Condition:
    """The condition of a while loop as a function of what the loop carries."""

    def __init__(self, loop: Loop, test: Callable[[], Value]) -> None:
        self.loop, self.test = loop, test
        self.scope = Scope("condition", loop.context.scope)
        self.parameters: list[Parameter] = []
        self.result: Node | None = None

    def try_build(self) -> bool:
        """False if the condition may print, raise, or change anything: it must then be part of the body."""
        loop, context = self.loop, self.loop.context
        saved = {m: slot.parameters for m, slot in loop.slots.items()}
        outer, span = context.scope, context.span
        context.scope = self.scope
        self.scope.emit.span = outer.emit.span
        context.journal.open()
        try:
            self.parameters = loop.assume(self.scope)
            before = set(context.journal.levels[-1])
            states = {m: m.state for m in before}
            self.result = context.node(self.test())
            pure = all(m in before and m.state is states[m] or m.birth > loop.start for m in context.journal.levels[-1])
        except Raised:
            pure = False
        finally:
            context.journal.close()
            context.scope, context.span = outer, span
            for mutable, slot in loop.slots.items():
                slot.parameters = saved[mutable]
        return pure and not self.scope.has_effects

    def emit_loop(self, closure: Node, initial: list[Node], effects: bool) -> Node:
        outer = self.loop.context.scope
        own = [Parameter("token", TOKEN), *self.parameters] if effects else self.parameters
        assert self.result is not None
        function, captures = self.scope.finish(own, self.result)
        return outer.emit.op("while_loop", outer.emit.closure(function, captures), closure, *initial)


def _rotated_loop(
    context: Context,
    node: ast.For | ast.While,
    test: Callable[[bool], Value],
    body: Callable[[], None],
    also: tuple[Variable, ...],
) -> None:
    """A condition with effects is evaluated before the loop, and at the end of the body; its value is carried."""
    go = Variable("whether the loop goes on", Unbound(), internal=True)
    context.set(go, test(True))
    if isinstance(go.state, Static) and not go.state.object:
        return

    def run() -> None:
        body()
        context.set(go, test(True))

    loop = Loop(context, node, node.live_head, node.live_exit, False)  # type: ignore[union-attr]
    loop.guess((*also, go))
    loop.interpret(run, None)
    condition = _Condition(loop, lambda: go.state)
    assert condition.try_build()
    loop.finish(condition.emit_loop, None)
