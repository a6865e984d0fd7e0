"""Kernels that go through the same rows one after the other become one kernel.

    for r in rows: for j: mean[r] += x[r, j]                for r in rows:
    for r in rows: mean[r] /= n                      ->         for j: mean += x[r, j]
    for r in rows: for j: c[r, j] = x[r, j] - mean[r]           mean /= n
    for r in rows: for j: s[r] += c[r, j] ** 2                  for j: c[j] = x[r, j] - mean
                                                                for j: s += c[j] ** 2

A row is read from memory once, and what is computed from it is read again while it is in the cache. Arrays that only
these kernels touch need not be in memory: one element for each row becomes a variable, a row that is not too long a
piece of the thread's stack.

This holds where every array that one of the kernels writes and another touches is touched by both in the current row
alone; the lowering notes that (`Rows`). What stands between the kernels is moved in front of them, or behind them,
where its memory allows.
"""

from __future__ import annotations

from collections.abc import Callable

from arignote.ir.records import dataclass, field
from arignote.lower.loop_ir import (
    Alloc,
    Const,
    For,
    If,
    Kernel,
    Let,
    Load,
    Operand,
    Procedure,
    RaiseIf,
    Rows,
    Scratch,
    Statement,
    Store,
    Var,
    While,
    bodies,
    definitions,
    is_pointer,
    operands,
    walk,
)
from arignote.lower.row_rooms import RowRooms, merge
from arignote.lower.values import size_key

NewVariable = Callable[[str], Var]
MOVABLE = (Let, Load, Store, Alloc, Scratch, RaiseIf, For, While, If, Kernel)


@dataclass(slots=True)
class Effects:
    """What a statement does with memory and variables; arrays by the number of their first pointer."""

    reads: set[int] = field(default_factory=set)
    writes: set[int] = field(default_factory=set)
    uses: set[int] = field(default_factory=set)
    defines: set[int] = field(default_factory=set)
    movable: bool = True
    fails: bool = False


class Pointers:
    """Which array a pointer belongs to."""

    def __init__(self) -> None:
        self.root: dict[int, int] = {}
        self.moved: set[int] = set()
        """Pointers to another element than the first."""
        self.same: dict[int, Operand] = {}
        """Other names of a first pointer."""
        self.own: set[int] = set()
        """Pointers to memory that no earlier pointer leads to."""

    def root_of(self, number: int) -> int:
        return self.root.get(number, number)

    def define(self, statement: Statement) -> bool:
        """Note the pointers that a statement defines; False where it is unknown where one leads."""
        if isinstance(statement, Alloc | Scratch):
            self.own.add(statement.pointer.id)
        elif isinstance(statement, If):
            return self._chosen(statement)
        elif isinstance(statement, Let) and is_pointer(statement.var.type):
            return self._derive(statement)
        return isinstance(statement, Alloc | Scratch | Let) or not any(
            is_pointer(var.type) for var in definitions(statement)
        )

    def _chosen(self, statement: If) -> bool:
        """Whether all pointers that come out lead to memory that was made inside: nothing else has a name for it."""
        ends = [end for yields in (statement.then_yields, statement.else_yields)
                for end, var in zip(yields, statement.results, strict=True) if is_pointer(var.type)]  # fmt: skip
        if not ends:
            return True
        made = {var.id for each in walk([statement]) if isinstance(each, Alloc | Scratch) for var in definitions(each)}
        return all(isinstance(end, Var) and end.id in made for end in ends)

    def _derive(self, let: Let) -> bool:
        source = let.args[0] if let.args else None
        if let.op != "pointer_offset" or not isinstance(source, Var):
            return False
        self.root[let.var.id] = self.root_of(source.id)
        offset = let.args[1]
        if isinstance(offset, Const) and offset.value == 0 and source.id not in self.moved:
            self.same[let.var.id] = self.same.get(source.id, source)
        else:
            self.moved.add(let.var.id)
        return True


def effects_of(statement: Statement, pointers: Pointers) -> Effects:
    """The effects of a statement with all that is nested in it."""
    found = Effects()
    for each in walk([statement]):
        found.movable &= isinstance(each, MOVABLE) and pointers.define(each)
        found.fails |= isinstance(each, RaiseIf)
        found.uses.update(x.id for x in operands(each) if isinstance(x, Var))
        found.defines.update(var.id for var in definitions(each))
        if isinstance(each, Load | Store) and isinstance(each.pointer, Var):
            (found.reads if isinstance(each, Load) else found.writes).add(pointers.root_of(each.pointer.id))
    return found


@dataclass(slots=True)
class Group:
    """Kernels that will be one, and what was found between them that has to come after them."""

    kernels: list[Kernel] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)
    deferred: list[Statement] = field(default_factory=list)
    after: Effects = field(default_factory=Effects)


def fuse_rows(procedure: Procedure, new_variable: NewVariable) -> None:
    """Fuse the kernels of a procedure."""
    if sum(1 for each in walk(procedure.body) if isinstance(each, Kernel) and each.rows is not None) < 2:
        return
    _RowFusion(procedure, new_variable).body(procedure.body)


class _RowFusion:
    def __init__(self, procedure: Procedure, new_variable: NewVariable) -> None:
        self.new_variable = new_variable
        self.pointers = Pointers()
        self.uses = _count_uses(procedure)

    def body(self, body: list[Statement]) -> None:
        """Fuse in a list of statements and in those nested in it."""
        out: list[Statement] = []
        group = Group()
        for statement in body:
            if not isinstance(statement, Kernel):
                for inner in bodies(statement):
                    self.body(inner)
            found = effects_of(statement, self.pointers)
            if isinstance(statement, Kernel) and self._joins(group, statement, found):
                _add(group.effects, found)
                group.kernels.append(statement)
            elif not (isinstance(statement, Kernel) and statement.rows) and self._may_come_before(group, found):
                out.append(statement)
            elif not (isinstance(statement, Kernel) and statement.rows) and self._may_come_after(group, found):
                group.deferred.append(statement)
                _add(group.after, found)
            else:
                self._finish(group, out)
                group = self._begin(statement, found, out)
        self._finish(group, out)
        body[:] = out

    def _begin(self, statement: Statement, found: Effects, out: list[Statement]) -> Group:
        if isinstance(statement, Kernel) and statement.rows is not None and not found.fails:
            return Group([statement], found)
        out.append(statement)
        return Group()

    def _joins(self, group: Group, kernel: Kernel, found: Effects) -> bool:
        """Whether the kernel can be one with those of the group."""
        rows = kernel.rows
        if rows is None or found.fails or not found.movable:
            return False
        if not group.kernels:
            return False
        if _meet(found, group.after):
            return False
        first = group.kernels[0].rows
        assert first is not None
        if size_key(first.count) != size_key(rows.count):
            return False
        if any(not _same_blocks(other.rows, rows) for other in group.kernels):
            return False
        common = (found.writes & (group.effects.reads | group.effects.writes)) | (found.reads & group.effects.writes)
        shared = bool((found.reads | found.writes) & (group.effects.reads | group.effects.writes))
        return shared and all(self._is_local(number, [*group.kernels, kernel]) for number in common)

    def _is_local(self, number: int, kernels: list[Kernel]) -> bool:
        """Whether all kernels touch the array in the current row alone, with rows of one width."""
        if number not in self.pointers.own:
            return False
        widths = set()
        for kernel in kernels:
            assert kernel.rows is not None
            for var in (*kernel.reads, *kernel.writes):
                if self.pointers.root_of(var.id) == number:
                    if var.id in self.pointers.moved or var.id in kernel.rows.elsewhere:
                        return False
                    width = kernel.rows.local.get(var.id)
                    if width is None:
                        return False
                    widths.add(size_key(width))
        return len(widths) == 1

    def _may_come_before(self, group: Group, found: Effects) -> bool:
        if not group.kernels:
            return True
        return found.movable and not _meet(found, group.effects) and not _meet(found, group.after)

    def _may_come_after(self, group: Group, found: Effects) -> bool:
        return found.movable and not found.fails

    def _finish(self, group: Group, out: list[Statement]) -> None:
        if len(group.kernels) > 1:
            self._fuse(group, out)
        else:
            out += group.kernels
        out += group.deferred

    def _fuse(self, group: Group, out: list[Statement]) -> None:
        """One kernel of several: the loop over rows of the one with blocks, or of the first, runs all bodies."""
        kernels = group.kernels
        host = next((kernel for kernel in kernels if kernel.rows.block is not None), kernels[0])  # type: ignore[union-attr]
        rooms = RowRooms(kernels, self.pointers, self.uses, self.new_variable)
        merge(kernels, host, self.pointers.same)
        self._choose_grain(kernels, host, out)
        rooms.contract(host, out)
        out.append(host)

    def _choose_grain(self, kernels: list[Kernel], host: Kernel, out: list[Statement]) -> None:
        loop = host.body[-1]
        assert isinstance(loop, For)
        if host.rows.block is not None:  # type: ignore[union-attr]
            return
        grain: Operand | None = None
        for kernel in kernels:
            other = kernel.rows.loop.grain  # type: ignore[union-attr]
            if grain is None or other is None:
                grain = grain or other
            elif grain is not other:
                least = self.new_variable("int64")
                out.append(Let(least, "minimum", (grain, other)))
                grain = least
        loop.grain = grain


def _same_blocks(one: Rows | None, other: Rows) -> bool:
    """Whether rows are cut in the same way, where both kernels have blocks."""
    return one is None or one.block is None or other.block is None or size_key(one.block) == size_key(other.block)


def _add(total: Effects, found: Effects) -> None:
    total.reads |= found.reads
    total.writes |= found.writes
    total.uses |= found.uses
    total.defines |= found.defines


def _meet(found: Effects, other: Effects) -> bool:
    """Whether a statement has to stay after what has these effects."""
    return bool(found.uses & other.defines or found.writes & (other.reads | other.writes) or found.reads & other.writes)


def _count_uses(procedure: Procedure) -> dict[int, int]:
    """How often each variable is mentioned."""
    found: dict[int, int] = {}
    for each in walk(procedure.body):
        mentioned = list(operands(each)) if isinstance(each, MOVABLE) else _everything(each)
        for operand in mentioned:
            if isinstance(operand, Var):
                found[operand.id] = found.get(operand.id, 0) + 1
    for operand in procedure.results:
        if isinstance(operand, Var):
            found[operand.id] = found.get(operand.id, 0) + 1
    return found


def _everything(statement: Statement) -> list[Operand]:
    """All operands of a statement of any kind, those between the lowering and the counting of references included."""
    found: list[Operand] = []
    for name in statement.__slots__:
        value = getattr(statement, name)
        found += [x for x in (value if isinstance(value, tuple) else (value,)) if isinstance(x, Var)]
    return found
