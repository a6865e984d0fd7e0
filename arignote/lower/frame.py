"""One function body being lowered: the values of its nodes.

A frame is made for each place where a function's body is written: once as a procedure, or inline in a branch or loop.
The rules that lower the operations register themselves by name: `@rule("transpose")`.
"""

from __future__ import annotations

from collections.abc import Callable

from arignote.ir.graph import Apply, Constant, Function, Node
from arignote.ir.structure import MANY
from arignote.ir.types import Array, dims_of
from arignote.lower import fusion
from arignote.lower.added_products import added_products
from arignote.lower.context import Context, span_of
from arignote.lower.lazy import EXPENSIVE, Lazy, Reduction, Splat
from arignote.lower.loop_ir import INT64, Const, Operand, Var
from arignote.lower.schedule import schedule
from arignote.lower.slice_sums import continued
from arignote.lower.values import AnyValue, Stored
from arignote.lower.watch import UPDATES, Watch, contents_read

FUSING = frozenset(
    """broadcast_to transpose expand_dims squeeze slice sum prod max min any all argmax argmin sum_to item index
    concatenate update_slice update_index size reshape gather scatter after""".split()
)
"""Operations that can take an operand element by element; all others, but the elementwise ones, need it in memory."""

Rule = Callable[["Frame", Apply], AnyValue]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Registers how the operations of these names are lowered."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


class Frame:
    """The values of one function's nodes."""

    def __init__(self, context: Context, function: Function, arguments: list[AnyValue]) -> None:
        self.context, self.function = context, function
        self.values: dict[Node, AnyValue] = dict(zip(function.parameters, arguments, strict=True))
        self.order = schedule(function.result)
        self.uses: dict[Node, int] = {}
        self.needed: set[Node] = set()
        self._count_uses()
        updated = {node.inputs[0] for node in self.order if isinstance(node, Apply) and node.op.name in UPDATES}
        self.watch = Watch(self, updated) if updated else None
        self.destinations: dict[Node, Callable[[], Stored]] = {}
        self.continued = continued(self.order)
        self.added = added_products(self.order)

    def _count_uses(self) -> None:
        uses = self.uses
        for node in self.order:
            if isinstance(node, Apply):
                fusing = node.op.elementwise or node.op.name in FUSING
                for child in contents_read(node):
                    uses[child] = uses.get(child, 0) + 1
                if not fusing:
                    self.needed.update(node.inputs)
        result = self.function.result
        uses[result] = uses.get(result, 0) + 1
        self.needed.add(result)

    def run(self) -> AnyValue:
        """Lower every node in order; the value of the result."""
        outer = self.context.span
        for node in self.order:
            if isinstance(node, Apply):
                self.context.span = span_of(self.function, node) or outer
                if self.watch is not None and node.op.name in UPDATES:
                    self.watch.before_update(node)
                self._set(node, RULES[node.op.name](self, node))
                if self.watch is not None:
                    self.watch.lowered(node)
        self.context.span = outer
        return self.value(self.function.result)

    def _set(self, node: Apply, value: AnyValue) -> None:
        self.values[node] = value
        if isinstance(value, Stored | Lazy):
            value.uses += self.uses.get(node, 0)
            self._note_sizes(node, value)
        if isinstance(value, Lazy) and value.forced is None:
            if node in self.destinations and value.sizes and not isinstance(value, Splat):
                place = self.destinations[node]()
                value.place = place if self.context.same_shape(place.sizes, value.sizes) else None
            value.needed |= node in self.needed
            if isinstance(value, Reduction) or (value.needed and value.sizes and value.cost > 0):
                fusion.wait(self.context, value)

    def _note_sizes(self, node: Apply, value: Stored | Lazy) -> None:
        if isinstance(node.type, Array):
            for dim, size in zip(node.type.dims, value.sizes):
                if dim == MANY and isinstance(size, Var):
                    self.context.not_one.add(size.id)

    # What rules ask for

    def value(self, node: Node) -> AnyValue:
        """The value of an operand; something already computed is never lazy."""
        if isinstance(node, Constant):
            return Const(node.value, node.type.dtype)  # type: ignore[attr-defined]
        value = self.values[node]
        if isinstance(value, Lazy) and value.forced is not None:
            return value.forced
        return value

    def scalar(self, node: Node) -> Operand:
        """The operand of a scalar node."""
        return fusion.scalar(self.context, self.value(node))

    def stored(self, node: Node) -> Stored:
        """The array in memory; a constant spread over a shape has one element and strides 0."""
        return fusion.stored(self.context, self.value(node))

    def taken(self, node: Node) -> AnyValue:
        """The value of an operand for something that may go on to write to it. A constant spread over a shape that has
        other readers too is written once more: that is cheaper than a copy, and nobody need ask whose the memory is."""
        value = self.values.get(node)
        if self.is_written_anew(node) and isinstance(value, Splat):
            return fusion.stored(self.context, Splat(value.dtype, value.sizes, value.scalar))
        return self.value(node)

    def is_written_anew(self, node: Node) -> bool:
        """Whether who takes the value gets memory of its own."""
        value = self.values.get(node)
        return isinstance(value, Splat) and bool(value.sizes) and value.uses > 1

    def sizes(self, node: Node) -> tuple[Operand, ...]:
        """The sizes of an operand."""
        value = self.value(node)
        return value.sizes if isinstance(value, Stored | Lazy) else ()

    def given_sizes(self, node: Apply, operands: tuple[Node, ...]) -> tuple[Operand, ...]:
        """Sizes given as scalar operands; where the type knows better, constants."""
        dims = dims_of(node.type)
        return tuple([Const(dim, INT64) if dim >= 0 else self.scalar(x) for dim, x in zip(dims, operands, strict=True)])

    def is_costly(self, value: AnyValue) -> bool:
        """Whether computing the value twice would be a waste."""
        return isinstance(value, Lazy) and value.forced is None and value.cost >= EXPENSIVE
