"""What an operation may say about its derivative. Nothing else is accepted.

The transform owns broadcasting, dtypes, zeros and accumulation; a rule is pure calculus. In every rule, `emit` builds
nodes, `node` is the primal application, and a cotangent or tangent has the type of the value that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from arignote.ir.graph import Apply, Node
from arignote.ir.records import dataclass

if TYPE_CHECKING:
    from arignote.ops.emit import Emit
    from arignote.ops.term import Term


@dataclass(frozen=True, slots=True)
class Partials:
    """An elementwise operation: one function per operand, `(*operands, output) -> partial derivative`, over `Term`s;
    None for an operand that carries no derivative (a condition). Both modes come from it.

    singular: a partial may be infinite, or NaN. What it is multiplied by counts as 0 all the same where it is 0: a
              value that is not used, such as that of a logarithm where `np.where` took the other side, has no
              derivative.
    """

    of: tuple[Callable[..., Term | float] | None, ...]
    singular: bool = False


@dataclass(frozen=True, slots=True)
class Linear:
    """Linear in the operands `linear` (None: in all of them) for any fixed value of the others.

    vjp: (emit, node, cotangent) -> one cotangent per operand (None where there is none).
    The jvp is the operation itself, applied to the tangents of the linear operands.
    """

    vjp: Callable[[Emit, Apply, Node], Sequence[Node | None]]
    linear: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """A pair of rules.

    jvp: (emit, node, tangents) -> tangent; a tangent is None where it is zero
    vjp: (emit, node, cotangent) -> one cotangent per operand (None where there is none)
    """

    jvp: Callable[[Emit, Apply, Sequence[Node | None]], Node | None]
    vjp: Callable[[Emit, Apply, Node], Sequence[Node | None]]


@dataclass(frozen=True, slots=True)
class Zero:
    """Piecewise constant, or no float in or out: the derivative is zero wherever it exists."""


@dataclass(frozen=True, slots=True)
class Structural:
    """Handled by the transforms themselves: calls, control flow, tuples, lists, effects."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Has no derivative; `why` is shown to the user."""

    why: str


Derivative = Partials | Linear | Rules | Zero | Structural | Refused
