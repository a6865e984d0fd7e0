"""What an iteration stores and the next one reads again stays in a register.

In `for i: ... = p[f(i) - 1]; p[f(i)] = v` each iteration waits for the memory to give back what the one before has put
there. Where each path through the body of an innermost loop stores one element of an array, always at the place after
the last one, reads of the place of the iteration before take its value, which the loop carries; only the first
iteration reads. What else is stored is of other types, and therefore in other memory.
"""

from __future__ import annotations

from collections.abc import Callable

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
    Statement,
    Store,
    Var,
)
from arignote.lower.plain_loops import Around, rewrite_plain_loops
from arignote.lower.polynomials import Polynomial, Polynomials

NewVariable = Callable[[str], Var]


def forward_stores(procedure: Procedure, new_variable: NewVariable) -> None:
    """Rewrite the innermost loops of a procedure."""

    def rewrite(loop: For, inner: list[Statement]) -> Around:
        _Loop(loop, inner).rewrite(new_variable)
        return [], []

    rewrite_plain_loops(procedure, rewrite)


class _Loop:
    def __init__(self, loop: For, inner: list[Statement]) -> None:
        self.loop = loop
        self.stores = [each for each in inner if isinstance(each, Store)]
        self.loads = [each for each in inner if isinstance(each, Load)]
        self.lets = {each.var.id: each for each in inner if isinstance(each, Let)}
        self.places = Polynomials(self.lets)
        self.joined: dict[int, tuple[Operand, Operand]] = {}
        for each in inner:
            if isinstance(each, If):
                sides = zip(each.then_yields, each.else_yields, strict=True)
                self.joined.update((var.id, pair) for var, pair in zip(each.results, sides, strict=True))

    def rewrite(self, new_variable: NewVariable) -> None:
        """Carry what is stored, if something reads it."""
        if not self.stores or not self.loads:
            return
        for type_ in dict.fromkeys([each.value.type for each in self.stores]):
            again = self._read_again(type_) if type_ in SCALARS else set()
            if again:
                self._carry(type_, again, new_variable)
                return

    def _read_again(self, type_: str) -> set[int]:
        """The loads of elements of a type that the iteration before has stored, by identity."""
        stores = [each for each in self.stores if each.value.type == type_]
        pointer, place = self._root(stores[0].pointer), self.places.of(stores[0].offset)
        if place is None or not self._is_fixed(pointer) or _paths(self.loop.body, type_) != 1:
            return set()
        if any(self._root(each.pointer) != pointer or self.places.of(each.offset) != place for each in stores):
            return set()
        if any(self._root(each.pointer) == pointer and each.value.type != type_ for each in self.stores):
            return set()
        before = self._one_before(place)
        if before is None:
            return set()
        return {id(each) for each in self.loads
                if self._root(each.pointer) == pointer and self.places.of(each.offset) == before}  # fmt: skip

    def _carry(self, type_: str, again: set[int], new_variable: NewVariable) -> None:
        loop = self.loop
        is_first, previous = new_variable(BOOL), new_variable(type_)
        _replace(loop.body, again, is_first, previous, new_variable)
        loop.body.insert(0, Let(is_first, "equal", (loop.index, Const(0, INT64))))
        nothing = Const(False if type_ == BOOL else 0.0 if type_ in FLOATS else 0, type_)
        loop.carried, loop.initial = (*loop.carried, previous), (*loop.initial, nothing)
        loop.results = (*loop.results, new_variable(type_))
        loop.yields = (*loop.yields, _stored(loop.body, type_, new_variable))  # type: ignore[arg-type]

    def _root(self, pointer: Operand) -> int:
        """The number of the variable that an address is another name of; -1 where branches differ."""
        number = pointer.id  # type: ignore[union-attr]
        if number in self.joined:
            one, other = self.joined[number]
            found = self._root(one)
            return found if found == self._root(other) else -1
        let = self.lets.get(number)
        return self._root(let.args[0]) if let is not None and let.op == "reinterpret" else number

    def _is_fixed(self, pointer: int) -> bool:
        """Whether an address is the same in all iterations."""
        for var, later in zip(self.loop.carried, self.loop.yields, strict=True):
            if var.id == pointer:
                return self._root(later) == pointer
        return pointer not in self.lets and pointer >= 0

    def _one_before(self, place: Polynomial) -> Polynomial | None:
        """The place of the iteration before, if places are a known number of elements apart."""
        index = self.loop.index.id
        varying = {var.id for var in self.loop.carried}
        step = place.get((index,), 0)
        for key in place:
            if key != (index,) and index in key or not varying.isdisjoint(key) or not self._are_outside(key):
                return None
        if step == 0:
            return None
        before = {**place, (): place.get((), 0) - step}
        return {key: number for key, number in before.items() if number}

    def _are_outside(self, key: tuple[int, ...]) -> bool:
        """Whether no factor but the index is made in the body."""
        made = self.lets.keys() | self.joined.keys() | {each.var.id for each in self.loads}
        return made.isdisjoint(key)


def _paths(body: list[Statement], type_: str) -> int:
    """How many elements of a type each path through a body stores; -1 where they differ."""
    count = 0
    for statement in body:
        if isinstance(statement, Store):
            count += statement.value.type == type_
        elif isinstance(statement, If):
            one, other = _paths(statement.then_body, type_), _paths(statement.else_body, type_)
            if one != other or one < 0:
                return -1
            count += one
    return count


def _stored(body: list[Statement], type_: str, new_variable: NewVariable) -> Operand | None:
    """The value of a type that a body stores, given out of branches."""
    for statement in body:
        if isinstance(statement, Store) and statement.value.type == type_:
            return statement.value
        if isinstance(statement, If):
            one = _stored(statement.then_body, type_, new_variable)
            other = _stored(statement.else_body, type_, new_variable)
            if one is not None and other is not None:
                result = new_variable(one.type)
                statement.results = (*statement.results, result)
                statement.then_yields = (*statement.then_yields, one)
                statement.else_yields = (*statement.else_yields, other)
                return result
    return None


def _replace(body: list[Statement], again: set[int], is_first: Var, previous: Var, new_variable: NewVariable) -> None:
    for place, statement in enumerate(body):
        if isinstance(statement, Load) and id(statement) in again:
            read = new_variable(statement.var.type)
            load = Load(read, statement.pointer, statement.offset)
            body[place] = If(is_first, [load], (read,), [], (previous,), (statement.var,))
        elif isinstance(statement, If):
            _replace(statement.then_body, again, is_first, previous, new_variable)
            _replace(statement.else_body, again, is_first, previous, new_variable)
