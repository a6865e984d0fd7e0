"""Elements at a place that does not change while a loop runs stay in registers.

    for j in n carried(a) {                     for j in n carried(a, s) {
        s = load a at k                             old = first? load a at k : s
        store a at k = s + f(j)         ->          new = old + f(j)
        t = load a at j - 1 - n                     t = load a at j - 1 - n
        yield(a)                                    yield(a, new)
    } -> (b)                                    } -> (b, s)
                                                if 0 < n { store b at k = s }

Each addition would wait for the memory to give back what the one before has put there. This is done in innermost loops
where all that they touch of the array is at other places, or at this one on the straight path of the body. The first
iteration reads where the loop did, behind the checks that stand in front of it; where there are none, the read stands
in front of the loop. An error that leaves the loop leaves behind arrays that nobody will read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import gcd

from arignote.ir.records import dataclass, field
from arignote.lower.independence import Independence
from arignote.lower.loop_ir import (
    BOOL,
    FLOATS,
    INT64,
    SCALARS,
    Const,
    For,
    If,
    Let,
    Load,
    Operand,
    Procedure,
    RaiseIf,
    Statement,
    Store,
    Type,
    Var,
    definitions,
    element_of,
    walk,
)
from arignote.lower.plain_loops import Around, rewrite_plain_loops
from arignote.lower.polynomials import Polynomial, plus

NewVariable = Callable[[Type], Var]
MOST_HELD = 12
"""So many elements at most: what is carried beyond that lies in memory again."""


def hold_elements(procedure: Procedure, new_variable: NewVariable) -> None:
    """Rewrite the innermost loops of a procedure."""
    every = list(walk(procedure.body))
    if not any(isinstance(each, Store) for each in every):
        return
    outside = {each.var.id: each for each in every if isinstance(each, Let)}
    variables = {var.id: var for each in every for var in definitions(each)}
    variables.update((var.id, var) for var in procedure.parameters)
    rewrite_plain_loops(procedure, lambda loop, inner: _Loop(loop, outside, variables, new_variable).rewrite())


@dataclass(slots=True, eq=False)
class _Element:
    """One place of one array, and the statements of the body that read and write it."""

    pointer: Var
    place: Polynomial
    touches: list[Load | Store] = field(default_factory=list)
    offset: Operand | None = None
    previous: Var | None = None
    now: Operand | None = None


class _Loop:
    def __init__(self, loop: For, outside: Mapping[int, Let], variables: Mapping[int, Var],
                 new_variable: NewVariable) -> None:  # fmt: skip
        self.loop, self.variables, self.new_variable = loop, variables, new_variable
        self.found = Independence(loop, outside)

    def rewrite(self) -> Around:
        """Carry what is held; the statements that belong in front of the loop and after it."""
        straight = {id(each) for each in self.loop.body}
        stores = [each for each in self.loop.body if isinstance(each, Store)]
        plain = all(isinstance(each, RaiseIf) or self.found.is_plain(each) for each in self.found.inner)
        if not stores or not plain or not self.found.hands_on_references():
            return [], []
        held = [element for element in self._elements() if self._is_held(element, straight)][:MOST_HELD]
        return self._carry(held) if held else ([], [])

    # What can be held

    def _elements(self) -> list[_Element]:
        """The elements of arrays that the loop writes and reaches through one address only, apart from one another."""
        arrays: dict[int, list[_Element]] = {}
        unclear: set[int] = set()
        written: set[int] = set()
        for each in self.found.inner:
            if not isinstance(each, Load | Store):
                continue
            pointer, place = self.found.place(each.pointer, each.offset)
            elements = arrays.setdefault(pointer.id, [])
            if isinstance(each, Store):
                written.add(pointer.id)
            if place is None or pointer.id in self.found.made or pointer.type != each.pointer.type:
                unclear.add(pointer.id)
                continue
            same = next((element for element in elements if element.place == place), None)
            if same is None:
                elements.append(same := _Element(pointer, place))
            same.touches.append(each)
        bases = {number: self.found.base(self.variables[number]) for number in arrays}
        alone = [number for number in arrays if number in written - unclear
                 and list(bases.values()).count(bases[number]) == 1]  # fmt: skip
        return [one for number in alone for one in arrays[number] if element_of(one.pointer.type) in SCALARS
                and all(one is other or self._differ(one, other) for other in arrays[number])]  # fmt: skip

    def _is_held(self, element: _Element, straight: set[int]) -> bool:
        """Whether an element is in the same place all the time, read first, and written on the straight path."""
        return (
            isinstance(element.touches[0], Load)
            and any(isinstance(each, Store) for each in element.touches)
            and all(id(each) in straight for each in element.touches)
            and all(number not in self.found.made and number in self.variables
                    for key in element.place for number in key)
        )  # fmt: skip

    def _differ(self, one: _Element, other: _Element) -> bool:
        """Whether two places are never the same in any two iterations, of which at least one place does not move."""
        between = plus(other.place, one.place, -1)
        if between is None:
            return False
        index = self.loop.index.id
        constant = between.get((), 0)
        if constant % (gcd(*[number for key, number in between.items() if key]) or abs(constant) + 1):
            return True
        step = between.pop((index,), 0)
        if any(index in key for key in between):
            return False
        last = plus(self.found.places.of(self.loop.count) or {}, {(): 1}, -1)
        ends = [between] if last is None else [
            between, plus(between, {key: step * number for key, number in last.items() if step})]  # fmt: skip
        return any(
            end is not None and not any(end.keys() - {()}) and end.get((), 0) * sign * (1 if step >= 0 else -1) > 0
            for end, sign in zip(ends, (1, -1))
        )

    # How

    def _carry(self, held: list[_Element]) -> Around:
        loop = self.loop
        front: list[Statement] = []
        some = self._let(front, BOOL, "less", Const(0, INT64), loop.count)
        for element in held:
            element.offset = self._offset(front, element.place)
            element.previous = element.now = self.new_variable(element_of(element.pointer.type))
        initial: list[Operand] = [_nothing(element) for element in held]
        if any(isinstance(each, RaiseIf) for each in self.found.inner):
            is_first = self.new_variable(BOOL)
            self._rewrite_body(held, is_first)
            loop.body.insert(0, Let(is_first, "equal", (loop.index, Const(0, INT64))))
        else:
            initial = list(self._read(front, some, held, initial))
            self._rewrite_body(held, None)
        results = tuple([self.new_variable(value.type) for value in initial])
        loop.carried = (*loop.carried, *[element.previous for element in held if element.previous is not None])
        loop.initial = (*loop.initial, *initial)
        loop.yields = (*loop.yields, *[element.now for element in held if element.now is not None])
        loop.results = (*loop.results, *results)
        stores: list[Statement] = [Store(element.pointer, element.offset, result)  # type: ignore[arg-type]
                                   for element, result in zip(held, results)]  # fmt: skip
        return front, [If(some, stores, (), [], (), ())]

    def _rewrite_body(self, held: list[_Element], is_first: Var | None) -> None:
        """Reads take what is held, and writes change it. Reads of the first iteration are made together up to the next
        check."""
        owner = {id(each): element for element in held for each in element.touches}
        order = {id(each): place for place, each in enumerate(self.loop.body)}
        checks = [place for place, each in enumerate(self.loop.body) if isinstance(each, RaiseIf)]
        waiting = sorted(held, key=lambda element: order[id(element.touches[0])])
        body: list[Statement] = []
        for place, statement in enumerate(self.loop.body):
            element = owner.get(id(statement))
            if element is None:
                body.append(statement)
                continue
            if is_first is not None and element in waiting:
                limit = next((check for check in checks if check > place), len(order))
                together = [each for each in waiting if order[id(each.touches[0])] < limit]
                waiting = [each for each in waiting if each not in together]
                old = self._read(body, is_first, together, [each.previous for each in together])  # type: ignore[misc]
                for each, var in zip(together, old):
                    each.now = var
            if isinstance(statement, Load):
                body.append(Let(statement.var, "reinterpret", (element.now,)))  # type: ignore[arg-type]
            else:
                element.now = statement.value  # type: ignore[union-attr]
        self.loop.body[:] = body

    def _read(self, body: list[Statement], condition: Var, elements: list[_Element],
              otherwise: list[Operand]) -> list[Var]:  # fmt: skip
        """Elements from memory where a condition holds."""
        loads: list[Statement] = []
        read: list[Operand] = []
        for element, value in zip(elements, otherwise):
            var = self.new_variable(value.type)
            loads.append(Load(var, element.pointer, element.offset))  # type: ignore[arg-type]
            read.append(var)
        results = tuple([self.new_variable(value.type) for value in otherwise])
        body.append(If(condition, loads, tuple(read), [], tuple(otherwise), results))
        return list(results)

    def _offset(self, front: list[Statement], place: Polynomial) -> Operand:
        """A place in front of the loop."""
        total: Operand | None = None
        for key, number in place.items():
            term: Operand = Const(number, INT64)
            for factor in key:
                variable = self.variables[factor]
                is_one = isinstance(term, Const) and term.value == 1
                term = variable if is_one else self._let(front, INT64, "multiply", term, variable)
            total = term if total is None else self._let(front, INT64, "add", total, term)
        return Const(0, INT64) if total is None else total

    def _let(self, front: list[Statement], type_: Type, op: str, *args: Operand) -> Var:
        var = self.new_variable(type_)
        front.append(Let(var, op, args))
        return var


def _nothing(element: _Element) -> Const:
    type_ = element_of(element.pointer.type)
    return Const(False if type_ == BOOL else 0.0 if type_ in FLOATS else 0, type_)
