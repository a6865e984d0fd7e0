"""Temporaries that die where another is born: the new array takes over the memory of the old one.

In `b = alloc; ...; a = alloc; kernel(reads b, writes a)`, where the kernel is the last use of b and reads of it only
the element that it writes of a, a is b: the allocation becomes a `Take`, and the kernel works in place. Nothing else
may have a reference to b, so it must have been allocated here and never handed on.
"""

from __future__ import annotations

from arignote.ir.records import dataclass, field
from arignote.lower.loop_ir import (
    BUFFER,
    Alloc,
    Const,
    For,
    Kernel,
    Load,
    Operand,
    Statement,
    Store,
    Var,
    While,
    is_pointer,
    walk,
)
from arignote.lower.taking import Own


@dataclass(slots=True)
class BodyUse:
    """What the first walk over a body has found: for each statement the buffers that it uses, in it or below."""

    body: list[Statement]
    used: list[dict[int, Var]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reuse:
    """`new` may take the memory of `old` before `kernel`."""

    new: Alloc
    old: Alloc
    kernel: Kernel


@dataclass(frozen=True, slots=True)
class CarriedReuse:
    """`new` may take the memory of what a loop carries before `kernel`."""

    new: Alloc
    buffer: Var
    pointer: Var
    kernel: Kernel


def find_reuse(uses: BodyUse, handed_on: set[int], owner: dict[int, Var]) -> list[Reuse]:
    """The allocations of a body that can take over memory, in order."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for place, used in enumerate(uses.used):
        for number in used:
            first.setdefault(number, place)
            last[number] = place
    dying: dict[int, list[Alloc]] = {}
    born: dict[int, list[Alloc]] = {}
    for statement in uses.body:
        if isinstance(statement, Alloc) and statement.buffer.id in first:
            number = statement.buffer.id
            born.setdefault(first[number], []).append(statement)
            if number not in handed_on:
                dying.setdefault(last[number], []).append(statement)
    found: list[Reuse] = []
    for place, olds in dying.items():
        kernel = uses.body[place]
        if isinstance(kernel, Kernel):
            found += _pairs(kernel, olds, born.get(place, []), owner)
    return found


def find_carried(
    uses: BodyUse, loop: For | While, handed_on: dict[int, int], owner: dict[int, Var]
) -> list[CarriedReuse]:
    """The allocations of a loop's body that can take over the memory of what they replace in the next iteration."""
    places: dict[int, list[int]] = {}
    for place, used in enumerate(uses.used):
        for number in used:
            places.setdefault(number, []).append(place)
    allocs = {each.buffer.id: each for each in uses.body if isinstance(each, Alloc)}
    found: list[CarriedReuse] = []
    for buffer, pointer, after in zip(loop.carried, loop.carried[1:], loop.yields):
        new = allocs.get(after.id) if isinstance(after, Var) else None
        if buffer.type != BUFFER or not is_pointer(pointer.type) or new is None or buffer.id in handed_on:
            continue
        mentions = places.get(new.buffer.id, [])
        kernel = uses.body[mentions[0]] if len(mentions) == 1 else None
        if (
            isinstance(kernel, Kernel)
            and handed_on.get(new.buffer.id) == 1
            and places.get(buffer.id, [-1])[-1] == mentions[0]
            and pointer.type == new.pointer.type
            and _is_cheap(kernel)
            and _only_this_pointer(kernel, buffer, pointer, owner)
            and _same_places(kernel, new.pointer, pointer)
        ):
            found.append(CarriedReuse(new, buffer, pointer, kernel))
    return found


def _is_cheap(kernel: Kernel) -> bool:
    """Whether no element takes a loop: beside that, memory costs nothing, and a copy for the first iteration does."""
    stored = [each.body for each in walk(kernel.body) if isinstance(each, For)]
    return not any(
        isinstance(each, For | While) for body in stored if any(isinstance(x, Store) for x in body) for each in body
    )


def hand_on_in_place(body: list[Statement], reuse: CarriedReuse) -> None:
    """Write the taking over in front of the kernel, which reads all that it takes: so it is known to be there."""
    new = reuse.new
    body[:] = [each for each in body if each is not new]
    place = next(i for i, each in enumerate(body) if each is reuse.kernel)
    body.insert(place, Own(new.buffer, new.pointer, reuse.buffer, reuse.pointer, new.count))  # type: ignore[arg-type]
    read_through(reuse.kernel, reuse.pointer, new.pointer)


def _pairs(kernel: Kernel, olds: list[Alloc], news: list[Alloc], owner: dict[int, Var]) -> list[Reuse]:
    found: list[Reuse] = []
    free = [old for old in olds if old not in news]
    for new in news:
        for old in free:
            if (
                _fits(new, old)
                and _only_this_pointer(kernel, old.buffer, old.pointer, owner)
                and _same_places(kernel, new.pointer, old.pointer)
            ):
                found.append(Reuse(new, old, kernel))
                free.remove(old)
                break
    return found


def _same(a: Operand, b: Operand) -> bool:
    return a is b or (isinstance(a, Const) and isinstance(b, Const) and a.value == b.value)


def _fits(new: Alloc, old: Alloc) -> bool:
    return new.pointer.type == old.pointer.type and _same(new.count, old.count)


def _only_this_pointer(kernel: Kernel, buffer: Var, pointer: Var, owner: dict[int, Var]) -> bool:
    pointers = [var for var in (*kernel.reads, *kernel.writes) if owner.get(var.id) is buffer]
    return pointers == [pointer]


def _same_places(kernel: Kernel, new: Var, old: Var) -> bool:
    """Whether the kernel stores each element of `new` once, in the innermost loop, after reading that element of
    `old`."""
    bodies = [kernel.body, *[each.body for each in walk(kernel.body) if isinstance(each, For)]]
    accesses = 0
    for each in walk(kernel.body):
        if isinstance(each, Load | Store) and each.pointer in (new, old):
            accesses += 1
    for body in bodies:
        touched = [each for each in body
                   if isinstance(each, Load | Store) and each.pointer in (new, old)]  # fmt: skip
        if touched:
            stores = [each for each in touched if isinstance(each, Store)]
            return (len(touched) == accesses and len(stores) == 1 and touched[-1] is stores[0]
                    and all(_same(each.offset, stores[0].offset) for each in touched))  # fmt: skip
    return False


def work_in_place(reuse: Reuse) -> None:
    """Let the kernel read through the pointer that it writes."""
    read_through(reuse.kernel, reuse.old.pointer, reuse.new.pointer)


def read_through(kernel: Kernel, old: Var, new: Var) -> None:
    """What a kernel reads through one pointer, it reads through another."""
    for each in walk(kernel.body):
        if isinstance(each, Load) and each.pointer is old:
            each.pointer = new
    kernel.reads = tuple([var for var in kernel.reads if var is not old])
