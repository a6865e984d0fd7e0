"""Many small systems at once, one in each lane of a vector: the entries of a block of systems lie side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...ir.records import dataclass
from ...lower.loop_ir import Operand, Type, Var
from ...lower.loop_ir_build import ProcedureBuilder

SMALL = 16
"""The side up to which systems are solved in lanes; beyond, LAPACK was measured to be faster."""
BLOCK_GRAIN = 4_000
"""Entries of matrices that are worth a chunk for another thread."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """A block of systems of side n in scratch memory, inside the loop over its lanes."""

    build: ProcedureBuilder
    count: int
    item: Operand
    lane: Operand

    def place(self, row: Operand, column: Operand | int, width: Operand | int) -> Operand:
        """Where an entry of this lane's matrix is."""
        build = self.build
        entry = build.index_add(build.index_multiply(row, width), column)
        return build.index_add(build.index_multiply(entry, self.count), self.lane)

    def for_each(self, rows: Operand, columns: Operand, body: Callable[[Operand, Operand], None]) -> None:
        """All entries of a matrix."""
        with self.build.loop(rows) as row, self.build.loop(columns) as column:
            body(row.index, column.index)


def lane_count(type: Type) -> int:
    """Systems in a block: a vector of 64 bytes."""
    return 8 if type == "float64" else 16


@contextmanager
def blocks(build: ProcedureBuilder, type: Type, count: Var, work: Operand, reads: list[Var], writes: list[Var],
           sizes: list[int]) -> Iterator[tuple[Lanes, list[Var]]]:  # fmt: skip
    """The loop over blocks and lanes, with scratch memory of so many entries for each system. Lanes beyond the last
    system do the same as the last."""
    lanes = lane_count(type)
    number = build.let("floor_divide", build.let("add", count, lanes - 1), lanes)
    each = build.let("maximum", build.let("multiply", work, lanes), 1)
    grain = build.let("add", build.let("floor_divide", BLOCK_GRAIN, each), 1)
    last = build.let("subtract", count, 1)
    with build.kernel(reads, writes):
        scratch = [build.scratch(type, size * lanes) for size in sizes]
        with build.loop(number, parallel=True, grain=grain) as block:
            start = build.let("multiply", block.index, lanes)
            with build.loop(lanes, vector=True) as lane:
                item = build.let("minimum", build.let("add", start, lane.index), last)
                yield Lanes(build, lanes, item, lane.index), scratch
