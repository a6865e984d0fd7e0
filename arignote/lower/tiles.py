"""Nests that read across: arrays whose neighbours do not lie along the innermost loop.

    for i in n parallel {                      for ib in blocks of n parallel {
        for j in m vector {                        for jb in blocks of m {
            out[i, j] = f(x[j, i], y[i, j])            tile[i, j] = x[j, i]        read along i, written along j
        }                              ->              for i in block, for j in block vector {
    }                                                      out[i, j] = f(tile[i, j], y[i, j])
                                                       }
                                                   }
                                               }

Each x[j, i] is in a line of its own, most of which is gone before the next i asks for it, and vectors would have to
gather. So large nests go through tiles, of which what is read across is put into the first cache, turned round. Where
iterations do not depend on one another any order will do; what is read is written by nobody meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from arignote.ir.records import dataclass
from arignote.lower.loop_ir import (
    INT64,
    Const,
    For,
    If,
    Kernel,
    Let,
    Load,
    Operand,
    Procedure,
    Statement,
    Store,
    Var,
    bodies,
    definitions,
    free_variables,
    walk,
)
from arignote.lower.loop_ir_build import LoopRegion, ProcedureBuilder
from arignote.lower.polynomials import Polynomial, Polynomials
from arignote.lower.renaming import copied

ROWS, COLUMNS = 64, 32
"""Of a tile: so many neighbours are read at once, and so many are written."""
LEAST_ROWS, LEAST_COLUMNS = 16, 8
"""Shorter loops are left as they are."""
MOST_ACROSS = 4
"""So many tiles are in the first caches at once."""


def go_in_tiles(procedure: Procedure, build: ProcedureBuilder) -> None:
    """Give the kernels of a procedure that read across a second version, in tiles, for large sizes."""
    waiting = [procedure.body]
    while waiting:
        body = waiting.pop()
        changed: list[Statement] = []
        for statement in body:
            if isinstance(statement, Kernel):
                changed += _versions(statement, build)
            else:
                changed.append(statement)
                waiting += bodies(statement)
        body[:] = changed


def _versions(kernel: Kernel, build: ProcedureBuilder) -> list[Statement]:
    """A kernel, in tiles where it is large."""
    nest = nest_across(kernel)
    if nest is None:
        return [kernel]
    found: list[Statement] = []
    build.body = found
    large = _is_large(build, nest)
    if large is None:
        return [kernel]
    with build.branch(large) as branch:
        twin = replace(kernel, body=copied(kernel.body, build.var))
        turned = nest_across(twin)
        assert turned is not None
        _Tiles(build, twin, turned).write()
        branch.yields()
        branch.otherwise()
        build.append(kernel)
        branch.yields()
    return found


@dataclass(frozen=True, slots=True)
class Across:
    """A load whose neighbours lie along another loop: where it reads where both loops begin, and the distance of what
    it reads in successive iterations of the innermost one."""

    load: Load
    begin: Polynomial
    step: Polynomial


@dataclass(frozen=True, slots=True)
class NestAcross:
    """Loops, outermost first, each the last statement of the one around it. The loads go across those of `loops[level]`
    and of the last."""

    loops: list[For]
    level: int
    loads: list[Across]


def nest_across(kernel: Kernel) -> NestAcross | None:
    """The loops of a kernel that reads across; None for others."""
    loops = _loops(kernel)
    if len(loops) < 2 or not all(isinstance(each, Let | Load | Store | If) for each in walk(loops[-1].body)):
        return None
    every = list(walk(kernel.body))
    places = Polynomials({each.var.id: each for each in every if isinstance(each, Let)})
    indices = {loop.index.id for loop in loops}
    inside = {var.id for each in every for var in definitions(each)} - indices
    if any(isinstance(loop.count, Var) and loop.count.id in inside | indices for loop in loops):
        return None  # how many tiles there are is asked before the loops begin
    reads = {var.id for var in kernel.reads}
    found: dict[int, list[Across]] = {}
    for each in loops[-1].body:
        if isinstance(each, Load) and isinstance(each.pointer, Var) and each.pointer.id in reads:
            place = places.of(each.offset)
            level, across = _across(each, place, loops) if place else (None, None)
            if level is not None and across is not None and inside.isdisjoint(_variables(across)):
                found.setdefault(level, []).append(across)
    if not _is_free(every, places, indices):
        found = {level: across for level, across in found.items() if level == 0}
    if not found:
        return None
    level = max(found, key=lambda each: len(found[each]))
    return NestAcross(loops, level, found[level][:MOST_ACROSS])


def _loops(kernel: Kernel) -> list[For]:
    """The loops of a kernel that only has one in another, without results, of which the outermost and the innermost are
    known to have independent iterations."""
    loops: list[For] = []
    body = kernel.body
    while body and isinstance(body[-1], For) and not body[-1].carried:
        if not all(isinstance(each, Let | Load) for each in body[:-1]):
            return []
        loops.append(body[-1])
        body = body[-1].body
    return loops if not kernel.yields and loops and loops[0].parallel and loops[-1].vector else []


def _is_free(every: list[Statement], places: Polynomials, indices: set[int]) -> bool:
    """Whether iterations may be made in any order: nothing is read that others write, and each writes a place of its
    own. Otherwise those that belong to one iteration of the outermost loop must keep their order."""
    stores = [each for each in every if isinstance(each, Store)]
    written = {each.pointer.id for each in stores if isinstance(each.pointer, Var)}
    if any(isinstance(each, Load) and isinstance(each.pointer, Var) and each.pointer.id in written for each in every):
        return False
    found = [places.of(each.offset) for each in stores]
    return len(written) == len(stores) and all(
        place is not None and indices <= {number for key in place for number in key} for place in found)


def _across(load: Load, place: Polynomial, loops: list[For]) -> tuple[int, Across] | tuple[None, None]:
    """How a load goes across the innermost loop and another one: along that by one, along this by more."""
    last = loops[-1].index.id
    if any(key.count(last) > 1 for key in place):
        return None, None
    step = {tuple([each for each in key if each != last]): count for key, count in place.items() if last in key}
    if not step or step == {(): 1} or step == {(): -1}:
        return None, None
    for level, loop in enumerate(loops[:-1]):
        index = loop.index.id
        if [key for key in place if index in key] == [(index,)] and place[(index,)] == 1:
            begin = {key: count for key, count in place.items() if last not in key and key != (index,)}
            return level, Across(load, begin, step)
    return None, None


def _variables(across: Across) -> Iterator[int]:
    return (number for place in (across.begin, across.step) for key in place for number in key)


def _is_large(build: ProcedureBuilder, nest: NestAcross) -> Operand | None:
    """Whether there are enough iterations; None where it is known that there are not."""
    conditions: list[Operand] = []
    for loop, least in ((nest.loops[nest.level], LEAST_ROWS), (nest.loops[-1], LEAST_COLUMNS)):
        if isinstance(loop.count, Const):
            if loop.count.value < least:
                return None
        else:
            conditions.append(build.let("greater_equal", loop.count, least))
    if not conditions:
        return Const(True, "bool")
    return conditions[0] if len(conditions) == 1 else build.let("logical_and", *conditions)


class _Tiles:
    """The loops of a kernel, written again."""

    def __init__(self, build: ProcedureBuilder, kernel: Kernel, nest: NestAcross) -> None:
        self.build, self.kernel, self.loads = build, kernel, nest.loads
        self.row, self.column = nest.loops[nest.level], nest.loops[-1]
        self.around = nest.loops[: nest.level]
        self.between = nest.loops[nest.level + 1 : -1]
        self.of_row = [each for loop in (self.row, *self.between) for each in loop.body[:-1]]
        """What is computed for a row before its innermost loop begins."""
        self.variables = {var.id: var for each in walk(kernel.body) for var in definitions(each)}
        self.variables.update((var.id, var) for var in free_variables(kernel.body))
        self.tiles: list[Var] = []

    def write(self) -> None:
        """Write the kernel."""
        build, row = self.build, self.row
        self.row_blocks = self._blocks(row.count, ROWS)
        self.column_blocks = self._blocks(self.column.count, COLUMNS)
        self.grain = row.grain and build.index_add(build.let("floor_divide", row.grain, ROWS), 1)
        with build.kernel(self.kernel.reads, self.kernel.writes) as kernel:
            build.body += self.kernel.body[:-1]
            self.tiles = [build.scratch(each.load.var.type, ROWS * COLUMNS) for each in self.loads]
            self._loops([*self.around, row, *self.between])
            kernel.yields()

    def _blocks(self, count: Operand, size: int) -> Operand:
        return self.build.let("floor_divide", self.build.index_add(count, size - 1), size)

    def _part(self, block: Operand, size: int, count: Operand) -> tuple[Operand, Operand]:
        """Where a block begins, and how much of it there is."""
        first = self.build.index_multiply(block, size)
        return first, self.build.let("minimum", self.build.let("subtract", count, first), size)

    def _loops(self, loops: list[For]) -> None:
        """The loops around the tiles. Those that were between the two come around both."""
        if not loops:
            self._tile()
            return
        loop, *rest = loops
        if loop is self.row:
            with self.build.loop(self.row_blocks, parallel=loop.parallel, grain=self.grain) as blocks:
                self.first_row, self.rows = self._part(blocks.index, ROWS, loop.count)
                self._loops(rest)
            return
        del loop.body[0 if loop in self.between else -1 :]
        with LoopRegion(self.build, loop):
            self._loops(rest)

    def _tile(self) -> None:
        build = self.build
        with build.loop(self.column_blocks) as blocks:
            first, columns = self._part(blocks.index, COLUMNS, self.column.count)
            for across, tile in zip(self.loads, self.tiles):
                self._turn(across, tile, first, columns)
            with build.loop(self.rows) as row:
                build.append(Let(self.row.index, "add", (self.first_row, row.index)))
                build.body += self.of_row
                beginning = build.index_multiply(row.index, COLUMNS)
                with build.loop(columns, vector=True) as column:
                    build.append(Let(self.column.index, "add", (first, column.index)))
                    self._elements(build.index_add(beginning, column.index))

    def _elements(self, place: Operand) -> None:
        """The body of the innermost loop, which reads the tiles."""
        tiles = {id(across.load): tile for across, tile in zip(self.loads, self.tiles)}
        for each in self.column.body:
            tile = tiles.get(id(each))
            self.build.append(each if tile is None else Load(each.var, tile, place))  # type: ignore[union-attr]

    def _turn(self, across: Across, tile: Var, first: Operand, columns: Operand) -> None:
        """Fill a tile."""
        build, pointer = self.build, across.load.pointer
        step = self._number(across.step)
        begin = build.index_add(self._number(across.begin), self.first_row)
        begin = build.index_add(begin, build.index_multiply(first, step))
        with build.loop(columns) as column:
            begin = build.index_add(begin, build.index_multiply(column.index, step))
            with build.loop(self.rows) as row:
                value = build.load(pointer, build.index_add(begin, row.index))
                build.store(tile, build.index_add(build.index_multiply(row.index, COLUMNS), column.index), value)

    def _number(self, polynomial: Polynomial) -> Operand:
        """The value of a polynomial."""
        total: Operand = Const(0, INT64)
        for key, count in polynomial.items():
            product: Operand = Const(count, INT64)
            for number in key:
                product = self.build.index_multiply(product, self.variables[number])
            total = self.build.index_add(total, product)
        return total
