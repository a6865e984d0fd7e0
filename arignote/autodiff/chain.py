"""The chain rule for one operand: a cotangent, or tangent, times a partial derivative.

A value that is not used has no derivative, even where its own derivative is infinite. So what is exactly zero stays
zero: the zeros that `np.where` puts into the cotangent of the value that it did not take are put behind the product
(`select(c, a, 0) * p` becomes `select(c, a * p, 0)`, which costs nothing), and where a partial may be infinite, the
product of that and zero is zero. Where the partial is finite it is the plain product, so derivatives of it are right.
"""

from __future__ import annotations

from arignote.autodiff.emit import AdjointEmit
from arignote.ir.graph import Apply, Constant, Node
from arignote.ir.types import dtype_of
from arignote.ops.derivative import Partials
from arignote.ops.term import Term


def times(emit: AdjointEmit, cotangent: Node, partial: Term | float, singular: bool = False) -> Node | None:
    """cotangent * partial; None where it is zero."""
    if isinstance(partial, Term):
        return _product(emit, cotangent, partial.node, singular)
    if partial == 0:
        return None
    if partial == 1:
        return cotangent
    if partial == -1:
        return emit.op("negative", cotangent)
    return emit.op("multiply", cotangent, emit.constant(partial, dtype_of(cotangent.type)))


def _product(emit: AdjointEmit, cotangent: Node, partial: Node, singular: bool) -> Node:
    sides = _masked(cotangent)
    if sides is not None:
        condition, yes, no = sides
        products = [x if _is_zero(x) else emit.op("multiply", x, partial) for x in (yes, no)]
        return emit.op("select", condition, *products)
    product = emit.op("multiply", cotangent, partial)
    if not singular:
        return product
    zero = emit.constant(0, dtype_of(cotangent.type))
    # The product of zero is NaN just where the partial is not finite, which is asked once for all its products.
    infinite = emit.op("logical_not", emit.op("isfinite", partial))
    vain = emit.op("logical_and", infinite, emit.op("equal", cotangent, zero))
    return emit.op("select", vain, zero, product)


def _masked(node: Node) -> tuple[Node, Node, Node] | None:
    """The operands of a choice between a value and zero."""
    if isinstance(node, Apply) and node.op.name == "select" and any(map(_is_zero, node.inputs[1:])):
        condition, yes, no = node.inputs
        return condition, yes, no
    return None


def _is_zero(node: Node) -> bool:
    return isinstance(node, Constant) and node.value == 0


def add_masked(emit: AdjointEmit, a: Node, b: Node) -> Node | None:
    """a + b, where the same condition chooses between either and zero."""
    left, right = _masked(a), _masked(b)
    if left is None or right is None or left[0] is not right[0]:
        return None
    sums = []
    for x, y in zip(left[1:], right[1:], strict=True):
        if _is_zero(x) or _is_zero(y):
            sums.append(y if _is_zero(x) else x)
        else:
            sums.append(emit.op("add", x, y))
    return emit.op("select", left[0], *sums)


_FINITE = frozenset("multiply exp exp2 expm1 sinh cosh".split())
"""As factors these are taken as finite."""


def is_singular(node: Apply, position: int) -> bool:
    """Whether the partial by this operand may be infinite or NaN where the operation itself is well defined."""
    derivative = node.op.derivative
    if not isinstance(derivative, Partials):
        return False
    if node.op.name == "multiply":
        other = node.inputs[1 - position]
        return isinstance(other, Apply) and other.op.name not in _FINITE and is_singular(other, 0)
    if not derivative.singular:
        return False
    last = node.inputs[-1]
    if not isinstance(last, Constant):
        return True
    if node.op.name == "divide":
        return last.value == 0
    return not (node.op.name == "power" and last.value >= 1)
