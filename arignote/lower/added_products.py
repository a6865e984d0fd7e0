"""Matrix products that are added to a matrix: in its memory, where nothing else is to be had of the product.

    total += a @ b     is one pass over `total`, and the product is nowhere on its own

A product that only the update soon after it reads is kept as `Product`, which no other rule ever sees.
"""

from __future__ import annotations

from collections import Counter

from arignote.ir.graph import Apply, Node
from arignote.ir.records import dataclass
from arignote.ir.types import dims_of, dtype_of
from arignote.lower.loop_ir import Operand
from arignote.lower.values import Stored, Value

_QUIET = frozenset("size item tuple transpose expand_dims squeeze broadcast_to".split())
"""What may come between a product and the update: nothing that writes to a factor."""


@dataclass(frozen=True, slots=True, eq=False)
class Product(Value):
    """A product of two matrices that is still to be computed; the size that is summed over."""

    a: Stored
    b: Stored
    inner: Operand

    @property
    def sizes(self) -> tuple[Operand, ...]:
        return self.a.sizes[0], self.b.sizes[1]


def added_products(order: list[Node]) -> set[Node]:
    """The products that are read once, by an update that adds them to a whole matrix."""
    places = {node: at for at, node in enumerate(order) if _is_product(node)}
    if not places:
        return set()
    updates = {node.inputs[1]: at for at, node in enumerate(order) if _adds_to_all(node) and node.inputs[1] in places}  # type: ignore[attr-defined]
    uses = Counter(x for node in order if isinstance(node, Apply) and updates for x in node.inputs if x in updates)
    return {product for product, at in updates.items()
            if uses[product] == 1 and all(map(_is_quiet, order[places[product] + 1 : at]))}  # fmt: skip


def _is_product(node: Node) -> bool:
    return (isinstance(node, Apply) and node.op.name == "matmul" and len(dims_of(node.type)) == 2
            and dtype_of(node.type) in ("float32", "float64"))  # fmt: skip


def _adds_to_all(node: Node) -> bool:
    return (isinstance(node, Apply) and node.op.name == "update_slice" and not node["axes"] and node["accumulate"]
            and node.inputs[0] is not node.inputs[1])  # fmt: skip


def _is_quiet(node: Node) -> bool:
    return not isinstance(node, Apply) or node.op.elementwise or node.op.name in _QUIET
