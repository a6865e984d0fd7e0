"""Whether the iterations of a loop are independent: what one of them writes, no other one reads or writes.

    for i in n:
        for j in m:
            ...
            out[i * width + j] = value

An iteration may only compute, read memory, and write numbers into arrays that the loop hands on unchanged. Of such an
array it touches places `i * stride + rest`. Where all rests together reach over no more than |stride| elements, places
of different iterations differ. How far rests reach is often known only when the program runs: it is given as a
condition, which the loop tests before it begins.

That an array which is written shares no memory with others is the meaning of arrays as values: had anything else
wanted its elements, it would have been copied before.
"""

from __future__ import annotations

from collections.abc import Mapping

from arignote.ir.records import dataclass
from arignote.lower.loop_ir import (
    BUFFER,
    CHECK_SIGNALS,
    SCALARS,
    Extern,
    For,
    If,
    Let,
    Load,
    Operand,
    Statement,
    Store,
    Type,
    Var,
    While,
    definitions,
    is_pointer,
    walk,
)
from arignote.lower.polynomials import Polynomial, Polynomials, plus


@dataclass(frozen=True, slots=True)
class Reach:
    """What an iteration touches of an array: `stride` times the iteration's number plus one of the `rests`."""

    stride: Polynomial
    rests: tuple[Polynomial, ...]

    @property
    def is_apart(self) -> bool:
        """Whether it is known here that different iterations touch different places."""
        if any(key for polynomial in (self.stride, *self.rests) for key in polynomial):
            return False
        rests = [rest.get((), 0) for rest in self.rests]
        return max(rests) - min(rests) < abs(self.stride[()])


def is_reference(type: Type) -> bool:
    """Whether values of a type are addresses or counted buffers."""
    return type == BUFFER or is_pointer(type)


class Independence:
    """What is found out about one loop. `outside`: the computations around it, by the numbers of their variables."""

    def __init__(self, loop: For, outside: Mapping[int, Let]) -> None:
        self.loop, self.outside = loop, outside
        self.inner = list(walk(loop.body))
        self.made = {var.id for each in (loop, *self.inner) for var in definitions(each)}
        self.counts = {each.index.id: each.count for each in self.inner if isinstance(each, For)}
        self.lets = {each.var.id: each for each in self.inner if isinstance(each, Let)}
        self.names: dict[int, Operand] = {}
        """Addresses and buffers that are other names of what the loop, or a loop or branch in it, was given."""
        self.reached: list[Reach] = []
        self.read: dict[int, Var] = {}
        self.written: dict[int, Var] = {}
        self.places = Polynomials(self.lets)

    def holds(self) -> bool:
        """Whether iterations are independent under the conditions of `reached`."""
        carries_numbers = not all(is_reference(var.type) for var in self.loop.carried)
        return (not carries_numbers and all(map(self.is_plain, self.inner)) and self.hands_on_references()
                and self._finds_places())  # fmt: skip

    def is_outside(self, value: Operand) -> bool:
        """Whether a value is the same in all iterations."""
        return not isinstance(value, Var) or value.id not in self.made

    def root(self, reference: Operand) -> Operand:
        """What an address or a buffer is another name of."""
        while isinstance(reference, Var) and reference.id in self.names:
            reference = self.names[reference.id]
        return reference

    def is_plain(self, statement: Statement) -> bool:
        """Whether a statement only computes, reads and writes numbers, or asks for signals."""
        match statement:
            case Let():
                return not is_reference(statement.var.type) or statement.op in ("reinterpret", "pointer_offset")
            case Load():
                return statement.var.type in SCALARS
            case Store():
                return statement.value.type in SCALARS
            case Extern():
                return statement.symbol == CHECK_SIGNALS
        return isinstance(statement, For | While | If)

    def hands_on_references(self) -> bool:
        """Assumes that what loops and branches hand on is what they were given, and then looks whether it is."""
        same: list[tuple[Operand, Operand]] = []
        for each in (self.loop, *self.inner):
            match each:
                case Let() if each.op == "reinterpret" and is_reference(each.var.type):
                    self.names[each.var.id] = each.args[0]
                case For() | While():
                    for var, result, first, later in zip(each.carried, each.results, each.initial, each.yields):
                        if is_reference(var.type):
                            self.names[var.id] = self.names[result.id] = first
                            same.append((later, first))
                case If():
                    for var, one, other in zip(each.results, each.then_yields, each.else_yields):
                        if is_reference(var.type):
                            self.names[var.id] = one
                            same.append((one, other))
        roots = [(self.root(one), self.root(other)) for one, other in same]
        return all(isinstance(one, Var) and isinstance(other, Var) and one.id == other.id for one, other in roots)

    def _finds_places(self) -> bool:
        accesses: dict[int, list[Polynomial | None]] = {}
        for each in self.inner:
            if isinstance(each, Load | Store):
                pointer, place = self.place(each.pointer, each.offset)
                if pointer.id in self.made:
                    return False
                accesses.setdefault(pointer.id, []).append(place)
                (self.written if isinstance(each, Store) else self.read)[pointer.id] = pointer
        for number in self.written:
            self.read.pop(number, None)
        if not self.written or not self._are_apart():
            return False
        return all(self._reach(accesses[number]) for number in self.written)

    def place(self, pointer: Operand, offset: Operand) -> tuple[Var, Polynomial | None]:
        """The array that an address leads into, and the place in it."""
        place = self.places.of(offset)
        while True:
            root = self.root(pointer)
            assert isinstance(root, Var)
            let = self.lets.get(root.id)
            if let is None:
                return root, place
            pointer, further = let.args[0], self.places.of(let.args[1])
            place = None if place is None or further is None else plus(place, further)

    def _are_apart(self) -> bool:
        """Whether no array that is written is reached through two addresses."""
        bases = [self.base(var) for var in (*self.written.values(), *self.read.values())]
        written = bases[: len(self.written)]
        return all(bases.count(base) == 1 for base in written)

    def base(self, pointer: Var) -> int:
        """The number of the array that an address from around the loop leads into."""
        let = self.outside.get(pointer.id)
        while let is not None and let.op in ("reinterpret", "pointer_offset") and isinstance(let.args[0], Var):
            pointer = let.args[0]
            let = self.outside.get(pointer.id)
        return pointer.id

    def _reach(self, places: list[Polynomial | None]) -> bool:
        """Notes what the iterations touch of one array; whether it can be told."""
        index = self.loop.index.id
        strides: list[Polynomial] = []
        rests: list[Polynomial] = []
        for place in places:
            if place is None or not all(self._is_told(key) for key in place):
                return False
            strides.append({tuple([x for x in key if x != index]): n for key, n in place.items() if index in key})
            rests.append({key: number for key, number in place.items() if index not in key})
        stride = strides[0]
        inner = any(number in self.counts for key in stride for number in key)
        if not stride or inner or any(other != stride for other in strides):
            return False
        common = {key: n for key, n in rests[0].items()
                  if not self._moves(key) and all(rest.get(key) == n for rest in rests)}  # fmt: skip
        rests = [{key: number for key, number in rest.items() if key not in common} for rest in rests]
        self.reached.append(Reach(stride, tuple(rests)))
        return True

    def _moves(self, key: tuple[int, ...]) -> bool:
        return any(number in self.counts for number in key)

    def _is_told(self, key: tuple[int, ...]) -> bool:
        """Whether a product has factors of three kinds only: the loop's index, once; indices of loops in it, whose
        counts are the same in all iterations; what comes from around the loop."""
        return key.count(self.loop.index.id) <= 1 and all(
            number == self.loop.index.id
            or (self.is_outside(self.counts[number]) if number in self.counts else number not in self.made)
            for number in key
        )
