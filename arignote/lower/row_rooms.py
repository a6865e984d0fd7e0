"""Where the arrays of a fused row kernel live that nothing else touches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from arignote.lower.loop_ir import (
    Alloc,
    Const,
    For,
    Kernel,
    Let,
    Load,
    Operand,
    Scratch,
    Statement,
    Store,
    Var,
    bodies,
    element_of,
    operands,
    walk,
)
from arignote.lower.renaming import rename
from arignote.lower.values import ZERO

if TYPE_CHECKING:
    from arignote.lower.row_fusion import Pointers

ROOM_BYTES = 128 << 10
"""So much of the stack holds the rows of a kernel: less than what is always left free, and than most second caches."""
ITEM_BYTES = {"bool": 1, "int32": 4, "float32": 4, "int64": 8, "float64": 8}


def merge(kernels: list[Kernel], host: Kernel, names: dict[int, Operand]) -> None:
    """Let the host's loop over rows run the bodies of all kernels, in their order."""
    rows = host.rows
    assert rows is not None
    whole: list[Statement] = []
    outer = host.body[-1]
    assert isinstance(outer, For)
    for kernel in kernels:
        mine = kernel.rows
        assert mine is not None
        body = mine.loop.body
        if kernel is not host:
            if mine.block is not None:
                _join_blocks(kernel, outer, rows.loop, names)
            rename(body, {mine.index.id: rows.index})
        whole += body if kernel is host else [each for each in body if not _defines(each, mine.index)]
    head = [each for each in rows.loop.body if _defines(each, rows.index)]
    whole = [*head, *[each for each in whole if not _defines(each, rows.index)]]
    rows.loop.body[:] = whole
    rows.loop.vector = all(kernel.rows.loop.vector for kernel in kernels)  # type: ignore[union-attr]
    rename(host.body, names)
    pointers = {each.pointer.id: each.pointer for each in walk(host.body) if isinstance(each, Load | Store)}
    written = {each.pointer.id for each in walk(host.body) if isinstance(each, Store)}  # type: ignore[union-attr]
    host.writes = tuple([var for number, var in pointers.items() if number in written])  # type: ignore[misc]
    host.reads = tuple([var for number, var in pointers.items() if number not in written])  # type: ignore[misc]


def _defines(statement: Statement, var: Var) -> bool:
    return isinstance(statement, Let) and statement.var is var


def _join_blocks(kernel: Kernel, outer: For, loop: For, names: dict[int, Operand]) -> None:
    """What another kernel does at the beginning and end of each block is done in this one."""
    other = kernel.body[-1]
    mine = kernel.rows.loop  # type: ignore[union-attr]
    assert isinstance(other, For)
    rename(other.body, {other.index.id: outer.index})
    place = other.body.index(mine)
    here = outer.body.index(loop)
    outer.body[here + 1 : here + 1] = other.body[place + 1 :]
    outer.body[here:here] = other.body[:place]


class RowRooms:
    """The arrays that only the kernels of a group touch."""

    def __init__(self, kernels: list[Kernel], pointers: Pointers, uses: dict[int, int],
                 new_variable: Callable[[str], Var]) -> None:  # fmt: skip
        self.new_variable = new_variable
        mentions: dict[int, int] = {}
        for kernel in kernels:
            for each in walk([kernel]):
                for operand in operands(each):
                    if isinstance(operand, Var):
                        mentions[operand.id] = mentions.get(operand.id, 0) + 1
        self.arrays: dict[int, tuple[Var, Operand]] = {}
        for kernel in kernels:
            rows = kernel.rows
            assert rows is not None
            for var in kernel.writes:
                number = pointers.root_of(var.id)
                if number != var.id or var.id in rows.elsewhere or number not in pointers.own:
                    continue
                others = [name for name, root in pointers.root.items() if root == number]
                inside = all(mentions.get(name, 0) == uses.get(name, 0) for name in others)
                if inside and mentions.get(number, 0) + len(others) == uses.get(number, 0) and var.id in rows.local:
                    if not any(name in pointers.moved for name in others):
                        self.arrays[number] = (var, rows.local[var.id])

    def contract(self, host: Kernel, out: list[Statement]) -> None:
        """Rows of one element become variables, others pieces of the stack where they are short enough."""
        assert host.rows is not None
        self._forward(host)
        self._drop_unread(host, out)
        touched = {each.pointer.id for each in walk(host.body) if isinstance(each, Load | Store)}  # type: ignore[union-attr]
        rooms = [(var, width) for number, (var, width) in self.arrays.items() if number in touched]
        allocations = {each.pointer.id: each for each in out if isinstance(each, Alloc)}
        rooms = [(var, width) for var, width in rooms if var.id in allocations]
        for var, width in rooms:
            out.remove(allocations[var.id])
            self._place(host, allocations[var.id], width, len(rooms), out)

    def _forward(self, host: Kernel) -> None:
        """Where a row's only element is stored once, what reads it later reads the value; and nothing needs it stored
        if only this kernel would read it."""
        rows = host.rows
        assert rows is not None
        body = rows.loop.body
        count: dict[int, int] = {}
        for each in walk(host.body):
            if isinstance(each, Store):
                count[each.pointer.id] = count.get(each.pointer.id, 0) + 1  # type: ignore[union-attr]
        values: dict[int, Operand] = {}
        names: dict[int, Operand] = {}
        for statement in body:
            for each in walk([statement]):
                if isinstance(each, Load) and each.offset is rows.index and each.pointer.id in values:  # type: ignore[union-attr]
                    names[each.var.id] = values[each.pointer.id]  # type: ignore[union-attr]
            if isinstance(statement, Store) and statement.offset is rows.index and count[statement.pointer.id] == 1:  # type: ignore[union-attr]
                values[statement.pointer.id] = statement.value  # type: ignore[union-attr]
        for number in list(names):
            value = names[number]
            while isinstance(value, Var) and value.id in names:
                value = names[value.id]
            names[number] = value
        drop(body, lambda each: isinstance(each, Load) and each.var.id in names)
        rename(host.body, names)

    def _drop_unread(self, host: Kernel, out: list[Statement]) -> None:
        """What is stored and never read, here or elsewhere, is neither stored nor allocated."""
        loaded = {each.pointer.id for each in walk(host.body) if isinstance(each, Load)}  # type: ignore[union-attr]
        gone = set(self.arrays) - loaded
        drop(host.body, lambda each: isinstance(each, Store) and each.pointer.id in gone)  # type: ignore[union-attr]
        out[:] = [each for each in out if not (isinstance(each, Alloc) and each.pointer.id in gone)]
        touched = {each.pointer.id for each in walk(host.body) if isinstance(each, Load | Store)}  # type: ignore[union-attr]
        host.reads = tuple([var for var in host.reads if var.id in touched])
        host.writes = tuple([var for var in host.writes if var.id in touched])

    def _place(self, host: Kernel, alloc: Alloc, width: Operand, sharing: int, out: list[Statement]) -> None:
        """Memory for one row on the stack of each thread, used where rows are short enough; rows lie at distance 0."""
        rows = host.rows
        assert rows is not None
        dtype = element_of(alloc.pointer.type)
        most = ROOM_BYTES // sharing // ITEM_BYTES[dtype] // 16 * 16
        fits, step, count = self.new_variable("bool"), self.new_variable("int64"), self.new_variable("int64")
        back = self.new_variable("int64")
        out += [
            Let(fits, "less_equal", (width, Const(most, "int64"))),
            Let(count, "select", (fits, ZERO, alloc.count)),
            Let(back, "negative", (width,)),
            Let(step, "select", (fits, back, ZERO)),
        ]
        alloc.count = count
        out.append(alloc)
        room, base = self.new_variable(alloc.pointer.type), self.new_variable(alloc.pointer.type)
        moved, row = self.new_variable("int64"), self.new_variable(alloc.pointer.type)
        rename(host.body, {alloc.pointer.id: row})
        head = 1 if rows.loop.body and _defines(rows.loop.body[0], rows.index) else 0
        rows.loop.body[head:head] = [
            Let(moved, "multiply", (rows.index, step)),
            Let(row, "pointer_offset", (base, moved)),
        ]
        host.body[:0] = [Scratch(room, most), Let(base, "select", (fits, room, alloc.pointer))]


def drop(body: list[Statement], unwanted: Callable[[Statement], bool]) -> None:
    """Take statements out of a body and of those nested in it."""
    body[:] = [each for each in body if not unwanted(each)]
    for each in body:
        for inner in bodies(each):
            drop(inner, unwanted)
