"""What the lowering writes where memory is taken over; the ownership pass makes other statements of it."""

from __future__ import annotations

from arignote.ir.records import dataclass
from arignote.lower.loop_ir import Operand, Var


@dataclass(slots=True, eq=False)
class Take:
    """`buffer` is the reference that `source` held, or a new one if `source` is used later; `pointer` is
    `source_pointer` under the new owner."""

    buffer: Var
    pointer: Var
    source: Var
    source_pointer: Var


@dataclass(slots=True, eq=False)
class Own:
    """The `count` elements of `source` in memory that nobody else sees.

    is_result: whether only the procedure's results mention `buffer` and `pointer`
    """

    buffer: Var
    pointer: Var
    source: Var
    source_pointer: Var
    count: Operand
    is_result: bool = False
