"""Temporaries that die where another is born: the new array takes over the memory of the old one.

In `b = alloc; ...; a = alloc; kernel(reads b, writes a)`, where the kernel is the last use of b and reads of it only
the element that it writes of a, a is b: the allocation becomes a `Take`, and the kernel works in place. Nothing else
may have a reference to b, so it must have been allocated here and never handed on.
"""

from __future__ import annotations

from arignote.ir.records import dataclass, field
from arignote.lower.loop_ir import Alloc, Const, For, Kernel, Load, Operand, Statement, Store, Var, walk


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


def _pairs(kernel: Kernel, olds: list[Alloc], news: list[Alloc], owner: dict[int, Var]) -> list[Reuse]:
    found: list[Reuse] = []
    free = [old for old in olds if old not in news]
    for new in news:
        for old in free:
            if _fits(new, old) and _only_this_pointer(kernel, old, owner) and _same_places(kernel, new, old):
                found.append(Reuse(new, old, kernel))
                free.remove(old)
                break
    return found


def _same(a: Operand, b: Operand) -> bool:
    return a is b or (isinstance(a, Const) and isinstance(b, Const) and a.value == b.value)


def _fits(new: Alloc, old: Alloc) -> bool:
    return new.pointer.type == old.pointer.type and _same(new.count, old.count)


def _only_this_pointer(kernel: Kernel, old: Alloc, owner: dict[int, Var]) -> bool:
    pointers = [var for var in (*kernel.reads, *kernel.writes) if owner.get(var.id) is old.buffer]
    return pointers == [old.pointer]


def _same_places(kernel: Kernel, new: Alloc, old: Alloc) -> bool:
    """Whether the kernel stores each element of `new` once, in the innermost loop, after reading that element of
    `old`."""
    bodies = [kernel.body, *[each.body for each in walk(kernel.body) if isinstance(each, For)]]
    accesses = 0
    for each in walk(kernel.body):
        if isinstance(each, Load | Store) and each.pointer in (new.pointer, old.pointer):
            accesses += 1
    for body in bodies:
        touched = [each for each in body
                   if isinstance(each, Load | Store) and each.pointer in (new.pointer, old.pointer)]  # fmt: skip
        if touched:
            stores = [each for each in touched if isinstance(each, Store)]
            return (len(touched) == accesses and len(stores) == 1 and touched[-1] is stores[0]
                    and all(_same(each.offset, stores[0].offset) for each in touched))  # fmt: skip
    return False


def work_in_place(reuse: Reuse) -> None:
    """Let the kernel read through the pointer that it writes."""
    for each in walk(reuse.kernel.body):
        if isinstance(each, Load) and each.pointer is reuse.old.pointer:
            each.pointer = reuse.new.pointer
    reuse.kernel.reads = tuple([var for var in reuse.kernel.reads if var is not reuse.old.pointer])
